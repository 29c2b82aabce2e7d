"""One sample at a time next to mlpfile: rows of `latency`, if it is installed.

mlpfile has single precision, ReLU, and plain gradient descent on ½‖a − y‖²; cygrad gets the same.
Outputs, and the parameters after a few steps, must agree first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec

import numpy as np

import cygrad as cg

from . import agreement, timing
from .cases import LEARNING_RATE, Case, parse_case
from .programs import Parameters, initial_parameters, training_data
from .report import Row
from .settings import Settings

NETWORKS = (
    "8-32-32-1@1:regression",
    "16-64-64-4@1:regression",
    "64-128-10@1:regression",
    "784-128-10@1:regression",
)
DTYPE = "float32"
CHECKED_STEPS = 5


def takes_part(settings: Settings) -> bool:
    return settings.peers and settings.dtype == DTYPE and find_spec("mlpfile") is not None


def rows(settings: Settings, rounds: int) -> Iterator[Row]:
    """Yield two rows for each network: a prediction, and a step of gradient descent."""
    from .programs.mlpfile_sgd import MlpfileSGD

    for text in NETWORKS:
        case = replace(parse_case(text), samples=CHECKED_STEPS)
        X, y = training_data(case, DTYPE)
        initial = initial_parameters(case, DTYPE)
        network, trainer = _cygrad(case, initial)
        peer = MlpfileSGD(initial)
        label = f"{case.network}, mlpfile against cygrad"
        agreement.check_outputs(
            label, np.ravel(network.predict_one(X[0])), peer.forward(X[0]), max(case.sizes)
        )
        for x, target in zip(X, y, strict=True):
            trainer.learn_one(x, target)
            peer.learn(x, target)
        agreement.check_training(
            label,
            case,
            initial,
            [(layer.weights, layer.biases) for layer in network.layers],
            peer.parameters(),
            ((), ()),
            CHECKED_STEPS,
            float(np.finfo(DTYPE).eps),
        )
        predictions = {
            "call": timing.per_call(network.predict_one, X[0]),
            "mlpfile": timing.per_call(peer.forward, X[0]),
        }
        steps = {
            "call": timing.per_call(trainer.learn_one, X[0], y[0]),
            "mlpfile": timing.per_call(peer.learn, X[0], y[0]),
        }
        for call, measures in (
            ("net.predict_one(x)", predictions),
            ("trainer.learn_one(x, y)", steps),
        ):
            medians = timing.alternate(measures, rounds)
            yield {
                "call": call,
                "network": case.network,
                "optimizer": "plain sgd" if measures is steps else None,
                "microseconds": 1e6 * medians["call"],
                "mlpfile": 1e6 * medians["mlpfile"],
                "mlpfile ratio": medians["mlpfile"] / medians["call"],
            }


def _cygrad(case: Case, parameters: Parameters) -> tuple[cg.Network, cg.Trainer]:
    layers = [*(cg.Dense(units, case.hidden) for units in case.sizes[1:-1])]
    layers.append(cg.Dense(case.sizes[-1]))
    network = cg.Network(case.sizes[0], layers, loss="quadratic", dtype=DTYPE, rng=0)
    network.parameters = np.concatenate([part.ravel() for layer in parameters for part in layer])
    return network, cg.Trainer(network, cg.SGD(LEARNING_RATE), batch_size=1, rng=0)
