"""`Trainer`: run epochs of mini-batch descent over samples, or single steps.

All steps of an epoch are one call of the engine, so Python code runs between epochs only. The
update rules are described in `optimizers`. `fitting` checks the arguments of `fit`, and `run` and
`batches` have its loop; its parts are in `budget`, `data`, `hooks`, `order`, `rates` and
`validation`, the work between epochs in `progress`, `callbacks` and `history`. `group` is what
several processes decide in common, here one.
"""

from __future__ import annotations

from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks, seeding
from cygrad._engine.training import Training
from cygrad.network import Network
from cygrad.network.losses import class_named
from cygrad.threads import check_threads, default_threads, within_limit
from cygrad.training.clipping import Clipping, read_clipping
from cygrad.training.data import GivenData, read_data, read_sample_weights
from cygrad.training.fitting import FitOptions, prepare
from cygrad.training.group import Alone
from cygrad.training.history import DivergenceError, History
from cygrad.training.optimizers import Optimizer
from cygrad.training.rates import Rates

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping

    from numpy.random import BitGenerator, Generator
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.network.losses import Targets
    from cygrad.network.weights import Weights
    from cygrad.seeding import RandomSource
    from cygrad.training.checkpoints.fingerprint import Fingerprint
    from cygrad.training.hooks import EpochFunction, Hooks
    from cygrad.training.metrics.table import MetricLike
    from cygrad.training.order import Shuffle

__all__ = ["DivergenceError", "History", "Trainer"]

ALONE = Alone()


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
        of a batch. The last step of an epoch takes the rows that remain. Batch norm, and a loss
        that is a function, need all rows of a step at once: then a step is computed undivided,
        with the same bits.
    clip_value : float or None
        Limit of each number of the gradient: g ← max(−c, min(c, g)).
    clip_norm : float or None
        Limit of the norm of each layer's gradient, of its weights and biases together:
        g ← g c / ‖g‖ where ‖g‖ > c.
    clip_global_norm : float or None
        The same for the gradient of all layers together. At most one of the three may be given.
    shards : int or None
        Divide the samples of `fit` into so many contiguous parts, whose sizes differ by one at
        most, and take the rows of each step from all parts, as evenly as possible. Each part has a
        random order of its own, which a process can draw without the samples of the other parts:
        the order of the samples is the same on any number of processes. None: one random order of
        all samples, the same as with 1. `rows` and `validation` choose the samples first. Not for
        samples in batches, a function as `shuffle`, or `LBFGS`. `cygrad.training.shards` has the
        definition.

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
        shards: int | None = None,
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
        self._shards = None if shards is None else checks.whole_number(shards, "shards")
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
            self.step_rows,
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
    def shards(self) -> int | None:
        """Number of parts of the samples that have an order of their own; None: no parts."""
        return self._shards

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
        more += f", shards={self._shards}" if self._shards is not None else ""
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
        rows: ArrayLike | None = None,
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
            Take the samples in a new random order in each epoch; False: in the order of X, within
            each of the trainer's `shards`. Or a function ``f(n)``, called before each epoch with
            the number of samples to train on: it returns their order, integers of shape (n,), each
            of 0 to n − 1 once. With `validation` these are positions among the other samples.
            `LBFGS` needs no order.
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
        rows : array_like of int or None
            The row numbers of the samples that take part, in any order; a number that comes twice
            counts twice. The samples are not copied, and the bits are those of
            ``fit(X[rows], y[rows])``, except with `LBFGS`, which takes them in the order of X.
            `sample_weight` has a number for each row of X.

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
        given = GivenData(X, y, sample_weight, X_val, y_val, sample_weight_val, rows)
        options = FitOptions(
            epochs,
            validation,
            metrics,
            train_metrics,
            verbose,
            shuffle,
            max_steps,
            max_seconds,
            statistics,
            class_weight,
        )
        reset = checks.flag(reset, "reset")
        seeds = self._seeds.of("validation")
        run = self.group.prepare(lambda: prepare(self, given, options, callbacks, seeds, 4))
        return run(reset)

    def resume(
        self,
        path: str | os.PathLike[str],
        X: Any,
        y: ArrayLike | None = None,
        *,
        epochs: int | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        rows: ArrayLike | None = None,
        metrics: Iterable[MetricLike] | None = None,
        callbacks: Iterable[Hooks | EpochFunction] | None = None,
        verbose: bool | None = None,
        shuffle: Shuffle | None = None,
    ) -> History:
        """Go on with the `fit` that wrote a checkpoint, to the same bits as without a break.

        Network and trainer are made as for that `fit`; the file has all that training changes,
        and the other arguments of `fit`: `validation`, `train_metrics`, `max_steps`,
        `max_seconds`, of which the rest is left, `statistics` and `class_weight`.

        Parameters
        ----------
        path : str or os.PathLike
            A file of `Checkpoint`.
        X, y, X_val, y_val, sample_weight, sample_weight_val, rows
            The same data as for `fit`.
        epochs : int or None
            Another number of epochs, of the whole training. None: as before.
        metrics : iterable or None
            The same metrics, if some are functions. None: those before.
        callbacks : iterable or None
            The same callbacks in the same order; their states are restored. `Checkpoint` can have
            other arguments, or be left out. None: those before, made again with their arguments,
            with `path` for the one that wrote the file; this needs callbacks of cygrad.
        verbose : bool or None
            As for `fit`; None: as before.
        shuffle : function or None
            The same function, if it was one.

        Returns
        -------
        History
            Of the whole training.

        Raises
        ------
        TypeError, ValueError
            If the file is no checkpoint, is damaged or cut short, or has a newer format; if
            network, trainer or an argument differ from those before; if the data are not the same:
            shape, dtype and a hash of the values are compared. Nothing is changed then.
        OSError
            If there is no such file, or it cannot be read.

        Notes
        -----
        Other errors and warnings are those of `fit`. A training that had ended ends at once.

        The number of threads can differ. Learning rates, metrics, losses and orders that are
        functions must be the same, which cannot be checked.
        """
        from cygrad.training.checkpoints.resuming import resume

        given = GivenData(X, y, sample_weight, X_val, y_val, sample_weight_val, rows)
        options = {"epochs": epochs, "metrics": metrics, "verbose": verbose, "shuffle": shuffle}
        return resume(self, path, given, callbacks, options)

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
            self.begin_anew()

    # For the runs of `fit`

    @property
    def clips(self) -> bool:
        """True if gradients are clipped."""
        return self._clipping.kind is not None

    @property
    def clipping(self) -> Clipping:
        """Kind and limit of the clipping."""
        return self._clipping

    @property
    def step_rows(self) -> int:
        """Rows of a step in `fit` and `partial_fit`."""
        return self._batch_size * self._accumulate

    @property
    def max_threads(self) -> int | Callable[[], int]:
        """Maximum number of threads, or a function for it."""
        return default_threads if self._threads is None else within_limit(self._threads)

    @property
    def seeds(self) -> seeding.Seeds:
        """The seeds of the shuffling."""
        return self._seeds

    @property
    def group(self) -> Alone:
        """The processes that train the network together: this one."""
        return ALONE

    def fingerprint(self, given: GivenData) -> Fingerprint:
        """Return the fingerprint of the data of a `fit`, for a checkpoint."""
        from cygrad.training.checkpoints.fingerprint import fingerprint

        return fingerprint(self._net, given)

    def together(self, rows: int, weights: Weights | None) -> tuple[int, Weights | None]:
        """Return the number of rows, and their weights, of all processes that train together."""
        return rows, weights

    def exclusive(self) -> Training:
        """Return a context in which no other call can train the network."""
        return self._training

    def begin_anew(self) -> None:
        """Begin anew, inside of `exclusive`; see `reset`."""
        self._net.initialize(self._seeds.of("initialisation"))
        self._training.reset()
        self.learning_rate_scale = 1.0
        self.__dict__.pop("_shuffling", None)

    def begin_history(self, history: History) -> History:
        """Make this the history of the latest `fit`."""
        self._history = history
        return history

    def averages(self, sums: tuple[float, float], n: float) -> tuple[float, ...]:
        """Return loss and metric of their sums over samples."""
        loss, metric = sums
        n = n or 1  # of no weight at all: the sums are 0
        return loss / n if self._net.reduction == "mean" else loss, metric / n

    def bind_rates(self, steps_per_epoch: int) -> None:
        """Count epochs of so many steps, in schedules that count epochs."""
        self._rates.bind(self._optimizer, steps_per_epoch)
        self._rates_changed()

    def rates_of(self, first_step: int, steps: int) -> NDArray[np.float64] | None:
        """Return the learning rates of some steps; None if they are a plain number."""
        return None if self._rates.are_constant else self._rates.ahead(first_step, steps)

    @property
    def rates_are_known_ahead(self) -> bool:
        """True if learning rates of many epochs can be computed at once."""
        return self._rates.are_constant or self._rates.are_known_ahead

    def training_state(self) -> dict[str, Any]:
        """Return all that training changes, copied, and the seeds: a state for a checkpoint."""
        training, engine = self._training, self._net.engine
        parameters = np.empty_like(engine.storage)
        engine.copy_storage(parameters)
        drawn = "_shuffling" in self.__dict__  # else the stream is at its beginning
        return {
            "steps": training.steps,
            "learning_rate_scale": self._rates.scale,
            "seeds": list(self._seeds),
            "shuffling": self._shuffling.bit_generator.state if drawn else None,
            "dropout_seed": self._dropout_seed,
            "parameters": parameters,
            "optimizer_state": [array.copy() for array in training.state],
            "record": training.record,
        }

    def restore_training_state(self, state: dict[str, Any]) -> None:
        """Go on from a state of `training_state`, which was checked."""
        training = self._training
        np.copyto(self._net.engine.storage, state["parameters"])
        for array, saved in zip(training.state, state["optimizer_state"], strict=True):
            np.copyto(array, saved)
        training.steps, training.record = state["steps"], state["record"]
        self._dropout_seed = training.seed = state["dropout_seed"]
        self._seeds = seeding.saved_seeds(state["seeds"])
        self.__dict__.pop("_shuffling", None)
        if state["shuffling"] is not None:
            self._shuffling.bit_generator.state = state["shuffling"]
        self.learning_rate_scale = state["learning_rate_scale"]

    def draw(self) -> int:
        """Return the next random number of the stream of the shuffling."""
        number: int = self._shuffling.bit_generator.random_raw()
        return number

    @property
    def stream(self) -> BitGenerator:
        """The stream of the shuffling."""
        return self._shuffling.bit_generator

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
        samples, targets, weights = self.group.prepare(lambda: self._read(X, y, sample_weight))
        with self._training as training:
            rates = self.rates_of(self.steps, -(-samples.rows // self.step_rows))
            loss, metric, done, diverged = training.epoch(
                samples, targets, None, rates, None, self.max_threads, weights=weights
            )
        if diverged:
            raise DivergenceError(done + 1)
        total = samples.rows if weights is None else float(weights.sum())
        return self.averages((loss, metric), total)[0]

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
        samples, targets, weights = self.group.prepare(lambda: self._read(X, y, sample_weight))
        with self._training as training:
            loss = training.step(samples, targets, self.max_threads, weights)
        if not isfinite(loss):
            raise DivergenceError(1)
        return loss

    def _read(self, X: Any, y: Any, weights: Any) -> tuple[Samples, Targets, Weights | None]:
        samples, targets = read_data(self._net, X, y)
        return samples, targets, read_sample_weights(self._net, weights, samples.rows)

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
