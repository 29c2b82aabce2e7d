"""Options of ``cygrad train`` on the steps: the optimiser, limits of weights and gradients."""

from __future__ import annotations

import argparse
from argparse import Namespace
from typing import Any

from cygrad.cli import loop, values
from cygrad.training.optimizers import OPTIMIZERS, Optimizer

DEFAULT_BATCH_SIZE = 32
ALL_SAMPLES = ("rprop",)  # optimisers whose steps need them: their default of --batch-size
# Options that are arguments of the optimiser and of the trainer, under their own names.
OF_OPTIMIZER = (
    "momentum",
    "beta2",
    "weight_decay",
    "decoupled_decay",
    "l2_penalty",
    "l1",
    "max_norm",
)
OF_TRAINER = ("clip_value", "clip_norm", "clip_global_norm", "accumulate")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the groups of these options to the parser of ``cygrad train``."""
    training = parser.add_argument_group("training")
    training.add_argument(
        "--epochs",
        metavar="N",
        type=values.integer(1),
        default=50,
        help="passes over all training samples (default: 50)",
    )
    training.add_argument(
        "--batch-size",
        metavar="N",
        type=values.integer(1),
        help="samples per step (default: 32, or all of fewer samples; all for rprop)",
    )
    training.add_argument(
        "--accumulate",
        metavar="N",
        type=values.integer(1),
        default=1,
        help="batches per step, for steps of more samples than fit in memory (default: 1)",
    )
    training.add_argument(
        "--optimizer", choices=tuple(OPTIMIZERS), default="adam", help="default: adam"
    )
    rates = ", ".join(f"{row.learning_rate:g} for {name}" for name, row in OPTIMIZERS.items())
    training.add_argument(
        "--learning-rate", metavar="X", type=values.number(), help=f"default: {rates}"
    )
    training.add_argument(
        "--momentum",
        metavar="X",
        type=values.number(below=1.0),
        help=f"only with {_with('momentum')} (default: 0)",
    )
    training.add_argument(
        "--beta2",
        metavar="X",
        type=values.number(below=1.0),
        help="share of the earlier squares of the gradient that is kept in each step: only with "
        f"{_with('beta2')} (default: 0.999, for lion 0.99)",
    )
    training.add_argument(
        "--class-weight",
        metavar="WEIGHTS",
        type=values.class_weight,
        help="weights of classes in the loss: balanced gives rare classes as much weight in all as "
        "frequent ones; or as in rose=2,aster=0.5, the others 1",
    )
    training.add_argument(
        "--seed",
        metavar="N",
        type=values.integer(0),
        default=0,
        help="the same seed gives the same model, to the bit (default: 0)",
    )
    weights = parser.add_argument_group("limits of the weights")
    weights.add_argument(
        "--weight-decay",
        metavar="X",
        type=values.number(),
        help="add X times the weights to their gradient; with adamw as --decoupled-decay "
        "(default: 0.01 for adamw, 0 for others)",
    )
    weights.add_argument(
        "--decoupled-decay",
        metavar="X",
        type=values.number(),
        help="lower each weight by X times the learning rate times itself in each step (default: "
        "0)",
    )
    weights.add_argument(
        "--l2-penalty",
        metavar="X",
        type=values.number(),
        help="add X/2 times the sum of the squared weights, divided by the samples of the batch, "
        "to the loss in training; not with adamw (default: 0)",
    )
    weights.add_argument(
        "--l1",
        metavar="X",
        type=values.number(),
        help="move each weight by X times the learning rate to 0 in each step (default: 0)",
    )
    weights.add_argument(
        "--max-norm",
        metavar="X",
        type=values.number(positive=True),
        help="limit of the norm of each unit's weights (default: none)",
    )
    gradients = parser.add_argument_group("gradients")
    limits = gradients.add_mutually_exclusive_group()
    for option, what in (
        ("--clip-value", "each number of the gradient"),
        ("--clip-norm", "the norm of each layer's gradient"),
        ("--clip-global-norm", "the norm of the gradient of all layers"),
    ):
        limits.add_argument(
            option, metavar="X", type=values.number(positive=True), help=f"limit of {what}"
        )
    gradients.add_argument(
        "--statistics",
        action="store_true",
        help="record norms of gradients, weights and updates of each layer, and dead and saturated "
        "units, after each epoch",
    )


def check(parser: argparse.ArgumentParser, arguments: Namespace) -> None:
    """End with an error if these options contradict each other."""
    name = arguments.optimizer
    for argument in OF_OPTIMIZER:
        if getattr(arguments, argument) is not None and not _has(name, argument):
            option = "--" + argument.replace("_", "-")
            expected = f"only with --optimizer {_with(argument)}"
            if argument == "decoupled_decay":
                expected = f"not with --optimizer {name}, whose --weight-decay is decoupled"
            if argument == "l2_penalty":
                expected = f"not with --optimizer {name}, whose decay is not in the loss"
            parser.error(f"argument {option}: {expected}")
    if name == "rprop":
        if arguments.learning_rate == 0:
            parser.error("argument --learning-rate: 0, expected a number above 0 for rprop")
        if arguments.warmup or arguments.schedule not in ("constant", "plateau"):
            option = "warmup" if arguments.warmup else "schedule"
            parser.error(f"argument --{option}: not with --optimizer rprop, which has a fixed rate")


def batch_size(arguments: Namespace, n: int) -> int:
    """Return the number of samples in a batch, of n samples."""
    default = n if arguments.optimizer in ALL_SAMPLES else DEFAULT_BATCH_SIZE
    return min(arguments.batch_size or default, n)


def optimizer(arguments: Namespace, steps_per_epoch: int) -> Optimizer:
    """Return the optimiser with its schedule."""
    row = OPTIMIZERS[arguments.optimizer]
    rate = row.learning_rate if arguments.learning_rate is None else arguments.learning_rate
    return row.optimizer(
        loop.learning_rate(arguments, rate, steps_per_epoch), **_given(arguments, OF_OPTIMIZER)
    )


def trainer_options(arguments: Namespace) -> dict[str, Any]:
    """Return the options for `Trainer`."""
    return _given(arguments, OF_TRAINER)


def _given(arguments: Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    found = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _has(optimizer: str, argument: str) -> bool:
    return hasattr(OPTIMIZERS[optimizer].optimizer, argument)


def _with(argument: str) -> str:
    """Return the names of the optimisers with an argument."""
    return " or ".join(name for name in OPTIMIZERS if _has(name, argument))
