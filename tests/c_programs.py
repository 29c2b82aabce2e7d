"""The C programs of the tests, compiled from csrc and tests/c with the flags of setup.py.

Each is compiled as the package is, or with a sanitizer. Kernels that setup.py has compiled since
the last change are linked from build/, as they take a compiler most of the time. Where there is no
compiler, or none with that sanitizer, or the sanitizer does not run, the test that asks for it is
skipped.

    python tests/c_programs.py 'forward rows=9' [--sanitize]

runs the cases of check_kernels whose names contain this text, and keeps the objects in build/.
"""

import argparse
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

# The programs of tests/c, and patterns of the sources in csrc that they are linked with.
PROGRAMS = {
    "check_kernels": (
        "kernels_*.c",
        "tape_*.c",
        "dispatch.c",
        "tape.c",
        "processor.c",
        "samples.c",
        "sparse.c",
    ),
    "check_team": ("team.c",),
}


def setup_constant(name: str) -> Any:
    """Return a constant of setup.py, which cannot be imported without its build dependencies."""
    for statement in ast.parse((TESTS.parent / "setup.py").read_text()).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets) == name:
            return ast.literal_eval(statement.value)
    raise LookupError(f"setup.py has no constant {name}")


def run(program: str, folder: Path, sanitizers: str, *arguments: str) -> list[list[str]]:
    """Compile tests/c/<program>.c, and return the lines of a run with each of the arguments.

    Assert that none finds anything. They run side by side.
    """
    command = compiled(program, folder, sanitizers)
    with ThreadPoolExecutor(os.cpu_count()) as waiting:
        results = [*waiting.map(lambda argument: _execute([*command, argument]), arguments)]
    for result in results:
        assert result.returncode == 0, result.stdout + result.stderr
    return [result.stdout.splitlines() for result in results]


def compiled(program: str, folder: Path, sanitizers: str) -> list[str]:
    """Compile tests/c/<program>.c, and return the command that runs it.

    Kernels that this machine cannot run are left out.

    folder : for the program and its objects, which are kept while they are newer than the sources.
    sanitizers : the value of -fsanitize=, or "".
    """
    compiler = shlex.split(os.environ.get("CC") or "cc")
    if not shutil.which(compiler[0]):
        pytest.skip(f"there is no C compiler {compiler[0]}")
    flags, launcher = [*setup_constant("C_FLAGS"), "-pthread"], []
    if sanitizers:
        flags += ["-O1", "-g1", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
        launcher = _launcher([*compiler, *flags], folder)
    sources = sorted({path for pattern in PROGRAMS[program] for path in CSRC.glob(pattern)})
    built = _build([*compiler, *flags], [*sources, TESTS / "c" / f"{program}.c"], folder)
    return [*launcher, str(built)]


def _build(compiler: Sequence[str], sources: Iterable[Path], folder: Path) -> Path:
    """Make the program of these sources, with a compiler for each object that is out of date."""
    macros = [f"-DCG_HAVE_{isa.upper()}=1" for isa in kernels.available()]
    sanitized = any(word.startswith("-fsanitize") for word in compiler)
    commands, objects = [], []
    for source in sources:
        own_flags: list[str] = []
        if source.name.startswith(("kernels_", "tape_")):
            isa = source.stem.rpartition("_")[2]
            if isa not in kernels.available():
                continue
            own_flags += setup_constant("VARIANTS")[isa]
            if sanitized:
                own_flags.append("-O0")  # else the compiler takes minutes
            elif of_the_package := _object_of_the_package(source):
                objects.append(of_the_package)
                continue
        made = folder / f"{source.stem}.o"
        objects.append(str(made))
        if not made.exists() or made.stat().st_mtime < _last_change(source):
            own_flags += [f"-I{CSRC}", *macros, "-c", str(source), "-o", objects[-1]]
            commands.append([*compiler, *own_flags])
    with ThreadPoolExecutor(os.cpu_count()) as waiting:
        results = [*waiting.map(_execute, commands)]
    results.append(_execute([*compiler, *objects, "-o", str(folder / "program"), "-lm"]))
    for result in results:
        assert result.returncode == 0, result.stderr
    return folder / "program"


def _object_of_the_package(source: Path) -> str | None:
    """Return the object that setup.py made of a kernel last, unless it may be out of date."""
    made = TESTS.parent.glob(f"build/objects/*/csrc/{source.stem}.o")
    newest = max(made, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None or newest.stat().st_mtime < _last_change(source):
        return None
    return str(newest)


def _last_change(source: Path) -> float:
    """Return the time of the last change of what an object of this source is made from."""
    folders = {CSRC, source.parent}
    files = [TESTS.parent / "setup.py", *(path for each in folders for path in each.glob("*.[ch]"))]
    return max(path.stat().st_mtime for path in files)


def _launcher(compiler: Sequence[str], folder: Path) -> list[str]:
    """Return the command prefix of a sanitized program: some sanitizers need fixed addresses."""
    source, program = folder / "nothing.c", str(folder / "nothing")
    source.write_text("int main(void) { return 0; }\n")
    result = _execute([*compiler, str(source), "-o", program])
    if result.returncode == 0:
        by_setarch = ["setarch", os.uname().machine, "-R"]
        for launcher in ([by_setarch] if shutil.which("setarch") else []) + [[]]:
            result = _execute([*launcher, program])
            if result.returncode == 0:
                return launcher
    reason = (result.stderr.strip() or f"exit status {result.returncode}").splitlines()[0]
    pytest.skip(f"{shlex.join(result.args)}: {reason}")


def _execute(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True)


def main() -> None:
    """Run check_kernels from the command line."""
    parser = argparse.ArgumentParser(description="Run the cases of check_kernels.")
    parser.add_argument("case", nargs="?", default="", help="part of the names of the cases")
    parser.add_argument("--sanitize", action="store_true", help="look for errors of memory, too")
    options = parser.parse_args()
    folder = TESTS.parent / "build" / ("sanitized-c" if options.sanitize else "tests-c")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command = compiled("check_kernels", folder, "address,undefined" if options.sanitize else "")
    except (AssertionError, pytest.skip.Exception) as error:
        raise SystemExit(str(error)) from None
    raise SystemExit(subprocess.run([*command, options.case]).returncode)


if __name__ == "__main__":
    main()
