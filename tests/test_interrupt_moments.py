"""Ctrl-C at any moment of fit, save, resume and fit_many leaves all usable, and no thread."""

import subprocess
import sys
from pathlib import Path

import interrupted
import pytest

import cygrad as cg


@pytest.mark.parametrize("count", [8, pytest.param(500, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("kind", interrupted.KINDS)
def test_interrupts_at_random_moments(kind, count):
    done = subprocess.run(
        [sys.executable, interrupted.__file__, kind, str(count)],
        env={**interrupted.os.environ, "PYTHONPATH": str(Path(cg.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout.startswith(f"{kind}: {count} interrupts")
