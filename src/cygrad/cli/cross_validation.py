"""``cygrad train --cv``: train on all folds but one, test on that one, for each of them.

Nothing of the fold to be tested is in the training: encoder, scales and validation part are of the
other folds. No model is saved.
"""

from __future__ import annotations

import csv
import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, redirect_stdout
from math import nan
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import datasets
from cygrad.cli import architecture, descent, known, predictions, preset, train
from cygrad.cli.dataset import Dataset, Undivided, read_undivided
from cygrad.cli.outputs import output_path
from cygrad.cli.reading import STREAM, print_notes
from cygrad.cli.summary import (
    describe,
    metric_text,
    print_json,
    print_lines,
    print_summary,
    sizes_text,
    table_lines,
)
from cygrad.records import dataclass
from cygrad.streams import ErrorStream
from cygrad.tables.columns import column_names
from cygrad.training.progress import MAX_LINES, Count

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.cli.ranks import Ranks
    from cygrad.cli.train import Trained

DDOF = 1  # of the standard deviation over the folds
SHOWN_NOTES = 5  # that are those of single folds
SHOWN_CLASSES = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """A fold that was tested.

    Attributes
    ----------
    result : dict
        Samples, time, and metrics of the test part, as --json prints them.
    description : dict
        The network, as ``cygrad train --json`` prints it.
    sizes : str
        Units of the network's layers.
    optimizer : str
    batch_size : int
    rows : ndarray of int64
        The rows of the test part.
    header : list of str
    lines : list of tuple of str
        Predictions of these rows, if they were asked for.
    """

    result: dict[str, Any]
    description: dict[str, Any]
    sizes: str
    optimizer: str
    batch_size: int
    rows: NDArray[np.int64]
    header: list[str]
    lines: list[tuple[str, ...]]


def run(arguments: Namespace) -> None:
    """Train and test on each division, print metrics, and write the predictions."""
    output = None
    ranks, arguments.ranks = arguments.ranks, None  # each fold is trained by one
    is_main = ranks is None or ranks.is_main
    if arguments.output == STREAM and arguments.json:
        raise ValueError("--output -: not with --json, which prints the results to stdout")
    if is_main and arguments.output not in (None, STREAM):
        output = output_path("--output", arguments.output, train.data_file(arguments))
    samples = read_undivided(arguments)
    ids = _ids(samples, arguments)
    if arguments.output == STREAM:
        predictions.check_letters("class", samples.classes or ())
        predictions.check_letters("value", ids[1] if ids else ())
    k = arguments.cv
    if k > len(samples.y):
        raise ValueError(f"--cv is {k}, expected 2 to {len(samples.y)}, the number of samples")
    parts = datasets.folds(samples.y, k, rng=arguments.seed, classes=samples.classes is not None)
    first = (*samples.notes, *_single_rows(samples))
    if samples.test is not None:
        first += ("the folds are of all samples, those of the test part among them",)
    notes = Notes(first, arguments.quiet)
    begin = perf_counter()
    folds: list[Fold] = []
    is_interrupted = False
    progress = Progress(k, arguments.epochs, arguments.quiet)
    try:
        with progress, nullcontext() if ranks is None else ranks.alone():
            for number, (rows, test) in enumerate(parts, 1):
                if ranks is not None and (number - 1) % ranks.size != ranks.rank:
                    continue
                notes.fold = progress.fold = number
                dataset = samples.divide(rows, test, arguments)
                if number == 1 and arguments.probabilities:
                    net = architecture.network(arguments, dataset)
                    predictions.check_probabilities(net.loss, "the network")
                trained = train.learn(
                    arguments, dataset, notes.say, callbacks=[progress.epoch_done], verbose=False
                )
                notes.found(trained.notes)
                folds.append(_tested(arguments, dataset, trained))
                progress.fold_done(folds[-1].result["test"], trained.net.metric)
    except KeyboardInterrupt:
        is_interrupted = True
    finally:
        if ranks is None:
            notes.print_late()
    if ranks is not None:
        ranks.agree()
        folds, is_interrupted = _together(ranks, parts, folds, notes, is_interrupted)
        notes.print_late()
    if folds and is_main:
        result = _result(arguments, samples, folds, notes.all, perf_counter() - begin)
        shown = sys.stdout
        if arguments.output is not None and not is_interrupted:
            if output is None:
                shown = sys.stderr  # beside the predictions, which another program may read
            _write(output, samples, folds, arguments, ids)
            result["output"] = "stdout" if output is None else str(output)
        with redirect_stdout(shown):
            if arguments.json:
                print_json(result)
            else:
                _print(result, folds)
    if is_interrupted:
        nothing = "" if arguments.output is None else f"; {output or 'stdout'} is not written"
        raise KeyboardInterrupt(f"{len(folds)} of {k} folds were tested{nothing}")


def _together(
    ranks: Ranks, parts: Sequence[Any], folds: list[Fold], notes: Notes, is_interrupted: bool
) -> tuple[list[Fold], bool]:
    """Return the folds of all ranks, and whether one of them was interrupted."""
    own = [{**vars(fold), "rows": None} for fold in folds]
    found = {}
    several: list[list[dict[str, list[int]]]] = []
    for rank, (of_rank, said, is_ended) in enumerate(
        ranks.exchange([own, notes.of_folds, is_interrupted])
    ):
        for index, fields in enumerate(of_rank):
            number = rank + index * ranks.size
            lines = [tuple(line) for line in fields["lines"]]
            found[number] = Fold(**{**fields, "rows": parts[number][1], "lines": lines})
        several.append(said)
        is_interrupted = is_interrupted or is_ended
    notes.join(several, len(found))
    return [found[number] for number in sorted(found)], is_interrupted


class Notes:
    """Notes on all folds, each once: those on reading at once, those of the folds at the end."""

    def __init__(self, notes: Sequence[str], is_quiet: bool) -> None:
        self._first = tuple(notes)
        self._said: dict[str, list[int]] = {}
        self._found: dict[str, list[int]] = {}
        #: The number of the fold that is trained.
        self.fold = 0
        print_notes(note for note in notes if not is_quiet or note.startswith("left out"))

    def say(self, line: str) -> None:
        """Keep a line until the progress has ended."""
        self._add(self._said, line.removeprefix("cygrad: "))

    def found(self, notes: Iterable[str]) -> None:
        """Keep all notes of a fold, also those that are not said."""
        for note in notes:
            self._add(self._found, note)

    def _add(self, notes: dict[str, list[int]], text: str) -> None:
        if text not in self._first:
            notes.setdefault(text, []).append(self.fold)

    @property
    def of_folds(self) -> list[dict[str, list[int]]]:
        """Return what was said and found in the folds: the numbers of the folds, by texts."""
        return [self._said, self._found]

    def join(self, several: Sequence[Sequence[dict[str, list[int]]]], folds: int) -> None:
        """Take `of_folds` of several processes, in the order of the folds."""
        self.fold = folds
        for own, others in zip(self.of_folds, zip(*several, strict=True), strict=True):
            own.clear()
            for each in others:
                for text, numbers in each.items():
                    own[text] = sorted(own.get(text, []) + numbers)
            for text in sorted(own, key=own.__getitem__):
                own[text] = own.pop(text)

    @property
    def all(self) -> list[str]:
        """All notes; those of some folds with their numbers."""
        return [*self._first, *self._texts(self._found)]

    def print_late(self) -> None:
        """Print what was said in the folds."""
        late = self._texts(self._said)
        more = len(late) - SHOWN_NOTES
        if more > 1:
            late[SHOWN_NOTES:] = [f"{more} more notes on the folds (--json has all)"]
        print_notes(late)

    def _texts(self, notes: dict[str, list[int]]) -> list[str]:
        return [
            ("" if len(folds) == self.fold else _numbers_text(folds)) + text
            for text, folds in notes.items()
        ]


def _numbers_text(folds: Sequence[int]) -> str:
    return f"fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))}: "


class Progress:
    """The progress over all folds: one line on a terminal, at most ten lines elsewhere."""

    def __init__(self, folds: int, epochs: int, is_quiet: bool) -> None:
        self._folds = folds
        self._epochs = epochs
        self.fold = 1
        self._stream = ErrorStream()
        self._bar: Count | None = None
        self._is_quiet = is_quiet
        if not is_quiet and self._stream.isatty():
            self._bar = Count("cross-validation", folds * epochs)
            self._bar.show(0, f"fold 1/{folds}")

    def epoch_done(self, trainer: object, epoch: int, logs: Any) -> None:
        """Show the loss of an epoch."""
        if self._bar is not None:
            done = (self.fold - 1) * self._epochs + epoch
            name = "val_loss" if "val_loss" in logs else "loss"
            numbers = f"fold {self.fold}/{self._folds}  {name} {logs[name]:.4g}"
            self._bar.show(done, numbers)

    def fold_done(self, metrics: dict[str, float], metric: str) -> None:
        """Show the metric of a fold."""
        stride = -(-self._folds // MAX_LINES)
        is_due = self.fold % stride == 0 or self.fold == self._folds
        if self._bar is None and not self._is_quiet and is_due:
            numbers = f"loss {metrics['loss']:.4g}  {metric} {metrics[metric]:.4g}"
            self._stream.write(f"fold {self.fold}/{self._folds}  {numbers}\n")
            self._stream.flush()
        self.fold += 1

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*error)


def _ids(samples: Undivided, arguments: Namespace) -> tuple[str, Sequence[str]] | None:
    """Return name and texts of the column that --id names."""
    if arguments.id is None:
        return None
    if samples.targets is None:
        raise ValueError("--id: only for tables with names of columns and --target")
    table = samples.targets.table
    (name,) = column_names(table, [arguments.id], "--id")
    return name, known.texts(table, name)


def _single_rows(samples: Undivided) -> list[str]:
    """Return a note on classes that no training part has when they are tested."""
    if samples.classes is None:
        return []
    counts = np.bincount(samples.y, minlength=len(samples.classes))
    names = [repr(samples.classes[index]) for index in np.flatnonzero(counts == 1)]
    if not names:
        return []
    more = "" if len(names) <= SHOWN_CLASSES else f" and {len(names) - SHOWN_CLASSES} more"
    what = "class" if len(names) == 1 else "classes"
    return [
        f"{what} of a single row, which is tested without being learned: "
        f"{', '.join(names[:SHOWN_CLASSES])}{more}"
    ]


def _tested(arguments: Namespace, dataset: Dataset, trained: Trained) -> Fold:
    """Return metrics and predictions of the test part."""
    net, rows = trained.net, dataset.test
    result = {
        "samples": train.sizes(dataset),
        "inputs": net.inputs,
        "parameters": net.n_parameters,
        "epochs": len(trained.history),
        "stopped": trained.history.stopped,
        "seconds": trained.seconds,
        "test": trained.evaluate(dataset, rows),
    }
    header: list[str] = []
    lines: list[tuple[str, ...]] = []
    if arguments.output is not None:
        X = dataset.X[rows]
        predicted = known.predict(net, known.KnownSamples(X, None))
        predictions.check_numbers(predicted, arguments.data, rows)
        header, texts = predictions.text_columns(net, predicted)
        if arguments.probabilities:
            more, probabilities = predictions.probability_columns(net, net.forward(X))
            header, texts = header + more, texts + probabilities
        lines = list(zip(*texts, strict=True))
    return Fold(
        result,
        describe(net),
        sizes_text(net),
        trained.optimizer,
        trained.batch_size,
        rows,
        header,
        lines,
    )


def _result(
    arguments: Namespace, samples: Undivided, folds: list[Fold], notes: list[str], seconds: float
) -> dict[str, Any]:
    """Return all results for --json."""
    first = folds[0]
    description = {
        name: value
        for name, value in first.description.items()
        if name not in ("inputs", "parameters")  # which can differ between folds
    }
    metrics = {}
    for name in first.result["test"]:
        values = [fold.result["test"][name] for fold in folds]
        metrics[name] = {
            "mean": float(np.mean(values)),
            "std": float(np.std(values, ddof=DDOF)) if len(values) > DDOF else nan,
        }
    return {
        "data": arguments.data,
        **preset.summary(arguments),
        "task": "classification" if samples.classes else "regression",
        "classes": samples.classes,
        "samples": len(samples.y),
        "notes": notes,
        **description,
        "optimizer": first.optimizer,
        "batch_size": first.batch_size,
        **descent.trainer_options(arguments),
        "class_weight": arguments.class_weight,
        "seed": arguments.seed,
        "seconds": seconds,
        "cv": arguments.cv,
        "complete": len(folds) == arguments.cv,
        "ddof": DDOF,
        "metrics": metrics,
        "folds": [fold.result for fold in folds],
        "output": None,
    }


def _print(result: dict[str, Any], folds: list[Fold]) -> None:
    task = result["task"]
    if result["classes"]:
        task += f" ({len(result['classes'])} classes)"
    lines = {
        "task": task,
        **({} if result["preset"] is None else {"preset": result["preset"]}),
        "network": " or ".join(dict.fromkeys(fold.sizes for fold in folds)),
        "samples": f"{result['samples']:,}",
        "folds": f"{result['cv']}",
        "time": f"{result['seconds']:.3g} s",
    }
    if not result["complete"]:
        lines["folds"] = f"{len(folds)} of {result['cv']}"
    if result["output"] is not None:
        lines["predictions"] = result["output"]
    lines["model"] = "none: --cv saves no model"
    print_summary(lines)
    names = list(result["metrics"])
    parts = list(folds[0].result["samples"])
    rows: list[Sequence[str]] = [("fold", *parts, "epochs", *(f"test {name}" for name in names))]
    for number, fold in enumerate(folds, 1):
        counts = [f"{size:,}" for size in fold.result["samples"].values()]
        values = [metric_text(name, fold.result["test"][name]) for name in names]
        rows.append((str(number), *counts, str(fold.result["epochs"]), *values))
    blanks = [""] * (len(parts) + 1)
    for title, key in (("mean", "mean"), ("deviation", "std")):
        values = [metric_text(name, result["metrics"][name][key]) for name in names]
        rows.append((title, *blanks, *values))
    print_lines(["", *table_lines(rows), "", f"deviation: over the folds, with ddof={DDOF}"])


def _write(
    path: Path | None,
    samples: Undivided,
    folds: list[Fold],
    arguments: Namespace,
    ids: tuple[str, Sequence[str]] | None,
) -> None:
    """Write a line for each sample, in their order: its target, and the prediction of its fold.

    Without a path they go to stdout.
    """
    header, given = _targets(samples)
    if ids is not None:
        header, given = [ids[0], *header], [ids[1], *given]
    predicted: list[tuple[str, ...]] = [()] * len(samples.y)
    for fold in folds:
        for row, line in zip(fold.rows.tolist(), fold.lines, strict=True):
            predicted[row] = line
    with predictions.output(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, *folds[0].header])
        for line, texts in zip(predicted, zip(*given, strict=True), strict=True):
            writer.writerow([*texts, *line])


def _targets(samples: Undivided) -> tuple[list[str], list[Iterable[str]]]:
    """Return headers and columns of the targets."""
    y = samples.y
    if samples.classes is not None:
        return ["target"], [np.array(samples.classes, object)[y]]
    if y.ndim == 1:
        return ["target"], [map(str, y)]
    names: Sequence[object] = range(1, y.shape[1] + 1)
    if samples.targets is not None:
        names = samples.targets.encoding.names
    return [f"target_{name}" for name in names], [map(str, column) for column in y.T]
