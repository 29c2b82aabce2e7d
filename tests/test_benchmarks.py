"""Benchmarks: networks by name, programs that agree, and wrong results that are refused."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from benchmarks import __main__ as command
from benchmarks import builds, forward, growth, load, machine, pairs, shapes
from benchmarks.cases import CASES, HIDDEN, OPTIMIZERS, Case, parse_case
from benchmarks.contest import Contest
from benchmarks.processes import _descendants
from benchmarks.programs import initial_parameters, programs, training_data, tuned_activations
from benchmarks.programs.plain_numpy import PlainNumpy
from benchmarks.programs.tuned_numpy import TunedNumpy
from benchmarks.settings import ROOT, Settings, WrongResult

SMALL = Case((6, 9, 7, 3), batch=8, samples=40)
BATCH = replace(SMALL, samples=8)


def _settings(*cases: Case, threads: int = 1, against: Path | None = None) -> Settings:
    return Settings(
        cases=cases,
        dtype="float32",
        optimizer="adam",
        threads=threads,
        peers=False,
        quick=True,
        mnist=None,
        against=against,
    )


# Networks by name


@pytest.mark.parametrize(
    ("text", "sizes", "batch", "hidden", "classification"),
    [
        ("20-50-3@16", (20, 50, 3), 16, "relu", True),
        ("20-50-1@16:tanh", (20, 50, 1), 16, "tanh", False),
        ("20-50-3@7:sigmoid:regression", (20, 50, 3), 7, "sigmoid", False),
        ("20-50-3@7:regression", (20, 50, 3), 7, "relu", False),
        ("32x20-1@4", (32,) * 20 + (1,), 4, "relu", False),
    ],
)
def test_a_network_has_the_named_properties(text, sizes, batch, hidden, classification):
    case = parse_case(text)
    assert (case.sizes, case.batch, case.hidden) == (sizes, batch, hidden)
    assert case.classification == classification
    assert case.samples % batch == 0
    assert parse_case(f"{case.network}@{batch}").sizes == sizes


def test_a_batch_of_all_samples_is_one_step():
    case = parse_case("4-32-16-4@10000:tanh:regression")
    assert (case.samples, case.steps, case.shuffled) == (10_000, 1, False)
    assert parse_case("20-50-3@16").shuffled


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.network)
def test_networks_of_the_table_are_known_by_their_sizes(case):
    assert parse_case(case.network) == case


@pytest.mark.parametrize(
    "text",
    [
        "20-50-3",
        "20-50@0",
        "20@5",
        "20-a@5",
        "20-5@5:softmax",
        "20-5@5:tanh:relu",
        "784-128-10:tanh",
    ],
)
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match=f"network is '{re.escape(text)}', expected"):
        parse_case(text)


# Programs


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("regression", [False, True])
@pytest.mark.parametrize("batch", [8, 40])  # 40: a single batch
def test_programs_agree(hidden, regression, batch, dtype, optimizer):
    case = replace(SMALL, hidden=hidden, regression=regression, batch=batch, optimizer=optimizer)
    distances = Contest(case, dtype, 1, programs()).check()
    assert set(distances) == set(programs()) - {"NumPy"}


@pytest.mark.parametrize("text", ["3-40-2@4000", "3-40-2@2000:tanh:regression"])
def test_numpy_in_blocks_agrees(text):
    case = replace(parse_case(text), samples=8000)
    contest = Contest(case, "float64", 1, programs())
    contest.check()
    numpy = contest.contestants["NumPy"]
    assert numpy.rows < case.batch
    plain = PlainNumpy(case, "float64", 1)
    plain.start(numpy.parameters())
    X = contest.X[: case.batch]
    np.testing.assert_allclose(numpy.forward(X), plain.forward(X), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("batch", [32, 4001])
def test_numpy_takes_small_batches_and_prime_ones_whole(batch):
    case = replace(parse_case(f"3-40-2@{batch}"), samples=batch)
    assert TunedNumpy(case, "float32", 1).rows == batch


@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_wrong_slope_is_found(hidden, monkeypatch):
    monkeypatch.setattr(
        tuned_activations.ACTIVATIONS[hidden], "times_slope", lambda self, delta: None
    )
    with pytest.raises(WrongResult, match="relative distance of the parameters"):
        Contest(replace(SMALL, hidden=hidden), "float64", 1, programs()).check()


def _parameters_and_rows(case):
    parameters = initial_parameters(case, "float32")
    X, y = training_data(case, "float32")
    program = PlainNumpy(case, "float32", 1)
    program.start(parameters)
    return parameters, X, y, program


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("regression", [False, True])
def test_onnx_runtime_has_the_outputs_of_numpy(hidden, regression):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from benchmarks.programs.onnx_runtime import OnnxRuntime

    case = replace(SMALL, hidden=hidden, regression=regression, batch=SMALL.samples)
    parameters, X, _, numpy = _parameters_and_rows(case)
    program = OnnxRuntime(case, "float32", 1)
    program.start(parameters)
    np.testing.assert_allclose(program.forward(X), numpy.forward(X), rtol=1e-5, atol=1e-6)


def test_mlpfile_has_the_parameters_and_outputs_of_numpy():
    pytest.importorskip("mlpfile")
    from benchmarks.programs.mlpfile_sgd import MlpfileSGD

    parameters, X, y, numpy = _parameters_and_rows(replace(SMALL, regression=True))
    peer = MlpfileSGD(parameters)
    for (weights, biases), (expected_weights, expected_biases) in zip(
        peer.parameters(), parameters, strict=True
    ):
        np.testing.assert_array_equal(weights, expected_weights)
        np.testing.assert_array_equal(biases, expected_biases)
    np.testing.assert_allclose(peer.forward(X[0]), numpy.forward(X[:1])[0], rtol=1e-5, atol=1e-6)
    peer.learn(X[0], y[0])
    assert not np.array_equal(peer.parameters()[0][0], parameters[0][0])


# Sections


def test_forward_times_calls_next_to_a_step():
    row = forward._forward(BATCH, _settings())
    assert row["step ratio"] == pytest.approx(row["step"] / row["cygrad"])
    assert row["NumPy ratio"] > 0
    assert "PyTorch ratio" not in row


def test_forward_refuses_wrong_outputs(monkeypatch):
    outputs = cg.Network.forward
    monkeypatch.setattr(cg.Network, "forward", lambda self, X: outputs(self, X) + 0.001)
    with pytest.raises(WrongResult, match="forward of 6-9-7-3, 8 rows, cygrad"):
        forward._forward(BATCH, _settings())


def test_forward_refuses_a_wrong_step(monkeypatch):
    step = cg.Trainer.step
    monkeypatch.setattr(cg.Trainer, "step", lambda self, X, y: step(self, 2 * X, y))
    with pytest.raises(WrongResult, match="differs from one of fit"):
        forward._forward(BATCH, _settings())


def test_forward_refuses_a_wrong_loss(monkeypatch):
    case = parse_case("6-9-1@1")
    assert forward._evaluate(case, _settings())["cygrad"] > 0
    evaluate = cg.Network.evaluate
    monkeypatch.setattr(
        cg.Network, "evaluate", lambda self, X, y: {"loss": 1.01 * evaluate(self, X, y)["loss"]}
    )
    with pytest.raises(WrongResult, match="evaluate: outputs are off"):
        forward._evaluate(case, _settings())


def test_shapes_put_the_traffic_of_small_batches_next_to_passes(monkeypatch):
    monkeypatch.setattr(shapes, "PAIRS", (("5-7-3@4", "4-8-4@4"),))
    monkeypatch.setattr(shapes, "SHAPES", ("5-7-3@4:tanh",))
    monkeypatch.setattr(shapes, "SMALL_BATCHES", ("6-9-1@4",))
    monkeypatch.setattr(shapes, "LARGE_BATCHES", ())
    odd, even, tanh, small = shapes.rows(_settings())
    assert odd["of round"] == pytest.approx(odd["gflops"] / even["gflops"])
    assert tanh["network"] == "5-7-3 tanh"
    assert [row["traffic"] is None for row in (odd, even, tanh, small)] == [True, True, True, False]
    # Adam reads and writes w, m and v: 24 bytes for each parameter.
    assert small["traffic"] == pytest.approx(24 * 73 / small["microseconds"] / 1e3)
    assert small["passes"] > 0


def test_growth_has_the_speed_up_of_batches(monkeypatch):
    monkeypatch.setattr(growth, "WIDTHS", (4,))
    monkeypatch.setattr(growth, "BATCHES", (2,))
    monkeypatch.setattr(growth, "DATA", 2**12)
    monkeypatch.setattr(growth, "FULL_BATCHES", ("5-7-1@6000",))
    rows = list(growth.rows(_settings(threads=2)))
    assert [row["axis"] for row in rows] == ["width", "batch", "full"]
    assert {row["threads"] for row in rows} == {2}
    assert [row["speed-up"] is None for row in rows] == [True, False, False]
    assert all(row["speed-up"] is None for row in growth.rows(_settings(threads=1)))


# Two builds


def _copy(folder: Path) -> Path:
    """Copy the package that is tested, and return its __init__.py."""
    package = folder / "cygrad"
    shutil.copytree(
        Path(cg.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__", "*.c")
    )
    return package / "__init__.py"


def test_pairs_have_a_ratio_only_for_the_same_bits(tmp_path):
    with _copy(tmp_path).open("a") as module:
        module.write(
            "from cygrad.network import Network\n"
            "_forward = Network.forward\n"
            "Network.forward = lambda self, X: _forward(self, X) * (1 + 2**-20)\n"
            "del Network.predict_one\n"
        )
    rows = {row["call"]: row for row in pairs.rows(_settings(SMALL, against=tmp_path))}
    assert list(rows) == ["step", "forward", "learn_one", "evaluate"]
    for call, row in rows.items():
        if call == "forward":
            assert (row["ratio"], row["bits"]) == (None, "DIFFER")
            assert "different bits" in row["notes"][0]
        else:
            assert row["bits"] == "same"
            assert 0 < row["lower"] <= row["ratio"] <= row["upper"]
        assert row["this"] > 0
        assert row["other"] > 0


def test_pairs_stop_with_a_build_that_stops(tmp_path):
    (tmp_path / "cygrad").mkdir()
    (tmp_path / "cygrad" / "__init__.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(WrongResult, match="process ended with status 3"):
        list(pairs.rows(_settings(SMALL, against=tmp_path)))


def test_a_build_that_is_shadowed_is_refused(tmp_path):
    with pytest.raises(WrongResult, match="process ended with status 1"):
        builds.Build(tmp_path, SMALL, _settings())


def _error(arguments, capsys):
    parser = command._parser()
    with pytest.raises(SystemExit):
        command._settings(parser, parser.parse_args(arguments))
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["pairs"], "pairs needs --against DIR"),
        (["accuracy"], "accuracy needs --mnist DIR"),
        (["pairs", "--against", "{}"], "against is '{}', expected a folder with the package"),
    ],
)
def test_sections_without_their_option_are_refused(arguments, error, capsys, tmp_path):
    arguments = [argument.format(tmp_path) for argument in arguments]
    assert error.format(tmp_path) in _error(arguments, capsys)


def test_a_package_that_is_not_built_is_refused(capsys, tmp_path):
    (tmp_path / "cygrad").mkdir()
    (tmp_path / "cygrad" / "__init__.py").touch()
    error = _error(["--against", str(tmp_path)], capsys)
    assert "not built for this Python; run python setup.py build_ext --inplace there" in error


def test_against_alone_chooses_pairs():
    parser = command._parser()
    against = str(Path(cg.__file__).parents[1])
    settings = command._settings(parser, parser.parse_args(["--against", against]))
    assert command._section_names([], settings) == ["pairs"]
    assert "pairs" in command._section_names(["all"], settings)
    assert "pairs" not in command._section_names(["all"], replace(settings, against=None))


# Processes


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs the /proc of Linux")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_a_killed_benchmark_leaves_no_process(number):
    command = [sys.executable, "-m", "benchmarks", "wheel", "--quick"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        started: set[int] = set()
        deadline = time.monotonic() + 60
        while len(started) < 3 and time.monotonic() < deadline:  # resource tracker, section, pip
            started = set(_descendants(process.pid))
            time.sleep(0.02)
        assert len(started) >= 3
        process.send_signal(number)
        process.wait()
        while started and time.monotonic() < deadline:
            started = {pid for pid in started if Path(f"/proc/{pid}").exists()}
            time.sleep(0.02)
    assert not started


# Many networks


@pytest.mark.parametrize("peers", [False, True])
def test_many_networks_are_checked_and_timed(peers, monkeypatch):
    from benchmarks import many

    monkeypatch.setattr(many, "NETWORKS", ("6-9-7-1@8:regression",))
    monkeypatch.setattr(many, "SAMPLES", 40)
    monkeypatch.setattr(many, "QUICK_COUNT", 3)
    monkeypatch.setattr(many, "EPOCHS", 40)
    (row,) = many.rows(replace(_settings(threads=2), peers=peers))
    assert row["speed-up"] == row["one"] / row["milliseconds"]
    assert (row["count"], row["threads"], row["epochs"]) == (3, 2, 40)
    assert ("JAX" in row) == peers


def test_many_networks_with_other_bits_are_refused(monkeypatch):
    from benchmarks import many

    case = Case((6, 9, 1), batch=8, samples=40, regression=True)
    X, y = training_data(case, "float32")
    seeds = iter(range(9))

    def make():
        net = cg.Network(6, [cg.Dense(1)], loss="mse", rng=next(seeds))
        return [cg.Trainer(net, cg.SGD(0.1), 8, rng=0)]

    with pytest.raises(WrongResult, match="fit_many: the bits differ"):
        many._check(make, X, y, 2)


# Load


@pytest.fixture
def small_load(monkeypatch):
    monkeypatch.setattr(load, "CASES", (((20, 30, 3), 8, 5000),))
    monkeypatch.setattr(load, "ROWS", 800)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="chooses processors")
def test_load_has_a_row_for_each_condition(small_load):
    found = list(load.rows(_settings()))
    conditions = {row["condition"] for row in found}
    assert {load.ALONE, load.PINNED, load.ANYWHERE} <= conditions
    assert len(found) == len(conditions) * len({1, machine.cores()})
    assert all(row["ratio"] == row["fair"] == 1 for row in found if row["condition"] == load.ALONE)
    assert all(row["milliseconds"] > 0 and row["fair"] >= 1 for row in found)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="chooses processors")
def test_load_refuses_bits_that_depend_on_the_condition(small_load, monkeypatch):
    usual, made = load._trainer, []

    def other(*arguments):
        trainer = usual(*arguments)
        trainer.net.parameters = trainer.net.parameters + len(made)
        made.append(trainer)
        return trainer

    monkeypatch.setattr(load, "_trainer", other)
    with pytest.raises(WrongResult, match="depend on threads or conditions"):
        list(load.rows(_settings()))
