"""The phases of a team of threads: a million rounds of uneven tasks, fewer with a sanitizer."""

import pytest
from c_programs import run


@pytest.mark.parametrize("sanitizer", ["", "thread"], ids=["optimised", "sanitized"])
def test_a_million_rounds(sanitizer, tmp_path):
    divisor = "10" if sanitizer else "1"
    ((*_, last),) = run("check_team", tmp_path, sanitizer, divisor)
    assert last == "all right"
