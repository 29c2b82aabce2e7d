"""Networks as plain C give the same bits, with each compiler and on each processor that is here.

One C program includes the headers of many networks, reads samples from standard input and writes
the outputs; they are compared with those of the engine, bit by bit.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import ACTIVATIONS, OTHER_ACTIVATIONS

import cygrad as cg
from cygrad.exchange import plain_c, to_c
from cygrad.exchange.plain_c import functions, literals, verification
from cygrad.exchange.plain_c.verification import compiler
from cygrad.tables import Encoder

needs_compiler = pytest.mark.skipif(compiler() is None, reason="there is no C compiler")
DTYPES = ("float32", "float64")


def numbers(dtype: str, count: int, columns: int) -> np.ndarray:
    """Return samples of all sizes: usual ones, tiny and denormal ones, large ones, zeros."""
    random = np.random.default_rng(count)
    info = np.finfo(dtype)
    usual = random.normal(0, 3, (count, columns))
    exponents = random.uniform(info.minexp - info.nmant, 12, (count, columns))
    spread = random.choice([-1.0, 1.0], (count, columns)) * np.exp2(exponents)
    edge = random.choice([-1.0, 1.0], (count, columns)) * np.exp2(
        random.uniform(info.minexp - 3, info.minexp + 3, (count, columns))
    )
    large = random.normal(0, 1, (count, columns)) * 2.0 ** random.uniform(
        3, 0.9 * info.maxexp, (count, 1)
    )
    tails = random.uniform(-1, 1, (count, columns)) * (110 if dtype == "float32" else 760)
    zero = np.zeros((1, columns))
    X = np.concatenate([usual, spread, edge, large, tails, zero, -zero])
    return X.astype(dtype)


def one_activation(activation: str, dtype: str) -> cg.Network:
    """Return a network of two layers that gives σ(x), and σ of sums."""
    name, _, parameter = activation.partition(" ")
    chosen = getattr(cg.activations, name)
    layer = chosen(float(parameter)) if parameter else chosen()
    net = cg.Network(1, [cg.Dense(3, layer)], loss="mse", dtype=dtype, rng=1)
    net.layers[0].weights = [[1.0], [0.7], [-1.3]]
    net.layers[0].biases = [0.0, 0.0, 0.1]
    return net


def of_all_layers(dtype: str, seed: int = 0) -> cg.Network:
    block = cg.Residual(
        [cg.Dense(41, "tanh"), cg.Residual([cg.LayerNorm("relu"), cg.Dense(41)], "softsign")]
    )
    layers = [
        cg.Dense(41, "gelu"), cg.BatchNorm("tanh"), cg.Dropout(0.5), block, cg.GaussianNoise(0.1),
        cg.Residual([cg.Dropout(0.1)]), cg.LayerNorm(), cg.Dense(5, "elu", use_bias=False),
        cg.Residual([cg.BatchNorm("sigmoid")]),
    ]  # fmt: skip
    net = cg.Network(
        4, [*layers, cg.Dense(37, "softmax")], loss="cross_entropy", dtype=dtype, rng=seed
    )
    random = np.random.default_rng(seed)
    net.parameters = net.parameters + random.normal(0, 0.1, net.n_parameters)
    for index in (1, len(net.layers) - 3):
        units = len(net.layers[index].running_mean)
        net.layers[index].running_mean = random.normal(size=units)
        net.layers[index].running_variance = random.uniform(0.5, 2, units)
    return net


def standardized(dtype: str) -> cg.Network:
    net = cg.Network(4, [cg.Dense(9, "silu"), cg.Dense(2)], loss="mse", dtype=dtype, rng=3)
    net.standardize_inputs(np.random.default_rng(3).normal(1e3, [1, 2, 3, 1e-3], (30, 4)))
    return net


def tiny_sums(dtype: str) -> cg.Network:
    """Return a network whose sums are near the smallest normal number."""
    net = cg.Network(4, [cg.Dense(19), cg.LayerNorm(), cg.Dense(2)], loss="mse", dtype=dtype, rng=4)
    least = float(np.finfo(dtype).smallest_normal)
    random = np.random.default_rng(4)
    net.layers[0].weights = random.normal(0, 3 * least, (19, 4))
    net.layers[0].biases = random.normal(0, 1, 19) * least * np.exp2(random.uniform(-9, 9, 19))
    return net


NETWORKS = {
    "all_layers": of_all_layers, "standardized": standardized, "tiny_sums": tiny_sums,
}  # fmt: skip


def networks(dtype: str) -> dict[str, cg.Network]:
    """Return networks by names for C."""
    activations = {
        "a_" + re.sub(r"\W", "_", each): one_activation(each, dtype)
        for each in (*ACTIVATIONS, *OTHER_ACTIVATIONS)
        if each != "softmax"
    }
    found = {**activations, **{name: make(dtype) for name, make in NETWORKS.items()}}
    return {f"{name}_{dtype}": net for name, net in found.items()}


PROGRAM = """
#include <stdio.h>
{includes}
#define RUN(NAME, COLUMNS, OUTPUTS)                                      \\
    {{                                                                    \\
        NAME##_input x[COLUMNS];                                         \\
        NAME##_output y[OUTPUTS];                                        \\
        int row, rows;                                                   \\
        if (scanf("%d", &rows) != 1) return 1;                           \\
        getchar();                                                       \\
        for (row = 0; row < rows; row++) {{                               \\
            read_numbers(x, sizeof x[0], COLUMNS);                       \\
            NAME##_predict(x, y);                                        \\
            write_numbers(y, sizeof y[0], OUTPUTS);                      \\
        }}                                                                \\
    }}
static int swapped(void) {{ const int one = 1; return *(const char *)&one == 0; }}
static void read_numbers(void *to, size_t size, int count)
{{
    unsigned char *bytes = (unsigned char *)to;
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            bytes[i * size + (swapped() ? size - 1 - k : k)] = (unsigned char)getchar();
}}
static void write_numbers(const void *from, size_t size, int count)
{{
    const unsigned char *bytes = (const unsigned char *)from;
    for (int i = 0; i < count; i++)
        for (size_t k = 0; k < size; k++)
            putchar(bytes[i * size + (swapped() ? size - 1 - k : k)]);
}}
int main(void)
{{
{calls}
    return 0;
}}
"""


class Comparison:
    """Headers of networks, a program that includes them, samples and the outputs of the engine."""

    def __init__(self, nets: dict[str, cg.Network], folder: Path, rows: int) -> None:
        self.folder, self.expected, self.data = folder, {}, b""
        for name, net in nets.items():
            to_c(net, folder / f"{name}.h", name=name, verify=False)
            X = numbers(net.dtype, rows, net.inputs)
            with np.errstate(all="ignore"):
                self.expected[name] = net.forward(X)
            self.data += f"{len(X)}\n".encode() + X.astype(X.dtype.newbyteorder("<")).tobytes()
        text = PROGRAM.format(
            includes="\n".join(f'#include "{name}.h"' for name in nets),
            calls="\n".join(
                f"    RUN({name}, {net.inputs}, {net.outputs})" for name, net in nets.items()
            ),
        )
        for ending in ("c", "cpp"):
            (folder / f"program.{ending}").write_text(text)

    def check(self, command: str, runner: str = "") -> None:
        """Compile with a command, run the program, and compare the bits."""
        source = "program.cpp" if "++" in command else "program.c"
        words = [*command.split(), source, "-o", "program", "-lm"]
        built = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        assert built.returncode == 0, built.stderr[-3000:]
        assert not built.stderr, built.stderr[:3000]
        run = [*runner.split(), "./program"]
        done = subprocess.run(
            run, cwd=self.folder, input=self.data, capture_output=True, check=True
        )
        at = 0
        for name, expected in self.expected.items():
            found = np.frombuffer(
                done.stdout, expected.dtype.newbyteorder("<"), expected.size, at
            ).reshape(expected.shape)
            at += expected.nbytes
            bits = f"<u{expected.itemsize}"
            same = found.view(bits) == expected.astype(found.dtype).view(bits)
            same |= np.isnan(found) & np.isnan(expected)
            rows = np.flatnonzero(~same.all(axis=1))
            assert not len(rows), (
                f"{command}: {name} differs in {len(rows)} rows, first {rows[0]}: "
                f"{found[rows[0]]} for {expected[rows[0]]}"
            )
        assert at == len(done.stdout)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_are_those_of_the_engine(dtype: str, tmp_path: Path) -> None:
    comparison = Comparison(networks(dtype), tmp_path, 60)
    comparison.check(f"{compiler()[0]} -std=c99 -O0 -Wall -Wextra -pedantic")


def compiled(text: str, folder: Path, options: str = "-O1", data: bytes = b"") -> bytes:
    """Compile a C program, run it with standard input, and return what it writes."""
    (folder / "made.c").write_text(text)
    words = [*compiler(), *options.split(), "made.c", "-o", "made", "-lm"]
    built = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        raise RuntimeError(built.stderr)
    return subprocess.run(
        ["./made"], cwd=folder, input=data, capture_output=True, check=True
    ).stdout


TRIPLES = """
{parts}
int main(void)
{{
    {real} x[3], y;
    while (fread(x, sizeof x[0], 3, stdin) == 3) {{
        y = {call};
        fwrite(&y, sizeof y, 1, stdout);
    }}
    return 0;
}}
"""


def triples(dtype: str) -> np.ndarray:
    """Return numbers of all exponents, with sums that cancel and results that are denormal."""
    random = np.random.default_rng(5)
    bits = np.uint32 if dtype == "float32" else np.uint64
    info, count = np.finfo(dtype), 30_000
    any_bits = random.integers(0, np.iinfo(bits).max, (count, 3), bits, True).view(dtype)
    near = random.normal(size=(count, 3)).astype(dtype)
    near[:, 2] = -(near[:, 0] * near[:, 1]) * (1 + random.integers(-3, 4, count) * info.eps)
    tiny = random.normal(size=(count, 3)) * np.exp2(random.uniform(-9, 9, (count, 3)))
    tiny[:, 0] *= 2.0 ** (info.minexp // 2 - info.nmant // 2)
    tiny[:, 1] *= 2.0 ** (info.minexp // 2)
    tiny[:, 2] *= 2.0 ** (info.minexp - info.nmant // 2)
    small = random.integers(-3, 4, (count, 3)).astype(dtype)
    special = random.choice(
        np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1, -1, info.max, info.smallest_subnormal]),
        (count, 3),
    )
    return np.concatenate([each.astype(dtype) for each in (any_bits, near, tiny, small, special)])


def equal_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    bits = f"u{a.itemsize}"
    return (a.view(bits) == b.view(bits)) | (np.isnan(a) & np.isnan(b))


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_fma_in_integers_is_that_of_the_library(dtype: str, tmp_path: Path) -> None:
    width, real = ("32", "float") if dtype == "float32" else ("64", "double")
    template = (Path(plain_c.__file__).parent / "templates" / f"fma{width}.h").read_text()
    head = "#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
    head += "#define CYGRAD_SOFT_FMA\n#define NET_SHARED static\n#define NET_INLINE static\n"
    data = triples(dtype)
    results = []
    for call in (f"net_fma{width}(x[0], x[1], x[2])", f"fma{width[3:]}(x[0], x[1], x[2])"):
        called = call if call.startswith("net") or real == "double" else call.replace("fma", "fmaf")
        text = TRIPLES.format(parts=head + template, real=real, call=called)
        written = compiled(text, tmp_path, "-std=c99 -O1", data.tobytes())
        results.append(np.frombuffer(written, dtype))
    assert len(results[0]) == len(data)
    assert equal_bits(*results).all()


@needs_compiler
def test_the_root_is_rounded_once(tmp_path: Path) -> None:
    template = (Path(plain_c.__file__).parent / "templates" / "root.h").read_text()
    head = "#include <float.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n"
    text = TRIPLES.format(
        parts=f"{head}#define NET_SHARED static\n{template}",
        real="double",
        call="net_wide_root(x[0])",
    )
    x = np.abs(triples("float64").ravel())
    x = x[x >= np.finfo("float64").smallest_normal]
    x = np.concatenate([x, np.arange(1.0, 500) ** 2, np.nextafter(np.arange(1.0, 500) ** 2, 0)])
    written = compiled(text, tmp_path, "-std=c99 -O1", np.repeat(x, 3).tobytes())
    assert equal_bits(np.frombuffer(written), np.sqrt(x)).all()


def with_encoder(numbers: str, dtypes: tuple[str, str], **arguments: object) -> tuple:
    random = np.random.default_rng(6)
    table = {
        "size */ \\": random.normal(100, 20, 40),
        "flag": random.integers(0, 2, 40),
        "grösse": np.exp(random.normal(3, 2, 40)),
        "price": np.exp(random.normal(3, 1, 40)),
        "weight": random.normal(-5, 2, 40),
    }
    targets = arguments.pop("targets", ["price", "weight"])
    encoder = Encoder(targets, numbers=numbers, dtype=dtypes[0], **arguments).fit(table)
    net = cg.Network(
        encoder.inputs, [cg.Dense(5, "tanh"), cg.Dense(encoder.outputs)], loss="mse",
        dtype=dtypes[1], rng=0,
    )  # fmt: skip
    net.encoder = encoder
    return net, table


@needs_compiler
@pytest.mark.parametrize("numbers", ["standard", "robust", "none"])
@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float32", "float64"),
                                    ("float64", "float32"), ("float64", "float64")])  # fmt: skip
def test_columns_and_quantities_have_their_unit(
    numbers: str, dtypes: tuple[str, str], tmp_path: Path
) -> None:
    net, table = with_encoder(numbers, dtypes)
    if numbers == "standard":  # both scalings
        net.standardize_inputs(net.encoder.transform(table))
    header = to_c(net, tmp_path / "net.h")
    assert header.test is not None
    assert header.test.passed, header
    text = PROGRAM.format(includes='#include "net.h"', calls="    RUN(net, 3, 2)")
    columns = np.column_stack([table[name] for name in net.encoder.columns])
    columns = np.concatenate([columns, columns * 1e4, columns * 1e-30]).astype(np.float64)
    data = f"{len(columns)}\n".encode() + columns.tobytes()
    written = compiled(text, tmp_path, "-std=c99 -O2 -DNET_INPUT=double", data)
    found = np.frombuffer(written).reshape(len(columns), 2)
    other = dict(zip(net.encoder.columns, columns.T, strict=True))
    np.testing.assert_array_equal(found, net.predict(other))


@needs_compiler
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", DTYPES)
def test_booleans_have_their_scale(dtype: str, share: float, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    table = {"flag": (random.uniform(size=40) < share) * 1, "size": random.normal(5, 2, 40)}
    table["y"] = table["flag"] + table["size"]
    options = {"numbers": "robust", "categories": "robust", "dtype": dtype}
    encoder = Encoder("y", target_scale="none", **options).fit(table)
    net = cg.Network(2, [cg.Dense(3, "tanh"), cg.Dense(1)], loss="mse", dtype=dtype, rng=0)
    net.encoder = encoder
    assert net.encoder.encodings[0].scaling is not None
    header = to_c(net, tmp_path / "net.h")
    assert header.test is not None
    assert header.test.passed
    text = PROGRAM.format(includes='#include "net.h"', calls="    RUN(net, 2, 1)")
    columns = np.column_stack([table["flag"], table["size"]]).astype(np.float64)
    data = f"{len(columns)}\n".encode() + columns.tobytes()
    written = compiled(text, tmp_path, "-std=c99 -O2 -DNET_INPUT=double", data)
    found = np.frombuffer(written, dtype)
    np.testing.assert_array_equal(found, net.predict(table).astype(dtype))


def test_scales_of_booleans_that_are_not_exact_are_refused(tmp_path: Path) -> None:
    table = {"flag": np.arange(8) % 2, "y": np.arange(8.0)}
    net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
    encoder = Encoder("y", categories="robust").fit(table)
    config = encoder.config()
    config["columns"][0]["scaling"]["center"] = 0.1
    net.encoder = Encoder.from_config(config)
    with pytest.raises(ValueError, match=r"a scale of the boolean 'flag'.*lossy=True"):
        to_c(net, tmp_path / "net.h")


@needs_compiler
def test_logarithms_are_an_error_or_the_outputs(tmp_path: Path) -> None:
    net, _ = with_encoder("standard", ("float64", "float64"), targets="price", target_scale="log")
    with pytest.raises(ValueError, match=r"'log', whose inverse NumPy computes.*lossy=True"):
        to_c(net, tmp_path / "net.h")
    assert not list(tmp_path.iterdir())
    header = to_c(net, tmp_path / "net.h", lossy=True)
    assert header.test is not None
    assert header.test.passed


@needs_compiler
@pytest.mark.parametrize("outputs", [1, 3])
def test_classes_and_their_names(outputs: int, tmp_path: Path) -> None:
    loss = "cross_entropy" if outputs > 1 else "binary_cross_entropy"
    layer = cg.Dense(outputs, "softmax" if outputs > 1 else "sigmoid")
    net = cg.Network(2, [cg.Dense(4, "tanh"), layer], loss=loss, rng=0)
    net.classes = ("no", 'a "b"??/\\\n', "größe 7")[: max(outputs, 2)]
    to_c(net, tmp_path / "net.h", verify=False)
    X = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    text = """
#include "net.h"
#include <stdio.h>
int main(void)
{
    net_input x[2], nan[2];
    nan[0] = nan[1] = NAN;
    while (fread(x, sizeof x[0], 2, stdin) == 2) printf("%s\\t", net_class_names[net_class(x)]);
    printf("%d", net_class(nan));
    return 0;
}
"""
    *names, invalid = compiled(text, tmp_path, "-O1", X.tobytes()).decode().split("\t")
    assert names == [net.classes[index] for index in net.predict(X)]
    assert len(set(names)) > 1
    assert invalid == "-1"


def small() -> cg.Network:
    return cg.Network(3, [cg.Dense(4, "tanh"), cg.Dense(2)], loss="mse", rng=0)


@needs_compiler
def test_the_self_test_finds_another_bit(tmp_path: Path) -> None:
    path = tmp_path / "m_1.h"
    header = to_c(small(), path, name="m_1")
    assert header.test is not None
    assert (header.test.rows, header.test.difference, header.notes) == (8, 0.0, ())
    assert str(header).startswith(f"{path}: constants 104 bytes, arrays on the stack 28 bytes; ")
    text = path.read_text()
    weights = re.search(r"} m_1_weights_1 .*\n +0x([0-9a-f]{8})u", text)
    assert weights is not None
    other = f"{int(weights[1], 16) ^ 1:08x}"
    test, _ = verification.run_self_test(text.replace(weights[1], other, 1), "m_1", 8)
    assert test is not None
    assert 0 < test.difference < 1e-6
    assert not test.passed
    with pytest.raises(RuntimeError, match="m_1_dense"):
        verification.run_self_test(text.replace("m_1_dense(", "m_2_dense(", 1), "m_1", 8)


@needs_compiler
@pytest.mark.parametrize("options", ["-ffast-math", "-Ofast", "-ffinite-math-only"])
def test_a_compilation_with_other_arithmetic_is_an_error(options: str, tmp_path: Path) -> None:
    to_c(small(), tmp_path / "net.h", verify=False)
    with pytest.raises(RuntimeError, match="net: -ffast-math"):
        compiled('#include "net.h"\nint main(void) { return 0; }\n', tmp_path, options)


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")
def test_the_header_is_cxx(tmp_path: Path) -> None:
    Comparison({"a": of_all_layers("float32"), "b": standardized("float64")}, tmp_path, 10).check(
        "g++ -std=c++11 -O1 -Wall -Wextra -pedantic"
    )


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_size_on_the_stack_is_that_of_the_arrays(dtype: str, tmp_path: Path) -> None:
    header = to_c(of_all_layers(dtype), tmp_path / "net.h", verify=False)
    (tmp_path / "unit.c").write_text(
        '#include "net.h"\nvoid f(const net_input *x, net_output *y) { net_predict(x, y); }\n'
    )
    words = ["gcc", "-O2", "-fstack-usage", "-c", "unit.c", "-o", "unit.o"]
    subprocess.run(words, cwd=tmp_path, check=True)
    lines = [line.split("\t") for line in (tmp_path / "unit.su").read_text().splitlines()]
    used = {line[0].rsplit(":", 1)[-1]: int(line[1]) for line in lines}
    assert header.buffers <= used["net_compute"] <= header.buffers + 256
    assert max(size for name, size in used.items() if name != "net_compute") < 512
    for option, allowed in (("", {"fma", "fmaf"}), ("-DCYGRAD_SOFT_FMA", set())):
        subprocess.run([*words, *option.split()], cwd=tmp_path, check=True)
        listed = subprocess.run(
            ["nm", "-u", "unit.o"], cwd=tmp_path, capture_output=True, text=True
        )
        undefined = {line.split()[-1] for line in listed.stdout.splitlines()}
        # Copies of arrays, which a compiler may make of loops.
        assert undefined - {"memcpy", "memset", "memmove"} <= {*allowed, "_GLOBAL_OFFSET_TABLE_"}


def test_without_a_compiler_there_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    header = to_c(small(), tmp_path / "net.h")
    assert header.test is None
    assert "no C compiler (cc, gcc, clang, or CC)" in str(header)


def test_nothing_is_written_of_a_program_with_other_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = cg.exchange.SelfTest("cc", 8, 0.5, 0.0)
    monkeypatch.setattr(plain_c, "run_self_test", lambda *given: (failed, ""))
    with pytest.raises(RuntimeError, match=r"cc: 8 samples.*other bits than the network"):
        to_c(small(), tmp_path / "net.h")
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_fails_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("false") is None:
        pytest.skip("needs the program false")
    (tmp_path / "net.h").write_text("old")
    monkeypatch.setenv("CC", "false")
    with pytest.raises(RuntimeError, match=r"false -std=c99 .* ended with code 1"):
        to_c(small(), tmp_path / "net.h")
    assert (tmp_path / "net.h").read_text() == "old"
    header = to_c(small(), tmp_path / "net.h", verify=False)
    assert "net_predict" in (tmp_path / "net.h").read_text()
    assert isinstance(header, cg.exchange.Export)
    assert "as verify is False" in header.notes[0]


@pytest.mark.parametrize("name", ["", "1a", "a-b", "_a", "näme", "a b"])
def test_a_name_is_an_identifier(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a C identifier"):
        to_c(small(), tmp_path / "net.h", name=name)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_of_what_c_cannot_compute(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="name is 3"):
        to_c(small(), tmp_path / "net.h", name=3)  # type: ignore[arg-type]
    table = {"word": ["a", "b", "c", "a"], "y": [0.5, 1.5, 2.5, 3.0]}
    net = cg.Network(3, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = Encoder("y", keep=["word"]).fit(table)
    with pytest.raises(ValueError, match=r"the category 'word'.*lossy=True"):
        to_c(net, tmp_path / "net.h")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_activation_of_csrc_has_a_translation(dtype: str) -> None:
    from cygrad._engine import kernels

    for name in kernels.ACTIVATIONS:
        made = functions.Functions(dtype, "net")
        if name in made.source.values:
            assert made.activation(name) == f"net_activation_{name}"
            assert f"net_activation_{name}(" in made.text()
        else:
            assert (Path(plain_c.__file__).parent / "templates" / f"{name}.h").exists(), name


def test_literals_keep_their_bits() -> None:
    assert literals.literal(0.1, "float32") == "0.100000001f"
    assert literals.literal(-2.0, "float64") == "(-2.0)"
    assert literals.quoted('a"1é\n') == '"a\\0421\\303\\251\\012"'
    assert "*/" not in literals.comment("a */ b")


#: Compilers, what runs their programs, and options.
TARGETS = {
    "gcc": ("gcc", ""),
    "g++": ("g++ -std=c++11 -pedantic", ""),
    "clang": ("clang", ""),
    "clang++": ("clang++ -std=c++17", ""),
    "x86-32": ("gcc -m32 -msse2 -mfpmath=sse", ""),
    "aarch64": ("aarch64-linux-gnu-gcc -static", "qemu-aarch64"),
    "arm": ("arm-linux-gnueabi-gcc -static", "qemu-arm"),
    "riscv64": ("riscv64-linux-gnu-gcc -static", "qemu-riscv64"),
    "s390x": ("s390x-linux-gnu-gcc -static -fexcess-precision=fast", "qemu-s390x"),
}
OPTIONS = ("-O0", "-O2", "-O3", "-Os", "-O2 -DCYGRAD_SOFT_FMA")
X86_OPTIONS = (
    "-O3 -march=native", "-O2 -mfma -DCYGRAD_SOFT_FLUSH", "-O2 -mfma -DCYGRAD_SOFT_FMA",
)  # fmt: skip


def compiles(command: str, runner: str) -> bool:
    """Return whether a compiler, its C library and what runs its programs are here."""
    words = command.split()
    if not shutil.which(words[0]) or (runner and not shutil.which(runner)):
        return False
    language = "c++" if "++" in words[0] else "c"
    probe = [*words, "-x", language, "-", "-o", "/dev/null"]
    text = b"#include <stdio.h>\nint main(void) { return 0; }\n"
    return subprocess.run(probe, input=text, capture_output=True, check=False).returncode == 0


def sweep() -> list[Any]:
    """Return all targets, options and dtypes; one of each target is slow, the rest a sweep."""
    found = []
    for number, (target, (_, runner)) in enumerate(TARGETS.items()):
        options = (*OPTIONS, *(() if runner else X86_OPTIONS))
        sample = options[number % len(options)], DTYPES[number % 2]
        for combination in product(options, DTYPES):
            mark = pytest.mark.slow if combination == sample else pytest.mark.sweep
            found.append(pytest.param(target, *combination, marks=mark))
    return found


@pytest.mark.parametrize(("target", "options", "dtype"), sweep())
def test_the_bits_on_each_target(target: str, options: str, dtype: str, tmp_path: Path) -> None:
    command, runner = TARGETS[target]
    if not compiles(command, runner):
        pytest.skip(f"{command} {runner} is not here")
    Comparison(networks(dtype), tmp_path, 200).check(f"{command} {options}", runner)
