"""Many networks at once: one network for each processor, all on the same samples.

`fit_many` trains them in threads, with the bits of one fit after the other; `crew` has the threads.
`cross_validate`, `grid` and `ensemble` make the trainers for folds, settings and seeds.
"""

from cygrad.training.many.fitting import FitArguments, Fitted, fit_many

__all__ = ["FitArguments", "Fitted", "fit_many"]
