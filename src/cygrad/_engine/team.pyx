"""Threads that work together in one call outside the GIL.

They are Python threads, started by the call and ended before it returns: none is left that a fork could lose. csrc/team.h
divides the work and has the barrier; the classes that inherit from `Team` define the work.
"""

from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport cg_flush_denormals, cg_restore_denormals

from _thread import allocate_lock, start_new_thread


cdef class Team:
    """Threads that share the tasks of phases. A subclass defines the tasks, and what happens between the phases."""

    def __cinit__(self):
        self.team = NULL

    def __dealloc__(self):
        cg_team_free(self.team)

    cdef int assemble(self, int members, int parts=0) except -1:
        """Allocate the shared state of `members` threads, whose tasks have up to `parts` parts done in turn."""
        cdef cg_team *team = cg_team_new(members, parts)
        if team == NULL:
            raise MemoryError()
        cg_team_free(self.team)
        self.team, self.members = team, members
        return 0

    cdef void next_phase(self, int member) noexcept nogil:
        """Run what one thread does alone, then open a phase or end the work."""
        cg_team_end(self.team)

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        """Run one task of the open phase."""

    cdef int run_threads(self, int thread_count, poll) except -1:
        """Run all phases on the first `thread_count` members. An interrupt leaves its error in `interrupts.error`."""
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
                break       # the system allows no more threads: those that there are run all tasks
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
        """Wait until another thread has ended. False: an interrupt came first."""
        try:
            return ended.acquire()
        except BaseException as error:
            self.interrupts.error = error
            return False

    def _run_thread(self, int member, ended):
        """Run a thread that the calling thread has started."""
        cdef unsigned long denormals
        with nogil:
            denormals = cg_flush_denormals()
            cg_team_spread(self.team)
            self.thread_loop(member, CG_TEAM_BEGUN)
            cg_restore_denormals(denormals)
        ended.release()

    cdef void thread_loop(self, int member, uint32_t phase) noexcept nogil:
        """Run tasks of every phase after this one, until there are no more phases."""
        cdef Py_ssize_t task, count
        cg_team_enter(self.team, member)
        while True:
            phase = cg_team_wait(self.team, member, phase)
            if phase == CG_TEAM_OVER:
                return
            count = 0
            while True:
                task = cg_team_take(self.team, member, phase)
                if task < 0:
                    break
                self.run_task(task, member)
                count += 1
                if cg_team_should_yield(self.team, member):
                    if cg_team_done(self.team, count):
                        self.next_phase(member)
                    else:
                        cg_team_yield(self.team, member)
                    count = 0
            if count > 0 and cg_team_done(self.team, count):
                self.next_phase(member)
