"""`to_c`: a network as a C header, which computes the same bits."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cygrad import checks
from cygrad.atomic_write import atomic_write
from cygrad.exchange import self_test
from cygrad.exchange.exports import Export
from cygrad.exchange.operations import InputScaling, OutputScaling, program
from cygrad.exchange.plain_c.header import Header
from cygrad.exchange.plain_c.verification import run_self_test

if TYPE_CHECKING:
    from cygrad.exchange.operations import Program
    from cygrad.exchange.self_test import Samples
    from cygrad.network import Network

__all__ = ["CHeader", "to_c"]


@dataclass(frozen=True)
class CHeader(Export):
    """A header that `to_c` has written: an `Export` with its sizes.

    Attributes
    ----------
    constants : int
        Bytes of the parameters and other arrays of constants.
    buffers : int
        Bytes of the arrays on the stack during a prediction, the largest part of its stack.
    """

    constants: int
    buffers: int

    def _described(self) -> list[str]:
        sizes = f"constants {self.constants} bytes, arrays on the stack {self.buffers} bytes"
        return [sizes, *super()._described()]


def to_c(
    net: Network,
    path: str | os.PathLike[str],
    *,
    name: str = "net",
    lossy: bool = False,
    verify: bool = True,
) -> CHeader:
    """Write a network as one C header, C99 and C++, that computes the same bits.

    ``net_predict(inputs, outputs)`` computes the outputs of `Network.forward` for one sample, of a
    network with an encoder those in their unit from the columns of a table; ``net_class(inputs)``
    the index of the class, with ``net_class_names``. The numbers have the dtype of the network.
    Nothing is allocated, and no library is called but fma of libm, or none with
    ``-DCYGRAD_SOFT_FMA``. The bits are the same on every processor and with every compiler that
    computes as IEEE 754 requires; others, and ``-ffast-math``, are errors of the compilation. With
    ``-DNET_SELF_TEST`` the header has a ``main`` that compares stored samples bit by bit.

    Parameters
    ----------
    net : Network
    path : str or os.PathLike
        The header.
    name : str
        A C identifier with which the names in the header begin; macros have it in upper case.
    lossy : bool
        Leave out what C cannot compute with the same bits: an encoder that has more than numbers
        without gaps, then the inputs are those of the network; and the exponential function that
        follows outputs which are logarithms of quantities.
    verify : bool
        Compile and run the self-test before the header is written, with ``$CC``, cc, gcc or clang,
        if one is there.

    Returns
    -------
    CHeader
        Sizes, and the result of the self-test.

    Raises
    ------
    TypeError
        If an argument has another type.
    ValueError
        If `name` is no identifier, a parameter is not finite, or C cannot compute the outputs with
        the same bits. Then nothing is written.
    RuntimeError
        If the compiler fails, or the compiled program gives other bits for the samples. Then
        nothing is written; ``verify=False`` writes the header nonetheless.
    OSError
        If the file cannot be written. Then an old file is still intact.

    Examples
    --------
    >>> import cygrad as cg
    >>> net = cg.Network(4, [cg.Dense(8, "tanh"), cg.Dense(3, "softmax")],
    ...                  loss="cross_entropy", rng=0)
    >>> header = cg.exchange.to_c(net, "net.h", verify=False)
    >>> header.constants, header.buffers
    (268, 48)
    """
    _check_name(name)
    lossy, verify = checks.flag(lossy, "lossy"), checks.flag(verify, "verify")
    made = program(net, lossy=lossy)
    samples = self_test.samples(net, made)
    made, samples = _without_logarithms(net, made, samples, lossy)
    column_dtype = None
    if made.columns is not None and net.encoder is not None:
        column_dtype = net.encoder.dtype
    header = Header(made, samples, name, column_dtype)
    text = header.text()
    test, note = None, "the self-test did not run, as verify is False"
    if verify:
        test, note = run_self_test(text, name, len(samples.inputs))
        if test is not None and not test.passed:
            raise RuntimeError(
                f"{test}: the compiled program gives other bits than the network; nothing is "
                "written, verify=False writes the header nonetheless"
            )
    with atomic_write(path, text=True) as file:
        file.write(text)
    notes = (note,) if note else ()
    return CHeader(os.fspath(path), test, notes, header.constants, header.buffers)


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"name is {name!r}, expected a str")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            f"name is {name!r}, expected a C identifier: a letter, then letters, digits and _"
        )


def _without_logarithms(
    net: Network, made: Program, samples: Samples, lossy: bool
) -> tuple[Program, Samples]:
    """Leave out the inverse of the logarithms that a network has learned, or refuse them."""
    last = made.operations[-1] if made.operations else None
    if not isinstance(last, OutputScaling) or last.logarithm == "none":
        return made, samples
    if not lossy:
        raise ValueError(
            f"the targets are scaled by {last.logarithm!r}, whose inverse NumPy computes, with "
            "other bits on other machines; expected lossy=True, for outputs that are logarithms"
        )
    assert net.encoder is not None
    assert made.columns is not None
    assert isinstance(made.operations[0], InputScaling)
    table = dict(zip(made.columns, samples.inputs.T, strict=True))
    outputs = net.forward(net.encoder.transform(table)).astype(np.float64)
    outputs = outputs * last.deviations + last.means
    operations = (*made.operations[:-1], replace(last, logarithm="none"))
    return replace(made, operations=operations), replace(samples, outputs=outputs)
