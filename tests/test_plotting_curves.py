"""Pictures of histories, schedules and gradients by layer."""

import numpy as np
import pytest
from plotted import circles, history, overlapping, shown_numbers, texts

import cygrad as cg
from cygrad import plotting

matplotlib = pytest.importorskip("matplotlib", reason="pictures need matplotlib, of the extra plot")

from matplotlib.figure import Figure  # noqa: E402

pytestmark = pytest.mark.usefixtures("own_figures")


def test_a_history_is_its_losses(axes_2d):
    trained = history()
    plotting.history(trained, ax=axes_2d)
    training, validation = axes_2d.lines
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 13))
    np.testing.assert_array_equal(training.get_ydata(), trained.loss)
    np.testing.assert_array_equal(validation.get_ydata(), trained.val_loss)
    assert training.get_linestyle() != validation.get_linestyle()
    assert training.get_markerfacecolor() != validation.get_markerfacecolor()
    shown = [text.get_text() for text in axes_2d.get_legend().get_texts()]
    assert shown == ["training loss", "validation loss"]
    assert (axes_2d.get_xlabel(), axes_2d.get_ylabel()) == ("epoch", "loss")


def test_columns_of_a_history_are_chosen(axes_2d):
    trained = history()
    plotting.history(trained, ["val_accuracy", "learning_rate"], ax=axes_2d, linewidth=3)
    np.testing.assert_array_equal(axes_2d.lines[0].get_ydata(), trained.val_metric)
    np.testing.assert_array_equal(axes_2d.lines[1].get_ydata(), trained.learning_rate)
    assert axes_2d.lines[0].get_linewidth() == 3
    assert axes_2d.get_ylabel() == "accuracy and learning rate"


def test_histories_are_compared(axes_2d):
    both = {"slow": history(0.1), "fast": dict(history())}
    plotting.history(both, "loss", ax=axes_2d, log=True)
    assert axes_2d.get_yscale() == "log"
    for line, (label, each) in zip(axes_2d.lines, both.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_ydata(), each["loss"])
    appearances = {(line.get_color(), line.get_marker()) for line in axes_2d.lines}
    assert len(appearances) == 2


@pytest.mark.parametrize(
    ("losses", "numbers"),
    [
        ([0.9, 0.5, 0.4], ["0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]),
        ([2, 0.1], ["0.1", "0.2", "0.5", "1", "2"]),
        ([50, 0.004], ["0.01", "0.1", "1", "10"]),
    ],
)
def test_numbers_of_a_logarithmic_history_are_plain(losses, numbers, axes_2d):
    plotting.history({"loss": losses}, log=True, ax=axes_2d)
    assert shown_numbers(axes_2d.yaxis) == numbers


def test_very_small_losses_are_powers_of_ten(axes_2d):
    plotting.history({"loss": [1e-2, 1e-9]}, log=True, ax=axes_2d)
    assert r"$\mathdefault{10^{-6}}$" in shown_numbers(axes_2d.yaxis)


def test_ticks_that_were_set_stay():
    left, right = Figure().subplots(1, 2, sharex=True)
    left.set_xticks([2, 4])
    plotting.history({"loss": [3, 2, 1, 1]}, ax=right)
    assert list(right.get_xticks()) == [2, 4]


def test_one_epoch_is_a_mark(axes_2d):
    plotting.history({"loss": [2.0]}, ax=axes_2d)
    assert axes_2d.lines[0].get_marker() == "o"
    assert axes_2d.lines[0].get_markevery() == (0, 1)


@pytest.mark.parametrize(
    ("given", "columns", "error", "message"),
    [
        ([1, 2], None, TypeError, "history is .*, expected a History or a mapping"),
        ({}, None, TypeError, "history is .*, expected a History or a mapping"),
        ({"a": {"loss": [1]}, "b": 3}, None, TypeError, r"history\['b'\] is 3, expected a History"),
        ({"loss": [1]}, "lost", ValueError, "columns has 'lost', and history has loss"),
        ({"loss": [1]}, [], ValueError, "columns is empty"),
        ({"cost": [1]}, None, ValueError, "expected 'loss' among them"),
        ({"a": {"loss": []}}, None, ValueError, r"history\['a'\] has no epochs"),
    ],
)
def test_a_wrong_history_is_refused(given, columns, error, message):
    with pytest.raises(error, match=message):
        plotting.history(given, columns)


def test_a_schedule_is_its_learning_rates(axes_2d):
    several = {
        "number": 0.1,
        "schedule": cg.LinearDecay(0.1, 10),
        "function": lambda step: 0.1 / (1 + step),
        "optimiser": cg.Adam(cg.StepDecay(0.1, 0.5, 4)),
        "warm-up": cg.Warmup(3, cg.PerEpoch(cg.CosineRestarts(0.1, 2), 4)),
    }
    plotting.schedule(several, 20, ax=axes_2d)
    for line, (label, each) in zip(axes_2d.lines, several.items(), strict=True):
        optimiser = each if isinstance(each, cg.Adam) else cg.SGD(each)
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xdata(), np.arange(20))
        np.testing.assert_array_equal(line.get_ydata(), optimiser.learning_rates(0, 20))


@pytest.mark.parametrize(
    ("given", "steps", "error", "message"),
    [
        ("fast", 5, TypeError, "schedule is 'fast', expected a number of at least 0"),
        ({"a": -1}, 5, ValueError, r"schedule\['a'\] is -1"),
        (cg.CosineDecay, 5, TypeError, "schedule is the class CosineDecay, expected an instance"),
        ({}, 5, ValueError, "schedule is empty"),
        (0.1, 0, ValueError, "steps is 0, expected an integer of at least 1"),
        (lambda step: -1.0, 5, ValueError, "learning_rate at step 0"),
    ],
)
def test_a_wrong_schedule_is_refused(given, steps, error, message):
    with pytest.raises(error, match=message):
        plotting.schedule(given, steps)


def test_gradients_are_their_norms(axes_2d):
    net, X, y = circles()
    gradients = net.backward(X, y)
    plotting.gradient_flow({"first": gradients}, ax=axes_2d)
    expected = [np.sqrt((each.astype(float) ** 2).sum()) for each in gradients.weights]
    np.testing.assert_allclose(axes_2d.lines[0].get_ydata(), expected, rtol=1e-12)
    np.testing.assert_array_equal(axes_2d.lines[0].get_xdata(), [0, 1])
    assert axes_2d.get_yscale() == "log"


def test_a_gradient_of_zero_is_marked(axes_2d):
    net = cg.Network(2, [cg.Dense(3, "relu", bias_init=-50.0), cg.Dense(1)], loss="mse", rng=0)
    plotting.gradient_flow(net.backward([[1, 2]], [3]), ax=axes_2d)
    assert [text.get_text() for text in texts(axes_2d)] == ["0", "0"]
    assert [text.get_position()[0] for text in texts(axes_2d)] == [0, 1]


def test_gradients_of_zero_stand_above_one_another(axes_2d):
    net = cg.Network(2, [cg.Dense(3, "relu", bias_init=-50.0), cg.Dense(1)], loss="mse", rng=0)
    zero = net.backward([[1, 2]], [3])
    plotting.gradient_flow(
        {"a": zero, "b": circles()[0].backward([[1, 2]], [1]), "c": zero}, ax=axes_2d
    )
    assert len(texts(axes_2d)) == 4
    assert overlapping(texts(axes_2d)) == []
    lowest = axes_2d.transAxes.inverted().transform(
        axes_2d.transData.transform((0, min(axes_2d.lines[2].get_ydata())))
    )
    highest = max(text.get_window_extent().y1 for text in texts(axes_2d))
    assert axes_2d.transAxes.inverted().transform((0, highest))[1] < lowest[1]


def test_what_is_no_gradient_is_refused():
    with pytest.raises(TypeError, match=r"gradients is 3, expected Gradients"):
        plotting.gradient_flow(3)
    with pytest.raises(TypeError, match=r"gradients\['a'\] is 3, expected Gradients"):
        plotting.gradient_flow({"a": 3})
    with pytest.raises(ValueError, match="gradients is empty"):
        plotting.gradient_flow({})
