"""The C programs of the tests, compiled from csrc and tests/c with the flags of setup.py.

Each is compiled as the package is, or with a sanitizer. Where there is no compiler, or none with
that sanitizer, or the sanitizer does not run, the test that asks for it is skipped.
"""

import ast
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cygrad._engine import kernels

TESTS = Path(__file__).parent
CSRC = TESTS.parent / "csrc"


def of_setup(name: str) -> Any:
    """A constant of setup.py, which cannot be imported where what it builds with is missing."""
    for statement in ast.parse((TESTS.parent / "setup.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(f"setup.py has no constant {name}")


def run(
    program: str, csrc: Iterable[str], folder: Path, sanitizers: str, *arguments: str
) -> list[str]:
    """Compile and run tests/c/<program>.c, assert that it finds nothing, and return its lines.

    csrc : patterns of the sources in csrc that it is linked with, of which the kernels that this
        machine cannot run are left out.
    folder : for what the compiler writes.
    sanitizers : what follows -fsanitize=, or nothing.
    """
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if not shutil.which(compiler[0]):
        pytest.skip(f"there is no C compiler {compiler[0]}")
    flags, launcher = [*of_setup("C_FLAGS"), "-pthread"], []
    if sanitizers:
        flags += ["-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
        launcher = _launcher([*compiler, *flags], folder)
    sources = sorted({path for pattern in csrc for path in CSRC.glob(pattern)})
    built = _build([*compiler, *flags], [*sources, TESTS / "c" / f"{program}.c"], folder)
    result = _done([*launcher, str(built), *arguments])
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()


def _build(compiler: Sequence[str], sources: Iterable[Path], folder: Path) -> Path:
    """The program made of these sources, of which each goes to a compiler of its own."""
    macros = [f"-DCG_HAVE_{isa.upper()}=1" for isa in kernels.available()]
    commands, objects = [], []
    for source in sources:
        own_flags: list[str] = []
        if source.name.startswith(("kernels_", "tape_")):
            isa = source.stem.rpartition("_")[2]
            if isa not in kernels.available():
                continue
            own_flags += of_setup("VARIANTS")[isa]
            if any(word.startswith("-fsanitize") for word in compiler):
                own_flags.append("-O0")  # else the compiler takes minutes
        objects.append(str(folder / f"{source.stem}.o"))
        own_flags += [f"-I{CSRC}", *macros, "-c", str(source), "-o", objects[-1]]
        commands.append([*compiler, *own_flags])
    with ThreadPoolExecutor(os.cpu_count()) as waiting:
        results = [*waiting.map(_done, commands)]
    results.append(_done([*compiler, *objects, "-o", str(folder / "program"), "-lm"]))
    for result in results:
        assert result.returncode == 0, result.stderr
    return folder / "program"


def _launcher(compiler: Sequence[str], folder: Path) -> list[str]:
    """What to run a sanitized program by: without random addresses, which some sanitizers need."""
    source, program = folder / "nothing.c", str(folder / "nothing")
    source.write_text("int main(void) { return 0; }\n")
    result = _done([*compiler, str(source), "-o", program])
    if result.returncode == 0:
        by_setarch = ["setarch", os.uname().machine, "-R"]
        for launcher in ([by_setarch] if shutil.which("setarch") else []) + [[]]:
            result = _done([*launcher, program])
            if result.returncode == 0:
                return launcher
    reason = (result.stderr.strip() or f"exit status {result.returncode}").splitlines()[0]
    pytest.skip(f"{shlex.join(result.args)}: {reason}")


def _done(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)
