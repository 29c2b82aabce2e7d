"""Memory-mapped arrays: read where they are, with the bits of arrays in memory."""

import tracemalloc

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg

ROWS, INPUTS = 40_000, 100


@pytest.fixture(scope="module", params=["C", "F"])
def arrays(request, tmp_path_factory):
    """An array, and the same numbers in a file, mapped for reading."""
    path = tmp_path_factory.mktemp("mapped") / "X.npy"
    X = np.random.default_rng(0).random((ROWS, INPUTS), np.float32)
    X = np.asarray(X, order=request.param)
    np.save(path, X)
    return X, np.load(path, mmap_mode="r")


def network(standardized=None):
    layers = [cg.Dense(8, "relu"), cg.Dense(3, "softmax")]
    net = cg.Network(INPUTS, layers, loss="cross_entropy", rng=0)
    if standardized is not None:
        net.standardize_inputs(standardized)
    return net


def test_bits_of_arrays_in_memory(arrays):
    y = np.arange(ROWS) % 3
    found = []
    for X in arrays:
        net = network(standardized=X[:1000])
        trainer = cg.Trainer(net, cg.Adam(0.01), batch_size=64, rng=0)
        trainer.fit(X[:2000], y[:2000], X_val=X[2000:3000], y_val=y[2000:3000])
        trainer.partial_fit(X[:500], y[:500])
        net.gradient(X[:500], y[:500])
        found.append(np.concatenate([net.parameters, net.forward(X[:500]).ravel()]))
    assert_same_bits(*found)


def test_no_copy_is_made(arrays):
    X = arrays[1]
    assert isinstance(X, np.memmap)
    y = np.arange(ROWS) % 3
    net = network(standardized=X[:100])
    trainer = cg.Trainer(net, cg.SGD(0.01), batch_size=64, rng=0)
    tracemalloc.start()
    try:
        trainer.fit(X, y, X_val=X, y_val=y)
        trainer.partial_fit(X, y)
        net.predict(X)
        assert tracemalloc.get_traced_memory()[1] < X.nbytes / 4
    finally:
        tracemalloc.stop()


def test_numbers_that_are_not_finite_are_named(tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, np.full((300, INPUTS), np.nan))
    with pytest.raises(ValueError, match=r"^X holds nan in row 0, column 0, expected finite"):
        cg.Trainer(network(), cg.SGD(0.1)).fit(np.load(path, mmap_mode="r"), np.zeros(300, int))


def test_an_epoch_in_fortran_order_takes_a_few_times_as_long():
    """It took 2000 times as long while all between the columns of a row was prefetched."""
    X = np.random.default_rng(0).random((ROWS, INPUTS), np.float32)
    seconds = []
    for array in (X, np.asfortranarray(X)):
        trainer = cg.Trainer(network(), cg.SGD(0.01), batch_size=64, rng=0, threads=1)
        seconds.append(min(trainer.fit(array, np.arange(ROWS) % 3, epochs=3).seconds))
    assert seconds[1] < 100 * seconds[0]
