"""A plan: the operations of one pass over a batch, forward or forward and back, and the workspace they work in.

The four equations of backpropagation stand here in their order, each a loop over the panels of a matrix. What happens
inside a panel, tile by tile, is in csrc/tile.h. Work is divided by panels and rows of output, never along a sum.
"""

cimport cython

from libc.math cimport isfinite
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from cpython.exc cimport PyErr_CheckSignals

from cygrad._engine.kernels cimport *

import numpy as np


cdef Py_ssize_t PAGE = 4096
cdef Py_ssize_t ATTENTION_WORK = 4_000_000   # multiply-adds between two looks at the clock
cdef double ATTENTION_SECONDS = 0.02         # between two times that Python has the floor


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


@cython.final
cdef class Plan:
    """The operations of a pass and their workspace, for up to `capacity` rows at once."""

    def __cinit__(self):
        self.a = self.z = self.delta = NULL
        self.operation = NULL
        self.memory = []

    def __dealloc__(self):
        free(self.a)
        free(self.z)
        free(self.delta)
        free(self.operation)

    cdef char *take(self, Py_ssize_t size) except NULL:
        block = aligned(size)
        self.memory.append(block)
        return address(block)

    cdef int take_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1:
        cdef Py_ssize_t panels = (columns + self.kernels.lanes - 1) // self.kernels.lanes
        m.data = self.take(panels * self.capacity * CG_PANEL_BYTES)
        m.rows = self.capacity
        m.cols = columns
        return 0

    cdef int add(self, Kind kind, Py_ssize_t layer=0) except -1:
        self.operation[self.operations].kind = kind
        self.operation[self.operations].layer = layer
        self.operations += 1
        return 0

    cdef int prepare(self, const Layer *layers, Py_ssize_t depth, int loss, bint mean, Py_ssize_t capacity,
                     bint targets, Py_ssize_t lowest_delta, bint keep) except -1:
        """Lay out the workspace and list the operations.

        targets: whether the loss is wanted. lowest_delta: the lowest layer whose delta is wanted; 0 is the input,
        depth + 1 for none. keep: whether all z and a are wanted afterwards.
        """
        self.layers, self.depth, self.loss, self.mean, self.capacity = layers, depth, loss, mean, capacity
        self.a = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.z = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.delta = <cg_matrix *> calloc(depth + 1, sizeof(cg_matrix))
        self.operation = <Operation *> calloc(3 * depth + 2, sizeof(Operation))
        if self.a == NULL or self.z == NULL or self.delta == NULL or self.operation == NULL:
            raise MemoryError()
        self.lay_out(targets, lowest_delta, keep)
        self.list_operations(targets, lowest_delta)
        return 0

    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1:
        cdef Py_ssize_t l, columns, widest = 0, inputs = self.layers[1].inputs
        cdef bint all_layers = keep or lowest_delta <= self.depth
        cdef cg_matrix spare[2]
        for l in range(1, self.depth + 1):
            widest = max(widest, self.layers[l].w.cols)
        if not all_layers:      # each layer needs no more than the one before it
            self.take_matrix(&spare[0], widest)
            self.take_matrix(&spare[1], widest)
        self.take_matrix(&self.a[0], inputs)
        for l in range(1, self.depth + 1):
            columns = self.layers[l].w.cols
            # The loss reads whole panels of the last layer, whose padding no other layer may have written.
            if all_layers or (targets and l == self.depth):
                self.take_matrix(&self.a[l], columns)
            else:
                self.a[l] = spare[l % 2]
                self.a[l].cols = columns
            # z is kept beside a where the slope or the loss is computed from it.
            if keep or (lowest_delta <= l and self.layers[l].activation == CG_GAUSSIAN) or (
                    targets and l == self.depth and self.loss in (CG_BINARY_CROSS_ENTROPY, CG_CROSS_ENTROPY)):
                self.take_matrix(&self.z[l], columns)
            else:
                self.z[l] = self.a[l]
        for l in range(lowest_delta, self.depth + 1):
            self.take_matrix(&self.delta[l], self.layers[l].w.cols if l > 0 else inputs)
        if lowest_delta < self.depth:
            self.transposed = self.take((widest + self.kernels.lanes) * CG_PANEL_BYTES)
        self.log_sum_exp = self.take(self.capacity * self.kernels.itemsize + CG_PANEL_BYTES)
        if targets:
            self.labels = <int64_t *> self.take(self.capacity * sizeof(int64_t))
            self.take_matrix(&self.y, self.layers[self.depth].w.cols)
        return 0

    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1:
        """Forward, then all deltas, then all updates: until the first of these the pass can still be given up."""
        cdef Py_ssize_t l
        self.add(GATHER)
        for l in range(1, self.depth + 1):
            self.add(FORWARD, l)
        if targets:
            self.add(OUTPUT, self.depth)
        for l in range(self.depth - 1, lowest_delta - 1, -1):
            self.add(DELTA, l)
        for l in range(self.depth, max(lowest_delta, 1) - 1, -1):
            if self.layers[l].train_weights or self.layers[l].train_biases:
                self.add(GRADIENT, l)
        return 0

    cdef Py_ssize_t panels(self, const cg_matrix *m) noexcept nogil:
        return (m.cols + self.kernels.lanes - 1) // self.kernels.lanes

    cdef bint run(self, Pass *p, Watch watch) noexcept nogil:
        """Do every operation in turn. True: stopped early, before any parameter was changed."""
        cdef Py_ssize_t i, l
        cdef Kind kind
        cdef bint stop = False
        for i in range(self.operations):
            kind, l = self.operation[i].kind, self.operation[i].layer
            if kind == GATHER:
                self.gather(p)
            elif kind == FORWARD:
                stop = self.forward(p, l, watch)
            elif kind == OUTPUT:
                self.output(p)
                stop = p.careful and not isfinite(p.loss)
            elif kind == DELTA:
                stop = self.backward(p, l, watch)
            elif kind == GRADIENT:
                stop = self.learn(p, l, watch)
            if stop:
                return True
        return False

    cdef void gather(self, Pass *p) noexcept nogil:
        """a⁰ = the rows of X whose turn it is, and their targets."""
        cdef Py_ssize_t r
        self.kernels.gather(p.x, p.order, p.start, p.rows, &self.a[0])
        if p.y != NULL:
            self.kernels.gather(p.y, p.order, p.start, p.rows, &self.y)
        if p.labels != NULL:
            for r in range(p.rows):
                self.labels[r] = p.labels[p.order[p.start + r] if p.order != NULL else p.start + r]

    cdef bint forward(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil:
        """zˡ = Wˡ aˡ⁻¹ + bˡ;  aˡ = σ(zˡ)"""
        cdef const Layer *layer = &self.layers[l]
        cdef cg_matrix *z = &self.z[l]
        cdef cg_matrix *a = &self.a[l]
        cdef bint in_place = z.data == a.data
        cdef bint relu = in_place and layer.activation == CG_RELU   # while z is still in registers
        cdef bint elementwise = layer.activation != CG_SOFTMAX and not relu and not (
            in_place and layer.activation == CG_IDENTITY)
        cdef Py_ssize_t panel
        for panel in range(self.panels(z)):
            self.kernels.forward(panel, p.rows, &self.a[l - 1], &layer.w, layer.b, relu, z)
            if elementwise:
                self.kernels.activate(layer.activation, panel, p.rows, z, a)
            if watch.due(p.rows * self.a[l - 1].cols * self.kernels.lanes):
                return True
        if layer.activation == CG_SOFTMAX:
            self.kernels.softmax(p.rows, z, a, self.log_sum_exp)
        return False

    cdef void output(self, Pass *p) noexcept nogil:
        """The loss C, and δᴸ = ∇ₐC ⊙ σ′(zᴸ)"""
        cdef Py_ssize_t L = self.depth, panel
        cdef const Layer *layer = &self.layers[L]
        cdef cg_output output
        output.loss = self.loss
        output.scale = 1.0 / p.rows if self.mean else 1.0
        output.z, output.a = &self.z[L], &self.a[L]
        output.y = &self.y if p.y != NULL else NULL
        output.labels = self.labels if p.labels != NULL else NULL
        output.log_sum_exp = self.log_sum_exp
        output.delta = &self.delta[L] if self.delta[L].data != NULL else NULL
        self.kernels.output(p.rows, &output)
        p.loss, p.metric = output.loss_sum, output.metric_sum
        if output.delta == NULL or self.loss == CG_CROSS_ENTROPY or self.loss == CG_BINARY_CROSS_ENTROPY:
            return      # the cross-entropies give δᴸ = a − y at once
        if layer.activation == CG_SOFTMAX:
            self.kernels.softmax_slope(p.rows, &self.a[L], &self.delta[L])
        elif layer.activation != CG_IDENTITY:
            for panel in range(self.panels(&self.a[L])):
                self.kernels.slope(layer.activation, panel, p.rows, &self.z[L], &self.a[L], &self.delta[L])

    cdef bint backward(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil:
        """δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ);  for the input, l = 0, without σ′"""
        cdef const Layer *above = &self.layers[l + 1]
        cdef cg_matrix *delta = &self.delta[l]
        cdef int activation = self.layers[l].activation if l > 0 else CG_IDENTITY
        cdef Py_ssize_t panel
        for panel in range(self.panels(delta)):
            self.kernels.transpose(panel, &above.w, self.transposed)
            self.kernels.delta(panel, p.rows, &self.delta[l + 1], self.transposed, delta)
            if activation != CG_IDENTITY:
                self.kernels.slope(activation, panel, p.rows, &self.z[l], &self.a[l], delta)
            if watch.due(p.rows * above.w.cols * self.kernels.lanes):
                return True
        return False

    cdef bint learn(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil:
        """∂C/∂Wˡ = δˡ (aˡ⁻¹)ᵀ, ∂C/∂bˡ = δˡ;  W ← W − η ∂C/∂W, b likewise, by the optimiser's rule"""
        cdef const Layer *layer = &self.layers[l]
        cdef cg_matrix w = layer.w
        cdef cg_update update = p.update
        cdef bint fetch = l == 1 and p.ahead.rows > 0
        cdef Py_ssize_t panels = self.panels(&w), panel
        w.data += p.gradients
        if layer.train_weights:
            for panel in range(panels):
                # The next batch's samples are fetched with the last panel: sooner, and the weights push them out again.
                self.kernels.gradient(panel, p.rows, &self.a[l - 1], &self.delta[l], &w, p.states[0], p.states[1],
                                      &update, &p.ahead if fetch and panel == panels - 1 else NULL)
                # Half a step cannot be given up, but gradients that are only stored can.
                if update.rule == CG_STORE and watch.due(p.rows * w.rows * self.kernels.lanes):
                    return True
        if layer.train_biases:
            update.weight_decay = 0
            self.kernels.bias_gradient(p.rows, &self.delta[l], layer.b + p.gradients, p.states[0], p.states[1], &update)
        return False
