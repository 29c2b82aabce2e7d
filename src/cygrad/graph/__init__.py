"""Computational graphs of gates: expressions that can be evaluated, differentiated and looked at.

>>> import cygrad as cg
>>> x, y, z = (cg.graph.Variable(value, name) for value, name in ((-2, "x"), (5, "y"), (-4, "z")))
>>> f = (x + y) * z
>>> f.value
-12.0
>>> f.backward()
>>> x.gradient, y.gradient, z.gradient
(-4.0, -4.0, 3.0)
>>> f.forward(x=3.0)
-32.0
>>> cg.graph.compile(f)(3.0, 5.0, -4.0)
(-32.0, (-4.0, -4.0, 8.0))

The gates take nodes, numbers and arrays; the element-wise ones broadcast them together:

=====================================  ===========================================================
``+ - * /``, `neg`, `reciprocal`       arithmetic; ``-x`` and 1/x
``x ** y``, `sqrt`, `exp`, `log`       powers, the square root, eˣ and its inverse
`sin`, `cos`, `tanh`, `sigmoid`,       functions; `sigmoid` is 1 / (1 + e⁻ˣ), `gaussian` exp(−x²),
`gaussian`, `relu`, ``abs(x)``         `relu` max(x, 0)
`max`, `min`                           of two operands; of equal ones the first gets the gradient
`sum`, `mean`                          of all elements, or along ``axis``; with ``keepdims``
`matmul` or ``@``, `transpose`,        products of matrices as in NumPy, reordered axes (``axes``),
`reshape`                              and another ``shape``
`softmax`, `log_sum_exp`               along ``axis``, by default the last
`cross_entropy`                        −Σ t log softmax(x) along ``axis``, t the probabilities
=====================================  ===========================================================

Where they live:

- `gates` is their table, each with its rule forward and its rules backward; `elementwise` and
  `arraywise` add a row. `formulas` has what ``help`` says of each.
- `compiled` has `compile`, which makes a fast function of an expression.
- `drawing` draws circuits: ``f.draw("circuit.svg")``.
- `node` has `Node`, `Variable` and `Constant`, `passes` the two passes over a graph, `rules` what
  happens at one gate, `values` what nodes hold, `functions` the elementary functions.
"""

from cygrad.graph.compiled import CompiledGraph, compile
from cygrad.graph.gates import (
    GATES,
    Gate,
    abs,
    add,
    arraywise,
    cos,
    cross_entropy,
    div,
    elementwise,
    exp,
    gaussian,
    log,
    log_sum_exp,
    matmul,
    max,
    mean,
    min,
    mul,
    neg,
    power,
    reciprocal,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    sqrt,
    sub,
    sum,
    tanh,
    transpose,
)
from cygrad.graph.node import Constant, Node, Variable
from cygrad.graph.values import GraphError

__all__ = [
    "GATES",
    "CompiledGraph",
    "Constant",
    "Gate",
    "GraphError",
    "Node",
    "Variable",
    "abs",
    "add",
    "arraywise",
    "compile",
    "cos",
    "cross_entropy",
    "div",
    "elementwise",
    "exp",
    "gaussian",
    "log",
    "log_sum_exp",
    "matmul",
    "max",
    "mean",
    "min",
    "mul",
    "neg",
    "power",
    "reciprocal",
    "relu",
    "reshape",
    "sigmoid",
    "sin",
    "softmax",
    "sqrt",
    "sub",
    "sum",
    "tanh",
    "transpose",
]
