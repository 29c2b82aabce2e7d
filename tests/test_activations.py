"""Activations in layers: parameters, slopes at kinks, defaults, files, other engines."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest

import cygrad as cg
from cygrad import activations, reference
from cygrad._engine import kernels
from cygrad.network import ACTIVATIONS, ChosenActivation
from cygrad.network.activations import output_range, parameter_of

WITH_PARAMETER = {"leaky_relu": 0.2, "elu": 0.5, "sine": 30.0}
PLAIN = [name for name in ACTIVATIONS if name not in WITH_PARAMETER]


def network(activation, dtype="float64", **options):
    layers = [cg.Dense(7, activation), cg.Dense(3)]
    return cg.Network(5, layers, loss="mse", dtype=dtype, rng=1, **options)


def samples(rows=20):
    rng = np.random.default_rng(3)
    return rng.normal(size=(rows, 5)), rng.normal(size=(rows, 3))


class TestChoosing:
    @pytest.mark.parametrize(("name", "parameter"), WITH_PARAMETER.items())
    def test_a_parameter_is_kept(self, name, parameter):
        chosen = getattr(activations, name)(parameter)
        assert (chosen.name, chosen.parameter) == (name, parameter)
        assert chosen == getattr(activations, name)(parameter)
        assert len({chosen, getattr(activations, name)(parameter)}) == 1
        assert chosen != getattr(activations, name)(2 * parameter)
        assert pickle.loads(pickle.dumps(chosen)) == chosen
        assert repr(chosen) == f"{name}({ACTIVATIONS[name].parameter}={parameter})"
        assert eval(repr(chosen), vars(activations)) == chosen
        (layer, _) = network(chosen).layers
        assert layer.activation == chosen
        assert (layer.activation_name, layer.activation_parameter) == (name, parameter)

    @pytest.mark.parametrize("name", WITH_PARAMETER)
    def test_the_default_is_the_name(self, name):
        default = ACTIVATIONS[name].default
        for chosen in (name, getattr(activations, name)(), getattr(activations, name)(default)):
            (layer, _) = network(chosen).layers
            assert layer.activation == name
            assert layer.activation_parameter == default

    @pytest.mark.parametrize("name", PLAIN)
    def test_the_others_have_a_function_too(self, name):
        chosen = getattr(activations, name)()
        assert repr(chosen) == f"{name}()"
        assert cg.Dense(2, chosen).activation == name
        assert ACTIVATIONS[name].formula in getattr(activations, name).__doc__

    @pytest.mark.parametrize("name", WITH_PARAMETER)
    @pytest.mark.parametrize(
        ("value", "error", "message"),
        [
            (0, ValueError, "is 0.0, expected a number above 0"),
            (-0.1, ValueError, "is -0.1, expected a number above 0"),
            (1e-39, ValueError, "is 1e-39, expected a number above 0"),
            (1e39, ValueError, r"is 1e\+39, expected a number above 0"),
            (math.inf, ValueError, "is inf, expected a finite number"),
            (math.nan, ValueError, "is nan, expected a finite number"),
            ("0.1", TypeError, "is '0.1', expected a number"),
            (True, TypeError, "is True, expected a number"),
        ],
    )
    def test_bad_parameters_are_refused(self, name, value, error, message):
        with pytest.raises(error, match=f"{ACTIVATIONS[name].parameter} of {name} {message}"):
            getattr(activations, name)(value)

    def test_bad_choices_are_refused(self):
        with pytest.raises(ValueError, match=r"relu has the parameter 0\.1, expected none"):
            ChosenActivation("relu", 0.1)
        with pytest.raises(ValueError, match="name is 'swish', expected one of 'identity'"):
            ChosenActivation("swish")
        with pytest.raises(TypeError, match="activation is <function gelu"):
            cg.Dense(2, activations.gelu)
        with pytest.raises(ValueError, match="softmax is for the last layer only"):
            network(activations.softmax())

    @pytest.mark.parametrize("layer", [cg.BatchNorm, cg.LayerNorm, cg.Scaling])
    def test_norms_and_blocks_take_them(self, layer):
        chosen = activations.leaky_relu(0.2)
        block = cg.Residual([cg.Dense(5), layer(chosen)], activations.elu(0.5))
        net = cg.Network(5, [block, cg.Dense(3)], loss="mse", rng=0)
        names = ["identity", "leaky_relu", "elu", "identity"]
        assert [each.activation_name for each in net.layers] == names
        assert repr(layer(chosen)) == f"{layer.__name__}(leaky_relu(slope=0.2))"
        assert net.restore(net.config(), net.arrays()).config() == net.config()


class TestComputing:
    @pytest.mark.parametrize(("name", "parameter"), WITH_PARAMETER.items())
    def test_gradients_with_a_parameter(self, name, parameter):
        net = network(getattr(activations, name)(parameter))
        assert cg.check_gradients(net, *samples(), inputs=True).passed

    @pytest.mark.parametrize(("name", "parameter"), WITH_PARAMETER.items())
    def test_the_parameter_counts(self, name, parameter):
        X, _ = samples()
        net = network(getattr(activations, name)(parameter))
        default = network(name)
        default.parameters = net.parameters
        assert np.abs(net.forward(X) - default.forward(X)).max() > 0.01

    # PyTorch's at the kinks: JAX has 1 for all of these but elu's, 0 at −3.
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(
        ("activation", "z", "slope"),
        [
            ("relu", 0.0, 0.0),
            ("leaky_relu", 0.0, 0.01),
            (activations.leaky_relu(0.3), 0.0, 0.3),
            (activations.elu(0.5), 0.0, 0.5),
            ("selu", 0.0, 1.7580993408473768),
            ("hard_tanh", 1.0, 0.0),
            ("hard_tanh", -1.0, 0.0),
            ("hard_tanh", 0.999, 1.0),
            ("hard_sigmoid", 3.0, 0.0),
            ("hard_sigmoid", -3.0, 0.0),
            ("hard_sigmoid", -2.999, 1 / 6),
            ("gelu", 0.0, 0.5),
            ("gelu", 1e-35, 0.5),
            ("gelu", 1e30, 1.0),
            ("gelu", -1e30, 0.0),
            ("gelu_tanh", 1e30, 1.0),
            ("gelu_tanh", -1e30, 0.0),
            ("silu", 1e30, 1.0),
            ("silu", -1e30, 0.0),
            ("mish", 1e30, 1.0),
            ("mish", -1e30, 0.0),
            ("softplus", 1e30, 1.0),
            ("softplus", -1e30, 0.0),
            ("softplus", -60.0, math.exp(-60)),
            ("softsign", 1e30, 0.0),
        ],
    )
    def test_slopes(self, activation, z, slope, dtype, isa):
        dense = cg.Dense(1, activation, weights_init=1.0)
        net = cg.Network(1, [dense], loss="quadratic", dtype=dtype)
        a = net.forward([[z]])[0, 0]
        gradients = net.backward([[z]], [[a - 1]])  # ∇ₐC is 1 where a is not large
        if abs(a) < 1e4:
            assert gradients.deltas[0][0, 0] == pytest.approx(slope, rel=1e-6, abs=1e-30)
        else:
            assert gradients.deltas[0][0, 0] == 0
            above = cg.Dense(1, weights_init=1.0)
            net = cg.Network(1, [dense, above], loss="quadratic", dtype=dtype)
            gradients = net.backward([[z]], [[0.0]])
            assert gradients.deltas[0][0, 0] == pytest.approx(slope * a, rel=1e-6)

    def test_a_sum_of_values(self):
        """torch.nn.functional at these z, with float64."""
        z = np.array([[-4.0, -1.5, -0.5, 0.25, 2.0]])
        expected = {
            "leaky_relu": [-0.04, -0.015, -0.005, 0.25, 2.0],
            "hard_sigmoid": [0.0, 0.25, 0.4166666666666667, 0.5416666666666666, 0.8333333333333334],
            "hard_tanh": [-1.0, -1.0, -0.5, 0.25, 1.0],
            "softsign": [-0.8, -0.6, -1 / 3, 0.2, 2 / 3],
        }
        for name, values in expected.items():
            dense = cg.Dense(5, name, weights_init=np.eye(5))
            net = cg.Network(5, [dense], loss="mse", dtype="float64")
            np.testing.assert_allclose(net.forward(z), [values], rtol=1e-15)

    @pytest.mark.parametrize(
        ("activation", "kinks"),
        [
            ("hard_tanh", (-1.0, 1.0)),
            ("hard_sigmoid", (-3.0, 3.0)),
            ("selu", (0.0,)),
            (activations.elu(0.5), (0.0,)),
        ],
    )
    def test_the_check_of_gradients_knows_the_kinks(self, activation, kinks):
        for kink in kinks:
            dense = cg.Dense(1, activation, use_bias=False, weights_init=kink)
            net = cg.Network(1, [dense], loss="quadratic", dtype="float64")
            report = cg.check_gradients(net, [[1.0]], [[5.0]])
            assert (report.compared, report.kinks) == (0, 1)

    def test_elu_has_a_derivative_at_zero(self):
        dense = cg.Dense(1, "elu", use_bias=False, weights_init=0.0)
        net = cg.Network(1, [dense], loss="quadratic", dtype="float64")
        report = cg.check_gradients(net, [[1.0]], [[5.0]])
        assert (report.compared, report.kinks) == (1, 0)

    def test_the_loops_take_the_parameter(self):
        program = (
            "import cygrad as cg, numpy as np;"
            "net = cg.Network(3, [cg.Dense(4, cg.activations.elu(0.3)), cg.Dense(2)],"
            " loss='mse', rng=0); X = np.linspace(-1, 1, 30).reshape(10, 3);"
            "cg.Trainer(net, cg.Adam(0.01), 4, rng=0).fit(X, X[:, :2], 3);"
            "print(net.parameters.tobytes().hex())"
        )
        results = {
            subprocess.run(
                [sys.executable, "-c", program],
                env={"CYGRAD_ENGINE": engine, "PYTHONPATH": ":".join(filter(None, sys.path))},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for engine in ("kernels", "loops")
        }
        assert len(results) == 1


class TestReference:
    @pytest.mark.parametrize(("name", "parameter"), WITH_PARAMETER.items())
    def test_takes_the_same_form(self, name, parameter):
        given = getattr(reference.activations, name)(parameter)
        layers = [reference.Dense(7, given), reference.Dense(3)]
        slow = reference.Network(5, layers, loss="mse")
        net = network(getattr(activations, name)(parameter))
        slow.parameters = net.parameters.tolist()
        X, _ = samples(3)
        np.testing.assert_allclose(net.forward(X), slow.forward(X.tolist()), atol=1e-13)

    def test_softmax_stays_the_outputs(self):
        softmax = reference.ACTIVATIONS["softmax"]
        with pytest.raises(ValueError, match="it is for the output"):
            reference.Network(2, [reference.Dense(2, softmax), reference.Dense(1)], loss="mse")

    def test_an_overflow_is_infinite(self):
        assert reference.ACTIVATIONS["exp"].value([800.0]) == [math.inf]


class TestDefaults:
    def test_leaky_relu_begins_with_he(self):
        for slope in (0.01, 1.0):
            layers = [cg.Dense(400, activations.leaky_relu(slope))]
            weights = cg.Network(300, layers, loss="mse", rng=0).layers[0].weights
            bound = math.sqrt(6 / (1 + slope**2) / 300)
            assert 0.999 * bound < np.abs(weights).max() <= bound * (1 + 1e-7)

    def test_sine_begins_with_siren(self):
        layers = [cg.Dense(400, activations.sine(30)), cg.Dense(300, activations.sine(30))]
        first, second = cg.Network(100, layers, loss="mse", rng=0).layers
        assert 0.999 / 100 < np.abs(first.weights).max() <= 1 / 100
        bound = math.sqrt(6 / 400) / 30
        assert 0.999 * bound < np.abs(second.weights).max() <= bound * (1 + 1e-7)

    def test_siren(self):
        assert cg.initializers.siren(30) == cg.initializers.Siren(30.0, first=False)
        for arguments, error in (((0,), ValueError), (("1",), TypeError), ((1, 2), TypeError)):
            with pytest.raises(error, match="of siren is"):
                cg.initializers.siren(*arguments)
        with pytest.raises(ValueError, match="which is for weights"):
            cg.Dense(2, bias_init=cg.initializers.siren())


class TestFiles:
    @pytest.mark.parametrize("name", ["gelu", *WITH_PARAMETER])
    def test_there_and_back(self, name, tmp_path):
        parameter = WITH_PARAMETER.get(name)
        net = network(getattr(activations, name)(*[parameter] if parameter else []))
        net.save(tmp_path / "net.npz")
        loaded = cg.load(tmp_path / "net.npz")
        assert loaded.layers[0].activation == net.layers[0].activation
        X, _ = samples()
        np.testing.assert_array_equal(loaded.forward(X), net.forward(X))
        again = pickle.loads(pickle.dumps(net))
        np.testing.assert_array_equal(again.forward(X), net.forward(X))
        with np.load(tmp_path / "net.npz") as file:
            header = json.loads(file["header"].tobytes())
        expected = {"name": name, ACTIVATIONS[name].parameter: parameter} if parameter else name
        assert header["layers"][0]["activation"] == expected
        assert header["version"] == 2

    @pytest.mark.parametrize(
        ("activation", "version"), [("relu", 1), ("softmax", 1), ("elu", 2), ("sine", 2)]
    )
    def test_the_first_format_that_has_it(self, activation, version, tmp_path):
        layers = [cg.Dense(4, "tanh"), cg.Dense(3, activation)]
        cg.Network(5, layers, loss="mse", rng=0).save(tmp_path / "net.npz")
        with np.load(tmp_path / "net.npz") as file:
            assert json.loads(file["header"].tobytes())["version"] == version

    @pytest.mark.parametrize(
        "description",
        [
            {"name": "elu"},
            {"name": "elu", "slope": 0.5},
            {"name": "elu", "alpha": -1},
            {"name": "relu", "alpha": 1},
            {"name": "swish", "alpha": 1},
            {"alpha": 1},
            7,
        ],
    )
    def test_bad_descriptions_are_refused(self, description):
        net = network("elu")
        config = net.config()
        config["layers"][0]["activation"] = description
        with pytest.raises((ValueError, TypeError, KeyError)):
            net.restore(config, net.arrays())


def test_other_rooms_take_a_parameter(tmp_path):
    from cygrad import plotting
    from cygrad.cli.report import settings
    from cygrad.cli.summary import describe

    net = network(activations.leaky_relu(0.2))
    assert json.loads(json.dumps(describe(net)))["layers"][0]["activation"] == (
        "leaky_relu(slope=0.2)"
    )
    assert "leaky_relu(slope=0.2), z where z &gt; 0" in str(settings._layers(net))
    figure = pytest.importorskip("matplotlib.figure", reason="plotting needs it")
    plotting.network_diagram(net, ax=figure.Figure().add_subplot())


@pytest.mark.parametrize("name", ["gelu", "hard_tanh"])
def test_the_command_line_takes_every_name(name, capsys, tmp_path):
    from cygrad.cli import main

    arguments = ["train", "digits", "--hidden", "8", "--activation", name, "--epochs", "1"]
    assert main([*arguments, "--quiet", "--json"]) in (0, None)
    result = json.loads(capsys.readouterr().out)
    assert [layer["activation"] for layer in result["layers"]] == [name, "softmax"]


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
@pytest.mark.parametrize("factor", [1.0, 2.5])
def test_outputs_fill_their_range(name, factor):
    row = ACTIVATIONS[name]
    chosen = name
    if row.parameter is not None:
        chosen = ChosenActivation(name, factor * row.default)
    low, high = output_range(chosen)
    z = np.concatenate([np.linspace(-30, 30, 100_001), [-1e6, 1e6]])
    a = kernels.evaluate(name, z, parameter_of(chosen))
    assert low <= a.min()
    assert a.max() <= high
    if low > -np.inf:
        assert a.min() < low + 1e-3
    if high < np.inf:
        assert a.max() > high - 1e-3
