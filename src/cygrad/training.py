"""How a network learns: `Trainer` runs epochs of mini-batch descent over the samples.

Python has the floor between epochs only: all steps of an epoch are one call of the engine. The
update rules are described in `optimizers`; what is shown, called and kept between epochs is in
`progress`, `callbacks` and `history`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from math import isfinite
from threading import Lock
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import checks, streams
from cygrad._engine.training import Training, permute
from cygrad.callbacks import as_callbacks
from cygrad.history import DivergenceError, History
from cygrad.network import Network
from cygrad.optimizers import Optimizer
from cygrad.progress import Progress
from cygrad.threads import check_threads, default_threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad._engine.samples import Samples
    from cygrad.callbacks import Callback, EpochFunction
    from cygrad.layers import Trainable
    from cygrad.losses import Targets
    from cygrad.streams import RandomSource

__all__ = ["DivergenceError", "History", "Trainer"]


class Trainer:
    """Trains a network by mini-batch descent.

    The optimiser's state, the count of steps and the random stream of the shuffling belong to the
    trainer and go on from one `fit` to the next: two fits of two epochs and one of four give the
    same bits. So does a trainer that was pickled or copied on the way.

    Parameters
    ----------
    net : Network
        Its parameters are changed in place. One trainer at a time can train it.
    optimizer : SGD or Adam
        The update rule and its numbers.
    batch_size : int
        Samples per step. The last batch of an epoch has the rest.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Seeds the order of the samples. The same integer gives the same training, bit by bit.
    threads : int or None
        How many threads may compute. None: as many as there are processors for this process,
        counted at each `fit`, or what CYGRAD_NUM_THREADS says. Fewer are used where a step is not
        worth more: small networks stay on one. The bits are the same for any number.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Examples
    --------
    >>> import cygrad as cg
    >>> X, y = cg.datasets.load_digits()
    >>> net = cg.Network(64, [cg.Dense(10, "softmax")], loss="cross_entropy", rng=0)
    >>> trainer = cg.Trainer(net, cg.Adam(1e-3), batch_size=32, rng=0)
    >>> history = trainer.fit(X, y, epochs=10)
    >>> len(history), trainer.step
    (10, 570)
    """

    def __init__(
        self,
        net: Network,
        optimizer: Optimizer,
        batch_size: int = 32,
        rng: RandomSource = None,
        threads: int | None = None,
    ) -> None:
        if not isinstance(net, Network):
            raise TypeError(f"net is {net!r}, expected a Network")
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer is {optimizer!r}, expected an SGD or Adam")
        self._net = net
        self._optimizer = optimizer
        self._batch_size = checks.whole_number(batch_size, "batch_size")
        self._threads = None if threads is None else check_threads(threads)
        self._shuffling = streams.stream(rng, "shuffling")
        self._history = History(net.metric, False)
        # Made by the first fit, when the batch size is known to be good for the data.
        self._training: Training | None = None
        self._trainable: list[Trainable] = []

    @property
    def net(self) -> Network:
        """The network that is trained."""
        return self._net

    @property
    def optimizer(self) -> Optimizer:
        """The rule and its numbers."""
        return self._optimizer

    @property
    def batch_size(self) -> int:
        """Samples per step."""
        return self._batch_size

    @property
    def threads(self) -> int | None:
        """How many threads may compute; None for the default."""
        return self._threads

    @property
    def step(self) -> int:
        """Steps done so far, which is the number of the next step, counted from 0."""
        return 0 if self._training is None else self._training.step

    @property
    def history(self) -> History:
        """The epochs of the latest `fit`, also while it runs and after it failed."""
        return self._history

    def __repr__(self) -> str:
        return f"<Trainer: {self._optimizer}, batch_size={self._batch_size}, step {self.step}>"

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        epochs: int = 1,
        *,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        callbacks: Iterable[Callback | EpochFunction] = (),
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
            How often all samples are gone through.
        X_val, y_val : array_like or None
            Samples and targets to evaluate the network with after each epoch; both or neither.
        callbacks : iterable of Callback or function
            Called between epochs, see `Callback`. A function is called after each epoch, as
            ``f(trainer, epoch, logs)``, and stops the training where it returns True.
        verbose : bool
            Whether to show the progress on stderr.
        shuffle : bool
            Whether each epoch takes the samples in a new random order, or always in that of X.

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
            epoch are put back, and the optimiser starts anew.
        RuntimeError
            If another call of `fit` is training the network.

        Notes
        -----
        An interrupt (Ctrl-C) is raised between two steps and leaves network and trainer whole: the
        steps done count, and `history` has the complete epochs.

        Besides the optimiser's state one copy of the parameters is kept, for the last good epoch.
        """
        epochs = checks.whole_number(epochs, "epochs")
        shuffle = checks.flag(shuffle, "shuffle")
        verbose = checks.flag(verbose, "verbose")
        hooks = as_callbacks(callbacks)
        samples, targets = self._data(X, y)
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
            validation = self._data(X_val, y_val, "_val")

        with _alone(self._net), ExitStack() as endings:
            training = self._ready()
            steps = -(-samples.rows // self._batch_size)
            rates = self._optimizer.learning_rates(training.step, steps)

            self._history = History(self._net.metric, validation is not None)
            for hook in hooks:
                hook.on_train_begin(self)
                endings.callback(hook.on_train_end, self)
            progress = poll = None
            if verbose:
                scale = 1 if self._net.reduction == "mean" else samples.rows
                progress = Progress(epochs, samples.rows, self._batch_size, scale)
                endings.enter_context(progress)
                poll = progress.poll if progress.live else None

            threads = default_threads() if self._threads is None else self._threads
            order = np.arange(samples.rows, dtype=np.int64)
            good = np.empty_like(self._net._engine.storage)
            for epoch in range(1, epochs + 1):
                if shuffle:
                    permute(order, self._shuffling.bit_generator.random_raw())
                begin = perf_counter()
                run = partial(training.epoch, samples, targets, order, rates, poll, threads)
                sums = self._run(training, epoch, run, good)
                seconds = perf_counter() - begin
                values = self._averages(sums, samples.rows)
                if validation is not None:
                    sums = self._net._engine.evaluate(*validation, threads)
                    values += self._averages(sums, validation[0].rows)
                self._history._append(*values, float(rates[0]), seconds)
                if progress is not None:
                    progress.epoch_done(self._history._last())
                # All callbacks are called, also those after one that wants to stop.
                stops = [hook.on_epoch_end(self, epoch, self._history._last()) for hook in hooks]
                if any(stops) or epoch == epochs:
                    break
                rates = self._optimizer.learning_rates(training.step, steps)
        return self._history

    def _run(
        self,
        training: Training,
        epoch: int,
        run: Callable[[], tuple[float, float, int, bool]],
        good: NDArray[Any],  # OUT: the parameters before the epoch
    ) -> tuple[float, float]:
        """Run one epoch: sums of loss and metric, or the parameters of before and an error."""
        parameters = self._net._engine.storage
        np.copyto(good, parameters)
        loss, metric, done, diverged = run()
        # The update of the last step can overflow, and no loss comes after it to show it.
        if diverged or not _all_finite(parameters):
            np.copyto(parameters, good)
            _reset(training)
            raise DivergenceError(epoch, done + 1 if diverged else done, self._history)
        return loss, metric

    def _data(self, X: ArrayLike, y: ArrayLike, suffix: str = "") -> tuple[Samples, Targets]:
        samples = self._net._samples(X, f"X{suffix}")
        return samples, self._net._targets(y, samples.rows, f"y{suffix}")

    def _averages(self, sums: tuple[float, float], n: int) -> tuple[float, ...]:
        loss, metric = sums
        return loss / n if self._net.reduction == "mean" else loss, metric / n

    def _ready(self) -> Training:
        """The optimiser's state, made anew where other parameters than before are trainable."""
        layers = self._net.layers
        trainable = [layer.trainable for layer in layers]
        if self._training is not None and trainable == self._trainable:
            return self._training
        training = Training(
            self._net._engine,
            self._optimizer.rule,
            self._batch_size,
            train_weights=[layer.train_weights for layer in layers],
            train_biases=[layer.train_biases for layer in layers],
            **self._optimizer.hyperparameters,
        )
        if self._training is not None:
            _restore(training, self._training.step, self._training.state)
        self._training, self._trainable = training, trainable
        return training

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        training = state.pop("_training")
        state["optimizer_state"] = training and (training.step, training.state)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        optimizer_state = state.pop("optimizer_state")
        self.__dict__.update(state, _training=None)
        if optimizer_state is not None:
            _restore(self._ready(), *optimizer_state)


def _restore(training: Training, step: int, state: list[NDArray[Any]]) -> None:
    training.step = step
    for array, saved in zip(training.state, state, strict=True):
        np.copyto(array, saved)


def _reset(training: Training) -> None:
    """Take an optimiser back to its first step."""
    training.step = 0
    for array in training.state:
        array.fill(0)


def _all_finite(array: NDArray[Any]) -> bool:
    # NaN comes out of max, the infinities of max and min; no array of booleans is needed.
    return isfinite(array.max()) and isfinite(array.min())


_being_trained: set[int] = set()
_being_trained_lock = Lock()


def _forget() -> None:
    """In a child process that was forked in the middle of a training: nobody trains here."""
    global _being_trained_lock
    _being_trained_lock = Lock()
    _being_trained.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


@contextmanager
def _alone(net: Network) -> Iterator[None]:
    """Refuse to train a network that another call, perhaps in another thread, is training."""
    with _being_trained_lock:
        if id(net) in _being_trained:
            raise RuntimeError(
                "net is being trained by another call of fit, expected one at a time"
            )
        _being_trained.add(id(net))
    try:
        yield
    finally:
        _being_trained.discard(id(net))
