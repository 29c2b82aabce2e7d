"""The activation functions a layer can have: their names, formulas and what goes well with them.

The functions themselves are computed by the engine; this table is what the rest of the package
knows of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Activation(NamedTuple):
    """What the package knows of an activation a = σ(z).

    Attributes
    ----------
    formula : str
        a as a function of z.
    slope : str
        σ'(z), in terms of z and a.
    weights_init : str
        Name of the initialiser that a layer with this activation takes when none is given.
    output_only : bool
        Whether only the last layer of a network can have it.
    """

    formula: str
    slope: str
    weights_init: str
    output_only: bool = False


# Why these initialisers: He, Zhang, Ren, Sun (2015) for relu, which passes half of the variance on;
# Glorot, Bengio (2010) for those that are near a line at z = 0; the Gaussian is flat there, and
# LeCun et al. (1998) keep z at variance 1, where its slope is. Uniform, because a uniform number
# is the same bits on every machine; a normal one goes through the machine's own log and exp.
ACTIVATIONS = {
    "identity": Activation("z", "1", "glorot_uniform"),
    "sigmoid": Activation("1 / (1 + exp(−z))", "a (1 − a)", "glorot_uniform"),
    "tanh": Activation("tanh(z)", "1 − a²", "glorot_uniform"),
    "relu": Activation("max(z, 0)", "1 where a > 0, else 0", "he_uniform"),
    "gaussian": Activation("exp(−z²)", "−2 z a", "lecun_uniform"),
    "softmax": Activation("exp(z) / Σ exp(z)", "diag(a) − a aᵀ", "glorot_uniform", True),
}
