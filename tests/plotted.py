"""Networks and histories for the tests of pictures, and the texts in pictures."""

import numpy as np
import seed_systems

import cygrad as cg


def circles(units=3, loss="cross_entropy", activation="tanh", **settings):
    """Return a trained network with two inputs and two classes, and its samples."""
    X, y = seed_systems.circles_data()
    outputs = {
        "cross_entropy": cg.Dense(2, "softmax"),
        "hinge": cg.Dense(2),
        "binary_cross_entropy": cg.Dense(1, "sigmoid"),
    }
    layers = [cg.Dense(units, activation), outputs[loss]]
    net = cg.Network(2, layers, loss=loss, rng=3, **settings)
    net.standardize_inputs(X)
    cg.Trainer(net, cg.Adam(0.05), batch_size=20, rng=0).fit(X, y, epochs=30)
    return net, X, y


def digits():
    X, y = cg.datasets.load_digits()
    net = cg.Network(
        64, [cg.Dense(12, "relu"), cg.Dense(10, "softmax")], loss="cross_entropy", rng=0
    )
    cg.Trainer(net, cg.Adam(1e-2), batch_size=32, rng=0).fit(X, y, epochs=2)
    return net, X, y


def rbf():
    """Return the network of one Gaussian unit, its samples and the path of its descent."""
    X, y = seed_systems.rbf_data()
    layers = [cg.Dense(1, "gaussian", use_bias=False), cg.Dense(1, "sigmoid", trainable="weights")]
    net = cg.Network(
        1, layers, loss="binary_cross_entropy", reduction="sum", dtype="float64", rng=0
    )
    net.parameters = [2, -5, -1]
    trainer = cg.Trainer(net, cg.SGD(seed_systems.rbf_learning_rate), batch_size=40, rng=0)
    path = [net.parameters]
    for _ in range(seed_systems.RBF_STEPS):
        trainer.step(X, y)
        path.append(net.parameters)
    return net, X, y, path


def history(scale=1.0):
    X, y = seed_systems.circles_data()
    net = cg.Network(2, [cg.Dense(3, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    trainer = cg.Trainer(net, cg.Adam(0.01 * scale), batch_size=20, rng=0)
    return trainer.fit(X, y, epochs=12, X_val=X[::3], y_val=y[::3])


def texts(ax):
    """Return the texts in axes that are not empty."""
    return [text for text in ax.texts if text.get_text()]


def overlapping(*groups):
    """Draw the figure, and return the pairs of texts of a group that overlap."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = groups[0][0].figure
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw_without_rendering()
    found = []
    for some in groups:
        boxes = np.array([text.get_window_extent(renderer).extents for text in some])
        low, high = boxes[:, np.newaxis, :2], boxes[np.newaxis, :, 2:]
        meet = (low < high).all(axis=2)
        pairs = np.argwhere(np.triu(meet & meet.T, 1))
        found += [(some[first].get_text(), some[second].get_text()) for first, second in pairs]
    return found


def shown_numbers(axis):
    """Return the numbers on an axis that are in view, as texts."""
    axis.figure.canvas.draw()
    low, high = axis.get_view_interval()
    return [
        label.get_text()
        for place, label in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        if low <= place <= high
    ]
