"""What the check needs to know of a network."""

from __future__ import annotations

import copy
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.gradcheck.differences import Array

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from cygrad.gradients import Gradients
    from cygrad.network import Network


class NetworkSubject:
    """A copy of a network, with samples, that can be moved about.

    Parameters
    ----------
    net : Network
    X, y : array_like
        As for `Network.backward`.
    dtype : {"float32", "float64"}
        What the copy computes in.
    inputs : bool
        Whether X is among what is checked.
    """

    def __init__(self, net: Network, X: ArrayLike, y: ArrayLike, dtype: str, inputs: bool) -> None:
        self._net = copy.deepcopy(net) if net.dtype == dtype else net._as_dtype(dtype)
        gradients = self._net.backward(X, y, input_gradient=inputs)
        # What is standardised is so before it is rounded to float32.
        self._samples = np.array(X, dtype=dtype if net.input_mean is None else np.float64)
        self._y = y
        self.together = "all parameters and inputs" if inputs else "all parameters"
        self.arrays = self._arrays(gradients)
        self.unit = float(np.finfo(dtype).eps)
        self.scale = max(
            abs(gradients.loss) if np.isfinite(gradients.loss) else 0.0,
            1.0 if net.reduction == "mean" else float(len(self._samples)),
            _size(gradients),
        )
        self._has_kinks = net.loss == "hinge" or any(
            layer.activation == "relu" for layer in net.layers
        )

    def _arrays(self, gradients: Gradients) -> list[Array]:
        arrays = []
        for index, layer in enumerate(self._net.layers):
            for name in ["weights", "biases"] if layer.use_bias else ["weights"]:
                gradient = np.ascontiguousarray(getattr(gradients, name)[index])
                values = np.array(getattr(layer, name), order="C")
                arrays.append(Array(name, index, gradient, values, partial(setattr, layer, name)))
        if gradients.inputs is not None:
            # The loss reads the samples themselves: there is nowhere to put them.
            arrays.append(
                Array("inputs", None, gradients.inputs, self._samples, lambda values: None)
            )
        return arrays

    def loss(self) -> float:
        return self._net.evaluate(self._samples, self._y)["loss"]

    def sides(self) -> bytes:
        """Whether z > 0 at each unit with relu, and each margin of the hinge loss is broken."""
        if not self._has_kinks:
            return b""
        gradients = self._net.backward(self._samples, self._y, input_gradient=False)
        sides = [
            z > 0
            for z, layer in zip(gradients.pre_activations, self._net.layers, strict=True)
            if layer.activation == "relu"
        ]
        if self._net.loss == "hinge":
            outputs = gradients.activations[-1].astype(np.float64)
            rows = np.arange(len(outputs))
            sides.append(outputs - outputs[rows, np.asarray(self._y)][:, np.newaxis] + 1 > 0)
        return b"".join(np.packbits(each).tobytes() for each in sides)


def _size(gradients: Gradients) -> float:
    """‖z ∂C/∂z‖ over all pre-activations z."""
    squares: Any = 0.0
    with np.errstate(all="ignore"):
        for delta, z in zip(gradients.deltas, gradients.pre_activations, strict=True):
            squares += np.sum((delta.astype(np.float64) * z) ** 2)
    return float(np.sqrt(squares)) if np.isfinite(squares) else 0.0
