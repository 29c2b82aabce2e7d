"""Networks from named parameters, as PyTorch's state dicts have them, and back.

The parameters of layer i are ``layers.i.weight`` of shape (units, inputs), ``layers.i.bias``, and
of norms ``weight``, ``bias``, ``running_mean`` and ``running_var``, each of shape (units,). Names
and shapes tell the layers, but neither their activations nor ε.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.exchange.assembly import Assembly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.network.activations import ChosenActivation

    Activation = str | ChosenActivation

#: Names of the parameters there and here.
NAMES = {
    "weight": "weights",
    "bias": "biases",
    "running_mean": "running_mean",
    "running_var": "running_variance",
}
#: The number of batches that a norm has seen, which only matters to norms without momentum.
COUNT = "num_batches_tracked"
#: The running statistics of a batch norm.
STATISTICS = ("running_mean", "running_var")
#: Names of layers that tell a layer norm.
LAYER_NORM = re.compile(r"(^|[._])(ln|layer_?norm)_?\d*$", re.IGNORECASE)
PREFIX = "layers"
#: Where neither file nor caller tells another.
EPS = 1e-5


def to_state(net: Network) -> dict[str, NDArray[Any]]:
    """Return the parameters of a network by the names of a state dict, in C order."""
    arrays = net.arrays().items()
    named = [(state_name(name), np.ascontiguousarray(array)) for name, array in arrays]
    return {name: array for name, array in named if name is not None}


def state_name(name: str) -> str | None:
    """Return the name in a state dict of one of `Network.arrays`, None for a standardisation."""
    kind, _, index = name.rpartition("_")
    theirs = next((theirs for theirs, ours in NAMES.items() if ours == kind), None)
    return None if theirs is None else f"{PREFIX}.{index}.{theirs}"


def from_state(
    state: Mapping[str, NDArray[Any]],
    source: str,
    *,
    activations: Activation | Sequence[Activation] | None,
    order: Sequence[str] | None = None,
    eps: float | None = None,
    norm: str | None = None,
    dtype: str | None = None,
    loss: str | None = None,
    classes: Iterable[str] | None = None,
) -> Network:
    """Return the network of named parameters.

    Parameters
    ----------
    state : mapping of str to ndarray
        By names such as ``layers.0.weight`` or ``fc1.bias``.
    source : str
        Name of the file or object, for messages.
    activations : str, ChosenActivation, sequence of them, or None
        One for each dense layer, applied after the norm that follows it if there is one; a single
        one is that of the hidden layers, and the last layer has none.
    order : sequence of str or None
        Names of the layers in their order, as in ``["encoder", "head"]``. None: by the numbers in
        the names, which must be the same otherwise.
    eps : float or None
        ε of the norms; None: 1e-5.
    norm : {"layer_norm"} or None
        what a weight and a bias of shape (units,) without running statistics are:
        "layer_norm" takes them for a layer norm. None: an error, because GroupNorm and InstanceNorm
        have the same, unless the name tells it (``ln``, ``layer_norm``).
    dtype : str or None
        None: float64 if one of the parameters is, else float32.
    loss : str or None
        See `Assembly.network`.
    classes : iterable of str or None

    Raises
    ------
    ValueError
        If the order, the activations or a norm are not known, or the shapes do not fit together.
    """
    eps = EPS if eps is None else eps
    if norm is not None:
        checks.one_of(norm, "norm", ("layer_norm",))
    layers = _layers(state, source)
    names = _ordered(layers, source) if order is None else _checked_order(order, layers, source)
    dense = [name for name in names if layers[name]["weight"].ndim == 2]
    if not dense or layers[names[0]]["weight"].ndim not in (1, 2):
        raise ValueError(f"{source} has no dense layers: no weights of shape (units, inputs)")
    chosen = dict(zip(dense, _activations(activations, dense, source), strict=True))
    first = layers[names[0]]["weight"].shape
    assembly = Assembly(first[-1], source)
    pending: Activation = "identity"
    for name in names:
        parameters = layers[name]
        weight, bias = parameters["weight"], parameters.get("bias")
        if weight.ndim == 2:
            assembly.activation(pending)
            pending = chosen[name]
            assembly.dense(weight, bias)
            continue
        if weight.ndim != 1:
            raise ValueError(
                f"{source}: {name}.weight has shape {weight.shape}, which is no dense layer or norm"
            )
        if bias is None:  # RMSNorm and PReLU too have a weight only
            raise ValueError(
                f"{source}: {name}.weight has shape {weight.shape} and no bias, which does not "
                f"tell the layer; expected a layer norm or batch norm with {name}.bias"
            )
        statistics = [parameters[each] for each in STATISTICS if each in parameters]
        if len(statistics) == 2:
            assembly.batch_norm(weight, bias, statistics[0], statistics[1], eps)
        elif statistics:
            raise ValueError(
                f"{source}: {name} has one of {' and '.join(STATISTICS)}, expected both or none"
            )
        else:
            if norm is None and not LAYER_NORM.search(name):
                raise ValueError(
                    f"{source}: {name} has a weight and a bias of shape {weight.shape} and no "
                    "running statistics, which a layer norm and other norms have; expected "
                    "norm='layer_norm', if it is one"
                )
            assembly.layer_norm(weight, bias, eps)
    assembly.activation(pending)
    is_double = any(array.dtype == np.float64 for array in state.values())
    own = "float64" if is_double else "float32"
    return assembly.network(dtype or own, loss=loss, classes=classes)


def _layers(state: Mapping[str, NDArray[Any]], source: str) -> dict[str, dict[str, NDArray[Any]]]:
    """Return the parameters of each layer, by the name of the layer."""
    layers: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in state.items():
        name, _, parameter = key.rpartition(".")
        if parameter == COUNT:
            continue
        if parameter not in NAMES:
            raise ValueError(
                f"{source} has {key!r}, expected names that end in {', '.join(NAMES)}: dense "
                "layers and norms"
            )
        layers.setdefault(name, {})[parameter] = array
    for name, parameters in layers.items():
        if "weight" not in parameters:
            raise ValueError(f"{source}: layer {name!r} has no weight")
    return layers


def _ordered(layers: Iterable[str], source: str) -> list[str]:
    """Return the names of the layers in the order of the numbers in them."""
    names = list(layers)
    texts = {re.sub(r"\d+", "#", name) for name in names}
    if len(texts) > 1:
        raise ValueError(
            f"{source} has the layers {', '.join(names)}, whose order is not known; expected order="
        )
    return sorted(names, key=lambda name: [int(number) for number in re.findall(r"\d+", name)])


def _checked_order(order: Sequence[str], layers: Iterable[str], source: str) -> list[str]:
    names = list(order)
    if sorted(names) != sorted(layers):
        raise ValueError(f"order is {names}, expected the layers of {source}: {sorted(layers)}")
    return names


def _activations(
    activations: Activation | Sequence[Activation] | None, dense: list[str], source: str
) -> list[Activation]:
    """Return the activation of each dense layer."""
    if activations is None:
        raise ValueError(
            f"{source} does not tell the activations of its layers, expected activations=, such as "
            "'relu' for all hidden layers, or one for each dense layer"
        )
    if isinstance(activations, Sequence) and not isinstance(activations, str):
        if len(activations) != len(dense):
            raise ValueError(
                f"activations has {len(activations)} items, expected one for each of the "
                f"{len(dense)} dense layers of {source}"
            )
        return list(activations)
    return [activations] * (len(dense) - 1) + ["identity"]
