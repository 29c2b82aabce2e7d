"""`check_gradients`: backpropagation held against numerical differentiation.

The derivative of C by every parameter is computed twice: by backpropagation, and by the central
difference (C(p + h) − C(p − h)) / 2h over two evaluations of C, which knows nothing of
backpropagation.

- `differences` is the mathematics: the step, what rounding allows, what happens at a kink.
- `entries` compares derivatives one by one, `directions` along random directions.
- `networks` is what can be checked.
- `report` is what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import numpy as np

from cygrad import checks
from cygrad.gradcheck.differences import Differences, best_step, least_step
from cygrad.gradcheck.directions import check_directions
from cygrad.gradcheck.entries import check_entries, choose
from cygrad.gradcheck.networks import NetworkSubject
from cygrad.gradcheck.report import ArrayReport, Comparison, GradientError, GradientReport
from cygrad.network import Network, dtype_name
from cygrad.progress import Count
from cygrad.streams import stream

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cygrad.streams import RandomSource

__all__ = [
    "ArrayReport",
    "Comparison",
    "GradientError",
    "GradientReport",
    "check_gradients",
]

# rtol and atol where none are given, by what C is computed in.
TOLERANCES = {"float64": (1e-6, 1e-9), "float32": (2e-4, 1e-5)}


def check_gradients(
    net: Network,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample: int | None = None,
    directions: int | None = None,
    dtype: DTypeLike = "float64",
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    inputs: bool = False,
    rng: RandomSource = 0,
    on_error: Literal["raise", "return"] = "raise",
    verbose: bool = False,
) -> GradientReport:
    """Compare derivatives that `Network.backward` gives with central differences.

    Every derivative by itself, frozen parameters included, takes two evaluations of the loss for
    each parameter: meant for small networks and few samples. For larger ones there are `sample`
    and `directions`. The network is not changed: what is moved is a copy.

    Parameters
    ----------
    net : Network
    X : array_like, shape (n, inputs)
    y : array_like, shape (n,) or (n, outputs)
        As for `Network.evaluate`.
    sample : int or None
        How many derivatives to compare, chosen at random: one of each array of parameters where
        that is possible, the others in proportion to their sizes. None compares all.
    directions : int or None
        Along how many random directions through all parameters to compare, in place of each
        derivative by itself: two evaluations of the loss for each, whatever the size of the
        network. What is wrong is then looked for array by array, and by halves of arrays. A fault
        is found if it is not small against the whole slope: one of 1 % in an array, but not one of
        1 % in a single weight among a million.
    dtype : {"float64", "float32"}
        What gradients and losses are computed in. A network of the other dtype is checked through
        a copy. float64 finds smaller faults; float32 checks the arithmetic that a float32 network
        is trained with, and finds a fault above about 1e-4 · max(C, 1).
    eps : float or None
        The step h for parameters up to 1 in size; eps · |p| for larger ones. None takes what is
        best for the dtype: 6.1e-6 in float64, 4.9e-3 in float32.
    rtol, atol : float or None
        The two values may be apart by atol + rtol · max(|analytic|, |numerical|), and by what
        rounding of the loss makes of the difference. None takes 1e-6 and 1e-9 in float64, 2e-4 and
        1e-5 in float32.
    inputs : bool
        Whether to check ∂C/∂X too.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Chooses sample and directions. The default chooses the same each time.
    on_error : {"raise", "return"}
        What to do if a derivative is wrong: raise an error, or return the report all the same.
    verbose : bool
        Whether to show on stderr how far the check is.

    Returns
    -------
    GradientReport

    Raises
    ------
    GradientError
        If a derivative is wrong. All are compared first, and the error has the report.
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    `cygrad.gradcheck.differences` says how steps are chosen, what rounding allows, and how kinks
    are told from faults; `cygrad.gradcheck.report` what the relative error is.

    References
    ----------
    W. Press et al., "Numerical Recipes", 3rd edition, 2007, section 5.7, for the step.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(64, "relu"), cg.Dense(10, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> cg.check_gradients(net, X[:10] / 16, y[:10], directions=3).passed
    True
    """
    if not isinstance(net, Network):
        raise TypeError(f"net is {net!r}, expected a Network")
    name = dtype_name(dtype)
    unit = float(np.finfo(name).eps)
    step = best_step(unit) if eps is None else checks.number(eps, "eps", least_step(unit))
    default_rtol, default_atol = TOLERANCES[name]
    rtol = default_rtol if rtol is None else checks.number(rtol, "rtol", least=0)
    atol = default_atol if atol is None else checks.number(atol, "atol", least=0)
    if sample is not None:
        sample = checks.whole_number(sample, "sample")
    if directions is not None:
        directions = checks.whole_number(directions, "directions")
        if sample is not None:
            raise ValueError("sample and directions are both given, expected one of them")
    generator = stream(rng, "checking")
    checks.one_of(on_error, "on_error", ("raise", "return"))
    checks.flag(verbose, "verbose")

    subject = NetworkSubject(net, X, y, name, checks.flag(inputs, "inputs"))
    differences = Differences(subject, step, rtol, atol)
    if directions is None:
        places = choose(subject.arrays, sample, generator)
        with _display(verbose, sum(map(len, places))) as show:
            report = check_entries(differences, places, show)
    else:
        with _display(verbose, directions) as show:
            report = check_directions(differences, directions, generator, show)
    if on_error == "raise" and not report.passed:
        raise GradientError(report)
    return report


@contextmanager
def _display(verbose: bool, total: int) -> Iterator[Callable[[int, int], None]]:
    """What is called with the numbers of comparisons that are done and wrong."""
    if not verbose:
        yield lambda done, wrong: None
        return
    with Count("gradients", total) as count:
        yield lambda done, wrong: count.show(
            done, f"{done:,} of {total:,} compared, {wrong:,} wrong"
        )
