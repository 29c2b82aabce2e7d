from libc.stdint cimport int64_t

from cpython.buffer cimport Py_buffer

from cygrad._engine.equations cimport Layer
from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport cg_kernels, cg_matrix, cg_samples
from cygrad._engine.plan cimport Plan
from cygrad._engine.samples cimport Samples


# Identifies the process in `owner`: a fork counts it up in the child, where no call of the parent is in progress.
cdef Py_ssize_t fork_count


cdef class Engine:
    cdef const cg_kernels *kernels
    cdef Layer *layers              # 1 … depth
    cdef Layer *trained             # the same, but with the parameters that training changes
    cdef Py_ssize_t plan_version    # increased when `trained` changes, since plans depend on it
    cdef readonly Py_ssize_t depth
    cdef int loss
    cdef bint mean
    cdef readonly str isa, dtype
    cdef readonly object storage
    cdef object block               # all parameters, as bytes; `storage` is the same memory as numbers
    cdef object numpy_dtype, empty
    cdef type plan_type             # Plan, or LoopsPlan
    cdef readonly tuple sizes
    cdef Py_ssize_t inputs, outputs
    cdef const double[::1] input_mean, input_scale      # or None
    cdef list weight_panels, bias_rows
    cdef Py_ssize_t work            # multiply-adds for one sample
    cdef Inference inference        # always ready
    cdef Py_ssize_t owner           # the process of the call that trains it, or 0
    cdef int begin_training(self) except -1
    cdef void end_training(self) noexcept
    cdef int read_row(self, Samples x, array) except -1
    cdef bint takes_classes(self) noexcept
    cdef bint takes_rows(self) noexcept
    cdef Plan plan(self, Py_ssize_t capacity, bint targets=*, Py_ssize_t lowest_delta=*, bint keep=*, int members=*)
    cdef Py_ssize_t thread_count(self, Py_ssize_t n, threads, Py_ssize_t thread_work) except -1
    cdef Py_ssize_t block_rows(self, Py_ssize_t n) noexcept
    cdef bint sums_go_on(self, bint rows_of_targets) noexcept
    cdef int sample_type(self) noexcept nogil
    cdef Inference begin_inference(self)
    cdef Inference new_inference(self)
    cdef int infer(self, Inference context, const cg_samples *x, char *out) except -1
    cdef void compute(self, Inference context, const cg_samples *x, char *out) noexcept nogil
    cdef double output(self, Inference context, Py_ssize_t unit) noexcept nogil
    cdef Py_ssize_t largest_output(self, Inference context) noexcept nogil
    cdef int acquire_out(self, out, Py_buffer *buffer) except -1
    cdef int forward_many(self, Samples X, char *out, Py_ssize_t members) except -1
    cdef rows(self, cg_matrix *matrix, Py_ssize_t n)


cdef class Inference:
    cdef Plan plan
    cdef Interrupts interrupts
    cdef Samples x
    cdef Py_ssize_t owner       # the process of the call that uses it, or 0


cdef Py_ssize_t divided_rows(Py_ssize_t n, Py_ssize_t count) noexcept
cdef const cg_samples *target_rows(targets)
cdef const int64_t *target_labels(targets)
