"""Searches of scikit-learn on the workers of Dask: the bits of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cygrad as cg

pytest.importorskip("sklearn", reason="needs the extra sklearn")
pytest.importorskip("distributed", reason="needs Dask's distributed")


def test_the_same_bits_as_without_dask():
    environment = {**os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])}
    environment.pop("CYGRAD_NUM_THREADS", None)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("dask_search.py"))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["there"] == found["here"]
    for scores, parameters, losses in found["here"]:
        assert scores[0] != scores[1]
        assert len(parameters) > 1000
        assert len(losses) >= 3
    # The fits were in another process, each on one thread.
    assert {process for process, _ in found["places"]}.isdisjoint([found["own"][0]])
    assert {threads for _, threads in found["places"]} == {1}
