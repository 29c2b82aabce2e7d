from cygrad._engine.equations cimport Pass
from cygrad._engine.plan cimport Operation, Plan
from cygrad._engine.team cimport Team


cdef class SequentialPasses(Team):
    cdef Plan plan
    cdef Pass p                     # the one at work
    cdef Py_ssize_t samples, batch_size, passes
    cdef Py_ssize_t passes_done        # passes
    cdef double loss, metric        # sums over the passes_done ones
    cdef bint stopped               # early: the pass at work has changed nothing
    cdef Py_ssize_t next            # operation of the pass at work
    cdef const Operation *split_operation   # the one whose tasks the open phase has
    cdef int set_up(self, Plan plan) except -1
    cdef int run(self, Py_ssize_t samples, Py_ssize_t batch_size, Py_ssize_t passes, poll) except -1
    cdef void prepare_pass(self) noexcept nogil
    cdef void begin_pass(self) noexcept nogil
    cdef void end_pass(self) noexcept nogil


cdef class ParallelPasses(Team):
    cdef Plan plan
    cdef Pass p                     # what all have in common
    cdef Py_ssize_t samples, chunk, chunks
    cdef bint is_open
    cdef char *out                  # rows of outputs, or NULL
    cdef double *sums               # loss and metric of each chunk, or NULL
    cdef int run(self, Py_ssize_t samples, Py_ssize_t chunk) except -1
