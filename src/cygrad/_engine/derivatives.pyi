from collections.abc import Callable
from typing import Any, final

from numpy.typing import NDArray

from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples
from cygrad._engine.team import Team

@final
class JacobianPasses(Team): ...

def jacobian(
    engine: Engine, X: Samples, first: int, outputs: int, threads: int | Callable[[], int] = 1
) -> NDArray[Any]: ...
