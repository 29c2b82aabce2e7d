"""Clipping of the gradient, as the arguments of `Trainer` choose it; the engine clips."""

from __future__ import annotations

from typing import NamedTuple

from cygrad import checks


class Clipping(NamedTuple):
    """How the gradient is clipped before a step.

    `kind` is "value", "norm" or "global_norm", or None: the gradient is not clipped.
    """

    kind: str | None
    limit: float


NOTHING = Clipping(None, 0.0)


def read_clipping(
    clip_value: float | None, clip_norm: float | None, clip_global_norm: float | None
) -> Clipping:
    """Check the limits and return the one that is given.

    Raises
    ------
    TypeError, ValueError
        If a limit is not a finite number above 0, or more than one is given.
    """
    if clip_value is None and clip_norm is None and clip_global_norm is None:
        return NOTHING
    given = {
        name: limit
        for name, limit in (
            ("clip_value", clip_value),
            ("clip_norm", clip_norm),
            ("clip_global_norm", clip_global_norm),
        )
        if limit is not None
    }
    for name, limit in given.items():
        if checks.number(limit, name, least=0) == 0:
            raise ValueError(f"{name} is {limit}, expected a number above 0, or None")
    if len(given) > 1:
        raise ValueError(f"{' and '.join(given)} are given, expected at most one of them")
    ((name, limit),) = given.items()
    return Clipping(name.removeprefix("clip_"), float(limit))
