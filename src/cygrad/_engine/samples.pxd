from cpython.buffer cimport Py_buffer

from cygrad._engine.kernels cimport cg_samples


cdef class Samples:
    cdef Py_buffer buffer
    cdef bint held
    cdef cg_samples view
    cdef bint acquire(self, array) except -1
    cdef bint find_nonfinite(self, bint single, Py_ssize_t *row, Py_ssize_t *col) except -1
