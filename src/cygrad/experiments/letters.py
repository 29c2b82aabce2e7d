"""Mathematics for terminals that lack its letters: ∂C/∂w₀ becomes dC/dw_0, σ(z) sigma(z)."""

from __future__ import annotations

import unicodedata
from itertools import groupby

#: Replacements of signs that are neither Greek letters nor variants of plain characters.
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
    """Return the text in letters of the encoding; unchanged if it has all of them or is None.

    Exponents and indices follow ^ and _. A letter without a similar plain one becomes its code
    point, as in \\u8d64.
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
    """Replace characters that the encoding lacks; adjacent exponents share one ^."""
    text = ""
    for sign, group in groupby(characters, _prefix):
        text += sign + "".join(map(_closest_plain, group))
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _prefix(character: str) -> str:
    """Return ^ for an exponent, _ for an index, else nothing."""
    return RAISED.get(unicodedata.decomposition(character).partition(" ")[0], "")


def _closest_plain(character: str) -> str:
    """Return the plain characters most like this one; the character itself if there are none."""
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
