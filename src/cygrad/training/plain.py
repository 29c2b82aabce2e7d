"""Epochs with nothing between them: many of them in one call outside the GIL.

Without callbacks, validation and progress, nothing between two epochs of `Trainer.fit` needs
Python. Then epochs of little work are run together: the bits and the history are those of one call
for each, and threads that train different networks do not wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cygrad.network import Network

# Multiply-adds of one call, about 10 ms, after which the history of a running fit grows.
WORK = 400_000_000
# Of a step, besides its products: the work of about 1 µs.
STEP_WORK = 20_000


def epochs_at_once(net: Network, rows: int, steps: int) -> int:
    """Return the number of epochs of one call, for epochs of so many rows and steps."""
    # Of the padded panels, which the engine computes.
    work = 3 * net.engine.storage.size * rows + STEP_WORK * steps
    return max(1, WORK // work)
