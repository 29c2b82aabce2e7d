"""Linear regression, logistic regression and a hidden layer: three steps of one model.

A unit computes z = W x + b and a = σ(z). It learns from n samples in a loop with the same step::

    δ = ∂C/∂z       ∂C/∂W = 1/n Σ δ xᵀ       ∂C/∂b = 1/n Σ δ
    W ← W − η ∂C/∂W       b ← b − η ∂C/∂b

The three models differ as follows.

1. Linear regression: σ(z) = z and C = ½ (a − y)², so δ = a − y. The minimum of C has
   a closed form: (AᵀA) θ = Aᵀy, with rows (x, 1) in A and θ = (W, b). The loop has to end there.
2. Logistic regression: σ(z) = 1 / (1 + e⁻ᶻ) and C = −y ln a − (1 − y) ln(1 − a). Then
   ∇ₐC = (a − y) / (a (1 − a)) and σ′(z) = a (1 − a), which cancel: δ = a − y again. There is no
   closed form, but a single minimum, which Newton's method reaches in a few steps.
3. A hidden layer: the input of the same unit is h = σ(W¹ x + b¹) instead of x. Its δ² = a − y does
   not change, and one equation is new, which takes δ through the unit's weights to the layer below:
   δ¹ = ((W²)ᵀ δ²) ⊙ h ⊙ (1 − h). That is backpropagation.

The third step is needed if each class is in two opposite corners of the plane. A unit divides the
plane by a straight line, and no line separates such classes.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import new_figure
from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]

RATE = 0.5  # η
STEPS = 2000  # over all samples
HIDDEN_UNITS = 4

CHANGES = [
    ("linear regression", "x", "z", "½ (a − y)²", "a − y"),
    ("logistic regression", "x", "1/(1 + e⁻ᶻ)", "−y ln a − (1 − y) ln(1 − a)", "a − y"),
    ("hidden layer", "h", "1/(1 + e⁻ᶻ)", "−y ln a − (1 − y) ln(1 − a)", "a − y"),
]


class Model(NamedTuple):
    """A trained network, its samples, and the costs of its training."""

    net: cg.Network
    X: Array
    y: Array
    costs: list[float]  # C before each step, and after the last


def run(page: Page) -> None:
    """Train three models with one loop."""
    random = np.random.RandomState(0)  # the legacy generator of NumPy, whose numbers never change
    page.title("Three steps of one model")
    page.text("A unit computes z and a of its input x, and learns from n samples, step by step:")
    page.equations(
        """
        z = W x + b             a = σ(z)
        δ = ∂C/∂z               ∂C/∂W = 1/n Σ δ xᵀ     ∂C/∂b = 1/n Σ δ
        W ← W − η ∂C/∂W         b ← b − η ∂C/∂b"""
    )
    page.text(f"All that follows is this loop, {STEPS} steps with η = {RATE}.")
    page.table("What changes", ["model", "input", "σ(z)", "C of a sample", "δ"], CHANGES)
    page.text(
        """The gradient of each model is compared with these equations, and, where the lowest C can
        be found in another way, the final w and b with the exact ones; the numbers say the largest
        difference."""
    )

    page.title("1. Linear regression")
    page.text("40 samples of a line with noise. The normal equations say where the loop must end.")
    x, y = noisy_line(random)
    net = cg.Network(1, [cg.Dense(1, weights_init=-1)], loss="quadratic", dtype="float64")
    line = train(page, "linear", net, x, y, normal_equations(x, y))

    page.title("2. Logistic regression")
    page.text(
        """The same samples; the question now is whether y is above 0. There is no closed form, but
        Newton's method comes to the minimum in a few steps."""
    )
    above = (y > 0).astype(np.float64)
    net = cg.Network(1, [unit(1)], loss="binary_cross_entropy", dtype="float64")
    curve = train(page, "logistic", net, x, above, newton(x, above))

    page.title("3. A hidden layer")
    page.text(
        """Samples in four corners of the plane, each class in two opposite ones: no straight line
        divides them. Logistic regression comes to its minimum here too, and knows hardly more
        there than one who guesses, for whom C = ln 2 = 0.693."""
    )
    X, y = four_corners(random)
    net = cg.Network(2, [unit(2)], loss="binary_cross_entropy", dtype="float64")
    straight = train(page, "corners, logistic", net, X, y, newton(X, y))
    page.text(
        f"""Now the same unit over {HIDDEN_UNITS} hidden ones, which draw a line each. One equation
        is new:"""
    )
    page.equations("δ¹ = ((W²)ᵀ δ²) ⊙ h ⊙ (1 − h)")
    page.text("All else stays as it is, and now no sample is taken for the other class:")
    hidden = cg.Dense(HIDDEN_UNITS, "sigmoid", weights_init=random.normal(size=(HIDDEN_UNITS, 2)))
    layers = [hidden, unit(HIDDEN_UNITS)]
    net = cg.Network(2, layers, loss="binary_cross_entropy", dtype="float64")
    bent = train(page, "corners, network", net, X, y)

    page.picture("steps", draw_steps, line, curve, straight, bent)
    page.picture("corners", draw_corners, straight, bent)


def unit(inputs: int) -> cg.Dense:
    """Return the unit of logistic regression."""
    return cg.Dense(1, "sigmoid", weights_init=np.full((1, inputs), -1.0))


def noisy_line(random: np.random.RandomState) -> tuple[Array, Array]:
    """Return samples of y = 1.5 x − 0.5 + N(0, 1), in columns."""
    x = random.uniform(-2, 2, (40, 1))
    return x, 1.5 * x - 0.5 + random.normal(0, 1, (40, 1))


def four_corners(random: np.random.RandomState) -> tuple[Array, Array]:
    """Return 20 samples around each of (±1, ±1); class 1 where the signs are equal."""
    centers = np.repeat([[1, 1], [-1, -1], [1, -1], [-1, 1]], 20, axis=0)
    y = centers.prod(axis=1, keepdims=True) > 0
    return centers + random.normal(0, 0.4, (80, 2)), y.astype(np.float64)


def train(
    page: Page, name: str, net: cg.Network, X: Array, y: Array, exact: Array | None = None
) -> Model:
    """Compare the gradients with the equations, run the loop, and print its result."""
    pairs = zip(net.backward(X, y).weights, by_the_equations(net, X, y), strict=True)
    difference = max(float(np.abs(actual - expected).max()) for actual, expected in pairs)
    page.number(f"{name}: gradient − equations", difference, digits=2)

    costs = [step(net, X, y) for _ in range(STEPS)]
    final = net.evaluate(X, y)
    page.number(f"{name}: C before", costs[0])
    page.number(f"{name}: C after", final["loss"])
    if net.metric == "accuracy":
        page.number(f"{name}: accuracy", 100 * final["accuracy"], digits=3, unit="%")
    if exact is not None:
        labels = ["w"] if net.inputs == 1 else ["w₁", "w₂"]
        for label, parameter in zip([*labels, "b"], net.parameters, strict=True):
            page.number(f"{name}: {label}", parameter)
        difference = float(np.abs(net.parameters - exact).max())
        page.number(f"{name}: w and b − exact ones", difference, digits=2)
    return Model(net, X, y, [*costs, final["loss"]])


def step(net: cg.Network, X: Array, y: Array) -> float:
    """Do one step of the loop, like `Trainer.step` in compiled code; return the C before it."""
    gradients = net.backward(X, y)
    for layer, dW, db in zip(net.layers, gradients.weights, gradients.biases, strict=True):
        layer.weights = layer.weights - RATE * dW
        layer.biases = layer.biases - RATE * db
    return gradients.loss


def by_the_equations(net: cg.Network, X: Array, y: Array) -> list[Array]:
    """Return ∂C/∂W of every layer, by the equations of this page."""
    a = [X]
    for layer in net.layers:
        z = a[-1] @ layer.weights.T + layer.biases
        a.append(z if layer.activation == "identity" else sigmoid(z))
    delta = (a[-1] - y) / len(X)
    gradients = [delta.T @ a[-2]]
    if len(net.layers) == 2:  # what the third step adds
        delta = (delta @ net.layers[1].weights) * a[1] * (1 - a[1])
        gradients.insert(0, delta.T @ X)
    return gradients


def sigmoid(z: Array) -> Array:
    """Return 1 / (1 + e⁻ᶻ)."""
    return 1 / (1 + np.exp(-z))


def normal_equations(X: Array, y: Array) -> Array:
    """Return the θ = (W, b) that solves (AᵀA) θ = Aᵀy."""
    A = np.column_stack([X, np.ones(len(X))])
    return np.linalg.solve(A.T @ A, A.T @ y)[:, 0]


def newton(X: Array, y: Array) -> Array:
    """Return the minimum θ = (W, b) of logistic regression: θ ← θ − H⁻¹ ∇C, ten times."""
    A = np.column_stack([X, np.ones(len(X))])
    theta = np.zeros(A.shape[1])
    for _ in range(10):
        a = sigmoid(A @ theta)
        hessian = A.T @ (A * (a * (1 - a))[:, np.newaxis])
        theta -= np.linalg.solve(hessian, A.T @ (a - y[:, 0]))
    return theta


# Pictures


def draw_steps(line: Model, curve: Model, straight: Model, bent: Model) -> Figure:
    """Draw a column for each step: the model above, its cost during training below."""
    figure = new_figure(11, 6.2)
    above, below = figure.subplots(2, 3, height_ratios=(3, 2))
    draw_function(above[0], line, normal_equations(line.X, line.y), "normal equations")
    above[0].set_ylabel("y")
    above[0].legend(loc="lower right")
    draw_function(above[1], curve, newton(curve.X, curve.y), "Newton's method")
    above[1].set_ylabel("probability of y > 0")
    above[1].legend(loc=(0.02, 0.64))
    plotting.decision_regions(bent.net, bent.X, bent.y, kind="regions", ax=above[2])
    draw_costs(below[0], {"linear regression": line})
    draw_costs(below[1], {"logistic regression": curve})
    draw_costs(below[2], {"logistic regression": straight, "with a hidden layer": bent})
    titles = ("1. Linear regression", "2. Logistic regression", "3. A hidden layer")
    equations = ("a = w x + b", "a = σ(w x + b)", "a = σ(W² h + b²),  h = σ(W¹ x + b¹)")
    for ax, title, equation in zip(above, titles, equations, strict=True):
        ax.set_title(f"{title}\n{equation}")
    return figure


def draw_function(ax: Axes, model: Model, exact: Array, method: str) -> None:
    """Draw a model of one input: the samples, and its output from the loop and from `method`."""
    x = np.linspace(-2.2, 2.2, 200)[:, np.newaxis]
    other = copy(model.net)
    other.parameters = exact
    ax.plot(x, other.forward(x), color=style.tint(1, 0.4), linewidth=6, label=method)
    ax.plot(x, model.net.forward(x), color=style.color(0), label="the loop")
    artist_options = {"color": style.INK, "linewidths": 0, "alpha": 0.6, "zorder": 3}
    ax.scatter(model.X, model.y, s=24, label="samples", **artist_options)
    ax.set_xlabel("x")


def draw_costs(ax: Axes, models: dict[str, Model]) -> None:
    """Draw C before each step, and after the last."""
    for index, (label, model) in enumerate(models.items()):
        steps = np.arange(1, len(model.costs) + 1)
        artist_options = {"color": style.color(index), "linestyle": style.line_style(index)}
        ax.plot(steps, model.costs, **artist_options, label=label)
    ax.set_xscale("log")
    ax.set(xlabel="step", ylabel="cost C", ylim=(0, None))
    if len(models) > 1:
        ax.legend()


def draw_corners(straight: Model, bent: Model) -> Figure:
    """Draw the decision regions of the unit alone and of the unit over a hidden layer."""
    figure = new_figure(10, 5.2)
    titles = ("Logistic regression", f"The same over {HIDDEN_UNITS} hidden units")
    axes = figure.subplots(1, 2)
    for ax, model, title in zip(axes, (straight, bent), titles, strict=True):
        plotting.decision_regions(model.net, model.X, model.y, ax=ax)
        right = model.net.evaluate(model.X, model.y)["accuracy"]
        ax.set_title(f"{title}: accuracy {100 * right:.0f} %")
    axes[0].get_legend().remove()
    return figure
