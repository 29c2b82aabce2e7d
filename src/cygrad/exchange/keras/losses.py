"""The loss of a compiled Keras model, and its counterpart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cygrad.exchange.keras.archive import snake_case
from cygrad.network.loss_functions import binary_cross_entropy, cross_entropy, huber
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from cygrad.network.loss_functions import LossFunction

    Loss = str | LossFunction

#: The activation that is part of a loss of logits.
LOGITS = {"binary_cross_entropy": "sigmoid", "cross_entropy": "softmax"}


def _smoothed(kind: Any, name: str) -> Callable[[Mapping[str, Any]], Loss]:
    def make(config: Mapping[str, Any]) -> Loss:
        smoothing = config.get("label_smoothing") or 0
        return kind(label_smoothing=smoothing) if smoothing else name

    return make


def _huber(config: Mapping[str, Any]) -> Loss:
    delta = config.get("delta", 1.0)
    return "huber" if delta == 1 else huber(delta)


_LOSSES: dict[str, Callable[[Mapping[str, Any]], Loss]] = {
    "mean_squared_error": lambda config: "mse",
    "mean_absolute_error": lambda config: "mae",
    "huber": _huber,
    "poisson": lambda config: "poisson",
    "kl_divergence": lambda config: "kl_divergence",
    "binary_crossentropy": _smoothed(binary_cross_entropy, "binary_cross_entropy"),
    "categorical_crossentropy": _smoothed(cross_entropy, "cross_entropy"),
    "sparse_categorical_crossentropy": lambda config: "cross_entropy",
}
_SHORT = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "bce": "binary_crossentropy",
}


def of_compiled(compiled: Any, output: str) -> tuple[Loss | None, str]:
    """Return the loss of a compile configuration, and the activation of the outputs with it.

    Parameters
    ----------
    compiled : mapping or None
        ``compile_config`` of the model.
    output : str
        Name of the activation of the last layer.

    Returns
    -------
    loss : str, LossFunction or None
        None: there is none, or none that these outputs can have.
    activation : str
        `output`, or what a loss of logits adds to linear outputs.
    """
    described = compiled.get("loss") if isinstance(compiled, Mapping) else None
    config: Any = {}
    if isinstance(described, Mapping):
        config, described = described.get("config"), described.get("class_name")
        if described == "function":
            described, config = config, {}
    make = None
    if isinstance(described, str) and isinstance(config, Mapping):
        name = snake_case(described)
        make = _LOSSES.get(_SHORT.get(name, name))
    if make is None:
        return None, output
    try:
        loss = make(config)
        row = row_of(loss)
    except (TypeError, ValueError):
        return None, output
    name = loss if isinstance(loss, str) else loss.name
    if output == "identity" and config.get("from_logits") is True:
        output = LOGITS.get(name, output)
    fits = row.activation in (None, output) and output not in row.refused
    return (loss, output) if fits else (None, output)
