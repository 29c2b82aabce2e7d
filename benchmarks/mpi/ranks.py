"""Check and time cygrad on every rank: ``mpiexec -n N python -m benchmarks.mpi.ranks``.

Rank 0 reads a request from each line, and prints one line with the answer. Between requests all
ranks sleep most of the time, so that other programs can be timed meanwhile.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from os import sched_yield
from time import perf_counter, sleep
from typing import Any
from zlib import crc32

import numpy as np
from mpi4py import MPI

import cygrad as cg

from .. import agreement
from ..cases import parse_case
from ..programs import initial_parameters, training_data
from ..programs.cygrad_program import CygradProgram, optimizer
from ..settings import WrongResult
from .turns import CHECKED_STEPS

REQUEST_BYTES = 256
NAP = 0.003  # seconds between two looks for a request
MODES = {"exact": True, "all-reduce": False}
PING_ROUNDS, PING_TAG = 200, 7
MOST_STEPS = 20  # in a measure of passes

Answer = dict[str, Any]


class Rank:
    """One rank; `use` chooses the network of the other requests."""

    def __init__(self) -> None:
        self.comm: Any = MPI.COMM_WORLD.Dup()
        self.rank, self.size = self.comm.Get_rank(), self.comm.Get_size()

    def run(self) -> None:
        requests: dict[str, Callable[..., Answer]] = {
            "use": self.use,
            "fit": self.fit,
            "passes": self.passes,
            "ping": self.ping,
        }
        while (request := self._request()) is not None:
            answer = self._in_common(requests[request.pop("call")], request)
            if self.rank == 0:
                sys.stdout.write(json.dumps(answer) + "\n")
                sys.stdout.flush()

    def _request(self) -> Answer | None:
        line = np.zeros(REQUEST_BYTES, np.uint8)
        if self.rank == 0:
            text = sys.stdin.readline().encode()
            line[: len(text)] = np.frombuffer(text, np.uint8)
        arrived = self.comm.Ibcast(line)
        while not arrived.Test():
            sleep(NAP)
        text = line.tobytes().rstrip(b"\0")
        return json.loads(text) if text else None

    def _in_common(self, call: Callable[..., Answer], request: Answer) -> Answer:
        """Answer a request, with the error of the first rank that has a wrong result."""
        answer: Answer = {}
        error = ""
        try:
            answer = call(**request)
        except WrongResult as wrong:
            error = f"rank {self.rank} of {self.size}: {wrong}"
        errors = list(filter(None, self.comm.allgather(error)))
        return {"error": errors[0]} if errors else answer

    def use(self, network: str, samples: int, dtype: str) -> Answer:
        """Make a trainer of each mode, and compare both with `Trainer`."""
        self.case = replace(parse_case(network), samples=samples)
        self.dtype = dtype
        self.X, self.y = training_data(self.case, dtype)
        self.initial = initial_parameters(self.case, dtype)
        self.flat = np.concatenate([part.ravel() for layer in self.initial for part in layer])
        alone = CygradProgram(self.case, dtype, 1)
        self.start(alone.network)
        rows = CHECKED_STEPS * self.case.batch
        losses = alone.trainer.fit(self.X[:rows], self.y[:rows], epochs=1).loss
        self.trainers = {}
        for mode, exact in MODES.items():
            program = CygradProgram(self.case, dtype, 1)
            trainer = cg.distributed.MPITrainer(
                program.network, optimizer(self.case), self.case.batch, 0, 1, exact=exact
            )
            self.start(program.network)
            found = trainer.fit(self.X[:rows], self.y[:rows], epochs=1).loss
            self.check(mode, alone, program, (losses, found))
            self.trainers[mode] = trainer
        return {}

    def start(self, net: cg.Network) -> None:
        net.parameters = self.flat

    def check(
        self,
        mode: str,
        alone: CygradProgram,
        program: CygradProgram,
        losses: tuple[list[float], list[float]],
    ) -> None:
        name = f"{self.case.network}, {mode}"
        bits = program.network.parameters.tobytes()
        if MODES[mode] and (bits != alone.network.parameters.tobytes() or losses[0] != losses[1]):
            raise WrongResult(f"{name}: the bits differ from those of Trainer")
        if len(set(self.comm.allgather(crc32(bits)))) > 1:
            raise WrongResult(f"{name}: the bits differ from rank to rank")
        agreement.check_training(
            name,
            self.case,
            self.initial,
            alone.parameters(),
            program.parameters(),
            losses,
            CHECKED_STEPS,
            float(np.finfo(self.dtype).eps),
        )

    def fit(self, mode: str, epochs: int) -> Answer:
        """Return the seconds of a step, over some epochs from the first parameters on."""
        trainer = self.trainers[mode]
        self.start(trainer.net)
        self.comm.Barrier()
        history = trainer.fit(self.X, self.y, epochs)
        return {"seconds": sum(history.seconds) / (epochs * self.case.steps)}

    def passes(self, rows: int, count: int) -> Answer:
        """Return the seconds of a step of `count` passes of some rows each, on this rank alone."""
        net = self.trainers["exact"].net
        self.start(net)
        trainer = cg.Trainer(net, optimizer(self.case), rows, 0, 1, accumulate=count)
        trainer.fit(self.X, self.y, max_steps=1)  # touches the memory
        steps = max(2, min(MOST_STEPS, self.case.batch // rows))
        history = trainer.fit(self.X, self.y, max_steps=steps)
        return {"seconds": sum(history.seconds) / steps}

    def ping(self, size: int) -> Answer:
        """Return the least seconds of a message between two ranks, by the calls of `Ring`."""
        numbers = np.zeros(size, np.uint8)
        times = []
        for _ in range(PING_ROUNDS):
            begin = perf_counter()
            for sender in (0, 1):
                if self.rank == sender:
                    wait(self.comm.Isend(numbers, 1 - sender, PING_TAG))
                elif self.rank == 1 - sender:
                    wait(self.comm.Irecv(numbers, sender, PING_TAG))
            times.append((perf_counter() - begin) / 2)
        return {"seconds": min(times)}


def wait(request: Any) -> None:
    while not request.Test():
        sched_yield()


if __name__ == "__main__":
    Rank().run()
