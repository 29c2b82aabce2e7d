"""Initialisers: the distributions they draw from, and the arguments that stand for them."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

from cygrad import Dense, Network, initializers
from cygrad.network.activations import ACTIVATIONS
from cygrad.network.initializers import INITIALIZERS, constant, normal, resolve, zeros

# Enough numbers that the bounds below, of six standard errors, hold for good generators and fail
# for a variance that is off by 10 %.
SHAPE = (200, 300)

# Variance by the papers, for SHAPE: (outputs, inputs).
VARIANCE = {"glorot": 2 / (200 + 300), "he": 2 / 300, "lecun": 1 / 300}
SCALED = [f"{name}_{kind}" for name in VARIANCE for kind in ("uniform", "normal")]


def draw(name, seed=0):
    return INITIALIZERS[name](np.random.default_rng(seed), SHAPE)


def weights(value, **options):
    """The weights that a layer of shape (3, 4) begins with."""
    dense = Dense(3, weights_init=value, **options)
    return Network(4, [dense], loss="mse", dtype="float64", rng=0).layers[0].weights


def biases(value):
    dense = Dense(3, bias_init=value)
    return Network(4, [dense], loss="mse", dtype="float64", rng=0).layers[0].biases


@pytest.mark.parametrize("name", SCALED)
def test_mean_and_variance_are_those_of_the_papers(name):
    drawn = draw(name)
    variance = VARIANCE[name.split("_")[0]]
    assert drawn.shape == SHAPE
    assert drawn.dtype == np.float64
    assert abs(drawn.mean()) < 6 * math.sqrt(variance / drawn.size)
    # The fourth moment of a normal number is 3 variance², so this bounds the uniform one too.
    assert abs(drawn.var() / variance - 1) < 6 * math.sqrt(2 / drawn.size)


@pytest.mark.parametrize("name", SCALED)
def test_uniform_numbers_fill_their_interval_and_normal_ones_leave_it(name):
    family, kind = name.split("_")
    bound = math.sqrt(3 * VARIANCE[family])
    largest = np.abs(draw(name)).max()
    if kind == "uniform":
        assert 0.999 * bound < largest <= bound
    else:
        assert largest > 1.5 * bound


@pytest.mark.parametrize("name", INITIALIZERS)
def test_drawing_is_repeatable(name):
    np.testing.assert_array_equal(draw(name), draw(name))
    if name != "zeros":
        assert (draw(name) != draw(name, seed=1)).any()


def test_numbers_of_every_kind_become_floats():
    third = Fraction(1, 3)
    assert constant(third) == constant(1 / 3)
    np.testing.assert_array_equal(weights(normal(third)), weights(normal(1 / 3)))


def test_names_are_attributes_of_the_module():
    for name, initializer in INITIALIZERS.items():
        assert getattr(initializers, name) is initializer


def test_normal_has_the_standard_deviation_asked_for():
    drawn = normal(0.3)(np.random.default_rng(0), SHAPE)
    assert abs(drawn.std() / 0.3 - 1) < 6 / math.sqrt(2 * drawn.size)
    assert abs(drawn.mean()) < 6 * 0.3 / math.sqrt(drawn.size)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("zeros", 0),
        (zeros, 0),
        (0.25, 0.25),
        (-3, -3),
        (np.float32(0.5), 0.5),
        (constant(2), 2),
        (lambda rng, shape: np.full(shape, 7.0), 7),
    ],
)
def test_constants_by_name_number_and_function(value, expected):
    np.testing.assert_array_equal(weights(value), np.full((3, 4), float(expected)))
    np.testing.assert_array_equal(biases(value), np.full(3, float(expected)))


def test_names_and_instances_draw_the_same():
    np.testing.assert_array_equal(weights("he_normal"), weights(initializers.he_normal))


def test_arrays_and_lists_are_taken_as_they_are_at_the_time():
    W = np.arange(12.0).reshape(3, 4)
    dense = Dense(3, weights_init=W, bias_init=[1, 2, 3])
    W[:] = 0
    (layer,) = Network(4, [dense], loss="mse").layers
    np.testing.assert_array_equal(layer.weights, np.arange(12).reshape(3, 4))
    np.testing.assert_array_equal(layer.biases, [1, 2, 3])


@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "softmax"])
def test_the_default_is_what_suits_the_activation(activation):
    default = weights(None, activation=activation)
    chosen = ACTIVATIONS[activation].weights_init
    chosen = chosen if isinstance(chosen, str) else chosen(ACTIVATIONS[activation].default, True)
    named = weights(chosen, activation=activation)
    np.testing.assert_array_equal(default, named)
    assert not biases("zeros").any()


def test_relu_begins_with_he():
    bound = math.sqrt(6 / 300)
    layers = [Dense(200, "relu"), Dense(1)]
    drawn = np.abs(Network(300, layers, loss="mse", rng=0).layers[0].weights).max()
    assert 0.999 * bound < drawn <= bound * (1 + 1e-7)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("xavier", ValueError, "weights_init is 'xavier', expected one of 'zeros', 'glorot_unif"),
        ("normal", ValueError, r"normal\(std\)"),
        (np.nan, ValueError, "weights_init holds NaN or infinity"),
        ([[np.inf] * 4] * 3, ValueError, "weights_init holds NaN or infinity"),
        ({}, TypeError, "weights_init is {}, expected the name of an initialiser"),
        (True, TypeError, "weights_init is True"),
        (normal, TypeError, "weights_init is the class Normal, expected an instance"),
        ([[1], [1, 2]], ValueError, "weights_init is not a regular array"),
        ([["a"] * 4] * 3, TypeError, "weights_init"),
    ],
)
def test_refuses_what_is_no_initialiser_when_the_layer_is_described(value, error, message):
    with pytest.raises(error, match=message):
        Dense(3, weights_init=value)


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (np.zeros((4, 3)), ValueError, r"shape \(4, 3\), expected \(3, 4\)"),
        (np.zeros(4), ValueError, r"shape \(4,\), expected \(3, 4\)"),
        (lambda rng, shape: np.zeros(3), ValueError, r"shape \(3,\), expected \(3, 4\)"),
        (lambda rng, shape: np.full(shape, np.nan), ValueError, r"holds nan at \(0, 0\)"),
        (lambda rng, shape: None, TypeError, "dtype object"),
    ],
)
def test_refuses_weights_that_do_not_fit_when_the_network_is_made(value, error, message):
    with pytest.raises(error, match=rf"layers\[0\]\.weights_init.*{message}"):
        weights(value)


@pytest.mark.parametrize("value", ["he_uniform", initializers.glorot_normal])
def test_biases_have_no_inputs_to_scale_by(value):
    with pytest.raises(ValueError, match=r"bias_init.*which is for weights"):
        Dense(3, bias_init=value)


@pytest.mark.parametrize(
    ("make", "value", "error"),
    [
        (normal, -1, ValueError),
        (normal, math.inf, ValueError),
        (normal, "1", TypeError),
        (constant, math.nan, ValueError),
        (constant, None, TypeError),
    ],
)
def test_refuses_bad_numbers(make, value, error):
    with pytest.raises(error, match=f"{make.__name__.lower()} is .*, expected a"):
        make(value)


def test_descriptions_can_be_pickled():
    dense = Dense(3, "relu", weights_init=normal(0.1), bias_init=[1, 2, 3])
    again = pickle.loads(pickle.dumps(dense))
    nets = [Network(4, [each], loss="mse", rng=0) for each in (dense, again)]
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)


def test_resolve_names_the_argument():
    with pytest.raises(ValueError, match="here is 'nowhere'"):
        resolve("nowhere", "here")


SOURCES = {
    "0": 0,
    "of two words": 2**40 + 3,
    "of seven words": 2**200 + 12345,
    "of NumPy": np.uint8(7),
    "sequence": np.random.SeedSequence(5),
    "child": np.random.SeedSequence(2**130, spawn_key=(3, 2**35)).spawn(2)[1],
    "of several numbers": np.random.SeedSequence([1, 2, 2**40]),
    "larger pool": np.random.SeedSequence(5, pool_size=8),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["glorot_uniform", "he_uniform", "lecun_uniform", "he_normal"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_network_has_the_numbers_of_numpys_generator(source, name, dtype):
    sizes = (3, 40, 33, 1)
    layers = [Dense(units, weights_init=name) for units in sizes[1:]]
    layers[1] = Dense(33, weights_init=name, bias_init=initializers.normal(0.1))
    net = Network(3, layers, loss="mse", dtype=dtype, rng=source)
    parent = source
    if not isinstance(parent, np.random.SeedSequence):
        parent = np.random.SeedSequence(int(source))
    key = int.from_bytes(b"init", "big")
    for index, layer in enumerate(net.layers):
        seeds = np.random.SeedSequence(
            parent.entropy,
            spawn_key=(*parent.spawn_key, key, index),
            pool_size=parent.pool_size,
        )
        rng = np.random.Generator(np.random.PCG64(seeds))
        expected = INITIALIZERS[name](rng, (sizes[index + 1], sizes[index])).astype(dtype)
        assert layer.weights.tobytes() == expected.tobytes()
        biases = 0.1 * rng.standard_normal(33) if index == 1 else np.zeros(layer.units)
        assert layer.biases.tobytes() == biases.astype(dtype).tobytes()
