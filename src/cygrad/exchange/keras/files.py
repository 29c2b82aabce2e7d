"""Open the files of Keras: configuration, header and weights of each kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cygrad.exchange.keras import archive
from cygrad.exchange.keras.archive import Archive, GroupedWeights, NamedWeights, as_object, opened

if TYPE_CHECKING:
    from cygrad.exchange.keras.archive import Weights


@contextmanager
def opened_model(
    path: str | os.PathLike[str], config: Any
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any], Weights]]:
    """Open a file; give its name, configuration, header and weights."""
    source = repr(os.fspath(path))
    given = None if config is None else _configuration(config)
    with ExitStack() as stack:
        file = stack.enter_context(open(path, "rb"))
        is_archive = file.read(2) == b"PK"
        size = archive.size_of(file)
        header: Mapping[str, Any] = {}
        if is_archive:
            if given is not None:
                raise ValueError(f"{source} has a configuration, expected config=None")
            members = Archive(file, source)
            described, header = members.config(), members.metadata()
            data = members.weights()
            root = stack.enter_context(opened(data, source))
            weights: Weights = GroupedWeights(root, described, data.getbuffer().nbytes)
            described.setdefault("keras_version", header.get("keras_version"))
            header = header.get(archive.KEY) or {}
            yield source, described, header if isinstance(header, Mapping) else {}, weights
            return
        root = stack.enter_context(opened(file, source))
        if "model_config" in root.attrs:
            if given is not None:
                raise ValueError(f"{source} has a configuration, expected config=None")
            described = as_object(root.attrs["model_config"], f"{source}: model_config")
            described["compile_config"] = _training(root.attrs.get("training_config"))
            described["keras_version"] = str(root.attrs.get("keras_version", "2"))
            weights = NamedWeights(archive.child(root, "model_weights"), size)
        else:
            if given is None:
                raise ValueError(
                    f"{source} has weights and no architecture, expected config=, the text of "
                    "model.to_json() or the name of a .json or .keras file"
                )
            described = given
            weights = GroupedWeights(root, described, size)
        yield source, described, header, weights


def _training(text: Any) -> Any:
    """Return the object of an optional JSON text."""
    return as_object(text, "training_config") if isinstance(text, str | bytes) else None


def _configuration(config: Any) -> dict[str, Any]:
    """Return the configuration that the argument `config` holds or names."""
    if isinstance(config, Mapping):
        return dict(config)
    if not isinstance(config, str | os.PathLike):
        raise TypeError(f"config is {type(config).__name__}, expected a mapping, text or path")
    if isinstance(config, str) and config.lstrip().startswith("{"):
        return as_object(config, "config")
    source = repr(os.fspath(config))
    with open(config, "rb") as file:
        if file.read(2) == b"PK":
            file.seek(0)
            return Archive(file, source).config()
        file.seek(0)
        data = file.read(archive.MAX_TEXT + 1)
    if len(data) > archive.MAX_TEXT:
        raise ValueError(f"{source} has more than {archive.MAX_TEXT:,} bytes")
    return as_object(data, source)
