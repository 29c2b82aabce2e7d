"""Softmax over two classes: its surface over the plane, and why that is the logistic function.

Softmax turns any two numbers into probabilities, one for each class:

    P(t = 1 | z) = exp(z₁) / (exp(z₁) + exp(z₂))
    P(t = 2 | z) = exp(z₂) / (exp(z₁) + exp(z₂))

Divide the first above and below by exp(z₁):

    P(t = 1 | z) = 1 / (1 + exp(−(z₁ − z₂))) = σ(z₁ − z₂)

So only the difference of z₁ and z₂ matters; adding the same number to both changes nothing. A
softmax over two outputs is one sigmoid of their difference, and its surface over the plane of
(z₁, z₂) is the logistic curve, extended along the diagonal.

The surface is computed in three ways: by a network that passes z to softmax, by the gate softmax of
a computational graph, and by the gate sigmoid of the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import cygrad as cg
from cygrad.experiments.figures import legend_beside, new_figure
from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]

POINTS = 200  # along each axis
EXTENT = 10.0  # z from −EXTENT to EXTENT
FACES = 200  # of the picture, along each axis

SOME_POINTS = [(0, 0), (7, 7), (1, 0), (3, 2), (-4, -5), (0, 1), (10, -10)]


def run(page: Page) -> None:
    """Compute the surface in three ways, draw it, and print its slopes."""
    page.title("Softmax over two classes")
    page.text(
        """The probability that softmax gives to the first of two classes is the logistic function
        σ of a difference:"""
    )
    page.equations("P(t = 1 | z) = exp(z₁) / (exp(z₁) + exp(z₂)) = 1 / (1 + exp(−(z₁ − z₂)))")
    z = make_grid()
    P = by_network(z)
    page.text(
        f"""P is computed over a grid of {POINTS} × {POINTS} points, z₁ and z₂ from −10 to 10, by a
        network whose weights are the identity. Two computational graphs are held against it, one
        of softmax and one of σ(z₁ − z₂); all that is between them is rounding."""
    )
    page.number("points", P.size)
    page.number("lowest P, at z = (−10, 10)", P.min(), digits=4)
    page.number("1 − highest P, at z = (10, −10)", 1 - P.max(), digits=4)
    page.number("network − softmax(z)₁, at most", np.abs(P - by_softmax(z)).max(), digits=2)
    page.number("network − σ(z₁ − z₂), at most", np.abs(P - by_sigmoid(z)).max(), digits=2)
    page.picture("surface", draw_surface, z, P)

    page.title("Only the difference counts")
    page.text(
        """Where z₁ − z₂ is the same, P is the same: along the diagonals of the plane. Where
        z₁ = z₂ it is ½. On one side of this line class 1 is the more probable, on the other class
        2. Cuts through the surface at different z₂ are one curve, shifted; against z₁ − z₂ they lie
        on top of each other."""
    )
    page.picture("contour", draw_contour, z, P)
    page.picture("difference", draw_difference)
    page.text(
        """The slopes, by a backward pass over the graph, say it too: ∂P/∂z₁ = P (1 − P), and
        ∂P/∂z₂ = −∂P/∂z₁, so a step that adds the same to both changes nothing. They are ¼ and −¼
        where z₁ = z₂, and vanish far from there."""
    )
    rows = [(z_1, z_2, z_1 - z_2, *slopes(z_1, z_2)) for z_1, z_2 in SOME_POINTS]
    page.table("P and its slopes", ("z₁", "z₂", "z₁ − z₂", "P", "∂P/∂z₁", "∂P/∂z₂"), rows)
    page.text(
        """So one sigmoid unit says of two classes what two softmax units say: its weights and its
        bias are the differences of theirs, and it has half as many."""
    )


def make_grid() -> Array:
    """Return (z₁, z₂) of each point, (POINTS², 2); z₁ changes faster."""
    axis = np.linspace(-EXTENT, EXTENT, POINTS)
    return np.column_stack([values.ravel() for values in np.meshgrid(axis, axis)])


def by_network(z: Array) -> Array:
    """Return P(t = 1 | z) from a network of one layer, whose weights are the identity."""
    layer = cg.Dense(2, "softmax", weights_init=np.eye(2))
    net = cg.Network(2, [layer], loss="cross_entropy", dtype="float64")
    P: Array = net.forward(z)[:, 0]
    return P


def by_softmax(z: Array) -> Array:
    """Return P(t = 1 | z) from the gate softmax."""
    return np.asarray(cg.graph.softmax(z, axis=1).value)[:, 0]


def by_sigmoid(z: Array) -> Array:
    """Return P(t = 1 | z) from the gate sigmoid of the difference."""
    z_1, z_2 = cg.graph.Variable(z[:, 0], "z₁"), cg.graph.Variable(z[:, 1], "z₂")
    return np.asarray(cg.graph.sigmoid(z_1 - z_2).value)


def slopes(z_1: float, z_2: float) -> tuple[float, ...]:
    """Return P(t = 1 | z) at one point, and its derivatives by z₁ and z₂."""
    z = cg.graph.Variable([z_1, z_2], "z")
    P = cg.graph.softmax(z)
    P.backward([1, 0])  # the first of the two outputs
    return tuple(map(float, (np.asarray(P.value)[0], *np.asarray(z.gradient))))


# Pictures


def draw_surface(z: Array, P: Array) -> Axes:
    """Draw P as a height over (z₁, z₂), with the line where it is ½."""
    ax = new_figure(6.4, 5.2).add_subplot(projection="3d")
    ax.computed_zorder = False  # else the surface would hide the line
    surface = [values.reshape(POINTS, POINTS) for values in (*z.T, P)]
    artist_options = {"cmap": colors(), "vmin": 0, "vmax": 1, "antialiased": False, "zorder": 1}
    ax.plot_surface(*surface, rcount=FACES, ccount=FACES, **artist_options)
    ends = [-EXTENT, EXTENT]
    ax.plot(ends, ends, [0.5, 0.5], color=style.INK, label="$z_1 = z_2$, P = ½", zorder=2)
    ticks = [-10, -5, 0, 5, 10]
    ax.set(xlabel="$z_1$", ylabel="$z_2$", zlabel="P(t = 1 | z)", xticks=ticks, yticks=ticks)
    ax.view_init(elev=35, azim=150)  # from here all of the slope is visible
    ax.set_box_aspect(None, zoom=0.87)  # room for the label of the third axis
    ax.legend(loc="upper right")
    return ax


def draw_contour(z: Array, P: Array) -> Axes:
    """Draw P as a map with lines of equal P."""
    ax = new_figure(6, 4.8).add_subplot()
    surface = [values.reshape(POINTS, POINTS) for values in (*z.T, P)]
    filled = ax.contourf(*surface, levels=np.linspace(0, 1, 21), cmap=colors())
    levels = [0.001, 0.05, 0.5, 0.95, 0.999]
    widths = [2 if level == 0.5 else 0.8 for level in levels]
    lines = ax.contour(*surface, levels=levels, colors=style.INK, linewidths=widths)
    ticks = [-10, -5, 0, 5, 10]
    # On the other diagonal, from one corner to the other.
    label_positions = [(np.log(level / (1 - level)) / 2 * np.array([1, -1])) for level in levels]
    ax.clabel(lines, fmt="%g", manual=label_positions)
    ax.figure.colorbar(filled, ax=ax, label="P(t = 1 | z)", ticks=np.linspace(0, 1, 5))
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", xticks=ticks, yticks=ticks)
    return ax


def draw_difference() -> Figure:
    """Draw three cuts through the surface: three curves of z₁, but one curve of z₁ − z₂."""
    figure = new_figure(8, 3.4)
    left, right = figure.subplots(1, 2, sharey=True)
    z_1 = np.linspace(-EXTENT, EXTENT, POINTS)
    for number, z_2 in enumerate((-5, 0, 5)):
        P = by_network(np.column_stack([z_1, np.full(POINTS, z_2)]))
        artist_options = style.curve(number, POINTS) | {"label": f"$z_2 = {z_2}$"}
        left.plot(z_1, P, **artist_options)
        right.plot(z_1 - z_2, P, **artist_options)
    left.set(xlabel="$z_1$", ylabel="P(t = 1 | z)")
    right.set(xlabel="$z_1 - z_2$")
    legend_beside(right)
    return figure


def colors() -> Colormap:
    """Return the colour map from the second class over white to the first."""
    return style.between(1, 0, 0.7)
