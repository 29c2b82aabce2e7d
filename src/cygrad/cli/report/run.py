"""`Run`: a finished training, and a summary of its data."""

from __future__ import annotations

import hashlib
import os
from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cygrad.cli.dataset import Dataset
from cygrad.cli.options import DIGITS
from cygrad.network import Network


@dataclass(frozen=True)
class Run:
    """A finished training, and all there is to tell of it.

    Attributes
    ----------
    arguments : argparse.Namespace
        The options.
    dataset : Dataset
    net : Network
        As it is after training.
    result : dict
        What ``--json`` prints.
    data : dict of str to str
        What `data_summary` returned before the training.
    model : str or None
        The SHA-256 of the file of the network; None if it could not be saved.
    """

    arguments: Namespace
    dataset: Dataset
    net: Network
    result: dict[str, Any]
    data: dict[str, str]
    model: str | None = None

    def displayed_samples(self) -> tuple[str, NDArray[np.int64]]:
        """The name and the rows of the samples to look at: unseen ones, if there are any."""
        dataset = self.dataset
        return ("test", dataset.test) if len(dataset.test) else ("training", dataset.train)


def data_summary(arguments: Namespace) -> dict[str, str]:
    """Facts of the file of the samples, by which another one can be told from it."""
    if arguments.data == DIGITS:
        return {"file": "part of cygrad, datasets.load_digits"}
    return {
        "file": arguments.data,
        "size": f"{os.stat(arguments.data).st_size:,} bytes",
        "SHA-256": sha256(arguments.data),
    }


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, as ``sha256sum`` tells it."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
