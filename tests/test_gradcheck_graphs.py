"""The gradient checker on computational graphs."""

import doctest
import pickle
import subprocess
import sys

import numpy as np
import pytest
from gradient_faults import problem

from cygrad import GradientError, check_gradients, graph
from cygrad.graph import GATES, Gate, GraphError, Node, Variable, elementwise

ELEMENTWISE = [
    gate
    for gate in (getattr(graph, name) for name in graph.__all__)
    if isinstance(gate, Gate) and gate.elementwise
]


def variables(*shapes, seed=0):
    """Variables called a, b, …, with values from 1/2 to 2: within the domain of every gate."""
    rng = np.random.default_rng(seed)
    return [
        Variable(rng.uniform(0.5, 2, shape), name)
        for shape, name in zip(shapes, "abcdef", strict=False)
    ]


def arraywise():
    a, b = variables((5, 4), (4, 3))
    return {
        "matmul": a @ b,
        "transpose": a.T,
        "reshape": a.reshape(2, 10),
        "sum": a.sum(axis=0) + a.sum(),
        "mean": a.mean(axis=1, keepdims=True),
        "softmax": graph.softmax(a),
        "log_sum_exp": graph.log_sum_exp(a, axis=0),
        "cross_entropy": graph.cross_entropy(a, graph.softmax(a * 2)),
    }


def staged():
    """Some twenty gates over three variables, with paths that meet, and a kink far away."""
    x, y, w = Variable(3.0, "x"), Variable(-4.0, "y"), Variable([0.3, -0.7], "w")
    s = graph.sigmoid(x * w - y / 4)
    return (graph.relu(s @ w + x) + graph.max(x, y) * graph.tanh(x + y) - s.mean()) / abs(y)


@pytest.mark.parametrize("shapes", [((), ()), ((4, 3), (4, 3)), ((2, 1, 3), (4, 1))], ids=str)
@pytest.mark.parametrize("gate", ELEMENTWISE, ids=lambda gate: gate.name)
def test_every_gate_over_elements_passes(gate, shapes):
    operands = variables(*shapes[: len(gate.backward)])
    report = check_gradients(gate(*operands))
    assert [each.array for each in report.arrays] == [each.name for each in operands]
    assert [each.size for each in report.arrays] == [np.size(each.value) for each in operands]
    assert (report.compared, report.kinks) == (report.total, 0)


@pytest.mark.parametrize("name", arraywise())
def test_every_gate_over_arrays_passes(name):
    f = arraywise()[name]
    assert check_gradients(f).compared == sum(np.size(each.value) for each in f.variables)
    assert check_gradients(f, directions=3).compared == 3
    assert check_gradients(f, sample=7).compared == 7


def test_a_graph_of_several_variables():
    report = check_gradients(staged())
    assert (report.total, report.compared, report.kinks) == (4, 4, 0)
    assert [each.array for each in report.arrays] == ["x", "w", "y"]
    report = check_gradients(staged(), directions=1)
    assert report.arrays[0].array == "all variables"


def test_variables_without_names_have_numbers():
    a, b = Variable(2.0), Variable(3.0, "b")
    assert [each.array for each in check_gradients(a * b * b).arrays] == ["variables[0]", "b"]


def test_a_variable_by_itself():
    assert check_gradients(Variable(3.0, "x")).arrays[0].worst.analytic == 1


def test_seeds():
    (a,) = variables((3, 2))
    f = a * a
    seed = np.arange(6.0).reshape(3, 2)
    report = check_gradients(f, seed=seed)
    assert report.worst_of_all.analytic == pytest.approx(
        2 * (seed * a.value)[report.worst_of_all.index]
    )
    # A random seed leaves no element out, and is the same each time.
    report = check_gradients(f, on_error="return", atol=0, rtol=1e-14)
    assert all(each.analytic != 0 for each in report.failures)
    assert check_gradients(f) == check_gradients(f)
    assert check_gradients(f) != check_gradients(f, rng=1)


def test_a_network_of_gates_passes():
    rng = np.random.default_rng(0)
    W1, b1, W2, b2 = (
        Variable(rng.normal(size=shape), name)
        for shape, name in (((4, 6), "W1"), (6, "b1"), ((6, 3), "W2"), (3, "b2"))
    )
    hidden = graph.relu(rng.normal(size=(8, 4)) @ W1 + b1)
    loss = graph.cross_entropy(hidden @ W2 + b2, np.eye(3)[rng.integers(0, 3, 8)]).mean()
    assert check_gradients(loss).compared == 24 + 6 + 18 + 3
    assert check_gradients(loss, directions=2).compared == 2


def test_a_deep_graph():
    x = Variable(0.5, "x")
    f = x
    for _ in range(3000):
        f = graph.sin(f) + 0.001
    assert check_gradients(f).compared == 1


# Faults


# Attributes of gates with wrong values, and the variables in which the fault shows.
FAULTS = {
    "a factor": (graph.tanh, (lambda y, a: 1.01 * (1 - y * y),), ["x", "y"]),
    "a missing path": (graph.mul, (lambda y, a, b: b, lambda y, a, b: 0.0), ["x", "w", "y"]),
    "swapped": (graph.mul, (lambda y, a, b: a, lambda y, a, b: b), ["x", "w", "y"]),
    "a sign": (graph.sub, (lambda y, a, b: 1.0, lambda y, a, b: 1.0), ["x", "w", "y"]),
    "no square": (graph.div, (graph.div.backward[0], lambda y, a, b: -y), ["y"]),
    "the other one of two": (graph.max, (graph.min.backward[0], graph.min.backward[1]), ["x", "y"]),
}


@pytest.mark.parametrize("options", [{}, {"directions": 1}, {"sample": 4}], ids=str)
@pytest.mark.parametrize(("gate", "wrong", "names"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_gate_is_found(monkeypatch, gate, wrong, names, options):
    f = staged()
    monkeypatch.setattr(gate, "backward", wrong)
    with pytest.raises(GradientError) as caught:
        check_gradients(f, **options)
    report = caught.value.report
    found = {each.array for each in report.failures if each.index is not None}
    assert found == set(names)
    assert str(caught.value).startswith(tuple(names))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


@pytest.mark.parametrize("factor", [1.001, 0.0, -1.0, 2.0])
@pytest.mark.parametrize("options", [{}, {"directions": 1}], ids=str)
def test_a_single_wrong_derivative_is_found(monkeypatch, factor, options):
    right = Node.backward

    def wrong(self, seed=None):
        right(self, seed)
        a = next(each for each in self.variables if each.name == "a")
        gradient = a.gradient.copy()
        gradient[3, 1] *= factor
        a._gradient = gradient

    monkeypatch.setattr(Node, "backward", wrong)
    a, b = variables((5, 4), (4, 3))
    with pytest.raises(GradientError, match=r"^a\[3, 1\]: backpropagation gives ") as caught:
        check_gradients(graph.tanh(a @ b), **options)
    (failure,) = (each for each in caught.value.report.failures if each.index is not None)
    assert (failure.parameter, failure.layer, failure.index) == ("a", None, (3, 1))
    assert failure.analytic == pytest.approx(failure.numerical * factor, rel=1e-5, abs=1e-8)


def test_the_wrong_derivative_of_a_number_is_named_without_an_index(monkeypatch):
    monkeypatch.setattr(graph.exp, "backward", (lambda y, a: 1.1 * y,))
    with pytest.raises(GradientError, match=r"^x: backpropagation gives 1\.1, central"):
        check_gradients(graph.exp(Variable(0.0, "x")))


# Kinks, and the edges of domains


@pytest.mark.parametrize(
    "make_graph",
    [
        lambda x, y: abs(x),
        lambda x, y: graph.relu(x),
        lambda x, y: graph.max(x, y),
        lambda x, y: graph.min(y, x),
        lambda x, y: graph.max(2 * x, x) + y,
        lambda x, y: graph.relu(x) - graph.relu(-x),
    ],
)
def test_a_kink_is_left_out(make_graph):
    x, y = Variable(0.0, "x"), Variable(0.0, "y")
    report = check_gradients(make_graph(x, y))
    assert report.passed
    assert {each.array: each.kinks for each in report.arrays}["x"] == 1


def test_the_other_elements_are_compared():
    x = Variable([1.0, 0.0, -1.0, 0.0], "x")
    for options in ({}, {"directions": 2}):
        report = check_gradients(graph.relu(x) * 3, **options)
        assert report.kinks == 2
        assert report.passed


def test_what_is_equal_for_good_has_no_kink():
    x = Variable(0.0, "x")
    report = check_gradients(graph.max(x, x) + graph.min(3 * x, x + 2 * x))
    assert (report.compared, report.kinks) == (1, 0)


@pytest.mark.parametrize("distance", [1e-6, -3e-6, 1e-7])
def test_a_kink_nearby_is_stepped_around(monkeypatch, distance):
    x, y = Variable(distance, "x"), Variable(0.0, "y")
    f = graph.relu(x) + 2 * abs(x) + graph.max(x, y)
    report = check_gradients(f)
    assert (report.compared, report.kinks) == (2, 0)
    monkeypatch.setattr(graph.abs, "backward", (lambda y, a: 1.01 * np.sign(a),))
    with pytest.raises(GradientError, match=r"^x: "):
        check_gradients(f)


@pytest.fixture
def leaky():
    """Add a gate with a kink that the checker does not know."""
    gate = elementwise(
        "leaky",
        lambda a: np.where(a > 0, a, 0.1 * a),
        lambda y, a: np.where(a > 0, 1.0, 0.1),
    )
    yield gate
    del GATES["leaky"]


def test_a_kink_of_a_new_gate_is_left_out(monkeypatch, leaky):
    x = Variable([0.0, 1e-6, -1e-6, 1.0, -1.0], "x")
    report = check_gradients(leaky(x) * 3 + graph.sin(x))
    assert (report.compared, report.kinks) == (4, 1)
    monkeypatch.setattr(leaky, "backward", (lambda y, a: np.where(a > 0, 1.01, 0.1),))
    with pytest.raises(GradientError):
        check_gradients(leaky(x))


def test_waves_that_are_shorter_than_the_steps():
    # The largest steps cover whole periods of sin, so their differences are all 0.
    wave = graph.sin(Variable(0.0, "x") * (800 * np.pi))
    report = check_gradients(wave, eps=1e-2)
    assert (report.compared, report.kinks) == (0, 1)
    assert check_gradients(wave).compared == 1


@pytest.mark.parametrize("gate", [graph.log, graph.sqrt], ids=lambda gate: gate.name)
def test_the_edge_of_a_domain(gate):
    # Far from the edge, near it, and nearer than any step.
    for x, compared in ((1.0, 1), (1e-4, 1), (1e-12, 0)):
        report = check_gradients(gate(Variable(x, "x")))
        assert (report.compared, report.kinks) == (compared, 1 - compared)


# Unchanged graphs, and refused arguments


def test_nothing_is_changed(monkeypatch):
    x, y = Variable(3.0, "x"), Variable([1.0, 2.0], "y")
    f = graph.exp(x * y).sum() / 100
    f.backward()
    x.value = 2.0  # the values computed from it stay as they are
    before = [(node.value, node.gradient) for node in f.tape]

    def unchanged():
        return all(
            np.array_equal(node.value, value) and np.array_equal(node.gradient, gradient)
            for node, (value, gradient) in zip(f.tape, before, strict=True)
        )

    report = check_gradients(f)
    assert report.arrays[0].worst.analytic == pytest.approx(
        np.sum(y.value * np.exp(2 * y.value)) / 100
    )
    assert unchanged()

    right, calls = Node.forward, []

    def press(*arguments):
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return right(*arguments)

    monkeypatch.setattr(Node, "forward", press)
    with pytest.raises(KeyboardInterrupt):
        check_gradients(f)
    assert unchanged()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seed": [1.0, 2.0]}, GraphError, r"seed has shape \(2,\), expected \(\)"),
        ({"inputs": True}, TypeError, "inputs is given, expected none where a graph is checked"),
        ({"dtype": "float32"}, TypeError, "dtype is given, expected none where a graph"),
        ({"eps": 0}, ValueError, "eps is 0.0"),
    ],
)
def test_refuses_bad_options(options, error, message):
    with pytest.raises(error, match=message):
        check_gradients(staged(), **options)


def test_refuses_samples_for_a_graph():
    with pytest.raises(TypeError, match="X is given, expected none where a graph is checked"):
        check_gradients(staged(), *problem("mse"))


def test_refuses_a_graph_without_variables():
    with pytest.raises(ValueError, match="depends on no variables"):
        check_gradients(graph.exp(graph.Constant(1.0)))


@pytest.mark.parametrize(
    ("program", "other"),
    [
        (
            "net = cg.Network(2, [cg.Dense(1)], loss='mse');"
            "cg.check_gradients(net, [[1.0, 2.0]], [1.0])",
            "cygrad.graph",
        ),
        ("cg.check_gradients(cg.graph.Variable(1.0))", "cygrad.gradcheck.networks"),
    ],
)
def test_what_is_not_checked_is_not_imported(program, other):
    program = f"import sys, cygrad as cg; {program}; print({other!r} in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


def test_the_examples():
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    for test in finder.find(check_gradients, globs={}):
        runner.run(test)
    assert runner.tries >= 5
    assert runner.failures == 0
