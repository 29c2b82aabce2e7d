"""Check derivatives one by one: all of them, or a random sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from cygrad.gradcheck.differences import Differences
from cygrad.gradcheck.report import ArrayReport, Comparison, GradientReport
from cygrad.gradcheck.subject import Array, entry

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray


def check_entries(
    differences: Differences,
    flat_indices: Sequence[NDArray[np.int64]],
    show: Callable[[int, int], None],
) -> GradientReport:
    """Compare derivatives of each array at the given flat indices.

    `show` is called with the numbers of derivatives done and wrong so far.
    """
    arrays = differences.subject.arrays
    reports: list[ArrayReport] = []
    failures: list[Comparison] = []
    done = 0
    for array, part in zip(arrays, flat_indices, strict=True):
        compared: list[Comparison] = []
        wrong: list[Comparison] = []
        for flat_index in part.tolist():
            comparison = differences.compare(entry(array, flat_index))
            if comparison is not None:
                compared.append(comparison)
                if comparison.error > 1:
                    wrong.append(comparison)
            done += 1
            show(done, len(failures) + len(wrong))
        worst = max(compared, key=lambda each: each.error, default=None)
        kinks = len(part) - len(compared)
        reports.append(ArrayReport(array.name, array.size, len(compared), len(wrong), kinks, worst))
        failures += wrong
    return GradientReport(sum(each.size for each in arrays), None, tuple(reports), tuple(failures))


def choose(arrays: Sequence[Array], sample: int | None, rng: Generator) -> list[NDArray[np.int64]]:
    """Return the flat indices to check in each array: all, or `sample` in all arrays together."""
    sizes = [array.size for array in arrays]
    if sample is None or sample >= sum(sizes):
        return [np.arange(size) for size in sizes]
    return [
        np.sort(rng.choice(size, share, replace=False, shuffle=False))
        for size, share in zip(sizes, _shares(sizes, sample, rng), strict=True)
    ]


def _shares(sizes: Sequence[int], sample: int, rng: Generator) -> list[int]:
    """Divide a sample among the arrays: at least one each, the others in proportion to size."""
    shares = np.zeros(len(sizes), np.int64)
    if sample < len(sizes):
        shares[rng.choice(len(sizes), sample, replace=False)] = 1
        return [int(share) for share in shares]
    others = np.array(sizes) - 1
    exact = others * ((sample - len(sizes)) / max(1, others.sum()))
    shares += 1 + exact.astype(np.int64)
    left = sample - int(shares.sum())
    shares[np.argsort(exact % 1)[::-1][:left]] += 1
    return [int(share) for share in shares]
