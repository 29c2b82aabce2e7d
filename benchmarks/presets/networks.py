"""The contestants of cygrad: its presets for tables, and the defaults of ``cygrad train``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import cygrad as cg
from cygrad.tables import Table

from ..programs import Array
from .data import Task

UNITS, EPOCHS, BATCH_SIZE, LEARNING_RATE = 64, 50, 32, 1e-3  # defaults of cygrad train


class Fitted(Protocol):
    """A fitted contestant."""

    def predict(self, table: Table) -> Array:
        """Return the class or the quantity of each row, as the target's column has them."""
        ...


Contestant = Callable[[Table, str, Task, int], Fitted]  # training rows, target, task, seed


def fit_preset(table: Table, target: str, task: Task, seed: int, **options: Any) -> Fitted:
    """Fit the preset; `options` are for tests and checks, the benchmark has none."""
    make = {
        "classification": cg.presets.tabular_classifier,
        "regression": cg.presets.tabular_regressor,
    }[task]
    net: cg.Network
    net, _ = make(rng=seed, **options).fit(table, target=target)
    return net


def fit_defaults(table: Table, target: str, task: Task, seed: int) -> Fitted:
    """Fit what ``cygrad train`` fits without options."""
    encoder = cg.tables.Encoder(target, task=task).fit(table)
    outputs, loss = (
        ("softmax", "cross_entropy") if task == "classification" else ("identity", "mse")
    )
    layers = [cg.Dense(UNITS, "relu"), cg.Dense(encoder.outputs, outputs)]
    net = cg.Network(encoder.inputs, layers, loss=loss, rng=seed)
    net.encoder = encoder
    trainer = cg.Trainer(net, cg.Adam(learning_rate=LEARNING_RATE), BATCH_SIZE, rng=seed)
    trainer.fit(encoder.transform(table), encoder.targets(table), EPOCHS, verbose=False)
    return net
