"""Check that two programs agree, within tolerances that depend on dtype and size."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from .cases import Case
from .programs import Array, Parameters
from .settings import WrongResult

LOSS_TOLERANCE, USUAL_LAYERS = 1e-3, 5


def check_training(
    name: str,
    case: Case,
    initial: Parameters,
    expected: Parameters,
    actual: Parameters,
    losses: tuple[Sequence[float], Sequence[float]],
    steps: int,
    eps: float,
) -> float:
    """Compare parameters and losses after the same steps; return the largest relative distance.

    The distance of an array is ‖actual − expected‖ / ‖expected − initial‖. Its bound is
    steps · layers · √ε: Adam divides a gradient by its own magnitude, so that a gradient as small
    as rounding, ε, still makes a step of full length. A share of about ε of all gradients is so
    small, which is √ε in the root mean square of one step. Each step and each layer adds as much.
    For wide networks `_relu_flips` is added. `losses` are those of every epoch, expected and
    actual; those of probabilities near one are exact to ε.
    """
    rounding = steps * len(initial) * eps**0.5
    bound = rounding + _relu_flips(case, steps, eps)
    arrays = zip(*(chain.from_iterable(part) for part in (initial, expected, actual)), strict=True)
    norm = np.linalg.norm
    distance = max(
        float(norm(actual_array - expected_array) / norm(expected_array - initial_array))
        for initial_array, expected_array, actual_array in arrays
    )
    if not distance <= bound:
        raise WrongResult(
            f"{name}: the relative distance of the parameters is {distance:.2e} after {steps} "
            f"steps, expected at most {bound:.2e}"
        )
    if not np.allclose(losses[1], losses[0], rtol=rounding, atol=eps):
        raise WrongResult(f"{name}: losses are {losses[1]}, expected {losses[0]}")
    return distance


def _relu_flips(case: Case, steps: int, eps: float) -> float:
    """Return the distance caused by ReLU inputs so near zero that rounding decides their sign.

    About a share 2ε of all z is so small. If one is likely to occur, ReLU passes a sample in one
    program and blocks it in the other. That reverses the sign of a share 1/√batch of the gradients
    of the unit, for which Adam makes full steps: the distance is twice the root of their share.
    """
    hidden = case.sizes[1:-1] if case.hidden == "relu" else ()
    flips = 2 * eps * steps * case.batch * sum(hidden)
    if flips < 0.1:
        return 0.0
    most_flips = 1 + 2 * flips
    return float(2 * (most_flips / (min(hidden) * case.batch**0.5)) ** 0.5)


def check_losses(
    name: str, expected: Sequence[float], actual: Sequence[float], layers: int
) -> None:
    """Compare losses after an epoch, when rounding errors have grown, but not beyond 1/1000.

    Networks of more than `USUAL_LAYERS` let them grow further, in proportion.
    """
    tolerance = LOSS_TOLERANCE * max(1, layers / USUAL_LAYERS)
    close = np.allclose(actual, expected, rtol=tolerance, atol=0)
    if not (close and np.isfinite(expected).all()):
        raise WrongResult(f"{name}: losses are {actual}, expected {expected}")


def check_outputs(name: str, expected: Array, actual: Array, depth: int) -> None:
    """Compare outputs of networks whose longest sum has `depth` terms.

    The bound is 8·√depth·ε times the largest output.
    """
    largest = float(np.abs(expected).max())
    bound = 8 * depth**0.5 * float(np.finfo(expected.dtype).eps) * largest
    if actual.shape != expected.shape:
        raise WrongResult(f"{name}: outputs have shape {actual.shape}, expected {expected.shape}")
    difference = float(np.abs(actual - expected).max())
    if not difference <= bound:
        raise WrongResult(f"{name}: outputs are off by {difference:.2e}, expected {bound:.2e}")
