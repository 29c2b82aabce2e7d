"""Streams of random numbers: one for each purpose, derived from the user's argument `rng`.

From an integer, a seed sequence or a generator this module makes the generators that initialise a
network, shuffle its samples, drop its units, choose the gradients to check and shuffle columns.
Each purpose has a stream of its own: a network and a trainer made with the same integer draw
different numbers, and a new purpose does not change the numbers of the others. NumPy's global state
is never used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator, SeedSequence

    RandomSource = int | Generator | SeedSequence | None  # types of the argument `rng`
    Purpose = Literal[
        "initialisation", "shuffling", "validation", "dropout", "checking", "importance"
    ]

# The last word of a stream's spawn key. Four letters, because 0, 1, 2, … are the keys of the
# children that a user's own `SeedSequence.spawn` makes.
_KEYS = {
    "initialisation": int.from_bytes(b"init", "big"),
    "shuffling": int.from_bytes(b"shuf", "big"),
    "validation": int.from_bytes(b"vali", "big"),
    "dropout": int.from_bytes(b"drop", "big"),
    "checking": int.from_bytes(b"chek", "big"),
    "importance": int.from_bytes(b"impo", "big"),
}


class Seeds(NamedTuple):
    """The arguments of a `numpy.random.SeedSequence`, which is made only for NumPy to draw."""

    entropy: int | Sequence[int] | None
    spawn_key: tuple[int, ...]
    pool_size: int = 4

    def child(self, index: int) -> Seeds:
        """Return the child of this number, as `SeedSequence.spawn` counts them."""
        return Seeds(self.entropy, (*self.spawn_key, index), self.pool_size)

    def of(self, purpose: Purpose) -> Seeds:
        """Return the seeds of another purpose that `seeds` would make from the same source."""
        return self._replace(spawn_key=(*self.spawn_key[:-1], _KEYS[purpose]))

    def sequence(self) -> SeedSequence:
        """Return the seed sequence."""
        return np.random.SeedSequence(
            self.entropy, spawn_key=self.spawn_key, pool_size=self.pool_size
        )


def seeds(rng: RandomSource, purpose: Purpose) -> Seeds:
    """Return the seeds of one purpose.

    Parameters
    ----------
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        An integer or a seed sequence gives the same seeds every time. A generator spawns a new
        child at each call (`Generator.spawn`); its own stream of numbers does not advance. None
        takes seeds from the operating system.
    purpose : {"initialisation", "shuffling", "validation", "dropout", "checking", "importance"}

    Raises
    ------
    TypeError, ValueError
        If `rng` is none of these, or a negative integer.
    """
    key = (_KEYS[purpose],)
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool):
        if rng < 0:
            raise ValueError(f"rng is {rng}, expected an integer of at least 0")
        return Seeds(int(rng), key)

    from numpy.random import Generator, SeedSequence

    if rng is None:
        parent = SeedSequence()
    elif isinstance(rng, SeedSequence):
        parent = rng
    elif isinstance(rng, Generator):
        source = rng.bit_generator.seed_seq
        if not isinstance(source, SeedSequence):
            raise TypeError(
                f"rng is a Generator seeded by {type(source).__name__}, expected one that can "
                "spawn streams, such as numpy.random.default_rng(seed)"
            )
        parent = source.spawn(1)[0]
    else:
        raise TypeError(
            f"rng is {rng!r}, expected an integer, a numpy.random.Generator, "
            "a numpy.random.SeedSequence or None"
        )
    return Seeds(parent.entropy, (*parent.spawn_key, *key), parent.pool_size)


def saved_seeds(values: Sequence[Any]) -> Seeds:
    """Return seeds from the list of their fields, as a file of JSON has it."""
    entropy, spawn_key, pool_size = values
    return Seeds(entropy, tuple(spawn_key), pool_size)


def generator(seeds: Seeds) -> Generator:
    """Return a PCG64 generator over `seeds`, whatever NumPy's default generator is."""
    random = np.random  # NumPy imports it at the first use
    return random.Generator(random.PCG64(seeds.sequence()))


def stream(rng: RandomSource, purpose: Purpose) -> Generator:
    """Return the generator of one purpose: `generator(seeds(rng, purpose))`."""
    return generator(seeds(rng, purpose))
