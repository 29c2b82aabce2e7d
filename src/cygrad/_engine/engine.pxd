from libc.stdint cimport int64_t

from cygrad._engine.kernels cimport cg_kernels, cg_matrix, cg_samples
from cygrad._engine.plan cimport Layer, Plan
from cygrad._engine.samples cimport Samples
from cygrad._engine.team cimport Watch


cdef class Engine:
    cdef const cg_kernels *kernels
    cdef Layer *layers              # 1 … depth
    cdef readonly Py_ssize_t depth
    cdef int loss
    cdef bint mean
    cdef readonly str isa, dtype
    cdef readonly object storage
    cdef object block, number, empty
    cdef readonly tuple sizes
    cdef list weight_panels, bias_rows
    cdef Py_ssize_t work            # multiply-adds for one sample
    cdef Plan small                 # kept ready for few samples
    cdef bint small_in_use
    cdef Plan plan(self, Py_ssize_t capacity, bint targets=*, Py_ssize_t lowest_delta=*, bint keep=*, int members=*)
    cdef Py_ssize_t helpful(self, Py_ssize_t n, threads) except -1
    cdef int forward_few(self, Samples X, char *out) except -1
    cdef void compute(self, const cg_samples *x, char *out, Watch watch) noexcept nogil
    cdef int forward_many(self, Samples X, char *out, Py_ssize_t members) except -1
    cdef rows(self, cg_matrix *matrix, Py_ssize_t n)


cdef const cg_samples *rows_of(targets)
cdef const int64_t *labels_of(targets)
