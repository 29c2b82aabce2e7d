"""The callbacks of `Trainer.fit` as the trainer calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, cast

if TYPE_CHECKING:
    from cygrad.training.run import Run
    from cygrad.training.trainer import Trainer

    Logs = Mapping[str, float]
    EpochFunction = Callable[[Trainer, int, Logs], bool | None]


class Hooks(Protocol):
    """The methods of a callback that `Trainer.fit` calls; `Callback` describes them."""

    def on_train_begin(self, trainer: Trainer) -> None: ...

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None: ...

    def on_train_end(self, trainer: Trainer) -> None: ...


class PausingHooks(Hooks, Protocol):
    """Hooks that pause the training within an epoch too: `Checkpoint`."""

    def until_pause(self, run: Run) -> tuple[int | None, float | None]:
        """Return steps and seconds until the next pause within an epoch; None: no limit."""

    def on_pause(self, run: Run) -> None:
        """Called at each pause, and after each epoch when all callbacks have been called."""

    def on_leave(self, run: Run) -> None:
        """Called where an interrupt ends an epoch between two steps."""


class _FunctionHooks:
    """Hooks that call a function after each epoch."""

    def __init__(self, function: EpochFunction) -> None:
        self.function = function

    def on_train_begin(self, trainer: Trainer) -> None:
        pass

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        return self.function(trainer, epoch, logs)

    def on_train_end(self, trainer: Trainer) -> None:
        pass


def _is_hooks(value: object) -> TypeGuard[Hooks]:
    """Return whether an object has the methods of a callback; of a class they are not bound."""
    return (
        hasattr(value, "on_epoch_end")
        and hasattr(value, "on_train_begin")
        and hasattr(value, "on_train_end")
        and not isinstance(value, type)
    )


def pausing_hooks(hooks: Iterable[Hooks]) -> list[PausingHooks]:
    """Return those that pause the training."""
    return [cast("PausingHooks", hook) for hook in hooks if hasattr(hook, "until_pause")]


def function_of(hook: object) -> EpochFunction | None:
    """Return the function that a hook calls; None if it is a callback."""
    return hook.function if isinstance(hook, _FunctionHooks) else None


def state_of(hook: object) -> Mapping[str, Any]:
    """Return the state of a callback for a checkpoint; nothing if it has no such method."""
    method = getattr(hook, "state", None)
    state: Mapping[str, Any] = method() if callable(method) else {}
    return state


def restore(hook: object, state: Mapping[str, Any]) -> None:
    """Restore the state of a callback, if it has one."""
    method = getattr(hook, "restore", None)
    if state and callable(method):
        method(state)


def as_hooks(callbacks: Iterable[Hooks | EpochFunction]) -> list[Hooks]:
    """Return the callbacks as objects with all hooks, or raise a TypeError."""
    if _is_hooks(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(f"callbacks is {callbacks!r}, expected a list of callbacks")
    hooks: list[Hooks] = []
    for index, callback in enumerate(callbacks):
        if _is_hooks(callback):
            hooks.append(callback)
        elif callable(callback) and not isinstance(callback, type):
            hooks.append(_FunctionHooks(callback))
        else:
            raise TypeError(
                f"callbacks[{index}] is {callback!r}, expected a Callback or a function"
            )
    return hooks
