"""`MLPRegressor`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy.sparse import issparse
from scipy.special import xlogy
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils._param_validation import StrOptions

from cygrad.network.losses import compared_outputs, loss_name, row_of
from cygrad.sklearn import inputs
from cygrad.sklearn.estimator import Perceptron
from cygrad.sklearn.objective import names_for_numbers, of_numbers
from cygrad.sklearn.parameters import CONSTRAINTS, LOSS_OBJECTS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.sklearn.objective import Objective
    from cygrad.training.metrics import Metric


class MLPRegressor(RegressorMixin, Perceptron):
    """A regressor in place of ``sklearn.neural_network.MLPRegressor``, and with more.

    All parameters, attributes and random numbers of scikit-learn's class are there, with the same
    meaning and results; the module `cygrad.sklearn` lists the differences. From `target_gradient`
    on the parameters are cygrad's own.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    <attributes>

    Examples
    --------
    >>> import numpy as np
    >>> from cygrad.sklearn import MLPRegressor
    >>> X = np.linspace(-1, 1, 100)[:, np.newaxis]
    >>> regressor = MLPRegressor(hidden_layer_sizes=20, solver="lbfgs", random_state=0)
    >>> bool(regressor.fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.99)
    True
    """

    target_gradient: str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CONSTRAINTS,
        "loss": [StrOptions(set(names_for_numbers())), *LOSS_OBJECTS],
        "target_gradient": [StrOptions({"sum", "mean"})],
    }

    def __init__(
        self,
        loss: Any = "squared_error",
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
        target_gradient: str = "sum",
        dropout: Any = 0.0,
        callbacks: Iterable[Any] = (),
        n_threads: int | None = None,
        dtype: str | None = None,
        n_members: int = 1,
    ) -> None:
        self._store(locals())

    @classmethod
    def from_network(cls, net: Network, **parameters: Any) -> MLPRegressor:
        """Return the fitted estimator of a network.

        Parameters
        ----------
        net : Network
            With a loss of numbers. It is not copied.
        **parameters
            Parameters of the estimator that the network does not tell, such as `solver`, for
            training on by `partial_fit`, or by `fit` with `warm_start`.

        Returns
        -------
        MLPRegressor

        Examples
        --------
        >>> import cygrad as cg
        >>> from cygrad.sklearn import MLPRegressor
        >>> net = cg.Network(2, [cg.Dense(1, weights_init=1.0)], loss="mse")
        >>> MLPRegressor.from_network(net).predict([[1.0, 2.0]])
        array([3.], dtype=float32)
        """
        if row_of(net.loss).outputs not in ("numbers", "rates", "moments"):
            raise ValueError(
                f"net has the loss {net.loss!r}, expected a loss of numbers; see MLPClassifier"
            )
        estimator = cls()
        loss = "squared_error" if net.loss == "quadratic" else net.loss
        estimator._take_network(net, {"loss": loss, **parameters})
        return estimator

    def _read(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        return inputs.read_numbers(self, X, y, reset)

    def _encode(self, y: Any) -> NDArray[Any]:
        if issparse(y):
            raise TypeError("y is a sparse matrix, expected a dense array of numbers")
        encoded: NDArray[Any] = np.asarray(y).reshape(len(y), -1)
        if encoded.dtype.kind not in "biuf":
            raise TypeError(f"y has dtype {encoded.dtype}, expected numbers")
        if self.loss == "poisson" and (encoded < 0).any():
            raise ValueError(
                f"y has the target {encoded.min()} and loss is 'poisson', expected numbers of at "
                "least 0"
            )
        return encoded

    def _objective(self, y: NDArray[Any]) -> Objective:
        mean = self.target_gradient == "mean" or self.solver == "lbfgs"
        return of_numbers(self.loss, y.shape[1], mean)

    def _constants(self, y: NDArray[Any]) -> NDArray[np.float64] | None:
        if self.loss != "poisson":
            return None
        # Half the deviance: y ln(y / a) − y + a, of which the network has a − y ln a.
        deviance: NDArray[np.float64] = (xlogy(y, y) - y).sum(axis=1, dtype=np.float64)
        return deviance

    def _score_outputs(self, y: NDArray[Any], outputs: NDArray[Any], weights: Any) -> float:
        targets, predicted = compared_outputs(self._net.loss, y, outputs)
        return float(r2_score(targets, predicted, sample_weight=weights))

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train on samples once, in a new random order.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        self
        """
        return self._partial_fit(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict the targets of each sample.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)

        Returns
        -------
        ndarray, shape (n,) or (n, outputs)
            In the dtype of the network. Of "gaussian_nll" the means; of several quantiles one
            column for each.
        """
        outputs = self._outputs(X)
        if loss_name(self._net.loss) == "gaussian_nll":
            outputs = outputs[:, : outputs.shape[1] // 2]
        return outputs.ravel() if outputs.shape[1] == 1 else outputs
