"""Files of arrays for the commands: inputs and targets, kept in their own type, or as a table."""

from __future__ import annotations

import math
import zipfile
import zlib
from argparse import Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cygrad.tables import arrays as in_memory
from cygrad.tables import idx, npy
from cygrad.tables.array_files import PARTS, array_columns, table_of
from cygrad.tables.columns import column_position
from cygrad.tables.samples import check_finite
from cygrad.tables.sources import EXPANSION, FREE_BYTES
from cygrad.tables.sparse_rows import SPARSE_INPUTS, SPARSE_SHARE
from cygrad.tables.table import Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cygrad.tables.sparse_rows import SparseRows
    from cygrad.tables.table import Table

TEST_PARTS = {
    ("x_train", "y_train"): ("x_test", "y_test"),
    ("X_train", "y_train"): ("X_test", "y_test"),
    ("train_x", "train_y"): ("test_x", "test_y"),
}
#: A small file cannot fill the memory with weights of columns that hold nothing.
MOST_FEATURES, FEATURES_PER_NUMBER = 100_000, 100


@dataclass(eq=False)
class Arrays:
    """Inputs and targets of a file of arrays.

    Attributes
    ----------
    source : str
        The file, for messages.
    X : ndarray or SparseRows
        Inputs, with a row for each sample, of any type and number of dimensions.
    targets : list of Column
        Targets as numbers or names; none if the file has none.
    locate : callable
        Where the target of a row comes from, for messages.
    parts : dict of str to ndarray
        All arrays, as `table` makes columns of them.
    notes : tuple of str
    test : int
        How many samples at the end are the test part that the file gives.
    reading : dict
        What a model must keep to read such a file again.
    column_names : list of str
        Names of the targets in `table`.
    """

    source: str
    X: Any
    targets: list[Column]
    locate: Callable[[int, str], str]
    parts: dict[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    test: int = 0
    reading: dict[str, Any] = field(default_factory=dict)
    column_names: list[str] = field(default_factory=list)

    @property
    def has_columns(self) -> bool:
        """True if columns can be made of it."""
        return bool(self.parts)

    def inputs(self) -> Any:
        """Return the inputs of a network as they are, (n, inputs), or None.

        None if there is text or a gap among them: then they are columns of a table.
        """
        if not self.parts:
            return self.X
        array = self.X
        if array.dtype.kind not in "biuf" or array.ndim < 2 or 0 in array.shape:
            return None
        array = array if array.ndim == 2 else array.reshape(len(array), -1)
        try:
            check_finite(array, self.source)
        except ValueError:
            return None
        return array

    def checked_inputs(self) -> Any:
        """Return the inputs of a network, (n, inputs).

        Raises
        ------
        ValueError
            If there is text, or a number that is not finite.
        """
        X = self.inputs()
        if X is not None:
            return X
        if self.X.dtype.kind not in "biuf":
            raise ValueError(f"{self.source} holds values of type {self.X.dtype}, expected numbers")
        if self.X.ndim < 2 or 0 in self.X.shape:
            raise ValueError(f"{self.source} has shape {self.X.shape}, expected rows of numbers")
        check_finite(self.X.reshape(len(self.X), -1), self.source)
        raise AssertionError("the inputs are finite")

    def table(self) -> Table:
        """Return all arrays as a table of columns."""
        notes: list[str] = list(self.notes)
        columns: list[Column] = []
        for name, array in self.parts.items():
            place = self.source if len(self.parts) == 1 else f"{self.source}, array {name}"
            columns += array_columns(place, name, array, notes)
        names = {
            name: column
            for name, column in zip(self.column_names, self.targets, strict=True)
            if column.codes is not None
        }  # booleans too, which are numbers among the inputs
        columns = [
            replace(names[column.name], name=column.name) if column.name in names else column
            for column in columns
        ]
        return table_of(Path(self.source), columns, notes)

    def test_rows(self) -> slice:
        """Return the rows to evaluate: those of the test part, if the file gives one."""
        return slice(len(self.X) - self.test if self.test else 0, None)


def read(
    arguments: Namespace,
    path: Path,
    kind: str,
    zero_based: bool | None,
    features: int | None,
) -> Arrays:
    """Read a file of arrays of a format."""
    given = arguments.target
    targets = [given] if isinstance(given, str) else list(given or ())
    if kind == ".npy":
        return _read_npy(path, targets)
    if kind == ".npz":
        return _read_npz(path, targets, arguments.max_bytes)
    if kind == "IDX":
        return _read_idx(path, targets)
    if targets:
        raise ValueError(
            f"--target is {targets[0]}, but {path} is a file of svmlight, whose targets are the "
            "first numbers of the lines"
        )
    return _read_svmlight(arguments, path, zero_based, features)


def _columns(name: str, array: NDArray[Any]) -> list[Column]:
    """Return the columns of targets; booleans are the names False and True."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 1:
        if array.dtype.kind == "b":
            return [in_memory.text(name, map(str, array.tolist()), None)]
        return [in_memory.column(name, array, [])]
    return [in_memory.column(f"{name}_{i + 1}", array[:, i], []) for i in range(array.shape[1])]


def _read_npy(path: Path, targets: Sequence[str]) -> Arrays:
    array = npy.mapped(path)
    if array.ndim == 0 or 0 in array.shape:
        raise ValueError(f"{path} has shape {array.shape}, expected rows of numbers")
    rows = array if array.ndim == 2 else array.reshape(len(array), -1)
    width = rows.shape[1]
    positions = [column_position(path, target, width, argument="--target") for target in targets]
    if len(set(positions)) < len(positions):
        raise ValueError(f"--target names a column of {path} twice")
    if positions and len(positions) == width:
        raise ValueError(f"{path} has no column beside the target, expected at least one input")
    names = [f"column_{position + 1}" for position in positions]
    # Slices keep the file mapped; without a column in the middle, the rest must be copied.
    inputs = rows
    if positions == [0]:
        inputs = rows[:, 1:]
    elif positions == [width - 1]:
        inputs = rows[:, :-1]
    elif positions:
        inputs = np.delete(rows, positions, axis=1)
    columns = [
        _columns(name, np.array(rows[:, position]))[0]
        for name, position in zip(names, positions, strict=True)
    ]

    def locate(row: int, name: str) -> str:
        return f"{path}, row {row + 1}, column {name.removeprefix('column_')}"

    return Arrays(str(path), inputs, columns, locate, {"column": rows}, column_names=names)


def _read_npz(path: Path, targets: Sequence[str], max_bytes: int | None) -> Arrays:
    limit = max_bytes or FREE_BYTES + EXPANSION * path.stat().st_size
    notes: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            has = ", ".join(names)
            for target in targets:
                if target not in names:
                    raise ValueError(f"{path} has the arrays {has}, and so no {target!r}")
            known = [pair for pair in PARTS if set(pair) <= set(names)]
            pairs = [pair for pair in known if targets in ([], [pair[1]])]
            inputs = next((name for name in npy.INPUTS if name in names), None)
            parts: list[list[str]] = []
            if inputs is not None:
                labels = targets or [npy.TARGETS] * (npy.TARGETS in names)
                parts = [[inputs, *labels]]
            elif pairs:
                parts = [list(pairs[0])]
                if set(TEST_PARTS[pairs[0]]) <= set(names):
                    parts.append(list(TEST_PARTS[pairs[0]]))
                    notes.append(f"the file has a test part: {', '.join(parts[1])}")
            elif targets:
                parts = [names]
            else:
                raise ValueError(
                    f"{path} has the arrays {has}, expected one named X, or the targets named with "
                    "--target"
                )
            wanted = [name for part in parts for name in part]
            size = sum(archive.getinfo(f"{name}.npy").file_size for name in wanted)
            if size > limit:
                raise ValueError(
                    f"{path} expands to {size:,} bytes, more than {limit:,}; max_bytes= allows more"
                )
            found = {name: npy.member(archive, name, path) for name in wanted}
    except KeyError as error:
        raise ValueError(f"{path} has a member that is no array: {error}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise ValueError(f"{path} is a damaged .npz file: {error}") from None
    rows = [_check_lengths(path, {name: found[name] for name in part}) for part in parts]
    arrays = {name: found[name] for name in parts[0]}
    if len(parts) == 2:
        arrays = {
            name: _joined(path, found[name], found[other], f"{name} and {other}")
            for name, other in zip(*parts, strict=True)
        }
    first = parts[0][0]
    labels = list(targets) or parts[0][1:]
    if inputs is None and not pairs:  # all arrays but the targets are inputs
        first = next((name for name in names if name not in targets), "")
        if not first:
            raise ValueError(f"{path} has no array beside the target, expected an input")
    columns = [column for label in labels for column in _columns(label, arrays[label])]
    sizes = {label: math.prod(arrays[label].shape[1:]) for label in labels}
    in_table = [
        name
        for label in labels
        for name in (
            [label]
            if arrays[label].ndim == 1
            else [f"{label}_{number + 1}" for number in range(sizes[label])]
        )
    ]

    def locate(row: int, name: str) -> str:
        return f"{path}, array {name}, row {row + 1}"

    is_whole = inputs is not None or bool(pairs)
    X = arrays[first] if is_whole else np.empty((rows[0], 1), object)  # None of `Arrays.inputs`
    return Arrays(
        str(path),
        X,
        columns,
        locate,
        arrays,
        tuple(notes),
        rows[1] if len(rows) == 2 else 0,
        column_names=in_table,
    )


def _check_lengths(path: Path, arrays: dict[str, NDArray[Any]]) -> int:
    """Return the number of samples in arrays that must have as many rows."""
    name, first = next(iter(arrays.items()))
    if first.ndim == 0 or 0 in first.shape:
        raise ValueError(f"{path}, array {name} has shape {first.shape}, expected rows of numbers")
    for other, array in arrays.items():
        if array.ndim == 0 or len(array) != len(first):
            raise ValueError(
                f"{path}, array {other} has shape {array.shape}, expected {len(first)} rows as in "
                f"{name}"
            )
    return len(first)


def _joined(path: Path, first: NDArray[Any], second: NDArray[Any], names: str) -> NDArray[Any]:
    if first.shape[1:] != second.shape[1:] or (first.dtype.kind in "SU") != (
        second.dtype.kind in "SU"
    ):
        raise ValueError(
            f"{path}, arrays {names} have the shapes {first.shape} and {second.shape}, and the "
            f"types {first.dtype} and {second.dtype}, expected like ones"
        )
    return np.concatenate([first, second])


def _read_idx(path: Path, targets: Sequence[str]) -> Arrays:
    images = idx.read_array(path)
    if images.ndim < 2 or 0 in images.shape:
        raise ValueError(f"{path} has dimensions {images.shape}, expected rows of numbers")
    if len(targets) > 1:
        raise ValueError(f"--target: {len(targets)} of them, expected one file of labels")
    labels_path = Path(targets[0]) if targets else idx.find_labels(path)
    parts = {"column": images}
    if labels_path is None:
        return Arrays(str(path), images, [], lambda row, name: "", parts)
    labels = idx.read_array(labels_path)
    if labels.shape != images.shape[:1]:
        raise ValueError(
            f"{labels_path} has dimensions {labels.shape}, expected {len(images)} labels for {path}"
        )
    notes = () if targets else (f"guessed: labels from {labels_path.name}",)
    return Arrays(
        str(path),
        images,
        _columns("label", labels),
        lambda row, name: f"{labels_path}, label {row + 1}",
        {**parts, "label": labels},
        notes,
        column_names=["label"],
    )


def _read_svmlight(
    arguments: Namespace, path: Path, zero_based: bool | None, features: int | None
) -> Arrays:
    from cygrad.tables.svmlight import read_svmlight

    found = read_svmlight(
        path, zero_based=zero_based, columns=features, max_bytes=arguments.max_bytes
    )

    def locate(row: int, name: str) -> str:
        return f"{path}, line {found.lines[row]}, the target"

    rows, inputs = found.X.shape
    if features is None and inputs > max(MOST_FEATURES, FEATURES_PER_NUMBER * len(found.X.data)):
        raise ValueError(
            f"{path} has {inputs:,} columns, and only {len(found.X.data):,} numbers in "
            f"{rows:,} rows; --features {inputs} takes them"
        )
    X: Any = found.X
    if not _stays_sparse(X, arguments):
        X = X.toarray()
    elif option := dense_option(arguments, inputs):
        raise ValueError(
            f"{path} has compressed rows, which {option} does not take; --sparse no expands them"
        )
    return Arrays(
        str(path),
        X,
        [Column("target", found.y)],
        locate,
        notes=found.notes,
        reading={"zero_based": found.zero_based},
    )


def dense_option(arguments: Namespace, inputs: int) -> str:
    """Return the option because of which the first layer needs dense rows, or an empty text."""
    if getattr(arguments, "scaling_rate", None) is not None:
        from cygrad.cli import preset

        return preset.named(arguments, "scaling_rate")
    for name in ("noise", "input_dropout"):
        if getattr(arguments, name, 0):
            return f"--{name.replace('_', '-')}"
    adds_inputs = getattr(arguments, "residual", False) and arguments.hidden[:1] == (inputs,)
    return "--residual" if adds_inputs else ""


def _stays_sparse(X: SparseRows, arguments: Namespace) -> bool:
    rows, inputs = X.shape
    choice = getattr(arguments, "sparse", "auto")
    if choice != "auto":
        return bool(choice == "yes")
    return inputs >= SPARSE_INPUTS and len(X.data) * SPARSE_SHARE <= rows * inputs
