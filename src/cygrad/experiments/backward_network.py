"""The backward pass as a network that runs from right to left.

Forward, a network takes x through its layers::

    z¹ = W¹ x + b¹,   a¹ = σ(z¹),   z² = W² a¹ + b²,   a² = σ(z²)

and backpropagation takes the derivatives of the cost the other way::

    δ² = ∇ₐC ⊙ σ′(z²),   ∂C/∂a¹ = (W²)ᵀ δ²,   δ¹ = ∂C/∂a¹ ⊙ σ′(z¹),   ∂C/∂x = (W¹)ᵀ δ¹

This is a network too: its input ∇ₐC passes through units and weights in turn. It has the same
lines with the same weights, but each line leads from its right end to its left end: that is what
transposing means. Instead of applying σ, a unit multiplies by σ′(z), a number from the forward
pass. So the backward network is linear: twice the ∇ₐC gives twice everything.

The experiment builds it as a `Network` of identity layers without biases: one with σ′(z²) on the
diagonal, one with (W²)ᵀ, one with σ′(z¹), one with (W¹)ᵀ. Their outputs are compared with the δ of
`Network.backward` and of `cygrad.reference`.

The weights connect the two networks: ∂C/∂W = δ aᵀ is the number at the left end of a line in the
forward pass, times the number at its right end in the backward pass. One run of each network gives
all derivatives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import new_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]

X, Y = np.array([[1.0, -0.5]]), np.array([[1.0, 0.0]])
WEIGHTS = ([[0.8, -1.2], [-0.5, 1.0], [1.5, 0.6]], [[1.1, -0.7, 0.4], [-0.9, 0.5, 1.3]])
BIASES = ([0.1, -0.3, -0.6], [-0.2, -0.6])


def run(page: Page) -> None:
    """Run a network forward, build its backward network, run that, and compare."""
    layers = [
        cg.Dense(len(b), "sigmoid", weights_init=W, bias_init=b)
        for W, b in zip(WEIGHTS, BIASES, strict=True)
    ]
    net = cg.Network(2, layers, loss="quadratic", dtype="float64")
    gradients = net.backward(X, Y)
    slopes = [a * (1 - a) for a in gradients.activations]

    page.title("Forward, from left to right")
    page.text(
        """Two inputs, three sigmoid units in layer 1 and two in layer 2; one sample, x = (1, −0.5),
        whose target is y = (1, 0)."""
    )
    page.equations("z¹ = W¹ x + b¹,   a¹ = σ(z¹),   z² = W² a¹ + b²,   a² = σ(z²)")
    page.table(
        "What each unit computes, and the slope that it keeps",
        ["unit", "z", "a = σ(z)", "σ′(z) = a (1 − a)"],
        by_unit(gradients.pre_activations, gradients.activations, slopes),
    )
    page.number("C = ½ ‖a² − y‖²", gradients.loss)

    page.title("Backward, from right to left")
    page.text(
        """The same lines, the same weights; each unit multiplies by the slope σ′(z) that it has
        kept. ∇ₐC = a² − y comes in at the right."""
    )
    page.equations("δ² = ∇ₐC ⊙ σ′(z²),   δ¹ = (W²)ᵀ δ² ⊙ σ′(z¹),   ∂C/∂x = (W¹)ᵀ δ¹")
    nabla = gradients.activations[-1] - Y
    backward = backward_network(net, slopes)
    delta_2, into_1, delta_1, dx = outputs(backward, nabla)
    page.table(
        "What comes to each unit, and what it makes of it",
        ["unit", "∂C/∂a", "δ = ∂C/∂a · σ′(z)"],
        by_unit([into_1, nabla], [delta_1, delta_2]),
    )
    page.picture("passes", draw, net, gradients, slopes, (dx, delta_1, delta_2))

    page.title("Is it backpropagation?")
    page.text(
        """The backward network is built as a network of its own, and what its layers put out is
        compared with the engine's backward pass and the reference's. A line has δ at one end and a
        at the other, and their product is ∂C/∂W. And the backward network is linear: twice the ∇ₐC
        gives twice everything. The largest differences, relative to the largest number
        compared:"""
    )
    reference = cg.reference.Network(
        2, [cg.reference.Dense(len(b), "sigmoid") for b in BIASES], loss="quadratic"
    )
    reference.parameters = net.parameters.tolist()
    plain = reference.backward(X.tolist(), Y.tolist())
    for name, ours, engine, python in (
        ("δ²", delta_2, gradients.deltas[1], plain.deltas[1]),
        ("δ¹", delta_1, gradients.deltas[0], plain.deltas[0]),
        ("∂C/∂x", dx, gradients.inputs, plain.inputs),
    ):
        page.number(f"{name}: from Network.backward", relative_difference(ours, engine), digits=2)
        page.number(f"{name}: from cygrad.reference", relative_difference(ours, python), digits=2)
    for name, delta, below, weights in (
        ("δ² a¹ᵀ", delta_2, gradients.activations[0], gradients.weights[1]),
        ("δ¹ xᵀ", delta_1, X, gradients.weights[0]),
    ):
        page.number(f"{name}: from ∂C/∂W", relative_difference(delta.T @ below, weights), digits=2)
    twice = outputs(backward, 2 * nabla)[-1]
    page.number("∂C/∂x for 2 ∇ₐC: from twice ∂C/∂x", relative_difference(twice, 2 * dx), digits=2)


def backward_network(net: cg.Network, slopes: Sequence[Array]) -> cg.Network:
    """Return the network from ∇ₐC to δ², ∂C/∂a¹, δ¹ and ∂C/∂x, with a layer for each."""
    layers = []
    for layer, slope in zip(reversed(net.layers), reversed(slopes), strict=True):
        layers += [linear(np.diag(slope[0])), linear(layer.weights.T)]
    return cg.Network(net.outputs, layers, loss="quadratic", dtype="float64")


def linear(weights: Array) -> cg.Dense:
    """Return a layer that multiplies by a matrix."""
    return cg.Dense(len(weights), "identity", use_bias=False, weights_init=weights)


def outputs(net: cg.Network, X: Array) -> tuple[Array, ...]:
    """Return the output of every layer; `Network.forward` returns only the last."""
    return net.backward(X, np.zeros((1, net.outputs))).activations


def by_unit(*columns: Sequence[Array]) -> list[tuple[str | float, ...]]:
    """Return a row for each unit, layer after layer: its name and its number in each column."""
    rows = []
    for number, arrays in enumerate(zip(*columns, strict=True), start=1):
        for unit, values in enumerate(np.concatenate(arrays).T.tolist(), start=1):
            rows.append((f"layer {number}, unit {unit}", *values))
    return rows


def relative_difference(actual: ArrayLike, expected: Any) -> float:
    """Return the largest difference, relative to the largest number."""
    return float(np.abs(np.subtract(actual, expected)).max() / np.abs(expected).max())


# The picture


def draw(
    net: cg.Network, gradients: cg.Gradients, slopes: Sequence[Array], backward: Sequence[Array]
) -> Figure:
    """Draw the network, and below it the backward network, unit under unit."""
    figure = new_figure(8.5, 7.4)
    above, below = figure.subplots(2, 1)
    above.set_title("Forward, from left to right: a = σ(z) on each unit, z above it")
    equations = ["x", "a¹ = σ(W¹x + b¹)", "a² = σ(W²a¹ + b²)"]
    on_units = [X, *gradients.activations]
    draw_pass(above, net, "forward", equations, on_units, "z", gradients.pre_activations)
    below.set_title("Backward, from right to left: σ′(z) on each unit, δ above it")
    equations = ["∂C/∂x = (W¹)ᵀδ¹", "δ¹ = (W²)ᵀδ² ⊙ σ′(z¹)", "δ² = ∇ₐC ⊙ σ′(z²)"]
    on_units = [backward[0], *slopes]
    centers = draw_pass(below, net, "backward", equations, on_units, "δ", backward[1:])
    for (x, y), value in zip(centers[-2:], (gradients.activations[-1] - Y)[0], strict=True):
        below.text(x + 0.45, y, f"← {format_number(value)}", va="center")
    below.text(centers[-1][0] + 0.8, 0, "∇ₐC", ha="center", va="center")
    return figure


def draw_pass(
    ax: Axes,
    net: cg.Network,
    direction: Literal["forward", "backward"],
    equations: Sequence[str],
    on_units: Sequence[Array],
    name: str,
    over_units: Sequence[Array],
) -> Array:
    """Draw the network with numbers on its units and lines; return the units' centres."""
    labels = [[format_number(value) for value in values[0]] for values in on_units]
    plotting.network_diagram(
        net, unit_labels=labels, captions=equations, weight_labels=True, arrows=direction, ax=ax
    )
    centers = np.array([circle.center for circle in ax.patches])
    values = np.concatenate(over_units, axis=1)[0]
    for (x, y), value in zip(centers[net.inputs :], values, strict=True):
        ax.text(x, y + 0.4, f"{name} = {format_number(value)}", ha="center", va="bottom")
    return centers


def format_number(value: float) -> str:
    """Format a number for the picture."""
    return f"{value:.3f}".replace("-", "−")
