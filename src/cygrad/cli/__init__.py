"""The command ``cygrad``: train networks, predict and evaluate with them, describe data.

Results go to stdout, progress and messages to stderr. Errors that the user can fix are printed as
one line. The exit code is then 1, or 2 for a wrong command line, 130 after Ctrl-C, or 143 after
SIGTERM. Each command has a module; `options` holds the options of all, `architecture`, `descent`
and `loop` those of a training, `columns` those of tables; `known` reads samples for a saved model,
and `report` makes the page about a training. The commands call the package's public interface and
compute only counts themselves.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from cygrad.cli.signals import Signals

TYPE_CHECKING = False  # see `signals`
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cygrad.cli.ranks import Ranks

__all__ = ["main"]

FAILED = 1
# The modules of commands whose names are words of Python, or whose opposites are.
_MODULES = {"export": "export_model", "import": "import_model"}
# Variables of launchers that start several processes, see `ranks`.
_LAUNCHERS = {"PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE", "PMIX_RANK"} | {
    "SLURM_STEP_NUM_TASKS"
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, or the process's own, and return the exit code."""
    with Signals() as signals:
        if not _LAUNCHERS.isdisjoint(os.environ):
            from cygrad.cli.ranks import Ranks, launched

            found = launched()
            if found is not None:
                ranks = Ranks(*found)
                return ranks.quietly(lambda: _main(argv, signals, ranks))
        return _main(argv, signals)


def _main(argv: Sequence[str] | None, signals: Signals, ranks: Ranks | None = None) -> int:
    try:
        return _run(argv, signals, ranks)
    except KeyboardInterrupt as interrupt:
        return _end(signals, str(interrupt))
    except Exception:
        # An interrupt in the middle of an import or in a library can be another error here.
        if signals.received is None:
            raise
        return _end(signals)


def _run(argv: Sequence[str] | None, signals: Signals, ranks: Ranks | None) -> int:
    try:
        from cygrad.cli.options import parse

        arguments = parse(argv)
        module = _MODULES.get(arguments.command, arguments.command)
        command = import_module(f"cygrad.cli.{module}")
        signals.raise_from_now_on()
        if ranks is None:
            command.run(arguments)
        else:
            ranks.run(command, arguments, signals)
        if sys.stdout is not None:  # None if the program was started with stdout closed
            sys.stdout.flush()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error.
        return int(stop.code or 0)
    except BrokenPipeError:
        # The reader has closed the pipe. Without this, Python fails again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if signals.received is not None or not isinstance(error, _failures(ranks)):
            raise  # a defect of the package, which keeps its traceback
        print(f"cygrad: {_one_line(error)}", file=sys.stderr)
        return FAILED
    return 0


def _end(signals: Signals, message: str = "") -> int:
    word, code = signals.ending()
    print(f"cygrad: {word}, {message or 'nothing was saved'}", file=sys.stderr)
    return code


def _failures(ranks: Ranks | None) -> tuple[type[Exception], ...]:
    """Return the exceptions that the user can do something about."""
    from cygrad.training.history import DivergenceError

    # A library that an extra would install is the user's to add.
    found = ValueError, TypeError, OSError, MemoryError, DivergenceError, ModuleNotFoundError
    if ranks is None:
        return found
    from cygrad.distributed.failures import RankError

    return *found, RankError


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        # What fails without a name is a stream: files are read and written with theirs.
        name = "stdin or stdout" if error.filename is None else error.filename
        return f"{name}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}".rstrip(": ")
    return " ".join(str(error).split())
