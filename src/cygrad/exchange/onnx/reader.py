"""`from_onnx`: read a dense network from an ONNX model."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad.exchange.assembly import Assembly
from cygrad.exchange.libraries import library
from cygrad.exchange.onnx import classes as decisions
from cygrad.exchange.onnx import runtime
from cygrad.exchange.onnx.chain import Chain
from cygrad.exchange.onnx.read_graph import ReadGraph
from cygrad.network.losses import LOSSES, row_of

if TYPE_CHECKING:
    from cygrad.network import Network
    from cygrad.tables.encoder import Encoder

#: The oldest opset whose operators mean what they do today.
OLDEST = 7


def from_onnx(
    path_or_model: str | os.PathLike[str] | Any,
    *,
    dtype: Literal["float32", "float64"] | None = None,
    loss: str | None = None,
    classes: Iterable[str] | None = None,
    lossy: bool = False,
) -> Network:
    """Read a dense network from an ONNX model.

    It is a chain of Gemm, MatMul and Add, BatchNormalization, LayerNormalization, the activations
    that there are (also as others compose them), residual sums, Flatten, Identity and Dropout, with
    a Scaler or arithmetic with constants between them; and at the end what makes classes of
    probabilities in models of `to_onnx` and skl2onnx. Parameters are taken over bit by bit; float16
    and bfloat16 become float32. Of a model of `to_onnx` the network has the encoder again, with the
    names of the columns. Attributes are float32 in ONNX: they become the shortest decimal
    numbers that float32 rounds to them, 0.01 for a slope of 0.009999999776.

    Parameters
    ----------
    path_or_model : str, os.PathLike, or onnx.ModelProto
        Parameters outside of a file are read only from files beside it, or in folders beside it.
    dtype : {"float32", "float64"} or None
        None: float64 if a parameter is, else float32.
    loss : str or None
        None: that of a model of `to_onnx`; else that of the output activation, cross_entropy for
        softmax, binary_cross_entropy for sigmoid, poisson for exp, mse for all others. With
        "cross_entropy" a last layer without an activation gets softmax, and with
        "binary_cross_entropy" sigmoid. It must make the classes that the model makes.
    classes : iterable of str or None
        Names of the classes. None: those of the model, if it has any.
    lossy : bool
        Leave out outputs of hidden layers.

    Returns
    -------
    Network

    Raises
    ------
    ModuleNotFoundError
        If onnx is not installed.
    ValueError
        If the file is no ONNX model, or the graph has other operators; the message names the node.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "gelu"), cg.Dense(3, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> test = cg.exchange.to_onnx(net, "net.onnx")
    >>> bool((cg.exchange.from_onnx("net.onnx").parameters == net.parameters).all())
    True
    """
    onnx = library("onnx", runtime.EXTRA)
    if isinstance(path_or_model, onnx.ModelProto):
        source, model = "the ONNX model", path_or_model
    elif isinstance(path_or_model, str | os.PathLike):
        source, model = repr(os.fspath(path_or_model)), runtime.read(path_or_model)
    else:
        raise TypeError(
            f"path_or_model is {type(path_or_model).__name__}, expected a path or an "
            "onnx.ModelProto"
        )
    try:
        return _network(onnx, model, source, dtype, loss, classes, lossy)
    except (TypeError, ValueError, OverflowError, IndexError, KeyError) as error:
        if str(error).startswith(source):
            raise
        raise ValueError(f"{source}: {error}") from error


def _network(
    onnx: Any,
    model: Any,
    source: str,
    dtype: str | None,
    loss: str | None,
    classes: Iterable[str] | None,
    lossy: bool,
) -> Network:
    opset = max((each.version for each in model.opset_import if not each.domain), default=OLDEST)
    if opset < OLDEST:  # Dropout and BatchNormalization were in training mode without an attribute
        raise ValueError(f"{source} has opset {opset}, expected {OLDEST} or a later one")
    if model.functions:
        raise ValueError(f"{source} has functions of its own, expected operators of ONNX")
    described = runtime.header(model) if model.producer_name == runtime.KEY else None
    encoder = None
    if described is not None:
        encoder, model = _encoder(onnx, model, described, source)
    graph = ReadGraph(onnx, model, source)
    if len(graph.inputs) != 1:
        raise ValueError(f"{source} has {len(graph.inputs)} inputs, expected 1")
    chain = Chain(graph, is_ours=described is not None)
    entry = graph.inputs[0]
    assembly = Assembly(_inputs(graph, entry, chain), source)
    value = chain.follow(assembly, entry.name)
    names = decisions.read(graph, value, assembly.units, chain)
    for index in range(len(graph.nodes)):
        if index not in graph.used:
            graph.refuse(index, "not part of the network: expected a chain of layers")
    hidden = [name for name in graph.outputs if name not in names.values]
    if len(hidden) == len(graph.outputs) or (hidden and not lossy):
        raise ValueError(
            f"{source} has the output {hidden[0]!r} of a hidden layer, expected lossy=True to "
            "leave it out"
        )
    if loss is None and described is not None:
        loss = _loss(described)
    if classes is None:
        classes = names.classes
    elif encoder is not None and encoder.classes is not None:
        raise ValueError(f"{source} has the names {', '.join(encoder.classes)}; expected None")
    net = assembly.network(
        dtype or chain.dtype, loss=loss, classes=classes, standardization=chain.standardization
    )
    _check_decision(net, names.kind, source)
    if encoder is not None:
        net.encoder = encoder
    return net


def _encoder(
    onnx: Any, model: Any, described: dict[str, Any], source: str
) -> tuple[Encoder | None, Any]:
    """Return the encoder of a model of `to_onnx`, and the model without its operators."""
    values = described.get("encoder")
    if values is None:
        return None, model
    from cygrad.exchange.onnx.encoder import without_encoder
    from cygrad.tables.encoder import Encoder

    try:
        encoder = Encoder.from_config(values)
    except Exception as error:  # of any class, as the values are any
        raise ValueError(f"{source} has a damaged encoder in its metadata: {error}") from error
    stripped = without_encoder(onnx, model, encoder, _loss(described))
    if stripped is not None:
        return encoder, stripped
    warnings.warn(
        f"{source} has other operators than the encoder in its metadata: the network takes numbers "
        "in the order of the columns, and knows no names",
        stacklevel=4,
    )
    return None, model


def _loss(described: dict[str, Any]) -> str | None:
    """Return the name of the loss that the metadata have, if there is such a one."""
    name = described.get("loss")
    return name if isinstance(name, str) and name in LOSSES else None


def _check_decision(net: Network, kind: str, source: str) -> None:
    """Raise an error if the model makes other classes of its outputs than the loss does."""
    row = row_of(net.loss)
    if (kind == "largest" and not row.labels) or (kind == "half" and not row.decides_at_half):
        by, expected = {
            "largest": ("the largest output", "'cross_entropy' or 'hinge'"),
            "half": ("outputs above 0.5", "'binary_cross_entropy'"),
        }[kind]
        raise ValueError(
            f"{source} decides by {by}, which the loss {net.loss} does not; expected "
            f"loss={expected}, if that fits the outputs"
        )


def _inputs(graph: ReadGraph, entry: Any, chain: Chain) -> int:
    """Return the number of inputs: by the shape of the input, else by the first weights."""
    tensor = entry.type.tensor_type
    dimensions = tensor.shape.dim
    if tensor.HasField("shape") and len(dimensions) < 2:
        raise ValueError(
            f"{graph.source}: the input {entry.name!r} has {len(dimensions)} dimensions, expected "
            "(n, inputs)"
        )
    chain.dimensions = len(dimensions) if tensor.HasField("shape") else 2
    sizes = [each.dim_value for each in dimensions[1:]]
    if sizes and all(size > 0 for size in sizes):
        return int(np.prod(sizes, dtype=object))
    for index, node in enumerate(graph.nodes):
        if node.op_type in ("Gemm", "MatMul") and len(node.input) > 1:
            weights = graph.constant(node.input[1])
            if weights is not None and weights.ndim == 2:
                return int(weights.shape[bool(graph.attributes(index).get("transB", 0))])
    raise ValueError(f"{graph.source}: the shape of the input {entry.name!r} is not known")
