"""``cygrad evaluate``: compare the predictions of a saved network with known targets."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from cygrad.cli import confusions, known, loop, residuals
from cygrad.cli.reading import print_notes
from cygrad.cli.summary import metric_text, print_json, print_lines, print_summary
from cygrad.network.network import load_network

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(arguments: Namespace) -> None:
    """Print loss and metrics of the samples in a file, and those of each class or target."""
    net = load_network(arguments.model)
    metrics = loop.chosen_metrics(arguments, net)
    samples = known.read(net, arguments, needs_targets=True)
    results = known.evaluate(net, samples, metrics)
    print_notes(samples.notes)
    assert samples.y is not None
    parts: dict[str, Any]
    parts_lines: Iterator[str]
    if net.metric == "accuracy":
        parts = confusions.results(net, samples.y, net.forward(samples.X))
        parts_lines = confusions.lines(parts)
    else:
        parts = residuals.results(net, samples.X, samples.y)
        parts_lines = residuals.lines(parts)
    count = int(samples.X.shape[0])
    if arguments.json:
        print_json({"samples": count, **results, **parts, "notes": samples.notes})
        return
    texts = {name: metric_text(name, value) for name, value in results.items()}
    print_summary({"samples": count, **texts})
    print_lines(["", *parts_lines])
