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
- `show_config` prints the versions and the variant of the engine in use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

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

if TYPE_CHECKING:
    from cygrad import (
        datasets,
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
    from cygrad.training import (
        LBFGS,
        SGD,
        Adadelta,
        Adagrad,
        Adam,
        Adamax,
        AdamW,
        Callback,
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
    "CosineDecay",
    "CosineLog",
    "CosineRestarts",
    "Dense",
    "DivergenceError",
    "Dropout",
    "EarlyStopping",
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
    "datasets",
    "exchange",
    "experiments",
    "graph",
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

# The modules of the public names that are imported on first use, so that a program that only
# predicts starts sooner. A module is imported under its own name.
_LAZY = {
    "Adadelta": "training",
    "Adagrad": "training",
    "Adam": "training",
    "AdamW": "training",
    "Adamax": "training",
    "Callback": "training",
    "CSVLogger": "training",
    "CosineDecay": "training",
    "CosineLog": "training",
    "CosineRestarts": "training",
    "DivergenceError": "training",
    "EarlyStopping": "training",
    "ExponentialDecay": "training",
    "GradientError": "gradcheck",
    "GradientReport": "gradcheck",
    "History": "training",
    "InverseTimeDecay": "training",
    "LBFGS": "training",
    "LinearDecay": "training",
    "Lion": "training",
    "MultiStepDecay": "training",
    "NAdam": "training",
    "OneCycle": "training",
    "PerEpoch": "training",
    "PolynomialDecay": "training",
    "RAdam": "training",
    "RMSProp": "training",
    "Rprop": "training",
    "ReduceOnPlateau": "training",
    "SGD": "training",
    "StepDecay": "training",
    "Trainer": "training",
    "Warmup": "training",
    "callbacks": "training.callbacks",
    "check_gradients": "gradcheck",
    "datasets": "datasets",
    "exchange": "exchange",
    "experiments": "experiments",
    "graph": "graph",
    "losses": "losses",
    "metrics": "training.metrics",
    "plotting": "plotting",
    "presets": "presets",
    "reference": "reference",
    "schedules": "training.schedules",
    "show_config": "config",
    "tables": "tables",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any = import_module(f"{__name__}.{_LAZY[name]}")
    if not value.__name__.endswith(f".{name}"):
        value = getattr(value, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
