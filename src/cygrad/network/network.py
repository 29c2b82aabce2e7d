"""`Network`: make dense layers with a loss, run and differentiate them, save them.

The engine computes; this module checks the arguments and converts them for the engine. Training is
in `training`.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from cygrad import checks
from cygrad._engine.engine import Engine
from cygrad._engine.frames import as_array
from cygrad._engine.samples import Samples
from cygrad.network.activations import name_of, parameter_of
from cygrad.network.descriptions import from_values, nested, to_values
from cygrad.network.gradients import PARTS, Gradients, check_parts
from cygrad.network.layers import Dense, Layer, check_descriptions, flatten
from cygrad.network.loss_functions import (
    CUSTOM,
    LossFunction,
    config_of,
    from_config,
    missing_loss,
)
from cygrad.network.losses import (
    FORMULAS,
    NAMES,
    check_loss,
    check_output,
    encode_targets,
    function_of,
    loss_name,
    row_of,
)
from cygrad.network.standardization import mean_and_scale
from cygrad.network.weights import check_not_all_zero, read_weights
from cygrad.seeding import Seeds, seeds
from cygrad.threads import check_threads, default_threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from cygrad.network.layers import Description
    from cygrad.network.loss_functions import CustomLoss
    from cygrad.network.losses import Targets
    from cygrad.seeding import RandomSource
    from cygrad.tables.encoder import Encoder

REDUCTIONS = ("mean", "sum")
# Far more than any memory holds, and few enough that sizes in bytes do not overflow.
MAX_PARAMETERS = 2**48


class Network:
    """A dense neural network with its loss.

    Parameters
    ----------
    inputs : int
        Number of inputs: columns of X.
    layers : iterable of Dense, BatchNorm, LayerNorm, Scaling, Dropout, GaussianNoise or Residual
        Descriptions of the layers, first to last. The network makes its own layers from them, so
        many networks can use the same list.
    loss : {<losses>} or a loss of `cygrad.losses`
        The loss of one sample, with outputs a and targets y:
        <formulas>.
        A name stands for the default parameters; ``cg.losses.huber(0.5)`` has others. Or a function
        ``loss(outputs, targets)`` that returns the loss of each sample, shape (n,), and its
        derivatives with respect to the outputs, shape (n, outputs): see Notes.
    reduction : {"mean", "sum"}
        C is the mean of the samples' losses, or their sum.
    dtype : {"float32", "float64"}
        The type of parameters and computations.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Seeds the initial parameters. The same integer gives the same network, bit by bit.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or layers and loss do not fit together.

    Notes
    -----
    A function as loss is called once for each batch, with the outputs, a new array (n, outputs) of
    the network's dtype, and the rows of the caller's own `y`, of any dtype and shape. Weights of
    samples multiply its results. `evaluate` calls it for up to 256 rows at a time. The metric is
    "mean_loss". An error that it raises ends the call, and the step is not done. A file of `save`
    does not hold it: see `load`. In the function denormal numbers can count as zero.

    Any number of threads can use a network at the same time, while no other thread changes it.

    The network keeps the memory of a call for the next one, unless it is large: for inference and
    for evaluations up to 0.5 MB and twice the size of the parameters each; for gradients up to 4 MB
    and twice that size, and the gradient itself.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(64, [cg.Dense(32, "relu"), cg.Dense(10, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> net.n_parameters
    2410
    """

    __slots__ = (
        "__weakref__",
        "_classes",
        "_encoder",
        "_engine",
        "_input_mean",
        "_input_scale",
        "_layers",
        "_loss",
        "_reading",
        "_reduction",
        "_structure",
    )

    _input_mean: NDArray[np.float64] | None
    _input_scale: NDArray[np.float64] | None
    _classes: tuple[str, ...] | None
    _encoder: Encoder | None
    _reading: dict[str, Any]

    def __init__(
        self,
        inputs: int,
        layers: Iterable[Description],
        *,
        loss: str | LossFunction | CustomLoss,
        reduction: Literal["mean", "sum"] = "mean",
        dtype: DTypeLike = "float32",
        rng: RandomSource = None,
    ) -> None:
        self._build(inputs, layers, loss, reduction, dtype)
        source = seeds(rng, "initialisation")
        for layer in self._layers:
            layer.initialize(source)

    def _build(
        self,
        inputs: int,
        layers: Iterable[Description],
        loss: str | LossFunction | CustomLoss,
        reduction: str,
        dtype: DTypeLike,
    ) -> None:
        """Check the description and make a network whose parameters are all zero."""
        inputs = checks.whole_number(inputs, "inputs")
        descriptions = check_descriptions(layers)
        flat = flatten(descriptions, inputs)
        self._loss = check_loss(loss)
        outputs = flat[-1].units
        check_output(self._loss, name_of(flat[-1].description.activation), outputs)
        function = function_of(self._loss)
        is_custom = loss_name(self._loss) == CUSTOM
        self._reduction = checks.one_of(reduction, "reduction", REDUCTIONS)

        count = sum(layer.units * (layer.inputs + 1) for layer in flat)
        if count > MAX_PARAMETERS:
            raise ValueError(f"layers have {count} parameters, more than a computer can address")
        self._structure = tuple(descriptions)
        self._engine = Engine(
            checks.dtype_name(dtype),
            [inputs, *(layer.units for layer in flat)],
            [name_of(layer.description.activation) for layer in flat],
            [layer.description.use_bias for layer in flat],
            "linear" if is_custom else loss_name(self._loss),
            reduction,
            {
                index: _numbers_of(layer.description)
                for index, layer in enumerate(flat)
                if not isinstance(layer.description, Dense)
            },
            [parameter_of(layer.description.activation) for layer in flat],
            () if function is None else function.parameters,
            outputs if function is None else function.target_columns(outputs),
            function is not None and function.repeats_targets,
        )
        own: Any = self._loss if is_custom else None
        self._engine.custom_loss = own
        self._layers = tuple(
            Layer(layer.description, layer.inputs, index, self._engine)
            for index, layer in enumerate(flat)
        )
        self._input_mean = self._input_scale = self._classes = self._encoder = None
        self._reading = {}

    def initialize(self, rng: RandomSource | Seeds = None) -> None:
        """Draw the parameters anew, as for a new network with this `rng`.

        Parameters that are not trained keep their values, and so do the standardisation and the
        names of the classes. Initialisers given as `weights_init` and `bias_init` are used again;
        a network that was loaded from a file has the default ones.

        Parameters
        ----------
        rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
            As for the network itself.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(3, [cg.Dense(2)], loss="mse", rng=0)
        >>> before = net.parameters
        >>> net.parameters = before + 1
        >>> net.initialize(rng=0)
        >>> bool((net.parameters == before).all())
        True
        """
        source = rng if isinstance(rng, Seeds) else seeds(rng, "initialisation")
        for layer in self._layers:
            layer.initialize(source, only_trained=True)

    # Properties

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self._engine.sizes[0]

    @property
    def outputs(self) -> int:
        """Number of outputs: units of the last layer."""
        return self._engine.sizes[-1]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, first to last; their parameters can be assigned."""
        return self._layers

    @property
    def loss(self) -> str | LossFunction | CustomLoss:
        """Name of the loss; the loss itself if its parameters are not the defaults."""
        return self._loss

    @property
    def metric(self) -> str:
        """Name of the metric reported next to the loss: "accuracy", "mae" or "deviance"."""
        return row_of(self._loss).metric

    @property
    def reduction(self) -> str:
        """Reduction of the samples' losses to C: "mean" or "sum"."""
        return self._reduction

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of parameters, computations and outputs."""
        return np.dtype(self._engine.dtype)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases, frozen ones included."""
        return sum(layer.n_parameters for layer in self._layers)

    @property
    def parameters(self) -> NDArray[Any]:
        """All parameters, shape (n_parameters,): a copy. Can be assigned.

        Layer after layer: the weights, W[0, 0], W[0, 1], …, then the biases if it has them.
        """
        return self._engine.parameters()

    @parameters.setter
    def parameters(self, parameters: ArrayLike) -> None:
        if not self._engine.set_parameters(parameters):
            shape = (self.n_parameters,)
            self._engine.set_parameters(
                checks.parameters(parameters, "parameters", shape, self.dtype)
            )

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes, saved with the network, or None.

        One name for each output, or two, for 0 and 1, if there is a single output.
        """
        return self._classes

    @classes.setter
    def classes(self, classes: Iterable[str] | None) -> None:
        if classes is None:
            if self._encoder is not None and self._encoder.classes is not None:
                raise ValueError("classes is None, and the encoder has names of classes")
            self._classes = None
            return
        expected = max(self.outputs, 2)
        several = isinstance(classes, Iterable) and not isinstance(classes, str)
        names = tuple(classes) if several else (classes,)
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"classes is {classes!r}, expected {expected} names")
        if len(names) != expected or len(set(names)) != expected:
            raise ValueError(f"classes is {classes!r}, expected {expected} different names")
        if self._encoder is not None and self._encoder.classes not in (None, names):
            raise ValueError(
                f"classes is {classes!r}, and the encoder has {self._encoder.classes!r}"
            )
        self._classes = tuple(str(name) for name in names)

    @property
    def encoder(self) -> Encoder | None:
        """The encoder of tables, saved with the network, or None; a copy when it is assigned.

        With it the network takes tables and data frames where it takes `X`: columns are found by
        their names, in any order, and others are ignored. Arrays are encoded inputs, and for them
        `predict` returns class indices, or quantities as they were learned, standardised. If the
        encoder has `array_columns`, arrays are tables too. Names of classes become `classes`.

        Raises
        ------
        TypeError
            If it is no `cygrad.tables.Encoder`.
        ValueError
            If it is not fitted, or inputs or targets are not those of the network.

        Examples
        --------
        >>> import cygrad as cg
        >>> table = {"size": [1.0, 2.0, 3.0], "color": ["red", "blue", "red"]}
        >>> encoder = cg.tables.Encoder(target="color").fit(table)
        >>> net = cg.Network(1, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
        >>> net.encoder = encoder
        >>> net.classes, net.predict({"size": [1.0]}).shape
        (('blue', 'red'), (1,))
        """
        return self._encoder

    @encoder.setter
    def encoder(self, encoder: Encoder | None) -> None:
        if encoder is None:
            self._encoder = None
            return
        from cygrad.network.encoding import check_encoder

        check_encoder(self, encoder)
        self._encoder = None
        if encoder.classes is not None:
            self.classes = encoder.classes
        self._encoder = encoder.copy()

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments with which the training's file was read, saved with the network.

        These are arguments of `cygrad.tables.read`, or of `cygrad.tables.read_svmlight`, for files
        that come later, as in ``cg.tables.read("new.csv", **net.reading)``. ``cygrad train`` sets
        it to the options that were given, ``cygrad predict`` and ``evaluate`` use it.

        Raises
        ------
        TypeError, ValueError
            If it is assigned what is no mapping of names to values for JSON.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
        >>> net.reading = {"separator": ";", "gaps": ["", "-200"]}
        >>> net.reading
        {'separator': ';', 'gaps': ['', '-200']}
        """
        return copy.deepcopy(self._reading)

    @reading.setter
    def reading(self, reading: Mapping[str, Any]) -> None:
        if not isinstance(reading, Mapping) or not all(isinstance(name, str) for name in reading):
            raise TypeError(f"reading is {reading!r}, expected a mapping of names to values")
        try:
            self._reading = _json_values(reading) if reading else {}
        except (TypeError, ValueError) as error:
            raise type(error)(f"reading is {reading!r}, expected values for JSON") from None

    def __repr__(self) -> str:
        descriptions = ", ".join(map(repr, nested(self._structure, iter(self._layers))))
        text = f"Network({self.inputs}, [{descriptions}], loss={self._loss!r}"
        if self._reduction != "mean":
            text += f", reduction={self._reduction!r}"
        if self.dtype != "float32":
            text += f", dtype={self.dtype.name!r}"
        return text + ")"

    # Computations

    def forward(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like or sparse matrix, shape (n, inputs)
            Finite numbers of any real dtype, in any memory layout. Never written to. A data frame
            of pandas or polars is read column by column if these have several types. Or a sparse
            matrix in compressed rows, such as ``scipy.sparse.csr_array``, of which no dense copy
            is made: the first layer and its gradient are computed over the numbers that are not
            zero, with the bits of the dense X as long as the weights are finite. It is copied if
            its columns are not sorted; numbers of the same place are added then.
            If the network has an `encoder`: also a table of `cygrad.tables`, a data frame or a
            mapping of arrays, with the columns of the training in any order.
        threads : int or None
            Maximum number of threads, see `Trainer`. Small batches use fewer.

        Returns
        -------
        ndarray, shape (n, outputs)
            In the network's dtype.

        Raises
        ------
        TypeError, ValueError
            If `X` is not as described.
        """
        max_threads = default_threads if threads is None else check_threads(threads)
        if self._encoder is not None:
            X = self._encoded(X)
        return self._engine.forward(X, max_threads)

    def predict(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Predict the class or the outputs of each row of X.

        Parameters
        ----------
        X : array_like, shape (n, inputs), or table
            As for `forward`.
        threads : int or None
            As for `forward`.

        Returns
        -------
        ndarray
            For a loss of classes, such as cross_entropy, the class index, shape (n,), int64: that
            of the largest output, the first among equals. For binary_cross_entropy 1 if the output
            is at least 0.5, else 0, int64. For the other losses the outputs. These have shape (n,)
            for one output, and (n, outputs) for more; `forward` returns (n, outputs) always.
            For a table, if the network has an `encoder` with targets: names of classes, or numbers
            if the column of the target has numbers; or quantities in their unit, float64.

        Raises
        ------
        TypeError, ValueError
            If `X` is not as described, or the outputs of a row have no class, because one is NaN
            or the largest is infinite.
        """
        if self._encoder is not None:
            from cygrad.network import encoding

            if encoding.takes(self._encoder, X):
                return encoding.predict(self, X, threads)
        max_threads = default_threads if threads is None else check_threads(threads)
        return self._engine.predict(X, max_threads)

    def predict_one(
        self, x: ArrayLike, out: NDArray[Any] | None = None
    ) -> int | float | NDArray[Any]:
        """Predict the class or the outputs of one sample, with little overhead: for control loops.

        Parameters
        ----------
        x : array_like, shape (inputs,)
            Numbers of any real dtype, in any memory layout. Only shape and dtype are checked: the
            outputs for NaN and infinity are undefined, but harmless.
        out : ndarray or None
            Array for the outputs: contiguous, of shape (outputs,) and the network's dtype. Then
            nothing is allocated.

        Returns
        -------
        int, float or ndarray
            ``predict(x[np.newaxis])[0]``, with the same bits: a class index, the number of a single
            output, or the outputs; instead of these `out`, if it is given.

        Raises
        ------
        TypeError, ValueError
            If `x` or `out` has another dtype or shape, or the outputs have no class, as in
            `predict`.
        """
        if self._encoder is not None and self._encoder.array_columns is not None:
            if out is not None:
                raise ValueError("out is given, and the encoder makes the inputs; expected None")
            row: Any = self.predict(np.asarray(x)[np.newaxis])[0]
            found: int | float | NDArray[Any] = row.item() if isinstance(row, np.generic) else row
            return found
        return self._engine.predict_one(x, out)

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike | None = None,
        threads: int | None = None,
        *,
        sample_weight: ArrayLike | None = None,
    ) -> dict[str, float]:
        """Return loss and metric over samples with known targets.

        Parameters
        ----------
        X : array_like, shape (n, inputs), or table
            As for `forward`.
        y : array_like, shape (n,) or (n, outputs)
            Class indices for a loss of classes, or rows of probabilities for cross_entropy;
            numbers otherwise, for binary_cross_entropy from 0 to 1.
            For a table what its column of the target would hold; None: it is in the table.
        threads : int or None
            As for `forward`.
        sample_weight : array_like or None
            Finite numbers of at least 0, shape (n,): a sample of weight w counts w times. Means
            are divided by the sum of the weights; PyTorch's ``weight=`` and Keras'
            ``sample_weight`` divide some losses by n.

        Returns
        -------
        dict
            "loss": C, summed or averaged according to `reduction`. And either "accuracy", the share
            of right predictions; "mae", the mean of |a − y|; or "deviance", the mean Poisson
            deviance 2 (y ln(y / a) − y + a): always averages. For a table the mean of |a − y| is in
            the unit of the quantities; the loss is that of the training.

        Raises
        ------
        TypeError, ValueError
            If `X` or `y` is not as described.
        """
        if self._encoder is not None:
            from cygrad.network import encoding

            if encoding.takes(self._encoder, X):
                return encoding.evaluate(self, X, y, threads, sample_weight)
        max_threads = default_threads if threads is None else check_threads(threads)
        samples = self.read_samples(X, check=False)
        targets = self.read_targets(y, samples.rows)  # type: ignore[arg-type]  # refuses None
        divisor, weights = float(samples.rows), None
        if sample_weight is not None:
            weights = read_weights(sample_weight, samples.rows, self.dtype)
            check_not_all_zero(weights)
            divisor = float(weights.sum())
        loss, metric = self._engine.evaluate(samples, targets, max_threads, weights=weights)
        if self._reduction == "mean":
            loss /= divisor
        return {"loss": loss, self.metric: metric / divisor}

    def backward(
        self,
        X: ArrayLike,
        y: ArrayLike,
        input_gradient: bool = True,
        threads: int | None = None,
        *,
        keep: Iterable[str] = PARTS,
        training: bool = False,
        step: int = 0,
        sample_weight: ArrayLike | None = None,
    ) -> Gradients:
        """Compute all derivatives of the loss over samples by backpropagation.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        y : array_like, shape (n,) or (n, outputs)
            As for `evaluate`.
        input_gradient : bool
            Whether to compute ∂C/∂X too, which is dense for a sparse X, too.
        threads : int or None
            As for `forward`.
        keep : iterable of {"weights", "biases", "deltas", "pre_activations", "activations"}
            The results to return; the others are None. The fewer, the faster.
        training : bool
            As in a training step: batch norm takes mean and variance of this batch, and dropout and
            noise draw the numbers of `step`, as a trainer with seed 0 would. False: as in
            `forward`.
        step : int
            See `training`.
        sample_weight : array_like or None
            As for `evaluate`; where all weights are 0, the loss and its derivatives are 0.

        Returns
        -------
        Gradients

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.

        See Also
        --------
        gradient : only ∂C/∂W and ∂C/∂b, in one array.

        References
        ----------
        D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating
        errors", Nature 323, 1986.
        """
        max_threads = default_threads if threads is None else check_threads(threads)
        samples = self.read_samples(X)
        targets = self.read_targets(y, samples.rows)
        weights = None
        if sample_weight is not None:
            weights = read_weights(sample_weight, samples.rows, self.dtype)
        wanted = checks.flag(input_gradient, "input_gradient")
        kept = keep if keep is PARTS else check_parts(keep)
        mode = self._mode(training, step, samples.rows)
        results = self._engine.backward(
            samples, targets, wanted, kept, max_threads, *mode, weights=weights
        )
        inputs = results[-1]
        if inputs is not None and self._input_scale is not None:
            inputs = (inputs * self._input_scale).astype(self.dtype)
            results = (*results[:-1], inputs)
        return Gradients(*results)

    def gradient(
        self,
        X: ArrayLike,
        y: ArrayLike,
        out: NDArray[Any] | None = None,
        threads: int | None = None,
        *,
        training: bool = False,
        step: int = 0,
        sample_weight: ArrayLike | None = None,
    ) -> tuple[float, NDArray[Any]]:
        """Compute the loss over samples and its gradient, for an optimiser or a loop of one's own.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        y : array_like, shape (n,) or (n, outputs)
            As for `evaluate`.
        out : ndarray or None
            Array for the gradient: contiguous, of shape (n_parameters,) and the network's dtype.
            Then nothing else is allocated.
        threads : int or None
            As for `forward`.
        training : bool
        step : int
            As for `backward`.
        sample_weight : array_like or None
            As for `evaluate`; where all weights are 0, the loss and its derivatives are 0.

        Returns
        -------
        loss : float
            C, summed or averaged over the samples according to `reduction`.
        gradient : ndarray, shape (n_parameters,)
            The derivatives of C with respect to `parameters`, in their order, frozen ones included;
            in `out` if it is given. The bits of ∂C/∂W and ∂C/∂b are those of `backward`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(1, [cg.Dense(1, weights_init=0.0)], loss="quadratic")
        >>> net.gradient([[1.0], [2.0]], [1.0, 2.0])
        (1.25, array([-2.5, -1.5], dtype=float32))
        """
        max_threads = default_threads if threads is None else check_threads(threads)
        samples = self.read_samples(X)
        targets = self.read_targets(y, samples.rows)
        weights = None
        if sample_weight is not None:
            weights = read_weights(sample_weight, samples.rows, self.dtype)
        training, step = self._mode(training, step, samples.rows)
        return self._engine.gradient(samples, targets, out, max_threads, training, step, weights)

    def _mode(self, training: bool, step: int, rows: int) -> tuple[bool, int]:
        """Check the arguments `training` and `step` of a pass over so many rows."""
        mode = checks.flag(training, "training"), checks.whole_number(step, "step", least=0)
        if training and rows == 1 and self._engine.has_batch_norm:
            raise ValueError("X has 1 row, without a variance for batch norm; expected 2 or more")
        return mode

    def jacobian(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Compute the derivatives of all outputs with respect to the inputs, for each sample.

        Jⱼᵢ = ∂aⱼ/∂xᵢ, where a is what `forward` returns. The forward pass runs once, and the
        backward pass once for each output, from δᴸ = σ′(zᴸ) with ∇a = 1 at that output.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        threads : int or None
            As for `forward`.

        Returns
        -------
        ndarray, shape (n, outputs, inputs)
            Derivatives with respect to the numbers in X, also where inputs are standardised.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.

        See Also
        --------
        input_gradient : the derivatives of one output.

        References
        ----------
        C. M. Bishop, "Neural Networks for Pattern Recognition", 1995, section 4.9.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(2, [cg.Dense(1)], loss="mse")
        >>> net.layers[0].weights = [[2.0, -3.0]]
        >>> net.jacobian([[1.0, 1.0]])
        array([[[ 2., -3.]]], dtype=float32)
        """
        return self._output_derivatives(X, 0, self.outputs, threads)

    def input_gradient(
        self, X: ArrayLike, output: int = 0, threads: int | None = None
    ) -> NDArray[Any]:
        """Compute the derivatives of one output with respect to the inputs, for each sample.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        output : int
            The output, from 0.
        threads : int or None
            As for `forward`.

        Returns
        -------
        ndarray, shape (n, inputs)
            The row `output` of `jacobian`, with the same bits: which inputs move this output, and
            in which direction.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described.

        References
        ----------
        K. Simonyan, A. Vedaldi, A. Zisserman, "Deep inside convolutional networks: visualising
        image classification models and saliency maps", ICLR 2014.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(1, [cg.Dense(2)], loss="mse")
        >>> net.layers[0].weights = [[2.0], [-3.0]]
        >>> net.input_gradient([[1.0], [5.0]], output=1)
        array([[-3.],
               [-3.]], dtype=float32)
        """
        index = checks.whole_number(output, "output", 0, self.outputs - 1)
        return self._output_derivatives(X, index, 1, threads)[:, 0]

    def _output_derivatives(
        self, X: ArrayLike, first: int, outputs: int, threads: int | None
    ) -> NDArray[Any]:
        from cygrad._engine.engine import jacobian  # only where it is asked for

        max_threads = default_threads if threads is None else check_threads(threads)
        found = jacobian(self._engine, self.read_samples(X), first, outputs, max_threads)
        if self._input_scale is not None:
            found = (found * self._input_scale).astype(self.dtype)
        return found

    # Standardised inputs

    @property
    def input_mean(self) -> NDArray[np.float64] | None:
        """The number subtracted from each column of X, shape (inputs,), or None."""
        return self._input_mean

    @property
    def input_scale(self) -> NDArray[np.float64] | None:
        """The factor of each column of X after that, shape (inputs,), or None."""
        return self._input_scale

    def standardize_inputs(self, X: ArrayLike | None, *, shared: bool = False) -> None:
        """Standardise all later inputs with the column means and deviations of X.

        From now on each method replaces its X by (X − mean) · scale, computed in float64, where
        mean and 1 / scale are the mean and the standard deviation of each column of this X. A
        column that is constant, but for rounding, has scale 1. Mean and scale are saved with the
        network.

        Parameters
        ----------
        X : array_like, shape (n, inputs), or None
            The training samples; None ends the standardisation.
        shared : bool
            Take one mean and one deviation, of all numbers of X, for every column: for images. In
            a column of its own, a pixel that is 0 in nearly all of them gets a huge scale.

        Raises
        ------
        TypeError, ValueError
            If `X` is not finite numbers of this shape.
        """
        if X is None:
            self.set_standardization(None, None)
            return
        X = X if self._encoder is None else self._encoded(X)
        Samples(X, "X", self.inputs)
        shared = checks.flag(shared, "shared")
        self.set_standardization(*mean_and_scale(np.asarray(as_array(X, "X")), shared))

    def set_standardization(self, mean: ArrayLike | None, scale: ArrayLike | None) -> None:
        """Standardise all later inputs by numbers that are known: (X − mean) · scale, in float64.

        Parameters
        ----------
        mean, scale : array_like, shape (inputs,), or None
            `scale` is the reciprocal of the deviation; None, for both, ends the standardisation.

        Raises
        ------
        TypeError, ValueError
            If they are not finite numbers of this shape, or only one of them is None.

        Examples
        --------
        >>> import cygrad as cg
        >>> net = cg.Network(2, [cg.Dense(1, weights_init=1.0)], loss="mse")
        >>> net.set_standardization([10.0, 0.0], [0.5, 1.0])
        >>> net.predict([[12.0, 3.0]])
        array([4.], dtype=float32)
        """
        if (mean is None) != (scale is None):
            name = "mean" if mean is None else "scale"
            raise ValueError(f"{name} is None, expected both or none of mean and scale")
        if mean is None or scale is None:
            self._input_mean = self._input_scale = None
        else:
            shape, dtype = (self.inputs,), np.dtype(np.float64)
            mean = checks.parameters(mean, "mean", shape, dtype).copy()
            scale = checks.parameters(scale, "scale", shape, dtype).copy()
            mean.flags.writeable = scale.flags.writeable = False
            self._input_mean, self._input_scale = mean, scale
        self._engine.set_standardization(self._input_mean, self._input_scale)

    def apply_standardization(self, X: ArrayLike, name: str) -> NDArray[np.float64]:
        """Return (X − mean) · scale in float64; errors call X `name`."""
        Samples(X, name, self.inputs)
        mean, scale = self._input_mean, self._input_scale
        assert mean is not None
        assert scale is not None
        with np.errstate(over="ignore"):
            centred: NDArray[np.float64] = np.subtract(as_array(X, name), mean, dtype=np.float64)
            return np.multiply(centred, scale, out=centred)

    # For other parts of the package

    @property
    def engine(self) -> Engine:
        """The compiled engine, which holds the parameters."""
        return self._engine

    def read_samples(self, X: ArrayLike, name: str = "X", check: bool = True) -> Samples:
        """Check X and convert it for the engine; errors call it `name`.

        With ``check=False`` the engine finds numbers that are not finite, when it reads them.
        """
        if self._encoder is not None:
            X = self._encoded(X, check)
        return self._engine.read_samples(X, name, check)

    def _encoded(self, X: Any, check: bool = False) -> Any:
        """Return the inputs for what the encoder takes; anything else as it is."""
        from cygrad.network import encoding

        return encoding.encode(self, X, 3, check) if encoding.takes(self._encoder, X) else X

    def read_targets(self, y: ArrayLike, n: int, name: str = "y") -> Targets:
        """Check the targets of n samples and convert them for the engine."""
        return encode_targets(
            self._loss, y, n, self.outputs, name, self._engine.dtype, self._classes
        )

    # Files and copies

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the network to a file for `cygrad.load`.

        The file has exactly the given name; an old file of that name is replaced at the end, in
        one step. `cygrad.network.storage` describes the format.

        Parameters
        ----------
        path : str or os.PathLike

        Raises
        ------
        ValueError
            If a parameter is NaN or infinite, or `path` exists and is not a file.
        OSError
            If the file cannot be written. Then an old file is still intact.
        """
        from cygrad.network import storage

        storage.save(path, self.config(), self.arrays())

    def config(self) -> dict[str, Any]:
        """Return the description of the network, without its arrays, as values for JSON."""
        config = {
            "inputs": self.inputs,
            "layers": [to_values(each) for each in nested(self._structure, iter(self._layers))],
            "loss": config_of(self._loss),
            "reduction": self._reduction,
            "dtype": self.dtype.name,
            "classes": None if self._classes is None else list(self._classes),
        }
        if self._encoder is not None:  # older versions read the others
            config["encoder"] = self._encoder.config()
        if self._reading:
            config["reading"] = self.reading
        return config

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays of the network, by their names in a file."""
        arrays = {}
        for index, layer in enumerate(self._layers):
            if not layer.has_weights:
                continue
            arrays[f"weights_{index}"] = layer.weights
            if layer.use_bias:
                arrays[f"biases_{index}"] = layer.biases
            if layer.kind == "batch_norm":
                arrays[f"running_mean_{index}"] = layer.running_mean
                arrays[f"running_variance_{index}"] = layer.running_variance
        if self._input_mean is not None and self._input_scale is not None:
            arrays["input_mean"] = self._input_mean
            arrays["input_scale"] = self._input_scale
        return arrays

    @classmethod
    def restore(
        cls,
        config: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        loss: CustomLoss | None = None,
    ) -> Self:
        """Make a network from the results of `config` and `arrays`, and its loss function."""
        given = from_config(config["loss"])
        if loss is not None:
            if given is not missing_loss or not callable(loss):
                raise ValueError(
                    f"loss is {loss!r}, and the network has loss {config['loss']!r}, expected None"
                )
            given = loss
        network = cls.__new__(cls)
        network._build(
            config["inputs"],
            [from_values(layer) for layer in config["layers"]],
            given,
            config["reduction"],
            config["dtype"],
        )
        network.classes = config["classes"]
        dtype, engine = network.dtype, network._engine
        for index, layer in enumerate(network._layers):
            if not layer.has_weights:
                continue
            if layer.kind == "batch_norm":
                layer.running_mean = arrays[f"running_mean_{index}"]
                layer.running_variance = arrays[f"running_variance_{index}"]
            weights = np.ascontiguousarray(arrays[f"weights_{index}"], dtype)
            if not engine.set_weights(index, weights):
                raise ValueError(f"weights_{index} has shape {weights.shape}")
            if layer.use_bias:
                biases = np.ascontiguousarray(arrays[f"biases_{index}"], dtype)
                if not engine.set_biases(index, biases):
                    raise ValueError(f"biases_{index} has shape {biases.shape}")
        if "input_mean" in arrays:
            network.set_standardization(arrays["input_mean"], arrays["input_scale"])
        if "encoder" in config:
            from cygrad.tables.encoder import Encoder

            network.encoder = Encoder.from_config(config["encoder"])
        network.reading = config.get("reading", {})
        return network

    def as_dtype(self, dtype: str) -> Self:
        """Return a copy that computes in another dtype."""
        return self.restore({**self.config(), "dtype": dtype}, self.arrays(), self._own_loss())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).restore, (self.config(), self.arrays(), self._own_loss())

    def _own_loss(self) -> CustomLoss | None:
        """Return the function that is the loss, or None."""
        return self._engine.custom_loss


def _numbers_of(description: Any) -> tuple[str, float, float, int]:
    """Return kind, ε or rate or deviation, momentum, and source of a layer that is not dense."""
    amounts = ("eps", "rate", "deviation")
    amount = next((getattr(description, name) for name in amounts if hasattr(description, name)), 0)
    momentum = getattr(description, "momentum", 0.0)
    return description.kind, amount, momentum, getattr(description, "source", 0)


if Network.__doc__ is not None:  # python -OO leaves docstrings out
    Network.__doc__ = Network.__doc__.replace("<losses>", NAMES).replace("<formulas>", FORMULAS)


def load(path: str | os.PathLike[str], loss: CustomLoss | None = None) -> Network | Any:
    """Load a network from a file of `Network.save`, or an ensemble from one of `Ensemble.save`.

    Loading runs no code from the file, whoever wrote it.

    Parameters
    ----------
    path : str or os.PathLike
        The exact name of the file.
    loss : function or None
        The loss of a network that was saved with a Python function as loss. Without it the network
        predicts, but cannot be trained or evaluated.

    Returns
    -------
    Network or Ensemble
        The same parameters, bit by bit.

    Raises
    ------
    ValueError
        If the file is not a network, is damaged or cut short, or has a newer format than this
        version of the package reads; the message names the reason.
    OSError
        If there is no such file, or it cannot be read.
    """
    from cygrad.network import storage

    config, arrays = storage.read(path)
    kind: Any = Network
    if "members" in config:
        from cygrad.network.ensemble import Ensemble as kind
    try:
        network = kind.restore(config, arrays)
    except MemoryError:
        raise
    except Exception as error:
        raise storage.damaged_error(path, error) from error
    if loss is None:
        return network
    return kind.restore(config, arrays, loss)


def load_network(path: str | os.PathLike[str]) -> Network:
    """Load a network, and refuse an ensemble, for what needs a single one."""
    network = load(path)
    if not isinstance(network, Network):
        raise ValueError(
            f"{os.fspath(path)!r} is an ensemble of {len(network)} networks, which cygrad.load "
            "reads; expected a single network"
        )
    return network


def _json_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as they come back from JSON."""
    import json

    read: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    return read
