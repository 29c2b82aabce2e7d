#!/usr/bin/env bash
# NumPy 2.4.6 with bfloat16 of ml_dtypes 0.6.0: the mean of 1,000 ones is 0.256, and a NaN spoils a
# sort.
#
# Guess before the run: as with float16, of the same 16 bits: mean, var and std are accumulated in
# float32 and rounded at the end, a sort puts NaN last, nanmean and its kin pass over NaN.
#
# Seen: the sum stops at 256, where 256 + 1 rounds to 256, so that the mean of 1,000 ones is 0.256,
# their standard deviation 0.504, and the mean of 4,000 ones 0.064; float16 gives 1, 0, 1. np.dot of
# the same array is right, 1,000. The numbers 3, NaN, 1, 5, 2 are "sorted" into 3, NaN, 1, 2, 5, the
# median is 1; nanmean gives NaN, and nanargmax the place of the NaN. No error or warning. The mean is
# right with dtype=np.float32, and all of it after astype(np.float32). To NumPy the type is none of its
# floating-point ones (kind "V"), and the care taken of those passes it by.
#
# It meets whoever looks at weights or activations from JAX, safetensors or ONNX in NumPy, and
# standardises columns with them. Needs Python 3.11 or newer. Exits with 0 if all this is still so,
# with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
from ml_dtypes import bfloat16


def statistics(dtype):
    """Return what NumPy makes of ones, of which all is known."""
    ones = np.ones(1000, dtype)
    results = ones.sum(), ones.mean(), ones.std(), np.ones((1000, 4), dtype).mean(), ones @ ones
    return [float(result) for result in results]


def with_gap(dtype):
    """Return what NumPy makes of numbers with a NaN among them."""
    numbers = np.array([3, np.nan, 1, 5, 2], dtype)
    results = *np.sort(numbers), np.nanmean(numbers), np.nanargmax(numbers)
    return [float(result) for result in results]


nan = np.nan
expected = {
    np.float16: ([1000, 1, 0, 1, 1000], [1, 2, 3, 5, nan, 2.75, 3]),
    bfloat16: ([256, 0.256, 0.504, 0.064, 1000], [3, nan, 1, 2, 5, nan, 1]),
}
same = True
for dtype, (of_ones, of_numbers) in expected.items():
    ones, numbers = statistics(dtype), with_gap(dtype)
    print(np.dtype(dtype))
    print("  sum, mean, std, mean of (1000, 4), dot:", np.round(ones, 4))
    print("  sorted:", numbers[:5], "nanmean:", numbers[5], "nanargmax:", numbers[6])
    same = same and np.allclose(ones, of_ones, atol=2e-3)
    same = same and np.array_equal(numbers, of_numbers, equal_nan=True)
wide = np.ones(1000, bfloat16).mean(dtype=np.float32)
print("mean(dtype=np.float32):", wide)
sys.exit(not (same and wide == 1))
PYTHON
