"""`coefs_` and `intercepts_`: the parameters of a network as scikit-learn's MLPs show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.layers import Layer


class Coefficients(list[Any]):
    """A list of the weights of all dense layers, or of their biases, that can be assigned.

    The arrays are read-only copies: the network holds the parameters. An item that is assigned
    goes to the network too. A copy or a pickle of the list is an ordinary list.

    Parameters
    ----------
    layers : sequence of Layer
        Dense layers.
    weights : bool
        True for the weights, each of shape (in, out); False for the biases, shape (out,).
    """

    def __init__(self, layers: Sequence[Layer], weights: bool) -> None:
        self._layers, self._weights = layers, weights
        super().__init__(self._array(layer) for layer in layers)

    def _array(self, layer: Layer) -> NDArray[Any]:
        if not self._weights:
            return layer.biases
        array = np.ascontiguousarray(layer.weights.T)
        array.flags.writeable = False
        return array

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        chosen = range(len(self))[index]
        if isinstance(chosen, range):
            for position, array in zip(chosen, value, strict=True):
                self[position] = array
            return
        layer = self._layers[chosen]
        if self._weights:
            layer.weights = self._checked(value, (layer.inputs, layer.units), index).T
        else:
            layer.biases = self._checked(value, (layer.units,), index)
        super().__setitem__(chosen, self._array(layer))

    def _checked(self, value: ArrayLike, shape: tuple[int, ...], index: object) -> NDArray[Any]:
        name = "coefs_" if self._weights else "intercepts_"
        array = np.asarray(value)
        if array.shape != shape:
            raise ValueError(f"{name}[{index}] has shape {array.shape}, expected {shape}")
        return array

    def assign(self, arrays: Iterable[ArrayLike]) -> None:
        """Assign all arrays, as many as there are layers."""
        name = "coefs_" if self._weights else "intercepts_"
        given = list(arrays)
        if len(given) != len(self):
            raise ValueError(f"{name} has {len(given)} arrays, expected {len(self)}")
        self[:] = given

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)
