"""``cygrad export``, ``import`` and ``verify``."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from test_exchange_fann import INPUTS, OUTPUTS, SCALES, text
from test_exchange_opencv import xml

import cygrad as cg
from cygrad.cli import main
from cygrad.cli.arguments_as_options import translated
from cygrad.exchange import formats
from cygrad.tables import Encoder


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def failure(capsys, *argv):
    """Return the one line of an error."""
    assert main(argv) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    return lines[0]


def model(path="model.npz", **options):
    net = cg.Network(3, [cg.Dense(4, "tanh"), cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.standardize_inputs(np.random.default_rng(0).normal(size=(9, 3)))
    net.save(path)
    return net


def test_a_model_goes_there_and_back(capsys):
    pytest.importorskip("safetensors", reason="needs the extra safetensors")
    net = model()
    assert main(["export", "model.npz", "net.safetensors"]) == 0
    assert "8 samples, largest difference 0 " in capsys.readouterr().out
    assert main(["verify", "net.safetensors"]) == 0
    assert capsys.readouterr().out.startswith("net.safetensors: safetensors ")
    assert main(["import", "net.safetensors", "back.npz"]) == 0
    np.testing.assert_array_equal(cg.load("back.npz").parameters, net.parameters)
    assert main(["export", "model.npz", "net.safetensors", "--lossy"]) == 0
    assert "--lossy changes nothing" in capsys.readouterr().err


def test_a_changed_file_does_not_pass(capsys):
    pytest.importorskip("safetensors", reason="needs the extra safetensors")
    from safetensors.numpy import save

    from cygrad.exchange.safetensors import _read

    model()
    assert main(["export", "model.npz", "net.safetensors"]) == 0
    tensors, header = _read("net.safetensors")
    tensors["layers.0.bias"] = tensors["layers.0.bias"] + 1
    with open("net.safetensors", "wb") as file:
        file.write(save(tensors, {"cygrad": json.dumps(header)}))
    capsys.readouterr()
    assert "more than rounding explains" in failure(capsys, "verify", "net.safetensors")


def test_options_tell_what_a_file_does_not(capsys):
    with open("some.net", "w") as file:
        file.write(text(4, SCALES))
    assert "expected --scale, for numbers" in failure(
        capsys, "import", "some.net", "net.npz", "--lossy"
    )
    command = ["import", "some.net", "net.npz", "--lossy", "--no-scale", "--dtype", "float32"]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["dtype"] == "float32"
    net = cg.load("net.npz")
    np.testing.assert_allclose(net.forward(INPUTS), OUTPUTS[4], atol=0.08)


def test_messages_have_the_options_and_the_file(capsys):
    table = {"x": np.arange(6.0), "color": np.array(list("rgbrgb"), object), "y": np.arange(6.0)}
    encoder = Encoder("y").fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    net.save("table.npz")
    line = failure(capsys, "export", "table.npz", "table.h")
    assert line.startswith("cygrad: table.npz: the encoder of the network has the category 'color'")
    assert "expected --lossy, for" in line
    translations = {
        "expected activations=, such as 'relu'": "expected --activations, such as 'relu'",
        "expected loss='hinge'": "expected --loss 'hinge'",
        "or scale=False, for": "or --no-scale, for",
    }
    for text_, expected in translations.items():
        assert translated(text_) == expected


def test_a_compiler_that_fails_is_named_in_one_line(capsys, monkeypatch):
    if shutil.which("false") is None:
        pytest.skip("needs the program false")
    model()
    monkeypatch.setenv("CC", "false")
    line = failure(capsys, "export", "model.npz", "net.h")
    assert line.startswith("cygrad: net.h is not written, its test failed: false -std=c99 ")
    assert not pathlib.Path("net.h").exists()
    assert main(["export", "model.npz", "net.h", "--no-verify"]) == 0
    assert pathlib.Path("net.h").exists()
    assert "the self-test did not run" in capsys.readouterr().out
    assert "--no-verify: not for net.onnx" in failure(
        capsys, "export", "model.npz", "net.onnx", "--no-verify"
    )


def test_opencv(capsys):
    with open("some.xml", "w") as file:
        file.write(xml("GAUSSIAN"))
    assert main(["import", "some.xml", "net.npz", "--loss", "huber"]) == 0
    assert cg.load("net.npz").loss == "huber"
    assert "gaussian" in capsys.readouterr().out


def test_errors_are_one_line_and_nothing_is_written(capsys, tmp_path):
    model()
    message = failure(capsys, "export", "model.npz", "net.pkl")
    assert "is a pickle, which can run any code" in message
    assert ".safetensors (safetensors)" in failure(capsys, "export", "model.npz", "net.txt")
    assert "expected" in failure(capsys, "export", "model.npz", "some.net")  # is only read
    assert "expected" in failure(capsys, "verify", "some.net")
    with open("some.net", "w") as file:
        file.write(text())
    message = failure(capsys, "import", "some.net", "net.npz", "--eps", "0.1")
    assert "--eps: not for some.net" in message
    assert "is the file" in failure(capsys, "import", "some.net", "some.net")
    assert "No such file" in failure(capsys, "import", "other.net", "net.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "some.net"]


def test_a_missing_library_is_named(capsys, monkeypatch):
    from cygrad.exchange import libraries

    def missing(name):
        raise ModuleNotFoundError("none", name=name.partition(".")[0])

    monkeypatch.setattr(libraries, "import_module", missing)
    model()
    message = failure(capsys, "export", "model.npz", "net.safetensors")
    assert message.endswith("safetensors is not installed: pip install 'cygrad[safetensors]'")


def test_every_format_has_its_functions():
    for each in formats.FORMATS:
        module = formats._module(each)
        for name in filter(None, (each.writer, each.reader)):
            assert getattr(cg.exchange, name) is getattr(module, name)
        assert hasattr(module, "verify") == each.has_samples
        assert each.has_samples or not each.is_code


def test_c(capsys):
    model()
    assert main(["export", "model.npz", "net.h"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("net.h: constants ")
    with open("net.h") as file:
        assert "net_predict" in file.read()
    assert main(["verify", "net.h", "--model", "model.npz"]) == 0
    assert "the same text as that of the network" in capsys.readouterr().out
    message = failure(capsys, "verify", "net.h")
    assert "is code, which is compiled and run only if it is that of a network" in message
    assert message.endswith("expected --model")
    with open("net.h", "a") as file:
        file.write("int more;\n")
    message = failure(capsys, "verify", "net.h", "--model", "model.npz")
    assert "is not the header of this network" in message
    assert "--model is for code" in failure(
        capsys, "verify", "net.safetensors", "--model", "model.npz"
    )


def test_c_in_integers(capsys):
    model()
    X = np.random.default_rng(1).normal(size=(30, 3))
    np.savetxt("samples.csv", X, delimiter=",")
    command = ["export", "model.npz", "net.h", "--quantize", "int8", "--data", "samples.csv"]
    assert main([*command, "--no-header"]) == 0
    out = capsys.readouterr().out
    assert "8-bit integers over 30 samples: largest difference 0.0" in out
    assert "% in the same class" in out
    assert main(["verify", "net.h", "--model", "model.npz"]) == 0
    capsys.readouterr()
    assert "expected --data" in failure(capsys, *command[:5])
    assert "only for --quantize" in failure(capsys, *command[:3], "--data", "samples.csv")
    assert "not for net.onnx" in failure(
        capsys, "export", "model.npz", "net.onnx", *command[3:], "--no-header"
    )
    assert "is the data" in failure(capsys, "export", "model.npz", "samples.csv", *command[3:])


def test_a_wide_table_is_no_obstacle_to_integers(capsys):
    words = np.array([f"word{index:03}" for index in range(300)], object)
    table = {"word": words[np.arange(900) % 300], "y": np.arange(900.0)}
    encoder = Encoder("y").fit(table)
    assert encoder.is_sparse
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    net.save("table.npz")
    with open("table.csv", "w") as file:
        file.write("word\n" + "\n".join(table["word"]) + "\n")
    command = ["export", "table.npz", "net.h", "--quantize", "int8", "--data", "table.csv"]
    assert "expected --lossy" in failure(capsys, *command)
    assert main([*command, "--lossy"]) == 0
    assert "8-bit integers over 900 samples" in capsys.readouterr().out


def test_an_ensemble_is_no_model_to_verify_with(capsys):
    cg.Ensemble([model(), model()]).save("both.npz")
    message = failure(capsys, "verify", "net.h", "--model", "both.npz")
    assert message.startswith("cygrad: 'both.npz' is an ensemble of 2 networks")
