"""`Trainer`: run epochs of mini-batch descent over samples, or single steps.

All steps of an epoch are one call of the engine, so Python code runs between epochs only. The
update rules are described in `optimizers`; the parts of `fit` are in `budget`, `hooks`, `order`,
`rates` and `validation`, the work between epochs in `progress`, `callbacks` and `history`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import count
from math import isfinite
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks, seeding
from cygrad._engine.training import Training
from cygrad.network import Network
from cygrad.network.losses import class_named, row_of, sides_of_half
from cygrad.network.weights import (
    check_not_all_zero,
    read_weights,
    rounded,
    weights_of_classes,
)
from cygrad.threads import check_threads, default_threads
from cygrad.training import lbfgs
from cygrad.training import validation as validating
from cygrad.training.budget import Budget
from cygrad.training.clipping import read_clipping
from cygrad.training.history import DivergenceError, History
from cygrad.training.hooks import as_hooks
from cygrad.training.lbfgs import LBFGS
from cygrad.training.metrics.table import read_metrics
from cygrad.training.optimizers import Optimizer
from cygrad.training.order import Order, check_shuffle, rows_that_count
from cygrad.training.progress import Progress
from cygrad.training.rates import Rates
from cygrad.training.statistics import epoch_statistics, last_batch
from cygrad.training.targets import warn_of_targets
from cygrad.training.validation import Validation

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.seeding import RandomSource
    from cygrad.training.hooks import EpochFunction, Hooks
    from cygrad.training.metrics import Metric
    from cygrad.training.metrics.table import MetricLike
    from cygrad.training.order import Shuffle

__all__ = ["DivergenceError", "History", "Trainer"]


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
        The update rule with its hyperparameters. `LBFGS` takes all samples at once, in `fit` alone.
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
        over blocks, and batch norm needs all rows of a step at once: then a step is computed
        undivided, with the same bits.
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
    averaged by the network's ``reduction``, before weight decay, the penalty and the optimiser's
    rule. A gradient within the limit stays as it is, bit by bit. PyTorch's ``clip_grad_norm_``
    divides by ‖g‖ + 1e-6, and Keras multiplies by c / ‖g‖ in two steps that also round gradients
    within the limit. Their norm of float32 gradients overflows from 1e19 on, and the training
    stalls. Here the squares cannot overflow, and a gradient with NaN or infinity is a
    `DivergenceError`, with the step not done.

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
        self._rates = Rates(optimizer)
        self._dropout_seed = 0
        if net.engine.is_random:
            stream = seeding.stream(rng, "dropout")
            self._dropout_seed = int(stream.bit_generator.random_raw())
        self._history: History | None = None
        self._training = self._new_training()

    @cached_property
    def _shuffling(self) -> Generator:
        """The random stream of the shuffling, made when it is needed."""
        return seeding.generator(self._seeds)

    def _new_training(self) -> Training:
        optimizer, rates = self._optimizer, self._rates
        return Training(
            self._net.engine,
            optimizer.rule,
            self._step_rows,
            # With a plain number the steps need no call of Python.
            rates.at(0) if rates.are_constant else rates.at,
            learning_rates=rates.ahead if rates.are_known_ahead else None,
            **optimizer.hyperparameters,
            clip=self._clipping.kind,
            clip_limit=self._clipping.limit,
            max_block=self._batch_size if self._accumulate > 1 else 0,
            seed=self._dropout_seed,
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
    def learning_rate(self) -> float:
        """The learning rate of the next step."""
        return self._rates.at(self.steps)

    @property
    def learning_rate_scale(self) -> float:
        """The factor of all learning rates, 1 at first: `ReduceOnPlateau` lowers it.

        It can be assigned between two calls and by callbacks: then it is the factor of the next
        steps.
        """
        return self._rates.scale

    @learning_rate_scale.setter
    def learning_rate_scale(self, scale: float) -> None:
        self._rates.scale = checks.number(scale, "learning_rate_scale", least=0)
        self._rates_changed()

    def _rates_changed(self) -> None:
        self._training.forget_rates()
        if self._rates.are_constant:
            self._training.rate = self._rates.at(0)

    @property
    def history(self) -> History:
        """The epochs of the latest `fit`, also while it runs and after it failed."""
        if self._history is None:
            self._history = History(self._net.metric, False)
        return self._history

    @property
    def batch_losses(self) -> NDArray[np.float64]:
        """The loss of each step's batch before its update, in the latest epoch.

        A new array, shape (steps,), of the latest epoch of `fit` or `partial_fit`, with the steps
        that were done: also of one that diverged, or ended early. Each loss is averaged or summed
        over the batch according to the network's ``reduction``, without the optimiser's
        `l2_penalty`. Batches whose weights are all 0 are no steps. Empty before the first epoch,
        and with `LBFGS`.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(1, [cg.Dense(1, weights_init="zeros")], loss="mse", rng=0)
        >>> trainer = cg.Trainer(net, cg.SGD(0.5), batch_size=2)
        >>> trainer.partial_fit([[0], [0], [0]], [1, 1, 0])
        1.0
        >>> trainer.batch_losses        # the bias is 0, then 1
        array([1., 1.])
        """
        losses: NDArray[np.float64] = self._training.record[0]
        return losses

    @property
    def batch_penalties(self) -> NDArray[np.float64]:
        """The penalty of each step's batch before its update, in the latest epoch.

        A new array of the shape of `batch_losses`: ½ α Σ W² / s of the optimiser's `l2_penalty`, 0
        without it. The losses that `fit`, `partial_fit` and `step` report are the sums of both.
        """
        penalties: NDArray[np.float64] = self._training.record[1]
        return penalties

    def __repr__(self) -> str:
        more = f", accumulate={self._accumulate}" if self._accumulate > 1 else ""
        kind, limit = self._clipping
        more += f", clip_{kind}={limit}" if kind is not None else ""
        batches = f"batch_size={self._batch_size}{more}"
        return f"<Trainer: {self._optimizer}, {batches}, steps={self.steps}>"

    def fit(
        self,
        X: Any,
        y: ArrayLike | None = None,
        epochs: int | None = None,
        *,
        validation: float | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        metrics: Iterable[MetricLike] = (),
        train_metrics: bool = False,
        callbacks: Iterable[Hooks | EpochFunction] = (),
        verbose: bool = False,
        shuffle: Shuffle = True,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        reset: bool = False,
        statistics: bool = False,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[Any, float] | Literal["balanced"] | None = None,
    ) -> History:
        """Train for a number of epochs.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, inputs)
            Finite numbers of any real dtype, in any memory layout. Never written to. Or a sparse
            matrix in compressed rows, such as ``scipy.sparse.csr_array``, as for `Network.forward`.
            Without `y`: batches (X, y), see Notes.
        y : array_like, shape (n,) or (n, outputs)
            As for `Network.evaluate`.
        epochs : int or None
            Number of passes over all samples. None: one; with `max_steps` or `max_seconds`, as many
            as these allow.
        validation : float, int or None
            The share of the samples, or their number, to evaluate the network with after each epoch
            and not to train on. The trainer's `rng` draws them, always the same of the same data;
            class labels have the same shares in both parts. The samples are not copied.
        X_val, y_val : array_like or None
            Samples and targets of one's own to evaluate the network with; both or neither.
        sample_weight_val : array_like or None
            Weights of the samples in `X_val`, as `sample_weight`: for their loss and metrics.
        metrics : iterable of str, Metric or function
            Metrics besides the network's own, by their names in `cygrad.metrics`, such as "f1"; or
            functions ``f(y, outputs)``. They are computed for the validation data after each epoch,
            and are columns of the history.
        train_metrics : bool
            Whether to compute them for the training samples too, after the epoch: this evaluates
            all of them once more.
        callbacks : iterable of Callback or function
            Called between epochs, see `Callback`. A function is called after each epoch, as
            ``f(trainer, epoch, logs)``, and stops the training if it returns True.
        verbose : bool
            Whether to show the progress on stderr.
        shuffle : bool or function
            Take the samples in a new random order in each epoch; False: in the order of X. Or a
            function ``f(n)``, called before each epoch with the number of samples to train on: it
            returns their order, integers of shape (n,), each of 0 to n − 1 once. With `validation`
            these are positions among the other samples. `LBFGS` needs no order.
        max_steps : int or None
            Number of steps after which the training ends, also within an epoch.
        max_seconds : float or None
            Seconds after which no other step begins, also within an epoch; validation and callbacks
            count. At least one step is done.
        reset : bool
            Begin anew: see `reset`. False: go on from where the latest call ended.
        statistics : bool
            Whether to record the norms of gradients, weights and updates, and the shares of dead
            and saturated units, of each layer after each epoch: `LayerStatistics` in
            ``history.statistics``. This takes about as long as two steps.
        sample_weight : array_like or None
            Finite numbers of at least 0, shape (n,): a sample of weight w counts w times, in the
            loss, its gradient and the metric. With reduction "mean" each batch is divided by the
            sum of its weights, for every loss; PyTorch's ``weight=`` divides some losses by the
            number of rows, as Keras does all. For a batch without any weight there is no step.
            Samples that `validation` holds out keep their weights. Metrics take them too; functions
            as metrics are refused.
        class_weight : dict, "balanced" or None
            Weights of classes, by index or by name, for targets that are classes; one that is not
            in the dict has weight 1. They multiply `sample_weight` in training. "balanced":
            n / (k · count) of a class with so many of the n training samples, of k classes, as in
            scikit-learn.

        Returns
        -------
        History
            Loss, metric and more of each epoch, and why the training ended.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, before anything is changed. The learning rates of
            an epoch are checked before its first step.
            So is an order from `shuffle` before its epoch.
        DivergenceError
            If the loss or a parameter becomes NaN or infinite. The parameters of the last good
            epoch are restored, and the optimiser's state and step count are reset to 0.
        RuntimeError
            If another call is training the network.

        Warns
        -----
        UserWarning
            If there are fewer samples than `batch_size`: then each step takes all of them. If the
            optimiser is Rprop and a step does not take all samples. If targets are outside of the
            range of the output activation, which no training reaches; or have an offset so large
            that float32 rounds them to a few numbers.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two steps and leaves network and trainer consistent:
        the steps done count, and `history` has the complete epochs.

        `fit` keeps the optimiser's state and one copy of the parameters, of the last good epoch.

        Data that do not fit in memory are given as batches, and without `y`: as an object with
        ``len(batches)`` and ``batches[i]``, as an iterable, such as a `DataLoader` of PyTorch, or
        as a function that returns an iterator for each epoch. A batch is a tuple (X, y), or
        (X, y, sample_weight), with any number of rows: it is one step, or as many as `batch_size`
        divides it into. `shuffle` gives the batches of the first kind a new random order in each
        epoch, or as a function of their number another one; the others come in their own order, and
        for them a function is refused. A thread reads two batches
        ahead, while the engine trains on another one; an error of the reader ends the training.
        A schedule that counts epochs takes the steps of the epoch before as those of an epoch.
        Validation data are given as `X_val` and `y_val`, and `statistics` are not computed.

        Examples
        --------
        >>> import cygrad as cg
        >>> X, y = cg.datasets.load_digits()
        >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
        >>> trainer = cg.Trainer(net, cg.Adam(1e-3), rng=0)
        >>> def batches():
        ...     for start in range(0, len(X), 32):
        ...         yield X[start : start + 32], y[start : start + 32]
        >>> history = trainer.fit(batches, epochs=2)
        >>> len(history), trainer.steps
        (2, 114)
        """
        quasi_newton = isinstance(self._optimizer, LBFGS)
        if isinstance(self._optimizer, LBFGS):
            lbfgs.check(self, statistics)
            if epochs is None and max_steps is None and max_seconds is None:
                epochs = self._optimizer.max_iterations
        budget = Budget(epochs, max_steps, max_seconds)
        shuffle = check_shuffle(shuffle)
        verbose = checks.flag(verbose, "verbose")
        reset = checks.flag(reset, "reset")
        statistics = checks.flag(statistics, "statistics")
        train_metrics = checks.flag(train_metrics, "train_metrics")
        chosen = read_metrics(metrics, self._net)
        hooks = as_hooks(callbacks)
        if y is None and quasi_newton:
            raise TypeError("X are batches and optimizer is LBFGS, expected X, y")
        if y is None:
            given: dict[str, Any] = {"validation": validation, "statistics": statistics or None}
            given["train_metrics"] = train_metrics or None
            given |= {"sample_weight": sample_weight, "class_weight": class_weight}
            held_out = self._own_validation(X_val, y_val, sample_weight_val)
            self._measure(held_out, chosen, y_val)
            return self._fit_batches(
                X, given, budget, held_out, chosen, hooks, shuffle, verbose, reset
            )
        samples, targets = self._read_data(X, y)
        warn_of_targets(self._net, targets, y, stacklevel=2)
        of_samples = self._weights(sample_weight, samples.rows)
        own = self._own_validation(X_val, y_val, sample_weight_val)
        held_out, rows = self._validation(samples, targets, validation, own, of_samples)
        weights = of_samples
        if class_weight is not None:
            weights = self._class_weighted(class_weight, of_samples, targets, y, rows)
        if weights is not None:
            check_not_all_zero(weights if rows is None else weights[rows])
        trained = None
        if train_metrics and chosen:
            trained = Validation(samples, targets, rows, of_samples)
        if trained is not None:
            self._measure(trained, chosen, y)
        if held_out is not None or trained is None:
            self._measure(held_out, chosen, y if y_val is None else y_val)
        if quasi_newton:
            return lbfgs.fit(
                self,
                samples,
                targets,
                weights,
                rows,
                budget=budget,
                held_out=held_out,
                trained=trained,
                metrics=chosen,
                hooks=hooks,
                verbose=verbose,
                reset=reset,
            )
        order = Order(samples.rows, rows, shuffle)
        step_rows = self._clipped_step_rows(order.size)
        steps = -(-order.size // step_rows)

        with self._training as training, ExitStack() as cleanup:
            self._rates.bind(self._optimizer, steps)
            self._rates_changed()
            rates = self._rates_of(0 if reset else self.steps, budget.steps_of(steps))
            if reset:
                self._begin_anew()
            history = self._history = History(
                self._net.metric, held_out is not None, chosen, trained is not None
            )
            for hook in hooks:
                hook.on_train_begin(self)
                cleanup.callback(hook.on_train_end, self)
            progress = poll = None
            if verbose:
                scale = 1 if self._net.reduction == "mean" else order.size
                progress = Progress(budget.epochs_of(steps), order.size, step_rows, scale)
                cleanup.enter_context(progress)
                poll = progress.poll if progress.on_terminal else None

            threads = self._max_threads
            stream = self._shuffling if shuffle is True else None
            engine = self._net.engine
            parameters_before = np.empty_like(engine.storage)
            for epoch in count(1):
                size, allowed = order.size, budget.steps_of(steps) * step_rows
                if weights is None:
                    rows = order.draw(stream, min(allowed, size))
                else:
                    rows = rows_that_count(order.draw(stream, size), weights, step_rows)
                    size = size if rows is None else len(rows)
                    if allowed < size:
                        rows = (np.arange(size) if rows is None else rows)[:allowed]
                begin = perf_counter()
                engine.copy_storage(parameters_before)
                *sums, done, diverged = training.epoch(
                    samples, targets, rows, rates, poll, threads, budget.seconds_left, weights
                )
                self._check_epoch(epoch, done, diverged, parameters_before)
                seconds = perf_counter() - begin
                budget.spend(done)
                rows_done = min(done * step_rows, size)
                values = self._averages(
                    sums, rows_done if weights is None else training.weight_done
                )
                found = None
                if statistics:
                    last = last_batch(rows, rows_done, step_rows)
                    found = epoch_statistics(
                        self._net,
                        samples,
                        targets,
                        last,
                        parameters_before,
                        self.steps,
                        threads,
                        weights,
                    )
                if trained is not None:
                    trained.evaluate(self._net, threads)
                    values += trained.metrics(self._net)
                if held_out is not None:
                    values += self._averages(held_out.evaluate(self._net, threads), held_out.total)
                    values += held_out.metrics(self._net)
                rate = training.rate if rates is None else float(rates[0])
                if found is not None:
                    history.statistics.append(found)
                history.append(*values, rate, seconds)
                partial_epoch = allowed < size or done < training.epoch_steps
                history.partial_steps = done if partial_epoch else 0
                if progress is not None:
                    progress.epoch_done(history.last())
                # Call all callbacks, also after one that stops the training.
                stops = [hook.on_epoch_end(self, epoch, history.last()) for hook in hooks]
                spent = budget.spent(epoch, partial=partial_epoch)
                if any(stops) and not partial_epoch:
                    spent = "callback"
                if spent is not None:
                    history.stopped = spent
                    break
                rates = self._rates_of(self.steps, budget.steps_of(steps))
        return history

    def _fit_batches(
        self,
        batches: Any,
        given: dict[str, Any],
        budget: Budget,
        held_out: Validation | None,
        metrics: list[Metric],
        hooks: list[Hooks],
        shuffle: Shuffle,
        verbose: bool,
        reset: bool,
    ) -> History:
        from cygrad.training.batches import fit_batches

        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} is {value} and X are batches, expected {name} with X, y")
        return fit_batches(
            self,
            batches,
            budget=budget,
            held_out=held_out,
            metrics=metrics,
            hooks=hooks,
            shuffle=shuffle,
            verbose=verbose,
            reset=reset,
        )

    def _measure(self, data: Validation | None, metrics: list[Metric], y: ArrayLike | None) -> None:
        """Compute metrics of some data, whose targets are `y`; there must be such data."""
        if data is not None and y is not None:
            data.measure(metrics, y, self._net)
        elif metrics:
            raise ValueError(
                f"metrics is {[metric.name for metric in metrics]}, and there are no samples to "
                "compute them of; expected validation, X_val and y_val, or train_metrics=True"
            )

    def reset(self) -> None:
        """Begin anew: draw the parameters again, and forget all training.

        The optimiser's state, the count of steps, the scale of the learning rate and the order of
        the samples are as in a new trainer with the same `rng`. The parameters are those of
        ``Network.initialize`` with this `rng`: a network that was made with the same integer has
        its first ones again. Parameters that are not trained stay.

        Raises
        ------
        RuntimeError
            If another call is training the network.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
        >>> trainer = cg.Trainer(net, cg.SGD(0.1), batch_size=1, rng=0)
        >>> first = trainer.fit([[0, 1], [1, 0]], [1, 2]).loss
        >>> trainer.reset()
        >>> trainer.steps, trainer.fit([[0, 1], [1, 0]], [1, 2]).loss == first
        (0, True)
        """
        with self._training:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._net.initialize(self._seeds.of("initialisation"))
        self._training.reset()
        self.learning_rate_scale = 1.0
        self.__dict__.pop("_shuffling", None)

    # For `lbfgs`

    @property
    def clips(self) -> bool:
        """True if gradients are clipped."""
        return self._clipping.kind is not None

    @property
    def max_threads(self) -> int | Callable[[], int]:
        """Maximum number of threads, or a function for it."""
        return self._max_threads

    def exclusive(self) -> Training:
        """Return a context in which no other call can train the network."""
        return self._training

    def begin_anew(self) -> None:
        """Begin anew, inside of `exclusive`; see `reset`."""
        self._begin_anew()

    def begin_history(self, history: History) -> History:
        """Make this the history of the latest `fit`."""
        self._history = history
        return history

    def averages(self, sums: tuple[float, float], n: float) -> tuple[float, ...]:
        """Return loss and metric of their sums over samples."""
        return self._averages(sums, n)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Train once on new rows, in their order: for data streams.

        Parameters
        ----------
        X, y : array_like
            As for `fit`. Each step takes `batch_size` rows, or `accumulate` times as many; the last
            one the remaining rows.
        sample_weight : array_like or None
            As for `fit`; they can all be 0, where nothing is changed and the loss counts as 0.

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
        weights = self._weights(sample_weight, samples.rows)
        with self._training as training:
            rates = self._rates_of(self.steps, -(-samples.rows // self._step_rows))
            loss, metric, done, diverged = training.epoch(
                samples, targets, None, rates, None, self._max_threads, weights=weights
            )
        if diverged:
            raise DivergenceError(done + 1)
        total = samples.rows if weights is None else float(weights.sum())
        return self._averages((loss, metric), total)[0]

    def step(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Do one step on one batch.

        Parameters
        ----------
        X, y : array_like
            As for `fit`; any number of rows, regardless of `batch_size`.
        sample_weight : array_like or None
            As for `partial_fit`.

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
        weights = self._weights(sample_weight, samples.rows)
        with self._training as training:
            loss = training.step(samples, targets, self._max_threads, weights)
        if not isfinite(loss):
            raise DivergenceError(1)
        return loss

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> float:
        """Do one step on one sample, with little overhead: for control loops.

        Parameters
        ----------
        x : array_like, shape (inputs,)
            Numbers of any real dtype, in any memory layout.
        y : int, float, str or array_like of shape (outputs,)
            A class index, or the name of a class, for a loss of classes; a number for a single
            output, or one number for each output. A class must be one of the network's. Besides
            that, only shape and dtype of `x` and `y` are checked.

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
        encoder = self._net.encoder
        if encoder is not None and encoder.array_columns is not None:
            x = encoder.transform(np.asarray(x)[np.newaxis], [])[0]
        try:
            loss = self._training.learn_one(x, y)
        except (TypeError, ValueError):
            if not isinstance(y, str) or self._net.classes is None:
                raise
            # A name of a class is found here, so that it costs the other targets nothing.
            loss = self._training.learn_one(x, class_named(y, "y", self._net.classes))
        if not isfinite(loss):
            raise DivergenceError(1)
        return loss

    def _check_epoch(
        self, epoch: int, done: int, diverged: bool, parameters_before: NDArray[Any]
    ) -> None:
        """If training diverged, restore the parameters and raise a DivergenceError.

        `diverged`: the loss of the step after the `done` ones was NaN or infinite.
        """
        # The update of the last step can overflow, and no later loss would show it.
        if diverged or not self._net.engine.finite:
            np.copyto(self._net.engine.storage, parameters_before)
            self._training.reset()
            raise DivergenceError(done + 1 if diverged else done, epoch, self._history)

    def _read_data(self, X: ArrayLike, y: ArrayLike, suffix: str = "") -> tuple[Samples, Targets]:
        samples = self._net.read_samples(X, f"X{suffix}")
        return samples, self._net.read_targets(y, samples.rows, f"y{suffix}")

    def _weights(
        self, sample_weight: ArrayLike | None, n: int, name: str = "sample_weight"
    ) -> Weights | None:
        if sample_weight is None:
            return None
        return read_weights(sample_weight, n, self._net.dtype, name)

    def _class_weighted(
        self,
        class_weight: Mapping[Any, float] | str,
        of_samples: Weights | None,
        targets: Targets,
        y: ArrayLike,
        rows: NDArray[np.int64] | None,
    ) -> Weights:
        """Return the weights of the samples, times those of their classes."""
        net = self._net
        if isinstance(targets, np.ndarray):
            labels, classes = targets, net.outputs
        elif row_of(net.loss).decides_at_half and net.outputs == 1:
            labels, classes = sides_of_half(y, net.classes), 2
        else:
            raise ValueError(
                f"class_weight is {class_weight!r} and the targets are no classes, expected "
                "class indices or names"
            )
        weights = weights_of_classes(class_weight, labels, classes, net.classes, rows)
        return rounded(weights if of_samples is None else weights * of_samples, net.dtype)

    def _averages(self, sums: Sequence[float], n: float) -> tuple[float, ...]:
        loss, metric = sums
        n = n or 1  # of no weight at all: the sums are 0
        return loss / n if self._net.reduction == "mean" else loss, metric / n

    @property
    def _max_threads(self) -> int | Callable[[], int]:
        return default_threads if self._threads is None else self._threads

    def _rates_of(self, first_step: int, steps: int) -> NDArray[np.float64] | None:
        """Return the learning rates of some steps; None if they are a plain number."""
        return None if self._rates.are_constant else self._rates.ahead(first_step, steps)

    def _clipped_step_rows(self, n: int) -> int:
        """Return the rows of a step for n samples; warn if they are fewer than a batch."""
        if self._batch_size > n:
            warnings.warn(
                f"batch_size is {self._batch_size}, and there are {n} samples to train on: each "
                "step takes all of them",
                UserWarning,
                stacklevel=3,
            )
        rows = min(self._step_rows, n)
        if self._optimizer.rule == "rprop" and rows < n:
            warnings.warn(
                f"a step of Rprop takes {rows} of {n} samples, and it needs the gradient of all: "
                f"expected batch_size {n}",
                UserWarning,
                stacklevel=3,
            )
        return rows

    def _validation(
        self,
        samples: Samples,
        targets: Targets,
        validation: float | None,
        own: Validation | None,
        weights: Weights | None,
    ) -> tuple[Validation | None, NDArray[np.int64] | None]:
        """Return the validation data, and the rows to train on, or None for all of them."""
        if own is not None:
            if validation is not None:
                raise ValueError(
                    f"validation is {validation} and X_val is given, expected one of them"
                )
            return own, None
        if validation is None:
            return None, None
        n = samples.rows
        count = validating.check_share(validation, n)
        labels = targets if isinstance(targets, np.ndarray) else None
        rows, held_out = validating.split(n, count, labels, self._seeds.of("validation"))
        if weights is not None:
            check_not_all_zero(weights[held_out], "sample_weight of the validation rows")
        return Validation(samples, targets, held_out, weights), rows

    def _own_validation(
        self,
        X_val: ArrayLike | None,
        y_val: ArrayLike | None,
        sample_weight_val: ArrayLike | None,
    ) -> Validation | None:
        """Return the validation data that were given, or None."""
        if (X_val is None) != (y_val is None):
            missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
            raise ValueError(f"{missing} is None and {given} is given, expected both or neither")
        name = "sample_weight_val"
        if X_val is None or y_val is None:
            if sample_weight_val is not None:
                raise ValueError(f"{name} is given and X_val is None, expected X_val and y_val")
            return None
        samples, targets = self._read_data(X_val, y_val, "_val")
        weights = self._weights(sample_weight_val, samples.rows, name)
        if weights is not None:
            check_not_all_zero(weights, name)
        return Validation(samples, targets, weights=weights)

    def __getstate__(self) -> dict[str, Any]:
        state = {**self.__dict__, "_shuffling": self._shuffling}  # copies share the stream
        training = state.pop("_training")
        # Before the first step the state is all zeros.
        state["optimizer_state"] = training.state if training.steps else None
        state["steps"] = training.steps
        state["record"] = training.record
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        steps, optimizer_state = state.pop("steps"), state.pop("optimizer_state")
        record = state.pop("record")
        self.__dict__.update(state)
        self._training = self._new_training()
        self._training.record = record
        if optimizer_state is not None:
            self._training.steps = steps
            for array, saved in zip(self._training.state, optimizer_state, strict=True):
                np.copyto(array, saved)
