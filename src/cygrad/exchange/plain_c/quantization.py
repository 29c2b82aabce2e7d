"""Networks in 8-bit integers: the scales, learned from samples, and the arithmetic in NumPy.

`Quantized` computes what the header computes, bit by bit. A number x is (q − zero) · step with an
integer q from −128 to 127. A dense layer is a sum of products of such integers, in 32 bits, which
cannot overflow; a factor for each row, m / 2^shift in integers, gives the scale of the next layer.
Activations other than the identity and relu are tables of 256 entries. Numbers are rounded half up.

The numbers of this module are float64, and the engine computes all sums and activations, so that
the same network and ranges give the same integers on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.exchange.assembly import Assembly
from cygrad.exchange.operations import DenseOperation, InputScaling, NormOperation
from cygrad.network.activations import ACTIVATIONS, ChosenActivation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.exchange.operations import Operation
    from cygrad.network import Network

    Numbers = NDArray[np.float64]

#: The largest 8-bit weight, the limits of 8-bit numbers, and the largest integer of an output.
WEIGHT, LEAST, MOST, OUTPUT = 127, -128, 127, 2**23 - 1
#: The room for a bias in 32 bits.
BIAS = 2**30
#: Binary digits of a factor, and the largest shift: with a 32-bit sum, 64 bits are enough.
DIGITS, SHIFT = 31, 62
#: The smallest step: the products of it stay normal numbers in float32.
SMALLEST = 2.0**-100
#: Points at which the end of the range of an activation is searched.
POINTS = 4096


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer in float64, which has the norms beside it in its parameters: a = σ(W x + b).

    Attributes
    ----------
    index : int
        Of the dense layer in `Network.layers`.
    weights : ndarray of float64, shape (units, inputs)
    biases : ndarray of float64, shape (units,)
    activation : str
    parameter : float
    """

    index: int
    weights: Numbers
    biases: Numbers
    activation: str
    parameter: float


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A dense layer in integers: z = max(least, (acc m + 2^(shift − 1)) // 2^shift + zero).

    Attributes
    ----------
    index : int
        Of the dense layer in `Network.layers`.
    weights : ndarray of int8, shape (units, inputs)
    biases : ndarray of int32, shape (units,)
    factors : ndarray of int32, shape (units,)
        m, 0 or from 2^30 on.
    shifts : ndarray of uint8, shape (units,)
    zero : int
        The integer of the number 0 in z.
    table : ndarray of int8, shape (256,), or None
        a for each z; None: a is z.
    """

    index: int
    weights: NDArray[np.int8]
    biases: NDArray[np.int32]
    factors: NDArray[np.int32]
    shifts: NDArray[np.uint8]
    zero: int
    table: NDArray[np.int8] | None


@dataclass(frozen=True, eq=False)
class Ranges:
    """The ranges of the numbers of a network over samples.

    Attributes
    ----------
    low, high : ndarray of float64, shape (inputs,)
        Of each input.
    layers : tuple of (low, high)
        Of z for each dense layer.
    """

    low: Numbers
    high: Numbers
    layers: tuple[tuple[float, float], ...]

    def to_values(self) -> dict[str, Any]:
        """Return the ranges as values for JSON."""
        return {
            "low": self.low.tolist(),
            "high": self.high.tolist(),
            "layers": [list(each) for each in self.layers],
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Ranges:
        """Return the ranges of `to_values`, checked.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they are something else.
        """
        pairs = [
            [checks.number(each, "range") for each in pair]
            for pair in (*zip(values["low"], values["high"], strict=True), *values["layers"])
        ]
        if any(len(pair) != 2 or pair[0] > pair[1] for pair in pairs):
            raise ValueError("a range is no pair of numbers in ascending order")
        count = len(values["low"])
        low, high = np.array(pairs[:count], np.float64).reshape(-1, 2).T
        return cls(low, high, tuple((low, high) for low, high in pairs[count:]))


@dataclass(frozen=True, eq=False)
class Quantized:
    """A network in integers.

    Attributes
    ----------
    ranges : Ranges
    low, rate : ndarray of float64, shape (inputs,)
        An input x becomes the integer floor((x − low) rate + ½) − 128, limited to 8 bits.
    layers : tuple of IntegerLayer
        The last one gives z of the outputs.
    step : float
        z of an output is the integer times this number, in the dtype of the network.
    activation : str
        Of the outputs, computed from z in the dtype of the network.
    parameter : float
    dtype : numpy.dtype
        Of the network.
    """

    ranges: Ranges
    low: Numbers
    rate: Numbers
    layers: tuple[IntegerLayer, ...]
    step: float
    activation: str
    parameter: float
    dtype: np.dtype[Any]

    def integers(self, X: ArrayLike) -> NDArray[np.int32]:
        """Return the integers of the outputs, shape (n, outputs), of finite inputs."""
        q = self._inputs(np.asarray(X, np.float64))
        for each in self.layers:
            is_last = each is self.layers[-1]
            acc = q @ each.weights.T.astype(np.int64) + each.biases
            half = np.int64(1) << (each.shifts.astype(np.int64) - 1)
            z = ((acc * each.factors + half) >> each.shifts) + each.zero
            q = np.clip(z, *((-OUTPUT, OUTPUT) if is_last else (LEAST, MOST)))
            if each.table is not None:
                q = each.table[q - LEAST].astype(np.int64)
        return q.astype(np.int32)

    def outputs(self, X: ArrayLike) -> NDArray[Any]:
        """Return the outputs, in the dtype of the network; NaN for inputs that are not finite."""
        X = np.asarray(X, np.float64)
        finite = np.isfinite(X).all(axis=1)
        z = self.dtype.type(self.step) * self.integers(X[finite]).astype(self.dtype)
        found = np.full((len(X), z.shape[1]), np.nan, self.dtype)
        found[finite] = applied(self.activation, self.parameter, z)
        return found

    def _inputs(self, X: Numbers) -> NDArray[np.int64]:
        y = (X - self.low) * self.rate
        return np.floor(np.clip(y, 0, 255) + 0.5).astype(np.int64) + LEAST


def folded(net: Network, operations: Sequence[Operation]) -> list[Layer]:
    """Return the dense layers with the scalings and norms that are beside them.

    Raises
    ------
    ValueError
        If there is something else; the message names the layer.
    """
    layers: list[Layer] = []
    pending: tuple[Any, Any] = 1.0, 0.0  # a factor and an offset for the inputs of the next layer
    is_pending = False
    for each in operations:
        if isinstance(each, InputScaling):
            pending, is_pending = (each.scale, -each.mean * each.scale), True
        elif isinstance(each, DenseOperation):
            weights = each.weights.astype(np.float64)
            biases = np.zeros(len(weights)) if each.biases is None else each.biases
            offsets = np.broadcast_to(np.asarray(pending[1], np.float64), weights.shape[1:])
            biases = _sums(weights, biases.astype(np.float64), offsets[np.newaxis])[0]
            layers.append(
                Layer(each.index, weights * pending[0], biases, each.activation, each.parameter)
            )
            pending, is_pending = (1.0, 0.0), False
        elif isinstance(each, NormOperation) and each.mean is not None:
            assert each.variance is not None
            factor = each.weights / np.sqrt(each.variance.astype(np.float64) + each.eps)
            offset = each.biases - each.mean.astype(np.float64) * factor
            if layers and layers[-1].activation == "identity" and not is_pending:
                last = layers[-1]
                layers[-1] = replace(
                    last,
                    weights=factor[:, np.newaxis] * last.weights,
                    biases=factor * last.biases + offset,
                    activation=each.activation,
                    parameter=each.parameter,
                )
            elif each.activation == "identity":
                pending, is_pending = (pending[0] * factor, pending[1] * factor + offset), True
            else:
                raise _refused(net, each.index, "with an activation has no dense layer before it")
        else:
            index = getattr(each, "index", -1)
            raise _refused(net, index, "has no form in 8-bit integers")
    if is_pending or not layers:
        raise _refused(net, len(net.layers) - 1, "has no dense layer after it")
    return layers


def ranges_of(layers: Sequence[Layer], X: Numbers) -> Ranges:
    """Return the ranges of the numbers over samples, shape (n, inputs)."""
    low, high = X.min(axis=0), X.max(axis=0)
    pairs, a = [], X
    for each in layers:
        z = _sums(each.weights, each.biases, a)
        pairs.append((float(z.min()), float(z.max())))
        if each is not layers[-1]:
            a = applied(each.activation, each.parameter, z)
    return Ranges(low, high, tuple(pairs))


def quantized(
    net: Network, layers: Sequence[Layer], ranges: Ranges, dtype: np.dtype[Any]
) -> Quantized:
    """Return the integers of a network.

    Raises
    ------
    ValueError
        If a sum could overflow 32 bits; the message names the layer.
    """
    if len(ranges.layers) != len(layers) or len(ranges.low) != layers[0].weights.shape[1]:
        raise ValueError("the ranges are those of another network")
    low, high = _widened(ranges.low, ranges.high)
    width = (high - low) / 255
    # Around the middle of each input: the error of a weight counts as much as the input varies.
    first = layers[0]
    middle = (low - LEAST * width)[np.newaxis]
    biases = _sums(first.weights, first.biases, middle)[0]
    scaled, zero = first.weights * width, 0
    made: list[IntegerLayer] = []
    for each, (z_low, z_high) in zip(layers, ranges.layers, strict=True):
        is_last = each is layers[-1]
        table, low_next = None, z_low
        if is_last:
            step = max(max(-z_low, z_high) / (2**15 - 1), SMALLEST)
            z_zero = 0
        else:
            if each.activation == "relu":
                low_next = 0.0
            elif each.activation != "identity":
                low_next, z_high = _bends(each, z_low, z_high)
            step, z_zero = _scale(low_next, z_high)
        weights, biases_, scales = _rows(net, each.index, scaled, biases, zero)
        factors, shifts = _factors(net, each.index, scales / step)
        if not is_last and each.activation not in ("identity", "relu"):
            points = (np.arange(LEAST, MOST + 1) - z_zero) * step
            values = applied(each.activation, each.parameter, points)
            step, zero_next = _scale(float(values.min()), float(values.max()))
            table = _rounded(values / step + zero_next).astype(np.int8)
        else:
            zero_next = z_zero
        made.append(IntegerLayer(each.index, weights, biases_, factors, shifts, z_zero, table))
        if not is_last:
            following = layers[len(made)]
            scaled, biases, zero = following.weights * step, following.biases, zero_next
    return Quantized(
        ranges, low, 1 / width, tuple(made), step, layers[-1].activation, layers[-1].parameter,
        dtype,
    )  # fmt: skip


def applied(activation: str, parameter: float, z: NDArray[Any]) -> NDArray[Any]:
    """Return σ(z) as the engine computes it, in the dtype of z; softmax along the last axis."""
    if activation == "identity" or not z.size:
        return z
    units = z.shape[-1] if activation == "softmax" else 1
    needs = ACTIVATIONS[activation].parameter is not None
    chosen = ChosenActivation(activation, parameter) if needs else activation
    assembly = Assembly(units, activation)
    assembly.dense(np.eye(units), None, chosen)
    net = assembly.network(z.dtype.name)
    return np.asarray(net.forward(z.reshape(-1, units))).reshape(z.shape)


def _sums(weights: Numbers, biases: Numbers, X: Numbers) -> Numbers:
    """Return W x + b for each row of X, as the engine computes it."""
    assembly = Assembly(weights.shape[1], "a layer")
    assembly.dense(weights, biases)
    return np.asarray(assembly.network("float64").forward(X), np.float64)


def _refused(net: Network, index: int, why: str) -> ValueError:
    return ValueError(
        f"layers[{index}] ({net.layers[index].kind}) {why}; expected dense layers, and batch norms "
        "or scalings next to them, for quantize='int8'"
    )


def _rounded(values: Numbers) -> Numbers:
    """Round half up, to 8 bits."""
    return np.clip(np.floor(values + 0.5), LEAST, MOST)


def _widened(low: Numbers, high: Numbers) -> tuple[Numbers, Numbers]:
    """Return ranges of the inputs without those of a single number."""
    margin = np.where(high - low > SMALLEST, 0, np.maximum(np.abs(low), 1))
    return low - margin, high + margin


def _scale(low: float, high: float) -> tuple[float, int]:
    """Return step and zero for a range, which 0 is in."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / 255, SMALLEST)
    return step, int(_rounded(np.array(LEAST - low / step)))


def _bends(layer: Layer, low: float, high: float) -> tuple[float, float]:
    """Return the range of z outside of which the activation is constant within half a step."""
    points = np.linspace(low, high, POINTS)
    values = applied(layer.activation, layer.parameter, points)
    tolerance = (values.max() - values.min()) / 510
    changes = [np.flatnonzero(np.abs(values - end) > tolerance) for end in (values[0], values[-1])]
    if not len(changes[0]):
        return low, high
    return float(points[max(changes[0][0] - 1, 0)]), float(
        points[min(changes[1][-1] + 1, POINTS - 1)]
    )


def _rows(
    net: Network, index: int, weights: Numbers, biases: Numbers, zero: int
) -> tuple[NDArray[np.int8], NDArray[np.int32], Numbers]:
    """Return weights and biases in integers, and the scale of each row.

    Raises
    ------
    ValueError
        If a sum with inputs of 8 bits could overflow 32 bits.
    """
    scales = np.maximum(np.abs(weights).max(axis=1) / WEIGHT, np.abs(biases) / BIAS)
    scales = np.maximum(scales, SMALLEST**2)
    integers = np.clip(np.floor(weights / scales[:, np.newaxis] + 0.5), -WEIGHT, WEIGHT)
    rows = integers.astype(np.int64)
    sums = np.floor(biases / scales + 0.5).astype(np.int64) - zero * rows.sum(axis=1)
    largest = int((np.abs(rows).sum(axis=1) * -LEAST + np.abs(sums)).max())
    if largest >= 2**31:
        raise _refused(
            net, index, f"has sums up to {largest:,}, which 32 bits do not hold: too many inputs"
        )
    return integers.astype(np.int8), sums.astype(np.int32), scales


def _factors(
    net: Network, index: int, ratios: Numbers
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Return m and shift for each row, with m / 2^shift the ratio to 31 binary digits."""
    mantissas, exponents = np.frexp(ratios)
    factors = np.floor(np.ldexp(mantissas, DIGITS) + 0.5).astype(np.int64)
    shifts = DIGITS - exponents.astype(np.int64)
    is_whole = factors == 2**DIGITS
    factors, shifts = np.where(is_whole, 2 ** (DIGITS - 1), factors), shifts - is_whole
    if (shifts < 1).any():
        raise _refused(net, index, "has a scale that is too large")
    is_small = shifts > SHIFT  # less than half a step for all sums
    return (
        np.where(is_small, 0, factors).astype(np.int32),
        np.where(is_small, SHIFT, shifts).astype(np.uint8),
    )
