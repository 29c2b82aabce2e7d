"""An interrupt at each possible place in the loop of `fit` leaves no epoch done and unlisted."""

import _thread
import dis
import gc
import os
import sys
import threading
import time
from functools import cache
from math import isnan

import numpy as np
import pytest

import cygrad as cg
from cygrad.training.checkpoints import writer

ROWS, BATCH = 12, 4
STEPS = ROWS // BATCH
#: The modules that are interrupted.
LOOP = ("run", "batches", "lbfgs", "history", "validation", "budget", "checkpoints")

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(ROWS, 3)), rng.integers(0, 2, ROWS)


def trainer(optimizer=None, dropout=0.2):
    layers = [cg.Dense(4, "tanh"), cg.Dropout(dropout)] if dropout else [cg.Dense(4, "tanh")]
    net = cg.Network(3, [*layers, cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    return cg.Trainer(net, optimizer or cg.SGD(0.1, momentum=0.9), BATCH, rng=0)


def arrays(trainer, epochs):
    trainer.fit(X, Y, epochs, X_val=X[:5], y_val=Y[:5], metrics=["f1"], statistics=True)


def weighted(trainer, epochs):
    weights = np.arange(ROWS) + 1.0
    trainer.fit(X, Y, epochs, validation=3, sample_weight=weights, shuffle=False)


def batches(trainer, epochs):
    parts = [(X[i : i + BATCH], Y[i : i + BATCH]) for i in range(0, ROWS, BATCH)]
    trainer.fit(parts, epochs=epochs, X_val=X[:5], y_val=Y[:5])


@cache
def checked_before(code):
    """Return the offsets of the instructions before which Python can run signal handlers.

    It does so after calls, where functions begin, and where loops go back.
    """
    found = set()
    is_checked = False
    for instruction in dis.get_instructions(code):
        if is_checked:
            found.add(instruction.offset)
        name = instruction.opname
        if name != "CACHE":
            is_checked = name.startswith(("CALL", "RESUME", "JUMP_BACKWARD"))
        if name.startswith("JUMP_BACKWARD"):
            found.add(instruction.argval)
    return found


class Interruption:
    """Raise KeyboardInterrupt at the place with a number, of those of the loop."""

    def __init__(self, number):
        self.left = number

    def __call__(self, frame, event, argument):
        module = frame.f_globals.get("__name__", "")
        if not module.startswith("cygrad.training.") or module.split(".")[2] not in LOOP:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode" and frame.f_lasti in checked_before(frame.f_code):
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def interrupted(fit, trainer, epochs, number):
    """Return whether an interrupt came; the next call goes on without."""
    before = sys.gettrace()
    sys.settrace(Interruption(number))
    try:
        fit(trainer, epochs)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def check_history(trainer):
    history = trainer.history
    assert trainer.steps // STEPS == len(history)
    assert len({len(column) for column in dict(history).values()}) == 1
    if history.statistics:
        assert len(history.statistics) == len(history)
    assert not any(map(isnan, history.loss))


@pytest.mark.parametrize("fit", [arrays, weighted])
def test_no_epoch_is_done_and_unlisted(fit):
    whole = trainer()
    fit(whole, 2)
    expected = {name: whole.history[name] for name in whole.history if name != "seconds"}
    number = unlisted = 0
    while True:
        number += 1
        one = trainer()
        if not interrupted(fit, one, 2, number):
            break
        check_history(one)
        for name, column in expected.items():
            found = one.history[name] if len(one.history) else []
            for value, wanted in zip(found, column, strict=False):
                # What was not computed before the interrupt is NaN, in the last row only.
                assert value == wanted or (value is found[-1] and name.startswith("val_"))
        unlisted += any(map(isnan, one.history.val_loss))
        # The trainer goes on.
        fit(one, 1)
        assert len(one.history) == 1
    assert number > 50
    assert unlisted > 10  # interrupts between the last step and the validation


def test_no_epoch_of_batches_is_done_and_unlisted():
    number = 0
    while True:
        number += 1
        one = trainer()
        if not interrupted(batches, one, 2, number):
            break
        check_history(one)
        batches(one, 1)
    while any(thread.name == "cygrad-reader" for thread in threading.enumerate()):
        gc.collect()
    assert number > 50


def test_no_iteration_of_lbfgs_is_done_and_unlisted():
    pytest.importorskip("scipy", reason="LBFGS is that of SciPy")

    def fit(trainer, epochs):
        trainer.fit(X, Y, epochs, validation=3)

    points = []
    whole = trainer(cg.LBFGS(), dropout=0)
    start = whole.net.parameters
    keep = lambda trainer, *_: points.append(trainer.net.parameters)  # noqa: E731
    whole.fit(X, Y, 3, validation=3, callbacks=[keep])
    points.insert(0, start)
    number = 0
    while True:
        number += 1
        one = trainer(cg.LBFGS(), dropout=0)
        if not interrupted(fit, one, 3, number):
            break
        assert (one.net.parameters == points[len(one.history)]).all()
    assert number > 50


def test_checkpoints_are_whole_and_leave_no_thread(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    alive = []  # an entry for each thread, also for one that has not begun yet

    def start(run, arguments):
        def until_end(*arguments):
            try:
                run(*arguments)
            finally:
                alive.pop()

        alive.append(None)
        return _thread.start_new_thread(until_end, arguments)

    monkeypatch.setattr(writer, "start_new_thread", start)

    def fit(trainer, epochs):
        checkpoint = cg.Checkpoint(path, every_steps=2, keep_best="loss")
        trainer.fit(X, Y, epochs, callbacks=[checkpoint])

    whole = trainer()
    whole.fit(X, Y, 2)
    number = resumed = 0
    while True:
        number += 1
        one = trainer()
        path.unlink(missing_ok=True)
        if not interrupted(fit, one, 2, number):
            break
        check_history(one)
        begin = time.monotonic()
        while alive:
            assert time.monotonic() < begin + 10, number
            gc.collect()
        if path.exists():
            other = trainer()
            other.resume(path, X, Y, callbacks=[])
            assert (other.net.parameters == whole.net.parameters).all()
            resumed += 1
        assert set(os.listdir(tmp_path)) <= {"run.npz", "run-best.npz"}
    assert resumed > number / 2 > 50


def test_an_overflow_is_not_left_by_an_interrupt():
    """The last step overflows, and the interrupt comes before the epoch is checked."""
    large = 1e4 * X[:BATCH]
    number = 0
    while True:
        number += 1
        net = cg.Network(3, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
        one = cg.Trainer(net, cg.SGD(1e38), BATCH, rng=0)
        start = one.net.parameters
        try:
            came = interrupted(lambda each, _: each.fit(large, Y[:BATCH]), one, 1, number)
        except cg.DivergenceError:
            break
        assert came
        assert len(one.history) == 0
        assert np.isfinite(one.net.parameters).all()
        assert one.steps == 0
        assert (one.net.parameters == start).all()
    assert number > 50
