"""The activations of Keras and their counterparts: by name, as layers, and as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cygrad import checks
from cygrad.network.activations import ChosenActivation, elu, leaky_relu

Activation = str | ChosenActivation

#: Keras' names, as in ``Dense(8, activation="relu")``; "gelu" is the exact one there.
NAMES: dict[str, Activation] = {
    "linear": "identity",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "relu": "relu",
    "leaky_relu": leaky_relu(0.2),
    "elu": "elu",
    "celu": "elu",  # with α = 1, as by name
    "selu": "selu",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "mish": "mish",
    "softplus": "softplus",
    "softsign": "softsign",
    "hard_tanh": "hard_tanh",
    "hard_sigmoid": "hard_sigmoid",
    "exponential": "exp",
    "softmax": "softmax",
}
#: The names that are written: each activation without a parameter that has one.
WRITTEN = {
    value: name
    for name, value in NAMES.items()
    if isinstance(value, str) and name not in ("linear", "celu", "swish")
}

#: Functions without parameters, by their class.
_FUNCTIONS: dict[str, Activation] = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Selu": "selu",
    "Silu": "silu",
    "Mish": "mish",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardTanh": "hard_tanh",
    "HardSigmoid": "hard_sigmoid",
    "Exp": "exp",
}


def by_name(value: Any, *, is_old: bool, lossy: bool) -> Activation:
    """Return the activation of a layer: of a name, or of the configuration of an object.

    Parameters
    ----------
    value : str, mapping or None
    is_old : bool
        True for Keras 2, whose hard_sigmoid is another function.
    lossy : bool
        Take softmax for log_softmax.

    Raises
    ------
    ValueError
        If it has no counterpart, or is a custom function.
    """
    if value is None:
        return "identity"
    if isinstance(value, Mapping):
        kind, config = value.get("class_name"), value.get("config")
        is_keras = str(value.get("module")).split(".")[0] in ("keras", "None")
        if (
            isinstance(config, Mapping)
            and is_keras
            and value.get("registered_name") in (None, kind)
        ):
            found = of_layer(str(kind), config)
            if found is not None:
                return found
        name = value.get("registered_name") if kind == "function" else kind
        raise ValueError(
            f"the activation is {config if isinstance(config, str) else name!r}, a custom function "
            "or one without a counterpart"
        )
    if value == "log_softmax":
        return _log_softmax(lossy)
    if not isinstance(value, str) or value not in NAMES:
        raise ValueError(
            f"the activation is {value!r}, which has no counterpart; expected one of "
            f"{', '.join(NAMES)}"
        )
    if value == "hard_sigmoid" and is_old:
        raise ValueError(
            "the activation is hard_sigmoid of Keras 2, max(0, min(1, z / 5 + 1/2)), which has no "
            "counterpart"
        )
    return NAMES[value]


def of_layer(kind: str, config: Mapping[str, Any]) -> Activation | None:
    """Return the activation that a layer is, None for other layers.

    Raises
    ------
    ValueError
        If it has options without a counterpart.
    """
    found = _LAYERS.get(kind)
    return None if found is None else found(config)


def of_function(kind: str, config: Mapping[str, Any], lossy: bool) -> Activation | None:
    """Return the activation that a function of keras.ops is, None for others; see `of_layer`."""
    if kind in _FUNCTIONS:
        return _FUNCTIONS[kind]
    if kind == "Gelu":
        return "gelu_tanh" if config.get("approximate", True) else "gelu"
    if kind == "LeakyRelu":
        return _slope(config.get("negative_slope", 0.2))
    if kind == "LogSoftmax":
        _check_axis(config)
        return _log_softmax(lossy)
    return of_layer("ELU" if kind == "Elu" else kind, config)


def _slope(value: Any) -> Activation:
    slope = checks.number(value, "negative_slope")
    return leaky_relu(slope) if slope else "relu"


def _leaky_relu(config: Mapping[str, Any]) -> Activation:
    return _slope(config.get("negative_slope", config.get("alpha", 0.3)))


def _elu(config: Mapping[str, Any]) -> Activation:
    return elu(checks.number(config.get("alpha", 1.0), "alpha"))


def _relu(config: Mapping[str, Any]) -> Activation:
    highest, threshold = config.get("max_value"), config.get("threshold") or 0
    if highest is not None or threshold != 0:
        raise ValueError(
            f"max_value is {highest} and threshold {threshold}, which have no counterpart; "
            "expected None and 0"
        )
    return _slope(config.get("negative_slope") or 0)


def _softmax(config: Mapping[str, Any]) -> Activation:
    _check_axis(config)
    return "softmax"


def _log_softmax(lossy: bool) -> Activation:
    if not lossy:
        raise ValueError("log_softmax gives logarithms; expected softmax, or lossy=True for it")
    return "softmax"


def _check_axis(config: Mapping[str, Any]) -> None:
    axis = config.get("axis", -1)
    if axis not in (-1, 1, [-1], [1]):
        raise ValueError(f"axis is {axis}, expected -1")


_LAYERS: dict[str, Callable[[Mapping[str, Any]], Activation]] = {
    "LeakyReLU": _leaky_relu,
    "ELU": _elu,
    "ReLU": _relu,
    "Softmax": _softmax,
}
