from typing import final

from cygrad._engine.plan import Plan

@final
class LoopsPlan(Plan): ...
