"""Training: an optimiser's state and its steps, whole epochs in one call outside the GIL, or one step at a time."""

cimport cython

from libc.math cimport INFINITY, fabs, sqrt
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from cpython.float cimport PyFloat_Check
from cpython.long cimport PyLong_Check

from cygrad._engine.engine cimport (
    BLOCK_MULTIPLE, Engine, fork_count, new_plan, plan_in_blocks, sum_of_weights, sums_go_on, set_targets
)
from cygrad._engine.equations cimport (
    CLIP_GLOBAL_NORM, CLIP_NORM, CLIP_NOTHING, CLIP_VALUE, Clipping, ClippingKind, is_trained
)
from cygrad._engine.interrupts cimport Interrupts, clock
from cygrad._engine.kernels cimport (
    CG_FLOAT32, cg_random_below, cg_samples, cg_sparse
)
from cygrad._engine.passes cimport SequentialPasses
from cygrad._engine.plan cimport Plan, address, costs
from cygrad._engine.samples cimport Samples, all_finite, memory_of, read_number

import numpy as np

import cygrad._engine.kernels as _kernels
from cygrad._engine.passes import Ranks
from cygrad._engine.plan import aligned

include "statistics.pyx"
include "step_update.pyx"


cdef extern from *:
    """
    /* The number of steps: other threads may read it while one trains. */
    static int64_t cg_read_count(const int64_t *place) { return __atomic_load_n(place, __ATOMIC_RELAXED); }
    static void cg_set_count(int64_t *place, int64_t count) { __atomic_store_n(place, count, __ATOMIC_RELAXED); }
    """
    int64_t cg_read_count(const int64_t *place) noexcept nogil
    void cg_set_count(int64_t *place, int64_t count) noexcept nogil


cdef list _rules = list(_kernels.RULES)      # in the order of their codes
cdef dict _clippings = {None: CLIP_NOTHING, "value": CLIP_VALUE, "norm": CLIP_NORM, "global_norm": CLIP_GLOBAL_NORM}

cdef double[:, ::1] nothing_recorded = np.empty((2, 0))
cdef Py_ssize_t CACHE_LINE = 64
cdef double UPDATE_WORK = 64    # multiply-adds that take as long as the update of a parameter, which is read from memory
RATES_AHEAD = 1024      # learning rates of single steps that are computed at once

cdef uint64_t GOLDEN_GAMMA = 0x9E3779B97F4A7C15   # 2⁶⁴ divided by the golden ratio


cdef inline uint64_t splitmix64(uint64_t counter) noexcept nogil:
    """Return the random number of a counter with steps of GOLDEN_GAMMA: SplitMix64 (Steele, Lea & Flood 2014)."""
    counter = (counter ^ (counter >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    counter = (counter ^ (counter >> 27)) * <uint64_t> 0x94D049BB133111EB
    return counter ^ (counter >> 31)


def permute(int64_t[::1] order, uint64_t seed):
    """Fill `order` with 0, 1, … in random order (Fisher & Yates 1938, inside out)."""
    with nogil:
        fill_permutation(order, seed)


cdef void fill_permutation(int64_t[::1] order, uint64_t seed) noexcept nogil:
    cdef Py_ssize_t i, j
    for i in range(order.shape[0]):
        j = cg_random_below(splitmix64(seed + <uint64_t> (i + 1) * GOLDEN_GAMMA), i + 1)
        order[i] = order[j]
        order[j] = i


def is_permutation(const int64_t[::1] order):
    """Return whether each of 0, 1, … n − 1 is in `order` once."""
    cdef Py_ssize_t i, n = order.shape[0], different = 0
    cdef int64_t row
    cdef uint8_t[::1] found = bytearray(n)
    with nogil:
        for i in range(n):
            row = order[i]
            if row < 0 or row >= n or found[row]:
                break
            found[row] = 1
            different += 1
    return different == n


cdef tuple weighted_batches(const int64_t[::1] order, Py_ssize_t rows, Py_ssize_t batch_size,
                            const double[::1] weights):
    """Return the order without the batches whose weights are all 0, and the sum of the weights of each batch left."""
    cdef Py_ssize_t start = 0, size, i, kept = 0, batches = 0
    cdef const int64_t *given = NULL
    cdef double total
    cdef int64_t[::1] left = np.empty(rows, np.int64)
    cdef double[::1] totals = np.empty((rows + batch_size - 1) // batch_size)
    if order is not None:
        given = &order[0]
    with nogil:
        while start < rows:
            size = min(batch_size, rows - start)
            total = sum_of_weights(weights, given, start, size)
            if total != 0:
                totals[batches] = total
                batches += 1
                for i in range(size):
                    left[kept + i] = given[start + i] if given != NULL else start + i
                kept += size
            start += size
    return np.asarray(left)[:kept], np.asarray(totals)[:batches]


@cython.final
cdef class Training(SequentialPasses):
    """The state of an optimiser, and the workspace of its steps on one engine.

    Inside ``with training:``, other calls cannot train the engine.
    """

    cdef Engine engine
    cdef Optimizer optimizer
    cdef Clipping clipping
    cdef object gradient                # as bytes, in the layout of the parameters, or None: it is never stored
    cdef Py_ssize_t max_batch           # samples of a step in an epoch
    cdef Py_ssize_t max_block           # samples in memory at once, or 0 for no limit
    cdef Py_ssize_t batch_capacity      # samples of a step for which the plan was made
    cdef bint in_blocks                 # whether that plan may divide them into blocks
    cdef Py_ssize_t plan_version        # of the engine, when the plan was made
    cdef Py_ssize_t threads             # the most that the plan may use
    cdef object learning_rate           # a function of the step, or None: `rate` is for all steps
    cdef object learning_rates          # a function of (step, count) for many rates at once, or None
    cdef public double rate
    cdef const double[::1] rates_ahead  # of the single steps from `first_ahead` on, or None
    cdef int64_t first_ahead
    cdef const double *rates            # of the steps of the current call, or NULL: `rate` is for all
    cdef readonly Py_ssize_t epoch_steps    # steps of the last epoch, if nothing ends it
    cdef double weight                  # sum of the weights of the steps of the last epoch, where there are weights
    cdef const double *totals           # sums of the weights of each batch of the current call, where there are weights
    cdef double[:, ::1] recorded_numbers    # loss and penalty of the steps of the last epoch, and room for more
    cdef Py_ssize_t recorded            # the number of these steps, before the current call
    cdef bint records                   # whether the steps of the current call are recorded
    # Of `epochs`; no epochs in the other calls.
    cdef Py_ssize_t epochs_left         # the current one among them
    cdef const uint64_t *seeds          # of the orders of all epochs of the call, where these are drawn
    cdef const int64_t[::1] chosen      # the rows that take part, or None: all of them
    cdef int64_t[::1] order             # of the current epoch, or None
    cdef double[:, ::1] results         # of each epoch that is done: sums of loss and metric, and the time of its end
    cdef cg_samples parameters          # of the engine
    cdef char *parameters_before        # the current epoch
    cdef Samples x, y                   # of learn_one
    cdef int64_t label
    cdef object custom_target           # of a loss that is a Python function
    cdef Interrupts single_interrupts
    cdef Py_ssize_t owner               # the process of the current call, or 0
    cdef list blocks
    cdef readonly list state
    cdef int64_t step_count             # number of steps so far

    def __init__(self, Engine engine, str rule, Py_ssize_t batch_size, learning_rate=0.0, *, learning_rates=None,
                 clip=None, double clip_limit=0, Py_ssize_t max_block=0, uint64_t seed=0, **hyperparameters):
        cdef ClippingKind kind = _clippings[clip]
        self.engine, self.max_batch, self.step_count, self.owner, self.epochs_left = engine, batch_size, 0, 0, 0
        self.learning_rate = learning_rate if callable(learning_rate) else None
        self.learning_rates, self.rates_ahead, self.first_ahead = learning_rates, None, 0
        self.rate = 0 if callable(learning_rate) else learning_rate
        self.x, self.y, self.single_interrupts = Samples.__new__(Samples), Samples.__new__(Samples), Interrupts()
        self.optimizer = new_optimizer(rule, hyperparameters)
        self.blocks = [aligned(engine.block.size) for _ in range(self.optimizer.states)]
        self.state = [block.view(engine.numpy_dtype) for block in self.blocks]
        self.fill_last_state()
        self.p.max_norm, self.p.l2_penalty = self.optimizer.max_norm, self.optimizer.l2_penalty
        self.clipping, self.gradient, self.max_block = Clipping(kind, clip_limit), None, max_block
        self.work_at(address(engine.block))
        if kind != CLIP_NOTHING:
            self.store_gradient()
        self.p.stop_if_not_finite, self.p.seed = True, seed
        self.recorded_numbers, self.recorded, self.records = nothing_recorded, 0, False

    def join(self, link):
        """Share each batch with the other ranks of a link."""
        if self.engine.plan_type is not Plan:
            raise RuntimeError("the engine is loops, which shares no batch with other ranks; expected another engine")
        self.ranks = Ranks(link)
        if not link.exact and self.clipping.kind == CLIP_NOTHING:   # the gradient is stored, and nothing limits it
            self.clipping = Clipping(CLIP_VALUE, INFINITY)
            self.store_gradient()

    def divide(self, bounds, Py_ssize_t most):
        """Let each rank have other rows: see `Ranks.divide`."""
        self.ranks.divide(bounds, most)

    def __enter__(self):
        self.engine.begin_training()
        return self

    def __exit__(self, kind, error, traceback):
        self.engine.end_training()

    def reset(self):
        """Reset the optimiser's state and its count of steps to 0."""
        cg_set_count(&self.step_count, 0)
        for array in self.state:
            array.fill(0)
        self.fill_last_state()

    cdef int store_gradient(self) except -1:
        self.gradient = aligned(self.engine.block.size)
        self.p.stores_gradient = True
        return self.work_at(address(self.engine.block))

    cdef int work_at(self, char *parameters) except -1:
        """Update the parameters that are there: the engine's, or a copy."""
        cdef Py_ssize_t i
        for i in range(self.optimizer.states):
            self.p.state_offsets[i] = address(self.blocks[i]) - parameters
        if self.gradient is not None:
            self.p.gradient_offset = address(self.gradient) - parameters
        return 0

    cdef int fill_last_state(self) except -1:
        if self.optimizer.initial:      # else it is 0 from the beginning, and takes no memory until it is used
            self.state[self.optimizer.states - 1].fill(self.optimizer.initial)
        return 0

    cdef int ensure_plan(self, Samples X, Py_ssize_t rows, threads, bint in_blocks) except -1:
        """Make a plan for batches of up to `rows` rows, in blocks where they may be divided, unless the present one serves.

        A plan that is much larger serves too, if it runs on one thread; with threads, its size decides how they share it.
        """
        cdef Py_ssize_t capacity = 0 if self.plan is None else self.batch_capacity, members
        if rows > capacity or (self.members > 1 and rows < capacity // 4):
            capacity = rows
        in_blocks = in_blocks and capacity > (
            BLOCK_MULTIPLE if self.max_block == 0 else min(self.max_block, BLOCK_MULTIPLE))
        members = self.engine.thread_count(X, capacity, threads, 1, True)
        if self.plan is None or capacity != self.batch_capacity or in_blocks != self.in_blocks or (
                members != self.threads or self.plan_version != self.engine.plan_version
                or not self.plan.serves(X.sparse_rows())):
            self.make_plan(capacity, members, in_blocks, X.sparse_rows())
        return 0

    cdef int make_plan(self, Py_ssize_t capacity, Py_ssize_t members, bint in_blocks, const cg_sparse *sparse) except -1:
        """Make a plan for batches of up to `capacity` rows, in blocks if these are allowed."""
        cdef Engine engine = self.engine
        cdef Py_ssize_t l, lowest = engine.depth + 1
        cdef bint in_place = self.ranks is None
        cdef Plan plan
        for l in range(engine.depth, 0, -1):
            if is_trained(&engine.trained[l]):
                lowest = l
        self.plan_version, self.threads = engine.plan_version, members
        self.batch_capacity, self.in_blocks = capacity, in_blocks
        if in_blocks:
            plan = plan_in_blocks(engine, engine.trained, lowest, capacity, members,
                                  self.max_block if self.max_block > 0 else capacity, self.clipping, sparse, True,
                                  in_place)
        else:
            plan = new_plan(engine, engine.trained, lowest, capacity, members, 1, self.clipping, sparse, True, in_place)
        if self.optimizer.max_norm:
            plan.add_norm_limits()
        if self.optimizer.l2_penalty:
            plan.add_penalty()
        self.set_up(plan, capacity, engine.block)
        return 0

    cdef double next_rate(self) except? -1:
        """Return the learning rate of the next step."""
        cdef int64_t ahead, step = self.step_count
        if self.learning_rate is None:
            return self.rate
        if self.learning_rates is None:
            return self.learning_rate(step)
        ahead = step - self.first_ahead
        if self.rates_ahead is None or ahead < 0 or ahead >= self.rates_ahead.shape[0]:
            try:
                self.rates_ahead, self.first_ahead, ahead = self.learning_rates(step, RATES_AHEAD), step, 0
            except (TypeError, ValueError):     # one of them is not valid, but that step may never come
                return self.learning_rate(step)
        return self.rates_ahead[ahead]

    def forget_rates(self):
        """Forget the rates that were computed ahead: they have changed."""
        self.rates_ahead = None

    cdef void begin_step(self, double rate, double scale) noexcept nogil:
        """Count the next step, and compute its update; `scale` is that of its loss."""
        self.p.step = self.step_count
        cg_set_count(&self.step_count, self.p.step + 1)
        self.p.update = update_of_step(&self.optimizer, rate, scale, self.p.step + 1)

    cdef void prepare_batch(self) noexcept nogil:
        self.p.scale = 1 / self.divisor()       # for `output_delta` only where there are weights
        self.begin_step(self.rate if self.rates == NULL else self.rates[self.batches_done], self.p.scale)

    cdef double divisor(self) noexcept nogil:
        """Return the number by which the loss of the current batch is divided."""
        if not self.engine.mean:
            return 1
        return self.totals[self.batches_done] if self.p.weights != NULL else self.p.batch_rows

    cdef void end_batch(self) noexcept nogil:
        cdef double divisor = self.divisor()
        if self.records:
            if self.p.weights != NULL:
                self.weight += self.totals[self.batches_done]
            self.recorded_numbers[0, self.recorded + self.batches_done] = self.p.loss / divisor
            self.recorded_numbers[1, self.recorded + self.batches_done] = self.p.penalty / divisor
        SequentialPasses.end_batch(self)

    cdef int make_room(self, Py_ssize_t steps) except -1:
        """Make room to record so many steps after those that are recorded."""
        if self.recorded + steps > self.recorded_numbers.shape[1]:
            numbers = np.empty((2, max(self.recorded + steps, 2 * self.recorded)))
            numbers[:, : self.recorded] = self.recorded_numbers[:, : self.recorded]
            self.recorded_numbers = numbers
        return 0

    @property
    def record(self):
        """Loss and penalty of each step's batch before its update, in the last epoch: shape (2, steps)."""
        return np.array(self.recorded_numbers[:, : self.recorded])

    @record.setter
    def record(self, numbers):
        self.recorded_numbers, self.recorded = numbers.copy(), numbers.shape[1]

    @property
    def seed(self):
        """The seed of dropout and noise."""
        return self.p.seed

    @seed.setter
    def seed(self, uint64_t seed):
        self.p.seed = seed

    @property
    def sums(self):
        """Sums over the steps done in the last epoch: of loss and metric, and of the weights where there are weights."""
        return self.loss, self.metric, self.weight

    @sums.setter
    def sums(self, numbers):
        self.loss, self.metric, self.weight = numbers

    cdef int train(self, Samples X, targets, const int64_t *order, Py_ssize_t rows, Py_ssize_t batch_size,
                   Py_ssize_t first, Py_ssize_t batches, const double *rates, poll, threads, const double[::1] weights,
                   const double *totals, double deadline, bint records) except -1:
        """Run one step per batch of `batch_size` rows, in `order` or, if it is NULL, in their own order.

        The steps are those from `first` up to `batches`. weights: of all samples, or None; totals: then their sum in each
        batch. records: whether the steps are recorded.
        """
        cdef Py_ssize_t row_bytes = X.view.cols * X.view.col_stride
        if self.engine.has_batch_norm and (rows == 1 or rows % batch_size == 1 or batch_size == 1):
            raise ValueError(f"the last batch of {rows} rows has one row, which has no variance for batch norm; expected "
                             f"another batch_size than {batch_size}, or other rows")
        if self.owner == fork_count:
            raise RuntimeError("this training is already running, expected one call at a time")
        self.owner, self.batches_done, self.records = fork_count, first, records
        if records:
            self.make_room((rows + batch_size - 1) // batch_size - first)
            self.recorded -= first      # the place of the first step of these samples
        try:
            if self.ranks is None:
                self.ensure_plan(X, min(batch_size, rows), threads, sums_go_on(self.engine))
            else:
                # An update goes through W and two states or so, there and back: it takes as long as that many products.
                self.ranks.share_batches(min(batch_size, rows), 3 * self.engine.work,
                                         UPDATE_WORK * self.engine.n_parameters)
                self.ensure_plan(X, self.ranks.most_rows(min(batch_size, rows)), threads, False)
                self.work_at(self.ranks.prepare(
                    self.plan, self.engine.trained, self.engine.block,
                    None if self.gradient is None else self.gradient.view(self.engine.numpy_dtype),
                    self.p.stores_gradient or self.optimizer.max_norm != 0))
            self.p.x = &X.view
            set_targets(self.engine, &self.p, targets)
            self.p.sparse = X.sparse_rows()
            self.p.order, self.rates, self.deadline = order, rates, deadline
            self.p.weights, self.totals = &weights[0] if weights is not None else NULL, totals
            self.p.ahead.samples, self.p.ahead.rows = &X.view, 0
            # Lines between the columns of a row are not fetched: of an array in Fortran order they are the whole array.
            self.fetch_ahead = (order != NULL and not X.is_sparse and X.view.rows * row_bytes > costs.prefetch_bytes
                                and 0 < X.view.col_stride < CACHE_LINE)
            if self.ranks is not None:
                self.ranks.begin(self, rows, batch_size, first, batches)
            self.run(rows, batch_size, first, batches, poll)
            if self.stopped:
                cg_set_count(&self.step_count, self.step_count - 1)
            if self.ranks is not None:
                self.ranks.end(self)
        finally:
            self.owner = 0
            if records:
                self.recorded += self.batches_done
            if self.ranks is not None:
                self.ranks.link.close_call()
        if self.interrupts.error is not None:
            raise self.interrupts.error
        return 0

    @property
    def steps(self):
        """Number of steps so far, also of those that another thread does."""
        return cg_read_count(&self.step_count)

    @steps.setter
    def steps(self, int64_t number):
        cg_set_count(&self.step_count, number)

    @property
    def division(self):
        """Division of the last steps: rows of a block, threads that share it, and threads with a block each."""
        return self.plan.capacity, self.plan.members, self.plan.copies

    @property
    def workspace_size(self):
        """Bytes of the workspace of the last steps."""
        return self.plan.memory_size

    def epoch(self, Samples X, targets, const int64_t[::1] order, const double[::1] learning_rates=None, poll=None,
              threads=1, seconds=None, const double[::1] weights=None, bint continues=False, Py_ssize_t first=0,
              last=None):
        """Run one step per batch of `order`, or of all rows in their order, outside the GIL.

        `learning_rates` has one for each step, unless all are the same. With `weights`, of the samples, there is no step
        for a batch whose weights are all 0, and the sums are those of the products with the weights.
        Returns the sums of loss and metric over the samples of the steps done in the epoch, the number of the steps done
        of these samples, and whether the loss of the step after them was NaN or infinite; that step changed nothing.
        After so many seconds, no other step begins; the first one always does.

        The call begins with step `first` and ends before step `last`, and an epoch can be divided between calls with the
        same order, rates and weights: the sums go on, to the same bits. With `continues` other samples go before these in
        the same epoch.
        """
        cdef const int64_t *indices = NULL
        cdef const double *rates = NULL
        cdef const double *first_total = NULL
        cdef const double[::1] totals
        cdef Py_ssize_t rows = X.view.rows, end
        if order is not None:
            indices, rows = &order[0], order.shape[0]
        if learning_rates is not None:
            rates = &learning_rates[0]
        cdef double deadline = 0 if seconds is None else clock() + <double> seconds
        self.epoch_steps = (rows + self.max_batch - 1) // self.max_batch
        if not continues and first == 0:
            self.recorded = 0
            self.loss = self.metric = self.weight = 0
        if weights is not None:
            order, totals = weighted_batches(order, rows, self.max_batch, weights)
            rows = order.shape[0]
            self.epoch_steps = totals.shape[0]
            if rows == 0:
                return self.loss, self.metric, 0, False
            indices, first_total = &order[0], &totals[0]
        end = self.epoch_steps if last is None else min(<Py_ssize_t> last, self.epoch_steps)
        if first < 0 or first >= end or (first > 0 and first > self.recorded):
            raise ValueError(f"steps {first} to {end} of an epoch with {self.epoch_steps}, of which {self.recorded} are done")
        self.train(X, targets, indices, rows, self.max_batch, first, end, rates, poll, threads, weights, first_total,
                   deadline, True)
        return self.loss, self.metric, self.batches_done, bool(self.stopped)

    def epochs(self, Samples X, targets, const int64_t[::1] rows, stream, Py_ssize_t count, before, list found,
               const double[::1] learning_rates=None, threads=1):
        """Run several epochs, with nothing between them that needs Python, outside the GIL.

        An epoch takes `rows`, or all of them, in their order; or in the order that `permute` draws for the next number of
        `stream`, a bit generator, which goes on by one for each epoch that has begun a step. `learning_rates` has one for each step of all epochs. `before` is an array as for `Engine.copy_storage`: it
        has the parameters before the epoch that was begun last. For each epoch done whose parameters are finite, `found`
        gets a tuple of loss and metric, averaged as the reduction says, the learning rate of its first step, and
        its seconds; also of an epoch that ended before an interrupt. Returns the steps of the epoch after
        them, and whether the loss of the step after these was NaN or infinite.
        """
        cdef Py_ssize_t n = X.view.rows if rows is None else rows.shape[0], i, done
        cdef const int64_t *indices = NULL
        cdef double begin
        cdef bint ended = False
        numbers = None
        self.chosen, self.order, self.epochs_left = rows, None, count
        self.results, self.parameters, self.parameters_before = np.empty((count, 3)), self.engine.numbers(), memory_of(before)
        self.epoch_steps, self.recorded = (n + self.max_batch - 1) // self.max_batch, 0
        self.loss = self.metric = self.weight = 0
        self.batches_done = 0
        if rows is not None:
            indices = &rows[0]
        # No signal handler runs between a number of the stream, its epoch and the entry in `found`: this is no Python code.
        if stream is not None:
            self.order, numbers = np.empty(n, np.int64), stream.random_raw(count)
            self.seeds = <const uint64_t *> memory_of(numbers)
            indices = &self.order[0]
        try:
            begin = clock()
            self.begin_epoch(0)
            self.train(X, targets, indices, n, self.max_batch, 0, self.epoch_steps,
                       NULL if learning_rates is None else &learning_rates[0], None, threads, None, NULL, 0, True)
            ended = True
        finally:
            done, self.epochs_left = count - self.epochs_left, 0
            if stream is not None and done < count:
                stream.advance(done + (ended or self.batches_done > 0) - count)
            for i in range(done):
                found.append((self.results[i, 0] / (n if self.engine.mean else 1), self.results[i, 1] / n,
                              self.rate if learning_rates is None else learning_rates[i * self.epoch_steps],
                              self.results[i, 2] - (begin if i == 0 else self.results[i - 1, 2])))
            self.chosen = self.order = self.results = None
        return self.batches_done, bool(self.stopped)

    cdef void begin_epoch(self, Py_ssize_t epoch) noexcept nogil:
        """Draw the order of an epoch of `epochs`, counted from 0, and keep the parameters."""
        cdef Py_ssize_t i
        if self.order is not None:
            fill_permutation(self.order, self.seeds[epoch])
            if self.chosen is not None:
                for i in range(self.order.shape[0]):
                    self.order[i] = self.chosen[self.order[i]]
        memcpy(self.parameters_before, self.parameters.data, self.parameters.row_stride)

    cdef bint next_epoch(self) noexcept nogil:
        cdef Py_ssize_t done
        # The update of the last step can overflow, and no later loss would show it.
        if self.epochs_left == 0 or not all_finite(&self.parameters):
            return False
        done = self.results.shape[0] - self.epochs_left
        self.results[done, 0], self.results[done, 1], self.results[done, 2] = self.loss, self.metric, clock()
        self.epochs_left -= 1
        if self.epochs_left == 0:
            return False
        self.begin_epoch(done + 1)
        self.loss, self.metric, self.batches_done = 0, 0, 0
        if self.rates != NULL:
            self.rates += self.epoch_steps
        return True

    def step(self, Samples X, targets, threads=1, const double[::1] weights=None):
        """Run one step on all rows as one batch; return the loss before it, summed or averaged by the reduction.

        If the loss is NaN or infinite, nothing is changed; nor if all weights are 0, where the loss counts as 0.
        """
        cdef Py_ssize_t n = X.view.rows
        cdef double rate = self.next_rate(), divisor = n
        if weights is not None:
            divisor = sum_of_weights(weights, NULL, 0, n)
            if divisor == 0:
                return 0.0
        self.loss = self.metric = 0
        self.train(X, targets, NULL, n, n, 0, 1, &rate, None, threads, weights, &divisor, 0, False)
        cdef double loss = self.p.loss + self.p.penalty
        return loss / divisor if self.engine.mean else loss

    def learn_one(self, x, y):
        """Run one step on one sample (in,) and its target; return the loss before it.

        If the loss is NaN or infinite, nothing is changed.
        """
        cdef Engine engine = self.engine
        cdef double rate
        cdef bint stopped
        if engine.has_batch_norm:
            raise ValueError("x is one sample, which has no variance for batch norm; expected a network without it")
        engine.begin_training()
        try:
            if self.plan is None or self.plan_version != engine.plan_version or self.plan.is_sparse:
                self.make_plan(1, 1, False, NULL)
            engine.read_row(self.x, x)
            self.read_target(y)
            rate = self.next_rate()
            if 3 * engine.work <= costs.gil_release:
                stopped = self.run_single_step(rate)
            else:
                with nogil:
                    stopped = self.run_single_step(rate)
            if stopped:
                cg_set_count(&self.step_count, self.step_count - 1)
            if self.single_interrupts.error is not None:
                error, self.single_interrupts.error = self.single_interrupts.error, None
                raise error
            return self.p.loss + self.p.penalty
        finally:
            self.x.release()
            self.y.release()
            engine.end_training()

    cdef bint run_single_step(self, double rate) noexcept nogil:
        """Run one step on the sample in `x`, on one thread. True: stopped, nothing is changed."""
        cdef bint stopped
        self.p.x, self.p.order, self.p.start, self.p.ahead.rows = &self.x.view, NULL, 0, 0
        self.p.sparse, self.p.weights = NULL, NULL
        self.p.rows, self.p.batch_rows, self.p.continues, self.p.is_last = 1, 1, False, True
        self.begin_step(rate, 1)
        self.plan.pass_id += 1
        self.single_interrupts.flush_denormals()
        stopped = self.plan.run(&self.p, 0, self.single_interrupts)
        self.single_interrupts.restore_denormals()
        return stopped

    cdef int read_target(self, y) except -1:
        """Point `p` to one target: a class index, a number for a single output, or numbers (out,)."""
        cdef bint classes = self.engine.takes_classes(), integer = PyLong_Check(y)
        cdef Py_ssize_t outputs = self.engine.target_columns, axes = 0
        cdef double value = INFINITY
        self.p.custom = NULL
        if self.engine.custom_loss is not None:
            self.custom_target = np.asarray(y)[np.newaxis]
            self.p.custom, self.p.custom_targets = <void *> self.engine.custom_loss, <void *> self.custom_target
            self.p.y, self.p.labels = NULL, NULL
            return 0
        if integer or PyFloat_Check(y):
            try:
                value = y
            except OverflowError:       # larger than any float: no class, and no finite target
                pass
            self.y.hold_number(value)
        else:
            self.y.acquire_array(y, "y")
            axes, integer = self.y.buffer.ndim, self.y.view.type < CG_FLOAT32
            if axes == 0:
                value = read_number(self.y.view.data, self.y.view.type)
        self.p.y, self.p.labels = &self.y.view, NULL
        if axes == 0 and integer and classes and 0 <= value < outputs:
            self.label = <int64_t> value
            self.p.y, self.p.labels = NULL, &self.label
        elif axes == 1 and self.y.view.rows == outputs and self.engine.takes_rows():
            self.y.as_row()
        elif axes == 0 and self.engine.repeats_targets:
            self.y.hold_number(value)
            self.y.view.cols, self.y.view.col_stride = outputs, 0
        elif axes != 0 or outputs != 1 or classes:
            self._raise_target_error(y, axes == 0 and classes and not integer)
        return 0

    def _raise_target_error(self, y, bint another_type):
        """Raise the error that describes the expected target."""
        kinds, outputs = [], self.engine.target_columns
        if self.engine.takes_classes():
            kinds.append(f"a class index from 0 to {outputs - 1}")
        if self.engine.takes_rows():
            what = "probabilities" if kinds else "numbers"
            number = "a number or " if self.engine.repeats_targets else ""
            kinds.append("a number" if outputs == 1 else f"{number}{what} of shape ({outputs},)")
        given = f"is {y}" if np.ndim(y) == 0 else f"has shape {np.shape(y)}"
        raise (TypeError if another_type else ValueError)(f"y {given}, expected {' or '.join(kinds)}")
