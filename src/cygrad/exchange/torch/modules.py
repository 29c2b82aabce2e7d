"""Modules of PyTorch for what it has none of its own: scaling, residual sums, some activations.

They train, and have state dicts, as all modules do. A module that is saved whole, as a pickle,
needs cygrad where it is read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

Tensor = Any  # the types of the project do not depend on PyTorch


class InputScaling(nn.Module):
    """Scale the inputs: z = (x − mean) ⊙ scale in float64, rounded to the dtype of x.

    Parameters
    ----------
    mean, scale : Tensor of float64, shape (inputs,)
        Buffers, which are not trained.
    clipped : Tensor of bool, shape (inputs,), or None
        Inputs that become z / √(1 + (z / 3)²).
    """

    def __init__(self, mean: Tensor, scale: Tensor, clipped: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.register_buffer("clipped", clipped)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scaled inputs."""
        if not x.is_floating_point():
            raise TypeError(f"the inputs are {x.dtype}, expected the dtype of the parameters")
        z = (x - self.mean) * self.scale
        if self.clipped is not None:
            z = torch.where(self.clipped, z / (1 + (z / 3) ** 2).sqrt(), z)
        return z.to(x.dtype)

    def extra_repr(self) -> str:
        """Return the number of inputs, for the repr."""
        return str(len(self.mean))


class OutputScaling(nn.Module):
    """Give quantities their unit: y = a ⊙ deviations + means in float64, rounded to a's dtype.

    Parameters
    ----------
    means, deviations : Tensor of float64, shape (outputs,)
        Buffers, which are not trained.
    logarithm : {"none", "log", "log1p"}
        "log": y becomes exp(y); "log1p": exp(y) − 1.
    """

    def __init__(self, means: Tensor, deviations: Tensor, logarithm: str) -> None:
        super().__init__()
        self.register_buffer("means", means)
        self.register_buffer("deviations", deviations)
        self.logarithm = logarithm

    def forward(self, a: Tensor) -> Tensor:
        """Return the quantities in their unit."""
        y = a * self.deviations + self.means
        if self.logarithm != "none":
            y = torch.exp(y) if self.logarithm == "log" else torch.expm1(y)
        return y.to(a.dtype)

    def extra_repr(self) -> str:
        """Return the arguments, for the repr."""
        return f"{len(self.means)}, logarithm={self.logarithm!r}"


class Scaling(nn.Module):
    """Multiply each unit by a factor of its own: z = γ ⊙ x.

    Parameters
    ----------
    factors : Tensor, shape (units,)
        γ, a parameter. It is not called ``weight``, as the γ of a layer norm is.
    """

    def __init__(self, factors: Tensor) -> None:
        super().__init__()
        self.factors = nn.Parameter(factors)

    def forward(self, x: Tensor) -> Tensor:
        """Return γ ⊙ x."""
        return x * self.factors

    def extra_repr(self) -> str:
        """Return the number of units, for the repr."""
        return str(len(self.factors))


class ResidualSum(nn.Module):
    """Add the result of some modules to their input: z = x + f(x).

    Parameters
    ----------
    residual_block : nn.Sequential
        f.
    """

    def __init__(self, residual_block: nn.Sequential) -> None:
        super().__init__()
        self.residual_block = residual_block

    def forward(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        return x + self.residual_block(x)


class GaussianNoise(nn.Module):
    """Add normal numbers of mean 0 in training.

    Parameters
    ----------
    deviation : float
        Their standard deviation.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        """Return x + n in training, x otherwise."""
        return x + self.deviation * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        """Return the deviation, for the repr."""
        return str(self.deviation)


class Gaussian(nn.Module):
    """The activation a = exp(−z²)."""

    def forward(self, z: Tensor) -> Tensor:
        """Return exp(−z²)."""
        return torch.exp(-z * z)


class Exp(nn.Module):
    """The activation a = exp(z)."""

    def forward(self, z: Tensor) -> Tensor:
        """Return exp(z)."""
        return torch.exp(z)


class Sine(nn.Module):
    """The activation a = sin(ω z).

    Parameters
    ----------
    omega : float
        ω.
    """

    def __init__(self, omega: float = 1.0) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, z: Tensor) -> Tensor:
        """Return sin(ω z)."""
        return torch.sin(self.omega * z)

    def extra_repr(self) -> str:
        """Return ω, for the repr."""
        return str(self.omega)
