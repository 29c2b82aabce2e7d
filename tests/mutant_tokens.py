"""The tokens of C and of Cython, as far as mutants.py needs them to find expressions."""

from __future__ import annotations

import re
from typing import NamedTuple

OPENING, CLOSING = "([{", ")]}"


class Token(NamedTuple):
    text: str
    start: int
    end: int
    kind: str  # name, number, string, operator, mark (a limit of expressions)


TOKEN = {
    "c": re.compile(
        r"(?P<space>(?:\s|\\\n|//[^\n]*|/\*.*?\*/)+)"
        r"|(?P<define>\#[ \t]*define[ \t]+\w+(?:\([^)]*\))?)"
        r"|(?P<directive>\#[ \t]*(?:include|if|ifdef|ifndef|elif|else|endif|undef|pragma|error)\b"
        r"(?:\\\n|[^\n])*)"
        r"|(?P<string>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
        r"|(?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)[a-zA-Z]*)"
        r"|(?P<name>[A-Za-z_]\w*)"
        r"|(?P<operator>->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\.\.\.|[-+*/%&|^]=|\#\#|.)",
        re.DOTALL,
    ),
    "cython": re.compile(
        r"(?P<space>(?:[ \t]|\\\n|\#[^\n]*)+)"
        r"|(?P<newline>\n)"
        r"|(?P<string>[bfrBFR]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))"
        r"|(?P<number>(?:0[xX][0-9a-fA-F_]+|\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?|\.\d+))"
        r"|(?P<name>[A-Za-z_]\w*)"
        r"|(?P<operator>\*\*|//=|//|<<=|>>=|<<|>>|<=|>=|==|!=|->|[-+*/%&|^]=|.)",
        re.DOTALL,
    ),
}
CAST = re.compile(r"<\s*(?:const\s+)?\w[\w\s.]*(?:\[[^\]<>]*\])?\**\s*>")
_KEYWORDS = {
    "c": "return else case do sizeof goto break continue typedef static extern const",
    "cython": """
        return if elif else while for in is and or not lambda raise assert yield from import cimport
        cdef cpdef def class global try except finally with pass del include
    """,
}
KEYWORDS = {language: set(words.split()) for language, words in _KEYWORDS.items()}
#: What ends an expression, beside brackets.
_MARKS = {
    "c": "; , ? : && || = += -= *= /= %= &= |= ^= <<= >>= ... ## return else case do",
    "cython": """
        ; , : = += -= *= /= //= %= &= |= ^= <<= >>= -> return if elif else while for in and or not
        is lambda raise assert yield
    """,
}
MARKS = {language: set(words.split()) for language, words in _MARKS.items()}


def language(file: str) -> str:
    return "cython" if file.endswith(".pyx") else "c"


def tokens(text: str, kind: str) -> list[Token]:
    """Return the tokens of a file, without blanks and comments."""
    found: list[Token] = []
    place = depth = 0
    define_end = None
    while place < len(text):
        if define_end is not None and place >= define_end:
            found.append(Token(";", place, place, "end"))
            define_end = None
        match = TOKEN[kind].match(text, place)
        assert match, text[place : place + 50]
        what, word = match.lastgroup or "", match.group()
        if what == "define":
            define_end = place
            while (define_end := text.find("\n", define_end)) > 0 and text[define_end - 1] == "\\":
                define_end += 1
        if kind == "cython" and word == "<" and not (found and is_operand(found[-1], kind)):
            match = CAST.match(text, place) or match
            what, word = "cast" if match.end() - place > 1 else what, match.group()
        if what == "newline":
            if depth == 0 and found and found[-1].kind != "newline":
                found.append(Token("\n", place, place + 1, "newline"))
        elif what != "space":
            depth += (word in OPENING) - (word in CLOSING)
            found.append(Token(word, place, match.end(), what))
        place = match.end()
    return found


def is_operand(token: Token, kind: str) -> bool:
    """Return whether an operator behind this token has it for its left side."""
    if token.kind == "name":
        return token.text not in KEYWORDS[kind]
    return token.kind in ("number", "string") or token.text in (")", "]")


def is_mark(token: Token, kind: str) -> bool:
    return token.kind in ("newline", "define", "directive", "end") or token.text in MARKS[kind]


def partners(found: list[Token]) -> dict[int, int]:
    """Return the index of the other bracket for each bracket."""
    pairs, stack = {}, []
    for i, token in enumerate(found):
        if token.kind in ("define", "directive", "end"):
            stack = stack if token.kind != "define" else []
        if token.kind == "operator" and token.text in OPENING:
            stack.append(i)
        elif token.kind == "operator" and token.text in CLOSING and stack:
            j = stack.pop()
            pairs[i], pairs[j] = j, i
    return pairs
