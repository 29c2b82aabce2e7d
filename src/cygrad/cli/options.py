"""The options of the command line, their defaults and their checks."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from cygrad import __version__
from cygrad.checks import DTYPES
from cygrad.cli import loop
from cygrad.experiments import EXPERIMENTS
from cygrad.network.activations import ACTIVATIONS
from cygrad.network.losses import LOSSES, Loss
from cygrad.tables.table import TASKS
from cygrad.training.optimizers import OPTIMIZERS


def _default_first(default: str, is_suitable: Callable[[Loss], bool]) -> tuple[str, ...]:
    """Return the names of all suitable losses."""
    others = (name for name, loss in LOSSES.items() if is_suitable(loss) and name != default)
    return default, *others


#: The word to give in place of a file, for the digits of the package.
DIGITS = "digits"
#: The word to give in place of an experiment, for all of them.
ALL = "all"
# The losses of each task, the default first.
CLASSIFICATION_LOSSES = _default_first("cross_entropy", lambda loss: loss.labels)
REGRESSION_LOSSES = _default_first("mse", lambda loss: loss.outputs == "numbers")
EXAMPLES = """\
examples:
  cygrad train digits
  cygrad train digits --report report.html
  cygrad train data.csv --target species --output model.npz
  cygrad predict model.npz new.csv --output predictions.csv
  cygrad experiments run rbf
  cygrad train --help

Exit codes: 0 for success, 1 for failure, 2 for a wrong command line, 130 after Ctrl-C."""


class _Parser(argparse.ArgumentParser):
    """A parser that prints an error as one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; the result also holds `command` and `argv`.

    Raises
    ------
    SystemExit
        After --help and --version, and if the command line is wrong.
    """
    parser = _Parser(
        prog="cygrad",
        description="Train dense neural networks and predict with them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"cygrad {__version__}", help="print the version"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    train = _add_train(commands)
    _add_predict(commands)
    _add_info(commands)
    _add_experiments(commands)
    argv = tuple(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(argv)
    arguments.argv = argv
    if arguments.command == "train":
        _check_train(train, arguments)
    return arguments


def _add_train(commands: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="train a network on a file, or on the digits of the package",
        description="Train a network and save it. Inputs are standardised by the mean and the "
        "standard deviation of the training part, which the model keeps. Quantities to "
        "predict are standardised while the network learns: the figures of the epochs are in "
        "standard deviations, the final ones in the unit of the data.",
        epilog="The test part of the digits is fixed: of each class, every fifth image. Other "
        "data are divided by --seed, so that both parts are alike in their targets.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "data", metavar="FILE", help="CSV, .npy, .npz or IDX file; or the word digits"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--target",
        metavar="COLUMN",
        help="what to predict: in CSV a column by its name or number, in .npy by its number, 1 "
        "being the first and -1 the last; in .npz an array (default: y); for IDX the file of "
        "labels (default: the one beside the images)",
    )
    data.add_argument(
        "--task",
        choices=TASKS,
        default="auto",
        help="whether targets are names or quantities; auto takes text, and integers with few "
        "distinct values, for names",
    )
    data.add_argument(
        "--test-fraction",
        metavar="X",
        type=_number(below=1.0),
        help="share of the samples to test with, 0 for none (default: 0.2)",
    )
    data.add_argument(
        "--no-standardize",
        dest="standardize",
        action="store_false",
        help="take the inputs as they are",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--hidden",
        metavar="UNITS",
        type=_hidden,
        default=(64,),
        help="units of the hidden layers, as in 64,32, or none (default: 64)",
    )
    network.add_argument(
        "--activation",
        choices=[name for name, row in ACTIVATIONS.items() if not row.output_only],
        default="relu",
        help="activation of the hidden layers (default: relu)",
    )
    network.add_argument(
        "--loss",
        choices=("auto", *CLASSIFICATION_LOSSES, *REGRESSION_LOSSES),
        default="auto",
        help="default: cross_entropy for classes, mse for quantities",
    )
    network.add_argument("--dtype", choices=DTYPES, default="float32", help="default: float32")
    training = parser.add_argument_group("training")
    training.add_argument(
        "--epochs",
        metavar="N",
        type=_integer(1),
        default=50,
        help="passes over all training samples (default: 50)",
    )
    training.add_argument(
        "--batch-size",
        metavar="N",
        type=_integer(1),
        help="samples per step (default: 32, or all of fewer samples)",
    )
    training.add_argument(
        "--optimizer", choices=tuple(OPTIMIZERS), default="adam", help="default: adam"
    )
    with_momentum = " or ".join(name for name, row in OPTIMIZERS.items() if row.has_momentum)
    rates = ", ".join(f"{row.learning_rate} for {name}" for name, row in OPTIMIZERS.items())
    training.add_argument("--learning-rate", metavar="X", type=_number(), help=f"default: {rates}")
    training.add_argument(
        "--momentum",
        metavar="X",
        type=_number(below=1.0),
        help=f"only with {with_momentum} (default: 0)",
    )
    training.add_argument(
        "--weight-decay", metavar="X", type=_number(), help="default: 0.01 for adamw, 0 for others"
    )
    loop.add_options(parser, _integer, _path)
    training.add_argument(
        "--seed",
        metavar="N",
        type=_integer(0),
        default=0,
        help="the same seed gives the same model, to the bit (default: 0)",
    )
    results = parser.add_argument_group("results")
    results.add_argument(
        "--output",
        metavar="MODEL",
        type=_path,
        help="file of the model (default: NAME-model.npz for NAME.csv, in the current folder)",
    )
    results.add_argument(
        "--report",
        metavar="HTML",
        type=_path,
        help="file of a page with curves, settings, results and the command to repeat the run; "
        "needs matplotlib (pip install 'cygrad[plot]')",
    )
    results.add_argument("--quiet", action="store_true", help="show no progress")
    results.add_argument("--json", action="store_true", help="print the results as one JSON object")
    return parser


def _check_train(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    loop.check(parser, arguments)
    with_momentum = [name for name, row in OPTIMIZERS.items() if row.has_momentum]
    if arguments.momentum is not None and arguments.optimizer not in with_momentum:
        parser.error(f"argument --momentum: only with --optimizer {' or '.join(with_momentum)}")
    if arguments.data == DIGITS:
        for option in ("target", "test_fraction"):
            if getattr(arguments, option) is not None:
                parser.error(f"argument --{option.replace('_', '-')}: the digits have their own")
        if arguments.task == "regression":
            parser.error("argument --task: the digits are classes")


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="predict with a saved model",
        description="Write the prediction for each sample, as CSV. If the file has targets, "
        "the accuracy or the mean absolute error goes to stderr.",
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", help="file of a model")
    parser.add_argument("data", metavar="FILE", help="CSV, .npy, .npz or IDX file")
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="the targets, as for cygrad train: not an input, but compared with the predictions",
    )
    parser.add_argument(
        "--output", metavar="CSV", type=_path, help="file of the predictions (default: stdout)"
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="add the probability of each class"
    )


def _add_info(commands: Any) -> None:
    parser = commands.add_parser(
        "info",
        help="describe a model, or the installation",
        description="Describe a model; without one, print the installed versions and the variant "
        "of the engine in use.",
        allow_abbrev=False,
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help="file of a model")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def _add_experiments(commands: Any) -> None:
    parser = commands.add_parser(
        "experiments",
        help="see backpropagation work, in numbers and pictures",
        description="Experiments with networks and computational graphs: each prints its numbers "
        "and draws its pictures.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="list the experiments", allow_abbrev=False)
    run = actions.add_parser(
        "run",
        help="run one of them, or all",
        description="Run an experiment. Pictures need matplotlib (pip install 'cygrad[plot]'), "
        "except those of circuits.",
        allow_abbrev=False,
    )
    run.add_argument(
        "name",
        metavar="NAME",
        choices=(*EXPERIMENTS, ALL),
        help=f"one of {', '.join(EXPERIMENTS)}; or {ALL}",
    )
    run.add_argument(
        "--output",
        metavar="DIR",
        type=_path,
        default="cygrad-experiments",
        help="folder of the pictures (default: cygrad-experiments)",
    )


def _path(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("'', expected a path")
    return text


def _integer(least: int) -> Callable[[str], int]:
    def parse_integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r}, expected an integer of at least {least}")
        return number

    return parse_integer


def _number(below: float = math.inf) -> Callable[[str], float]:
    def parse_number(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not 0.0 <= number < below:
            limit = "" if below == math.inf else f" and below {below:g}"
            raise argparse.ArgumentTypeError(f"{text!r}, expected a number of at least 0{limit}")
        return number

    return parse_number


def _hidden(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        units = tuple(int(part) for part in text.split(","))
    except ValueError:
        units = (0,)
    if min(units) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}, expected units as in 64,32, or none")
    return units
