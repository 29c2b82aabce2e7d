from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

def aligned(size: int) -> NDArray[np.uint8]: ...

@final
class Watch:
    def __init__(self, poll: Callable[[int, float], None] | None = None) -> None: ...

@final
class Plan: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
