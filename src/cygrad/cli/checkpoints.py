"""Options of ``cygrad train`` on checkpoints, and going on with a training."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cygrad.cli.outputs import output_path
from cygrad.cli.values import integer, path
from cygrad.training.checkpoints import Checkpoint

if TYPE_CHECKING:
    from cygrad.training import Callback, History, Trainer

#: Options that a training cannot change when it goes on, besides those of network and trainer.
KEPT = ("max_seconds", "max_steps", "statistics", "class_weight")


def add_options(parser: ArgumentParser, seconds: Callable[[str], float]) -> None:
    """Add the group of these options to the parser of ``cygrad train``."""
    group = parser.add_argument_group("checkpoints")
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        type=path,
        help="file for the complete state of the training, written after each epoch and after "
        "Ctrl-C",
    )
    group.add_argument(
        "--checkpoint-every",
        metavar="N",
        type=integer(1),
        help="write it after every N epochs (default: 1)",
    )
    group.add_argument(
        "--checkpoint-seconds",
        metavar="X",
        type=seconds,
        help="write it after so many seconds, also within an epoch",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the file of --checkpoint, to the same bits as without the break, or begin "
        "if there is no such file; data and options must be the same, but --epochs",
    )


def check(parser: ArgumentParser, arguments: Namespace) -> None:
    """End with an error if these options contradict each other."""
    for option in ("checkpoint_every", "checkpoint_seconds", "resume"):
        if getattr(arguments, option) and arguments.checkpoint is None:
            parser.error(f"argument --{option.replace('_', '-')}: only with --checkpoint")


def check_file(arguments: Namespace, reserved: dict[str, str | Path]) -> None:
    """Raise an error if the checkpoint cannot be written, or another file would be lost."""
    if arguments.checkpoint is None:
        return
    output_path("--checkpoint", arguments.checkpoint, reserved)
    try:
        callbacks(arguments)[0].check_file()
    except ValueError as error:
        raise ValueError(f"--checkpoint: {error}") from None


def callbacks(arguments: Namespace) -> list[Checkpoint]:
    """Return the callback that writes checkpoints, if it was asked for."""
    if arguments.checkpoint is None:
        return []
    return [
        Checkpoint(
            arguments.checkpoint,
            arguments.checkpoint_every,
            seconds=arguments.checkpoint_seconds,
        )
    ]


def goes_on(arguments: Namespace) -> bool:
    """Return whether there is a training to go on with."""
    found = bool(arguments.resume) and os.path.exists(arguments.checkpoint)
    return found if arguments.ranks is None else bool(arguments.ranks.of_main(found))


def fit(
    arguments: Namespace, trainer: Trainer, say: Callable[[str], object]
) -> Callable[..., History]:
    """Return `Trainer.fit`, or a function with its arguments that goes on with a training."""
    if not goes_on(arguments):
        if arguments.resume:
            say(f"cygrad: there is no {arguments.checkpoint} yet: the training begins")
        return trainer.fit

    def resume(
        X: Any, y: Any, epochs: int, *, callbacks: list[Callback], verbose: bool, **options: Any
    ) -> History:
        from cygrad.training.checkpoints.resuming import remembered

        before = remembered(arguments.checkpoint)
        for name in KEPT:
            given, saved = options.pop(name, None), before[name]
            given = [list(pair) for pair in given.items()] if isinstance(given, dict) else given
            if (given or None) != (saved or None):
                option = name.replace("_", "-")
                raise ValueError(
                    f"--{option} is {given}, and was {saved} in the training of "
                    f"{arguments.checkpoint}; expected the same to go on with --resume"
                )
        say(f"cygrad: the training goes on from {arguments.checkpoint}")
        options |= {"epochs": epochs, "callbacks": callbacks, "verbose": verbose}
        return trainer.resume(arguments.checkpoint, X, y, **options)

    return resume


def epochs_before(arguments: Namespace) -> int:
    """Return the number of epochs that were done when the training goes on."""
    if not goes_on(arguments):
        return 0
    from cygrad.training.checkpoints.file import read

    return len(read(arguments.checkpoint)["state"]["history"]["rows"])
