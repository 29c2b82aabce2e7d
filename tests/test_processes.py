"""Processes, pools and limits: where others train too, with little memory, ten thousand times."""

import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import cygrad as cg
from benchmarks.conditions import NoControlGroup, quota

linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])}


def _trained(seed: int, threads: int = 2) -> bytes:
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((300, 40)), rng.integers(0, 3, 300)
    layers = [cg.Dense(70, "tanh"), cg.Dropout(0.2), cg.Dense(3, "softmax")]
    net = cg.Network(40, layers, loss="cross_entropy", rng=seed)
    cg.Trainer(net, cg.Adam(), 50, rng=seed, threads=threads).fit(X, y, 3)
    return net.parameters.tobytes()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_pool_of_processes_trains_the_same_networks(method):
    expected = [_trained(seed) for seed in range(4)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
        assert list(pool.map(_trained, range(4))) == expected


def test_joblib_trains_the_same_networks_on_one_thread_each():
    joblib = pytest.importorskip("joblib", reason="joblib comes with the extra sklearn")
    expected = [_trained(seed) for seed in range(4)]
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(_in_worker)(seed) for seed in range(4))
    assert [parameters for parameters, _ in found] == expected
    # loky sets OMP_NUM_THREADS in its workers, so that they do not multiply the threads.
    processors = len(os.sched_getaffinity(0))
    assert all(threads <= max(1, processors // 2) for _, threads in found)


def _in_worker(seed: int) -> tuple[bytes, int]:
    from cygrad.threads import default_threads

    return _trained(seed), default_threads()


def test_eight_threads_predict_while_another_network_trains():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((500, 20)), rng.integers(0, 4, 500)
    layers = [cg.Dense(50, "relu"), cg.Dense(4, "softmax")]
    asked = cg.Network(20, layers, loss="cross_entropy", rng=0)
    outputs, first = asked.forward(X).tobytes(), asked.predict_one(X[0])
    stop = threading.Event()

    def ask(_: int) -> int:
        count = 0
        while not stop.is_set() or count < 3:
            assert asked.forward(X).tobytes() == outputs
            assert asked.predict_one(X[0]) == first
            count += 1
        return count

    def train() -> bytes:
        net = cg.Network(20, layers, loss="cross_entropy", rng=1)
        cg.Trainer(net, cg.Adam(), 25, rng=1, threads=2).fit(X, y, 10)
        return net.parameters.tobytes()

    alone = train()
    with ThreadPoolExecutor(8) as pool:
        askers = [pool.submit(ask, number) for number in range(8)]
        try:
            beside = train()
        finally:
            stop.set()
        assert all(asker.result() >= 3 for asker in askers)
    assert beside == alone


# Limits


QUOTA = """
import hashlib
import numpy as np
import cygrad as cg
from cygrad.threads import default_threads

input()  # until this process is in the group
print(default_threads())
X = np.random.default_rng(0).standard_normal((2000, 784), np.float32)
y = np.arange(2000) % 10
for threads in (1, 2, None):
    layers = [cg.Dense(128, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(784, layers, loss="cross_entropy", rng=0)
    cg.Trainer(net, cg.Adam(), 64, rng=0, threads=threads).fit(X, y, 12)
    print(hashlib.sha256(net.parameters).hexdigest())
"""


@linux
@pytest.mark.parametrize(
    ("processors", "most"),
    [(0.5, 1), pytest.param(0.1, 1, marks=pytest.mark.slow), (1, 1), (1.5, 2)],
)
def test_a_quota_of_processor_time_changes_the_default_threads_and_no_bit(processors, most):
    variables = ("CYGRAD_NUM_THREADS", "OMP_NUM_THREADS")
    environment = {key: value for key, value in ENVIRONMENT.items() if key not in variables}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with quota(processors) as group:
            command = [sys.executable, "-c", QUOTA]
            with subprocess.Popen(command, env=environment, text=True, **pipes) as process:
                group.add(process.pid)
                output, errors = process.communicate("\n")
    except NoControlGroup as error:
        pytest.skip(str(error))
    assert errors == ""
    threads, *bits = output.split()
    assert int(threads) == min(most, len(os.sched_getaffinity(0)))
    assert len(bits) == 3
    assert len(set(bits)) == 1


LITTLE_MEMORY = """
import resource, sys
import numpy as np
import cygrad as cg

def used():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

X = np.random.default_rng(0).standard_normal((60_000, 8)).astype(np.float32)
y = X[:, :1] ** 2
layers = [cg.Dense(400, "tanh"), cg.BatchNorm(), cg.Dense(400, "tanh"), cg.Dense(1)]
net = cg.Network(8, layers, loss="mse", rng=0)
trainer = cg.Trainer(net, cg.Adam(), 32, rng=0)
trainer.fit(X[:320], y[:320], 1)
large = cg.Trainer(net, cg.SGD(0.1), 60_000, rng=0)  # batch norm needs all rows at once
before, steps = net.parameters.tobytes(), trainer.steps
resource.setrlimit(resource.RLIMIT_AS, (used() + (40 << 20),) * 2)
kept = []
try:
    kept.append(CALL)
except MemoryError:
    kept.clear()
    assert net.parameters.tobytes() == before and trainer.steps == steps and large.steps == 0
    trainer.fit(X[:320], y[:320], 1)
    assert trainer.steps == 2 * steps and net.parameters.tobytes() != before
    print("a MemoryError, and the trainer goes on")
"""


@linux
@pytest.mark.parametrize(
    "call",
    [
        pytest.param("net.backward(X, y)", id="backward"),
        pytest.param("large.fit(X, y)", id="fit"),
        pytest.param("large.step(X, y)", id="step"),
        pytest.param("cg.Network(8, [cg.Dense(9_000), cg.Dense(9_000)], loss='mse')", id="network"),
        pytest.param("[cg.Trainer(net, cg.Adam()) for _ in range(1000)]", id="optimiser"),
        pytest.param("net.forward(np.broadcast_to(X[0], (10**8, 8)))", id="outputs"),
    ],
)
def test_too_little_memory_is_an_error_before_anything_is_changed(call):
    # An OpenBLAS that starts threads would take address space of its own.
    environment = {**ENVIRONMENT, "OPENBLAS_NUM_THREADS": "1"}
    program = LITTLE_MEMORY.replace("CALL", call)
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout == "a MemoryError, and the trainer goes on\n"


FITS = """
import os, sys, threading
import numpy as np
import cygrad as cg

X = np.random.default_rng(0).standard_normal((60, 8))
y = X[:, 0] ** 2

def fit(count):
    for seed in range(count):
        layers = [cg.Dense(32, "relu"), cg.Dropout(0.1), cg.Dense(32, "tanh"), cg.Dense(1)]
        net = cg.Network(8, layers, loss="mse", rng=seed)
        trainer = cg.Trainer(net, cg.Adam(), 20, rng=seed, threads=2, clip_global_norm=1.0)
        trainer.fit(X, y, 2, validation=0.2, callbacks=[cg.EarlyStopping(5)])
        net.predict(X)

def state():
    resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")
    return resident, len(os.listdir("/proc/self/fd")), threading.active_count()

fit(100)  # what is imported and kept once
before = state()
fit(int(sys.argv[1]))
after = state()
print(after[0] - before[0], after[1] - before[1], after[2] - before[2])
"""


@linux
@pytest.mark.parametrize(
    "count", [300, pytest.param(10_000, marks=pytest.mark.sweep, id="ten thousand")]
)
def test_many_fits_leave_nothing_behind(count):
    done = subprocess.run(
        [sys.executable, "-c", FITS, str(count)], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.stderr == ""
    memory, files, threads = map(int, done.stdout.split())
    assert memory <= 1 << 20
    assert (files, threads) == (0, 0)
