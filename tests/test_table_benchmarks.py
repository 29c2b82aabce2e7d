"""The benchmark of whole processes over a table with text: what it compares, and refuses."""

from dataclasses import replace

import pytest

import cygrad as cg

pytest.importorskip("benchmarks", reason="an installed package has none")

from benchmarks.settings import Settings, WrongResult
from benchmarks.tables import data, section
from benchmarks.tables.section import NUMPY, OURS, THEIRS

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
SECONDS = {NUMPY: 0.1, OURS: 0.5, "cygrad predict": 0.3, "cygrad in Python": 0.4, THEIRS: 2.4}


@pytest.fixture
def short(monkeypatch):
    """Replace times that are measured by `SECONDS`, and take few rows."""
    monkeypatch.setattr(section, "FEW_ROWS", 600)
    monkeypatch.setattr(section, "MORE_ROWS", 500)
    monkeypatch.setattr(section, "EPOCHS", 2)
    monkeypatch.setattr(
        section,
        "_times",
        lambda commands, rounds: {name: [SECONDS[name]] * rounds for name in commands},
    )


def test_tables_have_the_columns_of_the_task(tmp_path):
    data.write(tmp_path / "a.csv", 2000, seed=1)
    table = cg.tables.read(tmp_path / "a.csv")
    kinds = list(table.kinds.values())
    assert kinds.count("number") == 6
    assert kinds.count("text") == 8 + 1
    encoder = cg.tables.Encoder(data.TARGET).fit(table)
    assert 95 <= encoder.inputs - sum(each.has_gaps for each in encoder.encodings) <= 110
    assert encoder.trains_faster_sparse
    shares = [(encoder.targets(table) == index).mean() for index in (0, 1)]
    assert min(shares) > 0.2


def test_first_predictions_are_compared_with_their_goals(short, monkeypatch):
    monkeypatch.setattr(section, "find_spec", lambda name: None)  # no peer is installed
    *predictions, training = section.rows(replace(SETTINGS, peers=True))
    assert training["process"] == OURS
    assert [row["process"] for row in predictions] == [NUMPY, "cygrad predict", "cygrad in Python"]
    assert [row["met"] for row in predictions] == [None, "yes", "no"]
    assert [row["goal"] for row in predictions[1:]] == ["at most 310 ms"] * 2


def test_trainings_are_compared_with_the_pipeline(short, monkeypatch):
    pytest.importorskip("sklearn", reason="it is the peer")
    pytest.importorskip("pandas", reason="the peer reads with it")
    monkeypatch.setattr(section, "TOLERANCE", 0.3)  # of so few rows and epochs
    *_, ours, theirs = section.rows(replace(SETTINGS, peers=True))
    assert (ours["process"], theirs["process"]) == (OURS, THEIRS)
    assert theirs["ratio"] == pytest.approx(4.8)
    assert theirs["met"] == "no"


def test_other_predictions_are_refused(short, monkeypatch):
    monkeypatch.setattr(section, "column", lambda path, name: ["over_50k"] * 500)
    with pytest.raises(WrongResult, match="writes other predictions"):
        list(section.rows(SETTINGS))


def test_a_program_that_fails_is_refused():
    with pytest.raises(WrongResult, match="ZeroDivisionError"):
        section.run(["-c", "1 / 0"])
