"""The graph of an ONNX model that is read: nodes, constants, and the search for known formulas."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from cygrad.exchange.onnx.activations import SELU_ALPHA, SELU_SCALE, Formula

if TYPE_CHECKING:
    from numpy.typing import NDArray

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
#: Attributes that a node need not have.
DEFAULTS: dict[str, dict[str, Any]] = {
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
    "Selu": {"alpha": SELU_ALPHA, "gamma": SELU_SCALE},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "Gelu": {"approximate": b"none"},
    "Swish": {"alpha": 1.0},
    "Softmax": {"axis": -1},
    "ReduceMean": {"keepdims": 1, "noop_with_empty_axes": 0},
}
#: Operators with outputs of the dtype of their inputs, all of which have the same.
SAME_DTYPE = frozenset(
    [
        "Abs",
        "Add",
        "BatchNormalization",
        "Clip",
        "Div",
        "Dropout",
        "Elu",
        "Erf",
        "Erfc",
        "Exp",
        "Flatten",
        "Gelu",
        "Gemm",
        "HardSigmoid",
        "LeakyRelu",
        "LayerNormalization",
        "Log",
        "MatMul",
        "Max",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Relu",
        "Reshape",
        "Selu",
        "Sigmoid",
        "Sin",
        "Softmax",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Swish",
        "Tanh",
    ]
)
#: Operators whose first two inputs can change places.
COMMUTATIVE = ("Add", "Mul")


class NoMatch(Exception):
    """A formula is not in the graph."""


class Captured:
    """The parameter of a formula, found in the graph."""

    def __init__(self) -> None:
        self.value = 0.0


class CapturedArray:
    """An array of a formula, found in the graph."""

    def __init__(self) -> None:
        self.values: NDArray[Any] = np.zeros(0)


class ReadGraph:
    """Nodes of a model by what they use, and its constants.

    Parameters
    ----------
    onnx : module
    model : onnx.ModelProto
    source : str
        For messages.
    """

    def __init__(self, onnx: Any, model: Any, source: str) -> None:
        self.source = source
        self.nodes = list(model.graph.node)
        self.outputs = [each.name for each in model.graph.output]
        self.used: set[int] = set()
        self._onnx = onnx
        if model.graph.sparse_initializer:
            raise ValueError(f"{source} has sparse parameters, expected dense ones")
        self._constants = {each.name: self._array(each) for each in model.graph.initializer}
        self.inputs = [each for each in model.graph.input if each.name not in self._constants]
        self._consumers: dict[str, list[int]] = defaultdict(list)
        self._producers: dict[str, int] = {}
        self._remove_casts()
        for index, node in enumerate(self.nodes):
            if node.domain not in DOMAINS:
                self.refuse(index, f"of the domain {node.domain!r}, which is not known")
            for name in dict.fromkeys(node.input):
                self._consumers[name].append(index)
            for name in node.output:
                self._producers[name] = index
            self._fold(index)

    def refuse(self, index: int, why: str) -> NoReturn:
        """Raise an error that names a node."""
        node = self.nodes[index]
        name = node.name or ", ".join(node.output)
        raise ValueError(f"{self.source}: node {name!r} ({node.op_type}) is {why}")

    def consumers(self, value: str) -> list[int]:
        """Return the nodes that use a value and have not been read."""
        return [index for index in self._consumers[value] if index not in self.used]

    def producer(self, value: str) -> Any:
        """Return the index of the node that makes a value, None for inputs and constants."""
        return self._producers.get(value)

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return a constant, None if the value is none."""
        return self._constants.get(name)

    def attributes(self, index: int) -> dict[str, Any]:
        """Return the attributes of a node."""
        read = self._onnx.helper.get_attribute_value
        return {each.name: read(each) for each in self.nodes[index].attribute}

    def element(self, number: int) -> np.dtype[Any] | None:
        """Return the dtype of an element type of ONNX, None for text."""
        if number == self._onnx.TensorProto.STRING:
            return None
        dtype: np.dtype[Any] = self._onnx.helper.tensor_dtype_to_np_dtype(number)
        return dtype

    def match(self, formula: Formula, value: str) -> tuple[str, float] | None:
        """Return the result of a formula of a value and its parameter, None if it is not there.

        All nodes that use the value must belong to it.
        """
        captured = Captured()
        result = self.match_all(formula, value, captured)
        return None if result is None else (result, captured.value)

    def match_all(self, formula: Formula, value: str, captured: Any) -> str | None:
        """Return the result of a formula with any parameters that are captured, as `match`."""
        search = Search(self)
        try:
            result = search.whole(formula, value, captured)
        except NoMatch:
            return None
        if not isinstance(result, str) or result == value:
            return None
        if not set(self.consumers(value)) <= search.found:
            return None
        self.used |= search.found
        return result

    def _remove_casts(self) -> None:
        """Leave out conversions to the dtype that a value has, as Keras' exporter writes them."""
        elements = {each.name: each.type.tensor_type.elem_type for each in self.inputs}
        same: dict[str, str] = {}  # a value by the name that it gets
        for index, node in enumerate(self.nodes):
            if any(name in same for name in node.input):
                copied = self._onnx.NodeProto()
                copied.CopyFrom(node)
                copied.input[:] = [same.get(name, name) for name in node.input]
                self.nodes[index] = node = copied
            known = next((elements[name] for name in node.input if name in elements), None)
            if node.op_type == "Cast":
                if (
                    len(node.input) == 1
                    and known is not None
                    and (known == self.attributes(index).get("to"))
                ):
                    same[node.output[0]] = node.input[0]
                    self.used.add(index)
                continue
            if known is not None and node.op_type in SAME_DTYPE:
                elements |= dict.fromkeys(node.output[:1], known)
        self.outputs = [same.get(name, name) for name in self.outputs]

    def _array(self, tensor: Any) -> NDArray[Any]:
        if self._onnx.external_data_helper.uses_external_data(tensor):
            raise ValueError(f"{self.source}: constant {tensor.name!r} is in another file")
        try:
            return np.asarray(self._onnx.numpy_helper.to_array(tensor))
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"{self.source}: constant {tensor.name!r}: {error}") from error

    def _fold(self, index: int) -> None:
        """Compute nodes that only give a constant another name, shape or dtype."""
        node = self.nodes[index]
        result: NDArray[Any] | None = None
        if node.op_type == "Constant":
            values = self.attributes(index)
            if "value" in values:
                result = self._array(values["value"])
            elif len(values) == 1:
                ((name, value),) = values.items()
                kind = np.float32 if "float" in name else np.int64 if "int" in name else object
                result = np.array(value, kind)
        elif node.input and node.input[0] in self._constants:
            array = self._constants[node.input[0]]
            if node.op_type == "Identity":
                result = array
            elif node.op_type == "Transpose":
                result = array.transpose(self.attributes(index).get("perm"))
            elif node.op_type == "Cast" and array.dtype != object:
                element = self.element(self.attributes(index)["to"])
                result = None if element is None else array.astype(element)
        if result is not None:
            self._constants[node.output[0]] = result
            self.used.add(index)


class Search:
    """The search for one formula; a `Graph` of `activations`."""

    def __init__(self, graph: ReadGraph) -> None:
        self.graph = graph
        self.found: set[int] = set()

    def whole(self, formula: Formula, value: str, captured: Any) -> Any:
        return formula(self, value, captured)

    def number(self, value: Any) -> Any:
        """Return what a constant must be: a number, or a parameter to be found."""
        return value if isinstance(value, Captured) else float(value)

    def node(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Return the output of the node with these inputs, or raise NoMatch."""
        value = next(each for each in inputs if isinstance(each, str))
        for index in self.graph.consumers(value):
            node = self.graph.nodes[index]
            if node.op_type != operator or not self._has_inputs(node, inputs):
                continue
            if self._has_attributes(index, attributes):
                self.found.add(index)
                output: str = node.output[0]
                return output
        raise NoMatch

    def _has_inputs(self, node: Any, inputs: Sequence[Any]) -> bool:
        names = list(node.input)
        while names and not names[-1]:
            names.pop()
        orders = [inputs]
        if node.op_type in COMMUTATIVE:
            orders.append(inputs[::-1])
        return len(names) == len(inputs) and any(
            all(self._is(name, each) for name, each in zip(names, order, strict=True))
            for order in orders
        )

    def _is(self, name: str, expected: Any) -> bool:
        if isinstance(expected, str):
            return name == expected
        array = self.graph.constant(name)
        if isinstance(expected, CapturedArray) and array is not None:
            expected.values = array
            return True
        if array is None or array.size != 1 or array.ndim > 2 or array.dtype.kind not in "fiu":
            return False
        if isinstance(expected, Captured):
            expected.value = shortest(array.reshape(()))
            return True
        with np.errstate(over="ignore"):
            return bool(array.reshape(()) == np.array(expected).astype(array.dtype))

    def _has_attributes(self, index: int, expected: dict[str, Any]) -> bool:
        operator = self.graph.nodes[index].op_type
        defaults = DEFAULTS.get(operator, {})
        given = defaults | self.graph.attributes(index)
        expected = defaults | expected
        return given.keys() == expected.keys() and all(
            _equal(given[name], value) for name, value in expected.items()
        )


def _equal(given: Any, expected: Any) -> bool:
    """Compare attributes; the last axis is 1 or −1, numbers are float32."""
    if isinstance(expected, Captured):
        expected.value = shortest(np.float32(given))
        return True
    if isinstance(expected, float):
        return bool(np.float32(given) == np.float32(expected))
    if expected in (-1, [-1], [1]):
        return given in (1, -1, [1], [-1])
    return bool(given == expected)


def shortest(number: Any) -> float:
    """Return a number as a float; of a float32 the shortest decimal number that rounds to it.

    So an attribute 0.009999999776482582, which is 0.01 in float32, becomes 0.01 again.
    """
    array = np.asarray(number)
    value = float(str(array[()])) if array.dtype == np.float32 else float(array)
    return value if math.isfinite(value) else math.nan
