"""Computational graphs: expressions, gradients, copies and errors."""

import copy
import doctest
import gc
import itertools
import math
import pickle
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph_checks import check
from hypothesis import given
from hypothesis import strategies as st

import cygrad as cg
from cygrad import graph
from cygrad.graph import GATES, Constant, GraphError, Node, Variable

# Random graphs: each gate is applied to earlier nodes. Bounded gates inside keep the operands in
# the domain and the values small.
UNARY = [
    graph.neg,
    graph.sin,
    graph.cos,
    graph.tanh,
    graph.sigmoid,
    graph.gaussian,
    lambda a: graph.exp(graph.tanh(a)),
    lambda a: graph.log(1.5 + graph.sin(a)),
    lambda a: graph.sqrt(a * a + 0.5),
    lambda a: graph.reciprocal(2 + graph.cos(a)),
    lambda a: graph.tanh(a) ** 3,
    lambda a: (1.5 + graph.sin(a)) ** -1.5,
]
BINARY = [
    graph.add,
    graph.sub,
    lambda a, b: graph.tanh(a) * graph.tanh(b),
    lambda a, b: a / (1.5 + graph.sin(b)),
    lambda a, b: (1.5 + graph.sin(a)) ** graph.tanh(b),
]


@st.composite
def graphs(draw: st.DrawFn, shapes: tuple[tuple[int, ...], ...] = ((),)) -> Node:
    numbers = st.floats(-2, 2, width=32)
    nodes: list[Node] = []
    for index in range(draw(st.integers(1, 4))):
        shape = draw(st.sampled_from(shapes))
        values = [draw(numbers) for _ in range(math.prod(shape))]
        nodes.append(Variable(np.reshape(values, shape), f"x{index}"))
    for _ in range(draw(st.integers(1, 12))):
        pick = st.integers(0, len(nodes) - 1)
        if draw(st.booleans()):
            nodes.append(draw(st.sampled_from(UNARY))(nodes[draw(pick)]))
        else:
            a, b = nodes[draw(pick)], nodes[draw(pick)]
            nodes.append(draw(st.sampled_from(BINARY))(a, b))
    total = nodes[-1]
    for node in nodes[:-1]:
        total = total + node if draw(st.booleans()) else total
    return total if total.shape == () else total.mean()


@given(graphs())
def test_graphs_agree_with_central_differences(output: Node) -> None:
    check(output, allowed=1e-6)


@given(graphs(((), (3,), (2, 1), (2, 3))))
def test_graphs_of_arrays_agree_with_central_differences(output: Node) -> None:
    check(output, allowed=1e-6)


ACTIVATIONS = {
    "identity": lambda z: z,
    "sigmoid": graph.sigmoid,
    "tanh": graph.tanh,
    "relu": graph.relu,
    "gaussian": graph.gaussian,
    "softmax": graph.softmax,
}


def _loss_of_gates(name: str, a: Node, z: Node, y: np.ndarray) -> Node:
    if name == "quadratic":
        return 0.5 * ((a - y) ** 2).sum()
    if name == "mse":
        return ((a - y) ** 2).sum() / y.shape[1]
    if name == "binary_cross_entropy":
        return -(y * graph.log(a) + (1 - y) * graph.log(1 - a)).sum()
    if name == "cross_entropy":
        return graph.cross_entropy(z, np.eye(a.shape[1])[y]).sum()
    right = (a * np.eye(a.shape[1])[y]).sum(axis=1, keepdims=True)
    return graph.max(a - right + 1, 0).sum() - len(y)  # the term of the right class is 1


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("hidden", ["identity", "sigmoid", "tanh", "relu", "gaussian"])
@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("identity", "quadratic"),
        ("tanh", "mse"),
        ("sigmoid", "binary_cross_entropy"),
        ("softmax", "cross_entropy"),
        ("identity", "hinge"),
        ("softmax", "quadratic"),
    ],
)
def test_a_network_of_gates_has_the_gradients_of_the_engine(
    hidden: str, output: str, loss: str, reduction: str
) -> None:
    rng = np.random.default_rng(3)
    net = cg.Network(
        5,
        [cg.Dense(7, hidden), cg.Dense(6, "tanh"), cg.Dense(4, output)],
        loss=loss,
        reduction=reduction,
        dtype="float64",
        rng=rng,
    )
    for layer in net.layers:
        layer.biases = rng.normal(size=layer.units)
    X = rng.normal(size=(8, 5))
    classes = loss in ("cross_entropy", "hinge")
    y = rng.integers(4, size=8) if classes else rng.uniform(size=(8, 4))

    samples = Variable(X, "X")
    weights = [Variable(layer.weights, f"W{index}") for index, layer in enumerate(net.layers, 1)]
    biases = [Variable(layer.biases, f"b{index}") for index, layer in enumerate(net.layers, 1)]
    a: Node = samples
    for W, b, layer in zip(weights, biases, net.layers, strict=True):
        z = a @ W.T + b
        a = ACTIVATIONS[layer.activation](z)
    C = _loss_of_gates(loss, a, z, y)
    if reduction == "mean":
        C = C / len(X)
    C.backward()

    g = net.backward(X, y, input_gradient=True)
    assert C.value == pytest.approx(g.loss, rel=1e-12)
    for ours, theirs in zip(
        [*weights, *biases, samples], [*g.weights, *g.biases, g.inputs], strict=True
    ):
        np.testing.assert_allclose(ours.gradient, theirs, rtol=0, atol=1e-12, err_msg=ours.name)


def test_gradients_of_paths_add_up() -> None:
    x = Variable(3.0, "x")
    (x * x).backward()
    assert x.gradient == 6.0
    (x + x + x).backward()
    assert x.gradient == 3.0, "an earlier gradient is replaced"
    y = x
    for _ in range(20):
        y = y + y  # 2²⁰ paths
    y.backward()
    assert x.gradient == 2.0**20


def test_the_gate_keeps_what_it_is_asked_to() -> None:
    x, y = Variable(-2.0, "x"), Variable([5.0, 1.0], "y")
    q = x * y
    f = (q + 1).sum()
    f.backward()
    assert q.incoming is None
    assert q.local is None
    f.backward(keep=True)
    assert q.incoming.tolist() == [1.0, 1.0]
    assert [each.tolist() for each in q.local] == [[5.0, 1.0], [-2.0, -2.0]]
    assert f.incoming == 1.0
    assert f.local == (None,), "a sum has no derivative for each element"
    assert f.operands[0].local[0].tolist() == [1.0, 1.0]
    assert f.operands[0].local[1] is None, "no derivative by a constant"
    assert x.incoming is None
    f.forward(x=1.0)
    assert q.local is None
    f.backward(keep=True)
    f.backward()
    assert q.local is q.incoming is None


def test_what_depends_on_constants_alone_is_not_differentiated() -> None:
    x = Variable(2.0, "x")
    root = graph.sqrt(Constant(0.0))  # which has no derivative there
    for f in (x * 3 + root, copy.deepcopy(x * 3 + root)):
        f.backward(keep=True)
        assert f.variables[0].gradient == 3.0
        assert (f.operands[1].gradient, f.operands[1].local) == (0.0, (None,))


def test_a_hundred_thousand_gates_deep() -> None:
    x = Variable(1.0, "x")
    y: Node = x
    for _ in range(50_000):
        y = y * 1.00001 + 1e-6
    y.backward()
    assert x.gradient == pytest.approx(1.00001**50_000, rel=1e-9)
    value = y.value
    assert y.forward(x=2.0) == pytest.approx(value + 1.00001**50_000, rel=1e-9)
    repr(y)
    del y
    gc.collect()


def test_copies_of_a_deep_graph() -> None:
    x = Variable(1.0, "x")
    y: Node = x
    for _ in range(5_000):
        y = y * 1.001
    again = pickle.loads(pickle.dumps(y))
    assert again.value == copy.deepcopy(y).value == y.value


def test_forward_again() -> None:
    x, y = Variable(-2.0, "x"), Variable(5.0, "y")
    q = (x + y).named("q")
    f = q * -4
    assert f.forward(x=3.0) == -32.0
    assert (q.value, x.value, y.value) == (8.0, 3.0, 5.0)
    assert f.forward({y: 1, "x": 2.0}) == -12.0
    assert f.forward() == -12.0
    f.backward()
    assert x.gradient == -4.0
    f.forward(x=0.0)
    assert x.gradient is None, "it belonged to another point"
    f.forward(x=[1.0, 2.0])
    assert f.value.tolist() == [-8.0, -12.0]


def test_backward_brings_values_up_to_date() -> None:
    x = Variable(2.0, "x")
    f, g = x * x * x, graph.exp(x)
    x.value = 3.0
    assert f.value == 8.0
    f.backward()
    assert (f.value, x.gradient) == (27.0, 27.0)
    f.forward(x=0.0)
    g.backward()
    assert (g.value, x.gradient) == (1.0, 1.0)


def test_drawing_one_graph_leaves_the_gradients_of_another() -> None:
    x, y = Variable(1.0, "x"), Variable(2.0, "y")
    f, g = x * y, x + y
    f.forward(x=3.0)
    f.backward()
    g.to_svg()
    assert (g.value, x.gradient, y.gradient) == (5.0, 2.0, 3.0)


def test_nothing_is_changed_if_forward_fails() -> None:
    x = Variable(2.0, "x")
    q = x - 1
    f = graph.log(q)
    for value in (0.5, [1.0, 1.0, 0.0], math.nan):
        with pytest.raises(GraphError):
            f.forward(x=value)
        assert (x.value, q.value, f.value) == (2.0, 1.0, 0.0)


def interrupted(call: Callable[[], object], line: int) -> bool:
    """Interrupt the call at a line of the package, counted from 0; return whether it got there."""
    lines = itertools.count()

    def trace(frame: Any, event: str, argument: Any) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("cygrad."):
            return None
        if event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("method", ["forward", "backward"])
def test_an_interrupt_at_any_line_leaves_a_consistent_graph(method: str) -> None:
    for line in itertools.count():
        x, y = Variable(2.0, "x"), Variable(3.0, "y")
        f = x * y + x * x
        f.backward()
        call = {"forward": lambda f=f: f.forward(x=5.0), "backward": lambda f=f: f.backward(2.0)}
        cut = interrupted(call[method], line)
        f.backward()
        a = x.value
        assert a in (2.0, 5.0)
        assert (f.value, x.gradient, y.gradient) == (3 * a + a * a, 3 + 2 * a, a), line
        if not cut:
            break
    assert line > 50


G = GraphError


@pytest.mark.parametrize(
    ("fails", "error", "text"),
    [
        (lambda x, v, w: graph.log(x - 5), G, r"gate log \(sub\(x, 5\) = -3.0\).*above 0"),
        (lambda x, v, w: graph.log(v), G, r"gate log \(v\[1\] = -1.0\).*nan at \[1\]"),
        (lambda x, v, w: x / (x - x), G, r"gate div \(x = 2.0, sub\(x, x\) = 0.0\).*other"),
        (lambda x, v, w: v / (x - x), G, r"div \(v\[0\] = 1.0, sub\(x, x\) = 0.0\).*inf at \[0\]"),
        (lambda x, v, w: graph.sqrt(-x), G, r"gate sqrt \(neg\(x\) = -2.0\).* 0 or above"),
        (lambda x, v, w: (-x) ** 0.5, G, r"power \(neg\(x\) = -2.0, 0.5\).* a whole exponent$"),
        (lambda x, v, w: x**5000, G, r"gate power .*inf, .* and an output within the range"),
        (lambda x, v, w: x / 5e-324, G, r"gate div .*inf, .*other than 0 and an output within"),
        (lambda x, v, w: graph.exp(x * 500), G, r"gate exp .*inf, expected .*range"),
        (lambda x, v, w: graph.reciprocal(x - 2), G, "gate reciprocal .*other than 0"),
        (lambda x, v, w: v + w, G, r"gate add: v of shape \(2,\) and w of shape \(3,\)"),
        (lambda x, v, w: v @ w, G, r"matmul: v of shape \(2,\) and w of shape \(3,\)"),
        (lambda x, v, w: w.reshape(2, 2), G, r"gate reshape: w of shape \(3,\)"),
        (lambda x, v, w: w.sum(axis=1), G, r"gate sum: w of shape \(3,\).* axis"),
        (lambda x, v, w: w @ np.ones(4), G, r"w of shape \(3,\) and an array of shape \(4,\) do"),
        (lambda x, v, w: graph.mean([]), G, r"gate mean .*nan, expected something"),
        (lambda x, v, w: graph.sum(v, 0), TypeError, r"got 2 operands, expected 1 \(options are"),
        (lambda x, v, w: graph.sum(v, axes=0), TypeError, "gate sum: .*unexpected .* 'axes'"),
        (lambda x, v, w: v.backward(), G, r"v has shape \(2,\).* seed"),
        (lambda x, v, w: v.backward(w.value), G, r"seed has shape \(3,\), expected \(2,\)"),
        (lambda x, v, w: w.reshape(1, 3).backward([[1], [1], [1]]), G, r"seed has shape \(3, 1\)"),
        (lambda x, v, w: v.backward("up"), TypeError, "seed is 'up', expected"),
        (lambda x, v, w: graph.sqrt(x - 2).backward(), G, "sqrt: the gradient of sub"),
        (lambda x, v, w: (x * Variable(1, "x")).backward(), G, "two nodes .* name 'x'"),
        (lambda x, v, w: (x + x).named("x").forward(), G, "two nodes .* name 'x'"),
        (lambda x, v, w: x.forward(y=3.0), G, "'y' is no variable .* one of: x"),
        (lambda x, v, w: (x * 2).forward({v: 3.0}), G, "is no variable of this graph"),
        (lambda x, v, w: (x * 2).forward({x: 1}, x=2), G, "is given twice"),
        (lambda x, v, w: (x * 2).forward({"x": 1}, x=2), G, "variable 'x' is given twice"),
        (lambda x, v, w: (x * 2).forward(3.0), TypeError, "values is 3.0, expected new values"),
        (lambda x, v, w: x.forward(x="a"), TypeError, "the value of x is 'a', expected a number"),
        (lambda x, v, w: x.forward(x=math.inf), G, "the value of x is inf, .* finite"),
        (lambda x, v, w: x * 10**400, G, "an operand is inf, expected finite"),
        (lambda x, v, w: x + "a", TypeError, "an operand is 'a', expected a number"),
        (lambda x, v, w: graph.add(x, [1, [2]]), TypeError, r"an operand is \[1, \[2\]\]"),
        (lambda x, v, w: x + 1j, TypeError, "an operand is 1j, expected a number"),
        (lambda x, v, w: x + math.nan, G, "an operand is nan, expected finite"),
        (lambda x, v, w: Variable(x), TypeError, "value is <x: 2.0>, expected a number"),
        (lambda x, v, w: Variable(1, 2), TypeError, "name is 2, expected text"),
        (lambda x, v, w: graph.mul(x), TypeError, "gate mul got 1 operands, expected 2"),
        (lambda x, v, w: graph.elementwise("mul", abs, abs), ValueError, "'mul', which is a gate"),
        (lambda x, v, w: graph.elementwise("a", 1, abs), TypeError, "rules of gate 'a' are 1"),
        (lambda x, v, w: graph.elementwise("", abs, abs), TypeError, "name is '', expected"),
    ],
)  # fmt: skip
def test_errors(fails: Callable[..., object], error: type[Exception], text: str) -> None:
    x, v, w = Variable(2.0, "x"), Variable([1.0, -1.0], "v"), Variable([1.0, 2.0, 3.0], "w")
    with pytest.raises(error, match=text):
        fails(x, v, w)


def test_nothing_is_left_to_warnings_of_numpy() -> None:
    x = Variable([1e-200, 3.0], "x")
    with np.errstate(all="raise"):
        f = (
            x * 1e-200 * 1e-200 + graph.softmax(1e3 * x) * graph.log(x)
        ).sum()  # what underflows is 0
        f.forward()
        f.backward(keep=True)
        f.to_svg()
        graph.compile(x * (Variable([1e-200]) * 1e-200).sum(), [x])
        for fails in (
            lambda: x / [0.0, 1.0],
            lambda: graph.sqrt(-x),
            lambda: (x / 1e-200).forward(x=1e200),
            lambda: graph.sqrt(x - x).backward([1.0, 1.0]),
        ):
            with pytest.raises(GraphError):
                fails()


def test_a_gradient_that_overflows_where_paths_meet_is_refused() -> None:
    x = Variable(0.1, "x")
    f = x * 1.5e308 + x * 1.5e308
    with pytest.raises(GraphError, match="gate mul: the gradient of x is not finite"):
        f.backward()
    assert x.gradient is None


def test_copies() -> None:
    x, y = Variable(-2.0, "x"), Variable([5.0, 1.0], "y")
    q = (x * y).named("q")
    f = q.sum(axis=0)
    f.backward(keep=True)
    for f2, x2 in (pickle.loads(pickle.dumps((f, x))), copy.deepcopy((f, x))):
        assert x2 is not x
        assert x2 in f2.variables, "a shared variable stays shared"
        q2 = f2.operands[0]
        assert (q2.name, f2.value, x2.gradient) == ("q", f.value, x.gradient)
        assert q2.local[0].tolist() == q.local[0].tolist()
        copies = (q2.value, q2.gradient, q2.incoming, q2.operands[1].value, q2.operands[1].gradient)
        assert not any(each.flags.writeable for each in copies)
        assert f2.forward(x=1.0) == 6.0
        assert f.value == -12.0
    assert copy.copy(f).variables == f.variables


def test_a_copy_has_the_options_of_its_gates() -> None:
    x = Variable([[1.0, 2.0], [3.0, 4.0]], "x")
    f = x.sum(axis=1)
    for again in (copy.deepcopy(f), copy.copy(f), pickle.loads(pickle.dumps(f))):
        assert again.forward(x=[[10.0, 20.0], [30.0, 40.0]]).tolist() == [30.0, 70.0]


def test_a_copy_of_an_outdated_graph_is_evaluated_again() -> None:
    x = Variable(2.0, "x")
    f = (x * x + 1) * 2
    x.value = 3.0
    for again in (copy.deepcopy(f), copy.copy(f), pickle.loads(pickle.dumps(f))):
        again.backward()
        assert (again.value, again.variables[0].gradient) == (20.0, 12.0)


def test_values_are_copies_that_cannot_be_written_to() -> None:
    array = np.ones((2, 3))
    x = Variable(array, "x")
    array[:] = 7
    assert x.value.tolist() == [[1.0] * 3] * 2
    f = x * 2
    f.backward(np.ones((2, 3)))
    for value in (x.value, f.value, x.gradient):
        with pytest.raises(ValueError, match="read-only"):
            value[0, 0] = 1.0


@pytest.mark.parametrize(
    "value",
    [
        [[1, 2, 3], [4, 5, 6]],
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.arange(12.0, dtype=np.float32).reshape(2, 6)[:, ::-2],
        np.broadcast_to(np.float64(2), (2, 3)),
        np.ones((2, 3), bool),
    ],
)
def test_values_of_any_layout(value: Any) -> None:
    x = Variable(value)
    assert x.value.dtype == np.float64
    assert x.value.tolist() == np.asarray(value, float).tolist()
    check((x * x).sum())


def test_numbers_and_arrays_of_numpy_on_the_left() -> None:
    x, v = Variable(2.0, "x"), Variable([1.0, 2.0, 3.0], "v")
    for number in (np.float64(3), np.float32(3), np.int8(3), np.array(3.0), 3, 10**30):
        for f, expected in [
            (number + x, float(number) + 2),
            (number - x, float(number) - 2),
            (number * x, float(number) * 2),
            (number / x, float(number) / 2),
            (number**x, float(number) ** 2),
        ]:
            assert isinstance(f, Node)
            assert f.value == expected
    for f, expected in [
        (np.ones(3) * x, [2.0] * 3),
        (np.ones((2, 3)) @ v, [6.0] * 2),
        (np.ones(3) @ v, 6.0),
        ([1, 2, 3] - v, [0.0] * 3),
    ]:
        assert isinstance(f, Node)
        assert np.array_equal(f.value, expected)


def test_shapes_as_arguments_or_as_a_tuple() -> None:
    x = Variable(np.arange(6.0), "x")
    for f in (x.reshape(2, 3), x.reshape((2, 3)), x.reshape([2, 3]), x.reshape(-1, 3)):
        assert f.value.tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
        check(f, seed=np.arange(6.0).reshape(2, 3))
    assert x.reshape(-1).shape == (6,)
    assert Variable([2.0]).reshape().shape == ()


def test_texts_of_nodes() -> None:
    x, y = Variable(-2.0, "x"), Variable([1.0, 2.0])
    f = graph.exp(x * 3 + y)
    assert repr(x) == "<x: -2.0>"
    assert repr(f) == "<exp(add(…, an array of shape (2,))): [0.006738 0.018316]>"
    (x + 1).backward()
    assert repr(x) == "<x: -2.0, gradient 1.0>"
    assert repr(Variable(np.arange(99.0), "v")) == "<v: [ 0.  1. ... 97. 98.]>"
    assert repr(f.gate) == "<gate exp>"
    assert f.operands[0].gate is graph.add
    total = y.sum(axis=0)
    total.options["axis"] = 1
    assert total.options == {"axis": 0, "keepdims": False}
    assert x.name == "x"
    assert not hasattr(x, "__float__"), "math.exp(x) would lose the graph"


@pytest.mark.parametrize("module", [graph, graph.node, graph.gates])
def test_examples_of_the_docstrings(module: Any) -> None:
    names = {"cg": cg, "np": np, **vars(graph)}
    try:
        assert doctest.testmod(module, extraglobs=names).failed == 0
    finally:
        GATES.pop("softplus", None)
