"""Metrics: numbers that tell how well outputs fit targets, besides the loss.

`Trainer.fit` takes them by name, as in ``metrics=["f1", "roc_auc"]``, and computes them after each
epoch from the outputs for the validation data, which it has computed once. Each is also a function
of its own: ``metrics.f1(y, outputs)``.

<table>

``top_k(k)`` makes the others of its kind, which also go by their names "top_2", "top_3" and so on.
A function ``(y, outputs) -> float`` is a metric too; `Metric` gives it a name and a direction.

Values are those of scikit-learn, where it has the same metric, except where a docstring says
otherwise. With `sample_weight` every sum over rows is weighted.

`permutation_importance` measures how much a metric depends on each column of a table, or input.

- `metric` has the class, `table` a row for each of them.
- `classification` and `regression` compute the values, `importance` those of columns.
"""

from cygrad.training.metrics.importance import Importances, permutation_importance
from cygrad.training.metrics.metric import Metric
from cygrad.training.metrics.table import METRICS, table, top_k

accuracy = METRICS["accuracy"]
balanced_accuracy = METRICS["balanced_accuracy"]
f1 = METRICS["f1"]
f1_macro = METRICS["f1_macro"]
log_loss = METRICS["log_loss"]
mae = METRICS["mae"]
mape = METRICS["mape"]
mse = METRICS["mse"]
r2 = METRICS["r2"]
rmse = METRICS["rmse"]
roc_auc = METRICS["roc_auc"]

__all__ = [
    "METRICS",
    "Importances",
    "Metric",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "log_loss",
    "mae",
    "mape",
    "mse",
    "permutation_importance",
    "r2",
    "rmse",
    "roc_auc",
    "top_k",
]

if __doc__ is not None:  # python -OO leaves docstrings out
    __doc__ = __doc__.replace("<table>", table())
