from collections.abc import Callable
from typing import final

from typing_extensions import disjoint_base

@final
class Watch:
    def __init__(self, poll: Callable[[int, float], None] | None = None) -> None: ...

@disjoint_base
class Team: ...
