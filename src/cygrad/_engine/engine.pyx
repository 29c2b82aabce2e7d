"""The engine: the parameters of a network in panels, and what is computed with them. A `Training` adds an optimiser's
state and runs whole epochs in one call outside the GIL."""

cimport cython

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from cpython.buffer cimport Py_buffer, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from cygrad._engine.kernels cimport *
from cygrad._engine.plan cimport Layer, Pass, Plan, Watch, address
from cygrad._engine.samples cimport Samples

import numpy as np

from cygrad._engine.plan import aligned

# Names in the order of the kernels' codes.
ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "gaussian", "softmax")
LOSSES = ("quadratic", "mse", "binary_cross_entropy", "cross_entropy", "hinge")
RULES = ("store", "sgd", "momentum", "nesterov", "adam")

cdef Py_ssize_t CHUNK = 256         # rows that inference takes at once
cdef Py_ssize_t SMALL = 16          # rows up to which a plan for inference is kept ready
cdef Py_ssize_t QUICK = 200_000     # multiply-adds that are not worth a release of the GIL
cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15   # 2⁶⁴ divided by the golden ratio
cdef Py_ssize_t CACHED = 1 << 19    # bytes of samples that stay in a core's cache without being fetched ahead


@cython.final
cdef class Engine:
    """Parameters of a dense network, and the computations over them."""

    cdef const cg_kernels *kernels
    cdef Layer *layers              # 1 … depth
    cdef readonly Py_ssize_t depth
    cdef int loss
    cdef bint mean
    cdef readonly str isa, dtype
    cdef readonly object storage
    cdef object block, number, empty
    cdef readonly tuple sizes
    cdef list weight_panels, bias_rows
    cdef Py_ssize_t work            # multiply-adds for one sample
    cdef Plan small                 # kept ready for few samples
    cdef bint small_in_use

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

    cdef Plan plan(self, Py_ssize_t capacity, bint targets=False, Py_ssize_t lowest_delta=-1, bint keep=False):
        cdef Plan plan = Plan()
        plan.kernels = self.kernels
        plan.prepare(self.layers, self.depth, self.loss, self.mean, capacity, targets,
                     self.depth + 1 if lowest_delta < 0 else lowest_delta, keep)
        return plan

    def forward(self, X):
        """Outputs (n, out) of samples (n, in)."""
        cdef Samples samples = X if isinstance(X, Samples) else Samples(X, "X", self.sizes[0], self.dtype)
        cdef Py_ssize_t n = samples.view.rows
        cdef bint kept = n <= SMALL and not self.small_in_use
        cdef Plan plan = self.small if kept else self.plan(min(n, CHUNK))
        cdef Watch watch = Watch()
        cdef Py_buffer out
        result = self.empty((n, self.layers[self.depth].w.cols), self.number)
        PyObject_GetBuffer(result, &out, PyBUF_WRITABLE)
        self.small_in_use |= kept
        try:
            if n * self.work <= QUICK:
                self.compute(plan, &samples.view, <char *> out.buf, watch)
            else:
                with nogil:
                    self.compute(plan, &samples.view, <char *> out.buf, watch)
        finally:
            if kept:
                self.small_in_use = False
            PyBuffer_Release(&out)
        if watch.error is not None:
            raise watch.error
        return result

    cdef void compute(self, Plan plan, const cg_samples *x, char *out, Watch watch) noexcept nogil:
        """The outputs of all samples, as many at once as the plan has room for."""
        cdef Py_ssize_t start = 0, row_bytes = self.layers[self.depth].w.cols * self.kernels.itemsize
        cdef bint stopped = False
        cdef Pass p
        memset(&p, 0, sizeof(Pass))
        p.x = x
        watch.enter()
        while start < x.rows and not stopped:
            p.start, p.rows = start, min(x.rows - start, plan.capacity)
            stopped = plan.run(&p, watch)
            self.kernels.scatter(p.rows, &plan.a[self.depth], out + start * row_bytes)
            start += p.rows
        watch.leave()

    def evaluate(self, Samples X, targets):
        """Sums over the samples of the loss and of the metric."""
        cdef Py_ssize_t n = X.view.rows, start = 0
        cdef double loss = 0, metric = 0
        cdef Plan plan = self.plan(min(n, CHUNK), True)
        cdef Watch watch = Watch()
        cdef Pass p
        cdef bint stopped = False
        memset(&p, 0, sizeof(Pass))
        p.x = &X.view
        p.y, p.labels = rows_of(targets), labels_of(targets)
        with nogil:
            watch.enter()
            while start < n and not stopped:
                p.start, p.rows = start, min(n - start, plan.capacity)
                stopped = plan.run(&p, watch)
                loss += p.loss
                metric += p.metric
                start += p.rows
            watch.leave()
        if watch.error is not None:
            raise watch.error
        return loss, metric

    def backward(self, Samples X, targets, bint input_gradient):
        """One pass forward and back over all samples as one batch, with everything kept.

        Returns the loss as the reduction has it, and lists over the layers: ∂C/∂W (out, in), ∂C/∂b (out,), δ, z and a,
        each (n, out); then ∂C/∂X (n, in) or None.
        """
        cdef Py_ssize_t n = X.view.rows, l
        cdef Plan plan = self.plan(n, True, 0 if input_gradient else 1, True)
        cdef Watch watch = Watch()
        cdef Pass p
        cdef bint stopped
        block = aligned(self.block.size)
        memset(&p, 0, sizeof(Pass))
        p.x, p.rows = &X.view, n
        p.y, p.labels = rows_of(targets), labels_of(targets)
        p.update.rule = CG_STORE
        p.gradients = address(block) - address(self.block)
        with nogil:
            watch.enter()
            stopped = plan.run(&p, watch)
            watch.leave()
        if stopped:
            raise watch.error
        gradients = block.view(self.number)
        return (
            p.loss / n if self.mean else p.loss,
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


cdef inline uint64_t mixed(uint64_t counter) noexcept nogil:
    """A number for a counter that goes in steps of GOLDEN: the generator SplitMix64 (Steele, Lea & Flood 2014)."""
    counter = (counter ^ (counter >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    counter = (counter ^ (counter >> 27)) * <uint64_t> 0x94D049BB133111EB
    return counter ^ (counter >> 31)


def permute(int64_t[::1] order, uint64_t seed):
    """Fill `order` with the numbers from 0 on in random order (Fisher & Yates 1938, inside out)."""
    cdef Py_ssize_t i, j
    with nogil:
        for i in range(order.shape[0]):
            j = cg_scaled(mixed(seed + <uint64_t> (i + 1) * GOLDEN), i + 1)
            order[i] = order[j]
            order[j] = i


cdef const cg_samples *rows_of(targets):
    return &(<Samples> targets).view if isinstance(targets, Samples) else NULL


cdef const int64_t *labels_of(targets):
    """Class indices; the caller keeps the array alive."""
    if isinstance(targets, Samples):
        return NULL
    cdef const int64_t[::1] view = targets
    return &view[0]


cdef double power(double base, int64_t exponent) noexcept nogil:
    """baseⁿ by repeated squaring: the same bits everywhere, which the C library's pow does not promise."""
    cdef double result = 1
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@cython.final
cdef class Training:
    """An optimiser's state and the workspace for its steps on one engine."""

    cdef Engine engine
    cdef Plan plan
    cdef Layer *layers
    cdef cg_update update
    cdef double beta1, beta2, epsilon
    cdef Py_ssize_t batch_size, tiles
    cdef Py_ssize_t distances[2]
    cdef list blocks
    cdef readonly list state
    cdef public int64_t step

    def __cinit__(self):
        self.layers = NULL

    def __dealloc__(self):
        free(self.layers)

    def __init__(self, Engine engine, str rule, Py_ssize_t batch_size, *, double momentum=0, double beta1=0,
                 double beta2=0, double epsilon=0, double weight_decay=0, train_weights, train_biases):
        cdef Py_ssize_t l, lowest = engine.depth + 1, i
        cdef int states
        self.engine, self.batch_size, self.step = engine, batch_size, 0
        self.update.rule = RULES.index(rule)
        self.update.momentum, self.update.weight_decay = momentum, weight_decay
        self.update.beta1, self.update.beta2 = beta1, beta2
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        states = 2 if self.update.rule == CG_ADAM else 1 if self.update.rule in (CG_MOMENTUM, CG_NESTEROV) else 0
        self.blocks = [aligned(engine.block.size) for _ in range(states)]
        self.state = [block.view(engine.number) for block in self.blocks]
        self.distances[0] = self.distances[1] = 0
        for i in range(states):
            self.distances[i] = address(self.blocks[i]) - address(engine.block)
        self.layers = <Layer *> calloc(engine.depth + 1, sizeof(Layer))
        if self.layers == NULL:
            raise MemoryError()
        for l in range(engine.depth, 0, -1):
            self.layers[l] = engine.layers[l]
            self.layers[l].train_weights = train_weights[l - 1]
            self.layers[l].train_biases = train_biases[l - 1] and engine.layers[l].train_biases
            if self.layers[l].train_weights or self.layers[l].train_biases:
                lowest = l
        self.plan = Plan()
        self.plan.kernels = engine.kernels
        self.plan.prepare(self.layers, engine.depth, engine.loss, engine.mean, batch_size, True, lowest, False)

    cdef void prepare_update(self, double learning_rate) noexcept nogil:
        """The scalars of the next step."""
        cdef double correction
        self.step += 1
        self.update.rate = learning_rate
        if self.update.rule == CG_ADAM:
            correction = sqrt(1 - power(self.beta2, self.step))
            self.update.rate = learning_rate * correction / (1 - power(self.beta1, self.step))
            self.update.epsilon = self.epsilon * correction

    def epoch(self, Samples X, targets, const int64_t[::1] order, const double[::1] learning_rates, poll=None):
        """Run one step per batch of `order`, all in one call outside the GIL.

        Returns the sums of loss and metric over the samples seen, the number of steps done, and whether the loss of the
        step after them was NaN or infinite; that step changed nothing.
        """
        cdef Py_ssize_t n = order.shape[0], steps = learning_rates.shape[0], s, tiles
        cdef Py_ssize_t lines, row_bytes = X.view.cols * X.view.col_stride
        cdef double loss = 0, metric = 0
        cdef bint stopped = False
        cdef bint fetch_ahead = X.view.rows * row_bytes > CACHED and X.view.col_stride > 0
        cdef Watch watch = Watch(poll)
        cdef Plan plan = self.plan
        cdef Pass p
        memset(&p, 0, sizeof(Pass))
        p.x, p.order = &X.view, &order[0]
        p.y, p.labels = rows_of(targets), labels_of(targets)
        p.states[0], p.states[1] = self.distances[0], self.distances[1]
        p.ahead.samples = &X.view
        p.careful = True
        with nogil:
            watch.enter()
            for s in range(steps):
                p.start = s * self.batch_size
                p.rows = min(self.batch_size, n - p.start)
                self.prepare_update(learning_rates[s])
                p.update = self.update
                if fetch_ahead:
                    p.ahead.order = &order[0] + p.start + p.rows
                    p.ahead.row, p.ahead.offset = 0, 0
                    p.ahead.rows = min(self.batch_size, n - p.start - p.rows)
                    lines = p.ahead.rows * (row_bytes // 64 + 1)
                    tiles = self.layers[1].inputs // 8 + 1
                    p.ahead.lines_per_tile = lines // tiles + 1
                stopped = plan.run(&p, watch)
                if stopped:
                    break
                loss += p.loss
                metric += p.metric
                watch.steps, watch.loss = s + 1, loss
            watch.leave()
        if stopped:
            self.step -= 1
        if watch.error is not None:
            raise watch.error
        return loss, metric, watch.steps, bool(stopped)
