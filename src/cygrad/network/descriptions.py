"""Descriptions of layers as values for JSON, and back: what `Network.config` holds.

A dense layer has no "kind", as in files of the first format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cygrad.network.activations import described, restored
from cygrad.network.layers import Dense
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.residual import Residual
from cygrad.network.scaling import Scaling

if TYPE_CHECKING:
    from cygrad.network.layers import Description, Flat, Layer

# The numbers of each kind, besides activation and trainable.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "batch_norm": ("momentum", "eps"),
    "layer_norm": ("eps",),
    "scaling": (),
    "dropout": ("rate",),
    "noise": ("deviation",),
}
# What a dense layer has in the first version of files.
FIRST_KEYS = {"units", "activation", "use_bias", "trainable"}
_CLASSES = {each.kind: each for each in (BatchNorm, LayerNorm, Scaling, Dropout, GaussianNoise)}


def nested(structure: Iterable[Description], layers: Iterator[Layer]) -> list[Description]:
    """Return the descriptions of a network's layers as they are now, nested as in `structure`."""
    descriptions: list[Description] = []
    for description in structure:
        if isinstance(description, Residual):
            block = nested(description.layers, layers)
            next(layers)  # the sum
            descriptions.append(Residual(block, description.activation))
        else:
            flat = next(layers).description
            assert not isinstance(flat, Residual)
            descriptions.append(flat)
    return descriptions


def to_values(description: Description) -> dict[str, Any]:
    """Return a description as values for JSON, without initialisers."""
    values: dict[str, Any]
    if isinstance(description, Dense):
        values = {
            "units": description.units,
            "activation": described(description.activation),
            "use_bias": description.use_bias,
            "trainable": description.trainable,
        }
        if description.learning_rate_factor != 1:  # older versions read the others
            values["learning_rate_factor"] = description.learning_rate_factor
        return values
    values = {"kind": description.kind}
    if isinstance(description, Residual):
        layers = [to_values(layer) for layer in description.layers]
        return {**values, "layers": layers, "activation": described(description.activation)}
    for name in _NUMBERS[description.kind]:
        values[name] = getattr(description, name)
    if isinstance(description, (BatchNorm, LayerNorm, Scaling)):
        values["activation"] = described(description.activation)
        values["trainable"] = description.trainable
        if description.learning_rate_factor != 1:
            values["learning_rate_factor"] = description.learning_rate_factor
    return values


def from_values(values: dict[str, Any]) -> Description:
    """Return the description of `to_values`."""
    given = dict(values)
    kind = given.pop("kind", "dense")
    if "activation" in given:
        given["activation"] = restored(given["activation"])
    if kind == "dense":
        return Dense(**given)
    if kind == "residual":
        return Residual([from_values(layer) for layer in given["layers"]], given["activation"])
    if kind not in _CLASSES:
        raise ValueError(f"kind of a layer is {kind!r}, expected one of {', '.join(_CLASSES)}")
    description: Description = _CLASSES[kind](**given)
    return description


def kind_text(description: Flat) -> str:
    """Return the kind of a layer in words, with its rate or deviation: "dropout 0.2".

    Examples
    --------
    >>> import cygrad as cg
    >>> kind_text(cg.Dropout(0.2)), kind_text(cg.BatchNorm("relu"))
    ('dropout 0.2', 'batch norm')
    """
    if isinstance(description, Dropout):
        return f"dropout {description.rate:g}"
    if isinstance(description, GaussianNoise):
        return f"noise {description.deviation:g}"
    return description.kind.replace("_", " ")


def flat_values(layers: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the values of a network's layers one after another, residual blocks with their sums."""
    for layer in layers:
        if layer.get("kind") == "residual":
            yield from flat_values(layer["layers"])
            yield {"kind": "residual_sum"}
        else:
            yield layer
