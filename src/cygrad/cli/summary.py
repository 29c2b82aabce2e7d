"""Summaries of networks and results, as JSON or as lines of text."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from cygrad.network import Network
from cygrad.network.descriptions import kind_text


def describe(net: Network) -> dict[str, Any]:
    """Return the layers, loss and dtype of a network, ready for JSON."""
    layers = []
    for layer in net.layers:
        values = {"units": layer.units, "activation": str(layer.activation), "kind": layer.kind}
        for name in ("rate", "deviation"):
            if hasattr(layer.description, name):
                values[name] = getattr(layer.description, name)
        layers.append(values)
    return {
        "inputs": net.inputs,
        "layers": layers,
        "parameters": net.n_parameters,
        "loss": str(net.loss),
        "dtype": net.dtype.name,
    }


def sizes_text(net: Network) -> str:
    """Return the units of the inputs and of each dense layer, as in 64-32-10."""
    dense = (layer.units for layer in net.layers if layer.kind == "dense")
    return "-".join(map(str, (net.inputs, *dense)))


def layer_texts(net: Network) -> list[str]:
    """Return units and activation of each dense layer, kind and activation of the others."""
    texts = []
    for layer in net.layers:
        dense = layer.kind == "dense"
        name = str(layer.units) if dense else kind_text(layer.description)
        activation = f" {layer.activation}" if dense or layer.activation != "identity" else ""
        texts.append(name + activation)
    return texts


def print_summary(summary: dict[str, Any]) -> None:
    """Print one line for each entry, names and values in columns.

    Characters that stdout cannot encode are escaped, as in \\u8d64.
    """
    print_lines(f"{name:<15} {_value_text(value)}" for name, value in summary.items())


def print_lines(lines: Iterable[str]) -> None:
    """Print lines; characters that stdout cannot encode are escaped."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for line in lines:
        print(line.encode(encoding, "backslashreplace").decode(encoding))


def table_lines(rows: Sequence[Sequence[str]], texts: int = 1) -> list[str]:
    """Return rows in columns; the first `texts` columns are aligned left, the others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if index < texts else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def print_json(summary: dict[str, Any]) -> None:
    """Print a summary as one JSON object; NaN and infinity, which JSON lacks, become null."""
    print(json.dumps(_without_nonfinite(summary), allow_nan=False))


def _without_nonfinite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nonfinite(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nonfinite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _value_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value_text, value))
    return str(value)


def metric_text(metric: str, value: float) -> str:
    """Format an accuracy in per cent, or an error in the unit of the targets."""
    return f"{100 * value:.2f} %" if metric == "accuracy" else f"{value:.6g}"
