"""Run tests of a copy of the engine with one plant after another: see mutated.py.

A worker is a process that has imported what the tests need beside the package. Each run is a fork
of it, which imports the package with a plant switched on.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple
from zlib import crc32

import pytest

MOST_PLANTS = 4096
MOST_TESTS_OF_A_FILE = 40
#: The tests that are run with a plant, one round after another: from which files, in their order,
#: how many of each, and their seconds, as they take without a plant.
ROUNDS = ((0, 2, 6, 3), (2, 6, 6, 6))
#: Of the rest of the tests, those in the first files; seconds for each.
MOST_WHOLE_FILES, LONGEST_FILE = 8, 40
#: How many times as long a run may take, and how much longer, before it counts as stuck: time of
#: the processor, and time of the clock for those that only wait.
PATIENCE, START = 6, 15
WAITING = 8
#: Tests that can fail on a busy machine.
WITH_CLOCK = re.compile(r"tests/test_(?:interrupt|progress|budgets|many|team|distributed)")
MOST_BYTES = 8 << 30
#: The warning is of Hypothesis, which a worker has imported.
WARNING = "ignore::pytest.PytestAssertRewriteWarning"
PYTEST = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-n0", "-W", WARNING)

#: What each test reaches: its seconds, and the numbers of the plants.
Tests = dict[str, tuple[float, list[int]]]


class Result(NamedTuple):
    caught: bool
    how: str


class Worker:
    """A process that is forked for each run."""

    def __init__(self, folder: str) -> None:
        path = [os.path.join(folder, each) for each in ("src", "", "tests")]
        os.environ["PYTHONPATH"] = os.pathsep.join(path)
        os.chdir(folder)
        sys.path[:0] = path
        for name in ("numpy.random", "numpy.testing", "hypothesis"):
            with suppress(ImportError):
                import_module(name)

    def run(self, number: int, names: list[str], expected: float) -> tuple[int | None, str]:
        """Run tests with a plant; return the exit code, None if they are stuck, and the output."""

        def run() -> int:
            os.environ["CYGRAD_MUTANT"] = str(number)
            return pytest.main([*PYTEST, *names])

        return self._wait(run, expected)

    def reach(self, test: str) -> Tests:
        """Run some tests of a file without a plant; return what they reach."""
        with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile("w+") as output:
            os.ftruncate(file.fileno(), 2 * MOST_PLANTS)

            def run() -> int:
                os.environ["CYGRAD_MUTANTS_REACHED"] = file.name
                noted = Reached(mmap.mmap(file.fileno(), 0))
                code = pytest.main([*PYTEST[1:], f"tests/{test}.py"], [noted])
                json.dump({} if noted.failed else noted.tests, output)
                output.flush()
                return code

            _, messages = self._wait(run, 600)
            output.seek(0)
            written = output.read()
        tests: Tests = json.loads(written or "{}")
        if not tests:
            raise RuntimeError(f"{test} fails without a plant: {messages[-3000:]}")
        return tests

    def _wait(self, run: Callable[[], int], expected: float) -> tuple[int | None, str]:
        limit = START + PATIENCE * expected
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                run_in_fork(run, limit, output.fileno())
            end = time.monotonic() + WAITING * limit
            done = 0
            while not done and time.monotonic() < end:
                done, status = os.waitpid(child, os.WNOHANG)
                time.sleep(0.005)
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            if not done:
                os.waitpid(child, 0)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if not done or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
            return None, text
        return os.waitstatus_to_exitcode(status), text


def run_in_fork(run: Callable[[], int], seconds: float, output: int) -> None:
    """Run in a process group of its own, within limits, and end the process."""
    code = 70
    try:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = int(run())
    finally:
        sys.stdout.flush()
        os._exit(code)


class Reached:
    """A plugin of pytest that notes the plants that each test reaches, and its time."""

    def __init__(self, memory: mmap.mmap) -> None:
        self.memory = memory
        self.tests: Tests = {}
        self.failed: list[str] = []

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Take some of the tests, of all kinds: many differ in their parameters only."""
        items.sort(key=lambda item: crc32(item.nodeid.encode()))
        config.hook.pytest_deselected(items=items[MOST_TESTS_OF_A_FILE:])
        del items[MOST_TESTS_OF_A_FILE:]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        begin = sum(os.times()[:4])
        self.tests[item.nodeid] = 0, []
        result = yield
        content = self.memory[:]
        if item.nodeid in self.tests:
            spent = sum(os.times()[:4]) - begin
            self.tests[item.nodeid] = spent, [i for i in range(MOST_PLANTS) if content[2 * i]]
        self.memory[:] = bytes(len(content))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or report.skipped:
            self.tests.pop(report.nodeid, None)
        if report.failed and not WITH_CLOCK.match(report.nodeid):
            self.failed.append(report.nodeid)


# What a pool of workers calls.

_worker: Worker


def prepare(folder: str) -> None:
    global _worker
    _worker = Worker(folder)


def reach(test: str) -> Tests:
    return _worker.reach(test)


def run_plant(number: int, rounds: list[tuple[list[str], float]]) -> Result:
    """Run tests with a plant until one fails that passes without one."""
    for names, expected in rounds:
        how = failure(number, names, expected)
        if not how:
            continue
        is_test = how.startswith("tests/")
        if is_test and WITH_CLOCK.match(how) and not failure(number, names, expected):
            continue
        # Those of whole files have not been run without a plant.
        if is_test and has_files((names, expected)) and failure(0, [how], expected):
            continue
        return Result(True, how)
    return Result(False, f"{len(rounds)} runs pass" if rounds else "no test reaches it")


def has_files(tests: tuple[list[str], float]) -> bool:
    """Return whether a round is a whole file of tests."""
    return "::" not in tests[0][0]


def failure(number: int, names: list[str], expected: float) -> str:
    """Run tests with a plant; return what fails, or nothing."""
    code, output = _worker.run(number, names, expected)
    if code is None:
        return "stuck"
    if code < 0 or code > 128:
        return f"crash, {signal.Signals(-code if code < 0 else code - 128).name}"
    found = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - |$)", output, re.M)
    if code and found:
        return found[1]
    return f"exit code {code}: {output[-300:]}" if code else ""


def rounds_of(number: int, tests: Tests, about: str = "") -> list[tuple[list[str], float]]:
    """Return the tests to run with a plant, and their time, in turn; in the end, whole files.

    A file of many tests takes longer to import than its quickest tests to run, so each round is of
    a few files: first those that are about the plant's file, then those with most tests that reach
    the plant.
    """
    quickest = sorted((spent, name) for name, (spent, plants) in tests.items() if number in plants)
    others = Counter(name.partition("::")[0] for _, name in quickest)
    files = [f"tests/{name}.py" for name in about.split()]
    files += [file for file, _ in others.most_common() if file not in files]
    rounds: list[tuple[list[str], float]] = []
    taken: set[str] = set()
    for first, last, of_a_file, seconds in ROUNDS:
        names, total, count = [], 0.0, Counter[str]()
        for spent, name in quickest:
            file = name.partition("::")[0]
            if file not in files[first:last] or name in taken or count[file] == of_a_file:
                continue
            if total + spent <= seconds or not names:
                names.append(name)
                total += spent
                count[file] += 1
        taken |= set(names)
        if names:
            rounds.append((names, total))
    return rounds + [([file], LONGEST_FILE) for file in files[:MOST_WHOLE_FILES]]
