"""Ranks that fail, differ or are interrupted: mpiexec -n 3 python tests/mpi_faults.py CASE [sums].

Each line of the output begins with the number of a rank. With "sums" the sums of the ranks are
added by Allreduce.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

import cygrad as cg
from cygrad.distributed import MPITrainer
from cygrad.distributed.failures import FAILED

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
OTHER = 1  # the rank that fails or differs
EXACT = "sums" not in sys.argv
CASES: dict[str, Callable[[], None]] = {}

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 30)).astype(np.float32)
Y = rng.integers(0, 3, 400)
FOREVER = 10**9


def case(function: Callable[[], None]) -> Callable[[], None]:
    """List a function as a case."""
    CASES[function.__name__.replace("_", "-")] = function
    return function


def say(text: Any) -> None:
    os.write(1, f"{RANK}: {text}\n".encode())


def network(units: int = 40, seed: int = 0, **options: Any) -> cg.Network:
    layers = [cg.Dense(units, "relu"), cg.Dropout(0.1), cg.Dense(3, "softmax")]
    return cg.Network(30, layers, loss="cross_entropy", rng=seed, **options)


def trainer(units: int = 40, rate: Any = 1e-3, **options: Any) -> MPITrainer:
    options = {"batch_size": 16, "rng": 0, "threads": 1, "exact": EXACT, **options}
    return MPITrainer(network(units), cg.Adam(rate), **options)


def alone(units: int = 40, rate: Any = 1e-3, **options: Any) -> cg.Trainer:
    options = {"batch_size": 16, "rng": 0, "threads": 1, **options}
    return cg.Trainer(network(units), cg.Adam(rate), **options)


def outcome(call: Callable[[], Any]) -> str:
    """Return how a call ends."""
    try:
        call()
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def same_everywhere(value: Any) -> bool:
    values = COMM.allgather(value)
    return all(each == values[0] for each in values)


def bits(own: cg.Trainer) -> bytes:
    return own.net.parameters.tobytes()


def check_goes_on(own: MPITrainer, twin: cg.Trainer | None, *, shuffle: bool = True) -> None:
    """Check that all ranks have the same state, and train on to the bits of one process."""
    assert same_everywhere((own.steps, bits(own))), "another state"
    if twin is not None and EXACT:
        assert own.steps == twin.steps, (own.steps, twin.steps)
        assert bits(own) == bits(twin), "other bits"
    own.fit(X, Y, 2, shuffle=shuffle)
    assert same_everywhere((own.steps, bits(own))), "another state afterwards"
    if twin is not None and EXACT:
        twin.fit(X, Y, 2, shuffle=shuffle)
        assert bits(own) == bits(twin), "other bits afterwards"
    check_nothing_left(own)


def check_nothing_left(own: MPITrainer) -> None:
    """Check that no message is left behind."""
    COMM.Barrier()
    time.sleep(0.02)
    status = MPI.Status()
    for comm, tag in ((own.group.failures.comm, FAILED), (own.group.comm, MPI.ANY_TAG)):
        if comm.Iprobe(MPI.ANY_SOURCE, tag, status):
            fail(AssertionError(f"{status.Get_tag()} is left of {status.Get_source()}"))


class Fails:
    """A callback that runs a function after an epoch."""

    def __init__(self, epoch: int, act: Callable[[], Any]) -> None:
        self.epoch, self.act = epoch, act

    def on_train_begin(self, trainer: cg.Trainer) -> None:
        pass

    def on_epoch_end(self, trainer: cg.Trainer, epoch: int, logs: Any) -> bool:
        return bool(epoch == self.epoch and RANK == OTHER and self.act())

    def on_train_end(self, trainer: cg.Trainer) -> None:
        pass


def kill(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)


def fail(error: BaseException) -> None:
    raise error


def in_a_while(act: Callable[[], Any], seconds: float = 0.3) -> None:
    """Do something on a thread of one rank."""
    if RANK == OTHER:
        threading.Timer(seconds, act).start()


# Ranks that end


@case
def killed() -> None:
    own = trainer()
    in_a_while(kill)
    own.fit(X, Y, FOREVER)


@case
def exits_at_once() -> None:
    own = trainer()
    in_a_while(lambda: os._exit(3))
    own.fit(X, Y, FOREVER)


@case
def killed_before() -> None:
    if RANK == OTHER:
        kill()
    trainer()


@case
def callback_fails() -> None:
    trainer().fit(X, Y, FOREVER, callbacks=[Fails(3, lambda: fail(ValueError("no luck")))])


@case
def callback_exits() -> None:
    trainer().fit(X, Y, FOREVER, callbacks=[Fails(3, lambda: sys.exit(5))])


@case
def callback_is_caught() -> None:
    """All ranks go on with a new trainer."""
    own = trainer()
    call = Fails(3, lambda: fail(ValueError("no luck")))
    say(outcome(lambda: own.fit(X, Y, FOREVER, callbacks=[call])))
    assert own.steps == 75
    assert "make a new trainer" in outcome(lambda: own.fit(X, Y)), outcome(lambda: own.fit(X, Y))
    assert same_everywhere(bits(own))
    own = trainer()
    own.fit(X, Y, 2)
    twin = alone()
    twin.fit(X, Y, 2)
    check_goes_on(own, twin)
    say("goes on")


@case
def fails_before() -> None:
    if RANK == OTHER:
        raise ValueError("no data")
    trainer()


@case
def exits_before() -> None:
    if RANK == OTHER:
        sys.exit(3)
    trainer()


@case
def fails_after() -> None:
    own = trainer()
    own.fit(X, Y, 2)
    if RANK == OTHER:
        raise ValueError("no luck")
    own.fit(X, Y, 2)


@case
def ends_after() -> None:
    own = trainer()
    own.fit(X, Y, 2)
    if RANK != OTHER:
        own.fit(X, Y, 2)


@case
def ends_before_another() -> None:
    own = trainer()
    own.fit(X, Y, 2)
    if RANK != OTHER:
        trainer()


@case
def another_trainer() -> None:
    one, two = trainer(), trainer()
    say(outcome(lambda: (one if RANK == OTHER else two).fit(X, Y, 2)))


@case
def another_makes() -> None:
    one = trainer()
    say(outcome(lambda: trainer() if RANK == OTHER else one.fit(X, Y, 2)))


@case
def reader_fails() -> None:
    def batches() -> Any:
        for number in range(10):
            if RANK == OTHER and number == 5:
                raise MemoryError("no memory")
            yield X[:32], Y[:32]

    trainer().fit(batches, epochs=FOREVER)


# Ranks that differ


def other(value: Any, usual: Any) -> Any:
    return value if RANK == OTHER else usual


def check_difference(call: Callable[[], Any], *words: str) -> None:
    """Check that all ranks raise the same RankError, with words in its message."""
    found = outcome(call)
    assert found.startswith(f"RankError: rank {OTHER} "), found
    assert same_everywhere(found), found
    assert all(word in found for word in words), found


def check_error(call: Callable[[], Any], word: str) -> None:
    """Check that the error of one rank is a RankError on the others, before anything begins."""
    found = outcome(call)
    assert word in found, found
    assert ("nothing was changed" in found) == (RANK != OTHER), found


@case
def trainers_differ() -> None:
    def with_version() -> None:
        before = cg.__version__
        cg.__version__ = other("0.0.9", before)
        try:
            trainer()
        finally:
            cg.__version__ = before

    rates = [
        cg.Adam(other(2e-3, 1e-3)),
        cg.SGD(1e-3) if RANK == OTHER else cg.Adam(1e-3),
    ]
    check_difference(with_version, "0.0.9", f"cygrad {cg.__version__}")
    check_difference(lambda: trainer(other(41, 40)), "network")
    for rate in rates:
        check_difference(lambda rate=rate: MPITrainer(network(), rate, rng=0), "optimizer")
    for name, values in {
        "batch_size": (8, 16),
        "rng": (1, 0),
        "exact": (not EXACT, EXACT),
        "accumulate": (2, 1),
        "clip_norm": (1.0, None),
        "clip_value": (1.0, 2.0),
    }.items():
        call = {name: other(*values)}
        check_difference(lambda call=call: trainer(**call), "expected the same on all ranks")
    check_difference(lambda: trainer(rng=other(None, 0)), "seeds")
    check_error(lambda: trainer(batch_size=other(0, 16)), "batch_size is 0")
    check_error(lambda: trainer(exact=other(2, EXACT)), "exact is 2")
    check_error(lambda: MPITrainer(other(None, network()), cg.Adam()), "net is None")
    # Another beginning is none: all take that of rank 0.
    own = MPITrainer(
        network(seed=other(5, 0)),
        cg.Adam(1e-3),
        16,
        rng=0,
        threads=other(2, 1),
        exact=EXACT,
    )
    check_goes_on(own, alone())
    # An error that all have leaves nothing behind.
    for call in ({"batch_size": 0}, {"exact": 3}, {"clip_norm": -1}):
        found = outcome(lambda call=call: trainer(**call))
        assert found.startswith(("ValueError", "TypeError")), found
    say("differ")


@case
def calls_differ() -> None:
    own, twin = trainer(), alone()
    weights = np.ones(400)
    longer = np.vstack([X, X[:1]])
    bent = X.copy()
    bent[200, 7] += 1
    labels = Y.copy()
    labels[3] = (labels[3] + 1) % 3
    early = cg.EarlyStopping(patience=other(2, 3), monitor="loss")
    for words, arguments, options in [
        (("X", "(401, 30)"), (other(longer, X), Y), {}),
        (("X", "float64"), (other(X.astype(float), X), Y), {}),
        (("X", "hash"), (other(bent, X), Y), {}),
        (("X", "(400, 29)"), (other(X[:, 1:], X), Y), {}),
        (("y", "hash"), (X, other(labels, Y)), {}),
        (("epochs 3", "epochs 2"), (X, Y, other(3, 2)), {}),
        (("no epochs",), (X, Y, other(None, 2)), {}),
        (("sample_weight",), (X, Y), {"sample_weight": other(weights, None)}),
        (("rows",), (X, Y), {"rows": other(np.arange(10), None)}),
        (("validation 0.2",), (X, Y), {"validation": other(0.2, None)}),
        (("shuffle",), (X, Y), {"shuffle": other(False, True)}),
        (("max_steps 3",), (X, Y), {"max_steps": other(3, 4)}),
        (("metrics",), (X, Y), {"metrics": other(["f1"], [])}),
        (("callbacks", "patience"), (X, Y), {"callbacks": [early]}),
        (("callbacks",), (X, Y), {"callbacks": [cg.CSVLogger("x.csv")] * other(1, 0)}),
        (("reset",), (X, Y), {"reset": other(True, False)}),
    ]:
        check_difference(lambda a=arguments, o=options: own.fit(*a, **o), *words)
    assert own.steps == 0
    check_difference(
        lambda: own.partial_fit(X, Y) if RANK == OTHER else own.fit(X, Y),
        "call partial_fit",
    )
    check_difference(
        lambda: own.step(X, Y) if RANK == OTHER else own.partial_fit(X, Y), "call step"
    )
    check_difference(lambda: own.step(X[: other(30, 32)], Y[: other(30, 32)]), "X", "(30, 30)")
    check_difference(lambda: own.fit(NoMemory() if RANK == OTHER else X, Y), "X MemoryError")
    check_goes_on(own, twin)

    def batches() -> Any:
        yield X[:32], Y[:32]
        yield X[: other(20, 32)], Y[: other(20, 32)]

    check_difference(lambda: own.fit(batches), "20 rows")
    twin.partial_fit(X[:32], Y[:32])
    twin._training.steps = own.steps
    # Errors that all have are those of one process.
    for found in (
        outcome(lambda: own.fit(X, Y, -1)),
        outcome(lambda: own.fit(X[:, 1:], Y)),
        outcome(lambda: own.fit(np.where(np.arange(30) == 3, np.nan, X), Y)),
        outcome(lambda: own.partial_fit(X, Y + 5)),
        outcome(lambda: own.step(X, "abc")),
        outcome(lambda: own.resume("there is no such file", X, Y)),
    ):
        assert found.startswith(("ValueError", "TypeError", "FileNotFoundError")), found
    check_goes_on(own, None)
    own.learning_rate_scale = other(0.5, 1.0)
    check_difference(lambda: own.fit(X, Y), "learning_rate_scale")
    say("differ")


class NoMemory:
    """Data that cannot be read."""

    def __len__(self) -> int:
        return 400

    def __array__(self, *arguments: Any, **options: Any) -> Any:
        raise MemoryError("no memory")


@case
def iterators() -> None:
    """Arguments that can be read once, and functions, whose addresses differ."""
    own, twin = trainer(), alone()

    def gain(y: Any, predicted: Any) -> float:
        return 0.5

    def options() -> dict[str, Any]:
        early = cg.EarlyStopping(patience=1, monitor="loss", min_delta=10)
        return {
            "callbacks": iter([early]),
            "metrics": iter([gain, "f1"]),
            "validation": 0.25,
        }

    assert len(own.fit(X, Y, 9, **options())) == len(twin.fit(X, Y, 9, **options())) == 2
    own.fit(X, Y, callbacks=[lambda *a: False])
    twin.fit(X, Y)
    check_goes_on(own, twin)
    say("the same")


# Trainings that diverge


@case
def diverges() -> None:
    row = int(SIZE > 1 and 300)
    spiked = X.copy()
    spiked[row] = 3e38

    def of_both(function: Callable[[cg.Trainer], Any], rate: Any = 1e-3, **options: Any) -> Any:
        own, twin = trainer(rate=rate, **options), alone(rate=rate, **options)
        found, wanted = (outcome(lambda each=each: function(each)) for each in (own, twin))
        assert found.startswith("DivergenceError"), found
        assert same_everywhere(found)
        if EXACT:
            assert found == wanted, (found, wanted)
            assert len(own.history) == len(twin.history)
        check_goes_on(own, twin)
        return found

    of_both(lambda each: each.fit(spiked, Y, 3))
    of_both(
        lambda each: each.fit(spiked, Y, 3, shuffle=False, callbacks=[cg.EarlyStopping(3, "loss")])
    )
    of_both(lambda each: each.partial_fit(spiked, Y))
    of_both(lambda each: each.step(spiked, Y))
    of_both(lambda each: each.fit(spiked, Y, 3), clip_global_norm=1.0)
    of_both(lambda each: each.fit(spiked, Y, 3), accumulate=2)

    # The last update of the third epoch overflows.
    def rate(step: int) -> float:
        return 1e39 if step == 74 else 1e-3

    found = of_both(lambda each: each.fit(X, Y, 4), rate=rate)
    assert "epoch 3 at step 25" in found, found
    of_both(
        lambda each: each.fit(X, Y, 4, callbacks=[cg.EarlyStopping(3, "loss")]),
        rate=rate,
    )
    say("diverges")


# Decisions


@case
def decisions() -> None:
    """A clock, a file or a callback of one rank decide for all."""

    def sleeps() -> None:
        time.sleep(0.05)

    own, twin = trainer(), alone()
    stop = Fails(3, lambda: True)
    assert len(own.fit(X, Y, 9, callbacks=[stop])) == 3
    assert own.history.stopped == "callback"
    twin.fit(X, Y, 3)
    check_goes_on(own, twin)

    class Sleeps(Fails):
        def on_epoch_end(self, trainer: cg.Trainer, epoch: int, logs: Any) -> bool:
            if RANK == OTHER:
                sleeps()
            return False

    for options in (
        {"callbacks": [Sleeps(0, sleeps)]},
        {
            "callbacks": [Sleeps(0, sleeps), cg.EarlyStopping(10**6, "loss")],
            "validation": 0.2,
        },
        {},
    ):
        before = own.steps
        history = own.fit(X, Y, FOREVER, max_seconds=0.4, **options)
        steps = own.steps - before
        assert history.stopped == "max_seconds"
        assert same_everywhere((steps, len(history), history.loss)), "another step"
        early = [cg.EarlyStopping(10**6, "loss")] * ("validation" in options)  # restores the best
        share = options.get("validation")
        twin.fit(X, Y, FOREVER, max_steps=steps, validation=share, callbacks=early)
        check_goes_on(own, twin)
    # NaN in a column of the history.
    bent = X[:40].copy()
    bent[3] = 3e38
    lower = cg.ReduceOnPlateau(0.5, 1, "val_loss")
    early = cg.EarlyStopping(4, "val_loss")
    own.fit(X, Y, 9, X_val=bent, y_val=Y[:40], callbacks=[lower, early])
    values = np.array(own.history.val_loss).tobytes()  # with NaN
    assert same_everywhere((values, own.learning_rate_scale)), "another decision"
    lower = cg.ReduceOnPlateau(0.5, 1, "val_loss")
    early = cg.EarlyStopping(4, "val_loss")
    twin.fit(X, Y, 9, X_val=bent, y_val=Y[:40], callbacks=[lower, early])
    check_goes_on(own, twin)
    say("decided")


@case
def threads() -> None:
    """The processors are divided among the ranks of a host."""
    os.environ.pop("OMP_NUM_THREADS", None)
    os.environ["CYGRAD_NUM_THREADS"] = "7"
    most = MPITrainer(network(), cg.Adam(), rng=0).max_threads
    assert callable(most)
    assert most() == 7 // SIZE, most()
    assert trainer(threads=5).max_threads == 5
    say("divided")


@case
def other_isa() -> None:
    """Processors may differ: the test sets CYGRAD_ISA of one rank."""
    own, twin = trainer(), alone()
    say(f"isa {own.net.engine.isa}")
    own.fit(X, Y, 3)
    twin.fit(X, Y, 3)
    check_goes_on(own, twin)
    say("the same")


# Interrupts: the program prints "ready", and the test sends signals.


class Slow:
    """A callback that works for a while after each epoch."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def on_train_begin(self, trainer: cg.Trainer) -> None:
        pass

    def on_epoch_end(self, trainer: cg.Trainer, epoch: int, logs: Any) -> None:
        end = time.monotonic() + self.seconds
        while time.monotonic() < end:
            pass

    def on_train_end(self, trainer: cg.Trainer) -> None:
        pass


INTERRUPTED: dict[str, Callable[[MPITrainer], Any]] = {
    "fit": lambda own: own.fit(X, Y, FOREVER),
    "epochs": lambda own: own.fit(X, Y, FOREVER, callbacks=[lambda *a: False]),
    "callback": lambda own: own.fit(X, Y, FOREVER, callbacks=[Slow(0.1)]),
    "validation": lambda own: own.fit(X, Y, FOREVER, X_val=MANY, y_val=np.tile(Y, 100)),
}
MANY = np.tile(X, (100, 1))


@case
def interrupted() -> None:
    """Signals of the test, or of this rank itself: who, signal, what and the number of times."""
    who, name, what, times = sys.argv[2:6]

    def handler(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(f"signal {number}")

    number = getattr(signal, name)
    signal.signal(number, handler)
    moments = np.random.default_rng(5)
    for _ in range(int(times)):
        own = trainer()
        COMM.Barrier()
        moment = 0.1 + 0.3 * moments.random()
        sent = []

        def send(sent: list[float] = sent) -> None:
            sent.append(time.monotonic())
            kill(number)

        if who == "all":
            threading.Timer(moment + 0.03 * RANK, send).start()
        elif int(who) == RANK:
            threading.Timer(moment, send).start()
        found = outcome(lambda own=own: INTERRUPTED[what](own))
        late = time.monotonic() - sent[0] if sent else 0.0
        # With all, it may come when another rank has ended the training.
        if who == "all" and "signal" not in found:
            outcome(lambda: time.sleep(5))
        late = COMM.allreduce(late, MPI.MAX)
        assert found.startswith("KeyboardInterrupt: "), found
        check_interrupted(own)
        assert late < LATEST, late
    say("interrupted")


#: Seconds from the signal to the end on all ranks, where many processes share a processor.
LATEST = 3.0


def check_interrupted(own: MPITrainer) -> None:
    """Check that exactly the counted steps were done, on all ranks."""
    history = own.history
    rows = [list(history[name]) for name in history if name != "seconds"]
    assert same_everywhere((own.steps, rows, history.partial_steps)), "another history"
    twin = alone()
    if own.steps:
        twin.fit(X, Y, FOREVER, max_steps=own.steps)
    # An epoch without a step may have begun, and have drawn its order.
    check_goes_on(own, twin, shuffle=False)


# Checkpoints: the last argument is the name of the file.

EPOCHS = 30


def followed(own: cg.Trainer, call: str) -> cg.History:
    """Train with a checkpoint, or go on from it."""
    path = sys.argv[-1]
    callbacks = [cg.EarlyStopping(20, "val_loss"), cg.ReduceOnPlateau(0.5, 2, "val_loss")]
    if call == "resume":
        return own.resume(path, X, Y, callbacks=callbacks)
    if call == "write":
        callbacks.append(cg.Checkpoint(path, every_steps=7))
    return own.fit(X, Y, EPOCHS, validation=0.2, metrics=["f1"], callbacks=callbacks)


@case
def writes() -> None:
    followed(trainer(), "write")


@case
def resumes() -> None:
    """On another number of ranks, and on one process."""
    twin = alone()
    wanted = followed(twin, "fit")
    for own in (alone(), trainer()):
        history = followed(own, "resume")
        for name in wanted:
            if name != "seconds":
                assert np.array(history[name]).tobytes() == np.array(wanted[name]).tobytes(), name
        assert bits(own) == bits(twin)
        assert own.steps == twin.steps
        COMM.Barrier()
    say("the same")


@case
def full_disk() -> None:
    from cygrad.training.checkpoints import file

    def write(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    file.write = write
    own = trainer()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(own.fit(X, Y, 4, callbacks=[cg.Checkpoint(sys.argv[-1])])) == 4
    assert any("No space left" in str(each.message) for each in caught) == (RANK == 0)
    twin = alone()
    twin.fit(X, Y, 4)
    check_goes_on(own, twin)
    call = cg.Checkpoint(sys.argv[-1], on_error="raise")
    found = outcome(lambda: own.fit(X, Y, 4, callbacks=[call]))
    assert found.startswith("OSError" if RANK == 0 else "RankError: rank 0 ended with OSError")
    say("full")


def main() -> None:
    warnings.simplefilter("ignore")
    COMM.Barrier()
    if RANK == 0:
        os.write(1, b"all are there\n")
    CASES[sys.argv[1]]()
    say("ends")


if __name__ == "__main__":
    main()
