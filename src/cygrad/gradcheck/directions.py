"""Check derivatives along random directions, for networks too large for single derivatives.

Each direction takes two evaluations of C, for any number of parameters. A wrong derivative is found
if its error is not small compared with the whole slope along the direction. If slopes disagree,
each array is checked by itself, then the wrong half of a wrong array, then half of that, down to a
single derivative if only one is wrong. If C has a kink, the direction is halved in the same way, to
avoid the kink.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from cygrad.gradcheck.differences import Differences
from cygrad.gradcheck.report import ArrayReport, Comparison, GradientReport
from cygrad.gradcheck.subject import Array, Direction, Piece

if TYPE_CHECKING:
    from numpy.random import Generator

# An array with kinks is divided into up to this many parts; those without a kink are compared.
PARTS = 32


def check_directions(
    differences: Differences, count: int, rng: Generator, show: Callable[[int, int], None]
) -> GradientReport:
    """Compare the derivatives along `count` random directions of all arrays.

    `show` is called with the numbers of directions done and of wrong slopes so far.
    """
    arrays = differences.subject.arrays
    search = _Search(differences)
    for done in range(count):
        search.check_all_arrays(tuple(random_piece(array, rng) for array in arrays))
        show(done + 1, len(search.failures))
    sizes = {array.name: array.size for array in arrays}
    total = sum(sizes.values())
    reports = [
        findings.report(name, sizes.get(name, total)) for name, findings in search.findings.items()
    ]
    return GradientReport(total, count, tuple(reports), tuple(search.failures))


def random_piece(array: Array, rng: Generator) -> Piece:
    """Draw a random direction of an array.

    Parameters move up or down by ½ to 1½ of their magnitudes: none is left out, and equal faults in
    two of them do not cancel.
    """
    along = rng.choice([-1.0, 1.0], array.size) * rng.uniform(0.5, 1.5, array.size)
    return Piece(array, 0, along * array.magnitudes(slice(None)))


@dataclass
class _Findings:
    """The comparisons in one array, or in all together."""

    compared: list[Comparison] = field(default_factory=list)
    kinks: set[tuple[int, int]] = field(default_factory=set)  # first and number

    def report(self, name: str, size: int) -> ArrayReport:
        wrong = [each for each in self.compared if each.error > 1]
        entries = [each for each in wrong if each.index is not None]
        worst = max(entries or self.compared, key=lambda each: each.error, default=None)
        kinks = sum(number for _, number in self.kinks)
        return ArrayReport(name, size, len(self.compared), len(wrong), kinks, worst)


class _Search:
    """The comparisons along directions, and the search for the fault if slopes disagree."""

    def __init__(self, differences: Differences) -> None:
        self._differences = differences
        self.findings: dict[str, _Findings] = {differences.subject.name_of_all: _Findings()}
        self.failures: list[Comparison] = []

    def check_all_arrays(self, direction: Direction) -> None:
        """Compare the slopes along a direction of all arrays."""
        comparison = self._differences.compare(direction)
        if comparison is not None:
            self._record(self._differences.subject.name_of_all, comparison)
        if comparison is None or comparison.error > 1:
            for piece in direction:
                self._check_array(piece)

    def _check_array(self, piece: Piece) -> None:
        """Compare the slopes along a direction of one array, in parts to avoid its kinks."""
        array = piece.array
        comparison = self._differences.compare((piece,))
        if comparison is not None:
            self._record(array.name, comparison)
            if comparison.error > 1:
                self._find_wrong_entry(piece)
        elif len(piece.along) > max(1, array.size // PARTS):
            for half in _halves(piece):
                self._check_array(half)
        else:
            self._findings_of(array.name).kinks.add((piece.start, len(piece.along)))

    def _find_wrong_entry(self, piece: Piece) -> None:
        """Search for a single wrong derivative, if none in the array has been found before."""
        name = piece.array.name
        if any(each.index is not None for each in self.failures if each.array == name):
            return
        while len(piece.along) > 1:
            for half in _halves(piece):
                comparison = self._differences.compare((half,))
                if comparison is not None and comparison.error > 1:
                    break
            else:
                return
            piece = half
            if comparison.index is not None:
                self._record(name, comparison)

    def _record(self, name: str, comparison: Comparison) -> None:
        self._findings_of(name).compared.append(comparison)
        if comparison.error > 1:
            self.failures.append(comparison)

    def _findings_of(self, name: str) -> _Findings:
        return self.findings.setdefault(name, _Findings())


def _halves(piece: Piece) -> Iterator[Piece]:
    middle = len(piece.along) // 2
    yield replace(piece, along=piece.along[:middle])
    yield replace(piece, start=piece.start + middle, along=piece.along[middle:])
