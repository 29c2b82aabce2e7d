"""Options of ``cygrad train`` on schedules, validation and budgets, and what they stand for."""

from __future__ import annotations

import argparse
from argparse import Namespace
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import preset
from cygrad.network.losses import row_of
from cygrad.training import CSVLogger, EarlyStopping, ReduceOnPlateau
from cygrad.training.metrics import METRICS, Metric
from cygrad.training.metrics.table import read_metrics
from cygrad.training.schedules import (
    CosineDecay,
    CosineLog,
    CosineRestarts,
    ExponentialDecay,
    LinearDecay,
    OneCycle,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)
from cygrad.training.schedules.functions import real_power

if TYPE_CHECKING:
    from collections.abc import Callable

    from cygrad.network import Network
    from cygrad.training import Callback

    Rate = float | Schedule

# Rates at the end of a training, divided by those at its beginning, for shapes that reach no 0.
EXPONENTIAL_END = 0.01
STEP_FACTOR, STEPS = 0.1, 3

# The shapes of all epochs together: functions of the first rate and the number of steps.
SHAPES: dict[str, Callable[[float, int], Rate]] = {
    "constant": lambda rate, steps: rate,
    "linear": LinearDecay,
    "polynomial": lambda rate, steps: PolynomialDecay(rate, steps, power=2),
    "cosine": CosineDecay,
    "restarts": lambda rate, steps: CosineRestarts(rate, ceil(steps / 7), multiplier=2),
    "exponential": lambda rate, steps: ExponentialDecay(
        rate, float(real_power(np.array([EXPONENTIAL_END]), 1 / steps)[0])
    ),
    "step": lambda rate, steps: StepDecay(rate, STEP_FACTOR, ceil(steps / STEPS)),
    "cosine-log": CosineLog,
    "one-cycle": OneCycle,
    "plateau": lambda rate, steps: rate,
}
#: What ended a training before its last epoch.
ENDINGS = {
    "callback": "--early-stopping",
    "max_steps": "--max-steps",
    "max_seconds": "--max-seconds",
}
SHAPES_HELP = (
    "the learning rate over all epochs: linear, polynomial (squared) and cosine fall to 0, "
    "restarts is a cosine three times, each twice as long, exponential falls to 1/100, step to a "
    "tenth after each third, one-cycle rises to --learning-rate and falls; cosine-log rises and "
    "falls four times, each twice as long; plateau divides by 10 after 10 epochs without "
    "improvement (default: constant)"
)


def add_options(
    parser: argparse.ArgumentParser,
    integer: Callable[[int], Callable[[str], int]],
    path: Callable[[str], str],
) -> None:
    """Add the groups of these options to the parser of ``cygrad train``."""
    rate = parser.add_argument_group("learning rate in the course of the training")
    rate.add_argument("--schedule", choices=tuple(SHAPES), default="constant", help=SHAPES_HELP)
    rate.add_argument(
        "--warmup",
        metavar="N",
        type=integer(0),
        default=0,
        help="epochs in which the rate rises to its first value, before the schedule (default: 0)",
    )
    checking = parser.add_argument_group("validation")
    checking.add_argument(
        "--validation",
        metavar="X",
        type=_share,
        help="share of the training samples, or their number, to evaluate after each epoch and not "
        "to train on; 0 for none",
    )
    checking.add_argument(
        "--best-epoch",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="take the parameters of the epoch with the best validation accuracy, or the best loss "
        "for quantities, of equal ones the last; --early-stopping goes by the same; needs "
        "--validation",
    )
    add_metrics(checking)
    ending = parser.add_argument_group("end of the training, before --epochs")
    ending.add_argument(
        "--early-stopping",
        metavar="N",
        type=integer(1),
        help="stop after N epochs without a better validation loss, and take the best parameters; "
        "needs --validation",
    )
    ending.add_argument(
        "--max-seconds", metavar="X", type=seconds, help="stop after so many seconds"
    )
    ending.add_argument(
        "--max-steps", metavar="N", type=integer(1), help="stop after so many steps"
    )
    log = parser.add_argument_group("log")
    log.add_argument("--log", metavar="CSV", type=path, help="file with a row for each epoch")


def add_metrics(parser: Any) -> None:
    """Add the option for further metrics."""
    parser.add_argument(
        "--metrics",
        metavar="NAMES",
        type=_metrics,
        default=(),
        help=f"further metrics, as in f1,roc_auc: {', '.join(METRICS)}",
    )


def check(parser: argparse.ArgumentParser, arguments: Namespace) -> None:
    """End with an error if these options contradict each other."""
    arguments.validation = arguments.validation or None
    for option in ("early_stopping", "best_epoch"):
        if getattr(arguments, option) and arguments.validation is None:
            parser.error(f"argument --{option.replace('_', '-')}: only with --validation")
    if 0 < arguments.epochs <= arguments.warmup:
        parser.error(
            f"argument --warmup: {arguments.warmup}, expected fewer than the {arguments.epochs} "
            "epochs of --epochs"
        )
    if arguments.warmup and arguments.schedule == "cosine-log":
        schedule = preset.named(arguments, "schedule")
        parser.error(f"argument --warmup: not with {schedule}, which rises from 0")


def learning_rate(arguments: Namespace, rate: float, steps_per_epoch: int) -> Rate:
    """Return the learning rate: a number, or the schedule of all steps."""
    warmup = arguments.warmup * steps_per_epoch
    schedule = SHAPES[arguments.schedule](rate, arguments.epochs * steps_per_epoch - warmup)
    return Warmup(warmup, schedule) if warmup else schedule  # type: ignore[arg-type]


def chosen_metrics(arguments: Namespace, net: Network) -> list[Metric]:
    """Return the metrics that were asked for, besides the network's own."""
    try:
        return read_metrics(arguments.metrics, net)
    except ValueError as error:
        raise ValueError(f"--metrics: {error}") from None


def callbacks(arguments: Namespace, validated: bool, has_classes: bool) -> list[Callback]:
    """Return the callbacks that the options stand for."""
    found: list[Callback] = []
    if arguments.schedule == "plateau":
        found.append(ReduceOnPlateau(monitor="val_loss" if validated else "loss"))
    if arguments.best_epoch:
        monitor = "val_accuracy" if has_classes else "val_loss"
        found.append(EarlyStopping(arguments.early_stopping, monitor, ties="last"))
    elif arguments.early_stopping is not None:
        found.append(EarlyStopping(arguments.early_stopping))
    if arguments.log is not None:
        found.append(CSVLogger(arguments.log))
    return found


def evaluate(net: Network, X: Any, y: Any, metrics: list[Metric]) -> dict[str, float]:
    """Return loss and all metrics of samples."""
    results = net.evaluate(X, y)
    if metrics:
        outputs = net.forward(X)
        several = row_of(net.loss).decides_at_half and net.outputs > 1
        for metric in metrics:
            compared = metric.compared(net, y, outputs)
            results[metric.name] = metric(*compared, multilabel=several)
    return results


def _share(text: str) -> float:
    number: float
    try:
        number = int(text)
    except ValueError:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
    if not (0 <= number < 1 or (isinstance(number, int) and number >= 1)):
        raise argparse.ArgumentTypeError(
            f"{text!r}, expected a share between 0 and 1, or a number of samples"
        )
    return number


def seconds(text: str) -> float:
    """Return a time of an option."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number above 0")
    return number


def _metrics(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in METRICS and not (name.startswith("top_") and name[4:].isdigit()):
            raise argparse.ArgumentTypeError(f"{name!r}, expected names among {', '.join(METRICS)}")
    return names
