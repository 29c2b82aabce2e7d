"""The engine: the parameters of a network in panels, inference, and gradients. `training` updates the parameters."""

cimport cython

from libc.math cimport isnan
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cpython.buffer cimport (
    Py_buffer, PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)

from cygrad._engine.equations cimport Layer, Pass
from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport (
    CG_DECIDES_AT_HALF, CG_FLOAT32, CG_FLOAT64, CG_PANEL_BYTES, CG_RULE_store, CG_TAKES_CLASSES, CG_TAKES_ROWS,
    cg_kernels, cg_loss_properties, cg_matrix, cg_samples, table
)
from cygrad._engine.passes cimport ParallelPasses, SequentialPasses
from cygrad._engine.plan cimport Plan, address, costs
from cygrad._engine.samples cimport Samples, all_finite, read_number, type_code

import os

import numpy as np

import cygrad._engine.kernels as _kernels
from cygrad._engine.plan import aligned

cdef list _activations = list(_kernels.ACTIVATIONS), _losses = list(_kernels.LOSSES)      # in the order of their codes

cdef Py_ssize_t MAX_CHUNK = 256         # rows of one pass of inference
cdef Py_ssize_t CHUNK_MULTIPLE = 64     # a chunk is a multiple of so many rows
# Blocks of a batch have a multiple of the rows of any tile, and of the vectors in which softmax writes log_sum_exp.
cdef Py_ssize_t TILE_MULTIPLE = 48
cdef Py_ssize_t SMALL_BATCH = 16        # rows of the plan for inference that is always ready
fork_count = 1


def _forked():
    """Count a fork, in the child: the calls of the parent's other threads are not in progress there."""
    global fork_count
    fork_count += 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@cython.final
cdef class Engine:
    """Parameters of a dense network, and the computations with them."""

    def __cinit__(self):
        self.layers = self.trained = NULL

    def __dealloc__(self):
        free(self.layers)
        free(self.trained)

    def __init__(self, str dtype, sizes, activations, use_bias, str loss, str reduction):
        cdef Py_ssize_t l, width, rows, panels, offset = 0
        cdef char *base
        self.work = 0
        self.kernels = table(dtype)
        self.plan_type = Plan
        if _kernels.selected_engine() == "loops":
            from cygrad._engine.loops_plan import LoopsPlan

            self.plan_type = LoopsPlan
        self.isa, self.dtype = self.kernels.isa.decode(), dtype
        self.numpy_dtype, self.empty = np.dtype(dtype), np.empty
        self.sizes = tuple(sizes)
        self.depth = len(self.sizes) - 1
        self.inputs, self.outputs = self.sizes[0], self.sizes[self.depth]
        self.loss = _losses.index(loss)
        self.mean = reduction == "mean"
        width = self.kernels.panel_width
        self.layers = <Layer *> calloc(self.depth + 1, sizeof(Layer))
        self.trained = <Layer *> calloc(self.depth + 1, sizeof(Layer))
        if self.layers == NULL or self.trained == NULL:
            raise MemoryError()
        padded = [-(-size // width) * width for size in self.sizes]
        self.block = aligned(sum(n * m + m for n, m in zip(padded, padded[1:])) * self.kernels.itemsize)
        self.storage = self.block.view(self.numpy_dtype)
        self.weight_panels, self.bias_rows = [], []
        base = address(self.block)
        for l in range(1, self.depth + 1):
            rows, panels = padded[l - 1], padded[l] // width
            self.layers[l].activation = _activations.index(activations[l - 1])
            self.layers[l].train_weights = True
            self.layers[l].train_biases = use_bias[l - 1]
            self.layers[l].inputs = self.sizes[l - 1]
            self.layers[l].w.data = base + offset * self.kernels.itemsize
            self.layers[l].w.capacity, self.layers[l].w.cols = rows, self.sizes[l]
            self.weight_panels.append((slice(offset, offset + rows * padded[l]), (panels, rows, width)))
            offset += rows * padded[l]
            self.layers[l].b = base + offset * self.kernels.itemsize
            self.bias_rows.append(slice(offset, offset + self.sizes[l]))
            offset += padded[l]
            self.work += self.sizes[l - 1] * self.sizes[l]
            self.trained[l] = self.layers[l]
        self.plan_version = self.owner = 0
        self.input_mean = self.input_scale = None
        self.inference = self.new_inference()

    def _weights_of(self, storage, Py_ssize_t layer):
        place, shape = self.weight_panels[layer]
        panels, rows, width = shape
        w = storage[place].reshape(shape).transpose(0, 2, 1).reshape(panels * width, rows)
        return np.ascontiguousarray(w[: self.sizes[layer + 1], : self.sizes[layer]])

    def weights(self, Py_ssize_t layer):
        """Return a copy of the weights of a layer, counted from 0: (out, in)."""
        return self._weights_of(self.storage, layer)

    def set_weights(self, Py_ssize_t layer, weights):
        """Copy weights (out, in) into their panels."""
        place, shape = self.weight_panels[layer]
        panels, rows, width = shape
        padded = np.zeros((panels * width, rows), self.numpy_dtype)
        padded[: self.sizes[layer + 1], : self.sizes[layer]] = weights
        self.storage[place].reshape(shape)[...] = padded.reshape(panels, width, rows).transpose(0, 2, 1)

    def biases(self, Py_ssize_t layer):
        """Return a copy of the biases of a layer, counted from 0: (out,)."""
        return self.storage[self.bias_rows[layer]].copy()

    def set_biases(self, Py_ssize_t layer, biases):
        """Set the biases (out,) of a layer, counted from 0."""
        self.storage[self.bias_rows[layer]] = biases

    def set_trained(self, Py_ssize_t layer, bint weights, bint biases):
        """Choose what training changes in a layer, counted from 0; by default it changes all parameters."""
        self.trained[layer + 1].train_weights = weights
        self.trained[layer + 1].train_biases = biases and self.layers[layer + 1].train_biases
        self.plan_version += 1

    def set_standardization(self, mean, scale):
        """Make `read_row` replace x by (x − mean) · scale; None: it does not."""
        self.input_mean, self.input_scale = mean, scale

    @property
    def finite(self):
        """True if all parameters are finite."""
        cdef cg_samples numbers
        cdef bint finite
        cdef Py_ssize_t size = self.block.size
        numbers.data, numbers.type = address(self.block), self.sample_type()
        numbers.rows, numbers.cols = 1, size // self.kernels.itemsize
        numbers.row_stride, numbers.col_stride = size, self.kernels.itemsize
        with nogil:
            finite = all_finite(&numbers)
        return finite

    cdef int begin_training(self) except -1:
        if self.owner == fork_count:
            raise RuntimeError("net is being trained by another call, expected one at a time")
        self.owner = fork_count
        return 0

    cdef void end_training(self) noexcept:
        self.owner = 0

    cdef bint takes_classes(self) noexcept:
        """Return whether a target can be a class index."""
        return cg_loss_properties(self.loss) & CG_TAKES_CLASSES != 0

    cdef bint takes_rows(self) noexcept:
        """Return whether a target can be a row of numbers."""
        return cg_loss_properties(self.loss) & CG_TAKES_ROWS != 0

    cdef int read_row(self, Samples x, array) except -1:
        """Read one sample (in,) into `x`."""
        x.acquire_row(array, "x", self.inputs)
        if self.input_mean is not None:
            x.standardize(self.input_mean, self.input_scale)
        return 0

    cdef Plan plan(self, Py_ssize_t capacity, bint targets=False, Py_ssize_t lowest_delta=-1, bint keep=False,
                   int members=1):
        cdef Plan plan = self.plan_type()
        plan.prepare(self.kernels, self.layers, self.depth, self.loss, self.mean, capacity, targets,
                     self.depth + 1 if lowest_delta < 0 else lowest_delta, keep, members)
        return plan

    cdef Py_ssize_t thread_count(self, Py_ssize_t n, threads, Py_ssize_t thread_work) except -1:
        """Return the number of threads for n samples: one for each `thread_work`, in barriers, up to `threads`."""
        cdef Py_ssize_t most = n * self.work // max(thread_work * costs.barrier, 1)
        if most < 2:
            return 1
        return min(most, <Py_ssize_t> (threads() if callable(threads) else threads))

    cdef Py_ssize_t block_rows(self, Py_ssize_t n) noexcept:
        """Return the rows of the blocks, of equal size, into which a batch of n samples is divided.

        What the layers hold of a block stays in a core's cache, forward and back. Each block adds to the sums of the
        gradient, which takes the time of some rows: blocks have many more.
        """
        cdef Py_ssize_t l, most, width = self.kernels.panel_width
        cdef Py_ssize_t panels = (self.inputs + width - 1) // width
        if self.plan_type is not Plan:
            return n
        for l in range(1, self.depth + 1):
            panels += 3 * ((self.layers[l].w.cols + width - 1) // width)        # a, z or the transposed, and δ
        most = max(costs.block_bytes // (panels * CG_PANEL_BYTES), costs.block_rows)
        if n <= most:
            return n
        return divided_rows(n, (n + most - 1) // most)

    cdef bint sums_go_on(self, bint rows_of_targets) noexcept:
        """Return whether the sums of the loss can go on from a block of rows to the next.

        The losses of rows of targets have partial sums for the columns of one panel, which go through the panels one
        after another.
        """
        return not rows_of_targets or self.outputs <= self.kernels.panel_width

    def forward(self, X, threads=1):
        """Return the outputs (n, out) of samples (n, in)."""
        cdef Samples samples = X if isinstance(X, Samples) else Samples(X, "X", self.sizes[0], self.dtype)
        cdef Py_ssize_t n = samples.view.rows
        cdef Inference context
        cdef Py_buffer out
        result = self.empty((n, self.layers[self.depth].w.cols), self.numpy_dtype)
        PyObject_GetBuffer(result, &out, PyBUF_WRITABLE)
        try:
            if n <= SMALL_BATCH:
                context = self.begin_inference()
                try:
                    self.infer(context, &samples.view, <char *> out.buf)
                finally:
                    context.owner = 0
            else:
                self.forward_many(samples, <char *> out.buf, self.thread_count(n, threads, costs.inference_share))
        finally:
            PyBuffer_Release(&out)
        return result

    def predict_one(self, x, out=None):
        """Predict the class index, or the outputs (out,), of one sample (in,).

        The outputs are written to `out` if it is given, else to a new array, and returned.
        """
        cdef bint binary = cg_loss_properties(self.loss) & CG_DECIDES_AT_HALF != 0
        cdef bint index = self.takes_classes() or (binary and self.outputs == 1)
        cdef Inference context = self.begin_inference()
        cdef Py_buffer buffer
        try:
            self.read_row(context.x, x)
            if out is None and index:
                self.infer(context, &context.x.view, NULL)
            else:
                if out is None:
                    out = self.empty(self.outputs, self.numpy_dtype)
                self.acquire_out(out, &buffer)
                try:
                    self.infer(context, &context.x.view, <char *> buffer.buf)
                finally:
                    PyBuffer_Release(&buffer)
            if not index:
                return (np.asarray(out) >= 0.5).astype(np.int64) if binary else out
            if binary:
                return 1 if self.output(context, 0) >= 0.5 else 0
            return self.largest_output(context)
        finally:
            context.x.release()
            context.owner = 0

    cdef int acquire_out(self, out, Py_buffer *buffer) except -1:
        """Acquire the buffer of the array for the outputs (out,)."""
        try:
            PyObject_GetBuffer(out, buffer, PyBUF_WRITABLE | PyBUF_FORMAT | PyBUF_ND)
        except (TypeError, ValueError, BufferError) as error:
            raise TypeError(f"out cannot be written to: {error}; expected {self._described_out()}") from None
        if buffer.ndim == 1 and buffer.shape[0] == self.outputs and (
                type_code(buffer.format, buffer.itemsize) == self.sample_type()) and (
                <size_t> buffer.buf % <size_t> buffer.itemsize == 0):
            return 0
        PyBuffer_Release(buffer)
        given = np.asarray(out)
        raise ValueError(f"out has dtype {given.dtype} and shape {given.shape}, expected {self._described_out()}")

    def _described_out(self):
        return f"an aligned, contiguous array of dtype {self.dtype} and shape ({self.outputs},)"

    cdef int sample_type(self) noexcept nogil:
        """Return the code of the dtype for samples."""
        return CG_FLOAT32 if self.kernels.itemsize == 4 else CG_FLOAT64

    cdef Inference begin_inference(self):
        """Return a context that is not in use; the caller sets its `owner` to 0 at the end."""
        cdef Inference context = self.inference
        if context.owner == fork_count:
            context = self.new_inference()
        context.owner = fork_count
        return context

    cdef Inference new_inference(self):
        cdef Inference context = Inference()
        context.plan, context.interrupts = self.plan(SMALL_BATCH), Interrupts()
        context.x, context.owner = Samples.__new__(Samples), 0
        return context

    cdef int infer(self, Inference context, const cg_samples *x, char *out) except -1:
        """Compute the outputs of a few samples, in the plan and, if it is not NULL, in `out`."""
        if x.rows * self.work <= costs.gil_release:
            self.compute(context, x, out)
        else:
            with nogil:
                self.compute(context, x, out)
        if context.interrupts.error is not None:
            error, context.interrupts.error = context.interrupts.error, None
            raise error
        return 0

    cdef void compute(self, Inference context, const cg_samples *x, char *out) noexcept nogil:
        cdef Pass p
        memset(&p, 0, sizeof(Pass))
        p.x, p.rows, p.batch_rows, p.is_last = x, x.rows, x.rows, True
        context.interrupts.flush_denormals()
        context.plan.run(&p, 0, context.interrupts)
        if out != NULL:
            self.kernels.unpack(p.rows, &context.plan.workspace.a[self.depth], out)
        context.interrupts.restore_denormals()

    cdef double output(self, Inference context, Py_ssize_t unit) noexcept nogil:
        """Return aᴸ of one unit for the first sample."""
        cdef const cg_matrix *a = &context.plan.workspace.a[self.depth]
        cdef Py_ssize_t panel = unit // self.kernels.panel_width, place = unit % self.kernels.panel_width
        return read_number(a.data + panel * a.capacity * CG_PANEL_BYTES + place * self.kernels.itemsize,
                           self.sample_type())

    cdef Py_ssize_t largest_output(self, Inference context) noexcept nogil:
        """Return argmaxⱼ aⱼ for the first sample: the first among equals, or the first NaN, as in NumPy."""
        cdef Py_ssize_t unit, largest = 0
        cdef double value, most = self.output(context, 0)
        for unit in range(1, self.outputs):
            value = self.output(context, unit)
            if value > most or (isnan(value) and not isnan(most)):
                largest, most = unit, value
        return largest

    cdef int forward_many(self, Samples X, char *out, Py_ssize_t members) except -1:
        """Compute the outputs of any number of samples, in chunks."""
        cdef Py_ssize_t n = X.view.rows, share = (n + members - 1) // members
        cdef Py_ssize_t chunk = min(n, MAX_CHUNK, (share + CHUNK_MULTIPLE - 1) // CHUNK_MULTIPLE * CHUNK_MULTIPLE)
        cdef ParallelPasses team = ParallelPasses()
        team.p.x, team.out = &X.view, out
        team.plan = self.plan(members * chunk)
        team.assemble(members)
        return team.run(n, chunk)

    def evaluate(self, Samples X, targets, threads=1):
        """Return the sums of loss and metric over the samples: sums of chunks, added in their order."""
        cdef Py_ssize_t n = X.view.rows, chunk = min(n, MAX_CHUNK)
        cdef Py_ssize_t members = min(self.thread_count(n, threads, costs.inference_share), (n + chunk - 1) // chunk)
        cdef ParallelPasses team = ParallelPasses()
        sums = np.empty(((n + chunk - 1) // chunk, 2))
        cdef double[:, ::1] view = sums
        team.p.x, team.sums = &X.view, &view[0, 0]
        team.p.y, team.p.labels = target_rows(targets), target_labels(targets)
        team.plan = self.plan(members * chunk, True)
        team.assemble(members)
        team.run(n, chunk)
        loss = metric = 0.0
        for each in sums.tolist():
            loss += each[0]
            metric += each[1]
        return loss, metric

    def backward(self, Samples X, targets, bint input_gradient, threads=1):
        """Run one pass forward and back over all samples as one batch.

        Returns the loss, summed or averaged as the reduction says, and lists over the layers: ∂C/∂W (out, in),
        ∂C/∂b (out,), δ, z and a, each (n, out); then ∂C/∂X (n, in) or None.
        """
        cdef Py_ssize_t n = X.view.rows, l
        cdef SequentialPasses team = SequentialPasses()
        cdef Py_ssize_t members = self.thread_count(n, threads, costs.inference_share)
        cdef Plan plan = self.plan(n, True, 0 if input_gradient else 1, True, members)
        block = aligned(self.block.size)
        team.p.x, team.p.y, team.p.labels = &X.view, target_rows(targets), target_labels(targets)
        team.p.update.rule = CG_RULE_store
        team.p.gradient_offset = address(block) - address(self.block)
        team.set_up(plan, n, self.block)
        team.run(n, n, 1, None)
        if team.interrupts.error is not None:
            raise team.interrupts.error
        gradients = block.view(self.numpy_dtype)
        return (
            team.loss / n if self.mean else team.loss,
            [self._weights_of(gradients, l) for l in range(self.depth)],
            [gradients[self.bias_rows[l]].copy() for l in range(self.depth)],
            [self.rows(&plan.workspace.delta[l], n) for l in range(1, self.depth + 1)],
            [self.rows(&plan.workspace.z[l], n) for l in range(1, self.depth + 1)],
            [self.rows(&plan.workspace.a[l], n) for l in range(1, self.depth + 1)],
            self.rows(&plan.workspace.delta[0], n) if input_gradient else None,
        )

    cdef rows(self, cg_matrix *matrix, Py_ssize_t n):
        """Copy n rows of a matrix out of its panels."""
        out = np.empty((n, matrix.cols), self.numpy_dtype)
        cdef unsigned char[::1] view = out.reshape(-1).view(np.uint8)
        self.kernels.unpack(n, matrix, &view[0])
        return out


cdef Py_ssize_t divided_rows(Py_ssize_t n, Py_ssize_t count) noexcept:
    """Return the rows of a block, in whole tiles, if n rows are divided into about `count` blocks."""
    return ((n + count - 1) // count + TILE_MULTIPLE - 1) // TILE_MULTIPLE * TILE_MULTIPLE


@cython.final
cdef class Inference:
    """The plan and the buffers for inference on a few rows, used by one call at a time."""


cdef const cg_samples *target_rows(targets):
    """Return rows of targets, or NULL; the caller keeps them alive."""
    return &(<Samples> targets).view if isinstance(targets, Samples) else NULL


cdef const int64_t *target_labels(targets):
    """Return class indices, or NULL; the caller keeps the array alive."""
    if isinstance(targets, Samples):
        return NULL
    cdef const int64_t[::1] view = targets
    return &view[0]
