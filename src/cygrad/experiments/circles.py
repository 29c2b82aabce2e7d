"""Two circles, one around the other, which a hidden layer of three units makes separable.

No line in the plane of x separates the inner circle from the outer one. A hidden layer maps the
samples into a space where a plane separates them: each of its units is a soft step across one line,
and three lines enclose the inner circle.

    h = σ(W_h x + b_h)            three units; x has 2 numbers
    y = softmax(W_o h + b_o)      the probabilities of the two classes
    C = −Σ t ln y                 over the samples; t is 1 for the right class, 0 for the other

The network predicts "inner" where the second of the two sums W_o h + b_o is larger. In the space of
h that is one side of a plane, and the hidden layer learns to map each circle to its side.

The 17 parameters are learnt with three methods, with J = ∂C/∂P:

    plain descent     P ← P − η J
    momentum          V ← μ V − η J;  P ← P + V
    mini-batches      as plain descent, but with the J of a few samples at a time

On a constant slope, momentum makes the steps 1/(1 − μ) times as long as plain descent; mini-batches
make more steps in a pass over the samples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import legend_beside, new_figure
from cygrad.experiments.page import percent
from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]
    Labels = NDArray[np.int64]

PASSES = 300  # over all samples
OUTER, INNER = 0, 1

# The methods that are compared: learning rate, momentum, samples of a step.
METHODS = {
    "plain descent": (0.02, 0.0, 100),
    "momentum": (0.02, 0.9, 100),
    "mini-batches": (0.2, 0.0, 10),
    "plain, long steps": (0.2, 0.0, 100),
}


def run(page: Page) -> None:
    """Check the gradients, train with several methods, and show the effect of the hidden layer."""
    X, t, layers = make_circles()
    start = make_network(layers)
    page.title("Two circles")
    page.text(
        """50 points near a circle of radius 1, and 50 near one of radius 0.3 inside it. The network
        has 3 sigmoid units between its 2 inputs and its 2 softmax outputs: 17 parameters."""
    )
    page.equations(
        """
        h = σ(W_h x + b_h)
        y = softmax(W_o h + b_o)    the probabilities of "outer" and of "inner"
        C = −Σ t ln y               the cost; t is 1 for the right class, 0 for the other"""
    )
    page.text("""Untrained it says "outer" of all points.""")
    first = start.evaluate(X, t)
    page.number("cost at the start", first["loss"], digits=13)
    page.number("accuracy at the start", 100 * first["accuracy"], digits=3, unit="%")
    page.picture("start", draw_regions, "At the start", start, X, t)

    page.title("Are the gradients right?")
    page.text(
        """Before any training, each derivative ∂C/∂p that backpropagation gives is held against
        the central difference (C(p + h) − C(p − h)) / 2h, which knows nothing of it. The table
        has the worst of each array of parameters."""
    )
    report = cg.check_gradients(start, X, t)
    page.number("derivatives compared", report.compared)
    page.number("wrong ones", len(report.failures))
    rows = [
        (name, each.analytic, each.numerical)
        for name, each in zip(("W_h", "b_h", "W_o", "b_o"), report.worst, strict=True)
    ]
    page.table("∂C/∂p", ("p in", "by backpropagation", "by differences"), rows, digits=10)

    page.title("Three ways down")
    page.text(
        f"""{PASSES} passes over the 100 points, always from the same start. Plain descent and
        momentum make one step in a pass, mini-batches of 10 make ten. A batch has about a tenth
        of the gradient of all points, so a learning rate of 0.2 gives it steps as long as 0.02
        gives plain descent; and momentum 0.9 adds up to steps ten times as long, where the slope
        stays the same."""
    )
    trained, costs, summary = {}, {}, []
    for method, (rate, momentum, batch) in METHODS.items():
        trained[method], costs[method] = train(layers, X, t, rate, momentum, batch)
        accuracy = percent(trained[method].evaluate(X, t)["accuracy"])
        first_below_1 = next(
            (number for number, cost in enumerate(costs[method], 1) if cost < 1), "never"
        )
        summary.append((method, rate, momentum, batch, costs[method][-1], accuracy, first_below_1))
    columns = ("way", "rate", "momentum", "batch", "final cost", "accuracy", "C < 1 after pass")
    page.table(f"After {PASSES} passes", columns, summary)
    page.text(
        """Plain descent cannot simply take the rate 0.2: its first step throws the cost to more
        than a thousand, and it does not recover."""
    )
    page.picture("cost", draw_costs, {method: costs[method] for method in list(METHODS)[:3]})

    page.title("What the hidden layer does")
    net = trained["momentum"]
    final = net.evaluate(X, t)
    page.number("final cost with momentum", final["loss"])
    page.number("final accuracy with momentum", 100 * final["accuracy"], digits=3, unit="%")
    page.text(
        """Each hidden unit is ½ on a line, and goes to 1 on one side of it and to 0 on the other.
        The three lines pass the centre at half the radius of the outer circle, and fence the
        inner circle in."""
    )
    page.table(
        "Hidden units",
        ("unit", "distance of its line", "mean over inner", "mean over outer"),
        describe_units(net, X, t),
        digits=3,
    )
    page.picture("end", draw_regions, "After training", net, X, t)
    normal, offset = find_plane(net)
    page.text('The output layer says "inner" where')
    page.equations(f"{normal[0]:.1f} h₁ + {normal[1]:.1f} h₂ − {-normal[2]:.1f} h₃ > {-offset:.1f}")
    page.text(
        """That takes h₁ and h₂ near 1 and h₃ near 0: the inner side of all three lines. In the
        space of (h₁, h₂, h₃) it is one side of a plane. At the start each circle is still a ring
        there, one inside the other; at the end the plane is between them, at a distance"""
    )
    distances = (hidden(net, X, t) @ normal + offset) / np.linalg.norm(normal)
    page.number("from the inner circle", distances[t == INNER].min(), digits=3)
    page.number("from the outer circle", -distances[t == OUTER].max(), digits=3)
    page.picture("hidden", draw_hidden, start, net, X, t)


def make_circles() -> tuple[Array, Labels, list[cg.Dense]]:
    """Return X (100, 2), classes (100,) and layers, drawn with NumPy's legacy generator."""
    generator = np.random.RandomState(1)
    angles = 2 * np.pi * np.arange(50) / 50
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    X = np.concatenate([circle, 0.3 * circle]) + generator.normal(0, 0.1, (100, 2))
    t = np.repeat(np.array([OUTER, INNER]), 50)
    # Drawn in this order: biases before weights, and weights (in, out).
    b_h, W_h = generator.normal(size=3), generator.normal(size=(2, 3)).T
    b_o, W_o = generator.normal(size=2), generator.normal(size=(3, 2)).T
    layers = [
        cg.Dense(3, "sigmoid", weights_init=W_h, bias_init=b_h),
        cg.Dense(2, "softmax", weights_init=W_o, bias_init=b_o),
    ]
    return X, t, layers


def make_network(layers: list[cg.Dense]) -> cg.Network:
    """Return the network at the start of its training."""
    net = cg.Network(2, layers, loss="cross_entropy", reduction="sum", dtype="float64")
    net.classes = ["outer", "inner"]
    return net


def train(
    layers: list[cg.Dense], X: Array, t: Labels, rate: float, momentum: float, batch: int
) -> tuple[cg.Network, list[float]]:
    """Return a trained network and its cost after each pass over the samples."""
    net = make_network(layers)
    trainer = cg.Trainer(net, cg.SGD(rate, momentum=momentum), batch, rng=0)
    # The training loss of a pass is measured during its steps; this one after them.
    return net, trainer.fit(X, t, PASSES, X_val=X, y_val=t).val_loss


def hidden(net: cg.Network, X: Array, t: Labels) -> Array:
    """Return h of each sample, (n, 3)."""
    h: Array = net.backward(X, t).activations[0]
    return h


def describe_units(net: cg.Network, X: Array, t: Labels) -> list[tuple[Any, ...]]:
    """Return the distance of each hidden unit's line from the centre, and its mean by class."""
    layer, h = net.layers[0], hidden(net, X, t)
    distances = np.abs(layer.biases) / np.linalg.norm(layer.weights, axis=1)
    means = h[t == INNER].mean(axis=0), h[t == OUTER].mean(axis=0)
    rows = np.column_stack([distances, *means]).tolist()
    return [(f"h{'₁₂₃'[unit]}", *row) for unit, row in enumerate(rows)]


def find_plane(net: cg.Network) -> tuple[Array, float]:
    """Return normal n and offset d of the plane: the class is "inner" where n·h + d > 0."""
    output = net.layers[1]
    normal: Array = output.weights[INNER] - output.weights[OUTER]
    return normal, float(output.biases[INNER] - output.biases[OUTER])


# Pictures


def draw_costs(costs: dict[str, list[float]]) -> Axes:
    """Draw the cost after each pass over the samples, for each method of training."""
    ax = new_figure(6.4, 4).add_subplot()
    plotting.history(
        {method: {"loss": column} for method, column in costs.items()}, log=True, ax=ax
    )
    ax.set(xlabel="passes over the samples", ylabel="cost C")
    return ax


def draw_regions(title: str, net: cg.Network, X: Array, t: Labels) -> Axes:
    """Draw the class predicted at each point, and the lines of the hidden units."""
    ax = new_figure(6, 4.7).add_subplot()
    plotting.decision_regions(net, X, t, ax=ax)
    for unit, (w, b) in enumerate(zip(net.layers[0].weights, net.layers[0].biases, strict=True), 1):
        foot = -b * w / (w @ w)  # the point of w·x + b = 0 that is nearest to 0
        artist_options = {"color": style.INK, "linestyle": style.line_style(unit), "linewidth": 1}
        ax.axline(foot, foot + np.array([-w[1], w[0]]), label=f"$h_{unit}$ = ½", **artist_options)
    ax.set_aspect("equal")
    right = net.evaluate(X, t)["accuracy"]
    ax.set_title(f"{title}: accuracy {100 * right:.0f} %")
    legend_beside(ax)
    return ax


def draw_hidden(start: cg.Network, end: cg.Network, X: Array, t: Labels) -> Figure:
    """Draw the samples in the space of the hidden units, before and after the training."""
    figure = new_figure(10, 4.6)
    for number, (title, net) in enumerate({"At the start": start, "After training": end}.items()):
        ax = figure.add_subplot(1, 2, number + 1, projection="3d")
        plotting.hidden_projection(net, X, t, ax=ax)
        for unit, axis in enumerate("xyz", 1):
            ax.set(**{f"{axis}lim": (-0.05, 1.05), f"{axis}ticks": [0, 0.5, 1]})
            ax.set(**{f"{axis}label": f"hidden unit $h_{unit}$"})
        ax.set_title(title)
        ax.set_box_aspect((1, 1, 1), zoom=0.95)
        ax.view_init(elev=10, azim=-45)  # along the plane at the end of the training
        ax.get_legend().remove()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
