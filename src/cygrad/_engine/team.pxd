from libc.stdint cimport uint32_t

from cygrad._engine.interrupts cimport Interrupts


cdef extern from "team.h" nogil:
    enum:
        CG_TEAM_OVER
        CG_TEAM_BEGUN
    ctypedef struct cg_team:
        pass
    cg_team *cg_team_new(int members, int parts)
    void cg_team_free(cg_team *team)
    void cg_team_begin(cg_team *team)
    void cg_team_spread(cg_team *team)
    void cg_team_open(cg_team *team, Py_ssize_t tasks)
    void cg_team_open_in_order(cg_team *team, Py_ssize_t tasks)
    void cg_team_end(cg_team *team)
    void cg_team_enter(cg_team *team, int member)
    uint32_t cg_team_wait(cg_team *team, int member, uint32_t seen)
    int cg_team_should_yield(cg_team *team, int member)
    void cg_team_yield(cg_team *team, int member)
    Py_ssize_t cg_team_take(cg_team *team, int member, uint32_t phase)
    int cg_team_done(cg_team *team, Py_ssize_t count)
    int cg_team_wait_turn(cg_team *team, int part, Py_ssize_t task)
    void cg_team_pass_turn(cg_team *team, int part, Py_ssize_t task)
    void cg_team_stop(cg_team *team)
    int cg_team_stopped(cg_team *team)
    Py_ssize_t cg_range_end(Py_ssize_t tasks, int members, int member)


cdef class Team:
    cdef cg_team *team
    cdef int members            # numbered from 0, which is the calling thread
    cdef Interrupts interrupts  # of member 0
    cdef int assemble(self, int members, int parts=*) except -1
    cdef int run_threads(self, int thread_count, poll) except -1
    cdef void next_phase(self, int member) noexcept nogil
    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil
    cdef void thread_loop(self, int member, uint32_t phase) noexcept nogil
