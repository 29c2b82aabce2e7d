"""Why backpropagation: the time of a gradient by differences and by the chain rule.

The derivative of the cost C by a parameter p needs no theory: change p a little, run the network
again, and measure the change of C,

    ∂C/∂p ≈ (C(p + h) − C(p)) / h             forward differences: P + 1 passes for P parameters
    ∂C/∂p ≈ (C(p + h) − C(p − h)) / 2h        central differences: 2 P passes, more accurate

A pass over the network uses each parameter once for each sample, so its time grows as P, and the
time of all differences as P². Backpropagation passes through the network twice for any P, once
forward and once backward; the backward pass takes about as long as two forward passes, with one
product for δ and one for ∂C/∂W. So its time grows as P, and on a plot with two logarithmic scales
the lines have the slopes 2 and 1.

The timed networks have two hidden layers of ReLU, as wide as the input, a linear output, and no
biases; C is the mean quadratic cost of 512 samples, in float64 and on one thread. One pass of a
difference changes a weight, assigns the weights of its layer to the network, and calls
`Network.evaluate`. The assignment copies at most P numbers, little work compared with 512 samples.
Backpropagation is one call of `Network.backward`, which also returns z, a and δ of all layers. A
time is the processor time of the thread, which other programs disturb less than the wall time, and
the shortest of several. If all differences would take too long, evenly spaced ones are timed, and
the total is extrapolated.

Small networks do not follow the lines. The fixed cost of a call, some microseconds for checking
the samples and for going from Python to C, exceeds that of their computation; so the slopes are
fitted to the networks from 10,000 parameters on.
"""

from __future__ import annotations

from functools import partial
from math import ceil
from time import thread_time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import cygrad as cg
from cygrad.experiments.figures import new_figure
from cygrad.plotting import style

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]

METHODS = ("forward differences", "central differences", "backpropagation")
WIDTHS = (7, 12, 22, 40, 71, 126, 223, 400, 707)  # 10² to 10⁶ parameters
FEW_PARAMETERS = (1, 2, 3, 5, 8)
FITTED_FROM = 10_000
SAMPLES = 512
SWEEPS = 2
BUDGET = 0.05  # seconds for one method and network, in each sweep
MIN_TIMED = 8  # differences that are timed even if they exceed the budget
ROUNDING = float(np.finfo(np.float64).eps)


class Problem(NamedTuple):
    """A network, and the samples of its cost."""

    net: cg.Network
    X: Array
    y: Array

    def cost(self) -> float:
        """Return the cost C."""
        return self.net.evaluate(self.X, self.y, threads=1)["loss"]

    def backpropagation(self) -> cg.Gradients:
        """Return ∂C/∂p for all parameters p."""
        return self.net.backward(self.X, self.y, input_gradient=False, threads=1)

    def differences(self, central: bool, every: int = 1) -> Array:
        """Return ∂C/∂p by differences; the stride `every` selects weights of each layer."""
        h = ROUNDING ** (1 / 3 if central else 1 / 2)  # truncation and rounding errors are equal
        here = 0.0 if central else self.cost()
        derivatives = []
        for layer in self.net.layers:
            weights = layer.weights.copy()
            flat = weights.reshape(-1)
            for k in range(0, flat.size, every):
                p = flat[k]
                flat[k] = p + h
                layer.weights = weights
                above = self.cost()
                if central:
                    flat[k] = p - h
                    layer.weights = weights
                    derivatives.append((above - self.cost()) / (2 * h))
                else:
                    derivatives.append((above - here) / h)
                flat[k] = p
            layer.weights = weights
        return np.array(derivatives)


class Times(NamedTuple):
    """Seconds for all derivatives, by each of `METHODS`, against the number of parameters."""

    parameters: NDArray[np.int64]  # (networks,)
    timed: NDArray[np.int64]  # (networks,): how many derivatives by differences were timed
    seconds: Array  # (networks, methods)


def run(page: Page) -> None:
    """Time the three ways to a gradient, fit lines, and find their crossing."""
    page.title("Three ways to a gradient")
    page.text("The derivatives of the cost C by all P parameters p of a network, to be had by")
    page.equations(
        """
        ∂C/∂p ≈ (C(p + h) − C(p)) / h          forward differences: P + 1 passes
        ∂C/∂p ≈ (C(p + h) − C(p − h)) / 2h     central differences: 2 P passes
        ∂C/∂W = δ aᵀ                           backpropagation: one pass forward, one back"""
    )
    smallest = three_layers(WIDTHS[0])
    page.text(
        f"""All agree, as far as differences can be exact: for {smallest.net.n_parameters}
        parameters the largest error, relative to the largest derivative, is"""
    )
    for name, error in zip(METHODS, errors(smallest), strict=False):
        page.number(f"error, {name}", error, digits=2)

    page.title("Their time")
    large, small = (
        measure([three_layers(width) for width in WIDTHS]),
        measure([one_layer(p) for p in FEW_PARAMETERS]),
    )
    page.table("Seconds for all derivatives", COLUMNS, rows(large), digits=3)
    page.text(
        """Of a large network only some derivatives were timed by differences, as many as the second
        column says, and the time of all is extrapolated from those. The slopes of the logarithms
        from 10,000 parameters on:"""
    )
    for method, name in enumerate(METHODS):
        page.number(f"slope, {name}", slope(large, method), digits=3)
    page.text(
        """Backpropagation can come out a little above 1: what it returns of a large network does
        not fit into the processor's caches, and the memory for it is had from the system anew
        each time. At the right end:"""
    )
    forward, _, backward = large.seconds[-1]
    page.number(f"forward differences, P = {large.parameters[-1]}", forward, digits=3, unit="s")
    page.number(f"backpropagation, P = {large.parameters[-1]}", backward, digits=3, unit="s")
    page.number("how many times as fast", forward / backward, digits=3)

    page.title("Where they cross")
    page.text(
        """Lines of slopes 2 and 1 meet somewhere: where P passes of differences take as long as
        backpropagation, that is at the number of passes that backpropagation is worth."""
    )
    crossing = factor(large, 2, 1) / factor(large, 0, 2)
    page.number("the lines of slopes 2 and 1 meet at P =", crossing, digits=2)
    page.text(
        """That is far to the left of what was fitted, where the lines say little: what is computed
        there is nothing against what a call costs. So here are networks that small, a single layer
        of 1 to 8 weights."""
    )
    page.table("Seconds for all derivatives of few parameters", COLUMNS, rows(small), digits=3)
    page.number("backpropagation is faster from P =", first_faster(small), digits=2)
    page.text(
        """There is no network that one would rather train by differences: they lose from the first
        few parameters on, by a factor that grows as P. What they are good for is to check a
        gradient, since nothing of backpropagation is in them: cygrad.check_gradients."""
    )
    page.picture("time", draw_time, large, small)


def three_layers(width: int) -> Problem:
    """Return a network of three layers with `width` inputs each, and its samples."""
    hidden = cg.Dense(width, "relu", use_bias=False)
    return problem(width, [hidden, hidden, cg.Dense(1, use_bias=False)])


def one_layer(parameters: int) -> Problem:
    """Return a network of one layer with this number of weights, and its samples."""
    return problem(parameters, [cg.Dense(1, use_bias=False)])


def problem(inputs: int, layers: list[cg.Dense]) -> Problem:
    """Return a network with random samples."""
    rng = np.random.default_rng(0)
    net = cg.Network(inputs, layers, loss="quadratic", dtype="float64", rng=0)
    return Problem(net, rng.standard_normal((SAMPLES, inputs)), rng.standard_normal((SAMPLES, 1)))


def errors(problem: Problem) -> list[float]:
    """Return the largest errors of forward and central differences, against backpropagation."""
    exact = np.concatenate([each.ravel() for each in problem.backpropagation().weights])
    return [
        float(np.abs(problem.differences(central) - exact).max() / np.abs(exact).max())
        for central in (False, True)
    ]


def measure(problems: list[Problem]) -> Times:
    """Return the shortest times of several sweeps over all networks."""
    parameters = [problem.net.n_parameters for problem in problems]
    strides = [stride(problem) for problem in problems]
    timed = [
        sum(ceil(layer.n_parameters / every) for layer in problem.net.layers)
        for problem, every in zip(problems, strides, strict=True)
    ]
    seconds = np.full((SWEEPS, len(problems), len(METHODS)), np.inf)
    for sweep in range(SWEEPS):
        for k, (problem, every) in enumerate(zip(problems, strides, strict=True)):
            forward = fastest(partial(problem.differences, False, every))
            central = fastest(partial(problem.differences, True, every))
            seconds[sweep, k] = (
                forward / (timed[k] + 1) * (parameters[k] + 1),
                central / timed[k] * parameters[k],
                fastest(problem.backpropagation),
            )
    return Times(np.array(parameters), np.array(timed), seconds.min(axis=0))


def stride(problem: Problem) -> int:
    """Return the stride between timed derivatives, so that their time is within the budget."""
    parameters = problem.net.n_parameters
    return min(ceil(parameters * fastest(problem.cost) / BUDGET), max(1, parameters // MIN_TIMED))


def fastest(work: Callable[[], object]) -> float:
    """Return the shortest time of the work in seconds; repeat it until the budget is used up."""
    best, begin = float("inf"), thread_time()
    now = begin
    while now == begin or now - begin < BUDGET:
        before = now
        work()
        now = thread_time()
        best = min(best, now - before)
    return best


COLUMNS = ("parameters", "timed", *METHODS)


def rows(times: Times) -> list[tuple[object, ...]]:
    """Return one row of a table for each network."""
    return [
        (int(parameters), int(timed), *seconds.tolist())
        for parameters, timed, seconds in zip(*times, strict=True)
    ]


def slope(times: Times, method: int) -> float:
    """Return s in seconds ∝ Pˢ, by least squares of the logarithms of the larger networks."""
    large = times.parameters >= FITTED_FROM
    logs = np.log(times.parameters[large]), np.log(times.seconds[large, method])
    return float(np.polyfit(*logs, 1)[0])


def factor(times: Times, method: int, power: int) -> float:
    """Return c in seconds ≈ c P^power: the geometric mean over the larger networks."""
    large = times.parameters >= FITTED_FROM
    ratios = times.seconds[large, method] / times.parameters[large].astype(float) ** power
    return float(np.exp(np.log(ratios).mean()))


def first_faster(times: Times) -> float:
    """Return the P from which on backpropagation is faster than forward differences."""
    slower = np.flatnonzero(times.seconds[:, 0] <= times.seconds[:, 2])
    return float([*times.parameters, np.inf][slower[-1] + 1 if slower.size else 0])


def draw_time(large: Times, small: Times) -> Axes:
    """Draw times by number of parameters, hollow if extrapolated, and lines of slopes 2 and 1."""
    ax = new_figure(7, 5).add_subplot()
    line = np.array([1.0, large.parameters[-1]])
    for method, power in ((0, 2), (2, 1)):
        ax.loglog(line, factor(large, method, power) * line**power, ":", color=style.INK, lw=1)
    for method, name in enumerate(METHODS):
        artist_options = {
            "color": style.color(method),
            "marker": style.marker(method),
            "markersize": 6,
        }
        ax.loglog([], [], label=f"{name}, slope {slope(large, method):.2f}", **artist_options)
        for times in (small, large):
            seconds = times.seconds[:, method]
            ax.loglog(times.parameters, seconds, color=style.color(method))
            whole = (times.timed == times.parameters) | (METHODS[method] == "backpropagation")
            for some, face in ((whole, style.color(method)), (~whole, "white")):
                points = times.parameters[some], seconds[some]
                ax.loglog(*points, ls="none", markerfacecolor=face, **artist_options)
    ax.loglog([], [], "o", color=style.INK, markerfacecolor="white", label="extrapolated")
    ax.loglog([], [], ":", color=style.INK, lw=1, label="slopes 2 and 1")
    for times, index, text, away in ((small, -1, "one layer", 8), (large, 0, "three layers", -38)):
        point = float(times.parameters[index]), float(times.seconds[index, 1])
        artist_options = {"textcoords": "offset points", "ha": "center", "color": style.INK}
        ax.annotate(text, point, xytext=(away, 9), **artist_options)
    ax.set(xlabel="parameters P", ylabel="processor time of all derivatives [s]")
    ax.grid(alpha=0.3)
    ax.legend()
    return ax
