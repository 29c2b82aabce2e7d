"""The page: its head, its sections in order, and its file."""

from __future__ import annotations

import os
from argparse import Namespace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from cygrad.atomic_write import atomic_write
from cygrad.cli.dataset import Dataset
from cygrad.cli.options import DIGITS
from cygrad.cli.report import errors, inputs, results, settings
from cygrad.cli.report.markup import Markup, element
from cygrad.cli.report.pictures import check_matplotlib
from cygrad.cli.report.run import Run, data_summary, sha256
from cygrad.cli.summary import metric_text, sizes_text
from cygrad.network import Network
from cygrad.training import History

# Browsers may show the page but load nothing for it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


class Report:
    """The page about a run that is about to start.

    Parameters
    ----------
    path : Path
        Path of the page.
    arguments : argparse.Namespace
        The options.

    Raises
    ------
    ValueError
        If matplotlib is not installed.
    OSError
        If the data cannot be read.
    """

    def __init__(self, path: Path, arguments: Namespace) -> None:
        check_matplotlib("--report")
        self.path = path
        self._arguments = arguments
        self._data = data_summary(arguments)

    def write(
        self,
        dataset: Dataset,
        net: Network,
        result: dict[str, Any],
        history: History | None = None,
        *,
        saved: bool,
    ) -> None:
        """Write the complete page or nothing; `saved` is True if the network has been saved."""
        model = sha256(result["output"]) if saved else None
        page = render(Run(self._arguments, dataset, net, result, self._data, model, history))
        with atomic_write(self.path, "--report", text=True) as file:
            # Bytes of a file name that are not UTF-8 are lone surrogates, which UTF-8 cannot hold.
            file.write(page.encode("utf-8", "replace").decode())


def render(run: Run) -> str:
    """Return the HTML of the page."""
    name = os.path.basename(run.arguments.data)
    if name == DIGITS:
        name = "Handwritten digits"
    if run.dataset.classes is None:
        section = _section("Residuals", *errors.section(run), class_="wide")
    else:
        section = _section("Confusion matrix", *results.confusion(run), class_="wide")
    important = list(inputs.importance(run))
    what = "columns" if run.dataset.encoder is not None else "inputs"
    columns = list(inputs.columns(run))
    layers = list(results.statistics(run))
    main = element(
        "main",
        _header(run, name),
        _section("Results", *results.metrics(run)),
        _section("Repeat this run", *settings.repeat(run)),
        _section("Learning curves", *results.curves(run), class_="wide"),
        section,
        *([_section(f"Importance of the {what}", *important, class_="wide")] if important else []),
        *([_section("Layers in training", *layers, class_="wide")] if layers else []),
        _section("Network", *settings.network(run.net), class_="wide"),
        _section("Settings", *settings.hyperparameters(run)),
        _section("Data", *settings.data(run)),
        *([_section("Columns", *columns, class_="wide")] if columns else []),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Training report: {name}"),
        element("style", _stylesheet()),
    )
    return f"<!DOCTYPE html>\n{element('html', head, element('body', main), lang='en')}\n"


def _stylesheet() -> Markup:
    return Markup(resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8"))


def _section(title: str, *content: Markup, class_: str | None = None) -> Markup:
    return element("section", element("h2", title), *content, class_=class_)


def _header(run: Run, name: str) -> Markup:
    """Return the title of the page and the main results."""
    result, metric = run.result, run.net.metric
    classes = run.dataset.classes
    task = f"Classification into {len(classes):,} classes" if classes else "Regression"
    highlights = [
        (f"{part} {results.METRICS[metric]}", metric_text(metric, result[part][metric]))
        for part in ("test", "train")
        if result[part] is not None
    ]
    highlights += [
        ("samples", f"{sum(result['samples'].values()):,}"),
        ("parameters", f"{result['parameters']:,}"),
        ("training time", results.seconds_text(result["seconds"])),
    ]
    now = datetime.now(UTC)
    time = element("time", f"{now:%Y-%m-%d %H:%M} UTC", datetime=f"{now:%Y-%m-%dT%H:%MZ}")
    return element(
        "header",
        element("p", "Training report, ", time, class_="kind"),
        element("h1", name),
        element("p", f"{task} by a network of {sizes_text(run.net)} units"),
        element(
            "dl",
            *(
                element("div", element("dt", label), element("dd", value))
                for label, value in highlights
            ),
        ),
    )
