"""The command line: sections, threads and networks to run, and files for the results."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import builds, machine, output, processes
from .cases import CASES, FORM, OPTIMIZERS, parse_case
from .settings import SECTIONS, Settings, WrongResult

DEFAULT = ("steps", "forward", "latency", "import", "memory")


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    settings = _settings(parser, arguments)
    sections = _section_names(arguments.sections, settings)
    if arguments.output is not None:
        arguments.output.mkdir(parents=True, exist_ok=True)  # fails before the measurements
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "dtype": settings.dtype,
        "optimizer": settings.optimizer,
        "against": settings.against and str(settings.against),
    }
    if not arguments.json:
        print(output.head(results, peers=settings.peers), flush=True)
    for count, threads in enumerate(arguments.threads):
        names = [name for name in sections if SECTIONS[name].per_threads or count == 0]
        if not names:
            break
        try:
            part = processes.run(names, replace(settings, threads=threads), quiet=arguments.json)
        except WrongResult as error:
            sys.exit(f"python -m benchmarks: {error}")
        for name, rows in part.items():
            results.setdefault(name, []).extend(rows)
    if arguments.json:
        print(json.dumps(results, indent=2))
    if arguments.output is not None:
        written = output.write(arguments.output, results, peers=settings.peers)
        print(f"\nwritten: {', '.join(map(str, written))}", file=sys.stderr)


def _settings(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Settings:
    for section in arguments.sections:
        if section not in (*SECTIONS, "all"):
            parser.error(f"section is {section!r}, expected one of {', '.join(SECTIONS)}, all")
    for section in arguments.sections:
        needed = section != "all" and SECTIONS[section].needs
        if needed and getattr(arguments, needed) is None:
            parser.error(f"{section} needs --{needed} DIR")
    if arguments.against is not None:
        try:
            builds.check(arguments.against)
        except ValueError as error:
            parser.error(str(error))
    try:
        cases = tuple(map(parse_case, arguments.network)) or CASES
    except ValueError as error:
        parser.error(str(error))
    return Settings(
        cases=tuple(replace(case, optimizer=arguments.optimizer) for case in cases),
        dtype=arguments.dtype,
        optimizer=arguments.optimizer,
        threads=arguments.threads[0],
        peers=arguments.peers,
        quick=arguments.quick,
        mnist=arguments.mnist,
        against=arguments.against and arguments.against.resolve(),
    )


def _thread_counts(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError(f"threads is {min(numbers)}, expected 1 or more")
    return list(dict.fromkeys(numbers))


def _section_names(sections: list[str], settings: Settings) -> list[str]:
    if "all" in sections:
        return [
            name
            for name, section in SECTIONS.items()
            if not section.needs or getattr(settings, section.needs) is not None
        ]
    default = ("pairs",) if settings.against is not None else DEFAULT
    return list(dict.fromkeys(sections)) or list(default)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Check, then time cygrad next to NumPy, to other libraries and to the peak of "
        "the processor.",
        epilog="sections:\n" + "\n".join(map(_describe, SECTIONS)),
    )
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"any of those below, or all; by default {', '.join(DEFAULT)}",
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="other libraries too, where installed: in steps scikit-learn, PyTorch (eager and "
        "compiled) and JAX, in shapes PyTorch and JAX, in forward these and ONNX Runtime, in "
        "latency mlpfile",
    )
    default_threads = sorted({1, machine.cores()})
    parser.add_argument(
        "--threads",
        type=_thread_counts,
        default=default_threads,
        metavar="N[,N…]",
        help="of every program; several numbers are run one after the other, in processes of "
        f"their own (default: 1 and all cores, here {','.join(map(str, default_threads))})",
    )
    parser.add_argument(
        "--network",
        nargs="+",
        default=[],
        metavar="NETWORK",
        help="networks for steps, variants, pairs and the threads of growth: 784-128-10 of the "
        f"table, or any as {FORM}, such as 20-50-3@16 or 32x20-1@32:tanh; by default those of the "
        "table",
    )
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument(
        "--optimizer", choices=OPTIMIZERS, default="adam", help="sgd has momentum (default adam)"
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples, rounds and sizes")
    parser.add_argument("--json", action="store_true", help="print one JSON object, no tables")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="write the results there: as JSON, as Markdown, and with matplotlib as a chart",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIR",
        help="folder that holds another build of the package cygrad, for pairs: site-packages, or "
        "src of a checkout that is built in place",
    )
    parser.add_argument(
        "--mnist",
        type=Path,
        metavar="DIR",
        help="folder of MNIST's t10k files, for accuracy and sklearn",
    )
    return parser


def _describe(name: str) -> str:
    section = SECTIONS[name]
    needs = f" (needs --{section.needs})" if section.needs else ""
    return f"  {name:<14} {section.help}{needs}"


if __name__ == "__main__":
    main()
