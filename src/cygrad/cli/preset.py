"""``--preset``: defaults of the options of ``cygrad train`` that are those of a recipe.

An option that is given has its own value. Defaults that depend on the task are set when the targets
are read. The recipes are in `cygrad.presets`; the same seed gives the same parameters there.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from cygrad.records import dataclass
from cygrad.training.optimizers import OPTIMIZERS

PRESETS = ("tabular",)
HELP = (
    "other defaults: tabular has those of RealMLP-TD-S, for tables, which are --hidden 256,256,256 "
    "--activation selu (quantities: mish) --parametrization ntk --scaling-rate 6 --loss "
    "'cross_entropy(0.1)' (mse) --standardize robust --optimizer adam --learning-rate 0.04 (0.07) "
    "--beta2 0.95 --schedule cosine-log --epochs 256 --batch-size 256 --validation 0.2 "
    "--best-epoch; options that are given have their own values"
)
#: Options whose values depend on the task, until it is known.
OF_TASK: dict[str, Any] = {"activation": None, "loss": "auto", "learning_rate": None}


@dataclass(frozen=True)
class _Default:
    """The value of an option that was not given."""

    value: Any


def defaults() -> dict[str, _Default]:
    """Return the defaults of the preset, to be told from what is given."""
    from cygrad.presets import tabular_classifier

    recipe = tabular_classifier()
    values: dict[str, Any] = {
        "hidden": recipe.hidden,
        "parametrization": "ntk",
        "scaling_rate": recipe.scaling_rate,
        "standardize": recipe.numbers,
        "optimizer": "adam",
        "beta2": recipe.beta2,
        "schedule": "cosine-log",
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "validation": recipe.validation,
        "best_epoch": True,
        **OF_TASK,
    }
    return {name: _Default(value) for name, value in values.items()}


def resolve(arguments: Namespace) -> None:
    """Set the defaults of the preset, except those that do not go with what was given."""
    options = {}
    for name, value in vars(arguments).items():
        if isinstance(value, _Default):
            options[name] = value.value
    without: dict[str, Any] = {}
    optimizer = options.get("optimizer", arguments.optimizer)
    if optimizer != "adam":  # it has a rate of its own
        without["learning_rate"] = None
    if not hasattr(OPTIMIZERS[optimizer].optimizer, "beta2"):
        without["beta2"] = None
    if optimizer == "rprop":  # its steps take all samples, at a fixed rate
        without |= {"schedule": "constant", "batch_size": None}
    if arguments.numbers != "standard":  # which is another scale of the inputs
        without["standardize"] = "auto"
    if not options.get("validation", arguments.validation):
        without["best_epoch"] = False
    for name in [*options]:
        setattr(arguments, name, without.get(name, options[name]))
        if name in without:
            del options[name]
    arguments.preset_options = options


def settle(arguments: Namespace, has_classes: bool, is_table: bool) -> list[str]:
    """Set the defaults that depend on the data; return notes on those that do not go with them."""
    if arguments.preset is None:
        return []
    from cygrad.presets import tabular_classifier, tabular_regressor

    options: dict[str, Any] = arguments.preset_options
    recipe = tabular_classifier() if has_classes else tabular_regressor()
    for name in OF_TASK:
        if name in options:
            options[name] = getattr(recipe, name)
            setattr(arguments, name, options[name])
    if "standardize" in options and not is_table:
        del options["standardize"]
        arguments.standardize = "auto"
        return [
            "the inputs are standardised by mean and deviation: --standardize robust of "
            f"--preset {arguments.preset} is for tables with --target"
        ]
    return []


def sets(arguments: Namespace, name: str) -> bool:
    """Return whether the value of an option is the default of a preset."""
    return arguments.preset is not None and name in arguments.preset_options


def named(arguments: Namespace, name: str) -> str:
    """Return an option as it is given, and the preset if that has set it: for messages."""
    option = f"--{name.replace('_', '-')}"
    if name == "schedule":
        option += f" {arguments.schedule}"
    return f"{option} of --preset {arguments.preset}" if sets(arguments, name) else option


def summary(arguments: Namespace) -> dict[str, Any]:
    """Return the name of the preset, and the options that it set, as values for JSON."""
    if arguments.preset is None:
        return {"preset": None}
    options: Mapping[str, Any] = arguments.preset_options
    plain = (str, int, float, tuple)
    return {
        "preset": arguments.preset,
        "preset_options": {
            name: value if isinstance(value, plain) else str(value)
            for name, value in options.items()
        },
    }
