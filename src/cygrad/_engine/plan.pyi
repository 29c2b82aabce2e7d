from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import disjoint_base

class CustomTargets:
    array: NDArray[Any]
    def __init__(self, array: NDArray[Any]) -> None: ...
    @property
    def rows(self) -> int: ...

def aligned(size: int) -> NDArray[np.uint8]: ...
def set_costs(**changed: float) -> dict[str, Any]: ...

@disjoint_base
class Plan: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
