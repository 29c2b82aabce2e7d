"""Small faults for the engine's sources, each of which the tests should catch.

A plant is one changed expression or statement of csrc or src/cygrad/_engine. `candidates` reads the
tokens of a file and lists the changes that are possible; `plants` takes some of them, evenly from
all files and kinds of change. `planted` writes the sources with all plants at once, each behind a
switch: CYGRAD_MUTANT chooses one when the module is loaded, so one build serves them all.

A plant's choice depends on its own text only: a change elsewhere in a file moves no other plant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

ROOT = Path(__file__).parents[1]
FOLDERS = ("csrc/*.[ch]", "src/cygrad/_engine/*.pyx")
#: Declarations, and files that only set the parameters of a template.
WITHOUT_PLANTS = re.compile(
    r"ranks\.pyx|"  # whose tests need MPI
    r"cygrad\.h|decimal\.h|tape\.h|scalar\.h|(?:kernels|tape|scalar)_\w+\.c|scalar_functions\.h"
)
LINES_FOR_A_PLANT = 32
FEWEST_OF_A_FILE = 3

#: No test can see these changes, or they are of no consequence: why, and the functions (or macros)
#: in which, or the lines on which, nothing is planted. A file's name, or * for all.
EXCLUDED = {
    "prefetching changes the time only": [
        ("*", r"prefetch|fetch_ahead|lines_per_tile"),
        ("tile.h", "prefetch_some()"),
        ("update.h", "prefetch_parameters()"),
    ],
    "the shapes of tiles and blocks, and the choice of a faster way to the same bits": [
        ("tile.h", r"CG_RUN_TILES|CG_RUN_GROUP|CG_TILE_WIDTHS|DEEP|BATCH_BLOCK|MANY|narrow"),
        ("tile.h", "CG_RUN_TILES()"),
        ("tile.h", "CG_RETURN_IF_NARROW()"),
        ("tile.h", "depth_block()"),
        ("blocks.pyx", "divided_rows()"),
        ("blocks.pyx", "block_rows()"),
        ("blocks.pyx", "plan_in_blocks()"),
    ],
    "the model of costs decides how many threads work, and on what, never what they compute": [
        ("*", r"cost|barrier|NORM_WORK|thread_count|\bmembers > 1\b|gil_release|\bwork\b"),
        ("plan.pyx", "max_tasks()"),
        ("plan.pyx", "best_thread_count()"),
        ("plan.pyx", "cost_in_turn()"),
    ],
    "waiting: how long a thread spins before it sleeps, and on which processor it works": [
        ("team.c", r"SPINS|YIELDS|pause|CACHE_LINE|sched_"),
        ("team.c", "cg_team_spread()"),
        ("team.c", "cg_team_wait()"),
        ("*", r"CACHE_LINE_PAIR"),
    ],
    "alignment and spare memory": [("*", r"aligned|\bPAGE\b|reserve|_Alignas|capacity =")],
    "measuring, not computing": [
        ("kernels.h", "multiply_adds()"),
        ("kernels.pyx", "fma_peak()"),
        ("processor.c", "cg_clock()"),
    ],
    "how many rows a pass has, and how much memory is kept for the next": [
        ("*", r"^cdef \w+ .*(?:CHUNK|KEPT_)\w* = "),
    ],
    "no test runs out of memory": [("*", r"(?:[\w.]+ == NULL or )+.*== NULL|MemoryError")],
    "processors other than the one that tests run on": [("simd.h", r"_mm|CG_VECTOR_BYTES|CG_X86")],
}


class Plant(NamedTuple):
    """A change: `text`, from `start` to `end` of the file, becomes what `wrap` makes of it."""

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
#: What is not computed when the engine runs cannot depend on a switch.
CONSTANT = re.compile(
    r"static const|\benum\b|^\s*-?[\d.]+(?:[eE][-+]?\d+)?f?,|"
    r"_Static_assert|typedef|: -?[\d]+,?$"
)
OPENING, CLOSING = "([{", ")]}"
TYPES = re.compile(
    r"\w+_t|real|vec|mask|integer|char|int|double|float|void|unsigned|long|const|bint|Py_ssize_t|"
    r"Layer|Workspace|Pass|Part|Operation|object|size_t|tile|product|struct|cg_[a-z]+(?:_[a-z]+)?"
)
SWAPPED = {
    "arithmetic": {"+": "-", "-": "+", "*": "/", "/": "*", "//": "*", "%": "/", "<<": ">>",
                   ">>": "<<", "&": "|", "|": "&", "^": "|"},
    "comparison": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
}  # fmt: skip
SWAPPED_NAMES = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "fold_max": "fold_sum",
    "floor": "ceil", "sin_": "cos_", "cos_": "sin_",
}  # fmt: skip
FLAGS = re.compile(
    r"is_\w+|has_\w+|continues|relu|upper|training|adds|True|False|single|keep|"
    r"exclusive|train_\w+|use_\w+|stores_\w+|gathers|goes_on|inverted"
)


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

    def unit(self, i: int) -> tuple[int, int]:
        """Return the first token and the one behind the last of the expression around token i."""
        first, last = i, i
        while first > 0:
            token = self.tokens[first - 1]
            if is_mark(token, self.language) or (
                token.kind == "operator" and token.text in OPENING
            ):
                break
            if token.kind == "operator" and token.text in CLOSING:
                if first - 1 not in self.pairs:
                    break
                first = self.pairs[first - 1]
            else:
                first -= 1
        while last < len(self.tokens):
            token = self.tokens[last]
            if is_mark(token, self.language) or (
                token.kind == "operator" and token.text in CLOSING
            ):
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
        first = self.unit(i)[0]
        last = self.unit(i + 1 + (self.tokens[i + 1].text == "not"))[1]
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
            second, last = self.unit(middle + 1)
            if last < len(self.tokens) and self.tokens[last].text != "?" and second < last:
                changed = f"{self.joined(second, last)} : {self.joined(first, middle)}"
                condition = self.unit(i)[0]
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
            last = self.unit(i + 1)[1]
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
        first = self.unit(i)[0]
        if first >= i or self.tokens[i - 1].kind == "newline":
            return
        k = i
        while k < len(self.tokens) and self.tokens[k].text not in ("else", "\n"):
            k = self.pairs.get(k, k) + 1 if self.tokens[k].text in OPENING else k + 1
        if k < len(self.tokens) and self.tokens[k].text == "else" and i not in (first,):
            second, last = self.unit(k + 1)
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


#: Plants that the tests do not catch, by why they need not: how their names begin.
SURVIVORS = {
    "the result is the same": """
        decimal.c cg_read_decimal: w <= UINT64_C(1) << 53 ⇒
        kernels.h function: i < n ⇒
        power.h log_pair: z * b ⇒
        samples.c find_nonfinite_standardized: part.cols * part.col_stride ⇒
        tape.c cg_tape_kernels_of: i < sizeof tables
        tape.c load_points: i < register_size ⇒
        tape_kernels.h run_one: tape->result * LANES ⇒
        team.c open_phase: atomic_load_explicit(& team->phase, memory_order_relaxed) + 1 ⇒
        tile.h plain_gradient: - 1 ⇒
        trigonometry.h large_angles: sizes[i] < CG_LARGE_ANGLE ⇒
        update.h update_by_sample: u->threshold > 0 ⇒
        equations.pyx hidden_delta: l > 0 ⇒
        kernels.pyx evaluate: - 1 ⇒
        layers.pyx has_residual_sum: 0 ⇒
        parameters.pyx pack_weights: rows < width ⇒
        tape.pyx evaluate_gate: 0 ⇒
    """,
    "another way to the same result, slower or as fast": """
        tape.c load_points: from->stride == sizeof(double) ⇒
        tape_kernels.h backward_vectors: vectors == 1 && b_offset != y_offset
        tile.h forward: z->cols == 1 && rows >= COLUMN_ROWS
        delimited.pyx __init__: False ⇒
        interrupts.pyx check: cg_clock() - self.last < INTERVAL ⇒
        parameters.pyx unpack_weights: columns == width ⇒
        plan.pyx split_operations: units + blocks - 1 ⇒
        plan.pyx look_ahead: self.members if op.is_split else 1 ⇒
        plan.pyx look_ahead: members ⇒
    """,
    "more memory, or memory that is kept for the next call, or not": """
        engine.pyx padded: size + width - 1 ⇒
        engine.pyx plan: - 1 ⇒
        engine.pyx end_inference: not context.is_kept ⇒
    """,
    "a number that is not set, for which the compiler takes the one that was left out": """
        engine.pyx numbers: numbers.row_stride, numbers.col_stride = size
    """,
    "a read or write behind the end that changes no result: sanitizers find those": """
        functions.h polynomial: 2 * i + 1 < count ⇒
        team.c cg_team_open_in_order: part < team->parts ⇒
        delimited.pyx number: text + bytes(PADDING) ⇒
        loops_plan.pyx update_parameters: 0 ⇒
    """,
    "only −1 is read, for an error": """
        plan.pyx add: 0 ⇒
        samples.pyx acquire_array: 0 ⇒
    """,
    "no test runs out of memory": """
        plan.pyx add_penalty: s.squares == NULL ⇒
        tape.pyx __cinit__: self.block == NULL ⇒
    """,
    "a check that nothing fails unless indices change while they are read": """
        sparse.c CG_READ_NONZEROS: column < (uint64_t) x->cols ⇒
    """,
    "a check of the package's own calls": """
        step_update.pyx new_optimizer: not HYPERPARAMETERS.issuperset
        tape.pyx first_number: True ⇒
    """,
}


def reason_of(name: str) -> str | None:
    """Return why a plant of this name need not be caught, or None if there is no reason."""
    for reason, beginnings in SURVIVORS.items():
        if any(name.startswith(each.strip()) for each in beginnings.strip().split("\n")):
            return reason
    return None


def is_excluded(plant: Plant, line: str) -> str | None:
    """Return why nothing is planted there, or None."""
    name = Path(plant.file).name
    for reason, places in EXCLUDED.items():
        for file, what in places:
            if file not in ("*", name):
                continue
            if what.endswith("()"):
                if plant.function == what[:-2]:
                    return reason
            elif re.search(what, line):
                return reason
    return None


def sources() -> dict[str, str]:
    """Return the text of each file in which something can be planted."""
    return {
        str(path.relative_to(ROOT)): path.read_text()
        for pattern in FOLDERS
        for path in sorted(ROOT.glob(pattern))
        if not WITHOUT_PLANTS.fullmatch(path.name)
    }


def candidates(file: str, text: str) -> list[Plant]:
    """Return all changes of a file."""
    source = Source(file, text)
    lines = text.split("\n")
    found = []
    for each in [*source.expressions(), *source.statements()]:
        if each is None or each.text == each.changed or '"' in each.changed or "'" in each.changed:
            continue
        whole = text[each.start : each.end]
        line = lines[each.line - 1]
        if source.language == "c" and re.search(r"#|/\*|//", whole):
            continue
        if re.match(r"\s*(?:cdef|cpdef|def|class|from|import|cimport|ctypedef|@)\b", line) and (
            "=" not in line or line.rstrip().endswith(":")
        ):
            continue
        if source.language == "cython" and re.search(r"\bexcept\b", line):
            continue
        if source.language == "c" and (CONSTANT.search(line) or is_property(each, line)):
            continue
        if is_excluded(each, line) is None and not is_tie(each, text):
            found.append(each)
    return found


def is_tie(plant: Plant, text: str) -> bool:
    """Return whether a comparison selects the smaller or larger of two: equal ones are the same."""
    choice = re.match(r"\s*\?\s*([^?:]+?)\s*:\s*([\w.>-]+)", text[plant.end :])
    operands = re.split(r" [<>]=? ", text[plant.start : plant.end])
    return choice is not None and plant.kind == "comparison" and operands == [*choice.groups()]


def is_property(plant: Plant, line: str) -> bool:
    """Return whether a text is a constant in the row of a table: it is in an enum too."""
    row = re.match(r"\s*(?:ROW|TERMS|ELEMENTWISE|WHOLE_ROWS)\(", line)
    return row is not None and re.fullmatch(r"[\dA-Z_ |]+", plant.text) is not None


def chosen(file: str, text: str, left_out: frozenset[str] = frozenset()) -> list[Plant]:
    """Take some of the changes of a file, of each kind in turn, at most one for each line."""
    by_kind: dict[str, list[Plant]] = {}
    names: set[str] = set()
    for each in candidates(file, text):
        if each.name not in names and each.name not in left_out:
            names.add(each.name)
            by_kind.setdefault(each.kind, []).append(each)
    for several in by_kind.values():
        several.sort(key=lambda each: crc32(each.name.encode()))
    wanted = max(FEWEST_OF_A_FILE, text.count("\n") // LINES_FOR_A_PLANT)
    taken: list[Plant] = []
    lines: set[int] = set()
    while by_kind and len(taken) < wanted:
        for kind in sorted(by_kind):
            while by_kind[kind] and len(taken) < wanted:
                each = by_kind[kind].pop(0)
                more = text[each.start : each.end].count("\n")
                covered = set(range(each.line, each.line + 1 + more))
                if not covered & lines:
                    lines |= covered
                    taken.append(each)
                    break
            if not by_kind[kind]:
                del by_kind[kind]
                break
    return sorted(taken, key=lambda each: each.start)


def planted(text: str, plants: dict[int, Plant]) -> str:
    """Return a file with plants, each switched on by CG_M(its number); no line moves."""
    for number, each in sorted(plants.items(), key=lambda item: -item[1].start):
        original = text[each.start : each.end]
        on = f"CG_M({number})"
        if language(each.file) == "c":
            if each.kind in ("statement", "store"):
                end = text.index(";", each.end) + 1
                text = f"{text[: each.start]}{{ if (!{on}) {text[each.start : end]} }}{text[end:]}"
                continue
            new = f"({on} ? ({each.changed}) : ({original}))"
        elif each.kind in ("statement", "store"):
            new = f"if not {on}: {original}"
        else:
            new = f"(({each.changed}) if {on} else ({original}))"
        text = text[: each.start] + new + text[each.end :]
    return text
