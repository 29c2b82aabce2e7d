"""Training on several processes by MPI, to the same bits as on one.

`MPITrainer` is `Trainer` for the ranks of an MPI communicator. Every rank runs the same program::

    mpiexec -n 4 python train.py

`fit_many` trains many networks, each on one of the ranks; inside of ``with divided():``,
`cross_validate`, `grid` and `ensemble` do so too.

It needs mpi4py and an MPI library: ``pip install 'cygrad[mpi]'`` brings MPICH. `ring` moves the
numbers, `agreement` finds ranks that differ, `failures` tells the others of an error.
"""

from cygrad.distributed.failures import RankError
from cygrad.distributed.many import divided, fit_many
from cygrad.distributed.trainer import MPITrainer

__all__ = ["MPITrainer", "RankError", "divided", "fit_many"]
