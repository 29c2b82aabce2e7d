#!/usr/bin/env bash
# Keras 3.15.1, ScheduleFreeAdamW: with TensorFlow and PyTorch it is another method than with JAX.
#
# Guess before the run: all optimisers of Keras give the same weights on all backends, up to the
# rounding of float32, as 13 others do; ScheduleFreeAdamW computes the steps of the paper (Defazio
# et al., The Road Less Scheduled, 2024): z <- z - lr g / (sqrt(v) + eps), x the mean of all z,
# y = 0.1 z + 0.9 x, where the weights are y.
#
# Seen: with JAX the weights are those of ten lines of Python. With TensorFlow, the default, and with
# PyTorch they are right after the first step and wrong from the second one on: 0.85, 0.80, 0.75 for
# 0.845, 0.79, 0.735, where all gradients are 1. The old z, from which x is recovered, is not a copy
# but the variable that has just been updated. On w^2 / 2 from w = 1 with the rate 0.1, 1,000 steps
# end at w = -0.004, and at 1e-13 with JAX. No error, no warning, and the loss goes down at first.
#
# It meets whoever trains with this optimiser on two of the three backends, or compares them. Needs
# Python 3.11 or newer. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 jax==0.10.2 torch==2.13.0 tensorflow==2.21.0 numpy==2.4.6
cat > steps.py <<'PYTHON'
import math
import sys

import keras
import numpy as np


def expected(gradient, steps):
    """Return w after each step, with learning rate 0.1 and without weight decay."""
    z = x = y = 1.0
    v = 0.0
    weights = []
    for t in range(1, steps + 1):
        g = gradient(y)
        v = 0.999 * v + 0.001 * g * g
        z -= 0.1 * g / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        x += (z - x) / t
        y = 0.1 * z + 0.9 * x
        weights.append(y)
    return weights


def trained(gradient, steps):
    """Return what Keras makes of the same weight."""
    w = keras.Variable(np.float32(1.0))
    optimizer = keras.optimizers.ScheduleFreeAdamW(learning_rate=0.1)
    weights = []
    for _ in range(steps):
        g = gradient(w.numpy().item())
        optimizer.apply([keras.ops.convert_to_tensor(np.float32(g))], [w])
        weights.append(w.numpy().item())
    return weights


backend = keras.backend.backend()
seen, right = trained(lambda w: 1.0, 5), expected(lambda w: 1.0, 5)
print(backend, "constant gradient:", np.round(seen, 4), "expected", np.round(right, 4))
last, limit = trained(lambda w: w, 1000)[-1], expected(lambda w: w, 1000)[-1]
print(backend, "quadratic loss, 1,000 steps:", last, "expected", limit)
if backend == "jax":
    same = np.allclose(seen, right, atol=1e-6) and abs(last) < 1e-9
else:
    same = np.allclose(seen, [0.9, 0.85, 0.8, 0.75, 0.7], atol=1e-6) and 1e-3 < abs(last) < 1e-2
sys.exit(not same)
PYTHON
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES=
for backend in jax torch tensorflow; do
    KERAS_BACKEND=$backend venv/bin/python steps.py 2>messages || { cat messages; exit 1; }
done
