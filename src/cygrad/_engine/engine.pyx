"""The engine: the parameters of a network in panels, and what is computed with them. How they are trained is in
`training`."""

cimport cython

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cpython.buffer cimport Py_buffer, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from cygrad._engine.kernels cimport *
from cygrad._engine.passes cimport InTurn, SideBySide
from cygrad._engine.plan cimport GRAIN, Layer, Pass, Plan, address
from cygrad._engine.samples cimport Samples
from cygrad._engine.team cimport Watch

import numpy as np

from cygrad._engine.plan import aligned

# Names in the order of the kernels' codes.
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "gaussian", "softmax")
LOSSES = ("quadratic", "mse", "binary_cross_entropy", "cross_entropy", "hinge")

cdef Py_ssize_t CHUNK = 256         # rows that inference takes at once, at most
cdef Py_ssize_t PART = 64           # rows that a chunk is a multiple of
cdef Py_ssize_t SHARE = 40          # grains that are worth another thread
cdef Py_ssize_t SMALL = 16          # rows up to which a plan for inference is kept ready
cdef Py_ssize_t QUICK = 200_000     # multiply-adds that are not worth a release of the GIL


@cython.final
cdef class Engine:
    """Parameters of a dense network, and the computations over them."""

    def __cinit__(self):
        self.layers = NULL

    def __dealloc__(self):
        free(self.layers)

    def __init__(self, str dtype, sizes, activations, use_bias, str loss, str reduction):
        cdef Py_ssize_t l, lanes, rows, panels, offset = 0
        cdef char *base
        self.work = 0
        self.kernels = table(dtype)
        self.isa, self.dtype = self.kernels.isa.decode(), dtype
        self.number, self.empty = np.dtype(dtype), np.empty
        self.sizes = tuple(sizes)
        self.depth = len(self.sizes) - 1
        self.loss = LOSSES.index(loss)
        self.mean = reduction == "mean"
        lanes = self.kernels.lanes
        self.layers = <Layer *> calloc(self.depth + 1, sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError()
        padded = [-(-size // lanes) * lanes for size in self.sizes]
        self.block = aligned(sum(n * m + m for n, m in zip(padded, padded[1:])) * self.kernels.itemsize)
        self.storage = self.block.view(self.number)
        self.weight_panels, self.bias_rows = [], []
        base = address(self.block)
        for l in range(1, self.depth + 1):
            rows, panels = padded[l - 1], padded[l] // lanes
            self.layers[l].activation = ACTIVATIONS.index(activations[l - 1])
            self.layers[l].train_weights = True
            self.layers[l].train_biases = use_bias[l - 1]
            self.layers[l].inputs = self.sizes[l - 1]
            self.layers[l].w.data = base + offset * self.kernels.itemsize
            self.layers[l].w.rows, self.layers[l].w.cols = rows, self.sizes[l]
            self.weight_panels.append((slice(offset, offset + rows * padded[l]), (panels, rows, lanes)))
            offset += rows * padded[l]
            self.layers[l].b = base + offset * self.kernels.itemsize
            self.bias_rows.append(slice(offset, offset + self.sizes[l]))
            offset += padded[l]
            self.work += self.sizes[l - 1] * self.sizes[l]
        self.small, self.small_in_use = self.plan(SMALL), False

    def _weights_of(self, storage, Py_ssize_t layer):
        place, shape = self.weight_panels[layer]
        panels, rows, lanes = shape
        w = storage[place].reshape(shape).transpose(0, 2, 1).reshape(panels * lanes, rows)
        return np.ascontiguousarray(w[: self.sizes[layer + 1], : self.sizes[layer]])

    def weights(self, Py_ssize_t layer):
        """A copy of the weights of a layer, counted from 0: (out, in)."""
        return self._weights_of(self.storage, layer)

    def set_weights(self, Py_ssize_t layer, weights):
        """Put weights (out, in) into their panels."""
        place, shape = self.weight_panels[layer]
        panels, rows, lanes = shape
        padded = np.zeros((panels * lanes, rows), self.number)
        padded[: self.sizes[layer + 1], : self.sizes[layer]] = weights
        self.storage[place].reshape(shape)[...] = padded.reshape(panels, lanes, rows).transpose(0, 2, 1)

    def biases(self, Py_ssize_t layer):
        """A copy of the biases of a layer, counted from 0: (out,)."""
        return self.storage[self.bias_rows[layer]].copy()

    def set_biases(self, Py_ssize_t layer, biases):
        """Set the biases of a layer, counted from 0: (out,)."""
        self.storage[self.bias_rows[layer]] = biases

    cdef Plan plan(self, Py_ssize_t capacity, bint targets=False, Py_ssize_t lowest_delta=-1, bint keep=False,
                   int members=1):
        cdef Plan plan = Plan()
        plan.kernels = self.kernels
        plan.prepare(self.layers, self.depth, self.loss, self.mean, capacity, targets,
                     self.depth + 1 if lowest_delta < 0 else lowest_delta, keep, members)
        return plan

    cdef Py_ssize_t helpful(self, Py_ssize_t n, threads) except -1:
        """How many threads to use for n samples: no more than allowed, and one for little work."""
        cdef Py_ssize_t most = n * self.work // max(SHARE * GRAIN, 1)
        if most < 2:
            return 1
        return min(most, <Py_ssize_t> (threads() if callable(threads) else threads))

    def forward(self, X, threads=1):
        """Outputs (n, out) of samples (n, in)."""
        cdef Samples samples = X if isinstance(X, Samples) else Samples(X, "X", self.sizes[0], self.dtype)
        cdef Py_ssize_t n = samples.view.rows
        cdef Py_buffer out
        result = self.empty((n, self.layers[self.depth].w.cols), self.number)
        PyObject_GetBuffer(result, &out, PyBUF_WRITABLE)
        try:
            if n <= SMALL and not self.small_in_use:
                self.forward_few(samples, <char *> out.buf)
            else:
                self.forward_many(samples, <char *> out.buf, self.helpful(n, threads))
        finally:
            PyBuffer_Release(&out)
        return result

    cdef int forward_few(self, Samples X, char *out) except -1:
        """The outputs of a few samples, by the plan that is kept for them."""
        cdef Watch watch = Watch()
        self.small_in_use = True
        if X.view.rows * self.work <= QUICK:
            self.compute(&X.view, out, watch)
        else:
            with nogil:
                self.compute(&X.view, out, watch)
        self.small_in_use = False
        if watch.error is not None:
            raise watch.error
        return 0

    cdef void compute(self, const cg_samples *x, char *out, Watch watch) noexcept nogil:
        cdef Pass p
        memset(&p, 0, sizeof(Pass))
        p.x, p.rows = x, x.rows
        watch.enter()
        self.small.run(&p, 0, watch)
        self.kernels.scatter(p.rows, &self.small.a[self.depth], out)
        watch.leave()

    cdef int forward_many(self, Samples X, char *out, Py_ssize_t members) except -1:
        """The outputs of any number of samples, in chunks."""
        cdef Py_ssize_t n = X.view.rows, share = (n + members - 1) // members
        cdef Py_ssize_t chunk = min(n, CHUNK, (share + PART - 1) // PART * PART)
        cdef SideBySide team = SideBySide()
        team.p.x, team.out = &X.view, out
        team.plan = self.plan(members * chunk)
        team.assemble(members)
        return team.go(n, chunk)

    def evaluate(self, Samples X, targets, threads=1):
        """Sums over the samples of the loss and of the metric: of each chunk, then of all these in their order."""
        cdef Py_ssize_t n = X.view.rows, chunk = min(n, CHUNK)
        cdef Py_ssize_t members = min(self.helpful(n, threads), (n + chunk - 1) // chunk)
        cdef SideBySide team = SideBySide()
        sums = np.empty(((n + chunk - 1) // chunk, 2))
        cdef double[:, ::1] view = sums
        team.p.x, team.sums = &X.view, &view[0, 0]
        team.p.y, team.p.labels = rows_of(targets), labels_of(targets)
        team.plan = self.plan(members * chunk, True)
        team.assemble(members)
        team.go(n, chunk)
        loss = metric = 0.0
        for each in sums.tolist():
            loss += each[0]
            metric += each[1]
        return loss, metric

    def backward(self, Samples X, targets, bint input_gradient, threads=1):
        """One pass forward and back over all samples as one batch, with everything kept.

        Returns the loss as the reduction has it, and lists over the layers: ∂C/∂W (out, in), ∂C/∂b (out,), δ, z and a,
        each (n, out); then ∂C/∂X (n, in) or None.
        """
        cdef Py_ssize_t n = X.view.rows, l
        cdef InTurn team = InTurn()
        cdef Plan plan = self.plan(n, True, 0 if input_gradient else 1, True, self.helpful(n, threads))
        block = aligned(self.block.size)
        team.p.x, team.p.y, team.p.labels = &X.view, rows_of(targets), labels_of(targets)
        team.p.update.rule = CG_STORE
        team.p.gradients = address(block) - address(self.block)
        team.set_up(plan)
        team.go(n, n, 1, None)
        if team.watch.error is not None:
            raise team.watch.error
        gradients = block.view(self.number)
        return (
            team.loss / n if self.mean else team.loss,
            [self._weights_of(gradients, l) for l in range(self.depth)],
            [gradients[self.bias_rows[l]].copy() for l in range(self.depth)],
            [self.rows(&plan.delta[l], n) for l in range(1, self.depth + 1)],
            [self.rows(&plan.z[l], n) for l in range(1, self.depth + 1)],
            [self.rows(&plan.a[l], n) for l in range(1, self.depth + 1)],
            self.rows(&plan.delta[0], n) if input_gradient else None,
        )

    cdef rows(self, cg_matrix *matrix, Py_ssize_t n):
        """A matrix out of its panels."""
        out = np.empty((n, matrix.cols), self.number)
        cdef unsigned char[::1] view = out.reshape(-1).view(np.uint8)
        self.kernels.scatter(n, matrix, &view[0])
        return out


cdef const cg_samples *rows_of(targets):
    return &(<Samples> targets).view if isinstance(targets, Samples) else NULL


cdef const int64_t *labels_of(targets):
    """Class indices; the caller keeps the array alive."""
    if isinstance(targets, Samples):
        return NULL
    cdef const int64_t[::1] view = targets
    return &view[0]
