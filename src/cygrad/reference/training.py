"""The training loop: epochs of mini-batches in given orders of the samples.

Nothing here is random. To shuffle the samples, pass shuffled orders; two runs over the same orders
do the same steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from .clipping import KINDS, clip
from .network import Gradients, Network, Rows, Targets, read_weights
from .optimizers import Optimizer, State, learning_rate_at, shrunk
from .passes import Mode
from .vectors import Vector


class DivergenceError(ArithmeticError):
    """The loss of a batch, or its gradient, was NaN or infinite; its step was not applied."""


@dataclass
class History:
    """One entry for each epoch; each sample counts with the parameters at its own step.

    Attributes
    ----------
    loss : list of float
        The mean or the sum over the samples, according to the network's `reduction`, with the
        penalties of the batches.
    metric : list of float
        The mean over the samples. Samples of weight w count w times.
    """

    loss: list[float] = field(default_factory=list)
    metric: list[float] = field(default_factory=list)


class Trainer:
    """Trains a network by mini-batch descent.

    Parameters
    ----------
    network : Network
        Its parameters are changed in place.
    optimizer : SGD, Adam or another optimiser
        The update rule.
    batch_size : int
        Samples in a step; the last batch of an epoch may have fewer.
    accumulate : int
        A step takes so many batches, as one batch.
    clip : {"value", "norm", "global_norm"} or None
        How the gradient is clipped before weight decay, penalty and update; see `clipping`.
    clip_limit : float
        Its limit, above 0.
    seed : int
        The key of the random numbers of dropout and noise.

    Attributes
    ----------
    steps : int
        Number of steps done.
    batch_losses : list of float
        The loss of each step's batch before its update, in the latest epoch, without the penalty.
    batch_penalties : list of float
        The penalty of each of these batches, ½ α ΣW² / s.
    weights_state, biases_state : list
        The optimiser's state of every parameter, in the shape of the layers' weights and biases.
    """

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        batch_size: int = 32,
        *,
        accumulate: int = 1,
        clip: str | None = None,
        clip_limit: float = 1.0,
        seed: int = 0,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}, expected an integer from 1")
        if accumulate < 1:
            raise ValueError(f"accumulate is {accumulate}, expected an integer from 1")
        if clip is not None and clip not in KINDS:
            raise ValueError(f"clip is {clip!r}, expected None or one of {', '.join(KINDS)}")
        if not (clip_limit > 0 and math.isfinite(clip_limit)):
            raise ValueError(f"clip_limit is {clip_limit}, expected a number above 0")
        self.network = network
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.accumulate = accumulate
        self.clip, self.clip_limit = clip, clip_limit
        self.seed = seed
        self.steps = 0
        self.batch_losses: list[float] = []
        self.batch_penalties: list[float] = []
        initial = optimizer.initial_state
        self.weights_state = [
            [[initial for _ in row] for row in layer.weights] for layer in network.layers
        ]
        self.biases_state = [[initial for _ in layer.biases] for layer in network.layers]

    def fit(
        self,
        X: Rows,
        y: Targets,
        orders: Sequence[Sequence[int]],
        sample_weight: Sequence[float] | None = None,
    ) -> History:
        """Train for one epoch per order.

        Parameters
        ----------
        X, y : samples and targets, as `Network.backward` takes them
        orders : sequence of sequences of int
            For each epoch, the row numbers in the order in which they are used. Batches are
            consecutive slices; a row may be missing or used more than once.
        sample_weight : sequence of float, (n,), or None
            A sample of weight w counts w times. A batch whose weights are all 0 is no step.

        Raises
        ------
        ValueError
            If X, y, an order or a weight is not as described; then nothing is changed.
        DivergenceError
            If the loss of a batch is NaN or infinite. The steps before it stay done.
        """
        samples = self.network.read_samples(X)
        targets = self.network.read_targets(y, len(samples))
        weights = read_weights(sample_weight, len(samples))
        for epoch, order in enumerate(orders):
            if len(order) == 0 or min(order) < 0 or max(order) >= len(samples):
                raise ValueError(
                    f"orders[{epoch}] is {order}, expected row numbers from 0 to {len(samples) - 1}"
                )
        history = History()
        for order in orders:
            loss = metric = 0.0
            self.batch_losses, self.batch_penalties = [], []
            rows = self.batch_size * self.accumulate
            done = 0
            for start in range(0, len(order), rows):
                batch = order[start : start + rows]
                of_batch = [weights[i] for i in batch]
                if not any(of_batch):
                    continue
                gradients, penalty = self.descend(
                    [X[i] for i in batch], [y[i] for i in batch], done, of_batch
                )
                done += len(batch)
                self.batch_losses.append(gradients.loss)
                self.batch_penalties.append(penalty)
                loss += (gradients.loss + penalty) / self.network.scale(sum(of_batch))
                for a, i in zip(gradients.activations[-1], batch, strict=True):
                    metric += weights[i] * self.network.loss_function.metric(a, targets[i])
            total = sum(weights[i] for i in order)
            history.loss.append(loss * self.network.scale(total))
            history.metric.append(metric / (total or 1))
        return history

    def partial_fit(
        self, X: Rows, y: Targets, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Train once through the rows, in their order, and return their loss, as `fit` does."""
        return self.fit(X, y, [range(len(X))], sample_weight).loss[0]

    def step(self, X: Rows, y: Targets, sample_weight: Sequence[float] | None = None) -> float:
        """Do one step on all rows as one batch, and return their loss before it, with the penalty.

        If all weights are 0, there is no step, and the loss is 0.
        """
        if not any(read_weights(sample_weight, len(X))):
            return 0.0
        gradients, penalty = self.descend(X, y, sample_weight=sample_weight)
        return gradients.loss + penalty

    def learn_one(self, x: Sequence[float], y: float | Sequence[float]) -> float:
        """Do one step on one sample, and return its loss before it."""
        return self.step([x], [y])

    def descend(
        self,
        X: Rows,
        y: Targets,
        row: int = 0,
        sample_weight: Sequence[float] | None = None,
    ) -> tuple[Gradients, float]:
        """Do one step down the gradient of the loss of a batch with its penalty.

        Returns the gradients of the loss, and the penalty.

        `row` counts the samples of the epoch's steps before it, for the random numbers.

        Raises
        ------
        ValueError
            If X or y is not as described.
        DivergenceError
            If the loss, or a gradient to be clipped, is NaN or infinite. Then the step is not done.
        """
        mode = Mode(training=True, seed=self.seed, step=self.steps, row=row)
        gradients = self.network.backward(X, y, mode, sample_weight)
        scale = self.network.scale(sum(read_weights(sample_weight, len(X))))
        penalty = self.penalty(scale)
        if not math.isfinite(gradients.loss + penalty):
            raise DivergenceError(f"the loss is {gradients.loss + penalty} at step {self.steps}")
        if self.clip is not None:
            try:
                clip(self.network.layers, gradients, self.clip, self.clip_limit)
            except ArithmeticError as error:
                raise DivergenceError(f"{error} at step {self.steps}") from None
        self.apply(gradients, scale)
        self.network.update_statistics(gradients)
        return gradients, penalty

    def penalty(self, scale: float) -> float:
        """½ α ΣW² times `scale`, over the weights that are trained and decay."""
        if self.optimizer.l2_penalty == 0:
            return 0.0  # also of weights whose squares overflow
        squares = sum(
            w * w
            for layer in self.network.layers
            if layer.trains_weights and layer.decays
            for weights in layer.weights
            for w in weights
        )
        return 0.5 * self.optimizer.l2_penalty * squares * scale

    def apply(self, gradients: Gradients, scale: float) -> None:
        """Update all trained parameters: P ← P − η ∂C/∂P, or the optimiser's other rule."""
        optimizer = self.optimizer
        rate = learning_rate_at(optimizer.learning_rate, self.steps)
        decay = optimizer.gradient_decay + optimizer.l2_penalty * scale
        for index, layer in enumerate(self.network.layers):
            if layer.trains_weights:
                for weights, gradient, states in zip(
                    layer.weights, gradients.weights[index], self.weights_state[index], strict=True
                ):
                    eta = rate * layer.weights_rate_factor
                    if layer.decays:
                        gradient = [g + decay * w for g, w in zip(gradient, weights, strict=True)]
                        weights[:] = [w * (1 - eta * optimizer.step_decay) for w in weights]
                    self._update_row(weights, gradient, states, eta)
                    if layer.decays:
                        weights[:] = [shrunk(w, eta * optimizer.l1) for w in weights]
                        limit_norm(weights, optimizer.max_norm)
            if layer.trains_biases:
                self._update_row(
                    layer.biases,
                    gradients.biases[index],
                    self.biases_state[index],
                    rate * layer.biases_rate_factor,
                )
        self.steps += 1

    def _update_row(self, row: Vector, gradients: Vector, states: list[State], rate: float) -> None:
        """Update a row of parameters and their states in place."""
        for k, gradient in enumerate(gradients):
            row[k], states[k] = self.optimizer.update(row[k], gradient, states[k], rate, self.steps)


def limit_norm(weights: Vector, limit: float | None) -> None:
    """w ← w c / ‖w‖ where ‖w‖ > c, in place."""
    norm = math.sqrt(sum(w * w for w in weights))
    if limit is not None and norm > limit:
        weights[:] = [w * (limit / norm) for w in weights]
