"""Descriptions of a trainer and of the arguments of `fit`, as values for a checkpoint.

They are compared when a training goes on, and the arguments of `fit` and the callbacks of this
package are made of them again.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.training.callbacks import CSVLogger, EarlyStopping, ReduceOnPlateau
from cygrad.training.fitting import FitOptions
from cygrad.training.hooks import function_of
from cygrad.training.metrics.metric import BuiltInMetric

if TYPE_CHECKING:
    from cygrad.training.hooks import Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.trainer import Trainer

A_FUNCTION = "a function"
CHECKPOINT = "Checkpoint"
_CALLBACKS: dict[str, type[Any]] = {
    each.__name__: each for each in (CSVLogger, EarlyStopping, ReduceOnPlateau)
}


def describe_trainer(trainer: Trainer) -> dict[str, Any]:
    """Return network and arguments of a trainer; of functions, that they are some."""
    net = trainer.net
    found = blake2b(digest_size=16)
    for numbers in (net.input_mean, net.input_scale):
        if numbers is not None:
            found.update(numbers.tobytes())
    return {
        "net": net.config(),
        "hash of the standardization": found.hexdigest(),
        "optimizer": _value(trainer.optimizer),
        "batch_size": trainer.batch_size,
        "accumulate": trainer.accumulate,
        "shards": trainer.shards,
        "clipping": list(trainer.clipping),
    }


def _value(value: Any) -> Any:
    """Return an optimiser, a schedule or an argument of one as values."""
    if is_dataclass(value) and not isinstance(value, type):
        arguments = {field.name: _value(getattr(value, field.name)) for field in fields(value)}
        return {"class": type(value).__name__, **arguments}
    if isinstance(value, (list, tuple)):
        return [_value(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    return A_FUNCTION if callable(value) else value


def difference(found: Any, expected: Any, name: str = "") -> str | None:
    """Return in words where descriptions differ; None: they are the same."""
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        for key in (*expected, *(key for key in found if key not in expected)):
            within = f"{key} of {name}" if name else str(key)
            differs = difference(found.get(key), expected.get(key), within)
            if differs is not None:
                return differs
        return None
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            differs = difference(one, other, f"{name}[{index}]")
            if differs is not None:
                return differs
        return None
    if found == expected:
        return None
    return f"{name} is {_short(found)}, and that of the checkpoint {_short(expected)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def describe_options(options: FitOptions, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Return the arguments of `fit` besides data and callbacks."""
    weights: Any = options.class_weight
    if isinstance(weights, Mapping):
        weights = [[_value(key), float(weight)] for key, weight in weights.items()]
    named = [metric.name for metric in metrics if isinstance(metric, BuiltInMetric)]
    return {
        "epochs": _value(options.epochs),
        "validation": _value(options.validation),
        "metrics": [metric.name for metric in metrics],
        "metrics_are_named": len(named) == len(metrics),
        "train_metrics": bool(options.train_metrics),
        "verbose": bool(options.verbose),
        "shuffle": A_FUNCTION if callable(options.shuffle) else bool(options.shuffle),
        "max_steps": _value(options.max_steps),
        "max_seconds": _value(options.max_seconds),
        "statistics": bool(options.statistics),
        "class_weight": weights,
    }


def options_of(saved: Mapping[str, Any], given: Mapping[str, Any]) -> FitOptions:
    """Return the arguments of a `fit` from their description, and those that are given anew.

    Raises
    ------
    ValueError
        If metrics or shuffle are functions, and not given.
    """
    values = dict(saved)
    are_named, names = values.pop("metrics_are_named"), values["metrics"]
    if values["class_weight"] is not None and not isinstance(values["class_weight"], str):
        values["class_weight"] = dict(values["class_weight"])
    chosen = {name: value for name, value in given.items() if value is not None}
    if not are_named and "metrics" not in chosen:
        raise ValueError(
            f"metrics is None, and some of the training's {', '.join(names)} are functions, "
            "which are not in the checkpoint; expected the same metrics again"
        )
    if values["shuffle"] == A_FUNCTION and not callable(chosen.get("shuffle")):
        raise ValueError("shuffle is not given, and it was a function; expected that function")
    if values["shuffle"] != A_FUNCTION and callable(chosen.get("shuffle")):
        raise ValueError(f"shuffle is a function, and it was {values['shuffle']} before")
    return FitOptions(**{**values, **chosen})


def describe_callback(hook: Hooks) -> dict[str, Any]:
    """Return class and arguments of a callback; without arguments it cannot be made again."""
    if function_of(hook) is not None:
        return {"class": A_FUNCTION, "arguments": None}
    kind = type(hook)
    arguments = None
    if hasattr(hook, "until_pause") and kind.__name__ not in _CALLBACKS:
        return {"class": CHECKPOINT, "arguments": None}  # a class of the user's, made of that
    if kind.__name__ in _CALLBACKS and _CALLBACKS[kind.__name__] is kind:
        names = list(inspect.signature(kind.__init__).parameters)[1:]
        arguments = {name: getattr(hook, name) for name in names}
    return {"class": kind.__name__, "arguments": arguments}


def make_callback(saved: Mapping[str, Any]) -> Hooks | None:
    """Return a callback made of its description; None: it must be given."""
    if saved["arguments"] is None:
        return None
    made: Hooks = _CALLBACKS[saved["class"]](**saved["arguments"])
    return made


def remember_class(kind: type[Any]) -> type[Any]:
    """Add a class of callbacks to those that are made again; a decorator."""
    _CALLBACKS[kind.__name__] = kind
    return kind
