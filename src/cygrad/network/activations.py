"""The activation functions of layers: names, formulas and default initialisers.

The engine computes the functions; the rest of the package reads this table.
"""

from __future__ import annotations

from typing import NamedTuple

from cygrad._engine import kernels


class Activation(NamedTuple):
    """An activation a = σ(z), one row of the table `ACTIVATIONS`.

    Attributes
    ----------
    formula : str
        a as a function of z.
    slope : str
        σ'(z), in terms of z and a.
    weights_init : str
        Name of the default initialiser of a layer with this activation.
    output_only : bool
        True if only the last layer of a network can have it: an output depends on all z.
    increasing : bool
        True if a larger z gives a larger a.
    kink_at_zero : bool
        True if σ has no derivative at z = 0.
    """

    formula: str
    slope: str
    weights_init: str
    output_only: bool
    increasing: bool
    kink_at_zero: bool


def _row(name: str, formula: str, slope: str, weights_init: str) -> tuple[str, Activation]:
    """Make a row; its properties are those that csrc/activations.h says."""
    properties = kernels.ACTIVATIONS[name]
    return name, Activation(
        formula,
        slope,
        weights_init,
        output_only="whole_rows" in properties,
        increasing="increasing" in properties,
        kink_at_zero="kink_at_zero" in properties,
    )


# Reasons for these initialisers. relu halves the variance, and He, Zhang, Ren, Sun (2015) make up
# for it. Glorot, Bengio (2010) suits the activations that are nearly linear at z = 0. The Gaussian
# is flat at z = 0, so LeCun et al. (1998) keep the variance of z at 1, where the slope is not 0.
# All are uniform, because uniform numbers have the same bits on every machine; normal numbers
# depend on the machine's own log and exp.
ACTIVATIONS = dict(
    (
        _row("identity", "z", "1", "glorot_uniform"),
        _row("sigmoid", "1 / (1 + exp(−z))", "a (1 − a)", "glorot_uniform"),
        _row("tanh", "tanh(z)", "1 − a²", "glorot_uniform"),
        _row("relu", "max(z, 0)", "1 where a > 0, else 0", "he_uniform"),
        _row("gaussian", "exp(−z²)", "−2 z a", "lecun_uniform"),
        _row("softmax", "exp(z) / Σ exp(z)", "diag(a) − a aᵀ", "glorot_uniform"),
    )
)

#: All names, for docstrings.
NAMES = ", ".join(f'"{name}"' for name in ACTIVATIONS)
