"""Ensembles: means of networks, their spread, files and tables."""

import copy
import json
import pickle

import numpy as np
import pytest
from networks import small_network, targets_for, units_for

import cygrad as cg
from cygrad.network import LOSSES, storage
from cygrad.network.losses import row_of

RNG = np.random.default_rng(8)
X = RNG.standard_normal((50, 4))


def members(loss="mse", units=3, dtypes=("float32",) * 4, **options):
    if callable(loss):
        options["activation"] = "identity"
    else:
        units = units_for(loss, units)
    return [
        small_network(4, 5, units, loss, rng=seed, dtype=dtype, **options)
        for seed, dtype in enumerate(dtypes)
    ]


@pytest.mark.parametrize("dtypes", [("float32",) * 3, ("float64", "float32")], ids=str)
def test_outputs_are_means_and_std_is_their_spread(dtypes):
    nets = members(dtypes=dtypes)
    both = cg.Ensemble(nets)
    each = [net.forward(X).astype(np.float64) for net in nets]
    assert both.forward(X).dtype == both.dtype == np.dtype(max(dtypes))
    mean = (sum(each[1:], each[0].copy()) / len(nets)).astype(both.dtype)
    assert (both.forward(X) == mean).all()
    assert (both.predict(X) == mean).all()
    np.testing.assert_allclose(both.std(X), np.std(each, axis=0), rtol=1e-6)
    assert both.std(X).dtype == both.dtype
    assert (len(both), list(both), both[1]) == (len(nets), nets, nets[1])
    assert both.n_parameters == 4 * 5 + 5 + 5 * 3 + 3 if len(nets) == 1 else len(nets) * 43


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES)
def test_an_ensemble_of_one_is_evaluated_as_its_network(loss, reduction, weighted):
    (net,) = members(loss, dtypes=("float64",), reduction=reduction)
    y = targets_for(loss, RNG, 50, net.outputs)
    weights = RNG.random(50) if weighted else None
    one = cg.Ensemble([net])
    found = one.evaluate(X, y, sample_weight=weights)
    expected = net.evaluate(X, y, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-9)
    assert (one.predict(X) == net.predict(X)).all()
    assert one.predict(X).dtype == net.predict(X).dtype
    assert one.predict(X).shape == net.predict(X).shape


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy", "mse", "poisson"])
def test_the_loss_is_that_of_the_mean_outputs(loss):
    both = cg.Ensemble(members(loss, 1 if loss == "binary_cross_entropy" else 3))
    y = targets_for(loss, RNG, 50, both.outputs)
    a = both.forward(X).astype(np.float64)
    found = both.evaluate(X, y)["loss"]
    if loss == "cross_entropy":
        expected = -np.log(a[np.arange(50), y]).mean()
        assert both.evaluate(X, y)["accuracy"] == (a.argmax(1) == y).mean()
    elif loss == "binary_cross_entropy":
        expected = -(y * np.log(a) + (1 - y) * np.log1p(-a)).mean()
    elif loss == "mse":
        expected = ((a - y) ** 2).mean()
    else:
        expected = (a - y * np.log(a)).sum(axis=1).mean()
    # The mean loss of the members is no smaller: the losses are convex in the outputs.
    assert found <= np.mean([net.evaluate(X, y)["loss"] for net in both])
    if loss != "poisson":  # which has a constant of the targets
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_mean_probability_of_0_is_a_finite_loss():
    nets = members("cross_entropy", 3)
    for net in nets:
        net.layers[-1].weights = np.zeros((3, 5))
        net.layers[-1].biases = [0, 0, -500]
    found = cg.Ensemble(nets).evaluate(X, np.full(50, 2))
    assert found["loss"] == pytest.approx(-np.log(np.finfo(float).tiny), rel=1e-3)
    assert found["accuracy"] == 0


def test_a_loss_of_ones_own_is_taken():
    def cubic(outputs, targets):
        difference = outputs - targets
        return np.abs(difference**3).sum(axis=1), 3 * difference**2 * np.sign(difference)

    both = cg.Ensemble(members(cubic))
    y = RNG.standard_normal((50, 3))
    expected = np.abs((both.forward(X) - y) ** 3).sum(axis=1).mean()
    assert both.evaluate(X, y)["loss"] == pytest.approx(expected, rel=1e-6)


def test_names_of_classes_are_kept():
    nets = members("cross_entropy", 3)
    for net in nets:
        net.classes = ["a", "b", "c"]
    both = cg.Ensemble(nets)
    assert both.classes == ("a", "b", "c")
    y = np.array(["a", "b", "c"])[RNG.integers(3, size=50)]
    accuracy = (np.array(both.classes)[both.predict(X)] == y).mean()
    assert both.evaluate(X, y)["accuracy"] == accuracy


# Files


ALL = {
    "dense": [cg.Dense(5, "tanh"), cg.Dense(3, "softmax")],
    "norms": [cg.Dense(6, "relu"), cg.BatchNorm(), cg.Dropout(0.1), cg.Dense(3, "softmax")],
    "residual": [cg.Residual([cg.Dense(4)]), cg.LayerNorm(), cg.Dense(3, "softmax")],
}


def mixed():
    nets = [
        cg.Network(
            4, layers, loss="cross_entropy", rng=seed, dtype=["float32", "float64"][seed % 2]
        )
        for seed, layers in enumerate(ALL.values())
    ]
    nets[1].standardize_inputs(X)
    return cg.Ensemble(nets)


def test_a_file_has_all_members(tmp_path):
    both, path = mixed(), tmp_path / "ensemble.npz"
    both.save(path)
    read = cg.load(path)
    assert isinstance(read, cg.Ensemble)
    assert read.forward(X).tobytes() == both.forward(X).tobytes()
    assert read.std(X).tobytes() == both.std(X).tobytes()
    for net, other in zip(both, read, strict=True):
        assert repr(other) == repr(net)
        assert other.parameters.tobytes() == net.parameters.tobytes()
    with np.load(path) as file:  # plain NumPy, no pickle
        header = json.loads(file["header"].tobytes())
        assert header["version"] == 5
        assert file["member_2_weights_0"].shape == (4, 4)
    first = path.read_bytes()
    read.save(path)
    assert path.read_bytes() == first


def test_a_file_needs_the_loss_function_of_its_members(tmp_path):
    def absolute(outputs, targets):
        difference = outputs - targets
        return np.abs(difference).sum(axis=1), np.sign(difference)

    both, path = cg.Ensemble(members(absolute)), tmp_path / "own.npz"
    both.save(path)
    y = RNG.standard_normal((50, 3))
    assert cg.load(path, loss=absolute).evaluate(X, y) == both.evaluate(X, y)
    assert (cg.load(path).predict(X) == both.predict(X)).all()


def test_copies_and_pickles_are_equal():
    both = mixed()
    for other in (copy.deepcopy(both), copy.copy(both), pickle.loads(pickle.dumps(both))):
        assert other.forward(X).tobytes() == both.forward(X).tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header.update(members=[]), "members is no list"),
        (lambda header: header.update(members=3), "members is no list"),
        (lambda header: header["members"].pop(), "the header describes"),
        (lambda header: header["members"][0].update(inputs=5), "is float32 of shape"),
        (lambda header: header["members"].append(header["members"][0]), "the header describes"),
        (lambda header: header["members"].append(3), "damaged"),
        (lambda header: header["members"][0].pop("dtype"), "damaged"),
    ],
)
def test_damaged_files_are_refused(change, message, tmp_path):
    path = tmp_path / "ensemble.npz"
    mixed().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(arrays.pop("header").tobytes())
    change(header)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    with pytest.raises(ValueError, match=message):
        cg.load(path)


def test_a_file_that_is_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "ensemble.npz"
    cg.Ensemble(members()).save(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"damaged or cut|is empty|is not an"):
            cg.load(path)


def test_the_command_line_refuses_an_ensemble_in_one_line(tmp_path, capsys):
    from cygrad.cli import main

    path = tmp_path / "ensemble.npz"
    cg.Ensemble(members()).save(path)
    assert main(["info", str(path)]) == 1
    assert "is an ensemble of 4 networks" in capsys.readouterr().err


def test_members_whose_parameters_are_not_finite_are_not_saved(tmp_path):
    both = cg.Ensemble(members())
    both[1].engine.storage[0] = np.nan
    with pytest.raises(ValueError, match="member_1_weights_0 of the network holds NaN"):
        both.save(tmp_path / "ensemble.npz")
    assert list(tmp_path.iterdir()) == []


# Tables


@pytest.fixture
def table():
    size = RNG.random(60)
    kind = np.array(["a", "b", "c"])[RNG.integers(3, size=60)]
    return {"size": size, "kind": kind, "weight": 30 + 100 * size, "count": np.arange(60) % 7}


def of_table(table, target, loss, layer):
    encoder = cg.tables.Encoder(target=target).fit(table)
    nets = []
    for seed in range(3):
        net = cg.Network(encoder.inputs, [layer], loss=loss, rng=seed)
        net.encoder = encoder
        nets.append(net)
    return nets


def test_classes_of_a_table_are_names(table):
    nets = of_table(table, "kind", "cross_entropy", cg.Dense(3, "softmax"))
    both = cg.Ensemble(nets)
    predicted = both.predict(table)
    assert set(predicted) <= {"a", "b", "c"}
    mean = np.mean([net.forward(table) for net in nets], axis=0)
    assert (predicted == np.array(["a", "b", "c"])[mean.argmax(axis=1)]).all()
    accuracy = both.evaluate(table)["accuracy"]
    assert accuracy == (predicted == table["kind"]).mean()
    assert both.evaluate(table, table["kind"])["accuracy"] == accuracy


def test_quantities_of_a_table_are_in_their_unit(table, tmp_path):
    nets = of_table(table, "weight", "mse", cg.Dense(1))
    nets[0].save(tmp_path / "net.npz")
    cg.Ensemble(nets).save(tmp_path / "ensemble.npz")
    both = cg.load(tmp_path / "ensemble.npz")
    each = np.array([net.predict(table) for net in nets])
    np.testing.assert_allclose(both.predict(table), each.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(both.std(table), each.std(axis=0), rtol=1e-6)
    error = np.abs(both.predict(table) - table["weight"]).mean()
    assert both.evaluate(table)["mae"] == pytest.approx(error, rel=1e-5)
    one = cg.Ensemble(nets[:1])
    assert one.evaluate(table) == pytest.approx(nets[0].evaluate(table), rel=1e-5)


# Arguments


def test_members_are_checked():
    nets = members()
    cases = [
        ([], "members is empty"),
        (nets[0], "members is Network"),
        (3, "members is 3, expected a list of networks"),
        ([*nets, 3], r"members\[4\] is 3, expected a Network"),
        ([*nets, members(units=2)[0]], r"members\[4\] has outputs 2, expected 3 as members\[0\]"),
        ([*nets, members("mae")[0]], r"members\[4\] has loss 'mae', expected 'mse'"),
        ([*nets, members(reduction="sum")[0]], r"members\[4\] has reduction 'sum'"),
    ]
    for given, message in cases:
        with pytest.raises((TypeError, ValueError), match=message):
            cg.Ensemble(given)
    table = {"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]}
    other = of_table(table, "b", "mse", cg.Dense(1))
    other[1].encoder = None
    with pytest.raises(ValueError, match=r"members\[1\] has another encoder"):
        cg.Ensemble(other)


def test_inputs_and_targets_are_checked():
    both = cg.Ensemble(members("cross_entropy"))
    with pytest.raises(ValueError, match="X has shape"):
        both.predict(X[:, :3])
    with pytest.raises(TypeError, match="y is None"):
        both.evaluate(X)
    with pytest.raises(ValueError, match="y has 3 targets for 50 samples"):
        both.evaluate(X, [0, 1, 2])
    with pytest.raises(ValueError, match="X holds nan"):
        both.std(np.full((1, 4), np.nan))
    hinge = cg.Ensemble(members("hinge"))
    for net in hinge:
        net.layers[-1].biases = np.full(3, 3e38)
        net.layers[-1].weights = np.full((3, 5), 3e38)
    with pytest.raises(ValueError, match="X has outputs in row 0 that are NaN or infinite"):
        hinge.predict(np.full((2, 4), 9.0))


def test_the_formats_are_those_that_this_version_reads():
    assert storage.version(mixed().config()) == 5 <= storage.VERSION
    assert row_of(mixed().loss).labels
