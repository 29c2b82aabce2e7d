"""The gates of computational graphs: outputs, derivatives, help, and new gates."""

import inspect
import math
import pickle
import pydoc
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph_checks import check
from tolerances import assert_close

from cygrad import graph
from cygrad.graph import GATES, Constant, GraphError, Variable
from cygrad.graph.formulas import FORMULAS

RANDOM = np.random.default_rng(0)

# Operands of each gate, in its domain and away from its kinks, and options.
CASES: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    **{
        name: [
            ([0.7, -1.3], {}),
            ([RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 3))], {}),
            ([RANDOM.normal(size=(4, 1)), RANDOM.normal(size=3)], {}),
            ([2.5, RANDOM.normal(size=(2, 1, 3))], {}),
        ]
        for name in ("add", "sub", "mul", "max", "min")
    },
    "div": [
        ([0.7, -1.3], {}),
        ([RANDOM.normal(size=(4, 1)), RANDOM.uniform(0.5, 2, 3) * [1, -1, 1]], {}),
        ([2.5, RANDOM.uniform(0.5, 2, (2, 1, 3))], {}),
    ],
    **{
        name: [([0.7], {}), ([-1.3], {}), ([RANDOM.normal(size=(4, 3))], {})]
        for name in (
            "neg", "abs", "exp", "sin", "cos", "tanh", "sigmoid", "relu", "gaussian",
        )
    },
    **{
        name: [([0.7], {}), ([RANDOM.uniform(0.1, 5, size=(4, 3))], {})]
        for name in ("log", "sqrt", "reciprocal")
    },
    "power": [
        ([1.7, -0.6], {}),
        ([RANDOM.uniform(0.1, 5, (4, 1)), RANDOM.normal(size=3)], {}),
    ],
    **{
        name: [
            ([RANDOM.normal(size=(4, 3))], {}),
            ([RANDOM.normal(size=(4, 3))], {"axis": 0}),
            ([RANDOM.normal(size=(2, 4, 3))], {"axis": (0, -1)}),
            ([RANDOM.normal(size=(4, 3))], {"axis": 1, "keepdims": True}),
            ([RANDOM.normal(size=(1, 3, 1))], {"axis": -1}),
            ([np.zeros((3, 0))], {"axis": 0}),
            ([0.3], {}),
        ]
        for name in ("sum", "mean")
    },
    "matmul": [
        ([RANDOM.normal(size=left), RANDOM.normal(size=right)], {})
        for left, right in [
            ((5, 10), (10, 3)),
            ((10,), (10, 3)),
            ((5, 10), (10,)),
            ((10,), (10,)),
            ((2, 5, 4), (2, 4, 3)),
            ((5, 4), (2, 4, 3)),
            ((7, 1, 5, 4), (2, 4, 3)),
            ((4,), (2, 4, 3)),
            ((2, 5, 4), (4,)),
        ]
    ],
    "transpose": [
        ([RANDOM.normal(size=(4, 3))], {}),
        ([RANDOM.normal(size=(4, 3, 2))], {"axes": (1, 2, 0)}),
        ([RANDOM.normal(size=(4, 3, 2))], {"axes": (-1, 0, 1)}),
        ([RANDOM.normal(size=(3, 3, 3))], {"axes": (1, -1, 0)}),
    ],
    "reshape": [([RANDOM.normal(size=(4, 3))], {"shape": (2, -1)})],
    "log_sum_exp": [
        ([RANDOM.normal(size=(4, 3))], {}),
        ([RANDOM.normal(size=(4, 3))], {"axis": 0}),
        ([RANDOM.normal(size=(4, 3))], {"axis": (0, 1), "keepdims": True}),
        ([RANDOM.normal(size=(4, 3))], {"axis": None}),
        ([0.3], {}),
    ],
    "softmax": [
        ([RANDOM.normal(size=(4, 3))], {}),
        ([RANDOM.normal(size=(4, 3))], {"axis": 0}),
        ([RANDOM.normal(size=(4, 3))], {"axis": None}),
        ([np.zeros((0, 3))], {}),
        ([0.3], {}),
    ],
    "cross_entropy": [
        ([RANDOM.normal(size=(4, 3)), RANDOM.dirichlet(np.ones(3), 4)], {}),
        ([RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(4, 3))], {"axis": 0}),
        ([RANDOM.normal(size=3), np.array([0.0, 1.0, 0.0])], {}),
        *[
            ([RANDOM.normal(size=scores), RANDOM.uniform(size=targets)], {})
            for scores, targets in [
                ((4, 3), (3,)),
                ((4, 3), (4, 1)),
                ((4, 3), ()),
                ((3,), (4, 3)),
                ((1, 3), (4, 3)),
                ((4, 1), (4, 3)),
                ((), ()),
            ]
        ],
    ],
}  # fmt: skip
NUMBERED = [
    pytest.param(name, *case, id=f"{name}-{number}")
    for name, cases in CASES.items()
    for number, case in enumerate(cases)
]


def test_every_gate_has_a_case() -> None:
    assert set(CASES) == set(GATES)


@pytest.mark.parametrize(("name", "operands", "options"), NUMBERED)
def test_gate_agrees_with_central_differences(
    name: str, operands: list[Any], options: dict[str, Any]
) -> None:
    output = GATES[name](*map(Variable, operands), **options)
    check(output, seed=np.random.default_rng(1).normal(size=output.shape))


@pytest.mark.parametrize("name", CASES)
def test_only_variables_get_a_gradient(name: str) -> None:
    operands, options = CASES[name][0]
    variables = [Variable(each) for each in operands]
    output = GATES[name](*variables, **options)
    output.backward(np.ones(output.shape))
    for alone, variable in enumerate(variables):
        nodes = [
            Variable(each) if place == alone else Constant(each)
            for place, each in enumerate(operands)
        ]
        output = GATES[name](*nodes, **options)
        output.backward(np.ones(output.shape))
        for place, node in enumerate(nodes):
            expected = variable.gradient if place == alone else np.zeros(node.shape)
            np.testing.assert_array_equal(node.gradient, expected)


def test_values_of_gates() -> None:
    x, y = Variable(0.7), Variable(-1.3)
    for node, expected in [
        (x + y, 0.7 - 1.3),
        (x - y, 0.7 + 1.3),
        (x * y, 0.7 * -1.3),
        (x / y, 0.7 / -1.3),
        (-x, -0.7),
        (+x, 0.7),
        (x**y, 0.7**-1.3),
        (y**3, (-1.3) ** 3),
        (y**2, 1.3 * 1.3),
        (2 + x, 2.7),
        (2 - x, 2 - 0.7),
        (2 * x, 1.4),
        (2 / x, 2 / 0.7),
        (2**x, 2**0.7),
        (abs(y), 1.3),
        (graph.max(x, y), 0.7),
        (graph.min(x, y), -1.3),
        (graph.reciprocal(x), 1 / 0.7),
        (graph.exp(x), math.exp(0.7)),
        (graph.log(x), math.log(0.7)),
        (graph.sqrt(x), math.sqrt(0.7)),
        (graph.sin(x), math.sin(0.7)),
        (graph.cos(x), math.cos(0.7)),
        (graph.tanh(x), math.tanh(0.7)),
        (graph.sigmoid(x), 1 / (1 + math.exp(-0.7))),
        (graph.sigmoid(y), 1 / (1 + math.exp(1.3))),
        (graph.relu(x), 0.7),
        (graph.relu(y), 0.0),
        (graph.gaussian(x), math.exp(-0.49)),
    ]:
        assert type(node.value) is float
        assert node.value == pytest.approx(expected, rel=4e-16)


def test_values_of_gates_over_arrays() -> None:
    a, b = RANDOM.normal(size=(4, 3)), RANDOM.normal(size=(3, 2))
    x, y = Variable(a), Variable(b)
    e = np.exp(a)
    t = np.eye(3)[[0, 2, 1, 1]]
    for node, expected in [
        (x @ y, a @ b),
        (a @ y, a @ b),
        (x @ b, a @ b),
        (x.T, a.T),
        (x.sum(), a.sum()),
        (x.sum(0), a.sum(0)),
        (x.sum(axis=1, keepdims=True), a.sum(axis=1, keepdims=True)),
        (x.mean(1), a.mean(1)),
        (x.mean(1, keepdims=True), a.mean(1, keepdims=True)),
        (x.reshape(2, 6), a.reshape(2, 6)),
        (a * x + np.float64(2), a * a + 2),
        (graph.softmax(x), e / e.sum(1, keepdims=True)),
        (graph.log_sum_exp(x, axis=0), np.log(e.sum(0))),
        (graph.cross_entropy(x, t), np.log(e.sum(1)) - (t * a).sum(1)),
    ]:
        assert_close(node.value, expected, "float64", 20, repr(node))
    assert graph.softmax([1000.0, 0.0]).value.tolist() == [1.0, 0.0]
    assert graph.log_sum_exp([1000.0, 1000.0]).value == pytest.approx(1000 + math.log(2), rel=1e-15)


def test_powers_at_zero() -> None:
    for base, exponent, expected in [(0.0, 0.0, 0.0), (0.0, 1.0, 1.0), (0.0, 2.0, 0.0)]:
        x = Variable(base)
        (x**exponent).backward()
        assert x.gradient == expected
    x = Variable([0.0, -2.0])
    (x**3.0).backward([1.0, 1.0])
    assert x.gradient.tolist() == [0.0, 12.0]
    y = Variable([2.0, 0.5])
    (0.0**y).backward([1.0, 1.0])
    assert y.gradient.tolist() == [0.0, 0.0]


def test_ties_and_kinks() -> None:
    for gate, expected in [(graph.max, (1.0, 0.0)), (graph.min, (1.0, 0.0))]:
        x, y = Variable([2.0, 2.0]), Variable([2.0, 2.0])
        gate(x, y).backward(np.ones(2))
        assert (x.gradient[0], y.gradient[0]) == expected
    for gate in (graph.relu, graph.abs):
        x = Variable(0.0)
        gate(x).backward()
        assert x.gradient == 0.0


def test_help_has_the_formula_of_each_gate() -> None:
    assert set(FORMULAS) == set(CASES)
    for name in FORMULAS:
        gate = GATES[name]
        text = pydoc.plain(pydoc.render_doc(gate))
        assert f"{name}(" in text
        assert gate.__doc__ != graph.Gate.__doc__
        (call,) = re.findall(r"^\w+\(([^)]*)\)", gate.__doc__)
        names = [each.partition("=")[0] for each in call.split(", ")]
        operands, options = names[: len(gate.backward)], names[len(gate.backward) :]
        assert operands == ["a", "t" if name == "cross_entropy" else "b"][: len(gate.backward)]
        assert not options or names == list(inspect.signature(gate.forward).parameters)


def test_a_gate_can_be_deleted_and_replaced() -> None:
    x = Variable(3.0, "x")
    graph.elementwise("twice", lambda a: a + a, lambda y, a: 1.0)  # wrong
    with pytest.raises(ValueError, match=r"'twice', which is a gate already: del .*\['twice'\]"):
        graph.elementwise("twice", lambda a: a + a, lambda y, a: 2.0)
    del GATES["twice"]
    twice = graph.elementwise("twice", lambda a: a + a, lambda y, a: 2.0)
    try:
        assert twice.__doc__ == graph.Gate.__doc__
        twice(x).backward()
        assert x.gradient == 2.0
    finally:
        del GATES["twice"]


def test_matrices_of_wrong_shapes_are_refused() -> None:
    A, B, x = Variable(np.ones((2, 3)), "A"), Variable(np.ones((4, 2)), "B"), Variable(2.0, "x")
    for a, b, message in (
        (A, B, r"A of shape \(2, 3\) and B of .* columns on the left are 3, rows on the right 4"),
        (A, np.ones(2), "columns on the left are 3, rows on the right 2"),
        (A, x, r"numbers are multiplied by \*"),
        (x, x, r"gate matmul \(x = 2.0, x = 2.0\): expected arrays, numbers are multiplied by \*"),
    ):
        with pytest.raises(GraphError, match=message):
            graph.matmul(a, b)


def test_a_new_gate_in_one_line() -> None:
    try:
        softplus = graph.elementwise(
            "softplus", lambda a: np.log1p(np.exp(a)), lambda y, a: 1 - np.exp(-y)
        )
        x = Variable([0.3, -2.0], "x")
        f = softplus(x * 2).sum()
        check(f)
        assert pickle.loads(pickle.dumps(f)).value == f.value
        text = pickle.dumps(f)
        dot = graph.arraywise(
            "dot", lambda a, b: a @ b, lambda g, y, a, b: g * b, lambda g, y, a, b: g * a
        )
        check(dot(x, softplus(x)))
    finally:
        GATES.pop("softplus", None)
        GATES.pop("dot", None)
    with pytest.raises(ValueError, match="no gate 'softplus'"):
        pickle.loads(text)


def new_gate(kind: Callable[..., Any], *rules: Callable[..., Any]) -> Any:
    """Return a new gate that is removed from the table."""
    gate = kind("new_gate", *rules)
    GATES.pop("new_gate")
    return gate


V, T, G = [1.0, 2.0, 3.0], TypeError, GraphError
EACH, ALL = graph.elementwise, graph.arraywise


@pytest.mark.parametrize(
    ("kind", "rule", "value", "error", "text"),
    [
        (ALL, lambda g, y, a: np.ones(4), V, G, r"to x gives the shape \(4,\), expected \(3,\)"),
        (ALL, lambda g, y, a: np.ones((2, 3)), V, G, r"the shape \(2, 3\), expected \(3,\)"),
        (ALL, lambda g, y, a: 1.0, V, G, r"the shape \(\), expected \(3,\)"),
        (ALL, lambda g, y, a: g * 1j, V, T, r"to x gives array\(\[0\.\+1\.j, .*expected a number"),
        (ALL, lambda g, y, a: None, V, T, "to x gives None, expected a number or an array"),
        (ALL, lambda g, y, a: 1 / 0, V, ZeroDivisionError, "division by zero"),
        (EACH, lambda y, a: np.ones(2), V, G, r"to x gives the shape \(2,\), expected \(3,\)"),
        (EACH, lambda y, a: np.ones((2, 3)), V, G, r"the shape \(2, 3\), expected \(3,\)"),
        (EACH, lambda y, a: np.ones(1), 2.0, G, r"the shape \(1,\), expected \(\)"),
        (EACH, lambda y, a: 2j, 2.0, T, "to x gives 2j, expected a number"),
        (EACH, lambda y, a: "1", 2.0, T, "to x gives '1', expected a number"),
        (EACH, lambda y, a: 1 / 0, 2.0, G, "the gradient of x is not finite"),
        (EACH, lambda y, a: math.exp(1000), 2.0, G, "the gradient of x is not finite"),
    ],
)  # fmt: skip
def test_a_wrong_rule_backward(
    kind: Callable[..., Any], rule: Any, value: Any, error: type[Exception], text: str
) -> None:
    x = Variable(value, "x")
    f = new_gate(kind, lambda a: 2 * a, rule)(x)
    with pytest.raises(error, match=text):
        f.backward(np.ones(f.shape))
    assert x.gradient is None


@pytest.mark.parametrize(
    ("kind", "rule", "value", "error", "text"),
    [
        (ALL, lambda a: a * 1j, V, T, r"gate new_gate: the output is array\(\[0\.\+1\.j"),
        (ALL, lambda a: None, V, T, "gate new_gate: .*None"),
        (ALL, lambda a: "2", V, T, "gate new_gate: .*'2'"),
        (EACH, lambda a: a.sum(), V, G, r"new_gate: the output has shape \(\), expected \(3,\)"),
        (EACH, lambda a: np.stack([a, a]), V, G, r"the output has shape \(2, 3\), expected \(3,\)"),
        (EACH, math.log, -2.0, G, r"gate new_gate \(x = -2.0\): "),
        (EACH, math.exp, 1e5, G, r"gate new_gate \(x = 100000.0\): the output is inf"),
        (EACH, math.exp, V, T, "gate new_gate: "),
        (ALL, lambda a: a[5], V, G, r"gate new_gate: x of shape \(3,\) do not fit: index 5"),
        (ALL, lambda a: {}[a.size], V, KeyError, "3"),
    ],
)  # fmt: skip
def test_a_wrong_rule_forward(
    kind: Callable[..., Any], rule: Any, value: Any, error: type[Exception], text: str
) -> None:
    gate = new_gate(kind, rule, lambda *arguments: 1.0)
    with pytest.raises(error, match=text):
        gate(Variable(value, "x"))


def test_rules_may_give_whatever_is_made_of_real_numbers() -> None:
    for forward, derivative in [
        (lambda a: [3, 0], lambda y, a: [2, 1]),
        (lambda a: a > 1, lambda y, a: a > 1),
        (lambda a: a.astype(np.float32), lambda y, a: np.float32(1)),
    ]:
        x = Variable([2.0, 1.0], "x")
        f = new_gate(EACH, forward, derivative)(x)
        f.backward([1.0, 10.0])
        assert f.value.tolist() == [float(each) for each in forward(x.value)]
        assert x.gradient.tolist() == np.multiply(derivative(f.value, x.value), [1, 10]).tolist()
        assert f.value.dtype == x.gradient.dtype == np.float64
