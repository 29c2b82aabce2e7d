"""ONNX Runtime: inference only, on a graph with one Gemm per layer and fixed numbers of rows.

Input and output are bound once, which takes two thirds of the time of ``session.run`` for one row
of a small network; each call copies X into the input and returns the output as an array.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from ..cases import Case
from . import Array, Parameters

NODES = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
OPSET, IR_VERSION = 17, 8  # old enough for every release of the last years


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        self.case = case
        self.dtype = dtype
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.log_severity_level = 3  # errors

    def start(self, parameters: Parameters) -> None:
        model = _model(self.case, self.dtype, parameters)
        self.session = onnxruntime.InferenceSession(
            model.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        rows, sizes = self.case.batch, self.case.sizes
        self.input, self.output = (
            onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros((rows, size), self.dtype))
            for size in (sizes[0], sizes[-1])
        )
        self.binding = self.session.io_binding()
        self.binding.bind_ortvalue_input("X", self.input)
        self.binding.bind_ortvalue_output("outputs", self.output)

    def forward(self, X: Array) -> Array:
        self.input.update_inplace(X)
        self.session.run_with_iobinding(self.binding)
        outputs: Array = self.output.numpy()
        return outputs


def _model(case: Case, dtype: str, parameters: Parameters) -> onnx.ModelProto:
    initializers, nodes, below = [], [], "X"
    for index, (weights, biases) in enumerate(parameters):
        for name, array in (("W", weights), ("b", biases)):
            initializers.append(numpy_helper.from_array(array, f"{name}{index}"))
        # z = a Wᵀ + b, with W (out, in)
        operands = [below, f"W{index}", f"b{index}"]
        nodes.append(helper.make_node("Gemm", operands, [f"z{index}"], transB=1))
        below = f"z{index}"
        if index < len(parameters) - 1:
            nodes.append(helper.make_node(NODES[case.hidden], [below], [f"a{index}"]))
            below = f"a{index}"
    last = "Softmax" if case.classification else "Identity"
    nodes.append(helper.make_node(last, [below], ["outputs"]))
    number = helper.np_dtype_to_tensor_dtype(parameters[0][0].dtype)
    graph = helper.make_graph(
        nodes,
        case.network,
        [helper.make_tensor_value_info("X", number, [case.batch, case.sizes[0]])],
        [helper.make_tensor_value_info("outputs", number, [case.batch, case.sizes[-1]])],
        initializers,
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
