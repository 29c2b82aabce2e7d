"""The command line. Sets the number of threads before NumPy is imported, then runs the sections."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path

from .cases import CASES, case
from .report import Row, heading, line
from .settings import Settings, WrongResult

SECTIONS = {
    "steps": "steps",
    "forward": "forward",
    "import": "import_time",
    "memory": "memory",
    "functions": "functions",
    "accuracy": "accuracy",
    "wheel": "wheel",
}
DEFAULT = ("steps", "forward", "import", "memory")
THREAD_VARIABLES = (
    "CYGRAD_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    for section in arguments.sections:
        if section not in (*SECTIONS, "all"):
            parser.error(f"section is {section!r}, expected one of {', '.join(SECTIONS)}, all")
    if "accuracy" in arguments.sections and arguments.mnist is None:
        parser.error("accuracy needs --mnist DIR")
    try:
        cases = tuple(map(case, arguments.network)) or CASES
    except ValueError as error:
        parser.error(str(error))
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(arguments.threads)
    settings = Settings(cases, arguments.dtype, arguments.threads, arguments.quick, arguments.mnist)
    try:
        results = run(_chosen(arguments.sections, settings), settings, quiet=arguments.json)
    except WrongResult as error:
        sys.exit(f"python -m benchmarks: {error}")
    if arguments.json:
        print(json.dumps(results, indent=2))


def run(sections: list[str], settings: Settings, *, quiet: bool) -> dict[str, object]:
    """Run sections in turn and print their tables as they come, unless `quiet`."""
    machine = import_module("benchmarks.machine")  # imports NumPy, as the sections do
    described = machine.describe(settings.threads)
    if not quiet:
        print(machine.header(described))
    results: dict[str, object] = {"machine": described, "dtype": settings.dtype}
    for name in sections:
        section = import_module(f"benchmarks.{SECTIONS[name]}")
        rows: list[Row] = []
        for row in section.rows(settings):
            if not quiet:
                if not rows:
                    print(heading(section.TITLE, section.COLUMNS, row))
                print(line(section.COLUMNS, row), flush=True)
            rows.append(row)
        results[name] = rows
    return results


def _chosen(sections: list[str], settings: Settings) -> list[str]:
    if "all" in sections:
        return [name for name in SECTIONS if name != "accuracy" or settings.mnist is not None]
    return sections or list(DEFAULT)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Check, then time cygrad next to NumPy and to the peak of the processor.",
    )
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"any of {', '.join(SECTIONS)}, or all; by default {', '.join(DEFAULT)}",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, no tables")
    parser.add_argument("--quick", action="store_true", help="fewer samples and rounds")
    parser.add_argument(
        "--network",
        nargs="+",
        default=[],
        metavar="SIZES[@BATCH]",
        help="networks for steps: 784-128-10, or any as 20-50-3@16; by default those of the table",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--threads", type=int, default=1, help="of every program (default 1)")
    parser.add_argument(
        "--mnist", type=Path, metavar="DIR", help="folder of MNIST's t10k files, for accuracy"
    )
    return parser


if __name__ == "__main__":
    main()
