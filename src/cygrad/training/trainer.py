"""`Trainer`: run epochs of mini-batch descent over samples, or single steps.

All steps of an epoch are one call of the engine, so Python code runs between epochs only. The
update rules are described in `optimizers`; the work between epochs is in `progress`, `callbacks`
and `history`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import cached_property, partial
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from cygrad import checks, seeding
from cygrad._engine.training import Training, permute
from cygrad.network import Network
from cygrad.threads import check_threads, default_threads
from cygrad.training.clipping import read_clipping
from cygrad.training.history import DivergenceError, History
from cygrad.training.optimizers import Optimizer
from cygrad.training.progress import Progress

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network.losses import Targets
    from cygrad.seeding import RandomSource

    Logs = Mapping[str, float]
    EpochFunction = Callable[["Trainer", int, Logs], bool | None]

__all__ = ["DivergenceError", "History", "Trainer"]


class Hooks(Protocol):
    """The methods of a callback that `Trainer.fit` calls; `Callback` describes them."""

    def on_train_begin(self, trainer: Trainer) -> None: ...

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None: ...

    def on_train_end(self, trainer: Trainer) -> None: ...


class Trainer:
    """Trains a network by mini-batch descent.

    `fit` trains on a complete data set for a number of epochs. For data that arrive over time,
    `partial_fit` goes once through some rows, `step` takes one batch, and `learn_one` one sample,
    fast enough for a control loop. Only one call at a time can train a network.

    The trainer holds the optimiser's state, the count of steps and the random stream of the
    shuffling, and the next call continues with them: two fits of two epochs and one of four give
    the same bits. So does a trainer that was pickled or copied in between.

    Parameters
    ----------
    net : Network
        Its parameters are changed in place. One trainer at a time can train it.
    optimizer : SGD, Adam or another optimiser
        The update rule with its hyperparameters.
    batch_size : int
        Samples per step. The last batch of an epoch may have fewer.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Seeds the order of the samples. The same integer gives the same training, bit by bit.
    threads : int or None
        Maximum number of threads. None: CYGRAD_NUM_THREADS, or else the number of processors for
        this process, counted at each call; a container's quota of 1.2 processors counts as 1, of
        1.5 as 2. Fewer are used where more would not be faster: small networks use one. The bits
        are the same for any number.
    accumulate : int
        Batches in a step: a step takes ``accumulate * batch_size`` rows, with the bits of one batch
        of so many rows, but in blocks of at most `batch_size` rows, so that a step needs the memory
        of a batch. The last step of an epoch takes the rows that remain. The loss of rows of
        targets with more outputs than a panel (32 in float32, 16 in float64) cannot be added up
        over blocks: such a step is computed undivided, with the same bits.
    clip_value : float or None
        Limit of each number of the gradient: g ← max(−c, min(c, g)).
    clip_norm : float or None
        Limit of the norm of each layer's gradient, of its weights and biases together:
        g ← g c / ‖g‖ where ‖g‖ > c.
    clip_global_norm : float or None
        The same for the gradient of all layers together. At most one of the three may be given.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    Clipping [1]_ changes the gradient ∂C/∂P of the trained parameters, of the loss summed or
    averaged by the network's ``reduction``, before weight decay and the optimiser's rule. A
    gradient within the limit stays as it is, bit by bit. PyTorch's ``clip_grad_norm_`` divides by
    ‖g‖ + 1e-6, and Keras multiplies by c / ‖g‖ in two steps that also round gradients within the
    limit. Their norm of float32 gradients overflows from 1e19 on, and the training stalls. Here the
    squares cannot overflow, and a gradient with NaN or infinity is a `DivergenceError`, with the
    step not done.

    References
    ----------
    .. [1] R. Pascanu, T. Mikolov and Y. Bengio, "On the difficulty of training recurrent neural
       networks", ICML 2013.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    >>> trainer = cg.Trainer(net, cg.Adam(1e-3), batch_size=32, rng=0)
    >>> history = trainer.fit(X, y, epochs=10)
    >>> len(history), trainer.steps
    (10, 570)
    """

    def __init__(
        self,
        net: Network,
        optimizer: Optimizer,
        batch_size: int = 32,
        rng: RandomSource = None,
        threads: int | None = None,
        *,
        accumulate: int = 1,
        clip_value: float | None = None,
        clip_norm: float | None = None,
        clip_global_norm: float | None = None,
    ) -> None:
        if not isinstance(net, Network):
            raise TypeError(f"net is {net!r}, expected a Network")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"optimizer is {optimizer!r}, expected an optimizer, such as SGD or Adam"
            )
        self._net = net
        self._optimizer = optimizer
        self._batch_size = checks.whole_number(batch_size, "batch_size")
        self._accumulate = checks.whole_number(accumulate, "accumulate")
        self._clipping = read_clipping(clip_value, clip_norm, clip_global_norm)
        self._threads = None if threads is None else check_threads(threads)
        self._seeds = seeding.seeds(rng, "shuffling")
        self._history = History(net.metric, False)
        self._training = self._new_training()

    @cached_property
    def _shuffling(self) -> Generator:
        """The random stream of the shuffling, made when it is needed."""
        return seeding.generator(self._seeds)

    def _new_training(self) -> Training:
        optimizer = self._optimizer
        rate = optimizer.learning_rate
        return Training(
            self._net.engine,
            optimizer.rule,
            self._step_rows,
            # With a plain number the steps need no call of Python.
            optimizer.learning_rate_at if callable(rate) else rate,
            **optimizer.hyperparameters,
            clip=self._clipping.kind,
            clip_limit=self._clipping.limit,
            max_block=self._batch_size if self._accumulate > 1 else 0,
        )

    @property
    def net(self) -> Network:
        """The network to train."""
        return self._net

    @property
    def optimizer(self) -> Optimizer:
        """The update rule with its hyperparameters."""
        return self._optimizer

    @property
    def batch_size(self) -> int:
        """Samples per step."""
        return self._batch_size

    @property
    def accumulate(self) -> int:
        """Batches in a step."""
        return self._accumulate

    @property
    def _step_rows(self) -> int:
        """Rows of a step in `fit` and `partial_fit`."""
        return self._batch_size * self._accumulate

    @property
    def threads(self) -> int | None:
        """Maximum number of threads; None for the default."""
        return self._threads

    @property
    def steps(self) -> int:
        """Number of steps done: the number of the next step, counted from 0."""
        return self._training.steps

    @property
    def history(self) -> History:
        """The epochs of the latest `fit`, also while it runs and after it failed."""
        return self._history

    def __repr__(self) -> str:
        more = f", accumulate={self._accumulate}" if self._accumulate > 1 else ""
        kind, limit = self._clipping
        more += f", clip_{kind}={limit}" if kind is not None else ""
        batches = f"batch_size={self._batch_size}{more}"
        return f"<Trainer: {self._optimizer}, {batches}, steps={self.steps}>"

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        epochs: int = 1,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        callbacks: Iterable[Hooks | EpochFunction] = (),
        verbose: bool = False,
        shuffle: bool = True,
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
            Finite numbers of any real dtype, in any memory layout. Never written to.
        y : array_like, shape (n,) or (n, outputs)
            As for `Network.evaluate`.
        epochs : int
            Number of passes over all samples.
        X_val, y_val : array_like or None
            Samples and targets to evaluate the network with after each epoch; both or neither.
        callbacks : iterable of Callback or function
            Called between epochs, see `Callback`. A function is called after each epoch, as
            ``f(trainer, epoch, logs)``, and stops the training if it returns True.
        verbose : bool
            Whether to show the progress on stderr.
        shuffle : bool
            Take the samples in a new random order in each epoch; False: in the order of X.

        Returns
        -------
        History
            Loss, metric and more of each epoch.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, before anything is changed. The learning rates of
            an epoch are checked before its first step.
        DivergenceError
            If the loss or a parameter becomes NaN or infinite. The parameters of the last good
            epoch are restored, and the optimiser's state and step count are reset to 0.
        RuntimeError
            If another call is training the network.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two steps and leaves network and trainer consistent:
        the steps done count, and `history` has the complete epochs.

        `fit` keeps the optimiser's state and one copy of the parameters, of the last good epoch.
        """
        epochs = checks.whole_number(epochs, "epochs")
        shuffle = checks.flag(shuffle, "shuffle")
        verbose = checks.flag(verbose, "verbose")
        hooks = _as_hooks(callbacks)
        samples, targets = self._read_data(X, y)
        if self._batch_size > samples.rows:
            raise ValueError(
                f"batch_size is {self._batch_size}, expected an integer from 1 to {samples.rows}, "
                "the number of samples"
            )
        if (X_val is None) != (y_val is None):
            missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
            raise ValueError(f"{missing} is None and {given} is given, expected both or neither")
        validation = None
        if X_val is not None and y_val is not None:
            validation = self._read_data(X_val, y_val, "_val")

        with self._training as training, ExitStack() as cleanup:
            steps = -(-samples.rows // self._step_rows)
            rates = self._rates(steps)

            self._history = History(self._net.metric, validation is not None)
            for hook in hooks:
                hook.on_train_begin(self)
                cleanup.callback(hook.on_train_end, self)
            progress = poll = None
            if verbose:
                scale = 1 if self._net.reduction == "mean" else samples.rows
                progress = Progress(epochs, samples.rows, self._step_rows, scale)
                cleanup.enter_context(progress)
                poll = progress.poll if progress.on_terminal else None

            threads = self._max_threads
            order = np.empty(samples.rows, np.int64) if shuffle else None
            parameters_before = np.empty_like(self._net.engine.storage)
            for epoch in range(1, epochs + 1):
                if order is not None:
                    permute(order, self._shuffling.bit_generator.random_raw())
                begin = perf_counter()
                run = partial(training.epoch, samples, targets, order, rates, poll, threads)
                sums = self._run(epoch, run, parameters_before)
                seconds = perf_counter() - begin
                values = self._averages(sums, samples.rows)
                if validation is not None:
                    sums = self._net.engine.evaluate(*validation, threads)
                    values += self._averages(sums, validation[0].rows)
                rate = training.rate if rates is None else float(rates[0])
                self._history.append(*values, rate, seconds)
                if progress is not None:
                    progress.epoch_done(self._history.last())
                # Call all callbacks, also after one that stops the training.
                stops = [hook.on_epoch_end(self, epoch, self._history.last()) for hook in hooks]
                if any(stops) or epoch == epochs:
                    break
                rates = self._rates(steps)
        return self._history

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> float:
        """Train once on new rows, in their order: for data streams.

        Parameters
        ----------
        X, y : array_like
            As for `fit`. Each step takes `batch_size` rows, or `accumulate` times as many; the last
            one the remaining rows.

        Returns
        -------
        float
            The loss of the rows, each with the parameters at its own step; averaged or summed
            according to the network's ``reduction``.

        Raises
        ------
        TypeError, ValueError
            If an argument or a learning rate is not as described, before anything is changed.
        DivergenceError
            If the loss of a batch is NaN or infinite. Parameters and optimiser's state are those
            after the last good step.
        RuntimeError
            If another call is training the network.

        Notes
        -----
        No copy of the parameters is kept, and `history` stays that of the latest `fit`. An update
        that overflows is found in the next step only, because the parameters are not checked.
        """
        samples, targets = self._read_data(X, y)
        with self._training as training:
            rates = self._rates(-(-samples.rows // self._step_rows))
            loss, metric, done, diverged = training.epoch(
                samples, targets, None, rates, None, self._max_threads
            )
        if diverged:
            raise DivergenceError(done + 1)
        return self._averages((loss, metric), samples.rows)[0]

    def step(self, X: ArrayLike, y: ArrayLike) -> float:
        """Do one step on one batch.

        Parameters
        ----------
        X, y : array_like
            As for `fit`; any number of rows, regardless of `batch_size`.

        Returns
        -------
        float
            The loss of the batch before the step, averaged or summed according to ``reduction``.

        Raises
        ------
        TypeError, ValueError
            If an argument or the learning rate is not as described, before anything is changed.
        DivergenceError
            If the loss is NaN or infinite; then the step is not done.
        RuntimeError
            If another call is training the network.

        Notes
        -----
        As for `partial_fit`.
        """
        samples, targets = self._read_data(X, y)
        with self._training as training:
            loss = training.step(samples, targets, self._max_threads)
        if not isfinite(loss):
            raise DivergenceError(1)
        return loss

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> float:
        """Do one step on one sample, with little overhead: for control loops.

        Parameters
        ----------
        x : array_like, shape (inputs,)
            Numbers of any real dtype, in any memory layout.
        y : int, float or array_like of shape (outputs,)
            A class index for a loss of classes, a number for a single output, or one number
            for each output. A class index must be one of the network's. Besides that, only shape
            and dtype of `x` and `y` are checked.

        Returns
        -------
        float
            The loss of the sample before the step.

        Raises
        ------
        TypeError, ValueError
            If `x` or `y` has another dtype or shape, or there is no such class.
        DivergenceError
            If the loss is NaN or infinite, as when `x` or `y` is; then the step is not done.
        RuntimeError
            If another call is training the network.

        Notes
        -----
        As for `partial_fit`. Uses one thread.
        """
        loss = self._training.learn_one(x, y)
        if not isfinite(loss):
            raise DivergenceError(1)
        return loss

    def _run(
        self,
        epoch: int,
        run: Callable[[], tuple[float, float, int, bool]],
        parameters_before: NDArray[Any],  # OUT
    ) -> tuple[float, float]:
        """Run one epoch and return the sums of loss and metric.

        If training diverges, restore the parameters and raise a DivergenceError.
        """
        parameters = self._net.engine.storage
        np.copyto(parameters_before, parameters)
        loss, metric, done, diverged = run()
        # The update of the last step can overflow, and no later loss would show it.
        if diverged or not self._net.engine.finite:
            np.copyto(parameters, parameters_before)
            self._training.reset()
            raise DivergenceError(done + 1 if diverged else done, epoch, self._history)
        return loss, metric

    def _read_data(self, X: ArrayLike, y: ArrayLike, suffix: str = "") -> tuple[Samples, Targets]:
        samples = self._net.read_samples(X, f"X{suffix}")
        return samples, self._net.read_targets(y, samples.rows, f"y{suffix}")

    def _averages(self, sums: tuple[float, float], n: int) -> tuple[float, ...]:
        loss, metric = sums
        return loss / n if self._net.reduction == "mean" else loss, metric / n

    @property
    def _max_threads(self) -> int | Callable[[], int]:
        return default_threads if self._threads is None else self._threads

    def _rates(self, steps: int) -> NDArray[np.float64] | None:
        """Return the learning rates of the next steps; None if the rate is a plain number."""
        if not callable(self._optimizer.learning_rate):
            return None
        return self._optimizer.learning_rates(self.steps, steps)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_shuffling": self._shuffling}  # copies share the stream
        training = state.pop("_training")
        # Before the first step the state is all zeros.
        state["optimizer_state"] = training.state if training.steps else None
        state["steps"] = training.steps
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        steps, optimizer_state = state.pop("steps"), state.pop("optimizer_state")
        self.__dict__.update(state)
        self._training = self._new_training()
        if optimizer_state is not None:
            self._training.steps = steps
            for array, saved in zip(self._training.state, optimizer_state, strict=True):
                np.copyto(array, saved)


class _FunctionHooks:
    """Hooks that call a function after each epoch."""

    def __init__(self, function: EpochFunction) -> None:
        self._function = function

    def on_train_begin(self, trainer: Trainer) -> None:
        pass

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        return self._function(trainer, epoch, logs)

    def on_train_end(self, trainer: Trainer) -> None:
        pass


def _is_hooks(value: object) -> TypeGuard[Hooks]:
    """Return whether an object has the methods of a callback; of a class they are not bound."""
    return (
        hasattr(value, "on_epoch_end")
        and hasattr(value, "on_train_begin")
        and hasattr(value, "on_train_end")
        and not isinstance(value, type)
    )


def _as_hooks(callbacks: Iterable[Hooks | EpochFunction]) -> list[Hooks]:
    """Return the callbacks as objects with all hooks, or raise a TypeError."""
    if _is_hooks(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks is {callbacks!r}, expected a list of callbacks")
    hooks: list[Hooks] = []
    for index, callback in enumerate(callbacks):
        if _is_hooks(callback):
            hooks.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            hooks.append(_FunctionHooks(callback))
        else:
            raise TypeError(
                f"callbacks[{index}] is {callback!r}, expected a Callback or a function"
            )
    return hooks
