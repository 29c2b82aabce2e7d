"""Every kernel on every instruction set against a plain reference, with its arguments between
forbidden pages; and again under AddressSanitizer and UndefinedBehaviorSanitizer."""

import re

import pytest
from c_programs import run

from cygrad._engine import kernels

SANITIZED = pytest.param("address,undefined", id="sanitized", marks=pytest.mark.slow)


@pytest.mark.parametrize("sanitizers", [pytest.param("", id="optimised"), SANITIZED])
def test_every_kernel(sanitizers, tmp_path):
    kinds = [f"{dtype} {isa}" for isa in kernels.available() for dtype in ("float32", "float64")]
    for lines in run("check_kernels", tmp_path, sanitizers, *kinds):
        *checked, summary = lines
        assert checked == [f"checked {kind}" for kind in kinds]
        assert re.fullmatch(r"[1-9][0-9]* cases, 0 failures", summary)
