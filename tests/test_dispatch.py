"""Which instruction set runs: the best one, or the one that is asked for, or an error."""

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


def fresh(isa):
    """A new interpreter's selection, with CYGRAD_ISA set to `isa` or not set."""
    environment = {name: value for name, value in os.environ.items() if name != "CYGRAD_ISA"}
    if isa is not None:
        environment["CYGRAD_ISA"] = isa
    program = "from cygrad._engine import kernels; print(kernels.selected())"
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


def test_the_best_come_first_and_portable_is_always_there():
    names = kernels.available()
    assert list(names) == [name for name in BEST_FIRST if name in names]
    assert names[-1] == "portable"


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="no flags of an x86 in /proc"
)
def test_what_the_processor_has_is_available():
    line = next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    flags = set(line.split(":")[1].split())
    assert kernels.available() == tuple(name for name in BEST_FIRST if FLAGS[name] <= flags)


def test_the_best_is_taken():
    for unset in (None, ""):
        result = fresh(unset)
        assert (result.returncode, result.stdout.strip()) == (0, kernels.available()[0])


def test_the_environment_forces_another(isa):
    result = fresh(isa)
    assert (result.returncode, result.stdout.strip()) == (0, isa)


@pytest.mark.parametrize("name", ["sse", "AVX2", "avx2 "])
def test_the_environment_with_an_unknown_name_is_refused(name):
    result = fresh(name)
    assert result.returncode != 0
    assert f"CYGRAD_ISA is {name!r}" in result.stderr
    assert ", ".join(kernels.available()) in result.stderr


def test_new_engines_use_the_selection_and_old_ones_stay(isa):
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
