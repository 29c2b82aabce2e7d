"""`to_torch` and `to_torch_file`: modules and state dicts of PyTorch from networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.atomic_write import atomic_write
from cygrad.exchange import self_test
from cygrad.exchange.exports import Export
from cygrad.exchange.libraries import library
from cygrad.exchange.operations import InputScaling, OutputScaling, nested, program
from cygrad.exchange.torch import tensors
from cygrad.exchange.torch.activations import PLAIN
from cygrad.exchange.torch.tensors import EXTRA
from cygrad.network.layers import Dense
from cygrad.network.noise import Dropout, GaussianNoise
from cygrad.network.normalization import BatchNorm, LayerNorm
from cygrad.network.scaling import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Place, Program
    from cygrad.exchange.self_test import Samples, SelfTest
    from cygrad.network import Network
    from cygrad.network.layers import Layer

#: Modules of the activations that have one without arguments; Hardtanh has other defaults to check.
MODULES = {ours: theirs for theirs, ours in PLAIN.items()} | {"hard_tanh": "Hardtanh"}
#: ln(1 + exp(z)) is z in float64 above.
THRESHOLD = 40.0


def to_torch(net: Network, *, lossy: bool = False, logits: bool = False) -> Any:
    """Return a module of PyTorch that computes the same, and trains on.

    Parameters
    ----------
    net : Network
    lossy : bool
        Leave out an encoder that has more than numbers without gaps.
    logits : bool
        Leave out the softmax or sigmoid at the end, for nn.CrossEntropyLoss and
        nn.BCEWithLogitsLoss.

    Returns
    -------
    nn.Sequential
        In evaluation mode, on the CPU, with the dtype of the network and its parameters bit by bit;
        frozen ones have ``requires_grad`` False. Dropout and noise are in it, for training mode.
        Loss, names of classes and factors of the learning rate are not: a module has no place for
        them.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    ValueError
        If the encoder has more than numbers, or `logits` is True without such an activation.

    Warns
    -----
    UserWarning
        If its outputs for some samples differ by more than rounding.

    Notes
    -----
    PyTorch has no module for scaling, residual sums, Gaussian noise and the activations gaussian,
    exp and sine: those are in ``cygrad.exchange.torch.modules``, and a pickle of the whole module
    needs it; a state dict does not. Standardised inputs are scaled there too, by a first module
    that computes in float64: a BatchNorm1d would change its mean in training, and a Linear rounds
    x · scale − mean · scale, which loses the digits of inputs that are far from 0. With an encoder
    of numbers, columns are scaled first, and quantities get their unit in the last module.

    Examples
    --------
    >>> import cygrad as cg
    >>> layers = [cg.Dense(8, "relu"), cg.Dropout(0.5), cg.Dense(3, "softmax")]
    >>> net = cg.Network(4, layers, loss="cross_entropy", rng=0)
    >>> cg.exchange.to_torch(net, logits=True)
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Dropout(p=0.5, inplace=False)
      (3): Linear(in_features=8, out_features=3, bias=True)
    )
    """
    library("torch", EXTRA)  # before our modules, whose import does not name the extra
    made = program(net, lossy=lossy)
    output = net.layers[-1].activation_name
    if logits and output not in ("softmax", "sigmoid"):
        raise ValueError(
            f"logits is True, but the last layer has the activation {output}, expected softmax or "
            "sigmoid"
        )
    module = _module(net, made, logits)
    compare_object(net, made, module, logits)
    return module


def compare_object(net: Network, made: Program, module: Any, logits: bool = False) -> SelfTest:
    """Compute the samples of the self-test with a module, in evaluation mode, and compare."""
    last = net.layers[-1].activation_name if logits else "identity"
    samples = self_test.samples(net, made)
    was_training = module.training
    try:
        return samples.compare(_outputs(module.eval(), samples, made, last), _runtime())
    finally:
        module.train(was_training)


def to_torch_file(net: Network, path: str | os.PathLike[str], *, lossy: bool = False) -> Export:
    """Write the parameters of a network as a state dict of PyTorch, a ``.pt`` file.

    It is ``to_torch(net).state_dict()``, with names such as ``0.weight``, and has neither
    activations nor ε: load it with ``module.load_state_dict(torch.load(path))`` into a module such
    as `to_torch` returns, or an nn.Sequential with the same modules in the same places.

    Parameters
    ----------
    net : Network
    path : str or os.PathLike
    lossy : bool
        As for `to_torch`.

    Returns
    -------
    Export
        The self-test is that of the module of `to_torch` with the parameters that are read back
        from the file.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    ValueError
        As `to_torch`.
    OSError
        If the file cannot be written. Then an old file is still intact.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "relu"), cg.Dense(1)], loss="mse", rng=0)
    >>> cg.exchange.to_torch_file(net, "net.pt").test.passed
    True
    >>> other = cg.exchange.from_torch("net.pt", activations="relu")
    >>> bool((other.parameters == net.parameters).all())
    True
    """
    torch = library("torch", EXTRA)
    made = program(net, lossy=lossy)
    samples = self_test.samples(net, made)
    module = _module(net, made, False)
    with atomic_write(path) as file:
        torch.save(module.state_dict(), file)
    with torch.no_grad():
        for each in module.parameters():
            each.zero_()
    module.load_state_dict(tensors.load(path))
    test = samples.compare(_outputs(module, samples, made, "identity"), _runtime())
    return Export(os.fspath(path), test, ())


def _runtime() -> str:
    return f"PyTorch {library('torch', EXTRA).__version__}"


def _outputs(module: Any, samples: Samples, made: Program, last: str) -> NDArray[np.float64]:
    """Return what a module computes for the samples, with the activation that it leaves out."""
    torch = library("torch", EXTRA)
    with torch.no_grad():
        outputs = module(torch.from_numpy(samples.inputs.astype(made.dtype)))
        if last == "softmax":
            outputs = outputs.softmax(dim=-1)
        elif last == "sigmoid":
            outputs = outputs.sigmoid()
    return np.asarray(outputs.numpy(), np.float64)


def _module(net: Network, made: Program, logits: bool) -> Any:
    """Return the module of a network, in evaluation mode."""
    from cygrad.exchange.torch import modules

    torch = library("torch", EXTRA)
    found: list[Any] = []
    for each in made.operations:
        if isinstance(each, InputScaling):
            buffers = [torch.from_numpy(values.copy()) for values in (each.mean, each.scale)]
            if each.clipped.any():
                buffers.append(torch.from_numpy(each.clipped.copy()))
            found.append(modules.InputScaling(*buffers))
    found += _modules(net.layers, nested(net.layers), _dtype(net))
    if logits:
        del found[-1]
    for each in made.operations:
        if isinstance(each, OutputScaling):
            if logits:
                raise ValueError("logits is True, but the outputs are quantities; expected False")
            means, deviations = (
                torch.from_numpy(values.copy()) for values in (each.means, each.deviations)
            )
            found.append(modules.OutputScaling(means, deviations, each.logarithm))
    return torch.nn.Sequential(*found).eval()


def _dtype(net: Network) -> Any:
    return getattr(library("torch", EXTRA), net.dtype.name)


def _modules(layers: Sequence[Layer], places: Sequence[Place], dtype: Any) -> list[Any]:
    """Return the modules of layers, a block as one of them."""
    from cygrad.exchange.torch.modules import ResidualSum

    nn = library("torch", EXTRA).nn
    found: list[Any] = []
    for each in places:
        layer = layers[each.index]
        if each.block is None:
            found += _layer(layer, dtype)
        else:
            found.append(ResidualSum(nn.Sequential(*_modules(layers, each.block, dtype))))
        found += _activation(layer.activation_name, layer.activation_parameter)
    return found


def _layer(layer: Layer, dtype: Any) -> list[Any]:
    """Return the module of a layer without its activation; none if it does nothing."""
    from cygrad.exchange.torch import modules

    torch = library("torch", EXTRA)
    nn, units, description = torch.nn, layer.units, layer.description
    if isinstance(description, Dropout):
        return [nn.Dropout(description.rate)]
    if isinstance(description, GaussianNoise):
        return [modules.GaussianNoise(description.deviation)]
    weights = torch.from_numpy(layer.weights.copy())
    if isinstance(description, Scaling):
        if layer.trainable is False and (layer.weights == 1).all():
            return []  # in the place of an activation that has no other layer
        scaling = modules.Scaling(weights)
        scaling.factors.requires_grad_(layer.train_weights)
        return [scaling]
    is_plain = layer.trainable is False and (layer.weights == 1).all() and not layer.biases.any()
    if isinstance(description, BatchNorm):
        options = {"momentum": description.momentum, "affine": not is_plain, "dtype": dtype}
        module = nn.BatchNorm1d(units, description.eps, **options)
        module.running_mean.copy_(torch.from_numpy(layer.running_mean.copy()))
        module.running_var.copy_(torch.from_numpy(layer.running_variance.copy()))
    elif isinstance(description, LayerNorm):
        module = nn.LayerNorm(units, description.eps, elementwise_affine=not is_plain, dtype=dtype)
    else:
        assert isinstance(description, Dense)
        module = nn.utils.skip_init(
            nn.Linear, layer.inputs, units, bias=layer.use_bias, dtype=dtype
        )
    if module.weight is not None:
        module.weight = nn.Parameter(weights, requires_grad=layer.train_weights)
    if module.bias is not None:
        biases = torch.from_numpy(layer.biases.copy())
        module.bias = nn.Parameter(biases, requires_grad=layer.train_biases)
    return [module]


def _activation(name: str, parameter: float) -> list[Any]:
    """Return the module of an activation; none for identity."""
    from cygrad.exchange.torch import modules

    nn = library("torch", EXTRA).nn
    if name == "identity":
        return []
    if name in MODULES:
        return [getattr(nn, MODULES[name])()]
    others: dict[str, Any] = {
        "leaky_relu": lambda: nn.LeakyReLU(parameter),
        "elu": lambda: nn.ELU(parameter),
        "gelu": lambda: nn.GELU(),
        "gelu_tanh": lambda: nn.GELU(approximate="tanh"),
        "softplus": lambda: nn.Softplus(threshold=THRESHOLD),
        "softmax": lambda: nn.Softmax(dim=-1),
        "gaussian": modules.Gaussian,
        "exp": modules.Exp,
        "sine": lambda: modules.Sine(parameter),
    }
    return [others[name]()]
