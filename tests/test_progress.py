"""What `verbose=True` writes: one line on a terminal, a few elsewhere, the last one always."""

import io
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import cygrad as cg
from cygrad import streams
from cygrad.training import progress
from cygrad.training.progress import Count, Progress


class _Terminal(io.StringIO):
    def isatty(self):
        return True

    def rows(self):
        """Return the lines as they look in the end, after all redrawing."""
        return [row.split("\r")[-1].rstrip() for row in self.getvalue().split("\n")]


def _redirect(monkeypatch, stream):
    """Replace stderr of progress by `stream`; sys.stderr itself belongs to pytest."""
    monkeypatch.setattr(streams, "sys", SimpleNamespace(stderr=stream))


@pytest.fixture
def terminal(monkeypatch):
    stream = _Terminal()
    _redirect(monkeypatch, stream)
    monkeypatch.setenv("COLUMNS", "100")
    return stream


@pytest.fixture
def plain(monkeypatch):
    stream = io.StringIO()
    _redirect(monkeypatch, stream)
    return stream


@pytest.fixture
def without_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)


@pytest.fixture(params=["own", "tqdm"])
def bars(request, monkeypatch):
    if request.param == "tqdm":
        pytest.importorskip("tqdm")
    else:
        request.getfixturevalue("without_tqdm")
    return request.param


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

    monkeypatch.setattr(progress, "monotonic", lambda: Clock.now)
    return Clock


def _fit(epochs, **arguments):
    X = np.random.default_rng(0).normal(size=(40, 2))
    net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
    trainer = cg.Trainer(net, cg.SGD(0.01), 10, rng=0)
    return trainer.fit(X, X[:, 0], epochs, **arguments)


def test_silence_without_verbose(terminal, capfd):
    _fit(3)
    assert terminal.getvalue() == ""
    assert capfd.readouterr() == ("", "")


def test_a_line_for_each_of_few_epochs(plain, capsys):
    X = np.eye(2)
    history = _fit(10, X_val=X, y_val=[1, 0], verbose=True)
    lines = plain.getvalue().splitlines()
    assert len(lines) == 10
    for epoch, line in enumerate(lines):
        values = [f"{name} {history[name][epoch]:.4g}" for name in list(history)[:4]]
        expected = [f"epoch {epoch + 1:2}/10", *values, f"{history.seconds[epoch]:.4g} s"]
        assert line == "  ".join(expected)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("epochs", [11, 18, 19, 50, 51, 90, 999, 12345])
def test_many_epochs_leave_few_lines_and_the_last(plain, clock, epochs):
    with Progress(epochs, samples=10, batch_size=1, loss_scale=1) as display:
        for epoch in range(epochs):
            clock.now += 60
            display.epoch_done({"loss": epoch})
    lines = plain.getvalue().splitlines()
    assert 6 <= len(lines) <= 10
    assert lines[0].split() == ["epoch", f"1/{epochs}", "loss", "0"]
    assert lines[-1].startswith(f"epoch {epochs}/{epochs}  loss")
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("epochs", [1, 8, 9, 300, 511, 512, 100_000])
def test_an_unknown_number_of_epochs_leaves_few_lines_and_the_last(plain, clock, epochs):
    with Progress(None, samples=10, batch_size=1, loss_scale=1) as display:
        for epoch in range(epochs):
            display.epoch_done({"loss": epoch})
    numbers = [int(line.split()[1]) for line in plain.getvalue().splitlines()]
    assert len(numbers) <= 10
    assert numbers[:-1] == [2**power for power in range(len(numbers) - 1)]
    assert numbers[-1] == epochs


def test_the_last_line_is_there_when_training_stops_early(plain):
    _fit(5000, verbose=True, callbacks=[lambda trainer, epoch, logs: epoch == 42])
    assert plain.getvalue().splitlines()[-1].startswith("epoch   42/5000  loss ")


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_run_is_one_line_on_a_terminal(terminal, clock, bars, seconds):
    def wait(trainer, epoch, logs):
        clock.now += seconds

    history = _fit(30, verbose=True, callbacks=[wait])
    row, rest = terminal.rows()
    assert rest == ""
    assert "epoch 30/30" in row
    assert f"loss {history.loss[-1]:.4g}" in row
    assert f"mae {history.metric[-1]:.4g}" in row


def test_the_bar_grows_within_epochs_over_the_run(terminal, clock, bars):
    with Progress(2, samples=95, batch_size=10, loss_scale=1) as display:
        for step in (1, 5, 10):
            clock.now += 1
            display.poll(step, step * 10 * 0.25)
            assert f"loss {0.25 if step < 10 else 100 * 0.25 / 95:.4g}" in terminal.rows()[-1]
        clock.now += 1
        display.epoch_done({"loss": 0.125})
        assert re.search(r"epoch 1/2.*loss 0.125", terminal.rows()[-1])
        clock.now += 1
        display.poll(4, 20)
        assert re.search(r"epoch 2/2.*loss 0.5", terminal.rows()[-1])
    drawn = terminal.getvalue()
    if bars == "own":
        filled = [row.count("#") for row in drawn.split("\r")[1:]]
        assert filled == [1, 5, 10, 10, 14, 10]  # the last whole epoch stays
    assert drawn.endswith("\n")
    assert drawn.count("\n") == 1


def test_the_bar_is_of_the_epoch_where_their_number_is_unknown(terminal, clock, bars):
    with Progress(None, samples=100, batch_size=10, loss_scale=1) as display:
        for epoch in range(3):
            clock.now += 1
            display.poll(5, 50)
            if bars == "own":
                assert terminal.rows()[-1].count("#") == 10
            clock.now += 1
            display.epoch_done({"loss": epoch})
    assert re.search(r"epoch 3 .*loss 2", terminal.rows()[0])
    assert terminal.getvalue().count("\n") == 1


def test_a_summed_loss_is_shown_as_for_all_samples(terminal, clock, without_tqdm):
    with Progress(1, samples=100, batch_size=10, loss_scale=100) as display:
        clock.now += 1
        display.poll(2, 6.0)
    assert "loss 30" in terminal.rows()[0]


def test_nothing_is_shown_before_the_first_step(terminal, clock, bars):
    with Progress(1, samples=100, batch_size=10, loss_scale=1) as display:
        clock.now += 1
        display.poll(0, 0.0)
    assert terminal.getvalue() == ""


def test_drawing_is_limited(terminal, clock, without_tqdm):
    with Progress(10**6, samples=10, batch_size=1, loss_scale=1) as display:
        display.epoch_done({"loss": 1.0})
        for _ in range(300):
            clock.now += 0.01
            display.poll(5, 1.0)
            display.epoch_done({"loss": 1.0})
    assert 25 <= terminal.getvalue().count("\r") <= 35


@pytest.mark.parametrize("columns", range(20, 71, 5))
def test_a_narrow_terminal_shows_the_numbers_rather_than_the_bar(
    terminal, bars, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", str(columns))
    history = _fit(2, verbose=True)
    drawn = [line for row in terminal.getvalue().split("\n") for line in row.split("\r")]
    assert max(map(len, drawn)) < columns
    if columns >= 45:
        assert f"mae {history.metric[1]:.4g}" in terminal.rows()[0]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_the_line_is_ended_when_training_is_broken_off(terminal, bars, error):
    def break_off(trainer, epoch, logs):
        raise error

    with pytest.raises(error):
        _fit(3, verbose=True, callbacks=[break_off])
    assert terminal.getvalue().endswith("\n")
    assert "epoch 1/3" in terminal.rows()[-2]


def test_a_line_that_many_epochs_shared_is_ended(terminal, bars, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_DRAWINGS", 0.0)
    with Progress(1000, samples=100, batch_size=10, loss_scale=1) as display:
        for _ in range(9):
            display.epoch_done({"loss": 0.5})
    assert terminal.rows()[-1] == ""
    assert re.search(r"epoch +9/1000.*loss 0.5", terminal.rows()[-2])


def test_an_interrupted_epoch_leaves_the_last_whole_one_on_the_line(terminal, clock, bars):
    with Progress(1000, samples=100, batch_size=10, loss_scale=1) as display:
        display.epoch_done({"loss": 1.0})
        display.epoch_done({"loss": 0.5})
        clock.now += 1
        display.poll(5, 10)
    assert terminal.rows()[-1] == ""
    assert re.search(r"epoch +2/1000.*loss 0.5", terminal.rows()[-2])


class _Writer:
    """A stream of a logger or a window, which has `write` alone."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class _Faulty(_Terminal):
    """A terminal whose methods raise, all or one of them."""

    def __init__(self, *names):
        super().__init__()
        for name in names:
            setattr(self, name, self._fail)

    def _fail(self, *arguments):
        raise OSError("the terminal is gone")


def _closed():
    stream = io.StringIO()
    stream.close()
    return stream


ODD_STREAMS = {
    "none": lambda: None,
    "closed": _closed,
    "isatty raises": lambda: _Faulty("isatty"),
    "write raises": lambda: _Faulty("write"),
    "flush raises": lambda: _Faulty("flush"),
    "all raise": lambda: _Faulty("isatty", "write", "flush"),
    "no letters": lambda: io.TextIOWrapper(io.BytesIO(), "undefined"),
}


@pytest.mark.parametrize("kind", ODD_STREAMS)
def test_no_stream_ends_a_training(monkeypatch, bars, kind):
    _redirect(monkeypatch, ODD_STREAMS[kind]())
    assert len(_fit(2, verbose=True)) == 2
    with Count("gradients", 4) as count:
        count.show(1, "")


def test_a_stream_with_write_alone_gets_the_lines(monkeypatch):
    stream = _Writer()
    _redirect(monkeypatch, stream)
    _fit(2, verbose=True)
    assert [line[:9] for line in stream.text.splitlines()] == ["epoch 1/2", "epoch 2/2"]


def test_a_count_is_a_bar_on_a_terminal(terminal, clock, bars):
    with Count("gradients", 40) as count:
        for done in range(1, 41):
            clock.now += 0.06
            count.show(done, f"{done} of 40")
    (row, rest) = terminal.rows()
    assert row.startswith("gradients")
    assert row.endswith("40 of 40")
    assert rest == ""
    if bars == "own":
        filled = [drawn.count("#") for drawn in terminal.getvalue().split("\r")[1:]]
        assert filled == sorted(filled)
        assert filled[-1] == progress.BAR_CELLS
        assert 15 <= len(filled) <= 25


def test_a_count_is_one_line_elsewhere(plain):
    with Count("gradients", 40) as count:
        for done in range(1, 41):
            count.show(done, f"{done} of 40")
    assert plain.getvalue() == "gradients  40 of 40\n"


def test_the_line_of_a_count_is_ended_when_it_is_broken_off(terminal, bars):
    def break_off():
        with Count("gradients", 40) as count:
            count.show(1, "1 of 40")
            count.show(2, "2 of 40")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert "2 of 40" in terminal.rows()[-2]
    assert terminal.rows()[-1] == ""


def test_the_engine_reports_its_steps_while_an_epoch_runs(terminal, monkeypatch):
    reported = []
    monkeypatch.setattr(Progress, "poll", lambda self, steps, loss: reported.append(steps))
    net = cg.Network(256, [cg.Dense(512, "relu"), cg.Dense(256)], loss="mse", rng=0)
    X = np.random.default_rng(0).normal(size=(20_000, 256)).astype("float32")
    cg.Trainer(net, cg.SGD(0.01), 32, rng=0).fit(X, X, 1, verbose=True)
    assert reported
    assert reported == sorted(set(reported))
    assert reported[-1] < 625
