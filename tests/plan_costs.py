"""Other constants of the engine's cost model, for a while: they decide how work is divided."""

from collections.abc import Iterator
from contextlib import contextmanager

from cygrad._engine import plan


@contextmanager
def costs(**changed: float) -> Iterator[None]:
    """Change constants within a block."""
    before = plan.set_costs(**changed)
    try:
        yield
    finally:
        plan.set_costs(**before)
