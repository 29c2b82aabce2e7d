"""Checkpoints: what they hold, when they are written, and what is refused."""

import _thread
import gc
import json
import os
import pickle
import signal
import threading
import time
import weakref
import zipfile
from _thread import start_new_thread
from functools import partial
from math import inf, nan

import numpy as np
import pytest
from bits import assert_same_bits

import cygrad as cg
from cygrad._engine import kernels
from cygrad.network import archive
from cygrad.training.budget import Budget
from cygrad.training.checkpoints import file, writer
from cygrad.training.checkpoints.fingerprint import of_array
from cygrad.training.checkpoints.writer import Writer

ROWS = 60
rng = np.random.default_rng(0)
X = rng.normal(size=(ROWS, 4)).astype(np.float32)
Y = rng.integers(0, 3, ROWS)


def trainer(optimizer=None, batch_size=8, layers=None, **options):
    layers = layers or [cg.Dense(6, "relu"), cg.BatchNorm(), cg.Dropout(0.2)]
    net = cg.Network(4, [*layers, cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    options = {"rng": 0, **options}
    return cg.Trainer(net, optimizer or cg.Adam(cg.Warmup(5, 0.01)), batch_size, **options)


def without_version(tree):
    """Return what `file.write` takes of what `file.read` has given."""
    return {key: tree[key] for key in tree if key not in ("format", "version", "cygrad")}


class Killed(Exception):
    pass


class KilledCheckpoint(cg.Checkpoint):
    """Raises an error at a pause, after its checkpoint was written."""

    pauses_left = 1

    def on_pause(self, run):
        super().on_pause(run)
        self.pauses_left -= 1
        if self.pauses_left == 0:
            raise Killed


def killed_fit(own, pause, path, *given, callbacks=(), every_steps=1, **options):
    """Run a fit up to a pause, with a checkpoint there; return whether it came so far."""
    checkpoint = KilledCheckpoint(path, every_steps=every_steps)
    checkpoint.pauses_left = pause
    try:
        own.fit(*given, callbacks=[*callbacks, checkpoint], **options)
    except Killed:
        return True
    return False


def assert_same(one, other):
    assert_same_bits(one.net.parameters, other.net.parameters)
    for name in other.history:
        if name != "seconds":
            assert np.array(one.history[name]).tobytes() == np.array(other.history[name]).tobytes()
    assert one.history.statistics == other.history.statistics
    assert one.history.stopped == other.history.stopped
    assert one.history.partial_steps == other.history.partial_steps
    assert (one.steps, one.learning_rate) == (other.steps, other.learning_rate)
    assert one.batch_losses.tobytes() == other.batch_losses.tobytes()
    # The streams go on alike too.
    for each in (one, other):
        each.fit(X, Y, 2)
    assert_same_bits(one.net.parameters, other.net.parameters)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.npz")


@pytest.fixture(autouse=True)
def no_thread_is_left():
    before = _thread._count()
    yield
    deadline = time.monotonic() + 60
    while _thread._count() > before:
        assert time.monotonic() < deadline
        gc.collect()  # a fit that was killed has left its writer in a traceback
        time.sleep(0.001)


# Going on, at each possible place

FITS = {
    "plain": ({}, {"epochs": 3}),
    "no shuffle": ({}, {"epochs": 3, "shuffle": False}),
    "held out": ({}, {"epochs": 3, "validation": 0.25, "metrics": ["f1"], "train_metrics": True}),
    "weights": ({}, {"epochs": 3, "class_weight": {0: 0.5, 2: 3.0}, "statistics": True}),
    "balanced": ({"accumulate": 2}, {"epochs": 3, "class_weight": "balanced"}),
    "steps": ({}, {"max_steps": 11}),
    "shards": ({"shards": 3}, {"epochs": 3, "validation": 0.2, "class_weight": {1: 0.0}}),
    "shards in order": ({"shards": 7}, {"epochs": 2, "shuffle": False, "max_steps": 11}),
    "clipped": ({"clip_global_norm": 0.1}, {"epochs": 2, "max_steps": 100}),
    "momentum": ({"optimizer": cg.SGD(0.1, momentum=0.9)}, {"epochs": 3}),
    "per epoch": ({"optimizer": cg.RAdam(cg.PerEpoch(cg.StepDecay(0.01, 0.5, 1)))}, {"epochs": 3}),
    "max norm": ({"optimizer": cg.Adam(1e-2, max_norm=1.0, l2_penalty=1e-3)}, {"epochs": 2}),
}


@pytest.mark.parametrize("name", FITS)
def test_the_bits_are_those_without_a_break_at_any_step(name, path):
    of_trainer, options = FITS[name]
    pauses = 0
    while killed_fit(trainer(**of_trainer), pauses + 1, path, X, Y, **options):
        pauses += 1
        one, whole = trainer(**of_trainer), trainer(**of_trainer)
        whole.fit(X, Y, **options)
        one.resume(path, X, Y, callbacks=[])
        assert_same(one, whole)
    assert pauses >= 8


def test_every_optimizer_goes_on(path):
    for name in cg.training.optimizers.__all__:
        optimizer = getattr(cg, name)(0.01)
        assert killed_fit(trainer(optimizer), 5, path, X, Y, epochs=2)
        one, whole = trainer(optimizer), trainer(optimizer)
        one.resume(path, X, Y, callbacks=[])
        whole.fit(X, Y, 2)
        assert_same(one, whole)


def test_weights_and_own_validation_data(path):
    weights = np.arange(ROWS) % 4 / 2
    weights[8:24] = 0  # steps without any weight, in the order of X
    data = {"sample_weight": weights, "X_val": X[:9], "y_val": Y[:9]}
    data["sample_weight_val"] = np.arange(9.0)
    for pause in (1, 3, 6, 7, 9):
        assert killed_fit(trainer(), pause, path, X, Y, 2, shuffle=False, **data)
        one, whole = trainer(), trainer()
        one.resume(path, X, Y, callbacks=[], **data)
        whole.fit(X, Y, 2, shuffle=False, **data)
        assert_same(one, whole)


def test_other_instruction_sets_and_threads_go_on(path):
    assert killed_fit(trainer(threads=1), 12, path, X, Y, epochs=3)
    whole = trainer()
    whole.fit(X, Y, 3)
    before = kernels.selected()
    try:
        for isa in kernels.available():
            kernels.select(isa)
            one = trainer(threads=2)
            one.resume(path, X, Y, callbacks=[])
            assert_same_bits(one.net.parameters, whole.net.parameters)
    finally:
        kernels.select(before)


def test_a_trainer_without_a_seed_goes_on_with_that_of_the_checkpoint(path):
    first = trainer(rng=None)
    twin = pickle.loads(pickle.dumps(first))
    assert killed_fit(first, 9, path, X, Y, epochs=2, validation=0.2)
    second = trainer(rng=None)
    second.resume(path, X, Y, callbacks=[])
    twin.fit(X, Y, 2, validation=0.2)
    assert_same(second, twin)
    for each in (second, twin):
        each.reset()
    assert_same_bits(second.net.parameters, twin.net.parameters)


def test_a_function_for_the_order_is_called_again_from_then_on(path):
    def orders():
        stream = np.random.default_rng(0)
        return lambda n: stream.permutation(n)

    order = orders()
    assert killed_fit(trainer(), 11, path, X, Y, epochs=3, shuffle=order)
    one, whole = trainer(), trainer()
    with pytest.raises(ValueError, match="shuffle is not given, and it was a function"):
        one.resume(path, X, Y, callbacks=[])
    one.resume(path, X, Y, callbacks=[], shuffle=order)
    whole.fit(X, Y, 3, shuffle=orders())
    assert_same(one, whole)


def parts():
    return [(X[i : i + 13], Y[i : i + 13]) for i in range(0, ROWS, 13)]


@pytest.mark.parametrize("kind", ["list", "function", "weights"])
def test_batches_go_on(kind, path):
    source = {
        "list": parts(),
        "function": lambda: iter(parts()),
        "weights": [(*part, np.arange(len(part[0])) % 3) for part in parts()],
    }[kind]
    options = {"epochs": 3, "X_val": X[:9], "y_val": Y[:9]}
    pauses = 0
    while killed_fit(trainer(), pauses + 1, path, source, **options):
        pauses += 1
        one, whole = trainer(), trainer()
        one.resume(path, source, callbacks=[], X_val=X[:9], y_val=Y[:9])
        whole.fit(source, **options)
        assert_same(one, whole)
    assert pauses >= 12


def test_a_training_that_has_ended_ends_at_once_and_can_have_more_epochs(path):
    first, whole = trainer(), trainer()
    stopping = cg.EarlyStopping(None, "loss")
    history = first.fit(X, Y, 3, callbacks=[cg.Checkpoint(path), stopping])
    second = trainer()
    assert second.resume(path, X, Y).loss == history.loss
    assert_same_bits(second.net.parameters, first.net.parameters)
    third = trainer()
    third.resume(path, X, Y, epochs=5)
    whole.fit(X, Y, 5, callbacks=[cg.EarlyStopping(None, "loss")])
    assert_same(third, whole)


def test_an_interrupt_within_an_epoch_leaves_a_checkpoint(path):
    class Interrupt(cg.Checkpoint):
        def on_pause(self, run):
            if run.epoch is not None:
                raise KeyboardInterrupt

    first, whole = trainer(), trainer()
    # This one pauses, the other one has only the interrupt.
    interrupt = Interrupt(f"{path}-other", every_steps=11)
    with pytest.raises(KeyboardInterrupt):
        first.fit(X, Y, 3, callbacks=[cg.Checkpoint(path, every=100), interrupt])
    assert first.steps == 11
    second = trainer()
    second.resume(path, X, Y, callbacks=[])
    whole.fit(X, Y, 3)
    assert_same(second, whole)


# Callbacks


class Counter(cg.Callback):
    def __init__(self):
        self.values = np.zeros(3)

    def on_epoch_end(self, trainer, epoch, logs):
        self.values = self.values + logs["loss"]

    def state(self):
        return {"values": self.values, "more": [1, None, "text", nan, {"a": inf}]}

    def restore(self, state):
        assert state["more"][:3] == [1, None, "text"]
        self.values = state["values"]


def test_callbacks_go_on_with_their_state(path, tmp_path):
    def make(name):
        log = cg.CSVLogger(tmp_path / f"{name}.csv")
        return [Counter(), cg.ReduceOnPlateau(0.5, 0, "loss", threshold=0.5), log, lambda *_: None]

    whole, of_whole = trainer(), make("whole")
    whole.fit(X, Y, 4, callbacks=of_whole)
    for pause in (4, 9, 17, 20):
        (tmp_path / "killed.csv").unlink(missing_ok=True)
        assert killed_fit(trainer(), pause, path, X, Y, 4, callbacks=make("killed"))
        one, callbacks = trainer(), make("killed")
        one.resume(path, X, Y, callbacks=[cg.Checkpoint(path), *callbacks])
        assert callbacks[0].values.tobytes() == of_whole[0].values.tobytes()
        assert callbacks[1].best == of_whole[1].best
        rows = [(tmp_path / f"{name}.csv").read_text().split() for name in ("whole", "killed")]
        without_times = [[row.rpartition(",")[0] for row in each] for each in rows]
        assert without_times[0] == without_times[1]
        assert_same_bits(one.net.parameters, whole.net.parameters)


def test_callbacks_of_cygrad_are_made_again(path, tmp_path):
    def make():
        return [cg.EarlyStopping(2, "loss", min_delta=0.05), cg.ReduceOnPlateau(0.5, 1, "loss")]

    whole = trainer()
    losses = whole.fit(X, Y, 30, callbacks=make()).loss
    checkpoint = cg.Checkpoint(path, every_steps=3, keep_best="loss")

    def kill(trainer, epoch, logs):
        if epoch == 4:
            raise Killed

    with pytest.raises(Killed):
        trainer().fit(X, Y, 30, callbacks=[checkpoint, *make(), kill])
    with pytest.raises(ValueError, match=r"had 'a function', which cannot be made again"):
        trainer().resume(path, X, Y)
    one = trainer()
    one.resume(path, X, Y, callbacks=[checkpoint, *make(), lambda *_: None])
    assert one.history.stopped == "callback"
    assert_same(one, whole)
    moved = tmp_path / "moved.npz"
    os.rename(path, moved)
    again = trainer()
    with pytest.raises(ValueError, match="callbacks has EarlyStopping, and the training"):
        again.resume(moved, X, Y, callbacks=[cg.EarlyStopping(2)])
    file_before = moved.read_bytes()
    tree = file.read(moved)
    tree["callbacks"], tree["state"]["callbacks"] = (
        tree["callbacks"][:3],
        tree["state"]["callbacks"][:3],
    )
    file.write(moved, without_version(tree))
    again.resume(moved, X, Y)
    assert not os.path.exists(path)  # the new name is that of the file
    assert again.history.loss == losses
    assert file_before != moved.read_bytes()


def test_a_callback_with_another_attribute_of_that_name_has_no_state(path):
    class Own(cg.Callback):
        state = "waiting"

    class Bare:
        def on_train_begin(self, trainer):
            pass

        on_train_end = on_train_begin

        def on_epoch_end(self, trainer, epoch, logs):
            pass

    assert killed_fit(trainer(), 3, path, X, Y, callbacks=[Own(), Bare()])
    trainer().resume(path, X, Y, callbacks=[Own(), Bare()])


def test_a_state_that_no_file_can_hold_is_named(path):
    class Own(cg.Callback):
        def state(self):
            return {"function": print}

    with pytest.raises(TypeError, match="function is <built-in function print>, expected None"):
        trainer().fit(X, Y, callbacks=[cg.Checkpoint(path, on_error="raise"), Own()])


def test_the_best_of_early_stopping_is_a_copy():
    stopping, own = cg.EarlyStopping(None, "loss"), trainer()
    seen = []
    keep = lambda trainer, *_: seen.append(trainer.net.parameters)  # noqa: E731
    losses = iter([1.0, nan, 0.5, nan, 0.7, nan])
    metric = cg.metrics.Metric(lambda y, outputs: next(losses), "own", False)
    stopping = cg.EarlyStopping(2, "val_own")
    own.fit(X, Y, 6, validation=5, metrics=[metric], callbacks=[stopping, keep])
    # NaN is never the best, and does not begin the patience again.
    assert (stopping.best, stopping.best_epoch, len(seen)) == (0.5, 3, 5)
    assert_same_bits(own.net.parameters, seen[2])
    assert (seen[2] != seen[4]).any()


def test_the_best_network_is_kept(path):
    values = iter([0.5, nan, 0.25, 0.25, 0.75])
    metric = cg.metrics.Metric(lambda y, outputs: next(values), "own", False)
    checkpoint, own, seen = cg.Checkpoint(path, keep_best="val_own"), trainer(), []
    keep = lambda trainer, *_: seen.append(trainer.net.parameters)  # noqa: E731
    own.fit(X, Y, 5, validation=5, metrics=[metric], callbacks=[keep, checkpoint])
    assert checkpoint.best_path == path.replace("run.npz", "run-best.npz")
    assert (checkpoint.best, checkpoint.best_epoch) == (0.25, 3)
    assert_same_bits(cg.load(checkpoint.best_path).parameters, seen[2])
    with pytest.raises(ValueError, match="metrics is None, and some of the training's own are"):
        trainer().resume(path, X, Y, callbacks=[keep])
    again = cg.Checkpoint(path, keep_best="val_own")
    trainer().resume(path, X, Y, metrics=[metric], callbacks=[keep, again])
    assert (again.best, again.best_epoch) == (0.25, 3)


# When it is written


def steps_of(path):
    return file.read(path)["state"]["training"]["steps"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [8, 16, 24, 32]),
        ({"every": 2}, [16, 32]),
        ({"every": 3}, [24, 32]),
        ({"every_steps": 7}, [7, 14, 21, 28, 32]),
        ({"every_steps": 12, "every": 2}, [12, 16, 28, 32]),
        ({"seconds": 1000}, [32]),
        ({"seconds": 0}, [*range(1, 33)]),
    ],
)
def test_when_checkpoints_are_written(arguments, expected, path, monkeypatch):
    written = []
    monkeypatch.setattr(Writer, "submit", lambda self, key, job: job())
    monkeypatch.setattr(
        file, "write", lambda path, tree, _: written.append(tree["state"]["training"]["steps"])
    )
    trainer().fit(X, Y, 4, callbacks=[cg.Checkpoint(path, **arguments)])
    assert sorted(set(written)) == expected


def test_an_old_checkpoint_is_replaced_and_other_files_are_not(path):
    own = trainer()
    own.fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])
    own.fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])
    assert steps_of(path) == 16
    own.net.save(path)
    before = own.net.parameters
    for content in (None, b"my notes"):
        if content is not None:
            with open(path, "wb") as stream:
                stream.write(content)
        with pytest.raises(ValueError, match="which exists and is no checkpoint"):
            own.fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])
    assert_same_bits(own.net.parameters, before)
    with open(path, "wb"):
        pass
    own.fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])  # an empty file holds nothing


def test_missing_folders_are_an_error_before_the_training(path):
    own = trainer()
    with pytest.raises(FileNotFoundError, match="No such folder") as caught:
        own.fit(X, Y, 1, callbacks=[cg.Checkpoint(f"{path}/run.npz")])
    assert caught.value.filename == f"{path}/run.npz"
    assert own.steps == 0


@pytest.mark.parametrize("error", [OSError("7 requested and 3 written"), ValueError("odd")])
def test_whatever_the_writer_raises_is_said_and_the_training_goes_on(error, path, monkeypatch):
    trainer().fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])
    with open(path, "rb") as stream:
        old = stream.read()

    def fail(stream, header, arrays):
        stream.write(b"half")
        raise error

    monkeypatch.setattr(archive, "write", fail)
    own, whole = trainer(), trainer()
    with pytest.warns(RuntimeWarning, match=r"run\.npz.*could not be written: .*(3 written|odd)"):
        history = own.fit(X, Y, 2, callbacks=[cg.Checkpoint(path)])
    assert history.stopped == "epochs"
    whole.fit(X, Y, 2)
    assert_same(own, whole)
    with pytest.raises(type(error), match=r"3 written|odd"):
        trainer().fit(X, Y, 2, callbacks=[cg.Checkpoint(path, on_error="raise")])
    with open(path, "rb") as stream:
        assert stream.read() == old
    assert os.listdir(os.path.dirname(path)) == ["run.npz"]


def test_a_folder_that_vanishes_is_said(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def remove(trainer, epoch, logs):
        if epoch == 1:
            folder.rename(tmp_path / "elsewhere")

    with pytest.warns(RuntimeWarning, match="No such file or directory: .*folder/run.npz"):
        trainer().fit(X, Y, 3, callbacks=[remove, cg.Checkpoint(folder / "run.npz", every=2)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to all folders")
def test_a_folder_that_cannot_be_written_to_is_said(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.warns(RuntimeWarning, match="Permission denied: .*run.npz"):
            trainer().fit(X, Y, 1, callbacks=[cg.Checkpoint(tmp_path / "run.npz")])
    finally:
        tmp_path.chmod(0o700)


def test_of_waiting_jobs_the_latest_is_run():
    jobs, run, gate = Writer(), [], threading.Event()
    jobs.submit("a", lambda: gate.wait() and run.append(0))
    for number in range(1, 4):
        jobs.submit("b", lambda number=number: run.append(number))
    gate.set()
    jobs.close()
    assert run in ([0, 3], [3])
    jobs.submit("a", lambda: run.append(4))  # it begins again
    jobs.close()
    assert run[-1] == 4


@pytest.mark.skipif(os.name != "posix", reason="a signal interrupts what waits")
@pytest.mark.usefixtures("uncollected")
def test_an_interrupt_while_the_thread_starts_leaves_no_job(monkeypatch):
    """On a busy machine a new thread may run late."""

    def start_late(function, arguments):
        return start_new_thread(lambda: (time.sleep(0.5), function(*arguments)), ())

    monkeypatch.setattr(writer, "start_new_thread", start_late)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    jobs, run = Writer(), []

    def submit():
        jobs.submit("a", lambda: run.append(1))
        time.sleep(60)

    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            submit()
    finally:
        signal.signal(signal.SIGINT, before)
    jobs.close()
    assert run == [1]


def test_the_error_of_a_job_keeps_no_thread():
    """Its frames use the writer, which an interrupt has left without `close`."""
    jobs, ended = Writer(), threading.Event()
    gone = weakref.ref(jobs, lambda _: ended.set())

    def fail(used):
        raise OSError("no room")

    def job(used):
        try:
            fail(used)
        except OSError as error:
            raise ValueError("damaged") from error

    jobs.submit("a", partial(job, jobs))
    deadline = time.monotonic() + 60
    while not jobs._shared.errors:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    del jobs
    while not ended.wait(0.001):
        assert time.monotonic() < deadline, gone()
        gc.collect()


def test_without_a_thread_the_file_is_written_at_once(path, monkeypatch):
    def refuse(function, arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(writer, "start_new_thread", refuse)
    trainer().fit(X, Y, 2, callbacks=[cg.Checkpoint(path)])
    assert steps_of(path) == 16


def test_lbfgs_has_no_checkpoints(path):
    pytest.importorskip("scipy", reason="LBFGS is that of SciPy")
    own = trainer(cg.LBFGS(), layers=[cg.Dense(3)])
    with pytest.raises(ValueError, match="callbacks has a Checkpoint and optimizer is LBFGS"):
        own.fit(X, Y, callbacks=[cg.Checkpoint(path)])


def test_arguments():
    for arguments in ({"every": 0}, {"every_steps": 0}, {"seconds": -1}, {"on_error": "stop"}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            cg.Checkpoint("x.npz", **arguments)
    with pytest.raises(TypeError, match="path is 3"):
        cg.Checkpoint(3)
    checkpoint = cg.Checkpoint("a/x.npz", every_steps=7, keep_best="loss", on_error="raise")
    assert repr(checkpoint) == (
        "Checkpoint('a/x.npz', every_steps=7, keep_best='loss', on_error='raise')"
    )
    assert repr(pickle.loads(pickle.dumps(checkpoint))) == repr(checkpoint)
    assert cg.Checkpoint("x").best_path == "x-best"


# Other data, other trainers, other files


@pytest.fixture
def saved(path):
    assert killed_fit(trainer(), 11, path, X, Y, epochs=3, validation=0.2)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: {"X": X[:-1], "y": Y[:-1]}, r"X has shape \(59, 4\), and that of the training \("),
        (lambda: {"X": X.astype(float)}, "X has dtype float64, and that of the training float32"),
        (lambda: {"X": np.where(X[7, 2] == X, 0, X)}, "X has other values than that"),
        (lambda: {"y": (Y + 1) % 3}, "y has other values"),
        (lambda: {"sample_weight": np.ones(ROWS)}, "sample_weight is given, and the training was"),
    ],
)
def test_other_data_are_refused(change, message, saved):
    own = trainer()
    before = own.net.parameters
    with pytest.raises(ValueError, match=message):
        own.resume(saved, **{"X": X, "y": Y, **change()}, callbacks=[])
    assert_same_bits(own.net.parameters, before)
    assert own.steps == 0


def test_data_are_known_in_any_layout(saved, tmp_path):
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X.copy(), X.astype(">f4")):
        trainer().resume(saved, same, Y.tolist(), callbacks=[])
    np.save(tmp_path / "X.npy", X)
    trainer().resume(saved, np.load(tmp_path / "X.npy", mmap_mode="r"), Y, callbacks=[])


def test_fingerprints_of_other_kinds():
    sparse = pytest.importorskip("scipy.sparse", reason="for sparse matrices")
    matrix = sparse.csr_array(np.where(X > 0, X, 0))
    assert of_array(matrix, "X") == of_array(matrix.copy(), "X")
    assert of_array(matrix, "X") != of_array(sparse.csr_array(np.where(X > 0.1, X, 0)), "X")
    names = np.array(["a", "b", "a"])
    assert of_array(names.astype(object), "y") != of_array(names, "y")
    assert of_array(["a", "b", "a"], "y") == of_array(names, "y")
    assert of_array(np.array([1, "1"], object), "y") != of_array(np.array(["1", 1], object), "y")
    large = np.arange(3_000_000, dtype=np.int32).reshape(3, -1)
    other = large.copy()
    other[2, 999_999] += 1
    assert of_array(large, "X") == of_array(np.asfortranarray(large), "X")
    assert of_array(large, "X")["hash"] != of_array(other, "X")["hash"]


def test_tables_are_known(path):
    table = {"a": X[:, 0], "b": X[:, 1], "name": np.array(["x", "y", "z"])[Y]}
    encoder = cg.tables.Encoder(target="name").fit(table)

    def make():
        net = cg.Network(2, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
        net.encoder = encoder
        return cg.Trainer(net, cg.SGD(0.1), 8, rng=0)

    y = encoder.targets(table)
    assert killed_fit(make(), 4, path, table, y, epochs=2)
    one, whole = make(), make()
    one.resume(path, table, y, callbacks=[])
    whole.fit(table, y, 2)
    assert_same_bits(one.net.parameters, whole.net.parameters)
    other = {**table, "a": X[:, 2]}
    with pytest.raises(ValueError, match="X has other values"):
        make().resume(path, other, y, callbacks=[])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: trainer(batch_size=9), "batch_size is 9, and that of the checkpoint 8"),
        (lambda: trainer(cg.SGD(0.1)), "class of optimizer is 'SGD', and that of the checkpoint"),
        (lambda: trainer(cg.Adam(cg.Warmup(5, 0.02))), r"learning_rate of optimizer is 0\.02"),
        (lambda: trainer(accumulate=2), "accumulate is 2, and that"),
        (lambda: trainer(shards=2), "shards is 2, and that of the checkpoint None"),
        (lambda: trainer(clip_norm=1.0), "clipping.* is 'norm', and that"),
        (lambda: trainer(layers=[cg.Dense(7, "relu")]), "layers of net is"),
    ],
)
def test_other_trainers_are_refused(make, message, saved):
    with pytest.raises(ValueError, match=message):
        make().resume(saved, X, Y, callbacks=[])


def test_another_standardization_is_refused(saved):
    own = trainer()
    own.net.standardize_inputs(X)
    with pytest.raises(ValueError, match="hash of the standardization is"):
        own.resume(saved, X, Y, callbacks=[])


def test_files_of_other_kinds(saved, tmp_path):
    own = trainer()
    own.net.save(tmp_path / "net.npz")
    with pytest.raises(ValueError, match="expected a cygrad checkpoint: it is a cygrad network"):
        own.resume(tmp_path / "net.npz", X, Y)
    with pytest.raises(ValueError, match="expected a cygrad network: it is a cygrad checkpoint"):
        cg.load(saved)
    with pytest.raises(FileNotFoundError):
        own.resume(tmp_path / "none.npz", X, Y)
    np.savez(tmp_path / "other.npz", X=X)
    with pytest.raises(ValueError, match="without a header, expected a cygrad checkpoint"):
        own.resume(tmp_path / "other.npz", X, Y)


def test_newer_files(saved):
    tree = file.read(saved)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "VERSION", 2)
        file.write(saved, without_version(tree))
    with pytest.raises(ValueError, match=r"format 2, written by cygrad .* a newer cygrad"):
        trainer().resume(saved, X, Y, callbacks=[])


@pytest.mark.parametrize(
    "stride", [97, pytest.param(1, marks=pytest.mark.slow)], ids=["some bytes", "all bytes"]
)
def test_a_file_cut_at_any_byte_is_damaged(stride, saved):
    with open(saved, "rb") as stream:
        whole = stream.read()
    last = len(whole) - 60
    sizes = [*range(60), *range(60, last, stride), *range(last, len(whole))]
    own = trainer()
    before = own.net.parameters
    for size in sizes:
        with open(saved, "wb") as stream:
            stream.write(whole[:size])
        with pytest.raises(ValueError, match="damaged or cut short" if size else "is empty"):
            own.resume(saved, X, Y, callbacks=[])
    assert_same_bits(own.net.parameters, before)


def test_a_changed_byte_is_found(saved):
    with open(saved, "rb") as stream:
        whole = stream.read()
    expected = trainer()
    expected.resume(saved, X, Y, callbacks=[])
    for place in range(0, len(whole), 101):
        changed = bytearray(whole)
        changed[place] ^= 0x15
        with open(saved, "wb") as stream:
            stream.write(changed)
        own = trainer()
        try:
            own.resume(saved, X, Y, callbacks=[])
        except ValueError:
            assert own.steps == 0
        else:  # some bytes of the archive mean nothing
            assert_same_bits(own.net.parameters, expected.net.parameters)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree.pop("state"),
        lambda tree: tree.update(callback="x"),
        lambda tree: tree["state"].pop("training"),
        lambda tree: tree["state"]["training"].update(parameters=np.zeros(3, np.float32)),
        lambda tree: tree["state"]["training"].update(optimizer_state=[]),
        lambda tree: tree["state"]["training"].update(record=np.zeros((2, 1))),
        lambda tree: tree["state"]["training"].update(seeds=[1]),
        lambda tree: tree["state"]["training"].update(steps="many"),
        lambda tree: tree["state"]["training"].update(shuffling={"state": 1}),
        lambda tree: tree["state"]["training"].update(dropout_seed=-1),
        lambda tree: tree["state"]["training"].update(learning_rate_scale="x"),
        lambda tree: tree["state"]["history"].update(names=["loss"]),
        lambda tree: tree["state"]["history"].update(rows=np.zeros((1, 2))),
        lambda tree: tree["state"]["epoch"].update(number=7),
        lambda tree: tree["state"]["epoch"].update(sums=[0.0]),
        lambda tree: tree["state"].update(budget={}),
        lambda tree: tree["options"].update(unknown=3),
        lambda tree: tree["options"].update(class_weight="softmax"),
        lambda tree: tree["options"].update(class_weight=[[0, "1"]]),
        lambda tree: tree["options"].update(class_weight=[[0.5, 1.0]]),
        lambda tree: tree["options"].update(class_weight=[[[], 1.0]]),
    ],
)
def test_values_that_make_no_sense(change, saved):
    tree = file.read(saved)
    change(tree)
    file.write(saved, without_version(tree))
    own = trainer()
    before = own.net.parameters
    with pytest.raises(ValueError, match="damaged"):
        own.resume(saved, X, Y, callbacks=[])
    assert_same_bits(own.net.parameters, before)
    assert own.steps == 0


def test_the_format(saved):
    """A change of the format needs a new version."""
    assert (file.FORMAT, file.VERSION) == ("cygrad checkpoint", 1)
    with np.load(saved) as members:
        header = json.loads(members["header"].tobytes())
        assert all(members[name].dtype != object for name in members)
    names = ["format", "version", "cygrad", "trainer", "options", "data", "callback", "callbacks"]
    assert list(header) == [*names, "state"]
    assert list(header["state"]) == ["training", "history", "budget", "epoch", "callbacks"]
    with zipfile.ZipFile(saved) as members:
        assert members.testzip() is None


def test_the_rest_of_a_budget_is_left(path):
    budget = Budget(None, 10, 100.0)
    budget.restore({"steps": 4, "seconds": 60.0})
    assert 39 < budget.seconds_left <= 40
    assert budget.steps_of(100) == 6
    assert 60 <= budget.state()["seconds"] < 61
    assert killed_fit(trainer(), 3, path, X, Y, max_seconds=1000.0)
    tree = file.read(path)
    tree["state"]["budget"]["seconds"] = 999.999
    file.write(path, without_version(tree))
    own = trainer()
    assert own.resume(path, X, Y, callbacks=[]).stopped == "max_seconds"
    assert 3 < own.steps < 10**6


def test_the_display_counts_all_epochs(path, capsys):
    assert killed_fit(trainer(), 20, path, X, Y, 4, verbose=True)
    capsys.readouterr()
    trainer().resume(path, X, Y, callbacks=[])
    shown = [line.partition("  ")[0] for line in capsys.readouterr().err.splitlines()]
    assert shown == ["epoch 3/4", "epoch 4/4"]
