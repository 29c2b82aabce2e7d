"""Networks from the text files of FANN 2.x, the Fast Artificial Neural Network Library."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from cygrad import checks
from cygrad.exchange.assembly import Assembly
from cygrad.exchange.bounded_file import read_bounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

HEADER = re.compile(r"FANN_FL[OT]_2\.[01]\s*")


class _Activation(NamedTuple):
    """An activation of FANN as factor · σ(slope · s · x + shift) + offset, s the steepness."""

    name: str
    activation: str
    slope: float = 1.0
    shift: float = 0.0
    factor: float = 1.0
    offset: float = 0.0
    smooth: bool = True  # False: FANN has straight lines between points of it


# By their numbers in the file. 1 and 2 are steps, 9 gives 0 for all inputs in version 2.2.
_ACTIVATIONS = {
    0: _Activation("LINEAR", "identity"),
    3: _Activation("SIGMOID", "sigmoid", 2.0),
    4: _Activation("SIGMOID_STEPWISE", "sigmoid", 2.0, smooth=False),
    5: _Activation("SIGMOID_SYMMETRIC", "tanh"),
    6: _Activation("SIGMOID_SYMMETRIC_STEPWISE", "tanh", smooth=False),
    7: _Activation("GAUSSIAN", "gaussian"),
    8: _Activation("GAUSSIAN_SYMMETRIC", "gaussian", factor=2.0, offset=-1.0),
    10: _Activation("ELLIOT", "softsign", factor=0.5, offset=0.5),
    11: _Activation("ELLIOT_SYMMETRIC", "softsign"),
    12: _Activation("LINEAR_PIECE", "hard_sigmoid", 6.0, -3.0),
    13: _Activation("LINEAR_PIECE_SYMMETRIC", "hard_tanh"),
    14: _Activation("SIN_SYMMETRIC", "sine"),
    15: _Activation("COS_SYMMETRIC", "sine", shift=math.pi / 2),
    16: _Activation("SIN", "sine", factor=0.5, offset=0.5),
    17: _Activation("COS", "sine", shift=math.pi / 2, factor=0.5, offset=0.5),
}
_OTHERS = {1: "THRESHOLD", 2: "THRESHOLD_SYMMETRIC", 9: "GAUSSIAN_STEPWISE"}


class _Neuron(NamedTuple):
    sources: list[int]
    weights: list[float]
    activation: int
    steepness: float


def from_fann(
    path: str | os.PathLike[str],
    *,
    scale: bool | None = None,
    lossy: bool = False,
    dtype: Literal["float32", "float64"] = "float64",
    loss: str | None = None,
    classes: Iterable[str] | None = None,
) -> Network:
    """Read a network from a text file of FANN 2.x (``.net``, of ``fann_save``).

    Each neuron of FANN computes f(s Σ w x), with the steepness s. Steepness, and what a formula
    there has before or behind its activation, become part of the weights.

    Parameters
    ----------
    path : str or os.PathLike
    scale : bool or None
        Whether inputs and outputs are in their unit, if the file has their scales. False: as
        ``fann_run`` takes them, which leaves scaling to its caller. None: an error if it has them.
    lossy : bool
        Take SIGMOID_STEPWISE and SIGMOID_SYMMETRIC_STEPWISE, which are straight lines between six
        points, for the curves that they approximate. They differ by up to 0.04.
    dtype : {"float64", "float32"}
        FANN computes in float32; in float64 the steepness makes no rounding error.
    loss : str or None
        None: binary_cross_entropy for sigmoid outputs, else mse.
    classes : iterable of str or None
        Names of the classes.

    Returns
    -------
    Network

    Raises
    ------
    ValueError
        If the file is none, is damaged, has fixed-point numbers, connections that skip layers, or
        an activation that has no counterpart; the message names the neuron.
    OSError
        If the file cannot be read.

    Notes
    -----
    FANN 2.2 limits s Σ w x to ±150 / s in every neuron, linear ones too: with the default
    steepness of 0.5 no linear output is beyond ±300. Here it has no limit.

    References
    ----------
    S. Nissen, "Implementation of a Fast Artificial Neural Network Library (FANN)", 2003.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.exchange.from_fann("xor.net")  # doctest: +SKIP
    """
    source = repr(os.fspath(path))
    values = _read(path, source)
    try:
        sizes = [int(size) for size in values["layer_sizes"].split()]
        neurons = _neurons(values, sum(sizes))
        scales = _scales(values, sizes[0] - 1, sizes[-1] - 1)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{source} is damaged or cut short: {error}") from error
    if scales is not None and scale is None:
        raise ValueError(
            f"{source} has scales of inputs and outputs; expected scale=True, for numbers in their "
            "unit, or scale=False, for those that fann_run takes"
        )
    assembly = Assembly(sizes[0] - 1, source)
    start = 0
    for below, size in pairwise(sizes):
        layer = neurons[start + below : start + below + size - 1]  # the last is the bias neuron
        _add(assembly, layer, start, below, start + below, lossy)
        start += below
    standardization = None
    if scale and scales is not None:
        mean, factor, output_factor, output_offset = scales
        standardization = mean, factor
        assembly.scale(output_factor, output_offset)
    return assembly.network(dtype, loss=loss, classes=classes, standardization=standardization)


def _read(path: str | os.PathLike[str], source: str) -> dict[str, str]:
    """Return the values of a file by their names."""
    lines = read_bounded(path).decode("ascii", "replace").splitlines()
    if not lines or not HEADER.fullmatch(lines[0]):
        hint = ""
        if lines and lines[0].startswith("FANN_FIX"):
            hint = " with fixed-point numbers; save it with fann_save"
        raise ValueError(f"{source} is no network of FANN 2.x{hint}, expected FANN_FLO_2.1")
    return dict(line.partition("=")[::2] for line in lines[1:])


def _pairs(text: str, width: int) -> list[list[str]]:
    """Return the numbers of "(1, 2) (3, 4) …"; each parenthesis has so many."""
    found = re.findall(r"\(([^()]*)\)", text)
    pairs = [[part.strip() for part in each.split(",")] for each in found]
    if any(len(pair) != width for pair in pairs):
        raise ValueError(f"a parenthesis has {len(pairs[0])} numbers, expected {width}")
    return pairs


def _value(values: Mapping[str, str], start: str) -> str:
    """Return a value whose name begins so: the names list what the parentheses have."""
    for name, text in values.items():
        if name.startswith(start):
            return text
    raise KeyError(start)


def _neurons(values: Mapping[str, str], count: int) -> list[_Neuron]:
    """Return all neurons, with the bias neurons, in their order."""
    described = _pairs(_value(values, "neurons "), 3)
    connections = _pairs(_value(values, "connections "), 2)
    if len(described) != count:
        raise ValueError(f"{len(described)} neurons, expected {count}")
    inputs = [int(number) for number, _, _ in described]
    if min(inputs) < 0 or sum(inputs) != len(connections):
        raise ValueError(f"{len(connections)} connections, expected {sum(inputs)}")
    neurons, start = [], 0
    for number, (_, activation, steepness) in zip(inputs, described, strict=True):
        own = connections[start : start + number]
        start += number
        neurons.append(
            _Neuron(
                [int(index) for index, _ in own],
                [checks.number(float(weight), "weight") for _, weight in own],
                int(activation),
                checks.number(float(steepness), "steepness"),
            )
        )
    return neurons


def _add(
    assembly: Assembly, layer: list[_Neuron], start: int, below: int, first: int, lossy: bool
) -> None:
    """Append a layer; `start` is the number of the first neuron of the layer below."""
    source = assembly.source
    kinds = {neuron.activation for neuron in layer}
    if len(kinds) > 1:
        names = ", ".join(str(kind) for kind in sorted(kinds))
        raise ValueError(
            f"{source}: the layer of neuron {first} has the activations {names}, expected one"
        )
    (kind,) = kinds or {0}
    if kind not in _ACTIVATIONS:
        name = _OTHERS.get(kind, "unknown")
        raise ValueError(
            f"{source}: neuron {first} has activation {kind} ({name}), which has no counterpart"
        )
    chosen = _ACTIVATIONS[kind]
    if not chosen.smooth and not lossy:
        raise ValueError(
            f"{source}: neuron {first} has activation {kind} ({chosen.name}), straight lines "
            f"between points; expected lossy=True, for {chosen.activation} in its place"
        )
    weights = np.zeros((len(layer), below))
    for row, neuron in enumerate(layer):
        for index, weight in zip(neuron.sources, neuron.weights, strict=True):
            if not start <= index < start + below:
                raise ValueError(
                    f"{source}: neuron {first + row} has a connection to neuron {index}, expected "
                    "those of the layer below only"
                )
            weights[row, index - start] += neuron.steepness * weight
    weights *= chosen.slope
    biases = weights[:, -1] + chosen.shift
    assembly.dense(weights[:, :-1], biases, chosen.activation)
    assembly.scale(chosen.factor, chosen.offset)


def _scales(
    values: Mapping[str, str], inputs: int, outputs: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    """Return mean and scale of the inputs, factor and offset of the outputs; None if none are kept.

    FANN scales x to (x − mean) / deviation, that to (z + 1) · factor + least; and back.
    """
    if not int(values.get("scale_included", "0")):
        return None

    def numbers(name: str, count: int) -> NDArray[np.float64]:
        found = np.array(values[name].split(), np.float64)
        if len(found) != count or not np.isfinite(found).all():
            raise ValueError(f"{name} has {len(found)} numbers, expected {count}")
        if (name.startswith(("scale_deviation", "scale_factor"))) and (found == 0).any():
            # FANN writes six decimal places: a small deviation is 0 in the file.
            raise ValueError(f"{name} holds 0, expected the deviation of each column")
        return found

    mean, deviation, least, factor = (
        numbers(f"scale_{name}_in", inputs) for name in ("mean", "deviation", "new_min", "factor")
    )
    # ((x − mean) / deviation + 1) · factor + least = (x − center) · scale
    scale = factor / deviation
    center = mean - (factor + least) / scale
    mean, deviation, least, factor = (
        numbers(f"scale_{name}_out", outputs) for name in ("mean", "deviation", "new_min", "factor")
    )
    # ((y − least) / factor − 1) · deviation + mean
    return center, scale, deviation / factor, mean - (least / factor + 1) * deviation
