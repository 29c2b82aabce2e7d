"""What the command line asks of every section, and how a section says that it cannot go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .cases import Case

ROOT = Path(__file__).resolve().parent.parent  # of the repository


class WrongResult(Exception):
    """What a program computed is not what it must be, so that its time means nothing."""


@dataclass(frozen=True)
class Settings:
    cases: tuple[Case, ...]
    dtype: str
    threads: int
    quick: bool
    mnist: Path | None
