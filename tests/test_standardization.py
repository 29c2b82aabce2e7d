"""Standardised inputs in training: (x − mean) · scale where the engine gathers its samples."""

import numpy as np
import pytest
from bits import assert_same_bits
from layouts import MATRICES

import cygrad as cg

DTYPES = ("float32", "float64")
KINDS = [*"?bBhHiIlL", "float16", "float32", "float64"]


def network(dtype, inputs=5, units=7):
    layers = [cg.Dense(units, "tanh"), cg.Dense(3, "softmax")]
    return cg.Network(inputs, layers, loss="cross_entropy", dtype=dtype, rng=0)


def data(rows=70, inputs=5):
    rng = np.random.default_rng(0)
    return 40 * rng.random((rows, inputs)), rng.integers(0, 3, rows)


def by_numpy(net, X):
    return (np.asarray(X).astype(np.float64) - net.input_mean) * net.input_scale


def trained(net, X, y, **options):
    """Train in all ways, and return what comes of it."""
    trainer = cg.Trainer(net, cg.Adam(0.01), batch_size=16, rng=1, **options)
    history = trainer.fit(X, y, epochs=2, X_val=X[:9], y_val=y[:9])
    losses = [trainer.partial_fit(X, y), trainer.step(X[:40], y[:40])]
    losses += [trainer.learn_one(X[0], int(y[0])), *history["val_loss"]]
    return np.array([*losses, *net.parameters])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("kind", "layout"),
    [*((kind, "C order") for kind in KINDS), *(("float32", layout) for layout in MATRICES)]
    + [(kind, "every second column") for kind in KINDS],
)
def test_training_has_the_bits_of_numpy(kind, layout, dtype):
    plain, net = network(dtype), network(dtype)
    X, y = data()
    X = MATRICES[layout](X.astype(kind))
    net.standardize_inputs(X)
    assert_same_bits(trained(net, X, y), trained(plain, by_numpy(net, X), y))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("inputs", [1, 16, 33, 300])
def test_bits_on_every_instruction_set_and_thread_count(isa, inputs, dtype):
    X, y = data(200, inputs)
    X = X.astype(np.uint8)
    plain = network(dtype, inputs, 130)
    net = network(dtype, inputs, 130)
    net.standardize_inputs(X)
    expected = trained(plain, by_numpy(net, X), y, threads=1)
    for threads in (1, 2):
        net = network(dtype, inputs, 130)
        net.standardize_inputs(X)
        assert_same_bits(trained(net, X, y, threads=threads), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_denormal_numbers_count(dtype):
    net = network(dtype)
    X = np.full((2, 5), 1e-40, np.float32)
    X[1] = 3e-40
    net.set_standardization(np.full(5, 2e-40), np.full(5, 1e40))
    plain = network(dtype)
    assert (abs(by_numpy(net, X)) > 0.9).all()
    assert_same_bits(net.forward(X), plain.forward(by_numpy(net, X)))
    assert_same_bits(net.predict_one(X[0]), net.predict(X)[0])


def test_samples_are_not_copied():
    net = network("float32")
    net.standardize_inputs(data()[0])
    X = np.broadcast_to(np.float32([1, 2, 3, 4, 5]), (10**12, 5))
    assert net.read_samples(X, check=False).rows == 10**12


def test_integers_too_can_become_infinite():
    net = network("float32")
    X, y = data()
    X = (X > 20).astype(np.uint8)
    net.standardize_inputs(1e-35 * X)
    X[3, 1] = 200
    wanted = "standardised X holds .* in row 3, column 1, expected numbers that are finite as float"
    for call in (net.forward, net.predict, lambda X: net.evaluate(X, y)):
        with pytest.raises(ValueError, match=wanted):
            call(300 * X.astype(np.uint64))
    with pytest.raises(ValueError, match=wanted):
        cg.Trainer(net, cg.SGD(0.1)).fit(300 * X.astype(np.uint64), y)


@pytest.mark.parametrize("column", [0, 255, 256, 599])
def test_errors_name_the_column_of_wide_rows(column):
    net = network("float32", 600)
    X, _ = data(4, 600)
    net.standardize_inputs(1e-30 * X)
    X[:] = 1e-30
    X[2, column] = 1e200
    with pytest.raises(ValueError, match=f"^standardised X holds .* in row 2, column {column},"):
        net.forward(X)
    X[1, column] = np.nan
    with pytest.raises(ValueError, match=f"^X holds nan in row 1, column {column},"):
        cg.Trainer(net, cg.SGD(0.1)).step(X, [0, 1, 2, 0])


def test_a_fit_goes_on_with_mean_and_scale_of_its_beginning():
    def end_standardization(trainer, epoch, logs):
        trainer.net.standardize_inputs(None)

    X, y = data()
    nets = [network("float32") for _ in range(2)]
    for net, callbacks in zip(nets, [[], [end_standardization]], strict=True):
        net.standardize_inputs(X)
        cg.Trainer(net, cg.SGD(0.1), rng=0).fit(X, y, epochs=3, callbacks=callbacks)
    assert nets[1].input_mean is None
    assert_same_bits(nets[0].parameters, nets[1].parameters)
