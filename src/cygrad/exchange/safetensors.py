"""Networks as safetensors files: parameters by PyTorch's names, the rest in the metadata.

Needs the library safetensors (``pip install 'cygrad[safetensors]'``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import __version__
from cygrad.atomic_write import atomic_write
from cygrad.exchange import self_test, state
from cygrad.exchange.exports import Export
from cygrad.exchange.libraries import library
from cygrad.exchange.operations import program
from cygrad.network import Network, storage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network.activations import ChosenActivation

    Activation = str | ChosenActivation

#: The only key of the metadata: the library writes several in another order each time.
KEY = "cygrad"
EXTRA = "safetensors"


def to_safetensors(net: Network, path: str | os.PathLike[str]) -> Export:
    """Write a network as a safetensors file.

    The tensors have the names of a PyTorch module whose ``layers`` are `Network.layers`:
    ``layers.0.weight`` of shape (units, inputs), ``layers.0.bias``, …, norms with ``running_mean``
    and ``running_var``. The metadata hold the rest as JSON, encoder and standardisation included,
    so that `from_safetensors` returns the same network, and samples with their outputs.

    Parameters
    ----------
    net : Network
    path : str or os.PathLike

    Returns
    -------
    Export
        The self-test is that of the network that is read back from the file.

    Raises
    ------
    ModuleNotFoundError
        If safetensors is not installed.
    ValueError
        If a parameter is NaN or infinite.
    OSError
        If the file cannot be written. Then an old file is still intact.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    >>> export = cg.exchange.to_safetensors(net, "net.safetensors")
    >>> export.test.difference
    0.0
    """
    numpy = library("safetensors.numpy", EXTRA)
    samples = self_test.samples(net, program(net, lossy=True))
    arrays = net.arrays()
    described = {
        "format": storage.FORMAT,
        "version": storage.version(net.config()),
        "cygrad": __version__,
        "standardized": net.input_mean is not None,
        **net.config(),
    }
    header = {
        "network": described,
        "standardization": [
            arrays[name].tolist() for name in ("input_mean", "input_scale") if name in arrays
        ],
        "self_test": json.loads(samples.to_json()),
    }
    tensors = state.to_state(net)
    data = numpy.save(tensors, {KEY: json.dumps(header, allow_nan=False)})
    with atomic_write(path) as file:
        file.write(data)
    return verify(path)


def from_safetensors(
    path: str | os.PathLike[str],
    *,
    activations: Activation | Sequence[Activation] | None = None,
    order: Sequence[str] | None = None,
    eps: float | None = None,
    norm: Literal["layer_norm"] | None = None,
    dtype: Literal["float32", "float64"] | None = None,
    loss: str | None = None,
    classes: Iterable[str] | None = None,
) -> Network:
    """Read a network from a safetensors file.

    A file of `to_safetensors` holds all; arguments other than `dtype` are errors then. In others,
    such as a saved state dict of PyTorch, names and shapes tell the dense layers and norms; the
    arguments tell the rest.

    Parameters
    ----------
    path : str or os.PathLike
    activations : str, ChosenActivation, sequence of them, or None
        One for each dense layer, applied after the norm that follows it if there is one; a single
        one is that of the hidden layers, and the last layer has none.
    order : sequence of str or None
        Names of the layers in their order, as in ``["hidden", "head"]``. None: by the numbers in
        the names.
    eps : float or None
        ε of the norms; None: 1e-5.
    norm : {"layer_norm"} or None
        what a weight and a bias of shape (units,) without running statistics are:
        "layer_norm" takes them for a layer norm. None: an error, because GroupNorm and InstanceNorm
        have the same, unless the name tells it (``ln``, ``layer_norm``).
    dtype : {"float32", "float64"} or None
        None: float64 if a parameter is, else float32 (float16 and bfloat16 too).
    loss : str or None
        None: that of the output activation, cross_entropy for softmax, binary_cross_entropy for
        sigmoid, poisson for exp, mse for all others. With "cross_entropy" a last
        layer without an activation gets softmax, and with "binary_cross_entropy" sigmoid.
    classes : iterable of str or None
        Names of the classes.

    Returns
    -------
    Network

    Raises
    ------
    ModuleNotFoundError
        If safetensors is not installed.
    ValueError
        If the file is none, is damaged, holds other layers, or leaves something open.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    >>> export = cg.exchange.to_safetensors(net, "net.safetensors")
    >>> bool((cg.exchange.from_safetensors("net.safetensors").parameters == net.parameters).all())
    True
    """
    tensors, header = _read(path)
    told: dict[str, Any] = {"activations": activations, "order": order, "eps": eps}
    told |= {"norm": norm, "loss": loss, "classes": classes}
    source = repr(os.fspath(path))
    if header is not None:
        for name, value in told.items():
            if value is not None:
                raise ValueError(
                    f"{name} is for files of other programs, expected None: {source} holds all"
                )
        net = _restored(path, tensors, header)
        return net if dtype is None else net.as_dtype(dtype)
    widened = {name: _widened(array, name, source) for name, array in tensors.items()}
    return state.from_state(widened, source, dtype=dtype, **told)


def verify(path: str | os.PathLike[str]) -> Export:
    """Repeat the self-test of a file: read it, and compare the outputs of its samples."""
    tensors, header = _read(path)
    if header is None:
        raise ValueError(f"{os.fspath(path)!r} holds no samples, expected a file of cygrad")
    net = _restored(path, tensors, header)
    try:
        samples = self_test.Samples.from_json(json.dumps(header["self_test"]))
    except (KeyError, TypeError, ValueError) as error:
        raise storage.damaged_error(path, error) from error
    made = program(net, lossy=True)
    runtime = f"safetensors {library('safetensors', EXTRA).__version__}"
    test = samples.compare(self_test.outputs(net, made, samples.inputs), runtime)
    return Export(os.fspath(path), test, ())


def _read(
    path: str | os.PathLike[str],
) -> tuple[dict[str, NDArray[Any]], dict[str, Any] | None]:
    """Return the tensors, and the header of a file of cygrad."""
    safe_open = library("safetensors", EXTRA).safe_open
    failure: type[Exception] = library("safetensors", EXTRA).SafetensorError
    with open(path, "rb"):  # its own error for a missing file has no name
        pass
    try:
        with safe_open(os.fspath(path), framework="np") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(metadata[KEY]) if KEY in metadata else None
    except failure as error:
        raise ValueError(f"{os.fspath(path)!r} is no safetensors file: {error}") from error
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        raise storage.damaged_error(path, error) from error
    return tensors, header


def _restored(
    path: str | os.PathLike[str], tensors: Mapping[str, NDArray[Any]], header: dict[str, Any]
) -> Network:
    """Return the network of a file of `to_safetensors`, after a check of all shapes."""
    try:
        config = header["network"]
        storage.check_version(config, os.fspath(path))
        arrays = {}
        for name, (shape, dtype) in storage.shapes(config).items():
            stored = state.state_name(name)
            if stored is None:
                moment = header["standardization"][name == "input_scale"]
                array = np.array(moment, np.float64)
            else:
                array = tensors[stored]
            if array.shape != shape or array.dtype != dtype.newbyteorder("="):
                raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
            arrays[name] = array
        net = Network.restore(config, arrays)
    except (MemoryError, storage.UnsupportedFile):
        raise
    except Exception as error:
        raise storage.damaged_error(path, error) from error
    return net


def _widened(array: NDArray[Any], name: str, source: str) -> NDArray[Any]:
    """Return an array in float32 or float64."""
    if array.dtype in (np.float32, np.float64):
        return array
    if name.endswith(state.COUNT):
        return array
    if array.dtype == np.float16 or array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    raise ValueError(f"{source}: {name} is {array.dtype}, expected floating-point numbers")
