"""The gates: the output of each one, and its derivatives with respect to the operands.

An element-wise gate is a row of forward rule and local derivatives. By the chain rule, with C the
number at the end of the graph and y the gate's output,

    ∂C/∂a += ∂C/∂y · ∂y/∂a

so a gate does not depend on the graph around it. If an operand was broadcast, the products are
summed over the repeated axes. A gate over whole arrays has no local derivatives; for each operand
it has a rule that computes ∂C/∂a from g = ∂C/∂y.

A new gate is one more row, and is called like the others:

>>> softplus = elementwise("softplus", lambda a: np.log1p(np.exp(a)),
...                        lambda y, a: 1 - np.exp(-y))

At a kink the gate uses a one-sided derivative, or 0: `relu` and `abs` have 0 at 0; if both operands
are equal, `max` and `min` return the first, which gets the whole gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.graph import functions
from cygrad.graph.formulas import docstring_of

if TYPE_CHECKING:
    from cygrad.graph.node import Node

#: All gates by their names.
GATES: dict[str, Gate] = {}


class Gate:
    """A kind of operation, with its rules forward and backward. Calling it makes a node.

    Parameters
    ----------
    name : str
    forward : callable
        ``forward(*operands, **options)`` returns the output y; operands are floats or read-only
        arrays of float64.
    backward : sequence of callable
        One for each operand. For an element-wise gate ``backward[i](y, *operands, **options)``
        returns the local derivative ∂y/∂operandᵢ; for others
        ``backward[i](g, y, *operands, **options)`` returns ∂C/∂operandᵢ, with g = ∂C/∂y.
    elementwise : bool
    symbol : str
        The text of the gate in a drawing.
    expects : str
        The condition on the operands for a finite output, as messages word it.

    Raises
    ------
    ValueError
        If a gate of that name exists.
    """

    def __init__(
        self,
        name: str,
        forward: Callable[..., Any],
        backward: tuple[Callable[..., Any], ...],
        *,
        elementwise: bool,
        symbol: str | None = None,
        expects: str = "",
    ) -> None:
        if not isinstance(name, str) or not name:
            raise TypeError(f"name is {name!r}, expected the name of a gate")
        if name in GATES:
            raise ValueError(
                f"name is {name!r}, which is a gate already: del cygrad.graph.GATES[{name!r}] "
                "makes room for another one"
            )
        if not backward or not all(map(callable, (forward, *backward))):
            raise TypeError(
                f"the rules of gate {name!r} are {forward!r} and {backward!r}, "
                "expected functions: one forward, one backward for each operand"
            )
        self.name = name
        self.forward = forward
        self.backward = backward
        self.elementwise = elementwise
        self.symbol = name if symbol is None else symbol
        self.expects = expects
        self.__doc__ = docstring_of(name) or type(self).__doc__
        GATES[name] = self

    def __call__(self, *operands: Any, **options: Any) -> Node:
        """Return the node of this gate applied to nodes, numbers or arrays."""
        from cygrad.graph.node import Node  # node.py imports this module

        return Node(self, operands, options)

    def __repr__(self) -> str:
        return f"<gate {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _gate, (self.name,)


def _gate(name: str) -> Gate:
    if name not in GATES:
        raise ValueError(f"there is no gate {name!r}, expected one that has been registered")
    return GATES[name]


def elementwise(
    name: str,
    forward: Callable[..., Any],
    *local_derivatives: Callable[..., Any],
    symbol: str | None = None,
    expects: str = "",
) -> Gate:
    """Register a gate that works on each element by itself.

    Parameters
    ----------
    name : str
    forward : callable
        ``forward(*operands, **options)`` returns the output y.
    *local_derivatives : callable
        One for each operand: ``local_derivatives[i](y, *operands, **options)`` returns
        ∂y/∂operandᵢ, in the shape of y or a shape that can be broadcast to it.
    symbol : str, optional
        The text of the gate in a drawing; by default the name.
    expects : str
        The condition on the operands for a finite output, as messages word it.

    Returns
    -------
    Gate
        Call it with nodes, numbers and arrays.

    Raises
    ------
    ValueError
        If a gate of that name exists.
    TypeError
        If a rule is not a function, or there is no backward rule.

    Examples
    --------
    >>> import cygrad as cg
    >>> cube = cg.graph.elementwise("cube", lambda a: a**3, lambda y, a: 3 * a**2)
    >>> x = cg.graph.Variable(2.0, "x")
    >>> cube(x).backward()
    >>> x.gradient
    12.0
    >>> del cg.graph.GATES["cube"]
    """
    return Gate(name, forward, local_derivatives, elementwise=True, symbol=symbol, expects=expects)


def arraywise(
    name: str,
    forward: Callable[..., Any],
    *backward: Callable[..., Any],
    symbol: str | None = None,
    expects: str = "",
) -> Gate:
    """Register a gate over whole arrays; parameters are as for `elementwise`, except `backward`.

    ``backward[i](g, y, *operands, **options)`` returns ∂C/∂operandᵢ in the shape of that operand;
    g = ∂C/∂y has the shape of y.

    >>> import cygrad as cg
    >>> squares = cg.graph.arraywise("squares", lambda a: (a * a).sum(), lambda g, y, a: 2 * g * a)
    >>> x = cg.graph.Variable([3.0, 4.0], "x")
    >>> squares(x).backward()
    >>> x.gradient
    array([6., 8.])
    >>> del cg.graph.GATES["squares"]
    """
    return Gate(name, forward, backward, elementwise=False, symbol=symbol, expects=expects)


# fmt: off
# gate                    y from the operands               ∂y/∂a, and ∂y/∂b of two operands
add = elementwise("add", lambda a, b: a + b, lambda y, a, b: 1.0, lambda y, a, b: 1.0, symbol="+")
sub = elementwise("sub", lambda a, b: a - b, lambda y, a, b: 1.0, lambda y, a, b: -1.0, symbol="−")
mul = elementwise("mul", lambda a, b: a * b, lambda y, a, b: b, lambda y, a, b: a, symbol="×")
div = elementwise("div", lambda a, b: a / b, lambda y, a, b: 1.0 / b, lambda y, a, b: -(y / b),
                  symbol="÷", expects="a divisor other than 0")
power = elementwise("power", functions.power,  # the derivatives of x⁰, and of 0ʸ by y, are 0
                    lambda y, a, b: np.where(b == 0.0, 0.0, b * functions.power(a, b - 1.0)),
                    lambda y, a, b: np.where(y == 0.0, 0.0, y * functions.log(a)), symbol="xʸ",
                    expects="a base above 0, or below 0 with a whole exponent")
max = elementwise("max", lambda a, b: np.where(a >= b, a, b),  # NumPy's may return either of ±0
                  lambda y, a, b: np.where(a >= b, 1.0, 0.0),
                  lambda y, a, b: np.where(a >= b, 0.0, 1.0))
min = elementwise("min", lambda a, b: np.where(a <= b, a, b),
                  lambda y, a, b: np.where(a <= b, 1.0, 0.0),
                  lambda y, a, b: np.where(a <= b, 0.0, 1.0))

neg = elementwise("neg", lambda a: -a, lambda y, a: -1.0, symbol="×(−1)")
reciprocal = elementwise("reciprocal", lambda a: 1.0 / a, lambda y, a: -(y * y),
                         symbol="1/x", expects="an operand other than 0")
abs = elementwise("abs", np.abs, lambda y, a: np.sign(a), symbol="|x|")
sqrt = elementwise("sqrt", np.sqrt, lambda y, a: 0.5 / y,
                   symbol="√", expects="an operand of 0 or above")
exp = elementwise("exp", functions.exp, lambda y, a: y)
log = elementwise("log", functions.log, lambda y, a: 1.0 / a, expects="an operand above 0")
sin = elementwise("sin", functions.sin, lambda y, a: functions.cos(a))
cos = elementwise("cos", functions.cos, lambda y, a: -functions.sin(a))
tanh = elementwise("tanh", functions.tanh, lambda y, a: 1.0 - y * y)
sigmoid = elementwise("sigmoid", functions.sigmoid, lambda y, a: y * (1.0 - y), symbol="σ")
relu = elementwise("relu", lambda a: np.where(a > 0.0, a, 0.0),
                   lambda y, a: np.where(a > 0.0, 1.0, 0.0))
gaussian = elementwise("gaussian", functions.gaussian, lambda y, a: -2.0 * a * y, symbol="exp(−x²)")
# fmt: on


def _repeat(g: Any, shape: tuple[int, ...], axis: Any, keepdims: bool = False) -> Any:
    """Repeat g along `axis`, to the shape of the array that was summed over it."""
    if shape and not keepdims and axis is not None:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, shape)


def _mean(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    total = np.sum(a, axis, keepdims=keepdims)
    return total / (np.size(a) / (np.size(total) or 1))  # NaN for an empty array, no warning


def _inverse_transpose(g: Any, y: Any, a: Any, axes: Any = None) -> Any:
    """Move each axis back; `axes` may count from the end."""
    if axes is not None:
        axes = np.argsort(np.atleast_1d(axes) % np.ndim(a))
    return np.transpose(g, axes)


def _as_matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Return ∂C/∂(a b), a and b as matrices: a vector a is a row, a vector b a column."""
    if np.ndim(b) == 1:
        b, g = b[:, np.newaxis], np.expand_dims(g, -1)
    if np.ndim(a) == 1:
        a, g = a[np.newaxis, :], np.expand_dims(g, -2)
    return g, a, b


def _matmul(a: Any, b: Any) -> Any:
    if not (np.ndim(a) and np.ndim(b)):
        raise ValueError("expected arrays, numbers are multiplied by *")
    columns, rows = np.shape(a)[-1], np.shape(b)[-2:][0]
    if columns != rows:
        raise ValueError(f"columns on the left are {columns}, rows on the right {rows}")
    return np.matmul(a, b)


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    """D = W X: ∂C/∂W = ∂C/∂D Xᵀ"""
    g, left, right = _as_matrices(g, a, b)
    return sum_to(g @ np.swapaxes(right, -1, -2), left.shape).reshape(np.shape(a))


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    """D = W X: ∂C/∂X = Wᵀ ∂C/∂D"""
    g, left, right = _as_matrices(g, a, b)
    return sum_to(np.swapaxes(left, -1, -2) @ g, right.shape).reshape(np.shape(b))


def _log_sum_exp(a: Any, axis: Any = -1, keepdims: bool = False) -> Any:
    largest = np.max(a, axis, keepdims=True)
    total = np.sum(functions.exp(a - largest), axis, keepdims=True)
    y = largest + functions.log(total)
    return y if keepdims else np.squeeze(y, axis)


def _softmax(a: Any, axis: Any = -1) -> Any:
    e = functions.exp(a - np.max(a, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _log_softmax(a: Any, axis: Any) -> Any:
    return a - _log_sum_exp(a, axis, keepdims=True)


def _cross_entropy_left(g: Any, y: Any, a: Any, t: Any, axis: Any = -1) -> Any:
    """∂C/∂(log p) = −∂C/∂y t with p = softmax(a); ∂C/∂a = ∂C/∂(log p) − p Σ ∂C/∂(log p)"""
    g = _repeat(g, np.broadcast_shapes(np.shape(a), np.shape(t)), axis)
    by_log = sum_to(-(g * t), np.shape(a))
    return by_log - _softmax(a, axis) * np.sum(by_log, axis, keepdims=True)


def _cross_entropy_right(g: Any, y: Any, a: Any, t: Any, axis: Any = -1) -> Any:
    """∂C/∂t = −∂C/∂y log softmax(a)"""
    g = _repeat(g, np.broadcast_shapes(np.shape(a), np.shape(t)), axis)
    return sum_to(-(g * _log_softmax(a, axis)), np.shape(t))


# fmt: off
sum = arraywise("sum", lambda a, axis=None, keepdims=False: np.sum(a, axis, keepdims=keepdims),
                lambda g, y, a, axis=None, keepdims=False: _repeat(g, np.shape(a), axis, keepdims),
                symbol="Σ")

mean = arraywise("mean", _mean,
                 lambda g, y, a, axis=None, keepdims=False:
                     _repeat(g, np.shape(a), axis, keepdims) * (np.size(y) / (np.size(a) or 1)),
                 expects="something to take the mean of")

matmul = arraywise("matmul", _matmul, _matmul_left, _matmul_right, symbol="@")

transpose = arraywise("transpose", lambda a, axes=None: np.transpose(a, axes), _inverse_transpose,
                      symbol="ᵀ")

reshape = arraywise("reshape", lambda a, shape: np.reshape(a, shape),
                    lambda g, y, a, shape: np.reshape(g, np.shape(a)))

log_sum_exp = arraywise("log_sum_exp", _log_sum_exp,
                        lambda g, y, a, axis=-1, keepdims=False:
                            _repeat(g, np.shape(a), axis, keepdims) * _softmax(a, axis),
                        symbol="log Σ exp")

softmax = arraywise("softmax", _softmax,
                    lambda g, y, a, axis=-1: y * (g - np.sum(g * y, axis, keepdims=True)))

# −Σ t log softmax(a), with probabilities t of the classes
cross_entropy = arraywise("cross_entropy",
                          lambda a, t, axis=-1: -np.sum(t * _log_softmax(a, axis), axis),
                          _cross_entropy_left, _cross_entropy_right)
# fmt: on


def sum_to(array: Any, shape: tuple[int, ...]) -> Any:
    """Sum an array over the axes along which `shape` was repeated to broadcast to its shape."""
    if np.shape(array) == shape:
        return array
    array = np.asarray(array)
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    repeated = tuple(axis for axis, size in enumerate(shape) if size != array.shape[axis])
    return array.sum(axis=repeated, keepdims=True)
