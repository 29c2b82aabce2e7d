"""Text whose font size follows the size of the axes, so that it always fits.

This module imports matplotlib. Drawing functions therefore import it only when they draw.
"""

from __future__ import annotations

from typing import Any

from matplotlib.text import Text

LARGEST = 11.0  # points
# In font sizes: the width of a digit, with a little to spare, and the height of a line.
WIDTH, HEIGHT = 0.66, 1.25


class FittedText(Text):  # type: ignore[misc]
    """Text no wider and no higher than `max_size`, given in data coordinates.

    The axes may change their size later, by a layout or in a resized window. So the font size is
    computed each time the text is drawn or measured.
    """

    def __init__(
        self, x: float, y: float, text: str, max_size: tuple[float, float], **artist_options: Any
    ):
        self._max_size = max_size
        super().__init__(x, y, text, **artist_options)

    def _fit(self) -> None:
        if self.axes is None or self.figure is None:
            return
        width, height = abs(
            self.axes.transData.transform(self._max_size) - self.axes.transData.transform((0, 0))
        )
        lines = self.get_text().split("\n")
        pixels = min(
            width / (WIDTH * max(1, *map(len, lines))),
            height / (HEIGHT * len(lines)),
        )
        self.set_fontsize(max(0.5, min(LARGEST, pixels * 72 / self.figure.dpi)))

    def draw(self, renderer: Any) -> None:
        self._fit()
        super().draw(renderer)

    def get_window_extent(self, *args: Any, **kwargs: Any) -> Any:
        self._fit()
        return super().get_window_extent(*args, **kwargs)


def write(
    ax: Any, x: float, y: float, text: str, max_size: tuple[float, float], **artist_options: Any
) -> None:
    """Write text into axes with linear scales, centred unless `artist_options` changes that.

    Layouts ignore the text, since it stays inside the axes.
    """
    placed = {"ha": "center", "va": "center", "clip_on": False, "in_layout": False}
    options = placed | artist_options
    ax.add_artist(FittedText(x, y, text, max_size, transform=ax.transData, **options))
