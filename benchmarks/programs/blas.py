"""The number of threads for NumPy's matrix products, set by threadpoolctl while a program runs.

threadpoolctl comes with scikit-learn. Without it the number is that of the environment.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

ADJUSTABLE = find_spec("threadpoolctl") is not None


def limit_threads(threads: int) -> AbstractContextManager[Any]:
    """Return a context in which matrix products use at most `threads` threads."""
    if not ADJUSTABLE:
        return nullcontext()
    context: AbstractContextManager[Any] = _controller().limit(limits=threads, user_api="blas")
    return context


@cache
def _controller() -> Any:
    return import_module("threadpoolctl").ThreadpoolController()
