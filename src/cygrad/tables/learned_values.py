"""Write what an encoder learned as values for JSON, and read them with a check of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cygrad import checks
from cygrad.tables import target_encoding
from cygrad.tables.encodings import KINDS, names_of
from cygrad.tables.learning import LearnedColumn

if TYPE_CHECKING:
    from cygrad.tables.target_encoding import ClassTarget, QuantityTargets

    Targets = ClassTarget | QuantityTargets | None
    Counts = tuple[tuple[int, int], ...]  # gaps and different values of each target


def to_values(columns: Sequence[LearnedColumn], targets: Targets, counts: Counts) -> dict[str, Any]:
    """Return columns and targets as values for JSON; floats keep their bits."""
    return {
        "columns": [
            {
                "name": each.name,
                "gaps": each.gaps,
                "distinct": each.distinct,
                **(
                    {"left_out": each.reason}
                    if each.encoding is None
                    else {
                        "kind": each.encoding.kind,
                        "has_gaps": each.encoding.has_gaps,
                        **each.encoding.to_values(),
                    }
                ),
            }
            for each in columns
        ],
        "targets": None if targets is None else targets.to_values(),
        "target_counts": [list(pair) for pair in counts],
    }


def from_values(values: Mapping[str, Any]) -> tuple[tuple[LearnedColumn, ...], Targets, Counts]:
    """Return the columns and targets of `to_values`, and the counts of each target.

    Raises
    ------
    KeyError, TypeError, ValueError
        If something is missing, or not as described.
    """
    columns = tuple(_column(each) for each in values["columns"])
    if len({each.name for each in columns}) < len(columns):
        raise ValueError("columns of the encoder have the same name")
    if not any(each.encoding is not None for each in columns):
        raise ValueError("the encoder has no inputs")
    targets = values["targets"]
    found = None if targets is None else target_encoding.from_values(targets)
    counts = tuple(
        (checks.whole_number(gaps, "gaps", 0), checks.whole_number(distinct, "distinct", 0))
        for gaps, distinct in values["target_counts"]
    )
    if len(counts) != (0 if found is None else len(found.names)):
        raise ValueError("target_counts are not one for each target")
    return columns, found, counts


def _column(values: Mapping[str, Any]) -> LearnedColumn:
    name = values["name"]
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}, expected text")
    gaps = checks.whole_number(values["gaps"], "gaps", 0)
    distinct = checks.whole_number(values["distinct"], "distinct", 0)
    if "left_out" in values:
        (reason,) = names_of([values["left_out"]], "left_out")
        return LearnedColumn(name, None, reason, gaps, distinct)
    kind = checks.one_of(values["kind"], "kind", KINDS)
    has_gaps = checks.flag(values["has_gaps"], "has_gaps")
    encoding = KINDS[kind].from_values(name, has_gaps, values)
    return LearnedColumn(name, encoding, "", gaps, distinct)
