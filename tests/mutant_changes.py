"""The changes that are possible in a source of C or Cython: one expression or statement each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mutant_tokens import (
    CLOSING,
    KEYWORDS,
    OPENING,
    Token,
    is_mark,
    is_operand,
    language,
    partners,
    tokens,
)


class Plant(NamedTuple):
    """A change: `text`, from `start` to `end` of the file, becomes `changed`."""

    file: str
    line: int
    function: str
    kind: str
    start: int
    end: int
    text: str
    changed: str

    @property
    def name(self) -> str:
        """The text of the change, which names the plant as long as its line stays as it is."""
        return f"{Path(self.file).name} {self.function}: {self.text} ⇒ {self.changed or 'nothing'}"


TYPES = re.compile(
    r"\w+_t|real|vec|mask|integer|char|int|double|float|void|unsigned|long|const|bint|Py_ssize_t|"
    r"Layer|Workspace|Pass|Part|Operation|object|size_t|tile|product|struct|cg_[a-z]+(?:_[a-z]+)?"
)
SWAPPED = {
    "arithmetic": {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "/", "<<": ">>",
                   ">>": "<<", "&": "|", "|": "&", "^": "|"},
    "comparison": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
}  # fmt: skip
#: Marks within an operand of a logical operator, and within one of a choice.
COMPARING = frozenset({"not", "in", "is"})
LOGICAL = COMPARING | {"and", "or", "&&", "||"}
SWAPPED_NAMES = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "fold_max": "fold_sum",
    "floor": "ceil", "sin_": "cos_", "cos_": "sin_",
}  # fmt: skip
FLAGS = re.compile(
    r"is_\w+|has_\w+|continues|relu|upper|training|adds|True|False|single|keep|"
    r"exclusive|train_\w+|use_\w+|stores_\w+|gathers|goes_on|inverted"
)


class Source:
    """A file with its tokens."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.text, self.language = file, text, language(file)
        self.tokens = tokens(text, self.language)
        self.pairs = partners(self.tokens)
        self.lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self.functions = self._functions()

    def line_of(self, place: int) -> int:
        low, high = 0, len(self.lines)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.lines[middle] <= place else (low, middle)
        return low + 1

    def _functions(self) -> list[str]:
        """Return the name of the function, or the macro, of each line."""
        names, now = [], ""
        lines = self.text.split("\n")
        for i, line in enumerate(lines):
            if self.language == "c":
                if i and lines[i - 1].endswith("\\"):
                    pass
                elif define := re.match(r"#\s*define\s+(\w+)", line):
                    now = define[1]
                elif begin := re.match(r"[A-Za-z][\w ]*[ *](?:__attribute__\S+ )?(\w+)\(", line):
                    now = begin[1]
            elif begin := re.match(
                r"\s*(?:async )?(?:cdef|cpdef|def)\b(?! class)[^=]*?(\w+)\(", line
            ):
                now = begin[1]
            elif re.match(r"\w", line):
                now = ""
            names.append(now)
        return names

    def unit(self, i: int, operators: frozenset[str] = frozenset()) -> tuple[int, int]:
        """Return the first token and the one behind the last of the expression around token i.

        It ends at a mark, unless that is one of these operators, which are within the expression.
        """
        first, last = i, i
        while first > 0:
            token = self.tokens[first - 1]
            ends = is_mark(token, self.language) and token.text not in operators
            if ends or (token.kind == "operator" and token.text in OPENING):
                break
            if token.kind == "operator" and token.text in CLOSING:
                if first - 1 not in self.pairs:
                    break
                first = self.pairs[first - 1]
            else:
                first -= 1
        while last < len(self.tokens):
            token = self.tokens[last]
            ends = is_mark(token, self.language) and token.text not in operators
            if ends or (token.kind == "operator" and token.text in CLOSING):
                break
            last = (
                self.pairs.get(last, last) + 1
                if token.kind == "operator" and token.text in OPENING
                else last + 1
            )
        return first, last

    def joined(self, first: int, last: int, replace: dict[int, str] | None = None) -> str:
        """Return tokens in one line, some of them replaced."""
        words = [
            (replace or {}).get(i, self.tokens[i].text)
            for i in range(first, last)
            if self.tokens[i].kind != "newline"
        ]
        line = " ".join(words)
        around = r"(?<=[\w)\]]) (?=[\[.,])|(?<=[(\[.]) | (?=[)\],])| (?=->)|(?<=->) "
        line = re.sub(around, "", line)
        return re.sub(r"\b(?!and|or|not|in|is|if|else)(\w+) \(", r"\1(", line)

    def expression(self, i: int, kind: str, replace: dict[int, str]) -> Plant | None:
        """Return a plant in the expression around token i."""
        first, last = self.unit(i)
        if first >= last:
            return None
        return self.plant(first, last, kind, self.joined(first, last, replace).strip())

    def plant(self, first: int, last: int, kind: str, changed: str) -> Plant:
        start, end = self.tokens[first].start, self.tokens[last - 1].end
        line = self.line_of(start)
        return Plant(
            self.file, line, self.functions[line - 1], kind, start, end, self.joined(first, last),
            changed,
        )  # fmt: skip

    # Changes of expressions

    def expressions(self) -> Iterator[Plant | None]:
        for i, token in enumerate(self.tokens):
            before = self.tokens[i - 1] if i else None
            binary = before is not None and is_operand(before, self.language)
            if token.kind == "operator":
                yield from self._operators(i, token, binary)
            elif token.kind == "number":
                yield self._constant(i, token)
            elif token.kind == "name":
                yield from self._names(i, token)

    def _operators(self, i: int, token: Token, binary: bool) -> Iterator[Plant | None]:
        before = self.tokens[i - 1] if i else None
        word = token.text
        if binary and before is not None and not TYPES.fullmatch(before.text):
            for kind, swapped in SWAPPED.items():
                if word in swapped:
                    yield self.expression(i, kind, {i: swapped[word]})
            if word == "+":
                first, last = self.unit(i)
                dropped = {k: "" for k in range(i, last)}
                if not any(
                    self.tokens[k].text in SWAPPED["comparison"] for k in range(first, last)
                ):
                    yield self.expression(i, "offset", dropped)
            if word in ("&&", "||"):
                yield from self._logic(i, {"&&": "||", "||": "&&"}[word])
        elif not binary and word in ("!", "~", "-"):
            following = self.tokens[i + 1]
            if following.kind in ("name", "number") or following.text == "(":
                yield self.expression(i, "negation", {i: ""})
        if word == "[" and binary and i in self.pairs:
            yield from self._index(i)
        if word == "?":
            yield from self._choice(i)

    def _logic(self, i: int, other: str) -> Iterator[Plant | None]:
        stronger = COMPARING | ({"and", "&&"} if self.tokens[i].text in ("or", "||") else set())
        first, last = self.unit(i, stronger)[0], self.unit(i + 1, stronger)[1]
        if first < i and last > i + 2:
            yield self.plant(first, last, "logic", self.joined(first, last, {i: other}))

    def _index(self, i: int) -> Iterator[Plant | None]:
        first, last = i + 1, self.pairs[i]
        inside = [self.tokens[k].text for k in range(first, last)]
        if inside == ["real"]:
            return
        if inside and not set(inside) & {":", ",", ";"} and self.tokens[first].kind != "string":
            changed = self.joined(first, last) + " + 1"
            yield self.plant(first, last, "index", changed)

    def _choice(self, i: int) -> Iterator[Plant | None]:
        """c ? a : b as c ? b : a"""
        first, middle = self.unit(i + 1)
        if middle < len(self.tokens) and self.tokens[middle].text == ":":
            second, last = middle + 1, self.unit(middle + 1, LOGICAL)[1]
            if last < len(self.tokens) and self.tokens[last].text != "?" and second < last:
                changed = f"{self.joined(second, last)} : {self.joined(first, middle)}"
                condition = self.unit(i, LOGICAL)[0]
                yield self.plant(
                    condition, last, "select", f"{self.joined(condition, i)} ? {changed}"
                )

    def _constant(self, i: int, token: Token) -> Plant | None:
        found = re.fullmatch(r"(\d+)(\.\d*)?([eE][+-]?\d+)?([a-zA-Z]*)", token.text)
        if not found:
            return None
        whole, fraction, exponent, suffix = found.groups(default="")
        changed = f"{int(whole) + 1}{fraction}{exponent}{suffix}"
        return self.expression(i, "constant", {i: changed})

    def _names(self, i: int, token: Token) -> Iterator[Plant | None]:
        word, following = token.text, self.tokens[i + 1] if i + 1 < len(self.tokens) else None
        called = following is not None and following.text == "(" and i + 1 in self.pairs
        if called and word in SWAPPED_NAMES:
            yield self.expression(i, "min/max", {i: SWAPPED_NAMES[word]})
        before = self.tokens[i - 1]
        defined = before.kind == "name" and TYPES.match(before.text)
        if called and word in ("select_", "masked") and not defined:
            yield from self._select(i, word)
        if called and word == "range":
            yield from self._count(i)
        if word in ("and", "or"):
            yield from self._logic(i, {"and": "or", "or": "and"}[word])
        if (
            word == "not"
            and self.tokens[i - 1].text != "is"
            and following is not None
            and following.text != "in"
        ):
            last = self.unit(i + 1, COMPARING)[1]
            yield self.plant(i, last, "negation", self.joined(i + 1, last))
        if word == "if" and self.language == "cython":
            yield from self._choice_in_python(i)
        if FLAGS.fullmatch(word) and not called:
            first, last = self.unit(i)
            path = re.fullmatch(r"\w+(?:(?:\.|->)\w+)*", self.joined(first, last))
            if path and self.tokens[last - 1].text == word and not self._is_set(last):
                inverted = "!" if self.language == "c" else "not"
                if self.tokens[first - 1].kind != "name" or is_mark(
                    self.tokens[first - 1], self.language
                ):
                    yield self.plant(first, last, "flag", f"{inverted} {self.joined(first, last)}")

    def _is_set(self, i: int) -> bool:
        """Return whether token i assigns to what stands before it, or goes on to name it."""
        words = ("=", "+=", "-=", "*=", "|=", "&=", "is")
        return i < len(self.tokens) and self.tokens[i].text in words

    def _arguments(self, i: int) -> list[tuple[int, int]]:
        """Return the first token and the one behind the last of each argument of a call."""
        close = self.pairs[i + 1]
        ranges, first, k = [], i + 2, i + 2
        while k <= close:
            if k == close or self.tokens[k].text == ",":
                ranges.append((first, k))
                first = k + 1
            k = self.pairs[k] + 1 if k in self.pairs and k < close else k + 1
        return ranges

    def _select(self, i: int, word: str) -> Iterator[Plant | None]:
        given = [self.joined(*each) for each in self._arguments(i)]
        close = self.pairs[i + 1] + 1
        if word == "select_" and len(given) == 3:
            yield self.plant(i, close, "select", f"select_({given[0]}, {given[2]}, {given[1]})")
        elif word == "masked" and len(given) == 2:
            yield self.plant(i, close, "select", given[0])

    def _count(self, i: int) -> Iterator[Plant | None]:
        given = self._arguments(i)
        if given and len(given) <= 2:
            yield self.plant(*given[-1], "count", f"{self.joined(*given[-1])} - 1")

    def _choice_in_python(self, i: int) -> Iterator[Plant | None]:
        """a if c else b as b if c else a"""
        first = self.unit(i, LOGICAL)[0]
        if first >= i or self.tokens[i - 1].kind == "newline":
            return
        k = i
        while k < len(self.tokens) and self.tokens[k].text not in ("else", "\n"):
            k = self.pairs.get(k, k) + 1 if self.tokens[k].text in OPENING else k + 1
        if k < len(self.tokens) and self.tokens[k].text == "else" and i not in (first,):
            second, last = k + 1, self.unit(k + 1, LOGICAL)[1]
            if second < last and self.tokens[k + 1].text != ":":
                changed = (
                    f"{self.joined(second, last)} {self.joined(i, k)} else {self.joined(first, i)}"
                )
                yield self.plant(first, last, "select", changed)

    # Changes of statements and branches

    def statements(self) -> Iterator[Plant]:
        for first, last in self._statements():
            words = [self.tokens[k].text for k in range(first, last)]
            kind = "store" if words[0] == "store" or self._stores(first, last) else "statement"
            yield self.plant(first, last, kind, "")
        for i, token in enumerate(self.tokens):
            if token.text not in ("if", "elif"):
                continue
            if self.language == "c" and i + 1 in self.pairs:
                first, last = i + 2, self.pairs[i + 1]
                yield self.plant(first, last, "branch", "0")
            elif self.language == "cython" and i and self.tokens[i - 1].kind == "newline":
                last = self._end_of_condition(i + 1)
                if last is not None:
                    yield self.plant(i + 1, last, "branch", "False")

    def _end_of_condition(self, i: int) -> int | None:
        while i < len(self.tokens) and self.tokens[i].kind != "newline":
            if self.tokens[i].text == ":":
                return i
            i = self.pairs.get(i, i) + 1 if self.tokens[i].text in OPENING else i + 1
        return None

    def _stores(self, first: int, last: int) -> bool:
        for k in range(first, last):
            if self.tokens[k].text in ("=", "+=", "-=", "*=", "|="):
                return self.tokens[k - 1].text == "]"
        return False

    def _statements(self) -> Iterator[tuple[int, int]]:
        """The tokens of each assignment to something that exists already, and of each call."""
        if self.language == "c":
            inside: list[int] = []
            for i, token in enumerate(self.tokens):
                if token.kind in ("define", "directive"):
                    inside = []
                if token.kind == "operator" and token.text in OPENING:
                    inside.append(i)
                elif token.kind == "operator" and token.text in CLOSING and inside:
                    inside.pop()
                if inside and self.tokens[inside[-1]].text == "[":
                    continue
                if inside and self.tokens[inside[-1] - 1].text == "for":
                    continue
                if self._begins_statement(i):
                    last = i + 1
                    while last < len(self.tokens) and self.tokens[last].text != ";":
                        opening = self.tokens[last].text in OPENING
                        if self.tokens[last].text in CLOSING and not opening:
                            break
                        last = self.pairs.get(last, last) + 1 if opening else last + 1
                    if last < len(self.tokens) and self._is_statement(i + 1, last):
                        yield i + 1, last
            return
        first = 0
        for i, token in enumerate(self.tokens):
            if token.kind == "newline":
                if first < i and self._is_statement(first, i):
                    yield first, i
                first = i + 1

    def _begins_statement(self, i: int) -> bool:
        """Return whether a statement may begin behind token i."""
        token = self.tokens[i]
        if token.text in (";", "{", "}", "else") and token.kind in ("operator", "name"):
            return True
        if token.text == ")" and i in self.pairs:
            before = self.tokens[self.pairs[i] - 1].text
            return before in ("if", "for", "while")
        return False

    def _is_statement(self, first: int, last: int) -> bool:
        head = self.tokens[first]
        if head.kind != "name" or head.text in KEYWORDS[self.language] or last - first < 3:
            return False
        if head.text in ("if", "for", "while", "switch", "CG_UNROLL", "enum", "struct", "print"):
            return False
        following = self.tokens[first + 1]
        if following.kind == "name" or (self.language == "c" and TYPES.fullmatch(head.text)):
            return False
        if following.text == "*" and self.language == "c":
            return False
        texts = [self.tokens[k].text for k in range(first, last)]
        if following.text == "(" and self.pairs.get(first + 1) == last - 1:
            return True  # a call
        if self.language == "cython" and ":" in texts and texts[-1] == ":":
            return False
        for k in range(first, last):
            word = self.tokens[k].text
            if word in ("+=", "-=", "*=", "|=", "&="):
                return True
            if word == "=":
                return k > first + 1 or self.language == "c"
        return self.tokens[last - 1].text == ")"
