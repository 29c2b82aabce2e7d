"""The commands of the command line and their options, with defaults and checks.

Those of ``cygrad train`` on the network are in `architecture`, on the steps in `descent`, on the
epochs in `loop`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn

from cygrad import __version__
from cygrad.checks import DTYPES
from cygrad.cli import columns, reading, values
from cygrad.tables.samples import TASKS

#: The word to give in place of a file, for the digits of the package.
DIGITS = "digits"
#: The word to give in place of an experiment, for all of them.
ALL = "all"
EXAMPLES = """\
examples:
  cygrad train digits
  cygrad train digits --report report.html
  cygrad train data.csv --target species --output model.npz
  cygrad train data.csv --target price --hidden 64,64 --activation gelu --norm batch \\
      --dropout 0.1 --optimizer adamw --schedule cosine --validation 0.1 --early-stopping 10
  cygrad train data.csv --target species --preset tabular
  cygrad train data.csv --target species --cv 5
  cygrad predict model.npz new.csv --output predictions.csv
  cygrad experiments run rbf
  cygrad train --help

Exit codes: 0 for success, 1 for failure, 2 for a wrong command line, 130 after Ctrl-C."""


#: Options of a single training, and why a cross-validation has none of them.
NOT_WITH_FOLDS = {
    "test_fraction": "where each fold is the test part once",
    "report": "which is about one training",
    "log": "which has several trainings",
    "checkpoint": "which has several trainings",
    "statistics": "which has several trainings",
}


#: Ends the program if options contradict each other.
Check = Callable[[argparse.Namespace], None]


class _Parser(argparse.ArgumentParser):
    """A parser that prints an error as one line, and starts soon."""

    def __init__(
        self,
        formatter: Callable[..., argparse.HelpFormatter] = argparse.HelpFormatter,
        **options: Any,
    ) -> None:
        super().__init__(**options, formatter_class=partial(formatter, width=_help_width()))

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _help_width() -> int:
    """Return the width of help as argparse does, which imports bz2 and lzma with shutil: 5 ms."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns  # type: ignore[union-attr]
        except (AttributeError, ValueError, OSError):  # closed, or no terminal
            columns = 0
    return (columns or 80) - 2


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; the result also holds `command`, `argv` and `ranks`.

    Raises
    ------
    SystemExit
        After --help and --version, and if the command line is wrong.
    """
    parser = _Parser(
        prog="cygrad",
        description="Train dense neural networks and predict with them.",
        epilog=EXAMPLES,
        formatter=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"cygrad {__version__}", help="print the version"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    argv = tuple(sys.argv[1:] if argv is None else argv)
    given = next((word for word in argv if not word.startswith("-")), None)
    check = None
    # Behind a command the others are not shown: 1 ms each.
    known = {given: COMMANDS[given]} if argv and argv[0] == given in COMMANDS else COMMANDS
    for name, (text, add_options) in known.items():
        command = commands.add_parser(name, help=text, allow_abbrev=False)
        if name == given:  # the options of the others would only be read to be thrown away
            check = add_options(command)
    arguments = parser.parse_args(argv)
    if getattr(arguments, "preset", None) is not None:
        from cygrad.cli import preset

        # Once more, with other defaults.
        commands.choices["train"].set_defaults(**preset.defaults())
        arguments = parser.parse_args(argv)
        preset.resolve(arguments)
    arguments.argv, arguments.ranks = argv, None
    if check is not None:
        check(arguments)
    return arguments


def _add_train(parser: argparse.ArgumentParser) -> Check:
    from cygrad.cli import architecture, checkpoints, descent, loop, preset

    parser.description = (
        "Train a network and save it. Tables can have numbers, text, dates and gaps, "
        "see cygrad describe. Inputs are standardised by the mean and the "
        "standard deviation of the training part, which the model keeps; see --standardize. "
        "Quantities to predict are standardised while the network learns: the figures of the "
        "epochs are in standard deviations, the final ones in the unit of the data. Counts for "
        "the loss poisson stay as they are."
    )
    parser.epilog = (
        "The test part of the digits is fixed: of each class, every fifth image. Other "
        "data are divided by --seed, so that both parts are alike in their targets. Several "
        "processes, started as mpiexec -n 4 cygrad train FILE, train together, to the same model "
        "file; with --cv each trains some of the folds. Rank 0 prints and writes; all read FILE, "
        "and --checkpoint to go on. It needs pip install 'cygrad[mpi]'. Other commands run on "
        "rank 0 alone."
    )
    parser.add_argument(
        "data",
        metavar="FILE",
        help="table, svmlight, .npy, .npz or IDX file; - for stdin; or the word digits",
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--target",
        metavar="COLUMN",
        action="append",
        help="what to predict: in a table a column by its name or number, in .npy by its number, 1 "
        "being the first and -1 the last; in .npz an array (default: y); for IDX the file of "
        "labels (default: the one beside the images). Several times for several quantities of a "
        "table",
    )
    data.add_argument(
        "--task",
        choices=TASKS,
        default="auto",
        help="whether targets are names or quantities; auto takes text, and whole numbers with few "
        "different values, for names",
    )
    data.add_argument(
        "--target-scale",
        choices=("standard", "log", "log1p", "none"),
        default="standard",
        help="what is learned of quantities: their deviations from the mean; of their logarithm, "
        "or that of 1 + y; or themselves. Metrics and predictions have their unit (default: "
        "standard)",
    )
    data.add_argument(
        "--test-fraction",
        metavar="X",
        type=values.number(below=1.0),
        help="share of the samples to test with, 0 for none (default: 0.2)",
    )
    data.add_argument(
        "--standardize",
        choices=("auto", "columns", "shared", "robust", "none"),
        default="auto",
        help="standardise each column by its own mean and deviation, or all by one, or take the "
        "inputs as they are; auto has one for all if the inputs are unsigned bytes, as in images; "
        "robust, for tables: each input by median and quartiles, clipped smoothly at 3 (default: "
        "auto)",
    )
    data.add_argument(
        "--no-standardize",
        dest="standardize",
        action="store_const",
        const="none",
        help="the same as --standardize none",
    )
    columns.add_column_options(parser)
    reading.add_options(parser)
    recipes = parser.add_argument_group("preset")
    recipes.add_argument("--preset", choices=preset.PRESETS, help=preset.HELP)
    architecture.add_options(parser)
    descent.add_options(parser)
    loop.add_options(parser, values.integer, values.path)
    checkpoints.add_options(parser, loop.seconds)
    folds = parser.add_argument_group("cross-validation")
    folds.add_argument(
        "--cv",
        metavar="K",
        type=values.integer(2),
        help="divide all samples into K folds, with a like share of each class; train on all but "
        "one and test on that one, for each; no model is saved, and --output is a CSV file of the "
        "predictions for the samples of each fold; --max-steps and --max-seconds are for each fold",
    )
    folds.add_argument(
        "--probabilities",
        action="store_true",
        help="with --cv and --output: add the probability of each class",
    )
    folds.add_argument(
        "--id",
        metavar="COLUMN",
        help="with --cv and --output: a column of the table to write before the predictions",
    )
    results = parser.add_argument_group("results")
    results.add_argument(
        "--output",
        metavar="MODEL",
        type=values.path,
        help="file of the model (default: NAME-model.npz for NAME.csv, in the current folder); "
        "with --cv a CSV file, or - for stdout",
    )
    results.add_argument(
        "--report",
        metavar="HTML",
        type=values.path,
        help="file of a page with curves, settings, results and the command to repeat the run; "
        "needs matplotlib (pip install 'cygrad[plot]')",
    )
    results.add_argument("--quiet", action="store_true", help="show no progress")
    results.add_argument("--json", action="store_true", help="print the results as one JSON object")
    return partial(_check_train, parser)


def _check_train(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    from cygrad.cli import architecture, checkpoints, descent, loop

    for options in (architecture, checkpoints, descent, loop):
        options.check(parser, arguments)
    if arguments.class_weight is not None and arguments.task == "regression":
        parser.error("argument --class-weight: only for classes")
    _check_folds(parser, arguments)
    if arguments.data == DIGITS:
        for option in ("target", "test_fraction"):
            if getattr(arguments, option) is not None:
                parser.error(f"argument --{option.replace('_', '-')}: the digits have their own")
        if arguments.task == "regression":
            parser.error("argument --task: the digits are classes")


def _check_folds(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    if arguments.cv is None:
        for option in ("probabilities", "id"):
            if getattr(arguments, option):
                parser.error(f"argument --{option}: only with --cv")
        return
    for option, why in NOT_WITH_FOLDS.items():
        if getattr(arguments, option) not in (None, False):
            parser.error(f"argument --{option.replace('_', '-')}: not with --cv, {why}")
    if arguments.output is None:
        for option in ("probabilities", "id"):
            if getattr(arguments, option):
                parser.error(f"argument --{option}: only with --output")
    elif arguments.output.lower().endswith(".npz"):
        parser.error(
            f"argument --output: {arguments.output}, expected a CSV file for the predictions, "
            "since --cv saves no model; train without --cv for one"
        )


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Write the prediction for each sample, as CSV. If the file has targets, "
        "the accuracy or the mean absolute error goes to stderr. Columns of a table are found by "
        "their names; without a header they are those of the training, in their order."
    )
    _add_model_and_data(parser)
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="the targets, as for cygrad train: not an input, but compared with the predictions",
    )
    parser.add_argument(
        "--output",
        metavar="CSV",
        type=values.path,
        help="file of the predictions (default: stdout, or -)",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="add the probability of each class"
    )
    parser.add_argument(
        "--id", metavar="COLUMN", help="a column of the table to write before the predictions"
    )
    reading.add_options(parser)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print loss and metrics of a saved model over a file with targets: of classes also the "
        "confusion matrix, of quantities the residuals in their unit. Rows "
        "without a target are left out, with a note."
    )
    _add_model_and_data(parser)
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="the targets, as for cygrad train (default: the column that the model names)",
    )
    from cygrad.cli import loop

    loop.add_metrics(parser)
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    reading.add_options(parser)


def _add_describe(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Print what becomes of each column of a table: what it is taken for, how many "
        "inputs it has, its gaps and different values; and all that was guessed."
    )
    parser.add_argument("data", metavar="FILE", help="any file of cygrad train; - for stdin")
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        action="append",
        help="what to predict, as for cygrad train",
    )
    parser.add_argument("--task", choices=TASKS, default="auto", help="as for cygrad train")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")
    columns.add_column_options(parser)
    reading.add_options(parser)


def _add_export(parser: argparse.ArgumentParser) -> None:
    from cygrad.exchange.formats import FORMATS

    parser.description = (
        "Write a model in the format of another program, by the ending of FILE: "
        f"{_endings(FORMATS, 'writer')}. Samples of the model are computed with the new file, "
        "where the program is installed, and the largest difference is printed."
    )
    parser.add_argument("model", metavar="MODEL", help="file of a model")
    parser.add_argument("file", metavar="FILE", help="the file to write")
    parser.add_argument(
        "--lossy",
        action="store_true",
        help="leave out what the format cannot hold, where there is a choice",
    )
    parser.add_argument(
        "--no-verify",
        dest="verify",
        action="store_false",
        help="write plain C without compiling and running its self-test before",
    )
    parser.add_argument(
        "--quantize",
        choices=("int8",),
        help="write plain C in 8-bit integers, with scales by the samples of --data, and print how "
        "far the outputs are from those of the model",
    )
    parser.add_argument(
        "--data", metavar="FILE", help="samples for --quantize, as for cygrad predict"
    )
    parser.add_argument(
        "--target", metavar="COLUMN", help="a column of --data that is no input, as for predict"
    )
    reading.add_options(parser)


def _add_import(parser: argparse.ArgumentParser) -> None:
    from cygrad.exchange.formats import FORMATS

    parser.description = (
        "Make a model of the file of another program, by the ending of FILE: "
        f"{_endings(FORMATS, 'reader')}. The options tell what the file does not."
    )
    parser.add_argument("file", metavar="FILE", help="the file to read")
    parser.add_argument("model", metavar="MODEL", help="file of the model to write")
    parser.add_argument(
        "--activations",
        metavar="NAMES",
        type=values.activations,
        help="of the dense layers, as in relu,relu,softmax; a single one is that of the hidden "
        "layers",
    )
    parser.add_argument(
        "--order",
        metavar="NAMES",
        type=values.names,
        help="names of the layers in their order, as in encoder,head",
    )
    parser.add_argument("--eps", metavar="X", type=values.number(positive=True), help="of norms")
    parser.add_argument(
        "--norm",
        choices=("layer_norm",),
        help="what a weight and a bias for each unit without running statistics are",
    )
    parser.add_argument(
        "--config",
        metavar="JSON",
        help="for .weights.h5: the file of model.to_json(), or a .keras file of the same model",
    )
    parser.add_argument(
        "--loss", metavar="NAME", help="for training on (default: that of the output activation)"
    )
    parser.add_argument(
        "--classes",
        metavar="NAMES",
        type=values.names,
        help="names of the classes, as in rose,iris",
    )
    parser.add_argument("--dtype", choices=DTYPES, help="float32 or float64")
    parser.add_argument(
        "--scale",
        action=argparse.BooleanOptionalAction,
        help="whether the model takes and gives numbers in their unit, if the file has scales",
    )
    parser.add_argument(
        "--lossy",
        action="store_const",
        const=True,
        help="take something alike for what has no counterpart, where there is a choice",
    )
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Repeat the self-test of a file that cygrad export has written: compute the samples that "
        "it holds, and compare."
    )
    parser.add_argument("file", metavar="FILE", help="a file of cygrad export")
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="for plain C: the model that it has been made of. Only the same text as that of the "
        "model is compiled and run",
    )


def _endings(formats: Sequence[Any], role: str) -> str:
    return ", ".join(
        f"{' '.join(each.endings_for(role))} ({each.name})"
        for each in formats
        if getattr(each, role)
    )


def _add_model_and_data(parser: Any) -> None:
    parser.add_argument("model", metavar="MODEL", help="file of a model")
    parser.add_argument(
        "data", metavar="FILE", help="table, svmlight, .npy, .npz or IDX file; - for stdin"
    )


def _add_info(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Describe a model; without one, print the installed versions and the variant "
        "of the engine in use."
    )
    parser.add_argument("model", metavar="MODEL", nargs="?", help="file of a model")
    parser.add_argument("--json", action="store_true", help="print it as one JSON object")


def _add_experiments(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Experiments with networks and computational graphs: each prints its numbers "
        "and draws its pictures."
    )
    from cygrad.experiments import EXPERIMENTS

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
        type=values.path,
        default="cygrad-experiments",
        help="folder of the pictures (default: cygrad-experiments)",
    )


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], Check | None]]] = {
    "train": ("train a network on a file, or on the digits of the package", _add_train),
    "predict": ("predict with a saved model", _add_predict),
    "evaluate": ("compare the predictions of a saved model with known targets", _add_evaluate),
    "describe": ("show what a training would take the columns of a table for", _add_describe),
    "export": ("write a model in the format of another program", _add_export),
    "import": ("make a model of the file of another program", _add_import),
    "verify": ("repeat the self-test of an exported file", _add_verify),
    "info": ("describe a model, or the installation", _add_info),
    "experiments": ("see backpropagation work, in numbers and pictures", _add_experiments),
}
