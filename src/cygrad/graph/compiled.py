"""Compiled graphs: an expression of gates turned into a tape, which is evaluated and differentiated
outside of the interpreter, for one point or for many at once.

Element-wise gates have a compiled form; its results have the same bits as those of the graph's own
`forward` and `backward`. Only points outside of the domain differ: the graph raises an error that
names the gate, the tape returns NaN or infinity there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad._engine import tape
from cygrad.graph import gates, rules
from cygrad.graph.node import Node, Variable
from cygrad.graph.values import GraphError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.graph.gates import Gate

    Result = float | NDArray[np.float64]

# The gates with a compiled form, and their names on a tape.
COMPILED: dict[Gate, str] = {
    gate: name for name in tape.GATES if isinstance(gate := vars(gates).get(name), gates.Gate)
}


def compile(f: Node, inputs: Iterable[Variable | str] | None = None) -> CompiledGraph:
    """Compile an expression to a function that computes it and its derivatives much faster.

    Parameters
    ----------
    f : Node
        The expression, made of element-wise gates and numbers. Later changes to it do not affect
        the compiled graph.
    inputs : iterable of Variable or str, optional
        The arguments of the function in their order, as variables or their names. By default all
        variables of the graph, in the order of `Node.variables`. Other variables become constants
        with their present values.

    Returns
    -------
    CompiledGraph
        ``value, gradients = fn(2.0, 3.0)`` for numbers, or arrays of many points.

    Raises
    ------
    TypeError, GraphError
        If f is not a node, an input is not a variable of f or is given twice, a gate has no
        compiled form, or a constant is an array.

    Examples
    --------
    >>> import cygrad as cg
    >>> x, y, z = (cg.graph.Variable(0.0, name) for name in "xyz")
    >>> fn = cg.graph.compile((x + y) * z, inputs=[x, y, z])
    >>> fn(-2.0, 5.0, -4.0)
    (-12.0, (-4.0, -4.0, 3.0))
    >>> value, gradients = fn([-2.0, 1.0], 5.0, z=-4.0)
    >>> value
    array([-12., -24.])
    """
    if not isinstance(f, Node):
        raise TypeError(f"f is {f!r}, expected a node of a graph")
    variables = f.variables if inputs is None else _variables(f, inputs)
    return _TapeBuilder(f, variables).build()


class CompiledGraph(tape.Tape):
    """An expression as a function of its inputs, made by `compile`.

    ``fn(2.0, 3.0)`` returns ``(value, gradients)``: the value of the expression, and a tuple with
    its derivative by each input. Arguments are numbers or array-likes, in the order of the inputs
    or by name. Arrays are broadcast together, and the expression is evaluated and differentiated at
    every point of their common shape: value and derivatives are arrays of that shape. Derivatives
    by a broadcast argument are not summed. ``fn.value(2.0, 3.0)`` returns the value alone, in half
    the time.

    Points outside of the domain give NaN or infinity, without error or warning, and do not affect
    other points. A point gives the same bits alone and in any array, on any processor, and as in
    the graph.

    Several threads can call it at the same time: calls with arrays have memory of their own and
    release the GIL. It cannot be changed, but copied and pickled.

    Attributes
    ----------
    inputs : tuple of (str or None)
        The names of the inputs.
    gates : list of tuple
        The gates of the tape in their order: name, and operands as numbers of registers. Registers
        are the constants, then the inputs, then the gates.
    isa : str
        The name of the instruction set in use.
    """

    def __init__(
        self,
        constants: Iterable[float],
        inputs: tuple[str | None, ...],
        gates: list[tuple[str, int, int | None]],
        result: int,
    ) -> None:
        super().__init__(tuple(constants), len(inputs), gates, result)
        self.inputs = inputs

    def call_with_arrays(
        self, arguments: tuple[Any, ...], named: dict[str, Any], differentiate: bool
    ) -> tuple[Result, tuple[Result, ...]] | Result:
        """Evaluate arguments other than one number for each input."""
        arrays = [
            _as_array(each, self._input_label(index))
            for index, each in enumerate(self._bind_arguments(arguments, named))
        ]
        try:
            shape = np.broadcast_shapes(*(each.shape for each in arrays))
        except ValueError:
            shapes = (
                f"{self._input_label(index)} {each.shape}"
                for index, each in enumerate(arrays)
                if each.ndim
            )
            raise ValueError(
                f"the shapes {', '.join(shapes)} do not fit: expected arrays that can be broadcast "
                "together"
            ) from None
        points = 1
        for size in shape:
            points *= size
        flat = [
            np.reshape(each if each.size == 1 else np.broadcast_to(each, shape), -1)
            for each in arrays
        ]
        value, gradients = self.run(flat, points, differentiate)
        if gradients is None:
            return value.reshape(shape) if shape else float(value[0])
        if not shape:
            return float(value[0]), tuple(gradients[:, 0].tolist())
        return value.reshape(shape), tuple(each.reshape(shape) for each in gradients)

    def _input_label(self, index: int) -> str:
        """Return the name of an input for messages."""
        return self.inputs[index] or f"argument {index}"

    def _bind_arguments(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Return the arguments in the order of the inputs."""
        names = ", ".join(self._input_label(index) for index in range(len(self.inputs)))
        if len(arguments) > len(self.inputs):
            raise TypeError(
                f"there are {len(arguments)} arguments, expected {len(self.inputs)}: {names}"
            )
        given = dict(enumerate(arguments))
        for name, value in named.items():
            if name not in self.inputs:
                raise TypeError(f"{name!r} is no input, expected one of: {names}")
            index = self.inputs.index(name)
            if index in given:
                raise TypeError(f"{name} is given twice")
            given[index] = value
        for index in range(len(self.inputs)):
            if index not in given:
                raise TypeError(f"{self._input_label(index)} is missing, expected {names}")
        return [given[index] for index in range(len(self.inputs))]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.constants, self.inputs, self.gates, self.result)

    def __repr__(self) -> str:
        names = ", ".join(self._input_label(index) for index in range(len(self.inputs)))
        count = len(self.gates)
        return f"<compiled graph of {names}: {count} gate{'s' * (count != 1)}>"


class _TapeBuilder:
    """Turns a graph into a tape: constants, inputs, and gates after their operands."""

    def __init__(self, f: Node, variables: tuple[Variable, ...]) -> None:
        self.f = f
        self.variables = variables
        # Nodes that do not depend on the inputs have values; the others have registers.
        self.values: dict[Node, Any] = {}
        self.registers: dict[Node, int] = {variable: n for n, variable in enumerate(variables)}
        # Registers are counted from the first input; constants get −1, −2, … as they are found.
        self.constants: dict[str, int] = {}
        self.gates: list[tuple[str, int, int | None]] = []

    def build(self) -> CompiledGraph:
        with np.errstate(all="ignore"):
            for node in self.f.tape:
                if node not in self.registers:
                    self._add_node(node)
        result = self._register_of(self.f)
        count = len(self.constants)
        return CompiledGraph(
            [float.fromhex(text) for text in reversed(self.constants)],
            tuple(variable.name for variable in self.variables),
            [(name, a + count, None if b is None else b + count) for name, a, b in self.gates],
            result + count,
        )

    def _add_node(self, node: Node) -> None:
        if node.gate is None:
            self.values[node] = node._value
        elif all(operand in self.values for operand in node.operands):
            values = [self.values[each] for each in node.operands]
            self.values[node] = rules.evaluate(node.gate, node.operands, values, node.options)
        else:
            name = COMPILED.get(node.gate)
            if name is None:
                raise GraphError(
                    f"gate {node.gate.name} (output of shape {node.shape}) has no compiled form, "
                    f"expected gates among: {', '.join(COMPILED.values())}"
                )
            operands = node.operands
            if name == "power" and np.array_equal(self.values.get(operands[1], np.nan), 2.0):
                name, operands = "square", operands[:1]  # gives the same bits
            a, *others = map(self._register_of, operands)
            self.registers[node] = len(self.variables) + len(self.gates)
            self.gates.append((name, a, others[0] if others else None))

    def _register_of(self, node: Node) -> int:
        """Return the register of a node; add one for a new constant."""
        if node in self.registers:
            return self.registers[node]
        value = self.values[node]
        if np.ndim(value):
            raise GraphError(
                f"{node.name or 'a constant'} has shape {np.shape(value)}, expected a number: an "
                "array of points has to be an input"
            )
        return self.constants.setdefault(float(value).hex(), -1 - len(self.constants))


def _variables(f: Node, inputs: Iterable[Variable | str]) -> tuple[Variable, ...]:
    """Return the variables given by `inputs`; check that each is one of f's and given once."""
    if isinstance(inputs, str | Node):
        inputs = (inputs,)
    known = dict.fromkeys(f.variables)
    by_name = {variable.name: variable for variable in known}
    variables: dict[Variable, None] = {}
    for each in inputs:
        variable = by_name.get(each) if isinstance(each, str) else each
        if not isinstance(variable, Variable) or variable not in known:
            names = ", ".join(node.described() for node in known)
            raise GraphError(f"{each!r} is no variable of this graph, expected some of: {names}")
        if variable in variables:
            raise GraphError(f"input {each!r} is given twice")
        variables[variable] = None
    return tuple(variables)


def _as_array(argument: Any, name: str) -> NDArray[np.float64]:
    try:
        array = np.asarray(argument)
    except ValueError as error:
        raise ValueError(f"{name} is no regular array of numbers: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{name} has dtype {array.dtype}, expected real numbers (floats, integers or booleans)"
        )
    return np.require(array, np.float64, "A")
