"""How many threads NumPy's matrix products have, which threadpoolctl can set while a program runs.

It comes with scikit-learn. Without it the number stays that of the environment.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

ADJUSTABLE = find_spec("threadpoolctl") is not None


def limit_threads(threads: int) -> AbstractContextManager[Any]:
    """A context in which the products have so many threads at most."""
    if not ADJUSTABLE:
        return nullcontext()
    context: AbstractContextManager[Any] = _controller().limit(limits=threads, user_api="blas")
    return context


@cache
def _controller() -> Any:
    return import_module("threadpoolctl").ThreadpoolController()
