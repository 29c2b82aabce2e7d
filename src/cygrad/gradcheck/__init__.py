"""`check_gradients`: backpropagation held against numerical differentiation.

The derivative of C by every parameter is computed twice: by backpropagation, and by the central
difference (C(p + h) − C(p − h)) / 2h over two evaluations of C, which knows nothing of
backpropagation.

- `differences` is the mathematics: the step, what rounding allows, what happens at a kink.
- `entries` compares derivatives one by one, `directions` along random directions.
- `subject` is what they need to know of what is checked; `networks` and `graphs` say it of a
  network, and of a graph.
- `report` is what comes of it.
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

# rtol and atol where none are given, by what C is computed in.
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
    """Compare the derivatives that backpropagation gives with central differences.

    ``check_gradients(net, X, y)`` is of a network: the loss by every weight and bias, frozen ones
    included. ``check_gradients(f)`` is of a computational graph: its value by every variable, where
    they are. Each derivative takes two evaluations: that is for small networks and few samples. For
    larger ones there are `sample` and `directions`. What is moved about is a copy.

    Parameters
    ----------
    net_or_graph : Network or cygrad.graph.Node
    X : array_like, shape (n, inputs)
    y : array_like, shape (n,) or (n, outputs)
        As for `Network.evaluate`.
    inputs : bool
        Whether to check the derivatives of a network's loss by X too.
    dtype : {"float64", "float32"}
        What a network's gradients and losses are computed in; where it has another dtype a copy is
        checked. float64 is much sharper. float32 is to check the very arithmetic that a float32
        network is trained with: it shows faults above about 1e-4 · max(C, 1).
    seed : array_like, same shape as the graph's value, or None
        As for `cygrad.graph.Node.backward`: what is differentiated is the sum of seed · value.
        None takes random numbers where the value is an array.
    sample : int or None
        How many derivatives to compare, chosen at random: from each array one at least where that
        is possible, the others in proportion to their sizes. None compares all.
    directions : int or None
        Along how many random directions through all parameters to compare, in place of each
        derivative by itself: two evaluations for each direction, whatever the number of parameters.
        If the slopes disagree, array by array is looked at, and then halves of arrays, to find what
        is wrong. A fault shows unless it is small against the whole slope: one of 1 % in all of an
        array does, one of 1 % in a single weight of a million does not.
    eps : float or None
        The step h for parameters up to 1 in size; eps · |p| for larger ones. None takes what is
        best for the dtype: 6.1e-6 in float64, 4.9e-3 in float32.
    rtol, atol : float or None
        The two values may be apart by atol + rtol · max(|analytic|, |numerical|), and by what
        rounding makes of the difference. None takes 1e-6 and 1e-9 in float64, 2e-4 and 1e-5 in
        float32.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Draws what is random. The default draws the same each time.
    on_error : {"raise", "return"}
        What to do if a derivative is wrong: raise an error, or return the report all the same.
    verbose : bool
        Whether to show on stderr how far the check is.

    Returns
    -------
    GradientReport
        ``print`` it for a table; ``report.passed`` says whether all is right. At a kink, as that of
        relu, there is no derivative: those places are counted, and are not failures.

    Raises
    ------
    GradientError
        If a derivative is wrong. All are compared first, and the error has the report.
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    `cygrad.gradcheck.differences` says how the step is chosen, what rounding allows and how kinks
    are told from faults; `cygrad.gradcheck.report` what the relative error is.

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
    """Whether it is a node of a graph, found out without importing `cygrad.graph`."""
    graph: Any = sys.modules.get("cygrad.graph")
    return graph is not None and isinstance(value, graph.Node)


def _check_absent(kind: str, **given: object) -> None:
    """Complain of arguments that are for the other kind."""
    for name, value in given.items():
        if value is not None:
            raise TypeError(f"{name} is given, expected none where a {kind} is checked")


@contextmanager
def _display(verbose: bool, total: int) -> Iterator[Callable[[int, int], None]]:
    """What is called with the numbers of comparisons that are done and wrong."""
    if not verbose:
        yield lambda done, wrong: None
        return
    with Count("gradients", total) as count:
        yield lambda done, wrong: count.show(done, f"{done:,} of {total:,}, {wrong:,} wrong")
