"""A plan: the operations of one pass over a batch, forward or forward and back, and the memory that they work in.

It decides where each matrix is, which operations there are, and how threads share them; `equations` computes the
operations. Work is split by panels and rows of output, never along a sum, so that the result does not depend
on who computed which part.
"""

cimport cython

from libc.math cimport isfinite
from libc.stdint cimport INT32_MAX, int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from cygrad._engine.kernels cimport (
    CG_CHEAP, CG_NEEDS_Z, CG_PANEL_BYTES, CG_RULE_store, CG_WHOLE_ROWS, cg_activation_properties, cg_columns, cg_kernels,
    cg_loss_properties, cg_matrix, cg_prefetch, cg_sparse
)
from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.samples cimport memory_of
from cygrad._engine.team cimport cg_range_end

import numpy as np


include "equations.pyx"
include "custom.pyx"
include "layers.pyx"


cdef Py_ssize_t PAGE = 4096
# Blocks hold a multiple of this many rows: a tile, and the vectors in which softmax writes log_sum_exp.
cdef Py_ssize_t TILE = 8, VECTOR = 64
cdef Py_ssize_t CACHE_LINE_PAIR = 16    # numbers of 8 bytes in two cache lines
cdef Py_ssize_t IN_PLACE_PARTS = 8      # of a layer whose δ takes the place of its activations, at most

costs.barrier = 200_000
# A high estimate, for cores that share no cache, so that threads never slow a pass down.
costs.transfer = 1 / 4000.0
costs.softmax = 32
costs.update = 16
costs.gather = 16
costs.non_zero = 4
costs.thread_start = 100
costs.inference_share = 40
costs.gil_release = 200_000
costs.private_input_bytes = 1 << 18
costs.prefetch_bytes = 1 << 19
costs.block_bytes = 1 << 18
costs.sparse_block_bytes = 1 << 20
costs.block_rows = 96
costs.in_place_bytes = 1 << 19
costs.in_place_work = 2_000_000_000
costs.turn = 20_000
costs.whole_operation = 1_000_000


def set_costs(**changed):
    """Change some of the costs for what is made from now on, and return all as they were before.

    Benchmarks compare their values; with ``barrier=0`` tests split the smallest networks among threads.
    """
    global costs
    before = costs
    costs = {**before, **changed}
    return before


def aligned(Py_ssize_t size):
    """Return a zeroed block of bytes that begins at a page.

    Where a store and a later load agree in the last twelve bits of their addresses but not in the others, the processor
    takes them for the same for a while (4 KiB aliasing).
    """
    block = np.zeros(size + PAGE, np.uint8)
    skip = PAGE - <Py_ssize_t> address(block) % PAGE
    return block[skip : skip + size]


cdef char *address(block) except NULL:
    """Return the address of a block of bytes; the caller keeps it alive."""
    return memory_of(block)


cdef Py_ssize_t non_zeros_of(const cg_sparse *x, Py_ssize_t rows) noexcept:
    """Return the most non-zeros that so many different rows of sparse samples can have."""
    return x.total if x.most > 0 and rows > x.total // x.most else rows * x.most


cdef class Plan:
    """The operations of a pass and their workspace, for up to `capacity` rows at once."""

    def __cinit__(self):
        memset(&self.workspace, 0, sizeof(Workspace))
        self.gathered = NULL
        self.operation = NULL

    def __dealloc__(self):
        free(self.workspace.private_input)
        free(self.workspace.squares)
        free(self.workspace.kept)
        free(self.workspace.statistics)
        free(self.workspace.a)
        free(self.workspace.z)
        free(self.workspace.delta)
        free(self.gathered)
        free(self.operation)

    cdef char *allocate(self, Py_ssize_t size) except NULL:
        """Return the address of a zeroed block that begins at a page."""
        cdef char *block = self.base + self.memory_size
        self.memory_size += (size + PAGE - 1) // PAGE * PAGE
        return block

    cdef int allocate_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1:
        m.capacity = self.copies * self.capacity
        m.cols = columns
        m.data = self.allocate(self.panels(columns) * m.capacity * CG_PANEL_BYTES)
        return 0

    @cython.final
    cdef Py_ssize_t panels(self, Py_ssize_t columns) noexcept nogil:
        return (columns + self.workspace.kernels.panel_width - 1) // self.workspace.kernels.panel_width

    # Layout

    cdef int prepare(self, const cg_kernels *kernels, const Layer *layers, Py_ssize_t depth, Py_ssize_t inputs, int loss,
                     bint mean,
                     Py_ssize_t capacity, bint targets, Py_ssize_t lowest_delta, bint keep, int members=1,
                     int copies=1, Clipping clipping=Clipping(CLIP_NOTHING, 0), const cg_sparse *sparse=NULL,
                     bint training=False) except -1:
        """List the operations; `take_memory` is to follow, before any of them runs.

        targets: whether to compute the loss. lowest_delta: the lowest layer whose delta is computed; 0 is the input,
        depth + 1 for none. keep: whether all z and a stay there afterwards. members: how many threads may share a pass.
        copies: how many passes may run at once, each by one thread. clipping: of the gradient before the updates.
        sparse: the samples, if they are sparse.
        training: whether norms take the statistics of the batch, and dropout and noise draw numbers.
        """
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t l
        self.capacity, self.copies, self.lowest_delta = capacity, copies, lowest_delta
        self.targets, self.keep, self.most_members = targets, keep, members
        self.is_sparse, self.row_nonzeros = sparse != NULL, 0
        if sparse != NULL:
            self.row_nonzeros = <double> sparse.total / sparse.rows
        s.kernels, s.layers, s.depth, s.loss, s.mean = kernels, layers, depth, loss, mean
        s.clipping = clipping
        s.a = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        s.z = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        s.delta = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        s.kept = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        s.statistics = <char **> calloc(depth + 1, sizeof(char *))
        self.operation = <Operation *> calloc((5 + 2 * IN_PLACE_PARTS) * depth + 5, sizeof(Operation))
        if s.a == NULL or s.z == NULL or s.delta == NULL or s.kept == NULL or s.statistics == NULL or (
                self.operation == NULL):
            raise MemoryError()
        s.training, s.inputs = training, inputs
        for l in range(1, depth + 1):
            s.has_sums = s.has_sums or layers[l].kind == RESIDUAL_SUM
        self.list_and_split()
        return 0

    cdef int list_and_split(self) except -1:
        """List the operations, and divide them among the threads."""
        self.list_operations(self.targets, self.lowest_delta)
        self.members = self.best_thread_count(self.most_members)
        if self.members > 1:
            self.split_operations()
        return 0

    cdef int take_memory(self, bint in_place, const cg_sparse *sparse) except -1:
        """Lay out the workspace. in_place: whether δ of large layers may take the place of their activations."""
        if in_place and self.gains_in_place():
            memset(self.operation, 0, self.operations * sizeof(Operation))
            self.in_place, self.operations, self.work = True, 0, 0
            self.list_and_split()
        self.base = <char *> PAGE       # of no memory yet: this only counts the bytes
        self.lay_out_all(sparse)
        self.memory = aligned(self.memory_size)
        self.base, self.memory_size = address(self.memory), 0
        self.lay_out_all(sparse)
        return 0

    cdef int lay_out_all(self, const cg_sparse *sparse) except -1:
        """Lay out the workspace from `base` on.

        It is one block: of several, which are freed one by one, the C library returns the pages to the system at the end
        of each training, and the next one takes a page fault for every one of them.
        """
        self.lay_out(self.targets, self.lowest_delta, self.keep)
        if self.workspace.clipping.kind != CLIP_NOTHING:
            self.allocate_factors()
        if sparse != NULL and self.lowest_delta <= 1:
            self.allocate_columns(sparse)
        if self.members > 1 and sparse == NULL:
            self.allocate_private_inputs()
        return 0

    cdef bint serves(self, const cg_sparse *sparse) noexcept:
        """Return whether the plan is for these samples, dense if NULL."""
        cdef Py_ssize_t room = self.workspace.columns.capacity
        return self.is_sparse == (sparse != NULL) and (
            sparse == NULL or self.workspace.columns.next == NULL or non_zeros_of(sparse, self.capacity) <= room)

    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1:
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t l, columns, widest = 0, inputs = s.inputs
        cdef bint all_layers = keep or lowest_delta <= s.depth
        cdef cg_matrix spare[2]
        cdef int last = 0       # the spare matrix that was written last
        for l in range(1, s.depth + 1):
            widest = max(widest, s.layers[l].w.cols)
        if not all_layers:      # each layer needs only the one before it
            self.allocate_matrix(&spare[0], widest)
            self.allocate_matrix(&spare[1], widest)
        if not self.is_sparse:
            self.allocate_matrix(&s.a[0], inputs)
        if self.in_place:
            self.lay_out_in_place()
        for l in range(1, s.depth + 1):
            columns = s.layers[l].w.cols
            if self.passes_through(l):
                s.a[l] = s.z[l] = s.a[l - 1]
                continue
            # The loss reads whole panels of the last layer, whose padding no other layer may have written.
            if self.in_place and self.panels_in_place(l) > 0:
                pass
            elif all_layers or (targets and l == s.depth) or (s.has_sums and self.is_source(l)):
                self.allocate_matrix(&s.a[l], columns)
            else:
                last = 1 - last
                s.a[l] = spare[last]
                s.a[l].cols = columns
            # z is kept beside a where the slope or the loss is computed from it; dropout and noise have none.
            if s.layers[l].kind == DROPOUT or s.layers[l].kind == GAUSSIAN_NOISE:
                s.z[l] = s.a[l]
            elif keep or (
                    lowest_delta <= l and cg_activation_properties(s.layers[l].activation) & CG_NEEDS_Z) or (
                    targets and l == s.depth and cg_loss_properties(s.loss) & CG_NEEDS_Z):
                self.allocate_matrix(&s.z[l], columns)
            else:
                s.z[l] = s.a[l]
            self.lay_out_kept(l, lowest_delta <= s.depth)
        for l in range(lowest_delta, s.depth + 1):
            if self.in_place and self.panels_in_place(l) > 0:
                continue
            self.allocate_matrix(&s.delta[l], s.layers[l].w.cols if l > 0 else inputs)
        if lowest_delta < s.depth:
            s.transposed_size = (widest + s.kernels.panel_width) * CG_PANEL_BYTES
            s.transposed = self.allocate(max(self.members, self.copies) * s.transposed_size)
        s.log_sum_exp = self.allocate(self.copies * self.capacity * s.kernels.itemsize + CG_PANEL_BYTES)
        if targets:
            s.labels = <int64_t *> self.allocate(self.copies * self.capacity * sizeof(int64_t))
            s.weights = self.allocate(self.copies * self.capacity * s.kernels.itemsize)
            self.allocate_matrix(&s.y, s.layers[s.depth].w.cols)
        return 0

    cdef int lay_out_in_place(self) except -1:
        """Lay out the activations whose δ takes their place, from the top: δ begins some panels before them.

        These panels are free: they are the last ones of the layer above, whose δ begins as many panels before, or
        nothing else has them. Of a layer that does not fill its last panel they are not: the padding must stay 0.
        """
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t l, panels, unused = 0, panel_bytes = self.capacity * CG_PANEL_BYTES
        for l in range(s.depth - 1, self.lowest_delta - 1, -1):
            panels = self.panels_in_place(l)
            if panels == 0:
                continue
            if panels > unused:
                self.allocate(panels * panel_bytes)
            self.allocate_matrix(&s.a[l], s.layers[l].w.cols)
            s.delta[l] = s.a[l]
            s.delta[l].data -= panels * panel_bytes
            unused = panels if s.layers[l].w.cols % s.kernels.panel_width == 0 else 0
        return 0

    cdef void clear_padding(self, const Part *part) noexcept nogil:
        """Set the rows of the last panel of δ to 0, if a part has it: activations were there, and it can have padding."""
        cdef const cg_matrix *delta = &self.workspace.delta[part.layer]
        cdef Py_ssize_t last = delta.cols // self.workspace.kernels.panel_width
        if part.panel <= last < part.panel + part.panels:
            memset(delta.data + (last * delta.capacity + part.first) * CG_PANEL_BYTES, 0, part.rows * CG_PANEL_BYTES)

    cdef Py_ssize_t panels_in_place(self, Py_ssize_t l) noexcept nogil:
        """Return how many panels of δ of layer l are computed at a time where δ takes the place of a; 0: it does not.

        The gradient of W in layer l + 1 takes a, and δ takes W before it is updated. So some panels of δ are computed,
        then W is updated in the rows that belong to them, and the next panels of δ replace these panels of a.
        """
        cdef const Layer *above = &self.workspace.layers[l + 1]
        cdef Py_ssize_t panels, count, work
        if l < max(self.lowest_delta, 1) or l >= self.workspace.depth or above.kind != DENSE or not is_trained(above):
            return 0
        panels = self.panels(above.inputs)
        if panels * self.capacity * CG_PANEL_BYTES < costs.in_place_bytes:
            return 0
        work = self.capacity * above.w.cols * self.workspace.kernels.panel_width
        count = (panels + IN_PLACE_PARTS - 1) // IN_PLACE_PARTS
        # Of so much work that threads share it.
        count = max(count, 8 * costs.barrier // (work * self.workspace.kernels.itemsize) + 1)
        return count if 2 * count <= panels else 0

    cdef bint gains_in_place(self) noexcept nogil:
        """Return whether δ should take the place of activations anywhere."""
        cdef Py_ssize_t l
        if self.work > costs.in_place_work:
            return False
        for l in range(1, self.workspace.depth):
            if self.panels_in_place(l) > 0:
                return True
        return False

    cdef Py_ssize_t bytes_of_squares(self, Py_ssize_t l) noexcept:
        """Return the size of a sum for each block of P × P weights of layer l, and each panel of its biases."""
        cdef const Layer *layer = &self.workspace.layers[l]
        return self.panels(layer.w.cols) * (self.panels(layer.inputs) + 1) * sizeof(double)

    cdef int allocate_factors(self) except -1:
        """Allocate what `clipping` computes."""
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t l
        if s.squares == NULL:
            s.squares = <double **> calloc(s.depth + 1, sizeof(double *))
        if s.squares == NULL:
            raise MemoryError()
        s.power = <double *> self.allocate((s.depth + 1) * sizeof(double))
        s.factor = <double *> self.allocate((s.depth + 1) * sizeof(double))
        for l in range(1, s.depth + 1):
            s.squares[l] = <double *> self.allocate(self.bytes_of_squares(l))
        return 0

    cdef int allocate_columns(self, const cg_sparse *sparse) except -1:
        """Make room for the non-zeros of a pass."""
        cdef cg_columns *c = &self.workspace.columns
        cdef Py_ssize_t count, itemsize = self.workspace.kernels.itemsize
        c.capacity = non_zeros_of(sparse, self.capacity)
        if c.capacity >= INT32_MAX or sparse.cols >= INT32_MAX:
            raise ValueError(f"a batch of X has up to {c.capacity} non-zeros, expected fewer than {INT32_MAX}")
        count = min(c.capacity, sparse.cols) + 1
        c.columns = <int32_t *> self.allocate(count * sizeof(int32_t))
        c.first = <int32_t *> self.allocate((count + 1) * sizeof(int32_t))
        c.rows = <int32_t *> self.allocate((c.capacity + 1) * sizeof(int32_t))
        c.read_rows = <int32_t *> self.allocate((c.capacity + 1) * sizeof(int32_t))
        c.read_columns = <int32_t *> self.allocate((c.capacity + 1) * sizeof(int32_t))
        c.values = self.allocate((c.capacity + 1) * itemsize)
        c.read_values = self.allocate((c.capacity + 1) * itemsize)
        c.next = <int32_t *> self.allocate(sparse.cols * sizeof(int32_t))
        return 0

    cdef int lay_out_kept(self, Py_ssize_t l, bint backward) except -1:
        """Lay out what layer l keeps for the way back."""
        cdef Workspace *s = &self.workspace
        cdef const Layer *layer = &s.layers[l]
        cdef bint is_norm = layer.kind == BATCH_NORM or layer.kind == LAYER_NORM
        if layer.kind == DROPOUT or (backward and is_norm):
            self.allocate_matrix(&s.kept[l], layer.w.cols)
        if layer.kind == BATCH_NORM and s.training:
            s.statistics[l] = self.allocate(4 * self.panels(layer.w.cols) * CG_PANEL_BYTES)
        elif layer.kind == LAYER_NORM:
            s.statistics[l] = self.allocate(self.copies * self.capacity * s.kernels.itemsize)
        return 0

    @cython.final
    cdef bint passes_through(self, Py_ssize_t l) noexcept nogil:
        """Return whether layer l gives its input on as it is: dropout and noise, except in training."""
        cdef LayerKind kind = self.workspace.layers[l].kind
        return not self.workspace.training and (kind == DROPOUT or kind == GAUSSIAN_NOISE)

    @cython.final
    cdef bint is_source(self, Py_ssize_t l) noexcept nogil:
        """Return whether a residual sum takes the matrix of layer l, which other layers above may share."""
        cdef Py_ssize_t m
        for m in range(l, self.workspace.depth + 1):
            if m > l and not self.passes_through(m):
                break
            if has_residual_sum(&self.workspace, m):
                return True
        return False

    cdef int allocate_private_inputs(self) except -1:
        """Let each member gather all of a small batch for itself, where the first layer's panels are split.

        One a⁰ that all write and all read moves from cache to cache twice in each step, which takes longer.
        """
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t size = self.panels(s.inputs) * self.capacity * CG_PANEL_BYTES
        cdef int member
        if self.operation[1].blocks > 1 or size > costs.private_input_bytes or self.is_read_again():
            return 0
        if s.private_input == NULL:
            s.private_input = <cg_matrix *> calloc(self.members, sizeof(cg_matrix))
            self.gathered = <Py_ssize_t *> calloc(self.members * CACHE_LINE_PAIR, sizeof(Py_ssize_t))
        if s.private_input == NULL or self.gathered == NULL:
            raise MemoryError()
        s.private_input[0] = s.a[0]
        for member in range(1, self.members):
            self.allocate_matrix(&s.private_input[member], s.inputs)
        self.operation[0].is_split, self.operation[0].blocks = False, 1     # only the targets are left for it
        self.operation[0].block_rows = self.capacity
        return 0

    cdef bint has_update(self, Py_ssize_t l) noexcept nogil:
        """Return whether training changes layer l: its parameters, or the running statistics of batch norm."""
        cdef const Layer *layer = &self.workspace.layers[l]
        return is_trained(layer) or (layer.kind == BATCH_NORM and self.workspace.training)

    cdef bint is_read_again(self) noexcept:
        """Return whether another layer than the first dense one takes the samples."""
        return self.workspace.layers[1].kind != DENSE or (
            self.workspace.has_sums and has_residual_sum(&self.workspace, 0))

    # Operations and their cost

    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1:
        """List the forward pass, then all deltas, then all updates: before the first update a pass can be given up.

        Where δ takes the place of activations, some updates come between the deltas.
        """
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t i, l, width = s.kernels.panel_width, capacity = self.capacity
        cdef bint exps
        self.first_gradient = 0
        self.add(GATHER, 0, 1, capacity, 1, 1 if self.is_sparse else s.inputs * costs.gather)
        for l in range(1, s.depth + 1):
            if s.layers[l].kind != DENSE:
                list_layer(self, l)
                continue
            exps = not cg_activation_properties(s.layers[l].activation) & (CG_CHEAP | CG_WHOLE_ROWS)
            if l == 1 and self.is_sparse:
                self.add(SPARSE_FORWARD, l, s.layers[l].w.cols, capacity, TILE,
                         <Py_ssize_t> (self.row_nonzeros * costs.non_zero + exps * costs.softmax + 1) * width)
            else:
                self.add(FORWARD, l, s.layers[l].w.cols, capacity, TILE,
                         (s.layers[l].inputs + exps * costs.softmax) * width)
            if cg_activation_properties(s.layers[l].activation) & CG_WHOLE_ROWS:
                self.add(SOFTMAX, l, 1, capacity, VECTOR, s.layers[l].w.cols * costs.softmax)
        if targets:
            self.add(OUTPUT_DELTA, s.depth, 1, 1, 1, 0)
        for l in range(s.depth - 1, lowest_delta - 1, -1):
            if self.in_place and self.panels_in_place(l) > 0:
                self.add_in_place(l)
            elif s.layers[l + 1].kind == DENSE:
                self.add(HIDDEN_DELTA, l, s.layers[l + 1].inputs, capacity, TILE, s.layers[l + 1].w.cols * width)
            else:
                list_delta(self, l)
        if self.is_sparse and lowest_delta <= 1 and s.layers[1].train_weights:
            self.add(SORT_BY_COLUMN, 1, 1, 1, 1, 0)
        if self.first_gradient == 0:
            self.first_gradient = self.operations
        self.first_update = self.first_gradient
        for l in range(s.depth, 0, -1):
            if self.in_place and self.panels_in_place(l - 1) > 0:
                continue
            if l == 1 and self.is_sparse and l >= lowest_delta and is_trained(&s.layers[l]):
                self.add(SPARSE_GRADIENT, l, s.layers[l].w.cols, s.layers[l].inputs, width, <Py_ssize_t> (
                    costs.update + self.row_nonzeros * costs.non_zero * capacity / s.layers[l].inputs) * width)
            elif s.layers[l].kind == DENSE and l >= lowest_delta and is_trained(&s.layers[l]):
                self.add(GRADIENT, l, s.layers[l].w.cols, s.layers[l].inputs, width, capacity * width)
            elif s.layers[l].kind != DENSE and (l >= lowest_delta or s.training) and self.has_update(l):
                self.add(SCALE_GRADIENT, l, 1, 1, 1, 4 * capacity * s.layers[l].w.cols)
        if s.clipping.kind == CLIP_NOTHING:
            for i in range(self.first_update + 1, self.operations):
                self.operation[i].follows_updates = True
            return 0
        self.add(CLIP, s.depth, 1, 1, 1, 0)
        self.first_update = self.operations
        for l in range(s.depth, 0, -1):
            if self.has_update(l):
                self.add(UPDATE, l, s.layers[l].w.cols, s.layers[l].inputs, width, costs.update * width)
        return 0

    cdef int add_in_place(self, Py_ssize_t l) except -1:
        """List δ of layer l, some panels at a time, and the gradient of the weights of the layer above between them."""
        cdef const Layer *above = &self.workspace.layers[l + 1]
        cdef Py_ssize_t width = self.workspace.kernels.panel_width, capacity = self.capacity
        cdef Py_ssize_t first, columns, most = self.panels_in_place(l) * width
        for first in range(0, above.inputs, most):
            columns = min(most, above.inputs - first)
            self.add(HIDDEN_DELTA, l, columns, capacity, TILE, above.w.cols * width)
            self.operation[self.operations - 1].first = first // width
            if self.first_gradient == 0:
                self.first_gradient = self.operations
            self.add(GRADIENT, l + 1, above.w.cols, columns, width, capacity * width)
            self.operation[self.operations - 1].first = first
        return 0

    cdef int add(self, Kind kind, Py_ssize_t layer, Py_ssize_t columns, Py_ssize_t rows, Py_ssize_t unit,
                 Py_ssize_t work) except -1:
        """Add an operation whose result is [rows, columns].

        work: multiply-adds for a row of one panel. unit: its blocks will hold a multiple of so many rows.
        """
        cdef Operation *op = &self.operation[self.operations]
        self.operations += 1
        op.kind, op.layer, op.once_per_batch = kind, layer, kind in (CLIP, UPDATE, LIMIT_NORMS)
        op.panels = self.panels(columns)
        op.blocks, op.rows, op.block_rows, op.unit = 1, rows, rows, unit
        op.work = rows * work
        self.work += op.panels * op.work
        return 0

    cdef Py_ssize_t max_tasks(self, const Operation *op) noexcept nogil:
        """Return the number of tasks into which an operation may be split: each as long as a barrier, or longer."""
        return op.panels * op.work * self.workspace.kernels.itemsize // (4 * max(costs.barrier, 1))

    cdef int best_thread_count(self, int most) noexcept nogil:
        """Return the number of threads, up to `most`, with which a pass takes the least time.

        They share the products of all operations that are large enough. Each of these takes one barrier, and half of
        the numbers that layers hand on, up and down, come from another core's cache.
        """
        cdef Py_ssize_t i, units = 0
        cdef double products = 0, barriers = 0, transfers, cost, least = 0
        cdef int members, best = 1
        for i in range(self.operations):
            if self.max_tasks(&self.operation[i]) > 1:
                products += self.operation[i].panels * self.operation[i].work
                barriers += costs.barrier
        for i in range(1, self.workspace.depth + 1):
            units += self.workspace.layers[i].w.cols
        transfers = 2 * costs.transfer * costs.barrier * self.capacity * units
        for members in range(1, most + 1):
            cost = (products + (members - 1) * transfers) / members + (members - 1) * barriers
            if members == 1 or cost <= least:
                best, least = members, cost
        self.cost = self.work - products + least
        return best

    cdef double cost_in_turn(self, Py_ssize_t rows, Py_ssize_t block, int members) noexcept nogil:
        """Return the estimated time of a batch of `rows` rows whose blocks are computed by several threads, in turn.

        The sums of each layer's gradient go from thread to thread, and a thread waits for its turn.
        """
        cdef Py_ssize_t i, blocks = (rows + block - 1) // block
        cdef double share = <double> block / self.capacity, work = self.work * share, longest = 0, turn
        cdef const Layer *layer
        cdef const Operation *op
        for i in range(self.first_gradient, self.operations):
            op = &self.operation[i]
            if op.once_per_batch:
                work -= op.panels * op.blocks * op.work * share * (blocks - 1) / blocks
                continue
            layer = &self.workspace.layers[op.layer]
            turn = costs.turn + costs.transfer * costs.barrier * layer.inputs * layer.w.cols
            work += turn
            longest = max(longest, op.panels * op.blocks * op.work * share + turn)
        return max((blocks + members - 1) // members * work, blocks * longest) + (members - 1) * (costs.barrier + longest)

    cdef int split_operations(self) except -1:
        """Split the large operations into tasks.

        By panels first, which keeps each panel in one core's cache; into blocks of rows too, where there are too few
        panels to give all threads the same number of tasks.
        """
        cdef Py_ssize_t i, j, waiting = 0, blocks, tasks, most, units
        cdef double balance, best
        cdef Operation *op
        for i in range(self.operations):
            op = &self.operation[i]
            most, best, units = self.max_tasks(op), 0, (op.rows + op.unit - 1) // op.unit
            if most > 1:
                for blocks in range(1, units + 1):
                    tasks = op.panels * blocks
                    if best > 0.9 or (blocks > 1 and tasks > most):
                        break
                    balance = <double> tasks / (self.members * ((tasks + self.members - 1) // self.members))
                    if balance > best:
                        best, op.block_rows = balance, (units + blocks - 1) // blocks * op.unit
                op.blocks = (op.rows + op.block_rows - 1) // op.block_rows
                op.is_split = op.panels * op.blocks > 1
                op.work = op.work // op.blocks
            if op.kind not in (GRADIENT, SCALE_GRADIENT, SPARSE_GRADIENT, UPDATE):
                waiting = 0
                continue
            # They depend on the deltas alone, or on the clipped gradient: small ones run beside the next large one.
            if op.is_split:
                op.attached, waiting = waiting, 0
                for j in range(i - op.attached, i):
                    self.operation[j].runs_with_next = True
            else:
                waiting += 1
        return 0

    cdef int add_norm_limits(self) except -1:
        """Add the limits of the norms, after all updates: an update may run beside that of another layer."""
        cdef Py_ssize_t l
        cdef const Layer *layer
        cdef Operation *op
        for l in range(self.workspace.depth, 0, -1):
            layer = &self.workspace.layers[l]
            if layer.kind == DENSE and layer.train_weights:
                op = &self.operation[self.operations]
                self.add(LIMIT_NORMS, l, layer.w.cols, layer.inputs, layer.inputs, self.workspace.kernels.panel_width)
                op.is_split = self.members > 1 and op.panels > 1 and self.max_tasks(op) > 1
        return 0

    cdef int add_penalty(self) except -1:
        """Make room for the sums of squares of the penalty, unless there are those of clipping, which come later."""
        cdef Workspace *s = &self.workspace
        cdef Py_ssize_t l, size = 0
        cdef char *place
        if s.squares != NULL:
            return 0
        s.squares = <double **> calloc(s.depth + 1, sizeof(double *))
        if s.squares == NULL:
            raise MemoryError()
        for l in range(1, s.depth + 1):
            size += self.bytes_of_squares(l)
        self.memory_of_squares = aligned(size)
        place = address(self.memory_of_squares)
        for l in range(1, s.depth + 1):
            s.squares[l] = <double *> place
            place += self.bytes_of_squares(l)
        return 0

    # Passes

    @cython.final
    cdef bint run(self, Pass *p, int member, Interrupts interrupts) noexcept nogil:
        """Run every operation in turn. True: stopped early, before any parameter was changed."""
        cdef Py_ssize_t i
        for i in range(self.operations):
            if self.run_operation(&self.operation[i], p, member, interrupts):
                return True
        return False

    cdef bint run_operation(self, const Operation *op, Pass *p, int member, Interrupts interrupts) noexcept nogil:
        """Run one operation. True: stop, no parameter has been changed. The interrupts are those of member 0."""
        cdef Py_ssize_t index
        if op.kind == OUTPUT_DELTA:
            if p.custom != NULL and not call_custom(&self.workspace, p, interrupts):
                return True
            output_delta(&self.workspace, p, False)
            if p.l2_penalty and p.is_last:
                p.penalty = penalty(&self.workspace, p.l2_penalty)
            return p.stop_if_not_finite and p.is_last and not isfinite(p.loss + p.penalty)
        if op.kind == CLIP:
            return clip(&self.workspace, p)
        if op.kind == SORT_BY_COLUMN:
            sort_by_column(&self.workspace, p)
            return False
        for index in range(1 if self.takes_all_panels(op, p) else op.panels * op.blocks):
            if self.run_task(op, index, p, member, interrupts):
                return True
        return False

    @cython.final
    cdef bint takes_all_panels(self, const Operation *op, const Pass *p) noexcept nogil:
        """Return whether one task computes all panels, where no threads share them.

        Of small operations, since every call takes its time; of a single row, since one panel is too few chains of
        multiply-adds; and of sparse samples, which every call converts.
        """
        return not op.is_split and (op.panels * op.work <= costs.whole_operation or op.kind == FORWARD and p.rows == 1
                                    or op.kind == SPARSE_FORWARD)

    @cython.final
    cdef bint run_task(self, const Operation *op, Py_ssize_t index, Pass *p, int member,
                       Interrupts interrupts) noexcept nogil:
        """Run one task of an operation. True: stop, as in `run_operation`."""
        cdef Part part
        cdef cg_prefetch ahead
        part.layer, part.member, part.gathers = op.layer, member, False
        part.panel = index if op.blocks == 1 else index // op.blocks    # a division takes its time
        part.panels = op.panels if self.takes_all_panels(op, p) else 1
        part.first = (index - part.panel * op.blocks) * op.block_rows
        if op.kind == GRADIENT:
            part.rows = min(op.rows - part.first, op.block_rows)
            part.first += op.first
            part.gathers = self.members > 1 and self.claim_gather(&part)
            ahead.rows = 0
            if op.layer == 1 and p.ahead.rows > 0:
                self.look_ahead(op, index + part.panels - 1, part.rows, p, &ahead)
            weight_gradient(&self.workspace, p, &part, &ahead if ahead.rows > 0 else NULL)
            if part.first == 0:
                bias_gradient(&self.workspace, p, &part)
            if p.stores_gradient and p.is_last:
                sum_squares(&self.workspace, p, &part)
            # Half a step cannot be given up, but gradients that are only stored can.
            return member == 0 and not p.in_turn and (
                p.update.rule == CG_RULE_store or p.stores_gradient or not p.is_last) and interrupts.check(op.work)
        if op.kind == UPDATE:
            part.rows = min(self.workspace.layers[op.layer].inputs - part.first, op.block_rows)
            update(&self.workspace, p, &part)
            return False
        if op.kind == LIMIT_NORMS:
            limit_norms(&self.workspace, p, &part)
            return False
        if op.kind == SPARSE_GRADIENT:
            part.rows = min(self.workspace.layers[op.layer].inputs - part.first, op.block_rows)
            sparse_gradient(&self.workspace, p, &part)
            if part.first == 0:
                bias_gradient(&self.workspace, p, &part)
            if p.stores_gradient and p.is_last:
                sum_squares(&self.workspace, p, &part)
            return member == 0 and (
                p.update.rule == CG_RULE_store or p.stores_gradient or not p.is_last) and interrupts.check(op.work)
        if op.kind == SCALE_GRADIENT:
            scale_gradient(&self.workspace, p, &part)
            return False
        part.rows = min(p.rows - part.first, op.block_rows)
        if part.rows <= 0:      # in a batch that is not full
            return False
        if op.kind == GATHER:
            part.gathers = not self.is_sparse and (
                (self.members > 1 and self.workspace.private_input == NULL)
                or self.workspace.layers[1].kind != DENSE)
            gather(&self.workspace, p, &part)
        elif op.kind == FORWARD:
            part.gathers = self.claim_gather(&part)
            forward(&self.workspace, p, &part)
            if p.l2_penalty and part.first == 0 and not p.continues:
                sum_weights(&self.workspace, &part)
        elif op.kind == SPARSE_FORWARD:
            sparse_forward(&self.workspace, p, &part)
            if p.l2_penalty and part.first == 0 and not p.continues:
                sum_weights(&self.workspace, &part)
        elif op.kind == SOFTMAX:
            softmax(&self.workspace, p, &part)
        elif op.kind == HIDDEN_DELTA:
            part.panel += op.first
            if self.in_place:
                self.clear_padding(&part)
            hidden_delta(&self.workspace, p, &part)
        elif op.kind == NORMALIZE:
            normalize(&self.workspace, p, &part)
        elif op.kind == NORMALIZE_DELTA:
            normalize_delta(&self.workspace, p, &part)
        elif op.kind == SCALE:
            scale(&self.workspace, p, &part)
        elif op.kind == SCALE_DELTA:
            scale_delta(&self.workspace, p, &part)
        elif op.kind == DISTURB:
            disturb(&self.workspace, p, &part)
        elif op.kind == DISTURB_DELTA:
            disturb_delta(&self.workspace, p, &part)
        elif op.kind == ADD_SOURCE:
            add_source(&self.workspace, p, &part)
        elif op.kind == ADD_SOURCE_DELTA:
            add_source_delta(&self.workspace, p, &part)
        # Half a step cannot be given up.
        return member == 0 and not (op.follows_updates and p.is_last) and interrupts.check(op.work)

    # Parts of operations, for ranks that share a batch: see ranks.pyx

    cdef void run_output_delta(self, Pass *p, bint loss_alone) noexcept nogil:
        """Run the output delta; where `loss_alone`, only its sums of loss and metric."""
        output_delta(&self.workspace, p, loss_alone)

    cdef double penalty_of(self, const Pass *p) noexcept nogil:
        """Return ½ α Σ W², of the sums that the forward pass has made."""
        return penalty(&self.workspace, p.l2_penalty)

    cdef int norm_stages(self, const Operation *op) noexcept nogil:
        """Return how many sums over the batch an operation needs before it: of batch norm in training, 2 or 1."""
        cdef Py_ssize_t l = op.layer + (op.kind == NORMALIZE_DELTA)
        if (op.kind != NORMALIZE and op.kind != NORMALIZE_DELTA) or self.workspace.layers[l].kind != BATCH_NORM:
            return 0
        return 2 if op.kind == NORMALIZE else 1

    cdef char *norm_statistics(self, const Operation *op, Py_ssize_t *size) noexcept nogil:
        """Return the statistics that these sums become, and their bytes."""
        cdef Py_ssize_t l = op.layer + (op.kind == NORMALIZE_DELTA)
        size[0] = 2 * self.panels(self.workspace.layers[l].w.cols) * CG_PANEL_BYTES
        return self.workspace.statistics[l] + (size[0] if op.kind == NORMALIZE_DELTA else 0)

    cdef void run_norm_stage(self, const Operation *op, int stage, const Pass *p, bint continues,
                             bint is_last) noexcept nogil:
        """Go on with the sums of a stage over the rows of a pass."""
        cdef Part part
        part.layer, part.member, part.panel, part.first, part.rows = op.layer, 0, 0, 0, p.rows
        part.panels = self.panels(self.workspace.layers[op.layer + (op.kind == NORMALIZE_DELTA)].w.cols)
        if op.kind == NORMALIZE:
            sum_columns(&self.workspace, p, &part, stage == 1, continues, is_last)
        else:
            sum_deltas(&self.workspace, p, &part, continues, is_last)

    cdef void sum_all_weights(self) noexcept nogil:
        """Sum Σ W² of all layers for the penalty."""
        cdef Part part
        cdef Py_ssize_t l
        for l in range(1, self.workspace.depth + 1):
            part = self.whole_layer(l)
            sum_weights(&self.workspace, &part)

    cdef void run_weight_gradient(self, const Operation *op, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t block,
                                  const Pass *p, int member) noexcept nogil:
        """Run a part of a gradient operation: some panels of the weights, and a block of their rows."""
        cdef Part part
        part.layer, part.member, part.panel, part.panels = op.layer, member, panel, panels
        part.first = block * op.block_rows
        part.rows = min(self.workspace.layers[op.layer].inputs - part.first, op.block_rows)
        if op.kind == GRADIENT:
            part.gathers = self.members > 1 and self.claim_gather(&part)
            weight_gradient(&self.workspace, p, &part, NULL)
        else:
            sparse_gradient(&self.workspace, p, &part)

    cdef void run_bias_gradient(self, const Operation *op, const Pass *p) noexcept nogil:
        """Run the rest of a gradient operation: all biases of the layer."""
        cdef Part part = self.whole_layer(op.layer)
        bias_gradient(&self.workspace, p, &part)

    cdef void run_sum_of_squares(self, const Operation *op, const Pass *p) noexcept nogil:
        """Sum the squares of the stored gradient of a layer."""
        cdef Part part = self.whole_layer(op.layer)
        sum_squares(&self.workspace, p, &part)

    cdef Part whole_layer(self, Py_ssize_t l) noexcept nogil:
        cdef Part part
        part.layer, part.member, part.gathers, part.panel, part.first = l, 0, False, 0, 0
        part.panels, part.rows = self.panels(self.workspace.layers[l].w.cols), self.workspace.layers[l].inputs
        return part

    @cython.final
    cdef bint claim_gather(self, const Part *part) noexcept nogil:
        """Claim to gather the samples of the pass, before the first part of the first layer that a member computes.

        True once for each pass and private input; never where all members share one input.
        """
        if part.layer > 1:
            return False
        if self.members == 1:
            return part.panel == 0
        if self.workspace.private_input == NULL or self.gathered[part.member * CACHE_LINE_PAIR] == self.pass_id:
            return False
        self.gathered[part.member * CACHE_LINE_PAIR] = self.pass_id
        return True

    @cython.final
    cdef void look_ahead(self, const Operation *op, Py_ssize_t index, Py_ssize_t rows, const Pass *p,
                         cg_prefetch *ahead) noexcept nogil:
        """Choose the samples of the next batch to prefetch during a task of the first layer's gradient.

        With the last task of each member's range, those that this member will gather; sooner, and the weights would
        evict them again.
        """
        cdef Py_ssize_t tasks = op.panels * op.blocks, block = self.operation[0].block_rows
        cdef Py_ssize_t row_bytes = p.ahead.samples.cols * p.ahead.samples.col_stride
        cdef int member, members = self.members if op.is_split else 1
        for member in range(members):
            if index == min(cg_range_end(tasks + op.attached, members, member), tasks) - 1:
                ahead[0] = p.ahead
                if members > 1 and self.operation[0].is_split and self.workspace.private_input == NULL:
                    ahead.row = member * block
                    ahead.rows = min(ahead.row + block, p.ahead.rows)
                ahead.lines_per_tile = (ahead.rows - ahead.row) * (row_bytes // 64 + 1) // (rows // 8 + 1) + 1
