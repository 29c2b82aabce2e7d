"""Networks in 8-bit integers: the compiled C computes what the reference in NumPy computes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import ACTIVATIONS, OTHER_ACTIVATIONS
from test_exchange_c import DTYPES, PROGRAM, TARGETS, compiles, needs_compiler, with_encoder

import cygrad as cg
from cygrad.exchange import plain_c, to_c
from cygrad.exchange.operations import program
from cygrad.exchange.plain_c import quantization
from cygrad.exchange.plain_c.int8_header import ranges_in
from cygrad.exchange.plain_c.quantization import Quantized
from cygrad.exchange.plain_c.verification import compiler


def samples(inputs: int, rows: int = 200) -> np.ndarray:
    """Return samples with a column of large numbers, and one that does not change."""
    X = np.random.default_rng(7).normal(0, 2, (rows, inputs))
    X[:, 0] = 1e4 + 30 * X[:, 0]
    X[:, -1] = 3
    return X.astype(np.float32)


def stranger(inputs: int) -> np.ndarray:
    """Return samples beyond the ranges, on their edges, and not finite."""
    X = samples(inputs, 60)
    X[:20] *= 100
    X[20:25] = 0
    X[25:30] = samples(inputs).min(axis=0)
    X[30:35] = samples(inputs).max(axis=0)
    X[35, 1], X[36, 0], X[37] = np.nan, np.inf, -np.inf
    X[38], X[39] = np.finfo(np.float32).max, np.finfo(np.float32).smallest_subnormal
    return X


def network(layers: list[Any], dtype: str, loss: str = "mse", inputs: int = 5) -> cg.Network:
    net = cg.Network(inputs, layers, loss=loss, dtype=dtype, rng=2)
    net.parameters = net.parameters + np.random.default_rng(1).normal(0, 0.2, net.n_parameters)
    net.standardize_inputs(samples(inputs))
    return net


def with_norms(dtype: str) -> cg.Network:
    layers = [
        cg.Scaling(), cg.Dense(33), cg.BatchNorm("relu"), cg.Dropout(0.5), cg.Dense(17, "tanh"),
        cg.BatchNorm(), cg.Dense(9, "gelu", use_bias=False), cg.Dense(4, "softmax"),
    ]  # fmt: skip
    net = network(layers, dtype, "cross_entropy")
    random = np.random.default_rng(3)
    for layer in net.layers:
        if layer.kind == "batch_norm":
            layer.running_mean = random.normal(size=layer.units)
            layer.running_variance = random.uniform(0.5, 2, layer.units)
    return net


def networks(dtype: str) -> dict[str, cg.Network]:
    found = {"norms": with_norms(dtype)}
    found["two"] = network([cg.Dense(3), cg.Dense(1, "sigmoid")], dtype, "binary_cross_entropy")
    found["rates"] = network([cg.Dense(7, "relu"), cg.Dense(2, "exp")], dtype, "poisson")
    for each in (*ACTIVATIONS, *OTHER_ACTIVATIONS):
        name, _, parameter = each.partition(" ")
        if name not in ("softmax", "exp"):
            chosen = getattr(cg.activations, name)
            layer = chosen(float(parameter)) if parameter else chosen()
            net = network([cg.Dense(12, layer), cg.Dense(3, layer)], dtype)
            found["a_" + re.sub(r"\W", "_", each)] = net
    return {f"{name}_{dtype}": net for name, net in found.items()}


def in_integers(net: cg.Network, X: np.ndarray) -> Quantized:
    operations = program(net).operations
    layers = quantization.folded(net, operations)
    ranges = quantization.ranges_of(layers, X.astype(net.dtype).astype(np.float64))
    return quantization.quantized(net, layers, ranges, net.dtype)


class Comparison:
    """Headers in integers, a program that includes them, and what the reference computes."""

    def __init__(self, nets: dict[str, cg.Network], folder: Path) -> None:
        self.folder, self.expected, self.data = folder, {}, b""
        for name, net in nets.items():
            X = samples(net.inputs)
            to_c(net, folder / f"{name}.h", name=name, quantize="int8", X=X, verify=False)
            made = in_integers(net, X)
            given = np.concatenate([X, stranger(net.inputs)]).astype(net.dtype)
            finite = np.isfinite(given).all(axis=1)
            integers = np.full((len(given), net.outputs), -1, np.int32)
            integers[finite] = made.integers(given[finite])
            self.expected[name] = integers, made.outputs(given)
            self.data += f"{len(given)}\n".encode()
            self.data += given.astype(given.dtype.newbyteorder("<")).tobytes()
        text = PROGRAM.replace(
            "NAME##_predict(x, y);",
            "int32_t z[OUTPUTS]; int k;\\\n"
            "if (!NAME##_integers(x, z)) for (k = 0; k < OUTPUTS; k++) z[k] = -1;\\\n"
            "write_numbers(z, sizeof z[0], OUTPUTS);\\\nNAME##_predict(x, y);",
        ).format(
            includes="\n".join(f'#include "{name}.h"' for name in nets),
            calls="\n".join(
                f"    RUN({name}, {net.inputs}, {net.outputs})" for name, net in nets.items()
            ),
        )
        for ending in ("c", "cpp"):
            (folder / f"program.{ending}").write_text(text)

    def check(self, command: str, runner: str = "") -> None:
        source = "program.cpp" if "++" in command else "program.c"
        words = [*command.split(), source, "-o", "program", "-lm"]
        built = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[-3000:]
        assert not built.stderr, built.stderr[:3000]
        done = subprocess.run(
            [*runner.split(), "./program"], cwd=self.folder, input=self.data, capture_output=True,
            check=True,
        )  # fmt: skip
        assert not done.stderr, done.stderr[:3000]
        at = 0
        for name, (integers, outputs) in self.expected.items():
            rows, units = integers.shape
            kinds = [("z", "<i4", units), ("y", outputs.dtype.newbyteorder("<"), units)]
            found = np.frombuffer(done.stdout, np.dtype(kinds), rows, at)
            at += found.nbytes
            np.testing.assert_array_equal(found["z"], integers, err_msg=f"{command}: {name}")
            bits = f"<u{outputs.itemsize}"
            y = np.ascontiguousarray(found["y"])
            same = y.view(bits) == outputs.astype(y.dtype).view(bits)
            assert (same | (np.isnan(y) & np.isnan(outputs))).all(), f"{command}: {name}"
        assert at == len(done.stdout)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_integers_are_those_of_the_reference(dtype: str, tmp_path: Path) -> None:
    Comparison(networks(dtype), tmp_path).check(
        f"{compiler()[0]} -std=c99 -O1 -Wall -Wextra -pedantic"
    )


def sweep() -> list[Any]:
    options = ("-O3", "-Os -DCYGRAD_SOFT_FMA", "-O2 -fsanitize=undefined", "-O3 -march=native")
    found = []
    for number, (target, (_, runner)) in enumerate(TARGETS.items()):
        for option in options[: 2 if runner else 4]:
            sample = option == options[number % 2]
            found.append(
                pytest.param(
                    target, option, marks=pytest.mark.slow if sample else pytest.mark.sweep
                )
            )
    return found


@pytest.mark.parametrize(("target", "options"), sweep())
def test_the_integers_on_each_target(target: str, options: str, tmp_path: Path) -> None:
    command, runner = TARGETS[target]
    if not compiles(f"{command} {options}", runner):
        pytest.skip(f"{command} {options} {runner} is not here")
    nets = {**networks("float32"), "norms_float64": with_norms("float64")}
    Comparison(nets, tmp_path).check(f"{command} {options}", runner)


def test_the_reference_is_the_arithmetic_that_is_described() -> None:
    net = with_norms("float32")
    made = in_integers(net, samples(5))
    x = samples(5)[3].astype(np.float64)
    q = [
        min(max(int(np.floor((value - low) * rate + 0.5)) - 128, -128), 127)
        for value, low, rate in zip(x, made.low, made.rate, strict=True)
    ]
    for layer in made.layers:
        z = []
        for row, bias, factor, shift in zip(
            layer.weights.tolist(), layer.biases.tolist(), layer.factors.tolist(),
            layer.shifts.tolist(), strict=True,
        ):  # fmt: skip
            acc = sum(a * b for a, b in zip(row, q, strict=True)) + bias
            assert abs(acc) < 2**31
            z.append((acc * factor + 2 ** (shift - 1)) // 2**shift + layer.zero)
        q = z
        if layer is not made.layers[-1]:
            q = [min(max(each, -128), 127) for each in z]
        if layer.table is not None:
            q = [int(layer.table[each + 128]) for each in q]
    assert made.integers(x[np.newaxis])[0].tolist() == q


def test_a_layer_that_integers_hold_is_exact() -> None:
    """Weights, inputs and sums are integers times the steps of their ranges."""
    net = cg.Network(2, [cg.Dense(2, "relu"), cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    net.layers[0].weights = [[127.0, -3.0], [1.0, 127.0]]
    net.layers[0].biases = [12.0, -7.0]
    X = np.array([[-128.0, 127.0], [127.0, -128.0], [0.0, 0.0], [1.0, 2.0], [5.2, -7.7]])
    made = in_integers(net, X)
    first = made.layers[0]
    assert first.weights.tolist() == [[127, -3], [1, 127]]
    # Of inputs from −128 to 127 the middle is 0, and the unit 1.
    assert first.biases.tolist() == [12, -7]
    highest = (X[:4] @ net.layers[0].weights.T + net.layers[0].biases).max()
    assert first.zero == -128
    ratios = first.factors / 2.0**first.shifts
    np.testing.assert_allclose(ratios, 255 / highest, rtol=2**-30)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "silu"])
def test_little_accuracy_is_lost(activation: str, tmp_path: Path) -> None:
    X, y = (each[:600] for each in cg.datasets.load_digits())
    layers = [cg.Dense(16, activation), cg.Dense(16, activation), cg.Dense(10, "softmax")]
    net = cg.Network(64, layers, loss="cross_entropy", rng=0)
    net.standardize_inputs(X)
    cg.Trainer(net, cg.Adam(0.01), batch_size=32, rng=0).fit(X, y, epochs=20, verbose=False)
    header = to_c(net, tmp_path / "net.h", quantize="int8", X=X, verify=False)
    accuracy = header.accuracy
    assert accuracy is not None
    assert accuracy.rows == 600
    assert accuracy.agreement is not None
    assert accuracy.agreement >= 0.98
    assert 0 < accuracy.mean < 0.01
    outputs = in_integers(net, X).outputs(X)
    expected = net.forward(X)
    assert accuracy.largest == np.abs(outputs.astype(float) - expected).max()
    assert accuracy.mean == np.abs(outputs.astype(float) - expected).mean()
    share = (outputs.argmax(axis=1) == net.predict(X)).mean()
    assert accuracy.agreement == share
    assert "8-bit integers over 600 samples: largest difference " in str(header)
    plain = to_c(net, tmp_path / "plain.h", verify=False)
    assert plain.accuracy is None
    # Bytes for the inputs and 16 units, integers and numbers for the outputs.
    assert header.buffers == 64 + 16 + 10 * (4 + 4)
    assert header.constants < plain.constants


@needs_compiler
@pytest.mark.parametrize("numbers", ["standard", "robust"])
def test_columns_and_quantities_have_their_unit(numbers: str, tmp_path: Path) -> None:
    net, table = with_encoder(numbers, ("float32", "float32"))
    header = to_c(net, tmp_path / "net.h", quantize="int8", X=table)
    assert header.test is not None
    assert header.test.passed
    assert header.accuracy is not None
    assert header.accuracy.rows == 40
    spread = net.predict(table).max() - net.predict(table).min()
    assert header.accuracy.largest < 0.1 * spread
    assert plain_c.verify(tmp_path / "net.h", net).test == header.test


def test_layers_without_a_form_are_refused_by_name(tmp_path: Path) -> None:
    def refused(layers: list[Any]) -> str:
        net = cg.Network(5, layers, loss="mse", rng=0)
        with pytest.raises(ValueError, match="for quantize='int8'") as caught:
            to_c(net, tmp_path / "net.h", quantize="int8", X=samples(5))
        assert not list(tmp_path.iterdir())
        return str(caught.value)

    assert "layers[1] (layer_norm) has no form" in refused([cg.Dense(3), cg.LayerNorm()])
    block = cg.Residual([cg.Dense(4, "tanh")])
    assert "layers[2] (residual_sum) has no form" in refused([cg.Dense(4), block, cg.Dense(1)])
    message = refused([cg.Dense(3, "tanh"), cg.BatchNorm("relu"), cg.Dense(1)])
    assert "layers[1] (batch_norm) with an activation" in message
    assert "layers[1] (scaling) has no dense" in refused([cg.Dense(3, "tanh"), cg.Scaling()])


def test_sums_that_could_overflow_are_refused() -> None:
    count = 2**31 // (127 * 128) + 1
    net = cg.Network(count, [cg.Dense(1)], loss="mse", rng=0)
    net.layers[0].weights = np.ones((1, count))
    X = np.stack([-np.ones(count), np.ones(count)])
    with pytest.raises(ValueError, match=r"layers\[0\] \(dense\) has sums up to 2,1.*too many"):
        in_integers(net, X)
    fewer = cg.Network(130_000, [cg.Dense(1)], loss="mse", rng=0)
    fewer.layers[0].weights = np.ones((1, 130_000))
    outputs = in_integers(fewer, X[:, :130_000]).outputs(X[:, :130_000])
    np.testing.assert_allclose(outputs[:, 0], [-130_000, 130_000], rtol=1e-2)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((3, 4)), r"shape \(3, 4\), expected numbers of shape \(n, 5\)"),
        (np.zeros(5), r"shape \(5,\)"),
        (np.zeros((0, 5)), "X has no rows"),
        (np.full((2, 5), np.nan), "X holds NaN"),
        (np.array([["a"] * 5]), "X has dtype"),
    ],
)
def test_samples_are_checked(X: np.ndarray, message: str, tmp_path: Path) -> None:
    net = network([cg.Dense(1)], "float32")
    with pytest.raises(ValueError, match=message):
        to_c(net, tmp_path / "net.h", quantize="int8", X=X)
    assert not list(tmp_path.iterdir())


def test_arguments_belong_together(tmp_path: Path) -> None:
    net = network([cg.Dense(1)], "float32")
    with pytest.raises(TypeError, match="X is None, expected samples"):
        to_c(net, tmp_path / "net.h", quantize="int8")
    with pytest.raises(TypeError, match="X is given, expected None without quantize"):
        to_c(net, tmp_path / "net.h", X=samples(5))
    with pytest.raises(ValueError, match="quantize is 'int4'"):
        to_c(net, tmp_path / "net.h", quantize="int4", X=samples(5))  # type: ignore[arg-type]


@needs_compiler
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_header_is_verified_against_its_network(quantize: Any, tmp_path: Path) -> None:
    net = with_norms("float32")
    path = tmp_path / "net.h"
    given = {} if quantize is None else {"quantize": quantize, "X": samples(5)}
    header = to_c(net, path, name="m_2", **given)
    found = plain_c.verify(path, net)
    assert found.test == header.test
    assert found.constants == header.constants
    assert found.notes == ("the same text as that of the network",)


def test_only_code_that_is_made_here_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> None:
        raise AssertionError("a program was run")

    monkeypatch.setattr(plain_c, "run_self_test", never)
    net = with_norms("float32")
    path = tmp_path / "net.h"
    to_c(net, path, quantize="int8", X=samples(5), verify=False)
    text = path.read_text()
    for changed, message in (
        (text.replace("return 1;", "return system(0);", 1), r"line \d+ is another one"),
        (text + "\n", r"line \d+ is another one"),
        (text[: len(text) // 2], r"line \d+ is another one"),
        ("int main(void) { return 0; }\n", "is no header of cygrad"),
        ("", "is no header of cygrad"),
        (re.sub(r'("low":[\s*]+\[)', r"\g<1>1e9, ", text), "the ranges of the header are damaged"),
        (re.sub(r'("layers":[\s*]+\[\[)', r"\g<1>NaN, ", text), "the ranges of the header"),
        (re.sub(r'("layers":[\s*]+\[).*?\]\]', r"\g<1>]", text, flags=re.S), "another network"),
    ):
        assert changed != text
        path.write_text(changed)
        with pytest.raises(ValueError, match=message):
            plain_c.verify(path, net)
    path.write_text(text)
    other = with_norms("float32")
    other.layers[1].biases = other.layers[1].biases + 1
    with pytest.raises(ValueError, match="is not the header of this network"):
        plain_c.verify(path, other)


def test_ranges_come_back_from_the_text(tmp_path: Path) -> None:
    net = with_norms("float64")
    to_c(net, tmp_path / "net.h", quantize="int8", X=samples(5), verify=False)
    ranges = in_integers(net, samples(5)).ranges
    found = ranges_in((tmp_path / "net.h").read_text())
    assert found is not None
    assert json.dumps(found.to_values()) == json.dumps(ranges.to_values())
    to_c(net, tmp_path / "plain.h", verify=False)
    assert ranges_in((tmp_path / "plain.h").read_text()) is None


@needs_compiler
def test_the_self_test_finds_another_integer(tmp_path: Path) -> None:
    net = with_norms("float32")
    to_c(net, tmp_path / "net.h", quantize="int8", X=samples(5))
    text = (tmp_path / "net.h").read_text()
    test, _ = plain_c.run_self_test(text, "net", 8)
    assert test is not None
    assert test.passed
    changed = re.sub(r"(net_expected_integers\[\d+\] = \{\n +)-?\d+", r"\g<1>7", text)
    assert changed != text
    with pytest.raises(RuntimeError, match="other"):
        _run_strictly(changed)


def _run_strictly(text: str) -> None:
    test, _ = plain_c.run_self_test(text, "net", 8)
    if test is None or not test.passed:
        raise RuntimeError("other bits")
