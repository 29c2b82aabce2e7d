"""What every test can ask for."""

from collections.abc import Iterator

import pytest

from cygrad._engine import kernels


@pytest.fixture(params=kernels.available())
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set that this machine has, selected for the test."""
    before = kernels.selected()
    yield kernels.select(request.param)
    kernels.select(before)
