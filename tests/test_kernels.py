"""Every kernel on every instruction set against a plain reference, with its arguments between
forbidden pages; and again under AddressSanitizer and UndefinedBehaviorSanitizer."""

import pytest
from c_programs import run

from cygrad._engine import kernels

SANITIZED = pytest.param("address,undefined", id="sanitized", marks=pytest.mark.slow)


@pytest.mark.parametrize("sanitizers", [pytest.param("", id="optimised"), SANITIZED])
def test_every_kernel(sanitizers, tmp_path):
    *checked, summary = run("check_kernels", tmp_path, sanitizers)
    dtypes = ("float32", "float64")
    assert checked == [f"checked {dtype} {isa}" for isa in kernels.available() for dtype in dtypes]
    assert summary.endswith(" cases, 0 failures")
