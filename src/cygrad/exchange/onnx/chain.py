"""`Chain`: follow the layers of an ONNX graph from its input on."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.exchange.onnx import classes as decisions
from cygrad.exchange.onnx.forms import FORMS, SCALED, affine_layer_norm, layer_norm, sine
from cygrad.exchange.onnx.read_graph import Captured, CapturedArray, shortest
from cygrad.network.activations import ACTIVATIONS, ChosenActivation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.assembly import Assembly
    from cygrad.exchange.onnx.read_graph import ReadGraph

#: Residual blocks inside each other.
DEEPEST = 100


class Chain:
    """The layers of a graph, in their order.

    Attributes
    ----------
    dtype : str
        float64 if a parameter is, else float32.
    standardization : (mean, scale) or None
        Of the inputs: x becomes (x − mean) ⊙ scale.
    pair : bool
        True if the graph has made two probabilities of the single output.
    activation : str
        The last one.
    dimensions : int
        Of the input: more than 2 must be flattened.
    """

    def __init__(self, graph: ReadGraph, *, is_ours: bool) -> None:
        self.dtype = "float32"
        self.standardization: tuple[NDArray[Any], NDArray[Any]] | None = None
        self.pair = False
        self.activation = "identity"
        self.dimensions = 2
        self._graph = graph
        self._is_ours = is_ours
        self._is_at_start = True

    def follow(self, assembly: Assembly, value: str, end: str | None = None, depth: int = 0) -> str:
        """Append the layers from a value to the end of a block, or of the network."""
        graph = self._graph
        while value != end:
            following = graph.consumers(value)
            if not following:
                return value
            operator = graph.nodes[following[0]].op_type
            if self.dimensions > 2 and operator not in ("Flatten", "Reshape", "Cast", "Identity"):
                graph.refuse(following[0], "applied to an input that has not been flattened")
            found = self._activation(assembly, value) or self._layer_norm(assembly, value)
            if found is not None:
                value = found
                continue
            if end is None and decisions.begin(graph, value, following):
                return value
            block = self._sum(value, following)
            if block is not None:
                value = self._residual(assembly, value, block, depth)
                continue
            index = following[0]
            read = _LAYERS.get(graph.nodes[index].op_type)
            if len(following) > 1:
                first = graph.nodes[index]
                beside = f"{first.name or first.output[0]!r} ({first.op_type})"
                graph.refuse(
                    following[1], f"a branch beside {beside}, expected layers one after another"
                )
            if read is None:
                graph.refuse(index, "an operator that dense networks do not have here")
            graph.used.add(index)
            try:
                value = read(self, assembly, index, value)
            except (IndexError, KeyError):
                graph.refuse(index, "incomplete, expected all inputs and attributes")
        return value

    def _activation(self, assembly: Assembly, value: str) -> str | None:
        """Append an activation if one follows; return its output."""
        found = self._form(value)
        if found is None:
            return self._scaled_activation(assembly, value)
        name, parameter, output = found
        self._is_at_start = False
        self.activation = name
        needs = ACTIVATIONS[name].parameter is not None
        assembly.activation(ChosenActivation(name, parameter) if needs else name)
        return output

    def _scaled_activation(self, assembly: Assembly, value: str) -> str | None:
        """Append an activation with a factor for each unit inside; return its output."""
        index = self._graph.consumers(value)[0]
        for name, form, factor in SCALED:
            factors = CapturedArray()
            output = self._graph.match_all(form, value, factors)
            if output is not None:
                vector = self._vector(index, factors.values, assembly.units, is_parameter=False)
                self._is_at_start = False
                self.activation = "identity"
                assembly.activation(name)
                assembly.scale(factor * vector.astype(np.float64), 0.0)
                return output
        return None

    def _form(self, value: str) -> tuple[str, float, str] | None:
        """Return name, parameter and output of the activation that follows."""
        for name, form in FORMS:
            found = self._graph.match(form, value)
            if found is not None:
                return name, found[1], found[0]
        found = self._graph.match(sine, value)
        return None if found is None else ("sine", 1.0, found[0])

    def _begins_activation(self, value: str) -> bool:
        """Return whether an activation follows, without reading it."""
        graph, used = self._graph, set(self._graph.used)
        found = self._form(value) is not None or any(
            graph.match_all(form, value, CapturedArray()) for _, form, _ in SCALED
        )
        graph.used = used
        return found

    def _layer_norm(self, assembly: Assembly, value: str) -> str | None:
        """Append a layer norm of single operators if one follows; return its output."""
        affine = self._affine_layer_norm(assembly, value)
        if affine is not None:
            return affine
        found = None
        for is_power in (False, True):
            found = found or self._graph.match(layer_norm(is_power=is_power), value)
        if found is None:
            return None
        value, eps = found
        weights, biases = np.ones(assembly.units), np.zeros(assembly.units)
        for operator in ("Mul", "Add"):
            index = self._only(value, operator)
            constant = None if index is None else self._other(index, value)
            if index is None or constant is None or self._begins_activation(value):
                continue
            self._graph.used.add(index)
            vector = self._vector(index, constant, assembly.units)
            weights, biases = (vector, biases) if operator == "Mul" else (weights, vector)
            value = self._graph.nodes[index].output[0]
        self._is_at_start = False
        self.activation = "identity"
        assembly.layer_norm(weights, biases, eps)
        return value

    def _affine_layer_norm(self, assembly: Assembly, value: str) -> str | None:
        """Append a layer norm of TensorFlow if one follows; return its output."""
        first, result = self._graph.consumers(value)[0], None
        for scaled, moved in product((True, False), repeat=2):
            eps, gamma, beta = Captured(), CapturedArray(), CapturedArray()
            gamma.values, beta.values = np.ones(1, np.float32), np.zeros(1, np.float32)
            form = affine_layer_norm(scaled=scaled, moved=moved)
            result = self._graph.match_all(form, value, (eps, gamma, beta))
            if result is not None:
                break
        if result is None:
            return None
        weights, biases = (
            self._vector(first, each.values, assembly.units) for each in (gamma, beta)
        )
        self._is_at_start = False
        self.activation = "identity"
        assembly.layer_norm(weights, biases, eps.value)
        return result

    def _sum(self, value: str, following: list[int]) -> int | None:
        """Return the last sum of the value itself and something else."""
        for index in reversed(following):
            node = self._graph.nodes[index]
            if node.op_type == "Add" and self._other(index, value) is None:
                return index
        return None

    def _residual(self, assembly: Assembly, value: str, index: int, depth: int) -> str:
        """Append a residual block, whose sum is the node `index`."""
        graph = self._graph
        inputs = list(graph.nodes[index].input)
        if depth == DEEPEST:
            graph.refuse(index, f"inside {DEEPEST} other residual sums")
        inputs.remove(value)
        if inputs == [value]:
            graph.refuse(index, "a sum that is no residual block")
        graph.used.add(index)
        self._is_at_start = False
        block = type(assembly)(assembly.units, assembly.source)
        if self.follow(block, value, inputs[0], depth + 1) != inputs[0]:
            graph.refuse(index, "a sum of other values than the input and the outputs of layers")
        self.activation = "identity"
        assembly.residual(block)
        return str(graph.nodes[index].output[0])

    def _gemm(self, assembly: Assembly, index: int, value: str) -> str:
        """Y = α A B + β C; A is the value."""
        node, options = self._graph.nodes[index], self._graph.attributes(index)
        weights = self._graph.constant(node.input[1])
        if node.input[0] != value or weights is None or weights.ndim != 2:
            self._graph.refuse(index, "no layer with constant weights")
        if options.get("transA", 0):
            self._graph.refuse(index, "transposed in its inputs (transA)")
        weights = self._floats(index, weights if options.get("transB", 0) else weights.T)
        alpha, beta = options.get("alpha", 1.0), options.get("beta", 1.0)
        if alpha != 1:
            weights = weights * weights.dtype.type(alpha)
        biases = None
        if len(node.input) > 2 and node.input[2]:
            constant = self._graph.constant(node.input[2])
            if constant is None:
                self._graph.refuse(index, "no layer with constant biases")
            biases = self._vector(index, constant, len(weights))
            biases = biases if beta == 1 else biases * biases.dtype.type(beta)
        self._dense(assembly, weights, biases)
        return str(node.output[0])

    def _matmul(self, assembly: Assembly, index: int, value: str) -> str:
        """A W, and the Add after it."""
        node = self._graph.nodes[index]
        weights = self._graph.constant(node.input[1])
        if node.input[0] != value or weights is None or weights.ndim != 2:
            self._graph.refuse(index, "no layer with constant weights")
        weights = self._floats(index, weights.T)
        value, biases = str(node.output[0]), None
        following = self._only(value, "Add")
        constant = None if following is None else self._other(following, value)
        if following is not None and constant is not None and not self._begins_activation(value):
            self._graph.used.add(following)
            biases = self._vector(following, constant, len(weights))
            value = str(self._graph.nodes[following].output[0])
        self._dense(assembly, weights, biases)
        return value

    def _dense(
        self, assembly: Assembly, weights: NDArray[Any], biases: NDArray[Any] | None
    ) -> None:
        self._is_at_start = False
        self.activation = "identity"
        assembly.dense(weights, biases)

    def _batch_normalization(self, assembly: Assembly, index: int, value: str) -> str:
        node, options = self._graph.nodes[index], self._graph.attributes(index)
        if options.get("training_mode", 0) or not options.get("spatial", 1):
            self._graph.refuse(index, "of another kind than inference by running statistics")
        constants = [self._graph.constant(name) for name in node.input[1:]]
        if node.input[0] != value or len(constants) != 4:
            self._graph.refuse(index, "no norm of the layer before it")
        vectors = [
            self._graph.refuse(index, "no norm with constant parameters")
            if each is None
            else self._vector(index, each, assembly.units)
            for each in constants
        ]
        eps = shortest(np.float32(options.get("epsilon", 1e-5)))
        # Ours is the share of the new value.
        momentum = round(1 - shortest(np.float32(options.get("momentum", 0.9))), 7)
        self._is_at_start = False
        self.activation = "identity"
        weights, biases, mean, variance = vectors
        if not 0 < momentum < 1:
            momentum = 0.1
        assembly.batch_norm(weights, biases, mean, variance, eps, momentum)
        return str(node.output[0])

    def _layer_normalization(self, assembly: Assembly, index: int, value: str) -> str:
        node, options = self._graph.nodes[index], self._graph.attributes(index)
        if node.input[0] != value or options.get("axis", -1) not in (1, -1):
            self._graph.refuse(index, "no norm over the outputs of the layer before it")
        vectors = [np.ones(assembly.units), np.zeros(assembly.units)]
        for position, name in enumerate(node.input[1:3]):
            constant = self._graph.constant(name)
            if constant is not None:
                vectors[position] = self._vector(index, constant, assembly.units)
            elif name:
                self._graph.refuse(index, "no norm with constant parameters")
        self._is_at_start = False
        self.activation = "identity"
        eps = shortest(np.float32(options.get("epsilon", 1e-5)))
        assembly.layer_norm(vectors[0], vectors[1], eps)
        return str(node.output[0])

    def _scaler(self, assembly: Assembly, index: int, value: str) -> str:
        """(x − offset) · scale, of the operators for machine learning."""
        options = self._graph.attributes(index)
        units = assembly.units
        offset, scale = (
            np.broadcast_to(np.array(options.get(name, missing), np.float64), (units,))
            for name, missing in (("offset", 0.0), ("scale", 1.0))
        )
        self._scaled(assembly, index, 1.0, -offset)
        self._scaled(assembly, index, scale, 0.0)
        return str(self._graph.nodes[index].output[0])

    def _arithmetic(self, assembly: Assembly, index: int, value: str) -> str:
        """Add, Sub, Mul or Div with a constant."""
        graph, node = self._graph, self._graph.nodes[index]
        constant = self._other(index, value)
        if constant is None:
            graph.refuse(index, "no arithmetic with a constant")
        output = str(node.output[0])
        if node.op_type == "Mul" and assembly.units == 1 and constant.size == 2:
            return self._pair(assembly, index, constant, output)
        is_first = node.input[0] == value
        if node.op_type == "Sub" and self._is_composed_batch_norm(output):
            return self._composed_batch_norm(assembly, index, constant, output)
        vector = self._vector(index, constant, assembly.units, is_parameter=False)
        is_start = self._is_at_start and not (self._is_ours and node.name.startswith("layers."))
        if node.op_type == "Mul" and not is_start:
            following = self._only(output, "Add")
            if (
                following is None
                or self._other(following, output) is None
                or (self._begins_activation(output))
            ):
                self._is_at_start = False
                self.activation = "identity"
                self._floats(index, constant)
                assembly.scaling(vector)
                return output
        wide = vector.astype(np.float64)
        if node.op_type == "Mul":
            self._scaled(assembly, index, wide, 0.0, is_start=is_start)
        elif node.op_type == "Add":
            self._scaled(assembly, index, 1.0, wide, is_start=is_start)
        elif node.op_type == "Sub":
            self._scaled(assembly, index, *((1.0, -wide) if is_first else (-1.0, wide)))
        elif is_first:
            with np.errstate(divide="ignore"):
                self._scaled(assembly, index, 1 / wide, 0.0, is_start=is_start)
        else:
            graph.refuse(index, "a constant divided by the outputs of a layer")
        return output

    def _scaled(
        self, assembly: Assembly, index: int, factor: Any, offset: Any, *, is_start: bool = True
    ) -> None:
        """Multiply by a factor, then add an offset."""
        if not np.isfinite(factor).all() or not np.isfinite(offset).all():
            self._graph.refuse(index, "with numbers that are not finite")
        if not (is_start and self._is_at_start):
            self.activation = "identity"
            assembly.scale(factor, offset)
            return
        mean, scale = self.standardization or (np.zeros(assembly.units), np.ones(assembly.units))
        # (x − mean) scale f + o = (x − (mean − o / (scale f))) scale f
        scale = scale * factor
        if (scale == 0).any():
            self._graph.refuse(index, "with a factor 0 for an input")
        self.standardization = mean - offset / scale, scale

    def _is_composed_batch_norm(self, centered: str) -> bool:
        index = self._only(centered, "Div")
        if index is None or self._graph.nodes[index].input[0] != centered:
            return False
        producer = self._graph.producer(self._graph.nodes[index].input[1])
        return producer is not None and self._graph.nodes[producer].op_type == "Sqrt"

    def _composed_batch_norm(
        self, assembly: Assembly, index: int, mean: NDArray[Any], centered: str
    ) -> str:
        """(z − mean) / √(variance + ε) γ + β, as `to_onnx` writes it in float64."""
        graph = self._graph
        (division,) = graph.consumers(centered)
        root = graph.producer(graph.nodes[division].input[1])
        total = graph.producer(graph.nodes[root].input[0])
        numbers = []
        if total is not None and graph.nodes[total].op_type == "Add":
            numbers = [graph.constant(name) for name in graph.nodes[total].input]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None or numbers[1].size != 1:
            graph.refuse(root, "no deviation of a batch norm")
        graph.used |= {division, root, total}
        vectors = [np.ones(assembly.units), np.zeros(assembly.units)]
        value = str(graph.nodes[division].output[0])
        for position, operator in enumerate(("Mul", "Add")):
            following = self._only(value, operator)
            constant = None if following is None else self._other(following, value)
            if following is None or constant is None:
                graph.refuse(division, "a batch norm without weights and biases")
            graph.used.add(following)
            vectors[position] = self._vector(following, constant, assembly.units)
            value = str(graph.nodes[following].output[0])
        moments = [self._vector(index, each, assembly.units) for each in (mean, numbers[0])]
        self._is_at_start = False
        self.activation = "identity"
        eps = shortest(numbers[1].reshape(()))
        assembly.batch_norm(vectors[0], vectors[1], moments[0], moments[1], eps)
        return value

    def _pair(self, assembly: Assembly, index: int, constant: NDArray[Any], output: str) -> str:
        """Softmax of (0, z) is 1 − sigmoid(z), sigmoid(z)."""
        graph = self._graph
        following = self._only(output, "Softmax")
        if (
            following is None
            or constant.reshape(-1).tolist() != [0, 1]
            or (graph.attributes(following).get("axis", -1) not in (1, -1))
        ):
            graph.refuse(index, "no arithmetic with a number for each unit")
        graph.used.add(following)
        self.pair = True
        self.activation = "sigmoid"
        assembly.activation("sigmoid")
        return str(graph.nodes[following].output[0])

    def _cast(self, assembly: Assembly, index: int, value: str) -> str:
        """Between floats; other numbers only become floats."""
        element = self._graph.element(self._graph.attributes(index)["to"])
        if element not in (np.float32, np.float64):
            self._graph.refuse(index, f"a conversion to {element or 'text'}")
        return str(self._graph.nodes[index].output[0])

    def _same(self, assembly: Assembly, index: int, value: str) -> str:
        """Identity."""
        return str(self._graph.nodes[index].output[0])

    def _dropout(self, assembly: Assembly, index: int, value: str) -> str:
        node = self._graph.nodes[index]
        for name in node.input[2:]:
            mode = self._graph.constant(name) if name else np.array(False)
            if mode is None or mode.any():
                self._graph.refuse(index, "in training mode")
        return str(node.output[0])

    def _flatten(self, assembly: Assembly, index: int, value: str) -> str:
        if self._graph.attributes(index).get("axis", 1) != 1:
            self._graph.refuse(index, "of another axis than 1")
        self.dimensions = 2
        return str(self._graph.nodes[index].output[0])

    def _reshape(self, assembly: Assembly, index: int, value: str) -> str:
        node = self._graph.nodes[index]
        shape = self._graph.constant(node.input[1]) if node.input[0] == value else None
        sizes = [] if shape is None else shape.reshape(-1).tolist()
        if sizes not in ([-1, assembly.units], [0, assembly.units], [0, -1]):
            self._graph.refuse(index, "of another shape than (n, units)")
        self.dimensions = 2
        return str(node.output[0])

    def _only(self, value: str, operator: str) -> int | None:
        """Return the node after a value, if it is the only one and has this operator."""
        following = self._graph.consumers(value)
        if len(following) == 1 and self._graph.nodes[following[0]].op_type == operator:
            return following[0]
        return None

    def _other(self, index: int, value: str) -> NDArray[Any] | None:
        """Return the other input of a node of two inputs, if it is a constant."""
        names = list(self._graph.nodes[index].input)
        if len(names) != 2 or value not in names:
            return None
        names.remove(value)
        return self._graph.constant(names[0])

    def _floats(
        self, index: int, array: NDArray[Any], *, is_parameter: bool = True
    ) -> NDArray[Any]:
        """Return constants in float32 or float64; those of parameters tell the dtype."""
        if array.dtype == np.float64:
            self.dtype = "float64" if is_parameter else self.dtype
        elif array.dtype != np.float32:
            if array.dtype != np.float16 and array.dtype.name != "bfloat16":
                self._graph.refuse(index, f"with parameters of {array.dtype}, expected floats")
            array = array.astype(np.float32)
        return array

    def _vector(
        self, index: int, array: NDArray[Any], units: int, *, is_parameter: bool = True
    ) -> NDArray[Any]:
        """Return a number for each unit, of a shape (units,), (1, units), (1,), () or (1, 1)."""
        if (
            array.ndim > 2
            or (array.ndim == 2 and array.shape[0] != 1)
            or (array.size not in (1, units))
        ):
            self._graph.refuse(
                index, f"with a constant of shape {array.shape}, expected ({units},)"
            )
        array = self._floats(index, array, is_parameter=is_parameter)
        return np.array(np.broadcast_to(array.reshape(-1), (units,)))


_LAYERS: dict[str, Callable[[Chain, Assembly, int, str], str]] = {
    "Gemm": Chain._gemm,
    "MatMul": Chain._matmul,
    "BatchNormalization": Chain._batch_normalization,
    "LayerNormalization": Chain._layer_normalization,
    "Scaler": Chain._scaler,
    "Add": Chain._arithmetic,
    "Sub": Chain._arithmetic,
    "Mul": Chain._arithmetic,
    "Div": Chain._arithmetic,
    "Cast": Chain._cast,
    "Identity": Chain._same,
    "Dropout": Chain._dropout,
    "Flatten": Chain._flatten,
    "Reshape": Chain._reshape,
}
