"""Programs that change inputs by the code they reach: libFuzzer with the parsers of text in C.

    python tests/fuzz_programs.py decimal -n 1000000    csrc/decimal.c against strtod
    python tests/fuzz_programs.py rows -n 1000000       RowParser against tests/plain_rows.py

Both are compiled with AddressSanitizer and UndefinedBehaviorSanitizer in build/fuzz-…, and need
clang with the libraries of its sanitizers. An input that is found stays there, and read again:

    python tests/fuzz_programs.py rows build/fuzz-rows/crash-…
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS_C = sorted(ROOT.glob("tests/c/fuzz_*"))
CLANG = os.environ.get("CYGRAD_CLANG", "clang")
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FLAGS = ["-std=gnu11", "-O1", "-g1", "-fno-omit-frame-pointer", "-ffp-contract=off", "-fwrapv"]
MOST_BYTES = {"decimal": 1200, "rows": 512}  # of an input; decimal: a little more than 767 digits


class NoFuzzer(Exception):
    """There is no clang with libFuzzer, or the program cannot be compiled."""


def build(name: str, folder: Path) -> list[str]:
    """Compile what is needed, and return the command."""
    if not shutil.which(CLANG):
        raise NoFuzzer(f"there is no {CLANG}")
    folder.mkdir(parents=True, exist_ok=True)
    return build_decimal(folder) if name == "decimal" else build_rows(folder)


def build_decimal(folder: Path, words: list[int] | None = None) -> list[str]:
    """Compile csrc/decimal.c with a table of powers, by default the right one."""
    words = power_words() if words is None else words
    (folder / "powers.h").write_text(f"#define POWERS {', '.join(f'{word}u' for word in words)}\n")
    sources = [str(ROOT / "csrc/decimal.c"), str(ROOT / "tests/c/fuzz_decimal.c")]
    program = str(folder / "fuzz_decimal")
    includes = [f"-I{folder}", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests/c'}"]
    compile_c(["-fsanitize=fuzzer", *SANITIZERS, *includes, *sources, "-o", program, "-lm"])
    return [program]


def power_words() -> list[int]:
    """Return the halves of the first 128 bits of 5^q, rounded up for -27 <= q < 0, else down."""
    words = []
    for q in range(-342, 309):
        numerator, denominator = 5 ** max(q, 0), 5 ** max(-q, 0)
        shift = 128 - (numerator.bit_length() - denominator.bit_length())
        for places in (shift, shift - 1, shift + 1):
            up, down = (
                (numerator, denominator << -places)
                if places < 0
                else (numerator << places, denominator)
            )
            bits = -(-up // down) if -27 <= q < 0 else up // down
            if bits.bit_length() == 128:
                break
        words += [bits >> 64, bits & (1 << 64) - 1]
    return words


def build_rows(folder: Path, source: Path | None = None) -> list[str]:
    """Compile delimited.pyx, or a changed copy of it, and the library that runs libFuzzer."""
    source = ROOT / "src/cygrad/_engine/delimited.pyx" if source is None else source
    command = [sys.executable, str(ROOT / "tests/fuzz_rows.py"), str(folder)]
    changed = max(path.stat().st_mtime for path in (source, *ROOT.glob("csrc/decimal.?"), *TESTS_C))
    made = folder / "driver.so"
    if made.exists() and made.stat().st_mtime > changed:
        return command
    generated = folder / "delimited.c"
    directives = ["boundscheck", "initializedcheck", "wraparound", "auto_pickle"]
    cython = [sys.executable, "-m", "cython", "-3", "--module-name", "cygrad._engine.delimited"]
    for directive in directives:
        cython += ["-X", f"{directive}=False"]
    execute([*cython, "-X", "cdivision=True", str(source), "-o", str(generated)])
    compile_c(
        [
            "-shared",
            "-fPIC",
            "-fsanitize=fuzzer-no-link",
            *SANITIZERS,
            "-shared-libsan",
            "-w",
            "-DPy_LIMITED_API=0x030B0000",
            f"-I{ROOT / 'csrc'}",
            f"-I{sysconfig.get_path('include')}",
            str(generated),
            str(ROOT / "csrc/decimal.c"),
            "-o",
            str(folder / "delimited.so"),
        ]
    )
    compile_c(
        [
            "-shared",
            "-fPIC",
            f"-I{ROOT / 'tests/c'}",
            str(ROOT / "tests/c/fuzz_driver.c"),
            f"-Wl,--whole-archive,{library('fuzzer_no_main', '.a')},--no-whole-archive",
            "-lstdc++",
            "-lm",
            "-lpthread",
            "-o",
            str(folder / "driver.so"),
        ]
    )
    return command


def library(name: str, ending: str) -> Path:
    """Return the path of a library of clang's sanitizers."""
    found = execute([CLANG, f"-print-file-name=libclang_rt.{name}-{os.uname().machine}{ending}"])
    path = Path(found.stdout.strip())
    if not path.is_absolute():
        raise NoFuzzer(f"{CLANG} has no {path.name}")
    return path


def compile_c(arguments: list[str]) -> None:
    execute([CLANG, *FLAGS, *arguments])


def execute(command: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoFuzzer(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return done


def package_folder() -> Path:
    """Return the folder of the package that is tested: an installed one, or the sources."""
    found = importlib.util.find_spec("cygrad")
    return ROOT / "src" if found is None or not found.origin else Path(found.origin).parents[1]


def environment(name: str, folder: Path) -> dict[str, str]:
    """Return the environment in which a program runs."""
    options = {
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:handle_abort=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }
    if name == "rows":  # Python itself is not compiled with the sanitizer
        # The driver first: AddressSanitizer has functions of the same names for coverage.
        options["LD_PRELOAD"] = f"{folder / 'driver.so'} {library('asan', '.so')}"
        options["ASAN_OPTIONS"] += ":verify_asan_link_order=0:quarantine_size_mb=16"
        options["PYTHONMALLOC"] = "malloc"
        options["PYTHONPATH"] = os.pathsep.join([str(package_folder()), str(ROOT / "tests")])
        options["OPENBLAS_NUM_THREADS"] = "1"
    return {**os.environ, **options}


def run(
    name: str,
    folder: Path,
    command: list[str],
    count: int,
    seeds: Iterable[bytes] = (),
    seed: int = 1,
) -> subprocess.CompletedProcess[str]:
    """Run a program with `count` inputs, which are changed ones of those in the corpus."""
    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(seeds):
        (corpus / f"seed-{number:03}").write_bytes(data)
    options = [
        f"-runs={count}",
        f"-seed={seed}",
        f"-max_len={MOST_BYTES[name]}",
        f"-artifact_prefix={folder}/",
        "-timeout=300",  # of elapsed time: a process can be stopped; fuzz_limits.h limits its own
        "-report_slow_units=300",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    return subprocess.run(
        [*command, *options, str(corpus)],
        env=environment(name, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def decimal_seeds() -> list[bytes]:
    """Return numbers near ties, with many digits, and at the ends of the range."""
    texts = [
        "0", "-0.0", "1", "007", "1.5e3", "9007199254740993", "1e23", "8.5e-22", "4.9e-324", "+.5",
        "2.2250738585072011e-308", "1.7976931348623159e308", "123456789012345678901234567890",
        "18446744073709551616", "0." + "0" * 30 + "1e31", "9007199254740993." + "0" * 770 + "1",
        "1e",
    ]  # fmt: skip
    numbers = [bytes([first]) + text.encode() for text in texts for first in (2, 6)]
    with_comma = [b"\3" + text.replace(".", ",").encode() for text in texts]
    with_exponent = [
        b"\12" + bytes([i, 250 - i]) + b"-1.234567890123456789" for i in range(0, 250, 50)
    ]
    return numbers + with_comma + with_exponent


def row_seeds() -> list[bytes]:
    """Return texts of each layout; the first bytes are what `fuzz_rows.settings` takes."""
    import fuzz_rows

    return fuzz_rows.seeds()


SEEDS = {"decimal": decimal_seeds, "rows": row_seeds}


def main() -> int:
    parser = argparse.ArgumentParser(description="Change inputs of the parsers by what they reach.")
    parser.add_argument("name", choices=[*MOST_BYTES])
    parser.add_argument("inputs", nargs="*", help="files to read again")
    parser.add_argument("-n", "--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    folder = ROOT / "build" / f"fuzz-{arguments.name}"
    try:
        command = build(arguments.name, folder)
        if arguments.inputs:
            again = [*command, *arguments.inputs]
            return subprocess.run(again, env=environment(arguments.name, folder)).returncode
        seeds = SEEDS[arguments.name]()
        done = run(arguments.name, folder, command, arguments.count, seeds, arguments.seed)
    except NoFuzzer as error:
        raise SystemExit(f"{sys.argv[0]}: {error}") from None
    print(done.stdout[-6000:])
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
