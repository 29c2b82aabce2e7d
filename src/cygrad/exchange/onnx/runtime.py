"""Run ONNX models on the samples of their self-test."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.exchange.bounded_file import read_bounded
from cygrad.exchange.exports import Export
from cygrad.exchange.libraries import library
from cygrad.exchange.self_test import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.self_test import SelfTest

EXTRA = "onnx"
#: The key of the metadata; its value is JSON.
KEY = "cygrad"
PROBABILITIES = "probabilities"
#: Of a file, and of the parameters beside it: a file may name the same bytes again and again.
MAX_BYTES = 1 << 31


def read(path: str | os.PathLike[str]) -> Any:
    """Return the model in a file; parameters in other files are read only from beside it.

    Raises
    ------
    ModuleNotFoundError
        If onnx is not installed.
    ValueError
        If it is no model.
    OSError
        If the file cannot be read.
    """
    onnx = library("onnx", EXTRA)
    failure = library("google.protobuf.message", EXTRA).DecodeError
    source = os.fspath(path)
    data = read_bounded(path, MAX_BYTES, ", the limit of protobuf")
    try:
        model = onnx.load_model_from_string(data)
    except failure as error:
        raise ValueError(f"{source!r} is no ONNX file: {error}") from error
    if not model.graph.node:
        raise ValueError(f"{source!r} holds no graph, expected an ONNX model")
    folder = os.path.dirname(source) or "."
    _check_external(model, folder, source)
    try:
        onnx.external_data_helper.load_external_data_for_model(model, folder)
    except (ValueError, OSError, onnx.checker.ValidationError) as error:
        raise ValueError(f"{source!r}: {error}") from error
    return model


def _check_external(model: Any, folder: str, source: str) -> None:
    """Raise an error if the parameters beside a file are larger than the limit together."""
    total = 0
    if model.functions:
        raise ValueError(f"{source} has functions of its own, expected operators of ONNX")
    for tensor in _tensors(model.graph):
        values = {each.key: each.value for each in tensor.external_data}
        if not values:
            continue
        place = os.path.join(folder, values.get("location", ""))
        length = values.get("length", "")
        total += int(length) if length.isdecimal() else _size(place)
    if total > MAX_BYTES:
        raise ValueError(f"{source!r} has more than {MAX_BYTES:,} bytes of parameters beside it")


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield all tensors of a graph, those of attributes and of graphs in it too."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _tensors(inner)


def _size(path: str) -> int:
    """Return the size of a file, 0 if there is none: onnx has an error for that."""
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):
        return 0


def header(model: Any) -> dict[str, Any] | None:
    """Return what `to_onnx` writes into the metadata, or None in other models."""
    for each in model.metadata_props:
        if each.key == KEY:
            try:
                values = json.loads(each.value)
            except RecursionError as error:
                raise ValueError(f"the metadata {KEY!r} of the model are nested") from error
            if not isinstance(values, dict):
                raise ValueError(f"the metadata {KEY!r} of the model are no object")
            return values
    return None


def verify(path: str | os.PathLike[str]) -> Export:
    """Repeat the self-test of a file: run it, and compare the outputs of its samples.

    ONNX Runtime computes them; where it is not installed, the reference evaluator of onnx.

    Raises
    ------
    ModuleNotFoundError
        If onnx is not installed.
    ValueError
        If the file is none of `to_onnx`, is damaged, or cannot be run.
    OSError
        If the file cannot be read.
    """
    model = read(path)
    source = os.fspath(path)
    try:
        described = header(model)
        if described is None:
            raise ValueError("it holds no samples, expected a file of cygrad")
        samples = Samples.from_json(json.dumps(described["self_test"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source!r}: {error}") from error
    return Export(source, compare(model, samples), ())


def compare(model: Any, samples: Samples) -> SelfTest:
    """Run a model on samples, and compare the outputs."""
    onnx = library("onnx", EXTRA)
    if len(model.graph.input) != 1:
        raise ValueError(f"the model has {len(model.graph.input)} inputs, expected 1")
    entry = model.graph.input[0]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(entry.type.tensor_type.elem_type)
    names = [each.name for each in model.graph.output]
    # Explicit about the order of bytes: the runtime takes all numbers for little-endian.
    X = samples.inputs.astype(dtype.newbyteorder("="))
    runtime, outputs = run(model, X)
    computed = dict(zip(names, outputs, strict=True))
    last = np.asarray(computed.get(PROBABILITIES, outputs[-1]), np.float64)
    if PROBABILITIES in computed and last.shape[1] == 2 and samples.outputs.shape[1] == 1:
        last = last[:, 1:]
    return samples.compare(last, runtime)


def run(model: Any, X: NDArray[Any]) -> tuple[str, list[NDArray[Any]]]:
    """Return name and version of the runtime, and the outputs of a model with one input."""
    onnx = library("onnx", EXTRA)
    (entry,) = model.graph.input
    try:
        onnxruntime = library("onnxruntime", EXTRA)
    except ModuleNotFoundError:
        known = _with_known_statistics(model)
        evaluator = library("onnx.reference", EXTRA).ReferenceEvaluator(known)
        return f"onnx {onnx.__version__}", evaluator.run(None, {entry.name: X})
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        outputs = session.run(None, {entry.name: X})
    except Exception as error:  # it has a class of its own for each kind
        raise ValueError(
            f"ONNX Runtime {onnxruntime.__version__} cannot run it: {error}"
        ) from error
    return f"onnxruntime {onnxruntime.__version__}", outputs


def _with_known_statistics(model: Any) -> Any:
    """Return a copy of a model whose batch norms have momentum 1, which is for training alone.

    Of opsets 9 to 13, onnx's evaluator (1.23.2) adds 1 − momentum times the mean and the variance
    of the rows at hand to the stored ones.
    """
    onnx = library("onnx", EXTRA)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for node in copy.graph.node:
        if node.op_type == "BatchNormalization":
            others = [each for each in node.attribute if each.name != "momentum"]
            del node.attribute[:]
            node.attribute.extend([*others, onnx.helper.make_attribute("momentum", 1.0)])
    return copy
