"""`Ensemble`: networks whose outputs are averaged, with the spread between them as uncertainty.

An ensemble predicts, is evaluated and saved like a network; its members are networks, which are
trained one by one or with `cygrad.fit_many`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cygrad.network.layers import Dense
from cygrad.network.losses import row_of
from cygrad.network.network import Network

if TYPE_CHECKING:
    import os

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network.loss_functions import CustomLoss, LossFunction
    from cygrad.tables.encoder import Encoder

# What all members have in common.
_SHARED = ("inputs", "outputs", "loss", "reduction", "classes")
# The smallest probability or rate that the loss of mean outputs distinguishes from 0.
_LEAST = np.finfo(np.float64).tiny


class Ensemble:
    """Networks for the same task, whose outputs are averaged.

    Parameters
    ----------
    members : iterable of Network
        At least one, with the same inputs, outputs, loss, reduction, classes and encoder. Layers
        and dtypes can differ. They are not copied.

    Raises
    ------
    TypeError, ValueError
        If a member is no network, or differs from the first one.

    Notes
    -----
    The outputs are (1/k) Σ a over the k members: of probabilities the mean probability. With
    independent members the error of the mean is never larger than their mean error, for losses that
    are convex in the outputs [1]_; and their standard deviation tells where they disagree [2]_,
    which is a part of the uncertainty, without the noise of the targets.

    Means are computed in float64 in the order of the members and rounded to the largest of their
    dtypes, so they are the same bits everywhere.

    References
    ----------
    .. [1] A. Krogh and J. Vedelsby, "Neural network ensembles, cross validation, and active
       learning", NIPS 1994.
    .. [2] B. Lakshminarayanan, A. Pritzel and C. Blundell, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", NIPS 2017.

    Examples
    --------
    >>> import cygrad as cg
    >>> nets = [cg.Network(2, [cg.Dense(1)], loss="mse", rng=seed) for seed in range(5)]
    >>> ensemble = cg.Ensemble(nets)
    >>> len(ensemble), ensemble.predict([[1, 2]]).shape, ensemble.std([[1, 2]]).shape
    (5, (1,), (1, 1))
    """

    def __init__(self, members: Iterable[Network]) -> None:
        if isinstance(members, Network) or not isinstance(members, Iterable):
            raise TypeError(f"members is {members!r}, expected a list of networks")
        self._members = tuple(members)
        if not self._members:
            raise ValueError("members is empty, expected at least one network")
        for index, member in enumerate(self._members):
            if not isinstance(member, Network):
                raise TypeError(f"members[{index}] is {member!r}, expected a Network")
            self._compare(index, member)

    def _compare(self, index: int, member: Network) -> None:
        first = self._members[0]
        for name in _SHARED:
            given, expected = getattr(member, name), getattr(first, name)
            if given != expected:
                raise ValueError(
                    f"members[{index}] has {name} {given!r}, expected {expected!r} as members[0]"
                )
        configs = [None if net.encoder is None else net.encoder.config() for net in (first, member)]
        if configs[0] != configs[1]:
            raise ValueError(f"members[{index}] has another encoder than members[0]")

    @property
    def members(self) -> tuple[Network, ...]:
        """The networks."""
        return self._members

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Network]:
        return iter(self._members)

    def __getitem__(self, index: int) -> Network:
        return self._members[index]

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self._members[0].inputs

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self._members[0].outputs

    @property
    def loss(self) -> str | LossFunction | CustomLoss:
        """The loss of the members."""
        return self._members[0].loss

    @property
    def metric(self) -> str:
        """Name of the metric that `evaluate` reports."""
        return self._members[0].metric

    @property
    def reduction(self) -> str:
        """The members' reduction: "mean" or "sum"."""
        return self._members[0].reduction

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, or None."""
        return self._members[0].classes

    @property
    def encoder(self) -> Encoder | None:
        """The encoder of tables, or None."""
        return self._members[0].encoder

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the outputs: the largest of the members'."""
        return np.result_type(*(member.dtype for member in self._members))

    @property
    def n_parameters(self) -> int:
        """Number of parameters of all members."""
        return sum(member.n_parameters for member in self._members)

    def __repr__(self) -> str:
        return f"<Ensemble of {len(self)}: {self._members[0]!r}, …>"

    def forward(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Return the mean outputs of the members.

        Parameters
        ----------
        X, threads
            As for `Network.forward`.

        Returns
        -------
        ndarray, shape (n, outputs)
            In `dtype`.

        Raises
        ------
        TypeError, ValueError
            If `X` is not as described.
        """
        return self._mean(X, threads).astype(self.dtype)

    def _mean(self, X: ArrayLike, threads: int | None) -> NDArray[np.float64]:
        total = self._members[0].forward(X, threads).astype(np.float64)
        for member in self._members[1:]:
            total += member.forward(X, threads)
        total /= len(self)
        return total

    def std(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Return the standard deviation of the members' outputs: where they disagree.

        Parameters
        ----------
        X, threads
            As for `Network.forward`.

        Returns
        -------
        ndarray, shape (n, outputs)
            √((1/k) Σ (a − ā)²) over the k members, in `dtype`. For a table with quantities as
            targets it is that of the predictions, in their unit, of the shape of `predict`.

        Raises
        ------
        TypeError, ValueError
            If `X` is not as described.
        """
        if self._takes_table(X) and self._predicts_quantities:
            each = [member.predict(X, threads).astype(np.float64) for member in self._members]
            return np.asarray(np.std(each, axis=0))
        mean = self._mean(X, threads)
        squares = np.zeros_like(mean)
        for member in self._members:
            squares += np.square(member.forward(X, threads) - mean)
        return np.sqrt(squares / len(self)).astype(self.dtype)

    def predict(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Predict the class or the outputs of each row of X, of the mean outputs.

        Parameters
        ----------
        X, threads
            As for `Network.predict`.

        Returns
        -------
        ndarray
            As for `Network.predict`: for losses of classes the class of the largest mean output,
            or 1 where it is at least 0.5; the mean outputs for the other losses, in their unit for
            a table.

        Raises
        ------
        TypeError, ValueError
            If `X` is not as described, or mean outputs are not finite and so have no class.
        """
        encoder = self.encoder
        if not self._takes_table(X) or encoder is None or not encoder.target_names:
            return self._decide(self.forward(X, threads))
        if self._predicts_quantities:
            each = [member.predict(X, threads).astype(np.float64) for member in self._members]
            return np.asarray(np.mean(each, axis=0))
        return np.asarray(encoder.decode(self._decide(self.forward(X, threads))))

    def _decide(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return the predictions for mean outputs."""
        row = row_of(self.loss)
        predicted: NDArray[Any] = outputs
        if row.labels or row.decides_at_half:
            finite = np.isfinite(outputs).all(axis=1)
            if not finite.all():
                place = int(np.argmin(finite))
                raise ValueError(
                    f"X has outputs in row {place} that are NaN or infinite, and so have no class; "
                    "expected finite ones: forward returns them"
                )
        if row.decides_at_half:
            predicted = (outputs >= 0.5).astype(np.int64)
        elif row.labels:
            return np.asarray(outputs.argmax(axis=1), np.int64)
        return np.asarray(predicted[:, 0] if predicted.shape[1] == 1 else predicted)

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> dict[str, float]:
        """Return loss and metric of the mean outputs, over samples with known targets.

        Parameters
        ----------
        X, y, threads, sample_weight
            As for `Network.evaluate`.

        Returns
        -------
        dict
            As for `Network.evaluate`. A mean probability or rate of 0 counts as 2.2e-308.

        Raises
        ------
        TypeError, ValueError
            If `X` or `y` is not as described.
        """
        if not self._takes_table(X):
            if y is None:
                raise TypeError("y is None, and X is no table; expected targets")
            return self._evaluate(self.forward(X, threads), y, sample_weight)
        from cygrad.network import encoding

        encoder = self.encoder
        assert encoder is not None
        targets = encoding.targets_of(encoder, X, y)
        outputs = self.forward(X, threads)
        results = self._evaluate(outputs, targets, sample_weight)
        if encoder.target_names and self.metric == "mae" and encoder.scales_targets:
            results["mae"] = encoding.mae_in_units(
                encoder, self.loss, targets, outputs, sample_weight
            )
        return results

    def _evaluate(
        self, outputs: NDArray[Any], y: ArrayLike, sample_weight: ArrayLike | None
    ) -> dict[str, float]:
        """Evaluate a network whose outputs these are: of one layer with W = 1."""
        activation = row_of(self.loss).activation or "identity"
        inputs = outputs = outputs.astype(np.float64)
        if activation in ("softmax", "exp"):
            inputs = np.log(np.maximum(outputs, _LEAST))
        elif activation == "sigmoid":
            inside = np.clip(outputs, _LEAST, 1 - np.finfo(np.float64).epsneg)
            inputs = np.log(inside) - np.log1p(-inside)
        layer = Dense(self.outputs, activation, weights_init="zeros")
        reduction: Any = self.reduction
        head = Network(self.outputs, [layer], loss=self.loss, reduction=reduction, dtype="float64")
        head.layers[0].weights = np.eye(self.outputs)
        if self.classes is not None:
            head.classes = self.classes
        return head.evaluate(inputs, y, sample_weight=sample_weight)

    def _takes_table(self, X: object) -> bool:
        if self.encoder is None:
            return False
        from cygrad.network import encoding

        return encoding.takes(self.encoder, X)

    @property
    def _predicts_quantities(self) -> bool:
        encoder = self.encoder
        return encoder is not None and bool(encoder.target_names) and encoder.classes is None

    # Files and copies

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save all members to one file for `cygrad.load`.

        Parameters
        ----------
        path
            As for `Network.save`, with the same errors.
        """
        from cygrad.network import storage

        arrays = {
            storage.member_name(index, name): array
            for index, member in enumerate(self._members)
            for name, array in member.arrays().items()
        }
        storage.save(path, self.config(), arrays)

    def config(self) -> dict[str, Any]:
        """Return the descriptions of the members, without their arrays, as values for JSON."""
        from cygrad.network import storage

        return {"members": [storage.described(net.config(), net.arrays()) for net in self._members]}

    @classmethod
    def restore(
        cls,
        config: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        loss: CustomLoss | None = None,
    ) -> Self:
        """Make an ensemble from a configuration and its arrays, and the members' loss function."""
        from cygrad.network import storage

        return cls(
            Network.restore(member, storage.member_arrays(index, arrays), loss)
            for index, member in enumerate(config["members"])
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._members,)
