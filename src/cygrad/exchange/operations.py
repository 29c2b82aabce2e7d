"""The computation of a network for inference, as a list of operations for other formats.

`program` gives the operations in their order, from the columns of a table or the inputs of the
network to the outputs in their unit. Dropout and noise do nothing there and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.network.layers import Dense
from cygrad.network.losses import row_of
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.residual import ResidualSum
from cygrad.network.scaling import Scaling
from cygrad.tables.encodings import BooleanEncoding, NumberEncoding
from cygrad.tables.target_encoding import QuantityTargets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network
    from cygrad.network.layers import Layer
    from cygrad.tables.encoder import Encoder
    from cygrad.tables.scaling import Scaling as ColumnScaling

# An ε above 0, as formats need it, with 1 + ε = 1 in float32 and float64; float32 holds it.
NEGLIGIBLE = 1e-30


@dataclass(frozen=True, eq=False)
class InputScaling:
    """Scale the inputs: z = (x − mean) ⊙ scale in float64, rounded to the dtype of the network.

    Attributes
    ----------
    mean, scale : ndarray of float64, shape (inputs,)
    clipped : ndarray of bool, shape (inputs,)
        Inputs that become z / √(1 + (z / 3)²), see `cygrad.tables.Encoder`.
    divisor : ndarray of float64, shape (inputs,), or None
        What an encoder divides by, to the bit; 1 / `scale`.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    clipped: NDArray[np.bool_]
    divisor: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class DenseOperation:
    """A dense layer: a = σ(W x + b).

    Attributes
    ----------
    index : int
        Of the layer in `Network.layers`.
    weights : ndarray, shape (units, inputs)
    biases : ndarray, shape (units,), or None
    activation : str
    parameter : float
        Of the activation; 0 if it has none.
    """

    index: int
    weights: NDArray[Any]
    biases: NDArray[Any] | None
    activation: str
    parameter: float


@dataclass(frozen=True, eq=False)
class NormOperation:
    """A batch norm with its running statistics, or a layer norm: a = σ(γ ⊙ x̂ + β).

    A scaling layer is a batch norm of mean 0 and variance 1, whose x̂ is x to the bit.

    Attributes
    ----------
    index : int
    weights, biases : ndarray, shape (units,)
        γ and β.
    mean, variance : ndarray, shape (units,), or None
        The running statistics of a batch norm, None for a layer norm.
    eps : float
    activation : str
    parameter : float
    """

    index: int
    weights: NDArray[Any]
    biases: NDArray[Any]
    mean: NDArray[Any] | None
    variance: NDArray[Any] | None
    eps: float
    activation: str
    parameter: float


@dataclass(frozen=True, eq=False)
class ResidualOperation:
    """A residual block: a = σ(x + f(x)).

    Attributes
    ----------
    index : int
        Of the sum.
    operations : tuple of operations
        f.
    activation : str
    parameter : float
    """

    index: int
    operations: tuple[Operation, ...]
    activation: str
    parameter: float


@dataclass(frozen=True, eq=False)
class OutputScaling:
    """Quantities in their unit: y = a ⊙ deviations + means in float64, then its inverse logarithm.

    Attributes
    ----------
    means, deviations : ndarray of float64, shape (outputs,)
    logarithm : {"none", "log", "log1p"}
        "log": y becomes exp(y); "log1p": exp(y) − 1.
    """

    means: NDArray[np.float64]
    deviations: NDArray[np.float64]
    logarithm: str


Operation = InputScaling | DenseOperation | NormOperation | ResidualOperation | OutputScaling


@dataclass(frozen=True, eq=False)
class Program:
    """The computation of a network.

    Attributes
    ----------
    columns : tuple of str or None
        Names of the inputs, if the network has an encoder.
    inputs, outputs : int
    operations : tuple of operations
    classes : tuple of str or None
        Names of the classes.
    decision : {"largest", "half", "none"}
        A class is that of the largest output, or an output above ½ is one; or there are no classes.
    dtype : numpy.dtype
    """

    columns: tuple[str, ...] | None
    inputs: int
    outputs: int
    operations: tuple[Operation, ...]
    classes: tuple[str, ...] | None
    decision: str
    dtype: np.dtype[Any]

    def flat(self) -> Iterator[Operation]:
        """Yield all operations, those of a residual block before its sum."""
        yield from _flat(self.operations)


def program(net: Network, *, lossy: bool = False) -> Program:
    """Return the computation of a network.

    Parameters
    ----------
    net : Network
    lossy : bool
        Leave out an encoder that has more than numbers without gaps: the inputs are then those that
        the encoder gives, and quantities as they were learned.

    Raises
    ------
    TypeError
        If `net` is no network.
    ValueError
        If a parameter is NaN or infinite; or if the encoder has text, dates, gaps or quantiles, and
        `lossy` is False. The message names the parameter or the column.
    """
    _check(net)
    operations = _operations(net.layers, nested(net.layers))
    columns = None
    if net.input_mean is not None and net.input_scale is not None:
        plain = np.zeros(net.inputs, bool)
        operations.insert(0, InputScaling(net.input_mean, net.input_scale, plain))
    if net.encoder is not None:
        obstacle = obstacle_of(net.encoder)
        if obstacle is None:
            columns = net.encoder.input_names
            operations.insert(0, input_scaling(net.encoder))
            unit = output_scaling(net.loss, net.outputs, net.encoder)
            operations += [] if unit is None else [unit]
        elif not lossy:
            raise ValueError(
                f"the encoder of the network has {obstacle}, which other formats do not hold; "
                "expected lossy=True, for a network whose inputs are those of "
                "net.encoder.transform(table)"
            )
    row = row_of(net.loss)
    decision = "largest" if row.labels else "half" if row.decides_at_half else "none"
    return Program(
        columns, net.inputs, net.outputs, tuple(operations), net.classes, decision, net.dtype
    )


def _check(net: Any) -> None:
    """Raise an error if something else comes, or a network whose training has overflowed."""
    from cygrad.network import Network

    if not isinstance(net, Network):
        raise TypeError(f"net is {type(net).__name__}, expected a Network")
    for name, array in net.arrays().items():
        if not np.isfinite(array).all():
            kind, _, index = name.rpartition("_")
            shown = f"layers[{index}].{kind}" if index.isdecimal() else name
            raise ValueError(f"{shown} holds NaN or infinity, expected finite numbers")


@dataclass(frozen=True)
class Place:
    """A layer in its place: alone, or as the sum of a residual block.

    Attributes
    ----------
    index : int
        Of the layer in `Network.layers`.
    block : tuple of Place or None
        The layers of the block, if it is a sum.
    """

    index: int
    block: tuple[Place, ...] | None


def nested(layers: Sequence[Layer]) -> tuple[Place, ...]:
    """Return the layers in their order, those of a residual block inside its sum."""
    return _nested(layers, 0, len(layers))


def _nested(layers: Sequence[Layer], start: int, end: int) -> tuple[Place, ...]:
    found: list[Place] = []
    while end > start:  # from the last one on: a sum tells where its block begins
        end -= 1
        description = layers[end].description
        if isinstance(description, ResidualSum):
            found.append(Place(end, _nested(layers, description.source, end)))
            end = description.source
        else:
            found.append(Place(end, None))
    return tuple(found[::-1])


def _operations(layers: Sequence[Layer], places: Sequence[Place]) -> list[Operation]:
    """Return the operations of layers, a block as one of them."""
    found: list[Operation] = []
    for each in places:
        layer = layers[each.index]
        if each.block is not None:
            block = tuple(_operations(layers, each.block))
            activation = layer.activation_name, layer.activation_parameter
            found.append(ResidualOperation(each.index, block, *activation))
        elif layer.has_weights:
            found.append(_operation(layer, each.index))
    return found


def _operation(layer: Layer, index: int) -> Operation:
    """Return the operation of a layer with parameters."""
    activation = layer.activation_name, layer.activation_parameter
    description = layer.description
    if isinstance(description, Dense):
        biases = layer.biases if layer.use_bias else None
        return DenseOperation(index, layer.weights, biases, *activation)
    if isinstance(description, Scaling):
        unit = np.zeros_like(layer.weights), np.ones_like(layer.weights)
        return NormOperation(index, layer.weights, layer.biases, *unit, NEGLIGIBLE, *activation)
    assert isinstance(description, BatchNorm | LayerNorm)
    statistics: tuple[Any, Any] = None, None
    if isinstance(description, BatchNorm):
        statistics = layer.running_mean, layer.running_variance
    return NormOperation(
        index, layer.weights, layer.biases, *statistics, description.eps, *activation
    )


def obstacle_of(encoder: Encoder) -> str | None:
    """Return the first column whose encoding is more than a formula for each number."""
    for each in encoder.encodings:
        if each.has_gaps:
            return f"gaps in column {each.name!r}"
        if isinstance(each, NumberEncoding):
            if each.scaling.quantiles:
                return f"quantiles of column {each.name!r}"
        elif isinstance(each, BooleanEncoding):
            if each.scaling is not None and not _is_halved(each.scaling):
                return f"a scale of the boolean {each.name!r}"
        else:
            return f"the {each.kind} {each.name!r}"
    return None


def _is_halved(scaling: ColumnScaling) -> bool:
    """Return whether half the center and scale give 0 and 1 the same bits as 2 x − 1 before."""
    half = (scaling.center + 1) / 2
    return not scaling.quantiles and all(
        2 * (x - half) == (2 * x - 1) - scaling.center for x in (0.0, 1.0)
    )


def input_scaling(encoder: Encoder) -> InputScaling:
    """Return the scaling of columns that are all numbers."""
    centers, divisors, clipped = [], [], []
    for each in encoder.encodings:
        if isinstance(each, NumberEncoding):
            centers.append(each.scaling.center)
            divisors.append(each.scaling.scale)
            clipped.append(each.scaling.method == "robust")
        else:  # 2 x − 1, and its scale: (2 x − 1 − center) / scale
            scaling = each.scaling if isinstance(each, BooleanEncoding) else None
            centers.append(0.5 if scaling is None else (scaling.center + 1) / 2)
            divisors.append(0.5 if scaling is None else scaling.scale / 2)
            clipped.append(scaling is not None and scaling.method == "robust")
    divisor = np.array(divisors)
    return InputScaling(np.array(centers), 1 / divisor, np.array(clipped), divisor)


def output_scaling(loss: Any, outputs: int, encoder: Encoder) -> OutputScaling | None:
    """Return the operation that gives quantities their unit, None if they are not scaled."""
    targets = encoder.target_encoding
    if not isinstance(targets, QuantityTargets) or targets.scale == "none":
        return None
    moments = loss is not None and row_of(loss).outputs == "moments"
    means, deviations = targets.unit(moments=moments)
    means, deviations = (np.resize(each, outputs) for each in (means, deviations))
    logarithm = targets.scale if targets.scale.startswith("log") else "none"
    return OutputScaling(means, deviations, logarithm)


def _flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    for each in operations:
        if isinstance(each, ResidualOperation):
            yield from _flat(each.operations)
        yield each
