#!/usr/bin/env bash
# MNN 3.6.1: a Gemm of ONNX with transA = 1 mixes the rows of a batch with each other.
#
# Guess before the run: Gemm is the layer of every dense network and transA one of its two flags, so
# MNN gives the numbers of ONNX Runtime, or the converter says that it cannot. (A sweep over single
# nodes had gone against this before; guessed then: one row right, several wrong.)
#
# Seen: with transA = 1 and constant weights the converted model computes the transposed product and
# gives its numbers the shape of the product: for 4 rows and 2 columns, the first row holds the
# first column of rows 1 and 2. With one row that is no difference, and the same model file is
# right. The bias is added to the right numbers. No error or warning; each further layer works on
# the mixed rows, and all outputs are finite and of the right shape. Right with transA = 0, with
# weights that are an input, with constants as the first operand, and with a Transpose node before.
#
# It meets whoever has inputs of one column for each example and lets ONNX Runtime save an optimised
# model first: that folds the Transpose into the Gemm, and a test with one example does not see it.
# Needs Python 3.11 or newer. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet \
    MNN==3.6.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cat > "$folder/rows.py" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import MNN.expr
import MNN.nn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
constants = {
    name: rng.normal(size=shape).astype(np.float32)
    for name, shape in (("A", (3, 5)), ("a", (5,)), ("B", (5, 2)), ("b", (2,)))
}


def save(name, nodes, inputs, output):
    used = {operand for node in nodes for operand in node.input}
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, output)],
            [
                numpy_helper.from_array(value, key)
                for key, value in constants.items()
                if key in used and key not in inputs
            ],
        ),
        opset_imports=[helper.make_opsetid("", 13)],
        ir_version=8,
    )
    onnx.save(model, folder / f"{name}.onnx")


def convert(name, *inputs):
    """Return the network that MNN makes of the file."""
    subprocess.run(
        [str(Path(sys.executable).with_name("mnnconvert")), "-f", "ONNX", "--bizCode", "x"]
        + ["--modelFile", folder / f"{name}.onnx", "--MNNModel", folder / f"{name}.mnn"],
        check=True,
        capture_output=True,
    )
    return MNN.nn.load_module_from_file(str(folder / f"{name}.mnn"), list(inputs), ["y"])


def mnn(network, *arrays):
    inputs = []
    for array in arrays:
        inputs.append(MNN.expr.placeholder(list(array.shape), MNN.expr.NCHW))
        inputs[-1].write(array.ravel().tolist())
    output = MNN.expr.convert(network.forward(inputs)[0], MNN.expr.NCHW)
    return np.array(output.read(), np.float32).reshape(output.shape)


def close(seen, expected):
    return seen.shape == expected.shape and np.allclose(seen, expected, atol=1e-5)


x = rng.normal(size=(3, 4)).astype(np.float32)
right = x.T @ constants["A"] + constants["a"]
mixed = right.T.reshape(right.shape)
same = not close(mixed, right)

gemm = helper.make_node("Gemm", ["x", "A", "a"], ["y"], transA=1)
save("constant", [gemm], {"x": [3, "rows"]}, ["rows", 5])
network = convert("constant", "x")
seen = mnn(network, x)
print("x'A + a:", right, "of MNN, A constant:", seen, sep="\n")
same = same and close(seen, mixed)
same = same and close(mnn(network, x[:, :1].copy()), right[:1])

save("input", [gemm], {"x": [3, "rows"], "A": [3, 5]}, ["rows", 5])
same = same and close(mnn(convert("input", "x", "A"), x, constants["A"]), right)
gemm = helper.make_node("Gemm", ["A", "x"], ["y"], transA=1)
save("first", [gemm], {"x": [3, "rows"]}, [5, "rows"])
same = same and close(mnn(convert("first", "x"), x), constants["A"].T @ x)

nodes = [
    helper.make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
    helper.make_node("Gemm", ["t", "A", "a"], ["z"]),
    helper.make_node("Relu", ["z"], ["h"]),
    helper.make_node("Gemm", ["h", "B", "b"], ["y"]),
]
save("network", nodes, {"x": [3, "rows"]}, ["rows", 2])
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
options.optimized_model_filepath = str(folder / "optimised.onnx")
session = onnxruntime.InferenceSession(
    str(folder / "network.onnx"), options, providers=["CPUExecutionProvider"]
)
first = onnx.load(folder / "optimised.onnx").graph.node[0]
flags = {attribute.name: attribute.i for attribute in first.attribute}
same = same and first.op_type == "Gemm" and flags["transA"] == 1
wrong = np.maximum(mixed, 0) @ constants["B"] + constants["b"]
for name, expected in (("network", None), ("optimised", wrong)):
    network = convert(name, "x")
    one, four = (session.run(None, {"x": part})[0] for part in (x[:, :1].copy(), x))
    seen = mnn(network, x)
    print(f"{name}.onnx, four rows of ONNX Runtime and of MNN:", four, seen, sep="\n")
    same = same and close(mnn(network, x[:, :1].copy()), one)
    same = same and close(seen, four if expected is None else expected)
    same = same and close(four, np.maximum(right, 0) @ constants["B"] + constants["b"])
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/rows.py" "$folder"
