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
from numpy.typing import NDArray

from cygrad.cli import loop
from cygrad.cli.dataset import Dataset, read_dataset
from cygrad.cli.options import CLASSIFICATION_LOSSES, DIGITS, REGRESSION_LOSSES
from cygrad.cli.outputs import output_path
from cygrad.cli.summary import (
    describe,
    layer_texts,
    metric_text,
    print_json,
    print_summary,
    sizes_text,
)
from cygrad.network import Network
from cygrad.network.layers import Dense
from cygrad.network.losses import LOSSES
from cygrad.training import Trainer
from cygrad.training.history import History
from cygrad.training.optimizers import OPTIMIZERS, Optimizer

if TYPE_CHECKING:
    from cygrad.cli.report import Report
    from cygrad.training.metrics import Metric

DEFAULT_BATCH_SIZE = 32


def run(arguments: Namespace) -> None:
    """Train a network, save it, and print its results."""
    output = _model_path(arguments)
    report = _report(arguments, output)
    dataset = read_dataset(arguments)
    net = _network(arguments, dataset)
    X, y = dataset.X[dataset.train], dataset.y[dataset.train]
    if arguments.standardize:
        net.standardize_inputs(X)
    batch_size = _batch_size(arguments.batch_size, len(X))
    steps = -(-len(X) // batch_size)
    trainer = Trainer(net, _optimizer(arguments, steps), batch_size, rng=arguments.seed)
    metrics = loop.chosen_metrics(arguments, net)

    begin = perf_counter()
    fit = trainer.fit if dataset.classes else partial(_fit_quantities, trainer)
    history = fit(X, y, arguments.epochs, **_fit_options(arguments, dataset, report, metrics))
    seconds = perf_counter() - begin
    rows_done = len(history) * len(X)
    if history.partial_steps:
        rows_done += history.partial_steps * batch_size - len(X)

    result = {
        "data": arguments.data,
        "task": "classification" if dataset.classes else "regression",
        "classes": dataset.classes,
        "samples": _sizes(dataset),
        **describe(net),
        "optimizer": repr(trainer.optimizer),
        "epochs": len(history),
        "stopped": history.stopped,
        "batch_size": batch_size,
        "seed": arguments.seed,
        "seconds": seconds,
        "samples_per_second": rows_done / seconds,
        **{
            part: loop.evaluate(net, dataset.X[rows], dataset.y[rows], metrics)
            if len(rows)
            else None
            for part, rows in _parts(dataset).items()
        },
        "history": dict(history),
        "output": str(output),
        "report": None if report is None else str(report.path),
    }
    _save(net, output, None if report is None else partial(report.write, dataset, net, result))
    if arguments.json:
        print_json(result)
    else:
        _print_result(result, net, [net.metric, *(metric.name for metric in metrics)])


def _parts(dataset: Dataset) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each part; that of validation only if it was asked for."""
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {part: rows for part, rows in parts.items() if len(rows) or part != "validation"}


def _sizes(dataset: Dataset) -> dict[str, int]:
    return {part: len(rows) for part, rows in _parts(dataset).items()}


def _fit_options(
    arguments: Namespace, dataset: Dataset, report: Report | None, metrics: list[Metric]
) -> dict[str, Any]:
    """Return the options of `Trainer.fit`."""
    rows = dataset.validation
    options = {
        "verbose": not arguments.quiet,
        "max_seconds": arguments.max_seconds,
        "max_steps": arguments.max_steps,
        "callbacks": loop.callbacks(arguments, validated=len(rows) > 0),
    }
    if not len(rows) and report is not None:
        # The report draws the loss of the test part after each epoch; the training does not use it.
        rows = dataset.test
    if len(rows):
        options |= {"X_val": dataset.X[rows], "y_val": dataset.y[rows], "metrics": metrics}
    return options


def _batch_size(given: int | None, n: int) -> int:
    if given is not None and given > n:
        print(
            f"cygrad: --batch-size is {given}, and there are {n} samples to train on: each step "
            "takes all of them",
            file=sys.stderr,
        )
    return min(given or DEFAULT_BATCH_SIZE, n)


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
    name = Path(arguments.data).name.split(".")[0]
    path = arguments.output or f"{name}-model.npz"
    return output_path("--output", path, _data_file(arguments))


def _report(arguments: Namespace, model: Path) -> Report | None:
    if arguments.report is None:
        return None
    from cygrad.cli.report import Report

    reserved = {**_data_file(arguments), "model": model}
    return Report(output_path("--report", arguments.report, reserved), arguments)


def _data_file(arguments: Namespace) -> dict[str, str | Path]:
    return {} if arguments.data == DIGITS else {"data": arguments.data}


def _network(arguments: Namespace, dataset: Dataset) -> Network:
    hidden = [Dense(units, arguments.activation) for units in arguments.hidden]
    if dataset.classes is None:
        allowed = REGRESSION_LOSSES
        outputs = 1 if dataset.y.ndim == 1 else dataset.y.shape[1]
    else:
        allowed = CLASSIFICATION_LOSSES
        outputs = len(dataset.classes)
    loss = allowed[0] if arguments.loss == "auto" else arguments.loss
    if loss not in allowed:
        task = "regression" if dataset.classes is None else "classification"
        raise ValueError(f"--loss is {loss}, expected {' or '.join(allowed)} for {task}")
    layers = [*hidden, Dense(outputs, LOSSES[loss].activation or "identity")]
    net = Network(dataset.X.shape[1], layers, loss=loss, dtype=arguments.dtype, rng=arguments.seed)
    net.classes = dataset.classes
    return net


def _optimizer(arguments: Namespace, steps_per_epoch: int) -> Optimizer:
    row = OPTIMIZERS[arguments.optimizer]
    rate = row.learning_rate if arguments.learning_rate is None else arguments.learning_rate
    rate = loop.learning_rate(arguments, rate, steps_per_epoch)
    momentum = {} if arguments.momentum is None else {"momentum": arguments.momentum}
    decay = {} if arguments.weight_decay is None else {"weight_decay": arguments.weight_decay}
    return row.optimizer(rate, **decay, **momentum)


def _fit_quantities(
    trainer: Trainer,
    X: NDArray[Any],
    y: NDArray[Any],
    epochs: int,
    *,
    y_val: NDArray[Any] | None = None,
    **options: Any,
) -> History:
    """Train on standardised targets, then scale the outputs back to the unit of `y`.

    If a = W x + b predicts (y − m) / s, then s a + m = (s W) x + (s b + m) predicts y: mean and
    scale become part of the last layer, and the network needs no other step afterwards.
    """
    rows = y.reshape(len(y), -1).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = rows.mean(axis=0), rows.std(axis=0)
        finite = np.isfinite(np.array([mean, scale], trainer.net.dtype)).all()
    if not finite:
        raise ValueError(f"the targets are too large for {trainer.net.dtype}")
    scale[scale == 0] = 1.0
    if y_val is not None:
        y_val = (y_val.reshape(len(y_val), -1) - mean) / scale
    y = (rows - mean) / scale
    history = trainer.fit(X, y, epochs, y_val=y_val, **options)
    last = trainer.net.layers[-1]
    last.weights = last.weights * scale[:, np.newaxis]
    last.biases = last.biases * scale + mean
    return history


def _print_result(result: dict[str, Any], net: Network, metrics: list[str]) -> None:
    task = result["task"]
    if result["classes"]:
        task += f" ({len(result['classes'])} classes)"
    lines = {"task": task, "network": sizes_text(net)}
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
    print_summary(lines)
