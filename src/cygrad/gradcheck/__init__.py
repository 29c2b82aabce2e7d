"""`check_gradients`: compare backpropagation with numerical differentiation.

The derivative of C by every parameter is computed twice: by backpropagation, and by the central
difference (C(p + h) − C(p − h)) / 2h from two evaluations of C, without backpropagation.

- `differences` has the mathematics: the step, the tolerance for rounding, the kinks.
- `entries` compares derivatives one by one, `directions` along random directions.
- `subject` is the interface of a network or graph to the check; `networks` and `graphs` implement
  it.
- `report` has the results.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeGuard, overload

import numpy as np

from cygrad import checks
from cygrad.gradcheck.differences import Differences, best_step, least_step
from cygrad.gradcheck.directions import check_directions
from cygrad.gradcheck.entries import check_entries, choose
from cygrad.gradcheck.report import ArrayReport, Comparison, GradientError, GradientReport
from cygrad.network import Network
from cygrad.seeding import stream
from cygrad.training.progress import Count

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from cygrad.gradcheck.subject import Subject
    from cygrad.graph import Node
    from cygrad.seeding import RandomSource

__all__ = [
    "ArrayReport",
    "Comparison",
    "GradientError",
    "GradientReport",
    "check_gradients",
]

# Default rtol and atol, by the dtype of C.
TOLERANCES = {"float64": (1e-6, 1e-9), "float32": (2e-4, 1e-5)}


@overload
def check_gradients(
    net: Network,
    /,
    X: ArrayLike,
    y: ArrayLike,
    *,
    inputs: bool = ...,
    dtype: DTypeLike = ...,
    sample: int | None = ...,
    directions: int | None = ...,
    eps: float | None = ...,
    rtol: float | None = ...,
    atol: float | None = ...,
    rng: RandomSource = ...,
    on_error: Literal["raise", "return"] = ...,
    verbose: bool = ...,
) -> GradientReport: ...


@overload
def check_gradients(
    f: Node,
    /,
    *,
    seed: ArrayLike | None = ...,
    sample: int | None = ...,
    directions: int | None = ...,
    eps: float | None = ...,
    rtol: float | None = ...,
    atol: float | None = ...,
    rng: RandomSource = ...,
    on_error: Literal["raise", "return"] = ...,
    verbose: bool = ...,
) -> GradientReport: ...


def check_gradients(
    net_or_graph: Network | Node,
    /,
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    inputs: bool = False,
    dtype: DTypeLike = "float64",
    seed: ArrayLike | None = None,
    sample: int | None = None,
    directions: int | None = None,
    eps: float | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    rng: RandomSource = 0,
    on_error: Literal["raise", "return"] = "raise",
    verbose: bool = False,
) -> GradientReport:
    """Compare the derivatives of backpropagation with central differences.

    ``check_gradients(net, X, y)`` checks a network: the loss by every weight and bias, frozen ones
    included. ``check_gradients(f)`` checks a computational graph: its value by every variable, at
    their values. Each derivative takes two evaluations, which suits small networks and few samples;
    use `sample` or `directions` for larger ones. Only a copy is perturbed.

    Parameters
    ----------
    net_or_graph : Network or cygrad.graph.Node
    X : array_like, shape (n, inputs)
    y : array_like, shape (n,) or (n, outputs)
        As for `Network.evaluate`.
    inputs : bool
        Whether to check the derivatives of a network's loss by X too.
    dtype : {"float64", "float32"}
        The type of a network's gradients and losses; a network of another dtype is converted.
        float64 is much more exact. float32 checks the arithmetic of float32 training and finds
        faults above about 1e-4 · max(C, 1).
    seed : array_like, same shape as the graph's value, or None
        As for `cygrad.graph.Node.backward`: the sum of seed · value is differentiated. None takes
        random numbers if the value is an array.
    sample : int or None
        Number of derivatives to compare, chosen at random: at least one of each array if possible,
        the others in proportion to the sizes. None compares all.
    directions : int or None
        Number of random directions through all parameters to compare, instead of single
        derivatives: two evaluations for each direction, for any number of parameters. If the slopes
        disagree, the check compares single arrays, then halves of arrays, to find the fault. A
        fault is found unless it is small compared with the whole slope: 1 % in all of an array is
        found, 1 % in a single weight of a million is not.
    eps : float or None
        The step h for parameters up to 1 in size; eps · |p| for larger ones. None takes the best
        step for the dtype: 6.1e-6 in float64, 4.9e-3 in float32.
    rtol, atol : float or None
        The two values may differ by atol + rtol · max(|analytic|, |numerical|) plus the rounding
        error of the difference. None takes 1e-6 and 1e-9 in float64, 2e-4 and 1e-5 in float32.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Source of the random choices. The default makes the same choices each time.
    on_error : {"raise", "return"}
        If a derivative is wrong, raise an error or return the report.
    verbose : bool
        Whether to show the progress on stderr.

    Returns
    -------
    GradientReport
        ``print`` it for a table; ``report.passed`` is True if no derivative is wrong. At a kink,
        such as that of relu, there is no derivative: kinks are counted, and are not failures.

    Raises
    ------
    GradientError
        If a derivative is wrong. All are compared first, and the error holds the report.
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    `cygrad.gradcheck.differences` describes the choice of the step, the tolerance for rounding and
    the difference between kinks and faults; `cygrad.gradcheck.report` defines the relative error.

    References
    ----------
    W. Press et al., "Numerical Recipes", 3rd edition, 2007, section 5.7, for the step.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(64, "tanh"), cg.Dense(10, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> cg.check_gradients(net, X[:5] / 16, y[:5], directions=3).passed
    True
    >>> x = cg.graph.Variable(2.0, "x")
    >>> cg.check_gradients(x * cg.graph.exp(x)).compared
    1
    """
    name = checks.dtype_name(dtype)
    roundoff = float(np.finfo(name).eps)
    step = best_step(roundoff) if eps is None else checks.number(eps, "eps", least_step(roundoff))
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
    inputs = checks.flag(inputs, "inputs")
    checks.one_of(on_error, "on_error", ("raise", "return"))
    checks.flag(verbose, "verbose")

    subject: Subject
    if isinstance(net_or_graph, Network):
        from cygrad.gradcheck.networks import NetworkSubject

        if X is None or y is None:
            raise TypeError("X and y are needed to check a network")
        _check_absent("network", seed=seed)
        subject = NetworkSubject(net_or_graph, X, y, name, inputs)
    elif _is_node(net_or_graph):
        from cygrad.gradcheck.graphs import GraphSubject

        given = name if name != "float64" else None
        _check_absent("graph", X=X, y=y, inputs=inputs or None, dtype=given)
        subject = GraphSubject(net_or_graph, seed, generator)
    else:
        raise TypeError(
            f"net_or_graph is {net_or_graph!r}, expected a Network or a node of a graph"
        )

    differences = Differences(subject, step, rtol, atol)
    if directions is None:
        flat_indices = choose(subject.arrays, sample, generator)
        with _display(verbose, sum(map(len, flat_indices))) as show:
            report = check_entries(differences, flat_indices, show)
    else:
        with _display(verbose, directions) as show:
            report = check_directions(differences, directions, generator, show)
    if on_error == "raise" and not report.passed:
        raise GradientError(report)
    return report


def _is_node(value: object) -> TypeGuard[Node]:
    """Return True for a node of a graph, without importing `cygrad.graph`."""
    graph: Any = sys.modules.get("cygrad.graph")
    return graph is not None and isinstance(value, graph.Node)


def _check_absent(kind: str, **given: object) -> None:
    """Raise if arguments for the other kind of subject are given."""
    for name, value in given.items():
        if value is not None:
            raise TypeError(f"{name} is given, expected none where a {kind} is checked")


@contextmanager
def _display(verbose: bool, total: int) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows the numbers of done and wrong comparisons."""
    if not verbose:
        yield lambda done, wrong: None
        return
    with Count("gradients", total) as count:
        yield lambda done, wrong: count.show(done, f"{done:,} of {total:,}, {wrong:,} wrong")
