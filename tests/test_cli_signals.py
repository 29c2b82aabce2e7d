"""The command line ends with one line after Ctrl-C and SIGTERM, from its first imports on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cygrad as cg
from cygrad.cli import main

ENDINGS = [
    pytest.param(signal.SIGINT, "interrupted", 130, id="Ctrl-C"),
    pytest.param(signal.SIGTERM, "terminated", 143, id="SIGTERM"),
]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])}

# Sends a signal to itself when a module is looked for, in the middle of the imports.
IMPORTS = """
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[2]:
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Finder())
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job may have it ignored
from cygrad.cli import main

sys.exit(main(["train", "digits", "--epochs", "1", "--quiet", "--output", sys.argv[3]]))
"""


@pytest.mark.parametrize(("number", "word", "code"), ENDINGS)
@pytest.mark.parametrize("module", ["argparse", "numpy", "cygrad._engine.engine"])
def test_a_signal_during_the_imports_is_one_line(number, word, code, module, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(int(number)), module, tmp_path / "model.npz"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.stderr == f"cygrad: {word}, nothing was saved\n"
    assert done.returncode == code
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("number", "word", "code"), ENDINGS)
def test_a_signal_during_training_is_one_line(number, word, code, tmp_path):
    log = tmp_path / "log.csv"
    program = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from cygrad.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    options = ["--epochs", "1000000", "--quiet", "--log", log, "--output", tmp_path / "model.npz"]
    with subprocess.Popen(
        [sys.executable, "-c", program, "train", "digits", *options],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert errors == f"cygrad: {word}, nothing was saved\n"
    assert process.returncode == code
    assert {path.name for path in tmp_path.iterdir()} == {"log.csv"}


def test_the_handlers_of_a_calling_program_stay():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert main(["--version"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_ignored_signals_stay_ignored(monkeypatch, capsys):
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        seen = []

        def read(*_: object, **__: object) -> None:
            seen.append(signal.getsignal(signal.SIGTERM))
            raise ValueError("no data")

        monkeypatch.setattr("cygrad.cli.describe.run", read)
        assert main(["describe", "digits"]) == 1
        assert seen == [signal.SIG_IGN]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_an_error_that_an_interrupt_became_is_an_interrupt(monkeypatch, capsys):
    def run(_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt:
            raise ImportError("a module that was interrupted") from None

    monkeypatch.setattr("cygrad.cli.describe.run", run)
    assert main(["describe", "digits"]) == 143
    assert capsys.readouterr().err == "cygrad: terminated, nothing was saved\n"
