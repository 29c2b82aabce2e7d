"""Threads that work together in one call outside the GIL, and the looks at Python that one of them takes on the way.

The threads are Python's own, started by the call and gone when it returns: nothing is left behind that a fork could
lose. How they divide the work and meet is in csrc/team.h; what the work is, the classes say that inherit from `Team`.
"""

from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport cg_flush_denormals, cg_restore_denormals

from _thread import allocate_lock, start_new_thread


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
        """Alone: do what cannot be divided, then open a phase or ended the work."""
        cg_team_end(self.team)

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        """Do one task of the open phase."""

    cdef int run_threads(self, int thread_count, poll) except -1:
        """Do all the work with the first `thread_count` of the members. What interrupted it is in `interrupts.error`."""
        cdef int member
        self.interrupts = Interrupts(poll)
        cg_team_begin(self.team)
        locks = []
        for member in range(1, thread_count):
            ended = allocate_lock()
            ended.acquire()
            try:
                start_new_thread(self._run_thread, (member, ended))
            except RuntimeError:
                break       # the system allows no more threads: those there are do it all
            locks.append(ended)
        with nogil:
            self.interrupts.flush_denormals()
            self.next_phase(0)
            self.thread_loop(0, CG_TEAM_BEGUN)
            self.interrupts.restore_denormals()
        for ended in locks:
            while not self._wait_for(ended):
                pass
        return 0

    def _wait_for(self, ended):
        """Wait for another thread to be through; False where an interrupt came in the meantime."""
        try:
            return ended.acquire()
        except BaseException as error:
            self.interrupts.error = error
            return False

    def _run_thread(self, int member, ended):
        """What the threads do that the calling thread has started."""
        cdef unsigned long denormals
        with nogil:
            denormals = cg_flush_denormals()
            cg_team_spread(self.team)
            self.thread_loop(member, CG_TEAM_BEGUN)
            cg_restore_denormals(denormals)
        ended.release()

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
