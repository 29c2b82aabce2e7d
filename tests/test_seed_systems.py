"""The systems of the tutorials that the package grew out of, through the public API, in float64."""

import numpy as np
import pytest
import seed_systems
from tolerances import assert_close, depth_of

import cygrad as cg

DTYPE = "float64"
EXPECTED_WITHIN = 1e-9  # the numbers are known to ten decimals


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


# The four equations, written out


def test_the_equations_by_hand():
    """Sigmoid network, C = 1/(2n) Σ ‖y − a²‖²: δ² = ∇ₐC ⊙ σ′(z²), δ¹ = (W²)ᵀ δ² ⊙ σ′(z¹), …"""
    rng = np.random.default_rng(0)
    sizes, n, rate = (4, 5, 3), 7, 0.5
    W1, b1 = rng.normal(size=(5, 4)), rng.normal(size=5)
    W2, b2 = rng.normal(size=(3, 5)), rng.normal(size=3)
    X, y = rng.normal(size=(n, 4)), rng.random((n, 3))

    z1 = X @ W1.T + b1
    a1 = sigmoid(z1)
    z2 = a1 @ W2.T + b2
    a2 = sigmoid(z2)
    loss = ((y - a2) ** 2).sum() / (2 * n)
    delta2 = (a2 - y) / n * a2 * (1 - a2)
    delta1 = (delta2 @ W2) * a1 * (1 - a1)
    by_hand = {
        "pre_activations": (z1, z2),
        "activations": (a1, a2),
        "deltas": (delta1, delta2),
        "weights": (delta1.T @ X, delta2.T @ a1),
        "biases": (delta1.sum(axis=0), delta2.sum(axis=0)),
    }

    layers = [
        cg.Dense(5, "sigmoid", weights_init=W1, bias_init=b1),
        cg.Dense(3, "sigmoid", weights_init=W2, bias_init=b2),
    ]
    net = cg.Network(4, layers, loss="quadratic", dtype=DTYPE)
    depth = depth_of(sizes, n)
    gradients = net.backward(X, y)
    assert_close(gradients.loss, loss, DTYPE, depth, "loss")
    for name, arrays in by_hand.items():
        for layer, array in enumerate(arrays):
            actual = getattr(gradients, name)[layer]
            assert_close(actual, array, DTYPE, depth, f"{name}[{layer}]")
    assert_close(gradients.inputs, delta1 @ W1, DTYPE, depth, "inputs")

    cg.Trainer(net, cg.SGD(rate), n).fit(X, y)
    for layer, (W, b) in enumerate([(W1, b1), (W2, b2)]):
        W_next = W - rate * by_hand["weights"][layer]
        b_next = b - rate * by_hand["biases"][layer]
        assert_close(net.layers[layer].weights, W_next, DTYPE, depth, "W − η ∂C/∂W")
        assert_close(net.layers[layer].biases, b_next, DTYPE, depth, "b − η ∂C/∂b")


# Gradients against central differences


@pytest.mark.parametrize("eps", [1e-4, None])
def test_all_gradients_of_the_circles_pass_before_training(eps):
    net, X, y = circles_network()
    report = cg.check_gradients(net, X, y, eps=eps)
    assert (report.compared, report.kinks, report.failures) == (17, 0, ())


def test_a_wrong_gradient_is_found_and_named(monkeypatch):
    net, X, y = circles_network()
    right = cg.Network.backward

    def wrong(*arguments, **options):
        gradients = right(*arguments, **options)
        gradients.weights[1][0, 2] *= 1.001
        return gradients

    monkeypatch.setattr(cg.Network, "backward", wrong)
    with pytest.raises(cg.GradientError) as caught:
        cg.check_gradients(net, X, y)
    (failure,) = caught.value.report.failures
    assert (failure.parameter, failure.layer, failure.index) == ("weights", 1, (0, 2))
    message = str(caught.value)
    for part in ("layers[1].weights[0, 2]", repr(failure.analytic), repr(failure.numerical)):
        assert part in message


# A Gaussian hidden unit, one weight each


def rbf_network():
    hidden = cg.Dense(1, "gaussian", use_bias=False, weights_init=seed_systems.RBF_HIDDEN_WEIGHT)
    output = cg.Dense(
        1,
        "sigmoid",
        trainable="weights",
        weights_init=seed_systems.RBF_OUTPUT_WEIGHT,
        bias_init=seed_systems.RBF_OUTPUT_BIAS,
    )
    return cg.Network(
        1, [hidden, output], loss="binary_cross_entropy", reduction="sum", dtype=DTYPE
    )


RBF_RATES = {
    "callable": seed_systems.rbf_learning_rate,
    "schedule": cg.LinearDecay(0.2 - 0.2 / 50, 49),
}


@pytest.mark.parametrize("rate", RBF_RATES.values(), ids=RBF_RATES)
def test_gaussian_unit(rate, isa):
    X, y = seed_systems.rbf_data()
    net = rbf_network()
    cg.check_gradients(net, X, y)
    trainer = cg.Trainer(net, cg.SGD(rate), batch_size=len(X), rng=0)
    history = trainer.fit(X, y, seed_systems.RBF_STEPS)
    assert trainer.steps == seed_systems.RBF_STEPS
    assert history.loss[0] == pytest.approx(seed_systems.RBF_FIRST_LOSS, abs=EXPECTED_WITHIN)
    final = net.evaluate(X, y)["loss"]
    assert final == pytest.approx(seed_systems.RBF_LAST_LOSS, abs=EXPECTED_WITHIN)
    w_h, w_o, b_o = net.parameters
    assert w_h == pytest.approx(seed_systems.RBF_LAST_HIDDEN_WEIGHT, abs=EXPECTED_WITHIN)
    assert w_o == pytest.approx(seed_systems.RBF_LAST_OUTPUT_WEIGHT, abs=EXPECTED_WITHIN)
    assert b_o == seed_systems.RBF_OUTPUT_BIAS


# Two noisy circles


def circles_network():
    X, y = seed_systems.circles_data()
    start = seed_systems.circles_start()
    layers = [
        cg.Dense(3, "sigmoid", weights_init=start.hidden_weights, bias_init=start.hidden_biases),
        cg.Dense(2, "softmax", weights_init=start.output_weights, bias_init=start.output_biases),
    ]
    net = cg.Network(2, layers, loss="cross_entropy", reduction="sum", dtype=DTYPE)
    return net, X, y


@pytest.mark.parametrize("encode", [lambda y: y, lambda y: np.eye(2)[y]], ids=["indices", "rows"])
def test_circles_with_momentum(encode, isa):
    net, X, y = circles_network()
    first = net.evaluate(X, encode(y))["loss"]
    assert first == pytest.approx(seed_systems.CIRCLES_FIRST_LOSS, abs=EXPECTED_WITHIN)
    optimizer = cg.SGD(seed_systems.CIRCLES_LEARNING_RATE, momentum=seed_systems.CIRCLES_MOMENTUM)
    history = cg.Trainer(net, optimizer, batch_size=len(X), rng=0).fit(
        X, encode(y), seed_systems.CIRCLES_STEPS
    )
    assert len(history.loss) == seed_systems.CIRCLES_STEPS
    final = net.evaluate(X, encode(y))
    assert final["loss"] == pytest.approx(seed_systems.CIRCLES_LAST_LOSS, abs=EXPECTED_WITHIN)
    assert final["accuracy"] == 1
    assert np.array_equal(net.predict(X), y)
