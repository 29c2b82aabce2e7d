"""The command ``cygrad``: train a network, predict with it, tell about it, run experiments.

Results go to stdout, progress and messages to stderr. What fails for a reason that the user can do
something about ends as one line and an exit code: 1, or 2 where the command line itself was wrong,
or 130 after Ctrl-C. There is one module for each command, and one for their options; `report` is
the page that tells of a training. They put the package's public interface to use, and compute
nothing of their own but counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cygrad.cli import experiments, info, predict, train
from cygrad.cli.options import parse
from cygrad.training.history import DivergenceError

__all__ = ["main"]

COMMANDS = {
    "train": train.run,
    "predict": predict.run,
    "info": info.run,
    "experiments": experiments.run,
}
FAILED = 1
INTERRUPTED = 130  # What a shell reports of a program that Ctrl-C ended: 128 + SIGINT.


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv`, or the process's own, and return the exit code."""
    try:
        arguments = parse(argv)
        COMMANDS[arguments.command](arguments)
        if sys.stdout is not None:  # a program can be started with its stdout closed
            sys.stdout.flush()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after an error.
        return int(stop.code or 0)
    except KeyboardInterrupt as interrupt:
        message = str(interrupt) or "nothing was saved"
        print(f"cygrad: interrupted, {message}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has gone. Python would complain once more as it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (ValueError, TypeError, OSError, MemoryError, DivergenceError) as error:
        # Anything else is a defect of the package, of which a traceback tells more than a line.
        print(f"cygrad: {_one_line(error)}", file=sys.stderr)
        return FAILED
    return 0


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, MemoryError):
        return f"out of memory: {error}".rstrip(": ")
    return " ".join(str(error).split())
