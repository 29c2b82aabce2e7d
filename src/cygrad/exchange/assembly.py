"""`Assembly`: put together a network from the layers that another format holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network import Dense, Network, Residual
from cygrad.network.activations import ChosenActivation, name_of
from cygrad.network.normalization import BatchNorm, LayerNorm

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.layers import Description

    Activation = str | ChosenActivation

#: The loss of an output activation, where the format names none.
_LOSSES = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy", "exp": "poisson"}


class Assembly:
    """Layers with their parameters, in the order of the computation.

    An activation belongs to the layer before it, see `activation`.

    Parameters
    ----------
    inputs : int
        Number of inputs of the first layer.
    source : str
        Name of the file or object, for messages.
    """

    def __init__(self, inputs: int, source: str) -> None:
        self.inputs = inputs
        self.source = source
        self.units = inputs
        self._layers: list[Description] = []
        self._parameters: list[dict[str, NDArray[Any]]] = []  # one for each flat layer

    def dense(
        self, weights: ArrayLike, biases: ArrayLike | None, activation: Activation = "identity"
    ) -> None:
        """Append a dense layer: weights of shape (units, inputs), biases of shape (units,)."""
        weights = np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != self.units:
            raise ValueError(
                f"{self.source}: a dense layer has weights of shape {weights.shape}, expected "
                f"(units, {self.units})"
            )
        parameters = {"weights": weights}
        if biases is not None:
            parameters["biases"] = np.asarray(biases)
        self.units = weights.shape[0]
        # Zeros, because nothing needs to be drawn.
        description = Dense(
            self.units, activation, use_bias=biases is not None, weights_init="zeros"
        )
        self._append(description, parameters)

    def batch_norm(
        self,
        weights: ArrayLike,
        biases: ArrayLike,
        mean: ArrayLike,
        variance: ArrayLike,
        eps: float,
        momentum: float = 0.1,
        activation: Activation = "identity",
    ) -> None:
        """Append a batch norm: γ, β and running statistics, each of shape (units,)."""
        parameters = {"weights": weights, "biases": biases}
        parameters |= {"running_mean": mean, "running_variance": variance}
        self._append(
            BatchNorm(activation, momentum=momentum, eps=eps),
            {name: np.asarray(values) for name, values in parameters.items()},
        )

    def layer_norm(
        self, weights: ArrayLike, biases: ArrayLike, eps: float, activation: Activation = "identity"
    ) -> None:
        """Append a layer norm: γ and β of shape (units,)."""
        parameters = {"weights": np.asarray(weights), "biases": np.asarray(biases)}
        self._append(LayerNorm(activation, eps=eps), parameters)

    def append(self, description: Description) -> None:
        """Append a layer without parameters: dropout or noise."""
        self._append(description, {})

    def residual(self, block: Assembly, activation: Activation = "identity") -> None:
        """Append a residual block whose layers are those of another assembly."""
        if block.inputs != self.units or block.units != self.units:
            raise ValueError(
                f"{self.source}: a sum of {self.units} and {block.units} units, expected as many"
            )
        self._layers.append(Residual(block._layers, activation))
        self._parameters += [*block._parameters, {}]

    def activation(self, activation: Activation) -> None:
        """Apply an activation to the outputs of the last layer."""
        if name_of(activation) == "identity":
            return
        last = self._layers[-1] if self._layers else None
        if not isinstance(last, Dense | BatchNorm | LayerNorm | Residual):
            raise ValueError(f"{self.source}: {activation} has no layer before it")
        if last.activation != "identity":
            raise ValueError(f"{self.source}: {activation} comes after {last.activation}")
        if isinstance(last, Residual):
            self._layers[-1] = Residual(last.layers, activation)
        else:
            self._layers[-1] = replace(last, activation=activation)

    def network(
        self,
        dtype: str,
        *,
        loss: str | None = None,
        classes: Iterable[str] | None = None,
        standardization: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Network:
        """Return the network.

        Parameters
        ----------
        dtype : {"float32", "float64"}
        loss : str or None
            None: that of the output activation, cross_entropy for softmax, binary_cross_entropy for
            sigmoid, poisson for exp, mse for all others.
        classes : iterable of str or None
            Names of the classes.
        standardization : (mean, scale) or None
            Inputs become (x − mean) ⊙ scale, both of shape (inputs,).

        Raises
        ------
        ValueError
            If there is no layer, or parameters have other shapes or are not finite; the message
            begins with the source.
        """
        if not self._layers:
            raise ValueError(f"{self.source} has no layers, expected a dense network")
        if loss is None:
            loss = _LOSSES.get(name_of(getattr(self._layers[-1], "activation", "identity")), "mse")
        try:
            net = Network(self.inputs, self._layers, loss=loss, dtype=dtype, rng=0)
            for layer, parameters in zip(net.layers, self._parameters, strict=True):
                for name, values in parameters.items():
                    setattr(layer, name, values)
            net.classes = None if classes is None else tuple(classes)
            if standardization is not None:
                mean, scale = (np.asarray(each, np.float64) for each in standardization)
                net.set_standardization(mean, scale)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.source}: {error}") from error
        return net

    def _append(self, description: Description, parameters: dict[str, NDArray[Any]]) -> None:
        self._layers.append(description)
        self._parameters.append(parameters)
