"""`to_c`: a network as a C header, which computes the same bits, or in 8-bit integers.

`header` makes the text, of `functions` that are translated from csrc by `sources`; `quantization`
has the arithmetic in integers, and `int8_header` their header; `verification` compiles it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cygrad import __version__, checks
from cygrad.atomic_write import atomic_write
from cygrad.exchange import self_test
from cygrad.exchange.bounded_file import read_bounded
from cygrad.exchange.exports import Export
from cygrad.exchange.operations import InputScaling, OutputScaling, program
from cygrad.exchange.plain_c import quantization
from cygrad.exchange.plain_c.accuracy import Accuracy, accuracy_of
from cygrad.exchange.plain_c.header import Header
from cygrad.exchange.plain_c.int8_header import IntegerHeader, ranges_in
from cygrad.exchange.plain_c.verification import run_self_test
from cygrad.network import encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.exchange.operations import Program
    from cygrad.exchange.self_test import Samples
    from cygrad.network import Network

__all__ = ["Accuracy", "CHeader", "to_c", "verify"]

#: The name of a header in its first line, and the version that has written it.
NAME = re.compile(
    r"/\* ([A-Za-z][A-Za-z0-9_]*)\.h: a neural network in .* Made by cygrad (\S+)\.\n"
)


@dataclass(frozen=True)
class CHeader(Export):
    """A header that `to_c` has written: an `Export` with its sizes.

    Attributes
    ----------
    constants : int
        Bytes of the parameters and other arrays of constants.
    buffers : int
        Bytes of the arrays on the stack during a prediction, the largest part of its stack.
    accuracy : Accuracy or None
        In 8-bit integers: the differences from the network over the samples `X`.
    """

    constants: int
    buffers: int
    accuracy: Accuracy | None = None

    def _described(self) -> list[str]:
        sizes = f"constants {self.constants} bytes, arrays on the stack {self.buffers} bytes"
        accuracy = [] if self.accuracy is None else [str(self.accuracy)]
        return [sizes, *accuracy, *super()._described()]


def to_c(
    net: Network,
    path: str | os.PathLike[str],
    *,
    name: str = "net",
    quantize: Literal["int8"] | None = None,
    X: Any = None,
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

    With ``quantize="int8"`` the layers compute in integers: weights have 8 bits and a scale for
    each row, numbers between the layers 8 bits and a scale for each layer, sums 32 bits, which
    cannot overflow. Activations other than the identity and relu are tables. The integers are the
    same on every processor, but the outputs are no longer those of the network: `CHeader.accuracy`
    has the differences. ``net_integers(inputs, z)`` gives the outputs before their activation as
    integers, in units of ``NET_STEP``.

    Parameters
    ----------
    net : Network
    path : str or os.PathLike
        The header.
    name : str
        A C identifier with which the names in the header begin; macros have it in upper case.
    quantize : {"int8"} or None
        "int8": compute in 8-bit integers. Dense layers, with batch norms and scalings beside them;
        other layers are errors.
    X : array_like or table
        For ``quantize``: samples as for `Network.forward`, whose ranges give the scales; some
        hundred, that are like those to come. Inputs beyond their ranges are limited to them.
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
        If `name` is no identifier, a parameter is not finite, C cannot compute the outputs with
        the same bits, or a layer has no form in integers; the message names it. Then nothing is
        written.
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
    if quantize is not None:
        checks.one_of(quantize, "quantize", ("int8",))
    if (X is None) != (quantize is None):
        wanted = "samples, for their ranges" if X is None else "None without quantize"
        raise TypeError(f"X is {'None' if X is None else 'given'}, expected {wanted}")
    draft = _Draft(net, lossy)
    accuracy = None
    if quantize is None:
        header = draft.header(name)
    else:
        inputs = _calibration_inputs(net, X)
        layers = quantization.folded(net, draft.layers)
        made = draft.quantized(quantization.ranges_of(layers, inputs))
        header = draft.integer_header(name, made)
        outputs = draft.in_unit(made.outputs(inputs))
        expected = draft.in_unit(net.forward(inputs.astype(net.dtype)))
        accuracy = accuracy_of(outputs, expected, draft.program.decision)
    text = header.text()
    test, note = None, "the self-test did not run, as verify is False"
    if verify:
        test, note = run_self_test(text, name, len(draft.samples.inputs))
        if test is not None and not test.passed:
            raise RuntimeError(
                f"{test}: the compiled program gives other bits than the network; nothing is "
                "written, verify=False writes the header nonetheless"
            )
    with atomic_write(path, text=True) as file:
        file.write(text)
    notes = (note,) if note else ()
    return CHeader(os.fspath(path), test, notes, header.constants, header.buffers, accuracy)


def verify(path: str | os.PathLike[str], net: Network) -> CHeader:
    """Compare a header of `to_c` with that of a network, and run its self-test.

    A header is code, and only code that is made here from the network is compiled and run: the
    header must be the same text.

    Parameters
    ----------
    path : str or os.PathLike
    net : Network
        Of which it has been made.

    Returns
    -------
    CHeader

    Raises
    ------
    ValueError
        If the file is no header of `to_c`, or is that of another network or version; the message
        names the first line that differs.
    RuntimeError
        If the compiler fails, or the compiled program gives other bits.
    OSError
        If the file cannot be read.
    """
    source = repr(os.fspath(path))
    found = read_bounded(path).decode("utf-8", "replace")
    opening = NAME.match(found)
    if opening is None:
        raise ValueError(f"{source} is no header of cygrad, expected one of to_c")
    name, version = opening.groups()
    # What lossy=True leaves out is left out in any header of this network.
    draft = _Draft(net, lossy=True)
    try:
        ranges = ranges_in(found)
        made: Header = draft.header(name)
        if ranges is not None:
            made = draft.integer_header(name, draft.quantized(ranges))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    text = made.text()
    if text != found:
        pairs = zip((*text.split("\n"), None), (*found.split("\n"), None), strict=False)
        line = next(index for index, (ours, own) in enumerate(pairs, 1) if ours != own)
        raise ValueError(
            f"{source} is not the header of this network by cygrad {__version__}: line {line} is "
            f"another one (it is made by cygrad {version})"
        )
    test, note = run_self_test(text, name, len(draft.samples.inputs))
    if test is not None and not test.passed:
        raise RuntimeError(f"{source}: {test}: other bits than the network")
    notes = ("the same text as that of the network", *([note] if note else []))
    return CHeader(os.fspath(path), test, notes, made.constants, made.buffers)


class _Draft:
    """The contents of a header.

    Parameters
    ----------
    net : Network
    lossy : bool
        As for `to_c`.
    """

    def __init__(self, net: Network, lossy: bool) -> None:
        made = program(net, lossy=lossy)
        samples = self_test.samples(net, made)
        self.net = net
        self.program, self.samples = _without_logarithms(net, made, samples, lossy)
        self.column_dtype = None
        if made.columns is not None and net.encoder is not None:
            self.column_dtype = net.encoder.dtype

    @property
    def layers(self) -> list[Any]:
        """The operations between encoder and units."""
        operations = list(self.program.operations)
        if self.column_dtype is not None:
            del operations[0]
        return [each for each in operations if not isinstance(each, OutputScaling)]

    def header(self, name: str) -> Header:
        """Return the header with the same bits."""
        return Header(self.program, self.samples, name, self.column_dtype)

    def quantized(self, ranges: quantization.Ranges) -> quantization.Quantized:
        """Return the network in integers."""
        layers = quantization.folded(self.net, self.layers)
        return quantization.quantized(self.net, layers, ranges, self.program.dtype)

    def integer_header(self, name: str, made: quantization.Quantized) -> IntegerHeader:
        """Return the header in integers."""
        inputs = self.samples.inputs
        if self.column_dtype is not None:
            assert self.net.encoder is not None
            assert self.program.columns is not None
            table = dict(zip(self.program.columns, inputs.T, strict=True))
            inputs = np.asarray(self.net.encoder.transform(table, sparse=False), np.float64)
        outputs = self.in_unit(made.outputs(inputs)).astype(np.float64)
        samples = replace(self.samples, outputs=outputs)
        return IntegerHeader(
            self.program, samples, name, self.column_dtype, made, made.integers(inputs)
        )

    def in_unit(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return outputs in their unit, as the header does."""
        last = self.program.operations[-1]
        if not isinstance(last, OutputScaling):
            return outputs
        scaled: NDArray[Any] = outputs.astype(np.float64) * last.deviations + last.means
        return scaled


def _calibration_inputs(net: Network, X: Any) -> NDArray[np.float64]:
    """Return the inputs of the network for samples, shape (n, inputs)."""
    if encoding.takes(net.encoder, X):
        assert net.encoder is not None
        X = net.encoder.transform(X, sparse=False)
    array = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    if array.dtype.kind not in "fiub" or array.ndim != 2 or array.shape[1] != net.inputs:
        raise ValueError(
            f"X has dtype {array.dtype} and shape {array.shape}, expected numbers of shape (n, "
            f"{net.inputs})"
        )
    array = array.astype(net.dtype).astype(np.float64)
    if not len(array) or not np.isfinite(array).all():
        what = "holds NaN or infinity" if len(array) else "has no rows"
        raise ValueError(f"X {what}, expected finite samples")
    return array


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
