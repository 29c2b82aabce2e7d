"""The engine against the definition of its bits, `loops`: every number as an integer, no tolerance.

The cases are the rows of the table in `cases`, the networks of the README's table at their real
sizes, and sizes and batches around those of tiles and panels. `loops` itself is compared with the
reference, up to rounding, in `test_equivalence`.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
from bits import assert_same_bits
from cases import CASES, Case

import cygrad as cg
from cygrad._engine import kernels, loops, plan
from cygrad.network.losses import function_of, loss_name

EPOCHS = 3
DTYPES = ("float32", "float64")
THREADS = (1, 3)

# The networks of the README's table, their batches, and samples that leave a short last batch.
REAL = (
    ((8, 32, 32, 1), 32, 77),
    ((64, 64, 10), 32, 77),
    ((784, 30, 10), 10, 27),
    ((784, 128, 10), 64, 77),
)
LARGE = (((784, 1024, 1024, 10), 256, 300), ((2048, 2048, 2048, 2048, 10), 256, 264))
# Primes, and one less and one more than a tile's rows (4, 6, 8) and a panel's columns (16, 32).
SIZES = ((3, 5, 7), (9, 17, 15), (13, 31, 33, 2), (67, 5, 3), (7, 97, 9, 5))
BATCHES = (1, 7, 257)


class Trained(NamedTuple):
    """The sums of each epoch, and the parameters after the last."""

    losses: list[float]
    metrics: list[float]
    parameters: list[np.ndarray]


def layers_of(net: cg.Network, optimizer: Any) -> list[loops.Layer]:
    return [
        loops.Layer(
            np.array(layer.weights.T, order="C"),
            layer.biases.copy(),
            layer.activation_name,
            optimizer.rule,
            layer.train_weights,
            layer.train_biases,
            layer.activation_parameter,
            layer.rate_factors,
            optimizer.hyperparameters.get("initial", 0.0),
        )
        for layer in net.layers
    ]


def parameters_of(loss: Any) -> np.ndarray | None:
    function = function_of(loss)
    return None if function is None else np.array(function.parameters)


def train_by_loops(
    net: cg.Network,
    optimizer: Any,
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    weights: np.ndarray | None = None,
) -> Trained:
    layers = layers_of(net, optimizer)
    losses, metrics, steps = [], [], 0
    for _ in range(epochs):
        loss, metric, done = loops.train_epoch(
            layers,
            X,
            y,
            np.arange(len(X)),
            loss=loss_name(net.loss),
            parameters=parameters_of(net.loss),
            weights=weights,
            mean=net.reduction == "mean",
            batch_size=batch_size,
            rule=optimizer.rule,
            rates=optimizer.learning_rates(steps, -(-len(X) // batch_size)),
            steps=steps,
            **optimizer.hyperparameters,
        )
        total = len(X) if weights is None else weights.sum()
        losses.append(loss / total if net.reduction == "mean" else loss)
        metrics.append(metric / total)
        steps += done
    parameters = [array for layer in layers for array in (layer.weights.T, layer.biases)]
    return Trained(losses, metrics, parameters)


def train_by_engine(
    net: cg.Network,
    optimizer: Any,
    X: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    threads: int,
) -> Trained:
    trainer = cg.Trainer(net, optimizer, batch_size, threads=threads)
    history = trainer.fit(X, y, epochs, shuffle=False)
    parameters = [array for layer in net.layers for array in (layer.weights, layer.biases)]
    return Trained(history.loss, history.metric, parameters)


def assert_same_training(actual: Trained, expected: Trained) -> None:
    assert_same_bits(actual.losses, expected.losses, "loss of the epochs")
    assert_same_bits(actual.metrics, expected.metrics, "metric of the epochs")
    for index, (array, defined) in enumerate(
        zip(actual.parameters, expected.parameters, strict=True)
    ):
        kind = "biases" if index % 2 else "weights"
        assert_same_bits(array, defined, f"{kind}[{index // 2}]")


@pytest.fixture
def _threads_always() -> Iterator[None]:
    """Split the smallest networks among threads, too."""
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


@cache
def case_by_loops(case: Case, dtype: str) -> Trained:
    data = case.draw(seed=5)
    net = case.network(dtype)
    net.parameters = data.parameters
    return train_by_loops(net, case.optimizers()[0], data.X, data.y, case.batch_size, EPOCHS)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_has_the_defined_bits(case, dtype, threads, isa):
    data = case.draw(seed=5)
    net = case.network(dtype)
    net.parameters = data.parameters
    optimizer = case.optimizers()[0]
    trained = train_by_engine(net, optimizer, data.X, data.y, case.batch_size, EPOCHS, threads)
    assert_same_training(trained, case_by_loops(case, dtype))


def compare(
    sizes: tuple[int, ...], batch: int, samples: int, dtype: str, hidden: str, epochs: int
) -> None:
    """Compare training by loops with the engine, on every instruction set and thread count."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((samples, sizes[0])).astype(np.float32)
    classes = sizes[-1] > 1
    y = rng.integers(sizes[-1], size=samples) if classes else rng.standard_normal((samples, 1))

    def network() -> cg.Network:
        layers = [cg.Dense(units, hidden) for units in sizes[1:-1]]
        layers.append(cg.Dense(sizes[-1], "softmax" if classes else "identity"))
        loss = "cross_entropy" if classes else "mse"
        return cg.Network(sizes[0], layers, loss=loss, dtype=dtype, rng=0)

    optimizer = cg.Adam(1e-3)
    expected = train_by_loops(network(), optimizer, X, y, batch, epochs)
    selected = kernels.selected()
    try:
        for isa in kernels.available():
            kernels.select(isa)
            for threads in THREADS:
                actual = train_by_engine(network(), optimizer, X, y, batch, epochs, threads)
                assert_same_training(actual, expected)
    finally:
        kernels.select(selected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("sizes", "batch", "samples"), REAL, ids=str)
def test_networks_of_the_readme_have_the_defined_bits(sizes, batch, samples, dtype):
    compare(sizes, batch, samples, dtype, "relu", EPOCHS)


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "batch", "samples"), LARGE, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)  # so that the largest are apart, for two processes
def test_large_networks_of_the_readme_have_the_defined_bits(sizes, batch, samples, dtype):
    """Two steps, the second with the updated parameters and fewer rows."""
    compare(sizes, batch, samples, dtype, "relu", 1)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_awkward_sizes_have_the_defined_bits(sizes, batch, dtype):
    compare(sizes, batch, batch + 2, dtype, "tanh", 2)


def test_an_epoch_stops_at_a_loss_that_is_not_finite():
    layer = loops.Layer(np.ones((1, 1)), np.zeros(1), "identity")
    X, y = np.array([[1.0], [1e300], [1.0]]), np.zeros((3, 1))
    loss, _, done = loops.train_epoch(
        [layer],
        X,
        y,
        np.arange(3),
        loss="quadratic",
        mean=True,
        batch_size=1,
        rule="sgd",
        rates=[0.25] * 3,
    )
    assert (loss, done) == (0.5, 1)
    assert layer.weights.tolist() == [[0.75]]


def test_the_loops_are_bounds_checked():
    with pytest.raises(IndexError):
        loops.train_epoch(
            [loops.Layer(np.ones((3, 2)), np.zeros(2), "identity")],
            np.ones((1, 2)),
            np.zeros((1, 2)),
            np.arange(1),
            loss="mse",
            mean=True,
            batch_size=1,
            rule="sgd",
            rates=[0.1],
        )


PROGRAM = """
import hashlib, cygrad as cg
X, y = cg.datasets.load_digits()
net = cg.Network(64, [cg.Dense(9, "tanh"), cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
net.standardize_inputs(X)
trainer = cg.Trainer(net, cg.Adam(), batch_size=50, rng=0)
history = trainer.fit(X[:200], y[:200], 2, X_val=X[200:300], y_val=y[200:300])
found = [history.loss, history.val_loss, trainer.learn_one(X[0], y[0]), trainer.step(X[:9], y[:9])]
found += [net.predict(X[:300]).tolist(), net.predict_one(X[1]), net.backward(X[:20], y[:20]).loss]
print(cg.show_config("dicts")["engine"])
print(hashlib.sha256(net.parameters.tobytes() + repr(found).encode()).hexdigest())
"""


def test_the_whole_package_runs_on_the_loops():
    printed = []
    for engine in kernels.ENGINES:
        environment = {**os.environ, "CYGRAD_ENGINE": engine}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        name, digest = done.stdout.split()
        assert name == engine
        printed.append(digest)
    assert printed[0] == printed[1]


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine is 'cuda', expected one of kernels, loops"):
        kernels.select_engine("cuda")
    environment = {**os.environ, "CYGRAD_ENGINE": "loop"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert "CYGRAD_ENGINE is 'loop', expected one of kernels, loops" in done.stderr
