"""PyTorch's DistributedDataParallel by gloo, in processes that share each batch as cygrad's ranks.

``python -m benchmarks.mpi.ddp RANK SIZE FILE``, where all meet in the file. The network is that of
`programs.torch_eager`; gradients are views of DDP's buckets, which saves a copy of them. Requests
and answers are those of `ranks`, but each process reads them.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from .. import agreement, timing
from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, Case, parse_case
from ..programs import Parameters, initial_parameters, training_data
from ..programs.cygrad_program import CygradProgram
from ..programs.torch_eager import loss
from ..settings import WrongResult
from .turns import CHECKED_STEPS


class Net(nn.Module):  # type: ignore[misc]
    """The network, whose call returns the mean loss of some rows."""

    def __init__(self, case: Case, initial: Parameters) -> None:
        super().__init__()
        self.case = case
        self.trained = nn.ParameterList(
            nn.Parameter(torch.tensor(array)) for layer in initial for array in layer
        )

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return loss(self.case, list(self.trained), x, y)

    def parameters_by_layer(self) -> Parameters:
        arrays = [each.detach().numpy() for each in self.trained]
        return list(zip(arrays[::2], arrays[1::2], strict=True))


class Process:
    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def run(self) -> None:
        for line in sys.stdin:
            request = json.loads(line)
            try:
                answer = self.use(**request) if "network" in request else self.fit(**request)
            except WrongResult as wrong:
                answer = {"error": str(wrong)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()

    def use(self, call: str, network: str, samples: int, dtype: str) -> dict[str, Any]:
        """Make the network, and compare some steps with `Trainer`."""
        self.case = case = replace(parse_case(network), samples=samples)
        X, y = training_data(case, dtype)
        self.initial = initial_parameters(case, dtype)
        self.X, self.y = torch.from_numpy(X), torch.from_numpy(y)
        self.net = Net(case, self.initial)
        self.parallel = DistributedDataParallel(self.net, gradient_as_bucket_view=True)
        self.optimizer = torch.optim.Adam(
            self.net.trained, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON, fused=True
        )
        rows = CHECKED_STEPS * case.batch
        alone = CygradProgram(case, dtype, 1)
        alone.start(self.initial)
        losses = alone.fit(X[:rows], y[:rows], 1, shuffle=False)
        found = self.train(torch.arange(rows))
        agreement.check_training(
            f"{case.network}, DistributedDataParallel, process {self.rank}",
            case,
            self.initial,
            alone.parameters(),
            self.net.parameters_by_layer(),
            (losses, [found]),
            CHECKED_STEPS,
            float(np.finfo(dtype).eps),
        )
        return {}

    def fit(self, call: str, mode: str, epochs: int) -> dict[str, Any]:
        """Return the seconds of a step, over shuffled epochs from the first parameters on."""
        with torch.no_grad():
            for parameter, array in zip(
                self.net.trained, (each for layer in self.initial for each in layer), strict=True
            ):
                parameter.copy_(torch.from_numpy(array))
        torch.manual_seed(0)  # the same order everywhere
        distributed.barrier()

        def work() -> None:
            for _ in range(epochs):
                self.train(torch.randperm(len(self.X)))

        return {"seconds": timing.seconds(work) / (epochs * self.case.steps)}

    def train(self, order: torch.Tensor) -> float:
        """Train on batches in an order; return the mean loss of all processes."""
        batches = order.view(-1, self.case.batch)
        first, end = (rank * self.case.batch // self.size for rank in (self.rank, self.rank + 1))
        own = batches[:, first:end].flatten()  # gathered once, which is faster than batch by batch
        x, y = self.X.index_select(0, own), self.y.index_select(0, own)
        total = torch.zeros(1)
        for x_part, y_part in zip(x.split(end - first), y.split(end - first), strict=True):
            value = self.parallel(x_part, y_part)
            self.optimizer.zero_grad()
            value.backward()
            self.optimizer.step()
            total += value.detach()
        distributed.all_reduce(total)
        return float(total) / (self.size * len(batches))


def main() -> None:
    rank, size = int(sys.argv[1]), int(sys.argv[2])
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=size
    )
    Process(rank, size).run()
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
