"""Inference on batches: the bits of rows alone, whatever the network keeps from call to call."""

import os
import signal
import threading
import time
import tracemalloc

import numpy as np
import pytest
from layouts import MATRICES
from networks import fitting

import cygrad as cg
from cygrad._engine import kernels, plan

DTYPES = ("float32", "float64")
# (loss, outputs): class indices, classes of each output, one class, numbers.
RESULTS = (("cross_entropy", 33), ("binary_cross_entropy", 3), ("binary_cross_entropy", 1))
RESULTS += (("mse", 2), ("hinge", 70))


def network(loss="cross_entropy", units=5, dtype="float32", inputs=9, hidden=(37, 20)):
    layers = [*(cg.Dense(width, "tanh") for width in hidden), cg.Dense(units, fitting(loss))]
    return cg.Network(inputs, layers, loss=loss, dtype=dtype, rng=0)


def samples(rows, inputs=9, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, inputs))


def targets(net, rows, seed=1):
    rng = np.random.default_rng(seed)
    if net.loss in ("cross_entropy", "hinge"):
        return rng.integers(net.outputs, size=rows)
    return rng.integers(2, size=(rows, net.outputs)).astype(float)


@pytest.fixture(params=kernels.ENGINES)
def engine(request):
    """The kernels, or the plain loops, for the networks of a test."""
    before = kernels.selected_engine()
    yield kernels.select_engine(request.param)
    kernels.select_engine(before)


# The bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("loss", "units"), RESULTS)
def test_any_number_of_rows_as_one_by_one(loss, units, dtype, engine):
    net, X = network(loss, units, dtype), samples(70)
    alone = np.concatenate([net.forward(row[np.newaxis]) for row in X])
    classes = np.concatenate([net.predict(row[np.newaxis]) for row in X])
    for rows in (*range(1, 71), 3, 64, 1, 17, 16):  # growing, and with a workspace that is larger
        assert net.forward(X[:rows]).tobytes() == alone[:rows].tobytes()
        predicted = net.predict(X[:rows])
        assert predicted.dtype == classes.dtype
        assert predicted.shape == classes[:rows].shape
        assert predicted.tobytes() == classes[:rows].tobytes()


@pytest.mark.parametrize("inputs", [9, 800], ids=["short chunks", "long chunks"])
@pytest.mark.parametrize(("loss", "units"), RESULTS)
@pytest.mark.parametrize("rows", [255, 256, 257, 600])
def test_rows_in_several_chunks(rows, loss, units, inputs):
    net, X = network(loss, units, inputs=inputs), samples(rows, inputs)
    parts = np.array_split(X, 7)
    assert net.forward(X).tobytes() == b"".join(net.forward(part).tobytes() for part in parts)
    assert net.predict(X).tobytes() == b"".join(net.predict(part).tobytes() for part in parts)


@pytest.mark.parametrize("rows", [1, 63, 256, 257, 700])
def test_the_loss_is_a_sum_of_sums_of_256_rows(rows):
    net, X = network(), samples(rows)
    y = targets(net, rows)
    total = 0.0
    for start in range(0, rows, 256):
        part = slice(start, start + 256)
        total += network().evaluate(X[part], y[part])["loss"] * len(y[part])
    np.testing.assert_allclose(net.evaluate(X, y)["loss"], total / rows, rtol=1e-15)
    for more in (40, 3, 300):  # with other workspaces
        net.evaluate(X[:more], y[:more])
        assert net.evaluate(X, y) == network().evaluate(X, y)


@pytest.mark.parametrize("layout", MATRICES)
@pytest.mark.parametrize("kind", ["uint8", "int16", "int64", "bool", "float32", "float64"])
def test_samples_of_every_dtype_and_layout(kind, layout):
    numbers = np.random.default_rng(0).integers(0, 2, (33, 9)).astype(kind)
    net, X = network(), MATRICES[layout](numbers)
    y = targets(net, 33)
    plain = numbers.astype(np.float64)
    assert net.forward(X).tobytes() == net.forward(plain).tobytes()
    assert net.predict(X).tobytes() == net.predict(plain).tobytes()
    assert net.evaluate(X, y) == net.evaluate(plain, y)
    assert net.gradient(X, y)[1].tobytes() == net.gradient(plain, y)[1].tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("units", [2, 17, 33, 100])
def test_the_first_of_the_largest_outputs_unless_one_is_nan(units, dtype):
    net = cg.Network(3, [cg.Dense(3), cg.Dense(units)], loss="hinge", dtype=dtype)
    rng = np.random.default_rng(units)
    # Equal outputs, infinite ones where the second sum overflows, and then NaN, as 0 · ∞.
    net.layers[0].weights = np.diag([1, np.finfo(dtype).max, 1])
    weights = rng.choice([0, 1, -1, 2], (units, 3))
    weights[units // 2, 1] = 0
    net.layers[1].weights = weights
    X = rng.choice([0, 1, -1, 2], (200, 3), p=[0.4, 0.25, 0.25, 0.1])
    outputs = net.forward(X)
    assert np.isnan(outputs).any(axis=1).sum() in range(10, 190)
    decided = np.isfinite(outputs.max(axis=1))  # the maximum is NaN if there is one
    assert (net.predict(X[decided]) == outputs[decided].argmax(axis=1)).all()
    with pytest.raises(ValueError, match=f"in row {np.argmin(decided)} that are NaN or infinite"):
        net.predict(X)
    for x, row, has_class in zip(X, outputs, decided, strict=True):
        if has_class:
            assert net.predict_one(x) == row.argmax()
        else:
            with pytest.raises(ValueError, match="that are NaN or infinite"):
                net.predict_one(x)


@pytest.mark.parametrize("threads", [1, 3])
def test_frozen_layers_and_new_parameters(threads):
    before = plan.set_costs(barrier=0)
    try:
        net, X = network(), samples(40)
        y = targets(net, 40)
        for trainable in (True, False, "weights", "biases", True):
            net.layers[1].trainable = trainable
            net.parameters = 1.1 * net.parameters
            new = network()
            new.parameters = net.parameters
            assert net.forward(X, threads).tobytes() == new.forward(X).tobytes()
            assert net.evaluate(X, y, threads) == new.evaluate(X, y)
            found, expected = net.gradient(X, y, threads=threads), new.gradient(X, y)
            assert (found[0], found[1].tobytes()) == (expected[0], expected[1].tobytes())
            cg.Trainer(net, cg.SGD(0.1), 7, rng=0).fit(X, y)
    finally:
        plan.set_costs(**before)


# Errors


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("row", [0, 63, 64, 299])
@pytest.mark.parametrize("threads", [1, 3])
def test_numbers_that_are_not_finite_are_found_in_any_chunk(bad, row, threads):
    before = plan.set_costs(barrier=0)
    try:
        net, X = network(inputs=800), samples(300, 800)
        y = targets(net, 300)
        expected = net.forward(X), net.evaluate(X, y)
        wrong = X.copy()
        wrong[row, 7] = bad
        wrong[299, 8] = bad  # the first is named
        where = rf"^X holds \S+ in row {row}, column 7, expected"
        for call in (net.forward, net.predict, lambda X, threads: net.evaluate(X, y, threads)):
            with pytest.raises(ValueError, match=where):
                call(wrong, threads=threads)
        assert net.forward(X, threads).tobytes() == expected[0].tobytes()
        assert net.evaluate(X, y, threads) == expected[1]
    finally:
        plan.set_costs(**before)


# Several calls at once


def computed(net, X, y):
    """All that is computed with plans that the network keeps."""
    gradients = net.backward(X, y)
    loss, gradient = net.gradient(X, y)
    arrays = (net.forward(X), net.predict(X), gradient, *gradients.weights, *gradients.activations)
    return b"".join(each.tobytes() for each in arrays), net.evaluate(X, y), loss, gradients.loss


def large_network():
    """A network whose inference on 4000 rows takes so long that signal handlers run within it."""
    net = network(inputs=50, hidden=(700, 700))
    X = samples(4000, 50)
    return net, X, targets(net, 4000)


def test_the_number_of_threads_is_found_with_the_network_itself(monkeypatch):
    """A function for it runs within each call."""
    net, X = network(), samples(100)
    y = targets(net, 100)
    expected, few = computed(net, X, y), computed(net, X[:30], y[:30])
    found, running = [], []

    def threads():
        if not running:
            running.append(True)
            found.append(computed(net, X[:30], y[:30]))
            running.clear()
        return 2

    monkeypatch.setattr("cygrad.network.network.default_threads", threads)
    before = plan.set_costs(barrier=0)
    try:
        assert computed(net, X, y) == expected
    finally:
        plan.set_costs(**before)
    assert found
    assert all(each == few for each in found)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer of the system")
def test_a_signal_handler_uses_the_network_too():
    net, X, y = large_network()
    expected, few = computed(net, X, y), computed(net, X[:20], y[:20])
    found = []

    def ask(*_):
        found.append(computed(net, X[:20], y[:20]))

    before = signal.signal(signal.SIGALRM, ask)
    try:
        deadline = time.monotonic() + 30
        while len(found) < 5 and time.monotonic() < deadline:
            signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.06 * len(found))  # in another call
            assert computed(net, X, y) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(found) >= 3
    assert all(each == few for each in found)


@pytest.mark.parametrize("name", ["forward", "evaluate", "gradient", "backward"])
def test_an_interrupt_leaves_the_network_usable(name, interrupt):
    net, X, y = large_network()
    expected = computed(net, X[:200], y[:200])
    arguments = (X,) if name == "forward" else (X, y)

    def ask_again_and_again():
        while True:
            getattr(net, name)(*arguments)

    interrupt()
    with pytest.raises(KeyboardInterrupt):
        ask_again_and_again()
    assert computed(net, X[:200], y[:200]) == expected


@pytest.mark.parametrize("hidden", [(9,), (600, 600)], ids=["quick", "without the lock"])
def test_several_threads_ask_at_once(hidden):
    net = network(hidden=hidden)
    X = samples(90)
    y = targets(net, 90)
    expected = {rows: computed(net, X[:rows], y[:rows]) for rows in (1, 20, 90)}
    wrong = []

    def ask():
        for _ in range(10):
            for rows, right in expected.items():
                if computed(net, X[:rows], y[:rows]) != right:
                    wrong.append(rows)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_asks_too():
    """Also while another thread of the parent computes with the network."""
    net, X, y = large_network()
    expected, stop = computed(net, X[:30], y[:30]), threading.Event()

    def ask():
        while not stop.is_set():
            computed(net, X, y)

    other = threading.Thread(target=ask)
    other.start()
    try:
        for _ in range(5):
            child = os.fork()
            if child == 0:
                try:
                    os._exit(0 if computed(net, X[:30], y[:30]) == expected else 1)
                finally:
                    os._exit(2)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        other.join()


# Memory


def test_nothing_but_the_results_is_allocated():
    net, X = network(dtype="float64"), samples(1000)
    y = targets(net, 1000)
    out = np.empty(net.n_parameters)
    work = (
        (lambda: net.forward(X), 1000 * 5 * 8),
        (lambda: net.predict(X), 1000 * 8),
        (lambda: net.evaluate(X, y), y.nbytes),  # class indices are copied
        (lambda: net.gradient(X[:50], y[:50], out), 50 * 8),
    )
    for call, results in work:
        call()
        tracemalloc.start()
        call()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < results + 2000


@pytest.mark.parametrize("inputs", [9, 800, 5000])
def test_little_memory_is_kept(inputs):
    net, X = network(inputs=inputs), samples(1000, inputs)
    y = targets(net, 1000)
    tracemalloc.start()
    net.forward(X)
    net.predict(X)
    for rows in (100, 1000):
        net.evaluate(X[:rows], y[:rows])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 2 * (2**19 + 2 * net.engine.storage.nbytes) + 20_000


def test_little_memory_is_kept_of_gradients():
    net, X = network(), samples(20_000)
    y = targets(net, 20_000)
    tracemalloc.start()
    for rows in (100, 3000, 20_000, 300):
        net.gradient(X[:rows], y[:rows])
        net.backward(X[:rows], y[:rows])
        kept, _ = tracemalloc.get_traced_memory()
        assert kept < 2**22 + 3 * net.engine.storage.nbytes + 20_000
    tracemalloc.stop()
