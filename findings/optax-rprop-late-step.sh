#!/usr/bin/env bash
# optax 0.2.8, rprop: each update is the one that belongs to the step before; the first one is zero.
#
# Guess before the run: rprop is the method of the papers that its documentation names: the step of
# a weight grows by 1.2 where its gradient keeps its sign, shrinks by 0.5 where it changes, in which
# case no move is made, and the weight moves by this step, from the first one on, as in PyTorch.
#
# Seen: the first update is zero whatever the gradient, so that a training of one step changes
# nothing. From then on the weight moves by the step that was computed one gradient earlier, -0.1
# where it should be -0.12. After a change of sign it rests for two steps instead of one: signs
# + + + - - - give 0, -0.1, -0.12, 0, 0, 0.072, PyTorch gives -0.1, -0.12, -0.144, 0, 0.072, 0.0864.
# No error, and on a quadratic loss the training still converges, so that nobody looks.
#
# It meets whoever trains full batches with it, compares the method between libraries, or takes one
# step per call with a new state. Needs Python 3.11 or newer. Exits with 0 if all this is still so,
# with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet optax==0.2.8 jax==0.10.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax.numpy as jnp
import numpy as np
import optax


def expected(gradients):
    """Return the updates of Rprop; a gradient whose sign changed is stored as zero."""
    step, before, updates = 0.1, 0.0, []
    for gradient in gradients:
        if gradient * before > 0:
            step *= 1.2
        elif gradient * before < 0:
            step *= 0.5
            gradient = 0.0
        updates.append(-step * np.sign(gradient))
        before = gradient
    return updates


def seen(gradients):
    optimizer = optax.rprop(learning_rate=0.1)
    w = jnp.zeros(1)
    state = optimizer.init(w)
    updates = []
    for gradient in gradients:
        update, state = optimizer.update(jnp.array([gradient]), state, w)
        w = optax.apply_updates(w, update)
        updates.append(update.item())
    return updates


constant, turning = [2.0] * 5, [1.0, 1.0, 1.0, -1.0, -1.0, -1.0]
same = True
for gradients, late in (
    (constant, [0, *expected(constant)[:-1]]),
    (turning, [0, -0.1, -0.12, 0, 0, 0.072]),
):
    updates = seen(gradients)
    print("gradients", gradients)
    print("  updates ", np.round(updates, 5))
    print("  expected", np.round(expected(gradients), 5))
    same = same and np.allclose(updates, late, atol=1e-6)
sys.exit(not same)
PYTHON
