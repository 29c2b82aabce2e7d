"""Networks from and to the estimators of scikit-learn, `MLPClassifier` and `MLPRegressor`.

Needs scikit-learn (``pip install 'cygrad[sklearn]'``). Estimators that train here have their own
place, `cygrad.sklearn`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad.exchange import self_test
from cygrad.exchange.assembly import Assembly
from cygrad.exchange.libraries import library
from cygrad.exchange.operations import DenseOperation, InputScaling, program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Operation, Program
    from cygrad.exchange.self_test import SelfTest
    from cygrad.network import Network

EXTRA = "sklearn"
#: Hidden activations there, and here.
ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
#: Losses of regressors there, and here, with the activation of the output.
REGRESSION = {"squared_error": ("quadratic", "identity"), "poisson": ("poisson", "exp")}


def from_sklearn(estimator: Any, *, dtype: Literal["float32", "float64"] | None = None) -> Network:
    """Return the network of a fitted estimator.

    Parameters
    ----------
    estimator : MLPClassifier, MLPRegressor, or Pipeline that ends in one
        Fitted. The other steps of a pipeline are StandardScaler, MinMaxScaler, MaxAbsScaler or
        RobustScaler: they become the standardisation of the inputs. Estimators of
        `cygrad.sklearn` too.
    dtype : {"float32", "float64"} or None
        None: that of the weights.

    Returns
    -------
    Network
        With the parameters bit by bit. Names of classes are texts, in the order of ``classes_``.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.
    TypeError
        If it is another estimator, or a step is another one.
    ValueError
        If it is not fitted.

    Examples
    --------
    >>> import cygrad as cg
    >>> from sklearn.neural_network import MLPClassifier
    >>> X, y = cg.datasets.load_digits()
    >>> estimator = MLPClassifier(16, max_iter=1000, random_state=0).fit(X, y)
    >>> net = cg.exchange.from_sklearn(estimator)
    >>> bool((net.predict(X) == estimator.predict(X)).all())
    True
    """
    neural = library("sklearn.neural_network", EXTRA)
    pipeline = library("sklearn.pipeline", EXTRA).Pipeline
    steps: list[Any] = []
    if isinstance(estimator, pipeline):
        steps = [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")]
        estimator = estimator.steps[-1][1]
    kind = type(estimator).__name__
    if type(estimator).__module__.startswith("cygrad.sklearn"):
        net: Network = estimator.network_.as_dtype(dtype or estimator.network_.dtype.name)
        if steps:
            if net.input_mean is not None:
                raise TypeError(f"the network of {kind} standardises its inputs, as its steps do")
            net.set_standardization(*_standardization(steps, net.inputs))
        return net
    if not isinstance(estimator, (neural.MLPClassifier, neural.MLPRegressor)):
        raise TypeError(
            f"estimator is {kind}, expected MLPClassifier, MLPRegressor, or a Pipeline that ends "
            "in one"
        )
    if not hasattr(estimator, "coefs_"):
        raise ValueError(f"the {kind} is not fitted, expected fit(X, y) before")
    assembly = Assembly(estimator.coefs_[0].shape[0], kind)
    hidden = ACTIVATIONS[estimator.activation]
    classes = None
    if isinstance(estimator, neural.MLPClassifier):
        output = {"logistic": "sigmoid", "softmax": "softmax"}[estimator.out_activation_]
        loss = {"sigmoid": "binary_cross_entropy", "softmax": "cross_entropy"}[output]
        names = [str(name) for name in np.asarray(estimator.classes_).tolist()]
        # With several labels for a row, an output is a label, not a class.
        is_multilabel = output == "sigmoid" and len(estimator.intercepts_[-1]) > 1
        classes = None if is_multilabel else names
    else:
        loss, output = REGRESSION[getattr(estimator, "loss", "squared_error")]
    layers = list(zip(estimator.coefs_, estimator.intercepts_, strict=True))
    for index, (weights, biases) in enumerate(layers):
        is_last = index == len(layers) - 1
        assembly.dense(np.asarray(weights).T, biases, output if is_last else hidden)
    own = "float32" if np.asarray(estimator.coefs_[0]).dtype == np.float32 else "float64"
    scaling = _standardization(steps, assembly.inputs) if steps else None
    return assembly.network(dtype or own, loss=loss, classes=classes, standardization=scaling)


def _standardization(
    steps: Sequence[Any], inputs: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and scale of the steps of a pipeline together: x becomes (x − mean) · scale."""
    mean, scale = np.zeros(inputs), np.ones(inputs)
    for step in steps:
        name = type(step).__name__
        if not type(step).__module__.startswith("sklearn.preprocessing") or name not in _SCALERS:
            raise TypeError(f"the pipeline has the step {name}, expected {', '.join(_SCALERS)}")
        if getattr(step, "clip", False):
            raise TypeError(f"the pipeline has {name}(clip=True), expected clip=False")
        center, factor = _SCALERS[name](step, inputs)
        # ((x − mean) · scale − center) · factor = (x − (mean + center / scale)) · scale · factor
        mean, scale = mean + center / scale, scale * factor
    return mean, scale


def _standard(step: Any, inputs: int) -> tuple[Any, Any]:
    mean = step.mean_ if step.with_mean else np.zeros(inputs)  # it has one in any case
    return mean, 1 / (np.ones(inputs) if step.scale_ is None else np.asarray(step.scale_))


_SCALERS: dict[str, Callable[[Any, int], tuple[Any, Any]]] = {
    "StandardScaler": _standard,
    # x · scale_ + min_
    "MinMaxScaler": lambda step, inputs: (-step.min_ / step.scale_, step.scale_),
    "MaxAbsScaler": lambda step, inputs: (np.zeros(inputs), 1 / step.scale_),
    "RobustScaler": lambda step, inputs: (
        np.zeros(inputs) if step.center_ is None else step.center_,
        np.ones(inputs) if step.scale_ is None else 1 / step.scale_,
    ),
}


def to_sklearn(net: Network, *, lossy: bool = False) -> Any:
    """Return a fitted estimator of scikit-learn that computes the same.

    Parameters
    ----------
    net : Network
        Dense layers with one activation for all hidden ones: identity, sigmoid, tanh or relu; and
        softmax or sigmoid with a loss of classes, or identity or exp, at the end. Dropout and noise
        are left out.
    lossy : bool
        Leave out an encoder that has more than numbers without gaps.

    Returns
    -------
    MLPClassifier, MLPRegressor, or Pipeline
        A pipeline with a StandardScaler if inputs are standardised. The names of the classes are
        ``classes_``, 0, 1, … without names.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.
    ValueError
        If scikit-learn has no such network; the message names the layer.

    Warns
    -----
    UserWarning
        If its outputs for some samples differ by more than rounding.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(64, [cg.Dense(32, "relu"), cg.Dense(10, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> net.standardize_inputs(cg.datasets.load_digits()[0])
    >>> cg.exchange.to_sklearn(net)
    Pipeline(steps=[('standardscaler', StandardScaler()),
                    ('mlpclassifier', MLPClassifier(hidden_layer_sizes=(32,)))])
    """
    neural = library("sklearn.neural_network", EXTRA)
    made = program(net, lossy=lossy)
    scalings = [each for each in made.operations if isinstance(each, InputScaling)]
    layers = [each for each in made.operations if not isinstance(each, InputScaling)]
    dense = [_checked(each) for each in layers]
    if any(each.clipped.any() for each in scalings):
        raise ValueError("the encoder clips its numbers, for which scikit-learn has no step")
    hidden = {each.activation for each in dense[:-1]}
    others = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    if len(hidden) > 1 or not hidden <= set(others):
        shown = ", ".join(sorted(hidden))
        raise ValueError(
            f"the hidden layers have the activations {shown}, expected one of {', '.join(others)} "
            "for all: scikit-learn has no other"
        )
    activation = others[hidden.pop()] if hidden else "identity"
    sizes = tuple(len(each.weights) for each in dense[:-1])
    estimator = _estimator(neural, net, made, dense[-1], sizes, activation)
    estimator.coefs_ = [np.array(each.weights.T, order="C") for each in dense]
    estimator.intercepts_ = [
        np.zeros(len(each.weights), made.dtype) if each.biases is None else each.biases.copy()
        for each in dense
    ]
    estimator.n_layers_ = len(dense) + 1
    estimator.n_outputs_ = made.outputs
    estimator.n_iter_ = estimator.t_ = 0
    estimator.loss_curve_ = []
    estimator.n_features_in_ = made.inputs
    if made.columns is not None:
        estimator.feature_names_in_ = np.array(made.columns, object)
    whole = _pipeline(estimator, scalings, made)
    compare_object(net, made, whole)
    return whole


def compare_object(net: Network, made: Program, estimator: Any) -> SelfTest:
    """Compute the samples of the self-test with an estimator or pipeline, and compare."""
    samples = self_test.samples(net, made)
    version = library("sklearn", EXTRA).__version__
    outputs = _outputs(estimator, samples.inputs.astype(made.dtype))
    return samples.compare(outputs, f"scikit-learn {version}")


def _checked(operation: Operation) -> DenseOperation:
    if isinstance(operation, DenseOperation):
        return operation
    index = getattr(operation, "index", None)
    what = "the quantities have a unit of their own" if index is None else f"layer {index}"
    raise ValueError(f"{what}: scikit-learn has dense layers only ({type(operation).__name__})")


def _estimator(
    neural: Any,
    net: Network,
    made: Program,
    last: DenseOperation,
    sizes: tuple[int, ...],
    activation: str,
) -> Any:
    """Return an estimator without parameters, for the output layer of a network."""
    if made.decision == "none":
        losses = {output: name for name, (_, output) in REGRESSION.items()}
        if last.activation not in losses:
            raise ValueError(
                f"layer {last.index} has the activation {last.activation}, expected "
                f"{' or '.join(losses)} for quantities: scikit-learn has no other"
            )
        loss = losses[last.activation]
        # Version 1.6 has no other loss, and no argument.
        options = {} if loss == "squared_error" else {"loss": loss}
        estimator = neural.MLPRegressor(hidden_layer_sizes=sizes, activation=activation, **options)
        estimator.out_activation_ = last.activation if loss == "poisson" else "identity"
        return estimator
    output = {"softmax": "softmax", "sigmoid": "logistic"}.get(last.activation)
    if output is None:
        raise ValueError(
            f"layer {last.index} has the activation {last.activation}, expected softmax or "
            "sigmoid for classes: scikit-learn has no other"
        )
    estimator = neural.MLPClassifier(hidden_layer_sizes=sizes, activation=activation)
    estimator.out_activation_ = output
    estimator.classes_ = _labels(net, made, output)
    binarizer = library("sklearn.preprocessing", EXTRA).LabelBinarizer()
    if output == "logistic" and made.outputs > 1:
        indicators = np.stack([np.zeros(made.outputs, int), np.ones(made.outputs, int)])
        estimator._label_binarizer = binarizer.fit(indicators)
    else:
        estimator._label_binarizer = binarizer.fit(estimator.classes_)
    return estimator


def _labels(net: Network, made: Program, output: str) -> NDArray[Any]:
    """Return the labels of the classes in the order of the outputs, which is ascending."""
    count = 2 if output == "logistic" and made.outputs == 1 else made.outputs
    if made.classes is None or (output == "logistic" and made.outputs > 1):
        return np.arange(count)
    labels = np.array(made.classes)
    if net.encoder is not None and net.encoder.classes is not None:
        labels = np.asarray(net.encoder.decode(np.arange(count)))
        labels = labels.astype(str) if labels.dtype == object else labels
    if (labels[1:] <= labels[:-1]).any():
        raise ValueError(
            f"the classes are {', '.join(map(str, labels))}, expected an ascending order: "
            "scikit-learn has no other"
        )
    return labels


def _pipeline(estimator: Any, scalings: list[InputScaling], made: Program) -> Any:
    """Return a pipeline with a scaler for each scaling of the inputs; the estimator if none."""
    if not scalings:
        return estimator
    scalers = []
    for each in scalings:
        scaler = library("sklearn.preprocessing", EXTRA).StandardScaler()
        scaler.mean_, scaler.scale_ = each.mean.copy(), 1 / each.scale
        scaler.var_ = np.square(scaler.scale_)
        scaler.n_features_in_, scaler.n_samples_seen_ = made.inputs, 0
        if made.columns is not None:
            scaler.feature_names_in_ = np.array(made.columns, object)
        scalers.append(scaler)
    if made.columns is not None and hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_  # it gets the array that a scaler returns
    return library("sklearn.pipeline", EXTRA).make_pipeline(*scalers, estimator)


def _outputs(estimator: Any, X: NDArray[Any]) -> NDArray[np.float64]:
    """Return the outputs of an estimator as a network has them, shape (n, outputs)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        if hasattr(estimator, "predict_proba"):
            outputs = np.asarray(estimator.predict_proba(X), np.float64)
            last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
            return outputs[:, 1:] if len(last.intercepts_[-1]) == 1 else outputs
        predicted = np.asarray(estimator.predict(X), np.float64)
    return predicted.reshape(len(predicted), -1)
