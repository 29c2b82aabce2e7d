"""What every test can ask for."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from cygrad._engine import kernels


@pytest.fixture(params=kernels.available())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine has, selected for the test."""
    before = kernels.selected()
    yield kernels.select(request.param)
    kernels.select(before)


@pytest.fixture
def interrupt() -> Iterator[Callable[[], None]]:
    """From its call on: Ctrl-C in a fifth of a second.

    Also where the tests run in the background of a script, whose shell has them ignore it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, _thread.interrupt_main)
    yield timer.start
    timer.cancel()
    timer.join()
    signal.signal(signal.SIGINT, before)
