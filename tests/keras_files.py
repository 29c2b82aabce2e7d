"""Files as Keras writes them, made with h5py and json."""

import io
import json
import zipfile
from collections import Counter

import h5py
import numpy as np

from cygrad.exchange.keras.archive import snake_case


def layer(kind, name, module="keras.layers", **config):
    """Return the configuration of a layer."""
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, "trainable": True, **config},
        "registered_name": None,
        "name": name,
    }


def dense(name, units, activation="linear", **config):
    return layer("Dense", name, units=units, activation=activation, **{"use_bias": True, **config})


def entry(shape=(4,), name="x"):
    return layer("InputLayer", name, batch_shape=[None, *shape], dtype="float32")


def function(kind, name, **config):
    """Return the configuration of a function of keras.ops."""
    made = layer(kind, name, "keras.src.ops.numpy", **config)
    return {**made, "registered_name": kind}


def sequential(*layers, name="sequential", shape=(4,), **more):
    layers = [entry(shape), *layers] if shape else list(layers)
    config = {"name": name, "layers": layers}
    return {"module": "keras", "class_name": "Sequential", "config": config, "name": name, **more}


def functional(*layers, output=None, name="functional", **more):
    """Return the configuration of a model of pairs (layer, names of its inputs)."""
    described = []
    for made, *sources in layers:
        tensors = [
            {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
            for source in sources
        ]
        arguments = [tensors] if made["class_name"] == "Add" and len(tensors) == 2 else tensors
        nodes = [{"args": arguments, "kwargs": {}}] if sources else []
        described.append({**made, "inbound_nodes": nodes})
    config = {
        "name": name,
        "trainable": True,
        "layers": described,
        "input_layers": [[layers[0][0]["name"], 0, 0]],
        "output_layers": [[output or layers[-1][0]["name"], 0, 0]],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "name": name,
        **more,
    }


def weights(config, arrays, *, named=True):
    """Return the bytes of ``model.weights.h5``.

    `arrays` has the arrays of each layer, by its name or that of the models around it and its own,
    as in "block/dense_3". `named`: the groups have the names of layers, as since Keras 3.6.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as root:
        _add(root, config, arrays, "", named)
    return buffer.getvalue()


def _add(group, config, arrays, prefix, named):
    container, counts = group.create_group("layers"), Counter()
    layers = [each for each in config["config"]["layers"] if ".ops." not in each["module"]]
    if config["class_name"] == "Sequential" and layers[0]["class_name"] == "InputLayer":
        layers = layers[1:]
    for each in layers:
        key = snake_case(each["class_name"])
        count = counts[key]
        counts[key] += 1
        made = container.create_group(f"{key}_{count}" if count else key)
        variables = made.create_group("vars")
        if named:
            variables.attrs["name"] = each["name"]
        for index, values in enumerate(arrays.get(prefix + each["name"], [])):
            if isinstance(values, h5py.VirtualLayout):
                variables.create_virtual_dataset(str(index), values)
            else:
                variables[str(index)] = values
        if "layers" in each["config"]:
            _add(made, each, arrays, f"{prefix}{each['name']}/", named)


def write(path, config, arrays, *, named=True, **metadata):
    """Write a ``.keras`` file."""
    pack(path, config, weights(config, arrays, named=named), **metadata)


def pack(path, config, data, *, compression=zipfile.ZIP_STORED, **metadata):
    """Write a ``.keras`` file with the bytes of an HDF5 file."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        described = {"keras_version": "3.15.1", **metadata}
        archive.writestr("metadata.json", json.dumps(described))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", data)


def arrays_of(*shapes, seed=0, dtype="float32"):
    """Return random arrays of these shapes."""
    random = np.random.default_rng(seed)
    return [random.normal(0, 0.5, shape).astype(dtype) for shape in shapes]
