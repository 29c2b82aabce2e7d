"""The text of a C header: constants, functions and calls for the operations of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import __version__
from cygrad.exchange.operations import (
    DenseOperation,
    InputScaling,
    NormOperation,
    OutputScaling,
    ResidualOperation,
)
from cygrad.exchange.plain_c.functions import Functions
from cygrad.exchange.plain_c.literals import array_text, comment, literal, quoted, wrapped

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Operation, Program
    from cygrad.exchange.self_test import Samples

TEMPLATES = Path(__file__).parent / "templates"
#: Bytes of the sums that are computed side by side, and of the partial sums across a row: the width
#: of a panel of the engine.
PANEL_BYTES = 128
#: A power of two that makes denormal numbers normal.
SCALES = {"float32": "18446744073709551616.0f", "float64": "1.3407807929942597e154"}


@dataclass
class Buffers:
    """Arrays for the numbers of a layer, used again as soon as they are free."""

    sizes: list[int] = field(default_factory=list)
    users: list[int] = field(default_factory=list)

    def acquire(self, size: int) -> int:
        """Return an array with room for `size` numbers: the largest free one, or a new one."""
        free = [index for index, count in enumerate(self.users) if not count]
        index = max(free, key=lambda each: self.sizes[each], default=len(self.sizes))
        if index == len(self.sizes):
            self.sizes.append(0)
            self.users.append(0)
        self.sizes[index] = max(self.sizes[index], size)
        self.users[index] = 1
        return index


class Header:
    """The header of a program.

    Parameters
    ----------
    program : Program
    samples : Samples
        Of the self-test.
    name : str
        A C identifier, with which all names begin.
    column_dtype : {"float32", "float64"} or None
        What the encoder rounds the inputs to; None without an encoder.

    Attributes
    ----------
    constants : int
        Bytes of the constants.
    """

    #: Template of the comment at the top.
    opening = "opening"

    def __init__(
        self, program: Program, samples: Samples, name: str, column_dtype: str | None
    ) -> None:
        self.program, self.samples, self.name = program, samples, name
        self.upper, self.column_dtype = name.upper(), column_dtype
        self.dtype = program.dtype.name
        self.functions = Functions(self.dtype, name)
        self.constants = 0
        self._arrays: list[str] = []
        self._calls: list[str] = []
        self._buffers = Buffers()
        self._needed: dict[str, None] = {}  # templates of layers, in their order
        self._early: set[str] = set()  # templates that stand before the functions
        self._applied: dict[str, str] = {}  # the loop of each activation
        operations = list(program.operations)
        self._encoder: InputScaling | None = None
        self._decoder: OutputScaling | None = None
        if column_dtype is not None and isinstance(operations[0], InputScaling):
            self._encoder, operations = operations[0], operations[1:]
        if operations and isinstance(operations[-1], OutputScaling):
            self._decoder, operations = operations[-1], operations[:-1]
        self._compute(operations)

    @property
    def buffers(self) -> int:
        """Bytes of the arrays on the stack."""
        size = sum(self._buffers.sizes) * self.program.dtype.itemsize
        if self.column_dtype is not None:
            size += self.program.inputs * np.dtype(self.column_dtype).itemsize
        if self._decoder is not None:
            size += self.program.outputs * self.program.dtype.itemsize
        return size

    def text(self) -> str:
        """Return the header."""
        stages = [self._encode(), self._compute_text(), self._decode()]
        layers = [self._template(each) for each in self._needed]
        parts = [*self._arithmetic(), self.functions.text(), *self._applied.values(), *layers]
        parts += [*self._arrays, *stages, self._predict(), self._class(), self._test()]
        return "\n".join([self._opening(), *(part for part in parts if part)])

    # The computation

    def _compute(self, operations: Sequence[Operation]) -> None:
        """Make the calls of the operations between encoder and decoder."""
        inputs = self.program.inputs
        current = self._buffers.acquire(inputs)
        read = f"{self.upper}_READ(x[k])"
        if operations and isinstance(operations[0], InputScaling):
            mean = self._array("mean", _flushed(operations[0].mean))
            scale = self._array("scale", _flushed(operations[0].scale))
            read = f"{self.upper}_STANDARDIZED((double)x[k], {mean}[k], {scale}[k])"
            self._need("wide", "standardize")
            operations = operations[1:]
        self._call(f"for (k = 0; k < {inputs}; k++) a{current}[k] = {read};")
        last, units = self._run(operations, current, inputs)
        self._call(f"for (k = 0; k < {units}; k++) y[k] = a{last}[k];")

    def _run(self, operations: Sequence[Operation], current: int, units: int) -> tuple[int, int]:
        """Make the calls of operations on an array; return the array of the outputs, and units."""
        users = self._buffers.users
        for each in operations:
            if isinstance(each, DenseOperation):
                units = len(each.weights)
                out = self._buffers.acquire(units)
                self._dense(each, current, out)
                users[current] -= 1
            elif isinstance(each, NormOperation):
                out = current
                if users[current] > 1:  # a sum needs the numbers later
                    out = self._buffers.acquire(units)
                    users[current] -= 1
                self._norm(each, units, current, out)
            elif isinstance(each, ResidualOperation):
                users[current] += 1
                out, _ = self._run(each.operations, current, units)
                if out == current:  # nothing is computed in the block
                    out = self._buffers.acquire(units)
                    self._call(f"for (k = 0; k < {units}; k++) a{out}[k] = a{current}[k];")
                    users[current] -= 1
                self._need("residual")
                self._call(f"{self.name}_residual({units}, a{current}, a{out});")
                users[current] -= 1
            else:
                raise ValueError(f"{type(each).__name__} has no form in plain C")
            self._activate(each.activation, each.parameter, units, out)
            current = out
        return current, units

    def _dense(self, each: DenseOperation, current: int, out: int) -> None:
        weights = _flushed(each.weights)
        units, inputs = weights.shape
        biases = np.zeros(units, weights.dtype) if each.biases is None else _flushed(each.biases)
        self._need("dense")
        w = self._array(f"weights_{each.index}", weights.T)
        b = self._array(f"biases_{each.index}", biases)
        least = literal(_least_input(weights, biases), self.dtype)
        self._call(f"{self.name}_dense({inputs}, {units}, {w}, {b}, {least}, a{current}, a{out});")

    def _norm(self, each: NormOperation, units: int, current: int, out: int) -> None:
        scale = self._array(f"scale_{each.index}", _flushed(each.weights))
        shift = self._array(f"shift_{each.index}", _flushed(each.biases))
        number = self.program.dtype.type
        epsilon = number(max(each.eps, float(np.finfo(self.dtype).smallest_normal)))
        if each.mean is None or each.variance is None:
            self._need("root", "folds", "layer_norm")
            eps = literal(float(epsilon), self.dtype)
            arguments = f"{units}, {scale}, {shift}, {eps}, a{current}, a{out}"
            self._call(f"{self.name}_layer_norm({arguments});")
            return
        self._need("batch_norm")
        mean = self._array(f"mean_{each.index}", _flushed(each.mean))
        inverses = number(1) / np.sqrt(_flushed(each.variance) + epsilon)
        inverse = self._array(f"inverse_{each.index}", inverses)
        arguments = f"{units}, {mean}, {inverse}, {scale}, {shift}, a{current}, a{out}"
        self._call(f"{self.name}_batch_norm({arguments});")

    def _activate(self, activation: str, parameter: float, units: int, array: int) -> None:
        if activation == "identity":
            return
        if activation not in self.functions.source.values:  # a function of whole rows
            self._need("folds", activation)
            self.functions.function("exp_")
            self._call(f"{self.name}_{activation}({units}, a{array});")
            return
        function, real = self.functions.activation(activation), f"{self.name}_real"
        self._applied[activation] = (
            f"{self.upper}_SHARED void {self.name}_apply_{activation}(int units, {real} parameter, "
            f"{real} *z)\n{{\n    int j;\n"
            f"    for (j = 0; j < units; j++) z[j] = {function}(z[j], parameter);\n}}\n"
        )
        number = literal(float(self.program.dtype.type(parameter)), self.dtype)
        self._call(f"{self.name}_apply_{activation}({units}, {number}, a{array});")

    def _call(self, line: str) -> None:
        self._calls.append(f"    {line}\n")

    def _need(self, *templates: str) -> None:
        for each in templates:
            if each in ("wide", "root"):
                self._early.add(each)
            else:
                self._needed.setdefault(each)

    # Parts of the text

    def _opening(self) -> str:
        program, n = self.program, self.name
        text = f"{n}_predict(inputs, outputs) computes {program.outputs} outputs"
        text += " in their unit" if self._decoder is not None else ""
        described = [f"{text} from {program.inputs} inputs."]
        if self._decision is not None:
            described.append(
                f"{n}_class(inputs) returns the index of the class, -1 if there is none"
                + (f"; {n}_class_names has the names." if program.classes else ".")
            )
        described += [
            f"inputs[{index}]: {comment(each)}" for index, each in enumerate(program.columns or ())
        ]
        return self._template(
            self.opening,
            version=__version__,
            described="\n".join(f" *   {line}" for line in described),
            constants=self.constants,
            buffers=self.buffers,
            real="float" if self.dtype == "float32" else "double",
            **self._opening_values(),
        )

    def _opening_values(self) -> dict[str, Any]:
        """Return what else the template of the opening has."""
        return {}

    def _arithmetic(self) -> list[str]:
        info, single = np.finfo(self.dtype), self.dtype == "float32"
        if self.functions.by_hand:
            self._early.add("wide")
        doubles = bool(self._early) or not single or self._decoder is not None
        parts = [
            self._template(
                "types",
                inputs=self.program.inputs,
                outputs=self.program.outputs,
                real="float" if single else "double",
                bits=info.bits,
                digits=info.nmant + 1,
                limits="FLT" if single else "DBL",
                f_upper="F" if single else "",
                scale=SCALES[self.dtype],
                units=PANEL_BYTES // self.program.dtype.itemsize,
                panel=PANEL_BYTES // self.program.dtype.itemsize,
                doubles=int(doubles),
                output="double" if self._decoder is not None else f"{self.name}_real",
            )
        ]
        if single:
            parts.append(self._template("fma32"))
        if not single or self.functions.by_hand:
            parts.append(self._template("fma64"))
        parts.append(
            self._template(
                "arithmetic", f="f" if single else "", soft=f"{self.name}_fma{info.bits}"
            )
        )
        parts += [self._template(each) for each in ("wide", "root") if each in self._early]
        parts.append(self._template("inputs"))
        if self.functions.by_hand:
            parts.append(self._template("angles"))
        return parts

    def _encode(self) -> str:
        if self._encoder is None or self._encoder.divisor is None:
            return ""
        real = "float" if self.column_dtype == "float32" else "double"
        self._need("wide", "root")
        return f"typedef {real} {self.name}_column;\n\n" + self._template(
            "encode",
            center=self._array("center", self._encoder.mean),
            divisor=self._array("divisor", self._encoder.divisor),
            clipped=self._array("clipped", self._encoder.clipped.astype(np.float64)),
        )

    def _decode(self) -> str:
        if self._decoder is None:
            return ""
        self._need("wide")
        return self._template(
            "decode",
            factor=self._array("factor", self._decoder.deviations),
            offset=self._array("offset", self._decoder.means),
        )

    def _compute_text(self) -> str:
        n, from_type = self.name, "input" if self._encoder is None else "column"
        arrays = "".join(
            f"    {n}_real a{index}[{size}];\n" for index, size in enumerate(self._buffers.sizes)
        )
        return (
            f"{self.upper}_SHARED void {n}_compute(const {n}_{from_type} *x, {n}_real *y)\n{{\n"
            f"{arrays}    int k;\n{''.join(self._calls)}}}\n"
        )

    def _predict(self) -> str:
        n, encode, decode = self.name, "", ""
        if self._encoder is not None:
            encode += f"    {n}_column columns[{self.upper}_INPUTS];\n"
        if self._decoder is not None:
            encode += f"    {n}_real plain[{self.upper}_OUTPUTS];\n"
            decode = f"    {n}_decode(plain, outputs);\n"
        return self._template(
            "predict",
            encode=encode,
            before=f"    {n}_encode(inputs, columns);\n" if self._encoder is not None else "",
            decode=decode,
            **{
                "from": "inputs" if self._encoder is None else "columns",
                "to": "outputs" if self._decoder is None else "plain",
            },
        )

    @property
    def _decision(self) -> str | None:
        """The rule for a class: that of the largest output, or of one output; None without."""
        decision = self.program.decision
        if decision == "none" or (decision == "half" and self.program.outputs > 1):
            return None
        return decision

    def _class(self) -> str:
        if self._decision is None:
            return ""
        text = self._template(f"class_{self._decision}")
        if self.program.classes:
            names = "\n".join(wrapped(map(quoted, self.program.classes)))
            array = f"{self.name}_class_names[{len(self.program.classes)}]"
            text += f"\n{self.upper}_CONSTANT char *const {array} = {{\n{names}\n}};\n"
        return text

    def _test(self) -> str:
        outputs = np.dtype(np.float64) if self._decoder is not None else self.program.dtype
        samples = [("samples", self.program.dtype, self.samples.inputs)]
        samples += [("expected", outputs, self.samples.outputs)]
        texts = [
            array_text(f"{self.name}_{name}", values.astype(dtype), f"{self.upper}_ALIGNED")
            for name, dtype, values in samples
        ]
        more, check = self._test_values()
        test = self._template(
            "self_test",
            rows=len(self.samples.inputs),
            samples="".join(texts).rstrip() + more,
            check=check,
        )
        return f"{test}\n#endif /* {self.upper}_H */\n"

    def _test_values(self) -> tuple[str, str]:
        """Return what else the self-test declares, and what it checks of each sample."""
        return "", ""

    def _array(self, name: str, values: NDArray[Any]) -> str:
        """Define a constant array, and return the expression for its numbers."""
        self.constants += values.nbytes
        name = f"{self.name}_{name}"
        self._arrays.append(array_text(name, values, f"{self.upper}_ALIGNED"))
        return f"{name}.numbers"

    def _template(self, name: str, **values: object) -> str:
        """Return a template with these values, and the names of this header."""
        text = (TEMPLATES / f"{name}.h").read_text(encoding="utf-8")
        text = text.replace("net_", f"{self.name}_").replace("NET_", f"{self.upper}_")
        text = text.replace("net:", f"{self.name}:").replace("net.h", f"{self.name}.h")
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        return text


def _flushed(values: NDArray[Any]) -> NDArray[Any]:
    """Return numbers with zero, and the sign, in the place of denormal ones, as in the engine."""
    normal = np.abs(values) >= np.finfo(values.dtype).smallest_normal
    return np.where(normal, values, np.copysign(values.dtype.type(0), values))


def _least_input(weights: NDArray[Any], biases: NDArray[Any]) -> float:
    """Return the size from which inputs cannot make a denormal sum.

    Numbers are multiples of a power of two: if that of each product and bias is at least the
    smallest normal number, then that of each sum is.
    """
    info = np.finfo(weights.dtype)
    if _last_bit(biases) < info.minexp:
        return float(info.max)
    exponent = info.minexp - _last_bit(weights) + info.nmant
    return float(np.ldexp(1.0, min(max(exponent, int(info.minexp)), int(info.maxexp) - 1)))


def _last_bit(values: NDArray[Any]) -> int:
    """Return the exponent of the largest power of two of which all numbers are multiples."""
    digits = np.finfo(values.dtype).nmant + 1
    mantissas, exponents = np.frexp(values[values != 0].astype(np.float64))
    if not len(mantissas):
        return 0
    whole = np.abs(np.ldexp(mantissas, digits)).astype(np.int64)
    zeros = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((exponents - digits + zeros).min())
