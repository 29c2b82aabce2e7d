"""The engine against the pure-Python reference: one backward pass, one step, several epochs, and
single samples after that; and the plain loops, which define the bits, against the same.

Everything goes through the public API. The cases are the rows of the table in `cases`; each runs in
both dtypes and on every instruction set, against one run of the reference.
"""

from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pytest
from cases import CASES, COLUMNS, LOSS_CASES, OTHER_COLUMNS, Case, Data, kink_distance
from test_loops import train_by_loops
from tolerances import assert_close, depth_of, tolerance

import cygrad as cg
from cygrad import reference

EPOCHS = 3
SINGLES = 2  # samples learnt one by one at the end
DTYPES = ("float32", "float64")
ROWS = ("deltas", "pre_activations", "activations")


class KeepingNetwork(reference.Network):
    """A reference network that keeps the results of its latest backward pass.

    They are those of the batch of a step, which need not be computed again after it.
    """

    latest: reference.Gradients

    def backward(self, *arguments: Any, **named: Any) -> reference.Gradients:
        self.latest = super().backward(*arguments, **named)
        return self.latest


class Trained(NamedTuple):
    """The reference's results for a case."""

    data: Data
    first_loss: float
    first_step: list[float]  # parameters
    parameters: list[float]  # after all epochs
    loss: list[float]  # of the epochs
    metric: list[float]
    evaluation: dict[str, float]
    predictions: list[Any]
    single_losses: list[float]
    single_parameters: list[float]  # after all of it


def reference_of(case: Case, data: Data) -> KeepingNetwork:
    net = case.reference_network(KeepingNetwork)
    net.parameters = data.parameters.tolist()
    return net


def engine_of(case: Case, data: Data, dtype: str) -> cg.Network:
    net = case.network(dtype)
    net.parameters = data.parameters
    return net


def depth_of_training(case: Case, steps: int) -> int:
    """Return the depth of `steps` steps: a pass and the ten operations of an update each."""
    return steps * (depth_of(case.sizes, case.batch_size) + 10)


def drawn(case: Case) -> Iterator[Data]:
    """Yield candidate data for a case."""
    return map(case.draw, range(30))


@cache
def backward_by_reference(case: Case) -> tuple[Data, reference.Gradients]:
    """Return data away from all kinks, and the reference's pass over them."""
    margin = tolerance("float32", depth_of(case.sizes, case.samples))
    for data in drawn(case):
        net = reference_of(case, data)
        gradients = net.backward(data.X.tolist(), data.y.tolist())
        if kink_distance(net, gradients, data.y.tolist()) > margin:
            return data, gradients
    raise AssertionError(f"all data of {case} are too close to a kink")


@cache
def train_by_reference(case: Case) -> Trained:
    """Train the reference on data with which it stays away from all kinks."""
    for data in drawn(case):
        trained = try_to_train(case, data)
        if trained is not None:
            return trained
    raise AssertionError(f"training on all data of {case} comes too close to a kink")


def try_to_train(case: Case, data: Data) -> Trained | None:
    """Train the reference; return None if it comes too close to a kink."""
    margin = tolerance("float32", depth_of(case.sizes, case.batch_size))
    net = reference_of(case, data)
    trainer = reference.Trainer(net, case.optimizers()[1], case.batch_size)
    X, y = data.X.tolist(), data.y.tolist()
    rows = list(range(case.samples))
    batches = [rows[i : i + case.batch_size] for i in range(0, len(rows), case.batch_size)]
    after, losses, metrics, first_loss = [], [], [], None
    for _ in range(EPOCHS):
        loss = metric = 0.0
        for batch in batches:
            X_batch, y_batch = [X[i] for i in batch], [y[i] for i in batch]
            history = trainer.fit(X_batch, y_batch, [range(len(batch))])
            if kink_distance(net, net.latest, y_batch) <= margin:
                return None
            first_loss = history.loss[0] if first_loss is None else first_loss
            after.append(net.parameters)
            loss += history.loss[0] / net.scale(len(batch))
            metric += history.metric[0] * len(batch)
        losses.append(loss * net.scale(len(rows)))
        metrics.append(metric / len(rows))
    final = net.backward(X, y)
    if kink_distance(net, final, y) <= margin:
        return None
    evaluation, predictions = net.evaluate(X, y), [net.predict_one(x) for x in X[:SINGLES]]
    single_losses = []
    for i in range(SINGLES):
        single_losses.append(trainer.learn_one(X[i], y[i]))
        if kink_distance(net, net.latest, [y[i]]) <= margin:
            return None
    return Trained(
        data,
        first_loss,
        after[0],
        after[-1],
        losses,
        metrics,
        evaluation,
        predictions,
        single_losses,
        net.parameters,
    )


def test_in_the_cases_every_pair_of_values_meets():
    for columns, cases in ((COLUMNS, CASES), (OTHER_COLUMNS, LOSS_CASES)):
        rows = [tuple(getattr(case, field.name) for field in fields(case)) for case in cases]
        for i, j in combinations(range(len(columns)), 2):
            assert {(row[i], row[j]) for row in rows} >= set(product(columns[i], columns[j]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_backward(case, dtype, isa):
    data, expected = backward_by_reference(case)
    net = engine_of(case, data, dtype)
    actual = net.backward(data.X, data.y)
    depth = depth_of(case.sizes, case.samples)
    assert_close(actual.loss, expected.loss, dtype, depth, "loss")
    below = data.X
    for layer in range(len(net.layers)):
        for name in ROWS:
            array, rows = getattr(actual, name)[layer], getattr(expected, name)[layer]
            assert array.dtype == dtype
            assert_close(array, rows, dtype, depth, f"{name}[{layer}]")
        # Gradients are sums over the samples, δᵀ a.
        terms = np.abs(expected.deltas[layer]).T
        for name, term in (("weights", terms @ np.abs(below)), ("biases", terms.sum(axis=1))):
            array, rows = getattr(actual, name)[layer], getattr(expected, name)[layer]
            assert array.dtype == dtype
            assert_close(array, rows, dtype, depth, f"{name}[{layer}]", term)
        below = expected.activations[layer]
    assert_close(actual.inputs, expected.inputs, dtype, depth, "inputs")
    assert_close(net.forward(data.X), expected.activations[-1], dtype, depth, "forward")


# Tests of a case run one after another, in one process: the reference takes most of the time.
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str, scope="module")
def test_training(case, dtype, isa):
    expected = train_by_reference(case)
    data = expected.data

    net = engine_of(case, data, dtype)
    trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size)
    first = slice(0, case.batch_size)
    loss = trainer.step(data.X[first], data.y[first])
    depth = depth_of_training(case, 1)
    assert_close(loss, expected.first_loss, dtype, depth, "loss of a step")
    assert_close(net.parameters, expected.first_step, dtype, depth, "parameters after a step")

    net = engine_of(case, data, dtype)
    trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size)
    history = trainer.fit(data.X, data.y, EPOCHS, shuffle=False)
    depth = depth_of_training(case, trainer.steps)
    assert_close(net.parameters, expected.parameters, dtype, depth, "parameters")
    assert_close(history.loss, expected.loss, dtype, depth, "loss of the epochs")
    assert_close(history.metric, expected.metric, dtype, depth, "metric of the epochs")
    evaluation = net.evaluate(data.X, data.y)
    assert evaluation.keys() == expected.evaluation.keys()
    for name, value in expected.evaluation.items():
        assert_close(evaluation[name], value, dtype, depth, name)

    predictions = [net.predict_one(x) for x in data.X[:SINGLES]]
    assert_close(predictions, expected.predictions, dtype, depth, "predictions")
    losses = [trainer.learn_one(data.X[i], data.y[i]) for i in range(SINGLES)]
    depth = depth_of_training(case, trainer.steps)
    assert_close(losses, expected.single_losses, dtype, depth, "loss of single samples")
    parameters = expected.single_parameters
    assert_close(net.parameters, parameters, dtype, depth, "parameters after single samples")


@pytest.mark.parametrize("case", CASES, ids=str, scope="module")
def test_the_definition_agrees_with_the_reference(case):
    expected = train_by_reference(case)
    net = case.network("float64")
    net.parameters = expected.data.parameters
    X, y = expected.data.X, expected.data.y
    optimizer = case.optimizers()[0]
    trained = train_by_loops(net, optimizer, X, y, case.batch_size, EPOCHS)
    depth = depth_of_training(case, EPOCHS * -(-len(X) // case.batch_size))
    parts = []
    for layer, weights, biases in zip(
        net.layers, trained.parameters[::2], trained.parameters[1::2], strict=True
    ):
        parts += [weights.ravel(), biases] if layer.use_bias else [weights.ravel()]
    parameters = np.concatenate(parts)
    assert_close(parameters, expected.parameters, "float64", depth, "parameters")
    assert_close(trained.losses, expected.loss, "float64", depth, "loss of the epochs")
    assert_close(trained.metrics, expected.metric, "float64", depth, "metric of the epochs")
