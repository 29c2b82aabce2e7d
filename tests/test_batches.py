"""Training on batches from sequences, iterables and functions, read ahead on a thread."""

import _thread
import threading
import time
import traceback

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg

ROWS = 70


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, 5)).astype(np.float32), rng.integers(0, 3, ROWS)


X, Y = data()


def trainer(batch_size=16, rate=0.01, reduction="mean", **options):
    layers = [cg.Dense(7, "tanh"), cg.Dense(3, "softmax")]
    net = cg.Network(5, layers, loss="cross_entropy", reduction=reduction, rng=0)
    return cg.Trainer(net, cg.Adam(rate), batch_size=batch_size, rng=1, **options)


def pieces(size=16):
    for start in range(0, ROWS, size):
        yield X[start : start + size], Y[start : start + size]


class Pieces:
    """A sequence with the least that is needed."""

    def __init__(self, size=16):
        self.parts = list(pieces(size))
        self.read = []

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        self.read.append(index)
        return self.parts[index]


class Anew:
    """An iterable that begins anew."""

    def __iter__(self):
        return pieces()


def readers():
    return [each for each in threading.enumerate() if each.name == "cygrad-reader"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert readers() == []


@pytest.mark.parametrize(
    "make",
    [Pieces, Anew, lambda: pieces, lambda: list(pieces()), lambda: [list(p) for p in pieces()]],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_bits_of_the_same_rows_in_one_array(make, reduction):
    one, other = trainer(reduction=reduction), trainer(reduction=reduction)
    found = one.fit(make(), epochs=3, X_val=X[:9], y_val=Y[:9], shuffle=False)
    expected = other.fit(X, Y, epochs=3, X_val=X[:9], y_val=Y[:9], shuffle=False)
    assert_same_bits(one.net.parameters, other.net.parameters)
    assert one.steps == other.steps == 15
    for name in ("accuracy", "val_loss", "val_accuracy", "learning_rate"):
        assert found[name] == expected[name]
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-14)
    assert (found.stopped, found.partial_steps) == ("epochs", 0)


def test_each_batch_is_a_step_of_its_own_size_and_larger_ones_are_divided():
    sizes = [1, 16, 17, 36]
    ends = np.cumsum(sizes)
    one, other = trainer(), trainer()
    one.fit(((X[end - n : end], Y[end - n : end]) for n, end in zip(sizes, ends, strict=True)))
    for start, end in [(0, 1), (1, 17), (17, 33), (33, 34), (34, 50), (50, 66), (66, 70)]:
        other.step(X[start:end], Y[start:end])
    assert one.steps == other.steps == 7
    assert_same_bits(one.net.parameters, other.net.parameters)


def test_accumulated_batches():
    one, other = trainer(batch_size=5, accumulate=2), trainer(batch_size=5, accumulate=2)
    one.fit(lambda: pieces(20), epochs=2)
    other.fit(X, Y, epochs=2, shuffle=False)
    assert_same_bits(one.net.parameters, other.net.parameters)


def test_a_sequence_is_shuffled_by_the_trainer():
    orders = []
    for _ in range(2):
        source = Pieces()
        trainer().fit(source, epochs=2)
        orders.append(source.read)
    assert orders[0] == orders[1]
    first, second = orders[0][:5], orders[0][5:]
    assert sorted(first) == sorted(second) == [0, 1, 2, 3, 4]
    assert first != second
    source = Pieces()
    trainer().fit(source, epochs=1, shuffle=False)
    assert source.read == [0, 1, 2, 3, 4]


def test_learning_rates_of_every_step():
    rates = []

    def rate(step):
        rates.append(step)
        return 0.01 / (1 + step)

    one, other = trainer(rate=rate), trainer(rate=rate)
    assert one.fit(pieces, epochs=2).learning_rate == [0.01, 0.01 / 6]
    other.fit(X, Y, epochs=2, shuffle=False)
    assert_same_bits(one.net.parameters, other.net.parameters)


def test_budgets():
    one = trainer()
    history = one.fit(pieces, max_steps=7)
    assert one.steps == 7
    assert (history.stopped, history.partial_steps, len(history)) == ("max_steps", 2, 2)

    def endless():
        while True:
            yield X, Y

    one, other = trainer(), trainer()
    history = one.fit(endless(), max_steps=8)
    assert (one.steps, history.partial_steps, history.stopped) == (8, 8, "max_steps")
    other.fit(X, Y, max_steps=8, shuffle=False)
    assert_same_bits(one.net.parameters, other.net.parameters)
    history = trainer().fit(endless(), max_seconds=0.05)
    assert history.stopped == "max_seconds"
    assert history.partial_steps > 0


def test_callbacks_stop_the_training():
    history = trainer().fit(pieces, epochs=5, callbacks=[lambda trainer, epoch, logs: epoch == 2])
    assert len(history) == 2
    assert history.stopped == "callback"


def test_progress(capsys):
    trainer().fit(pieces, epochs=2, verbose=True)
    assert "epoch 2/2" in capsys.readouterr().err.lower()


def test_reset():
    one, other = trainer(), trainer()
    one.fit(Pieces(), epochs=1)
    one.fit(Pieces(), epochs=1, reset=True)
    other.reset()
    other.fit(Pieces(), epochs=1)
    assert_same_bits(one.net.parameters, other.net.parameters)


WEIGHTS = np.random.default_rng(2).integers(0, 4, ROWS).astype(float)
WEIGHTS[16:32] = 0  # a batch without any weight


def weighted(size=16, weights=WEIGHTS):
    return [(*part, weights[i * size : (i + 1) * size]) for i, part in enumerate(pieces(size))]


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("size", [16, 32, ROWS])
def test_weights_have_the_bits_of_the_same_rows_in_one_array(size, reduction):
    one, other = trainer(reduction=reduction), trainer(reduction=reduction)
    own = {"X_val": X[:9], "y_val": Y[:9], "sample_weight_val": WEIGHTS[:9], "shuffle": False}
    own["metrics"] = ["f1_macro"]
    found = one.fit(weighted(size), epochs=3, **own)
    expected = other.fit(X, Y, epochs=3, sample_weight=WEIGHTS, **own)
    assert_same_bits(one.net.parameters, other.net.parameters)
    assert one.steps == other.steps == 12
    for name in ("val_loss", "val_accuracy", "val_f1_macro"):
        assert found[name] == expected[name]
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-14)
    np.testing.assert_allclose(found.metric, expected.metric, rtol=1e-14)
    assert found.partial_steps == 0


def test_weights_of_some_batches():
    batches = [(X[:16], Y[:16], None), (X[16:32], Y[16:32], np.full(16, 2.0)), (X[32:48], Y[32:48])]
    one, other = trainer(), trainer()
    history = one.fit(batches, shuffle=False)
    losses = [other.step(*batch[:2]) for batch in batches]
    assert_same_bits(one.net.parameters, other.net.parameters)
    assert history.loss[0] == pytest.approx(np.average(losses, weights=[1, 2, 1]), rel=1e-6)


def test_a_step_of_the_budget_is_one_with_weight():
    one, other = trainer(), trainer()
    history = one.fit(weighted(ROWS), max_steps=2)
    assert (one.steps, history.partial_steps, history.stopped) == (2, 2, "max_steps")
    for start in (0, 32):
        rows = slice(start, start + 16)
        other.step(X[rows], Y[rows], WEIGHTS[rows])
    assert_same_bits(one.net.parameters, other.net.parameters)


class TestErrors:
    def test_weights_of_batches_are_checked(self):
        with pytest.raises(
            ValueError, match=r"^sample_weight of batch 0 has shape \(3,\), expected"
        ):
            trainer().fit([(X, Y, [1.0, 2.0, 3.0])])
        with pytest.raises(ValueError, match="X gave no batch with a weight above 0 in this ep"):
            trainer().fit([(X, Y, np.zeros(ROWS))])

    def test_an_iterator_serves_one_epoch(self):
        one = trainer()
        with pytest.raises(ValueError, match=r"^X is an iterator, which ended with the epoch bef"):
            one.fit(pieces(), epochs=2)
        assert len(one.history) == 1
        assert one.steps == 5
        assert len(one.fit(pieces(), epochs=1)) == 1

    def test_errors_of_the_reader_have_its_traceback(self):
        def broken():
            yield from list(pieces())[:2]
            raise OSError("the disk is gone")

        one, other = trainer(), trainer()
        with pytest.raises(OSError, match="the disk is gone") as found:
            one.fit(broken, epochs=2)
        assert "broken" in "".join(traceback.format_tb(found.value.__traceback__))
        other.fit(X[:32], Y[:32], shuffle=False)
        assert_same_bits(one.net.parameters, other.net.parameters)
        assert len(one.fit(pieces)) == 1

    @pytest.mark.parametrize(
        ("batch", "error", "message"),
        [
            ((X, Y, Y, Y), TypeError, r"^batch 1 is a tuple of 4, expected \(X, y"),
            (X, TypeError, r"^batch 1 is a ndarray, expected \(X, y"),
            (None, TypeError, r"^batch 1 is a NoneType, expected \(X, y"),
            ((X[:, :4], Y), ValueError, r"^X of batch 1 has shape \(70, 4\), expected"),
            ((X, Y + 7), ValueError, "^y of batch 1 "),
            ((X, Y[:9]), ValueError, "^y of batch 1 "),
            ((X * np.inf, Y), ValueError, "^X of batch 1 holds "),
        ],
    )
    def test_bad_batches_are_named(self, batch, error, message):
        one = trainer()
        with pytest.raises(error, match=message):
            one.fit([(X[:16], Y[:16]), batch], shuffle=False)
        assert one.steps == 1

    @pytest.mark.parametrize("source", [X, {"X": X}, "text", 3, X.tolist])
    def test_what_is_no_source(self, source):
        with pytest.raises(TypeError, match=r"y is None|expected \(X, y"):
            trainer().fit(source)

    def test_no_batch(self):
        with pytest.raises(ValueError, match="X gave no batch in this epoch"):
            trainer().fit(lambda: iter(()))
        with pytest.raises(ValueError, match="X gave no batch in this epoch"):
            trainer().fit([])

    def test_options_that_need_all_rows(self):
        with pytest.raises(ValueError, match=r"^validation is 0.1 and X are batches"):
            trainer().fit(pieces, validation=0.1)
        with pytest.raises(ValueError, match=r"^statistics is True and X are batches"):
            trainer().fit(pieces, statistics=True)
        with pytest.raises(ValueError, match=r"^y_val is None and X_val is given"):
            trainer().fit(pieces, X_val=X)

    def test_divergence_restores_the_last_good_epoch(self):
        epochs = iter([X, X.astype(float) * 1e30])

        def growing():
            scaled = next(epochs)
            yield from ((scaled[i : i + 16], Y[i : i + 16]) for i in range(0, ROWS, 16))

        layers = [cg.Dense(3)]
        net = cg.Network(5, layers, loss="hinge", rng=0)
        one = cg.Trainer(net, cg.SGD(1e-2), batch_size=16)
        after = []
        with pytest.raises(cg.DivergenceError) as found:
            one.fit(
                growing,
                epochs=3,
                callbacks=[lambda trainer, *_: after.append(trainer.net.parameters)],
            )
        assert found.value.epoch == 2
        assert_same_bits(net.parameters, after[0])


class TestReadingAhead:
    def test_two_batches_wait_at_most(self):
        given, most = [], []

        def counted():
            for number, piece in enumerate(pieces(5)):
                given.append(number)
                yield piece

        def rate(step):
            time.sleep(0.01)
            most.append(len(given) - step)
            return 0.01

        trainer(rate=rate).fit(counted)
        assert 2 <= max(most) <= 4

    def test_the_reader_runs_while_the_engine_trains(self):
        names = []

        def named():
            for piece in pieces():
                names.append(threading.current_thread().name)
                yield piece

        trainer().fit(named)
        assert set(names) == {"cygrad-reader"}

    def test_generators_are_closed_on_their_thread(self):
        closed = []

        def endless():
            try:
                while True:
                    yield X, Y
            finally:
                closed.append(threading.current_thread().name)

        trainer().fit(endless, max_steps=3)
        assert closed == ["cygrad-reader"]

    @pytest.mark.usefixtures("uncollected")
    def test_an_interrupt_leaves_a_usable_state(self):
        def endless():
            while one.steps == 0:
                yield X, Y
            _thread.interrupt_main()
            while True:
                yield X, Y

        one = trainer()
        with pytest.raises(KeyboardInterrupt):
            one.fit(endless())
        assert one.steps > 0
        assert np.isfinite(one.net.parameters).all()
        assert len(one.fit(pieces, epochs=2)) == 2

    @pytest.mark.usefixtures("uncollected")
    def test_an_interrupt_while_waiting_for_a_batch(self):
        def slow():
            yield X, Y
            while one.steps < 5:  # those of the first batch
                time.sleep(1e-3)
            _thread.interrupt_main()
            time.sleep(0.4)
            yield X, Y

        one = trainer()
        with pytest.raises(KeyboardInterrupt):
            one.fit(slow)
        assert one.steps == 5


def test_data_loaders_of_pytorch():
    data = pytest.importorskip("torch.utils.data", reason="PyTorch is not installed")
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    pairs = data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))
    one, other = trainer(), trainer()
    one.fit(data.DataLoader(pairs, batch_size=16), epochs=2)
    other.fit(X, Y, epochs=2, shuffle=False)
    assert_same_bits(one.net.parameters, other.net.parameters)
