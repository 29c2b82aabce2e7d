"""Numbers and texts as C literals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDTH = 100


def literal(value: float, dtype: str) -> str:
    """Return a number as a constant expression, with as many digits as tell it from all others."""
    if math.isnan(value) or math.isinf(value):
        name = "NAN" if math.isnan(value) else "INFINITY"
        return f"(-{name})" if value < 0 else name
    text = f"{np.float32(value):.9g}" if dtype == "float32" else repr(float(value))
    if not any(mark in text for mark in ".e"):
        text += ".0"
    if dtype == "float32":
        text += "f"
    return f"({text})" if text.startswith("-") else text


def bit_patterns(values: NDArray[Any]) -> list[str]:
    """Return the bits of float32 or float64 numbers as unsigned literals."""
    if values.dtype == np.float32:
        return [f"0x{each:08x}u" for each in values.ravel().view(np.uint32).tolist()]
    return [f"0x{each:016x}u" for each in values.ravel().view(np.uint64).tolist()]


def array_text(name: str, values: NDArray[Any], attribute: str) -> str:
    """Return the definition of a constant array: its bits, which are read as ``name.numbers``."""
    bits, real = (32, "float") if values.dtype == np.float32 else (64, "double")
    rows = "\n".join(wrapped(bit_patterns(np.ascontiguousarray(values))))
    return (
        f"static const union {{\n    uint{bits}_t bits[{values.size}];\n"
        f"    {real} numbers[{values.size}];\n}} {name} {attribute} = {{{{\n{rows}\n}}}};\n"
    )


def wrapped(words: Iterable[str], indent: str = "    ") -> Iterator[str]:
    """Yield lines of words with commas after them."""
    line = indent
    for word in words:
        if line != indent and len(line) + len(word) + 2 > WIDTH:
            yield line
            line = indent
        line += ("" if line == indent else " ") + word + ","
    if line != indent:
        yield line


def quoted(text: str) -> str:
    """Return a string literal of the UTF-8 bytes of a text."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return (
        '"'
        + "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode())
        + '"'
    )


def comment(text: str) -> str:
    """Return a text for a comment: one line of ASCII that does not end the comment."""
    plain = " ".join(text.split()).replace("*", "+").replace("\\", "/")
    return plain.encode("ascii", "namereplace").decode().replace("\\N", "")
