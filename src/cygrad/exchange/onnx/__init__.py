"""Networks from and to ONNX files.

Needs the library onnx, and ONNX Runtime for the self-test (``pip install 'cygrad[onnx]'``).
`activations` has the functions in operators of ONNX, `writer` makes graphs, `runtime` runs them.
"""

from cygrad.exchange.onnx.runtime import verify
from cygrad.exchange.onnx.writer import to_onnx

__all__ = ["to_onnx", "verify"]
