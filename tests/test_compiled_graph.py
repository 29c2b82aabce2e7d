"""Compiled graphs: the same bits as the graph, on every instruction set and for any number of
points; arguments, errors, copies and threads."""

import copy
import doctest
import math
import pickle
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from bits import assert_same_numbers, bits_with_nan
from hypothesis import given, settings
from hypothesis import strategies as st

from cygrad import graph
from cygrad._engine import kernels
from cygrad._engine.tape import GATES, Tape
from cygrad.graph import Constant, GraphError, Node, Variable, compiled

NAMES = [name for name in GATES if name != "square"]
COUNTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100)


def gradients_of(f: Node, variables: tuple[Variable, ...]) -> list[Any]:
    """Return the gradients by the graph's own backward pass, for each point."""
    f.backward(np.ones(f.shape))
    return [each.gradient for each in variables]


def operands(name: str, count: int) -> list[np.ndarray]:
    """Return operands of many kinds for which the gate and its derivatives are finite."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 2, (2, 5000))
    x[:, :1000] = np.ldexp(x[:, :1000], rng.integers(-300, 300, (2, 1000)))
    x[:, 1000:1400] = np.rint(x[:, 1000:1400])  # ties, zeros, integer exponents
    x[0, 1400:1600] = np.abs(x[0, 1400:1600])
    x[0, 1600:1700] = x[1, 1600:1700]
    x = x[: GATES[name]]
    tape = Tape((), len(x), [(name, 0, 1 if len(x) == 2 else None)], len(x))
    value, gradients = tape.run(list(x), x.shape[1], True)
    finite = np.isfinite(value) & np.isfinite(gradients).all(0)
    assert finite.sum() > 2000
    return list(x[:, rng.permutation(np.flatnonzero(finite))[:count]])


@pytest.mark.parametrize("name", NAMES)
def test_every_gate_has_the_bits_of_the_graph(name: str, isa: str) -> None:
    x = operands(name, 3000)
    variables = tuple(map(Variable, x))
    f = graph.GATES[name](*variables)
    value, gradients = graph.compile(f)(*x)
    assert_same_numbers(value, f.value)
    assert_same_numbers(gradients, gradients_of(f, variables))


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("name", [name for name in NAMES if GATES[name] == 2])
def test_every_gate_with_a_constant_has_the_bits_of_the_graph(name: str, place: int) -> None:
    for constant in (2.0, 3.0, 0.5, -1.0, 1.0):
        x = Variable(1.7)
        pair = [Constant(constant), Constant(constant)]
        pair[place] = x
        if name == "power" and place == 1 and constant < 0:
            continue
        f = graph.GATES[name](*pair)
        f.backward()
        assert graph.compile(f)(1.7) == (f.value, (x.gradient,))


@pytest.mark.parametrize("name", NAMES)
def test_a_point_has_the_same_bits_alone_and_in_any_array(name: str, isa: str) -> None:
    x = operands(name, max(COUNTS))
    fn = graph.compile(graph.GATES[name](*(Variable(1.0) for _ in x)))
    alone = [fn(*map(float, point)) for point in zip(*x, strict=True)]
    for count in COUNTS:
        part = [each[:count] for each in x]
        value, gradients = fn(*part)
        assert_same_numbers(value, [each[0] for each in alone[:count]])
        for index, gradient in enumerate(gradients):
            assert_same_numbers(gradient, [each[1][index] for each in alone[:count]])
        assert_same_numbers(fn.value(*part), value)


def test_all_elementwise_gates_have_a_compiled_form() -> None:
    """All element-wise gates are compiled, and no others."""
    elementwise = {name for name, gate in graph.GATES.items() if gate.elementwise}
    assert set(compiled.COMPILED.values()) == set(NAMES) == elementwise


# Applied to earlier nodes: single gates, and expressions that keep the numbers bounded.
UNARY: list[Callable[[Any], Node]] = [
    graph.neg, abs, graph.exp, graph.log, graph.sqrt, graph.sin, graph.cos, graph.tanh,
    graph.sigmoid, graph.relu, graph.gaussian, graph.reciprocal,
    lambda a: a**2, lambda a: a**3, lambda a: a**-1.5, lambda a: 2**a,
    lambda a: 1.5 - a, lambda a: a * 0.25, lambda a: graph.max(a, 0.5), lambda a: a / 3,
]  # fmt: skip
BINARY = [
    graph.add, graph.sub, graph.mul, graph.div, graph.max, graph.min, graph.power,
    lambda a, b: (graph.tanh(a) + 2) ** b,
]  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn) -> Node:
    """Draw a graph of numbers whose gates share operands; max replaces a gate that fails."""
    numbers = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, -0.0, 1.0, 2.0, -1.0]))
    nodes: list[Node] = [Variable(draw(numbers), f"x{n}") for n in range(draw(st.integers(1, 4)))]
    for _ in range(draw(st.integers(1, 20))):
        pick = st.integers(0, len(nodes) - 1)
        a, b = nodes[draw(pick)], nodes[draw(pick)]
        gate = draw(st.sampled_from([*UNARY, *BINARY]))
        try:
            nodes.append(gate(a) if gate in UNARY else gate(a, b))
        except GraphError:
            nodes.append(graph.max(a, b))  # never fails
    return nodes[-1]


@settings(max_examples=300)
@given(graphs())
def test_graphs_made_at_random_have_the_same_bits(f: Node) -> None:
    if not f.variables:
        return
    try:
        f.backward()
    except GraphError:  # a derivative that is not finite
        return
    expected = [f.value, *(each.gradient for each in f.variables)]
    point = [each.value for each in f.variables]
    before = kernels.selected()
    for isa in kernels.available():
        kernels.select(isa)
        fn = graph.compile(f)
        kernels.select(before)
        assert fn.isa == isa
        value, gradients = fn(*point)
        assert struct.pack(f"{len(expected)}d", value, *gradients) == struct.pack(
            f"{len(expected)}d", *expected
        )
        value, gradients = fn(*([number] * 9 for number in point))
        assert_same_numbers([value, *gradients], np.repeat(np.array(expected)[:, np.newaxis], 9, 1))


def surface(x: Any, y: Any) -> Node:
    """Return an expression of two variables with shared parts and constants."""
    r = graph.sqrt(x * x + y * y + 1)
    wave = graph.sin(3 * r) / r
    return graph.exp(-r) * wave + graph.sigmoid(x - y) ** 2 - graph.max(wave, 0.1) * y


def test_a_grid_of_points_in_one_call(isa: str) -> None:
    x, y = Variable(0.0, "x"), Variable(0.0, "y")
    fn = graph.compile(surface(x, y), [x, y])
    a, b = np.linspace(-2, 2, 37)[:, np.newaxis], np.linspace(-1, 3, 41)
    value, (by_x, by_y) = fn(a, b)
    assert value.shape == by_x.shape == by_y.shape == (37, 41)
    x, y = (Variable(each) for each in np.broadcast_arrays(a, b))
    f = surface(x, y)
    assert_same_numbers([value, by_x, by_y], [f.value, *gradients_of(f, (x, y))])
    assert_same_numbers(fn.value(a, b), f.value)
    assert fn(a[3, 0], b[5]) == (value[3, 5], (by_x[3, 5], by_y[3, 5]))


# ---- arguments ----


@pytest.fixture
def f() -> Node:
    x, y, z = Variable(-2.0, "x"), Variable(5.0, "y"), Variable(-4.0, "z")
    return (x + y) * z


RESULT = (-12.0, (-4.0, -4.0, 3.0))


def flat(result: Any) -> Iterator[Any]:
    value, gradients = result
    return iter((value, *gradients))


def test_numbers_give_floats(f: Node) -> None:
    fn = graph.compile(f)
    for point in [
        (-2.0, 5.0, -4.0),
        (-2, 5, -4),
        (np.float64(-2), np.int8(5), np.float32(-4)),
        (np.array(-2.0), 5, -4.0),
    ]:
        assert fn(*point) == RESULT
        assert all(type(number) is float for number in flat(fn(*point)))
        assert type(fn.value(*point)) is float
        assert fn.value(*point) == -12
    assert fn(True, False, -4.0) == (-4.0, (-4.0, -4.0, 1.0))
    with pytest.raises(OverflowError, match="int too large"):
        fn(10**400, 5, -4)


def test_arguments_by_name(f: Node) -> None:
    fn = graph.compile(f)
    assert fn(x=-2.0, y=5.0, z=-4.0) == fn(-2.0, z=-4.0, y=5.0) == RESULT
    assert fn.value(z=-4.0, y=5.0, x=-2.0) == -12.0


def test_arrays_of_any_kind(f: Node) -> None:
    fn = graph.compile(f)
    rng = np.random.default_rng(0)
    x = rng.integers(-9, 9, 60).astype(np.float64)
    expected = [(x + 5) * -4, np.full(60, -4.0), np.full(60, -4.0), x + 5]
    read_only = x.copy()
    read_only.setflags(write=False)
    strided = np.repeat(x, 3)[::3]
    unaligned = np.frombuffer(b"." + x.tobytes(), np.float64, offset=1)
    for same in [
        x, x.tolist(), tuple(x), read_only, strided, x[::-1].copy()[::-1], unaligned,
        x.astype(np.float32), x.astype(np.int16), x.astype(">f8"), np.ma.array(x), memoryview(x),
    ]:  # fmt: skip
        assert_same_numbers(list(flat(fn(same, 5, np.array([-4.0])))), expected)
    before = x.copy()
    value, gradients = fn(x, 5.0, -4.0)
    for array in (value, *gradients):
        array += 1  # results are new arrays that share no memory
    assert_same_numbers(x, before)
    assert_same_numbers(list(flat(fn(x, 5.0, -4.0))), expected)


def test_shapes(f: Node) -> None:
    fn = graph.compile(f)
    for shapes, common in [
        ([(4,), (), ()], (4,)),
        ([(), (), (1,)], (1,)),
        ([(3, 1), (4,), ()], (3, 4)),
        ([(2, 1, 3), (5, 1), (1, 1, 1)], (2, 5, 3)),
        ([(0,), (), (1,)], (0,)),
        ([(3, 0), (1, 1), ()], (3, 0)),
    ]:
        for result in flat(fn(*map(np.ones, shapes))):
            assert result.shape == common
        assert fn.value(*map(np.ones, shapes)).shape == common
    x = np.arange(12.0).reshape(3, 4)
    assert_same_numbers(fn(x.T, 1.0, 2.0)[0], (x.T + 1) * 2)
    assert_same_numbers(fn(np.asfortranarray(x), x, 2.0)[0], (x + x) * 2)


@pytest.mark.parametrize(
    ("arguments", "named", "error", "message"),
    [
        ((1, 2), {}, TypeError, r"z is missing, expected x, y, z"),
        ((1, 2, 3, 4), {}, TypeError, r"there are 4 arguments, expected 3: x, y, z"),
        ((1, 2), {"w": 3}, TypeError, r"'w' is no input, expected one of: x, y, z"),
        ((1, 2), {"x": 1}, TypeError, r"x is given twice"),
        ((1, "2", 3), {}, TypeError, r"y has dtype <U1, expected real numbers"),
        ((1, None, 3), {}, TypeError, r"y has dtype object, expected real numbers"),
        ((1, 2, 3j), {}, TypeError, r"z has dtype complex128, expected real numbers"),
        ((1, [1, [2]], 3), {}, ValueError, r"y is no regular array of numbers"),
        (([1, 2], 1, [1, 2, 3]), {}, ValueError, r"the shapes x \(2,\), z \(3,\) do not fit"),
    ],
)
def test_wrong_arguments(
    f: Node, arguments: Any, named: Any, error: type[Exception], message: str
) -> None:
    fn = graph.compile(f)
    for call in (fn, fn.value):
        with pytest.raises(error, match=message):
            call(*arguments, **named)
    assert fn(-2, 5, -4) == RESULT


def test_inputs_without_names() -> None:
    x, y = Variable(1.0), Variable(2.0, "y")
    fn = graph.compile(x - y)
    assert fn(5.0, 3.0) == fn(5.0, y=3.0) == (2.0, (1.0, -1.0))
    assert repr(fn) == "<compiled graph of argument 0, y: 1 gate>"
    with pytest.raises(TypeError, match="argument 0 is missing, expected argument 0, y"):
        fn(y=3.0)
    with pytest.raises(TypeError, match="argument 0 has dtype <U1"):
        fn("a", 1.0)


# ---- compilation ----


def test_inputs_by_variable_and_by_name(f: Node) -> None:
    _, y, z = f.variables
    for inputs in ([z, "x", y], ("z", "x", "y")):
        fn = graph.compile(f, inputs)
        assert fn.inputs == ("z", "x", "y")
        assert fn(-4.0, -2.0, 5.0) == (-12.0, (3.0, -4.0, -4.0))
    assert graph.compile(f, [y])(6.0) == (-16.0, (-4.0,))
    assert graph.compile(f, "y")(6.0) == graph.compile(f, y)(6.0) == (-16.0, (-4.0,))
    assert graph.compile(f, [])() == (-12.0, ())


def test_other_variables_keep_the_value_of_the_compilation(f: Node) -> None:
    x, y, z = f.variables
    z.value = 10.0  # not yet in f.value
    fn = graph.compile(f, [x, y])
    z.value = 20.0
    assert fn(1.0, 2.0) == (30.0, (10.0, 10.0))
    assert f.value == -12.0


def test_parts_that_depend_on_no_input_become_constants() -> None:
    x, w = Variable(1.0, "x"), Variable([[1.0, 2.0], [3.0, 4.0]], "w")
    norm = graph.sqrt((w @ w).sum() - 1)  # arrays and any gates, if the result is a number
    fn = graph.compile(x * norm + norm, [x])
    assert [name for name, *_ in fn.gates] == ["mul", "add"]
    assert fn.constants == (norm.value,)
    assert fn(2.0) == (3 * norm.value, (norm.value,))


def test_squares_are_not_computed_as_powers() -> None:
    x, k = Variable(3.0, "x"), Variable(2.0, "k")
    for f in (x**2, x**k):
        assert [name for name, *_ in graph.compile(f, [x]).gates] == ["square"]
    assert [name for name, *_ in graph.compile(x**k).gates] == ["power"]


def test_results_without_gates() -> None:
    x, y = Variable(3.0, "x"), Variable(4.0, "y")
    assert graph.compile(x)(5.0) == (5.0, (1.0,))
    value, (gradient,) = graph.compile(x)(np.arange(70.0))
    assert_same_numbers(value, np.arange(70.0))
    assert_same_numbers(gradient, np.ones(70))
    assert graph.compile(Constant(2.0))() == (2.0, ())
    assert graph.compile(x * y, [])() == (12.0, ())


def test_a_variable_that_is_used_often(isa: str) -> None:
    x = Variable(1.5, "x")
    f = x * x * x + x / x + x**2 + graph.max(x, x)
    f.backward()
    assert graph.compile(f)(1.5) == (f.value, (x.gradient,))


def test_the_graph_can_be_made_of_arrays() -> None:
    """Points then take the place of elements."""
    x, y = Variable([1.0, 2.0], "x"), Variable([[3.0], [4.0]], "y")
    f = graph.tanh(x * y)
    value, gradients = graph.compile(f)(x.value, y.value)
    assert_same_numbers(value, f.value)
    assert gradients[0].shape == (2, 2)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (lambda x: x.sum(), r"gate sum \(output of shape \(\)\) has no compiled form, expected"),
        (lambda x: x @ np.ones(3), r"gate matmul \(output of shape \(2,\)\)"),
        (lambda x: graph.softmax(2 * x) * 2, r"gate softmax \(output of shape \(2, 3\)\)"),
        (lambda x: x * np.ones((2, 3)), r"a constant has shape \(2, 3\), expected a number: an"),
        (lambda x: x ** Variable([2.0, 3.0, 4.0], "k"), r"k has shape \(3,\), expected a number"),
    ],
)
def test_gates_and_constants_without_a_compiled_form(
    expression: Callable[[Node], Node], message: str
) -> None:
    x = Variable(np.ones((2, 3)), "x")
    with pytest.raises(GraphError, match=message):
        graph.compile(expression(x), [x])


def test_a_gate_of_the_user_has_no_compiled_form() -> None:
    names = ["square", "compiled_test"]  # "square" is a gate of tapes alone
    try:
        for name in names:
            gate = graph.elementwise(name, lambda a: a + 1, lambda y, a: 1.0)
            with pytest.raises(GraphError, match=rf"gate {name} \(output of shape \(\)\)"):
                graph.compile(gate(Variable(1.0)) * 2)
    finally:
        for name in names:
            graph.GATES.pop(name, None)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (["x", "q"], "'q' is no variable of this graph, expected some of: x, y, z"),
        ([Variable(1.0, "x")], "<x: 1.0> is no variable of this graph"),
        (["x", "x"], "input 'x' is given twice"),
        ([3], "3 is no variable of this graph"),
    ],
)
def test_wrong_inputs(f: Node, inputs: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        graph.compile(f, inputs)


def test_other_objects_than_graphs_are_refused() -> None:
    with pytest.raises(TypeError, match=r"f is 3\.0, expected a node"):
        graph.compile(3.0)  # type: ignore[arg-type]


def test_the_engine_refuses_missing_registers() -> None:
    for gates, result in [
        ([("add", 0, 2)], 2),
        ([("neg", -1, None)], 2),
        ([("add", 1, -1)], 2),
        ([("neg", 0, None)], 3),
        ([("neg", 0, None)], -1),
    ]:
        with pytest.raises(ValueError, match=r"expected registers before 2|of 3 registers"):
            Tape((), 2, gates, result)
    with pytest.raises(TypeError, match="it was not initialised"):
        Tape.__new__(Tape).run([], 5, True)
    tape = Tape((), 1, [("neg", 0, None)], 1)
    with pytest.raises(TypeError, match="a tape cannot be changed"):
        tape.__init__((), 1, [("neg", 0, None)], 1)


def test_the_engine_refuses_arrays_of_other_types_and_sizes() -> None:
    tape = Tape((), 2, [("add", 0, 1)], 2)
    right = np.ones(5)
    for wrong in (np.ones(4), np.ones((5, 1)), np.ones(5, np.float32), np.ones(5, ">f8")):
        with pytest.raises(ValueError, match="expected float64 arrays of one dimension, of 5"):
            tape.run([right, wrong], 5, True)
    with pytest.raises(ValueError, match="there are 1 arrays, expected 2"):
        tape.run([right], 5, True)
    assert tape.run([right, np.ones(1)], 5, False)[0].tolist() == [2.0] * 5


def test_gates_that_the_result_does_not_use_have_no_effect_on_gradients() -> None:
    gates = [("exp", 1, None), ("mul", 0, 1), ("log", 1, None), ("add", 2, 3)]
    tape = Tape((3.0,), 2, gates, 4)  # registers: constant, inputs 1 and 2, gates 3 …
    assert tape(2.0, 7.0) == (6.0, (3.0, 0.0))
    assert tape(-2.0, 7.0) == (-6.0, (3.0, 0.0))


# ---- special numbers ----


def test_points_outside_of_the_domain_do_not_affect_others(isa: str) -> None:
    x = Variable(1.0, "x")
    fn = graph.compile(graph.sqrt(x) + graph.log(x) / (x - 2) + x**1.5)
    points = np.linspace(0.5, 4, 70)
    expected = list(flat(fn(points)))
    wrong = {3: -1.0, 20: 0.0, 21: math.nan, 40: math.inf, 69: 2.0}
    broken = points.copy()
    broken[list(wrong)] = list(wrong.values())
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        results = list(flat(fn(broken)))
        alone = [list(flat(fn(each))) for each in wrong.values()]
    right = np.ones(70, bool)
    right[list(wrong)] = False
    for result, before, index in zip(results, expected, range(2), strict=True):
        assert_same_numbers(result[right], before[right])
        assert_same_numbers(result[list(wrong)], [each[index] for each in alone])
        assert not np.isfinite(result[[3, 20, 21]]).any()


def test_denormal_numbers_are_not_flushed(isa: str) -> None:
    x = Variable(1.0, "x")
    fn = graph.compile(x * 0.5)
    tiny = np.finfo(np.float64).tiny
    assert fn(tiny) == (tiny / 2, (0.5,))
    assert fn.value(np.full(40, 5e-324) * 3).tolist() == [1e-323] * 40


# ---- large graphs, long calls, threads ----


def chain(x: Node, gates: int) -> Node:
    for index in range(gates):
        x = x * 0.999 if index % 3 else graph.tanh(x)
    return x


@pytest.mark.parametrize("gates", [4096, 4097, 100_000])
def test_deep_graphs(gates: int) -> None:
    x = Variable(0.7, "x")
    f = chain(x, gates)
    fn = graph.compile(f)
    f.backward()
    assert fn(0.7) == (f.value, (x.gradient,))
    value, (gradient,) = fn(np.full(3, 0.7))
    assert_same_numbers(value, [f.value] * 3)
    assert_same_numbers(gradient, [x.gradient] * 3)
    assert fn.value(0.7) == f.value
    if gates < 5000:
        assert pickle.loads(pickle.dumps(fn))(0.7) == fn(0.7)


def slow() -> graph.CompiledGraph:
    """Return a compiled graph that takes microseconds for each point."""
    x = Variable(0.9, "x")
    f = x
    for _ in range(300):
        f = f**1.01
    return graph.compile(f)


def test_an_interrupt_stops_a_long_call(interrupt: Callable[[], None]) -> None:
    fn = slow()
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        fn(np.broadcast_to(0.9, 30_000_000))
    assert math.isfinite(fn(0.9)[0])


def test_a_long_call_lets_other_threads_run() -> None:
    fn, finished = slow(), []

    def work() -> None:
        fn.value(np.broadcast_to(0.9, 300_000))
        finished.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    turns = 0
    while not finished:
        turns += 1
        thread.join(0.001)
    assert turns > 10


def test_threads_share_a_compiled_graph() -> None:
    x, y = Variable(0.0, "x"), Variable(0.0, "y")
    fn = graph.compile(surface(x, y))
    rng = np.random.default_rng(0)
    points = rng.normal(size=(8, 2, 3000))
    expected = [list(flat(fn(*each))) for each in points]
    wrong = []

    def work(number: int) -> None:
        for _ in range(20):
            value, gradients = fn(*points[number])
            if bits_with_nan([value, *gradients]) != bits_with_nan(expected[number]):
                wrong.append(number)
            for place in range(0, 3000, 37):
                value, gradients = fn(*points[number, :, place].tolist())
                if bits_with_nan([value, *gradients]) != bits_with_nan(
                    [each[place] for each in expected[number]]
                ):
                    wrong.append((number, place))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(points))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# ---- copies ----


@pytest.mark.parametrize("isa_of_the_copy", kernels.available())
def test_copies_compute_the_same(isa_of_the_copy: str) -> None:
    x, y = Variable(0.0, "x"), Variable(0.0)
    fn = graph.compile(surface(x, y))
    before = kernels.selected()
    kernels.select(isa_of_the_copy)
    try:
        copies = [pickle.loads(pickle.dumps(fn)), copy.copy(fn), copy.deepcopy(fn)]
    finally:
        kernels.select(before)
    assert fn.isa == before
    for each in copies:
        assert type(each) is graph.CompiledGraph
        assert each.isa == isa_of_the_copy
        assert (each.inputs, each.gates, each.constants) == (fn.inputs, fn.gates, fn.constants)
        assert each(0.3, -0.7) == fn(0.3, -0.7)
        assert repr(each) == repr(fn) == f"<compiled graph of x, argument 1: {len(fn.gates)} gates>"


def test_later_changes_of_the_graph_have_no_effect(f: Node) -> None:
    fn = graph.compile(f)
    f.variables[0].name = "other"
    f.forward(y=100.0)
    assert fn(x=-2.0, y=5.0, z=-4.0) == RESULT


def test_examples() -> None:
    assert doctest.testmod(compiled).failed == 0
    assert doctest.testmod(graph).failed == 0
