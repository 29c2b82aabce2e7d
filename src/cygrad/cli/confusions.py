"""Results of classes: the confusion matrix, precision and recall, for JSON and as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.cli.summary import table_lines
from cygrad.training.metrics.metric import decided_classes, is_multilabel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

#: Classes of the largest matrix that is printed, and of that in JSON.
PRINTED_CLASSES = 20
JSON_CLASSES = 500
SHOWN_CONFUSIONS = 10
LONGEST_HEAD = 8  # characters of a name above its column; longer ones have numbers there


def results(net: Network, y: NDArray[Any], outputs: NDArray[Any]) -> dict[str, Any]:
    """Return the results of each class, and the confusions, for JSON.

    Parameters
    ----------
    net : Network
        One whose metric is the accuracy.
    y : ndarray
        Class indices, or what else its loss takes.
    outputs : ndarray, shape (n, outputs)

    Returns
    -------
    dict
        "per_class", with samples, precision, recall and F1 of each class. And if each sample has
        one class: "confusion_matrix", counts by true class (rows) and predicted class (columns),
        None for more than 500 classes; and "confusions", what is not on its diagonal, the most
        frequent first.
    """
    if is_multilabel(net):
        true, guess = y.reshape(outputs.shape) >= 0.5, outputs >= 0.5
        hits, samples, guesses = (part.sum(axis=0) for part in (true & guess, true, guess))
        names = _names(net, outputs.shape[1])
        return {"per_class": _per_class(names, hits, samples, guesses)}
    labels, predicted = decided_classes(y, outputs)
    names = _names(net, max(outputs.shape[1], 2))
    count = len(names)
    # Only the cells in use: a matrix of very many classes would fill the memory.
    cells, sizes = np.unique(labels * count + predicted, return_counts=True)
    true, guess = np.divmod(cells, count)
    samples = np.bincount(labels, minlength=count)
    guesses = np.bincount(predicted, minlength=count)
    hits = np.zeros(count, np.int64)
    hits[true[true == guess]] = sizes[true == guess]
    matrix = None
    if count <= JSON_CLASSES:
        whole = np.zeros((count, count), np.int64)
        whole[true, guess] = sizes
        matrix = whole.tolist()
    wrong = np.flatnonzero(true != guess)
    wrong = wrong[np.argsort(-sizes[wrong], kind="stable")]
    return {
        "confusion_matrix": matrix,
        "per_class": _per_class(names, hits, samples, guesses),
        "confusions": [
            {"true": names[true[cell]], "predicted": names[guess[cell]], "samples": int(size)}
            for cell, size in zip(wrong.tolist(), sizes[wrong].tolist(), strict=True)
        ],
    }


def _names(net: Network, count: int) -> Sequence[str]:
    names = net.classes
    return names if names is not None and len(names) == count else tuple(map(str, range(count)))


def _per_class(
    names: Sequence[str],
    hits: NDArray[np.int64],
    samples: NDArray[np.int64],
    guesses: NDArray[np.int64],
) -> list[dict[str, Any]]:
    with np.errstate(invalid="ignore"):  # a class without samples, or never predicted: NaN
        shares = hits / guesses, hits / samples, 2 * hits / (samples + guesses)
    columns = (samples.tolist(), *(share.tolist() for share in shares))
    keys = ("samples", "precision", "recall", "f1")
    return [
        {"class": name, **dict(zip(keys, values, strict=True))}
        for name, *values in zip(names, *columns, strict=True)
    ]


def lines(found: dict[str, Any]) -> Iterator[str]:
    """Yield `results` as lines: a matrix, or of many classes the most frequent confusions."""
    rows = found["per_class"]
    if "confusions" not in found:
        yield from _class_lines("precision and recall of each output:", rows, "output")
        return
    if len(rows) <= PRINTED_CLASSES:
        yield "confusion matrix, true classes in rows, predicted ones in columns:"
        yield from _matrix_lines(found["confusion_matrix"], rows)
        yield ""
        yield from _class_lines("precision and recall of each class:", rows)
        return
    confusions = found["confusions"]
    if confusions:
        size = {row["class"]: row["samples"] for row in rows}
        yield "most frequent confusions, with their share of the true class (--json has all):"
        heads = ("true", "predicted", "samples", "share")
        shown = [
            (
                row["true"],
                row["predicted"],
                f"{row['samples']:,}",
                percent(row["samples"] / size[row["true"]]),
            )
            for row in confusions[:SHOWN_CONFUSIONS]
        ]
        yield from table_lines([heads, *shown], texts=2)
        yield ""
    known = [row for row in rows if row["samples"]]
    worst = sorted(known, key=lambda row: row["recall"])[:SHOWN_CONFUSIONS]
    yield from _class_lines("classes of the lowest recall (--json has all):", worst)


def _matrix_lines(matrix: list[list[int]], rows: list[dict[str, Any]]) -> list[str]:
    names = [row["class"] for row in rows]
    heads = names
    if max(map(len, names)) > LONGEST_HEAD:
        heads = [str(number) for number in range(1, len(names) + 1)]
        names = [f"{head} {name}" for head, name in zip(heads, names, strict=True)]
    body = [(name, *map(str, counts)) for name, counts in zip(names, matrix, strict=True)]
    return table_lines([("", *heads), *body])


def _class_lines(title: str, rows: list[dict[str, Any]], head: str = "class") -> Iterator[str]:
    yield title
    shares = ("precision", "recall", "f1")
    body = [
        (row["class"], f"{row['samples']:,}", *(percent(row[share]) for share in shares))
        for row in rows
    ]
    yield from table_lines([(head, "samples", *shares), *body])


def percent(share: float) -> str:
    """Return a share in per cent; that of nothing is a dash."""
    return f"{100 * share:.2f} %" if share == share else "–"
