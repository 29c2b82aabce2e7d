"""Sections on the results: metrics, learning curves, confusion matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cygrad.cli import quantities
from cygrad.cli.loop import ENDINGS
from cygrad.cli.report.markup import Markup, columns_table, element, scrolled, summary_table
from cygrad.cli.report.pictures import picture
from cygrad.cli.report.run import Run
from cygrad.cli.summary import metric_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from cygrad.training import History

METRICS = {
    "accuracy": "accuracy",
    "mae": "mean absolute error",
    "deviance": "mean Poisson deviance",
}

# Limits that keep the page short and small.
MOST_EPOCHS = 25
MOST_MATRIX_CLASSES = 50
MOST_CONFUSIONS = 10

LOG_SPAN = 30  # a curve that varies by more than this factor gets a logarithmic scale
SHORT_NAME = 4  # longest class name, in characters, that fits above its column


def metrics(run: Run) -> Iterator[Markup]:
    """Yield the loss and the metric of both parts, and the time of the training."""
    result = run.result
    caption = "The trained network"
    if run.dataset.classes is None:
        caption += ", with the target in its own unit"
    names = [name for name in result["train"] if name != "loss"]
    rows = [
        (
            part,
            f"{size:,}",
            f"{result[part]['loss']:.6g}",
            *(metric_text(name, result[part][name]) for name in names),
        )
        for part, size in result["samples"].items()
        if size
    ]
    columns = ("part", "samples", "loss", *(METRICS.get(name, name) for name in names))
    yield columns_table(caption, columns, rows)
    summary = {
        "epochs": f"{result['epochs']:,}",
        "ended by": ENDINGS.get(result["stopped"], "the number of epochs"),
        "time": seconds_text(result["seconds"]),
        "samples per second": f"{result['samples_per_second']:,.0f}",
    }
    yield summary_table("The training", summary.items())


def seconds_text(seconds: float) -> str:
    """Format a duration in milliseconds or seconds."""
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def curves(run: Run) -> Iterator[Markup]:
    """Yield loss and metric of each epoch, as curves and as a table."""
    from cygrad import plotting

    history = run.result["history"]
    if run.dataset.classes is None and quantities.are_standardised(run.net):
        text = "The network learns the target with mean 0 and standard deviation 1: these figures "
        yield element("p", text, "are in standard deviations of the target.")
    if "val_loss" in history and "validation" not in run.result["samples"]:
        text = "Validation is by the test samples, after each epoch; the training does not use it."
        yield element("p", text)
    pictures = []
    for quantity in ("loss", run.net.metric):
        columns = [name for name in (quantity, f"val_{quantity}") if name in history]
        values = [value for name in columns for value in history[name]]
        # An accuracy is always drawn on a linear scale from 0 to 1.
        log = quantity != "accuracy" and 0 < LOG_SPAN * min(values) < max(values)
        title = f"{METRICS.get(quantity, quantity)} of each epoch".capitalize()
        draw = partial(plotting.history, history, columns, log=log)
        pictures.append(picture(quantity, title, draw))
    yield element("div", *pictures, class_="pictures")
    yield element("details", element("summary", "The curves in numbers"), _epochs(history))


def statistics(run: Run) -> Iterator[Markup]:
    """Yield pictures of the statistics of the layers, if they were recorded."""
    from cygrad import plotting
    from cygrad.plotting.health import QUANTITIES

    history = run.history
    if history is None or not history.statistics:
        return
    pictures = []
    for name, (title, _) in QUANTITIES.items():
        if any(getattr(row, name) is not None for row in history.statistics[0]):
            draw = partial(_draw_statistics, plotting.gradient_health, history, name)
            pictures.append(picture(f"statistics-{name}", title.capitalize(), draw))
    yield element("div", *pictures, class_="pictures")


def _draw_statistics(draw: Callable[..., object], history: History, name: str, ax: Axes) -> None:
    draw(history, name, axes=[ax])


def _epochs(history: dict[str, list[float]]) -> Markup:
    """Return a table of the epochs; of many epochs, evenly spaced ones."""
    count = len(history["loss"])
    shown = np.unique(np.linspace(0, count - 1, min(count, MOST_EPOCHS)).astype(int)).tolist()
    caption = "Epochs" if len(shown) == count else f"{len(shown)} of {count:,} epochs"
    names = (name.replace("val_", "validation ").replace("_", " ") for name in history)
    columns = ("epoch", *names)
    rows = [(index + 1, *(f"{history[name][index]:.6g}" for name in history)) for index in shown]
    return columns_table(caption, columns, rows)


def confusion(run: Run) -> Iterator[Markup]:
    """Yield the confusion matrix and the most frequent confusions."""
    names = run.dataset.classes
    assert names is not None
    part, rows = run.displayed_samples()
    true, predicted = run.dataset.y[rows], run.net.predict(run.dataset.X[rows])
    # Only cells in use are counted: with very many classes, a matrix would fill the memory.
    cells, counts = np.unique(true * len(names) + predicted, return_counts=True)
    tables = []
    if len(names) <= MOST_MATRIX_CLASSES:
        matrix = np.zeros((len(names), len(names)), np.int64)
        matrix.flat[cells] = counts
        tables.append(_matrix(matrix, names, part))
    wrong = cells // len(names) != cells % len(names)
    if wrong.any():
        tables.append(_most_frequent(cells[wrong], counts[wrong], np.bincount(true), names))
    text = f"{counted(len(rows), part)}: what each one is, and what it is taken for."
    if len(names) > MOST_MATRIX_CLASSES:
        text += f" A matrix of {len(names):,} classes is too large for a page."
    yield element("p", text)
    yield element("div", *tables, class_="row")


def _most_frequent(
    cells: NDArray[np.int64],
    counts: NDArray[np.int64],
    of_class: NDArray[np.int64],
    names: Sequence[str],
) -> Markup:
    rows = []
    for index in np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]:
        true, predicted = divmod(int(cells[index]), len(names))
        share = _percent(counts[index], of_class[true])
        rows.append((names[true], names[predicted], f"{counts[index]:,}", share))
    columns = ("true class", "taken for", "samples", "of class, %")
    return columns_table("Most frequent confusions", columns, rows, texts=2)


def _matrix(counts: NDArray[np.int64], names: Sequence[str], part: str) -> Markup:
    """Return the matrix as a table; cells with a larger share of their row are darker."""
    of_class, of_prediction, hits = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)

    def cell(true: int, predicted: int) -> Markup:
        count = int(counts[true, predicted])
        if not count:
            return element("td", 0)
        class_ = "hit" if true == predicted else "miss"
        return element(
            "td", f"{count:,}", class_=class_, style=f"--share:{count / of_class[true]:.2f}"
        )

    def percent(count: int, of: int) -> Markup:
        return element("td", _percent(count, of), class_="share")

    columns = [element("th", element("span", name), scope="col", title=name) for name in names]
    corner = (element("div", text) for text in ("true \\ ", "taken for"))
    first = element("th", *corner, scope="col")
    last = element("th", element("span", "recall, %"), scope="col")
    head = element("tr", first, *columns, last)
    body = [
        element(
            "tr",
            element("th", element("span", name), scope="row", title=name),
            *(cell(true, predicted) for predicted in range(len(names))),
            percent(hits[true], of_class[true]),
        )
        for true, name in enumerate(names)
    ]
    precision = element("th", "precision, %", scope="row")
    foot = element("tr", precision, *map(percent, hits, of_prediction), element("td"))
    caption = f"Confusion matrix of the {part} samples"
    upright = max(map(len, names)) > SHORT_NAME
    table = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *body),
        element("tfoot", foot),
        class_="matrix upright" if upright else "matrix",
        style=f"--classes:{len(names)}",
    )
    return scrolled(caption, table)


def counted(count: int, part: str) -> str:
    """Return the number of samples of a part, in words."""
    return f"{count:,} {part} sample{'s' * (count != 1)}"


def _percent(count: int, of: int) -> str:
    return f"{100 * count / of:.3g}" if of else "–"
