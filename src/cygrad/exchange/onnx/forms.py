"""The forms of activations and norms that other programs write, next to those of `activations`."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from cygrad.exchange.onnx.activations import COMPOSED, OPERATORS, Formula, Graph


def _of_operator(operator: str, **attributes: Any) -> Formula:
    return lambda graph, z, parameter: graph.node(operator, z, **attributes)


def _leaky_relu(graph: Graph, z: Any, slope: Any) -> Any:
    return graph.node("PRelu", z, graph.number(slope))


def _silu(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Mul", z, graph.node("Sigmoid", z))


def _mish(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Mul", z, graph.node("Tanh", graph.node("Softplus", z)))


def _softplus_of_pytorch(graph: Graph, z: Any, parameter: Any) -> Any:
    """z above 20, where it is off by less than 2.1e-9."""
    above = graph.node("Greater", z, graph.number(20))
    return graph.node("Where", above, z, graph.node("Softplus", z))


def _relu_of_max(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Max", z, graph.number(0))


def _one_plus_erf(graph: Graph, z: Any, operator: str) -> Any:
    factor = sqrt(2) if operator == "Div" else sqrt(0.5)
    erf = graph.node("Erf", graph.node(operator, z, graph.number(factor)))
    return graph.node("Add", erf, graph.number(1))


def _gelu_half_last(graph: Graph, z: Any, parameter: Any) -> Any:
    product = graph.node("Mul", z, _one_plus_erf(graph, z, "Mul"))
    return graph.node("Mul", product, graph.number(0.5))


def _gelu_half_first(operator: str) -> Formula:
    def formula(graph: Graph, z: Any, parameter: Any) -> Any:
        half = graph.node("Mul", z, graph.number(0.5))
        return graph.node("Mul", half, _one_plus_erf(graph, z, operator))

    return formula


def _gelu_half_inside(operator: str) -> Formula:
    def formula(graph: Graph, z: Any, parameter: Any) -> Any:
        phi = graph.node("Mul", _one_plus_erf(graph, z, operator), graph.number(0.5))
        return graph.node("Mul", z, phi)

    return formula


def _gelu_of_erfc(graph: Graph, z: Any, parameter: Any) -> Any:
    """TensorFlow's z / 2 erfc(−z / √2)."""
    half = graph.node("Mul", z, graph.number(0.5))
    x = graph.node("Mul", graph.node("Neg", z), graph.number(sqrt(0.5)))
    return graph.node("Mul", half, graph.node("Erfc", x))


def _hard_sigmoid_of_relu6(graph: Graph, z: Any, parameter: Any) -> Any:
    moved = graph.node("Add", z, graph.number(3))
    clipped = graph.node("Clip", moved, graph.number(0), graph.number(6))
    return graph.node("Mul", clipped, graph.number(1 / 6))


def _hard_tanh_of_min_and_max(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Max", graph.node("Min", z, graph.number(1)), graph.number(-1))


def _one_plus_tanh(graph: Graph, z: Any, *, is_power: bool) -> Any:
    """1 + tanh(√(2/π) (z + 0.044715 z³))."""
    if is_power:
        cube = graph.node("Pow", z, graph.number(3))
    else:
        cube = graph.node("Mul", z, graph.node("Mul", z, z))
    inner = graph.node("Add", z, graph.node("Mul", cube, graph.number(0.044715)))
    tanh = graph.node("Tanh", graph.node("Mul", inner, graph.number(sqrt(2 / pi))))
    return graph.node("Add", tanh, graph.number(1))


def _gelu_tanh(place: str, *, is_power: bool) -> Formula:
    """z (1 + tanh(…)) / 2, with the half first, last or inside."""

    def formula(graph: Graph, z: Any, parameter: Any) -> Any:
        half, other = graph.number(0.5), _one_plus_tanh(graph, z, is_power=is_power)
        if place == "first":
            return graph.node("Mul", graph.node("Mul", z, half), other)
        if place == "last":
            return graph.node("Mul", graph.node("Mul", z, other), half)
        return graph.node("Mul", z, graph.node("Mul", other, half))

    return formula


def _gaussian_of_power(graph: Graph, z: Any, parameter: Any) -> Any:
    return graph.node("Exp", graph.node("Neg", graph.node("Pow", z, graph.number(2))))


#: What other programs write.
FOREIGN: tuple[tuple[str, Formula], ...] = (
    ("gelu", _of_operator("Gelu", approximate=b"none")),
    ("gelu_tanh", _of_operator("Gelu", approximate=b"tanh")),
    ("gelu", _gelu_half_last),
    *(("gelu", _gelu_half_first(operator)) for operator in ("Div", "Mul")),
    *(("gelu", _gelu_half_inside(operator)) for operator in ("Div", "Mul")),
    ("gelu", _gelu_of_erfc),
    *(
        ("gelu_tanh", _gelu_tanh(place, is_power=is_power))
        for place in ("first", "last", "inside")
        for is_power in (False, True)
    ),
    ("silu", _silu),
    ("silu", _of_operator("Swish", alpha=1.0)),
    ("mish", _mish),
    ("mish", _of_operator("Mish")),
    ("softplus", _softplus_of_pytorch),
    ("leaky_relu", _leaky_relu),
    ("hard_sigmoid", _of_operator("HardSigmoid", alpha=1 / 6, beta=0.5)),
    ("hard_sigmoid", _hard_sigmoid_of_relu6),
    ("hard_tanh", _hard_tanh_of_min_and_max),
    ("gaussian", _gaussian_of_power),
    ("relu", _relu_of_max),
)
#: All, with those of the most nodes first.
FORMS = (
    *((name, form) for name, form in COMPOSED.items() if name != "identity"),
    *OPERATORS.items(),
    *FOREIGN,
)


def sine(graph: Graph, z: Any, parameter: Any) -> Any:
    """sin(z), whose parameter is 1."""
    return graph.node("Sin", z)


def layer_norm(*, is_power: bool) -> Formula:
    """Return the formula of a layer norm without γ and β; its parameter is ε."""

    def formula(graph: Graph, z: Any, eps: Any) -> Any:
        mean = graph.node("ReduceMean", z, axes=[-1])
        centered = graph.node("Sub", z, mean)
        if is_power:
            square = graph.node("Pow", centered, graph.number(2))
        else:
            square = graph.node("Mul", centered, centered)
        variance = graph.node("ReduceMean", square, axes=[-1])
        deviation = graph.node("Sqrt", graph.node("Add", variance, graph.number(eps)))
        return graph.node("Div", centered, deviation)

    return formula


def affine_layer_norm(*, scaled: bool, moved: bool) -> Formula:
    """Return TensorFlow's layer norm: z m + (β − mean m) with m = γ / √(variance + ε).

    The parameters are ε, γ and β. Its exporter leaves out a γ of 1 and a β of 0.
    """

    def formula(graph: Graph, z: Any, parameters: Any) -> Any:
        eps, weights, biases = parameters
        mean = graph.node("ReduceMean", z, axes=[-1])
        centered = graph.node("Sub", z, mean)
        variance = graph.node("ReduceMean", graph.node("Mul", centered, centered), axes=[-1])
        deviation = graph.node("Sqrt", graph.node("Add", variance, graph.number(eps)))
        factors = graph.node("Reciprocal", deviation)
        if scaled:
            factors = graph.node("Mul", factors, weights)
        offset = graph.node("Mul", graph.node("Neg", mean), factors)
        if moved:
            offset = graph.node("Add", offset, biases)
        return graph.node("Add", graph.node("Mul", z, factors), offset)

    return formula


def _scaled_silu(graph: Graph, z: Any, factor: Any) -> Any:
    return graph.node("Mul", z, graph.node("Mul", graph.node("Sigmoid", z), factor))


def _scaled_mish(graph: Graph, z: Any, factor: Any) -> Any:
    tanh = graph.node("Tanh", graph.node("Softplus", z))
    return graph.node("Mul", z, graph.node("Mul", tanh, factor))


def _scaled_hard_sigmoid(graph: Graph, z: Any, factor: Any) -> Any:
    moved = graph.node("Add", z, graph.number(3))
    return graph.node("Mul", graph.node("Clip", moved, graph.number(0), graph.number(6)), factor)


#: Activations with factors after them, which TensorFlow's exporter has moved inside; the parameter
#: is an array of them, which is to be multiplied by the last number.
SCALED: tuple[tuple[str, Formula, float], ...] = (
    ("silu", _scaled_silu, 1.0),
    ("mish", _scaled_mish, 1.0),
    ("hard_sigmoid", _scaled_hard_sigmoid, 6.0),
)
