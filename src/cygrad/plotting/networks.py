"""Checks of networks, indices and samples for the pictures, and the classes of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad._engine.samples import Samples
from cygrad.network import Network
from cygrad.network.losses import (
    LOSSES,
    encode_targets,
    row_of,
    sides_of_half,
    takes_labels,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_network(net: object) -> None:
    """Check that `net` is a network."""
    if not isinstance(net, Network):
        raise TypeError(f"net is {net!r}, expected a Network")


def resolve_index(value: object, name: str, size: int) -> int:
    """Return `value` as an index below `size`; negative values count from the end."""
    return checks.whole_number(value, name, least=-size, most=size - 1) % size


def samples(net: Network, X: ArrayLike) -> NDArray[Any]:
    """Return `X` as an array of finite rows that fit the network, shape (n, inputs)."""
    Samples(X, "X", net.inputs)
    return np.asarray(X)


def classifies(net: Network) -> bool:
    """Return whether the network predicts one class for each sample."""
    loss = row_of(net.loss)
    return loss.labels or (loss.decides_at_half and net.outputs == 1)


def check_classifier(net: Network) -> None:
    """Raise a ValueError if the network does not predict one class for each sample."""
    if not classifies(net):
        deciding = [name for name, loss in LOSSES.items() if loss.decides_at_half]
        raise ValueError(
            f"net has loss {net.loss!r} and {net.outputs} outputs, which is not one class for a "
            f"sample; expected {', '.join(takes_labels())}, or one output with "
            f"{' or '.join(deciding)}"
        )


def class_names(net: Network) -> list[str]:
    """Return the name of each class, in the order of their indices; without names, the index."""
    if net.classes is not None:
        return list(net.classes)
    return [str(index) for index in range(max(net.outputs, 2))]


def target_classes(net: Network, y: ArrayLike, n: int) -> NDArray[np.int64]:
    """Return the class of each of n targets: the index or name, the most probable, or 1 from ½ on.

    Raises
    ------
    TypeError, ValueError
        If `y` is not what the network's loss takes.
    """
    targets = encode_targets(net.loss, y, n, net.outputs, "y", classes=net.classes)
    if isinstance(targets, np.ndarray):
        return targets
    if row_of(net.loss).decides_at_half:
        return sides_of_half(y, net.classes)
    classes: NDArray[np.int64] = np.asarray(y).argmax(axis=1)
    return classes
