"""Numbers as they are written in drawings, and how wide a text may become."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

MINUS = "−"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

#: Arrays with more elements are shown by their shape.
MAX_ELEMENTS = 4


def value_text(value: Any, digits: int) -> str:
    """A number, a tiny array element by element, or the shape of a larger one."""
    if np.ndim(value) == 0:
        return number_text(float(value), digits)
    if np.ndim(value) > 2 or not 0 < np.size(value) <= MAX_ELEMENTS:
        return str(np.shape(value))
    return f"[{', '.join(value_text(each, digits) for each in value)}]"


def number_text(value: float, digits: int) -> str:
    """A number with some decimals: more where it is small, and none that it does not need.

    >>> [number_text(value, 2) for value in (-12.0, 1.1, 0.19661193, 0.0012345, 1.5e-7)]
    ['−12', '1.1', '0.20', '0.0012', '1.5·10⁻⁷']
    """
    size = abs(value)
    if size == 0.0:
        text = "0"
    elif _is_short(size, digits) and size < 1e6:
        text = f"{size:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{size:.0f}"
    elif 1e-3 <= size < 1e6:
        # At least `digits` significant ones.
        text = f"{size:.{digits + max(0, -_exponent(size) - 1)}f}"
    else:
        mantissa, exponent = f"{size:.{max(digits - 1, 0)}e}".split("e")
        text = f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return text if value >= 0 or text == "0" else MINUS + text


def _is_short(size: float, digits: int) -> bool:
    """Whether nothing but rounding errors lies beyond `digits` decimals."""
    return abs(size - round(size, digits)) <= 1e-12 * size


def _exponent(size: float) -> int:
    return int(f"{size:e}".split("e")[1])


def exponent_text(value: float, digits: int) -> str:
    """A number as an exponent: raised if there are signs for it."""
    text = number_text(value, digits)
    if value == int(value) and "·" not in text:
        return text.replace(MINUS, "-").translate(SUPERSCRIPTS)
    return f"^{text}" if value > 0 else f"^({text})"


_NARROW = frozenset(" .,:;'|!()[]/\\ijlIft·-ʸˣ⁰¹²³⁴⁵⁶⁷⁸⁹")
_WIDE = frozenset("mwMWω@%&#^~−+×÷=<>≤≥∂∞…→—")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """How wide a text becomes at most, in any usual sans-serif font of a size."""
    return size * sum(map(_em, text)) * (1.12 if bold else 1.0)


def _em(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.3
    if character in _NARROW:
        return 0.47
    if character in _WIDE:
        return 1.0
    plain = character.isascii() and (character.islower() or character.isdigit())
    return 0.66 if plain else 0.85


def printable(text: str) -> str:
    """A name without what would not be seen, or must not be in a file."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
