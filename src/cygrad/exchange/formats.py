"""The formats of files by their endings, for the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.exchange.exports import Export
    from cygrad.network import Network


@dataclass(frozen=True)
class Format:
    """A format of files.

    Attributes
    ----------
    name : str
    endings : tuple of str
        In lower case, with the dot.
    module : str
        In this package.
    writer, reader : str
        Name of the function that writes or reads it; empty if there is none.
    has_samples : bool
        Whether a file holds the samples of its self-test: then the module has `verify`.
    read_only : tuple of str
        Endings of files that are only read.
    is_code : bool
        Whether the self-test runs what the file holds: then `verify` needs the network too.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    writer: str = ""
    reader: str = ""
    has_samples: bool = False
    is_code: bool = False
    read_only: tuple[str, ...] = ()

    def endings_for(self, role: str) -> tuple[str, ...]:
        """Return the endings of files that can be read, or written."""
        return self.endings + (self.read_only if role == "reader" else ())


FORMATS = (
    Format(
        "safetensors",
        (".safetensors",),
        "safetensors",
        "to_safetensors",
        "from_safetensors",
        has_samples=True,
    ),
    Format("C", (".h",), "plain_c", "to_c", has_samples=True, is_code=True),
    Format("ONNX", (".onnx",), "onnx", "to_onnx", "from_onnx", has_samples=True),
    Format(
        "Keras",
        (".keras",),
        "keras",
        "to_keras_file",
        "from_keras",
        has_samples=True,
        read_only=(".h5", ".hdf5"),
    ),
    Format("state dict of PyTorch", (".pt", ".pth"), "torch", "to_torch_file", "from_torch"),
    Format("FANN", (".net",), "fann", reader="from_fann"),
    Format("OpenCV", (".xml", ".yml", ".yaml"), "opencv", reader="from_opencv"),
)
#: Files that could run code when they are read.
PICKLES = (".pkl", ".pickle", ".joblib")


def writer(path: str | os.PathLike[str]) -> Callable[..., Any]:
    """Return the function that writes files with this ending.

    Raises
    ------
    ValueError
        If there is none; the message lists the endings.
    """
    return _function(path, "writer")


def reader(path: str | os.PathLike[str]) -> Callable[..., Any]:
    """Return the function that reads files with this ending; see `writer`."""
    return _function(path, "reader")


def verify(path: str | os.PathLike[str], net: Network | None = None) -> Export:
    """Repeat the self-test of a file.

    Parameters
    ----------
    path : str or os.PathLike
    net : Network or None
        Of which the file has been made, if it is code: only code that is made again from the
        network, and is the same text, is run.

    Raises
    ------
    ValueError
        If files with this ending hold no samples, or `net` is missing or too much.
    """
    found = _of(path, [each for each in FORMATS if each.has_samples], "writer")
    if found.is_code != (net is not None):
        source = repr(os.fspath(path))
        raise ValueError(
            f"{source} is code, which is compiled and run only if it is that of a network; "
            "expected model="
            if net is None
            else f"model= is for code, and {source} holds its samples"
        )
    export: Export = _module(found).verify(path, *([] if net is None else [net]))
    return export


def _function(path: str | os.PathLike[str], role: str) -> Callable[..., Any]:
    found = _of(path, [each for each in FORMATS if getattr(each, role)], role)
    function: Callable[..., Any] = getattr(_module(found), getattr(found, role))
    return function


def _module(found: Format) -> Any:
    return import_module(f"cygrad.exchange.{found.module}")


def _of(path: str | os.PathLike[str], formats: list[Format], role: str) -> Format:
    """Return the format of a file by its ending."""
    ending = Path(path).suffix.lower()
    for each in formats:
        if ending in each.endings_for(role):
            return each
    known = ", ".join(f"{' '.join(each.endings_for(role))} ({each.name})" for each in formats)
    if ending in PICKLES:
        raise ValueError(
            f"{os.fspath(path)!r} is a pickle, which can run any code when it is read; expected "
            f"{known}"
        )
    raise ValueError(f"{os.fspath(path)!r} has the ending {ending!r}, expected {known}")
