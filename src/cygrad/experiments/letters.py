"""Mathematics for terminals that lack its letters: ∂C/∂w₀ becomes dC/dw_0, and σ(z) sigma(z)."""

from __future__ import annotations

import unicodedata
from itertools import groupby

#: What takes the place of signs that are neither Greek letters nor variants of plain ones.
SIGNS = {
    "−": "-",
    "–": "-",
    "─": "-",
    "·": "*",
    "⊙": "*",
    "×": "x",
    "÷": "/",
    "⁄": "/",
    "±": "+-",
    "≈": "~",
    "∝": "~",
    "∂": "d",
    "∇": "grad",
    "√": "sqrt",
    "′": "'",
    "‖": "||",
    "←": "<-",
    "→": "->",
    "…": "...",
}
RAISED = {"<super>": "^", "<sub>": "_"}


def transliterate(text: str, encoding: str | None) -> str:
    """The text in letters that the encoding has; unchanged, if it has all of them or is None.

    Exponents and indices are written behind ^ and _. A letter without anything like it becomes its
    number, as in \\u8d64.
    """
    if encoding is None or _can_encode(encoding, text):
        return text
    parts = (
        "".join(characters) if known else _transliterate_unknown(tuple(characters), encoding)
        for known, characters in groupby(text, lambda character: _can_encode(encoding, character))
    )
    return "".join(parts)


def _can_encode(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _transliterate_unknown(characters: tuple[str, ...], encoding: str) -> str:
    """Transliterate letters that the encoding lacks; exponents in a row share one sign."""
    text = ""
    for sign, group in groupby(characters, _prefix):
        text += sign + "".join(map(_closest_plain, group))
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _prefix(character: str) -> str:
    """^ for an exponent, _ for an index, else nothing."""
    return RAISED.get(unicodedata.decomposition(character).partition(" ")[0], "")


def _closest_plain(character: str) -> str:
    """What is most like a letter among plain ones; the letter itself, if nothing is."""
    decomposed = unicodedata.normalize("NFKD", character)
    text = "".join(_spell(each) for each in decomposed if not unicodedata.combining(each))
    return text if text.isascii() else character


def _spell(character: str) -> str:
    name = unicodedata.name(character, "").replace("LAMDA", "LAMBDA")
    if name.startswith("GREEK SMALL LETTER "):
        return name.split()[3].lower()
    if name.startswith("GREEK CAPITAL LETTER "):
        return name.split()[3].capitalize()
    return SIGNS.get(character, character)
