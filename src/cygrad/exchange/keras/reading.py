"""`from_keras`: networks of Keras models and of their files."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import checks
from cygrad.exchange.assembly import Assembly, combined
from cygrad.exchange.keras import activations, archive, losses
from cygrad.exchange.keras.files import opened_model
from cygrad.exchange.keras.graph import Chain, Graph, Node
from cygrad.network import loss_functions
from cygrad.network.activations import name_of, sine
from cygrad.network.noise import Dropout, GaussianNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.keras.activations import Activation
    from cygrad.exchange.keras.archive import Path, Weights
    from cygrad.network import Network
    from cygrad.network.loss_functions import CustomLoss, LossFunction

    Loss = str | LossFunction | CustomLoss

#: What Normalization divides by at least.
SMALLEST_DEVIATION = 1e-7
#: The equation of a layer that multiplies each unit by a factor of its own.
EACH_UNIT = "ab,b->ab"
#: Units of layers without arrays, such as activations, for each byte of the file; and of a model.
PER_BYTE, MOST_NUMBERS = 16, 1 << 32
#: Layers that do nothing when a model is used, and have a counterpart only if they are left out.
_IDLE = ("GaussianDropout", "AlphaDropout", "ActivityRegularization")


def from_keras(
    source: Any,
    *,
    config: Any = None,
    dtype: Literal["float32", "float64"] | None = None,
    loss: Loss | None = None,
    classes: Iterable[str] | None = None,
    lossy: bool = False,
) -> Network:
    """Return the network of a Keras model or of its file.

    Files need h5py only (``pip install h5py``), neither Keras nor a backend. Layers: InputLayer,
    Dense, Activation, LeakyReLU, ELU, ReLU, Softmax, BatchNormalization, LayerNormalization,
    Dropout, GaussianNoise, Flatten, Reshape, Identity, Normalization first, Rescaling, Add for
    residual sums x + f(x), models in models, and what `to_keras` returns; with all activations
    that there are here, which are all of Keras but relu6, hard_silu, glu, squareplus, log_sigmoid
    and the shrinking, thresholding and sparse ones. Layers are found by the names in the
    configuration, and arrays by their names.

    Parameters
    ----------
    source : path or keras.Model
        A ``.keras`` file, of Keras 3 or 2.13 and later; an ``.h5`` file of a whole model; a
        ``.weights.h5`` file; or a Sequential or Functional model.
    config : mapping, str, path or None
        For ``.weights.h5``: the architecture, as the text of ``model.to_json()``, a ``.json`` file
        with it, or a ``.keras`` file.
    dtype : {"float32", "float64"} or None
        None: float64 if a kernel is, else float32 (float16 and bfloat16 too).
    loss : str, loss or None
        None: that which `to_keras_file` has written; else that of the compiled model where it has a
        counterpart and fits the outputs; else that of the output activation, cross_entropy for
        softmax, binary_cross_entropy for sigmoid, poisson for exp, mse for all others. With
        "cross_entropy" a last layer without an activation gets softmax, and with
        "binary_cross_entropy" sigmoid, as with a loss ``from_logits=True`` of the model.
    classes : iterable of str or None
        Names of the classes. None: those which `to_keras_file` has written.
    lossy : bool
        Take softmax for log_softmax at the end, and leave out GaussianDropout, AlphaDropout and
        ActivityRegularization, which do nothing when a model is used.

    Returns
    -------
    Network
        With the parameters bit by bit, and frozen where ``trainable`` is False. Normalization and a
        first Rescaling become the standardisation of the inputs. Optimizer, regularizers,
        constraints and metrics are left out.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed, for a file.
    TypeError
        If the source is something else.
    ValueError
        If a layer is another one, such as Lambda and custom classes, or has options without a
        counterpart; the message has its name. Or if the file is none, or is damaged.
    OSError
        If the file cannot be read.

    Notes
    -----
    Keras' binary_crossentropy and poisson are means over the outputs, here they are sums. Keras'
    files do not hold δ of Huber (3.15.1), so that it is 1 here as it is there. A frozen
    BatchNormalization keeps its statistics there in training, here they follow the batches.
    hard_sigmoid of Keras 2 is another function than that of Keras 3, which nevertheless takes its
    own for such a file; here it is an error.

    What a file says of sizes is held against its bytes. But the HDF5 library itself can crash on
    files that are made to do so.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.exchange.from_keras("net.keras")  # doctest: +SKIP
    """
    if isinstance(source, str | os.PathLike):
        with opened_model(source, config) as model:
            return _network(*model, dtype, loss, classes, lossy)
    if config is not None:
        raise ValueError("config is for a .weights.h5 file, expected None for a model")
    keras = sys.modules.get("keras")
    if keras is None or not isinstance(source, keras.Model):
        raise TypeError(f"source is {type(source).__name__}, expected a path or a keras.Model")
    described = keras.saving.serialize_keras_object(source)
    if getattr(source, "compiled", False):
        described["compile_config"] = _compiled(source)
    described = json.loads(json.dumps(described))  # lists for tuples, as in files
    shown = f"the model {source.name!r}"
    if not source.built:
        raise ValueError(f"{shown} has no weights yet, expected a model that is built")
    return _network(shown, described, {}, ModelWeights(source), dtype, loss, classes, lossy)


def _compiled(model: Any) -> Any:
    """Return the compile configuration of a model, with δ of Huber, which Keras leaves out."""
    compiled = model.get_compile_config()
    delta = getattr(model.loss, "_fn_kwargs", {}).get("delta")
    loss = compiled.get("loss") if compiled else None
    if delta is None or not isinstance(loss, dict) or not isinstance(loss.get("config"), dict):
        return compiled
    return {**compiled, "loss": {**loss, "config": {"delta": delta, **loss["config"]}}}


class ModelWeights:
    """The weights of a model in memory."""

    size: int | None = None

    def __init__(self, model: Any) -> None:
        self._layers: dict[Path, Any] = {}
        self._find(model, ())

    def arrays(self, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[NDArray[Any]]:
        """Return the arrays of a layer; see `archive.Weights`."""
        found = self._layers[path].get_weights()
        if [each.shape for each in found] != list(shapes.values()):
            raise ValueError(f"its arrays are {[each.shape for each in found]}, expected {shapes}")
        return [archive.as_numbers(each, name) for each, name in zip(found, shapes, strict=True)]

    def _find(self, model: Any, path: Path) -> None:
        for layer in model.layers:
            inner = (*path, layer.name)
            self._layers[inner] = layer
            if type(layer).__name__ in archive.MODELS:
                self._find(layer, inner)


def _network(
    source: str,
    config: Mapping[str, Any],
    header: Mapping[str, Any],
    weights: Weights,
    dtype: str | None,
    loss: Loss | None,
    classes: Iterable[str] | None,
    lossy: bool,
) -> Network:
    try:
        reader = _Reader(config, weights, lossy, source)
        if loss is None:
            loss = _loss_of(header)
        if loss is None:
            loss = reader.add_loss(config.get("compile_config"))
        if classes is None:
            names = header.get("classes")
            classes = [str(name) for name in names] if isinstance(names, list) else None
        return reader.network(dtype, loss, classes)
    except RecursionError:
        raise ValueError(f"{source}: too many models or sums in each other") from None
    except (ValueError, OverflowError) as error:
        if str(error).startswith(source):
            raise
        raise ValueError(f"{source}: {error}") from error


def _loss_of(header: Mapping[str, Any]) -> Loss | None:
    """Return the loss that `to_keras_file` has written, or None."""
    described = header.get("loss")
    if not isinstance(described, str | dict) or described == {"name": loss_functions.CUSTOM}:
        return None
    return loss_functions.from_config(described)


class _Reader:
    """The layers of a model, and the assembly of a network of them."""

    def __init__(
        self, config: Mapping[str, Any], weights: Weights, lossy: bool, source: str
    ) -> None:
        self._weights = weights
        self._lossy = lossy
        self._source = source
        self._dtype = "float32"
        self._scaling: tuple[Any, Any] | None = None
        self._softmax: Node | None = None
        self._left = MOST_NUMBERS if weights.size is None else PER_BYTE * weights.size
        self._graph = graph = Graph(config)
        if graph.shape is None:
            raise ValueError("the model has no shape of its inputs, expected one that is built")
        self._shape = graph.shape
        self._assembly = Assembly(math.prod(self._shape), source)
        self._append(self._assembly, graph.chain(), is_block=False)
        if len(self._shape) != 1:
            raise ValueError(f"a sample has outputs of shape {self._shape}, expected one axis")

    def add_loss(self, compiled: Any) -> Loss | None:
        """Return the loss of the compiled model, and add the activation that is part of it."""
        output = self._assembly.output_activation
        loss, activation = losses.of_compiled(compiled, output)
        if activation != output:
            self._assembly.activation(activation)
        return loss

    def network(
        self, dtype: str | None, loss: Loss | None, classes: Iterable[str] | None
    ) -> Network:
        """Return the network."""
        return self._assembly.network(
            dtype or self._dtype, loss=loss, classes=classes, standardization=self._scaling
        )

    def _append(self, assembly: Assembly, chain: Chain, *, is_block: bool) -> None:
        """Append the layers of a chain."""
        index = 0
        while index < len(chain.items):
            item = chain.items[index]
            node = item[1] if isinstance(item, tuple) else item
            index += 1
            try:
                if isinstance(item, tuple):
                    self._append_sum(assembly, *item)
                    continue
                composed = _composed(chain.items[index - 1 : index + 2])
                if composed is not None:
                    self._activate(assembly, composed[0], node)
                    index += composed[1] - 1
                    continue
                self._append_one(assembly, node, can_scale=not is_block and assembly.is_empty)
            except (TypeError, ValueError, OverflowError) as error:
                if str(error).startswith("layer "):
                    raise
                raise ValueError(f"{node.shown}: {error}") from error

    def _append_sum(self, assembly: Assembly, block: Chain, node: Node) -> None:
        """Append a residual sum."""
        inner, shape = Assembly(assembly.units, self._source), self._shape
        self._append(inner, block, is_block=True)
        self._check_end(node)
        if self._shape != shape:
            raise ValueError(f"it adds shapes {shape} and {self._shape}, expected equal ones")
        assembly.residual(inner)

    def _append_one(self, assembly: Assembly, node: Node, *, can_scale: bool) -> None:
        """Append a layer; `can_scale`: the inputs can still be standardised."""
        kind, config = node.kind, node.config
        if node.is_function:
            if kind == "Cast" and config.get("dtype") in ("float32", "float64"):
                return  # as Normalization is written by Keras 3.8
            activation = activations.of_function(kind, config, self._lossy)
        elif kind == "Activation":
            activation = self._named(config)
        else:
            activation = activations.of_layer(kind, config)
        if activation is not None:
            self._activate(assembly, activation, node)
            return
        if node.is_function or not (kind in _APPEND or kind in _IDLE):
            raise ValueError(
                "it has no counterpart; expected a dense network: Dense, activations, "
                "BatchNormalization, LayerNormalization, Normalization, Dropout and so on"
            )
        if kind in _IDLE:
            if not self._lossy:
                raise ValueError("it has no counterpart, expected lossy=True to leave it out")
            return
        if kind not in _SHAPES:
            self._check_end(node)
        _APPEND[kind](self, assembly, node, can_scale)

    def _activate(self, assembly: Assembly, activation: Activation, node: Node) -> None:
        if name_of(activation) == "identity":
            return
        self._check_end(node)
        if name_of(activation) == "softmax":
            self._softmax = node
            if len(self._shape) != 1:
                raise ValueError(f"softmax of samples of shape {self._shape}, expected one axis")
        self._spend(assembly.units)
        assembly.activation(activation)

    def _check_end(self, node: Node) -> None:
        """Raise an error if something comes after softmax."""
        if self._softmax is not None:
            raise ValueError(
                f"{self._softmax.shown}: softmax is before {node.shown}, expected it for the "
                "outputs only"
            )

    def _named(self, config: Mapping[str, Any]) -> Activation:
        value = config.get("activation")
        return activations.by_name(value, is_old=self._graph.is_old, lossy=self._lossy)

    def _arrays(self, node: Node, **shapes: tuple[int, ...]) -> list[NDArray[Any]]:
        return self._weights.arrays(node.path, shapes)

    def _units(self) -> int:
        """Return the number of units, of samples with one axis."""
        if len(self._shape) != 1:
            raise ValueError(f"it has inputs of shape {self._shape}, expected one axis: Flatten")
        return self._shape[0]

    def _spend(self, numbers: int) -> None:
        """Raise an error if layers without arrays have more units than the file explains."""
        self._left -= numbers
        if self._left < 0:
            raise ValueError(f"{self._shape} units without an array in the file")

    def _full(self, assembly: Assembly, value: Any) -> NDArray[np.float64]:
        """Return an option that is one number, or one for each unit."""
        if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
            value = value.get("config", {}).get("value")
        self._spend(assembly.units)
        numbers = np.asarray(value, np.float64)
        while numbers.ndim > 1 and len(numbers) == 1:
            numbers = numbers[0]
        if numbers.ndim and numbers.shape != (self._units(),):
            raise ValueError(f"it has {numbers.shape} numbers, expected one for each unit")
        return np.array(np.broadcast_to(numbers, (assembly.units,)))

    def _dense(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        config, inputs = node.config, self._units()
        for name in ("quantization_config", "lora_rank"):
            if config.get(name) is not None:
                raise ValueError(f"{name} is {str(config[name])[:80]}, expected None")
        units = checks.whole_number(config.get("units"), "units")
        shapes = {"kernel": (inputs, units)}
        if config.get("use_bias", True):
            kernel, biases = self._arrays(node, **shapes, bias=(units,))
        else:
            (kernel,), biases = self._arrays(node, **shapes), None
        if kernel.dtype == np.float64:
            self._dtype = "float64"
        assembly.dense(kernel.T, biases, trainable=node.trainable)
        self._shape = (units,)
        self._activate(assembly, self._named(config), node)

    def _each_unit(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        """Append EinsumDense, if it multiplies each unit by a factor, and perhaps adds a bias."""
        config, units = node.config, self._units()
        if config.get("equation") != EACH_UNIT:
            raise ValueError(f"equation is {config.get('equation')!r}, expected {EACH_UNIT!r}")
        if config.get("bias_axes") is None:
            (factors,) = self._arrays(node, kernel=(units,))
            if can_scale and self._scaling is not None and not node.trainable:
                self._scaling = combined(self._scaling, np.zeros(units), factors)
            else:
                assembly.scaling(factors, trainable=node.trainable)
        else:
            factors, biases = self._arrays(node, kernel=(units,), bias=(units,))
            assembly.scale(factors, biases)
        self._activate(assembly, self._named(config), node)

    def _affine(
        self, node: Node, units: int, **statistics: tuple[int, ...]
    ) -> tuple[list[NDArray[Any]], Any]:
        """Return γ (or 1), β (or 0) and statistics of a norm, and which of them are trained."""
        has = {"gamma": node.config.get("scale", True), "beta": node.config.get("center", True)}
        shapes = {name: (units,) for name, is_there in has.items() if is_there}
        found = self._arrays(node, **shapes, **statistics)
        if not has["gamma"]:
            self._spend(units)
            found.insert(0, np.ones(units))
        if not has["beta"]:
            self._spend(units)
            found.insert(1, np.zeros(units))
        names = {(True, True): True, (True, False): "weights", (False, True): "biases"}
        trained = names.get((bool(has["gamma"]), bool(has["beta"])), False)
        return found, node.trainable and trained

    def _batch_norm(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        config, units = node.config, self._units()
        _check_axis(config)
        if config.get("renorm"):
            raise ValueError("renorm is True, expected False")
        moments = {name: (units,) for name in ("moving_mean", "moving_variance")}
        (gamma, beta, mean, variance), trainable = self._affine(node, units, **moments)
        if (variance < 0).any():
            raise ValueError(
                f"moving_variance is {variance.min():.3g} for a unit, expected numbers from 0 on; "
                "some backends of Keras cancel its digits where the mean is large"
            )
        momentum = checks.number(config.get("momentum", 0.99), "momentum")
        eps = checks.number(config.get("epsilon", 1e-3), "epsilon")
        assembly.batch_norm(
            gamma, beta, mean, variance, eps, complement(momentum), trainable=trainable
        )

    def _layer_norm(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        _check_axis(node.config)
        if node.config.get("rms_scaling"):
            raise ValueError("rms_scaling is True, expected False")
        (gamma, beta), trainable = self._affine(node, self._units())
        eps = checks.number(node.config.get("epsilon", 1e-3), "epsilon")
        assembly.layer_norm(gamma, beta, eps, trainable=trainable)

    def _normalization(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        config = node.config
        is_scalar = config.get("axis", -1) is None
        if not is_scalar:
            _check_axis(config)
        if config.get("mean") is not None:
            mean, variance = config["mean"], config.get("variance")
        else:
            shape = () if is_scalar else (self._units(),)
            mean, variance, _ = self._arrays(node, mean=shape, variance=shape, count=())
        mean, variance = self._full(assembly, mean), self._full(assembly, variance)
        if not (variance >= 0).all():
            raise ValueError("variance is below 0 for an input")
        deviation = np.maximum(np.sqrt(variance), SMALLEST_DEVIATION)
        if config.get("invert"):
            assembly.scale(deviation, mean)
        elif can_scale:
            self._scaling = combined(self._scaling, mean, 1 / deviation)
        else:
            raise ValueError("expected it before all layers, as the standardisation of the inputs")

    def _rescaling(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        scale, offset = (
            self._full(assembly, node.config.get(name, 0.0)) for name in ("scale", "offset")
        )
        if can_scale and (scale != 0).all():
            # x · scale + offset = (x − mean) · scale
            self._scaling = combined(self._scaling, -offset / scale, scale)
        elif (offset == 0).all():
            assembly.scaling(scale, trainable=False)
        elif assembly.is_empty:
            raise ValueError("scale is 0 for an input, expected another number")
        else:
            assembly.scale(scale, offset)

    def _dropout(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        if node.config.get("noise_shape") is not None:
            raise ValueError(f"noise_shape is {node.config['noise_shape']}, expected None")
        rate = checks.number(node.config.get("rate"), "rate")
        if rate:
            assembly.append(Dropout(rate))

    def _noise(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        deviation = checks.number(node.config.get("stddev"), "stddev")
        if deviation:
            assembly.append(GaussianNoise(deviation))

    def _nothing(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        """Append nothing: an Identity."""

    def _flatten(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        if node.config.get("data_format") == "channels_first" and len(self._shape) > 1:
            raise ValueError("data_format is channels_first, expected channels_last")
        self._shape = (math.prod(self._shape),)

    def _reshape(self, assembly: Assembly, node: Node, can_scale: bool) -> None:
        target = node.config.get("target_shape")
        if not isinstance(target, list) or not all(type(size) is int for size in target):
            raise ValueError(f"target_shape is {target!r}, expected a list of numbers")
        whole, known = math.prod(self._shape), math.prod(size for size in target if size != -1)
        sizes = tuple(whole // known if size == -1 and known else size for size in target)
        if math.prod(sizes) != whole or min(sizes, default=0) < 1:
            raise ValueError(f"target_shape is {target}, for samples of {whole} numbers")
        self._shape = sizes


_APPEND: dict[str, Callable[[_Reader, Assembly, Node, bool], None]] = {
    "Dense": _Reader._dense,
    "EinsumDense": _Reader._each_unit,
    "BatchNormalization": _Reader._batch_norm,
    "LayerNormalization": _Reader._layer_norm,
    "Normalization": _Reader._normalization,
    "Rescaling": _Reader._rescaling,
    "Dropout": _Reader._dropout,
    "GaussianNoise": _Reader._noise,
    "Identity": _Reader._nothing,
    "Flatten": _Reader._flatten,
    "Reshape": _Reader._reshape,
}
#: Those of them that can come after softmax.
_SHAPES = ("Identity", "Flatten", "Reshape")


def complement(momentum: float) -> float:
    """Return 1 − momentum, in decimal numbers: 0.01 of 0.99, which has more digits in binary."""
    return float(1 - Decimal(repr(momentum)))


def _composed(items: Sequence[Any]) -> tuple[Activation, int] | None:
    """Return the activation of which the next items are made, and their number, or None."""
    nodes = [each if isinstance(each, Node) else None for each in items]
    functions = [each.kind if each is not None and each.is_function else None for each in nodes]
    if functions == ["Square", "Negative", "Exp"]:
        return "gaussian", 3
    if functions[0] == "Sin":
        return "sine", 1
    first = nodes[0]
    if functions[1:2] == ["Sin"] and first is not None and first.kind == "Rescaling":
        omega, offset = first.config.get("scale"), first.config.get("offset", 0)
        if isinstance(omega, float | int) and offset == 0:
            return sine(omega), 2
    return None


def _check_axis(config: Mapping[str, Any]) -> None:
    axis = config.get("axis", -1)
    if axis not in (-1, 1, [-1], [1]):
        raise ValueError(f"axis is {axis}, expected -1")
