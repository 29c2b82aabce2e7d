"""`to_keras` and `to_keras_file`: Keras models and files from networks."""

from __future__ import annotations

import io
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad import __version__
from cygrad.atomic_write import atomic_write
from cygrad.exchange.exports import Export
from cygrad.exchange.keras.activations import WRITTEN
from cygrad.exchange.keras.archive import KEY, METADATA
from cygrad.exchange.keras.reading import EACH_UNIT, SMALLEST_DEVIATION, complement
from cygrad.exchange.keras.running import keras_library, outputs, runtime, samples
from cygrad.exchange.operations import InputScaling, OutputScaling, nested, program
from cygrad.network.layers import Dense
from cygrad.network.loss_functions import config_of
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.scaling import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Place, Program
    from cygrad.exchange.self_test import Samples
    from cygrad.network import Network
    from cygrad.network.layers import Layer

ENDING = ".keras"


def to_keras(net: Network, *, lossy: bool = False) -> Any:
    """Return a Keras model that computes the same, and trains on.

    Parameters
    ----------
    net : Network
    lossy : bool
        Leave out an encoder that has more than numbers without gaps; train a layer whole of which
        only weights or biases are trained; scale inputs and quantities in float32 if the backend
        has no float64.

    Returns
    -------
    keras.Model
        A Functional model that is not compiled: compile it with a loss to train on. It has the
        dtype of the network and its parameters bit by bit; ``trainable`` is False for frozen
        layers. Layers are named after their kind and their index in `Network.layers`. Dropout and
        noise are in it. Loss, names of classes and factors of the learning rate are not; a file of
        `to_keras_file` has the first two.

    Raises
    ------
    ModuleNotFoundError
        If Keras 3 or its backend is not installed.
    ValueError
        If the encoder has more than numbers or only the weights or biases of a layer are frozen,
        and `lossy` is False; or if the backend has no float64, as JAX by default.

    Warns
    -----
    UserWarning
        If its outputs for some samples differ by more than rounding.

    Notes
    -----
    Standardised inputs are scaled by a Normalization in float64; columns and quantities of an
    encoder by EinsumDense layers in float64 with ``"ab,b->ab"``, as is a Scaling layer. gaussian,
    gelu_tanh and sine are functions of keras.ops. Norms, and on some backends other layers, compute
    in float32 in parts even in models in float64. A frozen BatchNormalization of Keras keeps its
    statistics in training; here they follow the batches.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "relu"), cg.Dense(3, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> model = cg.exchange.to_keras(net)
    >>> [layer.name for layer in model.layers]
    ['input', 'dense_0', 'dense_1']
    """
    return _tested(net, lossy)[0]


def to_keras_file(net: Network, path: str | os.PathLike[str], *, lossy: bool = False) -> Export:
    """Write a network as a ``.keras`` file.

    It holds the model of `to_keras`, and in its metadata the loss, the names of classes and columns
    and samples with their outputs, which Keras passes over: `from_keras` and ``cygrad verify`` read
    them. A file that Keras has saved again has none.

    Parameters
    ----------
    net : Network
    path : str or os.PathLike
        With the ending ``.keras``, without which Keras does not read it.
    lossy : bool
        As for `to_keras`.

    Returns
    -------
    Export
        The self-test is that of the model that Keras reads back from the file.

    Raises
    ------
    ModuleNotFoundError
        If Keras 3 or its backend is not installed.
    ValueError
        As `to_keras`; or if the ending is another one.
    OSError
        If the file cannot be written. Then an old file is still intact.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "relu"), cg.Dense(3, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> cg.exchange.to_keras_file(net, "net.keras").test.passed
    True
    >>> bool((cg.exchange.from_keras("net.keras").parameters == net.parameters).all())
    True
    """
    if not os.fspath(path).endswith(ENDING):
        raise ValueError(f"path is {os.fspath(path)!r}, expected the ending {ENDING}")
    keras = keras_library()
    model, made, stored = _tested(net, lossy)
    described = {
        "cygrad": __version__,
        "loss": config_of(net.loss),
        "columns": made.columns,
        "classes": made.classes,
        "self_test": json.loads(stored.to_json()),
    }
    with tempfile.TemporaryDirectory() as folder:
        temporary = os.path.join(folder, f"net{ENDING}")
        model.save(temporary)
        data = _with_metadata(temporary, described)
        with open(temporary, "wb") as file:
            file.write(data)
        loaded = keras.saving.load_model(temporary, compile=False)
    test = stored.compare(outputs(loaded, stored.inputs), runtime())
    with atomic_write(path) as file:
        file.write(data)
    return Export(os.fspath(path), test, ())


def _tested(net: Network, lossy: bool) -> tuple[Any, Program, Samples]:
    """Return the model of a network, its computation, and the samples that it has passed."""
    keras_library()
    made = program(net, lossy=lossy)
    stored = samples(net, made)
    model = _Writer(net, made, lossy).model()
    stored.compare(outputs(model, stored.inputs), runtime())
    return model, made, stored


def _with_metadata(path: str, described: dict[str, Any]) -> bytes:
    """Return the bytes of a ``.keras`` file with a further key in its metadata."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(buffer, "w") as written:
        for name in archive.namelist():
            data = archive.read(name)
            if name == METADATA:
                metadata = {**json.loads(data), KEY: described}
                data = json.dumps(metadata, allow_nan=False).encode()
            written.writestr(name, data)
    return buffer.getvalue()


class _Writer:
    """The layers of a model, and the arrays that they get when all are there."""

    def __init__(self, net: Network, made: Program, lossy: bool) -> None:
        self._keras = keras_library()
        self._net = net
        self._made = made
        self._lossy = lossy
        self._dtype = net.dtype.name
        #: Of the scaling of inputs and quantities.
        self._wide = "float64" if _has_float64() or not lossy else "float32"
        self._arrays: list[tuple[Any, list[NDArray[Any]]]] = []

    def model(self) -> Any:
        """Return the model, with its parameters."""
        keras, net = self._keras, self._net
        entry = keras.Input((self._made.inputs,), dtype=self._dtype, name="input")
        value = entry
        for index, each in enumerate(self._made.operations):
            if isinstance(each, InputScaling):
                value = self._scaled_inputs(each, value, f"input_scaling_{index}")
        value = self._layers(nested(net.layers), value)
        for each in self._made.operations:
            if isinstance(each, OutputScaling):
                value = self._in_unit(each, value)
        model = keras.Model(entry, value, name="network")
        for layer, arrays in self._arrays:
            layer.set_weights(arrays)
            for values, array in zip(layer.get_weights(), arrays, strict=True):
                if values.dtype.itemsize < array.dtype.itemsize and layer.dtype == "float64":
                    raise ValueError(
                        f"{runtime()} keeps {values.dtype} of {array.dtype} in layer "
                        f"{layer.name!r}; expected a backend with float64 (jax needs "
                        "jax.config.update('jax_enable_x64', True)), or for a network in float32 "
                        "lossy=True, to scale in float32"
                    )
            if isinstance(layer, keras.layers.Normalization):
                layer.finalize_state()
        return model

    def _layer(self, made: Any, arrays: Sequence[NDArray[Any]], value: Any) -> Any:
        """Apply a layer that gets arrays; return its output."""
        self._arrays.append((made, [np.array(each, order="C") for each in arrays]))
        return made(value)

    def _each_unit(
        self, value: Any, name: str, factors: NDArray[Any], offset: NDArray[Any] | None = None,
        *, dtype: str | None = None, trainable: bool = False,
    ) -> Any:  # fmt: skip
        """Multiply each unit by a factor of its own, and add an offset."""
        made = self._keras.layers.EinsumDense(
            EACH_UNIT,
            output_shape=(len(factors),),
            bias_axes=None if offset is None else "b",
            dtype=dtype or self._wide,
            trainable=trainable,
            name=name,
        )
        return self._layer(made, [factors] if offset is None else [factors, offset], value)

    def _scaled_inputs(self, each: InputScaling, value: Any, name: str) -> Any:
        """Scale the inputs in float64: (x − mean) ⊙ scale, and the smooth clipping of some."""
        keras = self._keras
        deviation = _deviation(each)
        # Normalization divides by at least 1e-7, and by no negative numbers.
        is_plain = bool(((deviation > SMALLEST_DEVIATION) & np.isfinite(deviation)).all())
        variance = _square(deviation) if is_plain else np.ones_like(each.mean)
        layer = keras.layers.Normalization(dtype=self._wide, name=name)
        layer.build((None, len(each.mean)))
        value = self._layer(layer, [each.mean, variance, np.zeros((), np.int32)], value)
        if not is_plain:
            value = self._each_unit(value, f"{name}_factors", each.scale)
        if each.clipped.any():
            square = keras.layers.Multiply(dtype=self._wide, name=f"{name}_square")([value, value])
            ninth = np.where(each.clipped, 1 / 9, 0.0)
            sum_ = self._each_unit(square, f"{name}_sum", ninth, np.ones_like(ninth))
            value = keras.ops.divide(value, keras.ops.sqrt(sum_))
        return value

    def _in_unit(self, each: OutputScaling, value: Any) -> Any:
        """Give quantities their unit: y = a ⊙ deviations + means in float64, and its logarithm."""
        value = self._each_unit(value, "output_scaling", each.deviations, each.means)
        if each.logarithm == "log":
            return self._keras.ops.exp(value)
        return self._keras.ops.expm1(value) if each.logarithm == "log1p" else value

    def _layers(self, places: Sequence[Place], value: Any) -> Any:
        """Apply layers, a block as one of them."""
        for each in places:
            layer, has_activation = self._net.layers[each.index], False
            if each.block is None:
                value, has_activation = self._applied(layer, each.index, value)
            else:
                add = self._keras.layers.Add(dtype=self._dtype, name=f"residual_sum_{each.index}")
                value = add([value, self._layers(each.block, value)])
            if not has_activation:
                value = self._activated(layer, each.index, value)
        return value

    def _applied(self, layer: Layer, index: int, value: Any) -> tuple[Any, bool]:
        """Apply a layer; return its output, and whether it is with its activation."""
        keras, units, description = self._keras.layers, layer.units, layer.description
        options: dict[str, Any] = {"dtype": self._dtype, "name": f"{layer.kind}_{index}"}
        if isinstance(description, Dropout):
            return keras.Dropout(description.rate, **options)(value), True
        if isinstance(description, GaussianNoise):
            return keras.GaussianNoise(description.deviation, **options)(value), True
        if isinstance(description, Scaling):
            if layer.trainable is False and (layer.weights == 1).all():
                return value, False  # in the place of an activation that has no other layer
            made = self._each_unit(
                value, options["name"], layer.weights, dtype=self._dtype,
                trainable=layer.train_weights,
            )  # fmt: skip
            return made, False
        if isinstance(description, Dense):
            activation = _written(layer)
            options["trainable"] = self._trainable(layer, index, layer.use_bias)
            dense = keras.Dense(units, activation, use_bias=layer.use_bias, **options)
            arrays = [layer.weights.T, *([layer.biases] if layer.use_bias else [])]
            return self._layer(dense, arrays, value), activation is not None
        assert isinstance(description, BatchNorm | LayerNorm)
        has_scale = layer.train_weights or bool((layer.weights != 1).any())
        has_center = layer.train_biases or bool(layer.biases.any())
        arrays = [layer.weights] * has_scale + [layer.biases] * has_center
        if has_scale or has_center:
            options["trainable"] = self._trainable(
                layer, index, has_scale and has_center, has_scale=has_scale
            )
        options |= {"epsilon": description.eps, "scale": has_scale, "center": has_center}
        if isinstance(description, BatchNorm):
            options["momentum"] = complement(description.momentum)
            norm = keras.BatchNormalization(**options)
            arrays += [layer.running_mean, layer.running_variance]
        else:
            norm = keras.LayerNormalization(**options)
        return self._layer(norm, arrays, value), False

    def _trainable(
        self, layer: Layer, index: int, has_both: bool, *, has_scale: bool = True
    ) -> bool:
        """Return whether a layer is trained; an error if only a part of it is."""
        weights, biases = layer.train_weights, layer.train_biases
        if has_both and weights != biases and not self._lossy:
            part = "weights" if weights else "biases"
            raise ValueError(
                f"layers[{index}] ({layer.kind}) trains its {part} only, which Keras does not "
                "hold; expected lossy=True, for a layer that is trained whole"
            )
        return weights or biases if has_both else weights if has_scale else biases

    def _activated(self, layer: Layer, index: int, value: Any) -> Any:
        """Apply the activation of a layer."""
        keras, ops = self._keras, self._keras.ops
        name, parameter = layer.activation_name, layer.activation_parameter
        options = {"dtype": self._dtype, "name": f"activation_{index}"}
        if name == "identity":
            return value
        written = _written(layer)
        if written is not None:
            return keras.layers.Activation(written, **options)(value)
        if name == "sine" and parameter != 1:
            value = keras.layers.Rescaling(parameter, **options)(value)
        others: dict[str, Callable[[Any], Any]] = {
            "leaky_relu": lambda z: keras.layers.LeakyReLU(parameter, **options)(z),
            "elu": lambda z: keras.layers.ELU(parameter, **options)(z),
            "gelu_tanh": lambda z: ops.gelu(z, approximate=True),
            "gaussian": lambda z: ops.exp(ops.negative(ops.square(z))),
            "sine": ops.sin,
        }
        return others[name](value)


def _has_float64() -> bool:
    """Return whether the backend has float64, which JAX has if it is switched on."""
    keras = keras_library()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JAX warns that it rounds
        made = keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(1.0, dtype="float64"))
    return bool(made.dtype == np.float64)


def _written(layer: Layer) -> str | None:
    """Return Keras' name of the activation of a layer, None if it needs more than a name."""
    name = layer.activation_name
    return None if name == "elu" and layer.activation_parameter != 1 else WRITTEN.get(name)


def _deviation(each: InputScaling) -> NDArray[np.float64]:
    """Return what the inputs are divided by: d with 1 / d = scale to the bit, where there are."""
    if each.divisor is not None:
        return each.divisor
    with np.errstate(divide="ignore"):
        best = nearest = 1 / each.scale
        for other in (np.nextafter(nearest, 0), np.nextafter(nearest, np.inf), nearest):
            best = np.where(1 / other == each.scale, other, best)
    return best


def _square(deviation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers v with √v = deviation to the bit."""
    best = square = deviation * deviation
    for each in (np.nextafter(square, 0), np.nextafter(square, np.inf), square):
        best = np.where(np.sqrt(each) == deviation, each, best)
    return best
