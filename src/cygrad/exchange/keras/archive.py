"""Read the files of Keras with h5py alone: ``.keras`` archives, weights and whole models in HDF5.

A ``.keras`` file is a zip archive of ``config.json``, ``model.weights.h5`` and ``metadata.json``.
The groups of the HDF5 file are numbered by class. Keras 3.6 and later give them the name of the
layer as an attribute, by which the configuration finds the arrays. Nothing in a file is trusted:
an array is read only if the configuration asks for its shape, and its bytes are all in the file.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np

from cygrad.exchange.libraries import library

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "keras"
CONFIG, WEIGHTS, METADATA = "config.json", "model.weights.h5", "metadata.json"
#: The key of the metadata for what is not of Keras.
KEY = "cygrad"
#: Of the members that are text.
MAX_TEXT = 1 << 26
#: A compressed member is at most this many times as large as its bytes in the file.
MAX_EXPANSION = 100

#: The names of a layer in the models that hold it, from the outside to the inside.
Path = tuple[str, ...]


class Weights(Protocol):
    """Arrays of layers.

    Attributes
    ----------
    size : int or None
        Bytes of the file; None for a model in memory.
    """

    size: int | None

    def arrays(self, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[NDArray[Any]]:
        """Return the arrays of a layer, in the order of `shapes`, whose keys are Keras' names.

        Raises
        ------
        ValueError
            If they are missing, or have other shapes.
        """


@contextmanager
def opened(file: BinaryIO, source: str) -> Iterator[Any]:
    """Open an HDF5 file; errors of the library become a ValueError."""
    h5py = library("h5py", EXTRA)
    try:
        with h5py.File(file, "r") as root:
            yield root
    except RecursionError:
        raise
    except (OSError, KeyError, TypeError, OverflowError, RuntimeError) as error:
        # of the library, for invalid bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise
        text = str(error).strip("'\"")
        raise ValueError(f"{source} is no HDF5 file, or damaged: {text}") from error


class Archive:
    """The members of a ``.keras`` file.

    Parameters
    ----------
    file : file of bytes
    source : str
        Its name, for messages.

    Raises
    ------
    ValueError
        If it is no zip archive.
    """

    def __init__(self, file: BinaryIO, source: str) -> None:
        self._source = source
        try:
            self._archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise ValueError(f"{source} is no .keras file, or cut short: {error}") from error

    def config(self) -> dict[str, Any]:
        """Return the configuration of the model."""
        return as_object(self._text(CONFIG), f"{self._source}: {CONFIG}")

    def metadata(self) -> dict[str, Any]:
        """Return the metadata, empty if there are none."""
        if METADATA not in self._archive.namelist():
            return {}
        return as_object(self._text(METADATA), f"{self._source}: {METADATA}")

    def weights(self) -> io.BytesIO:
        """Return the HDF5 file."""
        return io.BytesIO(self._read(WEIGHTS))

    def _text(self, name: str) -> str:
        size = self._member(name).file_size
        if size > MAX_TEXT:
            raise ValueError(f"{self._source}: {name} has {size:,} bytes, more than {MAX_TEXT:,}")
        return self._read(name).decode("utf-8", "replace")

    def _read(self, name: str) -> bytes:
        self._member(name)
        try:
            return self._archive.read(name)
        except MemoryError:
            raise
        except Exception as error:  # zipfile and zlib raise many kinds
            raise ValueError(f"{self._source}: {name} is damaged: {error}") from error

    def _member(self, name: str) -> zipfile.ZipInfo:
        try:
            info = self._archive.getinfo(name)
        except KeyError:
            names = ", ".join(self._archive.namelist()[:5]) or "nothing"
            raise ValueError(f"{self._source} holds {names}, expected {name} too") from None
        if info.file_size > MAX_EXPANSION * info.compress_size + 1024:
            raise ValueError(
                f"{self._source}: {name} has {info.file_size:,} bytes of {info.compress_size:,} "
                f"in the file, expected at most {MAX_EXPANSION} times as many"
            )
        return info


def as_object(text: str | bytes, source: str) -> dict[str, Any]:
    """Return a JSON object; the message of an error begins with the source."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} is no JSON text: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{source} holds {type(found).__name__}, expected an object")
    return found


class GroupedWeights:
    """The weights of a ``.keras`` or ``.weights.h5`` file.

    Parameters
    ----------
    root : h5py.File
    config : dict
        Configuration of the model.
    size : int
        Bytes of the file.
    """

    def __init__(self, root: Any, config: Mapping[str, Any], size: int) -> None:
        self._groups: dict[Path, Any] = {}
        self.size: int | None = size
        self._left = size
        # TensorFlow's Keras 2 has another name for the layers of the outermost model.
        for name in ("layers", "_layer_checkpoint_dependencies"):
            container = child(root, name)
            if container is not None:
                self._find(container, config, ())
                break

    def arrays(self, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[NDArray[Any]]:
        """Return the arrays of a layer; see `Weights`."""
        group = self._groups.get(path)
        variables = None if group is None else child(group, "vars")
        if variables is None or len(variables) < len(shapes):
            found = 0 if variables is None else len(variables)
            raise ValueError(f"{found} arrays are in the file, expected {', '.join(shapes)}")
        if len(variables) > len(shapes):
            raise ValueError(
                f"{len(variables)} arrays are in the file, expected {', '.join(shapes)} only"
            )
        read = []
        for index, (name, shape) in enumerate(shapes.items()):
            dataset = child(variables, str(index))
            self._left -= _check(dataset, name, shape, self._left)
            read.append(_values(dataset, name))
        return read

    def _find(self, container: Any, config: Mapping[str, Any], path: Path) -> None:
        """Find the groups of the layers of a model, and of models in it."""
        layers = own_layers(config)
        named = {}
        for key in container:
            group = child(container, key)
            variables = child(group, "vars")
            name = None if variables is None else variables.attrs.get("name")
            if isinstance(name, str):
                named[name] = group
        counts: dict[str, int] = {}
        for layer in layers:
            kind, name = str(layer.get("class_name")), name_of(layer)
            group = named.get(name)
            if not named:  # Keras before 3.6: the number among the layers of the class
                key = snake_case(kind)
                count = counts[key] = counts.get(key, -1) + 1
                group = child(container, f"{key}_{count}" if count else key)
            if group is None:
                continue
            inner = (*path, name)
            self._groups[inner] = group
            if kind in MODELS:
                below = child(group, "layers")
                if below is not None:
                    self._find(below, layer, inner)


class NamedWeights:
    """The weights in an ``.h5`` file of a whole model, by the names of layers and weights.

    Parameters
    ----------
    group : h5py.Group
        ``model_weights``.
    size : int
        Bytes of the file.
    """

    def __init__(self, group: Any, size: int) -> None:
        self._group = group
        self.size: int | None = size
        self._left = size

    def arrays(self, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[NDArray[Any]]:
        """Return the arrays of a layer; see `Weights`."""
        group = child(self._group, path[0])
        names = [] if group is None else [_text(name) for name in group.attrs["weight_names"]]
        if len(path) > 1:  # of all layers of the model in the model
            names = [name for name in names if name.split("/")[-2:-1] == [path[-1]]]
        # "dense/kernel:0" has TensorFlow's number behind
        found = {re.sub(r":\d+$", "", name.rpartition("/")[2]): name for name in names}
        if found.keys() != shapes.keys() or len(names) != len(shapes):
            raise ValueError(f"it has the arrays {names}, expected {', '.join(shapes)}")
        read = []
        for name, shape in shapes.items():
            dataset = group
            for part in found[name].split("/"):
                dataset = child(dataset, part)
            self._left -= _check(dataset, name, shape, self._left)
            read.append(_values(dataset, name))
        return read


#: Layers that are models.
MODELS = ("Functional", "Sequential", "Model")


def own_layers(config: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the configurations of the layers of a model, without functions such as keras.ops.add.

    Raises
    ------
    ValueError
        If the configuration is none of a model.
    """
    described = config.get("config")
    layers = described.get("layers") if isinstance(described, Mapping) else described
    if not isinstance(layers, list) or not all(isinstance(each, Mapping) for each in layers):
        raise ValueError(f"the model {name_of(config)!r} has no list of layers")
    found = [each for each in layers if not is_function(each)]
    if config.get("class_name") == "Sequential" and found[:1]:
        first = found[0]
        return found[1:] if first.get("class_name") == "InputLayer" else found
    return found


def is_function(layer: Mapping[str, Any]) -> bool:
    """Return whether a configuration is that of a function of keras.ops, which has no weights."""
    return re.match(r"keras\.(src\.)?(ops|activations)\b", str(layer.get("module"))) is not None


def name_of(layer: Mapping[str, Any]) -> str:
    """Return the name of a layer or model in its configuration."""
    described = layer.get("config")
    name = layer.get("name") or (described.get("name") if isinstance(described, Mapping) else None)
    return str(name)


def snake_case(name: str) -> str:
    """Return the name of a class as Keras names groups: BatchNormalization, batch_normalization."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def child(group: Any, name: str) -> Any:
    """Return a member of a group, or None; links to other places and files are refused."""
    h5py = library("h5py", EXTRA)
    if not isinstance(group, h5py.Group):
        raise ValueError(f"{getattr(group, 'name', group)} is no group of the file")
    link = group.get(name, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{group.name}/{name} is a link to another place, expected an array")
    return group[name]


def _check(dataset: Any, name: str, shape: tuple[int, ...], left: int) -> int:
    """Return the bytes of an array whose shape is as expected, and that is stored in the file."""
    h5py = library("h5py", EXTRA)
    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"{name} is missing in the file")
    if dataset.shape != shape:
        raise ValueError(f"{name} has shape {dataset.shape}, expected {shape}")
    stored = dataset.id.get_storage_size()
    if dataset.external or dataset.is_virtual or stored < dataset.nbytes:
        raise ValueError(f"{name} has {stored} bytes in the file, expected {dataset.nbytes}")
    if dataset.nbytes > left:
        raise ValueError(f"{name} and the arrays before it have more bytes than the file")
    return int(dataset.nbytes)


def _values(dataset: Any, name: str) -> NDArray[Any]:
    """Return the numbers of an array; float16 and bfloat16 become float32."""
    values: NDArray[Any] = np.asarray(dataset[()])
    if values.dtype.kind == "V" and _text(dataset.attrs.get("dtype")) == "bfloat16":
        halves = values.view(np.uint16).astype(np.uint32)
        return (halves << np.uint32(16)).view(np.float32)
    return as_numbers(values, name)


def as_numbers(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array in float32 or float64, with float32 for float16."""
    kind, size = values.dtype.kind, values.dtype.itemsize
    if values.dtype.name == "bfloat16" or (kind == "f" and size == 2):
        return values.astype(np.float32)
    if kind == "f" and size in (4, 8):
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if name == "count" and kind in "iu":
        return values
    raise ValueError(f"{name} is {values.dtype}, expected floating-point numbers")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def size_of(file: BinaryIO) -> int:
    """Return the bytes of an open file, and go back to its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size
