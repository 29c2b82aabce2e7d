"""The activation functions of layers: names, formulas and default initialisers.

The engine computes the functions; the rest of the package reads the table `ACTIVATIONS`. For each
name there is a function here that chooses it for a layer, with its parameter if it has one:
``Dense(32, leaky_relu(0.2))``. The name alone, ``Dense(32, "leaky_relu")``, takes the default.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from cygrad import checks
from cygrad._engine import kernels
from cygrad.network.initializers import Siren, VarianceScaling
from cygrad.records import dataclass

if TYPE_CHECKING:
    from cygrad.network.initializers import Initializer

# The numbers that both dtypes hold, as normal numbers.
SMALLEST, LARGEST = 2.0**-126, 2.0**127


class Activation(NamedTuple):
    """An activation a = σ(z), one row of the table `ACTIVATIONS`.

    Attributes
    ----------
    formula : str
        a as a function of z.
    slope : str
        σ'(z), in terms of z and a.
    weights_init : str or function of (parameter, first)
        Default initialiser of a layer with this activation: its name, or a function of the
        parameter and of whether the layer is the first one.
    output_only : bool
        True if only the last layer of a network can have it: an output depends on all z.
    increasing : bool
        True if a larger z gives a larger a.
    kinks : tuple of float
        The z at which σ has no derivative.
    parameter : str or None
        Name of the parameter.
    default : float
        Its value for the name alone; 0 if there is none.
    outputs : (float, float) or function of the parameter
        Bounds of a: the smallest and the largest value, or the limits.
    """

    formula: str
    slope: str
    weights_init: str | Callable[[float, bool], Initializer]
    output_only: bool
    increasing: bool
    kinks: tuple[float, ...]
    parameter: str | None
    default: float
    outputs: tuple[float, float] | Callable[[float], tuple[float, float]]


def _row(
    name: str,
    formula: str,
    slope: str,
    weights_init: str | Callable[[float, bool], Initializer],
    kinks: tuple[float, ...] = (),
    parameter: str | None = None,
    default: float = 0.0,
    outputs: tuple[float, float] | Callable[[float], tuple[float, float]] = (-inf, inf),
) -> tuple[str, Activation]:
    """Make a row; its properties are those that csrc/activations.h says."""
    properties = kernels.ACTIVATIONS[name]
    return name, Activation(
        formula,
        slope,
        weights_init,
        output_only="whole_rows" in properties,
        increasing="increasing" in properties,
        kinks=kinks,
        parameter=parameter,
        default=default,
        outputs=outputs,
    )


def _he(slope: float, first: bool) -> Initializer:
    """He et al. 2015, for rectifiers with a slope below zero: the gain is 2 / (1 + slope²)."""
    return VarianceScaling(2 / (1 + slope * slope), "in", "uniform")


# Reasons for these initialisers. relu halves the variance, and He, Zhang, Ren, Sun (2015) make up
# for it; with a slope below zero the gain is 2 / (1 + slope²). Clevert et al. (2016), Hendrycks and
# Gimpel (2016), Ramachandran et al. (2017) and Misra (2020) train elu, gelu, silu and mish from
# He's too; softplus is relu, smoothed (Dugas et al. 2001). Glorot, Bengio (2010) suits activations
# that are nearly linear at z = 0; softsign is one of their examples. selu keeps mean 0 and variance
# 1 if the weights have variance 1 / inputs (Klambauer et al. 2017). The Gaussian is flat at z = 0,
# so LeCun et al. (1998) keep the variance of z at 1, where the slope is not 0. Sitzmann et al.
# (2020) give sine ±√(6 / inputs) / ω, and ±1 / inputs in the first layer.
# All are uniform, because uniform numbers have the same bits on every machine; normal numbers
# depend on the machine's own log and exp.
ACTIVATIONS = dict(
    (
        _row("identity", "z", "1", "glorot_uniform"),
        _row("sigmoid", "1 / (1 + exp(−z))", "a (1 − a)", "glorot_uniform", outputs=(0, 1)),
        _row("tanh", "tanh(z)", "1 − a²", "glorot_uniform", outputs=(-1, 1)),
        _row("relu", "max(z, 0)", "1 where a > 0, else 0", "he_uniform", (0.0,), outputs=(0, inf)),
        _row("gaussian", "exp(−z²)", "−2 z a", "lecun_uniform", outputs=(0, 1)),
        _row(
            "leaky_relu",
            "z where z > 0, else slope z",
            "1 where a > 0, else slope",
            _he,
            (0.0,),
            "slope",
            0.01,
        ),
        _row(
            "elu",
            "z where z > 0, else α (exp(z) − 1)",
            "1 where a > 0, else a + α",
            "he_uniform",
            (0.0,),
            "alpha",
            1.0,
            lambda alpha: (-alpha, inf),
        ),
        _row(
            "selu",
            "λ z where z > 0, else λ α (exp(z) − 1)",
            "λ where a > 0, else a + λ α",
            "lecun_uniform",
            (0.0,),
            outputs=(-1.7581, inf),  # −λ α, rounded down
        ),
        # The lowest points of gelu, gelu_tanh, silu and mish, rounded down.
        _row("gelu", "z Φ(z)", "Φ(z) + z φ(z)", "he_uniform", outputs=(-0.17, inf)),
        _row(
            "gelu_tanh",
            "z (1 + tanh(x / 2)) / 2, x = √(8/π) (z + 0.044715 z³)",
            "s + a (1 − s) dx/dz, s = 1 / (1 + exp(−x))",
            "he_uniform",
            outputs=(-0.1701, inf),
        ),
        _row(
            "silu",
            "z s, s = 1 / (1 + exp(−z))",
            "s + a (1 − s)",
            "he_uniform",
            outputs=(-0.279, inf),
        ),
        _row(
            "mish",
            "z t, t = tanh(ln(1 + exp(z)))",
            "t + z (1 − t²) / (1 + exp(−z))",
            "he_uniform",
            outputs=(-0.309, inf),
        ),
        _row("softplus", "ln(1 + exp(z))", "1 − exp(−a)", "he_uniform", outputs=(0, inf)),
        _row("softsign", "z / (1 + |z|)", "(1 − |a|)²", "glorot_uniform", outputs=(-1, 1)),
        _row(
            "hard_tanh",
            "max(−1, min(1, z))",
            "1 where |a| < 1, else 0",
            "glorot_uniform",
            (-1.0, 1.0),
            outputs=(-1, 1),
        ),
        _row(
            "hard_sigmoid",
            "max(0, min(1, z/6 + 1/2))",
            "1/6 where 0 < a < 1, else 0",
            "glorot_uniform",
            (-3.0, 3.0),
            outputs=(0, 1),
        ),
        _row("sine", "sin(ω z)", "ω cos(ω z)", Siren, (), "omega", 1.0, (-1, 1)),
        _row("exp", "exp(z)", "a", "glorot_uniform", outputs=(0, inf)),
        _row(
            "softmax",
            "exp(z) / Σ exp(z)",
            "diag(a) − a aᵀ",
            "glorot_uniform",
            outputs=(0, 1),
        ),
    )
)

# The names that files had in the first version of their format.
FIRST_ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "gaussian", "softmax")

#: All names, for docstrings.
NAMES = ", ".join(f'"{name}"' for name in ACTIVATIONS)


@dataclass(frozen=True, repr=False)
class ChosenActivation:
    """An activation for a layer, with its parameter; `leaky_relu` and the others here return it.

    Attributes
    ----------
    name : str
        A name of `ACTIVATIONS`.
    parameter : float or None
        None if the activation has no parameter.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.activations.leaky_relu(0.2)
    leaky_relu(slope=0.2)
    >>> cg.Dense(8, cg.activations.leaky_relu(0.2))
    Dense(8, leaky_relu(slope=0.2))
    >>> cg.Dense(8, cg.activations.leaky_relu())  # the default
    Dense(8, 'leaky_relu')
    """

    name: str
    parameter: float | None = None

    def __post_init__(self) -> None:
        checks.one_of(self.name, "name", ACTIVATIONS)
        name = ACTIVATIONS[self.name].parameter
        if name is None:
            if self.parameter is not None:
                raise ValueError(f"{self.name} has the parameter {self.parameter!r}, expected none")
            return
        parameter = checks.number(self.parameter, f"{name} of {self.name}")
        if not SMALLEST <= parameter <= LARGEST:
            hint = "; relu has the slope 0" if self.name == "leaky_relu" else ""
            raise ValueError(
                f"{name} of {self.name} is {parameter}, expected a number above 0, "
                f"from {SMALLEST:.2g} to {LARGEST:.2g}{hint}"
            )
        object.__setattr__(self, "parameter", parameter)

    def __repr__(self) -> str:
        if self.parameter is None:
            return f"{self.name}()"
        return f"{self.name}({ACTIVATIONS[self.name].parameter}={self.parameter!r})"


def leaky_relu(slope: float = 0.01) -> ChosenActivation:
    """Return the activation a = z where z > 0, else slope · z.

    Its derivative at 0 is the slope, as in PyTorch; JAX takes 1.

    Parameters
    ----------
    slope : float
        Above 0. PyTorch and the function of Keras have 0.01 and 0.2, Keras' layer 0.3.

    References
    ----------
    A. Maas, A. Hannun, A. Ng, "Rectifier nonlinearities improve neural network acoustic models",
    ICML workshop 2013.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(
    ...     2, [cg.Dense(8, cg.activations.leaky_relu(0.2)), cg.Dense(1)], loss="mse", rng=0)
    >>> net.layers[0].activation
    leaky_relu(slope=0.2)
    """
    return ChosenActivation("leaky_relu", slope)


def elu(alpha: float = 1.0) -> ChosenActivation:
    """Return the activation a = z where z > 0, else α (exp(z) − 1).

    Its derivative at 0 is α, as in PyTorch.

    Parameters
    ----------
    alpha : float
        α, above 0.

    References
    ----------
    D.-A. Clevert, T. Unterthiner, S. Hochreiter, "Fast and accurate deep network learning by
    exponential linear units (ELUs)", ICLR 2016.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.activations.elu(0.5)
    elu(alpha=0.5)
    """
    return ChosenActivation("elu", alpha)


def sine(omega: float = 1.0) -> ChosenActivation:
    """Return the activation a = sin(ω z).

    By default the weights of such a layer are uniform on ±√(6 / inputs) / ω, and on ±1 / inputs in
    the first layer of a network. Networks for images and fields have ω = 30.

    Parameters
    ----------
    omega : float
        ω, above 0.

    References
    ----------
    V. Sitzmann, J. Martel, A. Bergman, D. Lindell, G. Wetzstein, "Implicit neural representations
    with periodic activation functions", NeurIPS 2020.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.activations.sine(30)
    sine(omega=30.0)
    """
    return ChosenActivation("sine", omega)


def _plain(name: str, source: str = "") -> Callable[[], ChosenActivation]:
    """Make the function that chooses an activation without a parameter."""

    def choose() -> ChosenActivation:
        return ChosenActivation(name)

    choose.__name__ = choose.__qualname__ = name
    choose.__module__ = __name__
    choose.__doc__ = f"Return the activation a = {ACTIVATIONS[name].formula}.{source}"
    return choose


identity = _plain("identity")
sigmoid = _plain("sigmoid")
tanh = _plain("tanh")
relu = _plain("relu")
gaussian = _plain("gaussian")
selu = _plain(
    "selu",
    """

    λ = 1.0507009873554805, α = 1.6732632423543772. G. Klambauer, T. Unterthiner, A. Mayr,
    S. Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
    """,
)
gelu = _plain(
    "gelu",
    """

    Φ and φ are the distribution function and the density of the normal distribution: the exact
    form, as PyTorch's and Keras' layers have by default. D. Hendrycks, K. Gimpel, "Gaussian error
    linear units (GELUs)", 2016.
    """,
)
gelu_tanh = _plain(
    "gelu_tanh",
    """

    An approximation to gelu, off by at most 0.0005 (Hendrycks & Gimpel 2016); JAX' default.
    """,
)
silu = _plain(
    "silu",
    """

    Also called swish. S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units for neural
    network function approximation in reinforcement learning", 2017.
    """,
)
mish = _plain(
    "mish",
    """

    D. Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """,
)
softplus = _plain(
    "softplus",
    """

    Exact for every z; PyTorch returns z above 20. C. Dugas et al., "Incorporating second-order
    functional knowledge for better option pricing", NeurIPS 2001.
    """,
)
softsign = _plain(
    "softsign",
    """

    J. Bergstra, G. Desjardins, P. Lamblin, Y. Bengio, "Quadratic polynomials learn better image
    features", 2009.
    """,
)
hard_tanh = _plain(
    "hard_tanh",
    """

    Its derivative at ±1 is 0, as in PyTorch; JAX takes 1. R. Collobert, "Large scale machine
    learning", 2004.
    """,
)
hard_sigmoid = _plain(
    "hard_sigmoid",
    """

    Its derivative at ±3 is 0, as in PyTorch. M. Courbariaux, Y. Bengio, J.-P. David,
    "BinaryConnect", NeurIPS 2015, with the factor 1/6 that PyTorch and Keras take.
    """,
)
exp = _plain("exp", " For rates, such as the outputs of a Poisson regression.")
softmax = _plain("softmax", " For the last layer only.")

__all__ = ["ACTIVATIONS", "Activation", "ChosenActivation", *ACTIVATIONS]


# What the rest of the package asks of the activation of a layer: a name, or a `ChosenActivation`.


def checked(activation: object) -> str | ChosenActivation:
    """Return the activation of a layer, by its name alone if its parameter is the default."""
    if not isinstance(activation, ChosenActivation):
        return checks.one_of(activation, "activation", ACTIVATIONS)
    row = ACTIVATIONS[activation.name]
    is_default = activation.parameter in (None, row.default)
    return activation.name if is_default else activation


def name_of(activation: str | ChosenActivation) -> str:
    """Return the name of an activation."""
    return activation if isinstance(activation, str) else activation.name


def row_of(activation: str | ChosenActivation) -> Activation:
    """Return the row of an activation."""
    return ACTIVATIONS[name_of(activation)]


def parameter_of(activation: str | ChosenActivation) -> float:
    """Return the parameter of an activation; 0 if it has none."""
    if isinstance(activation, str) or activation.parameter is None:
        return row_of(activation).default
    return activation.parameter


def output_range(activation: str | ChosenActivation) -> tuple[float, float]:
    """Return the bounds of the values that an activation can have."""
    bounds = row_of(activation).outputs
    return bounds if isinstance(bounds, tuple) else bounds(parameter_of(activation))


def kinks_of(activation: str | ChosenActivation) -> tuple[float, ...]:
    """Return the z at which an activation has no derivative: elu has none with α = 1."""
    if name_of(activation) == "elu" and parameter_of(activation) == 1:
        return ()
    return row_of(activation).kinks


def default_weights(activation: str | ChosenActivation, first: bool) -> str | Initializer:
    """Return the default initialiser of the weights; `first`: whether the layer is the first."""
    default = row_of(activation).weights_init
    return default if isinstance(default, str) else default(parameter_of(activation), first)


def described(activation: str | ChosenActivation) -> str | dict[str, Any]:
    """Return an activation as a value for JSON: its name, or its name and its parameter."""
    if isinstance(activation, str):
        return activation
    row = row_of(activation)
    parameter = {} if row.parameter is None else {row.parameter: activation.parameter}
    return {"name": activation.name, **parameter}


def restored(description: str | dict[str, Any]) -> str | ChosenActivation:
    """Return the activation for a result of `described`."""
    if not isinstance(description, dict):
        return checked(description)
    name = checks.one_of(description["name"], "activation", ACTIVATIONS)
    parameter = ACTIVATIONS[name].parameter
    if parameter is None or description.keys() != {"name", parameter}:
        raise ValueError(f"activation is {description!r}, expected its name and its parameter")
    return checked(ChosenActivation(name, description[parameter]))
