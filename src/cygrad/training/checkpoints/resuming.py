"""Go on with a training from its checkpoint: what `Trainer.resume` does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cygrad import checks, seeding
from cygrad.network import archive
from cygrad.training.checkpoints import file
from cygrad.training.checkpoints.description import (
    A_FUNCTION,
    CHECKPOINT,
    describe_callback,
    describe_trainer,
    difference,
    make_callback,
    options_of,
)
from cygrad.training.checkpoints.fingerprint import difference as difference_of_data
from cygrad.training.fitting import FitOptions, prepare
from cygrad.training.hooks import as_hooks
from cygrad.training.run import ABSURD, DamagedState, Run

if TYPE_CHECKING:
    import os

    from cygrad.training.data import GivenData
    from cygrad.training.history import History
    from cygrad.training.hooks import EpochFunction, Hooks
    from cygrad.training.trainer import Trainer


class Saved(NamedTuple):
    """The parts of a checkpoint."""

    trainer: dict[str, Any]
    options: dict[str, Any]
    data: dict[str, Any]
    callbacks: list[dict[str, Any]]
    callback: int
    state: dict[str, Any]

    @property
    def states(self) -> list[Any]:
        """The states of the callbacks."""
        states: list[Any] = self.state["callbacks"]
        return states


def resume(
    trainer: Trainer,
    path: str | os.PathLike[str],
    given: GivenData,
    callbacks: Iterable[Hooks | EpochFunction] | None,
    options: Mapping[str, Any],
    stacklevel: int = 2,
) -> History:
    """Go on with the training of a checkpoint; see `Trainer.resume`.

    Parameters
    ----------
    options : dict
        Arguments of `fit`, None: as in the checkpoint.
    stacklevel : int
        Of warnings, as for `warnings.warn`.
    """
    name = archive.path_name(path)
    run, state = trainer.group.prepare(
        lambda: _prepare(trainer, name, given, callbacks, options, stacklevel + 3)
    )
    try:
        return run(state=state)
    except DamagedState as error:
        raise archive.damaged_error(name, error) from error


def _prepare(
    trainer: Trainer,
    name: str,
    given: GivenData,
    callbacks: Iterable[Hooks | EpochFunction] | None,
    options: Mapping[str, Any],
    stacklevel: int,
) -> tuple[Run, dict[str, Any]]:
    """Return the run of a checkpoint, and the state from which it goes on."""
    saved = _read(name)
    differs = difference(_as_read(describe_trainer(trainer)), saved.trainer)
    if differs is not None:
        raise ValueError(f"{differs}; expected a trainer like that of {name!r}")
    with _damage(name):
        seeds = seeding.saved_seeds(saved.state["training"]["seeds"]).of("validation")
        seeds.sequence()  # raises errors
        made = None if callbacks is not None else _made_callbacks(saved, name)
    hooks = as_hooks(callbacks or ()) if made is None else made
    states = _states(hooks, saved)
    chosen = options_of(saved.options, options)
    run = prepare(trainer, given, chosen, hooks, seeds, stacklevel + 1)
    assert isinstance(run, Run)  # LBFGS has no checkpoints
    found = trainer.fingerprint(given)
    with _damage(name):
        differs = difference_of_data(found, saved.data)
    if differs is not None:
        raise ValueError(f"{differs}, to go on with {name!r}")
    with _damage(name):
        _check_state(run, saved.state)
    return run, {**saved.state, "callbacks": states}


def remembered(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the arguments of `fit` that a checkpoint holds."""
    return _read(archive.path_name(path)).options


def _read(name: str) -> Saved:
    tree = file.read(name)
    with _damage(name):
        kinds = {
            "trainer": dict,
            "options": dict,
            "data": dict,
            "callbacks": list,
            "callback": int,
            "state": dict,
        }
        for key, kind in kinds.items():
            if not isinstance(tree[key], kind):
                raise ValueError(f"{key} is {tree[key]!r}")
        _check_options(tree["options"])
        for name, part in tree["data"].items():
            if not isinstance(part, dict):
                raise ValueError(f"{name} is {part!r}")
        for description, _ in zip(tree["callbacks"], tree["state"]["callbacks"], strict=True):
            if not isinstance(description["class"], str):
                raise ValueError(f"class is {description['class']!r}")
        own = tree["callback"]
        if own < 0 or tree["callbacks"][own]["class"] != CHECKPOINT:
            raise ValueError(f"callback is {own}")
        return Saved(*(tree[key] for key in kinds))


def _check_options(options: Mapping[str, Any]) -> None:
    """Check that the arguments of `fit` have the types that `description` writes."""
    names = {field.name for field in fields(FitOptions)} | {"metrics_are_named"}
    if options.keys() != names:
        raise ValueError(f"options has {', '.join(options)}")
    flags = ("metrics_are_named", "train_metrics", "verbose", "statistics")
    kinds: dict[str, tuple[type, ...]] = {name: (bool,) for name in flags}
    kinds |= {"metrics": (list,), "shuffle": (bool, str), "class_weight": (NoneType, str, list)}
    kinds |= {"epochs": (NoneType, int), "max_steps": (NoneType, int)}
    for name, value in options.items():
        expected = kinds.get(name, (NoneType, int, float))
        is_flag = isinstance(value, bool)
        if not isinstance(value, expected) or (is_flag and bool not in expected):
            raise ValueError(f"{name} is {value!r}")
    if isinstance(options["shuffle"], str) and options["shuffle"] != A_FUNCTION:
        raise ValueError(f"shuffle is {options['shuffle']!r}")
    weights = options["class_weight"]
    if isinstance(weights, str) and weights != "balanced":
        raise ValueError(f"class_weight is {weights!r}")
    if isinstance(weights, list):
        for key, weight in dict(weights).items():
            is_flag = isinstance(key, bool) or isinstance(weight, bool)
            if is_flag or not (isinstance(key, int | str) and isinstance(weight, int | float)):
                raise ValueError(f"class_weight has {key!r}: {weight!r}")
    for metric in options["metrics"]:
        if not isinstance(metric, str):
            raise ValueError(f"metrics has {metric!r}")


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Raise the error of a damaged file where its values make no sense."""
    try:
        yield
    except ABSURD as error:
        if isinstance(error, RefusedCallback):
            raise
        raise archive.damaged_error(name, error) from error


def _as_read(values: dict[str, Any]) -> Any:
    """Return values as they come back from a file."""
    return json.loads(json.dumps(values))


class RefusedCallback(ValueError):
    """A callback is missing; the message is complete."""


def _made_callbacks(saved: Saved, name: str) -> list[Hooks]:
    """Return the callbacks of a training, made again; that of the checkpoint with its new name."""
    hooks: list[Hooks] = []
    for index, description in enumerate(saved.callbacks):
        if index == saved.callback and description["arguments"] is not None:
            arguments = {**description["arguments"], "path": name}
            description = {**description, "arguments": arguments}
        hook: Any = make_callback(description)
        if hook is None:
            raise RefusedCallback(
                f"callbacks is None, and the training had {description['class']!r}, which cannot "
                "be made again; expected all its callbacks, in the same order"
            )
        hooks.append(hook)
    return hooks


def _states(hooks: Sequence[Hooks], saved: Saved) -> list[Mapping[str, Any]]:
    """Return the state of each callback, which must be of the same classes as those before.

    Callbacks that write checkpoints can be others, or be left out.
    """
    names = [describe_callback(hook)["class"] for hook in hooks]
    before = [description["class"] for description in saved.callbacks]
    if _without(names) != _without(before):
        raise ValueError(
            f"callbacks has {', '.join(_without(names)) or 'none'}, and the training "
            f"{', '.join(_without(before)) or 'none'}; expected the same, in the same order"
        )
    of_checkpoints: list[Any] = []
    others: list[Any] = []
    for kind, state in zip(before, saved.states, strict=True):
        (of_checkpoints if kind == CHECKPOINT else others).append(state)
    found: list[Mapping[str, Any]] = []
    for kind in names:
        rest = of_checkpoints if kind == CHECKPOINT else others
        found.append(rest.pop(0) if rest else {})
    return found


def _without(names: Sequence[str]) -> list[str]:
    return [name for name in names if name != CHECKPOINT]


def _check_state(run: Run, state: Mapping[str, Any]) -> None:
    """Check that a state fits a run, before anything is changed."""
    trainer = run.trainer
    training, epoch, history = state["training"], state["epoch"], state["history"]
    storage = trainer.net.engine.storage
    if training["record"].shape[:-1] != (2,) or training["record"].dtype != np.float64:
        raise ValueError(f"record has shape {training['record'].shape}")
    blocks = [training["parameters"], *training["optimizer_state"]]
    if epoch is not None:
        blocks.append(epoch["before"])
        done = training["steps"] - epoch["first_step"]
        # Before its first step there are still the losses of the epoch before.
        if done < 0 or (done > 0 and training["record"].shape[1] != done):
            raise ValueError(f"record has shape {training['record'].shape}")
        if len(epoch["sums"]) != 3:
            raise ValueError(f"sums is {epoch['sums']}")
    for value in (training["learning_rate_scale"], *state["budget"].values()):
        checks.number(value, "a number", least=0)
    if state["budget"].keys() != {"steps", "seconds"}:
        raise ValueError(f"budget is {state['budget']}")
    checks.whole_number(training["steps"], "steps", 0)
    checks.whole_number(training["dropout_seed"], "dropout_seed", 0, 2**64 - 1)
    if training["shuffling"] is not None:
        stream = seeding.generator(seeding.saved_seeds(training["seeds"]))
        stream.bit_generator.state = training["shuffling"]  # raises errors
    if len(training["optimizer_state"]) != len(trainer.exclusive().state):
        raise ValueError("the optimiser has another number of states")
    for block in blocks:
        if (block.shape, block.dtype) != (storage.shape, storage.dtype):
            raise ValueError(f"an array has {block.dtype} of shape {block.shape}")
    if history["names"] != list(run.history.keys()):
        raise ValueError(f"history has {history['names']}, expected {list(run.history.keys())}")
    if history["rows"].shape[1:] != (len(history["names"]),):
        raise ValueError(f"history has rows of shape {history['rows'].shape}")
    if epoch is not None and epoch["number"] != len(history["rows"]) + 1:
        raise ValueError(f"epoch {epoch['number']} after {len(history['rows'])}")
