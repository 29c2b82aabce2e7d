"""Initialisers of a layer's parameters: `glorot_uniform`, `he_normal`, `zeros`, `normal(0.1)`, …

An initialiser is called as `initializer(rng, shape)`, with a `numpy.random.Generator` and the
shape (out, in) of weights or (out,) of biases, and returns a float64 array of that shape; any
such function can be passed to `Dense`. Numbers are drawn as float64 and then rounded to the
network's dtype, so that a float32 and a float64 network of one seed start with the same values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np

from cygrad import checks
from cygrad.records import dataclass

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

    Initializer = Callable[[Generator, tuple[int, ...]], NDArray[np.float64]]


@dataclass(frozen=True)
class VarianceScaling:
    """Weights of mean 0 and variance v = gain / fan, uniform on ±√(3 v) or normal.

    Parameters
    ----------
    gain : float
    fan : {"in", "mean"}
        The number of inputs of the layer, or the mean of its inputs and outputs.
    distribution : {"uniform", "normal"}

    References
    ----------
    Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998: gain 1 over the inputs.
    X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010: gain 1 over the mean.
    K. He, X. Zhang, S. Ren, J. Sun, "Delving deep into rectifiers", ICCV 2015: gain 2 over the
    inputs.
    """

    gain: float
    fan: Literal["in", "mean"]
    distribution: Literal["uniform", "normal"]

    def __call__(self, rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Draw weights of shape (out, in)."""
        outputs, inputs = shape
        variance = self.gain / (inputs if self.fan == "in" else (inputs + outputs) / 2)
        if self.distribution == "normal":
            return math.sqrt(variance) * rng.standard_normal(shape)
        return math.sqrt(3 * variance) * (2 * rng.random(shape) - 1)


@dataclass(frozen=True)
class Siren:
    """Weights of layers with the activation sine: uniform on ±√(6 / inputs) / ω.

    Parameters
    ----------
    omega : float
        ω of the activation, above 0.
    first : bool
        True for the first layer of a network: uniform on ±1 / inputs.

    References
    ----------
    V. Sitzmann, J. Martel, A. Bergman, D. Lindell, G. Wetzstein, "Implicit neural representations
    with periodic activation functions", NeurIPS 2020.

    Examples
    --------
    >>> import cygrad as cg
    >>> import numpy as np
    >>> weights = cg.initializers.siren(30)(np.random.default_rng(0), (1000, 6))
    >>> bool(abs(weights).max() < 1 / 30)
    True
    """

    omega: float = 1.0
    first: bool = False

    def __post_init__(self) -> None:
        omega = checks.number(self.omega, "omega of siren")
        if omega <= 0:
            raise ValueError(f"omega of siren is {omega}, expected a number above 0")
        object.__setattr__(self, "omega", omega)
        object.__setattr__(self, "first", checks.flag(self.first, "first of siren"))

    def __call__(self, rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Draw weights of shape (out, in)."""
        inputs = shape[1]
        bound = 1 / inputs if self.first else math.sqrt(6 / inputs) / self.omega
        return bound * (2 * rng.random(shape) - 1)


@dataclass(frozen=True)
class Constant:
    """The same number for every parameter.

    Parameters
    ----------
    value : float
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", checks.number(self.value, "value of constant"))

    def __call__(self, rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Fill an array of the given shape."""
        return np.full(shape, self.value, dtype=np.float64)


@dataclass(frozen=True)
class Normal:
    """Parameters drawn from N(0, std²).

    Parameters
    ----------
    std : float
        0 or more.
    """

    std: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "std", checks.number(self.std, "std of normal", least=0))

    def __call__(self, rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Draw an array of the given shape."""
        return self.std * rng.standard_normal(shape)


@dataclass(frozen=True, eq=False)
class Given:
    """The values of an array, which must have the shape of the parameters."""

    values: NDArray[np.float64]

    def __call__(self, rng: Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return the values; the caller checks their shape, to name its argument in the error."""
        return self.values


zeros = Constant(0.0)
constant = Constant
normal = Normal
glorot_uniform = VarianceScaling(1.0, "mean", "uniform")
glorot_normal = VarianceScaling(1.0, "mean", "normal")
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal  # by the author's first name
he_uniform = VarianceScaling(2.0, "in", "uniform")
he_normal = VarianceScaling(2.0, "in", "normal")
lecun_uniform = VarianceScaling(1.0, "in", "uniform")
lecun_normal = VarianceScaling(1.0, "in", "normal")
siren = Siren

INITIALIZERS: dict[str, Initializer] = {
    "zeros": zeros,
    "glorot_uniform": glorot_uniform,
    "glorot_normal": glorot_normal,
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "he_uniform": he_uniform,
    "he_normal": he_normal,
    "lecun_uniform": lecun_uniform,
    "lecun_normal": lecun_normal,
}


def draws(initializer: Initializer) -> bool:
    """Return whether an initialiser may draw numbers: all but `Constant` and `Given`."""
    return type(initializer) not in (Constant, Given)


def resolve(given: str | ArrayLike | Initializer, name: str) -> Initializer:
    """Return the initialiser for an argument.

    Parameters
    ----------
    given : str, number, array or initialiser
        A name in `INITIALIZERS`, one value for all parameters, an array of their values, or any
        callable `initializer(rng, shape)`.
    name : str
        Name of the argument in error messages.

    Raises
    ------
    TypeError, ValueError
        If `given` is not as described, or holds NaN or infinity.
    """
    if isinstance(given, str):
        if given not in INITIALIZERS:
            raise ValueError(
                f"{name} is {given!r}, expected one of {', '.join(map(repr, INITIALIZERS))}, "
                "a number, normal(std), an array or a function of (rng, shape)"
            )
        return INITIALIZERS[given]
    if isinstance(given, type):
        raise TypeError(f"{name} is the class {given.__name__}, expected an instance of it")
    if callable(given):
        return given
    if type(given) is float and math.isfinite(given):
        return Constant(given)
    values = checks.array(given, name)
    if values.dtype.kind not in "uif":
        raise TypeError(
            f"{name} is {given!r}, expected the name of an initialiser, a number, an array of "
            "numbers or a function of (rng, shape)"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity, expected finite numbers")
    if values.ndim == 0:
        return Constant(float(values))
    copy = values.astype(np.float64)
    copy.flags.writeable = False
    return Given(copy)
