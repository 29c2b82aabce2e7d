"""What every test can ask for."""

import _thread
import gc
import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

import pytest
from hypothesis import settings

from cygrad import Gradients, Network, Trainer
from cygrad._engine import kernels
from cygrad.experiments import Page

# A shell has the commands that it starts in the background ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run; `pytest --hypothesis-profile=default` looks for others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads its options
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Divide all tests among the processors, where pytest-xdist is installed and -n is not given.

    `pytest -n 0` keeps them in one process, where those of a file that is named stay anyway.
    """
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    worker = hasattr(config, "workerinput")
    if worker or not everything or config.getoption("numprocesses", 0) is not None:
        return
    debugged = config.getoption("usepdb") or config.getoption("collectonly")
    processors = len(os.sched_getaffinity(0))
    if processors > 1 and config.getoption("dist") == "no" and not debugged:
        config.option.numprocesses = processors
        config.option.dist = "worksteal"  # neighbours share results that a process computes once


@pytest.fixture(params=kernels.available())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine has, selected for the test."""
    before = kernels.selected()
    yield kernels.select(request.param)
    kernels.select(before)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage is collected: Python drops an interrupt that comes in a callback of that.

    Hypothesis has such a callback, and among all tests, a collection takes half a second.
    """
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def interrupt(uncollected: None) -> Iterator[Callable[..., None]]:
    """interrupt(trainer, steps): Ctrl-C in a fifth of a second, but not before so many steps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    has_ended, pressing = threading.Event(), []

    def press(trainer: Trainer | None, steps: int) -> None:
        has_ended.wait(0.2)
        while trainer is not None and trainer.steps <= steps and not has_ended.wait(0.001):
            pass  # the last one is not over yet
        if not has_ended.is_set():
            _thread.interrupt_main()

    def start(trainer: Trainer | None = None, steps: int = 1) -> None:
        pressing.append(threading.Thread(target=press, args=(trainer, steps)))
        pressing[-1].start()

    yield start
    has_ended.set()
    for each in pressing:
        each.join()
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def one_blas_thread() -> Iterator[None]:
    """Small products of other libraries in one thread: several wait for each other for long."""
    with import_module("threadpoolctl").threadpool_limits(1):
        yield


@pytest.fixture
def own_figures() -> Iterator[None]:
    """Nothing of a test stays: no figure, and no setting that it could have changed."""
    matplotlib = import_module("matplotlib")
    pyplot = import_module("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    before = dict(matplotlib.rcParams)
    yield
    pyplot.close("all")
    assert dict(matplotlib.rcParams) == before


@pytest.fixture
def axes_2d() -> Any:
    """Axes of two dimensions that pyplot knows nothing of."""
    return import_module("matplotlib.figure").Figure(layout="constrained").add_subplot()


@pytest.fixture
def axes_3d() -> Any:
    """The same of three dimensions."""
    figure = import_module("matplotlib.figure").Figure(layout="constrained")
    return figure.add_subplot(projection="3d")


@pytest.fixture
def planted(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Callable[[Gradients], Gradients]], None]:
    """planted(fault): from now on `Network.backward` gives fault(what it gave)."""
    right = Network.backward

    def plant(fault: Callable[[Gradients], Gradients]) -> None:
        monkeypatch.setattr(
            Network, "backward", lambda *given, **named: fault(right(*given, **named))
        )

    return plant


class Written(NamedTuple):
    """What a run of an experiment left: its page, and what it printed."""

    page: Page
    text: str


# What makes pictures small, and fast to draw.
COARSE = {"page.DPI": 75, "rbf.RESOLUTION": 11, "scale.RESOLUTION": 11, "softmax_surface.FACES": 11}


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """written(name): an experiment that is run once for all tests, with coarse pictures."""

    @cache
    def run(name: str) -> Written:
        file = io.StringIO()
        page = Page(name, tmp_path_factory.mktemp(name), file)
        with pytest.MonkeyPatch.context() as patch:
            for constant, value in COARSE.items():
                patch.setattr(f"cygrad.experiments.{constant}", value)
            import_module(f"cygrad.experiments.{name.replace('-', '_')}").run(page)
        return Written(page, file.getvalue())

    return run
