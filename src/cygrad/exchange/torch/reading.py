"""`from_torch`: networks of modules and state dicts of PyTorch."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad.exchange import state
from cygrad.exchange.assembly import Assembly, combined
from cygrad.exchange.libraries import library
from cygrad.exchange.torch import tensors
from cygrad.exchange.torch.activations import PLAIN
from cygrad.exchange.torch.tensors import EXTRA, array
from cygrad.network.activations import ChosenActivation, elu, leaky_relu, sine
from cygrad.network.noise import Dropout, GaussianNoise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.network import Network

    Activation = str | ChosenActivation


def from_torch(
    source: Any,
    *,
    activations: Activation | Sequence[Activation] | None = None,
    order: Sequence[str] | None = None,
    eps: float | None = None,
    norm: Literal["layer_norm"] | None = None,
    dtype: Literal["float32", "float64"] | None = None,
    loss: str | None = None,
    classes: Iterable[str] | None = None,
    lossy: bool = False,
) -> Network:
    """Return the network of a module or state dict of PyTorch.

    Parameters
    ----------
    source : nn.Sequential, mapping of str to Tensor, or path
        A module, with Sequentials in it: Linear, BatchNorm1d, LayerNorm, Dropout, Flatten,
        Identity, and ReLU, LeakyReLU, ELU, SELU, GELU, SiLU, Mish, Softplus, Softsign,
        Hardtanh(−1, 1), Hardsigmoid, Sigmoid, Tanh and Softmax; and what `to_torch` returns. Or the
        state dict of any module that is a chain of dense layers and norms, or a ``.pt`` or ``.pth``
        file with one, which is read with ``weights_only=True``: names and shapes tell the layers,
        the arguments tell the rest.
    activations : str, ChosenActivation, sequence of them, or None
        For a state dict: one for each dense layer, applied after the norm that follows it if there
        is one; a single one is that of the hidden layers, and the last layer has none.
    order : sequence of str or None
        For a state dict: names of the layers in their order, as in ``["hidden", "head"]``. None: by
        the numbers in the names.
    eps : float or None
        For a state dict: ε of the norms; None: 1e-5.
    norm : {"layer_norm"} or None
        For a state dict: what a weight and a bias of shape (units,) without running statistics are:
        "layer_norm" takes them for a layer norm. None: an error, because GroupNorm and InstanceNorm
        have the same, unless the name tells it (``ln``, ``layer_norm``).
    dtype : {"float32", "float64"} or None
        None: float64 if a parameter is, else float32 (float16 and bfloat16 too).
    loss : str or None
        None: that of the output activation, cross_entropy for softmax, binary_cross_entropy for
        sigmoid, poisson for exp, mse for all others. With "cross_entropy" a last layer without an
        activation gets softmax, and with "binary_cross_entropy" sigmoid: those are in
        nn.CrossEntropyLoss and nn.BCEWithLogitsLoss.
    classes : iterable of str or None
        Names of the classes.
    lossy : bool
        For a module: take softmax for LogSoftmax at the end, and softplus for a Softplus that is
        linear above a threshold where the dtype can tell the difference, float64 above 20.

    Returns
    -------
    Network
        With the parameters bit by bit, and frozen where ``requires_grad`` is False.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    TypeError
        If a module is another one; the message has its name in the module tree.
    ValueError
        If a module has options that have no counterpart, the file is none, is damaged, holds more
        than tensors, or leaves something open.
    OSError
        If the file cannot be read.

    Notes
    -----
    Gradients agree with PyTorch's to rounding, but for nn.Hardsigmoid in float64: its slope there
    is 1/6 rounded to float32 (version 2.14), here 1/6.

    Examples
    --------
    >>> import cygrad as cg
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> net = cg.exchange.from_torch(module, loss="cross_entropy")
    >>> [layer.activation for layer in net.layers]
    ['relu', 'softmax']
    >>> other = cg.exchange.from_torch(module.state_dict(), activations="relu")
    >>> bool((other.parameters == net.parameters).all())
    True
    """
    nn = library("torch", EXTRA).nn
    told: dict[str, Any] = {"activations": activations, "order": order, "eps": eps, "norm": norm}
    if isinstance(source, nn.Module):
        for name, value in told.items():
            if value is not None:
                raise ValueError(f"{name} is for a state dict, expected None for a module")
        return _Reader(source, lossy).network(dtype, loss, classes)
    if lossy:
        raise ValueError("lossy=True is for a module, expected False for a state dict")
    if isinstance(source, Mapping):
        text, loaded = "the state dict", source
    elif isinstance(source, str | os.PathLike):
        text, loaded = repr(os.fspath(source)), tensors.load(source)
    else:
        raise TypeError(
            f"source is {type(source).__name__}, expected a module, a state dict or a path"
        )
    return _of_state(
        tensors.arrays(loaded, text), text, dtype=dtype, loss=loss, classes=classes, **told
    )


def _of_state(arrays: dict[str, NDArray[Any]], source: str, **told: Any) -> Network:
    """Return the network of a state dict; one of `to_torch` can begin with standardisations."""
    if any(".residual_block." in f".{name}" for name in arrays):
        raise ValueError(f"{source} has a residual block, which is read from a module only")
    standardization = None
    while True:  # an encoder has one of its own
        prefix, _, name = next(iter(arrays), "").rpartition("mean")
        if name or {f"{prefix}mean", f"{prefix}scale"} - arrays.keys():
            break
        moments = arrays.pop(f"{prefix}mean"), arrays.pop(f"{prefix}scale")
        standardization = combined(standardization, *moments)
    net = state.from_state(arrays, source, **told)
    if standardization is not None:
        try:
            net.set_standardization(*standardization)
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error
    return net


class _Reader:
    """The modules of a chain, and the assembly of a network of them.

    Parameters
    ----------
    module : nn.Module
    lossy : bool
    """

    def __init__(self, module: Any, lossy: bool) -> None:
        self._lossy = lossy
        self._source = type(module).__name__
        self._chain = list(_flat(module, ""))
        self._check_sharing(module)
        # A standardisation is in float64 always.
        scalings = {"InputScaling", "OutputScaling"}
        rest = [each for _, each in self._chain if type(each).__name__ not in scalings]
        held = [tensor for each in rest for tensor in (*each.parameters(), *each.buffers())]
        is_double = any(str(each.dtype) == "torch.float64" for each in held)
        self._dtype = "float64" if is_double else "float32"
        self._scaling: tuple[Any, Any] | None = None

    def network(
        self, dtype: str | None, loss: str | None, classes: Iterable[str] | None
    ) -> Network:
        """Return the network."""
        sizes = (_inputs(module) for _, module in self._chain)
        inputs = next((size for size in sizes if size is not None), None)
        if inputs is None:
            raise ValueError(f"the {self._source} has no Linear, expected a dense network")
        assembly = Assembly(inputs, self._source)
        self._append(assembly, self._chain)
        return assembly.network(
            dtype or self._dtype, loss=loss, classes=classes, standardization=self._scaling
        )

    def _check_sharing(self, module: Any) -> None:
        """Raise an error if a parameter is in two places: here each would train alone."""
        places: dict[int, str] = {}
        for name, parameter in module.named_parameters(remove_duplicate=False):
            if id(parameter) in places:
                raise ValueError(
                    f"{places[id(parameter)]} and {name} are one parameter, expected one for each "
                    "layer"
                )
            places[id(parameter)] = name

    def _append(self, assembly: Assembly, chain: Sequence[tuple[str, Any]]) -> None:
        for name, module in chain:
            kind = type(module).__name__
            shown = f"module {name!r} ({kind})" if name else f"the module ({kind})"
            try:
                if kind == "LogSoftmax" and module is not chain[-1][1]:
                    raise ValueError("expected it at the end only")
                self._append_one(assembly, module, kind, name)
            except ValueError as error:
                raise ValueError(f"{shown}: {error}") from error

    def _append_one(self, assembly: Assembly, module: Any, kind: str, name: str) -> None:
        activation = self._activation(module, kind)
        if activation is not None:
            assembly.activation(activation)
        elif kind == "Linear":
            biases = None if module.bias is None else array(module.bias, "bias")
            weights = array(module.weight, "weight")
            trained = _trainable(module)
            trained = bool(trained) if biases is None else trained
            assembly.dense(weights, biases, trainable=trained)
        elif kind == "BatchNorm1d":
            if module.momentum is None:
                raise ValueError("momentum is None, a mean over all batches; expected a number")
            if module.running_mean is None:
                raise ValueError("track_running_stats is False, expected True")
            statistics = array(module.running_mean, "mean"), array(module.running_var, "variance")
            assembly.batch_norm(
                *_affine(module, module.num_features),
                *statistics,
                module.eps,
                module.momentum,
                trainable=_trainable(module),
            )
        elif kind == "LayerNorm":
            if len(module.normalized_shape) != 1:
                raise ValueError(f"normalized_shape is {module.normalized_shape}, expected one")
            assembly.layer_norm(
                *_affine(module, module.normalized_shape[0]),
                module.eps,
                trainable=_trainable(module),
            )
        elif kind == "Dropout":
            if module.p:
                assembly.append(Dropout(module.p))
        elif kind == "Flatten":
            if (module.start_dim, module.end_dim) != (1, -1):
                raise ValueError(f"dimensions {module.start_dim} to {module.end_dim}, expected all")
        elif kind == "InputScaling":
            if module.clipped is not None:
                raise ValueError("it clips numbers, as an encoder does; expected none")
            before = takewhile(lambda each: each[1] is not module, self._chain)
            if any(type(each).__name__ != "InputScaling" for _, each in before):
                raise ValueError("expected it first")
            moments = array(module.mean, "mean"), array(module.scale, "scale")
            self._scaling = combined(self._scaling, *moments)
        elif kind == "Scaling":
            factors = array(module.factors, "factors")
            assembly.scaling(factors, trainable=module.factors.requires_grad)
        elif kind == "GaussianNoise":
            assembly.append(GaussianNoise(module.deviation))
        elif kind == "ResidualSum":
            prefix = f"{name}.residual_block" if name else "residual_block"
            block = Assembly(assembly.units, self._source)
            self._append(block, list(_flat(module.residual_block, prefix)))
            assembly.residual(block)
        elif kind == "OutputScaling":
            raise ValueError("it has the unit of a table's quantities; expected module[:-1]")
        else:
            assert kind == "Identity"

    def _activation(self, module: Any, kind: str) -> Activation | None:
        """Return the activation that a module is, or None."""
        if kind in PLAIN:
            return PLAIN[kind]
        found = _ACTIVATIONS.get(kind)
        if found is not None:
            return found(module)
        if kind == "Softplus":
            return self._softplus(module)
        if kind == "LogSoftmax":
            if not self._lossy:
                raise ValueError("it gives logarithms; expected Softmax, or lossy=True for softmax")
            return _softmax(module)
        return None

    def _softplus(self, module: Any) -> Activation:
        if module.beta != 1:
            raise ValueError(f"beta is {module.beta}, expected 1")
        # ln(1 + exp(z)) − z = ln(1 + exp(−z)) above the threshold
        left_out = math.log1p(math.exp(-module.threshold))
        if left_out > np.finfo(self._dtype).eps * module.threshold and not self._lossy:
            raise ValueError(
                f"it is z above {module.threshold:g}, up to {left_out:.1e} less than softplus; "
                "expected threshold=40, or lossy=True for softplus"
            )
        return "softplus"


def _flat(module: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield the modules of nested Sequentials in their order, with their names.

    Raises
    ------
    TypeError
        If a module is another one than those that are known.
    ValueError
        If a module has hooks.
    """
    nn = library("torch", EXTRA).nn
    kind = type(module)
    shown = f"module {name!r}" if name else "the module"
    is_sequential = isinstance(module, nn.Sequential) and kind.forward is nn.Sequential.forward
    if not is_sequential and kind not in _known():
        raise TypeError(
            f"{shown} is {kind.__module__}.{kind.__name__}, expected a Sequential of "
            f"{', '.join(sorted(each.__name__ for each in _known()))}; or a state dict: "
            "from_torch(module.state_dict(), activations=…)"
        )
    if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
        raise ValueError(
            f"{shown} ({kind.__name__}) has hooks or a forward of its own, which can change what "
            "it computes"
        )
    if not is_sequential:
        yield name, module
        return
    for key, each in module._modules.items():  # named_children leaves out the second time
        yield from _flat(each, f"{name}.{key}" if name else key)


def _known() -> set[type]:
    """Return the classes of modules that have a counterpart."""
    from cygrad.exchange.torch import modules

    nn = library("torch", EXTRA).nn
    names = [*PLAIN, *_ACTIVATIONS, "Linear", "BatchNorm1d", "LayerNorm", "Dropout", "Flatten"]
    names += ["Identity", "Softplus", "LogSoftmax"]
    ours = [modules.InputScaling, modules.OutputScaling, modules.Scaling, modules.ResidualSum]
    ours += [modules.GaussianNoise, modules.Gaussian, modules.Exp, modules.Sine]
    return {*ours, *(getattr(nn, name) for name in names if hasattr(nn, name))}


def _inputs(module: Any) -> int | None:
    """Return the number of inputs of a module, or None if it takes any."""
    kind = type(module).__name__
    if kind == "ResidualSum":
        chain = _flat(module.residual_block, "")
        return next((size for _, each in chain if (size := _inputs(each)) is not None), None)
    sizes: dict[str, Callable[[], int]] = {
        "Linear": lambda: module.in_features,
        "BatchNorm1d": lambda: module.num_features,
        "LayerNorm": lambda: module.normalized_shape[-1],
        "InputScaling": lambda: len(module.mean),
        "Scaling": lambda: len(module.factors),
    }
    return sizes[kind]() if kind in sizes else None


def _affine(module: Any, units: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return γ and β of a norm: 1 and 0 where it has none."""
    weights = np.ones(units) if module.weight is None else array(module.weight, "weight")
    biases = np.zeros(units) if module.bias is None else array(module.bias, "bias")
    return weights, biases


def _trainable(module: Any) -> Any:
    """Return which of the parameters of a layer are trained."""
    weights, biases = (
        each is not None and each.requires_grad for each in (module.weight, module.bias)
    )
    if weights and biases:
        return True
    return "weights" if weights else "biases" if biases else False


def _leaky_relu(module: Any) -> Activation:
    return leaky_relu(module.negative_slope) if module.negative_slope else "relu"


def _gelu(module: Any) -> Activation:
    return {"none": "gelu", "tanh": "gelu_tanh"}[module.approximate]


def _hard_tanh(module: Any) -> Activation:
    if (module.min_val, module.max_val) != (-1, 1):
        raise ValueError(f"bounds {module.min_val} and {module.max_val}, expected -1 and 1")
    return "hard_tanh"


def _softmax(module: Any) -> Activation:
    if module.dim not in (1, -1, None):
        raise ValueError(f"dim is {module.dim}, expected 1 or -1")
    return "softmax"


_ACTIVATIONS: dict[str, Callable[[Any], Activation]] = {
    "LeakyReLU": _leaky_relu,
    "ELU": lambda module: elu(module.alpha),
    "GELU": _gelu,
    "Hardtanh": _hard_tanh,
    "Softmax": _softmax,
    "Gaussian": lambda module: "gaussian",
    "Exp": lambda module: "exp",
    "Sine": lambda module: sine(module.omega),
}
