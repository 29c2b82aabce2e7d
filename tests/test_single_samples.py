"""`Network.predict_one` and `Trainer.learn_one`: what they compute, take, refuse, and allocate."""

import math
import threading
import tracemalloc
from array import array

import numpy as np
import pytest
from cases import CASES, OPTIMIZERS
from layouts import VECTORS, read_only, unaligned
from networks import small_network

import cygrad as cg

DTYPES = ("float32", "float64")
SAMPLE = np.array([1, 0, 3, 2, 1])
NUMBERS = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"]
NUMBERS += ["float16", "float32", "float64", "longdouble", ">f4", ">i2"]


def network(loss="mse", units=1, dtype="float32", **options):
    return small_network(5, 7, units, loss, dtype=dtype, **options)


def trainer_of(net, optimizer=None):
    return cg.Trainer(net, optimizer or cg.SGD(0.1), rng=0)


def optimizer_of(name):
    return (cg.Adam if name.startswith("adam") else cg.SGD)(**OPTIMIZERS[name])


# The bits


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_alone_as_in_a_batch(case, dtype, isa):
    data = case.draw(0)
    alone, batch = (case.network(dtype) for _ in range(2))
    alone.parameters = batch.parameters = data.parameters
    one, other = (cg.Trainer(net, case.optimizers()[0], rng=0) for net in (alone, batch))
    for x, y in zip(data.X[:3], data.y, strict=False):
        assert np.array_equal(alone.predict_one(x), batch.predict(x[np.newaxis])[0])
        assert one.learn_one(x, y) == other.step(x[np.newaxis], y[np.newaxis])
        assert alone.parameters.tobytes() == batch.parameters.tobytes()
    assert one.steps == other.steps == min(3, len(data.X))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_goes_on_from_fit_and_back(optimizer, dtype):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((3, 5)), rng.standard_normal(3)
    nets = [network(dtype=dtype) for _ in range(2)]
    trainers = [cg.Trainer(net, optimizer_of(optimizer), 1, rng=0) for net in nets]
    for each in trainers:
        each.fit(X, y, 2)
    for i in range(3):
        trainers[0].learn_one(X[i], y[i])
    trainers[1].fit(X, y, shuffle=False)
    for each in trainers:
        each.fit(X, y, 2)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert trainers[0].steps == trainers[1].steps == 15


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_negative_zero_that_no_gradient_moves_keeps_its_sign(dtype):
    nets = [network(dtype=dtype) for _ in range(2)]
    for net in nets:
        net.layers[0].weights = np.full((7, 5), -0.0)
        net.layers[0].biases = np.full(7, -0.0)
        net.layers[1].weights = np.zeros((1, 7))
    one, other = map(trainer_of, nets)
    one.learn_one(SAMPLE, 1.0)
    other.step(SAMPLE[np.newaxis], [1.0])
    for net in nets:
        assert (net.layers[0].weights == 0).all()
        assert np.signbit(net.layers[0].weights).all()
        assert np.signbit(net.layers[0].biases).all()


@pytest.mark.parametrize("width", [3, 33, 700])
@pytest.mark.parametrize("units", [2, 17, 32, 33, 100])
def test_the_largest_output_wherever_it_is(units, width):
    """Also for networks so wide that the interpreter's lock is released."""
    layers = [cg.Dense(width, "relu"), cg.Dense(width, "relu"), cg.Dense(units)]
    net = cg.Network(5, layers, loss="hinge", rng=0)
    for x in np.random.default_rng(0).standard_normal((20, 5)):
        assert net.predict_one(x) == net.predict(x[np.newaxis])[0]


def test_the_first_of_equal_outputs():
    net = network("hinge", 40)
    net.parameters = np.zeros(net.n_parameters)
    assert net.predict_one(SAMPLE) == 0
    net.layers[1].biases = np.arange(40) % 7
    assert net.predict_one(SAMPLE) == 6
    net.layers[1].weights = np.eye(40, 7, -2)
    with pytest.raises(ValueError, match="x has outputs that are NaN or infinite"):
        net.predict_one(np.full(5, np.nan))


# What is taken


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardized", [False, True])
@pytest.mark.parametrize("layout", VECTORS)
@pytest.mark.parametrize("kind", NUMBERS)
def test_samples_of_every_dtype_and_layout(kind, layout, standardized, dtype):
    nets = [network("mse", 2, dtype) for _ in range(2)]
    if standardized:
        for net in nets:
            net.standardize_inputs(np.random.default_rng(0).standard_normal((9, 5)))
    x = VECTORS[layout](SAMPLE.astype(kind))
    before = x.tobytes()
    assert (nets[0].predict_one(x) == nets[1].predict(x[np.newaxis])[0]).all()
    y = np.array([0.5, -1])
    one, other = map(trainer_of, nets)
    assert one.learn_one(x, y) == other.step(x[np.newaxis], y[np.newaxis])
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert x.tobytes() == before


@pytest.mark.parametrize("kind", NUMBERS)
def test_targets_of_every_dtype_and_layout(kind):
    X = SAMPLE[np.newaxis]
    for make in VECTORS.values():
        y = make(SAMPLE.astype(kind))
        nets = [network("mse", 5) for _ in range(2)]
        one, other = map(trainer_of, nets)
        assert one.learn_one(SAMPLE, y) == other.step(X, y[np.newaxis])
        assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


@pytest.mark.parametrize(
    "x",
    [[1, 0, 3, 2, 1], (1.0, 0.0, 3.0, 2.0, 1.0), array("d", SAMPLE), memoryview(b"\1\0\3\2\1")],
)
def test_samples_that_are_no_ndarray(x):
    net = network()
    assert net.predict_one(x) == net.predict_one(SAMPLE)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
@pytest.mark.parametrize(
    "make", [int, np.int64, np.uint8, np.array, lambda y: np.array(y, ">i4"), lambda y: y == 1]
)
def test_classes_of_every_integer_type(make, loss):
    label = 1
    nets = [network(loss, 3) for _ in range(2)]
    losses = [
        trainer_of(net).learn_one(SAMPLE, y)
        for net, y in zip(nets, (make(label), label), strict=True)
    ]
    assert losses[0] == losses[1]
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


@pytest.mark.parametrize(
    "make", [float, int, np.float64, np.float32, np.int8, np.array, lambda y: [y], lambda y: True]
)
def test_numbers_of_every_type_for_a_single_output(make):
    losses = [trainer_of(network()).learn_one(SAMPLE, y) for y in (make(1), 1.0)]
    assert losses[0] == losses[1]


def test_the_loss_is_that_before_the_step():
    for reduction in ("mean", "sum"):
        net = network(units=3, reduction=reduction)
        y = np.array([1.0, 2.0, -1.0])
        expected = net.backward(SAMPLE[np.newaxis], y[np.newaxis]).loss
        loss = trainer_of(net).learn_one(SAMPLE, y)
        assert type(loss) is float
        assert loss == expected


def test_a_binary_output():
    net = network("binary_cross_entropy")
    found = {net.predict_one(x) for x in np.random.default_rng(0).standard_normal((50, 5))}
    assert found == {0, 1}
    several = network("binary_cross_entropy", 3)
    assert several.predict_one(SAMPLE).dtype == several.predict(SAMPLE[np.newaxis]).dtype


# Where outputs are written to


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("loss", "units"), [("mse", 3), ("cross_entropy", 3), ("binary_cross_entropy", 1)]
)
def test_outputs_are_written_where_the_caller_says(loss, units, dtype):
    net = network(loss, units, dtype)
    room = np.full(units + 2, -1, dtype)
    out = room[1:-1]
    answer = net.predict_one(SAMPLE, out)
    assert (out == net.forward(SAMPLE[np.newaxis])[0]).all()
    assert room[0] == room[-1] == -1
    if loss == "mse":
        assert answer is out
    else:
        assert answer == net.predict(SAMPLE[np.newaxis])[0]


def test_the_sample_itself_may_be_written_to():
    net = network(units=5)
    x = SAMPLE.astype(np.float32)
    expected = net.predict_one(x)
    assert (net.predict_one(x, out=x) == expected).all()


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.zeros(3), ValueError, r"dtype float64 and shape \(3,\), expected .* float32 .*\(3,\)"),
        (np.zeros(2, np.float32), ValueError, r"out has .* shape \(2,\), expected .*\(3,\)"),
        (np.zeros((1, 3), np.float32), ValueError, r"out has .* shape \(1, 3\), expected"),
        (np.zeros(6, np.float32)[::2], TypeError, "out cannot be written to: .* contiguous"),
        (read_only(np.zeros(3, np.float32)), TypeError, "out cannot be written to: .*read-only"),
        (unaligned(np.zeros(3, np.float32)), ValueError, "expected an aligned"),
        ([0.0, 0.0, 0.0], TypeError, "out cannot be written to"),
    ],
)
def test_where_outputs_cannot_be_written_to(out, error, message):
    with pytest.raises(error, match=message):
        network(units=3).predict_one(SAMPLE, out)


# What is refused


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (SAMPLE[:4], ValueError, r"x has shape \(4,\), expected \(5,\)"),
        (SAMPLE[np.newaxis], ValueError, r"x has shape \(1, 5\), expected \(5,\)"),
        (np.zeros((5, 1, 1)), ValueError, r"x has shape \(5, 1, 1\), expected \(5,\)"),
        (3.0, ValueError, r"x has shape \(\), expected \(5,\)"),
        ([], ValueError, r"x has shape \(0,\), expected \(5,\)"),
        (SAMPLE + 1j, TypeError, "x has dtype complex128, expected real numbers"),
        (SAMPLE.astype(str), TypeError, "x has dtype <U21, expected real numbers"),
        (None, TypeError, "x has dtype object, expected real numbers"),
        ([1, [2, 3]], ValueError, "x is not a regular table of numbers"),
        (np.ma.masked_equal(SAMPLE, 1), ValueError, "x has 2 masked values, expected none"),
    ],
)
@pytest.mark.parametrize("standardized", [False, True])
def test_bad_samples_are_named(x, error, message, standardized):
    net = network()
    if standardized:
        net.standardize_inputs(np.eye(5))
    before, trainer = net.parameters, trainer_of(net)
    for use in (net.predict_one, lambda x: trainer.learn_one(x, 1.0)):
        with pytest.raises(error, match=message):
            use(x)
    assert (net.parameters == before).all()
    assert trainer.steps == 0
    trainer.learn_one(SAMPLE, 1.0)


@pytest.mark.parametrize(
    ("loss", "y", "error", "message"),
    [
        ("hinge", 3, ValueError, "y is 3, expected a class index from 0 to 2$"),
        ("hinge", -1, ValueError, "y is -1, expected a class index from 0 to 2"),
        ("hinge", 10**400, ValueError, "expected a class index from 0 to 2"),
        ("hinge", np.uint64(2**64 - 1), ValueError, "y is 18446744073709551615, expected a class"),
        ("hinge", np.array(3), ValueError, "y is 3, expected a class index from 0 to 2"),
        ("hinge", 1.0, TypeError, "y is 1.0, expected a class index from 0 to 2"),
        ("hinge", np.float32(1), TypeError, "y is 1.0, expected a class index from 0 to 2"),
        ("hinge", np.eye(3)[0], ValueError, r"y has shape \(3,\), expected a class index"),
        ("hinge", [1], ValueError, r"y has shape \(1,\), expected a class index"),
        ("cross_entropy", 3, ValueError, r"y is 3, .* 0 to 2 or probabilities of shape \(3,\)"),
        ("cross_entropy", [1], ValueError, r"y has shape \(1,\), expected a class index"),
        ("cross_entropy", math.nan, TypeError, "y is nan, expected a class index"),
        ("cross_entropy", None, TypeError, "y has dtype object, expected real numbers"),
        ("cross_entropy", "1", TypeError, "y has dtype <U1, expected real numbers"),
        ("mse", 1, ValueError, r"y is 1, expected numbers of shape \(3,\)"),
        ("mse", 1.0, ValueError, r"y is 1.0, expected numbers of shape \(3,\)"),
        ("mse", np.zeros(4), ValueError, r"y has shape \(4,\), expected numbers of shape \(3,\)"),
        ("mse", np.zeros((1, 3)), ValueError, r"y has shape \(1, 3\), expected numbers"),
        ("mse", np.zeros((3, 1, 1)), ValueError, r"y has shape \(3, 1, 1\), expected numbers"),
        ("mse", np.zeros(3, complex), TypeError, "y has dtype complex128, expected real numbers"),
    ],
)
def test_bad_targets_are_named(loss, y, error, message):
    net = network(loss, 3)
    before, trainer = net.parameters, trainer_of(net)
    with pytest.raises(error, match=message):
        trainer.learn_one(SAMPLE, y)
    assert (net.parameters == before).all()
    assert trainer.steps == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e300])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_what_is_not_finite_changes_nothing(optimizer, value):
    nets = [network() for _ in range(2)]
    one, other = (trainer_of(net, optimizer_of(optimizer)) for net in nets)
    x = SAMPLE.astype(float)
    one.learn_one(x, 1.0)
    x[2] = math.nan
    for bad in ((SAMPLE, value), (SAMPLE, 10**400), (x, 1.0)):
        with pytest.raises(cg.DivergenceError, match="the step was not done") as caught:
            one.learn_one(*bad)
        assert (caught.value.step, caught.value.epoch, caught.value.history) == (1, None, None)
    one.learn_one(SAMPLE, 2.0)
    for y in (1.0, 2.0):
        other.learn_one(SAMPLE, y)
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()
    assert one.steps == other.steps == 2


def test_the_learning_rate_is_asked_for_at_every_step():
    seen = []
    trainer = trainer_of(network(), cg.SGD(lambda step: seen.append(step) or 0.1))
    for _ in range(3):
        trainer.learn_one(SAMPLE, 1.0)
    assert seen == [0, 1, 2]
    bad = trainer_of(network(), cg.SGD(lambda step: -1))
    with pytest.raises(ValueError, match="learning_rate at step 0 is -1"):
        bad.learn_one(SAMPLE, 1.0)
    assert bad.steps == 0


def test_frozen_layers_stay_and_may_be_thawed():
    net = network()
    trainer = trainer_of(net)
    net.layers[0].trainable = False
    first, second = (layer.weights for layer in net.layers)
    trainer.learn_one(SAMPLE, 5.0)
    assert (net.layers[0].weights == first).all()
    assert (net.layers[1].weights != second).any()
    net.layers[0].trainable = True
    trainer.learn_one(SAMPLE, 5.0)
    assert (net.layers[0].weights != first).any()


# In a program


def test_nothing_is_allocated():
    net, x, y, out = network(), SAMPLE.astype(np.float32), np.ones(1), np.empty(1, np.float32)
    trainer = trainer_of(net, cg.Adam())

    def work():
        for _ in range(100):
            net.predict_one(x, out)
            trainer.learn_one(x, y)
            trainer.learn_one(x, 1.0)

    work()
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1000  # a few Python numbers


@pytest.mark.parametrize("width", [9, 600], ids=["quick", "without the lock"])
def test_several_threads_ask_at_once(width):
    layers = [cg.Dense(width, "tanh"), cg.Dense(width, "tanh"), cg.Dense(2)]
    net = cg.Network(5, layers, loss="mse", rng=0)
    samples = np.random.default_rng(0).standard_normal((40, 5))
    expected = [net.predict_one(x).tobytes() for x in samples]
    found = {}

    def ask(number):
        found[number] = [net.predict_one(x).tobytes() for _ in range(20) for x in samples]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(found.values()) == [20 * expected] * 4


def test_several_threads_learn_one_at_a_time():
    """Networks that release the interpreter's lock: each call is either done or refused."""
    layers = [cg.Dense(900, "tanh"), cg.Dense(900, "tanh"), cg.Dense(1)]
    net = cg.Network(5, layers, loss="mse", rng=0)
    trainers = [trainer_of(net, cg.SGD(1e-6)) for _ in range(3)]
    refused = []

    def learn(trainer):
        for _ in range(100):
            try:
                trainer.learn_one(SAMPLE, 1.0)
            except RuntimeError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=learn, args=(trainer,)) for trainer in trainers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(refused) <= {"net is being trained by another call, expected one at a time"}
    assert sum(trainer.steps for trainer in trainers) == 300 - len(refused)
    twin = cg.Network(5, layers, loss="mse", rng=0)
    twin_trainer = trainer_of(twin, cg.SGD(1e-6))
    for _ in range(300 - len(refused)):
        twin_trainer.learn_one(SAMPLE, 1.0)
    assert twin.parameters.tobytes() == net.parameters.tobytes()
