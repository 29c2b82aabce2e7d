"""Write tables like those of a census: six columns of numbers, eight of text, gaps, two classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..programs import Array

TARGET = "income"
CLASSES = ("up_to_50k", "over_50k")
GAP = "?"
GAP_SHARE = 0.02
#: Mean and deviation of the columns of numbers.
NUMBERS = {
    "age": (38.0, 13.0),
    "years_of_school": (10.0, 2.6),
    "hours_per_week": (40.0, 12.0),
    "weight": (190_000.0, 105_000.0),
    "savings": (8.5, 3.2),
    "distance": (14.0, 9.0),
}
#: Different words of the columns of text: 99 inputs, as two words share one.
WORDS = {
    "workclass": 8,
    "education": 16,
    "marital_status": 7,
    "occupation": 14,
    "relationship": 6,
    "race": 5,
    "sex": 2,
    "country": 42,
}


def write(path: Path, rows: int, seed: int) -> None:
    """Write a table; tables of all seeds have the same distribution and the same words."""
    rng = np.random.default_rng(seed)
    effects = np.random.default_rng(0)  # of the words on the target, in all tables
    columns: dict[str, list[str]] = {}
    score = np.zeros(rows)
    z = rng.normal(size=(rows, len(NUMBERS)))
    score += z[:, 0] - 0.5 * z[:, 0] ** 2 + z[:, 1] + 0.7 * z[:, 2] + 0.8 * z[:, 4] * z[:, 1]
    for number, (name, (mean, deviation)) in zip(z.T, NUMBERS.items(), strict=True):
        digits = 0 if deviation > 10 else 2
        values = (mean + deviation * number).tolist()
        columns[name] = [f"{value:.{digits}f}" for value in values]
    for name, count in WORDS.items():
        shares = 1 / np.arange(1, count + 1)  # few words are frequent, as in most texts
        codes = rng.choice(count, rows, p=shares / shares.sum())
        score += effects.normal(size=count)[codes]
        words = [f"{name.replace('_', '-')}-{code}" for code in range(count)]
        columns[name] = [words[code] for code in codes.tolist()]
    for column in columns.values():
        for row in np.flatnonzero(rng.random(rows) < GAP_SHARE).tolist():
            column[row] = GAP
    is_high = _noisy(score, rng) > 1.0
    columns[TARGET] = [CLASSES[value] for value in is_high.astype(int).tolist()]
    with path.open("w") as file:
        file.write(",".join(columns) + "\n")
        file.writelines(",".join(row) + "\n" for row in zip(*columns.values(), strict=True))


def _noisy(score: Array, rng: np.random.Generator) -> Array:
    noisy: Array = score + rng.normal(scale=0.5, size=len(score))
    return noisy
