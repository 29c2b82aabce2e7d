"""Values of options, read from text: numbers, paths, units, activations and losses."""

from __future__ import annotations

import math
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

from cygrad.network.activations import ACTIVATIONS, ChosenActivation, checked
from cygrad.network.loss_functions import LossFunction, with_defaults

# A name, or a name with numbers: huber(0.5), huber(delta=0.5), pinball(0.1, 0.9).
_CALL = re.compile(r"(\w+)(?:\((.*)\))?")


def path(text: str) -> str:
    """Return a path, which is not empty."""
    if not text:
        raise ArgumentTypeError("'', expected a path")
    return text


def names(text: str) -> tuple[str, ...]:
    """Return names, of text as in size,color."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise ArgumentTypeError(f"{text!r}, expected names as in size,color")
    return found


def dates(text: str) -> dict[str, str | None]:
    """Return formats of columns, of text as in day=%d.%m.%Y,hour; a format may have commas."""
    found: dict[str, str | None] = {}
    last = ""
    for part in text.split(","):
        name, equals, pattern = part.partition("=")
        if not equals and "%" in part and found.get(last) is not None:
            found[last] = f"{found[last]},{part}"
            continue
        last = name.strip()
        if not last or (equals and not pattern):
            raise ArgumentTypeError(f"{text!r}, expected columns as in day=%d.%m.%Y,hour")
        found[last] = pattern if equals else None
    return found


def integer(least: int) -> Callable[[str], int]:
    """Return a function that reads an integer of at least `least`."""

    def parse_integer(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise ArgumentTypeError(f"{text!r}, expected an integer of at least {least}")
        return number

    return parse_integer


def number(below: float = math.inf, *, positive: bool = False) -> Callable[[str], float]:
    """Return a function that reads a number from 0 to below a limit, or above 0."""

    def parse_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < below or (positive and value == 0):
            least = "above 0" if positive else "of at least 0"
            limit = "" if below == math.inf else f" and below {below:g}"
            raise ArgumentTypeError(f"{text!r}, expected a number {least}{limit}")
        return value

    return parse_number


def hidden(text: str) -> tuple[int, ...]:
    """Return the units of the hidden layers, of text as in 64,32."""
    if text == "none":
        return ()
    try:
        units = tuple(int(part) for part in text.split(","))
    except ValueError:
        units = (0,)
    if min(units) < 1:
        raise ArgumentTypeError(f"{text!r}, expected units as in 64,32, or none")
    return units


def activations(text: str) -> str | ChosenActivation | list[str | ChosenActivation]:
    """Return one activation, or those of all dense layers, of text as in relu,softmax."""
    parts = text.split(",")
    if len(parts) == 1:
        return activation(text, output=True)
    return [activation(part.strip(), output=True) for part in parts]


def activation(text: str, output: bool = False) -> str | ChosenActivation:
    """Return the activation of a layer, of text as in relu or leaky_relu(0.2)."""
    names = [name for name, row in ACTIVATIONS.items() if output or not row.output_only]
    name, given = _call(text, names)
    if given is None:
        return name
    parameter = ACTIVATIONS[name].parameter
    if parameter is None or len(given) != 1 or given[0][0] not in (None, parameter):
        expected = name if parameter is None else f"{name}({parameter})"
        raise ArgumentTypeError(f"{text!r}, expected {expected}, with a number")
    try:
        return checked(ChosenActivation(name, given[0][1]))
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def loss(names: Iterable[str]) -> Callable[[str], str | LossFunction]:
    """Return a function that reads a loss with one of these names, as in mse or huber(0.5)."""
    known = list(names)

    def parse_loss(text: str) -> str | LossFunction:
        name, given = _call(text, known)
        if given is None:
            return name
        defaults = with_defaults(name)
        parameter = None if defaults is None else fields(defaults)[0].name
        several = name == "pinball"
        if (
            defaults is None
            or not given
            or (len(given) > 1 and not several)
            or any(key not in (None, parameter) for key, _ in given)
        ):
            numbers = "numbers" if several else "a number"
            expected = name if parameter is None else f"{name}({parameter}), with {numbers}"
            raise ArgumentTypeError(f"{text!r}, expected {expected}")
        values = tuple(value for _, value in given)
        try:
            kind: Callable[..., LossFunction] = type(defaults)
            chosen = kind(values if len(values) > 1 else values[0])
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None
        return name if chosen == defaults else chosen

    return parse_loss


def _call(text: str, names: list[str]) -> tuple[str, list[tuple[str | None, float]] | None]:
    """Return the name in the text, and its numbers with their keywords; None without brackets."""
    match = _CALL.fullmatch(text.strip())
    if match is None or match[1] not in names:
        raise ArgumentTypeError(f"{text!r}, expected one of {', '.join(names)}")
    if match[2] is None:
        return match[1], None
    numbers: list[tuple[str | None, float]] = []
    for part in match[2].split(","):
        keyword, equals, value = part.rpartition("=")
        try:
            numbers.append((keyword.strip() if equals else None, float(value)))
        except ValueError:
            raise ArgumentTypeError(f"{text!r}, expected numbers in the brackets") from None
    return match[1], numbers


def class_weight(text: str) -> str | dict[str, float]:
    """Return "balanced", or the weights of classes, of text as in rose=2,aster=0.5."""
    if text == "balanced":
        return text
    weights: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, weight = part.rpartition("=")
        if not equals:
            raise ArgumentTypeError(f"{text!r}, expected balanced, or weights as in rose=2,aster=1")
        weights[name.strip()] = number()(weight)
    return weights
