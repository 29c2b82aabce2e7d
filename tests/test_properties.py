"""Random networks: the engine, the reference and finite differences agree on all of them.

Hypothesis draws the network's description and a seed for its numbers. Numbers drawn by Hypothesis
itself would often be at the kinks of relu and hinge, where there is no derivative. The examples are
the same in every run.
"""

import numpy as np
from cases import ACTIVATIONS, OUTPUTS, Case, Data, kink_distance
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tolerances import assert_close, depth_of, tolerance

import cygrad as cg
from cygrad import reference
from cygrad._engine import kernels

DTYPE = "float64"
FLAGS = st.lists(st.booleans(), min_size=1, max_size=3).map(tuple)
TRAINABLE = st.lists(st.sampled_from([True, False, "weights", "biases"]), min_size=1, max_size=3)

networks = st.builds(
    Case,
    hidden=st.sampled_from(ACTIVATIONS),
    output=st.sampled_from(OUTPUTS),
    reduction=st.sampled_from(["mean", "sum"]),
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=5).map(tuple),
    batch=st.integers(1, 4).flatmap(lambda b: st.tuples(st.just(b), st.integers(b, 6))),
    biases=FLAGS,
    trainable=TRAINABLE.map(tuple),
    optimizer=st.sampled_from(["sgd decay", "momentum", "nesterov", "adam", "adam decay"]),
)
SAMPLE_TYPES = ("bool", "int8", "uint16", "int32", "uint64", "float32", "float64")
seeds = st.integers(0, 2**32 - 1)
instruction_sets = st.sampled_from(kernels.available())

steady = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def networks_of(case: Case, data: Data, isa: str) -> tuple[cg.Network, reference.Network]:
    before = kernels.selected()
    kernels.select(isa)
    try:
        net = case.network(DTYPE)
    finally:
        kernels.select(before)
    net.parameters = data.parameters
    plain = case.reference_network()
    plain.parameters = data.parameters.tolist()
    return net, plain


def largest(arrays):
    return max(float(np.abs(array).max()) for array in arrays)


@steady
@given(case=networks, seed=seeds, isa=instruction_sets)
def test_engine_reference_and_finite_differences_agree(case, seed, isa):
    """Compare the engine's pass with the reference's, and its gradients with central differences.

    Numbers are compared relative to the largest of their kind and to 1 or 1/n, the order of the
    samples, the weights and a sample's loss: in such small networks a number can be almost 0.
    """
    data = case.draw(seed)
    net, plain = networks_of(case, data, isa)
    expected = plain.backward(data.X.tolist(), data.y.tolist())
    depth = depth_of(case.sizes, case.samples)
    assume(kink_distance(plain, expected, data.y.tolist()) > tolerance(DTYPE, depth))
    actual = net.backward(data.X, data.y)

    forward = max(1.0, largest(expected.pre_activations), largest(expected.activations))
    back = max(plain.scale(case.samples), largest([*expected.deltas, expected.inputs]))
    scales = {
        "pre_activations": forward,
        "activations": forward,
        "deltas": back,
        "weights": case.samples * forward * back,
        "biases": case.samples * back,
    }
    for name, scale in scales.items():
        pairs = zip(getattr(actual, name), getattr(expected, name), strict=True)
        for layer, (array, rows) in enumerate(pairs):
            assert_close(array, rows, DTYPE, depth, f"{name}[{layer}]", scale)
    assert_close(actual.inputs, expected.inputs, DTYPE, depth, "inputs", back)
    assert_close(actual.loss, expected.loss, DTYPE, depth, "loss", max(1.0, expected.loss))

    report = cg.check_gradients(net, data.X, data.y, inputs=True)
    assert report.compared + report.kinks == net.n_parameters + data.X.size


@steady
@given(case=networks, seed=seeds, isa=instruction_sets)
def test_an_epoch_agrees_with_the_reference(case, seed, isa):
    data = case.draw(seed)
    net, plain = networks_of(case, data, isa)
    optimizer, plain_optimizer = case.optimizers()
    X, y = data.X.tolist(), data.y.tolist()
    trainer = reference.Trainer(plain, plain_optimizer, case.batch_size)
    steps = 0
    for start in range(0, case.samples, case.batch_size):
        rows = slice(start, start + case.batch_size)
        depth = depth_of(case.sizes, case.batch_size)
        gradients = plain.backward(X[rows], y[rows])
        assume(kink_distance(plain, gradients, y[rows]) > tolerance(DTYPE, depth * (steps + 1)))
        trainer.fit(X[rows], y[rows], [range(len(X[rows]))])
        steps += 1
    cg.Trainer(net, optimizer, case.batch_size).fit(data.X, data.y, shuffle=False)
    depth = steps * (depth_of(case.sizes, case.batch_size) + 10)
    expected = np.array(plain.parameters)
    scale = max(1.0, largest([expected]))
    assert_close(net.parameters, expected, DTYPE, depth, "parameters", scale)


@steady
@given(
    dtype=st.sampled_from(["float32", "float64"]),
    given_dtype=st.sampled_from(SAMPLE_TYPES),
    rows=st.integers(1, 40),
    columns=st.integers(1, 70),
    steps=st.tuples(*[st.sampled_from([1, 2, 3, -1, -2])] * 2),
    transposed=st.booleans(),
    isa=instruction_sets,
)
def test_any_view_is_read_as_its_copy(dtype, given_dtype, rows, columns, steps, transposed, isa):
    row_step, column_step = steps
    shape = rows * abs(row_step), columns * abs(column_step)
    block = np.arange(np.prod(shape)).reshape(shape[::-1] if transposed else shape) % 251
    block = block.astype(given_dtype)
    X = (block.T if transposed else block)[::row_step, ::column_step]
    before = kernels.selected()
    kernels.select(isa)
    try:
        net = cg.Network(columns, [cg.Dense(3)], loss="mse", dtype=dtype, rng=0)
    finally:
        kernels.select(before)
    copy = X.astype(dtype, order="C")
    assert net.forward(X).tobytes() == net.forward(copy).tobytes()
