"""The activations in operators of ONNX, for writing graphs and for recognising them.

Each formula calls ``graph.node(operator, inputs…, attributes…)`` and ``graph.number(value)``. The
writer's graph makes the nodes; the reader's graph finds them. There are two kinds: ONNX's own
operators, whose attributes are float32 and some of which ONNX Runtime has in float32 only; and
compositions of operators that it has in both dtypes, with constants of the dtype of the network,
in which nothing overflows and no digits cancel.
"""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any, Protocol

# λ and α of selu, Klambauer et al. 2017.
SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717

#: exp(x²) erfc(x) / t as a polynomial of 2 t − 1, t = 2 / (2 + x), the lowest power first: a
#: Chebyshev series of 26 terms, computed with 60 digits. The sum has errors below 5 units in the
#: last place in float64, for x from 0 to 20.
ERFC = (
    0.5107913526210115,
    0.34358034220690514,
    0.13973604627801475,
    0.01822111575345904,
    -0.010755330944036532,
    -0.0032395925345820673,
    0.0015453060141013286,
    0.0004186480432791111,
    -0.0003315365766901461,
    -1.7185831874889752e-05,
    7.223418829504806e-05,
    -1.7073781133818914e-05,
    -1.084298532996441e-05,
    8.05787586714734e-06,
    -5.776423611511427e-07,
    -1.8150355080541665e-06,
    1.0305699215291105e-06,
    -1.3754508233185959e-08,
    -3.262460935296672e-07,
    1.7867229479168536e-07,
    3.6000845292079935e-08,
    -6.96584294340914e-08,
    6.520434614401538e-09,
    1.3216325517632652e-08,
    -1.9111737286078935e-09,
    -1.0590333143571804e-09,
)


class Graph(Protocol):
    """A graph that is written, or read."""

    def node(self, operator: str, *inputs: Any, **attributes: Any) -> Any:
        """Return the output of a node."""

    def number(self, value: float) -> Any:
        """Return a constant of the dtype of the network."""


#: (graph, z, parameter) ↦ a.
Formula = Callable[[Graph, Any, Any], Any]


def _plain(operator: str, **attributes: Any) -> Formula:
    return lambda graph, z, parameter: graph.node(operator, z, **attributes)


def _positive(graph: Graph, z: Any) -> Any:
    return graph.node("Greater", z, graph.number(0))


def _expm1_of_negative(graph: Graph, z: Any) -> Any:
    """exp(z) − 1 = 2 t / (1 − t) where z < 0, else 0, with t = tanh(z / 2)."""
    half = graph.node("Mul", graph.node("Min", z, graph.number(0)), graph.number(0.5))
    t = graph.node("Tanh", half)
    return graph.node("Div", graph.node("Add", t, t), graph.node("Sub", graph.number(1), t))


def expm1(graph: Graph, z: Any) -> Any:
    """exp(z) − 1; 2 t / (1 − t) with t = tanh(z / 2) where |z| < 1."""
    near = graph.node("Clip", z, graph.number(-1), graph.number(1))
    t = graph.node("Tanh", graph.node("Mul", near, graph.number(0.5)))
    small = graph.node("Div", graph.node("Add", t, t), graph.node("Sub", graph.number(1), t))
    is_small = graph.node("Less", graph.node("Abs", z), graph.number(1))
    other = graph.node("Sub", graph.node("Exp", z), graph.number(1))
    return graph.node("Where", is_small, small, other)


def _one_plus_exp(graph: Graph, z: Any) -> Any:
    """1 + exp(−z); infinite where exp(−z) is."""
    return graph.node("Add", graph.node("Exp", graph.node("Neg", z)), graph.number(1))


def _sigmoid(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Div", graph.number(1), _one_plus_exp(graph, z))


def _silu(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Div", z, _one_plus_exp(graph, z))


def _gaussian(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Exp", graph.node("Neg", graph.node("Mul", z, z)))


def _leaky_relu(graph: Graph, z: Any, slope: Any) -> Any:
    below = graph.node("Mul", graph.node("Min", z, graph.number(0)), graph.number(slope))
    return graph.node("Add", graph.node("Relu", z), below)


def _leaky_relu_operator(graph: Graph, z: Any, slope: Any) -> Any:
    return graph.node("LeakyRelu", z, alpha=slope)


def _elu(graph: Graph, z: Any, alpha: Any) -> Any:
    below = graph.node("Mul", _expm1_of_negative(graph, z), graph.number(alpha))
    return graph.node("Add", graph.node("Relu", z), below)


def _elu_operator(graph: Graph, z: Any, alpha: Any) -> Any:
    return graph.node("Elu", z, alpha=alpha)


def _selu(graph: Graph, z: Any, parameter: Any) -> Any:
    below = graph.node("Mul", _expm1_of_negative(graph, z), graph.number(SELU_SCALE * SELU_ALPHA))
    above = graph.node("Mul", graph.node("Relu", z), graph.number(SELU_SCALE))
    return graph.node("Add", above, below)


def _gelu(graph: Graph, z: Any, parameter: Any) -> Any:
    """z Φ(z), with erfc(x) = exp(−x²) t p(2 t − 1), x = |z| / √2, t = 2 / (2 + x)."""
    x = graph.node("Mul", graph.node("Abs", z), graph.number(sqrt(0.5)))
    t = graph.node("Div", graph.number(2), graph.node("Add", x, graph.number(2)))
    y = graph.node("Sub", graph.node("Add", t, t), graph.number(1))
    polynomial = graph.number(ERFC[-1])
    for coefficient in ERFC[-2::-1]:
        polynomial = graph.node("Mul", polynomial, y)
        polynomial = graph.node("Add", polynomial, graph.number(coefficient))
    exponential = graph.node("Exp", graph.node("Neg", _half_square(graph, z)))
    tail = graph.node("Mul", graph.node("Mul", polynomial, t), exponential)
    tail = graph.node("Mul", tail, graph.number(0.5))
    above = graph.node("Sub", graph.number(1), tail)
    return graph.node("Mul", z, graph.node("Where", _positive(graph, z), above, tail))


def _half_square(graph: Graph, z: Any) -> Any:
    return graph.node("Mul", graph.node("Mul", z, z), graph.number(0.5))


def _gelu_of_erf(graph: Graph, z: Any, parameter: Any) -> Any:
    """z (1 + erf(z / √2)) / 2."""
    erf = graph.node("Erf", graph.node("Div", z, graph.number(sqrt(2))))
    product = graph.node("Mul", z, graph.node("Add", erf, graph.number(1)))
    return graph.node("Mul", product, graph.number(0.5))


def _gelu_tanh(graph: Graph, z: Any, parameter: Any) -> Any:
    """z / (1 + exp(−x)), x = √(8/π) z (1 + 0.044715 z²)."""
    inner = graph.node("Mul", graph.node("Mul", z, z), graph.number(0.044715))
    inner = graph.node("Mul", z, graph.node("Add", inner, graph.number(1)))
    x = graph.node("Mul", inner, graph.number(sqrt(8 / pi)))
    return graph.node("Div", z, _one_plus_exp(graph, x))


def _mish(graph: Graph, z: Any, parameter: Any) -> Any:
    """z n / (n + 2 d) with u = exp(−|z|): n = 1 + 2 u, d = u² where z > 0, else u (u + 2), 1.

    tanh(ln v) = (v² − 1) / (v² + 1) with v = 1 + exp(z).
    """
    u = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    positive = _positive(graph, z)
    above = graph.node("Add", graph.node("Add", u, u), graph.number(1))
    below = graph.node("Mul", u, graph.node("Add", u, graph.number(2)))
    n = graph.node("Where", positive, above, below)
    d = graph.node("Where", positive, graph.node("Mul", u, u), graph.number(1))
    whole = graph.node("Add", n, graph.node("Add", d, d))
    return graph.node("Mul", z, graph.node("Div", n, whole))


def _softplus(graph: Graph, z: Any, parameter: Any) -> Any:
    """max(z, 0) + ln w, w = 1 + u, u = exp(−|z|); ln w is u ln w / (w − 1), or u where w = 1.

    The quotient makes up for the rounding of w (W. Kahan).
    """
    u = graph.node("Exp", graph.node("Neg", graph.node("Abs", z)))
    w = graph.node("Add", u, graph.number(1))
    quotient = graph.node("Div", u, graph.node("Sub", w, graph.number(1)))
    product = graph.node("Mul", graph.node("Log", w), quotient)
    logarithm = graph.node("Where", graph.node("Equal", w, graph.number(1)), u, product)
    return graph.node("Add", graph.node("Relu", z), logarithm)


def _softsign(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Div", z, graph.node("Add", graph.node("Abs", z), graph.number(1)))


def _hard_tanh(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Clip", z, graph.number(-1), graph.number(1))


def _hard_sigmoid(graph: Graph, z: Any, parameter: Any) -> Any:
    moved = graph.node("Add", z, graph.number(3))
    clipped = graph.node("Clip", moved, graph.number(0), graph.number(6))
    return graph.node("Div", clipped, graph.number(6))


def _sine(graph: Graph, z: Any, omega: Any) -> Any:
    return graph.node("Sin", graph.node("Mul", z, graph.number(omega)))


#: For each activation the form that is written in float64 and for the outputs.
COMPOSED: dict[str, Formula] = {
    "identity": lambda graph, z, parameter: z,
    "sigmoid": _sigmoid,
    "tanh": _plain("Tanh"),
    "relu": _plain("Relu"),
    "gaussian": _gaussian,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "softsign": _softsign,
    "hard_tanh": _hard_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "sine": _sine,
    "exp": _plain("Exp"),
    "softmax": _plain("Softmax", axis=-1),
}

#: The form that is written for hidden layers in float32, where it is another one: ONNX's operator.
OPERATORS: dict[str, Formula] = {
    "sigmoid": _plain("Sigmoid"),
    "leaky_relu": _leaky_relu_operator,
    "elu": _elu_operator,
    "selu": _plain("Selu"),
    "gelu": _gelu_of_erf,
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
}


def formula(name: str, dtype: str, *, is_output: bool) -> Formula:
    """Return the form of an activation that is written."""
    if dtype == "float32" and not is_output:
        return OPERATORS.get(name, COMPOSED[name])
    return COMPOSED[name]
