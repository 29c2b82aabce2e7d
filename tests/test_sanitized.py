"""The engine's tests under sanitizers: the whole extension, in a copy that is compiled for it."""

import sys

import pytest
import sanitized

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sanitizer is preloaded")


def check(kind: str, names: str) -> None:
    try:
        done = sanitized.run(kind, sanitized.files(names))
    except sanitized.NoSanitizer as error:
        pytest.skip(str(error))
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", sanitized.SANITIZERS)
def test_a_sample(kind):
    check(kind, sanitized.SAMPLE[kind])


@pytest.mark.sweep
@pytest.mark.parametrize("kind", sanitized.SANITIZERS)
def test_all_tests_of_the_engine(kind):
    check(kind, sanitized.TESTS[kind])
