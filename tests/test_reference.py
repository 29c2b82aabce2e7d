"""The pure-Python reference, against central differences, numbers by hand and the seed systems."""

import ast
import doctest
import math
import random
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import seed_systems

from cygrad import reference
from cygrad.reference import SGD, Adam, Dense, Network, Trainer, numerical_gradients

HIDDEN = [name for name in reference.ACTIVATIONS if name != "softmax"]
OUTPUTS = [
    *((output, loss) for loss in ("quadratic", "mse") for output in reference.ACTIVATIONS),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
    *((output, "hinge") for output in HIDDEN),
]


def random_network(inputs, layers, *, loss, reduction="mean", seed=0):
    generator = random.Random(seed)
    network = Network(inputs, layers, loss=loss, reduction=reduction)
    network.parameters = [generator.gauss(0, 0.8) for _ in network.parameters]
    return network


def random_batch(loss, samples, inputs, outputs, seed=1):
    generator = random.Random(seed)
    X = [[generator.gauss(0, 1) for _ in range(inputs)] for _ in range(samples)]
    if reference.LOSSES[loss].classifies:
        return X, [generator.randrange(outputs) for _ in range(samples)]
    return X, [[generator.random() for _ in range(outputs)] for _ in range(samples)]


def flat(values):
    return [x for value in values for x in flat(value)] if isinstance(values, list) else [values]


def close(values, rtol=1e-12, atol=1e-12):
    return pytest.approx(np.array(flat(values)), rel=rtol, abs=atol)


def assert_gradients_match_central_differences(network, X, y, epsilon=1e-5, tolerance=2e-8):
    exact = network.backward(X, y)
    numerical = numerical_gradients(network, X, y, epsilon)
    for name in ("weights", "biases", "inputs"):
        expected = flat(getattr(numerical, name))
        assert flat(getattr(exact, name)) == close(expected, rtol=tolerance, atol=tolerance), name
    assert any(flat(exact.weights))


# What it is made of


def test_it_imports_the_standard_library_alone():
    folder = Path(reference.__file__).parent
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert all(name.name in sys.stdlib_module_names for name in node.names), module
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert node.module.split(".")[0] in sys.stdlib_module_names, module
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, module


def test_the_example_in_its_docstring():
    result = doctest.testmod(reference)
    assert result.attempted > 0
    assert result.failed == 0


# Gradients


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize(("output", "loss"), OUTPUTS)
def test_gradients_match_central_differences(hidden, output, loss):
    network = random_network(3, [Dense(4, hidden), Dense(3, output)], loss=loss)
    X, y = random_batch(loss, 4, 3, 3)
    if (hidden, output) == ("exp", "exp"):  # the third derivatives of exp(exp(z)) are large
        X = [[0.3 * x for x in row] for row in X]
    assert_gradients_match_central_differences(network, X, y)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_of_a_deep_network_with_a_layer_without_bias(reduction):
    layers = [Dense(4, "tanh"), Dense(3, "sigmoid", use_bias=False), Dense(2), Dense(3, "softmax")]
    network = random_network(2, layers, loss="cross_entropy", reduction=reduction)
    X, y = random_batch("cross_entropy", 5, 2, 3)
    assert_gradients_match_central_differences(network, X, y)
    assert network.backward(X, y).biases[1] == [0.0, 0.0, 0.0]


def test_gradients_for_rows_of_probabilities():
    network = random_network(2, [Dense(3, "tanh"), Dense(3, "softmax")], loss="cross_entropy")
    X = [[0.3, -1.2], [2.0, 0.1]]
    assert_gradients_match_central_differences(network, X, [[0.2, 0.5, 0.3], [0.0, 0.25, 0.75]])


def test_class_indices_are_one_hot_rows():
    network = random_network(2, [Dense(3, "softmax")], loss="cross_entropy")
    X = [[0.3, -1.2], [2.0, 0.1]]
    assert network.backward(X, [2, 0]) == network.backward(X, [[0, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("name", HIDDEN)
def test_a_wrong_slope_does_not_pass(name, monkeypatch):
    network = random_network(2, [Dense(3, name), Dense(1, "tanh")], loss="quadratic")
    right = reference.ACTIVATIONS[name]
    wrong = replace(right, backward=lambda z, a, g: [1.001 * d for d in right.backward(z, a, g)])
    monkeypatch.setitem(reference.ACTIVATIONS, name, wrong)
    with pytest.raises(AssertionError):
        assert_gradients_match_central_differences(network, [[0.2, -0.3]], [[0.1]])


def test_the_mean_is_the_sum_over_the_number_of_samples():
    layers = [Dense(3, "tanh"), Dense(2)]
    X, y = random_batch("quadratic", 5, 2, 2)
    mean = random_network(2, layers, loss="quadratic", reduction="mean").backward(X, y)
    total = random_network(2, layers, loss="quadratic", reduction="sum").backward(X, y)
    assert total.loss == pytest.approx(5 * mean.loss, rel=1e-14)
    for name in ("weights", "biases", "deltas", "inputs"):
        scaled = [5 * x for x in flat(getattr(mean, name))]
        assert flat(getattr(total, name)) == close(scaled), name


def test_the_backward_pass_is_linear():
    """With the forward pass fixed, twice ∇ₐC gives twice every delta."""
    network = random_network(2, [Dense(3, "gaussian"), Dense(2)], loss="quadratic")
    x = [0.4, -0.3]
    a = network.forward([x])[0]
    once, twice = (network.backward([x], [[a_j - factor for a_j in a]]).deltas for factor in (1, 2))
    assert flat(twice) == close([2 * d for d in flat(once)])


# Values by hand


def test_sigmoid_neuron():
    """f = σ(2·(−1) − 3·(−2) − 3); targets that make ∇ₐC = 1 give the gradients of f itself."""
    network = Network(2, [Dense(1, "sigmoid")], loss="quadratic")
    network.layers[0].weights = [[2, -3]]
    network.layers[0].biases = [-3]
    x = [-1.0, -2.0]
    f = network.forward([x])[0][0]
    gradients = network.backward([x], [[f - 1]])
    assert gradients.pre_activations == [[[1.0]]]
    assert f == pytest.approx(0.7310585786, abs=1e-10)
    assert flat(gradients.deltas) == close([0.1966119332], atol=1e-10)
    assert flat(gradients.inputs) == close([0.3932238665, -0.5898357997], atol=1e-10)
    assert flat(gradients.weights) == close([-0.1966119332, -0.3932238665], atol=1e-10)
    assert flat(gradients.biases) == close([0.1966119332], atol=1e-10)


def test_two_linear_layers():
    """z¹ = 2·3 − 1 = 5, z² = 4·5 + 2 = 22, C = ½ (22 − 20)² = 2, δ² = 2, δ¹ = 4·2, and so on."""
    network = Network(1, [Dense(1), Dense(1)], loss="quadratic")
    network.parameters = [2, -1, 4, 2]
    gradients = network.backward([[3]], [[20]])
    assert gradients.loss == 2
    assert gradients.pre_activations == gradients.activations == [[[5]], [[22]]]
    assert gradients.deltas == [[[8]], [[2]]]
    assert gradients.weights == [[[24]], [[10]]]
    assert gradients.biases == [[8], [2]]
    assert gradients.inputs == [[16]]


@pytest.mark.parametrize(
    ("name", "z", "a"),
    [
        ("identity", -1.5, -1.5),
        ("sigmoid", math.log(3), 0.75),
        ("sigmoid", -1000, 0.0),
        ("sigmoid", 1000, 1.0),
        ("tanh", math.log(3), 0.8),
        ("relu", -2, 0.0),
        ("relu", 0, 0.0),
        ("relu", 2, 2.0),
        ("gaussian", math.sqrt(math.log(2)), 0.5),
        ("gaussian", 1e200, 0.0),
    ],
)
def test_activation(name, z, a):
    assert reference.ACTIVATIONS[name].value([z]) == [pytest.approx(a, rel=1e-15, abs=1e-300)]


def test_softmax():
    softmax = reference.ACTIVATIONS["softmax"].value
    assert softmax([math.log(1), math.log(2), math.log(5)]) == close([0.125, 0.25, 0.625])
    assert softmax([1000, 1000 + math.log(3)]) == close([0.25, 0.75])
    assert softmax([-1000, 1000]) == [0, 1]


@pytest.mark.parametrize(
    ("name", "z", "a", "y", "loss"),
    [
        ("quadratic", None, [1, 2, 5], [0, 4, 5], 2.5),
        ("mse", None, [1, 2, 5], [0, 4, 5], 5 / 3),
        ("binary_cross_entropy", [math.log(3)], [0.75], [1], math.log(4 / 3)),
        ("binary_cross_entropy", [math.log(3)], [0.75], [0], math.log(4)),
        ("binary_cross_entropy", [0, 0], [0.5, 0.5], [0.3, 1], 2 * math.log(2)),
        ("binary_cross_entropy", [1000, -1000], [1, 0], [0, 1], 2000),
        ("cross_entropy", [0, math.log(3)], [0.25, 0.75], [1, 0], math.log(4)),
        ("cross_entropy", [0, 0], [0.5, 0.5], [0.3, 0.7], math.log(2)),
        ("cross_entropy", [1000, -1000], [1, 0], [0, 1], 2000),
        ("hinge", None, [1, 2.5, 0], [0, 0, 1], 2 + 3.5),
        ("hinge", None, [5, 4.5, 0], [1, 0, 0], 0.5),
        ("hinge", None, [5, 4, 4], [1, 0, 0], 0),
    ],
)
def test_loss(name, z, a, y, loss):
    assert reference.LOSSES[name].value(z, a, y) == pytest.approx(loss, rel=1e-14, abs=1e-14)


def test_hinge_gradient_is_zero_on_the_margin():
    gradient = reference.LOSSES["hinge"].gradient
    assert gradient([5, 4, 4.5, 6], [1, 0, 0, 0]) == [-2, 0, 1, 1]


@pytest.mark.parametrize(
    ("loss", "outputs", "targets", "name", "metric"),
    [
        ("quadratic", [[1, 2], [3, 4]], [[1, 1], [3, 6]], "mae", 0.75),
        ("mse", [[1, 2], [3, 4]], [[1, 1], [3, 6]], "mae", 0.75),
        ("hinge", [[1, 2], [3, 0], [1, 1]], [1, 1, 0], "accuracy", 2 / 3),
        ("cross_entropy", [[1, 2], [3, 0], [1, 1]], [1, 1, 0], "accuracy", 2 / 3),
        ("cross_entropy", [[1, 2], [3, 0]], [[0.4, 0.6], [0.4, 0.6]], "accuracy", 0.5),
        ("binary_cross_entropy", [[1, -2], [0, 3]], [[1, 1], [0.5, 0.2]], "accuracy", 0.5),
    ],
)
def test_metric(loss, outputs, targets, name, metric):
    activation = reference.LOSSES[loss].activation or "identity"
    network = Network(2, [Dense(2, activation)], loss=loss)
    network.layers[0].weights = [[1, 0], [0, 1]]
    score = network.evaluate(outputs, targets)
    assert list(score) == ["loss", name]
    assert score[name] == pytest.approx(metric, rel=1e-15)
    assert score["loss"] == pytest.approx(network.backward(outputs, targets).loss, rel=1e-15)


def test_a_number_is_a_row_of_one_target():
    network = random_network(2, [Dense(1)], loss="mse")
    X = [[0.3, -1.2], [2.0, 0.1]]
    assert network.backward(X, [2, 0.5]) == network.backward(X, [[2], [0.5]])


def test_predict():
    for loss, activation in (("hinge", "identity"), ("cross_entropy", "softmax")):
        network = Network(2, [Dense(2, activation)], loss=loss)
        network.layers[0].weights = [[1, 0], [0, 1]]
        assert network.predict([[1, 2], [3, 0], [1, 1]]) == [1, 0, 0]
    network = Network(2, [Dense(2)], loss="mse")
    network.layers[0].weights = [[1, 0], [0, 1]]
    assert network.predict([[1, 2], [3, 0]]) == [[1, 2], [3, 0]]
    network = Network(1, [Dense(2, "sigmoid")], loss="binary_cross_entropy")
    network.layers[0].weights = [[1], [-1]]
    assert network.predict([[-1], [0], [1]]) == [[0, 1], [1, 1], [1, 0]]
    network = Network(1, [Dense(1, "sigmoid")], loss="binary_cross_entropy")
    network.layers[0].weights = [[1]]
    assert network.predict([[-1], [0], [1]]) == [0, 1, 1]
    network = Network(1, [Dense(1)], loss="mse")
    network.layers[0].weights = [[2]]
    assert network.predict([[1], [3]]) == [2, 6]
    assert network.predict_one([3]) == 6
    network = Network(2, [Dense(2)], loss="hinge")
    network.layers[0].weights = [[1, 1], [1, -1]]
    with pytest.raises(ValueError, match=r"X has outputs \[.*\] in row 1, which have no class"):
        network.predict([[1, 1], [1e308, 1e308]])


# Optimisers: one parameter, P = 1, η = 0.5, gradients 2 and then −1


def two_updates(optimizer):
    parameter, state, values = 1.0, optimizer.initial_state, []
    for step, gradient in enumerate((2.0, -1.0)):
        parameter, state = optimizer.update(parameter, gradient, state, 0.5, step)
        values.append(parameter)
    return values, state


def test_gradient_descent():
    assert two_updates(SGD(0.5)) == ([0.0, 0.5], ())


def test_momentum():
    # V = −1, then 0.5·(−1) + 0.5 = 0
    assert two_updates(SGD(0.5, momentum=0.5)) == ([0.0, 0.0], (0.0,))


def test_nesterov():
    # P = 1 + 0.5·(−1) − 1, then − 0.5 + 0.5·0 + 0.5
    assert two_updates(SGD(0.5, momentum=0.5, nesterov=True)) == ([-0.5, 0.0], (0.0,))


def test_adam():
    # m = 1, v = 1, m̂ = 2, v̂ = 4: P = 1 − 0.5·2/(2 + 1) = 2/3. Then m = 0, v = 1, so P stays.
    values, state = two_updates(Adam(0.5, beta1=0.5, beta2=0.75, eps=1.0))
    assert values == close([2 / 3, 2 / 3])
    assert state == close([0.0, 1.0])


def test_adam_first_step_is_the_learning_rate():
    adam = Adam()
    assert adam.update(1.0, 1e-3, adam.initial_state, 0.1, 0)[0] == pytest.approx(0.9, abs=2e-6)


def test_adam_with_epsilon_hat():
    # The rate is 0.5 · √(1 − 0.75) / (1 − 0.5) = 0.5, and m = √v = 1: P = 1 − 0.5 · 1/(1 + 1).
    values, state = two_updates(Adam(0.5, beta1=0.5, beta2=0.75, eps=1.0, epsilon_hat=True))
    assert values == close([0.75, 0.75])
    assert state == close([0.0, 1.0])


@pytest.mark.parametrize("optimizer", [SGD(0.5, weight_decay=0.5), Adam(0.5, weight_decay=0.5)])
def test_weight_decay_moves_weights_alone(optimizer):
    network = Network(1, [Dense(1)], loss="quadratic")
    network.parameters = [2, 3]
    Trainer(network, optimizer).fit([[1]], [[5]], [[0]])  # the gradient of the loss is 0
    first = {SGD: 2 - 0.5 * (0.5 * 2), Adam: 2 - 0.5}[type(optimizer)]
    assert network.parameters == close([first, 3], atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(-0.1), "learning_rate is -0.1"),
        (lambda: SGD(math.nan), "learning_rate is nan"),
        (lambda: SGD(0.1, momentum=1), "momentum is 1"),
        (lambda: SGD(0.1, nesterov=True), "nesterov is True with momentum 0"),
        (lambda: SGD(0.1, weight_decay=-1), "weight_decay is -1"),
        (lambda: Adam(beta1=1), "beta1 is 1"),
        (lambda: Adam(beta2=-1), "beta2 is -1"),
        (lambda: Adam(eps=0), "eps is 0"),
    ],
)
def test_optimizers_refuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# Training


def test_batches_are_slices_of_the_order_and_the_last_may_be_short():
    X, y = random_batch("mse", 5, 2, 1)
    layers = [Dense(3, "tanh"), Dense(1)]
    trained = random_network(2, layers, loss="mse")
    by_hand = random_network(2, layers, loss="mse")
    orders = [[3, 0, 4, 1, 2], [1, 2, 0, 4, 3]]
    trainer = Trainer(trained, SGD(0.1), batch_size=2)
    history = trainer.fit(X, y, orders)

    losses, errors = [], []
    for order in orders:
        sums, error_sums = [], []
        for batch in (order[:2], order[2:4], order[4:]):
            gradients = by_hand.backward([X[i] for i in batch], [y[i] for i in batch])
            sums.append(gradients.loss * len(batch))
            for (a,), i in zip(gradients.activations[-1], batch, strict=True):
                error_sums.append(abs(a - y[i][0]))
            for layer, dW, db in zip(
                by_hand.layers, gradients.weights, gradients.biases, strict=True
            ):
                layer.weights = (np.array(layer.weights) - 0.1 * np.array(dW)).tolist()
                layer.biases = (np.array(layer.biases) - 0.1 * np.array(db)).tolist()
        losses.append(sum(sums) / 5)
        errors.append(sum(error_sums) / 5)
    assert trained.parameters == close(by_hand.parameters)
    assert history.loss == close(losses)
    assert history.metric == close(errors)
    assert trainer.steps == 6


def test_two_fits_are_one():
    X, y = random_batch("mse", 4, 2, 1)
    networks = [random_network(2, [Dense(3, "tanh"), Dense(1)], loss="mse") for _ in range(2)]
    at_once, in_two = (Trainer(network, Adam(0.1), batch_size=2) for network in networks)
    orders = [[3, 0, 1, 2], [1, 2, 0, 3]]
    history = at_once.fit(X, y, orders)
    losses = [loss for order in orders for loss in in_two.fit(X, y, [order]).loss]
    assert losses == history.loss
    assert networks[0].parameters == networks[1].parameters
    assert at_once.weights_state == in_two.weights_state
    assert at_once.biases_state == in_two.biases_state


def test_learning_rate_is_asked_for_every_step_from_0():
    asked = []

    def rate(step):
        asked.append(step)
        return 0.1 / (step + 1)

    network = Network(1, [Dense(1, use_bias=False)], loss="quadratic")
    Trainer(network, SGD(rate), batch_size=1).fit([[1], [1]], [[1], [1]], [[0, 1], [1, 0]])
    assert asked == [0, 1, 2, 3]
    remaining = math.prod(1 - 0.1 / (step + 1) for step in range(4))
    assert network.parameters == close([1 - remaining])


@pytest.mark.parametrize(
    ("trainable", "moved"),
    [(True, [1, 1]), (False, [0, 0]), ("weights", [1, 0]), ("biases", [0, 1])],
)
@pytest.mark.parametrize("optimizer", [SGD(0.1, 0.9, weight_decay=0.1), Adam(weight_decay=0.1)])
def test_frozen_parameters_stay(optimizer, trainable, moved):
    network = random_network(1, [Dense(1, "tanh", trainable=trainable), Dense(1)], loss="quadratic")
    before = network.parameters
    Trainer(network, optimizer).fit([[1.0]], [[3.0]], [[0]] * 3)
    changed = [a != b for a, b in zip(before, network.parameters, strict=True)]
    assert changed == [*moved, 1, 1]


def test_a_loss_that_is_not_finite_stops_before_its_step():
    network = Network(1, [Dense(1)], loss="quadratic")
    trainer = Trainer(network, SGD(1e200), batch_size=1)
    with pytest.raises(reference.DivergenceError, match="the loss is inf at step 1"):
        trainer.fit([[1.0]], [[1.0]], [[0], [0]])
    assert network.parameters == [1e200, 1e200]
    assert trainer.steps == 1


def test_a_step_is_an_epoch_of_one_batch():
    X, y = [[1.0, -2.0], [0.5, 3.0], [-1.0, 1.0]], [[1.0], [0.0], [2.0]]

    def trained(train):
        network = Network(2, [Dense(2, "tanh"), Dense(1)], loss="mse")
        network.parameters = [0.1 * k for k in range(9)]
        trainer = Trainer(network, Adam(0.1), batch_size=2)
        return train(trainer), network.parameters, trainer.steps

    at_once = trained(lambda trainer: trainer.fit(X, y, [[0, 1, 2]]).loss[0])
    assert trained(lambda trainer: trainer.partial_fit(X, y)) == at_once
    in_steps = trained(lambda trainer: [trainer.step(X[:2], y[:2]), trainer.learn_one(X[2], y[2])])
    assert in_steps[1:] == at_once[1:]
    assert (2 * in_steps[0][0] + in_steps[0][1]) / 3 == pytest.approx(at_once[0])


def test_what_is_predicted_of_one_sample():
    network = Network(1, [Dense(2, "softmax")], loss="cross_entropy")
    network.layers[0].weights = [[1.0], [-1.0]]
    assert [network.predict_one([x]) for x in (1.0, -1.0)] == network.predict([[1.0], [-1.0]])


def test_bad_orders_change_nothing():
    network = Network(1, [Dense(1)], loss="quadratic")
    trainer = Trainer(network, SGD(0.1))
    for order in ([], [0, 2], [-1]):
        with pytest.raises(ValueError, match=r"orders\[1\] is"):
            trainer.fit([[1.0], [2.0]], [[1.0], [1.0]], [[0, 1], order])
    assert network.parameters == [0, 0]
    assert trainer.steps == 0
    with pytest.raises(ValueError, match="batch_size is 0"):
        Trainer(network, SGD(0.1), batch_size=0)


# Networks and data that have no meaning


@pytest.mark.parametrize(
    ("layers", "loss", "message"),
    [
        ([], "mse", "layers is empty"),
        ([Dense(2)], "log", "loss is 'log'"),
        ([Dense(2, "softmax"), Dense(2)], "mse", r"layers\[0\].activation is 'softmax'"),
        ([Dense(1, "softmax")], "mse", "has 1 unit"),
        ([Dense(2, "tanh")], "cross_entropy", "expected 'softmax'"),
        ([Dense(1, "softmax")], "cross_entropy", "has 1 unit"),
        ([Dense(1, "identity")], "binary_cross_entropy", "expected 'sigmoid'"),
        ([Dense(2, "softmax")], "hinge", "is 'softmax'"),
        ([Dense(1)], "hinge", "has 1 unit"),
    ],
)
def test_combinations_without_meaning_are_refused(layers, loss, message):
    with pytest.raises(ValueError, match=message):
        Network(2, layers, loss=loss)


def test_descriptions_without_meaning_are_refused():
    with pytest.raises(ValueError, match="units is 0"):
        Dense(0)
    with pytest.raises(ValueError, match="activation is 'step'"):
        Dense(1, "step")
    with pytest.raises(ValueError, match="trainable is 'bias'"):
        Dense(1, trainable="bias")
    with pytest.raises(ValueError, match="inputs is 0"):
        Network(0, [Dense(1)], loss="mse")
    with pytest.raises(ValueError, match="reduction is 'none'"):
        Network(1, [Dense(1)], loss="mse", reduction="none")


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("mse", [[1, 2]], "y has 1 targets, expected 2"),
        ("mse", [[1, 2], [1]], r"y\[1\] has 1 values, expected 2"),
        ("mse", [[1, 2], [1, math.inf]], r"y\[1\]\[1\] is inf"),
        ("mse", [1, 0], r"y\[0\] is 1, expected a row of 2 numbers"),
        ("binary_cross_entropy", [[0, 1], [0, 1.5]], r"y\[1\]\[1\] is 1.5"),
        ("cross_entropy", [0, 2], r"y\[1\] is 2, expected a class index from 0 to 1"),
        ("cross_entropy", [-1, 1], r"y\[0\] is -1"),
        ("cross_entropy", [[0.5, 0.4], 1], r"y\[0\] sums to 0.9"),
        ("cross_entropy", [[1.5, -0.5], 1], r"y\[0\]\[0\] is 1.5"),
        ("hinge", [[0, 1], 1], r"y\[0\] is \[0, 1\], expected a class index"),
    ],
)
def test_targets_are_checked(loss, y, message):
    activation = reference.LOSSES[loss].activation or "identity"
    network = Network(1, [Dense(2, activation)], loss=loss)
    for method in (network.backward, network.evaluate):
        with pytest.raises(ValueError, match=message):
            method([[1], [2]], y)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "X has no samples"),
        ([[1, 2], [1]], r"X\[1\] has 1 values, expected 2"),
        ([[1, math.nan]], r"X\[0\]\[1\] is nan"),
    ],
)
def test_samples_are_checked(X, message):
    with pytest.raises(ValueError, match=message):
        Network(2, [Dense(1)], loss="mse").forward(X)


def test_parameters_are_set_and_got():
    network = Network(2, [Dense(2), Dense(1, use_bias=False)], loss="mse")
    assert network.parameters == [0] * 8
    network.parameters = range(8)
    assert network.layers[0].weights == [[0, 1], [2, 3]]
    assert network.layers[0].biases == [4, 5]
    assert network.layers[1].weights == [[6, 7]]
    assert network.parameters == list(range(8))
    for name, value, message in (
        ("weights", [[1, 2]], "weights has 1 rows, expected 2"),
        ("weights", [[1, 2], [1]], r"weights\[1\] has 1 values"),
        ("biases", [1], "biases has 1 values, expected 2"),
    ):
        with pytest.raises(ValueError, match=message):
            setattr(network.layers[0], name, value)
    with pytest.raises(ValueError, match="use_bias=False"):
        network.layers[1].biases = [1]
    with pytest.raises(ValueError, match="parameters has 7 values, expected 8"):
        network.parameters = range(7)
    assert network.parameters == list(range(8))


# Seed systems


def test_equations_of_backpropagation():
    """The four equations in matrices, C = 1/(2n) Σ ‖y − aᴸ‖², with every z, a and δ compared."""
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(6, 3)), generator.random((6, 2))
    sizes = [3, 5, 4, 2]
    W = [generator.normal(size=shape) for shape in zip(sizes[1:], sizes, strict=False)]
    b = [generator.normal(size=size) for size in sizes[1:]]

    z, a = [], [X]
    for W_l, b_l in zip(W, b, strict=True):
        z.append(a[-1] @ W_l.T + b_l)
        a.append(1 / (1 + np.exp(-z[-1])))
    loss = ((y - a[-1]) ** 2).sum() / (2 * 6)
    slope = [a_l * (1 - a_l) for a_l in a[1:]]
    delta = [(a[-1] - y) / 6 * slope[-1]]
    for i in (1, 0):
        delta.insert(0, delta[0] @ W[i + 1] * slope[i])

    network = Network(3, [Dense(size, "sigmoid") for size in sizes[1:]], loss="quadratic")
    for layer, W_l, b_l in zip(network.layers, W, b, strict=True):
        layer.weights, layer.biases = W_l.tolist(), b_l.tolist()
    gradients = network.backward(X.tolist(), y.tolist())

    assert gradients.loss == pytest.approx(loss, rel=1e-13)
    for i in range(3):
        for computed, expected in (
            (gradients.pre_activations[i], z[i]),
            (gradients.activations[i], a[i + 1]),
            (gradients.deltas[i], delta[i]),
            (gradients.weights[i], delta[i].T @ a[i]),
            (gradients.biases[i], delta[i].sum(axis=0)),
        ):
            np.testing.assert_allclose(computed, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gradients.inputs, delta[0] @ W[0], rtol=1e-12, atol=1e-15)

    Trainer(network, SGD(0.3), batch_size=6).fit(X.tolist(), y.tolist(), [range(6)])
    for i, layer in enumerate(network.layers):
        stepped = W[i] - 0.3 * delta[i].T @ a[i], b[i] - 0.3 * delta[i].sum(axis=0)
        np.testing.assert_allclose(layer.weights, stepped[0], rtol=1e-12)
        np.testing.assert_allclose(layer.biases, stepped[1], rtol=1e-12)


def test_gaussian_hidden_unit():
    X, y = (array.tolist() for array in seed_systems.rbf_data())
    hidden = Dense(1, "gaussian", use_bias=False)
    output = Dense(1, "sigmoid", trainable="weights")
    network = Network(1, [hidden, output], loss="binary_cross_entropy", reduction="sum")
    network.parameters = [
        seed_systems.RBF_HIDDEN_WEIGHT,
        seed_systems.RBF_OUTPUT_WEIGHT,
        seed_systems.RBF_OUTPUT_BIAS,
    ]
    assert network.evaluate(X, y)["loss"] == pytest.approx(seed_systems.RBF_FIRST_LOSS, abs=1e-9)

    trainer = Trainer(network, SGD(seed_systems.rbf_learning_rate), batch_size=40)
    trainer.fit(X, y, [range(40)] * seed_systems.RBF_STEPS)
    assert network.evaluate(X, y)["loss"] == pytest.approx(seed_systems.RBF_LAST_LOSS, abs=1e-9)
    assert network.parameters == close(
        [
            seed_systems.RBF_LAST_HIDDEN_WEIGHT,
            seed_systems.RBF_LAST_OUTPUT_WEIGHT,
            seed_systems.RBF_OUTPUT_BIAS,
        ],
        atol=1e-9,
    )


def test_circles():
    X, y = (array.tolist() for array in seed_systems.circles_data())
    start = seed_systems.circles_start()
    network = Network(
        2, [Dense(3, "sigmoid"), Dense(2, "softmax")], loss="cross_entropy", reduction="sum"
    )
    network.parameters = np.concatenate([array.ravel() for array in start]).tolist()
    assert len(network.parameters) == 17
    assert_gradients_match_central_differences(network, X, y, epsilon=1e-4, tolerance=1e-6)
    first = network.evaluate(X, y)
    assert first["loss"] == pytest.approx(seed_systems.CIRCLES_FIRST_LOSS, abs=1e-9)

    optimizer = SGD(seed_systems.CIRCLES_LEARNING_RATE, momentum=seed_systems.CIRCLES_MOMENTUM)
    trainer = Trainer(network, optimizer, batch_size=100)
    trainer.fit(X, y, [range(100)] * seed_systems.CIRCLES_STEPS)
    last = network.evaluate(X, y)
    assert last["loss"] == pytest.approx(seed_systems.CIRCLES_LAST_LOSS, abs=1e-9)
    assert last["accuracy"] == 1
