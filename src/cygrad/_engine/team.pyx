"""Threads that work together in one call outside the GIL, and the looks at Python that one of them takes on the way.

The threads are Python's own, started by the call and gone when it returns: nothing is left behind that a fork could
lose. How they divide the work and meet is in csrc/team.h; what the work is, the classes say that inherit from `Team`.
"""

cimport cython

from cpython.exc cimport PyErr_CheckSignals

from cygrad._engine.kernels cimport cg_clock, cg_flush_denormals, cg_restore_denormals

from _thread import allocate_lock, start_new_thread


cdef Py_ssize_t ATTENTION_WORK = 4_000_000   # multiply-adds between two looks at the clock
cdef double ATTENTION_SECONDS = 0.02         # between two times that Python has the floor


@cython.final
cdef class Watch:
    """Lets Python have the floor now and then during a long pass: for signals, and for `poll(steps, loss)`."""

    def __init__(self, poll=None):
        self.poll = poll
        self.error = None
        self.work = 0
        self.steps = 0
        self.loss = 0
        self.last = cg_clock()

    cdef void enter(self) noexcept nogil:
        """Denormals count as zero until `leave`, but not while Python has the floor."""
        self.denormals = cg_flush_denormals()

    cdef void leave(self) noexcept nogil:
        cg_restore_denormals(self.denormals)

    cdef bint due(self, Py_ssize_t work) noexcept nogil:
        """Whether to stop, when `work` more multiply-adds have been done."""
        self.work += work
        if self.work < ATTENTION_WORK:
            return False
        self.work = 0
        if cg_clock() - self.last < ATTENTION_SECONDS:
            return False
        return self.attend()

    cdef bint attend(self) noexcept with gil:
        self.leave()
        try:
            PyErr_CheckSignals()
            if self.poll is not None:
                self.poll(self.steps, self.loss)
        except BaseException as error:
            self.error = error
        self.last = cg_clock()
        self.enter()
        return self.error is not None


cdef class Team:
    """Threads at one piece of work. A subclass says what is done between the phases and what a task is."""

    def __cinit__(self):
        self.team = NULL

    def __dealloc__(self):
        cg_team_free(self.team)

    cdef int assemble(self, int members) except -1:
        """Make room for so many threads."""
        cdef cg_team *team = cg_team_new(members)
        if team == NULL:
            raise MemoryError()
        cg_team_free(self.team)
        self.team, self.members = team, members
        return 0

    cdef void next_phase(self, int member) noexcept nogil:
        """Alone: do what cannot be divided, then open a phase or end the work."""
        cg_team_end(self.team)

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        """Do one task of the open phase."""

    cdef int run_threads(self, int present, poll) except -1:
        """Do all the work with the first `present` of the members. What interrupted it is in `watch.error`."""
        cdef int member
        self.watch = Watch(poll)
        cg_team_begin(self.team)
        ends = []
        for member in range(1, present):
            end = allocate_lock()
            end.acquire()
            try:
                start_new_thread(self._follow, (member, end))
            except RuntimeError:
                break       # the system allows no more threads: those there are do it all
            ends.append(end)
        with nogil:
            self.watch.enter()
            self.next_phase(0)
            self.thread_loop(0, CG_TEAM_BEGUN)
            self.watch.leave()
        for end in ends:
            while not self._released(end):
                pass
        return 0

    def _released(self, end):
        """Wait for another thread to be through; False where an interrupt came in the meantime."""
        try:
            return end.acquire()
        except BaseException as error:
            self.watch.error = error
            return False

    def _follow(self, int member, end):
        """What the threads do that the calling thread has started."""
        cdef unsigned long denormals
        with nogil:
            denormals = cg_flush_denormals()
            cg_team_spread(self.team)
            self.thread_loop(member, CG_TEAM_BEGUN)
            cg_restore_denormals(denormals)
        end.release()

    cdef void thread_loop(self, int member, uint32_t phase) noexcept nogil:
        """Take part in every phase after this one, until the work is over."""
        cdef Py_ssize_t task, count
        while True:
            phase = cg_team_wait(self.team, phase)
            if phase == CG_TEAM_OVER:
                return
            count = 0
            while True:
                task = cg_team_take(self.team, member, phase)
                if task < 0:
                    break
                self.run_task(task, member)
                count += 1
            if count > 0 and cg_team_done(self.team, count):
                self.next_phase(member)
