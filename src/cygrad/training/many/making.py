"""Make the trainers of many networks by a function of the user, and check its results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cygrad.training.trainer import Trainer


def make(function: Callable[..., Any], *arguments: Any, **named: Any) -> Trainer:
    """Return the new trainer that a function makes."""
    if not callable(function):
        raise TypeError(f"make_trainer is {function!r}, expected a function that returns a Trainer")
    trainer = function(*arguments, **named)
    if not isinstance(trainer, Trainer):
        raise TypeError(f"make_trainer returned {trainer!r}, expected a Trainer")
    return trainer


def check_different(trainers: list[Trainer]) -> None:
    """Raise a ValueError if two trainers have the same network."""
    if len({id(trainer.net) for trainer in trainers}) < len(trainers):
        raise ValueError(
            "make_trainer returned two trainers of the same network, expected a new network in "
            "each call"
        )
