"""The engine: the parameters of a network in panels, inference, and gradients. `training` updates the parameters."""

cimport cython

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from cpython.buffer cimport (
    Py_buffer, PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
)

from cygrad._engine.equations cimport (
    BATCH_NORM, CLIP_NOTHING, DENSE, DROPOUT, GAUSSIAN_NOISE, LAYER_NORM, RESIDUAL_SUM, SCALING, Clipping, Layer, LayerKind,
    Pass
)
from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport (
    CG_DECIDES_AT_HALF, CG_FLOAT32, CG_FLOAT64, CG_PANEL_BYTES, CG_RULE_store, CG_TAKES_CLASSES, CG_TAKES_ROWS,
    cg_kernels, cg_loss_properties, cg_matrix, cg_samples, cg_sparse, table
)
from cygrad._engine.passes cimport ParallelPasses, Results, SequentialPasses, write_results
from cygrad._engine.plan cimport Plan, address, costs
from cygrad._engine.samples cimport Samples, all_finite, memory_of, type_code

import os

import numpy as np

import cygrad._engine.kernels as _kernels
from cygrad._engine.plan import CustomTargets, aligned
from cygrad._engine.sparse import is_sparse

include "parameters.pyx"
include "blocks.pyx"

cdef extern from "stdlib.h" nogil:
    void *aligned_alloc(size_t alignment, size_t size)

cdef object ndarray = np.ndarray, int64 = np.int64
cdef list _activations = list(_kernels.ACTIVATIONS), _losses = list(_kernels.LOSSES)      # in the order of their codes

cdef dict _kinds = {
    "dense": DENSE, "batch_norm": BATCH_NORM, "layer_norm": LAYER_NORM, "dropout": DROPOUT,
    "noise": GAUSSIAN_NOISE, "residual_sum": RESIDUAL_SUM, "scaling": SCALING,
}

cdef Py_ssize_t LOSS_CHUNK = 256        # rows whose losses are added before they are added to those of other rows
cdef Py_ssize_t TILE_MULTIPLE = 8, CHUNK_MULTIPLE = 64      # the rows of most passes are a multiple of so many
cdef Py_ssize_t MAX_CHUNK = 256         # rows of one pass of inference
cdef Py_ssize_t CHUNK_BYTES = 1 << 17   # of their workspace, if CHUNK_MULTIPLE rows fit into it
# Workspaces are kept for the next call if they have no more bytes than this, beyond twice those of the parameters.
cdef Py_ssize_t KEPT_BYTES = 1 << 19
cdef Py_ssize_t KEPT_GRADIENT_BYTES = 1 << 22   # the same for backward passes
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

    def __init__(self, str dtype, sizes, activations, use_bias, str loss, str reduction, others=None,
                 activation_parameters=None, loss_parameters=(), target_columns=None, bint repeats_targets=False):
        """Make a network whose parameters are 0.

        `others` has the layers that are not dense, by their numbers from 0: the kind, ε or rate or deviation, the momentum
        of running statistics, and the number from 1 of the layer that a residual sum adds, 0 for the samples.
        `activation_parameters` has the parameter of each activation, 0 where it has none.
        """
        cdef Py_ssize_t l, rows, offset = 0, widest = 0
        cdef char *base
        others = {} if others is None else others
        self.work = self.n_parameters = 0
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
        self.n_loss_parameters, self.loss_parameters = len(loss_parameters), NULL
        if self.n_loss_parameters > 0:
            self.loss_numbers = np.array(loss_parameters, np.float64)
            self.loss_parameters = <const double *> memory_of(self.loss_numbers)
        self.target_columns = self.outputs if target_columns is None else target_columns
        self.repeats_targets = repeats_targets
        self.mean = reduction == "mean"
        self.layers = <Layer *> calloc(self.depth + 1, sizeof(Layer))
        self.trained = <Layer *> calloc(self.depth + 1, sizeof(Layer))
        if self.layers == NULL or self.trained == NULL:
            raise MemoryError()
        for l in range(self.depth):
            offset += self.rows_in_memory(self.padded(l), others.get(l)) * self.padded(l + 1)
        self.block = aligned(offset * self.kernels.itemsize)
        self.storage = self.block.view(self.numpy_dtype)
        self.weight_rows, self.bias_rows = [], []
        self.has_batch_norm = self.is_random = False
        base, offset = address(self.block), 0
        for l in range(1, self.depth + 1):
            self.layers[l].activation = _activations.index(activations[l - 1])
            self.layers[l].parameter = activation_parameters[l - 1] if activation_parameters else 0
            self.layers[l].w.cols = self.sizes[l]
            self.layers[l].weights_rate_factor = self.layers[l].biases_rate_factor = 1
            self.weight_rows.append(None)
            self.bias_rows.append(None)
            if l - 1 in others:
                kind, amount, momentum, source = others[l - 1]
                offset = self.place_other(l, offset, self.padded(l), kind, amount, momentum, source)
            else:
                rows = self.padded(l - 1)
                self.layers[l].kind, self.layers[l].inputs = DENSE, self.sizes[l - 1]
                self.layers[l].train_weights = True
                self.layers[l].train_biases = use_bias[l - 1]
                self.layers[l].w.data = base + offset * self.kernels.itemsize
                self.layers[l].w.capacity = rows
                offset += rows * self.padded(l)
                self.layers[l].b = base + offset * self.kernels.itemsize
                self.bias_rows[l - 1] = slice(offset, offset + self.sizes[l])
                offset += self.padded(l)
                self.work += self.sizes[l - 1] * self.sizes[l]
                self.n_parameters += self.sizes[l] * (self.sizes[l - 1] + use_bias[l - 1])
            widest = max(widest, self.padded(l))
            self.trained[l] = self.layers[l]
        self.plan_version = self.owner = 0
        self.input_mean = self.input_scale = self.standardization = None
        self.decides_at_half = cg_loss_properties(self.loss) & CG_DECIDES_AT_HALF != 0
        self.predicts_classes = self.decides_at_half or self.takes_classes()
        # A pass has the samples, and the outputs of two layers at a time, in panels.
        rows = CHUNK_BYTES // ((self.padded(0) + 2 * widest) * self.kernels.itemsize)
        self.chunk = min(max(rows // CHUNK_MULTIPLE, 1) * CHUNK_MULTIPLE, MAX_CHUNK)

    cdef Py_ssize_t padded(self, Py_ssize_t l) except -1:
        """Return the columns of the panels of layer l; layer 0 is the input."""
        cdef Py_ssize_t width = self.kernels.panel_width, size = self.sizes[l]
        return (size + width - 1) // width * width

    cdef Py_ssize_t rows_in_memory(self, Py_ssize_t padded_inputs, other) except -1:
        """Return the number of rows [units] that a layer takes: W and b, or γ and β and the running statistics.

        Scaling has a row of zeros in the place of β, as a dense layer without a bias.
        """
        if other is None:
            return padded_inputs + 1
        return {"batch_norm": 4, "layer_norm": 2, "scaling": 2}.get(other[0], 0)

    cdef Py_ssize_t place_other(self, Py_ssize_t l, Py_ssize_t offset, Py_ssize_t padded, str kind, double amount,
                                double momentum, Py_ssize_t source) except -1:
        """Place a layer that is not dense at `offset`; return the offset of the next layer."""
        cdef Layer *layer = &self.layers[l]
        cdef Py_ssize_t units = self.sizes[l]
        cdef char *base = address(self.block)
        layer.kind = <LayerKind> <int> _kinds[kind]
        layer.amount, layer.momentum, layer.source = amount, momentum, source
        layer.w.capacity = 1
        self.has_batch_norm = self.has_batch_norm or layer.kind == BATCH_NORM
        self.is_random = self.is_random or layer.kind == DROPOUT or layer.kind == GAUSSIAN_NOISE
        if layer.kind != BATCH_NORM and layer.kind != LAYER_NORM and layer.kind != SCALING:
            return offset
        layer.train_weights, layer.train_biases = True, layer.kind != SCALING
        layer.inputs = 1
        layer.w.data = base + offset * self.kernels.itemsize
        self.weight_rows[l - 1] = slice(offset, offset + units)
        offset += padded
        layer.b = base + offset * self.kernels.itemsize
        self.bias_rows[l - 1] = slice(offset, offset + units)
        offset += padded
        self.n_parameters += (1 + layer.train_biases) * units
        if layer.kind == BATCH_NORM:
            layer.running_mean = base + offset * self.kernels.itemsize
            offset += padded
            layer.running_variance = base + offset * self.kernels.itemsize
            self.storage[offset : offset + units] = 1
            offset += padded
        return offset

    # Parameters

    def weights(self, Py_ssize_t layer):
        """Return a copy of the weights of a layer, counted from 0: (out, in), or γ of a norm or scaling, (out,)."""
        return self.copy_weights(layer + 1, 0)

    def set_weights(self, Py_ssize_t layer, weights, bint finite=False):
        """Copy weights (out, in) into their panels; with `finite`, if they are finite in the dtype.

        Returns False, with nothing changed, if they are not, or no array of this shape that the kernels can read.
        """
        cdef Samples given = Samples.__new__(Samples)
        cdef char *scratch
        if self.layers[layer + 1].kind != DENSE:
            if not self.acquire_numbers(given, weights, 1, finite) or given.view.cols != self.layers[layer + 1].w.cols:
                return False
            self.storage[self.weight_rows[layer]] = weights
            return True
        if not self.acquire_numbers(given, weights, 2, finite) or (
                given.view.rows != self.layers[layer + 1].w.cols or given.view.cols != self.layers[layer + 1].inputs):
            return False
        scratch = self.new_scratch()
        with nogil:
            pack_weights(self.kernels, &self.layers[layer + 1], &given.view, scratch)
        free(scratch)
        return True

    def biases(self, Py_ssize_t layer):
        """Return a copy of the biases of a layer, counted from 0: (out,)."""
        return self.copy_biases(layer + 1, 0)

    def set_biases(self, Py_ssize_t layer, biases, bint finite=False):
        """Set the biases (out,) of a layer, counted from 0; otherwise as `set_weights`."""
        cdef Samples given = Samples.__new__(Samples)
        if not self.acquire_numbers(given, biases, 1, finite) or given.view.cols != self.layers[layer + 1].w.cols:
            return False
        self.storage[self.bias_rows[layer]] = biases
        return True

    def parameters(self):
        """Return a copy of all parameters, layer after layer: the weights (out, in), then the biases if it has them."""
        flat = self.empty(self.n_parameters, self.numpy_dtype)
        self.copy_parameters(0, memory_of(flat))
        return flat

    def set_parameters(self, parameters):
        """Set all parameters, in the order of `parameters`, if they are finite; otherwise as `set_weights`."""
        cdef Samples given = Samples.__new__(Samples)
        cdef cg_samples weights
        cdef Py_ssize_t l, step
        cdef const char *place
        cdef char *scratch
        if not self.acquire_numbers(given, parameters, 1, True) or given.view.cols != self.n_parameters:
            return False
        if given.view.type != self.sample_type() or given.view.col_stride != self.kernels.itemsize:
            given = Samples.__new__(Samples)
            given.acquire_array(np.ascontiguousarray(parameters, self.numpy_dtype), "parameters")
        step, place, scratch = self.kernels.itemsize, given.view.data, self.new_scratch()
        with nogil:
            for l in range(1, self.depth + 1):
                weights.data, weights.type = place, given.view.type
                if self.layers[l].w.data == NULL:
                    continue
                weights.rows, weights.cols = self.layers[l].w.cols, self.layers[l].inputs
                if self.layers[l].kind != DENSE:
                    weights.rows, weights.cols = 1, self.layers[l].w.cols
                weights.row_stride, weights.col_stride, weights.mean = weights.cols * step, step, NULL
                pack_weights(self.kernels, &self.layers[l], &weights, scratch)
                place += weights.rows * weights.row_stride
                if self.layers[l].train_biases:
                    memcpy(self.layers[l].b, place, self.layers[l].w.cols * step)
                    place += self.layers[l].w.cols * step
        free(scratch)
        return True

    cdef bint acquire_numbers(self, Samples given, array, int axes, bint finite) except -1:
        """Acquire an array that the kernels can read, finite in the dtype if `finite`; False if it is none."""
        cdef Py_ssize_t row, col
        if type(array) is not ndarray or not given.acquire(array) or given.buffer.ndim != axes:
            return False
        if axes == 1:
            given.as_row()
        return not finite or not given.find_nonfinite(self.kernels.itemsize == sizeof(float), &row, &col)

    cdef char *new_scratch(self) except NULL:
        """Allocate the scratch block for the copies of parameters; the caller frees it."""
        cdef char *scratch = <char *> aligned_alloc(
            CG_PANEL_BYTES, scratch_size(self.kernels, self.layers, self.depth))
        if scratch == NULL:
            raise MemoryError()
        return scratch

    cdef int copy_parameters(self, Py_ssize_t offset, char *out) except -1:
        """Copy what lies `offset` bytes from the parameters, such as their gradient, to `out`, as in `parameters`."""
        cdef Py_ssize_t l, size
        cdef char *scratch = self.new_scratch()
        with nogil:
            for l in range(1, self.depth + 1):
                if self.layers[l].w.data == NULL:
                    continue
                unpack_weights(self.kernels, &self.layers[l], offset, scratch, out)
                size = self.layers[l].w.cols * self.kernels.itemsize
                out += self.layers[l].inputs * size
                if self.layers[l].train_biases:
                    memcpy(out, self.layers[l].b + offset, size)
                    out += size
        free(scratch)
        return 0

    cdef copy_weights(self, Py_ssize_t l, Py_ssize_t offset):
        """Copy what lies `offset` bytes from the weights of layer l: (out, in)."""
        if self.layers[l].w.data == NULL:
            return None
        shape = (self.layers[l].w.cols, self.layers[l].inputs)
        weights = self.empty(shape if self.layers[l].kind == DENSE else shape[:1], self.numpy_dtype)
        cdef char *out = memory_of(weights)
        cdef char *scratch = self.new_scratch()
        with nogil:
            unpack_weights(self.kernels, &self.layers[l], offset, scratch, out)
        free(scratch)
        return weights

    cdef copy_biases(self, Py_ssize_t l, Py_ssize_t offset):
        """Copy what lies `offset` bytes from the biases of layer l: (out,)."""
        if self.layers[l].b == NULL:
            return None
        biases = self.empty(self.layers[l].w.cols, self.numpy_dtype)
        memcpy(memory_of(biases), self.layers[l].b + offset, self.layers[l].w.cols * self.kernels.itemsize)
        return biases

    def running_statistics(self, Py_ssize_t layer):
        """Return views of the running mean and variance of a batch norm, counted from 0, or None for other layers."""
        cdef Py_ssize_t first, units = self.sizes[layer + 1]
        if self.layers[layer + 1].kind != BATCH_NORM:
            return None
        first = (self.layers[layer + 1].running_mean - address(self.block)) // self.kernels.itemsize
        mean = self.storage[first : first + units]
        first = (self.layers[layer + 1].running_variance - address(self.block)) // self.kernels.itemsize
        return mean, self.storage[first : first + units]

    def set_trained(self, Py_ssize_t layer, bint weights, bint biases):
        """Choose what training changes in a layer, counted from 0; by default it changes all parameters."""
        self.trained[layer + 1].train_weights = weights and self.layers[layer + 1].train_weights
        self.trained[layer + 1].train_biases = biases and self.layers[layer + 1].train_biases
        self.plan_version += 1

    def set_rate_factors(self, Py_ssize_t layer, double weights, double biases):
        """Set what multiplies the learning rate for the weights and the biases of a layer, counted from 0."""
        self.trained[layer + 1].weights_rate_factor = weights
        self.trained[layer + 1].biases_rate_factor = biases

    def set_standardization(self, mean, scale):
        """Replace every sample x by (x − mean) · scale where samples are read; None: do not."""
        self.input_mean, self.input_scale = mean, scale
        self.standardization = None if mean is None else (mean, scale)

    def copy_storage(self, out):
        """Copy `storage` to another array of its size and dtype."""
        cdef Py_ssize_t size = self.block.size
        if out.nbytes != size:
            raise ValueError(f"out has {out.nbytes} bytes, expected {size}")
        memcpy(memory_of(out), address(self.block), size)

    @property
    def finite(self):
        """True if all parameters are finite."""
        cdef bint finite
        cdef cg_samples numbers = self.numbers()
        with nogil:
            finite = all_finite(&numbers)
        return finite

    cdef cg_samples numbers(self):
        """Return all parameters, with the padding of their panels, as one row."""
        cdef cg_samples numbers
        cdef Py_ssize_t size = self.block.size
        numbers.data, numbers.type, numbers.mean = address(self.block), self.sample_type(), NULL
        numbers.rows, numbers.cols = 1, size // self.kernels.itemsize
        numbers.row_stride, numbers.col_stride = size, self.kernels.itemsize
        return numbers

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

    def read_samples(self, X, str name="X", bint check=True):
        """Read samples (n, in); see `Samples` for `check`."""
        return self.samples_of(X, name, check)

    cdef Samples samples_of(self, X, str name, bint check):
        cdef bint is_plain = self.input_mean is None
        cdef Samples samples
        if isinstance(X, Samples):
            return X
        samples = Samples.__new__(Samples)
        if type(X) is not ndarray and is_sparse(X):
            self.check_first_layer(name)
            samples.read_sparse(X, name, self.inputs, self.dtype, self.input_mean, self.input_scale,
                                self.standardization)
            return samples
        samples.read(X, name, self.inputs, self.dtype, check and is_plain)
        if not is_plain:
            samples.standardize(self.input_mean, self.input_scale, self.standardization)
            if check:
                samples.check()
        return samples

    cdef int check_first_layer(self, str name) except -1:
        """Check that the first dense layer, and nothing else, takes the samples."""
        cdef Py_ssize_t l
        for l in range(1, self.depth + 1):
            if (l == 1 and self.layers[l].kind != DENSE) or (
                    self.layers[l].kind == RESIDUAL_SUM and self.layers[l].source == 0):
                raise TypeError(f"{name} is sparse, and the network has a norm, dropout, noise, scaling or a residual block of "
                                "its inputs; expected dense rows, or a dense layer first")
        return 0

    cdef int read_row(self, Samples x, array) except -1:
        """Read one sample (in,) into `x`."""
        x.acquire_row(array, "x", self.inputs)
        if self.input_mean is not None:
            x.standardize(self.input_mean, self.input_scale, self.standardization)
        return 0

    cdef Plan plan(self, Py_ssize_t capacity, bint targets=False, Py_ssize_t lowest_delta=-1, bint keep=False,
                   int members=1, const cg_sparse *sparse=NULL, bint training=False):
        cdef Plan plan = self.plan_type()
        plan.prepare(self.kernels, self.layers, self.depth, self.inputs, self.loss, self.mean, capacity, targets,
                     self.depth + 1 if lowest_delta < 0 else lowest_delta, keep, members, 1,
                     Clipping(CLIP_NOTHING, 0), sparse, training)
        plan.take_memory(False, sparse)
        plan.workspace.parameters, plan.workspace.n_parameters = self.loss_parameters, self.n_loss_parameters
        return plan

    cdef Py_ssize_t thread_count(self, Samples X, Py_ssize_t n, threads, Py_ssize_t thread_work,
                                 bint updates) except -1:
        """Return the number of threads for n samples of X: one for each `thread_work`, in barriers, up to `threads`."""
        cdef Py_ssize_t share = max(thread_work * costs.barrier, 1), work = n * self.work, dense
        if X.is_sparse:
            dense = self.inputs * self.layers[1].w.cols
            work -= n * dense
            work += <Py_ssize_t> (costs.non_zero * n * X.sparse.total / X.sparse.rows * self.layers[1].w.cols)
            work += updates * costs.update * dense
        if work < 2 * share:
            return 1
        return min(work // share, <Py_ssize_t> (threads() if callable(threads) else threads))

    # Inference

    def forward(self, X, threads=1):
        """Return the outputs (n, out) of samples (n, in)."""
        cdef Samples samples = self.samples_of(X, "X", False)
        cdef Results results = Results(NULL, NULL, False)
        outputs = self.empty((samples.view.rows, self.outputs), self.numpy_dtype)
        results.outputs = memory_of(outputs)
        self.infer_all(samples, &results, threads)
        return outputs

    def predict(self, X, threads=1):
        """Return the classes of samples (n, in), for each sample or each output; the outputs, if they are no classes.

        With one output the shape is (n,).
        """
        cdef Results results = Results(NULL, NULL, self.decides_at_half)
        cdef Samples samples
        cdef Py_ssize_t columns = predicted_columns(self), without_class
        if not self.predicts_classes and columns > 1:
            return self.forward(X, threads)
        samples = self.samples_of(X, "X", False)
        dtype = int64 if self.predicts_classes else self.numpy_dtype
        if columns > 1:
            predicted = self.empty((samples.view.rows, columns), dtype)
        else:
            predicted = self.empty(samples.view.rows, dtype)
        if self.predicts_classes:
            results.classes = <int64_t *> memory_of(predicted)
        else:
            results.outputs = memory_of(predicted)
        self.infer_all(samples, &results, threads)
        if self.predicts_classes:
            without_class = first_negative(results.classes, samples.view.rows * columns)
            if without_class >= 0:
                raise ValueError(_without_class(f"X has outputs in row {without_class // columns}"))
        return predicted

    def predict_one(self, x, out=None):
        """Predict the class index, the output, or the classes or outputs (out,), of one sample (in,).

        The outputs are written to `out` if it is given; if they are no classes, it is returned.
        """
        cdef Py_ssize_t columns = predicted_columns(self)
        cdef Inference context = self.begin_inference(1, False, NULL)
        cdef Results results = Results(NULL, NULL, self.decides_at_half)
        cdef int64_t label
        cdef double number
        cdef Py_buffer buffer
        if self.predicts_classes:
            results.classes = &label
            if columns > 1:
                classes = self.empty(columns, int64)
                results.classes = <int64_t *> memory_of(classes)
        try:
            self.read_row(context.x, x)
            if out is None:
                if not self.predicts_classes:
                    if columns == 1:
                        results.outputs = <char *> &number
                    else:
                        out = self.empty(columns, self.numpy_dtype)
                        results.outputs = memory_of(out)
                self.infer(context, context.x, &results)
            else:
                self.acquire_out(out, self.outputs, &buffer)
                results.outputs = <char *> buffer.buf
                try:
                    self.infer(context, context.x, &results)
                finally:
                    PyBuffer_Release(&buffer)
            if not self.predicts_classes:
                if out is not None:
                    return out
                return number if self.kernels.itemsize == sizeof(double) else (<float *> &number)[0]
            if first_negative(results.classes, columns) >= 0:
                raise ValueError(_without_class("x has outputs"))
            return label if columns == 1 else classes
        finally:
            context.x.release()
            self.end_inference(context)

    def evaluate(self, Samples X, targets, threads=1, const int64_t[::1] rows=None, outputs=None,
                 const double[::1] weights=None):
        """Return the sums of loss and metric over the samples: sums of LOSS_CHUNK rows each, added in their order.

        With `rows`, row numbers of samples that are checked, these are the samples. `outputs` is an array (n, out) of
        the dtype for the outputs, or None. With `weights`, of all samples of X, the sums are those of the products with them.
        """
        cdef Py_ssize_t n = X.view.rows if rows is None else rows.shape[0]
        cdef Py_ssize_t i, chunk = min(n, LOSS_CHUNK), chunks = (n + chunk - 1) // chunk
        cdef Py_ssize_t members = min(self.thread_count(X, n, threads, costs.inference_share, False), chunks)
        cdef Inference context = self.begin_inference(members * chunk, True, X.sparse_rows())
        cdef ParallelPasses team
        cdef Results results = Results(NULL, NULL, False)
        cdef Pass p
        cdef double[2] total
        cdef double *sums = NULL
        memset(&p, 0, sizeof(Pass))
        p.x = &X.view
        set_targets(self, &p, targets)
        p.sparse = X.sparse_rows()
        if rows is not None:
            p.order = &rows[0]
        if outputs is not None:
            results.outputs = memory_of(outputs)
        p.weights, p.scale = &weights[0] if weights is not None else NULL, 1
        try:
            if members == 1:
                self.run_passes(context, X, n, &p, chunk, &results, total)
                return total[0], total[1]
            sums = <double *> malloc(2 * chunks * sizeof(double))
            if sums == NULL:
                raise MemoryError()
            team = ParallelPasses()
            team.p, team.sums, team.plan, team.x, team.results = p, sums, context.plan, X, results
            team.assemble(members)
            team.run(n, chunk)
            total[0] = total[1] = 0
            for i in range(2 * chunks):
                total[i % 2] += sums[i]
            return total[0], total[1]
        finally:
            free(sums)
            self.end_inference(context)

    cdef int infer_all(self, Samples X, const Results *results, threads) except -1:
        """Infer the results of any number of samples, in chunks."""
        cdef Py_ssize_t n = X.view.rows, members, chunk
        cdef Inference context
        cdef ParallelPasses team
        members = self.thread_count(X, n, threads, costs.inference_share, False)
        if members == 1:
            context = self.begin_inference(min(n, self.chunk), False, X.sparse_rows())
            try:
                return self.infer(context, X, results)
            finally:
                self.end_inference(context)
        chunk = self.even_chunk((n + members - 1) // members, CHUNK_MULTIPLE)
        context = self.begin_inference(members * chunk, False, X.sparse_rows())
        try:
            team = ParallelPasses()
            team.p.x, team.p.sparse = &X.view, X.sparse_rows()
            team.results, team.plan, team.x = results[0], context.plan, X
            team.assemble(members)
            return team.run(n, chunk)
        finally:
            self.end_inference(context)

    cdef int infer(self, Inference context, Samples X, const Results *results) except -1:
        """Infer the results of samples on one thread."""
        cdef Pass p
        cdef double[2] sums
        cdef Py_ssize_t chunk = X.view.rows
        if chunk > self.chunk:      # a single row has no time for divisions
            chunk = self.even_chunk(chunk, TILE_MULTIPLE)
        memset(&p, 0, sizeof(Pass))
        p.x, p.sparse = &X.view, X.sparse_rows()
        return self.run_passes(context, X, X.view.rows, &p, chunk, results, sums)

    cdef Py_ssize_t even_chunk(self, Py_ssize_t n, Py_ssize_t multiple) noexcept nogil:
        """Return the rows of a pass where passes share n rows evenly, but for the last one."""
        cdef Py_ssize_t passes = (n + self.chunk - 1) // self.chunk
        return ((n + passes - 1) // passes + multiple - 1) // multiple * multiple

    cdef int run_passes(self, Inference context, Samples X, Py_ssize_t n, Pass *p, Py_ssize_t chunk,
                        const Results *results, double *sums) except -1:
        """Run n samples through the plan, in passes of `chunk` rows; set the sums of loss and metric."""
        cdef Py_ssize_t[2] place        # of a number that is not finite
        cdef bint finite
        if n * self.work <= costs.gil_release:
            finite = self.compute(context, X, n, p, chunk, results, sums, place)
        else:
            with nogil:
                finite = self.compute(context, X, n, p, chunk, results, sums, place)
        if not finite:
            X.raise_not_finite(place[0], place[1])
        if context.interrupts.error is not None:
            error, context.interrupts.error = context.interrupts.error, None
            raise error
        return 0

    cdef bint compute(self, Inference context, Samples X, Py_ssize_t n, Pass *p, Py_ssize_t chunk,
                      const Results *results, double *sums, Py_ssize_t *place) noexcept nogil:
        """Run the passes. False: they ended at a number that is not finite, in row place[0] and column place[1]."""
        cdef bint finite = True
        p.is_last = True
        sums[0] = sums[1] = 0
        context.interrupts.flush_denormals()
        while p.start < n:
            p.rows = p.batch_rows = min(n - p.start, chunk)
            if not X.is_checked and not X.rows_are_finite(p.start, p.rows, place):
                finite = False
                break
            if context.plan.run(p, 0, context.interrupts):
                break
            if results != NULL:
                write_results(context.plan, 0, p.rows, results, p.start)
            sums[0] += p.loss
            sums[1] += p.metric
            p.start += p.rows
        context.interrupts.restore_denormals()
        return finite

    cdef Inference begin_inference(self, Py_ssize_t rows, bint targets, const cg_sparse *sparse):
        """Take the context that the last call kept, or make one, for passes over so many rows.

        While a call has taken it, none is kept: a call in another thread or in a signal handler makes its own, and so
        does the child of a fork.
        """
        cdef Inference context
        cdef Py_ssize_t capacity = 0
        if targets:
            context, self.evaluation = self.evaluation, None
        else:
            context, self.inference = self.inference, None
        if context is not None and context.plan.serves(sparse):
            capacity = context.plan.capacity
        if capacity < rows:
            # Twice as many as before, so that slowly growing batches seldom need a new plan; and whole tiles.
            rows = max(rows, min(2 * capacity, LOSS_CHUNK if targets else self.chunk))
            context = Inference()
            context.plan = self.plan((rows + TILE_MULTIPLE - 1) // TILE_MULTIPLE * TILE_MULTIPLE, targets, -1, False, 1,
                                     sparse)
            context.interrupts, context.x, context.targets = Interrupts(), Samples.__new__(Samples), targets
            context.is_kept = context.plan.memory_size <= KEPT_BYTES + 2 * self.block.size
        return context

    cdef void end_inference(self, Inference context) noexcept:
        """Keep a context for the next call, unless it is too large."""
        if not context.is_kept:
            return
        if context.targets:
            self.evaluation = context
        else:
            self.inference = context

    cdef int acquire_out(self, out, Py_ssize_t size, Py_buffer *buffer) except -1:
        """Acquire the buffer of an array for `size` numbers."""
        try:
            PyObject_GetBuffer(out, buffer, PyBUF_WRITABLE | PyBUF_FORMAT | PyBUF_ND)
        except (TypeError, ValueError, BufferError) as error:
            raise TypeError(f"out cannot be written to: {error}; expected {self._described_out(size)}") from None
        if buffer.ndim == 1 and buffer.shape[0] == size and (
                type_code(buffer.format, buffer.itemsize) == self.sample_type()) and (
                <size_t> buffer.buf % <size_t> buffer.itemsize == 0):
            return 0
        PyBuffer_Release(buffer)
        given = np.asarray(out)
        raise ValueError(f"out has dtype {given.dtype} and shape {given.shape}, expected {self._described_out(size)}")

    def _described_out(self, Py_ssize_t size):
        return f"an aligned, contiguous array of dtype {self.dtype} and shape ({size},)"

    cdef int sample_type(self) noexcept nogil:
        """Return the code of the dtype for samples."""
        return CG_FLOAT32 if self.kernels.itemsize == 4 else CG_FLOAT64

    # Gradients

    def gradient(self, Samples X, targets, out=None, threads=1, bint training=False, int64_t step=0,
                 const double[::1] weights=None):
        """Return the loss of all samples as one batch, and its gradient in the order of `parameters`.

        The gradient is written to `out` if it is given, else to a new array. With `training` norms take the statistics of
        the batch, and dropout and noise draw the numbers of a step.
        """
        cdef double[2] found
        if out is None:
            out = self.empty(self.n_parameters, self.numpy_dtype)
        self.write_gradient(X, targets, out, threads, training, step, weights, found)
        return found[0], out

    def gradient_and_metric(self, Samples X, targets, out, threads=1, const double[::1] weights=None):
        """Write the gradient to `out`, as `gradient`; return the loss, and the metric averaged over the samples."""
        cdef double[2] found
        self.write_gradient(X, targets, out, threads, False, 0, weights, found)
        return found[0], found[1]

    cdef int write_gradient(self, Samples X, targets, out, threads, bint training, int64_t step,
                            const double[::1] weights, double *found) except -1:
        """Write the gradient to `out`; set loss and metric."""
        cdef Differentiation context
        cdef Py_buffer buffer
        self.acquire_out(out, self.n_parameters, &buffer)
        try:
            context = self.begin_differentiation(
                X, X.view.rows, 1, False, sums_go_on(self), threads, training)
            context.passes.p.step = step
            try:
                found[0] = self.differentiate(context, X, targets, weights)
                found[1] = context.passes.metric / context.divisor
                self.copy_parameters(context.offset, <char *> buffer.buf)
            finally:
                self.end_differentiation(context)
        finally:
            PyBuffer_Release(&buffer)
        return 0

    def backward(self, Samples X, targets, bint input_gradient, keep, threads=1, bint training=False, int64_t step=0,
                 const double[::1] weights=None):
        """Run one pass forward and back over all samples as one batch.

        Returns the loss, summed or averaged as the reduction says, and tuples over the layers: ∂C/∂W (out, in),
        ∂C/∂b (out,), δ, z and a, each (n, out), or None for those whose names are not in `keep`; then ∂C/∂X (n, in)
        or None.
        """
        cdef Py_ssize_t n = X.view.rows, l
        cdef bint of_weights = "weights" in keep, biases = "biases" in keep
        cdef bint deltas = "deltas" in keep, z = "pre_activations" in keep, a = "activations" in keep
        cdef Differentiation context = self.begin_differentiation(
            X, n, 0 if input_gradient else 1, input_gradient or deltas or z or a, False, threads, training)
        cdef Plan plan = context.passes.plan
        context.passes.p.step = step
        try:
            return (
                self.differentiate(context, X, targets, weights),
                tuple([self.copy_weights(l, context.offset) for l in range(1, self.depth + 1)]) if of_weights else None,
                tuple([self.copy_biases(l, context.offset) for l in range(1, self.depth + 1)]) if biases else None,
                self.copy_layers(plan.workspace.delta, n) if deltas else None,
                self.copy_layers(plan.workspace.z, n) if z else None,
                self.copy_layers(plan.workspace.a, n) if a else None,
                self.copy_rows(&plan.workspace.delta[0], n) if input_gradient else None,
            )
        finally:
            self.end_differentiation(context)

    cdef double differentiate(self, Differentiation context, Samples X, targets,
                              const double[::1] weights) except? -1:
        """Compute the loss, and store its gradient beside the parameters."""
        cdef SequentialPasses passes = context.passes
        cdef Py_ssize_t n = X.view.rows
        cdef double divisor = n
        passes.p.x = &X.view
        set_targets(self, &passes.p, targets)
        passes.p.sparse = X.sparse_rows()
        passes.p.weights = NULL
        if weights is not None:
            divisor = sum_of_weights(weights, NULL, 0, n) or 1     # of no weight at all: the loss is 0
            passes.p.weights, passes.p.scale = &weights[0], 1 / divisor if self.mean else 1
        context.divisor = divisor
        passes.loss = passes.metric = 0
        passes.run(n, n, 0, 1, None)
        if passes.interrupts.error is not None:
            error, passes.interrupts.error = passes.interrupts.error, None
            raise error
        return passes.loss / divisor if self.mean else passes.loss

    cdef Differentiation begin_differentiation(self, Samples X, Py_ssize_t n, Py_ssize_t lowest_delta, bint keep,
                                               bint in_blocks, threads, bint training):
        """Take the context that the last call kept, or make one, for a batch of n rows of X; as `begin_inference`."""
        # May run Python code: before the context is taken.
        cdef Py_ssize_t members = self.thread_count(X, n, threads, 1, True)
        cdef Differentiation context = self.differentiation
        self.differentiation = None
        if context is not None and context.members == members and context.lowest_delta == lowest_delta and (
                context.keep == keep and context.in_blocks == in_blocks and n <= context.rows
                and context.passes.plan.serves(X.sparse_rows())
                and context.training == training
                and (members == 1 or n >= context.rows // 4)):
            return context
        block = aligned(self.block.size) if context is None else context.block
        context = Differentiation()
        context.rows, context.members, context.lowest_delta = n, members, lowest_delta
        context.keep, context.in_blocks, context.training = keep, in_blocks, training
        context.block, context.offset = block, address(block) - address(self.block)
        context.passes = SequentialPasses()
        context.passes.p.update.rule = CG_RULE_store
        context.passes.p.gradient_offset = context.offset
        if in_blocks:
            plan = plan_in_blocks(self, self.layers, lowest_delta, n, members, n, Clipping(CLIP_NOTHING, 0),
                                  X.sparse_rows(), training)
        else:
            plan = self.plan(n, True, lowest_delta, keep, members, X.sparse_rows(), training)
        context.passes.set_up(plan, n, self.block)
        context.is_kept = context.passes.plan.memory_size <= KEPT_GRADIENT_BYTES + 2 * self.block.size
        return context

    cdef void end_differentiation(self, Differentiation context) noexcept:
        """Keep a context for the next call, unless it is too large."""
        if context.is_kept:
            self.differentiation = context

    cdef tuple copy_layers(self, const cg_matrix *matrices, Py_ssize_t n):
        """Copy n rows of the matrix of each layer."""
        return tuple([self.copy_rows(&matrices[l], n) for l in range(1, self.depth + 1)])

    cdef copy_rows(self, const cg_matrix *matrix, Py_ssize_t n):
        """Copy n rows of a matrix out of its panels."""
        rows = self.empty((n, matrix.cols), self.numpy_dtype)
        self.kernels.unpack(n, matrix, memory_of(rows))
        return rows


@cython.final
cdef class Inference:
    """The plan and the buffers for inference, used by one call at a time."""


@cython.final
cdef class Differentiation:
    """The plan and the buffers for gradients, used by one call at a time."""


cdef Py_ssize_t predicted_columns(Engine engine) noexcept:
    """Return how many numbers are predicted for each sample."""
    return 1 if engine.predicts_classes and not engine.decides_at_half else engine.outputs


def _without_class(str outputs):
    return f"{outputs} that are NaN or infinite, and so have no class; expected finite ones: forward returns them"


cdef Py_ssize_t first_negative(const int64_t *classes, Py_ssize_t n) noexcept nogil:
    """Return the position of the first class of outputs that are not finite, or −1."""
    cdef Py_ssize_t i
    for i in range(n):
        if classes[i] < 0:
            return i
    return -1


cdef void set_targets(Engine engine, Pass *p, targets):
    """Point a pass to its targets; the caller keeps them alive."""
    p.y, p.labels, p.custom = target_rows(targets), target_labels(targets), NULL
    if engine.custom_loss is not None:
        p.custom, p.custom_targets = <void *> engine.custom_loss, <void *> targets.array


cdef const cg_samples *target_rows(targets):
    """Return rows of targets, or NULL; the caller keeps them alive."""
    return &(<Samples> targets).view if isinstance(targets, Samples) else NULL


cdef double sum_of_weights(const double[::1] weights, const int64_t *order, Py_ssize_t start,
                           Py_ssize_t rows) noexcept nogil:
    """Return the sum of the weights of a batch, added in the order of its rows."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(start, start + rows):
        total += weights[order[i] if order != NULL else i]
    return total


cdef const int64_t *target_labels(targets):
    """Return class indices, or NULL; the caller keeps the array alive."""
    if isinstance(targets, (Samples, CustomTargets)):
        return NULL
    cdef const int64_t[::1] view = targets
    return &view[0]


include "derivatives.pyx"
