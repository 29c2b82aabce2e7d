"""The end of a classifier's graph: what makes labels of probabilities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cygrad.exchange.onnx.chain import Chain
    from cygrad.exchange.onnx.read_graph import ReadGraph

FIRST = ("ArgMax", "ZipMap", "Binarizer", "Normalizer", "GreaterOrEqual", "Greater", "Gather")


@dataclass(frozen=True)
class Value:
    """The role of a value after the outputs of a network.

    Attributes
    ----------
    kind : {"outputs", "index", "label"}
        Outputs of the network; the index of a class, or 0 and 1; or what it is called.
    columns : int or None
        Its shape is (n, columns); None: (n,).
    """

    kind: str
    columns: int | None


@dataclass
class Decision:
    """The operators after the outputs of a network: a decision and labels.

    Attributes
    ----------
    values : dict of str to Value
        The outputs and all that is made of them, by their names.
    classes : list of str or None
        Names of the classes.
    kind : {"largest", "half", "none"}
        As that of `cygrad.exchange.operations.Program`.
    """

    values: dict[str, Value]
    classes: list[str] | None = None
    kind: str = "none"


def begin(graph: ReadGraph, value: str, following: list[int]) -> bool:
    """Return whether nodes that use a value make labels of it."""
    for index in following:
        node = graph.nodes[index]
        if node.op_type in FIRST:
            return True
        if node.op_type == "Squeeze":  # of the outputs of the network
            return True
        if node.op_type == "Identity" and node.output[0] in graph.outputs:
            return True
        if node.op_type == "Sub" and graph.constant(node.input[0]) is not None:
            # 1 − p, joined with p
            after = graph.consumers(node.output[0])
            return [graph.nodes[each].op_type for each in after] == ["Concat"]
    return False


def read(graph: ReadGraph, value: str, units: int, chain: Chain) -> Decision:
    """Read the nodes after the outputs of a network.

    Raises
    ------
    ValueError
        If one does something else; the message names it.
    """
    found = Decision({value: Value("outputs", 2 if chain.pair else units)})
    for index, node in enumerate(graph.nodes):
        given = [found.values[name] for name in node.input if name in found.values]
        if index in graph.used or not given:
            continue
        if any(
            name and name not in found.values and graph.constant(name) is None
            for name in node.input
        ):
            graph.refuse(index, "no decision for a class")
        check = _CHECKS.get(node.op_type)
        made = None if check is None else check(graph, index, found, chain, given)
        if made is None:
            graph.refuse(index, "no decision for a class by the largest output, or at 0.5")
        graph.used.add(index)
        found.values |= dict.fromkeys(node.output, made)
    is_multilabel = chain.activation == "sigmoid" and units > 1
    if found.classes is not None:
        count = 2 if units == 1 else units
        if is_multilabel:
            found.classes = None
        elif len(found.classes) != count:
            raise ValueError(
                f"{graph.source} has {len(found.classes)} names of classes, expected {count}"
            )
    return found


def _same(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    return given[0]


def _argmax(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    options = graph.attributes(index)
    found.kind = "half" if chain.pair else "largest"
    if (
        given[0].kind != "outputs"
        or given[0].columns is None
        or options.get("axis", 0) not in (1, -1)
        or options.get("select_last_index", 0)
    ):
        return None
    return Value("index", 1 if options.get("keepdims", 1) else None)


def _zip_map(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    options = graph.attributes(index)
    labels = options.get("classlabels_strings") or options.get("classlabels_int64s") or []
    _name(found, labels)
    return Value("label", None) if given[0].kind == "outputs" else None


def _at_half(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    node = graph.nodes[index]
    found.kind = "half"
    if node.op_type == "Binarizer":
        is_half = graph.attributes(index).get("threshold", 0.0) == 0.5
    else:
        threshold = graph.constant(node.input[1])
        is_half = threshold is not None and threshold.size == 1 and bool((threshold == 0.5).all())
    is_half = is_half and given[0].kind == "outputs"
    return Value("index", given[0].columns) if is_half else None


def _normalizer(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """Probabilities are divided by their sum, which is 1."""
    is_one = chain.activation == "softmax" and graph.attributes(index).get("norm") == b"L1"
    return given[0] if is_one and given[0].kind == "outputs" else None


def _gather(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """The name of a class by its index, or the second of two probabilities."""
    node = graph.nodes[index]
    names = graph.constant(node.input[0])
    axis = graph.attributes(index).get("axis", 0)
    if names is not None:
        if given[0].kind != "index" or (node.op_type == "Gather" and axis != 0):
            return None
        _name(found, names.reshape(-1).tolist())
        # An ArrayFeatureExtractor gives (1, n), which a Reshape follows.
        return Value("label", given[0].columns if node.op_type == "Gather" else None)
    column = graph.constant(node.input[1])
    is_second = column is not None and column.ndim == 0 and column == 1
    is_second = is_second and chain.pair and axis == 1 and given[0] == Value("outputs", 2)
    return Value("outputs", None) if is_second else None


def _label_encoder(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    options = graph.attributes(index)
    keys = options.get("keys_int64s")
    names = options.get("values_strings") or options.get("values_int64s")
    if keys is None or names is None or list(keys) != list(range(len(names))):
        return None
    _name(found, names)
    return Value("label", given[0].columns) if given[0].kind == "index" else None


def _complement(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """1 − p."""
    one = graph.constant(graph.nodes[index].input[0])
    is_one = chain.activation == "sigmoid" and one is not None and bool((one == 1).all())
    return given[0] if is_one and given[0].kind == "outputs" else None


def _concat(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """(1 − p, p)."""
    first, *rest = graph.nodes[index].input
    producer = graph.producer(first)
    if producer is None or graph.nodes[producer].op_type != "Sub" or len(rest) != 1:
        return None
    if (
        graph.nodes[producer].input[1] != rest[0]
        or graph.attributes(index).get("axis") not in (1, -1)
        or given[1].columns is None
    ):
        return None
    chain.pair = True
    return Value("outputs", 2 * given[1].columns)


def _cast(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """Outputs stay floats; indices and labels become what holds them all."""
    element = graph.element(graph.attributes(index)["to"])
    wide: tuple[Any, ...] = (np.float32, np.float64)
    if given[0].kind != "outputs":
        wide = (*wide, np.int32, np.int64, None)
    if element not in wide:
        shown = element or "text"
        graph.refuse(index, f"a conversion of the {_SHOWN[given[0].kind]} to {shown}")
    return given[0]


def _reshape(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """The same rows, and columns; one column may become none."""
    node, columns = graph.nodes[index], given[0].columns
    shape = graph.constant(node.input[1]) if len(node.input) > 1 else None
    sizes = [] if shape is None else shape.reshape(-1).tolist()
    if columns in (None, 1) and sizes in ([-1], [-1, 1]):
        return Value(given[0].kind, 1 if len(sizes) == 2 else None)
    if columns is not None and sizes in ([-1, columns], [0, columns], [0, -1]):
        return given[0]
    graph.refuse(index, f"a change of the {_SHOWN[given[0].kind]} to the shape {sizes}")


def _squeeze(
    graph: ReadGraph, index: int, found: Decision, chain: Chain, given: list[Value]
) -> Value | None:
    """One column becomes none."""
    node = graph.nodes[index]
    axes = graph.attributes(index).get("axes")
    if len(node.input) > 1:
        constant = graph.constant(node.input[1])
        axes = None if constant is None else constant.reshape(-1).tolist()
    if given[0].columns != 1 or axes not in ([1], [-1]):
        graph.refuse(
            index,
            f"a removal of the axes {axes} of the {_SHOWN[given[0].kind]}, expected that of a "
            "single column",
        )
    return Value(given[0].kind, None)


def _name(found: Decision, labels: Any) -> None:
    names = [each.decode() if isinstance(each, bytes) else str(each) for each in labels]
    if found.classes is None and names:
        found.classes = names


#: Values in messages.
_SHOWN = {"outputs": "outputs", "index": "indices of classes", "label": "labels"}
#: (graph, node, decision, chain, values that the node uses) ↦ what it makes, None: something else.
_CHECKS: dict[str, Callable[[ReadGraph, int, Decision, Chain, list[Value]], Value | None]] = {
    "Identity": _same,
    "Cast": _cast,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "ArgMax": _argmax,
    "ZipMap": _zip_map,
    "Binarizer": _at_half,
    "Greater": _at_half,
    "GreaterOrEqual": _at_half,
    "Normalizer": _normalizer,
    "Gather": _gather,
    "ArrayFeatureExtractor": _gather,
    "LabelEncoder": _label_encoder,
    "Sub": _complement,
    "Concat": _concat,
}
