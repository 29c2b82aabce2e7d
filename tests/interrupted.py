"""Ctrl-C at random moments of fit, save, resume and fit_many; what is left is checked each time.

python tests/interrupted.py          500 of each; prints the longest time until they end
python tests/interrupted.py fit 20   these
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import cygrad as cg

LATEST = 0.15  # seconds after the beginning
rng = np.random.default_rng(0)
X = rng.normal(size=(400, 30)).astype(np.float32)
Y = rng.integers(0, 3, 400)


def trainer(seed: int = 0, units: int = 40) -> cg.Trainer:
    layers = [cg.Dense(units, "relu"), cg.BatchNorm(), cg.Dropout(0.1), cg.Dense(3, "softmax")]
    net = cg.Network(30, layers, loss="cross_entropy", rng=seed)
    return cg.Trainer(net, cg.Adam(cg.Warmup(10, 1e-3)), 16, rng=seed, threads=2)


def assert_between_steps(own: cg.Trainer, twin: cg.Trainer) -> None:
    """Check that exactly the counted steps were done, and that both trainers go on alike."""
    if own.steps:
        twin.fit(X, Y, 10**9, max_steps=own.steps)
    assert own.steps == twin.steps
    assert own.net.parameters.tobytes() == twin.net.parameters.tobytes()
    own.fit(X[:50], Y[:50], 1, shuffle=False)
    twin.fit(X[:50], Y[:50], 1, shuffle=False)
    assert own.net.parameters.tobytes() == twin.net.parameters.tobytes()


def of_fit(folder: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    """Return what is to be interrupted, and the check after it."""
    own = trainer()
    return lambda: own.fit(X, Y, 10**9), lambda: assert_between_steps(own, trainer())


def of_save(folder: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    net, path = trainer(units=400).net, folder / "model.npz"
    net.save(path)

    def save() -> None:
        for _ in count():
            net.save(path)

    def check() -> None:
        assert cg.load(path).parameters.tobytes() == net.parameters.tobytes()
        assert os.listdir(folder) == ["model.npz"]

    return save, check


def of_resume(folder: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    path = folder / "run.npz"
    trainer().fit(X, Y, 1, callbacks=[cg.Checkpoint(path)])
    own = trainer()

    def check() -> None:
        assert os.listdir(folder) == ["run.npz"]
        assert_between_steps(own, trainer())

    return lambda: own.resume(path, X, Y, epochs=10**9), check


def of_fit_many(folder: Path) -> tuple[Callable[[], object], Callable[[], None]]:
    own = [trainer(seed, units=10) for seed in range(5)]

    def check() -> None:
        for seed, each in enumerate(own):
            assert_between_steps(each, trainer(seed, units=10))

    return lambda: cg.fit_many(own, X, Y, 10**9, threads=2), check


KINDS = {"fit": of_fit, "save": of_save, "resume": of_resume, "fit_many": of_fit_many}


def interrupt(kind: str, trial: int) -> float:
    """Interrupt at one moment, check what is left, and return the seconds until the end."""
    sent = [0.0]

    def send(delay: float) -> None:
        time.sleep(delay)
        sent[0] = time.perf_counter()
        os.kill(os.getpid(), signal.SIGINT)

    with TemporaryDirectory() as name:
        run, check = KINDS[kind](Path(name))
        threads = _thread._count()
        delay = float(np.random.default_rng(trial).uniform(0, LATEST))
        sender = threading.Thread(target=send, args=(delay,))
        try:
            sender.start()
            run()
        except KeyboardInterrupt:
            seconds = time.perf_counter() - sent[0]
        sender.join()
        # The system may take a moment to end a thread that has done its last work.
        deadline = time.monotonic() + 1
        while _thread._count() > threads and time.monotonic() < deadline:
            time.sleep(1e-3)
        assert _thread._count() <= threads, "a thread is left"
        check()
    return seconds


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("ignore")
    kinds = [word for word in sys.argv[1:] if word in KINDS]
    trials = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    for kind in kinds or KINDS:
        times = [interrupt(kind, trial) for trial in range(trials[0] if trials else 500)]
        print(f"{kind}: {len(times)} interrupts, the longest {1e3 * max(times):.0f} ms", flush=True)


if __name__ == "__main__":
    main()
