"""`Trainer.step` and `Trainer.partial_fit`: batches and streams that come from outside."""

import copy
import threading

import numpy as np
import pytest
from cases import CASES

import cygrad as cg
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples
from cygrad._engine.training import Training

DTYPES = ("float32", "float64")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 3))
Y = X[:, :1] * X[:, 1:2]


def network(**options):
    layers = [cg.Dense(5, "tanh"), cg.Dense(1)]
    return cg.Network(3, layers, loss="mse", dtype="float64", rng=0, **options)


def trainer_of(net=None, optimizer=None, batch_size=8):
    return cg.Trainer(net or network(), optimizer or cg.Adam(0.01), batch_size, rng=0)


def bits(trainer):
    return trainer.net.parameters.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_bits_as_fit(case, dtype):
    data = case.draw(0)
    trainers = []
    for _ in range(3):
        net = case.network(dtype)
        net.parameters = data.parameters
        trainers.append(cg.Trainer(net, case.optimizers()[0], case.batch_size, rng=0))
    fitted, streamed, stepped = trainers
    history = fitted.fit(data.X, data.y, shuffle=False)
    assert streamed.partial_fit(data.X, data.y) == history.loss[0]
    starts = range(0, case.samples, case.batch_size)
    for start, penalty in zip(starts, fitted.batch_penalties, strict=True):
        rows = slice(start, start + case.batch_size)
        expected = stepped.net.backward(data.X[rows], data.y[rows], False).loss
        loss = stepped.step(data.X[rows], data.y[rows])
        if "penalty" in case.optimizer:  # the sum is rounded before the division by the rows
            assert loss == pytest.approx(expected + penalty, rel=1e-15)
        else:
            assert (loss, penalty) == (expected, 0)
    assert bits(fitted) == bits(streamed) == bits(stepped)
    assert fitted.steps == streamed.steps == stepped.steps


def test_a_step_takes_any_number_of_rows():
    """More rows than the batch size and fewer, in turn."""
    trainer = trainer_of(optimizer=cg.SGD(0.1))
    for rows in (1, 8, 50, 9, 3, 50):
        twin = trainer_of(copy.deepcopy(trainer.net), cg.SGD(0.1), batch_size=rows)
        trainer.step(X[:rows], Y[:rows])
        twin.fit(X[:rows], Y[:rows], shuffle=False)
        assert bits(trainer) == bits(twin)


def test_a_stream_goes_on_where_it_was():
    """Whole batches give the same as all rows at once; fewer rows are a smaller batch."""
    at_once, in_parts = trainer_of(), trainer_of()
    whole = at_once.partial_fit(X[:40], Y[:40])
    losses = [in_parts.partial_fit(X[i : i + 8], Y[i : i + 8]) for i in range(0, 40, 8)]
    assert bits(at_once) == bits(in_parts)
    assert np.mean(losses) == pytest.approx(whole)
    at_once.partial_fit(X[:3], Y[:3])
    in_parts.step(X[:3], Y[:3])
    assert bits(at_once) == bits(in_parts)
    assert at_once.steps == in_parts.steps == 6


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_of_a_stream_is_that_of_an_epoch(reduction):
    trainers = [trainer_of(network(reduction=reduction)) for _ in range(2)]
    loss = trainers[0].partial_fit(X, Y)
    assert type(loss) is float
    assert trainers[1].fit(X, Y, shuffle=False).loss == [loss]


def test_the_history_is_that_of_the_latest_fit():
    trainer = trainer_of()
    history = trainer.fit(X, Y, 2)
    trainer.partial_fit(X, Y)
    trainer.step(X, Y)
    assert trainer.history is history
    assert len(history) == 2


def test_the_learning_rate_of_every_step_is_asked_for():
    seen = []
    trainer = trainer_of(optimizer=cg.SGD(lambda step: seen.append(step) or 0.1))
    trainer.step(X, Y)
    trainer.partial_fit(X[:20], Y[:20])
    trainer.learn_one(X[0], 1.0)
    trainer.fit(X[:16], Y[:16])
    assert seen == list(range(7))


def test_standardised_inputs():
    trainers = [trainer_of() for _ in range(2)]
    for each in trainers:
        each.net.standardize_inputs(3 + 2 * X)
    losses = [trainers[0].step(X, Y), trainers[0].learn_one(X[0], Y[0])]
    assert losses[0] == trainers[1].step(X, Y)
    assert losses[1] == trainers[1].step(X[:1], Y[:1])
    assert bits(trainers[0]) == bits(trainers[1])


def _changed(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize("method", ["step", "partial_fit"])
@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X[:, :2], Y, r"X has shape \(50, 2\), expected \(rows, 3\)"),
        (X[:0], Y[:0], "X has shape .*at least one row"),
        (X, Y[:49], "y has 49 targets for 50 samples"),
        (_changed(X, (4, 1), np.nan), Y, "X holds nan in row 4, column 1"),
        (X, _changed(Y, 7, np.inf), "y holds inf in row 7"),
    ],
)
def test_bad_arguments_are_named_and_change_nothing(X, y, message, method):
    trainer = trainer_of()
    before = bits(trainer)
    with pytest.raises(ValueError, match=message):
        getattr(trainer, method)(X, y)
    assert bits(trainer) == before
    assert trainer.steps == 0


@pytest.mark.parametrize("method", ["step", "partial_fit"])
def test_bad_learning_rates_are_named_and_change_nothing(method):
    trainer = trainer_of(optimizer=cg.SGD(lambda step: -1))
    before = bits(trainer)
    with pytest.raises(ValueError, match="learning_rate at step 0 is -1"):
        getattr(trainer, method)(X, Y)
    assert bits(trainer) == before


def test_divergence_in_a_stream_stops_before_the_step():
    y = _changed(Y, 23, 1e200)
    trainer, twin = trainer_of(), trainer_of()
    with pytest.raises(cg.DivergenceError, match=r"diverged at step 3: .* not done") as caught:
        trainer.partial_fit(X, y)
    assert (caught.value.step, caught.value.epoch, caught.value.history) == (3, None, None)
    assert str(copy.copy(caught.value)) == str(caught.value)
    with pytest.raises(cg.DivergenceError, match="diverged at step 1"):
        trainer.step(X, y)
    twin.partial_fit(X[:16], Y[:16])
    # The optimiser goes on too.
    for each in (trainer, twin):
        each.partial_fit(X[24:], Y[24:])
    assert bits(trainer) == bits(twin)
    assert trainer.steps == twin.steps == 6


def _calls(trainer):
    return (
        lambda: trainer.fit(X, Y),
        lambda: trainer.partial_fit(X, Y),
        lambda: trainer.step(X, Y),
        lambda: trainer.learn_one(X[0], Y[0]),
    )


@pytest.mark.parametrize("second", ["same trainer", "another trainer"])
def test_a_network_is_trained_by_one_call_at_a_time(second):
    trainer = trainer_of()
    other = trainer if second == "same trainer" else trainer_of(trainer.net)
    errors = []

    def use(*_):
        for call in _calls(other):
            with pytest.raises(RuntimeError, match="being trained") as caught:
                call()
            errors.append(caught)

    def in_another_thread(*_):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()

    trainer.fit(X, Y, 2, callbacks=[use, in_another_thread])
    assert len(errors) == 16
    expected = trainer_of()
    expected.fit(X, Y, 2)
    assert bits(trainer) == bits(expected)
    for call in _calls(other):
        call()


@pytest.mark.parametrize("method", range(3), ids=["partial_fit", "step", "learn_one"])
def test_a_function_for_the_learning_rate_cannot_train(method):
    """The function is called during a call that trains."""
    errors = []

    def rate(step):
        if not errors:
            with pytest.raises(RuntimeError, match="being trained") as caught:
                other.step(X, Y)
            errors.append(caught)
        return 0.1

    trainer = trainer_of(optimizer=cg.SGD(rate))
    other = trainer_of(trainer.net)
    _calls(trainer)[1 + method]()
    assert len(errors) == 1


def test_a_training_at_work_cannot_be_used_again():
    """`poll`, which runs in the middle of a pass, cannot start another, and trying does no harm."""
    order = np.random.default_rng(0).integers(4000, size=60_000)
    samples = Samples(np.random.default_rng(0).standard_normal((4000, 300), np.float32))
    targets = Samples(np.ones((4000, 1)))
    rates = np.full(600, 1e-3)
    weights = np.random.default_rng(1).standard_normal((300, 300)) / 20
    errors, parameters = [], []

    def poll(steps, loss):
        for again in (
            lambda: training.epoch(samples, targets, None),
            lambda: training.step(samples, targets),
        ):
            with pytest.raises(RuntimeError, match="already running") as caught:
                again()
            errors.append(caught)

    for each in (poll, None):
        engine = Engine("float32", [300, 300, 1], ["tanh", "identity"], [True, True], "mse", "mean")
        engine.set_weights(0, weights)
        training = Training(engine, "sgd", 100, 1e-3)
        assert training.epoch(samples, targets, order, rates, each)[2:] == (600, False)
        parameters.append(engine.storage.tobytes())
    assert errors
    assert parameters[0] == parameters[1]
