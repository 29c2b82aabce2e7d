#!/usr/bin/env bash
# OpenCV 5.0.0, module dnn: the hyperbolic tangent of 45 is NaN.
#
# Guess before the run: 1, as in OpenCV 4.14.0 and in ONNX Runtime: a tanh saturates, whichever
# formula computes it; and if not, then with the new engine only.
#
# Seen (x86-64): from 44.3 upwards Tanh gives NaN, with each of the engines; from -44.3 downwards it
# gives -1. The last elements of a row, which do not fill a vector register, are right, so that the
# same network of three hidden units gives 1 and one of 64 gives NaN. In a dense network behind
# Tanh, one such hidden unit makes all outputs NaN. Sigmoid, Elu and Mish are right. No error or
# warning, and networks on scaled inputs never get there.
#
# It meets whoever moves a tanh network from OpenCV 4 to 5 and feeds one input without scaling, or
# an outlier. Needs Python 3.11 or newer. Exits with 0 if all this is still so, with 1 if it has
# changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/tangent.py" <<'PYTHON'
import sys

import cv2
import numpy as np
from onnx import TensorProto, helper, numpy_helper


def network(nodes, inputs, outputs, constants=()):
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])
        for name, size in (("x", inputs), ("y", outputs))
    ]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants]
    model = helper.make_model(
        helper.make_graph(nodes, "graph", ends[:1], ends[1:], initializers),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    return np.frombuffer(model.SerializeToString(), np.uint8)


def outputs(model, row):
    """Return the outputs of each engine; OpenCV 4 has one, OpenCV 5 has two and a choice."""
    names = "ENGINE_AUTO", "ENGINE_CLASSIC", "ENGINE_NEW"
    engines = [(getattr(cv2.dnn, name),) for name in names if hasattr(cv2.dnn, name)]
    for engine in engines or [()]:
        net = cv2.dnn.readNetFromONNX(model, *engine)
        net.setInput(np.asarray(row, np.float32)[np.newaxis], "x")
        yield net.forward().ravel()


def tanh(size, value):
    model = network([helper.make_node("Tanh", ["x"], ["y"])], size, size)
    return np.array([row[0] for row in outputs(model, np.full(size, value))])


hidden = np.zeros((2, 64), np.float32)
hidden[:, 0], hidden[:, 1:] = [1, 0], 0.01  # one unit has the first input, all others are small
dense = network(
    [
        helper.make_node("Gemm", ["x", "A"], ["z"]),
        helper.make_node("Tanh", ["z"], ["h"]),
        helper.make_node("Gemm", ["h", "B"], ["y"]),
    ],
    2,
    3,
    [("A", hidden), ("B", np.full((64, 3), 0.1, np.float32))],
)
fails = cv2.__version__.startswith("5")
same = True
print("OpenCV", cv2.__version__)
for size, value in ((64, 44), (64, 45), (64, 1000), (64, -1000), (1, 45)):
    seen = tanh(size, value)
    print(f"  tanh({value}) in a row of {size}:", seen)
    right = np.sign(value)
    same = same and np.array_equal(
        seen, np.full(len(seen), np.nan if fails and size > 1 and value >= 45 else right), True
    )
for row in ([40, 1], [50, 1]):
    seen = np.array(list(outputs(dense, row)))
    expected = np.tanh(np.array(row) @ hidden) @ np.full((64, 3), 0.1)
    print(f"  dense network on {row}:", seen[0], "expected", expected)
    lost = fails and row[0] > 44
    same = same and (np.isnan(seen).all() if lost else np.allclose(seen, expected, atol=1e-4))
sys.exit(not same)
PYTHON
for version in 4.14.0.94 5.0.0.93; do
    python3 -m venv "$folder/$version"
    "$folder/$version/bin/pip" install --quiet \
        "opencv-python-headless==$version" onnx==1.23.2 numpy==2.4.6
    "$folder/$version/bin/python" "$folder/tangent.py"
done
