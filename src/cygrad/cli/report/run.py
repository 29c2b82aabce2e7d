"""`Run`, a finished training, and the summary of its data file."""

from __future__ import annotations

import hashlib
import os
from argparse import Namespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad.cli.dataset import Dataset
from cygrad.cli.options import DIGITS
from cygrad.network import Network
from cygrad.records import dataclass
from cygrad.training import History


@dataclass(frozen=True)
class Run:
    """A finished training, with everything that a report shows.

    Attributes
    ----------
    arguments : argparse.Namespace
        The options.
    dataset : Dataset
    net : Network
        The trained network.
    result : dict
        The results, as ``--json`` prints them.
    data : dict of str to str
        The result of `data_summary` before the training.
    model : str or None
        The SHA-256 of the file of the network; None if it could not be saved.
    history : History or None
        The record of the training; None: only what `result` has of it.
    """

    arguments: Namespace
    dataset: Dataset
    net: Network
    result: dict[str, Any]
    data: dict[str, str]
    model: str | None = None
    history: History | None = None

    def displayed_samples(self) -> tuple[str, NDArray[np.int64]]:
        """Return the name and the rows of the test part, or else of the training part."""
        dataset = self.dataset
        return ("test", dataset.test) if len(dataset.test) else ("training", dataset.train)


def data_summary(arguments: Namespace) -> dict[str, str]:
    """Return the name, size and checksum of the data file, to recognise it by."""
    if arguments.data == DIGITS:
        return {"file": "part of cygrad, datasets.load_digits"}
    return {
        "file": arguments.data,
        "size": f"{os.stat(arguments.data).st_size:,} bytes",
        "SHA-256": sha256(arguments.data),
    }


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal, as ``sha256sum`` prints it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
