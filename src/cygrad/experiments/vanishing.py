"""Vanishing gradients: the size of the gradient in the first layers of a deep network.

Backpropagation carries δ = ∂C/∂z from the last layer to the first,

    δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)          ∂C/∂Wˡ = δˡ (aˡ⁻¹)ᵀ

and each layer on the way multiplies by Wᵀ and by σ′. The slope of the sigmoid, σ′ = σ (1 − σ), is
at most 1/4, where z = 0. So unless the weights make up for it, δ becomes at least four times
smaller with every layer, which is exponential in the depth. The slope of tanh is up to 1, and that
of ReLU is 1 for every active unit: δ can keep its size, if the weights allow it.

That depends on the initial weights. A sum over n inputs with weights of variance v multiplies the
size of the numbers by about √(n v); for the 32 units of a layer here that factor is

    Glorot        v = 2 / (inputs + outputs)    1        keeps sizes, in both directions
    He            v = 2 / inputs                1.4      makes up for the half of the units that
                                                         are inactive with ReLU
    N(0, 1)       v = 1                         5.7
    N(0, 0.01²)   v = 0.0001                    0.057

All networks have the same ten layers, and start with the same random numbers, times √v. The
experiment compares the norms ‖∂C/∂W‖, the root of the sum of squares, of successive layers.

References
----------
X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks",
AISTATS 2010.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import new_figure
from cygrad.experiments.page import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

    Array = NDArray[np.float64]
    Labels = NDArray[np.int64]
    # By initialisation and activation.
    Networks = dict[tuple[str, str], cg.Network]

LAYERS = 10
WIDTH = 32
ACTIVATIONS = ("sigmoid", "tanh", "relu")
STARTS: dict[str, Any] = {
    "Glorot": "glorot_normal",
    "He": "he_normal",
    "N(0, 1)": cg.initializers.normal(1.0),
    "N(0, 0.01²)": cg.initializers.normal(0.01),
}
LEARNING_RATE = 0.05
EPOCHS = 30


def run(page: Page) -> None:
    """Print norms by layer at the start, for each initialisation, and after training."""
    X, y = images()
    nets = make_networks()
    start = {which: norms(net, X, y) for which, net in nets.items()}
    glorot = {name: start["Glorot", name] for name in ACTIVATIONS}

    page.title("From the last layer to the first")
    page.text(
        f"""Ten layers that classify handwritten digits, nine of {WIDTH} units and a softmax, with
        Glorot's initialisation and before any training: the same weights under three activations.
        C is the mean cross-entropy over all images. Read from the top, as the gradient goes."""
    )
    rows = [
        (layer + 1, *(float(each[layer]) for each in glorot.values()))
        for layer in reversed(range(LAYERS))
    ]
    page.table("‖∂C/∂W‖ by layer", ["layer", *ACTIVATIONS], rows, digits=3)
    page.text("The first layer's norm over the last's, and the factor from a layer to the next:")
    for name, each in glorot.items():
        page.number(f"first over last, {name}", each[0] / each[-1], digits=3)
        page.number(f"from layer to layer, {name}", factor(each), digits=3)
    page.text(
        """Glorot's weights neither grow δ nor shrink it, on average, and what remains is the slope:
        about 1/4 for each layer of the sigmoid, and near 1 for tanh. ReLU loses nothing from layer
        to layer either. That its norms are lower everywhere comes of the units that are off, about
        half of them, which weaken what goes forward as much as what comes back."""
    )

    page.title("What the start decides")
    page.text(
        """He's weights make up for the units that are off: ReLU's norms rise to those of tanh. With
        weights from N(0, 1) sums are 5.7 times too large. The sigmoid's gradient gets through
        better so; tanh's grows on the way; ReLU's is huge in every layer alike, for ∂C/∂W is δ
        times a, and a has grown on its way forward as δ has on its way back. With weights from
        N(0, 0.01²) all is too small instead: tanh and ReLU lose nothing from layer to layer, and
        yet no layer has any gradient to speak of."""
    )
    page.table(
        "‖∂C/∂W‖ at the start",
        ["initialisation", "activation", "last layer", "first layer", "layer to layer"],
        [(*which, float(each[-1]), float(each[0]), factor(each)) for which, each in start.items()],
        digits=3,
    )

    page.title("After training")
    page.text(
        f"""All twelve are trained alike: {EPOCHS} epochs of plain gradient descent, learning rate
        {LEARNING_RATE}, 32 images a step. Where a network has learnt, the gradient is small because
        little is left to correct; where it has not, because it does not arrive."""
    )
    histories = {which: train(net, X, y) for which, net in nets.items()}
    trained = {which: net for which, net in nets.items() if histories[which] is not None}
    after = {which: norms(net, X, y) for which, net in trained.items()}
    accuracies = {which: net.evaluate(X, y)["accuracy"] for which, net in trained.items()}
    page.table(
        "‖∂C/∂W‖ and accuracy after training",
        ["initialisation", "activation", "last layer", "first layer", "accuracy"],
        [
            (
                *which,
                f"{after[which][-1]:.3g}",
                f"{after[which][0]:.3g}",
                percent(accuracies[which]),
            )
            if which in after
            else (*which, "–", "–", "diverged")
            for which in nets
        ],
    )
    page.text("How far the first layer's weights went in all that time, ‖W − W₀‖ / ‖W₀‖:")
    for name in ACTIVATIONS:
        change = first_layer_change(nets["Glorot", name], name)
        page.number(f"first layer moved, {name}", change, digits=3)
    page.text(
        """From a good start tanh and ReLU come to know nearly all digits. The sigmoid gives one and
        the same answer to every image: its last layers have learnt how frequent the digits are, and
        its first have not moved. From N(0, 1) the sigmoid learns best; tanh has all its units near
        ±1, where the slope is 0, and ReLU overflows in the first steps. From N(0, 0.01²) nothing
        learns. There ReLU's gradient ends as exactly 0: the biases of the last hidden layer, almost
        alone in moving, have turned all its units off, for every image."""
    )
    page.picture("gradients", draw_gradients, make_networks(), trained, X, y)
    page.picture("learning", draw_learning, histories)


def images() -> tuple[Array, Labels]:
    """Return the digits of the package, with pixels from −1 to 1."""
    X, y = cg.datasets.load_digits()
    return X / 8 - 1, y


def make_network(start: str, activation: str) -> cg.Network:
    """Return ten layers, with the same random numbers for every start and activation."""
    hidden = [cg.Dense(WIDTH, activation, weights_init=STARTS[start])] * (LAYERS - 1)
    output = cg.Dense(10, "softmax", weights_init=STARTS[start])
    return cg.Network(64, [*hidden, output], loss="cross_entropy", dtype="float64", rng=0)


def make_networks() -> Networks:
    """Return the untrained networks of every start and activation."""
    return {which: make_network(*which) for which in product(STARTS, ACTIVATIONS)}


def norms(net: cg.Network, X: Array, y: Labels) -> Array:
    """Return ‖∂C/∂W‖ of each layer, first to last."""
    gradients = net.backward(X, y, input_gradient=False)
    return np.array([np.linalg.norm(weights) for weights in gradients.weights])


def factor(norms: Array) -> float:
    """Return the mean factor of the norm from a layer to the one before: the geometric mean."""
    return float((norms[0] / norms[-1]) ** (1 / (len(norms) - 1)))


def train(net: cg.Network, X: Array, y: Labels) -> cg.History | None:
    """Train, and return the history; None if the training diverged."""
    try:
        return cg.Trainer(net, cg.SGD(LEARNING_RATE), rng=0).fit(X, y, EPOCHS)
    except cg.DivergenceError:
        return None


def first_layer_change(net: cg.Network, activation: str) -> float:
    """Return the distance of the first layer's weights from Glorot's start, relative to that."""
    before = make_network("Glorot", activation).layers[0].weights
    return float(np.linalg.norm(net.layers[0].weights - before) / np.linalg.norm(before))


# Pictures


def draw_gradients(untrained: Networks, trained: Networks, X: Array, y: Labels) -> Figure:
    """Draw ‖∂C/∂W‖ by layer: a column for each start, before training above, after it below."""
    figure = new_figure(11, 5.8)
    grid = figure.subplots(2, len(STARTS), sharex=True, sharey="col")
    for (row, nets), (column, start) in product(enumerate((untrained, trained)), enumerate(STARTS)):
        ax = grid[row, column]
        shown = {name: nets[start, name] for name in ACTIVATIONS if (start, name) in nets}
        gradients = {name: net.backward(X, y, input_gradient=False) for name, net in shown.items()}
        plotting.gradient_flow(gradients, ax=ax)
        ax.set_title(f"{start}, {('at the start', 'after training')[row]}", fontsize="medium")
        ax.grid(alpha=0.3)
        if (row, column) != (0, 0):
            ax.get_legend().remove()
        ax.set_xlabel("layer" if row else "")
        ax.set_ylabel("" if column else "‖∂C/∂W‖")
        absent = [f"{name} diverged" for name in ACTIVATIONS if name not in shown]
        ax.text(0.5, 0.9, "\n".join(absent), ha="center", va="top", transform=ax.transAxes)
    ax.set_xticks(range(LAYERS), range(1, LAYERS + 1))
    return figure


def draw_learning(histories: dict[tuple[str, str], cg.History | None]) -> Axes:
    """Draw the cost by epoch for the three activations, from Glorot's start."""
    ax = new_figure(6.4, 4).add_subplot()
    drawn = {name: history for name in ACTIVATIONS if (history := histories["Glorot", name])}
    plotting.history(drawn, ax=ax, log=True)
    ax.set_ylabel("cost C, mean cross-entropy")
    ax.set_title("Ten layers from Glorot's start")
    return ax
