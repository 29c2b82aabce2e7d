"""The chart of the steps: each program's time relative to cygrad, a row per network, log scale.

There is one panel per number of threads; panels share the rows and the scale. Each program has a
marker and a colour of its own (from the palette of Okabe and Ito, for all kinds of colour vision).
The grey bar to the left of cygrad's line ends at the time that the peak of fused multiply-adds
would allow.

``python -m benchmarks.chart RESULTS.json CHART.png`` draws it from earlier results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

Rows = list[dict[str, Any]]

# Marker and colour by program, in the order of the legend.
PROGRAMS = {
    "cygrad": ("o", "#000000"),
    "JAX": ("D", "#0072B2"),
    "NumPy": ("s", "#009E73"),
    "plain NumPy": ("v", "#56B4E9"),
    "Cython, plain loops": ("<", "#F0E442"),
    "PyTorch compiled": ("^", "#CC79A7"),
    "PyTorch": ("P", "#D55E00"),
    "scikit-learn": ("X", "#E69F00"),
}
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


def draw(results: dict[str, Any], path: Path) -> None:
    panels: dict[int, Rows] = {}
    for row in results["steps"]:
        panels.setdefault(row["threads"], []).append(row)
    networks = max(map(len, panels.values()))
    size = 2.2 + 4.6 * len(panels), 1.9 + 0.75 * networks
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for ax, (threads, rows) in zip(axes, panels.items(), strict=True):
        ax.set_title("1 core" if threads == 1 else f"{threads} cores", fontsize=11)
        _limits(ax, rows)
        _programs(ax, rows)
        _scale(ax, rows)
    rows = results["steps"]
    ratios = [row[f"{name} ratio"] for row in rows for name in PROGRAMS if row.get(f"{name} ratio")]
    axes[0].set_xlim(0.5 * min(row["share"] for row in rows), 1.25 * max([2, *ratios]))
    handles, labels = axes[0].get_legend_handles_labels()
    columns = 4 if len(panels) > 1 else 3
    figure.legend(
        handles, labels, loc="outside lower center", ncols=columns, frameon=False, fontsize=9
    )
    figure.suptitle(_title(results), fontsize=12)
    figure.savefig(path, dpi=160, metadata={"Software": f"matplotlib {matplotlib.__version__}"})


def _limits(ax: Any, rows: Rows) -> None:
    """Draw the time that the processor's peak would allow, and write cygrad's own time."""
    positions = range(len(rows))
    limits = [row["share"] for row in rows]
    widths = [1 - limit for limit in limits]
    ax.barh(positions, widths, left=limits, height=0.66, color="#dddddd", label="limit by FMA peak")
    ax.scatter(limits, positions, marker="|", s=560, color="#666666", linewidths=2)
    for position, row in enumerate(rows):
        text = f"{_microseconds(row['cygrad'])} "
        ax.text(0.96 * row["share"], position, text, ha="right", va="center", fontsize=8)


def _programs(ax: Any, rows: Rows) -> None:
    """Draw a marker per program and row, each program a little below the one before."""
    ax.axvline(1, color="#000000", linewidth=1, zorder=1)
    for order, (name, (marker, color)) in enumerate(PROGRAMS.items()):
        key = f"{name} ratio"
        points = [
            (row[key], position + 0.1 * (order - (len(PROGRAMS) - 1) / 2))
            for position, row in enumerate(rows)
            if row.get(key) is not None
        ]
        if points:
            xs, ys = zip(*points, strict=True)
            style = {"marker": marker, "color": color, "edgecolors": "white", "linewidths": 0.5}
            ax.scatter(xs, ys, s=44, label=name, zorder=3, **style)


def _scale(ax: Any, rows: Rows) -> None:
    names = [f"{row['network']}\nbatch {row['batch']}" for row in rows]
    ax.set_yticks(range(len(rows)), names, fontsize=9)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    for position in range(1, len(rows)):
        ax.axhline(position - 0.5, color="#cccccc", linewidth=0.6, zorder=0)
    ax.set_xscale("log")
    ax.set_xticks(TICKS)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    ax.set_xlabel("time of a step relative to cygrad, whose own stands at the left", fontsize=9)
    ax.grid(axis="x", color="#eeeeee", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)


def _microseconds(value: float) -> str:
    return f"{value / 1000:.3g} ms" if value >= 1000 else f"{value:.3g} µs"


def _title(results: dict[str, Any]) -> str:
    optimizer = {"adam": "Adam", "sgd": "SGD with momentum"}[results["optimizer"]]
    return f"Training dense networks, {results['dtype']}, {optimizer}"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
