"""``cygrad train`` under mpiexec: the files of one process, and one line for each error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest

pytest.importorskip("mpi4py", reason="needs the extra mpi")
import mpiexec

from cygrad.cli.ranks import launched


def cygrad(ranks: int, *words: Any) -> Any:
    return mpiexec.run(ranks, "-m", "cygrad", *words)


def line_of(done: Any, code: int) -> str:
    """Return the one line of an error that all ranks end with."""
    assert done.returncode == code, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two measures of houses, a kind and their prices, with gaps."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("data") / "houses.csv"
    with path.open("w") as file:
        file.write("area,age,kind,price\n")
        for area, age in rng.uniform((30, 0), (200, 90), (120, 2)):
            kind = "abc"[int(area) % 3]
            text = "" if age < 5 else f"{age:.0f}"
            file.write(f"{area:.1f},{text},{kind},{250 + 4 * area - 1.5 * age:.2f}\n")
    return path


def options(houses: Path, folder: Path, epochs: int = 4) -> list[Any]:
    files = ["--output", folder / "model.npz", "--checkpoint", folder / "state.npz"]
    return [
        *("train", houses, "--target", "price", "--hidden", "12,7", "--epochs", epochs),
        *("--validation", "0.2", "--dropout", "0.1", "--log", folder / "log.csv", *files),
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    rows = [line.split(",") for line in (folder / "log.csv").read_text().splitlines()]
    seconds = rows[0].index("seconds")
    log = "\n".join(",".join(row[:seconds] + row[seconds + 1 :]) for row in rows)
    return {"model": (folder / "model.npz").read_bytes(), "log": log.encode()}


@pytest.fixture(scope="module")
def alone(houses: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Any]:
    """Return files and result of one process."""
    folder = tmp_path_factory.mktemp("alone")
    done = cygrad(1, *options(houses, folder), "--json")
    assert done.returncode == 0, done.stderr
    return files_of(folder), json.loads(done.stdout)


@pytest.mark.parametrize("ranks", [2, 3])
def test_files_of_one_process(ranks, houses, alone, tmp_path):
    done = cygrad(ranks, *options(houses, tmp_path), "--json")
    assert done.returncode == 0, done.stderr
    assert files_of(tmp_path) == alone[0]
    result = json.loads(done.stdout)  # one object: no other rank prints
    assert result["processes"] == ranks
    for part in ("train", "validation", "test"):
        assert result[part] == alone[1][part]
    lines = done.stderr.splitlines()
    assert [sum(f"epoch {n}/4 " in line for line in lines) for n in (1, 2, 3, 4)] == [1] * 4


def test_resume_on_another_number_of_ranks(houses, alone, tmp_path):
    for ranks, epochs in ((2, 1), (3, 2), (1, 4)):
        done = cygrad(ranks, *options(houses, tmp_path, epochs), "--resume")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("saved to") == 1
    assert files_of(tmp_path)["model"] == alone[0]["model"]


def test_folds_of_one_process(houses, tmp_path):
    found = []
    for ranks in (1, 3):
        output = tmp_path / f"{ranks}.csv"
        words = ("--target", "price", "--cv", 4, "--hidden", "5", "--epochs", 2)
        done = cygrad(ranks, "train", houses, *words, "--output", output, "--json", "--quiet")
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        for each in (result, *result["folds"]):
            del each["seconds"]
        del result["output"]
        found.append((result, output.read_bytes()))
    assert found[0] == found[1]


def test_errors_are_printed_once(houses, tmp_path):
    assert "No such file" in line_of(cygrad(2, "train", tmp_path / "none.csv"), 1)
    assert "--depth" in line_of(cygrad(2, "train", houses, "--depth"), 2)
    assert "no stdin" in line_of(cygrad(2, "train", "-"), 1)


def test_error_of_rank_0_alone(houses, tmp_path):
    output = tmp_path / "none" / "model.npz"
    done = cygrad(2, "train", houses, "--target", "price", "--output", output)
    assert "in no folder that exists" in line_of(done, 1)


def test_error_of_another_rank(houses, tmp_path):
    program = (
        "import os, sys; from cygrad.cli import main\n"
        "if os.environ.get('PMI_RANK', os.environ.get('OMPI_COMM_WORLD_RANK')) == '1':\n"
        "    sys.argv[2] += 'x'\n"
        "sys.exit(main())"
    )
    done = mpiexec.run(2, "-c", program, *options(houses, tmp_path))
    assert "rank 1 ended with FileNotFoundError" in line_of(done, 1)
    assert not (tmp_path / "model.npz").exists()


def test_without_mpi4py(houses):
    program = "import sys; sys.modules['mpi4py'] = None; from cygrad.cli import main; main()"
    done = mpiexec.run(2, "-c", program, "train", houses)
    assert done.stderr == "cygrad: mpi4py is not installed: pip install 'cygrad[mpi]'\n"
    assert done.stdout == ""


def test_launcher_of_another_library(houses):
    done = subprocess.run(
        mpiexec.command(1, "-m", "cygrad", "train", houses),
        env={**mpiexec.environment(), "MV2_COMM_WORLD_RANK": "0", "MV2_COMM_WORLD_SIZE": "3"},
        capture_output=True,
        text=True,
    )
    assert "3 processes were started, and mpi4py finds 1" in line_of(done, 1)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"PMI_RANK": "2", "PMI_SIZE": "4"}, (2, 4)),
        ({"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "3", "PMIX_RANK": "0"}, (0, 3)),
        ({"PMI_RANK": "0", "PMI_SIZE": "1"}, None),
        ({"PMI_RANK": "", "PMI_SIZE": "4"}, None),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "1"}, None),
        ({}, None),
    ],
)
def test_variables_of_launchers(variables, expected, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("PMI", "OMPI", "SLURM", "MV2"))]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launched() == expected


def test_tasks_of_slurm_without_mpi_are_alone(houses, tmp_path):
    done = subprocess.run(
        mpiexec.command(1, "-m", "cygrad", *options(houses, tmp_path, 1), "--json"),
        env={**mpiexec.environment(), "SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"},
        capture_output=True,
        text=True,
    )
    assert "processes" not in json.loads(done.stdout)


def test_other_commands_run_once(houses, tmp_path):
    model = tmp_path / "model.npz"
    assert cygrad(1, *options(houses, tmp_path)).returncode == 0
    one, two = (cygrad(ranks, "predict", model, houses) for ranks in (1, 2))
    assert two.returncode == 0
    assert (two.stdout, two.stderr) == (one.stdout, one.stderr)


def test_no_mpi4py_without_a_launcher(houses, tmp_path):
    program = "import sys; from cygrad.cli import main; main(); assert 'mpi4py' not in sys.modules"
    assert mpiexec.run(1, "-c", program, *options(houses, tmp_path, 1)).returncode == 0


@contextmanager
def training(houses: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Begin a long training on two ranks, and wait for its first checkpoint."""
    process = subprocess.Popen(
        mpiexec.command(2, "-m", "cygrad", *options(houses, folder, 10**6), "--quiet"),
        env={**mpiexec.environment(), "MARK": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = monotonic() + 60
        while not (folder / "state.npz").exists():
            assert process.poll() is None
            assert monotonic() < end
            sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def process_of(rank: int, folder: Path) -> int:
    """Return the process of a rank."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        ranks = (f"PMI_RANK={rank}".encode(), f"OMPI_COMM_WORLD_RANK={rank}".encode())
        if f"MARK={folder}".encode() in words and any(word in words for word in ranks):
            return int(path.parent.name)
    raise AssertionError(f"there is no rank {rank}")


def test_interrupt_and_resume(houses, tmp_path):
    with training(houses, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    own = [line for line in (out + err).splitlines() if not line.startswith("[mpiexec")]
    assert own == ["cygrad: interrupted, nothing was saved"]
    assert process.returncode == 130
    more = 1 + len((tmp_path / "log.csv").read_text().splitlines())
    assert cygrad(3, *options(houses, tmp_path, more), "--resume").returncode == 0
    whole = tmp_path / "whole"
    whole.mkdir()
    assert cygrad(1, *options(houses, whole, more)).returncode == 0
    assert files_of(tmp_path)["model"] == files_of(whole)["model"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for a process in /proc")
def test_signal_to_one_rank_ends_all(houses, tmp_path):
    with training(houses, tmp_path) as process:
        os.kill(process_of(1, tmp_path), signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert err == "cygrad: terminated, nothing was saved\n"
    assert (out, process.returncode) == ("", 143)
