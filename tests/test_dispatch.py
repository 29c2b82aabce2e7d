"""Tests of the choice of the instruction set: the best one, a requested one, or an error."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import cygrad as cg
from cygrad._engine import kernels

BEST_FIRST = ("avx512", "avx2", "portable")
CPUINFO = Path("/proc/cpuinfo")
FLAGS = {
    "avx512": {"avx512f", "avx512dq", "avx512bw", "avx512vl", "fma"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
}


def select_in_new_process(isa):
    """Start an interpreter that prints its selection, with CYGRAD_ISA set to `isa` or unset."""
    environment = {name: value for name, value in os.environ.items() if name != "CYGRAD_ISA"}
    if isa is not None:
        environment["CYGRAD_ISA"] = isa
    program = "from cygrad._engine import kernels; print(kernels.selected())"
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


def test_the_best_come_first_and_portable_is_always_available():
    names = kernels.available()
    assert list(names) == [name for name in BEST_FIRST if name in names]
    assert names[-1] == "portable"


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="no flags of an x86 in /proc"
)
def test_available_names_match_the_flags_of_the_processor():
    line = next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    flags = set(line.split(":")[1].split())
    assert kernels.available() == tuple(name for name in BEST_FIRST if FLAGS[name] <= flags)


def test_the_best_is_selected():
    for unset in (None, ""):
        result = select_in_new_process(unset)
        assert (result.returncode, result.stdout.strip()) == (0, kernels.available()[0])


def test_the_environment_forces_another(isa):
    result = select_in_new_process(isa)
    assert (result.returncode, result.stdout.strip()) == (0, isa)


@pytest.mark.parametrize("name", ["sse", "AVX2", "avx2 "])
def test_the_environment_with_an_unknown_name_is_refused(name):
    result = select_in_new_process(name)
    assert result.returncode != 0
    assert f"CYGRAD_ISA is {name!r}" in result.stderr
    assert ", ".join(kernels.available()) in result.stderr


def test_only_new_engines_use_a_new_selection(isa):
    def network():
        return cg.Network(2, [cg.Dense(1)], loss="mse")

    net = network()
    assert net.engine.isa == kernels.selected() == isa
    for other in kernels.available():
        assert kernels.select(other) == kernels.selected() == other
        assert network().engine.isa == other
    assert net.engine.isa == isa


def test_an_unknown_name_is_refused(isa):
    names = ", ".join(kernels.available())
    with pytest.raises(ValueError, match=rf"isa is 'sse2', expected one .*: {names}$"):
        kernels.select("sse2")
    assert kernels.selected() == isa


def test_a_name_that_the_machine_cannot_run_is_refused(isa, monkeypatch):
    monkeypatch.setattr(kernels, "available", lambda: ("portable",))
    with pytest.raises(ValueError, match=r"isa is 'avx512', expected one .*: portable$"):
        kernels.select("avx512")
    monkeypatch.setenv("CYGRAD_ISA", "avx2")
    with pytest.raises(ValueError, match=r"CYGRAD_ISA is 'avx2', expected one .*: portable$"):
        kernels.select()
    assert kernels.selected() == isa


def test_selecting_nothing_is_the_default(isa, monkeypatch):
    monkeypatch.delenv("CYGRAD_ISA", raising=False)
    assert kernels.select() == kernels.available()[0]
    monkeypatch.setenv("CYGRAD_ISA", "portable")
    assert kernels.select() == "portable"


def test_the_configuration_names_the_selection(isa):
    assert cg.show_config("dicts")["isa"] == isa
    assert tuple(cg.show_config("dicts")["isa_available"]) == kernels.available()
