"""Callbacks of `Trainer.fit`: what happens between the epochs.

`Callback` is the base class of one's own; `EarlyStopping` ends a training that improves no more,
`ReduceOnPlateau` lowers its learning rate, and `CSVLogger` writes a row for each epoch to a file.
`cygrad.Checkpoint` writes the complete state of a training; it is in `checkpoints`.

The protocol of the calls is in `hooks`. Callbacks use only the trainer's public methods. The
display of progress is not a callback, because it is updated within an epoch too; it is in
`progress`.
"""

from cygrad.training.callbacks.callback import Callback
from cygrad.training.callbacks.csv_logger import CSVLogger
from cygrad.training.callbacks.early_stopping import EarlyStopping
from cygrad.training.callbacks.plateau import ReduceOnPlateau

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "ReduceOnPlateau"]
