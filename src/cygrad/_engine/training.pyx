"""Training: an optimiser's state, and whole epochs of steps in one call outside the GIL."""

cimport cython

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

from cygrad._engine.engine cimport Engine, labels_of, rows_of
from cygrad._engine.kernels cimport *
from cygrad._engine.passes cimport InTurn
from cygrad._engine.plan cimport Layer, Plan, address
from cygrad._engine.samples cimport Samples

from cygrad._engine.plan import aligned

# Names in the order of the kernels' codes.
RULES = ("store", "sgd", "momentum", "nesterov", "adam")

cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15   # 2⁶⁴ divided by the golden ratio
cdef Py_ssize_t CACHED = 1 << 19    # bytes of samples that stay in a core's cache without being fetched ahead


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


cdef double power(double base, int64_t exponent) noexcept nogil:
    """baseⁿ by repeated squaring: the same bits everywhere, which the C library's pow does not promise."""
    cdef double result = 1
    cdef double[2] factor       # by the exponent's last bit: a branch on it would often be foretold wrongly
    factor[0] = 1
    while exponent:
        factor[1] = base
        result *= factor[exponent & 1]
        base *= base
        exponent >>= 1
    return result


@cython.final
cdef class Training(InTurn):
    """An optimiser's state and the workspace for its steps on one engine."""

    cdef Engine engine
    cdef Layer *layers
    cdef cg_update update
    cdef double beta1, beta2, epsilon
    cdef Py_ssize_t most, lowest, threads
    cdef Py_ssize_t distances[2]
    cdef const double *learning_rates   # of the epoch at work
    cdef bint fetch_ahead
    cdef list blocks
    cdef readonly list state
    cdef public int64_t step

    def __cinit__(self):
        self.layers = NULL

    def __dealloc__(self):
        free(self.layers)

    def __init__(self, Engine engine, str rule, Py_ssize_t batch_size, *, double momentum=0, double beta1=0,
                 double beta2=0, double epsilon=0, double weight_decay=0, train_weights, train_biases):
        cdef Py_ssize_t l, i
        cdef int states
        self.engine, self.most, self.step = engine, batch_size, 0
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
        self.lowest = engine.depth + 1
        for l in range(engine.depth, 0, -1):
            self.layers[l] = engine.layers[l]
            self.layers[l].train_weights = train_weights[l - 1]
            self.layers[l].train_biases = train_biases[l - 1] and engine.layers[l].train_biases
            if self.layers[l].train_weights or self.layers[l].train_biases:
                self.lowest = l
        self.divide(1)

    cdef int divide(self, Py_ssize_t threads) except -1:
        """Make a plan for so many threads, or for as many of them as a step is worth."""
        cdef Plan plan = Plan()
        self.threads = threads
        plan.kernels = self.engine.kernels
        plan.prepare(self.layers, self.engine.depth, self.engine.loss, self.engine.mean, self.most, True, self.lowest,
                     False, threads)
        self.set_up(plan)
        return 0

    cdef void prepare(self) noexcept nogil:
        """The scalars of the step, and the samples of the one after it."""
        cdef double correction, rate = self.learning_rates[self.complete]
        cdef cg_prefetch *ahead = &self.p.ahead
        self.step += 1
        self.p.update = self.update
        self.p.update.rate = rate
        if self.update.rule == CG_ADAM:
            correction = sqrt(1 - power(self.beta2, self.step))
            self.p.update.rate = rate * correction / (1 - power(self.beta1, self.step))
            self.p.update.epsilon = self.epsilon * correction
        if self.fetch_ahead:
            ahead.order = self.p.order + self.p.start + self.p.rows
            ahead.rows = min(self.batch_size, self.samples - self.p.start - self.p.rows)

    def epoch(self, Samples X, targets, const int64_t[::1] order, const double[::1] learning_rates, poll=None,
              int threads=1):
        """Run one step per batch of `order`, all in one call outside the GIL.

        Returns the sums of loss and metric over the samples seen, the number of steps done, and whether the loss of the
        step after them was NaN or infinite; that step changed nothing.
        """
        cdef Py_ssize_t row_bytes = X.view.cols * X.view.col_stride
        if threads != self.threads:
            self.divide(threads)
        self.p.x, self.p.order = &X.view, &order[0]
        self.p.y, self.p.labels = rows_of(targets), labels_of(targets)
        self.p.states[0], self.p.states[1] = self.distances[0], self.distances[1]
        self.p.careful = True
        self.p.ahead.samples = &X.view
        self.p.ahead.rows = 0
        self.fetch_ahead = X.view.rows * row_bytes > CACHED and X.view.col_stride > 0
        self.learning_rates = &learning_rates[0]
        self.go(order.shape[0], self.most, learning_rates.shape[0], poll)
        if self.stopped:
            self.step -= 1
        if self.watch.error is not None:
            raise self.watch.error
        return self.loss, self.metric, self.complete, bool(self.stopped)
