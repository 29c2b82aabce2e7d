"""Tensors as arrays, and the state dicts of files."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from cygrad.exchange import state
from cygrad.exchange.libraries import library

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTRA = "torch"


def array(tensor: Any, name: str) -> NDArray[Any]:
    """Return the values of a tensor as an array; float16 and bfloat16 become float32.

    Parameters
    ----------
    tensor : Tensor
    name : str
        For messages.

    Raises
    ------
    ValueError
        If it holds no floating-point numbers, or is no plain tensor in memory.
    """
    torch = library("torch", EXTRA)
    if tensor.is_meta or tensor.layout != torch.strided:
        raise ValueError(f"{name} has the layout {tensor.layout} on the device {tensor.device}")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ValueError(f"{name} of shape {tuple(tensor.shape)} repeats the numbers in memory")
    if tensor.dtype in (torch.float16, torch.bfloat16):
        tensor = tensor.float()
    if tensor.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"{name} is {tensor.dtype}, expected floating-point numbers")
    values: NDArray[Any] = tensor.numpy(force=True)
    return values


def arrays(tensors: Mapping[str, Any], source: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a state dict.

    Raises
    ------
    ValueError
        If something in it is no tensor; the message names it, and the state dict in a checkpoint.
    """
    torch = library("torch", EXTRA)
    found = {}
    for name, tensor in tensors.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            inner = [key for key, value in tensors.items() if isinstance(value, Mapping)]
            hint = f", perhaps that under the key {inner[0]!r}" if inner else ""
            raise ValueError(
                f"{source} has {name!r} of type {type(tensor).__name__}, expected a state dict: "
                f"names and tensors{hint}"
            )
        if not name.endswith(state.COUNT):
            found[name] = array(tensor, f"{source}: {name}")
    return found


def load(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """Read a state dict, with ``torch.load(weights_only=True)``, which runs no code.

    Raises
    ------
    ValueError
        If the file holds something else.
    OSError
        If it cannot be read.
    """
    torch = library("torch", EXTRA)
    source = os.fspath(path)
    with open(path, "rb") as file:
        try:
            _check_size(file, source)
            loaded = torch.load(file, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{source!r} holds more than tensors, which could run any code, or is damaged; "
                "expected a state dict: torch.save(module.state_dict(), path)"
            ) from error
        except Exception as error:  # of a damaged pickle, nearly any
            text = str(error).partition("\n")[0]
            reason = f": {text}" if text and not isinstance(error, KeyError) else ""
            raise ValueError(f"{source!r} is no file of PyTorch, or damaged{reason}") from error
    if not isinstance(loaded, Mapping):
        raise ValueError(f"{source!r} holds {type(loaded).__name__}, expected a state dict")
    return loaded


def _check_size(file: BinaryIO, source: str) -> None:
    """Raise an error if a file has more in it than its size, as PyTorch's own never have."""
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(each.compress_type != zipfile.ZIP_STORED for each in archive.infolist()):
                raise ValueError(f"{source} is compressed")
    file.seek(0)
