"""`compare`: the self-test of a network with an object of another library."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cygrad.exchange.operations import program

if TYPE_CHECKING:
    from cygrad.exchange.self_test import SelfTest
    from cygrad.network import Network

#: The module here of each library, whose function `compare_object` computes the samples.
MODULES = {"keras": "keras.running", "torch": "torch.writing", "sklearn": "sklearn"}


def compare(net: Network, target: Any, *, lossy: bool = False, logits: bool = False) -> SelfTest:
    """Compute the samples of a self-test with an object of another library, and compare.

    `to_torch`, `to_keras` and `to_sklearn` do so with what they return; this has the figures. It
    does the same for an object that a network has been read from.

    Parameters
    ----------
    net : Network
    target : nn.Module, keras.Model, or estimator or Pipeline of scikit-learn
        It takes what the network takes: columns of numbers if it has an encoder of them.
    lossy : bool
        Leave out an encoder that has more than numbers without gaps.
    logits : bool
        For a module of PyTorch: it lacks the softmax or sigmoid at the end.

    Returns
    -------
    SelfTest

    Raises
    ------
    TypeError
        If it is another object.
    ValueError
        If its outputs have another shape, or the encoder has more than numbers.

    Warns
    -----
    UserWarning
        If the outputs differ by more than rounding.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "relu"), cg.Dense(1)], loss="mse", rng=0)
    >>> cg.exchange.compare(net, cg.exchange.to_torch(net)).passed
    True
    """
    made = program(net, lossy=lossy)
    # A model of Keras on PyTorch is a module of PyTorch too.
    libraries = {each.__module__.partition(".")[0] for each in type(target).__mro__}
    library = next((name for name in MODULES if name in libraries), None)
    if library is None:
        raise TypeError(
            f"target is {type(target).__name__}, expected a module of PyTorch, a model of Keras, "
            "or an estimator of scikit-learn"
        )
    if logits and library != "torch":
        raise ValueError("logits is True, expected False: it is for modules of PyTorch")
    module = import_module(f"cygrad.exchange.{MODULES[library]}")
    test: SelfTest = module.compare_object(net, made, target, *([logits] * logits))
    return test
