from typing import Any, final

from typing_extensions import disjoint_base

from cygrad._engine.team import Team

@final
class Ranks:
    rank: int
    size: int
    exact: bool
    shares: Any
    def __init__(self, link: Any) -> None: ...

@disjoint_base
class SequentialPasses(Team): ...

@final
class ParallelPasses(Team): ...

__pyx_capi__: dict[str, Any]  # for the other compiled modules
