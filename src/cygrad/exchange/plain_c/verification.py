"""Compile and run the self-test of a header."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile

from cygrad.exchange.self_test import SelfTest

#: Names of compilers, after that in the environment variable CC.
COMPILERS = ("cc", "gcc", "clang")
SECONDS = 600


def run_self_test(header: str, name: str, rows: int) -> tuple[SelfTest | None, str]:
    """Compile the text of a header, and run its self-test.

    Parameters
    ----------
    header : str
        One that was made here: it is compiled and run.
    name : str
        With which its names begin.
    rows : int
        Number of samples.

    Returns
    -------
    test : SelfTest or None
        None if there is no compiler.
    note : str
        Why the test did not run; otherwise empty.

    Raises
    ------
    RuntimeError
        If the header cannot be compiled, or the program ends without a result; the message has the
        words of the compiler.
    """
    command = compiler()
    if command is None:
        return None, f"the self-test did not run: no C compiler ({', '.join(COMPILERS)}, or CC)"
    with tempfile.TemporaryDirectory() as folder:
        source, target = (os.path.join(folder, each) for each in ("self_test.c", "self_test"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(header)
        macro = f"-D{name.upper()}_SELF_TEST"
        _run([*command, "-std=c99", "-O2", macro, source, "-o", target, "-lm"], (0,))
        printed = _run([target], (0, 1))
    found = re.search(r"(\d+) outputs with other bits, largest difference (\S+)", printed)
    if found is None:
        raise RuntimeError(f"the self-test printed {printed!r}, expected a result")
    difference = float(found[2]) if found[1] == "0" else max(float(found[2]), 5e-324)
    return SelfTest(f"{command[0]} -O2", rows, difference, 0.0), ""


def compiler() -> list[str] | None:
    """Return the command of a C compiler that is installed, or None."""
    named = os.environ.get("CC", "").strip()
    for command in ([shlex.split(named)] if named else []) + [[each] for each in COMPILERS]:
        if shutil.which(command[0]):
            return command
    return None


def _run(command: list[str], codes: tuple[int, ...]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode not in codes:
        raise RuntimeError(
            f"{shlex.join(command)} ended with code {done.returncode}: "
            f"{(done.stderr or done.stdout)[-2000:]}"
        )
    return done.stdout
