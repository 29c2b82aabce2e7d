"""The part of the estimators that classifier and regressor share: how they train."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from inspect import cleandoc, signature
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn import get_config
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.optimize import _check_optimize_result

from cygrad.sklearn import documentation, inputs
from cygrad.sklearn.architecture import (
    check_describable,
    dense_layers,
    draw_parameters,
    dropout_of,
    dropout_rates,
    hidden_activations,
    hidden_sizes,
    new_network,
    same_sizes,
)
from cygrad.sklearn.epochs import Epochs, Iterations, Orders
from cygrad.sklearn.members import fit_members
from cygrad.sklearn.objective import OUTPUT_NAMES
from cygrad.sklearn.parameters import OPTIMIZERS_BY_NAME
from cygrad.sklearn.predictions import NetworkEstimator
from cygrad.sklearn.seeding import Continued, stream_of_fit
from cygrad.sklearn.solvers import carry_over, lbfgs_of, optimizer_of, rate_factor
from cygrad.sklearn.validation import Part, scorer_of_metric, scorer_of_outputs, split
from cygrad.training import DivergenceError, Trainer

if TYPE_CHECKING:
    from numpy.random import RandomState
    from numpy.typing import ArrayLike, NDArray

    from cygrad.network import Network
    from cygrad.sklearn.objective import Objective
    from cygrad.sklearn.validation import Scorer
    from cygrad.training.metrics import Metric

DIVERGED = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)
#: Attributes that a fit takes from its data before there is a new network for them.
OF_THE_DATA = ("_labels", "classes_", "n_features_in_", "feature_names_in_")
#: Validated combinations of parameters that are kept; see `Perceptron._validate_params`.
MOST_VALIDATED = 1024


class Perceptron(NetworkEstimator, ABC):
    """Base class of `MLPClassifier` and `MLPRegressor`."""

    # The parameters of the constructors.
    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: Any
    max_iter: int
    loss: Any
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    early_stopping: bool | str | Metric
    validation_fraction: float
    n_iter_no_change: float
    dropout: Any
    callbacks: Any
    dtype: str | None
    n_members: int

    _parameter_constraints: ClassVar[dict[str, list[Any]]]
    _validated: ClassVar[set[tuple[Any, ...]]]

    _given_network: Network | None
    _description: tuple[Any, ...]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._validated = set()
        # python -OO leaves docstrings out, and users' classes have parameters of their own.
        if "<parameters>" in (cls.__doc__ or ""):
            of = "classifier" if cls.__name__.endswith("Classifier") else "regressor"
            names = list(signature(cls.__init__).parameters)[1:]
            marks = {
                "<parameters>": documentation.section(names, of, OPTIMIZERS_BY_NAME),
                "<attributes>": documentation.attributes(of),
            }
            text = cleandoc(cls.__doc__ or "")  # since 3.13 the compiler takes the indentation away
            for mark, section in marks.items():
                text = text.replace(mark, section)
            cls.__doc__ = text

    def _store(self, parameters: dict[str, Any]) -> None:
        """Store the arguments of a constructor as they are, under their names."""
        for name, value in parameters.items():
            if name != "self":
                setattr(self, name, value)

    # What a subclass decides

    @abstractmethod
    def _read(self, X: Any, y: Any, reset: bool) -> tuple[Any, Any]:
        """Return samples and targets, checked."""

    def _read_classes(self, y: Any, incremental: bool) -> None:
        """Find out the classes of the targets, if they have some."""

    @abstractmethod
    def _encode(self, y: Any) -> NDArray[Any]:
        """Return the targets of the network."""

    @abstractmethod
    def _objective(self, y: NDArray[Any]) -> Objective:
        """Return the loss for encoded targets."""

    @abstractmethod
    def _score_outputs(self, y: NDArray[Any], outputs: NDArray[Any], weights: Any) -> float:
        """Return the score of outputs for encoded targets."""

    def _stratified(self, y: NDArray[Any]) -> Any:
        """Return the classes by which a validation part is drawn, or None."""
        return None

    def _constants(self, y: NDArray[Any]) -> NDArray[np.float64] | None:
        """Return what the reported loss of each sample has besides the network's, or None."""
        return None

    def _training_weights(self, y: Any, weights: Any) -> Any:
        """Return the weights of the samples to train on."""
        return weights

    # Training

    def _validate_params(self) -> None:
        """Check the parameters by scikit-learn's rules, unless the same ones were checked before.

        This takes longer than the training of a small network, and searches over parameters and
        repeated fits ask for the same ones again.
        """
        given = map(self.__dict__.get, self._parameter_constraints)
        values = tuple(tuple(v) if type(v) is list else v for v in given)
        key = values + tuple(map(type, values))
        try:
            known = key in self._validated
        except TypeError:  # arrays and the like are not kept
            super()._validate_params()
            return
        if not known:
            super()._validate_params()
            if len(self._validated) >= MOST_VALIDATED:
                self._validated.clear()
            self._validated.add(key)

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train on samples and targets.

        Parameters
        ----------
        X : array_like, data frame or sparse matrix, shape (n, features)
            float32 and float64 stay as they are, other numbers become float64.
        y : array_like, shape (n,) or (n, outputs)
            Labels of classes, or rows of 0 and 1 for several labels; numbers for the regressor.
        sample_weight : array_like, shape (n,), or None
            0 or more: a sample of weight w counts w times. A batch is divided by the sum of its
            weights; one whose weights are all 0 is no step.
        X_val, y_val : array_like or None
            Samples to validate with after each epoch, in place of a part of X; both or neither.
        sample_weight_val : array_like or None
            Their weights.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a parameter or an argument is not as described; if parameters or losses overflow.
        """
        if not get_config()["skip_parameter_validation"]:
            self._validate_params()
        if self.n_members > 1:
            fit_members(self, X, y, sample_weight, X_val, y_val, sample_weight_val)
            return self
        self.__dict__.pop("estimators_", None)
        net = self.__dict__.get("_net")
        before = {name: self.__dict__[name] for name in OF_THE_DATA if name in self.__dict__}
        try:
            return self._fit(X, y, sample_weight, X_val, y_val, sample_weight_val, False)
        except BaseException:
            if net is not None and self._net is net:  # its classes and columns still belong to it
                for name in OF_THE_DATA:
                    self.__dict__.pop(name, None)
                self.__dict__.update(before)
            raise

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any) -> Self:
        self._validate_before_first()
        if self.n_members > 1:
            raise ValueError(f"partial_fit does not support n_members={self.n_members}, expected 1")
        return self._fit(X, y, sample_weight, None, None, None, True)

    def _validate_before_first(self) -> None:
        """Check the parameters before the first call of `partial_fit`, as scikit-learn does."""
        if "_net" not in self.__dict__ and not get_config()["skip_parameter_validation"]:
            self._validate_params()

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: Any,
        incremental: bool,
    ) -> Self:
        sizes = hidden_sizes(self.hidden_layer_sizes)
        first = "_net" not in self.__dict__ or not (self.warm_start or incremental)
        X, y = self._read(X, y, first)
        self._read_classes(y, incremental)
        weights = inputs.read_weights(sample_weight, X)
        if incremental and self.early_stopping and self.solver != "lbfgs":
            raise ValueError("partial_fit does not support early_stopping=True")
        y = self._encode(y)
        objective = self._objective(y)
        own = self._own_validation(X_val, y_val, sample_weight_val)
        if incremental:
            # In scikit-learn each call has the same random numbers, and the same order of samples.
            before = self.__dict__.get("_continued")
            self._continued = Continued.after(before, self.random_state)
            self._train(X, y, weights, own, objective, sizes, self._continued.stream, first, True)
        else:
            with stream_of_fit(self.random_state) as random:
                self._train(X, y, weights, own, objective, sizes, random, first, False)
            self.__dict__.pop("_continued", None)
        return self

    def _train(
        self,
        X: Any,
        y: NDArray[Any],
        weights: Any,
        own: Part | None,
        objective: Objective,
        sizes: list[int],
        random: RandomState,
        first: bool,
        incremental: bool,
    ) -> None:
        self._prepare_network(X, sizes, objective, random, first)
        if self.solver == "lbfgs":
            self._fit_lbfgs(X, y, weights, own, objective)
        else:
            self._fit_descent(X, y, weights, own, objective, random, incremental)

    def _own_validation(self, X_val: Any, y_val: Any, sample_weight_val: Any) -> Part | None:
        """Return the samples to validate with, checked, or None."""
        if (X_val is None) != (y_val is None):
            missing, given = ("X_val", "y_val") if X_val is None else ("y_val", "X_val")
            raise ValueError(f"{missing} is None and {given} is given, expected both or neither")
        if X_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val is given and X_val is None, expected X_val")
            return None
        X, y = self._read(X_val, y_val, False)
        self._check_targets_val(y)
        weights = inputs.read_weights(sample_weight_val, X, "sample_weight_val")
        return Part(X, self._encode(y), weights)

    def _check_targets_val(self, y: Any) -> None:
        """Raise a ValueError if validation targets do not fit."""

    def _prepare_network(
        self, X: Any, sizes: list[int], objective: Objective, random: RandomState, first: bool
    ) -> None:
        """Make the network of the present parameters; without `first`, with the weights so far."""
        before: Network | None = None if first else self._net
        given: Network | None = self.__dict__.get("_given_network")
        if given is not None:
            if before is not None:
                return
            check_describable(given)
        activations = hidden_activations(self.activation, len(sizes))
        rates = dropout_rates(self.dropout, len(sizes))
        dtype = self.dtype
        if dtype is None:
            found = X.dtype if before is None else before.dtype
            single = found.char == "f" and self.solver != "lbfgs"
            dtype = "float32" if single else "float64"
        description = (X.shape[1], sizes, activations, rates, objective, dtype)
        if before is not None and description == self._description:
            return
        net = new_network(*description)
        if before is None:
            self._forget_training()
            # The output layer is drawn by the rule of the layer below.
            of_all = activations or hidden_activations(self.activation, 1)
            draw_parameters(net, [*activations, of_all[-1]], random)
        else:
            if not same_sizes(dense_layers(before), dense_layers(net)):
                shapes = [layer.units for layer in dense_layers(before)][:-1]
                raise ValueError(
                    f"hidden_layer_sizes is {self.hidden_layer_sizes!r} and the fitted network has "
                    f"{tuple(shapes)}; expected the same sizes, or warm_start=False"
                )
            net.parameters = before.parameters.astype(net.dtype)
            self.__dict__.pop("_trainer", None)
        self._net, self._description = net, description
        self._given_network = None
        self._name_layers(len(sizes) + 2, objective.units, objective.activation)

    def _take_network(self, net: Network, parameters: dict[str, Any]) -> None:
        """Become the fitted estimator of a network."""
        if net.reduction != "mean":
            raise ValueError(f"net has reduction {net.reduction!r}, expected 'mean'")
        layers = dense_layers(net)
        self.set_params(
            **{
                "hidden_layer_sizes": tuple(layer.units for layer in layers[:-1]),
                "activation": [layer.description.activation for layer in layers[:-1]],
                "dropout": dropout_of(net),
                "dtype": net.dtype.name,
                **parameters,
            }
        )
        self._net = self._given_network = net
        self.n_features_in_ = net.inputs
        self._forget_training()
        self._name_layers(len(layers) + 1, net.outputs, layers[-1].activation_name)

    def _name_layers(self, layers: int, outputs: int, activation: str) -> None:
        self.n_layers_, self.n_outputs_ = layers, outputs
        self.out_activation_ = OUTPUT_NAMES.get(activation, activation)

    def _forget_training(self) -> None:
        """Begin the records of training anew."""
        for name in ("_best_parameters", "_trainer", "history_", "best_loss_", "loss_curve_"):
            self.__dict__.pop(name, None)
        for name in ("validation_scores_", "best_validation_score_"):
            self.__dict__.pop(name, None)
        self.n_iter_ = self.t_ = 0
        self._no_improvement_count = 0

    def _begin_records(self, validates: bool) -> None:
        """Begin the records that this fit needs and that earlier ones do not have."""
        records = self.__dict__
        records.setdefault("loss_curve_", [])
        if validates:
            if records.get("validation_scores_") is None:
                self.validation_scores_: list[float] | None = []
        else:
            self.validation_scores_ = None
        if self.early_stopping:
            self.best_loss_: float | None = None
            if records.get("best_validation_score_") is None:
                self.best_validation_score_: float | None = -np.inf
                self._best_parameters = self._net.parameters
        else:
            self.best_validation_score_ = None
            if records.get("best_loss_") is None:
                self.best_loss_ = np.inf

    def _fit_descent(
        self,
        X: Any,
        y: NDArray[Any],
        weights: Any,
        own: Part | None,
        objective: Objective,
        random: RandomState,
        incremental: bool,
    ) -> None:
        caller = 6 if incremental else 5  # of `fit` or `partial_fit`, for warnings
        held_out = own
        if self.early_stopping and own is None:
            part, held_out = split(
                Part(X, y, weights), self.validation_fraction, self._stratified(y), random
            )
            X, y, weights = part
        weights = self._training_weights(y, weights)
        rows = len(y)
        batch_size = min(200, rows)
        if not isinstance(self.batch_size, str):
            if self.batch_size > rows:
                warnings.warn(
                    "Got `batch_size` less than 1 or larger than "
                    "sample size. It is going to be clipped",
                    stacklevel=caller,
                )
            batch_size = min(int(self.batch_size), rows)
        trainer = self._prepare_trainer(objective, batch_size, random, incremental)
        self._begin_records(held_out is not None)
        self.n_iter_ = 0
        orders = Orders(random) if self.shuffle else None
        scorer, validation = self._scorer(held_out)
        epochs = Epochs(
            self,
            objective,
            rows,
            batch_size,
            orders,
            weights,
            self._constants(y),
            scorer,
            incremental,
        )
        try:
            trainer.fit(
                X,
                y,
                1 if incremental else self.max_iter,
                callbacks=[epochs, *self.callbacks],
                shuffle=orders or False,
                sample_weight=weights,
                **validation,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=caller)
        except DivergenceError as error:
            best, scores = self.best_validation_score_, self.validation_scores_
            if best is None or scores is None or best == -np.inf:
                raise ValueError(DIVERGED) from error
            scores.append(float("nan"))
            warnings.warn(
                f"The training diverged in epoch {self.n_iter_ + 1}: the parameters of the best "
                "validation score before are kept.",
                ConvergenceWarning,
                stacklevel=caller,
            )
        self.history_ = trainer.history
        if self.early_stopping:
            self._net.parameters = self._best_parameters
        if epochs.reached_limit:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=caller,
            )

    def _scorer(self, part: Part | None) -> tuple[Scorer | None, dict[str, Any]]:
        """Return the function for the validation score, and what the trainer must evaluate."""
        if part is None:
            return None, {}
        if not isinstance(self.early_stopping, (bool, np.bool_)):
            return scorer_of_metric(self.early_stopping, part, self._net)
        return scorer_of_outputs(self._score_outputs, part, self.n_threads), {}

    def _prepare_trainer(
        self, objective: Objective, batch_size: int, random: RandomState, incremental: bool
    ) -> Trainer:
        """Return the trainer of this fit; `partial_fit` goes on with that of the one before."""
        optimizer = optimizer_of(self, objective)
        before: Trainer | None = self.__dict__.get("_trainer") if incremental else None
        if before is not None:
            same = before.optimizer == optimizer and before.threads == self.n_threads
            if same and before.batch_size == batch_size:
                return before
        seed = random.randint(1 << 31) if self._net.engine.is_random else 0
        self._trainer = Trainer(self._net, optimizer, batch_size, rng=seed, threads=self.n_threads)
        self._rate_factor = rate_factor(self, objective)
        if before is None:
            self._trainer.learning_rate_scale = self._rate_factor
        else:
            self._trainer.learning_rate_scale = before.learning_rate_scale
            carry_over(before, self._trainer)
        return self._trainer

    def _fit_lbfgs(
        self, X: Any, y: NDArray[Any], weights: Any, own: Part | None, objective: Objective
    ) -> None:
        weights = self._training_weights(y, weights)
        trainer = Trainer(self._net, lbfgs_of(self, objective), threads=self.n_threads)
        if own is not None:  # otherwise there is no such attribute, as in scikit-learn
            self.validation_scores_ = []
        self.n_iter_ = 0
        scorer, validation = self._scorer(own)
        constants = self._constants(y)
        constant = 0.0 if constants is None else float(np.average(constants, weights=weights))
        iterations = Iterations(self, objective, constant, scorer)
        try:
            trainer.fit(
                X,
                y,
                self.max_iter,
                callbacks=[iterations, *self.callbacks],
                sample_weight=weights,
                **validation,
            )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=5)
        except DivergenceError as error:
            raise ValueError(DIVERGED) from error
        self.history_ = trainer.history
        result = trainer.history.optimize_result
        if result is not None:
            self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        if self.n_iter_ == 0:  # the first parameters were the best
            found = self._net.evaluate(X, y, self.n_threads, sample_weight=weights)
            iterations.record(found["loss"] + self._penalty(objective, y, weights))

    def _penalty(self, objective: Objective, y: NDArray[Any], weights: Any) -> float:
        """Return ½ (α / c) ΣW² / Σw of the present weights."""
        total = len(y) if weights is None else float(weights.sum())
        squares = sum(float((layer.weights**2).sum()) for layer in dense_layers(self._net))
        return 0.5 * float(self.alpha) / objective.descent_factor * squares / total

    @property
    def learning_rate_(self) -> float:
        """The learning rate of the next step, for solvers with steps."""
        trainer: Trainer | None = self.__dict__.get("_trainer")
        if trainer is None:
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute 'learning_rate_'"
            )
        return trainer.learning_rate / self._rate_factor
