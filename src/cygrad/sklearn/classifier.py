"""`MLPClassifier`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from cygrad.network.losses import row_of
from cygrad.sklearn import inputs
from cygrad.sklearn.estimator import Perceptron
from cygrad.sklearn.labels import Labels
from cygrad.sklearn.objective import (
    names_for_classes,
    of_classes,
    takes_several_labels,
)
from cygrad.sklearn.parameters import CONSTRAINTS, LOSS_OBJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.sklearn.objective import Objective
    from cygrad.training.metrics import Metric


def _balanced(y: NDArray[Any], weights: Any) -> NDArray[np.float64]:
    """Return Σw / (k Σw_c) of the class c of each sample, for the k classes that have any weight.

    So a sample of weight 2 is two samples here too.
    """
    sums = np.bincount(y, weights)
    shares = sums / (sums.sum() / np.count_nonzero(sums))
    found: NDArray[np.float64] = np.divide(1, shares, where=shares > 0, out=np.zeros_like(shares))
    return found[y]


def _has_steps(estimator: MLPClassifier) -> bool:
    """Check that the solver goes step by step, or raise the AttributeError of scikit-learn."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


def _predicts_probabilities(estimator: MLPClassifier) -> bool:
    """Check that the loss is one of probabilities, or raise an AttributeError."""
    net: Network | None = estimator.__dict__.get("_net")
    if net is not None and row_of(net.loss).outputs != "probabilities":
        raise AttributeError(
            f"loss is {net.loss!r}, whose outputs are no probabilities; see decision_function"
        )
    return True


class MLPClassifier(ClassifierMixin, Perceptron):
    """A classifier in place of ``sklearn.neural_network.MLPClassifier``, and with more.

    All parameters, attributes and random numbers of scikit-learn's class are there, with the same
    meaning and results; the module `cygrad.sklearn` lists the differences. From `loss` on the
    parameters are cygrad's own.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    <attributes>

    Examples
    --------
    >>> from cygrad.datasets import load_digits
    >>> from cygrad.sklearn import MLPClassifier
    >>> X, y = load_digits()
    >>> classifier = MLPClassifier((32,), max_iter=50, tol=0.01, random_state=0).fit(X, y)
    >>> bool(classifier.score(X, y) > 0.95)
    True
    """

    class_weight: Mapping[Any, float] | str | None
    stratify: str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions(set(names_for_classes())), *LOSS_OBJECTS],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "stratify": [StrOptions({"binary", "always"})],
    }

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool | str | Metric = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        dropout: Any = 0.0,
        class_weight: Mapping[Any, float] | str | None = None,
        stratify: str = "binary",
        callbacks: Iterable[Any] = (),
        n_threads: int | None = None,
        dtype: str | None = None,
        n_members: int = 1,
    ) -> None:
        self._store(locals())

    @classmethod
    def from_network(
        cls, net: Network, classes: ArrayLike | None = None, **parameters: Any
    ) -> MLPClassifier:
        """Return the fitted estimator of a network.

        Parameters
        ----------
        net : Network
            With a loss of classes, or of binary decisions. It is not copied.
        classes : array_like or None
            The labels of the classes, in ascending order; None: the network's names of classes, or
            0, 1, ….
        **parameters
            Parameters of the estimator that the network does not tell, such as `solver`, for
            training on by `partial_fit`, or by `fit` with `warm_start`.

        Returns
        -------
        MLPClassifier

        Examples
        --------
        >>> import cygrad as cg
        >>> from cygrad.sklearn import MLPClassifier
        >>> net = cg.Network(2, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
        >>> MLPClassifier.from_network(net, ["a", "b", "c"]).predict([[0.0, 0.0]])
        array(['a'], dtype='<U1')
        """
        row = row_of(net.loss)
        if not (row.labels or row.decides_at_half):
            raise ValueError(
                f"net has the loss {net.loss!r}, expected a loss of classes; see MLPRegressor"
            )
        several = row.decides_at_half and net.outputs > 1
        kind = "multiclass" if row.labels else "multilabel" if several else "binary"
        count = max(net.outputs, 2)
        labels = net.classes if classes is None and not several else classes
        array = np.arange(count) if labels is None else np.asarray(labels)
        if array.shape != (count,):
            raise ValueError(f"classes has shape {array.shape}, expected ({count},)")
        if (array[1:] <= array[:-1]).any():
            raise ValueError("classes is not in ascending order, expected different labels in it")
        estimator = cls()
        loss = "log_loss" if net.loss in ("cross_entropy", "binary_cross_entropy") else net.loss
        estimator._take_network(net, {"loss": loss, **parameters})
        binarizer = LabelBinarizer().fit(np.eye(count, dtype=int)) if several else None
        estimator._labels = Labels(array, kind, binarizer)
        estimator.classes_ = array
        return estimator

    def _read(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        return inputs.read_labelled(self, X, y, reset)

    def _read_classes(self, y: Any, incremental: bool) -> None:
        labels: Labels | None = self.__dict__.get("_labels")
        if labels is None or not (self.warm_start or incremental):
            self._labels = labels = Labels.of(y)
            self.classes_ = labels.classes
        elif self.warm_start:
            labels.check_same(y)
        else:
            labels.check_known(y)

    def _check_targets_val(self, y: Any) -> None:
        self._labels.check_known(y)

    def _encode(self, y: Any) -> NDArray[Any]:
        return self._labels.encode(y)

    def _objective(self, y: NDArray[Any]) -> Objective:
        return of_classes(self.loss, self._labels.kind, len(self._labels.classes))

    def _stratified(self, y: NDArray[Any]) -> Any:
        if self._labels.kind == "binary":
            return y.astype(bool)  # scikit-learn's error names the classes so
        return y if self.stratify == "always" and y.ndim == 1 else None

    def _score_outputs(self, y: NDArray[Any], outputs: NDArray[Any], weights: Any) -> float:
        right = self._labels.decide(outputs) == y
        if right.ndim == 2:
            right = right.all(axis=1)
        return float(np.average(right, weights=weights))

    def _training_weights(self, y: Any, weights: Any) -> Any:
        if self.class_weight is None:
            return weights
        if self.class_weight == "balanced" and y.ndim == 1:
            of_classes = _balanced(y, weights)
        else:
            of_classes = compute_sample_weight(self._weights_by_index(), y)
        return of_classes if weights is None else of_classes * weights

    def _weights_by_index(self) -> Any:
        """Return `class_weight` with the indices of the classes in place of their labels."""
        if isinstance(self.class_weight, str) or self._labels.kind == "multilabel":
            return self.class_weight
        assert self.class_weight is not None
        indices = {label: index for index, label in enumerate(self._labels.classes.tolist())}
        for label in self.class_weight:
            if label not in indices:
                raise ValueError(
                    f"class_weight has the class {label!r}, expected classes among {list(indices)}"
                )
        return {indices[label]: weight for label, weight in self.class_weight.items()}

    @available_if(_has_steps)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train on samples once, in a new random order.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like or None
            All classes that will come; needed in the first call, and 0 … k − 1 for k labels of
            each sample.

        Returns
        -------
        self
        """
        self._validate_before_first()
        if _check_partial_fit_first_call(self, classes):
            several = type_of_target(y).startswith("multilabel")
            self._labels = Labels.of(y if several else classes)
        return self._partial_fit(X, y, sample_weight)

    # Predictions

    def predict(self, X: ArrayLike) -> Any:
        """Predict the class of each sample, or its labels.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)

        Returns
        -------
        ndarray, shape (n,) or (n, labels)
            The first class among equals; of two classes the second one if its probability is above
            ½. Labels are a sparse matrix if those in `fit` were.
        """
        outputs = self._outputs(X)  # raises the error of an estimator that is not fitted
        return self._labels.decode(outputs)

    @available_if(_predicts_probabilities)
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the probability of each class, or of each label.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)

        Returns
        -------
        ndarray, shape (n, classes) or (n, labels)
        """
        outputs = self._outputs(X)
        if outputs.shape[1] > 1:
            return outputs
        result = np.empty((len(outputs), 2), outputs.dtype)
        result[:, 1] = outputs[:, 0]
        np.subtract(1, outputs[:, 0], out=result[:, 0])
        return result

    @available_if(_predicts_probabilities)
    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the logarithms of the probabilities.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)

        Returns
        -------
        ndarray, shape (n, classes) or (n, labels)
            The logarithms of `predict_proba`, −∞ where a probability is 0 by rounding;
            `decision_function` tells such samples apart.
        """
        probabilities = self.predict_proba(X)
        return np.log(probabilities, out=probabilities)

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Return the scores of the classes: what the activation of the output layer is applied to.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)

        Returns
        -------
        ndarray, shape (n,), (n, classes) or (n, labels)
            Of two classes one score, above 0 for the second class.
        """
        z = self._scores(X)
        if self._labels.kind != "binary":
            return z
        return z[:, 0] if z.shape[1] == 1 else z[:, 1] - z[:, 0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = takes_several_labels(self.loss)
        return tags
