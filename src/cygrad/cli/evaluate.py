"""``cygrad evaluate``: compare the predictions of a saved network with known targets."""

from __future__ import annotations

from argparse import Namespace

from cygrad.cli import known, loop
from cygrad.cli.columns import print_notes
from cygrad.cli.summary import metric_text, print_json, print_summary
from cygrad.network import load


def run(arguments: Namespace) -> None:
    """Print loss and metrics of the samples in a file."""
    net = load(arguments.model)
    metrics = loop.chosen_metrics(arguments, net)
    samples = known.read(net, arguments, needs_targets=True)
    results = known.evaluate(net, samples, metrics)
    print_notes(samples.notes)
    count = int(samples.X.shape[0])
    if arguments.json:
        print_json({"samples": count, **results, "notes": samples.notes})
        return
    texts = {name: metric_text(name, value) for name, value in results.items()}
    print_summary({"samples": count, **texts})
