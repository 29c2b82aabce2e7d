"""A training that is killed at a random moment goes on to the bits of one that was not."""

import os
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from killed_training import CASES, callbacks, data, fit, resume

PROGRAM = Path(__file__).with_name("killed_training.py")
IN_EVERY_RUN, ALL = 6, 106

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")


@cache
def uninterrupted(number):
    """Return trainer, history and time of a training that nothing ends."""
    begin = time.perf_counter()
    trainer, history = fit(CASES[number])
    return trainer, history, time.perf_counter() - begin


def killed(number, path, seconds):
    """Kill a training some seconds after its first checkpoint; return whether it was not over."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(PROGRAM), str(number), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"begins\n"
        while not path.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(seconds)
        process.kill()
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


def assert_same(found, expected):
    (one, history), (other, wanted) = found, expected
    assert one.net.parameters.tobytes() == other.net.parameters.tobytes()
    for layer, like in zip(one.net.layers, other.net.layers, strict=True):
        if layer.kind == "batch_norm":
            assert layer.running_mean.tobytes() == like.running_mean.tobytes()
            assert layer.running_variance.tobytes() == like.running_variance.tobytes()
    for name in wanted:
        if name != "seconds":
            assert np.array(history[name]).tobytes() == np.array(wanted[name]).tobytes(), name
    assert history.statistics == wanted.statistics
    assert (history.stopped, one.steps) == (wanted.stopped, other.steps)
    assert one.batch_losses.tobytes() == other.batch_losses.tobytes()
    X = data()[0]
    assert one.net.forward(X).tobytes() == other.net.forward(X).tobytes()


@pytest.mark.parametrize(
    "trial",
    [
        trial if trial < IN_EVERY_RUN else pytest.param(trial, marks=pytest.mark.slow)
        for trial in range(ALL)
    ],
)
def test_a_killed_training_goes_on_to_the_same_bits(trial, tmp_path):
    number = trial % len(CASES)
    trainer, history, duration = uninterrupted(number)
    path = tmp_path / "run.npz"
    rng = np.random.default_rng(trial)
    while not killed(number, path, rng.uniform(0, duration)):
        path.unlink()  # it was over
    assert_same(resume(CASES[number], path), (trainer, history))
    left = sorted(os.listdir(tmp_path))
    assert left in (["run.npz"], ["run-best.npz", "run.npz"])  # and nothing half written


def test_the_trainings_have_what_they_are_to_show():
    """Two threads, learning rates that plateaus have lowered, and early ends."""
    of_threads, ends = set(), set()
    for number in range(len(CASES)):
        trainer, history, _ = uninterrupted(number)
        of_threads.add(trainer.exclusive().division[1])
        ends.add(history.stopped)
        assert trainer.learning_rate_scale < 1
    assert len(callbacks()) == 2
    assert ends == {"epochs", "callback"}
    if len(os.sched_getaffinity(0)) > 1:
        assert of_threads == {1, 2}
