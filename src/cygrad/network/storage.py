"""Networks in files: one `.npz` archive that holds numbers and JSON, never code.

The archive is not compressed, as `numpy.savez` writes it; `numpy.load` can read it:

- ``header``: UTF-8 bytes of a JSON text, with "format" ("cygrad network"), "version" (of the
  format, an integer), "cygrad" (the version that wrote it), "standardized" (true if the file has
  mean and scale), and the description of the network: "inputs", "layers", "loss", "reduction",
  "dtype" and "classes"; version 2 has layers that are not dense, and more activations and losses;
  version 3 has "encoder", what `cygrad.tables.Encoder.config` returns; version 4 has scaling
  layers, and norms with a learning rate of their own; "reading", if it is there, is
  `Network.reading`, which older versions pass over; version 5 is an ensemble: in the place of a
  description it has "members", the description of each network, with its "standardized";
- ``weights_0``, ``biases_0``, ``weights_1``, …: the parameters of each layer, W of shape
  (units, inputs) and b of shape (units,) in the network's dtype; no b for a layer without
  biases, and γ of shape (units,) as the weights of a scaling layer;
- ``running_mean_1``, ``running_variance_1``, …: the statistics of each batch norm, (units,), whose
  γ and β are its weights and biases, (units,);
- ``input_mean``, ``input_scale``: float64 of shape (inputs,), if inputs are standardised;
- of an ensemble all these for each member, as ``member_0_weights_0``.

A file is replaced in one step (see `atomic_write`). Reading trusts nothing, see `archive`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import __version__, checks
from cygrad.atomic_write import atomic_write
from cygrad.network import archive
from cygrad.network.activations import FIRST_ACTIVATIONS
from cygrad.network.archive import UnsupportedFile, damaged_error
from cygrad.network.descriptions import FIRST_KEYS, flat_values
from cygrad.network.losses import FIRST_LOSSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["UnsupportedFile", "damaged_error", "read", "save"]

FORMAT = "cygrad network"
VERSION = 5

# The arrays of norms and scaling, each of shape (units,).
_UNIT_ARRAYS = {
    "batch_norm": ("weights", "biases", "running_mean", "running_variance"),
    "layer_norm": ("weights", "biases"),
    "scaling": ("weights",),
}


def save(
    path: str | os.PathLike[str], config: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> None:
    """Write the configuration and the arrays of a network; see `Network.save`."""
    name = archive.path_name(path)
    for array_name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{array_name} of the network holds NaN or infinity, expected finite numbers"
            )
    header = {
        "format": FORMAT,
        "version": version(config),
        "cygrad": __version__,
        **(config if "members" in config else described(config, arrays)),
    }
    with atomic_write(name) as file:
        archive.write(file, header, arrays)


def described(config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the configuration of a network with what a header says of its arrays."""
    return {"standardized": "input_mean" in arrays, **config}


def member_name(index: int, name: str) -> str:
    """Return the name of an array of a member of an ensemble."""
    return f"member_{index}_{name}"


def member_arrays(index: int, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a member by their own names."""
    prefix = member_name(index, "")
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def version(config: dict[str, Any]) -> int:
    """Return the first version of the format that has all of a configuration.

    Version 2 has more kinds of layers, and more activations and losses, some with parameters, as
    {"name": …, "slope": …}; and layers with a learning rate of their own. Version 3 has encoders,
    version 4 scaling layers and norms with a learning rate of their own, version 5 ensembles.
    """
    if "members" in config:
        return 5
    if any(
        each.get("kind") == "scaling" or ("kind" in each and "learning_rate_factor" in each)
        for each in flat_values(config["layers"])
    ):
        return 4
    if "encoder" in config:
        return 3
    has_first_layers = all(
        each.keys() == FIRST_KEYS and each["activation"] in FIRST_ACTIVATIONS
        for each in config["layers"]
    )
    return 1 if has_first_layers and config["loss"] in FIRST_LOSSES else 2


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the configuration and the arrays of a network; see `cygrad.load`."""
    name = archive.path_name(path)
    return archive.read(path, FORMAT, lambda names, read: _contents(names, read, name))


def _contents(
    members: Iterable[str], read_member: Callable[[str], bytes], name: str
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return header and arrays, checked, of the members of an archive."""
    names = set(members)
    header = _header(read_member("header.npy"), name)
    described = shapes(header)
    if names != {"header.npy", *(f"{array}.npy" for array in described)}:
        raise ValueError(f"it holds {sorted(names)}, and the header describes {sorted(described)}")
    arrays = {
        array: _array(read_member(f"{array}.npy"), array, shape, dtype)
        for array, (shape, dtype) in described.items()
    }
    return header, arrays


def _header(data: bytes, name: str) -> dict[str, Any]:
    """Parse a header and check that this version can read its format."""
    header = archive.read_header(data, name, FORMAT)
    check_version(header, name)
    return header


def check_version(header: dict[str, Any], name: str) -> None:
    """Raise a ValueError if a newer version of the package has written the file `name`."""
    version = checks.whole_number(header["version"], "version")
    if version > VERSION:
        raise UnsupportedFile(
            f"{name!r} has format {version}, written by cygrad {header.get('cygrad')}; "
            f"cygrad {__version__} reads formats up to {VERSION}: a newer cygrad is needed"
        )


def shapes(header: dict[str, Any]) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and dtype of each array that the header describes."""
    if "members" in header:
        if not isinstance(header["members"], list) or not header["members"]:
            raise ValueError("members is no list of networks")
        return {
            member_name(index, name): described
            for index, member in enumerate(header["members"])
            for name, described in _network_shapes(member).items()
        }
    return _network_shapes(header)


def _network_shapes(
    header: dict[str, Any],
) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    dtype = np.dtype(checks.one_of(header["dtype"], "dtype", checks.DTYPES)).newbyteorder("<")
    inputs = checks.whole_number(header["inputs"], "inputs")
    found: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    below = inputs
    for index, layer in enumerate(flat_values(header["layers"])):
        if layer.get("kind", "dense") != "dense":
            names = _UNIT_ARRAYS.get(layer["kind"], ())
            found |= {f"{name}_{index}": ((below,), dtype) for name in names}
            continue
        units = checks.whole_number(layer["units"], "units")
        found[f"weights_{index}"] = (units, below), dtype
        if checks.flag(layer["use_bias"], "use_bias"):
            found[f"biases_{index}"] = (units,), dtype
        below = units
    if checks.flag(header["standardized"], "standardized"):
        found["input_mean"] = found["input_scale"] = (inputs,), np.dtype("<f8")
    return found


def _array(data: bytes, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the array in a member, after checking it against the header."""
    found_shape, found_dtype, start = archive.npy_header(data)
    if (found_shape, found_dtype) != (shape, dtype):
        raise ValueError(
            f"{name} is {found_dtype} of shape {found_shape}, expected {dtype} of shape {shape}"
        )
    array = archive.read_array(data, name, shape, dtype, start)
    return checks.parameters(array, name, shape, array.dtype)
