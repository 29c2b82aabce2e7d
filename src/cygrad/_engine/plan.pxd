cimport cython

from cygrad._engine.equations cimport Clipping, Layer, Part, Pass, Workspace
from cygrad._engine.kernels cimport cg_kernels, cg_matrix, cg_prefetch, cg_sparse
from cygrad._engine.interrupts cimport Interrupts


cdef enum Kind:
    GATHER          # rows of X, and of the targets, into panels
    FORWARD         # z = a W + b; a = σ(z)
    SPARSE_FORWARD  # the same for the first layer, over the non-zeros of sparse samples
    SOFTMAX         # a = softmax(z)
    OUTPUT_DELTA    # loss, metric, δᴸ = ∇ₐC ⊙ σ′(zᴸ)
    HIDDEN_DELTA    # δˡ = (δˡ⁺¹ (Wˡ⁺¹)ᵀ) ⊙ σ′(zˡ)
    SORT_BY_COLUMN  # these non-zeros by their columns, for …
    GRADIENT        # ∂C/∂W = aᵀ δ, ∂C/∂b = Σ δ; W ← W − η ∂C/∂W, b likewise, or the gradient is stored
    SPARSE_GRADIENT     # … the same for the first layer
    CLIP            # the factor of each layer's stored gradient
    UPDATE          # W ← W − η ∂C/∂W, b likewise, by the stored gradient
    # Layers that are not dense, forward, and the δ of the layer below them: see layers.pyx.
    NORMALIZE
    NORMALIZE_DELTA
    DISTURB
    DISTURB_DELTA
    ADD_SOURCE
    ADD_SOURCE_DELTA
    SCALE
    SCALE_DELTA
    SCALE_GRADIENT  # ∂C/∂γ = Σ δ ⊙ x̂, or Σ δ ⊙ x of scaling; ∂C/∂β = Σ δ; and the updates
    LIMIT_NORMS     # w ← w c / ‖w‖ where ‖w‖ > c, for the weights w of each unit


# One operation of a pass. A task computes one panel of columns of its result, for one block of its rows.
cdef struct Operation:
    Kind kind
    Py_ssize_t layer            # 1 … L; layer 0 is the input
    Py_ssize_t panels, rows, blocks, block_rows
    Py_ssize_t unit             # block_rows is a multiple of it
    Py_ssize_t first            # where it begins: the panel of a hidden δ, the row of the weights of a gradient
    Py_ssize_t work             # multiply-adds of a task
    bint is_split               # whether threads share its tasks, which takes a barrier
    bint runs_with_next         # whether it runs undivided, as an extra task of the next split operation
    bint follows_updates        # whether an operation before it updates parameters
    bint once_per_batch         # whether it needs the gradient of the whole batch, and not of a block of its rows
    Py_ssize_t attached         # number of operations before this one that run with it


# What threads and their preparations cost. `set_costs` changes them.
cdef struct Costs:
    Py_ssize_t barrier              # multiply-adds that take as long as one barrier between two threads
    double transfer                 # moving one number to another core's cache, in barriers
    Py_ssize_t softmax              # the exp of one number, in multiply-adds
    Py_ssize_t update               # the update of one parameter by a stored gradient, in multiply-adds
    Py_ssize_t gather               # gathering one number, in multiply-adds
    double non_zero                 # a multiply-add with a row of weights that is anywhere, in multiply-adds
    Py_ssize_t thread_start         # starting a thread, until it computes, in barriers
    Py_ssize_t inference_share      # work of inference that pays for another thread, in barriers
    Py_ssize_t gil_release          # multiply-adds from which on releasing the GIL pays
    Py_ssize_t private_input_bytes  # samples of a batch that fit into a core's cache beside its weights
    Py_ssize_t prefetch_bytes       # samples in all that stay in a cache without being prefetched
    Py_ssize_t block_bytes          # the numbers of all layers for a block of rows, which stay in a core's cache
    Py_ssize_t sparse_block_bytes   # the same for sparse samples, whose gradient takes longer from block to block
    Py_ssize_t block_rows           # rows of a block, at least
    Py_ssize_t whole_operation      # multiply-adds of an operation that one call computes, all panels
    Py_ssize_t in_place_bytes       # activations of a layer that are so large that δ takes their place
    Py_ssize_t in_place_work        # of a pass in which δ does: most of it cannot be given up, for an interrupt
    Py_ssize_t turn                 # handing a sum on to the thread with the next block, in multiply-adds

cdef Costs costs


cdef class Plan:
    cdef Workspace workspace
    cdef Py_ssize_t capacity, operations
    cdef bint targets, keep         # as in `prepare`
    cdef Py_ssize_t lowest_delta
    cdef int most_members           # threads that it may have at most
    cdef bint in_place              # whether δ of layers takes the place of their activations: see `panels_in_place`
    cdef Py_ssize_t first_gradient  # the first GRADIENT operation
    cdef Py_ssize_t first_update    # the first operation that changes parameters: from there on a pass is completed
    cdef Py_ssize_t work            # multiply-adds of a pass over `capacity` rows
    cdef bint is_sparse             # whether the samples are sparse
    cdef double row_nonzeros        # their non-zeros in a row, on average
    cdef int members                # threads that may share its tasks
    cdef int copies                 # passes that may run at once, each in rows of its own
    cdef double cost                # estimated time of a pass on these threads, in multiply-adds
    cdef Operation *operation
    cdef Py_ssize_t pass_id         # of the current pass
    cdef Py_ssize_t *gathered       # for each member the pass whose samples are in its private input
    cdef object memory              # the block of the workspace
    cdef object memory_of_squares   # those of the penalty, or None
    cdef char *base                 # its address
    cdef Py_ssize_t memory_size     # its bytes
    cdef char *allocate(self, Py_ssize_t size) except NULL
    cdef int allocate_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1
    @cython.final
    cdef Py_ssize_t panels(self, Py_ssize_t columns) noexcept nogil
    cdef int prepare(self, const cg_kernels *kernels, const Layer *layers, Py_ssize_t depth, Py_ssize_t inputs, int loss,
                     bint mean,
                     Py_ssize_t capacity, bint targets, Py_ssize_t lowest_delta, bint keep, int members=*,
                     int copies=*, Clipping clipping=*, const cg_sparse *sparse=*, bint training=*) except -1
    cdef int list_and_split(self) except -1
    cdef int take_memory(self, bint in_place, const cg_sparse *sparse) except -1
    cdef bint serves(self, const cg_sparse *sparse) noexcept
    cdef int allocate_columns(self, const cg_sparse *sparse) except -1
    cdef int lay_out_all(self, const cg_sparse *sparse) except -1
    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1
    cdef int lay_out_in_place(self) except -1
    cdef void clear_padding(self, const Part *part) noexcept nogil
    cdef Py_ssize_t panels_in_place(self, Py_ssize_t l) noexcept nogil
    cdef bint gains_in_place(self) noexcept nogil
    cdef int add_in_place(self, Py_ssize_t l) except -1
    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1
    cdef int add(self, Kind kind, Py_ssize_t layer, Py_ssize_t columns, Py_ssize_t rows, Py_ssize_t unit,
                 Py_ssize_t work) except -1
    cdef Py_ssize_t max_tasks(self, const Operation *op) noexcept nogil
    cdef int best_thread_count(self, int most) noexcept nogil
    cdef int split_operations(self) except -1
    cdef double cost_in_turn(self, Py_ssize_t rows, Py_ssize_t block, int members) noexcept nogil
    cdef Py_ssize_t bytes_of_squares(self, Py_ssize_t l) noexcept
    cdef int allocate_factors(self) except -1
    cdef int allocate_private_inputs(self) except -1
    cdef bint has_update(self, Py_ssize_t l) noexcept nogil
    cdef bint is_read_again(self) noexcept
    cdef int lay_out_kept(self, Py_ssize_t l, bint backward) except -1
    @cython.final
    cdef bint passes_through(self, Py_ssize_t l) noexcept nogil
    @cython.final
    cdef bint is_source(self, Py_ssize_t l) noexcept nogil
    cdef int add_norm_limits(self) except -1
    cdef int add_penalty(self) except -1
    @cython.final
    cdef bint run(self, Pass *p, int member, Interrupts interrupts) noexcept nogil
    cdef bint run_operation(self, const Operation *op, Pass *p, int member, Interrupts interrupts) noexcept nogil
    @cython.final
    cdef bint run_task(self, const Operation *op, Py_ssize_t index, Pass *p, int member,
                       Interrupts interrupts) noexcept nogil
    @cython.final
    cdef bint takes_all_panels(self, const Operation *op, const Pass *p) noexcept nogil
    cdef void run_output_delta(self, Pass *p, bint loss_alone) noexcept nogil
    cdef double penalty_of(self, const Pass *p) noexcept nogil
    cdef int norm_stages(self, const Operation *op) noexcept nogil
    cdef char *norm_statistics(self, const Operation *op, Py_ssize_t *size) noexcept nogil
    cdef void run_norm_stage(self, const Operation *op, int stage, const Pass *p, bint continues,
                             bint is_last) noexcept nogil
    cdef void sum_all_weights(self) noexcept nogil
    cdef void run_weight_gradient(self, const Operation *op, Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t block,
                                  const Pass *p, int member) noexcept nogil
    cdef void run_bias_gradient(self, const Operation *op, const Pass *p) noexcept nogil
    cdef void run_sum_of_squares(self, const Operation *op, const Pass *p) noexcept nogil
    cdef Part whole_layer(self, Py_ssize_t l) noexcept nogil
    @cython.final
    cdef bint claim_gather(self, const Part *part) noexcept nogil
    @cython.final
    cdef void look_ahead(self, const Operation *op, Py_ssize_t index, Py_ssize_t rows, const Pass *p,
                         cg_prefetch *ahead) noexcept nogil


cdef char *address(block) except NULL
cdef bint call_custom(const Workspace *s, Pass *p, Interrupts interrupts) noexcept with gil
