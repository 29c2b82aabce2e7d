"""``cygrad predict``: predict the samples in a file with a saved network."""

from __future__ import annotations

import csv
import os
import sys
from argparse import Namespace

from cygrad.cli import known, predictions
from cygrad.cli.reading import STREAM, print_notes
from cygrad.cli.summary import metric_text
from cygrad.network.network import load_network


def run(arguments: Namespace) -> None:
    """Write the predictions to stdout or a file, and their accuracy or error to stderr."""
    if arguments.output == STREAM:
        arguments.output = None
    _check_output(arguments)
    net = load_network(arguments.model)
    if arguments.probabilities:
        predictions.check_probabilities(net.loss, arguments.model)
    samples = known.read(net, arguments)
    metrics = None if samples.y is None else known.evaluate(net, samples)
    if arguments.output is None:
        predictions.check_letters("class", net.classes or ())
        predictions.check_letters("value", samples.ids)
    predicted = known.predict(net, samples)
    predictions.check_numbers(predicted, arguments.data)
    header, columns = predictions.text_columns(net, predicted)
    if arguments.probabilities:
        more, probabilities = predictions.probability_columns(net, net.forward(samples.X))
        header, columns = header + more, columns + probabilities
    if arguments.id is not None:
        header.insert(0, samples.id_name)
        columns.insert(0, samples.ids)
    with predictions.output(arguments.output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*columns, strict=True))
    print_notes(samples.notes)
    if metrics is not None:
        text = metric_text(net.metric, metrics[net.metric])
        print(f"{net.metric} {text} ({samples.X.shape[0]} samples)", file=sys.stderr)


def _check_output(arguments: Namespace) -> None:
    """Raise a ValueError if the output file is the model or the data."""
    if arguments.output is None or not os.path.exists(arguments.output):
        return
    for role in ("model", "data"):
        path = getattr(arguments, role)
        if os.path.exists(path) and os.path.samefile(path, arguments.output):
            raise ValueError(f"--output {arguments.output} is the {role}, expected another file")
