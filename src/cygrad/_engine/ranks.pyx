"""The part of each batch that one process computes, where several share it. `passes` includes this file.

The rows of a batch are divided among the ranks by place, and every sum over the batch is a chain that goes from rank to
rank: a rank takes the numbers that the ranks before it have left, goes on with its own rows, and gives them to the next
one. So the last rank has the sums of the whole batch, to the bits of one process. It updates the parameters, and they come
round to the others. Both travel in blocks, ranges of the parameters' memory: while one is on its way, a rank computes the
next. A `link`, a Python object, moves them; `cygrad.distributed.ring` has it and describes its methods.

With `exact` False each rank sums the gradient of its own rows, the link adds these sums, and all ranks update.
"""

from cpython.buffer cimport PyBUF_WRITE
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.math cimport NAN, isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from cygrad._engine.equations cimport BATCH_NORM
from cygrad._engine.kernels cimport CG_RULE_store
from cygrad._engine.samples cimport memory_of
from cygrad._engine.plan cimport CLIP, SORT_BY_COLUMN, SPARSE_GRADIENT


cdef extern from *:
    """
    #include <stdint.h>
    static int64_t cg_load_number(const int64_t *place) { return __atomic_load_n(place, __ATOMIC_ACQUIRE); }
    static void cg_store_number(int64_t *place, int64_t number) { __atomic_store_n(place, number, __ATOMIC_RELEASE); }
    """
    int64_t cg_load_number(const int64_t *place) noexcept
    void cg_store_number(int64_t *place, int64_t number) noexcept


# The header of a step's sums: loss, metric, penalty, and one of these, or 2 + the number of a rank that was interrupted.
cdef double DIVERGED = -1, GOES_ON = 0, ENDS = 1

cdef Py_ssize_t TILE = 4        # rows
cdef Py_ssize_t WHOLE = 1 << 16     # the unit of the shares of a batch is 1 / WHOLE
cdef Py_ssize_t ROOM = 32       # a plan has a multiple of so many rows, so that it serves for a little more too


def load_number(Py_ssize_t address):
    """Return an int64 in memory that processes share; what was written before it was stored can be read."""
    return cg_load_number(<const int64_t *> address)


def store_number(Py_ssize_t address, int64_t number):
    """Store an int64 in memory that processes share, for those that `load_number`."""
    cg_store_number(<int64_t *> address, number)


@cython.final
cdef class Ranks:
    """One rank of several that train together, and the order in which it works.

    Parameters: the link, which has `rank`, `size`, `exact` and `block_bytes`.
    """

    def __cinit__(self):
        self.entries, self.blocks, self.layers = NULL, NULL, NULL

    def __dealloc__(self):
        free(self.entries)
        free(self.blocks)
        free(self.layers)

    def __init__(self, link):
        self.link, self.rank, self.size, self.exact = link, link.rank, link.size, link.exact
        self.bounds, self.first_rows, self.most = None, NULL, 0
        self.is_last = self.rank == self.size - 1

    def divide(self, bounds, Py_ssize_t most):
        """Let each rank have other rows of the samples, from `bounds[rank]` on, up to `most` of them in a batch.

        Orders number the rows of all ranks, and those of a batch are in the order of the ranks. None: all ranks have all.
        """
        self.bounds, self.most, self.first_rows = bounds, most, NULL
        if bounds is not None:
            self.first_rows = <const int64_t *> memory_of(bounds)

    cdef int share_batches(self, Py_ssize_t rows, double row_work, double update_work) except -1:
        """Take the shares of a batch from the link: the multiply-adds of a row, and of the update, help it to begin."""
        self.numbers = self.link.shares(rows, row_work, update_work)
        self.shares = <const int64_t *> memory_of(self.numbers)
        return 0

    cdef Py_ssize_t first_place(self, const int64_t *order, Py_ssize_t rows, int rank) noexcept nogil:
        """Return the place in a batch of `rows` rows where the rows of a rank begin; of `size`, where they end."""
        cdef Py_ssize_t least = 0, most = rows, middle, place
        if self.first_rows == NULL:
            place = rows * self.shares[rank] // WHOLE
            # In whole tiles, where that changes little.
            return min((place + TILE // 2) // TILE * TILE, rows) if rows >= 2 * TILE * self.size and rank < self.size else place
        while least < most:
            middle = (least + most) // 2
            if order[middle] < self.first_rows[rank]:
                least = middle + 1
            else:
                most = middle
        return least

    cdef Py_ssize_t most_rows(self, Py_ssize_t rows) noexcept:
        """Return the most rows of a batch of up to `rows` rows that are this rank's."""
        cdef Py_ssize_t share
        if self.first_rows != NULL:
            return max(self.most, 1)
        share = rows * (self.shares[self.rank + 1] - self.shares[self.rank]) // WHOLE + TILE + 1
        return min(max((share + ROOM - 1) // ROOM * ROOM, 1), rows)

    # The order of work

    cdef char *prepare(self, Plan plan, const Layer *layers, parameters, gradient, bint is_stored) except NULL:
        """Put the operations of a plan in order, and tell the link the blocks. is_stored: updates need the whole gradient.

        Returns where the parameters are meanwhile: those of the engine, or a copy that ranks of a host have in common.
        """
        cdef Py_ssize_t i, j, deltas, first_gradient = plan.first_gradient
        cdef const Operation *op
        cdef bint sums_done, waits = False
        plan.workspace.layers = layers
        self.plan, self.sends_at_once = plan, not is_stored
        self.count = self.block_count = 0
        self.sums_size = 2 * CG_PANEL_BYTES * plan.panels(plan.workspace.a[plan.workspace.depth].cols)
        self.message = aligned(CG_PANEL_BYTES + self.sums_size)
        self.header = <double *> address(self.message)
        self.sums = address(self.message) + CG_PANEL_BYTES
        i = 0
        while plan.operation[i].kind != OUTPUT_DELTA:
            self.add(i)
            i += 1
        self.add(i)
        deltas = i + 1
        sums_done = self.rank == 0 or not self.exact
        if sums_done:
            self.add(i).is_loss = True
        # Sums of the upper layers travel while the δ of lower ones are computed: a layer's gradient comes as soon as the δ
        # that reads its weights is there, because the last rank updates them. All ranks have the same order, so that none
        # waits for a δ of another. But where they wait for each other in between, all δ come first.
        for j in range(deltas, first_gradient):
            waits = waits or plan.norm_stages(&plan.operation[j]) > 0
        if not self.exact or waits:
            while deltas < first_gradient:
                self.add(deltas)
                deltas += 1
        for j in range(first_gradient, plan.operations):
            op = &plan.operation[j]
            if op.kind != GRADIENT and op.kind != SPARSE_GRADIENT and op.kind != SCALE_GRADIENT:
                if self.is_last or not self.exact:
                    self.add(j)
                continue
            while deltas < first_gradient and (
                    plan.operation[deltas].layer >= op.layer - 1 or plan.operation[deltas].kind == SORT_BY_COLUMN):
                self.add(deltas)
                deltas += 1
            if self.is_last and not sums_done:      # it updates nothing before it has the loss of the batch
                self.add(i).is_loss = sums_done = True
            self.add_gradient(j)
            if not sums_done:
                self.add(i).is_loss = sums_done = True
        if not sums_done:
            self.add(i).is_loss = True
        self.close_blocks()
        blocks = []
        for i in range(self.block_count):
            start = self.blocks[i].first - address(parameters)
            blocks.append((start, self.blocks[i].size))
        self.memory = self.link.use(parameters, gradient, blocks, self.message, sends_at_once=self.sends_at_once)
        self.work_at(layers, address(self.memory) - address(parameters))
        return address(self.memory)

    cdef int work_at(self, const Layer *layers, Py_ssize_t offset) except -1:
        """Let the plan work on parameters so many bytes after those of the engine."""
        cdef Py_ssize_t l, depth = self.plan.workspace.depth
        cdef Layer *layer
        if offset == 0:
            return 0
        layer = <Layer *> realloc(self.layers, (depth + 1) * sizeof(Layer))
        if layer == NULL:
            raise MemoryError()
        self.layers = self.plan.workspace.layers = layer
        memcpy(layer, layers, (depth + 1) * sizeof(Layer))
        for l in range(1, depth + 1):
            layer[l].w.data += offset
            layer[l].b += offset
            if layer[l].kind == BATCH_NORM:
                layer[l].running_mean += offset
                layer[l].running_variance += offset
        for l in range(self.block_count):
            self.blocks[l].first += offset
        return 0

    cdef Entry *add(self, Py_ssize_t operation) except NULL:
        """Add an entry for an operation."""
        cdef Entry *entry
        cdef void *more = realloc(self.entries, (self.count + 1) * sizeof(Entry))
        if more == NULL:
            raise MemoryError()
        self.entries = <Entry *> more
        entry = &self.entries[self.count]
        memset(entry, 0, sizeof(Entry))
        entry.operation = operation
        self.count += 1
        return entry

    cdef int add_gradient(self, Py_ssize_t operation) except -1:
        """Add the gradient of a layer: of a large one in several blocks, of a small one in the block of those above it."""
        cdef const Operation *op = &self.plan.operation[operation]
        cdef const Layer *layer = &self.plan.workspace.layers[op.layer]
        cdef Py_ssize_t panels = self.plan.panels(layer.w.cols), panel, step = panels, size
        cdef Py_ssize_t panel_bytes = layer.w.capacity * CG_PANEL_BYTES, limit = self.link.block_bytes
        cdef char *end = layer.b + panels * CG_PANEL_BYTES
        cdef char *first
        cdef Block *block
        cdef Entry *entry
        cdef bint joins
        if layer.kind == BATCH_NORM:    # its running statistics come round too
            end = layer.running_variance + panels * CG_PANEL_BYTES
        if op.kind != SCALE_GRADIENT and panels * panel_bytes > limit:
            step = max(limit // panel_bytes, 1)
        for panel in range(0, panels, step):
            first = layer.w.data + panel * panel_bytes
            size = (end if panel + step >= panels else first + step * panel_bytes) - first
            block = &self.blocks[self.block_count - 1]
            joins = self.block_count > 0 and step == panels and block.first == first + size and (
                block.size + size <= limit)
            if not joins:
                block = self.add_block()
                block.size = 0
            entry = self.add(operation)
            entry.is_gradient, entry.panel = True, panel
            entry.panels = 1 if op.kind == SCALE_GRADIENT else min(step, panels - panel)
            entry.completes_layer = panel + step >= panels
            entry.block, entry.opens = self.block_count - 1, not joins
            block.first = first
            block.size += size
        return 0

    cdef Block *add_block(self) except NULL:
        cdef void *more = realloc(self.blocks, (self.block_count + 1) * sizeof(Block))
        if more == NULL:
            raise MemoryError()
        self.blocks = <Block *> more
        self.block_count += 1
        return &self.blocks[self.block_count - 1]

    cdef int close_blocks(self) except -1:
        """Mark the last entry of each block."""
        cdef Py_ssize_t i, block
        cdef bint closed
        for block in range(self.block_count):
            closed = False
            for i in range(self.count - 1, -1, -1):
                if not closed and self.entries[i].is_gradient and self.entries[i].block == block:
                    self.entries[i].closes = closed = True
        return 0

    # One batch

    cdef int begin(self, SequentialPasses passes, Py_ssize_t rows, Py_ssize_t batch_size, Py_ssize_t first,
                   Py_ssize_t batches) except -1:
        """Begin a call of the engine. What a rank would decide alone is decided in common."""
        self.deadline, passes.deadline = passes.deadline, 0
        self.failed, self.error, self.opened = False, None, NULL
        self.header[3] = GOES_ON
        if self.first_rows != NULL and passes.p.order == NULL:
            raise ValueError("ranks have different rows, expected an order of them")
        if self.first_rows != NULL:     # rows are counted from the first one of rank 0
            self.x = passes.p.x[0]
            self.x.data -= self.first_rows[self.rank] * self.x.row_stride
            passes.p.x = &self.x
            if passes.p.y != NULL:
                self.y = passes.p.y[0]
                self.y.data -= self.first_rows[self.rank] * self.y.row_stride
                passes.p.y = &self.y
            if passes.p.labels != NULL:
                passes.p.labels -= self.first_rows[self.rank]
        self.link.begin_call(rows, batch_size, first, batches)
        return 0

    cdef int end(self, SequentialPasses passes) except -1:
        """End a call of the engine: raise the error of the link, or of an interrupt that any rank had."""
        if self.failed:
            raise self.error
        self.link.end_call(self.header[3] - 2, passes.interrupts.error)
        return 0

    cdef void begin_batch(self, SequentialPasses passes) noexcept nogil:
        """Begin a batch of which these are this rank's rows."""
        cdef Pass *p = &passes.p
        cdef Py_ssize_t first = self.first_place(p.order + passes.batch_start, p.batch_rows, self.rank)
        p.start = passes.batch_start + first
        p.rows = self.first_place(p.order + passes.batch_start, p.batch_rows, self.rank + 1) - first
        p.loss = p.metric = p.penalty = 0
        p.continues, p.is_last = False, self.is_last or not self.exact
        if not p.is_last:
            p.update.rule = CG_RULE_store
        p.ahead.rows, p.has_statistics = 0, True
        self.plan.pass_id += 1
        self.next, self.given_up, self.opened = 0, False, NULL

    cdef void next_phase(self, SequentialPasses passes, int member) noexcept nogil:
        """Run entries until one that threads share, or to the end."""
        cdef const Entry *entry
        cdef const Operation *op
        cdef Py_ssize_t i
        if self.opened != NULL:
            entry, self.opened = self.opened, NULL
            self.after(passes, entry)
        while not self.failed:
            if self.next == self.count:
                if not self.end_batch(passes):
                    break
                continue
            entry = &self.entries[self.next]
            op = &self.plan.operation[entry.operation]
            self.next += 1
            if not self.before(passes, entry):
                continue
            if op.is_split:
                self.opened = entry
                cg_team_open(passes.team, (entry.panels if entry.is_gradient else op.panels) * op.blocks)
                return
            # Of a gradient one task has all panels. No interrupt ends an operation: the step goes on.
            for i in range(1 if entry.is_gradient or self.plan.takes_all_panels(op, &passes.p) else op.panels * op.blocks):
                self.run_task(passes, entry, i, member)
            self.after(passes, entry)
        cg_team_end(passes.team)

    cdef bint before(self, SequentialPasses passes, const Entry *entry) noexcept nogil:
        """Do what comes before the tasks of an entry, or instead. False: it has none."""
        cdef Pass *p = &passes.p
        cdef const Operation *op = &self.plan.operation[entry.operation]
        cdef bint has_rows = p.rows > 0
        cdef char *place
        cdef int stage
        if entry.is_loss:
            self.complete_loss(passes)
            return False
        if op.kind == OUTPUT_DELTA:
            p.partial_sums = NULL if self.rank > 0 and self.exact else self.sums
            if has_rows:
                self.plan.run_output_delta(p, False)
            elif p.partial_sums == self.sums:
                memset(self.sums, 0, self.sums_size)
            return False
        if entry.is_gradient:
            place = self.blocks[entry.block].first + p.gradient_offset
            if self.exact:
                if entry.opens and not self.take(entry.block):
                    return False
                p.sums_offset = self.slot - self.blocks[entry.block].first
                p.continues = self.rank > 0
                place = self.slot
            if entry.opens and not has_rows and (self.rank == 0 or not self.exact):
                memset(place, 0, self.blocks[entry.block].size)
            if self.given_up or not (has_rows or (self.exact and self.is_last)):
                self.after(passes, entry)
                return False
            return True         # of no rows too on the last rank, which updates
        if op.once_per_batch:
            if self.given_up:
                return False
            if op.kind == CLIP:
                if not self.exact and not self.wait_for_sums(passes):
                    return False
                if self.plan.run_operation(op, p, 0, passes.interrupts):
                    self.given_up = True
                return False
            return True
        if op.kind == SORT_BY_COLUMN:
            self.plan.run_operation(op, p, 0, passes.interrupts)
            self.after(passes, entry)
            return False
        for stage in range(self.plan.norm_stages(op)):
            if not self.complete_statistics(passes, op, stage):
                return False
        if not has_rows:
            self.after(passes, entry)
            return False
        return True

    cdef void run_task(self, SequentialPasses passes, const Entry *entry, Py_ssize_t task, int member) noexcept nogil:
        """Run one task of an entry. An interrupt is kept in `passes.interrupts`, and the step goes on."""
        cdef const Operation *op = &self.plan.operation[entry.operation]
        if not entry.is_gradient or op.kind == SCALE_GRADIENT:
            self.plan.run_task(op, task, &passes.p, member, passes.interrupts)
            return
        self.plan.run_weight_gradient(op, entry.panel + task // op.blocks, 1 if op.is_split else entry.panels,
                                      task % op.blocks, &passes.p, member)
        if member == 0:
            passes.interrupts.check(op.work)

    cdef void after(self, SequentialPasses passes, const Entry *entry) noexcept nogil:
        """Do what comes after the tasks of an entry."""
        cdef Pass *p = &passes.p
        cdef const Operation *op = &self.plan.operation[entry.operation]
        if entry.is_gradient:
            if entry.completes_layer and op.kind != SCALE_GRADIENT and not self.given_up and (
                    p.rows > 0 or (self.exact and self.is_last)):
                self.plan.run_bias_gradient(op, p)
                if p.stores_gradient and p.is_last and self.exact:
                    self.plan.run_sum_of_squares(op, p)
            if entry.closes and not self.give(entry.block):
                return

    cdef void complete_loss(self, SequentialPasses passes) noexcept nogil:
        """Go on with the sums of the loss where the rank before has left them; the last rank has those of the batch."""
        cdef Pass *p = &passes.p
        if self.rank > 0 and self.exact:
            if not self.call(RECEIVE_SUMS):
                return
            p.loss, p.metric = self.header[0], self.header[1]
            if p.rows > 0:
                p.partial_sums, p.continues = self.sums, True
                self.plan.run_output_delta(p, True)
        else:
            self.header[3] = GOES_ON
        self.header[0], self.header[1] = p.loss, p.metric
        if passes.interrupts.error is not None or self.is_interrupted():
            self.header[3] = max(self.header[3], <double> (self.rank + 2))
        elif self.rank == 0 and self.deadline and clock() >= self.deadline:
            self.header[3] = ENDS
        if not self.exact:
            if not self.call(ADD_SUMS):
                return
            p.loss, p.metric = self.header[0], self.header[1]
        elif not self.is_last:
            self.call(SEND_SUMS)
            return
        if p.l2_penalty:
            if p.rows == 0:     # no forward pass has summed the weights
                self.plan.sum_all_weights()
            p.penalty = self.plan.penalty_of(p)
        self.given_up = self.header[3] > ENDS or (p.stop_if_not_finite and not isfinite(p.loss + p.penalty))

    cdef bint end_batch(self, SequentialPasses passes) noexcept nogil:
        """Complete a batch, and begin the next one. False: there is none."""
        cdef Pass *p = &passes.p
        if self.is_last or not self.exact:
            if self.given_up and isfinite(p.loss + p.penalty) and self.header[3] <= ENDS:
                p.loss = NAN        # the gradient is not finite
            self.header[0], self.header[1], self.header[2] = p.loss, p.metric, p.penalty
            if self.given_up and self.header[3] <= ENDS:
                self.header[3] = DIVERGED
        if not self.call(FINISH):
            return False
        p.loss, p.metric, p.penalty = self.header[0], self.header[1], self.header[2]
        if self.header[3] > ENDS or self.header[3] == DIVERGED:
            passes.stopped = True
            return False
        passes.end_batch()
        if self.header[3] == ENDS:
            passes.batches = passes.batches_done
        if passes.batches_done == passes.batches and not passes.next_epoch():
            return False
        passes.begin_batch()
        return True

    # Calls of the link

    cdef bint is_interrupted(self) noexcept with gil:
        return self.link.is_interrupted

    cdef bint take(self, Py_ssize_t block) noexcept with gil:
        """Wait for the sums of a block from the rank before, or for room for them. False: failed."""
        try:
            address = self.link.take(block)
            self.slot = <char *> <Py_ssize_t> address
        except BaseException as error:
            return self.fail(error)
        return True

    cdef bint give(self, Py_ssize_t block) noexcept with gil:
        """Give the sums of a block to the next rank; or its parameters, from the last rank. False: failed."""
        try:
            self.link.give(block)
        except BaseException as error:
            return self.fail(error)
        return True

    cdef bint complete_statistics(self, SequentialPasses passes, const Operation *op, int stage) noexcept with gil:
        """Go on with sums of batch norm where the rank before has left them, and take those of the batch. False: failed."""
        cdef Pass *p = &passes.p
        cdef bint continues = p.start > passes.batch_start
        cdef Py_ssize_t size
        cdef char *place = self.plan.norm_statistics(op, &size)
        try:
            statistics = PyMemoryView_FromMemory(place, size, PyBUF_WRITE)
            self.link.receive_chain(statistics)
            if p.rows > 0 or self.is_last:
                self.plan.run_norm_stage(op, stage, p, continues, self.is_last)
            self.link.send_chain(statistics)
        except BaseException as error:
            return self.fail(error)
        return True

    cdef bint wait_for_sums(self, SequentialPasses passes) noexcept with gil:
        """Wait until the gradients of all ranks are added, and compute the sums of their squares. False: failed."""
        cdef Py_ssize_t i
        cdef const Operation *op
        try:
            self.link.wait_for_sums()
        except BaseException as error:
            return self.fail(error)
        for i in range(self.plan.first_gradient, self.plan.operations):
            op = &self.plan.operation[i]
            if op.kind == GRADIENT or op.kind == SPARSE_GRADIENT or op.kind == SCALE_GRADIENT:
                self.plan.run_sum_of_squares(op, &passes.p)
        return True

    cdef bint call(self, Call which) noexcept with gil:
        """Call a method of the link. False: failed."""
        try:
            if which == RECEIVE_SUMS:
                self.link.receive_sums()
            elif which == SEND_SUMS:
                self.link.send_sums()
            elif which == ADD_SUMS:
                self.link.add_sums()
            else:
                self.link.finish()
        except BaseException as error:
            return self.fail(error)
        return True

    cdef bint fail(self, error) noexcept:
        """Keep an error of the link, which ends the training."""
        self.error, self.failed = error, True
        return False
