"""Results as files: JSON with every number, Markdown with the tables, a chart of the steps."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import machine
from .report import markdown
from .settings import SECTIONS


def write(folder: Path, results: dict[str, Any], *, peers: bool) -> list[Path]:
    """Write the files and return their paths; the chart only if matplotlib is installed."""
    written = [folder / "benchmarks.json", folder / "benchmarks.md"]
    written[0].write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    written[1].write_text(_tables(results, peers=peers), encoding="utf-8")
    if results.get("steps"):
        if find_spec("matplotlib") is None:
            print("no chart: matplotlib is not installed", file=sys.stderr)
        else:
            written.append(folder / "steps.png")
            import_module("benchmarks.chart").draw(results, written[-1])
    return written


def head(results: dict[str, Any], *, peers: bool) -> str:
    """Return a few lines on the machine and the settings."""
    training = f"training in {results['dtype']} with {results['optimizer']}, if not said otherwise"
    lines = [machine.header(results["machine"], peers=peers), training]
    if results["against"] is not None:
        lines.append(f"the other build: {results['against']}")
    return "\n".join(lines)


def _tables(results: dict[str, Any], *, peers: bool) -> str:
    parts = [head(results, peers=peers).replace("\n", "  \n")]
    for name, section in SECTIONS.items():
        if results.get(name):
            module = import_module(f"benchmarks.{section.module}")
            parts.append(markdown(module.TITLE, module.COLUMNS, results[name]))
    return "\n\n".join(parts) + "\n"
