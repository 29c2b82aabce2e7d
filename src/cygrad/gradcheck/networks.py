"""`NetworkSubject`: a network for the check."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.gradcheck.subject import Array
from cygrad.network.activations import kinks_of
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.network.gradients import Gradients


class NetworkSubject:
    """A copy of a network with samples that can be perturbed.

    Parameters
    ----------
    net : Network
    X, y : array_like
        As for `Network.backward`.
    dtype : {"float32", "float64"}
        The type of the computations.
    inputs : bool
        Whether to check the derivatives by X too.
    """

    def __init__(self, net: Network, X: ArrayLike, y: ArrayLike, dtype: str, inputs: bool) -> None:
        self._net = copy.deepcopy(net) if net.dtype == dtype else net.as_dtype(dtype)
        gradients = self._net.backward(X, y, input_gradient=inputs)
        # Standardisation comes before rounding to float32.
        precision = dtype if net.input_mean is None else "float64"
        self._samples = np.array(X, dtype=precision, order="C")
        self._y = y
        self.name_of_all = "all parameters and inputs" if inputs else "all parameters"
        self.arrays = self._arrays(gradients)
        self.roundoff = float(np.finfo(dtype).eps)
        self.rounding_scale = max(
            abs(gradients.loss) if np.isfinite(gradients.loss) else 0.0,
            1.0 if net.reduction == "mean" else float(len(self._samples)),
            _rounding_scale(gradients),
        )
        distances = list(self._distances(gradients))
        self.at_kink = any(bool(np.any(distance == 0)) for distance in distances)
        self.sides_at_p: object = _sides(distances)

    def _arrays(self, gradients: Gradients) -> list[Array]:
        arrays = []
        for index, layer in enumerate(self._net.layers):
            if not layer.has_weights:
                continue
            for name in ["weights", "biases"] if layer.use_bias else ["weights"]:
                gradient = getattr(gradients, name)[index]
                values = np.array(getattr(layer, name), order="C")
                arrays.append(Array(name, index, gradient, values, partial(setattr, layer, name)))
        if gradients.inputs is not None:
            arrays.append(
                Array(
                    "inputs",
                    None,
                    gradients.inputs,
                    self._samples,
                    _do_nothing,
                    self._input_magnitudes(),
                )
            )
        return arrays

    def _input_magnitudes(self) -> NDArray[np.float64] | None:
        """Return magnitudes for standardised inputs, so that steps are relative to the results."""
        mean, scale = self._net.input_mean, self._net.input_scale
        if mean is None or scale is None:
            return None
        return np.maximum(1.0, np.abs((self._samples - mean) * scale)) / scale

    def loss(self) -> float:
        return self._net.evaluate(self._samples, self._y)["loss"]

    def sides(self) -> object:
        if not self.sides_at_p:  # there are no kinks
            return self.sides_at_p
        gradients = self._net.backward(self._samples, self._y, input_gradient=False)
        return _sides(self._distances(gradients))

    def _distances(self, gradients: Gradients) -> Iterator[NDArray[Any]]:
        """Yield the distances from all kinks of the activations and of the loss."""
        for z, layer in zip(gradients.pre_activations, self._net.layers, strict=True):
            for kink in kinks_of(layer.activation):
                yield z - z.dtype.type(kink)
        kink_distances = row_of(self._net.loss).kink_distances
        if kink_distances is not None:
            yield kink_distances(gradients.activations[-1], np.asarray(self._y))


def _do_nothing(values: NDArray[Any]) -> None:
    """Do nothing, because the loss reads the samples themselves."""


def _sides(distances: Iterable[NDArray[Any]]) -> bytes:
    return b"".join(np.packbits(distance > 0).tobytes() for distance in distances)


def _rounding_scale(gradients: Gradients) -> float:
    """Return ‖z ∂C/∂z‖ over all pre-activations z."""
    squares: Any = 0.0
    with np.errstate(all="ignore"):
        for delta, z in zip(gradients.deltas, gradients.pre_activations, strict=True):
            squares += np.sum((delta.astype(np.float64) * z) ** 2)
    return float(np.sqrt(squares)) if np.isfinite(squares) else 0.0
