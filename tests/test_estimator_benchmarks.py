"""Benchmarks of the estimators: what is compared, and wrong results that are refused."""

import os
import warnings
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the estimators need the extra sklearn")
pytest.importorskip("benchmarks", reason="an installed package has none")

from benchmarks import processes
from benchmarks.estimators import calls, data, fits, pair, results, scores, section
from benchmarks.estimators.pair import OURS, THEIRS, Model
from benchmarks.settings import Settings, WrongResult

SETTINGS = Settings(
    cases=(),
    dtype="float32",
    optimizer="adam",
    threads=1,
    peers=False,
    quick=True,
    mnist=None,
    against=None,
)
SHORT = Model("100 rows", (8, 5), max_iter=4)


@pytest.fixture(autouse=True)
def _few_epochs():
    """Ignore that max_iter is small, as the sections do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def small(monkeypatch):
    """Replace the tables by a few small networks, and the measured times by short ones."""
    monkeypatch.setattr(
        fits,
        "FITS",
        (SHORT, replace(SHORT, solver="lbfgs"), replace(SHORT, dtype="float32"), Model("MNIST")),
    )
    monkeypatch.setattr(calls, "PREDICTIONS", ((SHORT, "predict_proba"),))
    monkeypatch.setattr(calls, "SHORT_FITS", ((SHORT, "partial_fit"),))
    monkeypatch.setattr(calls, "SEARCH", SHORT)
    monkeypatch.setattr(calls, "GRID", {"alpha": [1e-4, 1.0]})
    monkeypatch.setattr(
        calls.timing,
        "per_call",
        lambda function, *arguments: lambda: 1e-3 + _once(function, arguments),
    )


def _once(function, arguments):
    function(*arguments)
    return 0.0


def _change_ours(monkeypatch, change):
    """Let `change` spoil each estimator of ours after its fit."""
    make = pair.make

    def spoiled(parameters, y):
        made = make(parameters, y)
        fit = made[OURS].fit

        def fit_and_change(X, y):
            fit(X, y)
            change(made[OURS])
            return made[OURS]

        made[OURS].fit = fit_and_change
        return made

    monkeypatch.setattr(pair, "make", spoiled)


def test_rows_have_ratios_goals_and_what_agrees(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(data, "MNIST", tmp_path)
    rows = list(section.rows(SETTINGS))
    assert [row["call"] for row in rows] == [
        *["fit"] * 3,
        "predict_proba, 1 row",
        "partial_fit, 100 rows",
        "GridSearchCV, 2",
    ]
    for row in rows:
        assert {column.key for column in section.COLUMNS} <= set(row)
        assert row["ratio"] > 0
        assert row["met"] in ("yes", "no")
        assert row[f"{OURS} least"] <= row[OURS]
    assert [row["agrees"] for row in rows] == [*["coefs"] * 3, "output", "coefs", "score"]
    for row in rows[:3]:
        assert (row["network"], row["epochs"]) == ("20-8-5-1", 4)
        assert row["bound"] == pytest.approx(row["ratio"] / row["share"])
    assert [len(row["notes"]) for row in rows] == [1, 0, 0, 0, 0, 0]
    assert "MNIST left out: t10k-images-idx3-ubyte.gz is not in" in capsys.readouterr().err


def test_the_share_counts_the_products_of_all_epochs(monkeypatch):
    monkeypatch.setattr(fits.peak, "fma_peak", lambda threads, dtype: 1.0)
    monkeypatch.setattr(fits, "_seconds", lambda name, parameters, X, y: 2e-3)
    X, y = data.load("100 rows", SETTINGS)
    row = fits.fit_row(SHORT, X, y, SETTINGS)
    products = 2 * 20 * 8 + 3 * 8 * 5 + 3 * 5 * 1
    assert row["share"] == pytest.approx(4 * 100 * 2 * products / 2e-3 / 1e9)
    assert (row["ratio"], row["met"]) == (1.0, "no")


def test_a_wrong_fit_is_refused(monkeypatch):
    def change(estimator):
        estimator.coefs_[0] = estimator.coefs_[0] + 1e-3
        estimator.n_iter_ += 1

    _change_ours(monkeypatch, change)
    X, y = data.load("100 rows", SETTINGS)
    with pytest.raises(
        WrongResult, match=r"max_iter 4, 100 rows, 3 epochs: cygrad 4 epochs, score"
    ):
        fits.fit_row(SHORT, X, y, SETTINGS)


def test_rounding_errors_of_a_long_fit_give_a_ratio_per_epoch(monkeypatch):
    def change(estimator):
        estimator.n_iter_ += estimator.n_iter_ == 4

    _change_ours(monkeypatch, change)
    monkeypatch.setattr(fits, "_seconds", lambda name, parameters, X, y: 1.0)
    X, y = data.load("100 rows", SETTINGS)
    row = fits.fit_row(SHORT, X, y, SETTINGS)
    assert (row["agrees"], row["epochs"]) == ("no", 5)
    assert row["ratio"] == pytest.approx(5 / 4)
    assert "cygrad 5 epochs" in row["notes"][0]


def test_whole_fits_that_disagree_are_checked_on_few_rows(monkeypatch):
    seen = []

    def fitted(parameters, X, y):
        seen.append((parameters["max_iter"], len(X)))
        return pair.fitted(parameters, X, y)

    monkeypatch.setattr(fits, "fitted", fitted)
    monkeypatch.setattr(fits, "FEW_ROWS", 40)
    X, y = data.load("100 rows", SETTINGS)
    whole = pair.fitted(SHORT.parameters, X, y)
    assert fits.check("", SHORT.parameters, whole, X, y, 1e-6) == "coefs"
    assert seen == []
    whole[OURS].n_iter_ += 1
    assert fits.check("", SHORT.parameters, whole, X, y, 1e-6) == "no"
    assert seen == [(3, 40)]


def test_the_same_score_is_enough_and_nan_is_not():
    X, y = data.load("100 rows", SETTINGS)
    fitted = pair.fitted(SHORT.parameters, X, y)
    assert pair.agreement(fitted, X, y, 1e-6) == "coefs"
    fitted[THEIRS].intercepts_[0][0] += 1e-5
    assert pair.agreement(fitted, X, y, 1e-6) == "score"
    assert pair.agreement(fitted, X, y, 1e-4) == "coefs"
    fitted[THEIRS].intercepts_[0][0] = np.nan
    assert not pair.distance(fitted) <= 1


def test_wrong_predictions_and_short_fits_are_refused(monkeypatch):
    X, y = data.load("100 rows", SETTINGS)

    def change(estimator):
        estimator.predict_proba = lambda X: np.full((len(X), 2), 0.5)

    _change_ours(monkeypatch, change)
    with pytest.raises(WrongResult, match="predict_proba: gives"):
        calls.prediction_row(SHORT, "predict_proba", X, y, SETTINGS)
    monkeypatch.undo()

    def wrong(parameters, y):
        return make({**parameters, "alpha": 0.5}, y) | {THEIRS: make(parameters, y)[THEIRS]}

    make = pair.make
    monkeypatch.setattr(calls, "make", wrong)
    with pytest.raises(WrongResult, match="partial_fit: the parameters differ"):
        calls.short_row(SHORT, "partial_fit", X, y, SETTINGS)


def test_a_search_with_other_scores_is_refused(monkeypatch):
    X, y = data.load("100 rows", SETTINGS)
    make = pair.make
    monkeypatch.setattr(calls, "GRID", {"alpha": [1e-4]})

    def wrong(parameters, y):
        slow = {**parameters, "learning_rate_init": 0.1}
        return make(parameters, y) | {THEIRS: make(slow, y)[THEIRS]}

    monkeypatch.setattr(calls, "make", wrong)
    with pytest.raises(WrongResult, match="GridSearchCV: scores are"):
        calls.search_row(X, y, SETTINGS)


def test_goals():
    assert fits.goal(Model("digits", (100, 32))).text == "≥ 8 ×"
    assert fits.goal(Model("digits", (512,))).text == "≥ 2 ×"
    ratio, time = results.Goal(ratio=8), results.Goal(milliseconds=0.25)
    assert (ratio.met(1e9, 8.0), ratio.met(1e-9, 7.9)) == (True, False)
    assert (time.met(0.25, 1.0), time.met(0.26, 99.0)) == (True, False)
    assert time.text == "≤ 0.25 ms"


@pytest.mark.parametrize("name", ["digits", "cancer", "diabetes", "26 classes", "synthetic"])
def test_data_sets(name):
    X, y = data.load(name, SETTINGS)
    assert len(X) == len(y)
    assert X.dtype == np.float64
    assert np.isfinite(X).all()
    if name == "26 classes":
        assert len(set(y)) == 26


def test_scores_have_intervals_and_a_verdict(monkeypatch):
    monkeypatch.setattr(scores, "DATA", ("diabetes",))
    monkeypatch.setattr(scores, "VARIANTS", {"adam": {}, "lbfgs": {"solver": "lbfgs"}})
    rows = list(scores.rows(SETTINGS))
    assert [(row["solver"], row["seeds"]) for row in rows] == [("adam", 3), ("lbfgs", 3)]
    for row in rows:
        assert {column.key for column in scores.COLUMNS} == set(row)
        assert row["difference"] == pytest.approx(row[OURS] - row[THEIRS])
        assert row[f"{OURS} ±"] > 0


def test_the_interval_is_that_of_student():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    # t of 4 degrees of freedom, 0.975: 2.776445; standard deviation: 1.581139.
    assert scores.half_width(values) == pytest.approx(2.776445 * 1.581139 / 5**0.5, rel=1e-6)
    row = scores.summary({OURS: [0.9, 0.8, 0.7], THEIRS: [0.8, 0.7, 0.6]})
    assert row["difference"] == pytest.approx(0.1)
    assert row["difference ±"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("difference", "half", "verdict"),
    [
        (0.0, 0.0, "not worse"),
        (0.02, 0.01, "not worse"),
        (-0.001, 0.002, "not worse"),
        (-0.001, 0.02, "unclear"),
        (-0.02, 0.01, "worse"),
        (-0.002, 0.001, "worse"),
        (-1e-15, 1e-16, "not worse"),
    ],
)
def test_verdicts(difference, half, verdict):
    assert scores.verdict(difference, half) == verdict


def test_the_sections_choose_no_kernels_of_openblas(monkeypatch):
    seen = []

    def in_process(names, settings, quiet):
        seen.append((names, settings.threads, os.environ.get("OPENBLAS_CORETYPE")))
        return {name: [] for name in names}

    monkeypatch.setattr(processes, "_in_process", in_process)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    found = processes.run(["steps", "sklearn", "latency"], replace(SETTINGS, threads=2), quiet=True)
    assert seen == [(["steps", "latency"], 2, "Haswell"), (["sklearn"], 1, None)]
    assert set(found) == {"steps", "sklearn", "latency"}
    assert os.environ["OPENBLAS_CORETYPE"] == "Haswell"


def test_without_scikit_learn_there_are_no_rows(monkeypatch, capsys):
    monkeypatch.setattr(pair, "find_spec", lambda name: None)
    assert list(section.rows(SETTINGS)) == []
    assert list(scores.rows(SETTINGS)) == []
    error = capsys.readouterr().err
    assert "sklearn: left out, scikit-learn is not installed" in error
    assert "sklearn-scores: left out, scikit-learn is not installed" in error
