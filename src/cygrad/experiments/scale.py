"""Scale: the effect of the unit of an input on the gradient and on the descent.

A neuron computes z = w·x + b, and so ∂z/∂w = x. Measured in a unit a thousand times smaller, an
input is a thousand times as large, and so is the gradient by its weight; but the weight itself
should be a thousand times smaller. For a step in proportion, the learning rate η has to be a
million times smaller, and then it is too small for the other weights.

A linear model shows the consequence. Its cost C = 1/2n Σ (w·x − y)² has the Hessian

    H = ∂²C/∂w² = Xᵀ X / n

which is the same everywhere, and a step w ← w − η ∂C/∂w multiplies the distance from the best w by
1 − η λ along each eigenvector of H, where λ is its eigenvalue. So the descent

    converges if |1 − η λ| < 1 for all λ, that is η < 2 / λ_max;
    is slowest along the smallest λ: with η = 1 / λ_max by 1 − 1/κ a step, κ = λ_max / λ_min,

and needs about κ steps to reduce the distance by a factor of e. A column × 1000 is a λ × 1000²:
columns of different units give a large condition number κ, whatever the data are. Standardised
columns, x ← (x − mean) / (standard deviation), have no unit; κ depends only on their correlation.

References
----------
Y. LeCun, L. Bottou, G. Orr, K.-R. Müller, "Efficient BackProp", 1998.
"""

from __future__ import annotations

from math import ceil, log, log1p
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import draw_curves, in_percent, new_figure
from cygrad.experiments.page import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]

PATIENTS = 200
STEPS = 1000
HIDDEN = 32
EPOCHS = 5
DIGITS_RATES = 10.0 ** np.arange(-4, 2.1, 0.5)
RESOLUTION = 100  # points along each axis of the cost surface in pictures


class LinearModel(NamedTuple):
    """A linear model of two inputs without a bias, and its training data."""

    X: Array
    y: Array
    standardized: bool

    def network(self) -> cg.Network:
        """Return the network of the model, with weights 0."""
        layer = cg.Dense(1, use_bias=False, weights_init="zeros")
        net = cg.Network(2, [layer], loss="quadratic", dtype="float64")
        if self.standardized:
            net.standardize_inputs(self.X)
        return net

    def descend(self, rate: float, steps: int) -> tuple[Array, Array]:
        """Return the cost, (steps,), and the weights, (steps, 2), before each step."""
        net = self.network()
        trainer = cg.Trainer(net, cg.SGD(rate))
        path, cost = [], []
        for _ in range(steps):
            path.append(net.parameters)
            cost.append(trainer.step(self.X, self.y))
        return np.array(cost), np.array(path)


def run(page: Page) -> None:
    """Show the effect in one neuron, in a linear model, and with the digits."""
    page.title("One neuron")
    page.text("A neuron at w = (2, −3) and x = (−1, −2):")
    page.equations("z = w₀ x₀ + w₁ x₁ − 3     f = σ(z)")
    page.text(
        """With inputs × 1000 the gradient of z by w is × 1000, and that by x stays. But z is far
        too large now, σ(z) is flat there, and f has no gradient left. With weights / 1000 the
        neuron says what it said before; the gradient of f by w₀ is × 1000, for a weight that is a
        thousandth."""
    )
    neurons = [neuron(1, 1), neuron(1000, 1), neuron(1000, 1 / 1000)]
    page.table(
        "Values, and derivatives by w₀ and x₀",
        ["", "as it was", "x × 1000", "x × 1000, w / 1000"],
        [(name, *(values[name] for values in neurons)) for name in neurons[0]],
    )

    page.title("A linear model")
    page.text(
        f"""{PATIENTS} patients, each with a height and a dose of a medicine: the dose raises its
        effect, the height lowers it as much, and the taller have the larger doses. All are
        deviations from the mean, so that the model needs no bias."""
    )
    page.equations(
        """
        C = 1/2n Σ (w·x − y)²           H = ∂²C/∂w² = Xᵀ X / n
        w ← w − η ∂C/∂w                 converges if η < 2 / λ_max"""
    )
    page.text(
        f"""λ_min and λ_max are the eigenvalues of H, and κ = λ_max / λ_min. The last columns say
        where {STEPS} steps take the cost, with an η of 1 % less than 2 / λ_max and of 1 % more."""
    )
    X, y = patients()
    raw, standardised = LinearModel(X, y, False), LinearModel(X, y, True)
    units = {
        "metres and milligrams": raw,
        "millimetres and milligrams": LinearModel(X * [1000, 1], y, False),
        "standardised": standardised,
    }
    page.table(
        "Eigenvalues of the Hessian, and the largest learning rate",
        ["inputs", "λ_min", "λ_max", "κ", "2 / λ_max", "−1 %", "+1 %"],
        [
            (name, *eigenvalues(model), cost_direction(model, 0.99), cost_direction(model, 1.01))
            for name, model in units.items()
        ],
    )
    page.text(
        """Millimetres and milligrams happen to spread alike here, and are as good as standardised
        but for the size of η. With η = 1 / λ_max, the excess of the cost over the lowest possible
        comes down to a thousandth in so many steps:"""
    )
    for name, model in units.items():
        page.number(f"steps, {name}", steps_needed(model))
    left = f"excess left after {STEPS} steps, metres and mg"
    page.number(left, 100 * excess(raw, 1, STEPS + 1)[-1], digits=3, unit="%")
    left = "excess left after 10 steps, standardised"
    page.number(left, 100 * excess(standardised, 1, 11)[-1], digits=3, unit="%")
    page.text(
        """In metres and milligrams the weight of the dose comes at once to where it is best for the
        moment, and that of the height hardly moves: nobody is a metre taller than another, so its
        weight has to be large, and its gradient is small. In the picture the cost looks the same
        both times, for each axis has a scale of its own; but the descent has one η for both."""
    )
    page.picture("valley", draw_valley, raw, standardised)
    page.picture("descent", draw_descent, raw, standardised)

    page.title("Handwritten digits")
    page.text(
        f"""A network of {HIDDEN} tanh units and a softmax, after {EPOCHS} epochs of plain gradient
        descent from the same weights, at many learning rates."""
    )
    accuracies = digits()
    page.table(
        "Accuracy",
        ["learning rate", *accuracies],
        [
            (f"{rate:.0e}", *(percent(each[index]) for each in accuracies.values()))
            for index, rate in enumerate(DIGITS_RATES)
        ],
    )
    for name, each in accuracies.items():
        page.number(f"best accuracy, {name}", 100 * max(each), digits=3, unit="%")
    page.text(
        """All pixels have one unit, 0 to 16, and standardising them gains less than above. It pays
        still: larger learning rates become possible, and in as many steps more is learnt. Pixels
        × 1000 drive the units to ±1, where tanh is flat, and no learning rate makes up for that."""
    )
    page.picture("digits", draw_digits, accuracies)


def neuron(x_factor: float, w_factor: float) -> dict[str, float]:
    """Return values and gradients of the neuron for multiplied inputs and weights."""
    w0, w1 = (cg.graph.Variable(value * w_factor) for value in (2, -3))
    x0, x1 = (cg.graph.Variable(value * x_factor) for value in (-1, -2))
    z = (w0 * x0 + w1 * x1 - 3).named("z")
    f = cg.graph.sigmoid(z).named("f")
    result = {}
    for output in (z, f):
        output.backward()
        values = (output.value, w0.gradient, x0.gradient)
        for label, value in zip(("{}", "∂{}/∂w₀", "∂{}/∂x₀"), values, strict=True):
            result[label.format(output.name)] = float(np.asarray(value))
    return result


def patients() -> tuple[Array, Array]:
    """Return heights [m] and doses [mg], (n, 2), and effects, all as deviations from means."""
    height, other, noise = np.random.default_rng(0).standard_normal((3, PATIENTS))
    dose = 0.5 * height + 0.75**0.5 * other
    X = np.column_stack([0.1 * height, 100 * dose])
    y = 2 * dose - 2 * height + 0.5 * noise
    return X - X.mean(axis=0), y - y.mean()


def eigenvalues(model: LinearModel) -> tuple[float, float, float, float]:
    """Return λ_min, λ_max, κ and 2 / λ_max of H = Xᵀ X / n, for the inputs of the layer."""
    X = model.X / model.X.std(axis=0) if model.standardized else model.X
    smallest, largest = np.linalg.eigvalsh(X.T @ X / len(X)).tolist()
    return smallest, largest, largest / smallest, 2 / largest


def cost_direction(model: LinearModel, share: float) -> str:
    """Return whether the cost goes up or down at this share of the largest learning rate."""
    cost, _ = model.descend(share * eigenvalues(model)[3], STEPS)
    return "down" if cost[-1] < cost[0] else "up"


def excess(model: LinearModel, rate: float, steps: int) -> Array:
    """Return the cost above the lowest before each step at η = rate / λ_max; the first is 1."""
    best, *_ = np.linalg.lstsq(model.X, model.y)
    lowest = np.mean((model.X @ best - model.y) ** 2) / 2
    cost, _ = model.descend(rate * eigenvalues(model)[3] / 2, steps)
    above = cost - float(lowest)
    result: Array = above / above[0]
    return result


def steps_needed(model: LinearModel) -> int:
    """Return the steps at η = 1 / λ_max until the excess of the cost is a thousandth.

    The first step removes the error along the eigenvector of λ_max. The rest is along that of
    λ_min; each step multiplies it by 1 − 1/κ, and the excess by the square of that.
    """
    _, _, condition, _ = eigenvalues(model)
    left = excess(model, 1, 2)[-1]
    return 1 + ceil(log(1e-3 / left) / (2 * log1p(-1 / condition)))


def digits() -> dict[str, list[float]]:
    """Return the accuracies after training at each learning rate, for each scaling."""
    pixels, y = cg.datasets.load_digits()
    X = pixels.astype(np.float64)
    scalings = {"pixels × 1000": (1000 * X, False), "pixels": (X, False), "standardised": (X, True)}
    return {
        name: [accuracy(inputs, y, rate, standardized) for rate in DIGITS_RATES]
        for name, (inputs, standardized) in scalings.items()
    }


def accuracy(X: Array, y: NDArray[np.int64], rate: float, standardized: bool) -> float:
    """Return the accuracy after training from the same initial weights."""
    layers = [cg.Dense(HIDDEN, "tanh"), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", dtype="float64", rng=0)
    if standardized:
        net.standardize_inputs(X)
    cg.Trainer(net, cg.SGD(rate), rng=0).fit(X, y, EPOCHS)
    return net.evaluate(X, y)["accuracy"]


# Pictures


def draw_valley(raw: LinearModel, standardised: LinearModel) -> Figure:
    """Draw the cost over the two weights and 20 steps of the descent, for both inputs."""
    figure = new_figure(10.6, 4.6)
    for ax, model in zip(figure.subplots(1, 2), (raw, standardised), strict=True):
        spread = np.ones(2) if model.standardized else model.X.std(axis=0)
        plotting.cost_surface(
            model.network(),
            model.X,
            model.y,
            (0, "weights", (0, 0)),
            (0, "weights", (0, 1)),
            path=model.descend(1.7 * eigenvalues(model)[3] / 2, 21)[1],
            range_1=(-4 / spread[0], 1 / spread[0]),
            range_2=(-1 / spread[1], 4 / spread[1]),
            resolution=RESOLUTION,
            kind="contour",
            ax=ax,
        )
        name = "Standardised" if model.standardized else "Metres and milligrams"
        ax.set_title(rf"{name}: 20 steps, $\eta = 1.7 / \lambda_\mathrm{{max}}$")
        units = ("s.d.", "s.d.") if model.standardized else ("m", "mg")
        ax.set_xlabel(f"weight of the height [effect / {units[0]}]")
        ax.set_ylabel(f"weight of the dose [effect / {units[1]}]")
    for bar in figure.axes[2:]:
        bar.set_ylabel("cost C")
    return figure


def draw_descent(raw: LinearModel, standardised: LinearModel) -> Axes:
    """Draw the excess of the cost by steps."""
    rate = r"$\eta = {} / \lambda_\mathrm{{max}}$"
    curves = {
        f"metres and milligrams, {rate.format(1)}": excess(raw, 1, 31),
        f"metres and milligrams, {rate.format(2.1)}": excess(raw, 2.1, 31),
        f"standardised, {rate.format(1)}": excess(standardised, 1, 31),
    }
    ax = new_figure(6.4, 4).add_subplot()
    draw_curves(ax, range(31), curves)
    ax.set(xlabel="step", ylabel="cost above the lowest, start = 1", yscale="log")
    ax.set_ylim(1e-12, 1e4)
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left")
    return ax


def draw_digits(accuracies: dict[str, list[float]]) -> Axes:
    """Draw the accuracy against the learning rate."""
    ax = new_figure(6.4, 4).add_subplot()
    draw_curves(ax, DIGITS_RATES, accuracies)
    ax.set(xlabel="learning rate η", xscale="log", ylim=(0, 1.03))
    in_percent(ax.yaxis, "accuracy")
    ax.grid(alpha=0.3)
    return ax
