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

from cygrad.cli.dataset import Dataset, read_dataset
from cygrad.cli.options import CLASSIFICATION_LOSSES, DIGITS, REGRESSION_LOSSES
from cygrad.cli.outputs import output_path
from cygrad.cli.summary import describe, metric_text, print_json, print_summary
from cygrad.network import Network
from cygrad.network.layers import Dense
from cygrad.network.losses import LOSSES
from cygrad.training import Trainer
from cygrad.training.history import History
from cygrad.training.optimizers import OPTIMIZERS, Optimizer

if TYPE_CHECKING:
    from cygrad.cli.report import Report

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
    trainer = Trainer(net, _optimizer(arguments), batch_size, rng=arguments.seed)

    begin = perf_counter()
    fit = trainer.fit if dataset.classes else partial(_fit_quantities, trainer)
    # The report draws the loss of the test part after each epoch; the training does not use it.
    validation = dataset.test if report is not None and len(dataset.test) else None
    X_val, y_val = (
        (None, None) if validation is None else (dataset.X[validation], dataset.y[validation])
    )
    history = fit(X, y, arguments.epochs, X_val=X_val, y_val=y_val, verbose=not arguments.quiet)
    seconds = perf_counter() - begin

    result = {
        "data": arguments.data,
        "task": "classification" if dataset.classes else "regression",
        "classes": dataset.classes,
        "samples": {"train": len(X), "test": len(dataset.test)},
        **describe(net),
        "optimizer": repr(trainer.optimizer),
        "epochs": len(history),
        "batch_size": batch_size,
        "seed": arguments.seed,
        "seconds": seconds,
        "samples_per_second": len(history) * len(X) / seconds,
        "train": net.evaluate(X, y),
        "test": _test(net, dataset),
        "history": dict(history),
        "output": str(output),
        "report": None if report is None else str(report.path),
    }
    _save(net, output, None if report is None else partial(report.write, dataset, net, result))
    if arguments.json:
        print_json(result)
    else:
        _print_result(result, net.metric)


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


def _optimizer(arguments: Namespace) -> Optimizer:
    row = OPTIMIZERS[arguments.optimizer]
    rate = row.learning_rate if arguments.learning_rate is None else arguments.learning_rate
    momentum = {} if arguments.momentum is None else {"momentum": arguments.momentum}
    return row.optimizer(rate, weight_decay=arguments.weight_decay, **momentum)


def _fit_quantities(
    trainer: Trainer,
    X: NDArray[Any],
    y: NDArray[Any],
    epochs: int,
    *,
    X_val: NDArray[Any] | None,
    y_val: NDArray[Any] | None,
    verbose: bool,
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
    history = trainer.fit(X, y, epochs, X_val=X_val, y_val=y_val, verbose=verbose)
    last = trainer.net.layers[-1]
    last.weights = last.weights * scale[:, np.newaxis]
    last.biases = last.biases * scale + mean
    return history


def _test(net: Network, dataset: Dataset) -> dict[str, float] | None:
    if not len(dataset.test):
        return None
    return net.evaluate(dataset.X[dataset.test], dataset.y[dataset.test])


def _print_result(result: dict[str, Any], metric: str) -> None:
    task = result["task"]
    if result["classes"]:
        task += f" ({len(result['classes'])} classes)"
    layers = [result["inputs"], *(layer["units"] for layer in result["layers"])]
    lines = {"task": task, "network": "-".join(map(str, layers))}
    for part in ("train", "test"):
        if result[part] is not None:
            value = metric_text(metric, result[part][metric])
            lines[f"{part} {metric}"] = f"{value} ({result['samples'][part]} samples)"
    epochs = "epoch" if result["epochs"] == 1 else "epochs"
    lines["time"] = f"{result['seconds']:.3g} s for {result['epochs']} {epochs}"
    lines["samples/s"] = f"{result['samples_per_second']:,.0f}"
    lines["saved to"] = result["output"]
    if result["report"] is not None:
        lines["report"] = result["report"]
    print_summary(lines)
