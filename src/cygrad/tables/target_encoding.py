"""Targets of a table: names of classes as indices, or quantities, standardised; and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.tables.distinct import distinct_values
from cygrad.tables.encodings import Locate, names_of, words_and_codes
from cygrad.tables.samples import Task, guess_task
from cygrad.tables.scaling import mean_and_deviation
from cygrad.tables.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCALES = ("standard", "log", "log1p", "none")
SHOWN_CLASSES = 10
BOOLEANS = {"0", "1"}  # the names of the classes
ENDING_MARKS = " .,;:!*'\""  # behind a class in some files


class TargetEncoding(ABC):
    """The encoding of the targets; `names` are those of their columns."""

    names: tuple[str, ...]

    @abstractmethod
    def encode(self, columns: list[Column], locate: Locate) -> NDArray[Any]:
        """Return what a network learns: class indices (n,), or numbers (n,) or (n, targets)."""

    @abstractmethod
    def to_values(self) -> dict[str, Any]:
        """Return what was learned as values for JSON."""


@dataclass(frozen=True)
class ClassTarget(TargetEncoding):
    """One column with the names of classes, in ascending order.

    Attributes
    ----------
    names : tuple of str
    classes : tuple of str
    are_numbers : bool
        Whether the column has numbers.
    are_booleans : bool
        Whether these are booleans, with the names 0 and 1.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    are_numbers: bool
    are_booleans: bool = False

    def encode(self, columns: list[Column], locate: Locate) -> NDArray[np.int64]:
        column = columns[0]
        words, codes = words_and_codes(column)
        index_of = {name: index for index, name in enumerate(self.classes)}
        lookup = np.array([*(index_of.get(word, -1) for word in words), -1], np.int64)
        indices: NDArray[np.int64] = lookup[codes]
        if len(indices) and indices.min() < 0:
            row = int(np.argmax(indices < 0))
            found = "a gap" if codes[row] < 0 else repr(words[codes[row]])
            known = ", ".join(self.classes[:SHOWN_CLASSES])
            more = "" if len(self.classes) <= SHOWN_CLASSES else f", … ({len(self.classes)} in all)"
            hint = "" if codes[row] < 0 else _ending_hint(words[codes[row]], self)
            raise ValueError(
                f"{locate(row, column.name)} is {found}, expected one of {known}{more}{hint}"
            )
        return indices

    def decode(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return the names for class indices as objects str; numbers or booleans, if these are."""
        if self.are_numbers:
            numbers = np.array([float(name) for name in self.classes])
            if self.are_booleans:
                booleans: NDArray[np.bool_] = numbers == 1
                return booleans[indices]
            whole = (numbers == np.floor(numbers)).all() and np.abs(numbers).max() < 2**53
            return (numbers.astype(np.int64) if whole else numbers)[indices]
        return np.array(self.classes, object)[indices]

    def to_values(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "classes": list(self.classes),
            "are_numbers": self.are_numbers,
            # Files of other encoders keep their form.
            **({"are_booleans": True} if self.are_booleans else {}),
        }


@dataclass(frozen=True)
class QuantityTargets(TargetEncoding):
    """One or more columns of quantities: (t − `means`) / `deviations`, of t = y or its logarithm.

    Attributes
    ----------
    names : tuple of str
    scale : {"standard", "log", "log1p", "none"}
    means, deviations : tuple of float
        0 and 1 for "none".
    """

    names: tuple[str, ...]
    scale: str
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    def encode(self, columns: list[Column], locate: Locate) -> NDArray[np.float64]:
        numbers = quantities(columns, self.scale, locate)
        scaled: NDArray[np.float64] = (numbers - self.means) / self.deviations
        return scaled[:, 0] if len(columns) == 1 else scaled

    def decode(self, outputs: NDArray[Any], *, moments: bool = False) -> NDArray[np.float64]:
        """Return outputs, (n, k) or (n,) for one, in the unit of the quantities, in float64.

        With as many outputs as targets, each has the unit of its own; of one target, all have its.
        With `moments` the second half of the outputs are logarithms of variances.

        Returns
        -------
        ndarray of float64, shape (n,) for one output, or (n, k)
        """
        if outputs.ndim == 1:
            outputs = outputs[:, np.newaxis]
        offsets, factors = self.unit(moments=moments)
        numbers: NDArray[np.float64] = outputs.astype(np.float64) * factors + offsets
        if self.scale in ("log", "log1p"):
            with np.errstate(over="ignore"):
                numbers = np.exp(numbers) if self.scale == "log" else np.expm1(numbers)
        return numbers[:, 0] if numbers.shape[1] == 1 else numbers

    def unit(self, *, moments: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return offsets and factors: outputs times factors, plus offsets, are in their unit.

        With `moments` the second half is that of logarithms of variances.
        """
        means, deviations = np.array(self.means), np.array(self.deviations)
        if not moments:
            return means, deviations
        offsets = np.concatenate([means, 2 * np.log(deviations)])
        return offsets, np.concatenate([deviations, np.ones_like(deviations)])

    def to_values(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "scale": self.scale,
            "means": list(self.means),
            "deviations": list(self.deviations),
        }


def _ending_hint(word: str, target: ClassTarget) -> str:
    """Return what to do with a word that is a class and an ending, or nothing."""
    short = word.rstrip(ENDING_MARKS)
    if short not in target.classes:
        return ""
    ending = word.removeprefix(short)
    return f"; tables.read with strip={{{target.names[0]!r}: {ending!r}}} takes off the ending"


def from_values(values: Mapping[str, Any]) -> ClassTarget | QuantityTargets:
    """Return the encoding of `to_values`, checked."""
    names = names_of(values["names"], "names")
    if "classes" in values:
        classes = names_of(values["classes"], "classes")
        if len(names) != 1 or len(set(classes)) != len(classes) or not classes:
            raise ValueError("classes of one column are not different names")
        are_numbers = checks.flag(values["are_numbers"], "are_numbers")
        if are_numbers:
            for name in classes:
                checks.number(float(name), "classes")
        are_booleans = checks.flag(values.get("are_booleans", False), "are_booleans")
        if are_booleans and not (are_numbers and {*classes} <= BOOLEANS):
            raise ValueError(f"classes are {', '.join(classes)}, expected 0 and 1 for booleans")
        return ClassTarget(names, classes, are_numbers, are_booleans)
    scale = checks.one_of(values["scale"], "scale", SCALES)
    means = tuple(checks.number(each, "means") for each in values["means"])
    deviations = tuple(checks.number(each, "deviations") for each in values["deviations"])
    if not names or not len(names) == len(means) == len(deviations) or min(deviations) <= 0:
        raise ValueError("means and deviations are not one for each target, or one is not above 0")
    return QuantityTargets(names, scale, means, deviations)


def learn_targets(
    columns: list[Column],
    task: Task,
    scale: str,
    locate: Locate,
    notes: list[str],
    given: Sequence[str] | None = None,
) -> ClassTarget | QuantityTargets:
    """Learn the encoding of targets from training rows without gaps.

    `given` are names of classes, of which some may be in no row.

    Raises
    ------
    ValueError
        If a column is text and no class is asked for, a quantity has no logarithm, or several
        columns are classes.
    """
    names = tuple(column.name for column in columns)
    quoted = ", ".join(map(repr, names))
    kinds = [column.kind for column in columns]
    is_class = given is not None or task == "classification"
    reason = ""
    if task == "auto" and not is_class and len(columns) == 1:
        is_class = columns[0].numbers is None
        if columns[0].numbers is not None:
            is_class, reason = guess_task(columns[0].numbers)
    if is_class:
        if len(columns) > 1:
            raise ValueError(
                f"target is {quoted}, expected one column of classes; several are quantities"
            )
        classes, numbers = _classes(columns[0])
        if given is not None:
            are_booleans = columns[0].is_boolean and {*given} <= BOOLEANS
            target = ClassTarget(names, tuple(given), numbers, are_booleans)
            target.encode(columns, locate)  # refuses other classes
            return target
        if len(classes) == 1:
            raise ValueError(f"target {quoted} has one class, {classes[0]!r}, expected two or more")
        if reason:
            notes.append(
                f"guessed: target {quoted} is {len(classes)} classes, {reason} (task= regression "
                "for quantities)"
            )
        return ClassTarget(names, classes, numbers, columns[0].is_boolean)
    for column, kind in zip(columns, kinds, strict=True):
        if kind == "text":
            assert column.codes is not None
            raise ValueError(
                f"{locate(0, column.name)} is {column.words[column.codes[0]]!r}, expected a number"
            )
    if reason:
        notes.append(
            f"guessed: target {quoted} is a quantity, {reason} (task= classification for classes)"
        )
    if scale == "none":
        return QuantityTargets(names, scale, (0.0,) * len(names), (1.0,) * len(names))
    found = [
        mean_and_deviation(values, name)
        for name, values in zip(names, quantities(columns, scale, locate).T, strict=True)
    ]
    means, deviations = (tuple(part) for part in zip(*found, strict=True))
    return QuantityTargets(names, scale, means, deviations)


def quantities(columns: list[Column], scale: str, locate: Locate) -> NDArray[np.float64]:
    """Return quantities or their logarithms, shape (n, targets).

    Raises
    ------
    ValueError
        If there is a gap, text, or a number without logarithm.
    """
    numbers = np.empty((len(columns[0]), len(columns)))
    least = {"log": 0.0, "log1p": -1.0}.get(scale, -math.inf)
    for index, column in enumerate(columns):
        if column.numbers is None:
            assert column.codes is not None
            word = column.words[column.codes[0]] if column.codes[0] >= 0 else ""
            raise ValueError(f"{locate(0, column.name)} is {word!r}, expected a number")
        numbers[:, index] = column.numbers
        wrong = ~(column.numbers > least)
        if wrong.any():
            row = int(np.argmax(wrong))
            found = "a gap" if np.isnan(column.numbers[row]) else f"{column.numbers[row]:g}"
            expected = "a number" if least == -math.inf else f"a number above {least:g}"
            raise ValueError(f"{locate(row, column.name)} is {found}, expected {expected}")
    if scale == "log":
        return np.log(numbers)
    return np.log1p(numbers) if scale == "log1p" else numbers


def _classes(column: Column) -> tuple[tuple[str, ...], bool]:
    """Return the names of the classes that occur, in ascending order, and if they are numbers."""
    words, codes = words_and_codes(column)
    used = [words[code] for code in distinct_values(codes).tolist()]
    if column.numbers is None:
        return tuple(sorted(used)), False
    return tuple(used), True
