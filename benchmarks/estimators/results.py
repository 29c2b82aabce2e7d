"""The row of a comparison: times in milliseconds, their ratio, and the goal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from .pair import OURS, THEIRS, Model


@dataclass(frozen=True)
class Goal:
    """A smallest ratio, or a largest number of milliseconds."""

    ratio: float | None = None
    milliseconds: float | None = None

    @property
    def text(self) -> str:
        if self.ratio is not None:
            return f"≥ {self.ratio:g} ×"
        return f"≤ {self.milliseconds:g} ms"

    def met(self, milliseconds: float, ratio: float) -> bool:
        if self.ratio is not None:
            return ratio >= self.ratio
        assert self.milliseconds is not None
        return milliseconds <= self.milliseconds


def result(
    call: str,
    model: Model,
    sizes: Sequence[int],
    seconds: Mapping[str, Sequence[float]],
    goal: Goal,
    epochs: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return a row without share, bound and agreement.

    `seconds` has a value of each library for each round; the ratio is the median over the rounds,
    of the times per epoch if `epochs` are given.
    """
    per = epochs or {OURS: 1, THEIRS: 1}
    pairs = zip(seconds[OURS], seconds[THEIRS], strict=True)
    ratio = median([theirs / per[THEIRS] / (ours / per[OURS]) for ours, theirs in pairs])
    row: dict[str, Any] = {
        "call": call,
        "data": model.data,
        "network": "-".join(map(str, sizes)),
        "solver": model.solver,
        "dtype": model.dtype,
        "epochs": epochs and epochs[OURS],
    }
    for name in (OURS, THEIRS):
        row[name] = 1e3 * median(seconds[name])
        row[f"{name} least"] = 1e3 * min(seconds[name])
    return row | {
        "ratio": ratio,
        "goal": goal.text,
        "met": "yes" if goal.met(row[OURS], ratio) else "no",
        "share": None,
        "bound": None,
        "agrees": None,
        "peak": None,
    }
