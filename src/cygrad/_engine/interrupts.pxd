# Work, in multiply-adds, between two reads of the clock.
cdef Py_ssize_t CLOCK_WORK

# Seconds of a monotonic clock.
cdef double clock() noexcept nogil

cdef int check_signals() except -1


cdef class Interrupts:
    cdef object poll
    cdef object error           # raised by a signal handler, or by `poll`
    cdef double last            # when they ran
    cdef Py_ssize_t work        # since the clock was read
    cdef Py_ssize_t steps       # for `poll`, with `loss`
    cdef double loss
    cdef bint flushing
    cdef unsigned long denormals
    cdef void flush_denormals(self) noexcept nogil
    cdef void restore_denormals(self) noexcept nogil
    cdef bint check(self, Py_ssize_t work) noexcept nogil
    cdef bint run_handlers(self) noexcept with gil
