"""``cygrad train``: train a network on a file of samples."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli import architecture, checkpoints, descent, known, loop, preset, quantities
from cygrad.cli.dataset import Dataset, read_dataset
from cygrad.cli.options import DIGITS
from cygrad.cli.outputs import output_path
from cygrad.cli.reading import STREAM
from cygrad.cli.summary import (
    describe,
    layer_texts,
    metric_text,
    print_json,
    print_summary,
    sizes_text,
)
from cygrad.network import Network
from cygrad.records import dataclass
from cygrad.training import Trainer
from cygrad.training.callbacks.csv_logger import read_log
from cygrad.training.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.cli.report import Report
    from cygrad.training.metrics import Metric


@dataclass(frozen=True, eq=False)
class Trained:
    """A network after its training.

    Attributes
    ----------
    net : Network
    history : History
    optimizer : str
    batch_size : int
    metrics : list of Metric
        Those of --metrics.
    seconds, samples_per_second : float
        Time of the training, and samples of its steps in a second.
    notes : list of str
        What was guessed, left out or changed.
    """

    net: Network
    history: History
    optimizer: str
    batch_size: int
    metrics: list[Metric]
    seconds: float
    samples_per_second: float
    notes: list[str]

    def evaluate(self, dataset: Dataset, rows: NDArray[np.int64]) -> dict[str, float]:
        """Return loss and metrics of some rows of the data."""
        samples = known.KnownSamples(dataset.X[rows], dataset.y[rows])
        return known.evaluate(self.net, samples, self.metrics)


def run(arguments: Namespace) -> None:
    """Train a network, save it, and print its results; with --cv test it on folds."""
    if arguments.cv is not None:
        from cygrad.cli import cross_validation

        cross_validation.run(arguments)
        return
    say = partial(print, file=sys.stderr)
    is_shown = arguments.report is not None
    if arguments.ranks is not None and not arguments.ranks.is_main:
        learn(arguments, read_dataset(arguments), say, test_is_shown=is_shown)
        return
    output = _model_path(arguments)
    report = _report(arguments, output)
    _check_files(arguments, output, report)
    dataset = read_dataset(arguments)
    trained = learn(arguments, dataset, say, test_is_shown=is_shown)
    net, history = trained.net, trained.history
    result = {
        "data": arguments.data,
        **preset.summary(arguments),
        "task": "classification" if dataset.classes else "regression",
        "classes": dataset.classes,
        "samples": sizes(dataset),
        "notes": trained.notes,
        **describe(net),
        "optimizer": trained.optimizer,
        "epochs": len(history),
        "stopped": history.stopped,
        "batch_size": trained.batch_size,
        **descent.trainer_options(arguments),
        "class_weight": arguments.class_weight,
        "seed": arguments.seed,
        **({} if arguments.ranks is None else {"processes": arguments.ranks.size}),
        "seconds": trained.seconds,
        "samples_per_second": trained.samples_per_second,
        **{
            part: trained.evaluate(dataset, rows) if len(rows) else None
            for part, rows in _parts(dataset).items()
        },
        "history": dict(history),
        **_statistics(history),
        "output": str(output),
        "report": None if report is None else str(report.path),
    }
    _save(
        net,
        output,
        None if report is None else partial(report.write, dataset, net, result, history),
    )
    if arguments.json:
        print_json(result)
    else:
        _print_result(result, net, [net.metric, *(metric.name for metric in trained.metrics)])


def learn(
    arguments: Namespace,
    dataset: Dataset,
    say: Callable[[str], object],
    *,
    test_is_shown: bool = False,
    **options: Any,
) -> Trained:
    """Train a network on the training part, as the options require.

    Parameters
    ----------
    arguments : argparse.Namespace
    dataset : Dataset
    say : callable
        Gets the lines for stderr.
    test_is_shown : bool
        Whether the history has the loss of the test part, if there is no validation part. The
        training does not use it.
    **options
        For `Trainer.fit`, in place of those that `arguments` stand for; `callbacks` are further
        ones.
    """
    class_weight = _class_weight(arguments, dataset)
    net = architecture.network(arguments, dataset)
    net.encoder = dataset.encoder
    net.reading = dataset.reading
    X, y = dataset.X[dataset.train], dataset.y[dataset.train]
    is_sparse = dataset.encoder is None and hasattr(X, "indptr")
    if is_sparse and arguments.standardize not in ("auto", "none"):
        raise ValueError(f"--standardize {arguments.standardize}: only with --sparse no")
    if arguments.standardize != "none" and not dataset.is_standardized and not is_sparse:
        net.standardize_inputs(X, shared=_shares_scale(arguments, X, say))
    notes = _notes(arguments, dataset, net, y)
    batch_size = _batch_size(arguments, len(X), say)
    step_rows = min(batch_size * arguments.accumulate, len(X))
    optimizer = descent.optimizer(arguments, -(-len(X) // step_rows))
    make = Trainer if arguments.ranks is None else arguments.ranks.trainer
    trainer = make(
        net, optimizer, batch_size, rng=arguments.seed, **descent.trainer_options(arguments)
    )
    metrics = loop.chosen_metrics(arguments, net)

    # What was left out is said in any case, what was guessed with the progress.
    for note in notes:
        if not arguments.quiet or note.startswith("left out"):
            say(f"cygrad: {note}")
    begin, before = perf_counter(), checkpoints.epochs_before(arguments)
    fit_options = _fit_options(arguments, dataset, test_is_shown, metrics)
    fit_options["callbacks"] += [*checkpoints.callbacks(arguments), *options.pop("callbacks", [])]
    fit = checkpoints.fit(arguments, trainer, say)
    fit_options |= {"class_weight": class_weight, **options}
    scales = dataset.encoder is not None and dataset.encoder.scales_targets
    if dataset.classes or scales or arguments.target_scale == "none":
        history = fit(X, y, arguments.epochs, **fit_options)
    else:
        history, net = quantities.fit(trainer, X, y, arguments.epochs, fit=fit, **fit_options)
    seconds = perf_counter() - begin
    rows_done = (len(history) - before) * len(X)
    if history.partial_steps:
        rows_done += history.partial_steps * step_rows - len(X)
    return Trained(
        net,
        history,
        repr(trainer.optimizer),
        batch_size,
        metrics,
        seconds,
        rows_done / seconds,
        notes,
    )


def _notes(arguments: Namespace, dataset: Dataset, net: Network, y: NDArray[Any]) -> list[str]:
    """Return what was guessed, left out or changed; check the size of quantities."""
    notes = list(dataset.notes)
    is_standard = arguments.target_scale == "standard"
    if dataset.classes is None and is_standard and quantities.needs_float64(net, y):
        notes.append(
            "the targets have a large mean next to their deviation: the model is in float64"
        )
    return notes


def _statistics(history: History) -> dict[str, Any]:
    """Return the statistics of the layers for each epoch, if they were asked for."""
    if not history.statistics:
        return {}
    return {"statistics": [[row._asdict() for row in epoch] for epoch in history.statistics]}


def _parts(dataset: Dataset) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each part; that of validation only if it was asked for."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {part: rows for part, rows in parts.items() if len(rows) or part != "validation"}


def sizes(dataset: Dataset) -> dict[str, int]:
    """Return the number of samples in each part."""
    return {part: len(rows) for part, rows in _parts(dataset).items()}


def _fit_options(
    arguments: Namespace, dataset: Dataset, test_is_shown: bool, metrics: list[Metric]
) -> dict[str, Any]:
    """Return the options of `Trainer.fit`."""
    rows = dataset.validation
    options = {
        "verbose": not arguments.quiet,
        "max_seconds": arguments.max_seconds,
        "max_steps": arguments.max_steps,
        "statistics": arguments.statistics,
        "callbacks": loop.callbacks(arguments, len(rows) > 0, dataset.classes is not None),
    }
    if not len(rows) and test_is_shown:
        rows = dataset.test
    if len(rows):
        options |= {"X_val": dataset.X[rows], "y_val": dataset.y[rows], "metrics": metrics}
    return options


def _batch_size(arguments: Namespace, n: int, say: Callable[[str], object]) -> int:
    given = arguments.batch_size
    if given is not None and given > n and not preset.sets(arguments, "batch_size"):
        say(
            f"cygrad: --batch-size is {given}, and there are {n} samples to train on: each step "
            "takes all of them"
        )
    return descent.batch_size(arguments, n)


def _shares_scale(arguments: Namespace, X: NDArray[Any], say: Callable[[str], object]) -> bool:
    """Return whether all inputs are standardised by one mean and one deviation."""
    if arguments.standardize != "auto" or X.dtype != np.uint8:
        return bool(arguments.standardize == "shared")
    if not arguments.quiet and arguments.data != DIGITS:
        say(
            "cygrad: the inputs are unsigned bytes, standardised by one mean and one deviation of "
            "all; --standardize columns has those of each column"
        )
    return True


def _class_weight(arguments: Namespace, dataset: Dataset) -> Any:
    """Return the weights of the classes, after a check that these exist."""
    weights = arguments.class_weight
    if weights is None:
        return None
    if dataset.classes is None:
        raise ValueError("--class-weight: the targets are quantities, expected classes")
    if isinstance(weights, dict):
        for name in weights:
            if name not in dataset.classes:
                raise ValueError(
                    f"--class-weight: {name!r}, expected classes of the data: "
                    f"{', '.join(dataset.classes)}"
                )
    return weights


def _save(net: Network, output: Path, write_report: Callable[..., None] | None) -> None:
    """Save the model and write the report; if one of them fails, the other is still written."""
    try:
        net.save(output)
    except Exception:
        if write_report is not None:
            write_report(saved=False)
        raise
    if write_report is None:
        return
    try:
        write_report(saved=True)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"the model is in {output}, but there is no report") from None
    except OSError as error:
        reason = f"{error.strerror or error}; the model is in {output}"
        raise OSError(error.errno, reason, error.filename) from error


def _model_path(arguments: Namespace) -> Path:
    if arguments.output == STREAM:
        raise ValueError("--output is -, expected the path of a file for the model")
    name = "stdin" if arguments.data == STREAM else Path(arguments.data).name.split(".")[0]
    path = arguments.output or f"{name}-model.npz"
    return output_path("--output", path, data_file(arguments))


def _report(arguments: Namespace, model: Path) -> Report | None:
    if arguments.report is None:
        return None
    from cygrad.cli.report import Report

    reserved = {**data_file(arguments), "model": model}
    return Report(output_path("--report", arguments.report, reserved), arguments)


def _check_files(arguments: Namespace, model: Path, report: Report | None) -> None:
    """Raise an error if log or checkpoint cannot be written, or are files of another kind."""
    reserved = {**data_file(arguments), "model": model}
    if report is not None:
        reserved["report"] = report.path
    checkpoints.check_file(arguments, reserved)
    if arguments.log is None:
        return
    if arguments.checkpoint is not None:
        reserved["checkpoint"] = arguments.checkpoint
    read_log(str(output_path("--log", arguments.log, reserved)), "--log")


def data_file(arguments: Namespace) -> dict[str, str | Path]:
    """Return the file of the data, for `output_path`; nothing if they come from elsewhere."""
    return {} if arguments.data in (DIGITS, STREAM) else {"data": arguments.data}


def _print_result(result: dict[str, Any], net: Network, metrics: list[str]) -> None:
    task = result["task"]
    if result["classes"]:
        task += f" ({len(result['classes'])} classes)"
    lines = {"task": task}
    if result["preset"] is not None:
        lines["preset"] = result["preset"]
    lines["network"] = sizes_text(net)
    if any(layer.kind != "dense" for layer in net.layers):
        lines["layers"] = ", ".join(layer_texts(net))
    for part, size in result["samples"].items():
        for metric in metrics if size else ():
            value = metric_text(metric, result[part][metric])
            lines[f"{part} {metric}"] = f"{value} ({size} samples)"
    epochs = "epoch" if result["epochs"] == 1 else "epochs"
    lines["time"] = f"{result['seconds']:.3g} s for {result['epochs']} {epochs}"
    if result["stopped"] != "epochs":
        lines["ended by"] = loop.ENDINGS.get(result["stopped"], "nothing")
    lines["samples/s"] = f"{result['samples_per_second']:,.0f}"
    lines["saved to"] = result["output"]
    if result["report"] is not None:
        lines["report"] = result["report"]
    for row in result.get("statistics", [()])[-1]:
        lines[f"layer {row['layer']}"] = _statistics_text(row)
    print_summary(lines)


def _statistics_text(row: dict[str, Any]) -> str:
    parts = [f"gradient {row['gradient_norm']:.3g}, weights {row['weight_norm']:.3g}"]
    parts.append(f"update of the last epoch {100 * row['update_ratio']:.3g} %")
    parts += [f"{name} {100 * row[name]:.3g} %" for name in ("dead", "saturated") if row[name]]
    return ", ".join(parts)
