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

A file is replaced in one step (see `atomic_write`). Reading trusts nothing: every size is compared
with the size of the file before anything is allocated, and checksums are verified.
"""

from __future__ import annotations

import io
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from cygrad import __version__, checks
from cygrad.atomic_write import atomic_write
from cygrad.network.activations import FIRST_ACTIVATIONS
from cygrad.network.archive import stored_members
from cygrad.network.descriptions import FIRST_KEYS, flat_values
from cygrad.network.losses import FIRST_LOSSES

if TYPE_CHECKING:
    from zipfile import ZipInfo

    from numpy.typing import NDArray

FORMAT = "cygrad network"
VERSION = 5
PLAIN_BYTES = 16 << 20  # larger archives are read member by member, with less memory

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
    name = _check_path(path)
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
    text = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    little_endian = {
        array_name: array.astype(array.dtype.newbyteorder("<"), copy=False)
        for array_name, array in arrays.items()
    }
    with atomic_write(name) as file:
        np.savez(file, header=text, **little_endian)  # type: ignore[arg-type]


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
    name = _check_path(path)
    with open(name, "rb") as file:
        start = file.read(4)
        if start != b"PK\x03\x04":
            what = "is empty" if not start else "is not an .npz archive"
            raise ValueError(f"{name!r} {what}, expected a cygrad network")
        size = os.fstat(file.fileno()).st_size
        try:
            members = stored_members(start + file.read()) if size <= PLAIN_BYTES else None
            if members is not None and "header.npy" in members:
                return _contents(members.keys(), members.__getitem__, name)
            import zipfile  # says what is wrong, and takes longer to import than to read networks

            with zipfile.ZipFile(file) as archive:
                _check_members(archive.infolist(), name, size)
                return _contents(archive.namelist(), archive.read, name)
        except (OSError, MemoryError, UnsupportedFile):
            raise
        except Exception as error:
            # zipfile, json and NumPy's reader raise many kinds of errors for invalid bytes.
            raise damaged_error(path, error) from error


def damaged_error(path: str | os.PathLike[str], error: Exception) -> ValueError:
    """Return the error for a file that `error` shows to be damaged."""
    return ValueError(f"{os.fspath(path)!r} is damaged or cut short: {error}")


class UnsupportedFile(ValueError):
    """The file is intact but cannot be read by this version; the message is complete."""


def _check_members(members: Sequence[ZipInfo], name: str, size: int) -> None:
    """Check that an archive has a header, and members that are not larger than the file."""
    if "header.npy" not in {info.filename for info in members}:
        raise UnsupportedFile(
            f"{name!r} is an .npz archive without a header, expected a cygrad network"
        )
    # Uncompressed members cannot be larger than the file: this rules out zip bombs.
    if any(info.compress_type for info in members):
        raise UnsupportedFile(
            f"{name!r} is compressed, expected an archive as Network.save writes it"
        )
    total = sum(info.file_size for info in members)
    if total > size or min(info.header_offset for info in members) < 0:
        raise ValueError(f"{total} bytes of data in a file of {size}")


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
    shape, dtype, start = _npy_header(data)
    is_text = len(shape) == 1 and dtype == np.uint8
    header = json.loads(data[start:]) if is_text else None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UnsupportedFile(f"{name!r} has a header of another kind, expected a cygrad network")
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
    found_shape, found_dtype, start = _npy_header(data)
    if (found_shape, found_dtype) != (shape, dtype):
        raise ValueError(
            f"{name} is {found_dtype} of shape {found_shape}, expected {dtype} of shape {shape}"
        )
    if len(data) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} has {len(data) - start} bytes, too few or too many for its shape")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
    return checks.parameters(array, name, shape, array.dtype)


def _npy_header(data: bytes) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Return shape, dtype and start of the data of a C-ordered array in NumPy's format."""
    stream = io.BytesIO(data)
    version = npy.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"an array in NumPy's format {version}, expected (1, 0)")
    shape, fortran_order, dtype = npy.read_array_header_1_0(stream)
    if fortran_order:
        raise ValueError("an array in Fortran order, expected C order")
    return shape, dtype, stream.tell()


def _check_path(path: str | os.PathLike[str]) -> str:
    name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
    if not isinstance(name, str):
        raise TypeError(f"path is {path!r}, expected a str or an os.PathLike of one")
    return name
