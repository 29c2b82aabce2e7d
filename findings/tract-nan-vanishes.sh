#!/usr/bin/env bash
# tract 0.23.9: a network takes NaN for an input and answers with probabilities.
#
# Guess before the run: NaN in, NaN out, as in ONNX Runtime: a missing measurement goes through Gemm
# as NaN, and the activations and Softmax of IEEE arithmetic keep it.
#
# Seen (x86-64 with FMA): sigmoid(NaN) is 4.5e-7, the smallest value that tract's sigmoid has, and
# tanh(NaN) is -0.9999994; Relu gives 0, HardSigmoid 1. A network of one hidden layer of sigmoid or
# tanh gives finite numbers that sum to 1, with tanh 0.82 for one class, and the same ones for every
# row with a NaN in it. No error or warning. Exp and Softplus keep NaN, and so does a Relu right
# behind a Gemm; a sigmoid at the end loses it all the same.
#
# It meets whoever runs a network on sensors or tables with gaps and looks for NaN in the outputs to
# find the rows that had one. Needs Python 3.11 or newer. Exits with 0 if all this is still so, with
# 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    tract==0.23.9 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > "$folder/gap.py" <<'PYTHON'
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import tract
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
constants = [
    numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
    for name, shape in (("A", (4, 8)), ("a", (8,)), ("B", (8, 3)), ("b", (3,)))
]


def outputs(nodes, inputs, size, initializers=()):
    """Return the outputs of ONNX Runtime and of tract, a row for each row of the inputs."""
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, inputs.shape[1]])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, size])],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model, file.name)
        runnable = tract.onnx().load(file.name).into_model().into_runnable()
    rows = [row[np.newaxis] for row in inputs]
    return (
        np.concatenate([session.run(None, {"x": row})[0] for row in rows]),
        np.concatenate([runnable.run([row])[0].to_numpy() for row in rows]),
    )


same = True
gap = np.full((1, 8), np.nan, np.float32)
for operation, number in (
    ("Sigmoid", 4.47e-7),
    ("Tanh", -0.9999994),
    ("Relu", 0),
    ("HardSigmoid", 1),
    ("Exp", np.nan),
    ("Softplus", np.nan),
):
    runtime, seen = outputs([helper.make_node(operation, ["x"], ["y"])], gap, 8)
    print(f"{operation}(NaN): {runtime[0, 0]} of ONNX Runtime, {seen[0, 0]} of tract")
    same = same and np.isnan(runtime).all()
    same = same and np.allclose(seen, number, rtol=1e-2, atol=0, equal_nan=True)

nan = np.nan
rows = np.array([[1, 0, 2, 3], [1, nan, 2, 3], [-5, 0, 9, nan]], np.float32)
for hidden, output, finite in (
    ("Sigmoid", "Softmax", True),
    ("Tanh", "Softmax", True),
    ("Relu", "Softmax", False),
    ("Relu", "Sigmoid", True),
):
    nodes = [
        helper.make_node("Gemm", ["x", "A", "a"], ["z"]),
        helper.make_node(hidden, ["z"], ["h"]),
        helper.make_node("Gemm", ["h", "B", "b"], ["o"]),
        helper.make_node(output, ["o"], ["y"]),
    ]
    runtime, seen = outputs(nodes, rows, 3, constants)
    print(f"{hidden} and {output}, a row without and two with NaN, of tract:")
    print(seen)
    same = same and np.allclose(runtime[0], seen[0], atol=1e-4) and np.isnan(runtime[1:]).all()
    same = same and (np.isfinite if finite else np.isnan)(seen[1:]).all()
    same = same and np.array_equal(seen[1], seen[2], equal_nan=True)
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/gap.py"
