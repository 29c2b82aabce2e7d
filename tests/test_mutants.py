"""The tests catch faults that are planted in the engine: see mutants.py and mutated.py."""

import os
import sys

import mutant_runs
import mutants
import mutated
import pytest
from mutant_lists import SURVIVORS, reason_of

engine = pytest.mark.skipif(sys.platform != "linux", reason="the header is for Linux")


@pytest.fixture(scope="module")
def plants():
    return [each for file, text in mutants.sources().items() for each in mutants.chosen(file, text)]


def changed(file, text, kind):
    """Return the changes of a kind in a text, as before and after."""
    return {(e.text, e.changed) for e in mutants.candidates(file, text) if e.kind == kind}


def test_there_are_enough_of_each_kind_and_in_each_file(plants):
    assert len(plants) >= 350
    kinds = {each.kind for each in plants}
    assert len(kinds) == 14
    assert all(sum(each.kind == kind for each in plants) >= 5 for kind in kinds)
    assert {each.file for each in plants} == set(mutants.sources())


def test_each_has_a_name_of_its_own(plants):
    assert len({each.name for each in plants}) == len(plants)


def test_a_change_elsewhere_in_a_file_moves_no_plant():
    file = "csrc/norms.h"
    text = mutants.sources()[file]
    before = [each.name for each in mutants.chosen(file, text)]
    after = [each.name for each in mutants.chosen(file, "/* one more line */\n" + text)]
    assert before == after


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("arithmetic", "a + b * c", "a - b * c"),
        ("comparison", "a < b", "a <= b"),
        ("logic", "a < b && c > 0", "a < b || c > 0"),
        ("select", "ready ? d : e", "ready ? e : d"),
        ("select", "select_(m, p, q)", "select_(m, q, p)"),
        ("min/max", "maximum(p, q)", "minimum(p, q)"),
        ("index", "i", "i + 1"),
        ("branch", "! done", "0"),
        ("negation", "! done", "done"),
        ("constant", "2 * n", "3 * n"),
        ("offset", "a + b * c", "a"),
        ("store", "out[i] = select_(m, p, q)", ""),
        ("statement", "step(n)", ""),
    ],
)
def test_the_changes_of_c(kind, before, after):
    text = """
static void f(int n)
{
    int x = a + b * c, y = a < b && c > 0, v = ready ? d : e, z = 2 * n;
    if (!done) out[i] = select_(m, p, q);
    w = maximum(p, q);
    step(n);
}
"""
    assert (before, after) in changed("csrc/some.c", text, kind)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("arithmetic", "n - 1", "n + 1"),
        ("comparison", "n >= 2", "n > 2"),
        ("logic", "n >= 2 and not ready", "n >= 2 or not ready"),
        ("negation", "not ready", "ready"),
        ("flag", "True", "not True"),
        ("count", "n - 1", "n - 1 - 1"),
        ("select", "a if ready else b", "b if ready else a"),
        ("branch", "n >= 2 and not ready", "False"),
        ("store", "x[i] = <double *> y", ""),
    ],
)
def test_the_changes_of_cython(kind, before, after):
    text = """
cdef int f(int n) except -1:
    cdef int a = 0
    if n >= 2 and not ready:
        for i in range(n - 1):
            x[i] = <double *> y
    g(a if ready else b, True)
"""
    assert (before, after) in changed("src/some.pyx", text, kind)


def test_operators_of_an_operand_are_within_the_change():
    """Otherwise the parentheses around it would change what is computed without a plant too."""
    text = "void f(int n)\n{\n    x = a && b || ! c ? d : e || g;\n}\n"
    assert ("a && b || ! c", "a && b && ! c") in changed("csrc/some.c", text, "logic")
    whole = ("a && b || ! c ? d : e || g", "a && b || ! c ? e || g : d")
    assert whole in changed("csrc/some.c", text, "select")

    text = (
        "cdef int f(int a) except -1:\n    x = not a and b is None or not c\n    y = not a in b\n"
    )
    assert changed("src/some.pyx", text, "logic") == {
        ("not a and b is None", "not a or b is None"),
        ("not a and b is None or not c", "not a and b is None and not c"),
    }
    assert ("not a in b", "a in b") in changed("src/some.pyx", text, "negation")
    text = "cdef int f(int a) except -1:\n    x = a and b if c or d else e and g\n"
    whole = ("a and b if c or d else e and g", "e and g if c or d else a and b")
    assert whole in changed("src/some.pyx", text, "select")


def test_a_plant_is_behind_a_switch_and_moves_no_line():
    text = "static int f(int a)\n{\n    if (a < 2) g(a);\n    return a;\n}\n"
    of_kind = {each.kind: each for each in mutants.candidates("csrc/some.c", text)}
    with_both = mutants.planted(text, {7: of_kind["branch"], 9: of_kind["statement"]})
    line = "    if ((CG_M(7) ? (0) : (a < 2))) { if (!CG_M(9)) g(a); }"
    assert with_both.split("\n") == [*text.split("\n")[:2], line, *text.split("\n")[3:]]

    text = "cdef int f(int a) except -1:\n    if a < 2:\n        g(a)\n"
    of_kind = {each.kind: each for each in mutants.candidates("src/some.pyx", text)}
    with_both = mutants.planted(text, {7: of_kind["branch"], 9: of_kind["statement"]})
    assert with_both.split("\n")[1:3] == [
        "    if ((False) if CG_M(7) else (a < 2)):",
        "        if not CG_M(9): g(a)",
    ]


def test_nothing_is_planted_where_only_the_time_would_change():
    text = "void f(int n)\n{\n    prefetch_row(row + n);\n}\n"
    assert mutants.candidates("csrc/some.c", text) == []
    plan = "cdef double cost_in_turn(self, int n):\n    return n + 1\n"
    assert mutants.candidates("src/cygrad/_engine/plan.pyx", plan) == []
    assert mutants.candidates("src/cygrad/_engine/other.pyx", plan.replace("cost_", "")) != []


def test_nothing_is_planted_in_a_comparison_that_selects_the_smaller_number():
    text = "void f(int n)\n{\n    m = n - i < P ? n - i : P;\n    g = n < P ? a : b;\n}\n"
    found = {before for before, _ in changed("csrc/some.c", text, "comparison")}
    assert found == {"n < P"}


def test_the_quickest_tests_that_reach_a_plant_come_first(monkeypatch):
    monkeypatch.setattr(mutant_runs, "ROUNDS", ((0, 1, 2, 5), (1, 3, 2, 5)))
    tests = {
        "tests/a.py::slow": (3.0, [5]),
        "tests/a.py::quick": (1.0, [5, 6]),
        "tests/a.py::other": (0.5, [6]),
        "tests/b.py::quick": (2.0, [5]),
    }
    whole = [(["tests/a.py"], 40), (["tests/b.py"], 40)]
    of_a, of_b = (["tests/a.py::quick", "tests/a.py::slow"], 4), (["tests/b.py::quick"], 2)
    assert mutant_runs.rounds_of(5, tests) == [of_a, of_b, *whole]
    assert mutant_runs.rounds_of(5, tests, "b") == [of_b, of_a, *whole[::-1]]
    assert mutant_runs.rounds_of(7, tests) == []


def test_a_line_of_the_survivors_is_about_one_plant(plants):
    """Or about none, when the engine has changed."""
    names = [each.name for each in plants]
    found = 0
    for beginnings in SURVIVORS.values():
        for each in map(str.strip, beginnings.strip().split("\n")):
            planted = sum(name.startswith(each) for name in names)
            assert planted <= 1, each
            found += planted
    assert found > 20
    assert reason_of("norms.h layer_norm: a ⇒ b") is None


def unexplained(results):
    """Return the plants that are not caught, and of which no reason is known."""
    return [name for name, each in results.items() if not each.caught and not reason_of(name)]


@engine
@pytest.mark.slow
def test_a_sample_is_caught():
    pytest.importorskip("Cython")
    for plant, result in mutated.sample():
        assert result.caught or reason_of(plant.name), (plant.name, result.how)


def results_of(part, jobs):
    copy = mutated.Copy(part)
    copy.build()
    with copy.workers(jobs) as workers:
        results = copy.run(workers, copy.reach(workers, part.tests.split()))
    print(mutated.report(list(copy.plants.values()), results))
    return results


@engine
@pytest.mark.sweep
def test_nearly_all_are_caught():
    pytest.importorskip("Cython")
    results = results_of(mutated.ENGINE, len(os.sched_getaffinity(0)))
    caught = sum(result.caught for result in results.values())
    assert caught >= 300
    assert caught >= 0.95 * (caught + len(unexplained(results)))


@engine
@pytest.mark.sweep
def test_those_of_ranks_are_caught():
    pytest.importorskip("Cython")
    pytest.importorskip("mpi4py", reason="needs the extra mpi")
    results = results_of(mutated.RANKS, 1)
    assert len(results) >= 10
    assert unexplained(results) == []
