"""Measure the machine: fused multiply-adds and passes over memory, on several threads at once.

All threads measure at the same time, without the interpreter lock, so that cores that share
arithmetic units, caches or a clock count only for their joint speed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from cygrad._engine import kernels

from . import timing


def fma_peak(threads: int, dtype: str, seconds: float = 0.05) -> float:
    """Measure the GFLOP/s of `threads` threads that do only independent fused multiply-adds."""
    return _together(threads, lambda: kernels.fma_peak(seconds, dtype))


def bandwidth(threads: int, size: int, passes: int = 10) -> float:
    """Measure the GB/s, read and written, of passes in place over `size` bytes in all.

    Each thread has its share of the bytes. A training step that changes as many bytes of weights
    and optimiser state cannot be faster by much.
    """
    share = size // threads // 4

    def measure() -> float:
        numbers = np.ones(share, np.float32)
        np.negative(numbers, out=numbers)

        def work() -> None:
            for _ in range(passes):
                np.negative(numbers, out=numbers)

        return 2 * passes * numbers.nbytes / timing.seconds(work) / 1e9

    return _together(threads, measure)


def _together(threads: int, measure: Callable[[], float]) -> float:
    """Return the sum of what all threads measure at the same time."""
    start = Barrier(threads)

    def started(_: int) -> float:
        start.wait()
        return measure()

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(started, range(threads)))
