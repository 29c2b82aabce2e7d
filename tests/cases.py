"""The table of test cases of the engine: operations × activations × shapes, and data for them.

Each column of the table is a tuple here. In `CASES`, every value of a column occurs with every
value of every other column in at least one row. For cases with a kink (relu, hinge) or a decision
(argmax, one half), `kink_distance` returns the distance from it, so that a test can choose data
that rounding cannot move to the other side.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import cygrad as cg
from cygrad import losses, reference

ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "gaussian")  # of any layer

# With a few of the other values each: some have their parameter behind the name.
OTHER_ACTIVATIONS = (
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "gelu_tanh",
    "silu",
    "mish",
    "softplus",
    "softsign",
    "hard_tanh",
    "hard_sigmoid",
    "sine",
    "leaky_relu 0.3",
    "exp",
    "elu 0.7",
    "sine 2.5",
)
# The z at which they have no derivative; elu has one for 1.
KINKS = {
    "relu": (0,),
    "leaky_relu": (0,),
    "elu": (0,),
    "selu": (0,),
    "hard_tanh": (-1, 1),
    "hard_sigmoid": (-3, 3),
}


def activation_in(module: Any, text: str) -> Any:
    """Return the activation of a text for `cygrad` or for `reference`."""
    name, _, parameter = text.partition(" ")
    return getattr(module.activations, name)(float(parameter)) if parameter else name


def of_reference(loss: Any) -> Any:
    """Return the reference's loss."""
    if isinstance(loss, str):
        return loss
    names = {
        "binary_cross_entropy": "smoothed_binary_cross_entropy",
        "cross_entropy": "smoothed_cross_entropy",
    }
    make = getattr(reference.losses, names.get(loss.name, loss.name))
    return make(*(getattr(loss, field.name) for field in dataclasses.fields(loss)))


class Output(NamedTuple):
    """An output activation, a loss, and the kind of targets."""

    activation: str
    loss: Any  # a name, or a loss with parameters
    targets: str  # "values", "halves", "fractions" from 0 to 1, "labels" or "probabilities"


OUTPUTS = (
    *(Output(name, "quadratic", "values") for name in (*ACTIVATIONS, "softmax")),
    *(Output(name, "mse", "values") for name in (*ACTIVATIONS, "softmax")),
    Output("sigmoid", "binary_cross_entropy", "fractions"),
    Output("softmax", "cross_entropy", "labels"),
    Output("softmax", "cross_entropy", "probabilities"),
    *(Output(name, "hinge", "labels") for name in ACTIVATIONS),
)

# Outputs of the other losses: these meet the other columns in fewer cases, those of OTHER_COLUMNS.
OTHER_OUTPUTS = (
    Output("identity", "mae", "values"),
    Output("tanh", losses.huber(0.4), "values"),
    Output("sigmoid", "log_cosh", "values"),
    Output("softmax", "log_cosh", "values"),
    Output("identity", losses.pinball(0.3), "values"),
    Output("exp", "poisson", "fractions"),
    Output("identity", losses.gaussian_nll(0.5), "halves"),
    Output("gaussian", "gaussian_nll", "halves"),
    Output("sigmoid", losses.binary_cross_entropy(0.2), "fractions"),
    Output("softmax", losses.cross_entropy(0.1), "labels"),
    Output("softmax", losses.cross_entropy(0.3), "probabilities"),
    Output("softmax", "focal", "labels"),
    Output("softmax", losses.focal(0.5), "labels"),
    Output("softmax", "kl_divergence", "probabilities"),
    Output("identity", "squared_hinge", "labels"),
    Output("relu", "squared_hinge", "labels"),
)

REDUCTIONS = ("mean", "sum")

# Numbers of inputs and of units. A panel has 32 columns in float32 and 16 in float64, a register
# tile 4, 6 or 8 rows: here are one less and one more than each of them, the smallest, primes, a
# deep network, and hidden layers that are much wider or narrower than what comes after them.
SHAPES = (
    (1, 1, 1),
    (2, 1, 2),
    (3, 5),
    (7, 8, 9, 3),
    (9, 37, 7, 5),
    (15, 16, 17),
    (17, 15, 16),
    (31, 33, 10),
    (33, 31, 32),
    (32, 65, 2),
    (65, 13, 33),
    (5, 4, 3, 4, 6, 2),
    (47, 2, 37),
)

# (batch size, samples in all): batches of one, whole batches, and a short last batch.
BATCHES = ((1, 3), (7, 7), (7, 17), (64, 64), (64, 77))

# Biases and trainable parameters of the layers, which take these values in turn.
BIASES = ((True,), (False,), (False, True))
TRAINABLE = (
    (True,),
    ("weights", True),
    ("biases", True, "weights"),
    (True, False),
    (False, True),
)

# Keyword arguments of the optimisers, which the package and the reference call the same.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"learning_rate": 0.004},
    "sgd decay": {"learning_rate": 0.004, "weight_decay": 0.03},
    "momentum": {"learning_rate": 0.001, "momentum": 0.9},
    "momentum decay": {"learning_rate": 0.001, "momentum": 0.5, "weight_decay": 0.03},
    "nesterov": {"learning_rate": 0.001, "momentum": 0.9, "nesterov": True},
    "nesterov decay": {
        "learning_rate": 0.001,
        "momentum": 0.5,
        "nesterov": True,
        "weight_decay": 0.03,
    },
    "adam": {"learning_rate": 0.01},
    "adam decay": {"learning_rate": 0.01, "beta1": 0.8, "beta2": 0.99, "weight_decay": 0.03},
    "schedule": {"learning_rate": lambda step: 0.004 / (1 + step), "momentum": 0.9},
}
# The others, and what all have besides their rule.
MORE_OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam amsgrad": {"learning_rate": 0.01, "beta2": 0.9, "amsgrad": True, "weight_decay": 0.03},
    "adam epsilon_hat": {"learning_rate": 0.01, "eps": 1e-3, "epsilon_hat": True},
    "adam limits": {"l1": 0.2, "decoupled_decay": 0.1, "max_norm": 1.0},
    "adam factors": {"learning_rate": 0.01, "decoupled_decay": 0.1, "l1": 0.2},
    "adamw": {"learning_rate": 0.01, "weight_decay": 0.1},
    "adamw amsgrad": {"learning_rate": 0.01, "amsgrad": True, "l1": 0.2},
    "adamw epsilon_hat": {"eps": 1e-3, "amsgrad": True, "epsilon_hat": True},
    "nadam": {"learning_rate": 0.01, "weight_decay": 0.03},
    "nadam factors": {"learning_rate": lambda step: 0.01 / (1 + step), "momentum_decay": 0.3},
    "radam": {"learning_rate": 0.01, "beta2": 0.8, "weight_decay": 0.03},
    "adamax": {"learning_rate": 0.01, "beta2": 0.9, "weight_decay": 0.03},
    "rmsprop": {"learning_rate": 0.001},
    "rmsprop limits": {"learning_rate": 0.001, "rho": 0.9, "l1": 0.2, "max_norm": 1.0},
    "rmsprop momentum": {"learning_rate": 0.001, "rho": 0.9, "momentum": 0.5},
    "rmsprop centered": {"learning_rate": 0.001, "rho": 0.8, "centered": True, "eps": 0.1},
    "rmsprop both": {
        "learning_rate": 0.001,
        "rho": 0.8,
        "centered": True,
        "momentum": 0.5,
        "eps": 0.1,
        "weight_decay": 0.03,
    },
    "adagrad": {"learning_rate": 0.01, "initial_accumulator": 0.1, "weight_decay": 0.03},
    "adadelta": {"eps": 1e-4, "weight_decay": 0.03},
    "lion": {"learning_rate": 0.003, "decoupled_decay": 0.1},
    "rprop": {"learning_rate": 0.003, "largest_step": 0.004, "weight_decay": 0.03},
    "sgd decoupled": {"learning_rate": 0.004, "decoupled_decay": 0.3, "weight_decay": 0.03},
    "sgd penalty": {"learning_rate": 0.004, "l2_penalty": 0.5},
    "adam penalty": {"learning_rate": 0.01, "l2_penalty": 0.2, "weight_decay": 0.03},
    "momentum penalty": {"learning_rate": 0.001, "momentum": 0.5, "l2_penalty": 0.5, "l1": 0.2},
    "rprop penalty": {"learning_rate": 0.003, "largest_step": 0.004, "l2_penalty": 0.5},
    "sgd factors": {"learning_rate": 0.004, "weight_decay": 0.03},
    "momentum limits": {"learning_rate": 0.001, "momentum": 0.5, "l1": 0.2, "max_norm": 0.8},
    "nesterov decoupled": {
        "learning_rate": 0.001,
        "momentum": 0.5,
        "nesterov": True,
        "decoupled_decay": 0.3,
    },
}
# With "factors" the layers take these in turn: of the learning rates of weights and biases.
RATE_FACTORS = ((2.0, 0.5), 0.25, (0.0, 3.0))

_CLASSES = {name.lower(): name for name in reference.optimizers.__all__}


def optimizer_class(name: str) -> str:
    """Return the class of an optimiser of the tables; by default it is SGD."""
    return _CLASSES.get(name.split()[0], "SGD")


@dataclass(frozen=True)
class Case:
    """One network with its data and the way it is trained."""

    hidden: str
    output: Output
    reduction: str
    shape: tuple[int, ...]
    batch: tuple[int, int]
    biases: tuple[bool, ...]
    trainable: tuple[Any, ...]
    optimizer: str

    def __str__(self) -> str:
        shape = "-".join(map(str, self.sizes))
        biases = "".join("nb"[has] for has in self.biases)
        trained = ",".join(map(str, self.trainable))
        names = (self.hidden, *map(str, self.output), self.reduction, self.optimizer)
        return f"{' '.join(names)} {shape}@{self.batch_size}/{self.samples} {biases} {trained}"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, with at least two outputs for classes."""
        classes = self.output.activation == "softmax" or self.output.targets == "labels"
        outputs = max(self.shape[-1], 2 if classes else 1)
        if self.output.targets == "halves":
            outputs += outputs % 2
        return (*self.shape[:-1], outputs)

    @property
    def batch_size(self) -> int:
        return self.batch[0]

    @property
    def samples(self) -> int:
        return self.batch[1]

    def network(self, dtype: str) -> cg.Network:
        """The package's network."""
        layers = [cg.Dense(**description) for description in self._layers(cg)]
        return cg.Network(
            self.sizes[0],
            layers,
            loss=self.output.loss,
            reduction=self.reduction,
            dtype=dtype,
            rng=0,
        )

    def reference_network(self, kind: type = reference.Network) -> Any:
        """The reference's network, or one of a class derived from it."""
        layers = [reference.Dense(**description) for description in self._layers(reference)]
        return kind(
            self.sizes[0], layers, loss=of_reference(self.output.loss), reduction=self.reduction
        )

    def optimizers(self) -> tuple[Any, Any]:
        """The package's optimiser, and the reference's."""
        name = optimizer_class(self.optimizer)
        arguments = {**OPTIMIZERS, **MORE_OPTIMIZERS}[self.optimizer].copy()
        if self.reduction == "sum" and name == "SGD" and not callable(arguments["learning_rate"]):
            arguments["learning_rate"] /= self.batch_size  # the same steps as with the mean
        return getattr(cg, name)(**arguments), getattr(reference, name)(**arguments)

    def _layers(self, module: Any) -> Iterator[dict[str, Any]]:
        depth = len(self.sizes) - 1
        for index, units in enumerate(self.sizes[1:]):
            use_bias = self.biases[index % len(self.biases)]
            trainable = self.trainable[index % len(self.trainable)]
            if trainable == "biases" and not use_bias:
                trainable = False
            activation = self.output.activation if index == depth - 1 else self.hidden
            yield {
                "units": units,
                "activation": activation_in(module, activation),
                "use_bias": use_bias,
                "trainable": trainable,
                "learning_rate_factor": (
                    RATE_FACTORS[index % len(RATE_FACTORS)] if "factors" in self.optimizer else 1.0
                ),
            }

    def draw(self, seed: int) -> "Data":
        """Parameters of the order of 1/√inputs, samples of the order of 1, and targets.

        All of them are float32 numbers, so that one run of the reference serves both dtypes.
        """
        rng = np.random.default_rng(seed)
        parts = []
        for index, (inputs, units) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            parts.append(rng.standard_normal(units * inputs) / np.sqrt(inputs))
            if self.biases[index % len(self.biases)]:
                parts.append(0.3 * rng.standard_normal(units))
        X = rng.standard_normal((self.samples, self.sizes[0]))
        y = draw_targets(rng, self.output.targets, self.samples, self.sizes[-1])
        parameters = np.concatenate(parts).astype(np.float32)
        return Data(parameters, X.astype(np.float32), y)


class Data(NamedTuple):
    """Parameters of a network, samples and targets."""

    parameters: NDArray[np.float32]
    X: NDArray[np.float32]
    y: NDArray[Any]


def draw_targets(rng: np.random.Generator, kind: str, samples: int, outputs: int) -> NDArray[Any]:
    """Targets of one kind. Probabilities are multiples of 1/1024: their sum is exactly 1.

    Halves are values, half as many as outputs.
    """
    if kind == "halves":
        outputs //= 2
    if kind == "labels":
        return rng.integers(outputs, size=samples)
    if kind == "probabilities":
        shares = rng.dirichlet(np.ones(outputs), size=samples)
        return (rng.multinomial(1024, shares) / 1024).astype(np.float32)
    if kind == "fractions":
        return rng.random((samples, outputs), dtype=np.float32)
    return rng.standard_normal((samples, outputs), dtype=np.float32)


def every_pair(columns: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield rows, one value from each column, that contain every pair of values of two columns.

    Greedy: a row begins with a pair that is not covered yet, and takes from each other column the
    value that covers the most new pairs with the values already in the row.
    """
    apart = {
        ((i, a), (j, b))
        for i, j in combinations(range(len(columns)), 2)
        for a, b in product(range(len(columns[i])), range(len(columns[j])))
    }

    def first_meetings(row: dict[int, int], column: int, value: int) -> int:
        entry = (column, value)
        return sum(tuple(sorted((entry, other))) in apart for other in row.items())

    while apart:
        row = dict(min(apart))
        for column in range(len(columns)):
            if column not in row:
                values = range(len(columns[column]))
                row[column] = max(values, key=lambda v, c=column: first_meetings(row, c, v))
        apart -= set(combinations(sorted(row.items()), 2))
        yield tuple(columns[column][row[column]] for column in range(len(columns)))


COLUMNS = (
    ACTIVATIONS,
    OUTPUTS,
    REDUCTIONS,
    SHAPES,
    BATCHES,
    BIASES,
    TRAINABLE,
    tuple(OPTIMIZERS),
)
OTHER_COLUMNS = (
    ("tanh", "relu"),
    OTHER_OUTPUTS,
    REDUCTIONS,
    ((3, 5), (9, 37, 7, 5), (15, 16, 17), (33, 31, 32), (65, 13, 66)),
    ((7, 7), (7, 17), (64, 77)),
    ((True,),),
    ((True,),),
    ("momentum",),
)
CASES = tuple(Case(*row) for row in every_pair(COLUMNS))
LOSS_CASES = tuple(Case(*row) for row in every_pair(OTHER_COLUMNS))

# The other optimisers, with less of the rest.
CASES += tuple(
    Case(*row)
    for row in every_pair(
        (
            ("tanh", "relu"),
            (Output("tanh", "mse", "values"), Output("softmax", "cross_entropy", "labels")),
            REDUCTIONS,
            ((2, 1, 1), (9, 37, 7, 5), (33, 31, 32)),
            ((1, 3), (7, 17), (64, 77)),
            ((True,), (False, True)),
            ((True,), ("biases", True, "weights")),
            tuple(MORE_OPTIMIZERS),
        )
    )
)


def other_cases() -> Iterator[Case]:
    """Yield a case for each of the other activations in the hidden layers, and in the last one."""
    shapes, optimizers = ((9, 37, 7, 5), (17, 15, 16), (5, 4, 3, 4, 6, 2)), tuple(OPTIMIZERS)
    for i, hidden in enumerate(OTHER_ACTIVATIONS):
        yield Case(
            hidden,
            Output(OTHER_ACTIVATIONS[(i + 5) % len(OTHER_ACTIVATIONS)], "mse", "values"),
            REDUCTIONS[i % 2],
            shapes[i % 3],
            BATCHES[i % 5],
            BIASES[i % 3],
            TRAINABLE[i % 5],
            optimizers[i % len(optimizers)],
        )


CASES += (*other_cases(), *LOSS_CASES)


def kink_distance(
    net: reference.Network, gradients: reference.Gradients, y: Sequence[Any]
) -> float:
    """Return the distance of a pass from the points where a derivative or a decision jumps.

    These are the kinks of the activations, a margin of 0 of hinge, an error of 0 of mae and
    pinball, equal outputs if the largest decides, and an output of one half (z = 0) if its side
    decides. A distance of exactly 0 does not count: only outputs of relu that are 0 cause it, and
    rounding does not change them.
    """
    distances = []
    for layer, z in zip(net.layers, gradients.pre_activations, strict=True):
        activation = reference.activations.activation_of(layer.activation)
        if activation.name != "elu" or activation.parameter != 1:
            distances += [np.array(z) - kink for kink in KINKS.get(activation.name, ())]
    if net.loss == "binary_cross_entropy":
        distances.append(np.array(gradients.pre_activations[-1]))
    if net.loss in ("mae", "pinball"):
        distances.append(np.array(gradients.activations[-1]) - np.array(y))
    if net.loss in ("cross_entropy", "focal", "hinge", "squared_hinge"):
        a, targets = np.array(gradients.activations[-1]), np.array(y)
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        gaps = a - np.take_along_axis(a, labels[:, np.newaxis], axis=1)
        if net.loss == "hinge":
            distances.append(gaps + 1)
        np.put_along_axis(gaps, labels[:, np.newaxis], -np.inf, axis=1)
        distances.append(gaps.max(axis=1))
    return min((np.abs(each[each != 0]).min(initial=np.inf) for each in distances), default=np.inf)
