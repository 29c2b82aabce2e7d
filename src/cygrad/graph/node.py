"""Nodes: the values of an expression, each with the gate that made it and the nodes it came from.

A graph is built by writing the expression. Values are there at once; `Node.backward` then walks
the nodes once from the output to the inputs, and adds up what arrives:

    ∂C/∂C = 1;  for each gate, from right to left:  ∂C/∂operand += ∂C/∂y · ∂y/∂operand

The walk follows a list, the tape, in which every node stands after its operands; so the depth of
a graph is not limited by that of the interpreter's stack.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cygrad.graph import gates

if TYPE_CHECKING:
    from cygrad.graph.gates import Gate

    Value = float | NDArray[np.float64]

_clock = itertools.count(1)


class GraphError(ValueError):
    """A graph cannot be evaluated or differentiated; the message names gate and operands."""


class Node:
    """A value in a graph: the output of a gate, a `Variable` or a `Constant`.

    Operators and the functions of `cygrad.graph` make further nodes of it: ``+ - * / ** @``, unary
    minus, ``abs``, `sum`, `mean`, `reshape`, `T`. Numbers and arrays among the operands become
    constants. Two nodes are equal if they are the same.

    Parameters
    ----------
    gate : Gate
    operands : sequence of Node, float or array_like
    options : dict
        Settings of the gate that are not differentiated, as ``axis``.
    """

    __slots__ = (
        "__weakref__", "_gate", "_gradient", "_incoming", "_live", "_local", "_name", "_operands",
        "_options", "_tape", "_time", "_value",
    )  # fmt: skip

    _live: bool  # whether it depends on a variable
    # NumPy leaves expressions as array * node to the node.
    __array_ufunc__ = None

    def __init__(self, gate: Gate, operands: tuple[Any, ...], options: dict[str, Any]) -> None:
        if len(operands) != len(gate.backward):
            raise TypeError(
                f"gate {gate.name} got {len(operands)} operands, expected {len(gate.backward)}"
            )
        self._gate: Gate | None = gate
        self._operands = tuple(
            each if isinstance(each, Node) else Constant(each) for each in operands
        )
        self._options = options
        self._begin(None)
        self._live = any(each._live for each in self._operands)
        with np.errstate(all="ignore"):
            self._put(self._evaluate([each._value for each in self._operands]))

    def _begin(self, name: str | None) -> None:
        self._name = name
        self._live = True
        self._gradient: Any = None
        self._incoming: Any = None
        self._local: tuple[Any, ...] | None = None
        self._tape: tuple[Node, ...] | None = None

    def _put(self, value: Any) -> None:
        self._value = value
        self._time = next(_clock)

    # What a node tells.

    @property
    def value(self) -> Value:
        """The node's value: a float, or a read-only array.

        It belongs to the last evaluation: after a variable has changed, `forward` brings it up to
        date.
        """
        return _shown(self._value)

    @property
    def gradient(self) -> Value | None:
        """∂C/∂(this node) by the last `backward` of a node C; None before."""
        return None if self._gradient is None else _shown(self._gradient)

    @property
    def incoming(self) -> Value | None:
        """The gradient that came to this node's gate, where `backward` was told to keep it."""
        return None if self._incoming is None else _shown(self._incoming)

    @property
    def local(self) -> tuple[Value | None, ...] | None:
        """∂y/∂operand for each operand, where `backward` was told to keep them.

        None stands in the place of an operand without variables, and of all operands of a gate
        over whole arrays, whose derivatives are no arrays of the same shape.
        """
        if self._local is None:
            return None
        return tuple(
            None if each is None else _shown(_kept(np.broadcast_to(each, self.shape)))
            for each in self._local
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value; () of a number."""
        return np.shape(self._value)

    @property
    def name(self) -> str | None:
        """The node's name, unique in a graph, or None; drawings and messages use it."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = _checked_name(name)

    def named(self, name: str) -> Node:
        """Give the node a name, and return it: ``q = (x + y).named("q")``."""
        self.name = name
        return self

    @property
    def gate(self) -> Gate | None:
        """The gate whose output this is; None of a variable or a constant."""
        return self._gate

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes that the gate was applied to."""
        return self._operands

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the gate, as ``axis``."""
        return dict(self._options)

    @property
    def tape(self) -> tuple[Node, ...]:
        """All nodes that this one depends on, each after its operands, and this one at the end.

        Raises
        ------
        GraphError
            If two of them have the same name.
        """
        if self._tape is None:
            self._tape = _order(self)[:-1]  # without itself: no cycle for the collector to find
        tape = (*self._tape, self)
        _by_name(tape)
        return tape

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables that this node depends on."""
        return tuple(node for node in self.tape if isinstance(node, Variable))

    # Forward.

    def forward(
        self, values: Mapping[str | Variable, ArrayLike] | None = None, /, **named: ArrayLike
    ) -> Value:
        """Evaluate the graph again, and return this node's value.

        Gradients of an earlier `backward` are forgotten. If a gate fails nothing has changed.

        Parameters
        ----------
        values : mapping, optional
            New values of variables, by the variable or its name.
        **named
            New values by name: ``f.forward(x=3.0)``.

        Raises
        ------
        GraphError
            If a name or a variable is not in the graph, shapes do not fit, or a value is not
            finite.
        """
        tape = self.tape
        new = self._new_values(tape, {**(values or {}), **named})
        with np.errstate(all="ignore"):
            for node in tape:
                if node._gate is not None:
                    new[node] = node._evaluate([new[each] for each in node._operands])
                elif node not in new:
                    new[node] = node._value
        for node, value in new.items():
            node._put(value)
            node._gradient = node._incoming = node._local = None
        return self.value

    def _new_values(
        self, tape: tuple[Node, ...], values: Mapping[Any, ArrayLike]
    ) -> dict[Node, Any]:
        by_name = _by_name(tape)
        nodes = set(tape)
        new: dict[Node, Any] = {}
        for key, value in values.items():
            node = by_name.get(key) if isinstance(key, str) else key
            if not isinstance(node, Variable) or node not in nodes:
                names = ", ".join(name for name in by_name if isinstance(by_name[name], Variable))
                raise GraphError(
                    f"{key!r} is no variable of this graph, expected one of: {names or 'none'}"
                )
            if node in new:
                raise GraphError(f"variable {key!r} is given twice")
            new[node] = _checked_value(value, f"the value of {node._described()}")
        return new

    def _evaluate(self, values: list[Any]) -> Any:
        """The gate's output for these values of its operands."""
        assert self._gate is not None
        try:
            y = np.asarray(self._gate.forward(*values, **self._options), np.float64)
        except (ValueError, IndexError) as error:
            shapes = " and ".join(
                f"{each._described()} of shape {np.shape(value)}"
                for each, value in zip(self._operands, values, strict=True)
            )
            raise GraphError(f"gate {self._gate.name}: {shapes} do not fit: {error}") from None
        if not _finite(y):
            raise GraphError(self._complaint(y, values, ~np.isfinite(y)))
        return _kept(y)

    def _complaint(self, y: Any, values: list[Any], wrong: Any) -> str:
        """What is wrong where the output is not finite: the first such element."""
        assert self._gate is not None
        place = np.unravel_index(int(wrong.argmax()), wrong.shape)
        index = f"[{', '.join(map(str, place))}]" if place else ""
        texts = []
        for operand, value in zip(self._operands, values, strict=True):
            text = operand._described()
            if self._gate.elementwise:
                number = repr(float(np.broadcast_to(value, wrong.shape)[place]))
                number_alone = operand._gate is None and operand._name is None
                text = (
                    number if number_alone else f"{text}{index * bool(np.ndim(value))} = {number}"
                )
            texts.append(text)
        return (
            f"gate {self._gate.name} ({', '.join(texts)}): the output is {float(y[place])!r}"
            f"{f' at {index}' * bool(index)}, expected {self._gate.expects}"
        )

    # Backward.

    def backward(self, seed: ArrayLike | None = None, *, keep: bool = False) -> None:
        """Give every node of the graph its gradient: the derivative of this one by it.

        With C = Σ seed · (this node's value), `gradient` of each node becomes ∂C/∂(node), and the
        gradients of an earlier call are replaced. Values that are out of date, because a variable
        has changed, are evaluated first. Constants, and what depends on nothing else, get 0.

        Parameters
        ----------
        seed : array_like, same shape as the value, optional
            ∂C/∂(this node). 1 for a number; an array needs one.
        keep : bool
            Whether each gate keeps what the chain rule put together there, as `incoming` and
            `local`.

        Raises
        ------
        GraphError
            If an array has no seed or one of another shape, or a local gradient is not finite, as
            that of sqrt at 0.
        """
        tape = self.tape
        if any(each._time > node._time for node in tape for each in node._operands):
            self.forward()
        gradients: dict[Node, Any] = {node: _zeros(node.shape) for node in tape}
        gradients[self] = gradients[self] + self._seed(seed)
        local: dict[Node, tuple[Any, ...]] = {}
        with np.errstate(all="ignore"):
            for node in reversed(tape):
                if node._gate is not None and node._live:
                    local[node] = node._pass_on(gradients)
        for node, gradient in gradients.items():
            node._gradient = _kept(gradient)
            node._incoming = node._gradient if keep and node._gate is not None else None
            node._local = local.get(node) if keep else None

    def _pass_on(self, gradients: dict[Node, Any]) -> tuple[Any, ...]:
        """Add ∂C/∂y · ∂y/∂operand to the gradient of each operand; return the local derivatives."""
        gate, y, g = self._gate, self._value, gradients[self]
        assert gate is not None
        values = [each._value for each in self._operands]
        local: list[Any] = []
        for operand, rule in zip(self._operands, gate.backward, strict=True):
            if not operand._live:
                local.append(None)
                continue
            if gate.elementwise:
                derivative = rule(y, *values, **self._options)
                contribution = g * derivative
                local.append(derivative)
            else:
                contribution = rule(g, y, *values, **self._options)
                local.append(None)
            if not _finite(contribution):
                raise GraphError(
                    f"gate {gate.name}: the gradient of {operand._described()} is not finite"
                )
            gradients[operand] = gradients[operand] + gates.sum_to(contribution, operand.shape)
        return tuple(local)

    def _seed(self, seed: ArrayLike | None) -> Any:
        if seed is None:
            if self.shape:
                raise GraphError(
                    f"{self._described()} has shape {self.shape}: backward expects a number, or a "
                    "seed of that shape"
                )
            return 1.0
        value = _checked_value(seed, "seed")
        if np.shape(value) != self.shape:
            raise GraphError(f"seed has shape {np.shape(value)}, expected {self.shape}")
        return value

    # How expressions are written.

    def __add__(self, other: Any) -> Node:
        return gates.add(self, other)

    def __radd__(self, other: Any) -> Node:
        return gates.add(other, self)

    def __sub__(self, other: Any) -> Node:
        return gates.sub(self, other)

    def __rsub__(self, other: Any) -> Node:
        return gates.sub(other, self)

    def __mul__(self, other: Any) -> Node:
        return gates.mul(self, other)

    def __rmul__(self, other: Any) -> Node:
        return gates.mul(other, self)

    def __truediv__(self, other: Any) -> Node:
        return gates.div(self, other)

    def __rtruediv__(self, other: Any) -> Node:
        return gates.div(other, self)

    def __pow__(self, other: Any) -> Node:
        return gates.power(self, other)

    def __rpow__(self, other: Any) -> Node:
        return gates.power(other, self)

    def __matmul__(self, other: Any) -> Node:
        return gates.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Node:
        return gates.matmul(other, self)

    def __neg__(self) -> Node:
        return gates.neg(self)

    def __pos__(self) -> Node:
        return self

    def __abs__(self) -> Node:
        return gates.abs(self)

    @property
    def T(self) -> Node:
        """The transpose: axes in reverse order."""
        return gates.transpose(self)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """The sum over all elements, or along axes."""
        return gates.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """The mean over all elements, or along axes."""
        return gates.mean(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int) -> Node:
        """The same elements in another shape."""
        return gates.reshape(self, shape=shape)

    # How nodes are shown, copied and kept.

    def _described(self, depth: int = 2) -> str:
        """The node in a message: its name, or the gate with what it was applied to."""
        if self._name is not None:
            return self._name
        if self._gate is None:
            return f"{self._value:g}" if not self.shape else f"an array of shape {self.shape}"
        if depth == 0:
            return "…"
        return (
            f"{self._gate.name}({', '.join(each._described(depth - 1) for each in self._operands)})"
        )

    def __repr__(self) -> str:
        text = f"<{self._described()}: {_brief(self._value)}"
        return (
            text + ("" if self._gradient is None else f", gradient {_brief(self._gradient)}") + ">"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Variables and constants are kept as objects, so that they stay the same in all graphs that
        # are copied together; gates as a list, for a deep graph would be too deep to follow.
        tape = self.tape
        leaves = tuple(node for node in tape if node._gate is None)
        place = {node: index for index, node in enumerate(leaves)}
        records = []
        for node in tape:
            if node._gate is not None:
                place[node] = len(place)
                operands = tuple(place[each] for each in node._operands)
                records.append((node._gate, operands, node._options, node._state()))
        return _rebuilt, (leaves, records)

    def _state(self) -> tuple[Any, ...]:
        return self._name, self._value, self._gradient, self._incoming, self._local

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._name, self._value, self._gradient, self._incoming, self._local = state
        self._time = next(_clock)


class Variable(Node):
    """An input of a graph, which gradients are wanted for.

    Parameters
    ----------
    value : float or array_like
        A number, or an array of any shape, which is copied. Integers become floats.
    name : str, optional
        What drawings, messages and `forward` call it.

    Examples
    --------
    >>> x, y, z = Variable(-2.0, "x"), Variable(5.0, "y"), Variable(-4.0, "z")
    >>> f = (x + y) * z
    >>> f.value
    -12.0
    >>> f.backward()
    >>> x.gradient, y.gradient, z.gradient
    (-4.0, -4.0, 3.0)

    Raises
    ------
    TypeError, GraphError
        If the value is not made of finite numbers, or the name is no text.
    """

    __slots__ = ()

    def __init__(self, value: ArrayLike, name: str | None = None) -> None:
        self._gate = None
        self._operands, self._options = (), {}
        self._begin(_checked_name(name))
        self._put(_checked_value(value, "value" if name is None else f"the value of {name}"))

    @property
    def value(self) -> Value:
        """The variable's value: a float, or a read-only array. Assign to change it.

        What has been computed from it stays as it is until `Node.forward` of it is called.
        """
        return _shown(self._value)

    @value.setter
    def value(self, value: ArrayLike) -> None:
        self._put(_checked_value(value, f"the value of {self._described()}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._value, self._name), self._state()


class Constant(Node):
    """A number or an array in a graph that is not differentiated by.

    Parameters
    ----------
    value : float or array_like
    name : str, optional

    Raises
    ------
    TypeError, GraphError
        As for `Variable`.
    """

    __slots__ = ()

    def __init__(self, value: ArrayLike, name: str | None = None) -> None:
        self._gate = None
        self._operands, self._options = (), {}
        self._begin(_checked_name(name))
        self._live = False
        self._put(_checked_value(value, "an operand" if name is None else f"the value of {name}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._value, self._name), self._state()


def _order(output: Node) -> tuple[Node, ...]:
    """The nodes that `output` depends on, and itself, each after its operands."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack = [(output, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(each, False) for each in reversed(node._operands)]
    return tuple(order)


def _by_name(tape: tuple[Node, ...]) -> dict[str, Node]:
    """The nodes that have names."""
    named: dict[str, Node] = {}
    for node in tape:
        if node._name is not None and named.setdefault(node._name, node) is not node:
            raise GraphError(f"two nodes of the graph have the name {node._name!r}")
    return named


def _rebuilt(leaves: tuple[Node, ...], records: list[tuple[Any, ...]]) -> Node:
    """The last node of a graph that was copied or read."""
    nodes = list(leaves)
    for gate, operands, options, state in records:
        node: Node = object.__new__(Node)
        node._begin(None)
        node._gate, node._options = gate, options
        node._operands = tuple(nodes[index] for index in operands)
        node._live = any(each._live for each in node._operands)
        node.__setstate__(state)
        nodes.append(node)
    return nodes[-1]


def _checked_name(name: object) -> str | None:
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"name is {name!r}, expected text or None")
    return name


def _checked_value(value: Any, name: str) -> Any:
    """The value as a float64 number, or as a read-only array of its own."""
    if isinstance(value, Node):
        raise TypeError(f"{name} is {value!r}, expected a number or an array")
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} is {value!r}, expected a number or an array of numbers")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise GraphError(f"{name} is {_brief(array)}, expected finite numbers")
    return _kept(array)


def _kept(array: Any) -> Any:
    """A value as nodes keep it: a NumPy float, or an array that cannot be written to."""
    if np.ndim(array) == 0:
        return np.float64(array)
    array = np.ascontiguousarray(array)
    array.setflags(write=False)
    return array


def _zeros(shape: tuple[int, ...]) -> Any:
    return np.zeros(shape) if shape else np.float64(0.0)


def _finite(value: Any) -> bool:
    return math.isfinite(value) if np.ndim(value) == 0 else bool(np.isfinite(value).all())


def _shown(value: Any) -> Value:
    return value if np.ndim(value) else float(value)


def _brief(value: Any) -> str:
    if np.ndim(value) == 0:
        return repr(float(value))
    return np.array2string(np.asarray(value), precision=6, threshold=6, edgeitems=2)
