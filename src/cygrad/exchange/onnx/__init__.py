"""Networks from and to ONNX files.

Needs the library onnx, and ONNX Runtime for the self-test (``pip install 'cygrad[onnx]'``).
`activations` has the functions in operators of ONNX, `writer` makes graphs, `runtime` runs them,
and `reader` makes networks of them: `read_graph` finds formulas, `forms` has those of others,
`chain` follows the layers, `classes` what makes labels of probabilities.
"""

from cygrad.exchange.onnx.reader import from_onnx
from cygrad.exchange.onnx.runtime import verify
from cygrad.exchange.onnx.writer import to_onnx

__all__ = ["from_onnx", "to_onnx", "verify"]
