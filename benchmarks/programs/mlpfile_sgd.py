"""mlpfile: small networks in C++ with Eigen, as pip builds it, for one sample at a time.

It has ReLU layers and a linear last one, and plain gradient descent on ½‖a − y‖². Its models come
from files only. ``pip install mlpfile`` needs a C++ compiler, so it is not among the extras. Built
with ``-march=native`` it is no faster throughout: up to a third on small networks, and two times
slower from 64-128-10 on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from struct import pack
from tempfile import TemporaryDirectory

import mlpfile
import numpy as np

from ..cases import LEARNING_RATE
from . import Array, Parameters

LINEAR, RELU = 2, 3  # types of layers in the file


class MlpfileSGD:
    name = "mlpfile"

    def __init__(self, parameters: Parameters) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "network.mlp"
            path.write_bytes(_file(parameters))
            self.model = mlpfile.Model.load(str(path))
        self.forward = self.model.forward
        self.gradient = mlpfile.squared_error
        self.rate = LEARNING_RATE

    def learn(self, x: Array, y: Array) -> None:
        self.model.grad_update(x, y, self.gradient, self.rate)

    def parameters(self) -> Parameters:
        return [(np.array(layer.W), np.array(layer.b)) for layer in self.model.layers[::2]]


def _file(parameters: Parameters) -> bytes:
    """Return the model in mlpfile's format: numbers of layers and inputs, all types with the
    outputs of the linear ones, then W (out, in) and b of these."""
    types: list[int] = []
    for _, biases in parameters:
        types += [LINEAR, len(biases), RELU]
    del types[-1]  # the last layer is linear
    head = [2 * len(parameters) - 1, parameters[0][0].shape[1], *types]
    arrays: Sequence[Array] = [array for layer in parameters for array in layer]
    return pack(f"<{len(head)}I", *head) + b"".join(
        np.ascontiguousarray(array, np.float32).tobytes() for array in arrays
    )
