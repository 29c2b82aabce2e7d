"""The network of a fitted estimator: its outputs for samples, and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from cygrad.network.ensemble import Ensemble
from cygrad.network.losses import row_of
from cygrad.sklearn import inputs
from cygrad.sklearn.architecture import dense_layers
from cygrad.sklearn.coefficients import Coefficients

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network

#: Rows whose pre-activations, of all layers, are in memory at once.
ROWS_OF_SCORES = 1024


def inverse(activation: str, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return pre-activations for mean outputs of an activation, up to a constant of the row."""
    with np.errstate(divide="ignore"):
        if activation == "sigmoid":
            return np.log(outputs) - np.log1p(-outputs)
        return np.log(outputs) if activation in ("softmax", "exp") else outputs


class NetworkEstimator(BaseEstimator):
    """An estimator that predicts by a network, once it is fitted."""

    n_threads: int | None

    _net: Network
    estimators_: list[Any]

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return the outputs of the network, or of several their mean, for samples as given."""
        if "_net" not in self.__dict__:
            check_is_fitted(self)
        if "estimators_" in self.__dict__:
            if not inputs.is_simple(self, X, False):
                X = inputs.read_samples(self, X)
            return self.network_.forward(X, self.n_threads)
        if inputs.is_simple(self, X, False):
            try:
                return self._net.forward(X, self.n_threads)
            except ValueError:  # numbers that are not finite
                pass
        return self._net.forward(inputs.read_samples(self, X), self.n_threads)

    def _scores(self, X: Any) -> NDArray[Any]:
        """Return the pre-activations of the output layer, shape (n, outputs)."""
        outputs = self._outputs(X)
        activation = self._net.layers[-1].activation_name
        if activation == "identity":
            return outputs
        if "estimators_" in self.__dict__:
            return inverse(activation, outputs)
        if not inputs.is_simple(self, X, False):
            X = inputs.read_samples(self, X)
        scores, takes_labels = np.empty_like(outputs), row_of(self._net.loss).labels
        for start in range(0, len(outputs), ROWS_OF_SCORES):
            rows = slice(start, start + ROWS_OF_SCORES)
            # Any targets do: the pre-activations do not depend on them.
            targets = np.zeros(outputs[rows].shape[: 1 if takes_labels else 2], np.int64)
            found = self._net.backward(
                X[rows], targets, False, self.n_threads, keep=("pre_activations",)
            )
            assert found.pre_activations is not None
            scores[rows] = found.pre_activations[-1]
        return scores

    def __sklearn_is_fitted__(self) -> bool:
        return "_net" in self.__dict__

    def _fitted_network(self, name: str) -> Network:
        """Return the network, or raise the AttributeError of an attribute that is not there."""
        net: Network | None = self.__dict__.get("_net")
        if net is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return net

    @property
    def network_(self) -> Network | Any:
        """The network: it can be saved, exported, and its parameters assigned.

        Of several networks, their ensemble.
        """
        net = self._fitted_network("network_")
        if "estimators_" not in self.__dict__:
            return net
        return Ensemble(estimator._net for estimator in self.estimators_)

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        """The weights of each layer, shape (in, out): copies; an item can be assigned."""
        return Coefficients(dense_layers(self._fitted_network("coefs_")), True)

    @coefs_.setter
    def coefs_(self, arrays: Iterable[ArrayLike]) -> None:
        Coefficients(dense_layers(self._fitted_network("coefs_")), True).assign(arrays)

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        """The biases of each layer, shape (out,): copies; an item can be assigned."""
        return Coefficients(dense_layers(self._fitted_network("intercepts_")), False)

    @intercepts_.setter
    def intercepts_(self, arrays: Iterable[ArrayLike]) -> None:
        Coefficients(dense_layers(self._fitted_network("intercepts_")), False).assign(arrays)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
