"""`l2_penalty`: ½ α ΣW² / s in the loss of every batch, and α W / s in its gradient."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from bits import assert_same_bits
from test_bits import by_loops
from test_blocks import DIVISIONS, costs

import cygrad as cg
from cygrad import reference
from cygrad._engine import kernels, plan

ROWS, INPUTS, BATCH = 349, 37, 100  # the last batch has 49 rows
ALPHA = 0.3
# Columns and rows that are no whole panel; weights that are not trained have no penalty.
LAYERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Dense", {"units": 67, "activation": "tanh"}),
    ("LayerNorm", {}),
    ("Scaling", {}),
    ("Dense", {"units": 7, "activation": "tanh", "trainable": "biases"}),
    ("Dense", {"units": 33, "activation": "tanh", "use_bias": False}),
    ("Dense", {"units": 9, "activation": "tanh", "trainable": False}),
    ("Dense", {"units": 3, "activation": "softmax", "learning_rate_factor": (0.5, 2.0)}),
)
DECAYING = (0, 4, 6)


def layers(module: Any, scale: int = 1) -> list[Any]:
    found = []
    for name, given in LAYERS:
        arguments = dict(given)
        if "units" in arguments and arguments["units"] > 3:
            arguments["units"] = -(-arguments["units"] // scale)
        found.append(getattr(module, name)(**arguments))
    return found


def network(dtype: str = "float32", reduction: str = "mean", **options: Any) -> cg.Network:
    return cg.Network(
        INPUTS,
        layers(cg),
        loss="cross_entropy",
        reduction=reduction,
        dtype=dtype,
        rng=0,
        **options,
    )


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, classes, and weights that are all 0 in the second batch."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
    X[rng.uniform(size=X.shape) < 0.5] = 0
    weights = rng.uniform(0, 3, ROWS).round(2)
    weights[BATCH : 2 * BATCH] = 0
    return X, rng.integers(0, 3, ROWS), weights


X, Y, WEIGHTS = data()


def rate_of(reduction: str) -> float:
    return 0.05 if reduction == "mean" else 0.05 / BATCH


def squares(net: cg.Network) -> float:
    """ΣW² of the weights that are trained."""
    return sum(float(np.sum(np.square(net.layers[i].weights, dtype=float))) for i in DECAYING)


# The equations


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_reference_descends_the_gradient_of_its_loss(reduction, weighted):
    """Central differences of the loss with its penalty, over all parameters."""
    net = reference.Network(
        3,
        [
            reference.Dense(4, "tanh"),
            reference.LayerNorm(),
            reference.Dense(2, "tanh", trainable="biases"),
            reference.Dense(2, "softmax"),
        ],
        loss="cross_entropy",
        reduction=reduction,
    )
    rng = np.random.default_rng(3)
    net.parameters = rng.normal(size=len(net.parameters)).tolist()
    x, y = rng.normal(size=(5, 3)).tolist(), [0, 1, 1, 0, 1]
    weights = [0.5, 2.0, 0.0, 1.25, 3.0] if weighted else None
    before = list(net.parameters)

    def loss_at(parameters: list[float]) -> float:
        net.parameters = parameters
        return reference.Trainer(net, reference.SGD(0.0, l2_penalty=ALPHA)).step(x, y, weights)

    reference.Trainer(net, reference.SGD(1.0, l2_penalty=ALPHA)).step(x, y, weights)
    change, frozen = np.subtract(net.parameters, before), range(16 + 8, 16 + 8 + 8)
    differences = []
    for i in range(len(before)):
        sides = [list(before), list(before)]
        sides[0][i] += 1e-5
        sides[1][i] -= 1e-5
        differences.append((loss_at(sides[0]) - loss_at(sides[1])) / 2e-5)
        if i in frozen:
            assert change[i] == 0
            differences[-1] = 0.0
    np.testing.assert_allclose(-change, differences, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_agrees_with_the_reference(dtype, reduction, weighted, isa):
    rows, rate = 23, {"learning_rate": rate_of(reduction), "l2_penalty": 3.0, "weight_decay": 0.1}
    net = cg.Network(
        5, layers(cg, 8), loss="cross_entropy", reduction=reduction, dtype=dtype, rng=0
    )
    other = reference.Network(5, layers(reference, 8), loss="cross_entropy", reduction=reduction)
    other.parameters = net.parameters.tolist()
    x, y, weights = X[:rows, :5], Y[:rows], WEIGHTS[:rows] if weighted else None
    given = None if weights is None else weights.tolist()
    trainer = cg.Trainer(net, cg.SGD(**rate), 10)
    expected = reference.Trainer(other, reference.SGD(**rate), 10)
    loss = [trainer.fit(x, y, shuffle=False, sample_weight=weights).loss[0]]
    wanted = expected.fit(x.tolist(), y.tolist(), [range(rows)], given).loss
    loss.append(trainer.partial_fit(x, y, weights))
    wanted.append(expected.partial_fit(x.tolist(), y.tolist(), given))
    tolerance = {"rtol": 2e-5 if dtype == "float32" else 1e-12, "atol": 0}
    np.testing.assert_allclose(trainer.batch_losses, expected.batch_losses, **tolerance)
    np.testing.assert_allclose(trainer.batch_penalties, expected.batch_penalties, **tolerance)
    loss.append(trainer.step(x, y, weights))
    wanted.append(expected.step(x.tolist(), y.tolist(), given))
    loss.append(trainer.learn_one(x[1], y[1]))
    wanted.append(expected.learn_one(x[1].tolist(), int(y[1])))
    np.testing.assert_allclose(loss, wanted, **tolerance)
    tolerance["atol"] = tolerance["rtol"]
    np.testing.assert_allclose(net.parameters, other.parameters, **tolerance)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_include_it_and_those_of_validation_do_not(reduction, weighted):
    net = network("float64", reduction)
    trainer = cg.Trainer(net, cg.SGD(0.0, l2_penalty=ALPHA), BATCH)
    weights = WEIGHTS if weighted else None
    loss = net.evaluate(X, Y, sample_weight=weights)["loss"]
    history = trainer.fit(X, Y, X_val=X, y_val=Y, sample_weight=weights, shuffle=False)
    sizes = [100, 100, 100, 49] if weights is None else np.add.reduceat(weights, [0, 100, 200, 300])
    sizes = np.array([size for size in sizes if size])
    penalties = np.full(len(sizes), 0.5 * ALPHA * squares(net))
    if reduction == "mean":
        penalties /= sizes
        total = np.average(penalties, weights=sizes)
    else:
        total = penalties.sum()
    np.testing.assert_allclose(trainer.batch_penalties, penalties, rtol=1e-13)
    assert history.loss[0] == pytest.approx(loss + total, rel=1e-13)
    assert history["val_loss"][0] == net.evaluate(X, Y)["loss"]
    found = trainer.batch_losses + trainer.batch_penalties
    mean = np.average(found, weights=sizes) if reduction == "mean" else found.sum()
    assert mean == pytest.approx(history.loss[0], rel=1e-13)


def test_in_batches_of_one_size_it_is_weight_decay():
    """The bits of the parameters too, where the division by the rows is exact."""
    found = []
    for arguments in ({"l2_penalty": 0.5}, {"weight_decay": 0.5 / 64}):
        net = network()
        cg.Trainer(net, cg.Adam(0.01, **arguments), 64, rng=0).fit(X[:320], Y[:320], 2)
        found.append(net.parameters)
    assert_same_bits(found[0], found[1])


def test_it_is_added_after_clipping():
    layer = cg.Dense(1, use_bias=False, weights_init=2.0)
    net = cg.Network(1, [layer], loss="quadratic", dtype="float64")
    trainer = cg.Trainer(net, cg.SGD(1.0, l2_penalty=0.25), clip_norm=0.125)
    assert trainer.step([[1.0]], [[0.0]]) == 2.0 + 0.5
    assert net.parameters.tolist() == [2.0 - 0.125 - 0.5]


def test_of_streamed_batches():
    pieces = [(X[i : i + 50], Y[i : i + 50]) for i in range(0, ROWS, 50)]
    trainers = [cg.Trainer(network(), cg.Adam(l2_penalty=ALPHA), 50, rng=0) for _ in range(2)]
    first = trainers[0].fit(pieces, shuffle=False)
    second = trainers[1].fit(X, Y, shuffle=False)
    assert first.loss == second.loss
    assert_same_bits(trainers[0].batch_penalties, trainers[1].batch_penalties)
    assert len(set(trainers[0].batch_penalties)) == 7
    for other in (copy.deepcopy(trainers[0]), pickle.loads(pickle.dumps(trainers[0]))):
        assert_same_bits(other.batch_penalties, trainers[0].batch_penalties)


def test_it_is_that_of_scikit_learn():
    pytest.importorskip("sklearn", reason="the peer is scikit-learn")
    from sklearn.neural_network import MLPRegressor

    x, y = X[:40, :6].astype(float), np.sin(X[:40, :6].sum(axis=1)).astype(float)
    peer = MLPRegressor(
        hidden_layer_sizes=(8,), activation="tanh", solver="sgd", alpha=2.0, batch_size=16,
        learning_rate_init=0.05, momentum=0.0, nesterovs_momentum=False, shuffle=False,
        random_state=0,
    )  # fmt: skip
    peer.partial_fit(x, y)
    net = cg.Network(6, [cg.Dense(8, "tanh"), cg.Dense(1)], loss="quadratic", dtype="float64")
    for layer, weights, biases in zip(net.layers, peer.coefs_, peer.intercepts_, strict=True):
        layer.weights, layer.biases = weights.T, biases
    trainer = cg.Trainer(net, cg.SGD(0.05, l2_penalty=2.0), 16)
    losses = [trainer.partial_fit(x, y) for _ in range(3)]
    for _ in range(3):
        peer.partial_fit(x, y)
    np.testing.assert_allclose(losses, peer.loss_curve_[1:], rtol=1e-12)
    for layer, weights in zip(net.layers, peer.coefs_, strict=True):
        np.testing.assert_allclose(layer.weights, weights.T, rtol=1e-10, atol=1e-13)


# The bits


def results(
    dtype: str, weighted: bool, batch: int = BATCH, threads: int = 1, rows: Any = X, **options: Any
) -> dict[str, np.ndarray]:
    net = network(dtype)
    # Denormal numbers count as 0 in the first step, too.
    weights = net.layers[0].weights.copy()
    weights[0] = np.finfo(dtype).smallest_subnormal * 1000
    net.layers[0].weights = weights
    trainer = cg.Trainer(
        net, cg.Adam(0.01, l2_penalty=ALPHA), batch, threads=threads, rng=0, **options
    )
    history = trainer.fit(rows, Y, 2, sample_weight=WEIGHTS if weighted else None)
    found = {"loss": history.loss, "penalties": trainer.batch_penalties}
    found |= {"losses": trainer.batch_losses, "step": trainer.step(rows, Y)}
    found["single"] = trainer.learn_one(X[0], Y[0])
    found["parameters"] = net.parameters
    return {name: np.array(value) for name, value in found.items()}


def assert_same_results(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, array in expected.items():
        assert_same_bits(actual[name], array, name)


@pytest.fixture
def _threads_always() -> Iterator[None]:
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("clip", [{}, {"clip_global_norm": 0.1}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_has_the_defined_bits(dtype, weighted, clip):
    expected = by_loops(lambda: results(dtype, weighted, **clip))
    selected = kernels.selected()
    try:
        for isa in kernels.available():
            kernels.select(isa)
            for threads in (1, 2, 3):
                assert_same_results(results(dtype, weighted, threads=threads, **clip), expected)
    finally:
        kernels.select(selected)


@pytest.mark.parametrize("clip", [{}, {"clip_norm": 0.1}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("division", DIVISIONS)
def test_blocks_of_rows_have_the_same_bits(division, weighted, clip):
    threads, changed, _ = DIVISIONS[division]
    expected = by_loops(lambda: results("float32", weighted, ROWS, **clip))
    with costs(**changed):
        assert_same_results(results("float32", weighted, ROWS, threads, **clip), expected)
    accumulated = results("float32", weighted, 50, threads, accumulate=7, **clip)
    assert_same_results(accumulated, expected)


@pytest.mark.usefixtures("_threads_always")
@pytest.mark.parametrize("threads", [1, 3])
def test_sparse_samples_have_the_same_bits(threads):
    sparse = pytest.importorskip("scipy.sparse", reason="the samples are sparse")
    expected = results("float32", True)
    found = results("float32", True, threads=threads, rows=sparse.csr_array(X))
    assert_same_results(found, expected)


# Squares that overflow


@pytest.mark.parametrize("engine", ["kernels", "loops"])
def test_a_penalty_that_is_not_finite_does_no_step(engine):
    before = kernels.selected_engine()
    kernels.select_engine(engine)
    try:
        layer = cg.Dense(1, weights_init=1e160)
        net = cg.Network(1, [layer], loss="quadratic", dtype="float64")
        trainer = cg.Trainer(net, cg.SGD(0.1, l2_penalty=0.5), 1)
        parameters = net.parameters
        for run in (
            lambda: trainer.step([[0.0]], [[1.0]]),
            lambda: trainer.learn_one([0.0], 1.0),
            lambda: trainer.partial_fit([[0.0]], [[1.0]]),
            lambda: trainer.fit([[0.0]], [[1.0]]),
        ):
            with pytest.raises(cg.DivergenceError):
                run()
            assert_same_bits(net.parameters, parameters)
        assert trainer.steps == 0
        assert len(trainer.batch_losses) == 0
        cg.Trainer(net, cg.SGD(0.1), 1).step([[0.0]], [[1.0]])  # without it there is none
    finally:
        kernels.select_engine(before)


def test_in_the_reference_neither():
    net = reference.Network(1, [reference.Dense(1)], loss="quadratic")
    net.parameters = [1e160, 0.0]
    with pytest.raises(reference.DivergenceError, match="the loss is inf at step 0"):
        reference.Trainer(net, reference.SGD(0.1, l2_penalty=0.5)).step([[0.0]], [[1.0]])
    assert net.parameters == [1e160, 0.0]
