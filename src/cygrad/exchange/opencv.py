"""Networks from the files of OpenCV's ANN_MLP, in XML or YAML.

YAML needs the library PyYAML (``pip install 'cygrad[yaml]'``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

import numpy as np

from cygrad.exchange.assembly import Assembly
from cygrad.exchange.bounded_file import read_bounded
from cygrad.exchange.libraries import library
from cygrad.network.activations import ChosenActivation

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

NODE = "opencv_ml_ann_mlp"
EXTRA = "yaml"


def from_opencv(
    path: str | os.PathLike[str],
    *,
    dtype: Literal["float32", "float64"] = "float64",
    loss: str | None = None,
    classes: Iterable[str] | None = None,
) -> Network:
    """Read a network from a file of OpenCV's ANN_MLP (``.xml``, ``.yml`` or ``.yaml``).

    With the parameters α and β of the file, SIGMOID_SYM is β tanh(α x / 2), GAUSSIAN
    β exp(−α² x²), LEAKYRELU has the slope α, RELU and IDENTITY ignore both (so OpenCV 4 and 5
    compute; their documentation differs). The scales of the inputs become the standardisation.
    The last layer has the activation too; the scales of the outputs come behind it, as a dense
    layer of their own where it is no identity.

    Parameters
    ----------
    path : str or os.PathLike
    dtype : {"float64", "float32"}
        OpenCV has float64 weights and computes with them.
    loss : str or None
        None: mse.
    classes : iterable of str or None
        Names of the classes.

    Returns
    -------
    Network

    Raises
    ------
    ModuleNotFoundError
        If it is YAML, and PyYAML is not installed.
    ValueError
        If the file is none, is damaged, or holds NaN or infinity, as that of a network with RELU,
        LEAKYRELU or IDENTITY does that was trained without NO_OUTPUT_SCALE.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.exchange.from_opencv("digits.xml")  # doctest: +SKIP
    """
    source = repr(os.fspath(path))
    data = read_bounded(path)
    node = _xml(data, source) if data.lstrip()[:1] == b"<" else _yaml(data, source)
    try:
        sizes = [int(size) for size in _numbers(node["layer_sizes"])]
        kind = str(node["activation_function"])
        alpha, beta = (float(str(node.get(f"f_param{number}", 0))) for number in (1, 2))
        input_scale = _numbers(node["input_scale"]).reshape(-1, 2)
        output_scale = _numbers(node["output_scale"]).reshape(-1, 2)
        matrices = [_numbers(each) for each in node["weights"]]
        shapes = list(pairwise(sizes))
        if len(input_scale) != sizes[0] or len(output_scale) != sizes[-1]:
            raise ValueError("the scales are not one for each input and output")
        if len(matrices) != len(shapes):
            raise ValueError(f"{len(matrices)} matrices of weights, expected {len(shapes)}")
        layers = [
            matrix.reshape(below + 1, above)
            for matrix, (below, above) in zip(matrices, shapes, strict=True)
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source} is damaged or cut short: {error}") from error
    _check_finite(source, input_scale, output_scale, *layers)
    chosen, slope, factor = _activation(kind, alpha, beta, source)
    assembly = Assembly(sizes[0], source)
    # x · scale + shift = (x − mean) · scale; a scale of 0 leaves the shift to the biases
    scale, shift = input_scale.T
    constant = scale == 0
    mean = np.divide(-shift, scale, out=np.zeros_like(shift), where=~constant)
    layers[0][-1] += np.where(constant, shift, 0.0) @ layers[0][:-1]
    for matrix in layers:
        assembly.dense(slope * matrix[:-1].T, slope * matrix[-1], chosen)
        assembly.scale(factor, 0.0)
    assembly.scale(*output_scale.T)
    return assembly.network(dtype, loss=loss, classes=classes, standardization=(mean, scale))


def _activation(
    kind: str, alpha: float, beta: float, source: str
) -> tuple[str | ChosenActivation, float, float]:
    """Return an activation, the factor of its argument, and that of its value."""
    if kind == "SIGMOID_SYM":
        return "tanh", alpha / 2, beta
    if kind == "GAUSSIAN":
        return "gaussian", alpha, beta
    if kind == "LEAKYRELU":
        return ChosenActivation("leaky_relu", alpha), 1.0, 1.0
    if kind in ("IDENTITY", "RELU"):
        return kind.lower(), 1.0, 1.0
    raise ValueError(
        f"{source}: activation_function is {kind}, expected IDENTITY, SIGMOID_SYM, GAUSSIAN, RELU "
        "or LEAKYRELU"
    )


def _check_finite(source: str, *arrays: NDArray[np.float64]) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(
            f"{source} holds NaN or infinity, expected finite numbers; networks with RELU, "
            "LEAKYRELU or IDENTITY are trained with NO_OUTPUT_SCALE"
        )


def _numbers(value: Any) -> NDArray[np.float64]:
    """Return the numbers of a text or a list: 1. and .Inf are OpenCV's spelling."""
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, Sequence):
        raise TypeError(f"{value!r} is no list of numbers")
    return np.array([float(re.sub(r"^([+-]?)\.(?=[A-Za-z])", r"\1", str(each))) for each in value])


def _xml(data: bytes, source: str) -> dict[str, Any]:
    """Return the values of a file in XML, matrices as lists of texts."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise ValueError(f"{source} has a document type, which a file of OpenCV has not")
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise ValueError(f"{source} is damaged or cut short: {error}") from None
    node = root.find(NODE) if root.tag == "opencv_storage" else None
    if node is None:
        raise ValueError(f"{source} holds no {NODE}, expected a file of ANN_MLP")
    values: dict[str, Any] = {child.tag: child.text or "" for child in node}
    values["weights"] = [child.text or "" for child in node.iterfind("weights/_")]
    return {
        name: value.strip() if isinstance(value, str) else value for name, value in values.items()
    }


def _yaml(data: bytes, source: str) -> dict[str, Any]:
    """Return the values of a file in YAML; all numbers as texts, which PyYAML cannot misread."""
    yaml = library("yaml", EXTRA)
    # Older versions begin with %YAML:1.0, which no other program reads.
    text = re.sub(r"\A%YAML.*", "", data.decode("utf-8", "replace"))
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())  # it has several lines
        raise ValueError(f"{source} is damaged or cut short: {reason}") from None
    node = document.get(NODE) if isinstance(document, dict) else None
    if not isinstance(node, dict):
        raise ValueError(f"{source} holds no {NODE}, expected a file of ANN_MLP")
    return node
