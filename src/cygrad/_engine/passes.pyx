"""Many passes, and how threads share them.

In training a pass needs the parameters that the pass before it has updated: passes run in turn, and threads share each
operation. In inference passes do not depend on each other: they run side by side, each on one thread.
"""

cimport cython

from libc.string cimport memset

from cygrad._engine.equations cimport Pass
from cygrad._engine.plan cimport Operation, Plan, costs
from cygrad._engine.team cimport Team, cg_team_end, cg_team_open, cg_team_stop, cg_team_stopped


include "results.pyx"


cdef Py_ssize_t LONG_PASS = 200_000_000     # multiply-adds: so long that a user may want to interrupt it


cdef class SequentialPasses(Team):
    """Run batch after batch through one plan."""

    def __cinit__(self):
        memset(&self.p, 0, sizeof(Pass))

    cdef int set_up(self, Plan plan) except -1:
        """Use a plan from now on."""
        self.assemble(plan.members)
        self.plan = plan
        return 0

    cdef int run(self, Py_ssize_t samples, Py_ssize_t batch_size, Py_ssize_t passes, poll) except -1:
        """Run the batches of the samples in `self.p` through the plan. The last batch may have fewer rows."""
        cdef bint threads_pay = self.members > 1 and self.plan.work * passes > costs.thread_start * costs.barrier
        self.samples, self.batch_size, self.passes = samples, batch_size, passes
        self.passes_done, self.stopped, self.loss, self.metric = 0, False, 0, 0
        self.begin_pass()
        self.run_threads(self.members if threads_pay else 1, poll)
        return 0

    cdef void prepare_pass(self) noexcept nogil:
        """Set the rest of `self.p` before each pass; one thread calls it, alone."""

    cdef void next_phase(self, int member) noexcept nogil:
        cdef const Operation *op
        self.stopped = cg_team_stopped(self.team)
        while not self.stopped:
            if self.next == self.plan.operations:
                self.end_pass()
                if self.passes_done == self.passes:
                    break
                self.begin_pass()
            op = &self.plan.operation[self.next]
            if self.next == self.plan.first_update and member == 0 and self.plan.work > LONG_PASS:
                self.stopped = self.interrupts.run_handlers()   # the last time before long updates
                if self.stopped:
                    break
            self.next += 1
            if op.runs_with_next:
                continue
            if op.is_split:
                self.split_operation = op
                cg_team_open(self.team, op.panels * op.blocks + op.attached)
                return
            self.stopped = self.plan.run_operation(op, &self.p, member, self.interrupts)
        cg_team_end(self.team)

    cdef void begin_pass(self) noexcept nogil:
        self.p.start = self.passes_done * self.batch_size
        self.p.rows = min(self.batch_size, self.samples - self.p.start)
        self.plan.pass_id += 1
        self.next = 0
        self.prepare_pass()

    cdef void end_pass(self) noexcept nogil:
        self.loss += self.p.loss
        self.metric += self.p.metric
        self.passes_done += 1
        self.interrupts.steps, self.interrupts.loss = self.passes_done, self.loss

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        cdef const Operation *op = self.split_operation
        cdef Py_ssize_t tasks = op.panels * op.blocks
        if cg_team_stopped(self.team):
            return
        if task >= tasks:
            op += task - tasks - op.attached
            if self.plan.run_operation(op, &self.p, member, self.interrupts):
                cg_team_stop(self.team)
        elif self.plan.run_task(op, task, &self.p, member, self.interrupts):
            cg_team_stop(self.team)


@cython.final
cdef class ParallelPasses(Team):
    """Run chunks of samples through one plan, in parallel: each thread has its own rows of the workspace."""

    def __cinit__(self):
        memset(&self.p, 0, sizeof(Pass))
        memset(&self.results, 0, sizeof(Results))
        self.sums = NULL

    cdef int run(self, Py_ssize_t samples, Py_ssize_t chunk) except -1:
        """Run all samples through the plan, which has rows for a chunk of each member."""
        self.samples, self.chunk = samples, chunk
        self.chunks = (samples + chunk - 1) // chunk
        self.is_open = self.found_nonfinite = False
        self.run_threads(self.members, None)
        if self.found_nonfinite:
            self.x.check()      # raises the error that names the first of them
        if self.interrupts.error is not None:
            raise self.interrupts.error
        return 0

    cdef void next_phase(self, int member) noexcept nogil:
        if self.is_open:
            cg_team_end(self.team)
        else:
            self.is_open = True
            cg_team_open(self.team, self.chunks)

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        cdef Pass p = self.p
        cdef Py_ssize_t[2] place
        if cg_team_stopped(self.team):
            return
        p.first = member * self.chunk
        p.start = task * self.chunk
        p.rows = min(self.samples - p.start, self.chunk)
        if not self.x.is_checked and not self.x.rows_are_finite(p.start, p.rows, place):
            self.found_nonfinite = True
            cg_team_stop(self.team)
            return
        if self.plan.run(&p, member, self.interrupts):
            cg_team_stop(self.team)
        write_results(self.plan, p.first, p.rows, &self.results, p.start)
        if self.sums != NULL:
            self.sums[2 * task], self.sums[2 * task + 1] = p.loss, p.metric
