"""scikit-learn's multi-layer perceptron, trained by whole epochs in ``fit``.

Its penalty is set to zero, and early stopping never happens. Its regression loss is half the mean
squared error, and the gradient that it descends is summed over the outputs: of k outputs, that of
the mean squared error is 2/k times it. So SGD's learning rate is multiplied by 2/k, and Adam's ε
divided by it. Its Adam adds ε before the
correction of √v, not after it: ε is chosen so that the first step equals that of other programs,
and the next steps nearly do. It computes the loss from clipped probabilities.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from sys import maxsize

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..cases import BETA1, BETA2, EPSILON, LEARNING_RATE, MOMENTUM, Case
from . import Array, Parameters, Unavailable, blas

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic"}


class SklearnMLP:
    name = "scikit-learn"
    adjustable = blas.ADJUSTABLE
    exact = False

    def __init__(self, case: Case, dtype: str, threads: int) -> None:
        if case.classification and case.sizes[-1] == 2:
            raise Unavailable("scikit-learn: two classes have one output there")
        self.case = case
        self.dtype = dtype
        self.threads = threads
        # The others' loss and gradient are these factors times its own.
        self.loss_factor = 1 if case.classification else 2
        self.gradient_factor = 1 if case.classification else 2 / case.sizes[-1]

    def start(self, parameters: Parameters) -> None:
        case = self.case
        kind = MLPClassifier if case.classification else MLPRegressor
        rate = LEARNING_RATE * (1 if case.optimizer == "adam" else self.gradient_factor)
        self.model = kind(
            hidden_layer_sizes=case.sizes[1:-1],
            activation=ACTIVATIONS[case.hidden],
            solver=case.optimizer,
            alpha=0,
            batch_size=case.batch,
            learning_rate_init=rate,
            max_iter=1,
            random_state=0,
            warm_start=True,  # a fit continues from the parameters of the previous fit
            momentum=MOMENTUM,
            nesterovs_momentum=False,
            beta_1=BETA1,
            beta_2=BETA2,
            epsilon=EPSILON / self.gradient_factor * (1 - BETA2) ** 0.5,
            n_iter_no_change=maxsize,
        )
        # A fit makes the arrays; it needs samples of all classes.
        rows = max(case.batch, case.sizes[-1])
        zeros = np.zeros((rows, case.sizes[0] + case.sizes[-1]), self.dtype)
        X, y = np.hsplit(zeros, [case.sizes[0]])
        self._fit(X, np.arange(rows) % case.sizes[-1] if case.classification else y)
        for index, (weights, biases) in enumerate(parameters):
            self.model.coefs_[index][:] = weights.T
            self.model.intercepts_[index][:] = biases

    def fit(self, X: Array, y: Array, epochs: int, *, shuffle: bool = True) -> Sequence[float]:
        self.model.set_params(max_iter=epochs, shuffle=shuffle)
        self._fit(X, y)
        return [self.loss_factor * float(loss) for loss in self.model.loss_curve_[-epochs:]]

    def forward(self, X: Array) -> Array:
        if self.case.classification:
            return np.asarray(self.model.predict_proba(X))
        return np.asarray(self.model.predict(X)).reshape(-1, self.case.sizes[-1])

    def parameters(self) -> Parameters:
        layers = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [(weights.T.copy(), biases.copy()) for weights, biases in layers]

    def _fit(self, X: Array, y: Array) -> None:
        """Run a fit, which resets the optimiser."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            with blas.limit_threads(self.threads):
                self.model.fit(X, y.ravel() if y.shape[1:] == (1,) else y)
