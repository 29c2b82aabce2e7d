"""Run Keras: import it, compute the samples of a self-test, and repeat the test of a file."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.exchange import self_test
from cygrad.exchange.exports import Export
from cygrad.exchange.keras.archive import EXTRA, KEY, Archive
from cygrad.exchange.keras.reading import from_keras
from cygrad.exchange.libraries import library
from cygrad.exchange.operations import program
from cygrad.exchange.self_test import Samples

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Program
    from cygrad.exchange.self_test import SelfTest
    from cygrad.network import Network

BACKENDS = ("tensorflow", "jax", "torch", "openvino")


def keras_library() -> Any:
    """Return the module keras, of version 3.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed, is an older one, or lacks its backend; the message says which.
    """
    try:
        keras = library("keras", EXTRA)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in BACKENDS:
            raise
        raise ModuleNotFoundError(
            f"keras needs its backend {error.name}, which is not installed: install it, or set "
            "KERAS_BACKEND to another one, as in KERAS_BACKEND=torch",
            name=error.name,
        ) from None
    if keras.__version__.startswith("2."):
        raise ModuleNotFoundError(
            f"keras is of version {keras.__version__}, expected 3: pip install 'cygrad[{EXTRA}]'",
            name="keras",
        )
    return keras


def samples(net: Network, made: Program) -> Samples:
    """Return the samples of the self-test of a network.

    Keras computes parts of models in float64 in float32, norms for example, and which depends on
    the backend (3.15): so what rounding in float32 explains is allowed.
    """
    return self_test.samples(net, replace(made, dtype=np.dtype(np.float32)))


def runtime() -> str:
    """Return name, version and backend."""
    keras = keras_library()
    return f"Keras {keras.__version__} ({keras.backend.backend()})"


def outputs(model: Any, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a model computes for samples, in the dtype of its inputs."""
    keras = keras_library()
    computed = model(X.astype(model.inputs[0].dtype), training=False)
    return np.asarray(keras.ops.convert_to_numpy(computed), np.float64)


def compare_object(net: Network, made: Program, model: Any) -> SelfTest:
    """Compute the samples of the self-test with a model, and compare."""
    stored = samples(net, made)
    return stored.compare(outputs(model, stored.inputs), runtime())


def verify(path: str | os.PathLike[str]) -> Export:
    """Repeat the self-test of a file: run it, and compare the outputs of its samples.

    Keras computes them; where it is not installed, the network that h5py reads.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed.
    ValueError
        If the file is none of `to_keras_file`, is damaged, or cannot be run.
    OSError
        If the file cannot be read.
    """
    source = repr(os.fspath(path))
    with open(path, "rb") as file:
        header = Archive(file, source).metadata().get(KEY)
    try:
        if not isinstance(header, dict):
            raise ValueError("it holds no samples, expected a file of cygrad")
        stored = Samples.from_json(json.dumps(header["self_test"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from error
    net = from_keras(path)  # it refuses custom classes, before Keras sees the file
    try:
        keras = keras_library()
    except ModuleNotFoundError:
        h5py = library("h5py", EXTRA)
        computed = self_test.outputs(net, program(net), stored.inputs)
        test = stored.compare(computed, f"h5py {h5py.__version__}")
        return Export(os.fspath(path), test, ())
    try:
        model = keras.saving.load_model(path, compile=False)
        computed = outputs(model, stored.inputs)
    except Exception as error:  # of Keras or its backend: of any class
        text = str(error).strip().partition("\n")[0]
        raise ValueError(f"{source}: {runtime()} cannot run it: {text}") from error
    return Export(os.fspath(path), stored.compare(computed, runtime()), ())
