"""The figures of the self-test of objects of other libraries."""

import importlib.util
import os

import numpy as np
import pytest

import cygrad as cg


def small(rng=0):
    net = cg.Network(
        3, [cg.Dense(4, "relu"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=rng
    )
    net.standardize_inputs(np.random.default_rng(0).normal(5, 2, (20, 3)))
    return net


def test_estimators_of_scikit_learn():
    pytest.importorskip("sklearn", reason="needs the extra sklearn")
    estimator = cg.exchange.to_sklearn(small())
    test = cg.exchange.compare(small(), estimator)
    assert test.passed
    assert test.rows == 8
    assert test.runtime.startswith("scikit-learn ")
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not cg.exchange.compare(small(1), estimator).passed
    with pytest.raises(ValueError, match="logits is True"):
        cg.exchange.compare(small(), estimator, logits=True)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_models_of_keras():
    if "KERAS_BACKEND" not in os.environ and importlib.util.find_spec("torch"):
        os.environ["KERAS_BACKEND"] = "torch"
    pytest.importorskip("h5py", reason="needs the extra keras")
    pytest.importorskip("keras", reason="needs the extra keras and a backend of Keras")
    model = cg.exchange.to_keras(small())
    test = cg.exchange.compare(small(), model)
    assert test.passed
    assert test.runtime.startswith("Keras ")
    with pytest.warns(UserWarning, match="more than rounding explains"):
        assert not cg.exchange.compare(small(1), model).passed


def test_other_objects_are_refused():
    with pytest.raises(TypeError, match="target is str, expected a module of PyTorch, a model of"):
        cg.exchange.compare(small(), "net.pt")
