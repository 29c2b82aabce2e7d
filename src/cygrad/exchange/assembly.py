"""`Assembly`: put together a network from the layers that another format holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network import Dense, Network, Residual
from cygrad.network.activations import ChosenActivation, name_of
from cygrad.network.losses import row_of
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.scaling import Scaling

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.layers import Description, Trainable
    from cygrad.network.loss_functions import CustomLoss, LossFunction

    Activation = str | ChosenActivation

#: The loss of an output activation, where the format names none.
_LOSSES = {"softmax": "cross_entropy", "sigmoid": "binary_cross_entropy", "exp": "poisson"}
#: Losses that other programs compute from a linear output, and the activation that is part of them.
_LOGITS = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}


class Assembly:
    """Layers with their parameters, in the order of the computation.

    An activation belongs to the layer before it. Where there is none that is free, a scaling by 1
    that is not trained takes its place: `activation` puts it there.

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
        self._scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def is_empty(self) -> bool:
        """True if there are no layers yet."""
        return not self._layers and self._scale is None

    @property
    def output_activation(self) -> str:
        """The name of the activation of the outputs so far."""
        if not self._layers or self._scale is not None:
            return "identity"
        return name_of(getattr(self._layers[-1], "activation", "identity"))

    def dense(
        self,
        weights: ArrayLike,
        biases: ArrayLike | None,
        activation: Activation = "identity",
        *,
        trainable: Trainable = True,
    ) -> None:
        """Append a dense layer: weights of shape (units, inputs), biases of shape (units,)."""
        weights = np.asarray(weights)
        if weights.ndim != 2 or weights.shape[1] != self.units:
            raise ValueError(
                f"{self.source}: a dense layer has weights of shape {weights.shape}, expected "
                f"(units, {self.units})"
            )
        if self._scale is not None:
            weights, biases = _before(weights, biases, *self._scale)
            self._scale = None
        parameters = {"weights": weights}
        if biases is not None:
            parameters["biases"] = np.asarray(biases)
        self.units = weights.shape[0]
        # Zeros, because nothing needs to be drawn.
        description = Dense(
            self.units,
            activation,
            use_bias=biases is not None,
            weights_init="zeros",
            trainable=trainable,
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
        *,
        trainable: Trainable = True,
    ) -> None:
        """Append a batch norm: γ, β and running statistics, each of shape (units,)."""
        parameters = {"weights": weights, "biases": biases}
        parameters |= {"running_mean": mean, "running_variance": variance}
        self._append(
            BatchNorm(activation, momentum=momentum, eps=eps, trainable=trainable),
            {name: np.asarray(values) for name, values in parameters.items()},
        )

    def layer_norm(
        self,
        weights: ArrayLike,
        biases: ArrayLike,
        eps: float,
        activation: Activation = "identity",
        *,
        trainable: Trainable = True,
    ) -> None:
        """Append a layer norm: γ and β of shape (units,)."""
        parameters = {"weights": np.asarray(weights), "biases": np.asarray(biases)}
        self._append(LayerNorm(activation, eps=eps, trainable=trainable), parameters)

    def scaling(
        self, weights: ArrayLike, activation: Activation = "identity", *, trainable: bool = True
    ) -> None:
        """Append a scaling layer: γ of shape (units,)."""
        description = Scaling(activation, trainable=trainable)
        self._append(description, {"weights": np.asarray(weights)})

    def append(self, description: Description) -> None:
        """Append a layer without parameters: dropout or noise."""
        self._append(description, {})

    def residual(self, block: Assembly, activation: Activation = "identity") -> None:
        """Append a residual block whose layers are those of another assembly."""
        self._add_scale()
        block._add_scale()
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
        self._add_scale()
        last = self._layers[-1] if self._layers else None
        if isinstance(last, Residual) and last.activation == "identity":
            self._layers[-1] = Residual(last.layers, activation)
        elif isinstance(last, Dense | BatchNorm | LayerNorm | Scaling) and (
            last.activation == "identity"
        ):
            self._layers[-1] = replace(last, activation=activation)
        elif name_of(activation) == "softmax":
            raise ValueError(f"{self.source}: softmax has no dense layer before it that is linear")
        else:
            ones = {"weights": np.ones(self.units)}
            self._append(Scaling(activation, trainable=False), ones)

    def scale(self, factor: ArrayLike, offset: ArrayLike) -> None:
        """Multiply the outputs of the last layer by factors, and add offsets.

        They become part of the next dense layer; at the end, part of the last one if it has no
        activation, or else a dense layer of their own. Sums are in float64, then rounded.

        Parameters
        ----------
        factor, offset : array_like, of a shape that fits (units,)
        """
        factor, offset = (
            np.array(np.broadcast_to(each, (self.units,)), np.float64) for each in (factor, offset)
        )
        if self._scale is not None:
            factor, offset = self._scale[0] * factor, self._scale[1] * factor + offset
        is_one = (factor == 1).all() and (offset == 0).all()
        self._scale = None if is_one else (factor, offset)

    def network(
        self,
        dtype: str,
        *,
        loss: str | LossFunction | CustomLoss | None = None,
        classes: Iterable[str] | None = None,
        standardization: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Network:
        """Return the network.

        Parameters
        ----------
        dtype : {"float32", "float64"}
        loss : str, loss or None
            None: that of the output activation, cross_entropy for softmax, binary_cross_entropy for
            sigmoid, poisson for exp, mse for all others. With cross_entropy, outputs without an
            activation get softmax, and with binary_cross_entropy sigmoid: other programs have those
            in the loss.
        classes : iterable of str or None
            Names of the classes.
        standardization : (mean, scale) or None
            Inputs become (x − mean) ⊙ scale, both of shape (inputs,).

        Raises
        ------
        ValueError
            If there is no layer, parameters have other shapes or are not finite, or the loss makes
            no classes and there are names of them; the message begins with the source.
        """
        if not self._layers:
            raise ValueError(f"{self.source} has no layers, expected a dense network")
        self._add_scale()
        output = self.output_activation
        if loss is None:
            loss = _LOSSES.get(output, "mse")
        elif output == "identity" and isinstance(loss, str) and loss in _LOGITS:
            self.activation(_LOGITS[loss])
        try:
            net = Network(self.inputs, self._layers, loss=loss, dtype=dtype, rng=0)
            for layer, parameters in zip(net.layers, self._parameters, strict=True):
                for name, values in parameters.items():
                    setattr(layer, name, values)
            if classes is not None:
                row = row_of(net.loss)
                if not (row.labels or row.decides_at_half):
                    raise ValueError(
                        f"the loss {loss} makes no classes, but classes have names; expected "
                        "loss='cross_entropy' or another loss of classes"
                    )
                net.classes = tuple(classes)
            if standardization is not None:
                mean, scale = (np.asarray(each, np.float64) for each in standardization)
                net.set_standardization(mean, scale)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.source}: {error}") from error
        return net

    def _add_scale(self) -> None:
        """Put the factors and offsets of the outputs into the last layer."""
        if self._scale is None:
            return
        (factor, offset), self._scale = self._scale, None
        last = self._layers[-1] if self._layers else None
        if isinstance(last, Dense) and last.activation == "identity":
            parameters = self._parameters[-1]
            weights = factor[:, np.newaxis] * parameters["weights"]
            biases = factor * parameters.get("biases", 0.0) + offset
            self._layers[-1] = replace(last, use_bias=True)
            self._parameters[-1] = {"weights": weights, "biases": biases}
        else:
            self.dense(np.diag(factor), offset)

    def _append(self, description: Description, parameters: dict[str, NDArray[Any]]) -> None:
        self._add_scale()
        self._layers.append(description)
        self._parameters.append(parameters)


def combined(
    first: tuple[ArrayLike, ArrayLike] | None, mean: ArrayLike, scale: ArrayLike
) -> tuple[ArrayLike, ArrayLike]:
    """Return one standardisation for two, mean and scale; `first` is done first, None: nothing."""
    if first is None:
        return mean, scale
    own_mean, own_scale = (np.asarray(each, np.float64) for each in first)
    # ((x − m) s − mean) scale = (x − (m + mean / s)) s scale
    with np.errstate(divide="ignore", invalid="ignore"):  # not finite: an error of the network
        return own_mean + np.asarray(mean) / own_scale, own_scale * np.asarray(scale)


def _before(
    weights: NDArray[Any],
    biases: ArrayLike | None,
    factor: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights and biases of a dense layer whose inputs are multiplied and moved before."""
    weights = weights.astype(np.float64)
    moved = weights @ offset
    return weights * factor, moved if biases is None else np.asarray(biases) + moved
