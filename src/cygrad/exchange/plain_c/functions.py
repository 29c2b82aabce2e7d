"""The kernels' functions of vectors as C99 functions of one number.

`Functions` translates those that a network needs: a vector becomes a number, a mask an unsigned
integer, and every operation on numbers a macro, since the header decides how it is rounded. An
activation that is added to csrc needs nothing here.
"""

from __future__ import annotations

from typing import NamedTuple

from cygrad.exchange.plain_c.literals import literal
from cygrad.exchange.plain_c.sources import BY_HAND, TYPES, inside, number, source_of, split

#: Functions of simd.h: the type of their results, and their names in the templates.
ARITHMETIC = {
    "fma_": ("R", "FMA"),
    "maximum": ("R", "larger"),
    "minimum": ("R", "smaller"),
    "abs_": ("R", "absolute"),
    "select_": ("R", "select"),
    "masked": ("R", "masked"),
}


class Translated(NamedTuple):
    """An expression: its type (R a number, M a mask, C a comparison, A an angle), and its text."""

    type: str
    text: str


class Functions:
    """The functions for one dtype and one prefix.

    Parameters
    ----------
    dtype : {"float32", "float64"}
    prefix : str
        Names begin with it and an underscore, macros with it in upper case.
    """

    def __init__(self, dtype: str, prefix: str) -> None:
        self.dtype, self.prefix = dtype, prefix
        self.source = source_of(dtype)
        self._made: dict[str, str] = {}  # by the name, in the order of the definitions
        self.by_hand: set[str] = set()

    def activation(self, name: str) -> str:
        """Translate an activation, with all that it calls, and return the name of the function."""
        key = f"activation_{name}"
        if key not in self._made:
            tokens = ["return", *self.source.values[name], ";"]
            parameters = {"z": "R", "parameter": "R"}
            body = _Body(self, tokens, parameters).block()
            unused = "" if "parameter" in self.source.values[name] else " (void)parameter;"
            real = f"{self.prefix}_real"
            self._made[key] = (
                f"{self.prefix.upper()}_INLINE {real} {self.prefix}_{key}({real} z, "
                f"{real} parameter)\n{{{unused}{body}\n}}\n"
            )
        return f"{self.prefix}_{key}"

    def function(self, name: str) -> str:
        """Translate a function of the sources, with all that it calls, and return its new name."""
        if name in BY_HAND:
            self.by_hand.add(name)
        elif name not in self._made:
            definition = self.source.functions[name]
            scope = {parameter: type_ for type_, parameter in definition.parameters}
            body = _Body(self, definition.body, scope).block()
            parameters = ", ".join(self._parameter(*each) for each in definition.parameters)
            self._made[name] = (
                f"{self.prefix.upper()}_INLINE {self.type_name(definition.type)} "
                f"{self.prefix}_{name}({parameters or 'void'})\n{{{body}\n}}\n"
            )
        return f"{self.prefix}_{name}"

    def polynomial(self, array: str, first: int, count: int) -> str:
        """Make the function Σ c[first + i] xⁱ by Horner's scheme, and return its name."""
        key = f"polynomial_{array}" + (f"_{first}" if first else "")
        if key not in self._made:
            c = [literal(value, self.dtype) for value in self.source.arrays[array][first:]]
            assert len(c) == count
            fma = f"{self.prefix.upper()}_FMA"
            real = f"{self.prefix}_real"
            steps = "".join(f"\n    y = {fma}(y, x, {each});" for each in c[-2::-1])
            self._made[key] = (
                f"{self.prefix.upper()}_INLINE {real} {self.prefix}_{key}({real} x)\n{{\n"
                f"    {real} y = {c[-1]};{steps}\n    return y;\n}}\n"
            )
        return f"{self.prefix}_{key}"

    def text(self) -> str:
        """Return the definitions that have been asked for, each before its first use."""
        return "\n".join(self._made.values())

    def constant(self, name: str) -> float | None:
        """Return the value of a macro or enumerator, or None if it has none."""
        return self.source.constants.get(name)

    def type_name(self, type_: str) -> str:
        return self.prefix + {"R": "_real", "M": "_bits", "C": "_bits", "A": "_angle"}[type_[0]]

    def _parameter(self, type_: str, name: str) -> str:
        return f"{self.type_name(type_)} {'*' if type_.endswith('*') else ''}{name}"


class _Body:
    """The translation of the statements of one function, by recursive descent."""

    #: Binary operators by their precedence, the loosest first.
    LEVELS = tuple(
        each.split() for each in ("|", "^", "&", "== != < > <= >=", "<< >>", "+ -", "* /")
    )

    def __init__(self, functions: Functions, tokens: list[str], scope: dict[str, str]) -> None:
        self.functions, self.tokens, self.at = functions, tokens, 0
        self.scope = {name: type_[0] for name, type_ in scope.items()}
        self.macro = functions.prefix.upper()
        self.name = functions.prefix

    # Statements

    def block(self) -> str:
        lines = []
        while self.at < len(self.tokens):
            lines.append(f"\n    {self.statement()}")
        return "".join(lines)

    def statement(self) -> str:
        token = self.peek()
        if token == "return":
            self.take()
            value = self.expression()
            self.expect(";")
            return f"return {value.text};"
        if token == "(" and self.tokens[self.at + 1] == "void":  # (void)parameter
            end = self.tokens.index(";", self.at)
            text = "".join(self.tokens[self.at : end + 1])
            self.at = end + 1
            return text
        if token == "if":
            self.take()
            self.expect("(")
            condition = self.expression()
            self.expect(")")
            return f"if ({condition.text}) {self.statement()}"
        if token in TYPES and self.tokens[self.at + 1] not in ("(", ")"):
            return self.declaration()
        parts = [self.assignment()]
        while self.peek() == ",":
            self.take()
            parts.append(self.assignment())
        self.expect(";")
        return ", ".join(parts) + ";"

    def declaration(self) -> str:
        type_ = TYPES[self.take()]
        parts = []
        while True:
            name = self.take()
            text = name
            if self.peek() == "=":
                self.take()
                text += f" = {self.initializer() if self.peek() == '{' else self.converted()}"
            self.scope[name] = type_
            parts.append(text)
            if self.take() == ";":
                return f"{self.functions.type_name(type_)} {', '.join(parts)};"

    def initializer(self) -> str:
        self.expect("{")
        values = [self.converted()]
        while self.peek() == ",":
            self.take()
            values.append(self.converted())
        self.expect("}")
        return "{" + ", ".join(values) + "}"

    def converted(self) -> str:
        value = self.expression()
        return f"({self.name}_bits)({value.text})" if value.type == "C" else value.text

    def assignment(self) -> str:
        target = self.unary()
        operator = self.take()
        if operator == ";":
            self.at -= 1
            return target.text
        value = self.expression()
        if operator != "=":
            value = self.operation(operator[0], target, value)
        return f"{target.text} = {value.text}"

    # Expressions

    def expression(self) -> Translated:
        condition = self.binary(0)
        if self.peek() != "?":
            return condition
        self.take()
        first = self.expression()
        self.expect(":")
        second = self.expression()
        return Translated(first.type, f"({condition.text} ? {first.text} : {second.text})")

    def binary(self, level: int) -> Translated:
        if level == len(self.LEVELS):
            return self.unary()
        value = self.binary(level + 1)
        while self.peek() in self.LEVELS[level]:
            value = self.operation(self.take(), value, self.binary(level + 1))
        return value

    def operation(self, operator: str, a: Translated, b: Translated) -> Translated:
        """Return a operation b: of numbers by a macro, of masks as integers."""
        if a.type == b.type == "R":
            if operator in "+-*/":
                macro = {"+": "ADD", "-": "SUB", "*": "MUL", "/": "DIV"}[operator]
                return Translated("R", f"{self.macro}_{macro}({a.text}, {b.text})")
            return Translated("C", f"({a.text} {operator} {b.text})")
        if "R" in (a.type, b.type) or a.type != b.type:
            raise ValueError(f"{operator} of {a} and {b} has no translation")
        if operator == ">>":
            return Translated("M", f"{self.macro}_SHIFT({a.text}, {b.text})")
        return Translated(a.type, f"({a.text} {operator} {b.text})")

    def unary(self) -> Translated:
        token = self.peek()
        if token in ("-", "~", "*"):
            self.take()
            value = self.unary()
            if token == "~" and value.type == "C":
                return Translated("C", f"!{value.text}")
            return Translated(value.type, f"({token}{value.text})")
        if token == "(" and self.tokens[self.at + 1] in TYPES and self.tokens[self.at + 2] == ")":
            type_ = TYPES[self.tokens[self.at + 1]]
            self.at += 3
            return self.cast(type_, self.unary())
        return self.postfix()

    def cast(self, type_: str, value: Translated) -> Translated:
        if type_ == value.type or (type_ == "M" and value.type == "C"):
            return value
        if type_ == "R" and value.text.isdecimal():
            return Translated("R", literal(float(value.text), self.functions.dtype))
        function = {"M": "bits_of", "R": "real_from"}[type_]
        return Translated(type_, f"{self.name}_{function}({value.text})")

    def postfix(self) -> Translated:
        token = self.take()
        if token == "(":
            value = self.expression()
            self.expect(")")
            return value
        if self.peek() == "(":
            return self.call(token)
        if self.peek() in (".", "->"):
            operator, member = self.take(), self.take()
            return Translated("M" if member == "quarter" else "R", f"{token}{operator}{member}")
        if token in self.scope:
            return Translated(self.scope[token], token)
        constant = self.functions.constant(token)
        if constant is not None:
            if token.startswith("CG_") and token != "CG_BITS":
                return Translated("R", literal(constant, self.functions.dtype))
            return Translated("M", str(int(constant)))
        if token.isdecimal():
            return Translated("M", token)
        return Translated("R", literal(number([token], {}), self.functions.dtype))

    def call(self, name: str) -> Translated:
        start = self.at
        content = inside(self.tokens, start)
        self.at = start + len(content) + 2
        arguments = split(content) if content else []
        if name == "splat":
            try:
                value = number(arguments[0], self.functions.source.constants)
                return Translated("R", literal(value, self.functions.dtype))
            except ValueError:
                return self.splat(arguments[0])
        if name == "zero":
            return Translated("R", literal(0.0, self.functions.dtype))
        if name == "splat_integer":
            return Translated("M", f"({self.name}_bits){self.inner(arguments[0]).text}")
        if name == "any_lane":
            return self.inner(arguments[0])
        if name == "polynomial":
            array, _, offset = (*arguments[0], "", "0")[:3]
            count = len(self.functions.source.arrays[array]) - int(offset)
            made = self.functions.polynomial(array, int(offset), count)
            return Translated("R", f"{made}({self.inner(arguments[2]).text})")
        texts = ", ".join(self.argument(each) for each in arguments)
        if name in ARITHMETIC:
            type_, new = ARITHMETIC[name]
            if name == "select_" and self.inner(arguments[1]).type == "M":
                raise ValueError("select_ of masks has no translation")
            prefix = self.macro if new.isupper() else self.name
            return Translated(type_, f"{prefix}_{new}({texts})")
        definition = self.functions.source.functions.get(name)
        type_ = definition.type if definition else "R"
        return Translated(type_, f"{self.functions.function(name)}({texts})")

    def splat(self, tokens: list[str]) -> Translated:
        """Return the constant that is an element of an array, or any other number."""
        array = self.functions.source.arrays.get(tokens[0])
        if array is not None and tokens[1] == "[":
            return Translated("R", literal(array[int(tokens[2])], self.functions.dtype))
        return self.inner(tokens)

    def argument(self, tokens: list[str]) -> str:
        if tokens[0] == "&":
            return f"&{tokens[1]}"
        return self.inner(tokens).text

    def inner(self, tokens: list[str]) -> Translated:
        """Translate an expression of other tokens in this scope."""
        body = _Body(self.functions, tokens, {})
        body.scope = self.scope
        return body.expression()

    # Tokens

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, token: str) -> None:
        found = self.take()
        if found != token:
            raise ValueError(f"{found!r} in the C sources, expected {token!r}")
