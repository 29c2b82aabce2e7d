"""Nodes: the values of an expression, each with its gate and operands.

Writing the expression builds the graph and computes the values. `passes` evaluates it again and
differentiates it.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from cygrad.graph import gates, passes, rules
from cygrad.graph.values import GraphError, Value, as_value, check_value, short_text

if TYPE_CHECKING:
    from cygrad.graph.gates import Gate

_versions = itertools.count(1)


class Node:
    """A value in a graph: the output of a gate, a `Variable` or a `Constant`.

    Operators and the functions of `cygrad.graph` make new nodes from nodes: ``+ - * / ** @``, unary
    minus, ``abs``, `sum`, `mean`, `reshape`, `T`. Numbers and arrays among the operands become
    constants. Nodes are compared by identity.

    Parameters
    ----------
    gate : Gate
    operands : sequence of Node, float or array_like
    options : dict
        Settings of the gate that are not differentiated, such as ``axis``.
    """

    __slots__ = (
        "__weakref__", "_depends_on_variable", "_gate", "_gradient", "_incoming", "_local", "_name",
        "_operands", "_options", "_tape", "_value", "_version",
    )  # fmt: skip

    _depends_on_variable: bool
    _value: Value
    # Makes NumPy call __rmul__ of the node for array * node.
    __array_ufunc__ = None

    def __init__(self, gate: Gate, operands: tuple[Any, ...], options: dict[str, Any]) -> None:
        if len(operands) != len(gate.backward):
            raise TypeError(
                f"gate {gate.name} got {len(operands)} operands, expected {len(gate.backward)} "
                "(options are given by name)"
            )
        self._gate: Gate | None = gate
        self._operands = tuple(
            each if isinstance(each, Node) else Constant(each) for each in operands
        )
        self._options = options
        self._initialise(None)
        self._depends_on_variable = any(each._depends_on_variable for each in self._operands)
        values = [each._value for each in self._operands]
        with np.errstate(all="ignore"):
            self._set_value(rules.evaluate(gate, self._operands, values, options))

    def _initialise(self, name: str | None) -> None:
        self._name = name
        self._depends_on_variable = True
        self._gradient: Value | None = None
        self._incoming: Value | None = None
        self._local: tuple[Any, ...] | None = None
        self._tape: tuple[Node, ...] | None = None

    def _set_value(self, value: Any) -> None:
        # One statement: an interrupt in between would leave a new value with the old version.
        self._value, self._version = value, next(_versions)

    # Properties.

    @property
    def value(self) -> Value:
        """The node's value: a float, or a read-only array.

        It comes from the last evaluation; after a variable has changed, call `forward`.
        """
        return self._value

    @property
    def gradient(self) -> Value | None:
        """∂C/∂(this node) from the last `backward` of a node C; None before."""
        return self._gradient

    @property
    def incoming(self) -> Value | None:
        """The upstream gradient ∂C/∂y of this node's gate, after ``backward(keep=True)``."""
        return self._incoming

    @property
    def local(self) -> tuple[Value | None, ...] | None:
        """∂y/∂operand for each operand, after ``backward(keep=True)``.

        None for an operand that depends on no variable, and for all operands of a gate over whole
        arrays, whose derivatives do not have the shape of y.
        """
        if self._local is None:
            return None
        return tuple(
            None if each is None else as_value(np.broadcast_to(each, self.shape))
            for each in self._local
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value; () for a number."""
        return np.shape(self._value)

    @property
    def name(self) -> str | None:
        """The node's name, unique in a graph, or None; drawings and messages use it."""
        return self._name

    @name.setter
    def name(self, name: str | None) -> None:
        self._name = _check_name(name)

    def named(self, name: str) -> Node:
        """Give the node a name, and return it: ``q = (x + y).named("q")``."""
        self.name = name
        return self

    @property
    def gate(self) -> Gate | None:
        """The gate whose output this is; None for a variable or a constant."""
        return self._gate

    @property
    def operands(self) -> tuple[Node, ...]:
        """The operands of the gate."""
        return self._operands

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the gate, such as ``axis``."""
        return dict(self._options)

    @property
    def tape(self) -> tuple[Node, ...]:
        """This node and all nodes that it depends on, each after its operands.

        Raises
        ------
        GraphError
            If two of them have the same name.
        """
        if self._tape is None:
            # Without itself, to avoid a reference cycle.
            self._tape = passes.topological_order(self)[:-1]
        tape = (*self._tape, self)
        passes.by_name(tape)
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

        Gradients of an earlier `backward` are deleted. If a gate fails, nothing is changed.

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
        if not isinstance(values, Mapping | None):
            raise TypeError(f"values is {values!r}, expected new values by variable or name")
        tape = self.tape
        given = self._new_values(tape, itertools.chain((values or {}).items(), named.items()))
        new = passes.forward(tape, given)
        for node, value in new.items():
            node._set_value(value)
            node._gradient = node._incoming = node._local = None
        return self.value

    def _bring_up_to_date(self) -> None:
        """Evaluate the gates again if a variable has changed."""
        tape = self.tape
        if any(each._version > node._version for node in tape for each in node._operands):
            for node, value in passes.forward(tape, {}).items():
                if node._gate is not None:  # another graph may have set a variable's gradient
                    node._set_value(value)
                    node._gradient = node._incoming = node._local = None

    def _new_values(
        self, tape: tuple[Node, ...], values: Iterable[tuple[Any, ArrayLike]]
    ) -> dict[Node, Any]:
        by_name = passes.by_name(tape)
        nodes = set(tape)
        new: dict[Node, Any] = {}
        for key, value in values:
            node = by_name.get(key) if isinstance(key, str) else key
            if not isinstance(node, Variable) or node not in nodes:
                names = ", ".join(name for name in by_name if isinstance(by_name[name], Variable))
                raise GraphError(
                    f"{key!r} is no variable of this graph, expected one of: {names or 'none'}"
                )
            if node in new:
                raise GraphError(f"variable {key!r} is given twice")
            new[node] = check_value(value, f"the value of {node.described()}")
        return new

    # Backward.

    def backward(self, seed: ArrayLike | None = None, *, keep: bool = False) -> None:
        """Compute the gradient of every node in the graph.

        With C = Σ seed · (this node's value), `gradient` of each node becomes ∂C/∂(node), and the
        gradients of an earlier call are replaced. Values that are out of date, because a variable
        has changed, are evaluated first. Nodes that depend on no variable get 0.

        Parameters
        ----------
        seed : array_like, same shape as the value, optional
            ∂C/∂(this node). The default is 1 for a number; required for an array.
        keep : bool
            Whether each gate keeps the two factors of the chain rule, as `incoming` and `local`.

        Raises
        ------
        GraphError
            If an array has no seed or one of another shape, or a gradient is not finite, such as
            that of sqrt at 0.
        """
        self._bring_up_to_date()
        gradients, local_derivatives = passes.backward(self.tape, self._check_seed(seed))
        for node, gradient in gradients.items():
            node._gradient = as_value(gradient)
            node._incoming = node._gradient if keep and node._gate is not None else None
            node._local = local_derivatives.get(node) if keep else None

    def _check_seed(self, seed: ArrayLike | None) -> Any:
        if seed is None:
            if self.shape:
                raise GraphError(
                    f"{self.described()} has shape {self.shape}: backward expects a number, or a "
                    "seed of that shape"
                )
            return 1.0
        value = check_value(seed, "seed")
        if np.shape(value) != self.shape:
            raise GraphError(f"seed has shape {np.shape(value)}, expected {self.shape}")
        return value

    # Operators.

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
        """The transpose: the axes in reverse order."""
        return gates.transpose(self)

    def sum(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """Return the sum over all elements, or along axes."""
        return gates.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Node:
        """Return the mean over all elements, or along axes."""
        return gates.mean(self, axis=axis, keepdims=keepdims)

    def reshape(self, *shape: int | tuple[int, ...]) -> Node:
        """Return the elements in another shape: ``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
        return gates.reshape(self, shape=shape[0] if len(shape) == 1 else shape)

    # Drawings.

    def draw(self, path: str | os.PathLike[str], *, digits: int = 2) -> None:
        """Draw the graph of this node, from left to right, into a file.

        Each wire has its value above it in green and, after `backward`, its gradient below it in
        red. Where a wire splits, each branch shows its part of that gradient. Numbers among the
        operands are drawn inside the gates, unless they have names; large arrays are shown by their
        shape. Values that are out of date, because a variable has changed, are evaluated first.

        Parameters
        ----------
        path : str or os.PathLike
            The ending selects the format: .svg, .png (needs matplotlib), or .dot or .gv for
            Graphviz.
        digits : int
            The number of decimals; small numbers get as many significant digits.

        Raises
        ------
        ValueError
            If the ending is another one, or the graph has too many gates for a drawing.
        ImportError
            If matplotlib is needed and not installed.
        """
        from cygrad.graph import drawing

        drawing.draw(self, path, digits)

    def to_svg(self, *, digits: int = 2) -> str:
        """Return the drawing of `draw` as the text of an SVG file."""
        from cygrad.graph import drawing

        return drawing.to_svg(self, digits)

    def to_dot(self, *, digits: int = 2) -> str:
        """Return the graph, of any size, in the DOT language of Graphviz."""
        from cygrad.graph import drawing

        return drawing.to_dot(self, digits)

    def _repr_svg_(self) -> str | None:
        """Return the drawing for notebooks; None if it is too large, for the text instead."""
        from cygrad.graph import drawing

        return drawing.to_svg(self) if drawing.is_drawable(self) else None

    # Texts, copies and pickles.

    def described(self, depth: int = 2) -> str:
        """Return the node's name for messages, or its gate and operands."""
        if self._name is not None:
            return self._name
        if self._gate is None:
            return f"{self._value:g}" if not self.shape else f"an array of shape {self.shape}"
        if depth == 0:
            return "…"
        return (
            f"{self._gate.name}({', '.join(each.described(depth - 1) for each in self._operands)})"
        )

    def __repr__(self) -> str:
        text = f"<{self.described()}: {short_text(self._value)}"
        return (
            text
            + ("" if self._gradient is None else f", gradient {short_text(self._gradient)}")
            + ">"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Variables and constants are stored as objects, so that graphs copied together still share
        # them. Gates are stored as a list, because recursion into a deep graph would overflow.
        tape = self.tape
        leaves = tuple(node for node in tape if node._gate is None)
        index_of = {node: index for index, node in enumerate(leaves)}
        records = []
        for node in tape:
            if node._gate is not None:
                index_of[node] = len(index_of)
                operands = tuple(index_of[each] for each in node._operands)
                stale = any(each._version > node._version for each in node._operands)
                records.append((node._gate, operands, node._options, node._state(), stale))
        return _rebuilt, (leaves, records)

    def _state(self) -> tuple[Any, ...]:
        return self._name, self._value, self._gradient, self._incoming, self._local

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._name, value, gradient, incoming, self._local = state
        self._value = as_value(value)  # copied arrays are writable
        self._gradient = None if gradient is None else as_value(gradient)
        self._incoming = None if incoming is None else as_value(incoming)
        self._version = next(_versions)


class Variable(Node):
    """An input of a graph that has a gradient.

    Parameters
    ----------
    value : float or array_like
        A number, or an array of any shape, which is copied. Integers become floats.
    name : str, optional
        The name in drawings, in messages and for `forward`.

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
        If the value is not made of finite numbers, or the name is not a text.
    """

    __slots__ = ()

    def __init__(self, value: ArrayLike, name: str | None = None) -> None:
        self._gate = None
        self._operands, self._options = (), {}
        self._initialise(_check_name(name))
        self._set_value(check_value(value, "value" if name is None else f"the value of {name}"))

    @property
    def value(self) -> Value:
        """The variable's value: a float, or a read-only array. Assign to change it.

        Nodes computed from it keep their values until their `Node.forward` is called.
        """
        return self._value

    @value.setter
    def value(self, value: ArrayLike) -> None:
        self._set_value(check_value(value, f"the value of {self.described()}"))
        self._gradient = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._value, self._name), self._state()


class Constant(Node):
    """A number or an array in a graph, with gradient 0.

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
        self._initialise(_check_name(name))
        self._depends_on_variable = False
        self._set_value(
            check_value(value, "an operand" if name is None else f"the value of {name}")
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._value, self._name), self._state()


def _rebuilt(leaves: tuple[Node, ...], records: list[tuple[Any, ...]]) -> Node:
    """Build a copied or unpickled graph; return its last node."""
    nodes = list(leaves)
    for gate, operands, options, state, stale in records:
        node: Node = object.__new__(Node)
        node._initialise(None)
        node._gate, node._options = gate, options
        node._operands = tuple(nodes[index] for index in operands)
        node._depends_on_variable = any(each._depends_on_variable for each in node._operands)
        node.__setstate__(state)
        if stale:
            node._version = 0
        nodes.append(node)
    return nodes[-1]


def _check_name(name: object) -> str | None:
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"name is {name!r}, expected text or None")
    return name
