"""A plan: the operations of one pass over a batch, forward or forward and back, and the workspace they work in.

The four equations of backpropagation stand here in their order, each for one panel of columns of a matrix and a block
of its rows. What happens inside a panel, tile by tile, is in csrc/tile.h. Work is divided by panels and rows of output,
never along a sum, so that nobody can tell from the result who did what.
"""

cimport cython

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from cygrad._engine.kernels cimport *
from cygrad._engine.team cimport Watch, cg_range_end

import numpy as np


cdef Py_ssize_t PAGE = 4096
BARRIER_COST = 200_000
# Grains that a number takes from a core's cache to another's, where the two have no cache in common: there it is dear,
# and a plan should not lose by threads on any machine.
cdef double TRANSFER_COST = 1 / 4000.0
# What a number costs to gather, or to bring through exp, in multiply-adds.
cdef Py_ssize_t GATHER_COST = 16, SOFTMAX_COST = 32
# Rows that a block has a multiple of: those of a tile, and of the vectors of logarithms that softmax leaves.
cdef Py_ssize_t TILE = 8, VECTOR = 64
cdef Py_ssize_t PRIVATE_INPUT_BYTES = 1 << 18     # of samples that a core's cache can hold beside its weights
cdef Py_ssize_t CACHE_LINE_PAIR = 16                # numbers of 8 bytes in two cache lines


def aligned(Py_ssize_t size):
    """A zeroed block of bytes that begins at a page: where stores and the loads that follow them agree in the last
    twelve bits of their addresses but not in the others, the processor takes them for the same for a while."""
    block = np.zeros(size + PAGE, np.uint8)
    skip = -block.ctypes.data % PAGE
    return block[skip : skip + size]


cdef char *address(block) except NULL:
    """Where a block of bytes begins; the caller keeps it alive."""
    cdef unsigned char[::1] view = block
    return <char *> &view[0]


def set_barrier_cost(Py_ssize_t multiply_adds):
    """Set it for the plans made from now on, and return the one before: with 0 tests divide the smallest networks."""
    global BARRIER_COST
    before, BARRIER_COST = BARRIER_COST, multiply_adds
    return before


@cython.final
cdef class Plan:
    """The operations of a pass and their workspace, for up to `capacity` rows at once."""

    def __cinit__(self):
        self.a = self.z = self.delta = self.private_input = NULL
        self.gathered = NULL
        self.operation = NULL
        self.memory = []

    def __dealloc__(self):
        free(self.private_input)
        free(self.gathered)
        free(self.a)
        free(self.z)
        free(self.delta)
        free(self.operation)

    cdef char *allocate(self, Py_ssize_t size) except NULL:
        block = aligned(size)
        self.memory.append(block)
        return address(block)

    cdef int allocate_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1:
        m.capacity = self.capacity
        m.cols = columns
        m.data = self.allocate(self.panels(m) * self.capacity * CG_PANEL_BYTES)
        return 0

    cdef int prepare(self, const Layer *layers, Py_ssize_t depth, int loss, bint mean, Py_ssize_t capacity,
                     bint targets, Py_ssize_t lowest_delta, bint keep, int members=1) except -1:
        """Lay out the workspace and list the operations.

        targets: whether the loss is wanted. lowest_delta: the lowest layer whose delta is wanted; 0 is the input,
        depth + 1 for none. keep: whether all z and a are wanted afterwards. members: how many threads there may be.
        """
        self.layers, self.depth, self.loss, self.mean, self.capacity = layers, depth, loss, mean, capacity
        self.a = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.z = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.delta = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.operation = <Operation *> calloc(3 * depth + 3, sizeof(Operation))
        if self.a == NULL or self.z == NULL or self.delta == NULL or self.operation == NULL:
            raise MemoryError()
        self.list_operations(targets, lowest_delta)
        self.members = self.best_thread_count(members)
        if self.members > 1:
            self.divide()
        self.lay_out(targets, lowest_delta, keep)
        if self.members > 1:
            self.allocate_private_inputs()
        return 0

    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1:
        cdef Py_ssize_t l, columns, widest = 0, inputs = self.layers[1].inputs
        cdef bint all_layers = keep or lowest_delta <= self.depth
        cdef cg_matrix spare[2]
        for l in range(1, self.depth + 1):
            widest = max(widest, self.layers[l].w.cols)
        if not all_layers:      # each layer needs no more than the one before it
            self.allocate_matrix(&spare[0], widest)
            self.allocate_matrix(&spare[1], widest)
        self.allocate_matrix(&self.a[0], inputs)
        for l in range(1, self.depth + 1):
            columns = self.layers[l].w.cols
            # The loss reads whole panels of the last layer, whose padding no other layer may have written.
            if all_layers or (targets and l == self.depth):
                self.allocate_matrix(&self.a[l], columns)
            else:
                self.a[l] = spare[l % 2]
                self.a[l].cols = columns
            # z is kept beside a where the slope or the loss is computed from it.
            if keep or (lowest_delta <= l and self.layers[l].activation == CG_GAUSSIAN) or (
                    targets and l == self.depth and self.loss in (CG_BINARY_CROSS_ENTROPY, CG_CROSS_ENTROPY)):
                self.allocate_matrix(&self.z[l], columns)
            else:
                self.z[l] = self.a[l]
        for l in range(lowest_delta, self.depth + 1):
            self.allocate_matrix(&self.delta[l], self.layers[l].w.cols if l > 0 else inputs)
        if lowest_delta < self.depth:
            self.transposed_size = (widest + self.kernels.panel_width) * CG_PANEL_BYTES
            self.transposed = self.allocate(self.members * self.transposed_size)
        self.log_sum_exp = self.allocate(self.capacity * self.kernels.itemsize + CG_PANEL_BYTES)
        if targets:
            self.labels = <int64_t *> self.allocate(self.capacity * sizeof(int64_t))
            self.allocate_matrix(&self.y, self.layers[self.depth].w.cols)
        return 0

    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1:
        """Forward, then all deltas, then all updates: until the first of these the pass can still be given up."""
        cdef Py_ssize_t l, waiting = 0, i, lanes = self.kernels.panel_width, capacity = self.capacity
        cdef const cg_matrix *w
        self.add(GATHER, 0, 1, capacity, 1, self.layers[1].inputs * GATHER_COST)
        for l in range(1, self.depth + 1):
            w = &self.layers[l].w
            self.add(FORWARD, l, w.cols, capacity, TILE, self.layers[l].inputs * lanes)
            if self.layers[l].activation == CG_SOFTMAX:
                self.add(SOFTMAX, l, 1, capacity, VECTOR, w.cols * SOFTMAX_COST)
        if targets:
            self.add(OUTPUT_DELTA, self.depth, 1, 1, 1, 0)
        for l in range(self.depth - 1, lowest_delta - 1, -1):
            w = &self.layers[l + 1].w
            self.add(HIDDEN_DELTA, l, self.layers[l + 1].inputs, capacity, TILE, w.cols * lanes)
        self.first_update = self.operations
        for l in range(self.depth, max(lowest_delta, 1) - 1, -1):
            if self.layers[l].train_weights or self.layers[l].train_biases:
                self.add(GRADIENT, l, self.layers[l].w.cols, self.layers[l].inputs, lanes, capacity * lanes)
        return 0

    cdef int add(self, Kind kind, Py_ssize_t layer, Py_ssize_t columns, Py_ssize_t rows, Py_ssize_t unit,
                 Py_ssize_t work) except -1:
        """An operation over `columns` × `rows`, of which a row of a panel is `work` multiply-adds, and which can be cut
        into blocks of a multiple of `unit` rows."""
        cdef Operation *op = &self.operation[self.operations]
        self.operations += 1
        op.kind, op.layer = kind, layer
        op.panels = (columns + self.kernels.panel_width - 1) // self.kernels.panel_width
        op.blocks, op.rows, op.block_rows, op.unit = 1, rows, rows, unit
        op.work = rows * work
        self.work += op.panels * op.work
        return 0

    cdef Py_ssize_t max_tasks(self, const Operation *op) noexcept nogil:
        """How many tasks an operation is good for."""
        return op.panels * op.work * self.kernels.itemsize // (4 * max(BARRIER_COST, 1))

    cdef int best_thread_count(self, int most) noexcept nogil:
        """How many of `most` threads make a pass shortest.

        They share the products of all operations that are large enough. For that they meet once for each of these, and
        half of what a layer hands to the next, up and down, has to come from another core's cache.
        """
        cdef Py_ssize_t i, units = 0
        cdef double products = 0, meetings = 0, moved, cost, least = 0
        cdef int members, best = 1
        for i in range(self.operations):
            if self.max_tasks(&self.operation[i]) > 1:
                products += self.operation[i].panels * self.operation[i].work
                meetings += BARRIER_COST
        for i in range(1, self.depth + 1):
            units += self.layers[i].w.cols
        moved = 2 * TRANSFER_COST * BARRIER_COST * self.capacity * units
        for members in range(1, most + 1):
            cost = (products + (members - 1) * moved) / members + (members - 1) * meetings
            if members == 1 or cost <= least:
                best, least = members, cost
        return best

    cdef int divide(self) except -1:
        """Cut the operations that are worth it into tasks.

        By panels first, which keeps each in one core's cache; into blocks of rows as well where there are too few
        panels for the threads to have the same number of tasks.
        """
        cdef Py_ssize_t i, j, waiting = 0, blocks, tasks, most, units
        cdef double even, best
        cdef Operation *op
        for i in range(self.operations):
            op = &self.operation[i]
            most, best, units = self.max_tasks(op), 0, (op.rows + op.unit - 1) // op.unit
            if most > 1:
                for blocks in range(1, units + 1):
                    tasks = op.panels * blocks
                    if best > 0.9 or (blocks > 1 and tasks > most):
                        break
                    even = <double> tasks / (self.members * ((tasks + self.members - 1) // self.members))
                    if even > best:
                        best, op.block_rows = even, (units + blocks - 1) // blocks * op.unit
                op.blocks = (op.rows + op.block_rows - 1) // op.block_rows
                op.is_split = op.panels * op.blocks > 1
                op.work = op.work // op.blocks
            if op.kind != GRADIENT:
                continue
            # Updates wait for nothing but the deltas: small ones are done beside the next large one.
            if op.is_split:
                op.attached, waiting = waiting, 0
                for j in range(i - op.attached, i):
                    self.operation[j].runs_with_next = True
            else:
                waiting += 1
        return 0

    cdef Py_ssize_t panels(self, const cg_matrix *m) noexcept nogil:
        return (m.cols + self.kernels.panel_width - 1) // self.kernels.panel_width

    cdef bint run(self, Pass *p, int member, Watch watch) noexcept nogil:
        """Do every operation in turn. True: stopped early, before any parameter was changed."""
        cdef Py_ssize_t i
        for i in range(self.operations):
            if self.run_operation(&self.operation[i], p, member, watch):
                return True
        return False

    cdef bint run_operation(self, const Operation *op, Pass *p, int member, Watch watch) noexcept nogil:
        """Do one operation. True: stop, no parameter has been changed. The watch is that of member 0."""
        cdef Py_ssize_t index
        if op.kind == OUTPUT_DELTA:
            self.output_delta(p)
            return p.stop_if_not_finite and not isfinite(p.loss)
        for index in range(op.panels * op.blocks):
            if self.run_task(op, index, p, member, watch):
                return True
        return False

    cdef bint run_task(self, const Operation *op, Py_ssize_t index, Pass *p, int member, Watch watch) noexcept nogil:
        """Do one task of an operation. True: stop, as in `run_operation`."""
        cdef Py_ssize_t panel = index if op.blocks == 1 else index // op.blocks     # a division takes its time
        cdef Py_ssize_t first = (index - panel * op.blocks) * op.block_rows
        cdef Py_ssize_t rows = min(p.rows - first, op.block_rows)
        cdef cg_prefetch ahead
        if op.kind == GRADIENT:
            rows = min(self.layers[op.layer].inputs - first, op.block_rows)
            ahead.rows = 0
            if op.layer == 1 and p.ahead.rows > 0:
                self.look_ahead(op, index, rows, p, &ahead)
            self.learn(p, op.layer, panel, first, rows, member, &ahead if ahead.rows > 0 else NULL)
            # Half a step cannot be given up, but gradients that are only stored can.
            return member == 0 and p.update.rule == CG_STORE and watch.due(op.work)
        if rows <= 0:       # of a batch that is not full
            return False
        if op.kind == GATHER:
            self.gather(p, first, rows)
        elif op.kind == FORWARD:
            self.forward(p, op.layer, panel, first, rows, member)
        elif op.kind == SOFTMAX:
            self.softmax(p, first, rows)
        elif op.kind == HIDDEN_DELTA:
            self.hidden_delta(p, op.layer, panel, first, rows, member)
        return member == 0 and watch.due(op.work)

    cdef void look_ahead(self, const Operation *op, Py_ssize_t index, Py_ssize_t rows, Pass *p,
                         cg_prefetch *ahead) noexcept nogil:
        """Which samples to fetch for the next batch during a task of the first layer's gradient: with the last task of
        each member's range those that it will gather. Sooner, and the weights push them out again."""
        cdef Py_ssize_t tasks = op.panels * op.blocks, block = self.operation[0].block_rows
        cdef Py_ssize_t row_bytes = p.ahead.samples.cols * p.ahead.samples.col_stride
        cdef int member, members = self.members if op.is_split else 1
        for member in range(members):
            if index == min(cg_range_end(tasks + op.attached, members, member), tasks) - 1:
                ahead[0] = p.ahead
                if members > 1 and self.operation[0].is_split and self.private_input == NULL:
                    ahead.row = member * block
                    ahead.rows = min(ahead.row + block, p.ahead.rows)
                ahead.lines_per_tile = (ahead.rows - ahead.row) * (row_bytes // 64 + 1) // (rows // 8 + 1) + 1

    cdef int allocate_private_inputs(self) except -1:
        """Let each member gather all of a small batch for itself, where the first layer's panels are divided.

        One a⁰ that all write and all read goes from cache to cache twice in each step, which takes longer.
        """
        cdef Operation *forward = &self.operation[1]
        cdef Py_ssize_t size = self.panels(&self.a[0]) * self.capacity * CG_PANEL_BYTES
        cdef int member
        if forward.blocks > 1 or size > PRIVATE_INPUT_BYTES:
            return 0
        self.private_input = <cg_matrix *> calloc(self.members, sizeof(cg_matrix))
        self.gathered = <Py_ssize_t *> calloc(self.members * CACHE_LINE_PAIR, sizeof(Py_ssize_t))
        if self.private_input == NULL or self.gathered == NULL:
            raise MemoryError()
        self.private_input[0] = self.a[0]
        for member in range(1, self.members):
            self.allocate_matrix(&self.private_input[member], self.layers[1].inputs)
        self.operation[0].is_split, self.operation[0].blocks = False, 1      # what is left are the targets
        self.operation[0].block_rows = self.capacity
        return 0

    cdef cg_matrix layer_input(self, Pass *p, Py_ssize_t l, int member) noexcept nogil:
        """aˡ⁻¹, which is the input of layer l."""
        return from_row(&self.private_input[member] if l == 1 and self.private_input != NULL else &self.a[l - 1], p.first)

    cdef bint claim_gather(self, Py_ssize_t l, Py_ssize_t panel, int member) noexcept nogil:
        """Whether a layer is the first to need the samples of the pass that its member gathers. Asked once."""
        if l > 1:
            return False
        if self.members == 1:
            return panel == 0
        if self.private_input == NULL or self.gathered[member * CACHE_LINE_PAIR] == self.pass_id:
            return False
        self.gathered[member * CACHE_LINE_PAIR] = self.pass_id
        return True

    cdef void gather(self, Pass *p, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """a⁰ = the rows of X whose turn it is, where they have no other place; and their targets."""
        cdef Py_ssize_t r, start = p.start + first, to = p.first + first
        cdef cg_rows samples = cg_rows(p.x, p.order, start), targets = cg_rows(p.y, p.order, start)
        cdef cg_matrix a = from_row(&self.a[0], to), y
        if self.members > 1 and self.private_input == NULL:
            self.kernels.gather(&samples, rows, &a)
        if p.y != NULL:
            y = from_row(&self.y, to)
            self.kernels.gather(&targets, rows, &y)
        if p.labels != NULL:
            for r in range(rows):
                self.labels[to + r] = p.labels[p.order[start + r] if p.order != NULL else start + r]

    cdef void forward(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows,
                      int member) noexcept nogil:
        """zˡ = Wˡ aˡ⁻¹ + bˡ;  aˡ = σ(zˡ), but for softmax, which needs all panels"""
        cdef const Layer *layer = &self.layers[l]
        cdef Py_ssize_t r = p.first + first
        cdef cg_matrix z = from_row(&self.z[l], r), a = from_row(&self.a[l], r), x = self.layer_input(p, l, member)
        cdef cg_rows samples = cg_rows(p.x, p.order, p.start)
        cdef bint in_place = z.data == a.data
        cdef bint relu = in_place and layer.activation == CG_RELU   # while z is still in registers
        cdef bint missing = self.claim_gather(l, panel, member), on_the_way = missing and self.kernels.forward_gathers(p.x)
        if missing and not on_the_way:
            self.kernels.gather(&samples, rows, &x)
        x = from_row(&x, first)
        self.kernels.forward(panel, rows, &samples if on_the_way else NULL, &x, &layer.w, layer.b, relu, &z)
        if layer.activation != CG_SOFTMAX and not relu and not (in_place and layer.activation == CG_IDENTITY):
            self.kernels.activate(layer.activation, panel, rows, &z, &a)

    cdef void softmax(self, Pass *p, Py_ssize_t first, Py_ssize_t rows) noexcept nogil:
        """aᴸ = softmax(zᴸ)"""
        cdef Py_ssize_t r = p.first + first
        cdef cg_matrix z = from_row(&self.z[self.depth], r), a = from_row(&self.a[self.depth], r)
        self.kernels.softmax(rows, &z, &a, self.log_sum_exp + r * self.kernels.itemsize)

    cdef void output_delta(self, Pass *p) noexcept nogil:
        """The loss C, and δᴸ = ∇ₐC ⊙ σ′(zᴸ)"""
        cdef Py_ssize_t L = self.depth, panel
        cdef const Layer *layer = &self.layers[L]
        cdef cg_matrix z = from_row(&self.z[L], p.first), a = from_row(&self.a[L], p.first), y = from_row(&self.y, p.first)
        cdef cg_matrix delta = from_row(&self.delta[L], p.first)
        cdef cg_output output
        output.loss = self.loss
        output.scale = 1.0 / p.rows if self.mean else 1.0
        output.z, output.a = &z, &a
        output.y = &y if p.y != NULL else NULL
        output.labels = self.labels + p.first if p.labels != NULL else NULL
        output.log_sum_exp = self.log_sum_exp + p.first * self.kernels.itemsize
        output.delta = &delta if self.delta[L].data != NULL else NULL
        self.kernels.output_delta(p.rows, &output)
        p.loss, p.metric = output.loss_sum, output.metric_sum
        if output.delta == NULL or self.loss == CG_CROSS_ENTROPY or self.loss == CG_BINARY_CROSS_ENTROPY:
            return      # the cross-entropies give δᴸ = a − y at once
        if layer.activation == CG_SOFTMAX:
            self.kernels.softmax_slope(p.rows, &a, &delta)
        elif layer.activation != CG_IDENTITY:
            for panel in range(self.panels(&a)):
                self.kernels.slope(layer.activation, panel, p.rows, &z, &a, &delta)

    cdef void hidden_delta(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows,
                       int member) noexcept nogil:
        """δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ);  for the input, l = 0, without σ′"""
        cdef const cg_matrix *w = &self.layers[l + 1].w
        cdef Py_ssize_t r = p.first + first
        cdef cg_matrix above = from_row(&self.delta[l + 1], r), delta = from_row(&self.delta[l], r)
        cdef cg_matrix z = from_row(&self.z[l], r), a = from_row(&self.a[l], r)
        cdef char *transposed = self.transposed + member * self.transposed_size
        cdef int activation = self.layers[l].activation if l > 0 else CG_IDENTITY
        self.kernels.transpose(panel, w, transposed)
        self.kernels.hidden_delta(panel, rows, &above, transposed, &a if activation == CG_RELU else NULL, &delta)
        if activation != CG_RELU and activation != CG_IDENTITY:
            self.kernels.slope(activation, panel, rows, &z, &a, &delta)

    cdef void learn(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows, int member,
                    cg_prefetch *ahead) noexcept nogil:
        """∂C/∂Wˡ = δˡ (aˡ⁻¹)ᵀ, ∂C/∂bˡ = δˡ;  W ← W − η ∂C/∂W, b likewise, by the optimiser's rule

        For the weights of one panel of units from `rows` inputs; their biases go with the first of these.
        """
        cdef const Layer *layer = &self.layers[l]
        cdef Py_ssize_t lanes = self.kernels.panel_width
        cdef cg_rows samples = cg_rows(p.x, p.order, p.start)
        cdef cg_matrix a = self.layer_input(p, l, member), w = from_row(&layer.w, first), delta = self.delta[l]
        cdef cg_update update = p.update
        if self.members > 1 and self.claim_gather(l, panel, member):
            self.kernels.gather(&samples, p.rows, &a)
        if layer.train_weights:
            a.data += first // lanes * a.capacity * CG_PANEL_BYTES
            a.cols = rows
            w.data += p.gradient_offset
            self.kernels.weight_gradient(panel, p.rows, &a, &delta, &w, p.state_offsets[0], p.state_offsets[1], &update, ahead)
        if layer.train_biases and first == 0:
            update.weight_decay = 0
            delta.data += panel * delta.capacity * CG_PANEL_BYTES
            delta.cols = min(delta.cols - panel * lanes, lanes)
            self.kernels.bias_gradient(p.rows, &delta, layer.b + p.gradient_offset + panel * CG_PANEL_BYTES, p.state_offsets[0],
                                       p.state_offsets[1], &update)
