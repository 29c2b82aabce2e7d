"""Training: the trainer, optimisers, schedules, callbacks, history, progress.

`Trainer` runs epochs or single steps of the engine; between epochs it calls callbacks by their
protocol, and callbacks use only the trainer's public methods. Networks are in `cygrad.network`, the
update rules in `cygrad._engine`.
"""

from cygrad.training import optimizers
from cygrad.training.callbacks import Callback, CSVLogger, EarlyStopping, ReduceOnPlateau
from cygrad.training.checkpoints import Checkpoint
from cygrad.training.history import DivergenceError, History
from cygrad.training.lbfgs import LBFGS
from cygrad.training.optimizers import *  # noqa: F403
from cygrad.training.optimizers import Optimizer
from cygrad.training.schedules import (
    CosineDecay,
    CosineLog,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    MultiStepDecay,
    OneCycle,
    PerEpoch,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)
from cygrad.training.statistics import LayerStatistics
from cygrad.training.trainer import Trainer

__all__ = [
    "LBFGS",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "CosineDecay",
    "CosineLog",
    "CosineRestarts",
    "DivergenceError",
    "EarlyStopping",
    "ExponentialDecay",
    "History",
    "InverseTimeDecay",
    "LayerStatistics",
    "LinearDecay",
    "MultiStepDecay",
    "OneCycle",
    "Optimizer",
    "PerEpoch",
    "PolynomialDecay",
    "ReduceOnPlateau",
    "Schedule",
    "StepDecay",
    "Trainer",
    "Warmup",
]
__all__ += optimizers.__all__
