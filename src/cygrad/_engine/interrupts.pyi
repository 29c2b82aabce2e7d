from collections.abc import Callable
from typing import Any, final

stopped: set[int]

@final
class Interrupts:
    def __init__(self, poll: Callable[[int, float], object] | None = None) -> None: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
