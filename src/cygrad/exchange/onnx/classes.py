"""The end of a classifier's graph: what makes labels of probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.exchange.onnx.chain import Chain
    from cygrad.exchange.onnx.read_graph import ReadGraph

FIRST = ("ArgMax", "ZipMap", "Binarizer", "Normalizer", "GreaterOrEqual", "Greater", "Gather")


@dataclass
class Decision:
    """The operators after the outputs of a network: a decision and labels.

    Attributes
    ----------
    values : set of str
        Names of the outputs and of all that is made of them.
    classes : list of str or None
        Names of the classes.
    kind : {"largest", "half", "none"}
        As that of `cygrad.exchange.operations.Program`.
    """

    values: set[str]
    classes: list[str] | None = None
    kind: str = "none"


def begin(graph: ReadGraph, value: str, following: list[int]) -> bool:
    """Return whether nodes that use a value make labels of it."""
    for index in following:
        node = graph.nodes[index]
        if node.op_type in FIRST:
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
    found = Decision({value})
    for index, node in enumerate(graph.nodes):
        if index in graph.used or not found.values & set(node.input):
            continue
        if any(
            name and name not in found.values and graph.constant(name) is None
            for name in node.input
        ):
            graph.refuse(index, "no decision for a class")
        check = _CHECKS.get(node.op_type)
        if check is None or not check(graph, index, found, chain):
            graph.refuse(index, "no decision for a class by the largest output, or at 0.5")
        graph.used.add(index)
        found.values |= set(node.output)
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


def _any(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    return True


def _argmax(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    options = graph.attributes(index)
    found.kind = "half" if chain.pair else "largest"
    return options.get("axis", 0) in (1, -1) and not options.get("select_last_index", 0)


def _zip_map(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    options = graph.attributes(index)
    labels = options.get("classlabels_strings") or options.get("classlabels_int64s") or []
    _name(found, labels)
    return True


def _at_half(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    node = graph.nodes[index]
    found.kind = "half"
    if node.op_type == "Binarizer":
        return bool(graph.attributes(index).get("threshold", 0.0) == 0.5)
    threshold = graph.constant(node.input[1])
    return threshold is not None and threshold.size == 1 and bool((threshold == 0.5).all())


def _normalizer(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    """Probabilities are divided by their sum, which is 1."""
    return chain.activation == "softmax" and graph.attributes(index).get("norm") == b"L1"


def _gather(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    """The name of a class by its index, or the second of two probabilities."""
    node = graph.nodes[index]
    names = graph.constant(node.input[0])
    axis = graph.attributes(index).get("axis", 0)
    if names is not None:
        if node.op_type == "Gather" and axis != 0:
            return False
        _name(found, names.reshape(-1).tolist())
        return True
    column = graph.constant(node.input[1])
    return chain.pair and axis == 1 and column is not None and column.reshape(-1).tolist() == [1]


def _label_encoder(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    options = graph.attributes(index)
    keys = options.get("keys_int64s")
    names = options.get("values_strings") or options.get("values_int64s")
    if keys is None or names is None or list(keys) != list(range(len(names))):
        return False
    _name(found, names)
    return True


def _complement(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    """1 − p."""
    one = graph.constant(graph.nodes[index].input[0])
    return chain.activation == "sigmoid" and one is not None and bool((one == 1).all())


def _concat(graph: ReadGraph, index: int, found: Decision, chain: Chain) -> bool:
    """(1 − p, p)."""
    first, *rest = graph.nodes[index].input
    producer = graph.producer(first)
    if producer is None or graph.nodes[producer].op_type != "Sub" or len(rest) != 1:
        return False
    chain.pair = True
    return bool(graph.nodes[producer].input[1] == rest[0]) and (
        graph.attributes(index).get("axis") in (1, -1)
    )


def _name(found: Decision, labels: Any) -> None:
    names = [each.decode() if isinstance(each, bytes) else str(each) for each in labels]
    if found.classes is None and names:
        found.classes = names


_CHECKS = {
    "Identity": _any,
    "Cast": _any,
    "Reshape": _any,
    "Squeeze": _any,
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
