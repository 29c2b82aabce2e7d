"""The experiments on small networks: rbf, circles and softmax-surface."""

import itertools
import math

import numpy as np
import pytest
import seed_systems

from cygrad.experiments import circles, rbf, softmax_surface

WITHIN = 1e-9  # relative; the numbers are known to eleven digits or more


def approximately(number):
    return pytest.approx(number, rel=WITHIN)


@pytest.fixture
def pages(written):
    """Return the page of each experiment by its name."""
    return {name: written(name).page for name in ("rbf", "circles", "softmax-surface")}


# rbf


def test_rbf_reaches_the_numbers_of_the_tutorial(pages):
    assert pages["rbf"].numbers == {
        "cost at the start": approximately(seed_systems.RBF_FIRST_LOSS),
        "final cost": approximately(seed_systems.RBF_LAST_LOSS),
        "final hidden weight w_h": approximately(seed_systems.RBF_LAST_HIDDEN_WEIGHT),
        "final output weight w_o": approximately(seed_systems.RBF_LAST_OUTPUT_WEIGHT),
        "final accuracy": 100,
    }


def test_rbf_has_the_data_and_the_learning_rates_of_the_tutorial():
    for made, expected in zip(rbf.make_data(), seed_systems.rbf_data(), strict=True):
        assert np.array_equal(made, expected)
    for step in range(rbf.STEPS):
        assert rbf.lowered(step) == seed_systems.rbf_learning_rate(step)


def test_rbf_the_lowered_rate_gets_furthest(pages):
    lowered, long, *short = pages["rbf"].tables["After 50 steps"]
    assert lowered[1:] == (
        approximately(seed_systems.RBF_LAST_HIDDEN_WEIGHT),
        approximately(seed_systems.RBF_LAST_OUTPUT_WEIGHT),
        approximately(seed_systems.RBF_LAST_LOSS),
    )
    assert long[1:] == tuple(
        map(approximately, (27.3998538569911, 3.8681653091466917, 31.364037843695428))
    )
    assert [row[0] for row in short] == ["0.1", "0.05"]
    assert all(row[3] > 1.5 * lowered[3] for row in short)


def test_rbf_paths_are_as_the_text_describes():
    """The detour; 0.2 leaves the valley; 0.1 stays between the walls; 0.05 on the plain."""
    X, t = rbf.make_data()
    paths = {}
    for name, rate in {"lowered": rbf.lowered, 0.2: 0.2, 0.1: 0.1, 0.05: 0.05}.items():
        path = rbf.descend(rbf.make_network(*rbf.START), X, t, rate)
        assert path.shape == (rbf.STEPS + 1, 3)
        paths[name] = path[:, 0]
        if name == "lowered":
            outputs = path[:, 1]
    assert paths["lowered"].max() == pytest.approx(6.59, abs=0.005)
    turn = np.argmax(outputs > 0)  # w_h rises up to here, then it falls
    assert (np.diff(paths["lowered"][: turn + 1]) > 0).all()
    assert (np.diff(paths["lowered"][turn : turn + 20]) < 0).all()
    furthest = paths[0.2].argmax()
    assert paths[0.2][furthest] > 27
    assert 0 < paths[0.2][furthest - 1] < 0.5
    assert paths[0.1][-20:].min() < 1
    assert np.diff(paths[0.1][-20:]).max() > 1
    assert np.diff(paths[0.05][-20:]).max() < 0
    assert paths[0.05][-1] > 4


def test_rbf_is_symmetric_and_stays_where_the_hidden_weight_is_zero(pages):
    right, left, middle = pages["rbf"].tables["From w_o = −5"]
    assert right[0] == -left[0] == 2
    assert left[1:] == (-right[1], right[2], right[3])
    assert middle[:2] == (0, 0)
    assert middle[2:] == (approximately(1), approximately(40 * math.log(2)))


def test_rbf_the_frozen_bias_sets_a_floor():
    X, t = rbf.make_data()
    floor = 20 * math.log(1 + 1 / math.e)
    assert floor == pytest.approx(6.27, abs=0.005)
    costs = [rbf.make_network(2.0, w_o).evaluate(X, t)["loss"] for w_o in (0, 1, 10, 100, 1000)]
    assert min(costs) > floor
    assert rbf.make_network(10.0, 1e100).forward([[0.5], [10.0]]).ravel() == pytest.approx(
        [1, 1 / (1 + math.e)]
    )


# circles


def test_circles_has_the_data_and_the_start_of_the_tutorial():
    X, t, layers = circles.make_circles()
    for made, expected in zip((X, t), seed_systems.circles_data(), strict=True):
        assert np.array_equal(made, expected)
    start = seed_systems.circles_start()
    hidden, output = circles.make_network(layers).layers
    assert np.array_equal(hidden.weights, start.hidden_weights)
    assert np.array_equal(hidden.biases, start.hidden_biases)
    assert np.array_equal(output.weights, start.output_weights)
    assert np.array_equal(output.biases, start.output_biases)


def test_circles_reaches_the_numbers_of_the_tutorial(pages):
    numbers = pages["circles"].numbers
    assert numbers["cost at the start"] == approximately(seed_systems.CIRCLES_FIRST_LOSS)
    assert numbers["final cost with momentum"] == approximately(seed_systems.CIRCLES_LAST_LOSS)
    assert numbers["accuracy at the start"] == 50
    assert numbers["final accuracy with momentum"] == 100


def test_circles_untrained_it_says_outer_of_all():
    X, _, layers = circles.make_circles()
    assert (circles.make_network(layers).predict(X) == circles.OUTER).all()


def test_circles_all_gradients_are_compared(pages):
    assert pages["circles"].numbers["derivatives compared"] == 17
    assert pages["circles"].numbers["wrong ones"] == 0
    rows = pages["circles"].tables["∂C/∂p"]
    assert [row[0] for row in rows] == ["W_h", "b_h", "W_o", "b_o"]
    for _, analytic, numerical in rows:
        assert analytic == pytest.approx(numerical, rel=1e-6)


def test_circles_compares_three_ways(pages):
    rows = {row[0]: row[1:] for row in pages["circles"].tables["After 300 passes"]}
    assert list(rows) == list(circles.METHODS)
    plain, momentum, batches, too_long = rows.values()
    assert plain == (0.02, 0, 100, approximately(4.185671973303354), "100.0 %", "never")
    assert momentum == (
        0.02,
        seed_systems.CIRCLES_MOMENTUM,
        100,
        approximately(seed_systems.CIRCLES_LAST_LOSS),
        "100.0 %",
        72,
    )
    assert batches == (0.2, 0, 10, approximately(0.3177425767760138), "100.0 %", 102)
    assert too_long == (0.2, 0, 100, approximately(475.73263966146817), " 50.0 %", "never")


def test_circles_long_steps_are_as_the_text_describes():
    X, t, layers = circles.make_circles()
    _, costs = circles.train(layers, X, t, *circles.METHODS["plain, long steps"])
    assert costs[0] > 1000


def test_circles_hidden_layer_is_as_the_text_describes(pages):
    """Lines at about half the radius; "inner" at one corner of the cube of units only."""
    X, t, layers = circles.make_circles()
    net, _ = circles.train(layers, X, t, *circles.METHODS["momentum"])
    units = pages["circles"].tables["Hidden units"]
    assert [row[1] for row in units] == [pytest.approx(0.5, abs=0.05)] * 3
    normal, offset = circles.find_plane(net)
    corners = itertools.product((0, 1), repeat=3)
    assert [h for h in corners if normal @ h + offset > 0] == [(1, 1, 0)]
    distances = [pages["circles"].numbers[f"from the {name} circle"] for name in ("inner", "outer")]
    assert distances == approximately([0.13039524995907825, 0.15828265690831794])


# softmax-surface


def test_softmax_surface_the_three_ways_agree(pages):
    numbers = pages["softmax-surface"].numbers
    assert numbers["points"] == 200 * 200
    for other in ("softmax(z)₁", "σ(z₁ − z₂)"):
        assert numbers[f"network − {other}, at most"] < 4 * np.finfo(float).eps
    lowest = approximately(1 / (1 + math.exp(20)))
    assert numbers["lowest P, at z = (−10, 10)"] == lowest
    assert numbers["1 − highest P, at z = (10, −10)"] == pytest.approx(
        1 / (1 + math.exp(20)), abs=1e-15
    )


def test_softmax_surface_the_ways_are_not_one_another():
    z = np.array([[1.0, 2.0], [3.0, -1.0], [800.0, -800.0]])
    expected = [1 / (1 + math.e), 1 / (1 + math.exp(-4)), 1]
    for way in (softmax_surface.by_network, softmax_surface.by_softmax, softmax_surface.by_sigmoid):
        assert way(z) == approximately(expected)


def test_softmax_surface_slopes(pages):
    rows = pages["softmax-surface"].tables["P and its slopes"]
    assert len(rows) == len(softmax_surface.SOME_POINTS)
    for z_1, z_2, difference, *found in rows:
        assert difference == z_1 - z_2
        P, rest = (1 / (1 + math.exp(-d)) for d in (difference, -difference))
        assert found == approximately([P, P * rest, -P * rest])


def test_the_numbers_of_the_tutorial_can_be_read(written):
    for number in (79.7971657191, 9.5460670851, 1.0738456047, 5.0532239527):
        assert f" {number}\n" in written("rbf").text
    for number in (108.3247069691, 0.2732949271):
        assert f" {number}\n" in written("circles").text
