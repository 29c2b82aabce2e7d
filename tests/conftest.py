"""What every test can ask for."""

import _thread
import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from cygrad import Gradients, Network
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
