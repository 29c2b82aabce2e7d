"""Networks from and to other formats.

Nothing is imported before it is asked for, and each format needs its own library (an extra of the
package), see the function. Parameters are taken over bit by bit.

What a format cannot hold is an error before anything is written, which names the layer; where
something can be left out, ``lossy=True`` does so. Functions that write test what they have written
where the library is installed; a difference that rounding does not explain is a warning, other bits
in plain C an error. Those that write a file return an `Export` with the result, a `SelfTest`; those
that return an object of another library return that alone, and `compare` has its figures.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cygrad.exchange.comparison import compare
    from cygrad.exchange.exports import Export
    from cygrad.exchange.fann import from_fann
    from cygrad.exchange.keras import from_keras, to_keras, to_keras_file
    from cygrad.exchange.onnx import from_onnx, to_onnx
    from cygrad.exchange.opencv import from_opencv
    from cygrad.exchange.plain_c import CHeader, to_c
    from cygrad.exchange.safetensors import from_safetensors, to_safetensors
    from cygrad.exchange.self_test import SelfTest
    from cygrad.exchange.sklearn import from_sklearn, to_sklearn
    from cygrad.exchange.torch import from_torch, to_torch, to_torch_file

__all__ = [
    "CHeader",
    "Export",
    "SelfTest",
    "compare",
    "from_fann",
    "from_keras",
    "from_onnx",
    "from_opencv",
    "from_safetensors",
    "from_sklearn",
    "from_torch",
    "to_c",
    "to_keras",
    "to_keras_file",
    "to_onnx",
    "to_safetensors",
    "to_sklearn",
    "to_torch",
    "to_torch_file",
]

# The module of each name, imported on first use.
_LAZY = {
    "CHeader": "plain_c",
    "Export": "exports",
    "SelfTest": "self_test",
    "compare": "comparison",
    "from_fann": "fann",
    "from_keras": "keras",
    "from_onnx": "onnx",
    "from_opencv": "opencv",
    "from_safetensors": "safetensors",
    "from_sklearn": "sklearn",
    "from_torch": "torch",
    "to_c": "plain_c",
    "to_keras": "keras",
    "to_keras_file": "keras",
    "to_onnx": "onnx",
    "to_safetensors": "safetensors",
    "to_sklearn": "sklearn",
    "to_torch": "torch",
    "to_torch_file": "torch",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: Any = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
