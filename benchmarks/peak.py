"""What is possible: the peak of fused multiply-adds of so many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from cygrad._engine import kernels


def fma_peak(threads: int, dtype: str, seconds: float = 0.05) -> float:
    """GFLOP/s of `threads` threads that do nothing but independent fused multiply-adds.

    Each measures itself, outside the interpreter lock, while the others run: cores that share
    their arithmetic units or their clock count for what they can do together.
    """
    start = Barrier(threads)

    def measure(_: int) -> float:
        start.wait()
        return kernels.fma_peak(seconds, dtype)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(measure, range(threads)))
