"""A log of a training as a CSV file, one row for each epoch."""

from __future__ import annotations

import csv
import os
from io import StringIO
from typing import TYPE_CHECKING, Any

from cygrad.atomic_write import atomic_write
from cygrad.training.callbacks.callback import Callback, saved_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cygrad.training.callbacks.callback import Logs
    from cygrad.training.trainer import Trainer

FIRST_COLUMNS = ["epoch", "steps"]


class CSVLogger(Callback):
    """Write the history to a CSV file, a row after each epoch.

    The columns are ``epoch``, counted over all calls of `fit`, ``steps``, the trainer's count of
    steps, and those of the history, with all their digits. Each row is written at once, to the end
    of the file, which is closed in between.

    A training that begins at step 0 replaces an older log. One that goes on continues it: rows of
    later steps than the trainer's, of a run that was interrupted after its checkpoint, are removed,
    and so is a row that is cut short.

    Parameters
    ----------
    path : str or os.PathLike

    Raises
    ------
    TypeError
        If `path` is no path.
    ValueError
        At the start of training, if there is a file that is no log, or that has other columns and
        is to be continued.
    OSError
        If the file cannot be read or written.

    Examples
    --------
    >>> import cygrad as cg, pathlib, tempfile
    >>> net = cg.Network(1, [cg.Dense(1, weights_init=0.0)], loss="mse")
    >>> trainer = cg.Trainer(net, cg.SGD(0.5), batch_size=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "log.csv")
    ...     history = trainer.fit([[0.0]], [1.0], 2, callbacks=[cg.CSVLogger(path)])
    ...     rows = path.read_text().split()
    >>> rows[0], rows[1][:12], rows[2][:12]
    ('epoch,steps,loss,mae,learning_rate,seconds', '1,1,1.0,1.0,', '2,2,0.0,0.0,')
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            self.path = os.fsdecode(path)
        except TypeError:
            raise TypeError(f"path is {path!r}, expected the name of a file") from None
        self._epochs = 0

    def __repr__(self) -> str:
        return f"CSVLogger({self.path!r})"

    def on_train_begin(self, trainer: Trainer) -> None:
        columns = [*FIRST_COLUMNS, *trainer.history]
        rows = self._rows_to_keep(columns, trainer.steps)
        if trainer.group.is_main:
            with atomic_write(self.path, text=True) as file:
                file.write(_line(columns))
                file.writelines(map(_line, rows))
        self._epochs = int(rows[-1][0]) if rows else 0

    def on_epoch_end(self, trainer: Trainer, epoch: int, logs: Logs) -> bool | None:
        if not trainer.group.is_main:
            return None
        row = _line([self._epochs + epoch, trainer.steps, *map(float, logs.values())])
        # One write to the end: another program that reads the file sees whole rows.
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        try:
            os.write(file, row.encode())
        finally:
            os.close(file)
        return None

    def state(self) -> Mapping[str, Any]:
        return {"epochs": self._epochs}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._epochs = saved_number(
            state, "epochs"
        )  # of earlier trainings: those of this one are counted on

    def _rows_to_keep(self, columns: list[str], steps: int) -> list[list[str]]:
        """Return the rows of an existing log up to a step; none for step 0."""
        header, *rows = read_log(self.path) or [columns]
        if steps == 0:
            return []
        if header != columns:
            raise ValueError(
                f"path is {self.path!r}, a log with the columns {', '.join(header)}; expected "
                f"{', '.join(columns)}, to continue it"
            )
        return [row for row in rows if len(row) == len(columns) and int(row[1]) <= steps]


def read_log(path: str, name: str = "path") -> list[list[str]]:
    """Return header and rows of an existing log; nothing if the file is empty or does not exist.

    Raises
    ------
    ValueError
        If the file is no log; the message has the name of the argument or option.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    except UnicodeDecodeError:
        text = "?"
    if not text:
        return []
    # Without the last line, if that is cut short.
    lines = [*csv.reader(text[: text.rfind("\n") + 1].splitlines())] or [[""]]
    if lines[0][:2] != FIRST_COLUMNS:
        raise ValueError(f"{name} is {path!r}, which exists and is no log of a training")
    return lines


def _line(cells: Iterable[object]) -> str:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
