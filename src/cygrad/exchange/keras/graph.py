"""The layers of a Keras model in the order of the computation, from its configuration alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cygrad import checks
from cygrad.exchange.keras.archive import MODELS, Path, is_function, name_of

#: The packages of Keras: the second one is Keras 2 for newer TensorFlow.
KERAS = ("keras", "tf_keras")


@dataclass(eq=False)
class Node:
    """A layer, or a function of keras.ops.

    Attributes
    ----------
    path : tuple of str
        Its name, after those of the models that hold it.
    kind : str
        The class.
    config : mapping
    inputs : tuple of int
        The nodes whose outputs it takes.
    trainable : bool
        False if it or a model that holds it is frozen.
    is_function : bool
    """

    path: Path
    kind: str
    config: Mapping[str, Any]
    inputs: tuple[int, ...]
    trainable: bool
    is_function: bool

    @property
    def shown(self) -> str:
        """The name and the class, for messages."""
        return f"layer {'/'.join(self.path)!r} ({self.kind})"


@dataclass(eq=False)
class Chain:
    """Layers one after the other; a residual sum adds the result of a chain to its input.

    Attributes
    ----------
    items : list of Node or (Chain, Node)
        The node of a chain in it is the one that adds.
    """

    items: list[Node | tuple[Chain, Node]] = field(default_factory=list)

    def nodes(self) -> Iterator[Node]:
        """Yield all nodes in their order."""
        waiting = [iter(self.items)]
        while waiting:
            for each in waiting[-1]:
                if isinstance(each, tuple):
                    waiting.append(iter([*each[0].items, each[1]]))
                    break
                yield each
            else:
                waiting.pop()


class Graph:
    """The nodes of a model, the models in it included.

    Parameters
    ----------
    config : mapping
        As ``model.to_json()`` and ``config.json`` have it.

    Raises
    ------
    ValueError
        If a layer is none of Keras, is used twice or depends on itself, or the model has several
        inputs or outputs; the message names it.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        #: In an order in which each comes after its inputs.
        self.nodes: list[Node] = []
        #: Shape of the samples, None if the model has no InputLayer.
        self.shape: tuple[int, ...] | None = None
        #: True if Keras 2 has written it.
        self.is_old = str(config.get("keras_version") or "3").startswith(("1.", "2."))
        self._output = self._model(config, (), -1, True)

    def chain(self) -> Chain:
        """Return the layers from the input to the output.

        Raises
        ------
        ValueError
            If they are more than a chain with residual sums.
        """
        # From the output to the input. The later input of a sum depends on the earlier one, or the
        # earlier one never comes.
        path: list[Node | Chain] = []  # a chain where a block begins
        sums: list[tuple[int, Chain, Node]] = []  # that wait for the beginning of their block
        blocks: dict[int, Chain] = {}  # by id of the node that adds
        index = self._output
        while True:
            while sums and sums[-1][0] == index:
                path.append(sums.pop()[1])
            if index < 0 or (sums and sums[-1][0] > index):
                break
            node = self.nodes[index]
            path.append(node)
            if len(node.inputs) == 2:
                if node.kind != "Add":
                    raise ValueError(f"{node.shown}: it has 2 inputs, expected 1, or Add for a sum")
                source, index = sorted(node.inputs)
                blocks[id(node)] = Chain()
                sums.append((source, blocks[id(node)], node))
            else:
                index = node.inputs[0]
        if sums:
            raise ValueError(f"{sums[-1][2].shown}: it is no residual sum x + f(x) of one chain")
        open_: list[Chain] = [Chain()]
        for each in reversed(path):
            if isinstance(each, Chain):
                open_.append(each)
            elif id(each) in blocks:
                block = open_.pop()
                if not block.items:
                    raise ValueError(f"{each.shown}: it adds a value to itself")
                open_[-1].items.append((block, each))
            else:
                open_[-1].items.append(each)
        return open_[0]

    def _model(self, config: Mapping[str, Any], path: Path, entry: int, trainable: bool) -> int:
        """Add the nodes of a model whose input is the node `entry`; return its output."""
        kind, described = config.get("class_name"), config.get("config")
        shown = f"the model {name_of(config)!r}"
        if kind not in MODELS or not _is_of_keras(config):
            raise ValueError(
                f"{shown} is of the class {kind}, expected a Sequential or Functional model: "
                "others can compute anything"
            )
        if isinstance(described, list):  # Sequential of Keras up to 2.2
            described = {"layers": described}
        if not isinstance(described, Mapping):
            raise ValueError(f"{shown} has no configuration")
        layers = described.get("layers")
        if not isinstance(layers, list) or not all(isinstance(each, Mapping) for each in layers):
            raise ValueError(f"{shown} has no list of layers")
        trainable = trainable and described.get("trainable", True) is not False
        if kind == "Sequential":
            if not path:
                self._read_shape(layers, config, shown)
            for layer in layers:
                entry = self._layer(layer, path, (entry,), trainable)
            return entry
        return self._functional(described, layers, path, entry, trainable, shown)

    def _functional(
        self,
        described: Mapping[str, Any],
        layers: Sequence[Mapping[str, Any]],
        path: Path,
        entry: int,
        trainable: bool,
        shown: str,
    ) -> int:
        first, last = (
            _single(described.get(name), f"{shown}: {name}")
            for name in ("input_layers", "output_layers")
        )
        if not path:
            self._read_shape(layers, {}, shown)
        ends: dict[str, int] = {}  # the node that computes the output of a layer
        for layer in layers:
            name = name_of(layer)
            inbound = layer.get("inbound_nodes")
            if layer.get("class_name") == "InputLayer":
                if name != first or inbound:
                    raise ValueError(f"{shown} has the input {name!r}, expected {first!r} only")
                ends[name] = entry
                continue
            shown_layer = f"layer {'/'.join((*path, name))!r} ({layer.get('class_name')})"
            if not isinstance(inbound, list) or len(inbound) != 1:
                times = len(inbound) if isinstance(inbound, list) else 0
                raise ValueError(f"{shown_layer}: it is used {times} times, expected once")
            sources = _sources(inbound[0], shown_layer)
            for source in sources:
                if source not in ends:
                    raise ValueError(f"{shown_layer}: {source!r} does not come before it")
            if name in ends:
                raise ValueError(f"{shown} has two layers {name!r}")
            ends[name] = self._layer(
                layer, path, tuple(ends[source] for source in sources), trainable
            )
        if last not in ends:
            raise ValueError(f"{shown} has no layer {last!r}, which is its output")
        return ends[last]

    def _layer(
        self, layer: Mapping[str, Any], path: Path, inputs: tuple[int, ...], trainable: bool
    ) -> int:
        """Add the node of a layer, or those of a model; return the node of its output."""
        kind, name, config = str(layer.get("class_name")), name_of(layer), layer.get("config")
        inner = (*path, name)
        shown = f"layer {'/'.join(inner)!r} ({kind})"
        if kind in MODELS and _is_of_keras(layer):
            if len(inputs) != 1:
                raise ValueError(f"{shown}: it has {len(inputs)} inputs, expected 1")
            return self._model(layer, inner, inputs[0], trainable)
        if not _is_of_keras(layer):
            registered = layer.get("registered_name") or f"{layer.get('module')}.{kind}"
            raise ValueError(
                f"{shown}: it is the custom class {registered}, which could compute anything; "
                "expected a layer of Keras"
            )
        if not isinstance(config, Mapping):
            raise ValueError(f"{shown}: it has no configuration")
        if kind == "InputLayer":
            return inputs[0]
        trained = trainable and config.get("trainable", True) is not False
        self.nodes.append(Node(inner, kind, config, inputs, trained, is_function(layer)))
        return len(self.nodes) - 1

    def _read_shape(
        self, layers: Sequence[Mapping[str, Any]], model: Mapping[str, Any], shown: str
    ) -> None:
        """Find the shape of the samples in the first layer, or in how the model was built."""
        described = model.get("config")
        places: list[Any] = []
        for layer in layers[:1] if model else layers:
            config = layer.get("config")
            if isinstance(config, Mapping) and (model or layer.get("class_name") == "InputLayer"):
                places += [config.get("batch_shape"), config.get("batch_input_shape")]
                self.is_old |= "batch_input_shape" in config
                if str(config.get("dtype")) == "string" or config.get("sparse"):
                    raise ValueError(f"{shown} takes text or sparse rows, expected numbers")
        for place in (model.get("build_config"), described):
            if isinstance(place, Mapping):
                places += [place.get("input_shape"), place.get("build_input_shape")]
        for shape in places:
            if isinstance(shape, list) and len(shape) > 1:
                self.shape = tuple(
                    checks.whole_number(size, f"{shown}: shape") for size in shape[1:]
                )
                return


def _is_of_keras(layer: Mapping[str, Any]) -> bool:
    """Return whether a class is one of Keras itself, by its module and registered name."""
    kind, registered = layer.get("class_name"), layer.get("registered_name")
    module = layer.get("module")
    if registered not in (None, kind):
        return False
    # Older files of whole models have neither.
    return module is None or str(module).split(".")[0] in KERAS


def _single(value: Any, what: str) -> str:
    """Return the name of the only input or output: [name, 0, 0], perhaps in another list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
        if value[2] != 0:
            raise ValueError(f"{what} is {value}, expected the output 0")
        return value[0]
    count = len(value) if isinstance(value, list | dict) else 0
    raise ValueError(f"{what} names {count} layers, expected 1")


def _sources(inbound: Any, shown: str) -> list[str]:
    """Return the names of the layers whose outputs a layer takes."""
    if isinstance(inbound, list):  # Keras 2: [[name, node, output, arguments], …]
        if inbound and isinstance(inbound[0], str):
            inbound = [inbound]
        entries: list[Any] = []
        for each in inbound:
            if not isinstance(each, list) or len(each) not in (3, 4):
                raise ValueError(f"{shown}: it takes {each!r}, expected an output of a layer")
            _check_arguments(each[3] if len(each) == 4 else {}, shown)
            entries.append(each[:3])
    elif isinstance(inbound, Mapping):
        arguments = inbound.get("args")
        if not isinstance(arguments, list):
            raise ValueError(f"{shown}: it has no arguments")
        if len(arguments) == 1 and isinstance(arguments[0], list):
            arguments = arguments[0]
        entries = [_history(each, shown) for each in arguments]
        _check_arguments(inbound.get("kwargs") or {}, shown)
    else:
        raise ValueError(f"{shown}: it takes {inbound!r}, expected an output of a layer")
    for name, _, number in entries:  # the node, of a layer that is used once
        if number != 0 or not isinstance(name, str):
            raise ValueError(f"{shown}: it takes the output {number} of {name!r}, expected 0")
    if not 1 <= len(entries) <= 2:
        raise ValueError(f"{shown}: it has {len(entries)} inputs, expected 1, or 2 of a sum")
    return [name for name, *_ in entries]


def _history(value: Any, shown: str) -> list[Any]:
    """Return name, node and output of an argument of a layer."""
    config = value.get("config") if isinstance(value, Mapping) else None
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    if not isinstance(history, list) or len(history) != 3:
        raise ValueError(f"{shown}: it takes {str(value)[:80]}, expected an output of a layer")
    return history


def _check_arguments(arguments: Any, shown: str) -> None:
    """Raise an error for arguments that change what a layer computes: training=True, masks."""
    given = arguments if isinstance(arguments, Mapping) else {"arguments": arguments}
    for name, value in given.items():
        if value not in (None, False):
            raise ValueError(f"{shown}: it is called with {name}={str(value)[:80]}, expected none")
