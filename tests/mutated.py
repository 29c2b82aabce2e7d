"""Plant faults in the engine and count those that the tests catch, in a copy of the sources.

    python tests/mutated.py                 all plants, but those that an earlier run has caught
    python tests/mutated.py tile.h team.c   those in these files
    python tests/mutated.py --ranks         those in ranks.pyx, which need MPI
    python tests/mutated.py --list          what is planted

The copy is in build/mutants. It is compiled once, with every plant behind a switch, and the tests
run there once without a plant: they note which plants each test reaches. Then each plant is
switched on in a process of its own, which runs tests that reach it, the quickest first. A plant is
caught if a test fails, if the process crashes, or if it takes many times the usual time. One that
no test reaches is not. A run that is stopped goes on where it was: results are kept as they come.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import mutant_runs
from mutant_changes import Plant, Source
from mutant_lists import reason_of
from mutant_runs import MOST_PLANTS, Result, Tests, run_plant
from mutant_tokens import language
from mutants import chosen, planted, sources

ROOT = Path(__file__).parents[1]
PARTS = "src csrc tests benchmarks pyproject.toml README.md LICENSE"
#: The tests of the engine. Others use it too, but are about something else.
TESTS = """
    test_accumulation test_activations test_batch_losses test_batches test_bits test_blocks
    test_checkpoints test_clipping test_compiled_graph test_cross_validation test_custom_losses
    test_dispatch test_equivalence test_functions test_gates test_gradient test_graph_gates
    test_importance test_inference test_initializers test_input_checks test_interrupt
    test_jacobian test_layer_bits test_layers test_lbfgs test_loops test_losses test_many
    test_memmap test_memory_safety test_network test_optimizer_rules test_optimizers
    test_penalty test_progress test_properties test_residuals test_scaling test_shuffle
    test_silent_answers test_single_samples test_sparse test_standardization test_statistics
    test_steps test_table_numbers test_table_reader test_table_streams test_tables test_team
    test_threads test_training test_validation test_weights
"""
#: Files of tests that are about a part of the engine: a plant there that no quicker test has caught
#: must pass all of them.
ABOUT = {
    r"delimited|decimal": "test_table_numbers test_table_reader",
    r"functions|trigonometry": "test_functions test_activations test_gates",
    r"activations": "test_activations test_functions",
    r"tape|gates|power": "test_gates test_compiled_graph test_graph_gates",
    r"losses|output": "test_losses test_layers test_equivalence test_custom_losses",
    r"norms|layers|noise": "test_layers test_layer_bits test_loops",
    r"optimizers|update": "test_optimizer_rules test_penalty test_bits test_equivalence",
    r"sparse": "test_sparse",
    r"clipping|gradients|penalty": "test_clipping test_penalty",
    r"tile|panels|simd": "test_bits test_equivalence test_single_samples test_threads",
    r"loops": "test_loops test_layer_bits test_bits test_clipping",
    r"statistics": "test_statistics",
    r"team|passes": "test_threads test_team test_many",
    r"samples": "test_input_checks test_sparse test_memmap",
    r"kernels|dispatch|simd": "test_dispatch test_functions",
    r"engine|plan": "test_network test_layers test_inference test_training test_sparse",
    r"training|step_update": "test_training test_single_samples test_optimizers test_weights",
    r"interrupts": "test_interrupt test_progress test_many",
    r"derivatives": "test_jacobian",
    r"custom": "test_custom_losses",
    r"blocks": "test_blocks test_accumulation test_layers",
}


class Part(NamedTuple):
    """Files whose plants are built together, and the tests of the engine's part that they are in.

    Of some modules alone, the others are those that are installed.
    """

    name: str
    tests: str
    modules: dict[str, tuple[str, ...]] = {}  # noqa: RUF012  # the modules, with their files


ENGINE = Part("mutants", TESTS)
RANKS = Part("mutants-ranks", "test_distributed", {"passes": ("ranks.pyx",)})
#: A sample of a minute: modules that are soon compiled, their files, and the tests of each file.
SAMPLE = {
    "delimited": {"decimal.c": "test_table_numbers", "delimited.pyx": "test_table_numbers"},
    "tape": {"tape_kernels.h": "test_compiled_graph"},
    "plan": {"clipping.pyx": "test_clipping"},
    "training": {"statistics.pyx": "test_statistics"},
    "kernels": {"norms.h": "test_layers", "sparse.h": "test_sparse"},
}
#: Runs setup.py for some modules: those that are named first.
SOME_MODULES = """
import runpy, sys
import Cython.Build
names, cythonize = sys.argv.pop(1).split(","), Cython.Build.cythonize

def of_names(modules, **options):
    return cythonize([m for m in modules if m.name.rpartition(".")[2] in names], **options)

Cython.Build.cythonize, sys.argv[0] = of_names, "setup.py"
runpy.run_path("setup.py", run_name="__main__")
"""
HEADER = f"""
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static short cg_unread[{MOST_PLANTS}], *cg_reached = cg_unread;
static int cg_mutant;

__attribute__((constructor)) static void cg_choose_mutant(void)
{{
    const char *mutant = getenv("CYGRAD_MUTANT"), *reached = getenv("CYGRAD_MUTANTS_REACHED");
    int file = reached ? open(reached, O_RDWR) : -1;
    cg_mutant = mutant ? atoi(mutant) : 0;
    if (file < 0) return;
    void *place = mmap(NULL, sizeof cg_unread, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (place != MAP_FAILED) cg_reached = (short *)place;
    close(file);
}}

#define CG_M(number) (cg_reached[number] = 1, cg_mutant == (number))
"""
IN_CYTHON = ("cdef extern from *:", "    bint CG_M(int number) nogil")
# A choice between two masks is a vector of integers. With one of 64 bits GCC 12 fails before SSE 4.
FLAGS = "-w -flax-vector-conversions -include"
if os.uname().machine == "x86_64":
    FLAGS = f"-msse4.2 {FLAGS}"


class NotBuilt(Exception):
    """The compiler failed, and no plant is the reason."""


class Copy:
    """A copy of the project with the plants of a part."""

    def __init__(self, part: Part = ENGINE) -> None:
        self.part = part
        self.folder = ROOT / "build" / part.name
        self.texts = sources()
        self.modules = modules(self.texts)
        self.plants: dict[int, Plant] = {}

    # Building

    def build(self) -> None:
        """Compile the copy with all plants that compile, unless nothing has changed."""
        self._copy()
        state = self.folder / "plants.json"
        known = json.loads(state.read_text()) if state.exists() else {}
        key = sha256(repr((sorted(self.texts.items()), HEADER, self.part)).encode()).hexdigest()
        left_out = set(known.get("left_out", ()))
        self.plants = self._all_but(left_out)
        if known.get("key") == key and known.get("names") == self._names():
            self._leave_out(set(known["elsewhere"]))
            return
        for step in [*self._to_check(), ""]:
            while True:
                self._write_sources()
                messages = self._complaints(step) if step else self._link()
                if not messages:
                    break
                refused = self._at_fault(places(messages))
                if not refused:
                    raise NotBuilt(f"{step or 'the engine'} cannot be compiled: {messages[-3000:]}")
                left_out |= {self.plants[n].name for n in refused}
                self.plants = self._all_but(left_out)
                write(state, json.dumps({"left_out": sorted(left_out)}))
        compiled = self._compiled()
        known = {"key": key, "left_out": sorted(left_out), "names": self._names()}
        known["elsewhere"] = [p.name for n, p in self.plants.items() if n not in compiled]
        write(state, json.dumps(known))
        self._leave_out(set(known["elsewhere"]))

    def _copy(self) -> None:
        """Copy the project, as far as the tests of the engine need it."""
        for part in PARTS.split():
            source, target = ROOT / part, self.folder / part
            for path in [source] if source.is_file() else sorted(source.rglob("*")):
                name = str(path.relative_to(ROOT))
                if path.is_file() and path.suffix not in (".so", ".pyc") and name not in self.texts:
                    write(target / path.relative_to(source), path.read_bytes())
        setup = (ROOT / "setup.py").read_text()
        if setup.count('"-O3"') != 1:
            raise NotBuilt("setup.py has another optimisation than -O3, or several")
        write(self.folder / "setup.py", setup.replace('"-O3"', '"-O1"'))
        write(self.folder / "mutant.h", HEADER)
        if self.part.modules:
            for path in installed_modules():
                if path.name.partition(".")[0] not in self.part.modules:
                    write(self.folder / "src/cygrad/_engine" / path.name, path.read_bytes())

    def _all_but(self, left_out: set[str]) -> dict[int, Plant]:
        files = [file for several in self.part.modules.values() for file in several]
        others = [] if files else [file for several in RANKS.modules.values() for file in several]
        plants = [
            each
            for file, text in self.texts.items()
            if not files or Path(file).name in files
            if Path(file).name not in others
            for each in chosen(file, text)
        ]
        return {n: each for n, each in enumerate(plants, start=1) if each.name not in left_out}

    def _names(self) -> list[str]:
        return [each.name for each in self.plants.values()]

    def _leave_out(self, names: set[str]) -> None:
        self.plants = {n: each for n, each in self.plants.items() if each.name not in names}

    def _to_check(self) -> list[str]:
        """Return the files to compile without output: that finds what does not compile.

        None if there are few, which are compiled at once.
        """
        if self.part.modules:
            return []
        in_c = [f"csrc/{path.name}" for path in sorted((ROOT / "csrc").glob("*.c"))]
        planted_in = {each.file for each in self.plants.values()}
        return [*in_c, *(f for f, parts in self.modules.items() if planted_in & set(parts))]

    def _write_sources(self) -> None:
        """Write the sources with the plants."""
        for file, text in self.texts.items():
            new = planted(text, {n: e for n, e in self.plants.items() if e.file == file})
            if file in self.modules:
                lines = new.split("\n")
                at = next(i for i, line in enumerate(lines) if not line.startswith("#"))
                new = "\n".join([*lines[:at], *IN_CYTHON, *lines[at:]])
            write(self.folder / file, new)

    def _complaints(self, file: str) -> str:
        """Compile a file without output; return the compiler's messages if it fails."""
        if file in self.modules:
            output = self.folder / "build" / "checked" / (Path(file).stem + ".c")
            output.parent.mkdir(parents=True, exist_ok=True)
            options = "-3 -I src --line-directives -X wraparound=False,cdivision=True -o"
            command = [sys.executable, "-m", "cython", *options.split(), str(output), file]
            translated = self._run(command)
            if translated.returncode:
                return translated.stdout
            file = str(output)
        checked = self._run([*compiler(file), "-fsyntax-only", "-I", "csrc", file])
        return checked.stdout if checked.returncode else ""

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _link(self) -> str:
        """Build the extension modules in place; return the compiler's messages if it fails."""
        flags = f"{os.environ.get('CFLAGS', '')} {FLAGS} {self.folder / 'mutant.h'}"
        some = self.part.modules
        program = ["-c", SOME_MODULES, ",".join(some)] if some else ["setup.py"]
        done = subprocess.run(
            [sys.executable, *program, "--quiet", "build_ext", "--inplace"],
            cwd=self.folder,
            env={**os.environ, "CFLAGS": flags},
            capture_output=True,
            text=True,
        )
        return done.stderr if done.returncode else ""

    def _at_fault(self, lines: set[tuple[str, int]]) -> set[int]:
        """Return the plants on these lines, or, if the compiler crashed, in their functions."""
        on_line, in_function = set(), set()
        for file, line in lines:
            if file not in self.texts:
                continue
            source = Source(file, self.texts[file])
            line -= len(IN_CYTHON) if file in self.modules else 0
            for n, each in self.plants.items():
                if each.file == file and each.line <= line <= source.line_of(each.end):
                    on_line.add(n)
                elif each.file == file and each.function == source.functions[line - 1]:
                    in_function.add(n)
        return on_line or in_function

    def _compiled(self) -> set[int]:
        """Return the plants that are compiled here: not those for other processors or compilers."""
        found = {n for n, each in self.plants.items() if language(each.file) == "cython"}
        for path in sorted((ROOT / "csrc").glob("*.c")):
            file = f"csrc/{path.name}"
            text = self._run([*compiler(file), "-E", file]).stdout
            found |= {int(n) for n in re.findall(r"cg_mutant == \((\d+)\)", text)}
        return found

    # Running the plants

    def workers(self, jobs: int) -> ProcessPoolExecutor:
        """Return processes that run plants."""
        context = multiprocessing.get_context("spawn")
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.environ["CC"] = shlex.join(compiler("", self.folder))  # for the tests' programs in C
        return ProcessPoolExecutor(jobs, context, mutant_runs.prepare, (str(self.folder),))

    def reach(self, workers: ProcessPoolExecutor, files: list[str]) -> Tests:
        """Return which plants some files of tests reach; they run once to find out."""
        folder = self.folder / "reached"
        built = (self.folder / "plants.json").read_text()
        known: dict[str, Tests] = {}
        paths = {}
        for test in files:
            text = (self.folder / "tests" / f"{test}.py").read_text()
            paths[test] = folder / f"{test}-{crc32((built + text).encode()):08x}.json"
            if paths[test].exists():
                known[test] = json.loads(paths[test].read_text())
        unknown = [test for test in files if test not in known]
        for test, tests in zip(unknown, workers.map(mutant_runs.reach, unknown), strict=True):
            write(paths[test], json.dumps(tests))
            known[test] = tests
        return {name: each for test in files for name, each in known[test].items()}

    def run(
        self,
        workers: ProcessPoolExecutor,
        tests: Tests,
        files: tuple[str, ...] = (),
        skip_listed: bool = True,
    ) -> dict[str, Result]:
        """Run the plants of some files, or all; return the result of each by its name.

        What was caught before counts as caught. Those of which a reason is known why they cannot be
        are not run, unless skip_listed is False.
        """
        kept = self.folder / "results.json"
        before = json.loads(kept.read_text()) if kept.exists() else {}
        results = {name: Result(*each) for name, each in before.items() if each[0]}
        wanted = {n: p for n, p in self.plants.items() if not files or Path(p.file).name in files}
        # Most are caught by a few tests: whole files of tests come when all plants have had those.
        for with_whole_files in (False, True):
            runs = {}
            for n, each in wanted.items():
                if each.name not in results and not (skip_listed and reason_of(each.name)):
                    rounds = mutant_runs.rounds_of(n, tests, about(each))
                    rounds = [r for r in rounds if mutant_runs.has_files(r) == with_whole_files]
                    runs[workers.submit(run_plant, n, rounds)] = n
            for done in as_completed(runs):
                number, result = runs[done], done.result()
                if result.caught or with_whole_files:
                    results[wanted[number].name] = result
                    write(kept, json.dumps(results, indent=0))
                word = "caught" if result.caught else "ALIVE" if with_whole_files else "so far"
                print(f"{number:4} {word:6} {line_of(wanted[number])}  [{result.how}]", flush=True)
        listed = Result(False, "is listed")
        return {each.name: results.get(each.name, listed) for each in wanted.values()}


def write(path: Path, content: str | bytes) -> None:
    """Write a file, unless it has this content already."""
    data = content.encode() if isinstance(content, str) else content
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def installed_modules() -> list[Path]:
    """Return the files of the engine's modules, as they are installed."""
    spec = importlib.util.find_spec("cygrad._engine")
    assert spec
    assert spec.submodule_search_locations
    return sorted(Path(spec.submodule_search_locations[0]).glob("*.so"))


def sample() -> Iterator[tuple[Plant, Result]]:
    """Run a plant of each file of SAMPLE that its tests reach."""
    tests = {file: name for files in SAMPLE.values() for file, name in files.items()}
    copy = Copy(Part("mutants-sample", "", {module: tuple(SAMPLE[module]) for module in SAMPLE}))
    copy.build()
    with copy.workers(1) as workers:
        for file, name in tests.items():
            reached = copy.reach(workers, [name])
            numbers = {n for _, several in reached.values() for n in several}
            first = min(n for n in numbers if copy.plants[n].file.endswith(f"/{file}"))
            rounds = mutant_runs.rounds_of(first, reached)
            yield copy.plants[first], workers.submit(run_plant, first, rounds).result()


def modules(texts: dict[str, str]) -> dict[str, list[str]]:
    """Return the Cython files that are modules, each with itself and the files that it includes."""
    parts = {
        file: [str(Path(file).parent / name) for name in re.findall(r'^include "(.+)"', text, re.M)]
        for file, text in texts.items()
        if language(file) == "cython"
    }
    included = {each for several in parts.values() for each in several}

    def whole(file: str) -> list[str]:
        return [file, *(one for each in parts.get(file, ()) for one in whole(each))]

    return {file: whole(file) for file in parts if file not in included}


def compiler(file: str, folder: Path = Path()) -> list[str]:
    """Return the compiler and its flags for a file of C."""
    variant = Path(file).stem.rpartition("_")[2]
    flags = {"avx2": "-mavx2 -mfma", "avx512": "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma"}
    standard = "-std=c11" if file.startswith("csrc") else ""
    include = sysconfig.get_path("include")
    python = f"-DPy_LIMITED_API=0x030B0000 -DCG_HAVE_AVX2 -DCG_HAVE_AVX512 -I {include}"
    given = f"{FLAGS} {folder / 'mutant.h'} -fwrapv {standard} {flags.get(variant, '')} {python}"
    return [*shlex.split(os.environ.get("CC", "cc")), *given.split()]


def places(messages: str) -> set[tuple[str, int]]:
    """Return the files and lines that a compiler's messages name, where they are errors."""
    messages = re.sub(r"^(?:performance hint|warning):.*", "", messages, flags=re.M)
    pattern = r"((?:csrc|src)/[\w/]+\.(?:[ch]|pyx)):(\d+):(?!.*(?:warning|note: (?!in )))"
    return {(file, int(line)) for file, line in re.findall(pattern, messages)}


def about(plant: Plant) -> str:
    """Return the files of tests that are about the file of a plant."""
    return next((t for part, t in ABOUT.items() if re.search(part, Path(plant.file).stem)), "")


def line_of(plant: Plant) -> str:
    return f"{plant.kind:10} {plant.file}:{plant.line} {plant.name}"


def report(plants: list[Plant], results: dict[str, Result]) -> str:
    """Return how many are caught, by kind and by file, and those that are not."""
    lines = []
    for title in ("kind", "file"):
        planted_in, caught = Counter[str](), Counter[str]()
        for each in plants:
            planted_in[getattr(each, title)] += 1
            caught[getattr(each, title)] += results[each.name].caught
        lines += [f"{title:40} caught of"]
        lines += [f"  {name:40} {caught[name]:4} {n:4}" for name, n in sorted(planted_in.items())]
    alive = [each for each in plants if not results[each.name].caught]
    for each in alive:
        lines += [f"{line_of(each)}", f"    {reason_of(each.name) or 'NO REASON IS KNOWN'}"]
    share = 100 * (1 - len(alive) / max(len(plants), 1))
    return "\n".join([*lines, f"caught {len(plants) - len(alive)} of {len(plants)}: {share:.1f} %"])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("files", nargs="*", help="the files with the plants, such as tile.h")
    parser.add_argument("--list", action="store_true", help="show the plants and run nothing")
    parser.add_argument("--ranks", action="store_true", help="the plants that need MPI")
    parser.add_argument("--listed", action="store_true", help="also those that are listed as alive")
    parser.add_argument("--jobs", type=int, default=1, help="how many run at once")
    given = parser.parse_args()
    copy = Copy(RANKS if given.ranks else ENGINE)
    copy.build()
    if given.list:
        for number, each in copy.plants.items():
            print(f"{number:4} {line_of(each)}")
        return 0
    with copy.workers(given.jobs) as workers:
        tests = copy.reach(workers, copy.part.tests.split())
        results = copy.run(workers, tests, tuple(given.files), not given.listed)
    print(report([each for each in copy.plants.values() if each.name in results], results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
