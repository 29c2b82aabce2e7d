"""The self-test of an export: samples with the outputs of the network, and the comparison.

Formats that can hold them carry the samples as JSON, so that ``cygrad verify`` repeats the test.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.exchange.operations import InputScaling, Program
from cygrad.tables.encodings import BooleanEncoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cygrad.network import Network

ROWS = 8
#: Operations of an activation, and of the steps of a norm, for the bound of rounding errors.
STEPS = 8
#: The step of the relative changes that measure how rounding errors grow, and how often.
CHANGE, TRIALS = 2.0**-26, 3
#: Random changes seldom are the worst ones.
SAFETY = 4


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples and what the network computes for them.

    Attributes
    ----------
    inputs : ndarray of float64, shape (n, inputs)
        Numbers that the dtype of the network holds.
    outputs : ndarray of float64, shape (n, outputs)
        Outputs of `Network.forward`, quantities in their unit.
    allowed : float
        The largest difference that rounding explains, next to the largest output.
    """

    inputs: NDArray[np.float64]
    outputs: NDArray[np.float64]
    allowed: float

    def to_json(self) -> str:
        """Return the samples as JSON; numbers keep their bits."""
        values = {
            "inputs": self.inputs.tolist(),
            "outputs": self.outputs.tolist(),
            "allowed": self.allowed,
        }
        return json.dumps(values, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Samples:
        """Return the samples of `to_json`.

        Raises
        ------
        KeyError, TypeError, ValueError
            If they are something else.
        """
        values = json.loads(text)
        if not isinstance(values, Mapping):
            raise TypeError("the samples of the self-test are no object")
        inputs, outputs = (np.array(values[key], np.float64) for key in ("inputs", "outputs"))
        if inputs.ndim != 2 or outputs.ndim != 2 or len(inputs) != len(outputs):
            raise ValueError(f"samples of shapes {inputs.shape} and {outputs.shape}")
        return cls(inputs, outputs, checks.number(values["allowed"], "allowed", least=0))

    def compare(self, outputs: NDArray[Any], runtime: str) -> SelfTest:
        """Compare the outputs of a runtime, with a warning where rounding does not explain them.

        Parameters
        ----------
        outputs : ndarray, shape (n, outputs)
        runtime : str
            Name and version.

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        if outputs.shape != self.outputs.shape:
            raise ValueError(
                f"{runtime} gives outputs of shape {outputs.shape}, expected {self.outputs.shape}"
            )
        largest = float(np.abs(self.outputs).max(initial=0.0)) or 1.0
        difference = float(np.abs(outputs - self.outputs).max(initial=0.0)) / largest
        test = SelfTest(runtime, len(outputs), difference, self.allowed)
        if not test.passed:
            warnings.warn(f"{test}, more than rounding explains", stacklevel=4)
        return test


@dataclass(frozen=True)
class SelfTest:
    """The result of a self-test.

    Attributes
    ----------
    runtime : str
        What computed the samples, with its version.
    rows : int
    difference : float
        The largest difference from the outputs of cygrad, next to the largest output.
    allowed : float
        The largest one that rounding explains.
    """

    runtime: str
    rows: int
    difference: float
    allowed: float

    @property
    def passed(self) -> bool:
        """True if rounding explains the difference; NaN is none."""
        return self.difference <= self.allowed

    def __str__(self) -> str:
        return (
            f"{self.runtime}: {self.rows} samples, largest difference {self.difference:.2g} "
            f"(allowed {self.allowed:.2g})"
        )


def samples(net: Network, program: Program) -> Samples:
    """Return samples around the middle of the training data, and the outputs of a network.

    The first is the middle, the others are normal with the deviation of the training data. The same
    network has the same samples. Those for which it overflows are left out.

    Raises
    ------
    ValueError
        If it overflows for all.
    """
    normal = np.random.default_rng(0).standard_normal((ROWS, program.inputs))
    normal[0] = 0
    first = program.operations[0] if program.operations else None
    X = normal
    if isinstance(first, InputScaling):
        X = first.mean + normal / np.where(first.scale == 0, 1, first.scale)
    if program.columns is not None and net.encoder is not None:
        for index, each in enumerate(net.encoder.encodings):
            if isinstance(each, BooleanEncoding):
                X[:, index] = X[:, index] >= 0.5
    X = X.astype(net.dtype).astype(np.float64)
    computed = outputs(net, program, X)
    finite = np.isfinite(computed).all(axis=1)
    if not finite.any():
        raise ValueError(
            "the network gives NaN or infinity for inputs in the middle of the training data, "
            "expected finite outputs"
        )
    X, computed = X[finite], computed[finite]
    return Samples(X, computed, _allowed(net, program, X))


def mean_samples(
    members: Sequence[Network], programs: Sequence[Program], X: NDArray[np.float64]
) -> Samples:
    """Return samples for the mean outputs of networks, as `samples` does for one."""
    pairs = list(zip(members, programs, strict=True))
    each = [outputs(net, program, X) for net, program in pairs]
    finite = np.isfinite(each).all(axis=(0, 2))
    if not finite.any():
        raise ValueError("a member gives NaN or infinity for all samples, expected finite outputs")
    X = X[finite]
    mean = np.mean(each, axis=0)[finite]
    # Each member's errors are relative to its own largest output, which can be larger than that of
    # the mean.
    largest = [float(np.abs(a[finite]).max(initial=0.0)) for a in each]
    share = max(largest) / (float(np.abs(mean).max(initial=0.0)) or 1.0)
    allowed = max(_allowed(net, program, X) for net, program in pairs)
    return Samples(X, mean, allowed * max(share, 1.0))


def outputs(net: Network, program: Program, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a network computes for the inputs of its program, shape (n, outputs)."""
    if program.columns is None:
        return net.forward(X).astype(np.float64)
    assert net.encoder is not None
    table = dict(zip(program.columns, X.T, strict=True))
    computed = net.forward(net.encoder.transform(table))
    if net.encoder.classes is not None:
        return computed.astype(np.float64)
    return in_unit(net, computed)


def in_unit(net: Network, outputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return outputs as quantities in their unit, shape (n, outputs)."""
    from cygrad.network.losses import row_of

    assert net.encoder is not None
    moments = row_of(net.loss).outputs == "moments"
    decoded = net.encoder.decode(outputs, moments=moments)
    return np.asarray(decoded, np.float64).reshape(outputs.shape)


def _allowed(net: Network, program: Program, X: NDArray[np.float64]) -> float:
    """Return the largest difference that rounding explains, next to the largest output.

    A chain of n operations with rounding computes what an exact one does with other parameters,
    each by a factor of up to 1 + n ε (N. J. Higham, "Accuracy and Stability of Numerical
    Algorithms", 2nd ed. 2002, §3.5). So parameters and inputs are changed by such factors of random
    sign, times a step that float64 resolves, and the change of the outputs is scaled down.
    """
    rng = np.random.default_rng(1)

    def changed(values: NDArray[Any], operations: int) -> NDArray[np.float64]:
        signs = rng.choice([-1.0, 1.0], np.shape(values))
        return np.asarray(values, np.float64) * (1 + signs * operations * CHANGE)

    copy = net.as_dtype("float64")
    exact, largest_change = outputs(copy, program, X), 0.0
    for _ in range(TRIALS):
        for name, values in net.arrays().items():
            kind, _, index = name.rpartition("_")
            if index.isdecimal():  # the standardisation is in float64
                layer = copy.layers[int(index)]
                setattr(layer, kind, changed(values, layer.inputs + STEPS))
        change = np.abs(outputs(copy, program, changed(X, 1)) - exact).max(initial=0.0)
        largest_change = max(largest_change, float(change))
    largest = float(np.abs(exact).max(initial=0.0)) or 1.0
    eps = float(np.finfo(program.dtype).eps)
    return eps * (STEPS + SAFETY * largest_change / CHANGE / largest)
