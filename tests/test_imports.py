"""A first prediction from a table is quick: nothing is imported that it does not need."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cygrad as cg

# What takes long to import, and what belongs to other rooms and formats.
NEEDLESS = {
    "asyncio",
    "bz2",
    "decimal",
    "gzip",
    "lzma",
    "matplotlib",
    "multiprocessing",
    "narwhals",
    "numpy.ma",
    "numpy.random",
    "numpy.testing",
    "numpy.typing",
    "pandas",
    "pyarrow",
    "scipy",
    "statistics",
    "shutil",
    "tqdm",
    "zipfile",
    *(
        f"cygrad.{name}"
        for name in (
            "config",
            "datasets",
            "exchange",
            "experiments",
            "gradcheck",
            "graph",
            "plotting",
            "reference",
            "sklearn",
            "training",
            "tables.array_files",
            "tables.arff",
            "tables.arrays",
            "tables.frames",
            "tables.idx",
            "tables.library_files",
            "tables.npy",
            "tables.sample_files",
            "tables.sample_rows",
            "tables.svmlight",
            "_engine.loops",
            "_engine.tape",
            "_engine.training",
        )
    ),
}
IN_PYTHON = (
    "import cygrad as cg; net = cg.load(sys.argv[1]); net.predict(cg.tables.read(sys.argv[2]))"
)
ON_THE_COMMAND_LINE = (
    "from cygrad.cli import main; assert main(['predict', *sys.argv[1:]]) == 0, 'failed'"
)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> tuple[Path, Path]:
    """Return a model of a table with text, numbers and gaps, and a file to predict."""
    folder = tmp_path_factory.mktemp("imports")
    data = folder / "data.csv"
    rows = [f"{i % 7}.5,{'abc'[i % 3]},{'' if i % 5 else 'x'},{'yn'[i % 2]}" for i in range(60)]
    data.write_text("size,kind,mark,label\n" + "\n".join(rows) + "\n")
    table = cg.tables.read(data)
    encoder = cg.tables.Encoder("label").fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.encoder = encoder
    net.save(folder / "model.npz")
    return folder / "model.npz", data


def test_the_modules_exist():
    assert all(find_spec(name) for name in NEEDLESS if name.startswith("cygrad."))


@pytest.mark.parametrize("program", [IN_PYTHON, ON_THE_COMMAND_LINE])
def test_a_prediction_imports_only_what_it_needs(program, files):
    # Some versions of NumPy import some of these themselves.
    before, after = "before = {*sys.modules}", "print(*sys.modules.keys() - before)"
    code = f"import sys, numpy; {before}; {program}; {after}"
    done = subprocess.run(
        [sys.executable, "-c", code, *files],
        env={**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(done.stdout.splitlines()[-1].split())
    assert "cygrad.tables.delimited" in imported
    assert not NEEDLESS & imported
