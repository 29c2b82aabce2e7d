from typing import final

from typing_extensions import disjoint_base

from cygrad._engine.team import Team

@disjoint_base
class SequentialPasses(Team): ...

@final
class ParallelPasses(Team): ...
