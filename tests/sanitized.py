"""Run tests with the whole engine under sanitizers of the compiler, in a copy of the sources.

    python tests/sanitized.py                       engine tests, address and undefined behaviour
    python tests/sanitized.py thread                the tests with threads, data races
    python tests/sanitized.py address tests/test_layers.py -k dropout
    CYGRAD_SANITIZE_KERNELS=avx2 python tests/sanitized.py      these kernels too

The copy is in build/sanitized-…, and only what has changed is compiled again: the first time takes
minutes. Python itself is not compiled with the sanitizer, which is loaded before it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SANITIZERS = {"address": "address,undefined", "thread": "thread"}
#: Tests of the engine that start no other processes, which would be slow or not sanitized.
TESTS = {
    "address": """
        test_accumulation test_batches test_blocks test_clipping test_compiled_graph
        test_custom_losses test_gradient test_inference test_input_checks test_interrupt
        test_jacobian test_layers test_lbfgs test_losses test_many test_memmap test_network
        test_residuals test_scaling test_single_samples test_sparse test_standardization
        test_statistics test_steps test_table_numbers test_table_reader test_threads test_weights
    """,
    "thread": "test_blocks test_inference test_interrupt test_many test_threads",
}
#: Of these, a sample of a minute.
SAMPLE = {"address": "test_clipping test_many test_sparse", "thread": "test_many"}


def files(names: str) -> list[str]:
    """Return the paths of these tests."""
    return [f"tests/{name}.py" for name in names.split()]


class NoSanitizer(Exception):
    """The compiler has no such sanitizer, or Python does not run with it."""


def build(kind: str) -> Path:
    """Compile a copy with a sanitizer, or what has changed since; return its folder."""
    folder = ROOT / "build" / f"sanitized-{kind}"
    sources = "src csrc tests benchmarks setup.py pyproject.toml README.md LICENSE"
    for part in sources.split():
        source, target = ROOT / part, folder / part
        for path in [source] if source.is_file() else sorted(source.rglob("*")):
            copy = target / path.relative_to(source)
            if path.is_dir() or path.suffix in (".so", ".pyc"):
                continue
            if not copy.exists() or copy.read_bytes() != path.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    done = subprocess.run(
        [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"],
        cwd=folder,
        env={**os.environ, "CYGRAD_SANITIZE": SANITIZERS[kind]},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise NoSanitizer(f"the engine could not be compiled: {done.stderr[-2000:]}")
    return folder


def environment(kind: str, folder: Path) -> dict[str, str]:
    """Return the environment in which Python runs with the sanitizer."""
    compiler = os.environ.get("CC", "cc").split()[-1]
    library = "libasan.so" if kind == "address" else "libtsan.so"
    libraries = []
    # The second one, where there is one, so that libraries can throw exceptions of C++.
    for name in (library, "libstdc++.so"):
        command = [compiler, f"-print-file-name={name}"]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if Path(found).is_absolute():
            libraries.append(found)
        elif name == library:
            raise NoSanitizer(f"the compiler {compiler} has no {library}")
    options = "halt_on_error=1:abort_on_error=0:exitcode=99"
    return {
        **os.environ,
        "PYTHONPATH": str(folder / "src"),
        "PYTHONMALLOC": "malloc",  # else the sanitizer takes the small objects of a block for one
        "LD_PRELOAD": ":".join(libraries),
        # Python frees little of its own at its end.
        "ASAN_OPTIONS": f"{options}:detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        # Tests fork while others train, and their children start threads.
        "TSAN_OPTIONS": f"{options}:report_signal_unsafe=0:die_after_fork=0",
        "OPENBLAS_NUM_THREADS": "1",
    }


def run(kind: str, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run pytest on the copy under a sanitizer, with these arguments."""
    folder = build(kind)
    # What a sanitizer writes before it ends the process must not be captured.
    options = ["-p", "no:cacheprovider", "--capture=sys", "-x", "-n0"]
    command = [sys.executable, "-m", "pytest", *options, *arguments]
    if kind == "thread" and shutil.which("setarch"):
        command = ["setarch", os.uname().machine, "--addr-no-randomize", *command]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment(kind, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def main() -> int:
    kind, *arguments = sys.argv[1:] or ["address"]
    if kind not in SANITIZERS:
        print(f"{sys.argv[0]}: {kind!r}, expected {' or '.join(SANITIZERS)}", file=sys.stderr)
        return 2
    try:
        done = run(kind, arguments or files(TESTS[kind]))
    except NoSanitizer as error:
        print(f"{sys.argv[0]}: {error}", file=sys.stderr)
        return 1
    print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
