"""The command line: networks with layers that are not dense."""

from __future__ import annotations

import json
from pathlib import Path

import layer_cases
import numpy as np
import pytest

import cygrad as cg
from cygrad.cli import main
from cygrad.cli.report import settings
from cygrad.cli.summary import layer_texts, sizes_text


@pytest.mark.parametrize("name", layer_cases.LAYERS)
def test_every_network_is_described_and_predicts(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    net = layer_cases.network(name)
    X, _ = layer_cases.samples(rows=4)
    model, data = tmp_path / "model.npz", tmp_path / "data.npy"
    net.save(model)
    np.save(data, X)
    assert main(["info", str(model), "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert [layer["kind"] for layer in described["layers"]] == [each.kind for each in net.layers]
    assert main(["info", str(model)]) == 0
    assert ", ".join(layer_texts(net)) in capsys.readouterr().out
    assert main(["predict", str(model), str(data), "--probabilities"]) == 0
    rows = [line.split(",") for line in capsys.readouterr().out.splitlines()[1:]]
    np.testing.assert_array_equal(np.array(rows, float)[:, 1:], net.forward(X))


def test_layers_in_words() -> None:
    net = layer_cases.network("all")
    assert sizes_text(net) == "5-33-33-33-33-3"
    assert layer_texts(net)[:5] == [
        "dropout 0.1", "33 relu", "batch norm tanh", "dropout 0.1", "33 identity",
    ]  # fmt: skip
    assert layer_texts(net)[-2:] == ["residual sum tanh", "3 softmax"]
    net = layer_cases.network("scaling")
    assert layer_texts(net)[:3] == ["33 relu", "scaling tanh", "scaling"]


def test_the_report_has_a_row_for_every_layer() -> None:
    pytest.importorskip("matplotlib", reason="the report needs matplotlib, of the extra plot")
    net = layer_cases.network("all")
    (section,) = settings.network(net)
    for text in (
        "dropout 0.1</td>",
        "batch norm, tanh, ",
        "residual sum, tanh, ",
        "noise 0.1</td>",
    ):
        assert text in section
    layers = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
    (section,) = settings.network(layers)
    assert "identity, z</td>" in section
