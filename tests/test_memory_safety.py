"""The engine reads nothing outside the caller's arrays.

Each array begins right after a forbidden page and ends right before another. Any access to these
ends the process, so each test runs in its own process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PREAMBLE = '''
import ctypes
import mmap

import numpy as np

import cygrad as cg
from cygrad._engine import kernels, plan
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples
from cygrad._engine.training import Training

PAGE = mmap.PAGESIZE
LIBC = ctypes.CDLL(None, use_errno=True)
PROT_NONE = 0


def forbid(block, offset):
    start = ctypes.addressof(ctypes.c_char.from_buffer(block)) + offset
    if LIBC.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(PAGE), PROT_NONE):
        raise OSError(ctypes.get_errno(), "mprotect")


def guarded(array):
    """Return a copy of an array between two forbidden pages, up to the second of them."""
    pages = -(-array.nbytes // PAGE)
    block = mmap.mmap(-1, (pages + 2) * PAGE)
    forbid(block, 0)
    forbid(block, (pages + 1) * PAGE)
    end = (pages + 1) * PAGE
    copy = np.frombuffer(block, array.dtype, array.size, end - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy


rng = np.random.default_rng(0)
'''

THE_GUARD = """
array = guarded(np.zeros(1024, np.float32))
ctypes.string_at(array.ctypes.data + array.nbytes, 1)
"""

# The columns of sparse samples, too, if they are spoiled in a training.
SPARSE_SAMPLES = """
from types import SimpleNamespace

for dtype in ("float32", "float64"):
    for index in ("int32", "int64"):
        for count in (1, 127, 128, 129, 500):
            columns = np.arange(500, dtype=index)[500 - count :]
            X = SimpleNamespace(
                format="csr",
                shape=(7, 500),
                indptr=np.repeat([0, count], [6, 2]),
                indices=guarded(columns),
                data=guarded(np.ones(count, "int8")),
            )
            labels = rng.integers(3, size=7)
            layers = [cg.Dense(50, "tanh"), cg.Dense(3, "softmax")]
            net = cg.Network(500, layers, loss="cross_entropy", dtype=dtype, rng=0)
            net.forward(X)
            net.backward(X, labels)
            def spoil(trainer, epoch, logs):
                X.indices[:] = rng.integers(-(2**31), 2**31, count)

            trainer = cg.Trainer(net, cg.Adam(), 3, rng=0)
            trainer.fit(X, labels, epochs=3, callbacks=[spoil])
"""

# 4096 rows of 33 fill whole pages for every type, so that both ends of the array are guarded.
INFERENCE_AND_TRAINING = """
for dtype in ("float32", "float64"):
    for given in ("bool", "int8", "uint8", "int16", "int32", "int64", "float32", "float64"):
        X = guarded(rng.integers(2, size=(4096, 33)).astype(given))
        labels = guarded(rng.integers(3, size=4096))
        layers = [cg.Dense(5, "tanh"), cg.Dense(3, "softmax")]
        net = cg.Network(33, layers, loss="cross_entropy", dtype=dtype, rng=0)
        for part in (X, X[::-1], X[:, ::-1], X[-1:], X[-7:], X[:7]):
            net.forward(part)
            net.evaluate(part, labels[: len(part)])
            net.backward(part[-9:], labels[: len(part[-9:])])
        net.standardize_inputs(X)
        net.forward(X)
        net.standardize_inputs(None)
        trainer = cg.Trainer(net, cg.Adam(), 61, rng=0)
        trainer.fit(X, labels)
        for part in (X[0], X[-1], X[-1, ::-1]):
            net.predict_one(part, guarded(np.zeros(3, dtype)))
            trainer.learn_one(part, labels[-1:].reshape(()))
        for rows in (1, 62, 2000):
            trainer.step(X[-rows:], labels[-rows:])
            trainer.partial_fit(X[:rows], labels[:rows])

        rows = guarded(rng.integers(2, size=(4096, 3)).astype(given))
        net = cg.Network(33, [cg.Dense(3)], loss="mse", dtype=dtype, rng=0)
        net.evaluate(X, rows)
        trainer = cg.Trainer(net, cg.SGD(0.01), 61, rng=0)
        trainer.fit(X, rows)
        trainer.step(X[-1:], rows[-1:])
        for target in (rows[0], rows[-1], rows[-1, ::-1]):
            trainer.learn_one(X[-1], target)
        net.layers[0].weights = guarded(rng.normal(size=(3, 33)))
        net.parameters = guarded(net.parameters)
"""

# Enough samples for rows to be prefetched. The last row, which ends at the guard, is prefetched at
# some point of the epoch; the order of the rows ends at a guard too.
FETCHING_AHEAD = """
for dtype in ("float32", "float64"):
    for given, rows in (("float32", 8192), ("uint8", 32768), ("float64", 4096)):
        X = guarded(rng.integers(2, size=(rows, 33)).astype(given))
        labels = guarded(rng.integers(3, size=rows))
        order = guarded(rng.permutation(rows))
        for batch in (1000, 64):
            rates = guarded(np.full(-(-rows // batch), 1e-3))
            sizes, biases = [33, 5, 3], [True, True]
            engine = Engine(dtype, sizes, ["tanh", "softmax"], biases, "cross_entropy", "mean")
            training = Training(engine, "sgd", batch)
            done = training.epoch(Samples(X), labels, order, rates, threads=THREADS)
            _, _, steps, diverged = done
            assert (steps, diverged) == (len(rates), False)
"""


# With several threads every operation is split, however small.
SETTINGS = """
kernels.select({isa!r})
THREADS = {threads}
if THREADS > 1:
    plan.set_costs(barrier=1)
"""


def run(program, isa, threads=1):
    environment = os.environ | {"CYGRAD_NUM_THREADS": str(threads)}
    settings = SETTINGS.format(isa=isa, threads=threads)
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + settings + program],
        capture_output=True,
        text=True,
        env=environment,
    )


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="mprotect is tried on Linux only")
class TestGuardPages:
    def test_the_guard_stops_a_read_past_the_array(self):
        assert run(THE_GUARD, None).returncode < 0

    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize(
        "program", ["INFERENCE_AND_TRAINING", "FETCHING_AHEAD", "SPARSE_SAMPLES"]
    )
    def test_nothing_outside_is_read(self, program, threads, isa):
        result = run(globals()[program], isa, threads)
        assert result.returncode == 0, result.stderr
