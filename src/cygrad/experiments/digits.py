"""Handwritten digits: the mistakes of a network, and the weights of its first layer.

The network is that of ``cygrad train digits``, to the bit: 64 inputs, the pixels of an 8 × 8 image;
64 ReLU units; ten outputs, which softmax turns into probabilities. Adam trains for 50 epochs on
1,438 images, and 359 others are the test set. Four views show the result:

- the learning curves: cost and accuracy of the training and of the test images;
- the confusion matrix: the predicted digits for the images of each digit, row by row;
- each image whose prediction is wrong, with the predicted probabilities of all ten digits;
- the weights into each hidden unit as an image: positive where ink raises its sum.

The weights look like noise, because most of them is their random start: W = W₀ + (W − W₀). The
second part was learnt. Each ∂C/∂W = Σ δ xᵀ is a sum of images x, some added and some subtracted, so
the learnt part shows strokes; the picture has it beside the whole. In numbers: neighbouring pixels
of an image are similar, and so are neighbouring learnt weights.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

import cygrad as cg
from cygrad import plotting
from cygrad.experiments.figures import in_percent, new_figure
from cygrad.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from cygrad.experiments.page import Page

EPOCHS = 50
SIDE = 8  # pixels of an image


def run(page: Page) -> None:
    """Train, then show the curves, the mistakes, and the first layer."""
    X, y = cg.datasets.load_digits()
    train, test = cg.datasets.split(y, 0.2)
    layers = [cg.Dense(64, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(SIDE * SIDE, layers, loss="cross_entropy", rng=0)
    net.standardize_inputs(X[train], shared=True)  # as the command line does for bytes
    start = copy(net)
    trainer = cg.Trainer(net, cg.Adam(1e-3), batch_size=32, rng=0)
    history = trainer.fit(X[train], y[train], EPOCHS, X_val=X[test], y_val=y[test])

    page.title("Learning")
    page.text(
        f"""A network of {net.n_parameters:,} parameters, 64-64-10, goes {EPOCHS} times through
        {len(train):,} images of {SIDE} × {SIDE} pixels, and is tested with {len(test)} others: as
        cygrad train digits does it. The cost C is the mean cross-entropy. (In the picture the
        training curves are measured on the way, on each image just before it is learnt from, and
        the test curves after the epoch: so the test is ahead at first.)"""
    )
    for part, rows in (("training", train), ("test", test)):
        result = net.evaluate(X[rows], y[rows])
        page.number(f"{part} cost", result["loss"])
        page.number(f"{part} accuracy", 100 * result["accuracy"], digits=3, unit="%")
    page.picture("learning", draw_learning, history)

    page.title("What is confused")
    predicted, probabilities = net.predict(X[test]), net.forward(X[test]).astype(np.float64)
    counts = np.zeros((10, 10), np.int64)
    np.add.at(counts, (y[test], predicted), 1)
    page.table(
        "Test images of each digit (rows) by what they were taken for (columns)",
        ["", *map(str, range(10))],
        [(str(digit), *row) for digit, row in enumerate(counts.tolist())],
    )
    page.picture("confusion", draw_confusion, net, X[test], y[test])

    wrong = np.flatnonzero(predicted != y[test])
    mistakes = X[test[wrong]], y[test[wrong]], predicted[wrong], probabilities[wrong]
    page.table(
        "Images that were taken for another digit",
        ["image", "shows", "taken for", "probability of that", "of what it shows"],
        [
            (int(image), int(shown), int(taken), float(p[taken]), float(p[shown]))
            for image, _, shown, taken, p in zip(test[wrong], *mistakes, strict=True)
        ],
    )
    page.picture("mistakes", draw_mistakes, *mistakes)

    page.title("What the first layer sees")
    page.text(
        """A unit's weights are an image. Most of what is seen in it is how it began, W₀; what was
        learnt is the rest, W − W₀, and is made of images of digits. Chance makes every weight for
        itself, a stroke makes neighbouring ones alike:"""
    )
    learnt = copy(net)
    learnt.layers[0].weights = net.layers[0].weights - start.layers[0].weights
    parts = {"W₀": start, "W − W₀": learnt, "W": net}
    page.table(
        "Weights of the first layer",
        ["", "norm", "correlation of neighbours"],
        [(part, *norm_and_correlation(each.layers[0].weights)) for part, each in parts.items()],
        digits=3,
    )
    page.picture("weights", draw_weights, net, learnt)


def norm_and_correlation(weights: NDArray[Any]) -> tuple[float, float]:
    """Return the norm of W, and the correlation of its weights of adjacent pixels."""
    images = weights.reshape(-1, SIDE, SIDE).astype(np.float64)
    first = np.concatenate([images[:, :, :-1].ravel(), images[:, :-1].ravel()])
    second = np.concatenate([images[:, :, 1:].ravel(), images[:, 1:].ravel()])
    return float(np.linalg.norm(images)), float(np.corrcoef(first, second)[0, 1])


# Pictures


def draw_learning(history: cg.History) -> Figure:
    """Draw cost and accuracy after each epoch, of the training and of the test images."""
    figure = new_figure(10, 4.2)
    left, right = figure.subplots(1, 2)
    plotting.history(history, ax=left, log=True)
    plotting.history(history, ["accuracy", "val_accuracy"], ax=right)
    left.set_ylabel("cost C, mean cross-entropy")
    in_percent(right.yaxis, "accuracy")
    for ax in (left, right):
        ax.legend(["training images", "test images"])
    return figure


def draw_confusion(net: cg.Network, X: NDArray[Any], y: NDArray[Any]) -> Axes:
    """Draw the confusion matrix."""
    return plotting.confusion_matrix(net, X, y, ax=new_figure(6, 5).add_subplot())


def draw_mistakes(
    X: NDArray[Any], y: NDArray[Any], predicted: NDArray[Any], probabilities: NDArray[Any]
) -> Figure:
    """Draw each image, and below it the probability of every digit."""
    figure = new_figure(2.5 * len(X), 4.6)
    images, bars = figure.subplots(2, len(X), squeeze=False, sharey="row", height_ratios=(3, 2))
    columns = zip(images, bars, X, y, predicted, probabilities, strict=True)
    for image, bar, x, shown, taken, p in columns:
        image.imshow(x.reshape(SIDE, SIDE), cmap="Greys", vmin=0, vmax=16)
        image.set(title=f"a {shown}, taken for a {taken}", xticks=[], yticks=[])
        bar.bar(range(10), p, color=style.INK)
        bar.bar(shown, p[shown], color=style.color(0), label="what it shows")
        bar.bar(taken, p[taken], color=style.color(1), label="what it was taken for")
        bar.set(xlabel="digit", xticks=range(10), yticks=[0, 0.5, 1], ylim=(0, 1))
    bars[0].set_ylabel("probability")
    figure.legend(*bars[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def draw_weights(net: cg.Network, learnt: cg.Network) -> Figure:
    """Draw the weights into each hidden unit, and the part of them that was learnt."""
    figure = new_figure(11, 4.8)
    left, right = figure.subplots(1, 2)
    plotting.weights_as_images(net, ax=left).set_title("W: all of it")
    plotting.weights_as_images(learnt, ax=right).set_title("W − W₀: what was learnt")
    return figure
