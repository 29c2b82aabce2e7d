"""The digits that ship with the package."""

from __future__ import annotations

import zlib
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

IMAGES = 1797
PIXELS = 64
BRIGHTEST = 16
LABELS = 10


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return images of 1,797 handwritten digits, 8 by 8 pixels each, and their labels.

    This is the test part of "Optical Recognition of Handwritten Digits": 32 by 32 bitmaps of
    digits by 13 writers. A pixel is the number of dots in one block of 4 by 4.
    ``split(y, 0.2)`` gives the fixed test part of 359 images for which ``cygrad train digits``
    reports the accuracy.

    Returns
    -------
    X : ndarray of uint8, shape (1797, 64)
        Dots per pixel, 0 to 16, row by row from the top left; ``X[i].reshape(8, 8)`` is an image.
    y : ndarray of int64, shape (1797,)
        The digit, 0 to 9.

    Raises
    ------
    ValueError
        If the file inside the package is damaged.

    Notes
    -----
    E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning Repository, doi:10.24432/C50P49,
    licensed under CC BY 4.0.
    """
    compressed = resources.files("cygrad.datasets").joinpath("digits.zlib").read_bytes()
    return _decompress(compressed)


def _decompress(compressed: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # pixels is [64, 1797]: the same pixel has similar values in all images, which compresses best.
    try:
        data: NDArray[Any] = np.frombuffer(zlib.decompress(compressed), np.uint8)
    except zlib.error as error:
        raise ValueError(f"the package's digits.zlib is damaged ({error}), install again") from None
    if data.size != (PIXELS + 1) * IMAGES:
        raise ValueError(
            f"the package's digits.zlib is damaged: it holds {data.size} values, "
            f"expected {(PIXELS + 1) * IMAGES}; install again"
        )
    pixels = data[: PIXELS * IMAGES].reshape(PIXELS, IMAGES)
    labels = data[PIXELS * IMAGES :]
    if pixels.max() > BRIGHTEST or labels.max() >= LABELS:
        raise ValueError("the package's digits.zlib is damaged: values out of range; install again")
    return np.ascontiguousarray(pixels.T), labels.astype(np.int64)
