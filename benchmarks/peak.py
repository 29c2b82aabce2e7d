"""The peak of the processor: fused multiply-adds on several threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from cygrad._engine import kernels


def fma_peak(threads: int, dtype: str, seconds: float = 0.05) -> float:
    """Measure the GFLOP/s of `threads` threads that do only independent fused multiply-adds.

    All threads measure at the same time, without the interpreter lock, so that cores that share
    arithmetic units or a clock count only for their joint speed.
    """
    start = Barrier(threads)

    def measure(_: int) -> float:
        start.wait()
        return kernels.fma_peak(seconds, dtype)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(measure, range(threads)))
