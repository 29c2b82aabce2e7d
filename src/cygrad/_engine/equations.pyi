from typing import Any

__pyx_capi__: dict[str, Any]  # for the other compiled modules
