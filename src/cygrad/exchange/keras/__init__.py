"""Networks from and to Keras 3: models, ``.keras`` files, and the weights' HDF5.

Reading files needs h5py only, writing needs Keras and a backend (``pip install 'cygrad[keras]'``
and one of PyTorch, TensorFlow and JAX). `archive` and `files` read files, `graph` follows the
layers of a configuration, `activations` and `losses` have the counterparts, `reading` makes
networks, `writing` models and files, `running` tests them.
"""

from cygrad.exchange.keras.reading import from_keras
from cygrad.exchange.keras.running import verify
from cygrad.exchange.keras.writing import to_keras, to_keras_file

__all__ = ["from_keras", "to_keras", "to_keras_file", "verify"]
