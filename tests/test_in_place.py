"""δ of large layers takes the place of their activations in a step, and no bit changes."""

import signal
import threading
from typing import Any, NamedTuple

import numpy as np
import pytest
from plan_costs import costs

import cygrad as cg

DTYPES = ("float32", "float64")
NEVER = 1 << 62
CLASSES = 7
Dense = cg.Dense


class Net(NamedTuple):
    inputs: int
    layers: list[Any]


# A layer must have two panels or more, of 32 numbers in float32; a few have no padding.
NETWORKS = {
    "one layer": Net(70, []),
    "two layers": Net(5, [Dense(100, "relu")]),
    "equal widths": Net(40, [Dense(130, name) for name in ("relu", "tanh", "relu")]),
    "whole panels": Net(64, [Dense(128, name) for name in ("relu", "softplus", "relu")]),
    "growing": Net(20, [Dense(33, "relu"), Dense(100, "sigmoid"), Dense(300, "gaussian")]),
    "shrinking": Net(50, [Dense(320, "relu"), Dense(160, "tanh"), Dense(65, "relu")]),
    "narrow between": Net(9, [Dense(128, "relu"), Dense(3, "tanh"), Dense(128, "relu")]),
    "dropout": Net(
        30,
        [Dense(130, "relu"), cg.Dropout(0.3), Dense(96, "tanh"), cg.GaussianNoise(0.1)],
    ),
    "norms": Net(
        30,
        [Dense(130), cg.BatchNorm("relu"), Dense(97, "tanh"), cg.LayerNorm("relu"), cg.Scaling()],
    ),
    "norms below": Net(
        30,
        [Dense(96), cg.LayerNorm("tanh"), Dense(130), cg.BatchNorm(), Dense(97, "relu")],
    ),
    "residual": Net(
        30,
        [
            Dense(130, "relu"),
            cg.Residual([Dense(130, "relu"), Dense(130)]),
            cg.Residual([Dense(97, "tanh"), Dense(130, "tanh")], "relu"),
            Dense(70, "relu"),
        ],
    ),
    "norm of a sum": Net(
        30,
        [
            Dense(100, "relu"),
            Dense(130, "relu"),
            cg.Residual([Dense(130)]),
            cg.BatchNorm("relu"),
        ],
    ),
    "frozen": Net(
        20,
        [
            Dense(90, "relu", trainable=False),
            Dense(97, "tanh"),
            Dense(98, "relu", trainable=False),
            Dense(99, "relu", trainable="biases"),
            Dense(100, "tanh", trainable="weights"),
        ],
    ),
}


def samples(net: Net, rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.standard_normal((rows, net.inputs)), rng.integers(CLASSES, size=rows)


def trainer_of(net: Net, dtype: str, batch: int, optimizer: Any = None, **options: Any):
    layers = [*net.layers, Dense(CLASSES, "softmax")]
    network = cg.Network(net.inputs, layers, loss="cross_entropy", dtype=dtype, rng=0)
    return cg.Trainer(network, optimizer or cg.Adam(0.01), batch, rng=0, **options)


def bits(trainer: cg.Trainer) -> list[bytes]:
    """Return all that training has changed, with the padding of the panels."""
    training = trainer._training
    return [trainer.net.engine.storage.tobytes(), *(array.tobytes() for array in training.state)]


def trained(
    in_place: bool, net: Net, dtype: str, batch: int, X: Any, y: Any, **options: Any
) -> tuple[list[Any], int]:
    """Return the bits after two epochs, and the size of the workspace."""
    with costs(in_place_bytes=0 if in_place else NEVER, barrier=0):
        trainer = trainer_of(net, dtype, batch, **{"threads": 1, **options})
        history = trainer.fit(X, y, epochs=2)
    return [*bits(trainer), history.loss], trainer._training.workspace_size


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NETWORKS)
def test_no_bit_changes(name, dtype, threads, isa):
    net = NETWORKS[name]
    for batch, rows in ((1, 5), (37, 100), (64, 128)):
        if batch == 1 and "norm" in name:
            continue  # one row has no variance
        X, y = samples(net, rows)
        found, size = trained(True, net, dtype, batch, X, y, threads=threads)
        expected, larger = trained(False, net, dtype, batch, X, y, threads=threads)
        assert found == expected
        assert size < larger or (batch == 1 and size == larger) or name == "one layer"


OPTIONS: dict[str, dict[str, Any]] = {
    "global norm": {"clip_global_norm": 0.5},
    "norm": {"clip_norm": 0.1},
    "value": {"clip_value": 0.001},
    "accumulate": {"accumulate": 3},
    "penalty": {"optimizer": cg.SGD(0.1, l2_penalty=0.01)},
    "decay and shrinkage": {"optimizer": cg.AdamW(0.01, weight_decay=0.1, l1=0.01)},
    "limited norms": {"optimizer": cg.SGD(0.1, momentum=0.9, max_norm=0.5)},
}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["equal widths", "shrinking", "residual", "norms"])
@pytest.mark.parametrize("option", OPTIONS)
def test_no_bit_changes_with_options(option, name, threads):
    net, options = NETWORKS[name], OPTIONS[option]
    X, y = samples(net, 100)
    found, size = trained(True, net, "float32", 16, X, y, threads=threads, **options)
    expected, larger = trained(False, net, "float32", 16, X, y, threads=threads, **options)
    assert found == expected
    assert size < larger


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
def test_no_bit_changes_with_sparse_samples(dtype, threads):
    sparse = pytest.importorskip("scipy.sparse")
    net = NETWORKS["equal widths"]
    X, y = samples(net, 100)
    X = sparse.csr_array(np.where(X > 1, X, 0).astype(dtype))
    found, size = trained(True, net, dtype, 16, X, y, threads=threads)
    expected, larger = trained(False, net, dtype, 16, X, y, threads=threads)
    assert found == expected
    assert size < larger


def test_no_bit_changes_with_a_custom_loss():
    def loss(outputs, targets):
        error = outputs - targets[:, np.newaxis]
        return (error**2).sum(axis=1), 2 * error

    found = []
    for limit in (0, NEVER):
        with costs(in_place_bytes=limit, barrier=0):
            net = cg.Network(9, [Dense(100, "relu"), Dense(90, "tanh"), Dense(2)], loss=loss, rng=0)
            trainer = cg.Trainer(net, cg.Adam(0.01), 16, rng=0, threads=1)
            trainer.fit(*samples(Net(9, []), 40), epochs=2)
        found.append(bits(trainer))
    assert found[0] == found[1]


def test_no_memory_is_taken_for_the_delta_of_large_layers():
    """The first layers of δ need some more: an eighth of a layer, or what is worth two threads."""
    rows, units, layers = 256, 1024, 3
    net = Net(32, [Dense(units, "relu")] * layers)
    X, y = samples(net, rows)
    sizes = []
    for changed in ({}, {"in_place_bytes": NEVER}):
        with costs(**changed):
            trainer = trainer_of(net, "float32", rows, cg.SGD(0.01), threads=1)
            trainer.step(X, y)
        sizes.append(trainer._training.workspace_size)
    assert sizes[1] - sizes[0] > (layers - 0.25) * 4 * rows * units


def test_small_networks_and_long_steps_are_left_as_they_are():
    net = NETWORKS["equal widths"]
    X, y = samples(net, 64)
    sizes = []
    for changed in ({}, {"in_place_bytes": NEVER}, {"in_place_bytes": 0, "in_place_work": 1000}):
        with costs(barrier=0, **changed):
            trainer = trainer_of(net, "float32", 64, threads=1)
            trainer.step(X, y)
        sizes.append(trainer._training.workspace_size)
    assert sizes[0] == sizes[1] == sizes[2]


def test_a_step_that_diverges_changes_nothing():
    net = Net(30, [Dense(100, "relu"), Dense(130, "relu")])
    X, y = samples(net, 64)
    with costs(in_place_bytes=0, barrier=0):
        trainer = trainer_of(net, "float32", 64, threads=1)
        trainer.step(X, y)
        before = bits(trainer)
        with pytest.raises(cg.DivergenceError):
            trainer.step(np.sign(X) * 3e38, y)
        assert bits(trainer) == before
        trainer.step(X, y)  # what the step before has left in the workspace does not matter
        twin = trainer_of(net, "float32", 64, threads=1)
        twin.step(X, y)
        twin.step(X, y)
    assert bits(trainer) == bits(twin)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="the system has no interval timer")
@pytest.mark.parametrize("options", [{}, {"clip_global_norm": 1.0}, {"accumulate": 2}], ids=str)
def test_an_interrupt_leaves_whole_steps(options):
    """Steps of some milliseconds: the signal comes anywhere, and some parts of a step stop it."""
    assert threading.current_thread() is threading.main_thread()
    net = Net(64, [Dense(512, "relu"), Dense(512, "relu"), Dense(512, "relu")])
    rng = np.random.default_rng(0)
    X, y = samples(net, 1024)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    def trainer():
        return trainer_of(net, "float32", 256, threads=1, **options)

    def fit_until_the_signal(stopped, seconds):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        stopped.fit(X, y, epochs=10_000, shuffle=False)

    steps = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with costs(in_place_bytes=0, barrier=0):
            for _ in range(8):
                stopped = trainer()
                stopped.step(X[:256], y[:256])
                with pytest.raises(KeyboardInterrupt):
                    fit_until_the_signal(stopped, rng.uniform(0.002, 0.03))
                steps.append((stopped.steps, bits(stopped)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for number, expected in steps:
        twin = trainer()
        twin.step(X[:256], y[:256])
        if number > 1:
            twin.fit(X, y, epochs=10_000, shuffle=False, max_steps=number - 1)
        assert twin.steps == number
        assert bits(twin) == expected
