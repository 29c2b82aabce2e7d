"""Import the libraries of other formats, with a message that says how to install one."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def library(name: str, extra: str) -> Any:
    """Return a module that an extra of the package installs.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed; the message names the extra.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise  # the library itself lacks something
        raise ModuleNotFoundError(
            f"{name.partition('.')[0]} is not installed: pip install 'cygrad[{extra}]'",
            name=error.name,
        ) from None
