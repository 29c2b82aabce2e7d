"""`to_onnx`: write a network as an ONNX model."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import __version__
from cygrad.atomic_write import atomic_write
from cygrad.exchange import self_test
from cygrad.exchange.exports import Export
from cygrad.exchange.libraries import library
from cygrad.exchange.onnx import runtime
from cygrad.exchange.onnx.activations import expm1, formula
from cygrad.exchange.operations import (
    DenseOperation,
    InputScaling,
    NormOperation,
    OutputScaling,
    ResidualOperation,
    program,
)
from cygrad.network.ensemble import Ensemble
from cygrad.network.losses import row_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cygrad.exchange.operations import Operation, Program
    from cygrad.network import Network

OPSET, IR_VERSION = 13, 10
#: The largest file of protobuf, less room for what is no parameter.
LARGEST = 2**31 - 2**24


def to_onnx(
    net: Network | Ensemble, path: str | os.PathLike[str], *, lossy: bool = False
) -> Export:
    """Write a network or an ensemble as an ONNX model, of opset 13 and IR version 10.

    The input is ``input``, shape (n, inputs), in the dtype of the network, for any n: columns of an
    encoder too are rounded to it. They are standardised in float64 from there. A network with a
    loss of classes has the outputs ``label`` and ``probabilities`` (``scores`` where the outputs
    are none), as scikit-learn's converter calls them; a single sigmoid output becomes two
    probabilities. ``label`` holds the names of the classes if there are any, else their indices;
    with several sigmoid outputs it has 0 or 1 for each of them. Other networks have ``output``:
    quantities in their unit, in float64 if an encoder has scaled them, else in the dtype of the
    network.

    Networks in float64 and the activations of outputs are composed of operators that lose no digits
    in the tails, and that ONNX Runtime has in float64. ONNX's own Sigmoid is 0 in float32 from −18
    on there; hidden layers in float32 have it, and their outputs differ by up to 2e-7. Only batch
    norms in float32 keep their momentum. Dropout and noise, which are for training, are left out.

    The members of an ensemble are side by side in the graph, and its outputs are their means, in
    the dtype of the model. `from_onnx` does not read it; keep the file of ``Ensemble.save``.

    Parameters
    ----------
    net : Network or Ensemble
    path : str or os.PathLike
    lossy : bool
        Leave out an encoder that has more than numbers without gaps.

    Returns
    -------
    Export
        The self-test is that of ONNX Runtime, or of onnx's reference evaluator where that is not
        installed.

    Raises
    ------
    ModuleNotFoundError
        If onnx is not installed.
    ValueError
        If the encoder has more than numbers and `lossy` is False, a parameter is NaN or infinite,
        or the network is larger than 2 GB.
    OSError
        If the file cannot be written. Then an old file is still intact.

    Warns
    -----
    UserWarning
        If outputs for some samples differ by more than rounding.

    Notes
    -----
    The self-test says nothing of other runtimes: try yours on samples of your own. In OpenCV 5.0.0
    tanh of 44.3 and more is NaN, and with it all outputs of the network (in 4.14.0 it is 1). tract
    0.23.9 takes NaN among the inputs for numbers, and gives finite outputs.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(64, [cg.Dense(32, "relu"), cg.Dense(10, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> cg.exchange.to_onnx(net, "digits.onnx").test.passed
    True
    """
    onnx = library("onnx", runtime.EXTRA)
    members = net.members if isinstance(net, Ensemble) else (net,)
    programs = [program(member, lossy=lossy) for member in members]
    size = sum(array.nbytes for member in members for array in member.arrays().values())
    if size > LARGEST:
        raise ValueError(
            f"the network has {size:,} bytes of parameters, expected at most {LARGEST:,}: ONNX "
            "files have at most 2 GB"
        )
    samples = self_test.samples(members[0], programs[0])
    if len(members) > 1:
        samples = self_test.mean_samples(members, programs, samples.inputs)
    model = _model(onnx, members, programs, samples)
    onnx.checker.check_model(model, full_check=True)
    test = runtime.compare(model, samples)
    with atomic_write(path) as file:
        file.write(model.SerializeToString(deterministic=True))
    return Export(os.fspath(path), test, ())


def _model(
    onnx: Any,
    members: Sequence[Network],
    programs: Sequence[Program],
    samples: self_test.Samples,
) -> Any:
    """Return the model of a network, or of the means of several."""
    helper = onnx.helper
    net, made = members[0], programs[0]
    if len(members) > 1:
        dtype = np.result_type(*(each.dtype for each in programs))
        made = replace(made, dtype=dtype)
    graph = WrittenGraph(onnx, made.dtype)
    if len(members) == 1:
        outputs = _outputs(graph, made, net)
    else:
        outputs = _mean_outputs(graph, made, members, programs)
    element = helper.np_dtype_to_tensor_dtype(made.dtype)
    inputs = [helper.make_tensor_value_info("input", element, ["n", made.inputs])]
    described = {
        "cygrad": __version__,
        "loss": row_name(net),
        "columns": made.columns,
        "classes": made.classes,
        "encoder": None if made.columns is None or net.encoder is None else net.encoder.config(),
        "self_test": json.loads(samples.to_json()),
    }
    if len(members) > 1:
        described["members"] = len(members)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "network", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="cygrad",
        producer_version=__version__,
    )
    helper.set_model_props(model, {runtime.KEY: json.dumps(described, allow_nan=False)})
    return model


def row_name(net: Network) -> str | None:
    """Return the name of a loss of the package, None for a Python function or with parameters."""
    return net.loss if isinstance(net.loss, str) else None


class WrittenGraph:
    """Nodes and constants of a graph, in the order of the computation."""

    def __init__(self, onnx: Any, dtype: np.dtype[Any]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.dtype = dtype
        self._onnx = onnx
        self._numbers: dict[tuple[str, float], str] = {}
        self._names: set[str] = set()
        #: What the names of nodes begin with: the layer.
        self.scope = "input"

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        return self.named(self._name(operator.lower()), operator, *inputs, **attributes)

    def named(self, output: str, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with an output of this name."""
        made = self._onnx.helper.make_node(
            operator, list(inputs), [output], name=self._name(operator), **attributes
        )
        self.nodes.append(made)
        return output

    def number(self, value: float) -> str:
        """Return the name of a constant of the dtype of the network."""
        key = self.dtype.name, float(value)
        if key not in self._numbers:
            name = f"number.{len(self._numbers)}"
            self._numbers[key] = self.constant(name, np.array(value, self.dtype))
        return self._numbers[key]

    def constant(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant."""
        contiguous = np.array(values, order="C")
        self.constants.append(self._onnx.numpy_helper.from_array(contiguous, name))
        return name

    def parameter(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant of the layer."""
        return self.constant(self._name(name), values)

    def cast(self, value: str, dtype: np.dtype[Any] | str) -> str:
        """Convert a value, and give later numbers this dtype."""
        old, self.dtype = self.dtype, np.dtype(dtype)
        if self.dtype == old:
            return value
        element = self._onnx.helper.np_dtype_to_tensor_dtype(self.dtype)
        return self.node("Cast", value, to=element)

    def convert(self, value: str, element: str, output: str) -> str:
        """Convert a value to an element type of ONNX, by its name."""
        return self.named(output, "Cast", value, to=getattr(self._onnx.TensorProto, element))

    def _name(self, beginning: str) -> str:
        name, count = f"{self.scope}.{beginning}", 1
        while name in self._names:
            count += 1
            name = f"{self.scope}.{beginning}.{count}"
        self._names.add(name)
        return name


def _outputs(graph: WrittenGraph, made: Program, net: Network) -> list[Any]:
    """Write the operations and the outputs; return the descriptions of the outputs."""
    binary = made.decision == "half" and made.outputs == 1
    value = _written(graph, made.operations, "input", net, made, skip_last_sigmoid=binary)
    graph.scope = "output"
    name = _output_name(made, net)
    if binary:  # softmax of (0, z): 1 / (1 + exp(−z)) keeps its digits on both sides
        unit = graph.parameter("pair", np.array([0.0, 1.0], graph.dtype))
        graph.named(name, "Softmax", graph.node("Mul", value, unit), axis=-1)
    else:
        graph.named(name, "Identity", value)
    return _decided(graph, made, name)


def _mean_outputs(
    graph: WrittenGraph, made: Program, members: Sequence[Network], programs: Sequence[Program]
) -> list[Any]:
    """Write the operations of all members, their mean, and the outputs."""
    values = []
    for member, own in zip(members, programs, strict=True):
        graph.dtype = made.dtype
        value = graph.cast("input", own.dtype)
        value = _written(graph, own.operations, value, member, own)
        graph.scope = "output"
        if graph.dtype != np.float64:  # which quantities in their unit have
            value = graph.cast(value, made.dtype)
        values.append(value)
    mean = graph.node("Div", graph.node("Sum", *values), graph.number(len(values)))
    name = _output_name(made, members[0])
    if made.decision == "half" and made.outputs == 1:
        graph.named(name, "Concat", graph.node("Sub", graph.number(1), mean), mean, axis=1)
    else:
        graph.named(name, "Identity", mean)
    return _decided(graph, made, name)


def _output_name(made: Program, net: Network) -> str:
    if made.decision == "none":
        return "output"
    return runtime.PROBABILITIES if row_of(net.loss).outputs == "probabilities" else "scores"


def _decided(graph: WrittenGraph, made: Program, name: str) -> list[Any]:
    """Write the decisions for an output that is written; return the descriptions of all."""
    describe = graph._onnx.helper.make_tensor_value_info
    element = graph._onnx.helper.np_dtype_to_tensor_dtype
    binary = made.decision == "half" and made.outputs == 1
    count = 2 if binary else made.outputs
    probabilities = describe(name, element(graph.dtype), ["n", count])
    if made.decision == "none":
        return [probabilities]
    integer, text = graph._onnx.TensorProto.INT64, graph._onnx.TensorProto.STRING
    if made.decision == "half" and not binary:
        is_one = graph.node("GreaterOrEqual", name, graph.number(0.5))
        graph.convert(is_one, "INT64", "label")
        return [describe("label", integer, ["n", count]), probabilities]
    if binary:
        column = graph.parameter("second", np.array(1, np.int64))
        second = graph.node("Gather", name, column, axis=1)
        is_one = graph.node("GreaterOrEqual", second, graph.number(0.5))
        index = graph.convert(is_one, "INT64", "index" if made.classes else "label")
    else:
        index = "index" if made.classes else "label"
        graph.named(index, "ArgMax", name, axis=1, keepdims=0)
    if not made.classes:
        return [describe("label", integer, ["n"]), probabilities]
    names = graph.parameter("classes", np.array([str(each) for each in made.classes], object))
    graph.named("label", "Gather", names, index, axis=0)
    return [describe("label", text, ["n"]), probabilities]


def _written(
    graph: WrittenGraph,
    operations: tuple[Operation, ...],
    value: str,
    net: Network,
    made: Program,
    *,
    skip_last_sigmoid: bool = False,
) -> str:
    """Write operations; return the name of the result."""
    last = len(net.layers) - 1
    for each in operations:
        if isinstance(each, InputScaling):
            value = scaled_inputs(graph, each, value, made.dtype)
            continue
        if isinstance(each, OutputScaling):
            value = in_unit(graph, each, value)
            continue
        index = each.index
        if isinstance(each, DenseOperation):
            graph.scope = f"layers.{index}"
            biases = [] if each.biases is None else [graph.parameter("bias", each.biases)]
            weights = graph.parameter("weight", each.weights)
            value = graph.node("Gemm", value, weights, *biases, transB=1)
        elif isinstance(each, ResidualOperation):
            block = _written(graph, each.operations, value, net, made)
            graph.scope = f"layers.{index}"
            value = graph.node("Add", value, block)
        else:
            graph.scope = f"layers.{index}"
            value = _norm(graph, each, value, net)
        is_output = index == last
        if is_output and skip_last_sigmoid:
            continue
        apply = formula(each.activation, made.dtype.name, is_output=is_output)
        value = apply(graph, value, each.parameter)
    return value


def scaled_inputs(graph: WrittenGraph, each: InputScaling, value: str, dtype: np.dtype[Any]) -> str:
    """Write (x − mean) ⊙ scale in float64, and the smooth clipping of some inputs."""
    value = graph.cast(value, "float64")
    value = graph.node("Sub", value, graph.parameter("mean", each.mean))
    if each.divisor is None:
        value = graph.node("Mul", value, graph.parameter("scale", each.scale))
    else:
        value = graph.node("Div", value, graph.parameter("divisor", each.divisor))
    if each.clipped.any():
        third = graph.node("Div", value, graph.number(3))
        sum_ = graph.node("Add", graph.node("Mul", third, third), graph.number(1))
        clipped = graph.node("Div", value, graph.node("Sqrt", sum_))
        value = graph.node("Where", graph.parameter("clipped", each.clipped), clipped, value)
    return graph.cast(value, dtype)


def in_unit(graph: WrittenGraph, each: OutputScaling, value: str) -> str:
    """Write y = a ⊙ deviations + means in float64, and its inverse logarithm."""
    graph.scope = "output"
    value = graph.cast(value, "float64")
    value = graph.node("Mul", value, graph.parameter("deviation", each.deviations))
    value = graph.node("Add", value, graph.parameter("mean", each.means))
    if each.logarithm == "log":
        return graph.node("Exp", value)
    return expm1(graph, value) if each.logarithm == "log1p" else value


def _norm(graph: WrittenGraph, each: NormOperation, value: str, net: Network) -> str:
    """Write a batch norm, a layer norm, or a scaling layer.

    ONNX's own operators have ε in float32; so float64 is composed. LayerNormalization needs
    opset 17, and computes E[x²] − E[x]², which cancels digits.
    """
    weights = graph.parameter("weight", each.weights)
    if net.layers[each.index].kind == "scaling":
        return graph.node("Mul", value, weights)
    biases = graph.parameter("bias", each.biases)
    if each.mean is not None and each.variance is not None:
        mean = graph.parameter("running_mean", each.mean)
        variance = graph.parameter("running_var", each.variance)
        if graph.dtype == np.float32:
            statistics = weights, biases, mean, variance
            description = net.layers[each.index].description
            options = {"epsilon": each.eps, "momentum": 1 - getattr(description, "momentum", 0.1)}
            return graph.node("BatchNormalization", value, *statistics, **options)
        centered = graph.node("Sub", value, mean)
    else:
        mean = graph.node("ReduceMean", value, axes=[1], keepdims=1)
        centered = graph.node("Sub", value, mean)
        square = graph.node("Mul", centered, centered)
        variance = graph.node("ReduceMean", square, axes=[1], keepdims=1)
    deviation = graph.node("Sqrt", graph.node("Add", variance, graph.number(each.eps)))
    normalized = graph.node("Div", centered, deviation)
    return graph.node("Add", graph.node("Mul", normalized, weights), biases)
