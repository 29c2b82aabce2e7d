"""The texts of drawings: numbers as text, and the widths of texts."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np

MINUS = "−"
SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")

#: Arrays with more elements are shown by their shape.
MAX_ELEMENTS = 4


def value_text(value: Any, digits: int) -> str:
    """Format a number, the elements of a small array, or the shape of a larger one."""
    if np.ndim(value) == 0:
        return number_text(float(value), digits)
    if np.ndim(value) > 2 or not 0 < np.size(value) <= MAX_ELEMENTS:
        return str(np.shape(value))
    return f"[{', '.join(value_text(each, digits) for each in value)}]"


def number_text(value: float, digits: int) -> str:
    """Format a number with `digits` decimals: more if it is small, fewer if they would be zeros.

    >>> [number_text(value, 2) for value in (-12.0, 1.1, 0.19661193, 0.0012345, 1.5e-7)]
    ['−12', '1.1', '0.20', '0.0012', '1.5·10⁻⁷']
    """
    size = abs(value)
    if size == 0.0:
        text = "0"
    elif _is_short(size, digits) and size < 1e6:
        text = f"{size:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{size:.0f}"
    elif 1e-3 <= size < 1e6:
        # At least `digits` significant digits.
        text = f"{size:.{digits + max(0, -_exponent(size) - 1)}f}"
    else:
        mantissa, exponent = f"{size:.{max(digits - 1, 0)}e}".split("e")
        text = f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    return text if value >= 0 or text == "0" else MINUS + text


def _is_short(size: float, digits: int) -> bool:
    """Return whether only rounding errors follow after `digits` decimals."""
    return abs(size - round(size, digits)) <= 1e-12 * size


def _exponent(size: float) -> int:
    return int(f"{size:e}".split("e")[1])


def exponent_text(value: float, digits: int) -> str:
    """Format a number as an exponent, with superscript characters if there are any for it."""
    text = number_text(value, digits)
    if value == int(value) and "·" not in text:
        return text.replace(MINUS, "-").translate(SUPERSCRIPTS)
    return f"^{text}" if value > 0 else f"^({text})"


_NARROW = frozenset(" .,:;'|!()[]/\\ijlIft·-ʸˣ⁰¹²³⁴⁵⁶⁷⁸⁹")
_WIDE = frozenset("mwMWω@%&#^~−+×÷=<>≤≥∂∞…→—")


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Return an upper bound on the width of a text in any common sans-serif font of a size."""
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
    """Replace the characters of a name that are invisible or not allowed in a file."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
