"""Layers that disturb their inputs in training: `Dropout` and `GaussianNoise`.

The random numbers depend on the trainer's seed, the step, the layer, the place of the row in the
epoch's order and the unit, and on nothing else: Philox4x32-10 of these, a counter-based generator
(J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). So
a resumed training draws the same numbers, and so does any number of threads.
"""

from __future__ import annotations

from typing import ClassVar

from cygrad import checks
from cygrad.records import dataclass


@dataclass(frozen=True)
class Dropout:
    """Inverted dropout: in training each number is 0 with probability `rate`.

    a = x ⊙ m with m = 0 with probability `rate`, else 1 / (1 − rate), so that the mean stays.
    Outside training a = x, at no cost. Between layers it drops units, as the first layer inputs.

    Parameters
    ----------
    rate : float
        From 0 to below 1.

    Raises
    ------
    TypeError, ValueError
        If `rate` is not as described.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever, R. Salakhutdinov, "Dropout: A Simple Way
    to Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import cygrad as cg
    >>> layers = [cg.Dropout(0.1), cg.Dense(32, "relu"), cg.Dropout(0.5), cg.Dense(2, "softmax")]
    >>> net = cg.Network(8, layers, loss="cross_entropy", rng=0)
    >>> net.layers[2]
    <layer of 32 inputs: Dropout(rate=0.5)>
    """

    rate: float

    kind: ClassVar[str] = "dropout"
    activation: ClassVar[str] = "identity"
    use_bias: ClassVar[bool] = False
    trainable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        rate = checks.number(self.rate, "rate", least=0)
        if rate >= 1:
            raise ValueError(f"rate is {rate}, expected a number from 0 to below 1")
        object.__setattr__(self, "rate", rate)


@dataclass(frozen=True)
class GaussianNoise:
    """Gaussian noise: in training a = x + n with normal numbers n of mean 0. Else a = x.

    Parameters
    ----------
    deviation : float
        Their standard deviation, 0 or more.

    Raises
    ------
    TypeError, ValueError
        If `deviation` is not as described.

    Notes
    -----
    Normal numbers come from uniform ones of 24 bits (G. Box, M. Muller 1958): none is larger than
    5.8 standard deviations.

    References
    ----------
    C. Bishop, "Training with Noise is Equivalent to Tikhonov Regularization", Neural Computation 7,
    1995.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.GaussianNoise(0.1)
    GaussianNoise(deviation=0.1)
    """

    deviation: float

    kind: ClassVar[str] = "noise"
    activation: ClassVar[str] = "identity"
    use_bias: ClassVar[bool] = False
    trainable: ClassVar[bool] = False

    def __post_init__(self) -> None:
        number = checks.number(self.deviation, "deviation", least=0)
        object.__setattr__(self, "deviation", number)
