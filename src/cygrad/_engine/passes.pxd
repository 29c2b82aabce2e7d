from libc.stdint cimport int64_t

from cygrad._engine.equations cimport Pass
from cygrad._engine.plan cimport Operation, Plan
from cygrad._engine.samples cimport Samples
from cygrad._engine.team cimport Team


# Where inference writes its results. NULL: these are not wanted.
cdef struct Results:
    char *outputs               # [rows, out]
    int64_t *classes            # [rows]; or [rows, out], if each output decides; −1 where the outputs are not finite
    bint decides_at_half        # whether each output decides: 1 if it is at least ½


cdef void write_results(Plan plan, Py_ssize_t first, Py_ssize_t rows, const Results *to,
                        Py_ssize_t start) noexcept nogil


cdef class SequentialPasses(Team):
    cdef Plan plan
    cdef double start_cost                  # of all threads but the calling one, in multiply-adds
    cdef bint in_turn                       # whether threads compute the blocks of a batch side by side
    cdef bint is_open                       # whether their phase has been opened
    cdef object sums                        # of the gradient from block to block, or None
    cdef Pass p                             # the current block of the current batch
    cdef Py_ssize_t samples, batch_size, batches
    cdef Py_ssize_t batch_start             # the first sample of the current batch
    cdef Py_ssize_t batches_done
    cdef double loss, metric                # sums over these batches and those before
    cdef double deadline                    # no batch begins after this time, except the first; 0: none
    cdef bint fetch_ahead                   # whether the samples of the next block are prefetched
    cdef bint stopped                       # the current batch was given up, and has changed nothing
    cdef Py_ssize_t next                    # the next operation of the current block
    cdef const Operation *split_operation   # its tasks are those of the open phase
    cdef int set_up(self, Plan plan, Py_ssize_t batch_capacity, parameters) except -1
    cdef int run(self, Py_ssize_t samples, Py_ssize_t batch_size, Py_ssize_t first, Py_ssize_t batches,
                 poll) except -1
    cdef void prepare_batch(self) noexcept nogil
    cdef bint next_epoch(self) noexcept nogil
    cdef void begin_batch(self) noexcept nogil
    cdef void begin_block(self, Py_ssize_t start) noexcept nogil
    cdef void end_batch(self) noexcept nogil
    cdef bint run_block(self, Py_ssize_t block, int member) noexcept nogil


cdef class ParallelPasses(Team):
    cdef Plan plan
    cdef Pass p                     # the part that all passes share
    cdef Samples x                  # its samples
    cdef bint found_nonfinite       # whether one of them is not finite
    cdef Py_ssize_t samples, chunk, chunks
    cdef bint is_open               # whether the phase, with a task for each chunk, has been opened
    cdef Results results
    cdef double *sums               # loss and metric of each chunk, or NULL
    cdef int run(self, Py_ssize_t samples, Py_ssize_t chunk) except -1
