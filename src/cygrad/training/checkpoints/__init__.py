"""Checkpoints: the complete state of a training in a file, from which it goes on to the same bits.

`Checkpoint` is the callback that writes them, `resuming` reads them for `Trainer.resume`.
`description` has the arguments of trainer and `fit` as values, `fingerprint` recognises the data,
`file` has the format, and `writer` the thread that writes.
"""

from cygrad.training.checkpoints.checkpoint import Checkpoint

__all__ = ["Checkpoint"]
