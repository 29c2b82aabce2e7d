"""The command ``cygrad``: train networks, predict and evaluate with them, describe data.

Results go to stdout, progress and messages to stderr. Errors that the user can fix are printed as
one line. The exit code is then 1, or 2 for a wrong command line, or 130 after Ctrl-C. Each command
has a module; `options` holds the options of all, `architecture`, `descent` and `loop` those of a
training, `columns` those of tables; `known` reads samples for a saved model, and `report` makes the
page about a training. The commands call the package's public interface and compute only counts
themselves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["main"]

FAILED = 1
# The modules of commands whose names are words of Python, or whose opposites are.
_MODULES = {"export": "export_model", "import": "import_model"}
INTERRUPTED = 130  # the exit code that a shell reports after Ctrl-C: 128 + SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, or the process's own, and return the exit code."""
    try:
        from cygrad.cli.options import parse  # Ctrl-C can come before all is imported

        arguments = parse(argv)
        module = _MODULES.get(arguments.command, arguments.command)
        import_module(f"cygrad.cli.{module}").run(arguments)
        if sys.stdout is not None:  # None if the program was started with stdout closed
            sys.stdout.flush()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error.
        return int(stop.code or 0)
    except KeyboardInterrupt as interrupt:
        message = str(interrupt) or "nothing was saved"
        print(f"cygrad: interrupted, {message}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has closed the pipe. Without this, Python fails again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        if not isinstance(error, _failures()):
            raise  # a defect of the package, which keeps its traceback
        print(f"cygrad: {_one_line(error)}", file=sys.stderr)
        return FAILED
    return 0


def _failures() -> tuple[type[Exception], ...]:
    """Return the exceptions that the user can do something about."""
    from cygrad.training.history import DivergenceError

    # A library that an extra would install is the user's to add.
    return ValueError, TypeError, OSError, MemoryError, DivergenceError, ModuleNotFoundError


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        # What fails without a name is a stream: files are read and written with theirs.
        name = "stdin or stdout" if error.filename is None else error.filename
        return f"{name}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}".rstrip(": ")
    return " ".join(str(error).split())
