"""cygrad: dense neural networks trained by backpropagation, on the CPU, fast and light.

>>> import cygrad as cg
>>> X, y = cg.datasets.load_digits()
>>> net = cg.Network(64, [cg.Dense(32, "relu"), cg.Dense(10, "softmax")],
...                  loss="cross_entropy", rng=0)
>>> history = cg.Trainer(net, cg.Adam(1e-3), batch_size=32, rng=0).fit(X, y, epochs=20)
>>> net.save("digits.npz")

- `Network` and `Dense` make a network; `BatchNorm`, `LayerNorm`, `Scaling`, `Dropout`,
  `GaussianNoise` and `Residual` are other layers.
- `Trainer` with `SGD` or `Adam` trains it and returns a `History`; `schedules`, `callbacks`,
  `metrics`, `initializers` and `losses` modify the training; `activations` has those with a
  parameter.
- `Network.save` writes a network to a file, `load` reads it.
- `tables` reads files as they come, `datasets` reads samples.
- `presets` has complete recipes with published defaults, from a table to a trained network.
- `check_gradients` compares backpropagation with numerical derivatives, `reference` has the same
  mathematics in plain Python, to read.
- `graph` builds computational graphs of gates from expressions and differentiates them;
  `plotting` draws networks and their predictions, `experiments` shows backpropagation at work.
- `exchange` has networks from and to other formats.
- `distributed` trains on several processes by MPI.
- `show_config` prints the versions and the variant of the engine in use.
"""

from __future__ import annotations

from importlib import import_module

__version__ = "0.1.0"

TYPE_CHECKING = False  # `typing` would take most of the time of this import
if TYPE_CHECKING:
    from typing import Any

    from cygrad import (
        datasets,
        distributed,
        exchange,
        experiments,
        graph,
        losses,
        plotting,
        presets,
        reference,
        tables,
    )
    from cygrad.config import show_config
    from cygrad.gradcheck import GradientError, GradientReport, check_gradients
    from cygrad.network import (
        BatchNorm,
        Dense,
        Dropout,
        GaussianNoise,
        Gradients,
        LayerNorm,
        Network,
        Residual,
        Scaling,
        activations,
        initializers,
        load,
    )
    from cygrad.network.ensemble import Ensemble
    from cygrad.training import (
        LBFGS,
        SGD,
        Adadelta,
        Adagrad,
        Adam,
        Adamax,
        AdamW,
        Callback,
        Checkpoint,
        CosineDecay,
        CosineLog,
        CosineRestarts,
        CSVLogger,
        DivergenceError,
        EarlyStopping,
        ExponentialDecay,
        History,
        InverseTimeDecay,
        LinearDecay,
        Lion,
        MultiStepDecay,
        NAdam,
        OneCycle,
        PerEpoch,
        PolynomialDecay,
        RAdam,
        ReduceOnPlateau,
        RMSProp,
        Rprop,
        StepDecay,
        Trainer,
        Warmup,
        callbacks,
        metrics,
        schedules,
    )
    from cygrad.training.many import cross_validate, ensemble, fit_many, grid

__all__ = [
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "BatchNorm",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "CosineDecay",
    "CosineLog",
    "CosineRestarts",
    "Dense",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
    "Ensemble",
    "ExponentialDecay",
    "GaussianNoise",
    "GradientError",
    "GradientReport",
    "Gradients",
    "History",
    "InverseTimeDecay",
    "LayerNorm",
    "LinearDecay",
    "Lion",
    "MultiStepDecay",
    "NAdam",
    "Network",
    "OneCycle",
    "PerEpoch",
    "PolynomialDecay",
    "RAdam",
    "RMSProp",
    "ReduceOnPlateau",
    "Residual",
    "Rprop",
    "Scaling",
    "StepDecay",
    "Trainer",
    "Warmup",
    "activations",
    "callbacks",
    "check_gradients",
    "cross_validate",
    "datasets",
    "distributed",
    "ensemble",
    "exchange",
    "experiments",
    "fit_many",
    "graph",
    "grid",
    "initializers",
    "load",
    "losses",
    "metrics",
    "plotting",
    "presets",
    "reference",
    "schedules",
    "show_config",
    "tables",
]

# The modules of the public names. They are imported on first use: a program that only predicts
# starts sooner, and the command line can answer Ctrl-C before NumPy is imported. A module is
# imported under its own name.
_LAZY = {
    "activations": "network.activations",
    "Adadelta": "training",
    "Adagrad": "training",
    "Adam": "training",
    "Adamax": "training",
    "AdamW": "training",
    "BatchNorm": "network",
    "Callback": "training",
    "callbacks": "training.callbacks",
    "check_gradients": "gradcheck",
    "CosineDecay": "training",
    "CosineLog": "training",
    "CosineRestarts": "training",
    "cross_validate": "training.many",
    "CSVLogger": "training",
    "Checkpoint": "training",
    "datasets": "datasets",
    "Dense": "network",
    "distributed": "distributed",
    "DivergenceError": "training",
    "Dropout": "network",
    "EarlyStopping": "training",
    "ensemble": "training.many",
    "Ensemble": "network.ensemble",
    "exchange": "exchange",
    "experiments": "experiments",
    "ExponentialDecay": "training",
    "fit_many": "training.many",
    "GaussianNoise": "network",
    "GradientError": "gradcheck",
    "GradientReport": "gradcheck",
    "Gradients": "network",
    "graph": "graph",
    "grid": "training.many",
    "History": "training",
    "initializers": "network.initializers",
    "InverseTimeDecay": "training",
    "LayerNorm": "network",
    "LBFGS": "training",
    "LinearDecay": "training",
    "Lion": "training",
    "load": "network",
    "losses": "losses",
    "metrics": "training.metrics",
    "MultiStepDecay": "training",
    "NAdam": "training",
    "Network": "network",
    "OneCycle": "training",
    "PerEpoch": "training",
    "plotting": "plotting",
    "PolynomialDecay": "training",
    "presets": "presets",
    "RAdam": "training",
    "ReduceOnPlateau": "training",
    "reference": "reference",
    "Residual": "network",
    "RMSProp": "training",
    "Rprop": "training",
    "Scaling": "network",
    "schedules": "training.schedules",
    "SGD": "training",
    "show_config": "config",
    "StepDecay": "training",
    "tables": "tables",
    "Trainer": "training",
    "Warmup": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = import_module(f"{__name__}.{_LAZY[name]}")
    if not value.__name__.endswith(f".{name}"):
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
