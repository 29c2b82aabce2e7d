"""Read what csrc defines for a dtype: functions of vectors, constants, and the activations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

FILES = ("functions.h", "trigonometry.h", "activation_functions.h")
TABLE = "activations.h"
#: Functions that the templates of a header have by hand.
BY_HAND = {"large_angles", "polynomial"}
#: Types of csrc: R a number, M a mask or integer, A an angle.
TYPES = {"vec": "R", "real": "R", "mask": "M", "integer": "M", "int": "M", "angle": "A"}

_TOKEN = re.compile(
    r"\s*((?:0x[0-9a-fA-F.]+p[+-]?\d+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)[fFuUlL]*"
    r"|[A-Za-z_]\w*|->|<<|>>|<=|>=|==|!=|\+=|-=|\*=|/=|&&|\|\||[^\s\w])"
)


def sources() -> Path:
    """Return the folder of the C sources: that of the package, or the one they are copied from."""
    copied = Path(__file__).parent / "csrc"
    return copied if copied.is_dir() else Path(__file__).parents[4] / "csrc"


def tokens_of(text: str) -> list[str]:
    """Return the tokens of C source without comments and directives."""
    return _TOKEN.findall(text)


class Definition(NamedTuple):
    type: str
    parameters: tuple[tuple[str, str], ...]  # type and name; a pointer's type ends with *
    body: list[str]


class Source(NamedTuple):
    """The functions and constants that the files define for one dtype."""

    functions: dict[str, Definition]
    arrays: dict[str, list[float]]
    constants: dict[str, float]
    values: dict[str, list[str]]  # the expression of each activation


@cache
def source_of(dtype: str) -> Source:
    """Read the files for a dtype."""
    bits = 32 if dtype == "float32" else 64
    functions: dict[str, Definition] = {}
    arrays: dict[str, list[float]] = {}
    constants: dict[str, float] = {"CG_BITS": bits}
    limits = np.finfo(dtype)
    constants |= {"CG_MAX": float(limits.max), "CG_MIN_NORMAL": float(limits.smallest_normal)}
    constants |= {"INFINITY": float("inf"), "NAN": float("nan")}
    for name in FILES:
        text = (sources() / name).read_text(encoding="utf-8")
        text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
        lines = []
        for line in _chosen_lines(text.replace("\\\n", " "), bits):
            macro = re.match(r"#define (CG_\w+) (.+)", line)
            if macro:
                constants[macro[1]] = number(tokens_of(macro[2]), constants)
            elif not line.startswith("#"):
                lines.append(line.replace("CG_UNROLL", ""))
        for kind, content in _definitions(tokens_of("\n".join(lines))):
            if kind == "function":
                _read_function(content, functions)
            elif kind == "enum":
                inner = content[content.index("{") + 1 : content.index("}")]
                for each in split(inner):
                    constants[each[0]] = number(each[2:], constants)
            elif kind == "array":
                inner = content[content.index("{") + 1 : content.index("}")]
                array = content[content.index("real") + 1]
                arrays[array] = [number(each, constants) for each in split(inner) if each]
    return Source(functions, arrays, constants, _activations())


def _chosen_lines(text: str, bits: int) -> Iterator[str]:
    """Yield the lines that a preprocessor keeps for this dtype, directives among them."""
    taken = [True]
    for line in text.splitlines():
        directive = line.split()
        if line.startswith("#if"):
            condition = " ".join(directive[1:])
            known = {"CG_BITS == 32": bits == 32}
            if directive[0] != "#ifndef" and condition not in known:
                raise ValueError(f"condition {condition!r} is unknown, expected CG_BITS == 32")
            taken.append(known.get(condition, True))
        elif line.startswith("#else"):
            taken[-1] = not taken[-1]
        elif line.startswith("#endif"):
            taken.pop()
        elif all(taken):
            yield line


def _definitions(tokens: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield kind and tokens of each definition on file level."""
    start = depth = 0
    for index, token in enumerate(tokens):
        depth += (token == "{") - (token == "}")
        ends = token == ";" or (token == "}" and "(" in tokens[start:index])
        if depth or not ends:
            continue
        content = tokens[start : index + 1]
        start = index + 1
        if content[0] in ("CG_INLINE", "CG_SHARED"):
            yield "function", content[1:]
        elif content[0] == "enum":
            yield "enum", content
        elif content[:3] == ["static", "const", "real"]:
            yield "array", content


def _read_function(tokens: list[str], functions: dict[str, Definition]) -> None:
    """Read the definition of a function that computes with vectors."""
    open_, close = tokens.index("("), tokens.index(")")
    name = tokens[open_ - 1]
    if name in BY_HAND:
        return
    parameters = []
    for each in split(tokens[open_ + 1 : close]):
        words = [word for word in each if word != "const"]
        if words in ([], ["void"]):
            continue
        pointer = "*" if "*" in words else ""
        parameters.append((TYPES[words[0]] + pointer, words[-1]))
    body = tokens[tokens.index("{", close) + 1 : -1]
    functions[name] = Definition(TYPES[tokens[0]], tuple(parameters), body)


def _activations() -> dict[str, list[str]]:
    """Return the tokens of σ(z) for each row of the table that is computed number by number."""
    text = (sources() / TABLE).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).replace("\\\n", " ")
    tokens = tokens_of(text[text.index("#define CG_ACTIVATIONS") :])
    values = {}
    for index, token in enumerate(tokens):
        if token == "ELEMENTWISE" and tokens[index + 1] == "(":
            parts = split(inside(tokens, index + 1))
            values[parts[0][0]] = parts[2]
    return values


def inside(tokens: list[str], start: int) -> list[str]:
    """Return the tokens between the parenthesis at `start` and its counterpart."""
    depth = 0
    for index in range(start, len(tokens)):
        depth += (tokens[index] == "(") - (tokens[index] == ")")
        if not depth:
            return tokens[start + 1 : index]
    raise ValueError("a parenthesis is not closed")


def split(tokens: list[str]) -> list[list[str]]:
    """Divide tokens at the commas outside of parentheses."""
    parts: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in "({[") - (token in ")}]")
        if token == "," and not depth:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def number(tokens: list[str], constants: dict[str, float]) -> float:
    """Return the value of a constant: a number or a name, a sign and a cast before it."""
    words = [token for token in tokens if token not in ("(", ")", "real")]
    sign = 1.0
    while words[0] == "-":
        sign, words = -sign, words[1:]
    [word] = words
    if word in constants:
        return sign * constants[word]
    if word.startswith("0x"):
        return sign * float.fromhex(word.rstrip("fF"))
    return sign * float(word.rstrip("fF"))
