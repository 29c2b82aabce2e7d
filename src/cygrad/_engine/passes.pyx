"""Many passes, and how threads share them.

In training a pass needs the parameters that the pass before it has updated: passes run in turn, and threads share each
operation, or the blocks of a large batch. In inference passes do not depend on each other: they run side by side, each
on one thread.
"""

cimport cython

from libc.string cimport memset

from cygrad._engine.equations cimport Pass
from cygrad._engine.interrupts cimport check_signals, clock
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_prefetch
from cygrad._engine.plan cimport GRADIENT, OUTPUT_DELTA, SCALE_GRADIENT, Operation, Plan, address, costs
from cygrad._engine.team cimport (
    Team, cg_team_end, cg_team_open, cg_team_open_in_order, cg_team_pass_turn, cg_team_stop, cg_team_stopped,
    cg_team_wait_turn
)

from cygrad._engine.plan import aligned


include "results.pyx"
include "ranks.pyx"


cdef Py_ssize_t LONG_PASS = 200_000_000     # multiply-adds: so long that a user may want to interrupt it


cdef class SequentialPasses(Team):
    """Run batch after batch through one plan.

    A batch with more rows than the plan is run in blocks of rows, whose numbers stay in a core's cache through all
    layers, forward and back. Each sum over the batch, of the gradient and of the loss, goes on in the next block, so that
    it is the same chain as without blocks; the last block updates the parameters.
    """

    def __cinit__(self):
        memset(&self.p, 0, sizeof(Pass))
        self.fetch_ahead = False

    cdef int set_up(self, Plan plan, Py_ssize_t batch_capacity, parameters) except -1:
        """Use a plan from now on, for batches of up to `batch_capacity` rows; `parameters` is their block of bytes."""
        cdef Py_ssize_t of_loss = 2 * plan.panels(plan.workspace.a[plan.workspace.depth].cols) * CG_PANEL_BYTES
        # The parts of a block done in turn: the loss, and the gradient of each layer.
        self.assemble(max(plan.members, plan.copies), plan.workspace.depth + 1)
        self.plan, self.in_turn = plan, plan.copies > 1
        # The new threads start, and half of the parameters and of Adam's states come to their caches.
        self.start_cost = (self.members - 1) * costs.thread_start * costs.barrier
        self.start_cost += 1.5 * parameters.size / plan.workspace.kernels.itemsize * costs.transfer * costs.barrier
        self.p.sums_offset = self.p.gradient_offset
        self.p.partial_sums = NULL
        self.sums = None
        if batch_capacity > plan.capacity:
            self.sums = aligned(of_loss + (0 if self.p.gradient_offset else parameters.size))
            self.p.partial_sums = address(self.sums)
            if not self.p.gradient_offset:
                self.p.sums_offset = address(self.sums) + of_loss - address(parameters)
        return 0

    cdef int run(self, Py_ssize_t samples, Py_ssize_t batch_size, Py_ssize_t first, Py_ssize_t batches,
                 poll) except -1:
        """Run batches of the samples in `self.p` through the plan, from number `first` up to `batches`.

        The last batch may have fewer rows. The sums of loss and metric go on from those that are there.
        """
        cdef double work = <double> self.plan.work * (batches - first) * ((batch_size + self.plan.capacity - 1)
                                                                          // self.plan.capacity)
        cdef bint threads_pay = self.members > 1 and work * (self.members - 1) / self.members > self.start_cost
        check_signals()     # before anything is changed
        self.samples, self.batch_size, self.batches = samples, batch_size, batches
        self.batches_done, self.stopped, self.is_open = first, False, False
        self.begin_batch()
        self.run_threads(self.members if threads_pay else 1, poll)
        return 0

    cdef void prepare_batch(self) noexcept nogil:
        """Set the rest of `self.p` before each batch; one thread calls it, alone."""

    cdef bint next_epoch(self) noexcept nogil:
        """End the epoch after its last batch, and prepare the next one. False: there is none."""
        return False

    cdef void next_phase(self, int member) noexcept nogil:
        cdef const Operation *op
        if self.ranks is not None:
            self.ranks.next_phase(self, member)
            return
        self.stopped = cg_team_stopped(self.team)
        if self.in_turn and self.is_open:
            self.p.loss, self.p.metric, self.p.penalty = self.turn_loss, self.turn_metric, self.turn_penalty
        if self.in_turn and not self.stopped:
            if self.is_open:
                self.end_batch()
                if self.batches_done == self.batches and not self.next_epoch():
                    cg_team_end(self.team)
                    return
                self.begin_batch()
            self.is_open = True
            self.turn_loss, self.turn_metric, self.turn_penalty = self.p.loss, self.p.metric, self.p.penalty
            cg_team_open_in_order(self.team, (self.p.batch_rows + self.plan.capacity - 1) // self.plan.capacity)
            return
        while not self.stopped:
            if self.next == self.plan.operations:
                if not self.p.is_last:
                    self.begin_block(self.p.start + self.p.rows)
                else:
                    self.end_batch()
                    if self.batches_done == self.batches and not self.next_epoch():
                        break
                    self.begin_batch()
            op = &self.plan.operation[self.next]
            if self.next == self.plan.first_update and member == 0 and self.plan.work > LONG_PASS and self.p.is_last:
                self.stopped = self.interrupts.run_handlers()   # the last time before long updates
                if self.stopped:
                    break
            self.next += 1
            if op.runs_with_next or (op.once_per_batch and not self.p.is_last):
                continue
            if op.is_split:
                self.split_operation = op
                cg_team_open(self.team, op.panels * op.blocks + op.attached)
                return
            self.stopped = self.plan.run_operation(op, &self.p, member, self.interrupts)
        cg_team_end(self.team)

    cdef void begin_batch(self) noexcept nogil:
        self.batch_start = self.batches_done * self.batch_size
        self.p.batch_rows = min(self.batch_size, self.samples - self.batch_start)
        self.prepare_batch()
        if self.ranks is not None:
            self.ranks.begin_batch(self)
        else:
            self.begin_block(self.batch_start)

    cdef void begin_block(self, Py_ssize_t start) noexcept nogil:
        cdef cg_prefetch *ahead = &self.p.ahead
        self.p.start = start
        self.p.rows = min(self.plan.capacity, self.batch_start + self.p.batch_rows - start)
        self.p.continues = start > self.batch_start
        self.p.is_last = start + self.p.rows == self.batch_start + self.p.batch_rows
        if self.fetch_ahead:
            ahead.order = self.p.order + start + self.p.rows
            ahead.rows = min(self.batch_size, self.plan.capacity, self.samples - start - self.p.rows)
        self.plan.pass_id += 1
        self.next = 0

    cdef void end_batch(self) noexcept nogil:
        self.loss += self.p.loss + self.p.penalty
        self.metric += self.p.metric
        self.batches_done += 1
        self.interrupts.steps, self.interrupts.loss = self.batches_done, self.loss
        if self.deadline and clock() >= self.deadline:
            self.batches = self.batches_done

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        cdef const Operation *op = self.split_operation
        cdef Py_ssize_t tasks
        if self.ranks is not None:
            self.ranks.run_task(self, self.ranks.opened, task, member)
            return
        if cg_team_stopped(self.team):
            return
        if self.in_turn:
            if self.run_block(task, member):
                cg_team_stop(self.team)
            return
        tasks = op.panels * op.blocks
        if task >= tasks:
            op += task - tasks - op.attached
            if self.plan.run_operation(op, &self.p, member, self.interrupts):
                cg_team_stop(self.team)
        elif self.plan.run_task(op, task, &self.p, member, self.interrupts):
            cg_team_stop(self.team)


    cdef bint run_block(self, Py_ssize_t block, int member) noexcept nogil:
        """Run one block of the current batch, with others at the same time. True: stop, no parameter has been changed.

        Every sum goes on where the block before has left it, so a part of the work waits for its turn. From its first
        gradient on a block is completed: other threads may have begun to update parameters.
        """
        cdef Pass p = self.p
        cdef Py_ssize_t i, last = (p.batch_rows - 1) // self.plan.capacity
        cdef const Operation *op
        cdef int part
        cdef bint stopped
        p.first = member * self.plan.capacity
        p.start = self.batch_start + block * self.plan.capacity
        p.rows = min(self.plan.capacity, self.batch_start + p.batch_rows - p.start)
        p.continues, p.is_last, p.in_turn, p.ahead.rows = block > 0, block == last, True, 0
        for i in range(self.plan.operations):
            op = &self.plan.operation[i]
            if op.once_per_batch:
                if not p.is_last:
                    break
                if self.plan.run_operation(op, &p, member, self.interrupts):
                    self.turn_loss = p.loss
                    return True
                continue
            if op.kind != OUTPUT_DELTA and op.kind != GRADIENT and op.kind != SCALE_GRADIENT:
                if self.plan.run_operation(op, &p, member, self.interrupts):
                    return True
                continue
            part = 0 if op.kind == OUTPUT_DELTA else op.layer
            if not cg_team_wait_turn(self.team, part, block):
                return False
            if op.kind == OUTPUT_DELTA:
                p.loss, p.metric = self.turn_loss, self.turn_metric
            stopped = self.plan.run_operation(op, &p, member, self.interrupts)
            if op.kind == OUTPUT_DELTA:
                self.turn_loss, self.turn_metric, self.turn_penalty = p.loss, p.metric, p.penalty
            if stopped:
                return True
            cg_team_pass_turn(self.team, part, block)
        return False


@cython.final
cdef class ParallelPasses(Team):
    """Run chunks of samples through one plan, in parallel: each thread has its own rows of the workspace."""

    def __cinit__(self):
        memset(&self.p, 0, sizeof(Pass))
        self.p.is_last = True
        memset(&self.results, 0, sizeof(Results))
        self.sums = NULL

    cdef int run(self, Py_ssize_t samples, Py_ssize_t chunk) except -1:
        """Run all samples through the plan, which has rows for a chunk of each member."""
        self.samples, self.chunk = samples, chunk
        self.chunks = (samples + chunk - 1) // chunk
        check_signals()
        self.is_open = False
        self.run_threads(self.members, None)
        if self.interrupts.error is not None:
            raise self.interrupts.error
        if cg_team_stopped(self.team):
            self.x.check()      # raises the error that names the first number that is not finite
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
        p.rows = p.batch_rows = min(self.samples - p.start, self.chunk)
        if not self.x.is_checked and not self.x.rows_are_finite(p.start, p.rows, place):
            cg_team_stop(self.team)
            return
        if self.plan.run(&p, member, self.interrupts):
            cg_team_stop(self.team)
        write_results(self.plan, p.first, p.rows, &self.results, p.start)
        if self.sums != NULL:
            self.sums[2 * task], self.sums[2 * task + 1] = p.loss, p.metric
