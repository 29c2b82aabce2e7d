#!/usr/bin/env bash
# Cython 3.3.1: x == A and x == B, of a C integer, is compiled as x == A or x == B.
#
# Guess before the run: false for every x, since A and B differ; what is compiled does what Python
# does, and a C compiler drops the branch.
#
# Seen: both as a condition and as a value, the two comparisons become one C switch with both
# constants as cases of the same branch. With x a `long`, `x == 1 and x == 2` is true for 1 and for
# 2; the same with the members of an enumeration. A Python object in the place of x is right, and so
# is a third comparison of something else beside the two. There is no warning.
#
# It meets tests of kernels by planted faults, where an `or` becomes an `and` that nobody sees, code
# that is generated, and conditions with two names of what may be one constant. Needs Python 3.11 or
# newer, its headers and a C compiler. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet Cython==3.3.1 setuptools==80.9.0
cat > "$folder/conditions.pyx" <<'CYTHON'
cdef enum Kind:
    DENSE = 3
    NORM = 4


def value(long x):
    return x == 1 and x == 2


def branch(long x):
    if x == 1 and x == 2:
        return True
    return False


def member(Kind kind):
    return kind == DENSE and kind == NORM


def of_object(x):
    return x == 1 and x == 2


def with_another(long x, long y):
    return x == 1 and x == 2 and y == 0
CYTHON
cat > "$folder/setup.py" <<'PYTHON'
from Cython.Build import cythonize
from setuptools import setup

setup(ext_modules=cythonize("conditions.pyx", quiet=True, language_level=3))
PYTHON
cd "$folder"
venv/bin/python setup.py --quiet build_ext --inplace
venv/bin/python - <<'PYTHON'
import sys

import conditions

numbers = range(6)
seen = {
    "value": [conditions.value(x) for x in numbers],
    "branch": [conditions.branch(x) for x in numbers],
    "member": [conditions.member(x) for x in numbers],
    "of_object": [conditions.of_object(x) for x in numbers],
    "with_another": [conditions.with_another(x, 0) for x in numbers],
}
print("x          ", *(f"{x:5}" for x in numbers))
for name, found in seen.items():
    print(f"{name:12}", *(f"{each!s:>5}" for each in found))
wrong, right = {"value": (1, 2), "branch": (1, 2), "member": (3, 4)}, ("of_object", "with_another")
still = all(seen[name] == [x in places for x in numbers] for name, places in wrong.items())
still = still and not any(any(seen[name]) for name in right)
print("as stated" if still else "this has changed")
sys.exit(not still)
PYTHON
