"""Two weights and a Gaussian unit: the cost surface, and the path of the descent on it.

Samples x on a line are of class 1 around 0 and of class 0 on either side, so no threshold on x
separates the classes. One hidden unit with a bump can, a radial basis function:

    h = exp(−(w_h x)²)                     1 at x = 0, towards 0 far away; the wider, the less w_h
    y = σ(w_o h − 1)                       the probability of class 1; the bias −1 is frozen
    C = −Σ [t ln y + (1 − t) ln(1 − y)]    over the samples x, whose classes are t

Only w_h and w_o are learnt, so C is a surface over a plane, and the descent a visible path on it.
Its derivatives describe the surface:

    ∂C/∂w_o = Σ (y − t) h
    ∂C/∂w_h = Σ (y − t) w_o h · (−2 w_h x²)

C depends on w_h only through its square: left of w_h = 0 the surface mirrors the right side. And
∂C/∂w_h is 0 wherever w_h or w_o is 0: no path leaves the line w_h = 0, and a path crosses w_o = 0
parallel to the axis of w_o.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import legend_beside, new_figure
from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page
    from cygrad.training.optimizers import LearningRate

    Array = NDArray[np.float64]

STEPS = 50
START = (2.0, -5.0)  # w_h, w_o

# In pictures: the range of x, and the points along each axis of the cost surface.
EXTENT = (-3.5, 3.5)
RESOLUTION = 161


def run(page: Page) -> None:
    """Train the two weights, and show the cost around them."""
    X, t = make_data()
    page.title("A Gaussian unit with two weights")
    page.text(
        """40 numbers x: 20 of class 1 around 0, and 10 of class 0 around each of −2 and 2. The
        network is a bump, h, and a sigmoid unit above it:"""
    )
    page.equations(
        """
        h = exp(−(w_h x)²)                     1 at x = 0, towards 0 far away
        y = σ(w_o h − 1)                       the probability of class 1
        C = −Σ [t ln y + (1 − t) ln(1 − y)]    the cost; t is the class of a sample"""
    )
    page.text("It learns w_h and w_o, the weights of the hidden and of the output unit.")
    page.picture("data", draw_data, X, t)

    page.title("The descent")
    page.text(
        f"""{STEPS} steps, each over all samples. The learning rate is 0.2, lowered by 0.2/50 before
        each step: long steps first, on the plain, and short ones at the end, in the valley. The
        last has rate 0 and moves nothing."""
    )
    net = make_network(*START)
    page.number("cost at the start", net.evaluate(X, t)["loss"], digits=12)
    path = descend(net, X, t, lowered)
    final = net.evaluate(X, t)
    page.number("final cost", final["loss"], digits=11)
    page.number("final hidden weight w_h", net.layers[0].weights[0, 0], digits=11)
    page.number("final output weight w_o", net.layers[1].weights[0, 0], digits=11)
    page.number("final accuracy", 100 * final["accuracy"], digits=3, unit="%")
    page.picture("surface", draw_surface, net, X, t, path)
    page.picture("contour", draw_contour, net, X, t, path)
    page.text(
        f"""The path goes a long way round: w_h rises to {path[:, 0].max():.2f} and comes back.
        While w_o is negative, y has a dip just where class 1 is, and the narrower it is, the less
        it costs. Once w_o is positive the dip is a bump, and costs the less, the better it covers
        class 1."""
    )
    page.picture("output", draw_output, X, t, net)
    page.text(
        """The frozen bias sets a floor. However narrow a bump that points up, far from it the
        network says σ(−1) = 0.27 and not 0; so each sample of class 0 costs ln(1 + 1/e) at least,
        all 20 of them 6.27. More steps could bring C closer to that, not below."""
    )

    page.title("Why the learning rate is lowered")
    page.text(
        """The same start and as many steps, with other learning rates. A constant 0.2 crosses the
        plain in time, but is too long for the valley: one step lands on the steep wall between
        the two valleys, and the next is thrown far out onto the plain. 0.1 goes to and fro
        between the valley's walls; 0.05 is still on the plain."""
    )
    rates: list[tuple[str, LearningRate]]
    rates = [("0.2, lowered", lowered), ("0.2", 0.2), ("0.1", 0.1), ("0.05", 0.05)]
    results = [(label, *final_values(rate, START, X, t)) for label, rate in rates]
    page.table(f"After {STEPS} steps", ("learning rate", "w_h", "w_o", "cost C"), results)

    page.title("Symmetry")
    page.text(
        """Only w_h² counts. From −2 the path is the mirror image of that from 2, and ends at the
        same cost. From w_h = 0 no path leads away: there h = 1 for all x, and the best that w_o
        can do is to make y = ½ for all, at a cost of 40 ln 2."""
    )
    starts = [(w_h, *final_values(lowered, (w_h, START[1]), X, t)) for w_h in (2.0, -2.0, 0.0)]
    page.table("From w_o = −5", ("w_h at the start", "w_h", "w_o", "cost C"), starts)


def make_data() -> tuple[Array, Array]:
    """Return X and targets, (40, 1) each, drawn with NumPy's legacy generator."""
    generator = np.random.RandomState(1)
    centres = [(0, 20), (-2, 10), (2, 10)]
    X = np.concatenate([generator.normal(centre, 0.5, (count, 1)) for centre, count in centres])
    return X, np.repeat([1.0, 0.0], 20)[:, np.newaxis]


def make_network(w_h: float, w_o: float) -> cg.Network:
    """Return the network with these two weights."""
    layers = [
        cg.Dense(1, "gaussian", use_bias=False, weights_init=w_h),
        cg.Dense(1, "sigmoid", weights_init=w_o, bias_init=-1.0, trainable="weights"),
    ]
    return cg.Network(1, layers, loss="binary_cross_entropy", reduction="sum", dtype="float64")


def lowered(step: int) -> float:
    """Return the learning rate of a step, counted from 0: 0.2, lowered by 0.2/50 before each."""
    return 0.2 - 0.2 / 50 * (step + 1)


def descend(net: cg.Network, X: Array, t: Array, rate: LearningRate) -> Array:
    """Train over all samples at once; return the parameters before and after each step, in rows."""
    path = [net.parameters]
    trainer = cg.Trainer(net, cg.SGD(rate), batch_size=len(X), rng=0)
    trainer.fit(X, t, STEPS, callbacks=[lambda *_: path.append(net.parameters)])
    return np.array(path)


def final_values(
    rate: LearningRate, start: tuple[float, float], X: Array, t: Array
) -> tuple[float, float, float]:
    """Train from this start, and return the final w_h and w_o and their cost."""
    net = make_network(*start)
    descend(net, X, t, rate)
    w_h, w_o, _ = net.parameters
    return float(w_h), float(w_o), net.evaluate(X, t)["loss"]


# Pictures


def draw_data(X: Array, t: Array) -> Axes:
    """Draw the samples on their line, each class at its own height."""
    ax = new_figure(6.4, 2).add_subplot()
    draw_samples(ax, X, t)
    ax.set(xlabel="x", ylabel="class t", yticks=[0, 1], xlim=EXTENT, ylim=(-0.5, 1.5))
    return ax


def draw_samples(ax: Axes, X: Array, t: Array) -> None:
    """Draw the samples at the height of their targets."""
    for target in (0, 1):
        x = X[t == target]
        artist_options = style.sample(target) | {"alpha": 0.7, "linewidths": 0.6, "zorder": 3}
        ax.scatter(x, np.full_like(x, target), label=f"class {target}", **artist_options)


def draw_output(X: Array, t: Array, net: cg.Network) -> Axes:
    """Draw the output of the network for every x, at the start and at the end."""
    ax = new_figure(6.4, 3.6).add_subplot()
    x = np.linspace(*EXTENT, 400)[:, np.newaxis]
    ax.axhline(0.5, color=style.INK, linewidth=0.8, linestyle=":")
    ax.plot(x, make_network(*START).forward(x), "--", color=style.INK, label="y at the start")
    ax.plot(x, net.forward(x), color=style.color(2), label="y at the end")
    draw_samples(ax, X, t)
    ax.set(xlabel="x", ylabel="probability of class 1", xlim=EXTENT)
    legend_beside(ax)
    return ax


def draw_surface(net: cg.Network, X: Array, t: Array, path: Array) -> Axes:
    """Draw the cost over (w_h, w_o), with the path of the descent on it."""
    ax = new_figure(7, 6).add_subplot(projection="3d")
    draw_cost(ax, net, X, t, path)
    ax.set_zlabel("cost C")
    ax.view_init(elev=52, azim=68)
    return ax


def draw_contour(net: cg.Network, X: Array, t: Array, path: Array) -> Axes:
    """Draw the cost as a map with lines of equal cost."""
    ax = new_figure(7, 5).add_subplot()
    draw_cost(ax, net, X, t, path, kind="contour", log=True)
    ax.figure.axes[-1].set_ylabel("cost C")
    return ax


def draw_cost(ax: Axes, net: cg.Network, X: Array, t: Array, path: Array, **kwargs: Any) -> None:
    """Draw the cost surface over the part of the plane with the path and both valleys."""
    plotting.cost_surface(
        net,
        X,
        t,
        (0, "weights", (0, 0)),
        (1, "weights", (0, 0)),
        path=path,
        range_1=(-8, 8),
        range_2=(-7, 6),
        resolution=RESOLUTION,
        ax=ax,
        **kwargs,
    )
    ax.set(xlabel="hidden weight $w_h$", ylabel="output weight $w_o$")
