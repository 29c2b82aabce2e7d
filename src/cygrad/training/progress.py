"""Progress of long computations on stderr: a bar on a terminal, a few lines elsewhere.

`Progress` is the display of `Trainer.fit`, `Count` that of other work with a known number of parts.

A terminal shows one line, which is redrawn at most ten times a second, so that short epochs are not
slowed down: by tqdm if it is installed, else by `_SimpleBar`. A pipe or a file gets at most ten
lines, evenly over the epochs. Whatever fails there does not end the training.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib import import_module
from time import monotonic, time
from types import TracebackType
from typing import Any, Protocol, Self

from cygrad.streams import ErrorStream

MAX_LINES = 10  # of a run, where lines cannot be redrawn
SECONDS_BETWEEN_DRAWINGS = 0.1
BAR_CELLS = 20


class Progress:
    """The display of a training run; a context manager, which always ends the last line.

    Parameters
    ----------
    epochs : int or None
        Number of epochs; None: not known. Then the bar is of the epoch, not of the run, and lines
        are written after 1, 2, 4, 8, … epochs.
    samples, batch_size : int
        Number of samples, and samples per step.
    loss_scale : float
        Factor from the average of the samples' losses to the displayed loss: 1, or the number of
        samples if losses are summed.
    first_epoch : int
        Number of the first epoch: above 1 in a training that goes on.
    """

    def __init__(
        self,
        epochs: int | None,
        samples: int,
        batch_size: int,
        loss_scale: float,
        first_epoch: int = 1,
    ) -> None:
        self._epochs = epochs
        self._samples = samples
        self._batch_size = batch_size
        self._loss_scale = loss_scale
        self._steps = -(-samples // batch_size)
        stream = ErrorStream()
        self.on_terminal = stream.isatty()
        self._line: _Line = _PlainLine(stream)
        if self.on_terminal:
            self._line = _make_bar(stream, self._steps * (1 if epochs is None else epochs))
        self._epoch = first_epoch
        self._lines = 0
        self._pending_text = ""
        self._began = self._last_drawn = monotonic()

    def poll(self, steps_done: int, loss_sum: float) -> None:
        """Draw the bar within an epoch; called by the engine."""
        now = monotonic()
        # The first step can take so long that there is no loss to show yet.
        if steps_done == 0 or now - self._last_drawn < SECONDS_BETWEEN_DRAWINGS:
            return
        self._last_drawn = now
        seen = min(steps_done * self._batch_size, self._samples)
        numbers = {"loss": loss_sum / seen * self._loss_scale}
        self._draw(steps_done, _format_numbers(numbers))

    def epoch_done(self, logs: Mapping[str, float]) -> None:
        """Show the numbers of the epoch that just ended."""
        now = monotonic()
        self._pending_text = _format_numbers(logs)
        if not self.on_terminal:
            if self._has_line():
                self._write_line()
        elif self._epoch == 1 or now - self._last_drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._draw(self._steps, self._pending_text)
            self._last_drawn = now
        self._epoch += 1
        if self._epochs is None:
            self._began = now

    def _has_line(self) -> bool:
        """Return whether a line is written after this epoch, where lines cannot be redrawn."""
        if self._epochs is None:
            return self._epoch & (self._epoch - 1) == 0 and self._lines < MAX_LINES - 1
        if self._epochs <= MAX_LINES:
            return True
        stride = -(-self._epochs // (MAX_LINES - 1))
        return self._epoch in (1, self._epochs) or self._epoch % stride == 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._pending_text:
            self._epoch -= 1
            self._draw(self._steps, self._pending_text)
        self._line.end()

    def _draw(self, steps_done: int, numbers: str) -> None:
        """Draw the line after so many steps of this epoch."""
        epoch = f"{self._epoch}"
        if self._epochs is not None:
            epoch = f"{self._epoch:{len(str(self._epochs))}}/{self._epochs}"
            steps_done += (self._epoch - 1) * self._steps
        self._line.draw(f"epoch {epoch}", steps_done, monotonic() - self._began, numbers)

    def _write_line(self) -> None:
        self._draw(self._steps, self._pending_text)
        self._line.end()
        self._pending_text = ""
        self._lines += 1


class Count:
    """The display of a count up to a known number: a bar on a terminal, else one line at the end.

    Parameters
    ----------
    title : str
        Name of the counted things.
    total : int
        Their number.
    """

    def __init__(self, title: str, total: int) -> None:
        stream = ErrorStream()
        self._title = title
        self._line = _make_bar(stream, total) if stream.isatty() else _PlainLine(stream)
        self._began = monotonic()
        self._last: tuple[int, str] | None = None
        self._next = 0.0

    def show(self, done: int, numbers: str) -> None:
        """Show the number done, with other numbers next to it."""
        self._last = done, numbers
        if monotonic() >= self._next:
            self._draw()

    def _draw(self) -> None:
        if self._last is not None:
            done, numbers = self._last
            self._line.draw(self._title, done, monotonic() - self._began, numbers)
            self._next = monotonic() + SECONDS_BETWEEN_DRAWINGS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._draw()
        self._line.end()


def _format_numbers(logs: Mapping[str, float]) -> str:
    return "  ".join(
        f"{value:.4g} s" if name == "seconds" else f"{name} {value:.4g}"
        for name, value in logs.items()
        if name != "learning_rate"
    )


class _Line(Protocol):
    """A line that is redrawn until it is ended. Ending it twice does nothing."""

    def draw(self, title: str, steps_done: int, seconds: float, numbers: str) -> None: ...

    def end(self) -> None: ...


class _PlainLine:
    """A line that is written once, at its end."""

    def __init__(self, stream: ErrorStream) -> None:
        self._stream = stream
        self._text = ""

    def draw(self, title: str, steps_done: int, seconds: float, numbers: str) -> None:
        self._text = f"{title}  {numbers}\n"

    def end(self) -> None:
        if self._text:
            self._stream.write(self._text)
            self._stream.flush()
            self._text = ""


class _SimpleBar:
    """A bar that is redrawn in place with carriage returns."""

    def __init__(self, stream: ErrorStream, steps: int) -> None:
        self._stream = stream
        self._steps = steps
        self._length = 0

    def draw(self, title: str, steps_done: int, seconds: float, numbers: str) -> None:
        columns = shutil.get_terminal_size().columns
        cells = _bar_cells(columns, len(f"{title} [] {numbers}"))
        bar = f" [{'#' * (cells * steps_done // self._steps):.<{cells}}]" if cells else ""
        # A line as wide as the terminal would wrap, and could not be redrawn.
        text = f"{title}{bar} {numbers}"[: columns - 1]
        self._stream.write("\r" + text.ljust(self._length))
        self._stream.flush()
        self._length = len(text)

    def end(self) -> None:
        if self._length:
            self._stream.write("\n")
            self._stream.flush()
            self._length = 0


class _TqdmBar:
    """The bar of tqdm."""

    def __init__(self, tqdm: Any, stream: ErrorStream, steps: int) -> None:
        # tqdm's monitor thread is not needed, because all drawing is done here.
        self._make = type("Bar", (tqdm,), {"monitor_interval": 0})
        self._stream = stream
        self._steps = steps
        self._bar: Any = None

    def draw(self, title: str, steps_done: int, seconds: float, numbers: str) -> None:
        # Read the size here, because tqdm draws nothing on a terminal without one.
        columns, rows = shutil.get_terminal_size()
        cells = _bar_cells(columns, len(f"{title} || 00:00<00:00  {numbers}"))
        bar = f" |{{bar:{cells}}}| {{elapsed}}<{{remaining}}" if cells else ""
        layout = f"{{desc}}{bar}  {numbers}"
        if self._bar is None:
            self._bar = self._make(
                total=self._steps,
                desc=title,
                file=self._stream,
                ncols=columns - 1,
                nrows=rows,
                bar_format=layout,
            )
        self._bar.n = steps_done
        # tqdm ends a line only if its last drawing is later than the bar's start.
        self._bar.last_print_t = time()
        self._bar.start_t = self._bar.last_print_t - seconds
        self._bar.bar_format = layout
        self._bar.set_description_str(title)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _bar_cells(columns: int, others: int) -> int:
    """Return the length of a bar next to `others` characters; 0 if the line has too little room."""
    cells = min(BAR_CELLS, columns - 1 - others)
    return cells if cells >= 5 else 0


def _make_bar(stream: ErrorStream, steps: int) -> _Line:
    try:
        tqdm = import_module("tqdm").tqdm
    except ImportError:
        return _SimpleBar(stream, steps)
    return _TqdmBar(tqdm, stream, steps)
