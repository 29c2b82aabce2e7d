"""Many networks at once: one network for each processor, all on the same samples.

`fit_many` trains them in threads, with the bits of one fit after the other; `crew` has the threads.
`cross_validate`, `grid` and `ensemble` make the trainers for folds, settings and seeds.
"""

from cygrad.training.many.cross_validation import CrossValidation, Fold, cross_validate
from cygrad.training.many.ensembles import ensemble
from cygrad.training.many.fitting import FitArguments, Fitted, fit_many
from cygrad.training.many.search import Grid, Point, grid

__all__ = [
    "CrossValidation",
    "FitArguments",
    "Fitted",
    "Fold",
    "Grid",
    "Point",
    "cross_validate",
    "ensemble",
    "fit_many",
    "grid",
]
