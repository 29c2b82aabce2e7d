"""What pictures ask of a network: that it is one, which layer is meant, which classes there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad._engine.samples import Samples
from cygrad.network import Network
from cygrad.network.losses import encode_targets

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def check_network(net: object) -> None:
    """Check that `net` is a network."""
    if not isinstance(net, Network):
        raise TypeError(f"net is {net!r}, expected a Network")


def resolve_index(value: object, name: str, size: int) -> int:
    """`value` as an index of something of this size, where negative ones count from the end."""
    return checks.whole_number(value, name, least=-size, most=size - 1) % size


def samples(net: Network, X: ArrayLike) -> NDArray[Any]:
    """`X` as an array of finite rows that fit the network, shape (n, inputs)."""
    Samples(X, "X", net.inputs)
    return np.asarray(X)


def classifies(net: Network) -> bool:
    """Whether what the network says of a sample is one class."""
    return net.metric == "accuracy" and (net.loss != "binary_cross_entropy" or net.outputs == 1)


def class_names(net: Network) -> list[str]:
    """A name for each class, in the order of their indices: the network's, or the index."""
    if net.classes is not None:
        return list(net.classes)
    return [str(index) for index in range(max(net.outputs, 2))]


def target_classes(net: Network, y: ArrayLike, n: int) -> NDArray[np.int64]:
    """The class that each of n targets stands for: its index, its largest probability, or ½ up.

    Raises
    ------
    TypeError, ValueError
        If `y` is not what the network's loss takes.
    """
    encode_targets(net.loss, y, n, net.outputs, "y")
    targets = np.asarray(y)
    if net.loss == "binary_cross_entropy":
        return (targets.reshape(n) >= 0.5).astype(np.int64)
    return targets.astype(np.int64) if targets.ndim == 1 else targets.argmax(axis=1)
