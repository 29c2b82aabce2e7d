#!/usr/bin/env bash
# Keras 3.15.1: a compiled model with the loss Huber(delta=0.5) has delta = 1 after save and load.
#
# Guess before the run: a .keras file holds the compiled model, its loss with all arguments included,
# as it does for label_smoothing, from_logits, and alpha and gamma of the focal losses; a model that
# is loaded goes on to train with the loss of the one that was saved.
#
# Seen: the configuration of Huber has its name and reduction, and no delta. The loss of a target 2
# and an output 0 is 0.875 before the model is saved, and 1.5 of the model that is loaded, in .keras
# and .h5 files alike. No error, and no warning.
#
# It meets whoever resumes the training of a regression from a file, or evaluates the model in it.
# Needs Python 3.10 or newer; Keras runs with its backend JAX. Exits with 0 if all this is still so,
# with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet keras==3.15.1 jax==0.10.2 numpy==2.4.6 h5py==3.16.0
cat > huber.py <<'PYTHON'
import keras
import numpy as np

X, y = np.ones((4, 1), "float32"), np.full((4, 1), 2.0, "float32")
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
model.compile("sgd", keras.losses.Huber(delta=0.5))
losses = [model.evaluate(X, y, verbose=0)]
for path in ("net.keras", "net.h5"):
    model.save(path)
    losses.append(keras.saving.load_model(path).evaluate(X, y, verbose=0))
kept = keras.losses.BinaryCrossentropy(label_smoothing=0.1).get_config()["label_smoothing"]
print("configuration:", model.loss.get_config(), "; label_smoothing of another loss:", kept)
print("saved, loaded from .keras, loaded from .h5:", *losses)
raise SystemExit(losses != [0.875, 1.5, 1.5] or kept != 0.1)
PYTHON
KERAS_BACKEND=jax venv/bin/python huber.py 2>warnings || { cat warnings; exit 1; }
