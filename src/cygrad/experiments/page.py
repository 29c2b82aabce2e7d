"""`Page`: the text, numbers and pictures of an experiment.

Text and numbers are printed at once, numbers are also stored; pictures become files in a folder.
Without a folder or without matplotlib, an experiment has the same text and numbers but no pictures.
Mathematical letters that the terminal cannot print are transliterated.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from cygrad.experiments.letters import transliterate

if TYPE_CHECKING:
    from cygrad.graph import Node

WIDTH = 88  # columns of text
LABEL_WIDTH = 48  # columns of the label of a number
DPI = 150
HOW_TO_GET_PICTURES = "The pictures need matplotlib: pip install 'cygrad[plot]'"


class Page:
    """The results of one run of an experiment.

    Parameters
    ----------
    name : str
        Name of the experiment; file names of pictures begin with it.
    output : str or os.PathLike or None
        The folder for pictures, created if it is missing; None for no pictures.
    file : text file or None
        The file to print the text to; None for no text.

    Attributes
    ----------
    numbers : dict of str to float
        The numbers by their labels.
    tables : dict of str to list of tuple
        The rows of the tables by their titles.
    pictures : list of str
        The paths of the pictures that were written.
    """

    def __init__(
        self,
        name: str,
        output: str | os.PathLike[str] | None = None,
        file: TextIO | None = None,
    ) -> None:
        self.name = name
        self.numbers: dict[str, float] = {}
        self.tables: dict[str, list[tuple[Any, ...]]] = {}
        self.pictures: list[str] = []
        self._output = None if output is None else os.fspath(output)
        self._file = file
        self._encoding = getattr(file, "encoding", None)
        self._hint_printed = False
        if self._output is not None:
            os.makedirs(self._output, exist_ok=True)

    def title(self, text: str) -> None:
        """Print a heading."""
        text = self._transliterate(text)
        self._print(f"\n{text}\n{self._transliterate('─' * len(text))}")

    def text(self, text: str) -> None:
        """Print paragraphs, which empty lines separate; other line breaks are ignored."""
        for paragraph in inspect.cleandoc(self._transliterate(text)).split("\n\n"):
            self._print("\n" + textwrap.fill(" ".join(paragraph.split()), WIDTH))

    def equations(self, text: str) -> None:
        """Print lines as they are, indented."""
        self._print("\n" + textwrap.indent(inspect.cleandoc(self._transliterate(text)), "    "))

    def number(self, label: str, value: float, *, digits: int = 10, unit: str = "") -> float:
        """Print a number with its label, store it, and return it."""
        if label in self.numbers:
            raise ValueError(f"label is {label!r}, which this page has already")
        self.numbers[label] = float(value)
        label, unit = self._transliterate(label), self._transliterate(unit)
        self._print(f"  {label:<{LABEL_WIDTH}s} {value:.{digits}g}{unit and ' '}{unit}")
        return float(value)

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        digits: int = 4,
    ) -> None:
        """Print and store a table: numbers to the right, text to the left."""
        self.tables[title] = [tuple(row) for row in rows]
        cells = [list(columns), *([_cell(value, digits) for value in row] for row in rows)]
        cells = [[self._transliterate(cell) for cell in row] for row in cells]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        left = [all(isinstance(row[i], str) for row in rows) for i in range(len(columns))]
        self._print(f"\n  {self._transliterate(title)}")
        for row in cells:
            aligned = (
                cell.ljust(width) if text else cell.rjust(width)
                for cell, width, text in zip(row, widths, left, strict=True)
            )
            self._print("    " + "  ".join(aligned).rstrip())

    def picture(self, name: str, draw: Callable[..., Any], *arguments: Any) -> None:
        """Save a picture; ``draw(*arguments)`` returns a matplotlib figure, or axes of one.

        A figure made with pyplot stays open; one of `figures.new_figure` does not.
        """
        if self._output is None:
            return
        if importlib.util.find_spec("matplotlib") is None:
            if not self._hint_printed:
                self._hint_printed = True
                self._print(f"\n{HOW_TO_GET_PICTURES}")
            return
        from cygrad import plotting

        path = self._path(f"{name}.png")
        plotting.save(draw(*arguments), path, dpi=DPI)
        self._add_picture(path)

    def circuit(self, name: str, output: Node, **options: Any) -> None:
        """Save the drawing of a graph as SVG, which needs no other library."""
        if self._output is not None:
            path = self._path(f"{name}.svg")
            output.draw(path, **options)
            self._add_picture(path)

    def _path(self, name: str) -> str:
        assert self._output is not None
        return os.path.join(self._output, f"{self.name}-{name}")

    def _add_picture(self, path: str) -> None:
        self.pictures.append(path)
        self._print(f"  {self._transliterate('→')} {path}")

    def _transliterate(self, text: str) -> str:
        return transliterate(text, self._encoding)

    def _print(self, text: str) -> None:
        if self._file is None:
            return
        if self._encoding is not None:  # a path is not transliterated
            text = text.encode(self._encoding, "backslashreplace").decode(self._encoding)
        print(text, file=self._file, flush=True)


def percent(share: float) -> str:
    """Format a share for a table: 98.9 %."""
    return f"{100 * share:5.1f} %"


def _cell(value: Any, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
