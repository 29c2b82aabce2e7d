"""Cross-validation, grids and ensembles of networks that are trained side by side."""

import tracemalloc

import numpy as np
import pytest

import cygrad as cg
from cygrad import metrics
from cygrad.network.standardization import mean_and_scale

RNG = np.random.default_rng(5)
X = RNG.standard_normal((120, 4)) * [1, 10, 0.1, 1] + [0, 5, 0, 0]
Y = (X[:, 0] + 0.1 * X[:, 1] > 0.5).astype(int) + (X[:, 2] > 0.1)


def trainer_of(seed=0, units=6, rate=0.01, activation="tanh", batch_size=16):
    layers = [cg.Dense(units, activation), cg.Dense(3, "softmax")]
    net = cg.Network(4, layers, loss="cross_entropy", rng=seed)
    return cg.Trainer(net, cg.Adam(rate), batch_size, rng=seed)


def parts(rng=0, k=4):
    return cg.datasets.folds(Y, k, rng=rng)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_have_the_bits_of_copies_that_are_trained_one_by_one(standardize, threads):
    found = cg.cross_validate(
        trainer_of, X, Y, 5, folds=4, rng=0, standardize=standardize, metrics=["f1"],
        threads=threads,
    )  # fmt: skip
    assert len(found.folds) == 4
    for number, (fold, (train, test)) in enumerate(zip(found.folds, parts(), strict=True)):
        twin = trainer_of(number)
        if standardize:
            twin.net.standardize_inputs(X[train])
        history = twin.fit(X[train], Y[train], 5)
        assert fold.error is None
        assert (fold.rows == test).all()
        assert fold.history.loss == history.loss
        assert fold.net.parameters.tobytes() == twin.net.parameters.tobytes()
        assert fold.outputs.tobytes() == twin.net.forward(X[test]).tobytes()
        expected = twin.net.evaluate(X[test], Y[test])
        assert {name: fold.metrics[name] for name in expected} == expected
        assert fold.metrics["f1"] == metrics.METRICS["f1"](Y[test], fold.outputs)
        assert (found.outputs[test] == fold.outputs).all()


def test_means_and_deviations_are_those_over_the_folds():
    found = cg.cross_validate(trainer_of, X, Y, 3, rng=1)
    values = [fold.metrics["accuracy"] for fold in found.folds]
    assert found.metrics["accuracy"].tolist() == values
    assert found.mean["accuracy"] == np.mean(values)
    assert found.std["accuracy"] == np.std(values, ddof=1)
    text = f"accuracy {found.mean['accuracy']:.4g} ± {found.std['accuracy']:.2g}"
    assert repr(found).startswith("<CrossValidation: 5 folds, loss ")
    assert text in repr(found)
    assert len(found.ensemble) == 5
    assert found.ensemble[2] is found.folds[2].net


def test_validation_is_a_part_of_the_training_rows():
    found = cg.cross_validate(
        trainer_of, X, Y, 30, folds=3, validation=0.2, metrics=["f1"],
        callbacks=lambda trainer: [cg.EarlyStopping(2)],
    )  # fmt: skip
    for number, (fold, (train, test)) in enumerate(zip(found.folds, parts(None, 3), strict=True)):
        twin = trainer_of(number)
        history = twin.fit(
            X[train], Y[train], 30, validation=0.2, metrics=["f1"],
            callbacks=[cg.EarlyStopping(2)],
        )  # fmt: skip
        assert fold.history["val_f1"] == history["val_f1"]
        assert fold.net.parameters.tobytes() == twin.net.parameters.tobytes()
        assert fold.metrics["loss"] == twin.net.evaluate(X[test], Y[test])["loss"]


def test_weights_count_in_both_parts():
    weights = RNG.random(120).astype(np.float32)  # which the network does not round
    found = cg.cross_validate(
        trainer_of, X, Y, 3, folds=parts(), sample_weight=weights, metrics=["balanced_accuracy"]
    )
    for number, (fold, (train, test)) in enumerate(zip(found.folds, parts(), strict=True)):
        twin = trainer_of(number)
        twin.fit(X[train], Y[train], 3, sample_weight=weights[train])
        expected = twin.net.evaluate(X[test], Y[test], sample_weight=weights[test])
        assert {name: fold.metrics[name] for name in expected} == expected
        balanced = metrics.METRICS["balanced_accuracy"](Y[test], fold.outputs, weights[test])
        assert fold.metrics["balanced_accuracy"] == balanced


def test_own_folds_may_leave_rows_out_and_overlap():
    own = [(range(60), range(60, 100)), (range(40, 100), [0, 1, 60, 61])]
    found = cg.cross_validate(trainer_of, X, Y, 2, folds=own)
    assert [len(fold.rows) for fold in found.folds] == [40, 4]
    outputs = found.outputs
    assert outputs.shape == (100, 3)
    assert np.isnan(outputs[2:60]).all()
    first, second = (fold.outputs for fold in found.folds)
    mean = (first[0].astype(float) + second[2]) / 2
    assert (outputs[60] == mean.astype(np.float32)).all()


def test_quantities_are_divided_evenly_and_tested():
    y = X @ [1.0, 2.0, 0.5, 0.1]

    def make(number):
        return cg.Trainer(cg.Network(4, [cg.Dense(1)], loss="mse", rng=number), cg.Adam(0.1), 8)

    found = cg.cross_validate(make, X, y, 60, rng=3, standardize=True, metrics=["r2"])
    assert found.mean["r2"] > 0.9
    assert found.outputs.shape == (120, 1)


def test_a_fold_that_fails_is_nan():
    def make(number):
        return trainer_of(number, rate=(lambda step: 1e38) if number == 1 else 0.01)

    with pytest.warns(UserWarning, match="1 of 4 networks failed: numbers 1; number 1 with Div"):
        found = cg.cross_validate(make, X, Y, 3, folds=parts())
    assert isinstance(found.folds[1].error, cg.DivergenceError)
    assert set(found.folds[1].metrics) == {"loss", "accuracy"}
    assert np.isnan(list(found.folds[1].metrics.values())).all()
    assert np.isnan(found.folds[1].outputs).all()
    assert np.isnan(found.mean["loss"])
    assert np.isfinite(np.delete(found.metrics["loss"], 1)).all()
    assert len(found.ensemble) == 3


@pytest.mark.parametrize("rows", [None, [5], [3, 3, 7, 100, 0], np.arange(119, -1, -1)])
def test_rows_are_standardized_as_their_copy(rows):
    index = None if rows is None else np.array(rows)
    data = X.copy()
    data[:, 3] = 0.1  # constant, with a mean that rounds
    found = mean_and_scale(data, rows=index)
    expected = mean_and_scale(data if index is None else data[index])
    for array, other in zip(found, expected, strict=True):
        assert array.tobytes() == other.tobytes()


@pytest.mark.filterwarnings("ignore:batch_size is 500:UserWarning")
def test_folds_are_no_copies():
    large = np.zeros((30_000, 60))
    y = np.arange(30_000) % 2

    def make(number):
        layers = [cg.Dense(2, "softmax")]
        net = cg.Network(60, layers, loss="cross_entropy", rng=number)
        return cg.Trainer(net, cg.SGD(0.1), 500)

    cg.cross_validate(make, large[:100], y[:100], folds=2)  # modules are imported
    tracemalloc.start()
    cg.cross_validate(make, large, y, folds=4, standardize=True, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large.nbytes // 2  # row numbers, and blocks of 4,096 rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"folds": 1}, "folds is 1, expected an integer of at least 2"),
        ({"folds": []}, "folds is empty"),
        ({"folds": [3]}, r"folds\[0\] is 3, expected \(train, test\)"),
        ({"folds": [([1], [120])]}, r"folds\[0\]\[1\] has the number 120, expected"),
        ({"make_trainer": 3}, "make_trainer is 3, expected a function"),
        ({"make_trainer": lambda number: number}, "make_trainer returned 0, expected a Trainer"),
        ({"standardize": 1}, "standardize is 1, expected True or False"),
        ({"metrics": ["r2"]}, "metric 'r2' needs numbers"),
    ],
)
def test_arguments_are_checked(arguments, message):
    given = {"make_trainer": trainer_of, "X": X, "y": Y, **arguments}
    with pytest.raises((TypeError, ValueError), match=message):
        cg.cross_validate(**given)


def test_each_fold_needs_a_new_network():
    one = trainer_of()
    with pytest.raises(ValueError, match="returned two trainers of the same network"):
        cg.cross_validate(lambda number: one, X, Y)


# Grids


def make_point(units, rate, seed=0):
    return trainer_of(seed, units, rate)


SETTINGS = {"units": [2, 8], "rate": [1e-4, 0.05]}


def test_a_grid_has_all_combinations_with_their_own_bits():
    found = cg.grid(make_point, SETTINGS, X, Y, 10, validation=0.25, threads=2, metrics=["f1"])
    settings = [point.setting for point in found.points]
    assert settings == [
        {"units": units, "rate": rate} for units in SETTINGS["units"] for rate in SETTINGS["rate"]
    ]
    losses = []
    for point in found.points:
        twin = make_point(**point.setting)
        history = twin.fit(X, Y, 10, validation=0.25, metrics=["f1"])
        (result,) = point.results
        assert result.net.parameters.tobytes() == twin.net.parameters.tobytes()
        names = {"loss": "val_loss", "accuracy": "val_accuracy", "f1": "val_f1"}
        assert point.mean == {name: history[column][-1] for name, column in names.items()}
        losses.append(history.val_loss[-1])
    assert found.best is found.points[int(np.argmin(losses))]
    assert [point.mean["loss"] for point in found.ranked] == sorted(losses)
    assert len(found) == 4
    assert repr(found) == f"<Grid: 4 settings, best loss {min(losses):.4g}>"
    lines = str(found).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"loss {min(losses):.4g}  accuracy ")
    assert lines[0].endswith(f"units={found.best.setting['units']}, rate=0.05")


def test_a_grid_with_folds_is_a_cross_validation_of_each():
    found = cg.grid(make_point, SETTINGS, X, Y, 4, folds=3, rng=2, standardize=True, by="accuracy")
    for point in found.points:
        expected = cg.cross_validate(
            lambda number, setting=point.setting: make_point(**setting),
            X, Y, 4, folds=3, rng=2, standardize=True,
        )  # fmt: skip
        assert point.mean == expected.mean
        assert point.std == expected.std
        assert len(point.results) == 3
    best = max(point.mean["accuracy"] for point in found.points)
    assert found.best.mean["accuracy"] == best


def test_settings_can_be_a_list_and_some_can_fail():
    settings = [
        {"units": 3, "rate": 0.01},
        {"units": 0, "rate": 0.01},
        {"units": 3, "rate": lambda step: 1e38},
        {"units": 4, "rate": 0.01, "seed": 5},
    ]
    with pytest.warns(UserWarning, match=r"^2 of 4 settings failed; the first is \{'units': 0"):
        found = cg.grid(make_point, settings, X, Y, 3, validation=20)
    assert [point.error is None for point in found.points] == [True, False, False, True]
    assert isinstance(found.points[1].error, ValueError)
    assert found.points[1].results == ()
    assert isinstance(found.points[2].error, cg.DivergenceError)
    assert {id(point) for point in found.ranked[2:]} == {id(found.points[1]), id(found.points[2])}
    assert "ValueError: units is 0" in str(found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"validation": None}, "folds and validation are None"),
        ({"by": "f1"}, "by is 'f1', expected one of loss, accuracy"),
        ({"by": 3}, "by is 3, expected the name"),
        ({"settings": 4}, "settings is 4, expected a dict of lists"),
        ({"settings": [3]}, r"settings\[0\] is 3, expected a dict of arguments"),
        ({"settings": {"units": []}}, "settings is {'units': .* has no combination"),
        ({"settings": {"unit": [1]}}, "unexpected keyword argument 'unit'"),
        ({"standardize": True}, "standardize is True and folds is None"),
        ({"by": "largest", "metrics": [metrics.Metric(max, "largest")]}, "it is not known"),
    ],
)
def test_arguments_of_grids_are_checked(arguments, message):
    given = {"make_trainer": make_point, "settings": SETTINGS, "X": X, "y": Y, "validation": 0.2}
    with pytest.raises((TypeError, ValueError), match=message):
        cg.grid(**{**given, **arguments})


# Ensembles


def test_members_have_the_bits_of_single_trainings():
    rows = [None, RNG.integers(120, size=120), None]
    found = cg.ensemble(trainer_of, X, Y, 4, members=3, rows=rows, threads=2)
    assert isinstance(found, cg.Ensemble)
    for seed, (net, own) in enumerate(zip(found, rows, strict=True)):
        twin = trainer_of(seed)
        twin.fit(X, Y, 4, rows=own)
        assert net.parameters.tobytes() == twin.net.parameters.tobytes()


def test_a_member_that_fails_is_left_out():
    def make(number):
        return trainer_of(number, rate=(lambda step: 1e38) if number == 1 else 0.01)

    with pytest.warns(UserWarning, match="1 of 3 networks failed: numbers 1"):
        found = cg.ensemble(make, X, Y, 3, members=3)
    assert len(found) == 2


def test_members_of_different_tasks_are_refused_before_the_training():
    made = []

    def make(number):
        net = cg.Network(4, [cg.Dense(number + 1)], loss="mse", rng=0)
        made.append(cg.Trainer(net, cg.SGD(0.1)))
        return made[-1]

    with pytest.raises(ValueError, match=r"members\[1\] has outputs 2, expected 1"):
        cg.ensemble(make, X, X[:, 0], members=2)
    assert [trainer.steps for trainer in made] == [0, 0]
    with pytest.raises(ValueError, match="rows has 1 entries, expected one for each of 5 members"):
        cg.ensemble(trainer_of, X, Y, rows=[None])
    with pytest.raises(ValueError, match="members is 0"):
        cg.ensemble(trainer_of, X, Y, members=0)
