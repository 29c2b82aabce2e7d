#!/usr/bin/env bash
# Keras 3.15.1 reads a model of Keras 2 with hard_sigmoid, and takes another function for it.
#
# Guess before the run: Keras 3 has hard_sigmoid(z) = max(0, min(1, z / 6 + 1/2)), Keras 2 had
# max(0, min(1, z / 5 + 1/2)); a file of a whole model names its version of Keras, so that Keras 3
# refuses it, warns, or keeps the function with which the model has been trained.
#
# Seen: tf_keras 2.21.0, which is Keras 2, gives 0.1, 0.3, 0.7, 0.9 for the inputs -2, -1, 1, 2; the
# model that Keras 3 loads from its .h5 file, with "keras_version" 2.21.0 in it, gives 0.1667, 0.3333,
# 0.6667, 0.8333. No error, and no warning about it.
#
# It meets whoever moves trained models to Keras 3, recurrent ones above all. Needs Python 3.10 or
# newer. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tensorflow==2.21.0 tf_keras==2.21.0 keras==3.15.1
cat > save.py <<'PYTHON'
import numpy as np
import tf_keras as keras

entry = keras.Input((1,))
layer = keras.layers.Dense(1, "hard_sigmoid", kernel_initializer="ones")
model = keras.Model(entry, layer(entry))
model.save("net.h5")
print(*np.round(model(np.float32([[-2], [-1], [1], [2]])).numpy().ravel(), 4))
PYTHON
cat > load.py <<'PYTHON'
import sys
import warnings

import h5py
import keras
import numpy as np

with h5py.File("net.h5") as file:
    print("version in the file:", file.attrs["keras_version"], file=sys.stderr)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = keras.saving.load_model("net.h5", compile=False)
    outputs = keras.ops.convert_to_numpy(model(np.float32([[-2], [-1], [1], [2]])))
if any("sigmoid" in str(each.message) or "version" in str(each.message) for each in caught):
    raise SystemExit("a warning names the function or the version")
print(*np.round(outputs.ravel(), 4))
PYTHON
export TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= KERAS_BACKEND=tensorflow
before=$(venv/bin/python save.py 2>messages) || { cat messages; exit 1; }
after=$(venv/bin/python load.py 2>messages) || { cat messages; exit 1; }
grep version messages
echo "saved by tf_keras: $before; loaded by Keras 3: $after"
[[ $before == '0.1 0.3 0.7 0.9' && $after == '0.1667 0.3333 0.6667 0.8333' ]]
