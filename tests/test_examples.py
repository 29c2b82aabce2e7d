"""The examples in the docstrings give what they say.

Those of `plotting` use names from around them, such as `trainer`, and are not run.
"""

import doctest
import importlib
import pkgutil

import pytest

import cygrad

#: The extras of some modules, by the beginning of their names.
NEEDED = {
    "cygrad.distributed": "mpi4py",
    "cygrad.exchange.comparison": "torch",
    "cygrad.exchange.keras.writing": "keras",
    "cygrad.exchange.onnx": "onnx",
    "cygrad.exchange.safetensors": "safetensors",
    "cygrad.exchange.sklearn": "sklearn",
    "cygrad.exchange.torch": "torch",
    "cygrad.sklearn": "sklearn",
    "cygrad.training.lbfgs": "scipy",
}


def modules_with_examples() -> list[str]:
    names = [module.name for module in pkgutil.walk_packages(cygrad.__path__, "cygrad.")]
    skipped = ("cygrad._engine", "cygrad.plotting", "cygrad.__main__")
    return ["cygrad", *(name for name in names if not name.startswith(skipped))]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples(name, tmp_path, monkeypatch):
    for beginning, extra in NEEDED.items():
        if name.startswith(beginning):
            pytest.importorskip(extra, reason=f"the examples need the extra {extra}")
    monkeypatch.chdir(tmp_path)  # some write files
    gates = dict(cygrad.graph.GATES)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=flags)
    for added in cygrad.graph.GATES.keys() - gates:  # by an example: it would stay for all tests
        del cygrad.graph.GATES[added]
    assert failed == 0
