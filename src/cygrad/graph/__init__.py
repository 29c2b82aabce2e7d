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

- `gates` is the table of the gates, each with its rule forward and its rule backward; `elementwise`
  and `arraywise` add a row.
- `node` has `Node`, `Variable` and `Constant`, and walks the graph in both directions.
- `functions` has the elementary functions that the gates are made of.
"""

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
from cygrad.graph.node import Constant, GraphError, Node, Variable

__all__ = [
    "GATES",
    "Constant",
    "Gate",
    "GraphError",
    "Node",
    "Variable",
    "abs",
    "add",
    "arraywise",
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
