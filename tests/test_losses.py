"""Losses: the values that others compute, and what networks make of them."""

import numpy as np
import pytest

from cygrad import network, reference
from cygrad._engine import kernels
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("activation", ["identity", "tanh", "softmax"])
def test_linear_gives_the_derivatives_of_the_outputs(activation, reduction, isa):
    rng = np.random.default_rng(0)
    X, factors = rng.normal(size=(5, 3)), rng.normal(size=(5, 19))
    dense = [reference.Dense(4, "tanh"), reference.Dense(19, activation)]
    net = reference.Network(3, dense, loss="linear", reduction=reduction)
    net.parameters = rng.normal(size=len(net.parameters)).tolist()
    expected = net.backward(X.tolist(), factors.tolist())

    activations = ["tanh", activation]
    engine = Engine("float64", [3, 4, 19], activations, [True, True], "linear", reduction)
    engine.set_parameters(np.array(net.parameters))
    loss, weights, _, deltas, _, outputs, inputs = engine.backward(
        Samples(X), Samples(factors), True, ("weights", "deltas", "activations")
    )
    total = (outputs[-1] * factors).sum() / (5 if reduction == "mean" else 1)
    np.testing.assert_allclose(loss, total, rtol=1e-13)
    np.testing.assert_allclose(loss, expected.loss, rtol=1e-13)
    for layer in range(2):
        np.testing.assert_allclose(deltas[layer], expected.deltas[layer], rtol=0, atol=1e-14)
        np.testing.assert_allclose(weights[layer], expected.weights[layer], rtol=0, atol=1e-13)
    np.testing.assert_allclose(inputs, expected.inputs, rtol=0, atol=1e-13)


def test_no_user_can_name_an_internal_loss():
    assert "internal" in kernels.LOSSES["linear"]
    assert "linear" not in network.LOSSES
