"""The classes of a classifier: from labels to targets of a network, and back from its outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import unique_labels

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Labels:
    """The classes, what kind of targets they are, and the conversion of labels.

    Attributes
    ----------
    classes : ndarray, shape (k,)
        The labels in ascending order; 0 … k − 1 for several labels of one sample.
    kind : {"binary", "multiclass", "multilabel"}
        "binary" is one output for one or two classes, "multilabel" one output for each label.
    """

    def __init__(self, classes: NDArray[Any], kind: str, binarizer: LabelBinarizer | None) -> None:
        self.classes, self.kind = classes, kind
        # For several labels, where a prediction is sparse if the targets were.
        self._binarizer = binarizer if kind == "multilabel" else None

    @classmethod
    def of(cls, y: Any) -> Labels:
        """Return the classes of some labels; scikit-learn raises the errors of wrong ones."""
        if is_plain(y):
            classes = np.unique(y)
            # Of more classes scikit-learn warns that they may be no classes.
            if 2 * len(classes) <= len(y) or len(y) <= 20:
                return cls(classes, "multiclass" if len(classes) > 2 else "binary", None)
        binarizer = LabelBinarizer().fit(y)
        kind = binarizer.y_type_.partition("-")[0]
        return cls(binarizer.classes_, kind, binarizer)

    def check_same(self, y: ArrayLike) -> None:
        """Raise a ValueError unless y has all these classes and no other."""
        if is_plain(y) and np.array_equal(np.unique(y), self.classes):
            return
        classes = unique_labels(y)
        if set(classes) != set(self.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same "
                "classes as in the previous call to fit. Previously "
                f"got {self.classes}, `y` has {classes}"
            )

    def check_known(self, y: ArrayLike) -> None:
        """Raise a ValueError if y has another class."""
        if is_plain(y) and np.isin(y, self.classes).all():
            return
        classes = unique_labels(y)
        if len(np.setdiff1d(classes, self.classes, assume_unique=True)):
            raise ValueError(
                "`y` has classes not in `self.classes_`. "
                f"`self.classes_` has {self.classes}. 'y' has {classes}."
            )

    def encode(self, y: NDArray[Any]) -> NDArray[Any]:
        """Return class indices, shape (n,), or rows of 0 and 1 for several labels."""
        if self._binarizer is not None:
            # Any number but 0 is a label, in scikit-learn too. A network takes no booleans.
            rows: NDArray[Any] = self._binarizer.transform(y).astype(bool).astype(np.int32)
            return rows
        return np.searchsorted(self.classes, np.asarray(y))

    def decide(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Return what outputs decide for, as `encode` would give it.

        Parameters
        ----------
        outputs : ndarray, shape (n, 1), (n, 2) for two classes, or (n, k)
        """
        if self.kind == "multilabel":
            return (outputs > 0.5).astype(np.int32)
        if outputs.shape[1] == 1:
            return ((outputs[:, 0] > 0.5) & (len(self.classes) > 1)).astype(np.intp)
        return outputs.argmax(axis=1)

    def decode(self, outputs: NDArray[Any]) -> Any:
        """Return the labels that outputs decide for.

        Raises
        ------
        ValueError
            If the outputs of a sample decide for none: one is NaN, or the largest is infinite.
        """
        if not np.isfinite(outputs).all():
            # max is NaN if one of them is.
            undecided = ~np.isfinite(outputs.max(axis=1))
            if undecided.any():
                raise ValueError(
                    f"X has outputs {outputs[undecided][0]} in row {int(np.argmax(undecided))}, "
                    "which decide for no class; expected finite ones"
                )
        if self._binarizer is not None:
            return self._binarizer.inverse_transform(outputs)
        return self.classes.take(self.decide(outputs))


def is_plain(y: Any) -> bool:
    """Return whether y are labels about which nothing has to be asked of scikit-learn."""
    return (
        type(y) is np.ndarray
        and y.ndim == 1
        and y.dtype.kind in "biuU"
        and y.dtype.isnative
        and len(y) > 0
    )
