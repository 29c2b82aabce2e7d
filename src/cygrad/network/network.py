"""`Network`: dense layers and a loss, made, run, differentiated, saved.

What a network computes is in the engine; here is the door to it, where what the user passes is
checked and turned into what the engine reads. How a network learns is in `training`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from cygrad import checks
from cygrad._engine.engine import Engine
from cygrad._engine.samples import Samples
from cygrad.network.gradients import Gradients
from cygrad.network.layers import Dense, Layer, check_layers
from cygrad.network.losses import LOSSES, check_output, encode_targets
from cygrad.network.standardization import mean_and_scale
from cygrad.seeding import generator, seed_sequence
from cygrad.threads import check_threads, default_threads

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from cygrad.network.losses import Targets
    from cygrad.seeding import RandomSource

REDUCTIONS = ("mean", "sum")
# Far beyond any memory, and low enough that the engine can compute with sizes in bytes.
MAX_PARAMETERS = 2**48


class Network:
    """A dense neural network and the loss it is trained by.

    Parameters
    ----------
    inputs : int
        Number of inputs: columns of X.
    layers : iterable of Dense
        The layers, first to last. They are descriptions only: the network makes its own layers
        of them, so that one list can serve for many networks.
    loss : {"quadratic", "mse", "binary_cross_entropy", "cross_entropy", "hinge"}
        The loss of one sample: ½‖a − y‖²; ‖a − y‖²/outputs; −Σ y ln a + (1 − y) ln(1 − a);
        −Σ y ln a; Σ_{j≠y} max(0, a_j − a_y + 1).
    reduction : {"mean", "sum"}
        Whether C is the mean of the samples' losses, or their sum.
    dtype : {"float32", "float64"}
        Of parameters and computations.
    rng : int, numpy.random.Generator, numpy.random.SeedSequence or None
        Seeds the initial parameters. The same integer gives the same network, bit by bit.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or layers and loss do not go together.

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
        "_engine",
        "_input_mean",
        "_input_scale",
        "_layers",
        "_loss",
        "_reduction",
    )

    _input_mean: NDArray[np.float64] | None
    _input_scale: NDArray[np.float64] | None
    _classes: tuple[str, ...] | None

    def __init__(
        self,
        inputs: int,
        layers: Iterable[Dense],
        *,
        loss: str,
        reduction: Literal["mean", "sum"] = "mean",
        dtype: DTypeLike = "float32",
        rng: RandomSource = None,
    ) -> None:
        self._build(inputs, layers, loss, reduction, dtype)
        # Each layer draws from a stream of its own: what one draws changes nothing for the others.
        seeds = seed_sequence(rng, "initialisation").spawn(len(self._layers))
        for layer, seed in zip(self._layers, seeds, strict=True):
            layer.initialize(generator(seed))

    def _build(
        self, inputs: int, layers: Iterable[Dense], loss: str, reduction: str, dtype: DTypeLike
    ) -> None:
        """Check the description and make a network of it whose parameters are all zero."""
        inputs = checks.whole_number(inputs, "inputs")
        descriptions = check_layers(layers)
        checks.one_of(loss, "loss", LOSSES)
        check_output(loss, descriptions[-1].activation, descriptions[-1].units)
        self._loss = loss
        self._reduction = checks.one_of(reduction, "reduction", REDUCTIONS)

        sizes = [inputs, *(dense.units for dense in descriptions)]
        count = sum(units * (below + 1) for below, units in pairwise(sizes))
        if count > MAX_PARAMETERS:
            raise ValueError(f"layers have {count} parameters, more than a computer can address")
        self._engine = Engine(
            checks.dtype_name(dtype),
            sizes,
            [dense.activation for dense in descriptions],
            [dense.use_bias for dense in descriptions],
            loss,
            reduction,
        )
        self._layers = tuple(
            Layer(dense, sizes[index], index, self._engine)
            for index, dense in enumerate(descriptions)
        )
        self._input_mean = self._input_scale = self._classes = None

    # What it is

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
    def loss(self) -> str:
        """Name of the loss."""
        return self._loss

    @property
    def metric(self) -> str:
        """Name of what is reported next to the loss: "accuracy" or "mae"."""
        return LOSSES[self._loss].metric

    @property
    def reduction(self) -> str:
        """How the samples' losses make C: "mean" or "sum"."""
        return self._reduction

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of parameters, computations and outputs."""
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
        parts = []
        for layer in self._layers:
            parts.append(layer.weights.ravel())
            if layer.use_bias:
                parts.append(layer.biases)
        return np.concatenate(parts)

    @parameters.setter
    def parameters(self, parameters: ArrayLike) -> None:
        flat = checks.parameters(parameters, "parameters", (self.n_parameters,), self.dtype)
        start = 0
        for layer in self._layers:
            end = start + layer.units * layer.inputs
            layer.weights = flat[start:end].reshape(layer.weights_shape)
            start = end
            if layer.use_bias:
                end = start + layer.units
                layer.biases = flat[start:end]
                start = end

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes that the outputs stand for, saved with the network, or None.

        One name for each output, or two where a single output says yes or no.
        """
        return self._classes

    @classes.setter
    def classes(self, classes: Iterable[str] | None) -> None:
        if classes is None:
            self._classes = None
            return
        expected = max(self.outputs, 2)
        several = isinstance(classes, Iterable) and not isinstance(classes, str)
        names = tuple(classes) if several else (classes,)
        if not all(isinstance(name, str) for name in names):
            raise TypeError(f"classes is {classes!r}, expected {expected} names")
        if len(names) != expected or len(set(names)) != expected:
            raise ValueError(f"classes is {classes!r}, expected {expected} different names")
        self._classes = tuple(str(name) for name in names)

    def __repr__(self) -> str:
        descriptions = ", ".join(repr(layer._dense) for layer in self._layers)
        text = f"Network({self.inputs}, [{descriptions}], loss={self._loss!r}"
        if self._reduction != "mean":
            text += f", reduction={self._reduction!r}"
        if self.dtype != "float32":
            text += f", dtype={self.dtype.name!r}"
        return text + ")"

    # What it computes

    def forward(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """Outputs of the network.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
            Finite numbers of any real dtype, in any memory layout. Never written to.
        threads : int or None
            How many threads may compute, see `Trainer`. Fewer are used for few samples.

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
        if self._input_mean is not None:
            X = self.apply_standardization(X, "X")
        return self._engine.forward(X, max_threads)

    def predict(self, X: ArrayLike, threads: int | None = None) -> NDArray[Any]:
        """What the network says of each row of X.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        threads : int or None
            As for `forward`.

        Returns
        -------
        ndarray
            For cross_entropy and hinge the class index, shape (n,), int64: of the largest output,
            the first of equals. For binary_cross_entropy 1 where the output is at least 0.5, else
            0, shape (n,) for one output and (n, outputs) for more, int64. For the other losses
            the outputs, shape (n, outputs).
        """
        outputs = self.forward(X, threads)
        if LOSSES[self._loss].labels:
            indices: NDArray[np.int64] = outputs.argmax(axis=1).astype(np.int64, copy=False)
            return indices
        if self._loss == "binary_cross_entropy":
            yes = (outputs >= 0.5).astype(np.int64)
            return yes[:, 0] if self.outputs == 1 else yes
        return outputs

    def predict_one(self, x: ArrayLike, out: NDArray[Any] | None = None) -> int | NDArray[Any]:
        """What the network says of one sample, at once: for control loops.

        Parameters
        ----------
        x : array_like, shape (inputs,)
            Numbers of any real dtype, in any memory layout. Nothing but shape and dtype is
            checked: what comes of NaN and infinity is undefined, but harmless.
        out : ndarray or None
            Where the outputs are written to: contiguous, of shape (outputs,) and the network's
            dtype. Nothing is allocated then.

        Returns
        -------
        int or ndarray
            ``predict(x[np.newaxis])[0]``, with the same bits: a class index, or the outputs, which
            are `out` where it is given.

        Raises
        ------
        TypeError, ValueError
            If `x` or `out` has another dtype or shape.
        """
        return self._engine.predict_one(x, out)

    def evaluate(self, X: ArrayLike, y: ArrayLike, threads: int | None = None) -> dict[str, float]:
        """Loss and metric over samples with known targets.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        y : array_like, shape (n,) or (n, outputs)
            Class indices for cross_entropy and hinge, or rows of probabilities for cross_entropy;
            numbers otherwise, for binary_cross_entropy from 0 to 1.
        threads : int or None
            As for `forward`.

        Returns
        -------
        dict
            "loss": C, summed or averaged as `reduction` says. Then either "accuracy", the share of
            right predictions, or "mae", the mean of |a − y|: averages always.

        Raises
        ------
        TypeError, ValueError
            If `X` or `y` is not as described.
        """
        max_threads = default_threads if threads is None else check_threads(threads)
        samples = self.read_samples(X)
        loss, metric = self._engine.evaluate(
            samples, self.read_targets(y, samples.rows), max_threads
        )
        if self._reduction == "mean":
            loss /= samples.rows
        return {"loss": loss, self.metric: metric / samples.rows}

    def backward(
        self,
        X: ArrayLike,
        y: ArrayLike,
        input_gradient: bool = True,
        threads: int | None = None,
    ) -> Gradients:
        """All derivatives of the loss over the given samples, by backpropagation.

        Parameters
        ----------
        X : array_like, shape (n, inputs)
        y : array_like, shape (n,) or (n, outputs)
            As for `evaluate`.
        input_gradient : bool
            Whether to compute ∂C/∂X too.
        threads : int or None
            As for `forward`.

        Returns
        -------
        Gradients

        Raises
        ------
        TypeError, ValueError
            If `X` or `y` is not as described.

        References
        ----------
        D. Rumelhart, G. Hinton, R. Williams, "Learning representations by back-propagating
        errors", Nature 323, 1986.
        """
        max_threads = default_threads if threads is None else check_threads(threads)
        samples = self.read_samples(X)
        targets = self.read_targets(y, samples.rows)
        wanted = checks.flag(input_gradient, "input_gradient")
        loss, weights, biases, deltas, pre_activations, activations, inputs = self._engine.backward(
            samples, targets, wanted, max_threads
        )
        if inputs is not None and self._input_scale is not None:
            inputs = (inputs * self._input_scale).astype(self.dtype)
        return Gradients(
            loss,
            tuple(weights),
            tuple(biases),
            tuple(deltas),
            tuple(pre_activations),
            tuple(activations),
            inputs,
        )

    # Standardised inputs

    @property
    def input_mean(self) -> NDArray[np.float64] | None:
        """What is subtracted from each column of X, shape (inputs,), or None."""
        return self._input_mean

    @property
    def input_scale(self) -> NDArray[np.float64] | None:
        """What each column of X is multiplied by after that, shape (inputs,), or None."""
        return self._input_scale

    def standardize_inputs(self, X: ArrayLike | None) -> None:
        """Have every X that comes later brought to the scale of this one.

        From now on each method takes (X − mean) · scale for X, computed in float64, where the
        mean and 1 / scale are the mean and the standard deviation of each column of the X given
        here. A constant column has scale 1. Mean and scale are saved with the network.

        Parameters
        ----------
        X : array_like, shape (n, inputs), or None
            The training samples; None takes X as it comes again.

        Raises
        ------
        TypeError, ValueError
            If `X` is not finite numbers of this shape.
        """
        if X is None:
            self._set_standardization(None, None)
            return
        Samples(X, "X", self.inputs)
        self._set_standardization(*mean_and_scale(np.asarray(X)))

    def _set_standardization(
        self, mean: NDArray[np.float64] | None, scale: NDArray[np.float64] | None
    ) -> None:
        for array in (mean, scale):
            if array is not None:
                array.flags.writeable = False
        self._input_mean, self._input_scale = mean, scale
        self._engine.set_standardization(mean, scale)

    def apply_standardization(self, X: ArrayLike, name: str) -> NDArray[np.float64]:
        """Return (X − mean) · scale in float64; the user knows X by `name`."""
        Samples(X, name, self.inputs)
        mean, scale = self._input_mean, self._input_scale
        assert mean is not None
        assert scale is not None
        with np.errstate(over="ignore"):  # the engine's check of the result says where
            return np.multiply(np.subtract(X, mean, dtype=np.float64), scale)

    # What other rooms of the package need

    @property
    def engine(self) -> Engine:
        """The compiled engine, which holds the parameters."""
        return self._engine

    def read_samples(self, X: ArrayLike, name: str = "X") -> Samples:
        """Return X as the engine reads it; the user knows it by `name`."""
        if self._input_mean is None:
            return Samples(X, name, self.inputs, self._engine.dtype)
        standardized = self.apply_standardization(X, name)
        return Samples(standardized, f"standardised {name}", self.inputs, self._engine.dtype)

    def read_targets(self, y: ArrayLike, n: int, name: str = "y") -> Targets:
        """Return the targets of n samples as the engine reads them."""
        return encode_targets(self._loss, y, n, self.outputs, name, self._engine.dtype)

    # Files and copies

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a file that `cygrad.load` reads.

        The file has exactly the name given; an old file of that name is replaced at the end, in
        one step. `cygrad.network.storage` describes the format.

        Parameters
        ----------
        path : str or os.PathLike

        Raises
        ------
        ValueError
            If a parameter is NaN or infinite, or `path` is something other than a file.
        OSError
            If the file cannot be written. An old file is then still whole.
        """
        from cygrad.network import storage

        storage.save(path, self.config(), self.arrays())

    def config(self) -> dict[str, Any]:
        """Return what describes the network, without its arrays, as JSON can hold it."""
        return {
            "inputs": self.inputs,
            "layers": [
                {
                    "units": layer.units,
                    "activation": layer.activation,
                    "use_bias": layer.use_bias,
                    "trainable": layer.trainable,
                }
                for layer in self._layers
            ],
            "loss": self._loss,
            "reduction": self._reduction,
            "dtype": self.dtype.name,
            "classes": None if self._classes is None else list(self._classes),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that belong to `config`, by their names in a file."""
        arrays = {}
        for index, layer in enumerate(self._layers):
            arrays[f"weights_{index}"] = layer.weights
            if layer.use_bias:
                arrays[f"biases_{index}"] = layer.biases
        if self._input_mean is not None and self._input_scale is not None:
            arrays["input_mean"] = self._input_mean
            arrays["input_scale"] = self._input_scale
        return arrays

    @classmethod
    def restore(cls, config: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Self:
        """Make a network from what `config` and `arrays` returned."""
        network = cls.__new__(cls)
        network._build(
            config["inputs"],
            [Dense(**layer) for layer in config["layers"]],
            config["loss"],
            config["reduction"],
            config["dtype"],
        )
        network.classes = config["classes"]
        dtype, engine = network.dtype, network._engine
        for index, layer in enumerate(network._layers):
            engine.set_weights(index, np.ascontiguousarray(arrays[f"weights_{index}"], dtype))
            if layer.use_bias:
                engine.set_biases(index, np.ascontiguousarray(arrays[f"biases_{index}"], dtype))
        if "input_mean" in arrays:
            network._set_standardization(arrays["input_mean"], arrays["input_scale"])
        return network

    def as_dtype(self, dtype: str) -> Self:
        """Return a copy that computes in another dtype."""
        return self.restore({**self.config(), "dtype": dtype}, self.arrays())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).restore, (self.config(), self.arrays())


def load(path: str | os.PathLike[str]) -> Network:
    """Read a network from a file that `Network.save` wrote.

    Nothing in the file is run, whoever wrote it.

    Parameters
    ----------
    path : str or os.PathLike
        The exact name of the file.

    Returns
    -------
    Network
        The same parameters, bit by bit.

    Raises
    ------
    ValueError
        If the file is something other than a network, is damaged or cut short, or has a newer
        format than this version of the package knows; the message says which.
    OSError
        If there is no such file, or it cannot be read.
    """
    from cygrad.network import storage

    config, arrays = storage.read(path)
    try:
        return Network.restore(config, arrays)
    except MemoryError:
        raise
    except Exception as error:
        raise storage.damaged_error(path, error) from error
