"""The text of a C header that computes in 8-bit integers, and the ranges that one holds."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.exchange.plain_c.header import Header
from cygrad.exchange.plain_c.literals import literal, wrapped
from cygrad.exchange.plain_c.quantization import OUTPUT, Ranges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Operation, Program
    from cygrad.exchange.plain_c.quantization import Quantized
    from cygrad.exchange.self_test import Samples

RANGES = re.compile(r"^ \* Ranges: (.*?) \*/$", re.DOTALL | re.MULTILINE)


def ranges_in(text: str) -> Ranges | None:
    """Return the ranges that a header in integers holds, None in others.

    Raises
    ------
    ValueError
        If they are damaged.
    """
    found = RANGES.search(text)
    if found is None:
        return None
    try:
        return Ranges.from_values(json.loads(found[1].replace("\n *", "")))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the ranges of the header are damaged: {error}") from error


class IntegerHeader(Header):
    """The header of a program in 8-bit integers.

    Parameters
    ----------
    program, samples, name, column_dtype
        As for `Header`; the outputs of the samples are those of `quantized`.
    quantized : Quantized
    integers : ndarray of int32, shape (n, outputs)
        The integers of the samples.
    """

    opening = "int8_opening"

    def __init__(
        self,
        program: Program,
        samples: Samples,
        name: str,
        column_dtype: str | None,
        quantized: Quantized,
        integers: NDArray[np.int32],
    ) -> None:
        self.quantized, self.integers = quantized, integers
        self._widths: list[int] = []
        self._layers: list[str] = []
        super().__init__(program, samples, name, column_dtype)

    @property
    def buffers(self) -> int:
        """Bytes of the arrays on the stack."""
        program = self.program
        size = sum(self._widths) + program.outputs * (4 + program.dtype.itemsize)
        if self.column_dtype is not None:
            size += program.inputs * np.dtype(self.column_dtype).itemsize
        if self._decoder is not None:
            size += program.outputs * program.dtype.itemsize
        return size

    def _compute(self, operations: Sequence[Operation]) -> None:
        self._need("wide")
        layers = self.quantized.layers
        sizes = [self.program.inputs, *(len(each.biases) for each in layers[:-1])]
        self._widths = [max(sizes[parity::2], default=0) for parity in (0, 1)]
        for number, each in enumerate(layers):
            names = ("weights", "biases", "factors", "shifts")
            arrays = [self._integers(f"{name}_{each.index}", getattr(each, name)) for name in names]
            given, made = f"q{number % 2}", f"q{(number + 1) % 2}"
            units, inputs = each.weights.shape
            if each is layers[-1]:
                call = f"{self.name}_last({inputs}, {', '.join(arrays)}, {given}, z);"
            else:
                arguments = [inputs, units, *arrays, each.zero, given, made]
                call = f"{self.name}_hidden({', '.join(map(str, arguments))});"
            self._layers.append(f"    {call}\n")
            if each.table is not None:
                table = self._integers(f"table_{each.index}", each.table)
                self._layers.append(f"    {self.name}_lookup({units}, {table}, {made});\n")
        self._low = self._array("low", self.quantized.low)
        self._rate = self._array("rate", self.quantized.rate)
        self._activate(self.quantized.activation, self.quantized.parameter, self.program.outputs, 0)

    def _compute_text(self) -> str:
        from_type = "input" if self._encoder is None else "column"
        arrays = "".join(
            f"    int8_t q{index}[{size}];\n" for index, size in enumerate(self._widths) if size
        )
        functions = self._template("int8", largest=OUTPUT, **{"from": from_type})
        return f"{functions}\n" + self._template(
            "int8_compute",
            step=literal(float(self.program.dtype.type(self.quantized.step)), self.dtype),
            arrays=arrays,
            low=self._low,
            rate=self._rate,
            calls="".join(self._layers),
            activation="".join(self._calls),
            **{"from": from_type},
        )

    def _predict(self) -> str:
        encode = ""
        if self._encoder is not None:
            encode = f"    {self.name}_column columns[{self.upper}_INPUTS];\n"
            encode += f"    {self.name}_encode(inputs, columns);\n"
        from_ = "inputs" if self._encoder is None else "columns"
        integers = self._template("int8_integers", encode=encode, **{"from": from_})
        return super()._predict() + integers

    def _opening_values(self) -> dict[str, Any]:
        text = json.dumps(self.quantized.ranges.to_values(), allow_nan=False)
        lines = textwrap.wrap(text, 110, break_long_words=False, break_on_hyphens=False)
        return {"ranges": "\n * ".join(lines)}

    def _test_values(self) -> tuple[str, str]:
        n = self.name
        array = _array_text(f"{n}_expected_integers", self.integers)
        check = (
            f"        if (!{n}_integers(inputs, z)) different++;\n"
            f"        for (j = 0; j < {self.upper}_OUTPUTS; j++) "
            f"different += z[j] != {n}_expected_integers[row * {self.upper}_OUTPUTS + j];\n"
        )
        return f"\n{array}    int32_t z[{self.upper}_OUTPUTS];", check

    def _integers(self, name: str, values: NDArray[Any]) -> str:
        """Define a constant array of integers, and return its name."""
        self.constants += values.nbytes
        name = f"{self.name}_{name}"
        self._arrays.append(_array_text(name, values))
        return name


def _array_text(name: str, values: NDArray[Any]) -> str:
    rows = "\n".join(wrapped(str(each) for each in values.ravel().tolist()))
    return f"static const {values.dtype.name}_t {name}[{values.size}] = {{\n{rows}\n}};\n"
