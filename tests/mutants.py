"""Small faults for the engine's sources, each of which the tests should catch.

`chosen` takes some of the changes that mutant_changes.py finds in a file, evenly from all kinds;
mutant_lists.py has the places where none is wanted. `planted` writes the file with all of them at
once, each behind a switch: CYGRAD_MUTANT chooses one when the module is loaded, so one build serves
them all.

A plant's choice depends on its own text only: a change elsewhere in a file moves no other plant.
"""

from __future__ import annotations

import re
from pathlib import Path
from zlib import crc32

from mutant_changes import Plant, Source
from mutant_lists import EXCLUDED
from mutant_tokens import language

ROOT = Path(__file__).parents[1]
FOLDERS = ("csrc/*.[ch]", "src/cygrad/_engine/*.pyx")
#: Declarations, files that only set the parameters of a template, and those of which only times
#: depend.
WITHOUT_PLANTS = re.compile(
    r"slices\.h|"  # when a thread lets others work
    r"cygrad\.h|decimal\.h|tape\.h|scalar\.h|(?:kernels|tape|scalar)_\w+\.c|scalar_functions\.h"
)
#: What is not computed when the engine runs cannot depend on a switch.
CONSTANT = re.compile(
    r"static const|\benum\b|^\s*-?[\d.]+(?:[eE][-+]?\d+)?f?,|"
    r"_Static_assert|typedef|: -?[\d]+,?$"
)
LINES_FOR_A_PLANT = 32
FEWEST_OF_A_FILE = 3


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
        if "uint64_t" in whole and " / " in each.changed:  # in Cython the quotient is a double
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
