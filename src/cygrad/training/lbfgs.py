"""`LBFGS`: a quasi-Newton method over all samples at once, by SciPy."""

from __future__ import annotations

from contextlib import ExitStack
from math import inf, isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad import checks
from cygrad.records import dataclass
from cygrad.training.history import DivergenceError, History, OptimizeResult
from cygrad.training.optimizers import Optimizer
from cygrad.training.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network import Network
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.training.budget import Budget
    from cygrad.training.data import FitData
    from cygrad.training.hooks import Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.trainer import Trainer


NO_LIMIT = 1 << 30  # of iterations or evaluations


def _no_rate(step: int) -> float:
    raise TypeError("optimizer is LBFGS, which has no single steps; expected Trainer.fit(X, y)")


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on all trained parameters, with the loss of all samples.

    For small data sets and networks, where it needs far fewer passes than descent. `Trainer.fit`
    runs it through ``scipy.optimize.minimize`` (``pip install 'cygrad[scipy]'``), an iteration for
    each epoch: a line search of one or more passes over all samples, whatever the batch size. Each
    `fit` begins with an empty memory. `Trainer.step`, `learn_one`, `partial_fit`, batches from an
    iterator, shards, clipping, dropout, noise and batch norm are refused.

    Parameters
    ----------
    max_iterations : int
        Iterations of a `fit` without `epochs`, `max_steps` and `max_seconds`.
    memory : int
        Pairs of steps and changes of the gradient that approximate the curvature.
    tolerance : float
        `fit` ends when no number of the gradient is larger; 0 or more.
    weight_decay : float
        λ, 0 or more: adds ½ λ ‖W‖² to what is minimised; biases, norms and scaling do not decay.
        The losses in the history are without it.
    max_evaluations : int or None
        Limit of the passes over all samples: the iteration that exceeds it is the last one.
    loss_tolerance : float
        `fit` ends when an iteration lowers the loss by no more than this share,
        (Cₖ − Cₖ₊₁) / max(abs Cₖ, abs Cₖ₊₁, 1); 0 or more.
    l2_penalty : float
        α, 0 or more: adds ½ α ‖W‖² / s to the loss, for the same weights as `weight_decay`, with s
        the number of samples, or the sum of their weights, for reduction "mean", and 1 for "sum".
        The training losses in the history contain it, those of validation data do not.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    ImportError
        By `Trainer.fit`, without SciPy.

    Notes
    -----
    The line search compares losses: with dtype "float64" it gets much further than with "float32".
    ``history.stopped`` is "converged" when a tolerance is met or the line search finds no lower
    loss, and "evaluations" after `max_evaluations`. ``history.optimize_result`` has SciPy's
    ``status``, ``message``, ``nit`` and ``nfev``; the status is 0 for a tolerance, 1 for a limit of
    iterations or evaluations, 2 for the line search, and 99 for a callback or `max_seconds`.

    References
    ----------
    R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained
    optimization", SIAM J. Scientific Computing 16, 1995.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> net = cg.Network(1, [cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    >>> history = cg.Trainer(net, cg.LBFGS(max_iterations=200)).fit(X, y)
    >>> history.stopped, net.predict([[3.0]]).round(3)
    ('converged', array([7.]))
    """

    max_iterations: int = 100
    memory: int = 10
    tolerance: float = 1e-5
    weight_decay: float = 0.0
    max_evaluations: int | None = None
    loss_tolerance: float = 0.0
    l2_penalty: float = 0.0

    learning_rate: ClassVar[Any] = staticmethod(_no_rate)  # type: ignore[misc]

    def __post_init__(self) -> None:
        for name in ("max_iterations", "memory"):
            whole = checks.whole_number(getattr(self, name), name)
            object.__setattr__(self, name, whole)
        if self.max_evaluations is not None:
            whole = checks.whole_number(self.max_evaluations, "max_evaluations")
            object.__setattr__(self, "max_evaluations", whole)
        for name in ("tolerance", "weight_decay", "loss_tolerance", "l2_penalty"):
            number = checks.number(getattr(self, name), name, least=0)
            object.__setattr__(self, name, number)

    @property
    def rule(self) -> str:
        return "sgd"  # never run: there is no learning rate

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {}


class _Problem:
    """The loss of all samples as a function of the trained parameters, and its derivatives.

    Parameters
    ----------
    decay : float
        λ of a penalty ½ λ ‖W‖² that is minimised and not reported.
    penalty : float
        The same of one that is reported.

    Attributes
    ----------
    loss, metric : float
        At the latest point: the loss as it is reported, and the metric.
    """

    def __init__(
        self,
        net: Network,
        samples: Samples,
        targets: Targets,
        weights: Weights | None,
        threads: Any,
        decay: float,
        penalty: float,
    ) -> None:
        self._engine = net.engine
        self._samples, self._targets, self._weights = samples, targets, weights
        self._threads = threads
        trained, decays = _masks(net)
        # Most networks train all parameters: these need no copies.
        self._trained = None if trained.all() else trained
        self._factors = decays * (decay + penalty) if decay or penalty else None
        self._reported_share = penalty / (decay + penalty) if penalty else 0.0
        self._parameters = net.parameters
        self._new_gradient()
        self._point = b""  # compared at less expense than an array
        self.loss = self.metric = np.nan

    def _new_gradient(self) -> None:
        self._gradient = np.empty_like(self._parameters)
        self._derivatives = self._gradient  # as float64, of the trained parameters

    def read(self) -> NDArray[np.float64]:
        """Return the trained parameters of the network."""
        parameters: NDArray[Any] = self._engine.parameters()
        if self._trained is not None:
            parameters = parameters[self._trained]
        return parameters.astype(np.float64, copy=False)

    def set(self, x: NDArray[np.float64]) -> bool:
        """Set the trained parameters of the network, if they are finite in its dtype."""
        if self._trained is None:
            return self._engine.set_parameters(x)
        with np.errstate(over="ignore"):
            self._parameters[self._trained] = x
        return self._engine.set_parameters(self._parameters)

    def __call__(self, x: NDArray[np.float64]) -> float:
        """Return what is minimised at x, infinity if it is not finite; keep its derivatives."""
        value = self._compute(x)
        if isfinite(value) and _are_finite(self._derivatives):
            self._point = x.tobytes()
            return value
        self._point = b""
        self._derivatives = np.zeros_like(x)
        return inf

    def _compute(self, x: NDArray[np.float64]) -> float:
        if not self.set(x):
            return inf
        self.loss, self.metric = self._engine.gradient_and_metric(
            self._samples, self._targets, self._gradient, self._threads, self._weights
        )
        derivatives = self._gradient if self._trained is None else self._gradient[self._trained]
        self._derivatives = derivatives.astype(np.float64, copy=False)
        value = self.loss
        if self._factors is not None:
            of_penalties = x * self._factors
            self._derivatives += of_penalties
            penalties = 0.5 * float(x @ of_penalties)
            value += penalties
            self.loss += self._reported_share * penalties
        return value

    def derivatives(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the derivatives at x, which is always the latest point."""
        return self._derivatives

    def visit(self, x: NDArray[np.float64]) -> None:
        """Have loss, metric and the network's parameters at x; as a rule they already are."""
        if x.tobytes() != self._point:
            self._new_gradient()  # SciPy may keep the other one
            self(x)


def _are_finite(numbers: NDArray[np.float64]) -> bool:
    # A finite sum of squares is the quick answer, but it can overflow.
    return isfinite(numbers @ numbers) or bool(np.isfinite(numbers).all())


def _masks(net: Network) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which parameters are trained, and which of the trained ones decay."""
    trained: list[NDArray[np.bool_]] = []
    decays: list[NDArray[np.bool_]] = []
    for layer in net.layers:
        if not layer.has_weights:
            continue
        count = layer.n_parameters - layer.units * layer.use_bias
        trained.append(np.full(count, layer.train_weights))
        decays.append(np.full(count, layer.kind == "dense"))
        if layer.use_bias:
            trained.append(np.full(layer.units, layer.train_biases))
            decays.append(np.full(layer.units, False))
    mask = np.concatenate(trained)
    return mask, np.concatenate(decays)[mask]


def check(trainer: Trainer, statistics: bool) -> None:
    """Check that a network can be trained by `LBFGS`, and import SciPy."""
    kinds = {layer.kind for layer in trainer.net.layers}
    for kind in ("dropout", "noise", "batch_norm"):
        if kind in kinds:
            raise ValueError(
                f"optimizer is LBFGS and the network has {kind}: its loss in training is no "
                "function of the parameters; expected another optimizer"
            )
    if trainer.clips:
        raise ValueError("optimizer is LBFGS, whose gradients are not clipped; expected no clip")
    if trainer.shards is not None:
        raise ValueError(
            f"shards is {trainer.shards} and optimizer is LBFGS, which takes all samples at once; "
            "expected no shards"
        )
    if statistics:
        raise ValueError("statistics is True with LBFGS, expected False")
    try:
        import scipy.optimize  # noqa: F401
    except ImportError as error:
        raise ImportError("LBFGS needs SciPy: pip install 'cygrad[scipy]'") from error


def fit(
    trainer: Trainer,
    data: FitData,
    *,
    budget: Budget,
    metrics: Sequence[Metric],
    hooks: Sequence[Hooks],
    verbose: bool,
    reset: bool,
) -> History:
    """Minimise the loss of the samples, one epoch for each iteration; see `Trainer.fit`.

    Samples that are not to be trained on have weight 0.
    """
    from scipy.optimize import minimize

    samples, targets, weights, rows, held_out, trained = data
    optimizer, net, threads = trainer.optimizer, trainer.net, trainer.max_threads
    assert isinstance(optimizer, LBFGS)
    if rows is not None:
        # A row that comes twice counts twice.
        counts = np.bincount(rows, minlength=samples.rows).astype(np.float64)
        weights = counts if weights is None else counts * weights
    total = float(samples.rows if weights is None else weights.sum())
    with trainer.exclusive(), ExitStack() as cleanup:
        if reset:
            trainer.begin_anew()
        history = trainer.begin_history(
            History(net.metric, held_out is not None, list(metrics), trained is not None)
        )
        for hook in hooks:
            hook.on_train_begin(trainer)
            cleanup.callback(hook.on_train_end, trainer)
        progress = None
        if verbose:
            scale = 1 if net.reduction == "mean" else samples.rows
            progress = Progress(budget.epochs_of(1), samples.rows, samples.rows, scale)
            cleanup.enter_context(progress)
        penalty = optimizer.l2_penalty / total if net.reduction == "mean" else optimizer.l2_penalty
        problem = _Problem(net, samples, targets, weights, threads, optimizer.weight_decay, penalty)
        start = problem.read()
        # The point after each iteration that is in the history, and after the present one.
        points = {0: start}
        limit = budget.epochs_of(1)
        begin = perf_counter()

        def loss_of(x: NDArray[np.float64]) -> float:
            value = problem(x)
            if value == inf and np.array_equal(x, start):
                raise DivergenceError(1, 1, history)
            return value

        def iteration_done(x: NDArray[np.float64]) -> None:
            nonlocal begin
            problem.visit(x)
            epoch = len(history) + 1
            values: tuple[float, ...] = (problem.loss, problem.metric)
            seconds = perf_counter() - begin
            for data in (trained, held_out):
                if data is not None:
                    found = trainer.averages(data.evaluate(net, threads), data.total)
                    values += (() if data is trained else found) + data.metrics(net)
            points[epoch] = x.copy()
            history.append(*values, np.nan, seconds)
            points.pop(epoch - 1)
            if progress is not None:
                progress.epoch_done(history.last())
            stops = [hook.on_epoch_end(trainer, epoch, history.last()) for hook in hooks]
            if hooks:  # they may change the parameters
                points[epoch] = problem.read()
            budget.spend(1)
            history.stopped = budget.spent(epoch, partial=False)
            if any(stops):
                history.stopped = "callback"
            if history.stopped is not None and epoch != limit:  # at which SciPy ends by itself
                raise StopIteration
            begin = perf_counter()

        try:
            result = minimize(
                loss_of,
                start,
                jac=problem.derivatives,
                method="L-BFGS-B",
                callback=iteration_done,
                options={
                    "maxiter": NO_LIMIT if limit is None else limit,
                    "maxfun": optimizer.max_evaluations or NO_LIMIT,
                    "maxcor": optimizer.memory,
                    "gtol": optimizer.tolerance,
                    "ftol": optimizer.loss_tolerance,
                },
            )
        finally:  # also after Ctrl-C: not the parameters that a line search has tried
            problem.set(points[len(history)])
        history.optimize_result = OptimizeResult(
            int(result.status), str(result.message), int(result.nit), int(result.nfev)
        )
        if history.stopped is None:
            history.stopped = "evaluations" if result.status == 1 else "converged"
    return history
