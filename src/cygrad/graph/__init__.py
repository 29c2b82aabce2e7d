"""Computational graphs of gates: expressions that can be evaluated, differentiated and drawn.

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

The gates take nodes, numbers and arrays; element-wise gates broadcast them together:

=====================================  ===========================================================
``+ - * /``, `neg`, `reciprocal`       arithmetic; ``-x`` and 1/x
``x ** y``, `sqrt`, `exp`, `log`       powers, the square root, eˣ and its inverse
`sin`, `cos`, `tanh`, `sigmoid`,       functions; `sigmoid` is 1 / (1 + e⁻ˣ), `gaussian` exp(−x²),
`gaussian`, `relu`, ``abs(x)``         `relu` max(x, 0)
`max`, `min`                           of two operands; if equal, the first gets the gradient
`sum`, `mean`                          of all elements, or along ``axis``; with ``keepdims``
`matmul` or ``@``, `transpose`,        products of matrices as in NumPy, reordered axes (``axes``),
`reshape`                              and another ``shape``
`softmax`, `log_sum_exp`               along ``axis``, by default the last
`cross_entropy`                        −Σ t log softmax(x) along ``axis``, t the probabilities
=====================================  ===========================================================

Modules:

- `gates` is the table of the gates with their forward and backward rules; `elementwise` and
  `arraywise` add a row. `formulas` has their docstrings.
- `compiled` has `compile`, which turns an expression into a fast function.
- `drawing` draws circuits: ``f.draw("circuit.svg")``.
- `node` has `Node`, `Variable` and `Constant`, `passes` the forward and backward pass, `rules` the
  checked calls of a gate's rules, `values` the values of nodes, `functions` the elementary
  functions.
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
