"""`LBFGS`: a quasi-Newton method over all samples at once, by SciPy."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cygrad import checks
from cygrad.training.history import DivergenceError, History
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
    from cygrad.training.hooks import Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.trainer import Trainer
    from cygrad.training.validation import Validation


def _no_rate(step: int) -> float:
    raise TypeError("optimizer is LBFGS, which has no single steps; expected Trainer.fit(X, y)")


@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS on all trained parameters, with the loss of all samples.

    For small data sets and networks, where it needs far fewer passes than descent. `Trainer.fit`
    runs it through ``scipy.optimize.minimize`` (``pip install 'cygrad[scipy]'``), an iteration for
    each epoch: a line search of one or more passes over all samples, whatever the batch size. Each
    `fit` begins with an empty memory. `Trainer.step`, `learn_one`, `partial_fit`, batches from an
    iterator, clipping, dropout, noise and batch norm are refused.

    Parameters
    ----------
    max_iterations : int
        Iterations of a `fit` without `epochs`, `max_steps` and `max_seconds`.
    memory : int
        Pairs of steps and changes of the gradient that approximate the curvature.
    tolerance : float
        `fit` ends when no number of the gradient is larger; 0 or more.
    weight_decay : float
        λ, 0 or more: adds ½ λ ‖W‖² to what is minimised; biases and norms do not decay. The losses
        in the history are without it.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    ImportError
        By `Trainer.fit`, without SciPy.

    Notes
    -----
    The line search compares losses: with dtype "float64" it gets much further than with "float32".
    When the method finds no better parameters, ``history.stopped`` is "converged".

    References
    ----------
    R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained
    optimization", SIAM J. Scientific Computing 16, 1995.

    Examples
    --------
    >>> import cygrad as cg
    >>> cg.LBFGS(max_iterations=200)
    LBFGS(max_iterations=200, memory=10, tolerance=1e-05, weight_decay=0.0)
    """

    max_iterations: int = 100
    memory: int = 10
    tolerance: float = 1e-5
    weight_decay: float = 0.0

    learning_rate: ClassVar[Any] = staticmethod(_no_rate)  # type: ignore[misc]

    def __post_init__(self) -> None:
        for name in ("max_iterations", "memory"):
            whole = checks.whole_number(getattr(self, name), name)
            object.__setattr__(self, name, whole)
        for name in ("tolerance", "weight_decay"):
            number = checks.number(getattr(self, name), name, least=0)
            object.__setattr__(self, name, number)

    @property
    def rule(self) -> str:
        return "sgd"  # never run: there is no learning rate

    @property
    def hyperparameters(self) -> dict[str, float]:
        return {}


class _Ended(Exception):
    """An iteration was the last one; the argument is the reason."""


class _Problem:
    """The loss of all samples as a function of the trained parameters."""

    def __init__(
        self,
        net: Network,
        samples: Samples,
        targets: Targets,
        weights: Weights | None,
        threads: Any,
        decay: float,
    ) -> None:
        self.net, self.samples, self.targets = net, samples, targets
        self.weights, self.threads, self.decay = weights, threads, decay
        self.trained, self.decays = _masks(net)
        self.parameters = net.parameters
        self.gradient = np.empty_like(self.parameters)
        self.loss = np.inf

    def start(self) -> NDArray[np.float64]:
        return self.parameters[self.trained].astype(np.float64)

    def set(self, x: NDArray[np.float64]) -> None:
        self.parameters[self.trained] = x
        self.net.parameters = self.parameters

    def __call__(self, x: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with np.errstate(over="ignore"):
            finite = np.isfinite(x.astype(self.parameters.dtype)).all()
        if not finite:
            return np.inf, np.zeros_like(x)
        self.set(x)
        loss, gradient = self.net.engine.gradient(
            self.samples, self.targets, self.gradient, self.threads, weights=self.weights
        )
        derivatives = gradient[self.trained].astype(np.float64)
        if self.decay:
            w = np.where(self.decays, x, 0.0)
            loss += 0.5 * self.decay * float(w @ w)
            derivatives += self.decay * w
        if not (np.isfinite(loss) and np.isfinite(derivatives).all()):
            return np.inf, np.zeros_like(x)
        return loss, derivatives


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
    if statistics:
        raise ValueError("statistics is True with LBFGS, expected False")
    try:
        import scipy.optimize  # noqa: F401
    except ImportError as error:
        raise ImportError("LBFGS needs SciPy: pip install 'cygrad[scipy]'") from error


def fit(
    trainer: Trainer,
    samples: Samples,
    targets: Targets,
    weights: Weights | None,
    rows: NDArray[np.int64] | None,
    *,
    budget: Budget,
    held_out: Validation | None,
    trained: Validation | None,
    metrics: Sequence[Metric],
    hooks: Sequence[Hooks],
    verbose: bool,
    reset: bool,
) -> History:
    """Minimise the loss of the samples, one epoch for each iteration; see `Trainer.fit`.

    Parameters
    ----------
    rows : ndarray of int64 or None
        The samples to train on; None: all of them. The others have weight 0.
    """
    from scipy.optimize import minimize

    optimizer, net, threads = trainer.optimizer, trainer.net, trainer.max_threads
    assert isinstance(optimizer, LBFGS)
    if rows is not None:
        chosen = np.zeros(samples.rows)
        chosen[rows] = 1.0 if weights is None else weights[rows]
        weights = chosen
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
        problem = _Problem(net, samples, targets, weights, threads, optimizer.weight_decay)
        accepted = problem.start()
        begin = perf_counter()

        def iteration_done(x: NDArray[np.float64]) -> None:
            nonlocal accepted, begin
            accepted = x.copy()
            problem.set(accepted)
            epoch = len(history) + 1
            sums = net.engine.evaluate(samples, targets, threads, None, None, weights)
            values = trainer.averages(sums, total)
            seconds = perf_counter() - begin
            for data in (trained, held_out):
                if data is not None:
                    found = trainer.averages(data.evaluate(net, threads), data.total)
                    values += (() if data is trained else found) + data.metrics(net)
            history.append(*values, np.nan, seconds)
            if progress is not None:
                progress.epoch_done(history.last())
            stops = [hook.on_epoch_end(trainer, epoch, history.last()) for hook in hooks]
            accepted = net.parameters[problem.trained].astype(np.float64)  # a hook may change them
            budget.spend(1)
            spent = budget.spent(epoch, partial=False)
            if any(stops):
                spent = "callback"
            if spent is not None:
                raise _Ended(spent)
            begin = perf_counter()

        if not np.isfinite(problem(accepted)[0]):
            raise DivergenceError(1, 1, history)
        try:
            minimize(
                problem,
                accepted,
                jac=True,
                method="L-BFGS-B",
                callback=iteration_done,
                options={
                    "maxiter": 1 << 30,
                    "maxfun": 1 << 30,
                    "maxcor": optimizer.memory,
                    "gtol": optimizer.tolerance,
                    "ftol": 0.0,
                },
            )
            history.stopped = "converged"
        except _Ended as ended:
            history.stopped = str(ended)
        finally:  # also after Ctrl-C: not the parameters that a line search has tried
            problem.set(accepted)
    return history
