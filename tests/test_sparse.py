"""Sparse samples in compressed rows: the bits of the dense samples, and errors that name X."""

import gc
import tracemalloc

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg
from cygrad._engine import kernels
from cygrad._engine.plan import set_costs

DTYPES = ("float32", "float64")
OPTIMIZERS = {
    "sgd": cg.SGD(0.1),
    "decay": cg.SGD(0.1, weight_decay=0.01),
    "nesterov": cg.SGD(0.1, momentum=0.9, nesterov=True),
    "adam": cg.Adam(0.01),
}


class Rows:
    """A matrix in compressed rows, with SciPy's attributes."""

    format = "csr"

    def __init__(self, X, index="int32"):
        rows, columns = np.nonzero(X)
        self.shape, self.indices, self.data = X.shape, columns.astype(index), X[rows, columns]
        self.indptr = np.searchsorted(rows, np.arange(len(X) + 1)).astype(index)


def data(rows=70, inputs=50, share=0.1, kind="float64", seed=0):
    """Return samples with a share of non-zeros, an empty row, a full one and an empty column."""
    rng = np.random.default_rng(seed)
    X = np.where(rng.random((rows, inputs)) < share, rng.normal(size=(rows, inputs)), 0)
    X[rows // 2], X[rows // 3] = 0, 1 + rng.random(inputs)
    X[:, inputs // 2] = 0
    X = (10 * np.abs(X)) if kind[0] in "?bBhHiIlL" else X
    return X.astype(kind), rng.integers(0, 3, rows)


def network(dtype="float32", inputs=50, units=37, loss="cross_entropy", hidden="relu", **options):
    output = {"cross_entropy": "softmax", "mse": "identity"}[loss]
    layers = [cg.Dense(units, hidden, **options)] if units else []
    layers.append(cg.Dense(3, output))
    return cg.Network(inputs, layers, loss=loss, dtype=dtype, rng=0)


def computed(net, X, y, optimizer="adam", batch_size=16, threads=1, **options):
    """Compute everything that takes samples, and return its numbers."""
    results = [net.forward(X, threads=threads), net.predict(X, threads=threads)]
    results += [*net.evaluate(X, y, threads=threads).values()]
    results += [*net.gradient(X, y, threads=threads), net.jacobian(X, threads=threads)]
    g = net.backward(X, y, threads=threads)
    results += [*g.weights, *g.biases, *g.deltas, *g.pre_activations, *g.activations, g.inputs]
    trainer = cg.Trainer(
        net, OPTIMIZERS[optimizer], batch_size=batch_size, rng=1, threads=threads, **options
    )
    history = trainer.fit(X, y, epochs=2, X_val=X, y_val=y)
    results += [trainer.partial_fit(X, y), trainer.step(X, y), history["loss"], history["val_loss"]]
    return [np.asarray(each) for each in [*results, net.parameters] if each is not None]


def assert_equal(make, sparse, dense, y, **options):
    found, expected = computed(make(), sparse, y, **options), computed(make(), dense, y, **options)
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        assert_same_bits(one, other, f"result {index}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("units", [0, 1, 37, 130])
def test_bits_of_the_dense_samples(isa, units, optimizer, dtype):
    X, y = data()
    assert_equal(lambda: network(dtype, units=units), Rows(X), X, y, optimizer=optimizer)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [1, 2, 31, 32, 33, 700])
@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_bits_for_every_width(loss, inputs, dtype):
    X, y = data(inputs=inputs)
    y = y if loss == "cross_entropy" else np.random.default_rng(1).random((len(y), 3))
    assert_equal(lambda: network(dtype, inputs, 20, loss, "tanh"), Rows(X), X, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_bits_on_several_threads_and_in_blocks(isa, optimizer, threads, dtype):
    X, y = data(rows=500, inputs=80)
    before = set_costs(barrier=0, thread_start=0, transfer=0, sparse_block_bytes=1)
    try:
        assert_equal(
            lambda: network(dtype, 80, 70), Rows(X), X, y,
            optimizer=optimizer, batch_size=200, threads=threads,
        )  # fmt: skip
    finally:
        set_costs(**before)


@pytest.mark.parametrize("index", ["int32", "int64", "uint32"])
@pytest.mark.parametrize("kind", [*"?bBhHiIlL", "float16", "float32", "float64", ">f8", ">i4"])
def test_every_dtype(kind, index):
    X, y = data(kind=kind)
    for dtype in DTYPES:
        assert_equal(lambda dtype=dtype: network(dtype), Rows(X, index), X, y)


@pytest.mark.parametrize("options", [{"clip_norm": 0.1}, {"clip_value": 0.01}, {"accumulate": 3}])
@pytest.mark.parametrize("threads", [1, 2])
def test_clipped_and_accumulated_gradients(threads, options):
    X, y = data()
    before = set_costs(barrier=0, thread_start=0, transfer=0)
    try:
        assert_equal(network, Rows(X), X, y, threads=threads, **options)
    finally:
        set_costs(**before)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "hidden",
    [
        [cg.BatchNorm()],
        [cg.LayerNorm()],
        [cg.Scaling()],
        [cg.Dropout(0.3)],
        [cg.Residual([cg.Dense(20, "relu")])],
    ],
)
def test_layers_after_the_first(hidden, threads):
    def make():
        layers = [cg.Dense(20, "relu"), *hidden, cg.Dense(3, "softmax")]
        return cg.Network(50, layers, loss="cross_entropy", rng=0)

    X, y = data()
    before = set_costs(barrier=0, thread_start=0, transfer=0)
    try:
        assert_equal(make, Rows(X), X, y, threads=threads)
    finally:
        set_costs(**before)


@pytest.mark.parametrize(
    "layer",
    [
        cg.BatchNorm(),
        cg.LayerNorm(),
        cg.Scaling(),
        cg.Dropout(0.3),
        cg.Residual([cg.Dense(50, "relu")]),
    ],
)
def test_layers_that_need_dense_samples(layer):
    X, _ = data()
    net = cg.Network(50, [layer, cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    with pytest.raises(TypeError, match=r"^X is sparse, and the network has .* of its inputs; ex"):
        net.forward(Rows(X))


@pytest.mark.parametrize("trainable", [False, "weights", "biases"])
def test_frozen_parameters(trainable):
    X, y = data()
    assert_equal(lambda: network(trainable=trainable), Rows(X), X, y)
    assert_equal(lambda: network(use_bias=False), Rows(X), X, y)


def test_rows_of_all_zeros_or_all_numbers():
    y = np.arange(9) % 3
    for X in (np.zeros((9, 300)), np.ones((9, 300)), np.eye(9, 300)):
        assert_equal(lambda: network(inputs=300), Rows(X), X, y, batch_size=4)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sign_of_zero(dtype):
    """Sums that are −0 after their non-zeros; a step with 0 makes 0 of some of them."""
    smallest = float(np.finfo(dtype).tiny)
    X, _ = data(inputs=8)
    X[:20] = 0
    X[:10, 3] = smallest
    X[5:15, 4] = -smallest

    def make():
        net = network(dtype, 8, 37, "mse", "identity")
        rng = np.random.default_rng(3)
        weights = np.where(rng.random((37, 8)) < 0.5, 0.25, -0.25)
        net.layers[0].weights = weights
        net.layers[0].biases = np.where(rng.random(37) < 0.7, -0.0, 0.0)
        return net

    targets = np.zeros((70, 3))
    sparse, dense = make().forward(Rows(X)), make().forward(X)
    assert_same_bits(sparse, dense)
    z = [make().backward(each, targets).pre_activations[0] for each in (Rows(X), X)]
    assert np.signbit(z[1][:20][z[1][:20] == 0]).any()
    assert_same_bits(z[0], z[1])
    for scale in (1.0, 1e-20):
        assert_equal(make, Rows(scale * X), scale * X, targets, optimizer="sgd")


def test_stored_zeros_of_both_signs():
    X, y = data()
    given = Rows(X)
    given.data[::3] = 0
    given.data[1::3] = -0.0
    X = np.zeros_like(X)
    X[np.repeat(np.arange(70), np.diff(given.indptr)), given.indices] += given.data

    def make():
        net = network(loss="mse")
        net.layers[0].biases = np.full(37, -0.0)
        return net

    assert_equal(make, given, X, np.eye(3)[y])


def test_dense_and_sparse_samples_in_turn():
    """A plan is made anew when the kind of the samples changes, or their non-zeros become more."""
    X, y = data()
    few, _ = data(share=0.01, seed=1)
    few[len(few) // 3] = 0
    nets = [network(), network()]
    trainers = [cg.Trainer(net, cg.Adam(0.01), batch_size=16, rng=0) for net in nets]
    for net, trainer, form in zip(nets, trainers, (Rows, np.asarray), strict=True):
        for turn in (few, X, few):
            trainer.fit(form(turn), y)
            trainer.fit(turn, y)
            trainer.learn_one(turn[0], 1)
            net.gradient(form(turn), y)
            net.gradient(turn, y)
            net.predict(form(turn)), net.predict(turn), net.predict_one(turn[0])
    assert_same_bits(nets[0].parameters, nets[1].parameters)


def test_unsorted_columns_and_duplicates():
    X, y = data()
    given = Rows(X)
    rng = np.random.default_rng(0)
    rows = np.repeat(np.arange(len(X)), np.diff(given.indptr))
    halves = np.concatenate([given.data / 2, given.data / 2])
    order = np.lexsort((rng.random(2 * len(rows)), np.tile(rows, 2)))
    given.indices, given.data = np.tile(given.indices, 2)[order], halves[order]
    given.indptr = 2 * given.indptr
    before = given.indices.copy(), given.data.copy()
    assert_equal(network, given, X, y)
    assert_same_bits(given.indices, before[0])
    assert_same_bits(given.data, before[1])


@pytest.mark.parametrize("kind", ["csr_matrix", "csr_array"])
def test_scipy(kind):
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    X, y = data()
    assert_equal(network, getattr(sparse, kind)(X), X, y)
    for form in ("csc", "coo", "lil", "dok", "bsr"):
        other = sparse.csr_array(X).asformat(form)
        with pytest.raises(TypeError, match=f"^X is a sparse matrix in format '{form}', expect"):
            network().forward(other)
        assert_same_bits(network().forward(other.tocsr()), network().forward(X))


@pytest.mark.skipif(kernels.selected_engine() == "loops", reason="loops expand each batch")
def test_there_is_no_dense_copy():
    rows, inputs = 10_000, 2_000
    rng = np.random.default_rng(0)
    X = Rows(np.eye(1, inputs))
    X.shape = rows, inputs
    X.indices = rng.integers([0, inputs // 2], [inputs // 2, inputs], (rows, 2)).ravel()
    X.indptr, X.data = np.arange(0, 2 * rows + 1, 2), np.ones(2 * rows)
    y = rng.integers(0, 3, rows)
    net = network(inputs=inputs, units=4)
    gc.collect()
    tracemalloc.start()
    try:
        cg.Trainer(net, cg.Adam(0.01), batch_size=64, rng=0).fit(X, y, X_val=X, y_val=y)
        net.predict(X)
        net.gradient(X, y)
        assert tracemalloc.get_traced_memory()[1] < 0.1 * rows * inputs * 4
    finally:
        tracemalloc.stop()


class TestStandardization:
    def test_with_means_that_are_all_zero(self):
        X, y = data()

        def make(dtype):
            net = network(dtype)
            net.set_standardization(np.zeros(50), np.linspace(0.5, 2, 50))
            return net

        for dtype in DTYPES:
            assert_equal(lambda dtype=dtype: make(dtype), Rows(X), X, y)

    def test_with_other_means(self):
        X, y = data()
        net = network()
        net.standardize_inputs(X)
        with pytest.raises(ValueError, match=r"^X is sparse, and the network standardises"):
            net.forward(Rows(X))
        with pytest.raises(ValueError, match=r"^X is sparse, and the network standardises"):
            cg.Trainer(net, cg.SGD(0.1)).fit(Rows(X), y)

    def test_is_not_computed_from_sparse_samples(self):
        net = network()
        with pytest.raises(TypeError, match=r"^X is a sparse matrix, expected a dense array"):
            net.standardize_inputs(Rows(data()[0]))
        assert net.input_mean is None


def wrong(**changes):
    """Return sparse samples with other attributes."""
    X = Rows(data()[0])
    for name, value in changes.items():
        setattr(X, name, value(getattr(X, name)) if callable(value) else value)
    return X


def with_number(place, number):
    def change(array):
        array = array.copy()
        array[place] = number
        return array

    return change


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shape": (70, 51)}, ValueError, r"X has shape \(70, 51\), expected \(rows, 50\)"),
        ({"shape": (70, 50, 1)}, ValueError, r"X has shape \(70, 50, 1\), expected two dim"),
        ({"shape": (71, 50)}, ValueError, "X.indptr is not increasing from 0 with 72 numbers"),
        ({"shape": (0, 50), "indptr": [0]}, ValueError, "expected at least one row"),
        ({"indptr": with_number(0, 1)}, ValueError, "X.indptr is not increasing from 0"),
        ({"indptr": with_number(5, 2**30)}, ValueError, "X.indptr is not increasing from 0"),
        (
            {"indptr": with_number(-1, 2**30)},
            ValueError,
            "X has .* indices and .*, expected 10",
        ),
        (
            {"indptr": lambda a: a.astype(float)},
            TypeError,
            "X.indptr has dtype float64, expected",
        ),
        ({"indices": with_number(3, 50)}, ValueError, "a number in row 0, column 50, expected col"),
        ({"indices": with_number(-1, -1)}, ValueError, "a number in row 69, column -1, expected c"),
        ({"indices": lambda a: a[:-1]}, ValueError, "X has .* indices and .* numbers, expected"),
        ({"data": lambda a: a.astype(complex)}, TypeError, "X has dtype complex128, expected real"),
        ({"data": with_number(3, np.nan)}, ValueError, r"X holds nan in row 0, column \d+, expec"),
        ({"data": with_number(-1, 1e39)}, ValueError, r"X holds 1e\+39 in row 69, .* as float32"),
        ({"format": "csc"}, TypeError, "X is a sparse matrix in format 'csc', expected 'csr'"),
    ],
)
def test_errors_name_the_argument(changes, error, message):
    X, (_, y) = wrong(**changes), data()
    net = network()
    before = net.parameters
    for call in (
        lambda: net.forward(X),
        lambda: net.evaluate(X, y),
        lambda: net.gradient(X, y),
        lambda: cg.Trainer(net, cg.SGD(0.1)).fit(X, y),
    ):
        with pytest.raises(error, match=message):
            call()
    assert_same_bits(net.parameters, before)


def test_where_samples_must_be_dense():
    X, _ = data()
    net = network()
    with pytest.raises(TypeError, match=r"^x is a sparse matrix, expected a dense array"):
        net.predict_one(Rows(X[:1]))
    with pytest.raises(TypeError, match=r"^x is a sparse matrix, expected a dense array"):
        cg.Trainer(net, cg.SGD(0.1)).learn_one(Rows(X[:1]), 1)
    with pytest.raises(TypeError, match=r"^y has dtype object"):
        network(loss="mse").evaluate(X, Rows(X[:, :3]))


def test_columns_that_change_during_training_are_harmless():
    """Another thread's mistake gives a wrong result, and no access outside of the arrays."""
    X, y = data()
    given = Rows(X)

    def spoil(trainer, epoch, logs):
        given.indices[:] = [2**31 - 1, -(2**31)][epoch % 2]

    cg.Trainer(network(), cg.SGD(1e-6), rng=0).fit(given, y, epochs=3, callbacks=[spoil])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_definition_of_the_bits_takes_sparse_samples_too(optimizer, dtype):
    X, y = data()
    before = kernels.selected_engine()
    kernels.select_engine("loops")
    try:
        assert_equal(lambda: network(dtype), Rows(X), X, y, optimizer=optimizer)
    finally:
        kernels.select_engine(before)


def test_columns_that_change_during_training_count_as_the_first():
    X, y = data()
    nets = []
    for column in (0, 50, 2**31 - 1, -1):
        given = Rows(X)
        nets.append(network())

        def spoil(trainer, epoch, logs, given=given, column=column):
            given.indices[:] = column

        trainer = cg.Trainer(nets[-1], cg.SGD(1e-3), rng=0)
        trainer.fit(given, y, epochs=2, callbacks=[spoil])
    for net in nets[1:]:
        assert_same_bits(net.parameters, nets[0].parameters)
