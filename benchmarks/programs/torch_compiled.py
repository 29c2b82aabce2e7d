"""PyTorch, compiled: forward, gradients and update of a step in one graph of ``torch.compile``.

It takes a quarter to two thirds of the eager time on small networks, where compiling the loss alone
gains nothing. The C++ wrapper saves another tenth. Switching off the guards, which check in every
step that the graph still fits its arguments, saves a quarter more. Autotuning gains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters, Unavailable
from .torch_eager import TorchEager, loss

Tensors = list[torch.Tensor]
OPTIONS: dict[str, Any] = {"cpp_wrapper": True}
if hasattr(torch.compiler, "skip_all_guards_unsafe"):  # since 2.8
    OPTIONS["guard_filter_fn"] = torch.compiler.skip_all_guards_unsafe
# In 2.13 cached code is used under another ATEN_CPU_CAPABILITY too, where its numbers are wrong:
# findings/torch-compile-cache-cpu-capability.sh.
if hasattr(torch.compiler, "config"):  # since 2.7
    torch.compiler.config.force_disable_caches = True


class TorchCompiled(TorchEager):
    name = "PyTorch compiled"

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        reason = _failure()
        if reason is not None:
            raise Unavailable(f"torch.compile: {reason}")
        super().__init__(case, dtype, threads)
        self._compile()

    def start(self, parameters: Parameters) -> None:
        self.trained = [torch.tensor(array) for layer in parameters for array in layer]
        states = 2 if self.case.optimizer == "adam" else 1
        self.states = [[torch.zeros_like(part) for part in self.trained] for _ in range(states)]
        # One element, like `total`: the C++ wrapper takes 0-d arguments by value, so additions to
        # them in the graph would be lost.
        self.count = torch.zeros(1, dtype=torch.float64)

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        if self.threads != self.compiled_for:
            self._compile()
        return super().fit(X, y, epochs, shuffle=shuffle)

    def _compile(self) -> None:
        """Compile a graph, at the next step, for this network and its number of threads."""
        torch.compiler.reset()  # drops older graphs, whose number is limited
        self.compiled_for = self.threads
        self.graph: Callable[..., None] = torch.compile(
            partial(_step, self.case), fullgraph=True, dynamic=False, options=OPTIONS
        )

    def _step(self, x: torch.Tensor, y: torch.Tensor, total: torch.Tensor) -> None:
        self.graph(self.trained, self.states, self.count, total, x, y)


def _step(
    case: Case,
    trained: Tensors,
    states: list[Tensors],
    count: torch.Tensor,
    total: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
) -> None:
    gradients, value = torch.func.grad_and_value(partial(loss, case))(trained, x, y)
    total.add_(value)
    if case.optimizer == "adam":
        _adam(trained, gradients, states[0], states[1], count)
    else:
        for p, g, velocity in zip(trained, gradients, *states, strict=True):
            velocity.mul_(MOMENTUM).sub_(g, alpha=LEARNING_RATE)
            p.add_(velocity)


def _adam(
    trained: Tensors, gradients: Tensors, ms: Tensors, vs: Tensors, count: torch.Tensor
) -> None:
    count.add_(1)
    dtype = trained[0].dtype
    rate = (LEARNING_RATE / (1 - BETA1**count)).to(dtype)
    root = (1 - BETA2**count).rsqrt().to(dtype)
    for p, g, m, v in zip(trained, gradients, ms, vs, strict=True):
        m.mul_(BETA1).add_(g, alpha=1 - BETA1)
        v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
        p.sub_(rate * m / (v.sqrt() * root + EPSILON))


@cache
def _failure() -> str | None:
    """Return the error if nothing can be compiled here (no C++ compiler, for example), or None."""
    try:
        torch.compile(_twice, options=OPTIONS)(torch.zeros(2))
    except Exception as error:  # of many kinds, most of them without a public name
        return _first_line(error)
    return None


def _twice(x: torch.Tensor) -> Any:
    return x + x


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
