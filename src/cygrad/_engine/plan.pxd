from libc.stdint cimport int64_t

from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_kernels, cg_matrix, cg_prefetch, cg_samples, cg_update
from cygrad._engine.team cimport Watch


cdef enum Kind:
    GATHER          # rows of X, and of the targets, into panels
    FORWARD         # z = W a + b; a = σ(z)
    SOFTMAX         # a = softmax(z)
    OUTPUT_DELTA    # loss, metric, δᴸ = ∇ₐC ⊙ σ′(zᴸ)
    HIDDEN_DELTA           # δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)
    GRADIENT        # ∂C/∂W = δ aᵀ; ∂C/∂b = δ; W ← W − η ∂C/∂W, b likewise


# A task is one panel of columns of what the operation computes, and one of the blocks into which its rows are cut.
cdef struct Operation:
    Kind kind
    Py_ssize_t layer            # 1 … L; layer 0 is the input
    Py_ssize_t panels, rows, blocks, block_rows
    Py_ssize_t unit             # rows that a block has a multiple of
    Py_ssize_t work             # multiply-adds of a task
    bint is_split                # whether its tasks are worth a meeting of threads
    bint runs_with_next                  # whether it is done whole, as one more task of the next one that is divided
    Py_ssize_t attached           # how many before this one join it


# The parameters of one dense layer, in the engine's storage.
cdef struct Layer:
    int activation
    bint train_weights, train_biases
    Py_ssize_t inputs
    cg_matrix w         # [in, out]; its rows are padded to whole panels
    char *b             # [out]


# What one pass over a plan works on, and what comes of it.
cdef struct Pass:
    const cg_samples *x
    const cg_samples *y         # rows of targets, or NULL
    const int64_t *labels       # class indices, or NULL
    const int64_t *order        # numbers of the rows to take, or NULL for start, start + 1, …
    Py_ssize_t start, rows
    Py_ssize_t first            # row of the workspace where the batch begins
    Py_ssize_t gradient_offset        # distance in bytes from a parameter to where its gradient is stored
    Py_ssize_t state_offsets[2]        # distances in bytes from a parameter to its optimiser states
    cg_update update
    cg_prefetch ahead           # rows that the next pass will gather
    bint stop_if_not_finite                # whether a loss that is not finite stops the pass
    double loss, metric         # sums over the rows


# Multiply-adds that take as long as a meeting of two threads; what else threads cost is counted in it.
cdef Py_ssize_t BARRIER_COST


cdef class Plan:
    cdef const cg_kernels *kernels
    cdef const Layer *layers        # 1 … depth
    cdef Py_ssize_t depth, capacity, operations
    cdef Py_ssize_t first_update    # number of the operation from which on the pass cannot be given up
    cdef Py_ssize_t work            # multiply-adds of a pass over `capacity` rows
    cdef int members                # threads that may do its tasks
    cdef Operation *operation
    cdef int loss
    cdef bint mean
    cdef Py_ssize_t pass_id          # of the pass at work
    cdef cg_matrix *private_input             # a⁰ once more for each member, or NULL: they share one
    cdef Py_ssize_t *gathered       # the pass whose samples are in a member's own a⁰, CACHE_LINE_PAIR numbers apart
    cdef cg_matrix *a               # [capacity, units of the layer], 0 … depth; likewise z and delta
    cdef cg_matrix *z
    cdef cg_matrix *delta           # data NULL where no delta is wanted
    cdef cg_matrix y
    cdef int64_t *labels
    cdef char *log_sum_exp
    cdef char *transposed           # one panel of Wᵀ for each member
    cdef Py_ssize_t transposed_size
    cdef list memory
    cdef char *allocate(self, Py_ssize_t size) except NULL
    cdef int allocate_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1
    cdef int prepare(self, const Layer *layers, Py_ssize_t depth, int loss, bint mean, Py_ssize_t capacity,
                     bint targets, Py_ssize_t lowest_delta, bint keep, int members=*) except -1
    cdef Py_ssize_t panels(self, const cg_matrix *m) noexcept nogil
    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1
    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1
    cdef int add(self, Kind kind, Py_ssize_t layer, Py_ssize_t columns, Py_ssize_t rows, Py_ssize_t unit,
                 Py_ssize_t work) except -1
    cdef Py_ssize_t max_tasks(self, const Operation *op) noexcept nogil
    cdef int best_thread_count(self, int most) noexcept nogil
    cdef int divide(self) except -1
    cdef bint run(self, Pass *p, int member, Watch watch) noexcept nogil
    cdef bint run_operation(self, const Operation *op, Pass *p, int member, Watch watch) noexcept nogil
    cdef bint run_task(self, const Operation *op, Py_ssize_t index, Pass *p, int member, Watch watch) noexcept nogil
    cdef void look_ahead(self, const Operation *op, Py_ssize_t index, Py_ssize_t rows, Pass *p,
                         cg_prefetch *ahead) noexcept nogil
    cdef int allocate_private_inputs(self) except -1
    cdef cg_matrix layer_input(self, Pass *p, Py_ssize_t l, int member) noexcept nogil
    cdef bint claim_gather(self, Py_ssize_t l, Py_ssize_t panel, int member) noexcept nogil
    cdef void gather(self, Pass *p, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void forward(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows,
                      int member) noexcept nogil
    cdef void softmax(self, Pass *p, Py_ssize_t first, Py_ssize_t rows) noexcept nogil
    cdef void output_delta(self, Pass *p) noexcept nogil
    cdef void hidden_delta(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows,
                       int member) noexcept nogil
    cdef void learn(self, Pass *p, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows, int member,
                    cg_prefetch *ahead) noexcept nogil


cdef char *address(block) except NULL


cdef inline cg_matrix from_row(const cg_matrix *m, Py_ssize_t first) noexcept nogil:
    """The rows of a matrix from `first` on."""
    cdef cg_matrix rest = m[0]
    rest.data += first * CG_PANEL_BYTES
    return rest
