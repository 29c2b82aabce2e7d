"""Interrupts of long work outside the GIL: signal handlers, and a function that shows progress."""

cimport cython

from cpython.exc cimport PyErr_CheckSignals

from cygrad._engine.kernels cimport cg_clock, cg_flush_denormals, cg_restore_denormals

from _thread import get_ident


CLOCK_WORK = 4_000_000
cdef double INTERVAL = 0.02     # seconds between two runs of the handlers


stopped = set()     # identifiers of threads whose computations end at the next check, by a KeyboardInterrupt


cdef double clock() noexcept nogil:
    return cg_clock()


cdef int check_signals() except -1:
    """Run signal handlers, in the main thread; in others raise a KeyboardInterrupt if they are stopped."""
    PyErr_CheckSignals()
    if stopped and get_ident() in stopped:
        raise KeyboardInterrupt()
    return 0


@cython.final
cdef class Interrupts:
    """Runs signal handlers and `poll(steps, loss)` every 20 ms, while one thread works outside the GIL.

    The thread calls `check` with the work that it has done; where this is True, it stops, and `error` is raised once it
    has the GIL. Between `flush_denormals` and `restore_denormals`, denormal numbers count as zero, except in handlers.
    """

    def __init__(self, poll=None):
        self.poll = poll
        self.error = None
        self.work = 0
        self.steps = 0
        self.loss = 0
        self.flushing = False
        self.last = cg_clock()

    cdef void flush_denormals(self) noexcept nogil:
        self.denormals = cg_flush_denormals()
        self.flushing = True

    cdef void restore_denormals(self) noexcept nogil:
        self.flushing = False
        cg_restore_denormals(self.denormals)

    cdef bint check(self, Py_ssize_t work) noexcept nogil:
        """Count `work` more multiply-adds, and run the handlers if it is time. True: stop, there is an error."""
        self.work += work
        if self.work < CLOCK_WORK:
            return False
        self.work = 0
        if cg_clock() - self.last < INTERVAL:
            return False
        return self.run_handlers()

    cdef bint run_handlers(self) noexcept with gil:
        cdef bint flushing = self.flushing
        if flushing:
            self.restore_denormals()
        try:
            check_signals()
            if self.poll is not None:
                self.poll(self.steps, self.loss)
        except BaseException as error:
            self.error = error
        self.last = cg_clock()
        if flushing:
            self.flush_denormals()
        return self.error is not None
