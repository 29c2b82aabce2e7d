#!/usr/bin/env bash
# onnx 1.23.2: the reference evaluator lets a batch into BatchNormalization, before opset 14.
#
# Guess before the run: the numbers of ONNX Runtime for each operator of a dense network, in new and
# old opsets; it is the reference, and BatchNormalization with one output, which is inference by the
# standard, takes the stored mean and variance. (A sweep went against this; guessed then, wrongly,
# that it lost the epsilon.)
#
# Seen: at opsets 9 to 13 ReferenceEvaluator first mixes the batch into the stored statistics, as
# training does: 0.9 times what is stored and 0.1 times the mean and variance of the rows at hand,
# by the default of `momentum`. So the outputs of a row depend on the rows beside it. No error or
# warning. With momentum = 1, opset 9 is right too, and opsets 14 and 15 are right always; ONNX
# Runtime is right at all of them. (At opsets 7 and 8 the reference evaluator raises TypeError.)
#
# It meets whoever checks an exporter, an importer or a runtime against the standard's reference
# with a model of an older opset, such as 9, and looks for the difference on the wrong side. Needs
# Python 3.11 or newer. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cat > "$folder/normalise.py" <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

rng = np.random.default_rng(0)
stored = {
    "scale": rng.normal(size=3),
    "bias": rng.normal(size=3),
    "mean": rng.normal(size=3) + 4,
    "variance": rng.uniform(1, 5, 3),
}
stored = {name: value.astype(np.float32) for name, value in stored.items()}
rows = rng.normal(size=(5, 3)).astype(np.float32)


def outputs(opset, x, **attributes):
    """Return the outputs of ONNX Runtime and of the reference evaluator."""
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("BatchNormalization", ["x", *stored], ["y"], **attributes)],
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 3])],
            [numpy_helper.from_array(value, name) for name, value in stored.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )
    checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]


def normalised(x, share):
    """The formula, with that share of the stored statistics and the rest of the rows' own."""
    mean = share * stored["mean"] + (1 - share) * x.mean(axis=0)
    variance = share * stored["variance"] + (1 - share) * x.var(axis=0)
    return stored["scale"] * (x - mean) / np.sqrt(variance + 1e-5) + stored["bias"]


same = True
for opset, share, attributes in (
    (9, 0.9, {}),
    (11, 0.9, {}),
    (13, 0.9, {}),
    (9, 0.5, {"momentum": 0.5}),
    (9, 1.0, {"momentum": 1.0}),
    (14, 1.0, {}),
    (15, 1.0, {}),
):
    print(f"opset {opset}, {attributes or 'the default of momentum'}: the first of the rows")
    for count in (1, 2, 5):
        x = rows[:count]
        runtime, reference = outputs(opset, x, **attributes)
        print(f"  of {count}: {runtime[0]} of ONNX Runtime, {reference[0]} of the reference")
        same = same and np.allclose(runtime, normalised(x, 1), atol=1e-4)
        same = same and np.allclose(reference, normalised(x, share), atol=1e-4)
        same = same and (share == 1) == np.allclose(reference, runtime, atol=1e-2)
sys.exit(not same)
PYTHON
"$folder/venv/bin/python" "$folder/normalise.py"
