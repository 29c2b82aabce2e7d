"""Schedules: learning rates η that are functions of the step, counted from 0.

An optimiser takes a schedule as its ``learning_rate`` and checks the values that it returns; the
trainer counts the steps. ``schedule(step)`` is the rate of one step, ``schedule.values(steps)``
those of many; `cygrad.plotting.schedule` draws them.

======================  ===========================================================
`Constant`              one rate
`LinearDecay`           a straight line
`PolynomialDecay`       (1 − t/steps)ᵖ
`ExponentialDecay`      decayᵗ
`StepDecay`             a staircase with equal treads
`MultiStepDecay`        a staircase with treads of one's own
`InverseTimeDecay`      1 / (1 + decay · t)ᵖ
`CosineDecay`           half a period of a cosine
`CosineRestarts`        the same again and again (SGDR)
`CosineLog`             waves, each twice as long as the one before (RealMLP)
`OneCycle`              up to a peak, and down to almost nothing
`Warmup`                a rise before any of them
`PerEpoch`              any of them by epochs instead of steps
======================  ===========================================================

`cygrad.callbacks.ReduceOnPlateau` lowers the rate when a metric improves no more: that depends on
the training, so it is no function of the step.

The values are computed with +, −, ×, ÷ and square roots only, without the power or cosine of a
library: those differ in the last bit between machines, and training runs must not.

- `schedule` has the base class, and the checks of the arguments.
- `decays` has the schedules that fall by a rule of arithmetic, `cosine` those with a cosine,
  `composition` those that are made of another one, and `functions` powers and sines.
"""

from cygrad.training.schedules.composition import PerEpoch, Warmup
from cygrad.training.schedules.cosine import (
    CosineDecay,
    CosineLog,
    CosineRestarts,
    OneCycle,
)
from cygrad.training.schedules.decays import (
    Constant,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    MultiStepDecay,
    PolynomialDecay,
    StepDecay,
)
from cygrad.training.schedules.schedule import Schedule

__all__ = [
    "Constant",
    "CosineDecay",
    "CosineLog",
    "CosineRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearDecay",
    "MultiStepDecay",
    "OneCycle",
    "PerEpoch",
    "PolynomialDecay",
    "Schedule",
    "StepDecay",
    "Warmup",
]
