from libc.stdint cimport int64_t

from cygrad._engine.equations cimport Layer, Pass
from cygrad._engine.kernels cimport cg_samples
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


# Calls of a link without an argument.
cdef enum Call:
    RECEIVE_SUMS
    SEND_SUMS
    ADD_SUMS
    FINISH


# What a rank does in turn: an operation of the plan, or of a gradient some panels.
cdef struct Entry:
    Py_ssize_t operation
    bint is_gradient
    bint is_loss                # the sums of the loss go on from the rank before
    Py_ssize_t panel, panels    # of a gradient
    bint completes_layer        # its last panels, after which come all its biases
    Py_ssize_t block            # to which a gradient belongs
    bint opens, closes          # whether it is the block's first or last one


# A range of the parameters' memory.
cdef struct Block:
    char *first
    Py_ssize_t size


cdef class Ranks:
    cdef object link
    cdef readonly int rank, size
    cdef readonly bint exact
    cdef bint is_last
    cdef readonly object bounds         # int64 [size + 1]: the first row of each rank, where they have different ones, or None
    cdef const int64_t *first_rows      # the same
    cdef Py_ssize_t most                # rows of a batch that this rank has then
    cdef object numbers                 # int64 [size + 1]: else the part of a batch before each rank's rows, in 1 / WHOLE
    cdef const int64_t *shares          # the same
    cdef cg_samples x, y                # of the current call then: a view of them in which rows have these numbers
    cdef Plan plan
    cdef bint sends_at_once             # whether each block is updated as soon as its gradient is complete
    cdef Entry *entries
    cdef Block *blocks
    cdef Py_ssize_t count, block_count
    cdef Layer *layers                  # of the engine, with the parameters that ranks of a host share
    cdef object memory                  # of these parameters
    cdef object message
    cdef double *header                 # of the message: loss, metric, penalty, and what is decided
    cdef char *sums                     # of the message: partial sums of the loss
    cdef Py_ssize_t sums_size
    cdef double deadline
    # Of the current batch.
    cdef Py_ssize_t next                # entry
    cdef const Entry *opened            # its tasks are those of the open phase
    cdef char *slot                     # the sums of the current block
    cdef bint given_up                  # the batch changes nothing
    cdef bint failed                    # the link has raised `error`
    cdef object error
    cdef int share_batches(self, Py_ssize_t rows, double row_work, double update_work) except -1
    cdef Py_ssize_t first_place(self, const int64_t *order, Py_ssize_t rows, int rank) noexcept nogil
    cdef Py_ssize_t most_rows(self, Py_ssize_t rows) noexcept
    cdef char *prepare(self, Plan plan, const Layer *layers, parameters, gradient, bint is_stored) except NULL
    cdef int work_at(self, const Layer *layers, Py_ssize_t offset) except -1
    cdef Entry *add(self, Py_ssize_t operation) except NULL
    cdef int add_gradient(self, Py_ssize_t operation) except -1
    cdef Block *add_block(self) except NULL
    cdef int close_blocks(self) except -1
    cdef int begin(self, SequentialPasses passes, Py_ssize_t rows, Py_ssize_t batch_size, Py_ssize_t first,
                   Py_ssize_t batches) except -1
    cdef void begin_batch(self, SequentialPasses passes) noexcept nogil
    cdef void next_phase(self, SequentialPasses passes, int member) noexcept nogil
    cdef bint before(self, SequentialPasses passes, const Entry *entry) noexcept nogil
    cdef void run_task(self, SequentialPasses passes, const Entry *entry, Py_ssize_t task, int member) noexcept nogil
    cdef void after(self, SequentialPasses passes, const Entry *entry) noexcept nogil
    cdef void complete_loss(self, SequentialPasses passes) noexcept nogil
    cdef bint end_batch(self, SequentialPasses passes) noexcept nogil
    cdef int end(self, SequentialPasses passes) except -1
    cdef bint is_interrupted(self) noexcept with gil
    cdef bint take(self, Py_ssize_t block) noexcept with gil
    cdef bint give(self, Py_ssize_t block) noexcept with gil
    cdef bint complete_statistics(self, SequentialPasses passes, const Operation *op, int stage) noexcept with gil
    cdef bint wait_for_sums(self, SequentialPasses passes) noexcept with gil
    cdef bint call(self, Call which) noexcept with gil
    cdef bint fail(self, error) noexcept


cdef class SequentialPasses(Team):
    cdef Ranks ranks                        # with which this process shares each batch, or None
    cdef Plan plan
    cdef double start_cost                  # of all threads but the calling one, in multiply-adds
    cdef bint in_turn                       # whether threads compute the blocks of a batch side by side
    cdef bint is_open                       # whether their phase has been opened
    cdef double turn_loss, turn_metric, turn_penalty    # of the blocks that have had their turn: `p` is copied meanwhile
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
    cdef Py_ssize_t samples, chunk, chunks
    cdef bint is_open               # whether the phase, with a task for each chunk, has been opened
    cdef Results results
    cdef double *sums               # loss and metric of each chunk, or NULL
    cdef int run(self, Py_ssize_t samples, Py_ssize_t chunk) except -1
