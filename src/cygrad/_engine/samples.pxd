from cpython.buffer cimport Py_buffer

from libc.stdint cimport int64_t

from cygrad._engine.kernels cimport cg_samples, cg_sparse


cdef class Samples:
    cdef Py_buffer buffer
    cdef bint held                  # whether `buffer` is acquired
    cdef cg_samples view
    cdef bint is_sparse             # whether these are the rows of `sparse`; of `view` only the shape is used then
    cdef cg_sparse sparse
    cdef object parts               # the arrays that `sparse` points to
    cdef double number              # of `hold_number`
    cdef object standardization     # mean and scale that standardise the rows, which `view` points to, or None
    cdef bint is_checked            # whether all numbers are known to be finite in the dtype
    cdef bint single                # whether that is float32
    cdef object array, name, dtype  # for the error, until they are checked
    cdef int read(self, array, str name, Py_ssize_t columns, str dtype, bint check) except -1
    cdef int read_sparse(self, X, str name, Py_ssize_t columns, str dtype, const double[::1] mean,
                         const double[::1] scale, tuple owner) except -1
    cdef const cg_sparse *sparse_rows(self) noexcept nogil
    cdef int check(self) except -1
    cdef bint rows_are_finite(self, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t *place) noexcept nogil
    cdef int raise_not_finite(self, Py_ssize_t row, Py_ssize_t col) except -1
    cdef bint acquire(self, array) except -1
    cdef int acquire_array(self, array, str name) except -1
    cdef int acquire_row(self, array, str name, Py_ssize_t columns) except -1
    cdef void as_row(self) noexcept
    cdef int hold_number(self, double number) except -1
    cdef void release(self) noexcept
    cdef void standardize(self, const double[::1] mean, const double[::1] scale, tuple owner) noexcept
    cdef bint find_nonfinite(self, bint single, Py_ssize_t *row, Py_ssize_t *col) except -1


cdef char *memory_of(array) except NULL
cdef int type_code(const char *format, Py_ssize_t itemsize) noexcept
cdef bint all_finite(const cg_samples *numbers) noexcept nogil
cdef int64_t read_integer(const char *place, int type) noexcept nogil
cdef double read_number(const char *place, int type) noexcept nogil
