from typing import Any, final

import numpy as np
from numpy.typing import NDArray

def aligned(size: int) -> NDArray[np.uint8]: ...
def set_costs(**changed: float) -> dict[str, Any]: ...

@final
class Plan: ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
