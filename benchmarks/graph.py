"""Value and all derivatives of expressions: compiled graphs next to plain Python and to NumPy.

Plain Python builds the expression anew for each point. The graph is built once and evaluated for
each point; the compiled graph is called with numbers, and with arrays of many points. The NumPy
program is differentiated by hand, which the others do automatically. The garbage collector stays
on, because plain Python makes cycles. All must agree first: the compiled graph with the graph in
every bit, with the others up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cygrad import graph

from . import timing
from .expressions import EXPRESSIONS, Expression
from .programs import Array, scalar_autograd
from .report import Column, Row
from .settings import Settings, WrongResult

TITLE = "Graphs, float64: value and all derivatives, ns per point"
COLUMNS = (
    Column("expression", "expression", 14),
    Column("gates", "gates", 5, "d"),
    Column("program", "program", 22),
    Column("points", "points", 6, ",d"),
    Column("nanoseconds", "ns", 9, ",.1f"),
    Column("speedup", "× Python", 8, ",.1f"),
)
POINTS = 40_000
TOLERANCE = 1e-12  # of the largest number

Result = tuple[Any, tuple[Any, ...]]


def rows(settings: Settings) -> Iterator[Row]:
    rounds = 3 if settings.quick else 15
    for expression in EXPRESSIONS:
        points = np.random.default_rng(3).uniform(-2, 2, (expression.inputs, POINTS))
        first = points[:, 0].tolist()
        f, variables = _build(expression)
        fn = graph.compile(f, variables)
        run_graph, run_python = _graph_program(f, variables), _python_program(expression)
        _check(expression, fn, run_graph, run_python, points)
        medians = timing.alternate(
            {
                "plain Python": timing.per_call(run_python, *first, collect_garbage=True),
                "cygrad.graph": timing.per_call(run_graph, *first, collect_garbage=True),
                "compiled": timing.per_call(fn, *first, collect_garbage=True),
                "NumPy by hand, arrays": timing.per_call(
                    expression.numpy, *points, collect_garbage=True
                ),
                "compiled, arrays": timing.per_call(fn, *points, collect_garbage=True),
            },
            rounds,
        )
        for program, seconds in medians.items():
            count = POINTS if "arrays" in program else 1
            yield {
                "expression": expression.name,
                "gates": len(fn.gates),
                "program": program,
                "points": count,
                "nanoseconds": 1e9 * seconds / count,
                "speedup": medians["plain Python"] * count / seconds,
            }


def _build(expression: Expression) -> tuple[graph.Node, list[graph.Variable]]:
    variables = [graph.Variable(0.5, f"x{index}") for index in range(expression.inputs)]
    return expression.build(graph, *variables), variables


def _graph_program(f: graph.Node, variables: list[graph.Variable]) -> Callable[..., Result]:
    """Return a function that sets new values in the graph and runs forward and backward."""

    def run_graph(*point: float) -> Result:
        value = f.forward(dict(zip(variables, point, strict=True)))
        f.backward()
        return value, tuple(variable.gradient for variable in variables)

    return run_graph


def _python_program(expression: Expression) -> Callable[..., Result]:
    Value, build = scalar_autograd.Value, expression.build

    def evaluate(*point: float) -> Result:
        inputs = [Value(number) for number in point]
        out = build(scalar_autograd, *inputs)
        out.backward()
        return out.data, tuple([each.grad for each in inputs])

    return evaluate


def _check(
    expression: Expression,
    fn: graph.CompiledGraph,
    run_graph: Callable[..., Result],
    run_python: Callable[..., Result],
    points: Array,
) -> None:
    at_points = _as_array(fn(*points))
    by_hand = _as_array(expression.numpy(*points))
    if not np.abs(at_points - by_hand).max() <= TOLERANCE * np.abs(by_hand).max():
        raise WrongResult(f"{expression.name}: the compiled graph and NumPy by hand disagree")
    for index in range(0, POINTS, POINTS // 50):
        point = points[:, index].tolist()
        one = _as_array(fn(*point))
        if not np.array_equal(one, at_points[:, index]):
            raise WrongResult(f"{expression.name}: point {index} has other bits within an array")
        if not np.array_equal(one, _as_array(run_graph(*point))):
            raise WrongResult(f"{expression.name}: point {index} has other bits in the graph")
        expected = _as_array(run_python(*point))
        if not np.abs(one - expected).max() <= TOLERANCE * np.abs(expected).max():
            raise WrongResult(f"{expression.name}: point {index} is {one}, in Python {expected}")


def _as_array(result: Result) -> Array:
    value, gradients = result
    return np.array([value, *gradients])
