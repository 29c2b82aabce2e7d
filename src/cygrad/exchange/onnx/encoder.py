"""The encoder of a network in an ONNX model: its operators, and the model without them.

The metadata of a model of `to_onnx` hold the encoder, so that `from_onnx` knows the columns. The
graph is what computes: an encoder is taken over only if the graph has its operators with the same
numbers, bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.exchange.onnx.writer import WrittenGraph, in_unit, scaled_inputs
from cygrad.exchange.operations import OutputScaling, input_scaling, obstacle_of, output_scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.tables.encoder import Encoder


def without_encoder(onnx: Any, model: Any, encoder: Encoder, loss: str | None) -> Any:
    """Return a model from the encoded inputs to the outputs as they were learned.

    Parameters
    ----------
    onnx : module
    model : onnx.ModelProto
        Of `to_onnx`.
    encoder : Encoder
    loss : str or None
        Name of the loss of the network.

    Returns
    -------
    onnx.ModelProto or None
        None if the model has other operators than the encoder.
    """
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    graph = stripped.graph
    if len(graph.input) != 1 or obstacle_of(encoder) is not None:
        return None
    element = graph.input[0].type.tensor_type.elem_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(element)
    to_array = onnx.numpy_helper.to_array
    constants = {each.name: to_array(each) for each in graph.initializer}
    written = WrittenGraph(onnx, dtype)
    value = scaled_inputs(written, input_scaling(encoder), "input", dtype)
    names = {"input": graph.input[0].name}
    count = len(written.nodes)
    if not _fits(onnx, written, graph.node[:count], names, constants):
        return None
    _rename(graph.node[count:], names[value], graph.input[0].name)
    del graph.node[:count]
    scaling = output_scaling(loss, len(_outputs(graph)), encoder)
    return stripped if scaling is None or _strip_unit(onnx, graph, scaling, dtype) else None


def _strip_unit(onnx: Any, graph: Any, scaling: OutputScaling, dtype: np.dtype[Any]) -> bool:
    """Remove the unit of the outputs; return whether it is there."""
    constants = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    written = WrittenGraph(onnx, dtype)
    value = in_unit(written, scaling, "learned")
    last = len(graph.node) - 1
    first = last - len(written.nodes)
    if first < 0 or not graph.node[first].input or graph.node[last].op_type != "Identity":
        return False
    learned = graph.node[first].input[0]
    names = {"learned": learned}
    if not _fits(onnx, written, graph.node[first:last], names, constants):
        return False
    if list(graph.node[last].input) != [names[value]]:
        return False
    graph.node[last].input[0] = learned
    del graph.node[first:last]
    return True


def _outputs(graph: Any) -> range:
    """Return the numbers of the outputs of a graph."""
    dimensions = graph.output[-1].type.tensor_type.shape.dim
    return range(dimensions[1].dim_value if len(dimensions) == 2 else 0)


def _fits(
    onnx: Any,
    written: WrittenGraph,
    nodes: Sequence[Any],
    names: dict[str, str],
    constants: dict[str, NDArray[Any]],
) -> bool:
    """Return whether nodes are those that are written; `names` gets the names of their outputs."""
    expected = {each.name: onnx.numpy_helper.to_array(each) for each in written.constants}
    if len(nodes) != len(written.nodes):
        return False
    for ours, theirs in zip(written.nodes, nodes, strict=True):
        if ours.op_type != theirs.op_type or len(ours.input) != len(theirs.input):
            return False
        if list(ours.attribute) != list(theirs.attribute):
            return False
        for name, other in zip(ours.input, theirs.input, strict=True):
            if name in expected:
                found = constants.get(other)
                if found is None or not _equal(expected[name], found):
                    return False
            elif names.get(name) != other:
                return False
        names |= zip(ours.output, theirs.output, strict=False)
    return True


def _equal(a: NDArray[Any], b: NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _rename(nodes: Sequence[Any], old: str, new: str) -> None:
    for node in nodes:
        for position, name in enumerate(node.input):
            if name == old:
                node.input[position] = new
