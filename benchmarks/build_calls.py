"""Calls of one build of cygrad, timed in the process that `builds.Build` starts for it.

Reads requests from standard input, a line of JSON each: the name of a call and how often to do it.
Answers with the seconds for one and a hash of the result, which is the same for the same bits.
"""

from __future__ import annotations

import hashlib
import json
import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cygrad as cg

from . import timing
from .cases import Case
from .programs import initial_parameters, training_data
from .programs.cygrad_program import CygradProgram


class Calls:
    """The calls of one network: methods take a count, and return seconds for one and the result.

    All start from the same parameters.
    """

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        self.case = case
        self.X, self.y = training_data(case, dtype)
        self.initial = initial_parameters(case, dtype)
        self.program = CygradProgram(case, dtype, threads)
        network, batch, x = self.program.network, self.X[: case.batch], self.X[0]
        self.table: dict[str, Callable[[int], tuple[float, Any]]] = {"step": self._steps}
        if hasattr(cg.Trainer, "learn_one"):
            self.table["learn_one"] = self._learn_one
        for name, arguments in {
            "forward": (batch,),
            "predict_one": (x,),
            "evaluate": (self.X, self.y),
        }.items():
            if hasattr(network, name):
                self.table[name] = self._repeated(getattr(network, name), *arguments)

    def measure(self, name: str, count: int) -> dict[str, Any]:
        self.program.start(self.initial)
        seconds, result = self.table[name](count)
        if isinstance(result, dict):
            result = [result[key] for key in sorted(result)]
        if isinstance(result, float):  # of `predict_one`; older builds return an array
            result = np.array([result], self.program.network.dtype)
        bits = np.ascontiguousarray(result).tobytes()
        return {"seconds": seconds, "hash": hashlib.sha256(bits).hexdigest()}

    def _steps(self, epochs: int) -> tuple[float, Any]:
        """Train as `steps` does; the result is the parameters."""
        program, case = self.program, self.case
        seconds = timing.seconds(lambda: program.fit(self.X, self.y, epochs, shuffle=case.shuffled))
        return seconds / (epochs * case.steps), program.network.parameters

    def _learn_one(self, count: int) -> tuple[float, Any]:
        learn_one = self.program.trainer.learn_one
        seconds = _per_call(count, learn_one, self.X[0], self.y[0])
        return seconds, self.program.network.parameters

    @staticmethod
    def _repeated(
        function: Callable[..., Any], *arguments: Any
    ) -> Callable[[int], tuple[float, Any]]:
        return lambda count: (_per_call(count, function, *arguments), function(*arguments))


def _per_call(count: int, function: Callable[..., Any], *arguments: Any) -> float:
    named = {f"x{index}": argument for index, argument in enumerate(arguments)}
    timer = timeit.Timer(f"f({', '.join(named)})", globals={"f": function, **named})
    return timer.timeit(count) / count


def main() -> None:
    request = json.loads(sys.argv[1])
    imported = Path(cg.__file__).resolve().parents[1]
    if imported != Path(request["folder"]).resolve():
        sys.exit(f"cygrad was imported from {imported}, expected {request['folder']}")
    case = request["case"]
    calls = Calls(
        Case(**{**case, "sizes": tuple(case["sizes"])}), request["dtype"], request["threads"]
    )
    isa = cg.show_config(mode="dicts")["isa"]
    print(json.dumps({"isa": isa, "calls": list(calls.table)}), flush=True)
    for line in sys.stdin:
        print(json.dumps(calls.measure(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
