#!/usr/bin/env bash
# OpenVINO 2026.4.1 reads Softmax of ONNX's opsets 11 and 12 by the rule of opset 13.
#
# Guess before the run: opset 13 changed Softmax, LogSoftmax and Hardmax alike: before it the
# dimensions from the axis on (1 by default) are taken together, and their exponentials sum to 1; an
# importer asks for the opset and does the one or the other, and OpenVINO gives the numbers of
# ONNX Runtime at all opsets.
#
# Seen (CPU, float32): inputs of shape (2, 3, 2), axis 1. At opsets 9, 10 and 13 OpenVINO agrees
# with ONNX Runtime and with NumPy. At 11 and 12 its Softmax goes along axis 1 alone, so that the outputs
# of a sample sum to 2. LogSoftmax of the same opsets is right, which makes exp(LogSoftmax(x)) and
# Softmax(x) differ within one graph. No error or warning. The outputs are the same in both ways
# where the dimensions behind the axis are 1, as behind a dense layer.
#
# It meets whoever deploys a model of 2019 or 2020 with a softmax over maps, sequences or grouped
# outputs: the outputs are still positive and sum to something. Needs Python 3.11 or newer. Exits
# with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > "$folder/softmax.py" <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

x = np.arange(12, dtype=np.float32).reshape(2, 3, 2) / 4


def softmax(values, axis):
    e = np.exp(values)
    return e / e.sum(axis=axis, keepdims=True)


def outputs(operation, opset):
    """Return the outputs of ONNX Runtime and of OpenVINO for a graph of one node."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in "xy"]
    node = helper.make_node(operation, ["x"], ["y"], axis=1)
    model = helper.make_model(
        helper.make_graph([node], "graph", ends[:1], ends[1:]),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=7,
    ).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    return session.run(None, {"x": x})[0], np.array(compiled({"x": x})[0])


together = softmax(x.reshape(2, 6), 1).reshape(x.shape)  # the rule up to opset 12
alone = softmax(x, 1)  # the rule since opset 13
rules = {9: together, 10: together, 11: together, 12: together, 13: alone}
same = True
for opset, rule in rules.items():
    runtime, seen = outputs("Softmax", opset)
    logarithm, log_seen = outputs("LogSoftmax", opset)
    print(
        f"opset {opset}: sums per sample {np.round(runtime.sum((1, 2)), 4)} of ONNX Runtime,",
        f"{np.round(seen.sum((1, 2)), 4)} of OpenVINO",
    )
    expected = alone if opset in (11, 12) else rule
    same = same and np.allclose(runtime, rule, atol=1e-6) and np.allclose(seen, expected, atol=1e-6)
    for values in (logarithm, log_seen):
        same = same and np.allclose(np.exp(values), rule, atol=1e-6)
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/softmax.py"
