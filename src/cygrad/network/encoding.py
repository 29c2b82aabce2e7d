"""Tables for a network with an encoder: check that both fit, predict and evaluate in its terms.

This is imported when a network is given an encoder, since networks alone need no tables.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._engine.samples import Samples
from cygrad.network.losses import compared_outputs, function_of, row_of, target_columns
from cygrad.network.weights import read_weights
from cygrad.tables.encoder import Encoder
from cygrad.tables.table import is_table

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.network import Network

__all__ = [
    "check_encoder",
    "encode",
    "evaluate",
    "mae_in_units",
    "predict",
    "takes",
    "targets_of",
]


def check_encoder(net: Network, encoder: Encoder) -> None:
    """Check that an encoder is one, is fitted, and has the inputs and targets of a network."""
    if not isinstance(encoder, Encoder):
        raise TypeError(f"encoder is {encoder!r}, expected a cygrad.tables.Encoder")
    if not encoder.is_fitted:
        raise ValueError("encoder is not fitted, expected encoder.fit(table) before")
    if encoder.inputs != net.inputs:
        raise ValueError(f"encoder has {encoder.inputs} inputs, and the network {net.inputs}")
    if not encoder.target_names:
        return
    row = row_of(net.loss)
    if encoder.classes is not None:
        takes_classes = row.labels or (row.decides_at_half and net.outputs == 1)
        if not takes_classes:
            raise ValueError(
                f"encoder has classes, and a network with {net.outputs} outputs and loss "
                f"{net.loss!r} predicts none"
            )
        if len(encoder.classes) != max(net.outputs, 2):
            raise ValueError(
                f"encoder has {len(encoder.classes)} classes, and the network {net.outputs} outputs"
            )
        return
    if row.labels or row.decides_at_half or row.outputs == "probabilities":
        raise ValueError(f"encoder has quantities, and loss {net.loss!r} predicts classes")
    function = function_of(net.loss)
    expected, found = target_columns(net.loss, net.outputs), len(encoder.target_names)
    repeats = function is not None and function.repeats_targets and found == 1
    if found != expected and not repeats:
        raise ValueError(f"encoder has {found} targets, and the network {expected}")
    if row.outputs == "rates" and encoder.scales_targets:
        raise ValueError(
            f"encoder standardises the targets, and loss {net.loss!r} needs counts; expected "
            "Encoder(target_scale='none')"
        )
    if row.outputs == "moments" and encoder.takes_logarithms:
        raise ValueError(
            f"encoder takes logarithms of the targets, and loss {net.loss!r} has no variance of "
            "the targets then; expected Encoder(target_scale='standard')"
        )


def takes(encoder: Encoder | None, X: object) -> bool:
    """Return whether an encoder makes the inputs of data, which are inputs themselves otherwise."""
    if encoder is None or isinstance(X, Samples):
        return False
    return encoder.array_columns is not None or is_table(X)


def encode(net: Network, table: Any, stacklevel: int, check: bool = False) -> Samples:
    """Return the inputs, as samples of the engine, which no encoder takes again.

    What the training did not have is a warning as of `warnings.warn`. `check` is that of
    `Network.read_samples`.
    """
    assert net.encoder is not None
    notes: list[str] = []
    X = net.encoder.transform(table, notes)
    if notes:
        warnings.warn("; ".join(notes), UserWarning, stacklevel=stacklevel + 1)
    return net.engine.read_samples(X, "X", check)


def predict(net: Network, table: Any, threads: int | None) -> NDArray[Any]:
    """Return names of classes, or quantities in their unit; see `Network.predict`."""
    encoder = net.encoder
    assert encoder is not None
    predicted = net.predict(encode(net, table, 3), threads)  # type: ignore[arg-type]
    if not encoder.target_names:
        return predicted
    return encoder.decode(predicted, moments=row_of(net.loss).outputs == "moments")


def evaluate(
    net: Network,
    table: Any,
    y: ArrayLike | None,
    threads: int | None,
    sample_weight: ArrayLike | None,
) -> dict[str, float]:
    """Return loss and metric, errors in the unit of the quantities; see `Network.evaluate`."""
    encoder = net.encoder
    assert encoder is not None
    X: Any = encode(net, table, 3)
    targets = targets_of(encoder, table, y)
    results = net.evaluate(X, targets, threads, sample_weight=sample_weight)
    if encoder.target_names and net.metric == "mae" and encoder.scales_targets:
        outputs = net.forward(X, threads)
        results["mae"] = mae_in_units(encoder, net.loss, targets, outputs, sample_weight)
    return results


def targets_of(encoder: Encoder, table: Any, y: ArrayLike | None) -> Any:
    """Return the targets of a table as a network takes them, or of `y` if it is given."""
    if not encoder.target_names:
        if y is None:
            raise TypeError("y is None, and the encoder has no target; expected targets")
        return y
    if y is None and not is_table(table):
        raise TypeError("y is None, and X is an array; expected targets")
    return encoder.targets(table) if y is None else encoder.target_array(y)


def mae_in_units(
    encoder: Encoder,
    loss: Any,
    targets: NDArray[Any],
    outputs: NDArray[Any],
    sample_weight: ArrayLike | None,
) -> float:
    """Return the mean of |a − y| in the unit of the quantities, over all of them."""
    actual, predicted = compared_outputs(loss, targets, outputs)
    errors = np.abs(encoder.decode(predicted) - encoder.decode(actual))
    rows = errors.reshape(len(errors), -1).mean(axis=1)
    weights = None
    if sample_weight is not None:
        weights = read_weights(sample_weight, len(rows), outputs.dtype)
    return float(np.average(rows, weights=weights))
