"""Threads: equal bits for any number of them, no threads left over, and their default number."""

import _thread
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from cases import CASES, OPTIMIZERS, Case, Data

import cygrad as cg
from benchmarks.conditions import busy_process
from cygrad import threads as counts
from cygrad._engine import plan, team

DTYPES = ("float32", "float64")
THREAD_COUNTS = (2, 3, 4, 7)
# Numbers of panels, tiles and rows that no number of threads divides.
SIZES = (75, 131, 97, 9)


@pytest.fixture
def split_everything() -> Iterator[None]:
    """Split every operation among the threads, however small."""
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


def _network(dtype="float32", sizes=SIZES, **options):
    layers = [cg.Dense(units, "tanh") for units in sizes[1:-1]]
    layers.append(cg.Dense(sizes[-1], "softmax"))
    return cg.Network(sizes[0], layers, loss="cross_entropy", dtype=dtype, rng=1, **options)


def _data(rows, inputs=SIZES[0], classes=SIZES[-1]):
    rng = np.random.default_rng(2)
    return rng.standard_normal((rows, inputs)), rng.integers(classes, size=rows)


def _results(case: Case, data: Data, dtype: str, threads: int) -> dict[str, bytes]:
    net = case.network(dtype)
    net.parameters = data.parameters
    gradients = net.backward(data.X, data.y, threads=threads)
    found = {"loss": gradients.loss, "inputs": gradients.inputs}
    for name in ("weights", "biases", "deltas", "pre_activations", "activations"):
        for layer, array in enumerate(getattr(gradients, name)):
            found[f"{name}[{layer}]"] = array
    trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size, rng=0, threads=threads)
    history = trainer.fit(data.X, data.y, 2)
    found |= {"losses": history.loss, "parameters": net.parameters}
    found["stream"] = trainer.partial_fit(data.X, data.y)
    # Batches of other sizes, larger and much smaller, and single samples between them.
    for name, rows in (("all", case.samples), ("one", 1), ("some", case.samples // 2 + 1)):
        found[name] = trainer.step(data.X[:rows], data.y[:rows])
        found[f"{name} single"] = trainer.learn_one(data.X[0], data.y[0])
    found["parameters after all"] = net.parameters
    return {name: np.asarray(value).tobytes() for name, value in found.items()}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_any_case_has_the_same_bits(case, dtype, split_everything):
    data = case.draw(0)
    expected = _results(case, data, dtype, 1)
    for threads in THREAD_COUNTS:
        assert _results(case, data, dtype, threads) == expected, f"{threads} threads"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_any_optimizer_has_the_same_bits(optimizer, dtype, isa, split_everything):
    X, y = _data(133)
    options = OPTIMIZERS[optimizer]
    found = []
    for threads in (1, *THREAD_COUNTS):
        rule = cg.Adam if optimizer.startswith("adam") else cg.SGD
        net = _network(dtype)
        history = cg.Trainer(net, rule(**options), 50, rng=0, threads=threads).fit(X, y, 3)
        found.append((net.parameters.tobytes(), history.loss, history.metric))
    assert all(other == found[0] for other in found)


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_rows_have_the_same_bits(dtype, split_everything):
    net = _network(dtype)
    X, y = _data(1500)
    outputs, evaluated = net.forward(X, threads=1), net.evaluate(X, y, threads=1)
    for threads in THREAD_COUNTS:
        assert net.forward(X, threads=threads).tobytes() == outputs.tobytes()
        assert net.evaluate(X, y, threads=threads) == evaluated
        assert (net.predict(X, threads=threads) == outputs.argmax(axis=1)).all()


@pytest.mark.parametrize("units", [128, 131], ids=["panels for each", "panels in blocks"])
def test_a_trainer_may_go_on_with_another_number(units, monkeypatch, split_everything):
    """A thread that has its own panels gathers the samples itself."""
    X, y = _data(90)
    parameters = []
    for numbers in (("1", "1", "1", "1"), ("3", "1", "2", "4")):
        net = _network(sizes=(SIZES[0], units, *SIZES[2:]))
        trainer = cg.Trainer(net, cg.Adam(), 40, rng=0)
        for number in numbers:
            monkeypatch.setenv("CYGRAD_NUM_THREADS", number)
            trainer.fit(X, y, 2)
            trainer.learn_one(X[0], y[0])
            trainer.learn_one(X[1], y[1])
            trainer.step(X[2:35], y[2:35])
            trainer.partial_fit(X[:50], y[:50])
        parameters.append(net.parameters.tobytes())
    assert parameters[0] == parameters[1]


def test_a_loss_that_is_not_finite_stops_all(split_everything):
    X, y = _data(90)
    for threads in (1, *THREAD_COUNTS):
        net = _network()
        before = net.parameters
        trainer = cg.Trainer(net, cg.SGD(1e38), 40, rng=0, threads=threads)
        with pytest.raises(cg.DivergenceError):
            trainer.fit(X, y, 3)
        assert (net.parameters == before).all()


def test_fewer_threads_than_asked_for_do_the_same(monkeypatch, split_everything):
    """The system may allow no more threads."""
    X, y = _data(90)
    parameters = []
    for allowed in (6, 1, 0):

        def start(function, arguments, allowed=allowed):
            if arguments[0] > allowed:
                raise RuntimeError("can't start new thread")
            return _thread.start_new_thread(function, arguments)

        monkeypatch.setattr(team, "start_new_thread", start)
        net = _network()
        cg.Trainer(net, cg.Adam(), 40, rng=0, threads=7).fit(X, y, 2)
        parameters.append(net.parameters.tobytes())
    assert parameters[0] == parameters[1] == parameters[2]


def _thread_count():
    return len(os.listdir("/proc/self/task"))


def _processors():
    """Return the sets of processors on which the threads of this process may run."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended
            found.add(frozenset(os.sched_getaffinity(int(task))))
    return found


def _wait_until(condition):
    """Wait until a condition is true."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads in /proc")
def test_threads_run_during_training_only():
    net = _network()
    X, y = _data(4000)
    running, stop = threading.Event(), threading.Event()

    def train():
        trainer = cg.Trainer(net, cg.SGD(1e-6), 1000, rng=0, threads=3)
        callback = lambda *_: running.set() or stop.is_set()  # noqa: E731
        trainer.fit(X, y, 10**6, callbacks=[callback])

    before = _thread_count()
    other = threading.Thread(target=train)
    other.start()
    running.wait()
    _wait_until(lambda: _thread_count() == before + 3)
    # A thread is moved to another processor at its start, but its affinity stays that of the user.
    _wait_until(lambda: _processors() == {frozenset(os.sched_getaffinity(0))})
    stop.set()
    other.join()
    _wait_until(lambda: _thread_count() == before)
    net.forward(np.tile(X, (20, 1)), threads=3)
    _wait_until(lambda: _thread_count() == before)


@pytest.mark.parametrize("rows", [100, 5000], ids=["between steps", "within a step"])
def test_an_interrupt_stops_all_and_the_trainer_goes_on(rows, interrupt):
    sizes = (300, 400, 200, 9)
    X, y = _data(10_000, 300)
    trainer = cg.Trainer(_network(sizes=sizes), cg.Adam(), rows, rng=0, threads=3)
    interrupt(trainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, 10**6, shuffle=False)
    epochs, steps = divmod(trainer.steps, 10_000 // rows)
    # It may come after the last step of an epoch, but before the epoch is recorded.
    assert len(trainer.history) in ((epochs,) if steps else (epochs, epochs - 1))
    twin = cg.Trainer(_network(sizes=sizes), cg.Adam(), rows, rng=0, threads=1)
    if epochs:
        twin.fit(X, y, epochs, shuffle=False)
    if steps:
        twin.fit(X[: steps * rows], y[: steps * rows], shuffle=False)
    for each in (trainer, twin):
        each.fit(X[:rows], y[:rows], shuffle=False)
    assert trainer.net.parameters.tobytes() == twin.net.parameters.tobytes()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="chooses processors")
@pytest.mark.parametrize("processors", [1, 2])
def test_a_busy_process_changes_no_bit(processors, split_everything):
    """Threads that are preempted in their tasks yield between them."""
    X, y = _data(1000)

    def train(threads):
        net = _network()
        trainer = cg.Trainer(net, cg.Adam(), 40, rng=0, threads=threads)
        return trainer.fit(X, y, 12).loss, net.parameters.tobytes()

    allowed = os.sched_getaffinity(0)
    shared = sorted(allowed)[:processors]
    expected = train(1)
    with busy_process(shared[0]):
        try:
            os.sched_setaffinity(0, shared)
            assert [train(threads) for threads in (1, 2, 3)] == [expected] * 3
            assert os.sched_getaffinity(0) == set(shared)
        finally:
            os.sched_setaffinity(0, allowed)


def test_two_networks_train_at_once(split_everything):
    X, y = _data(500)

    def train(seed):
        net = _network()
        cg.Trainer(net, cg.Adam(), 40, rng=seed, threads=2).fit(X, y, 20)
        return net.parameters.tobytes()

    alone = [train(seed) for seed in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(train, range(2))) == alone


def test_one_network_answers_several_threads_at_once(split_everything):
    net = _network()
    X, y = _data(700)
    expected = net.forward(X).tobytes(), net.forward(X[:5]).tobytes(), net.evaluate(X, y)

    def ask(_):
        for _ in range(20):
            found = net.forward(X, threads=2), net.forward(X[:5]), net.evaluate(X, y, threads=2)
            assert (found[0].tobytes(), found[1].tobytes(), found[2]) == expected

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("meanwhile", [False, True], ids=["between trainings", "in a training"])
def test_a_forked_child_trains_too(meanwhile, split_everything):
    X, y = _data(400)

    def trainer_of(net):
        return cg.Trainer(net, cg.Adam(), 40, rng=0, threads=3)

    def train(net):
        trainer_of(net).fit(X, y, 3)
        return net.parameters.tobytes()

    expected = train(_network())
    net, running, stop = _network(), threading.Event(), threading.Event()
    trainer = trainer_of(net)
    callback = lambda *_: running.set() or stop.is_set()  # noqa: E731
    arguments = (X, y, 10**9)
    other = threading.Thread(target=trainer.fit, args=arguments, kwargs={"callbacks": [callback]})
    if meanwhile:
        other.start()
        running.wait()
    child = os.fork()
    if child == 0:
        try:
            # The child has no other thread, so nothing trains this network.
            cg.Trainer(net, cg.Adam(), 40, threads=3).fit(X, y)
            trainer.fit(X, y)
            trainer.learn_one(X[0], y[0])
            os._exit(0 if train(_network()) == expected else 1)
        finally:
            os._exit(2)
    stop.set()
    if meanwhile:
        other.join()
    assert os.waitpid(child, 0)[1] == 0
    assert train(_network()) == expected


class TestDefaultNumber:
    @pytest.fixture(autouse=True)
    def _environment(self, monkeypatch):
        monkeypatch.delenv("CYGRAD_NUM_THREADS", raising=False)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        monkeypatch.setattr(counts, "_affinity", lambda: 6)
        monkeypatch.setattr(counts, "_quota", lambda: counts.MAX_THREADS)

    def test_the_affinity(self):
        assert counts.default_threads() == 6

    def test_the_quota(self, monkeypatch):
        monkeypatch.setattr(counts, "_quota", lambda: 3)
        assert counts.default_threads() == 3

    @pytest.mark.parametrize(
        ("value", "expected"), [("4", 4), ("16", 6), ("2,8", 2), ("", 6), ("0", 6), ("x", 6)]
    )
    def test_omp_num_threads_is_an_upper_limit(self, value, expected, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert counts.default_threads() == expected

    def test_cygrad_num_threads_sets_the_number(self, monkeypatch):
        monkeypatch.setenv("OMP_NUM_THREADS", "2")
        monkeypatch.setenv("CYGRAD_NUM_THREADS", "9")
        assert counts.default_threads() == 9
        assert cg.show_config("dicts")["threads"] == 9

    @pytest.mark.parametrize("value", ["0", "-1", "two", "1025", "1.5"])
    def test_cygrad_num_threads_is_checked(self, value, monkeypatch):
        monkeypatch.setenv("CYGRAD_NUM_THREADS", value)
        with pytest.raises(ValueError, match=f"CYGRAD_NUM_THREADS is '{value}', expected"):
            counts.default_threads()

    @pytest.mark.parametrize(
        ("value", "error"), [(0, ValueError), (1025, ValueError), ("2", TypeError)]
    )
    def test_the_argument_is_checked(self, value, error):
        net, (X, y) = _network(), _data(3)
        calls = (
            lambda: cg.Trainer(net, cg.Adam(), threads=value),
            lambda: net.forward(X, threads=value),
            lambda: net.predict(X, threads=value),
            lambda: net.evaluate(X, y, threads=value),
            lambda: net.backward(X, y, threads=value),
        )
        for call in calls:
            with pytest.raises(error, match=r"threads is .*, expected an integer from 1 to 1024"):
                call()


class TestQuota:
    """The quota of control groups, from files like those of the system."""

    @pytest.fixture
    def quota(self, tmp_path):
        def read(own, files):
            (tmp_path / "own").write_bytes(os.fsencode(own))
            for name, text in files.items():
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).write_text(text)
            counts._quota.cache_clear()
            return counts._quota(str(tmp_path), str(tmp_path / "own"))

        yield read
        counts._quota.cache_clear()

    def test_version_2(self, quota):
        assert quota("0::/\n", {"cpu.max": "150000 100000\n"}) == 2

    @pytest.mark.parametrize(
        ("processors", "expected"),
        [
            (0.1, 1),
            (0.99, 1),
            (1, 1),
            (1.24, 1),
            (1.25, 2),
            (1.5, 2),
            (1.99, 2),
            (2, 2),
            (2.49, 2),
            (2.5, 3),
            (3.5, 3),
            (3.75, 4),
            (4.99, 4),
            (7.9, 7),
            (8, 8),
        ],
    )
    def test_a_thread_more_needs_a_quarter_more_time(self, processors, expected, quota):
        assert quota("0::/\n", {"cpu.max": f"{processors * 100_000:.0f} 100000\n"}) == expected

    def test_the_least_quota_holds(self, quota):
        files = {"a/b/cpu.max": "800000 100000\n", "a/cpu.max": "120000 100000\n"}
        assert quota("0::/a/b\n", files) == 1

    def test_the_burst_does_not_count(self, quota):
        files = {"cpu.max": "110000 100000\n", "cpu.max.burst": "100000\n"}
        assert quota("0::/\n", files) == 1

    def test_version_2_of_a_group_above(self, quota):
        files = {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "300000 100000\n"}
        assert quota("0::/a/b\n", files) == 3

    def test_version_2_without_a_limit(self, quota):
        assert quota("0::/\n", {"cpu.max": "max 100000\n"}) == counts.MAX_THREADS

    def test_version_1(self, quota):
        own = "5:memory:/x\n4:cpu,cpuacct:/x\n3:cpuset:/\n"
        files = {
            "cpu,cpuacct/x/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
        }
        assert quota(own, files) == 1

    def test_version_1_without_a_limit(self, quota):
        files = {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}
        assert quota("1:cpu:/\n", files) == counts.MAX_THREADS

    @pytest.mark.parametrize("folder", ["cpuacct,cpu", "cpu"])
    def test_version_1_controllers_in_another_order_than_in_the_folder(self, folder, quota):
        files = {
            f"{folder}/x/cpu.cfs_quota_us": "200000",
            f"{folder}/x/cpu.cfs_period_us": "100000",
        }
        assert quota("8:cpuacct,cpu:/x\n", files) == 2

    @pytest.mark.parametrize(
        "files",
        [
            {"cpu/cpu.cfs_quota_us": "200000"},
            {"cpu/cpu.cfs_period_us": "100000"},
            {"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "0"},
            {"cpu.max": ""},
            {"cpu.max": "200000"},
            {"cpu.max": "many 100000"},
            {"cpu.max.burst": "100000"},
        ],
    )
    def test_a_file_is_missing_or_not_as_expected(self, files, quota):
        assert quota("1:cpu:/\n0::/\n", files) == counts.MAX_THREADS

    @pytest.mark.skipif(sys.platform != "linux", reason="the file system may refuse the name")
    def test_a_name_with_any_bytes(self, quota):
        group = os.fsdecode(b"a:\xff\xc2\x85b\r/c")
        assert quota(f"0::/{group}\n", {f"{group}/cpu.max": "300000 100000\n"}) == 3

    def test_nothing_to_read(self, tmp_path):
        missing = str(tmp_path / "missing")
        counts._quota.cache_clear()
        assert counts._quota(missing, missing) == counts.MAX_THREADS
        counts._quota.cache_clear()
