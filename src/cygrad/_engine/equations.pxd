from libc.stdint cimport int64_t, uint64_t

from cygrad._engine.kernels cimport (
    CG_MOST_STATES, CG_PANEL_BYTES, cg_columns, cg_kernels, cg_matrix, cg_prefetch, cg_samples, cg_sparse, cg_update
)


cdef enum LayerKind:
    DENSE               # z = a W + b
    BATCH_NORM          # z = γ x̂ + β, with mean and variance of each column
    LAYER_NORM          # the same with those of each row
    DROPOUT             # a = x ⊙ random factors, in training
    GAUSSIAN_NOISE      # a = x + random numbers, in training
    RESIDUAL_SUM        # z = x + the output of an earlier layer
    SCALING             # z = γ x, with a factor γ for each column


# One layer and its parameters, in the engine's storage. A norm has γ in the place of W and β in the place of b; scaling
# has γ alone, and zeros in the place of b.
cdef struct Layer:
    LayerKind kind
    int activation
    double parameter            # of the activation, if it has one
    bint train_weights, train_biases
    Py_ssize_t inputs           # rows of W; one of γ, none where there are no parameters
    cg_matrix w                 # [in, out]; its rows are padded to whole panels
    char *b                     # [out]
    double weights_rate_factor, biases_rate_factor      # multiply the learning rate
    char *running_mean          # [out], of batch norm; and the variance
    char *running_variance
    double amount               # ε of a norm, the rate of dropout, the standard deviation of noise
    double momentum             # of the running statistics: the weight of the new ones
    Py_ssize_t source           # the layer whose output a residual sum adds


# How a gradient is clipped before the update.
cdef enum ClippingKind:
    CLIP_NOTHING        # the gradient of a tile is applied at once, and never stored
    CLIP_VALUE          # each number: from −limit to limit
    CLIP_NORM           # of the parameters of each layer, at most the limit
    CLIP_GLOBAL_NORM    # of all trained parameters, at most the limit


cdef struct Clipping:
    ClippingKind kind
    double limit


# What the equations read and write besides the parameters, for batches of up to `capacity` rows.
cdef struct Workspace:
    const cg_kernels *kernels
    const Layer *layers         # 1 … depth
    Py_ssize_t depth
    Py_ssize_t inputs           # columns of the samples
    int loss
    const double *parameters    # of the loss, or NULL
    Py_ssize_t n_parameters
    bint mean                   # whether C is the mean over the batch, and not the sum
    bint training               # whether norms take the statistics of the batch, and random numbers are drawn
    bint has_sums               # whether there are residual sums
    cg_matrix *a                # [capacity, units of the layer], 0 … depth; likewise z and delta
    cg_matrix *z                # the same memory as a where no equation needs both
    cg_matrix *delta            # data NULL where no delta is computed
    cg_columns columns          # the non-zeros of sparse samples, for the gradient of the first layer
    cg_matrix *kept             # what a layer keeps for the way back: x̂ of a norm, the factors of dropout
    char **statistics           # of batch norm: mean and variance of the batch, means of δ and δ x̂, or their sums so
                                # far, [4, units]; of layer norm: 1 / √(variance + ε) of each row
    cg_matrix *private_input    # a⁰ once more for each member, or NULL: they share one
    cg_matrix y                 # [capacity, outputs]
    int64_t *labels             # [capacity]
    char *weights               # [capacity], of the samples
    char *log_sum_exp           # [capacity], of softmax
    char *transposed            # one panel of Wᵀ for each member
    Py_ssize_t transposed_size  # bytes
    Clipping clipping
    double **squares            # for each layer Σ (∂C/∂P)² of the blocks of its weights, and of its biases; before
                                # these are known, Σ W² of the same blocks, where there is a penalty
    double *power               # of two, by which each layer's gradient is multiplied, and then
    double *factor              # by this


# One pass over a batch, or over a block of its rows: its samples, its update, and its sums.
cdef struct Pass:
    const cg_samples *x
    const cg_sparse *sparse     # the samples, where they are sparse; of `x` only the shape is used then
    const cg_samples *y         # rows of targets, or NULL
    const int64_t *labels       # class indices, or NULL
    void *custom                # a loss that is a Python function, or NULL; and its targets
    void *custom_targets
    double custom_loss          # the sum of its losses over the rows
    const double *weights       # of the samples, which are numbers of the dtype, or NULL: all count once
    double scale                # 1, or 1 / (sum of the batch's weights); only where there are weights
    const int64_t *order        # row numbers to gather, or NULL for start, start + 1, …
    Py_ssize_t start, rows
    Py_ssize_t first            # row of the workspace where the batch begins
    Py_ssize_t batch_rows       # of the whole batch, where these rows are a block of it
    bint continues              # whether blocks of the batch have gone before
    bint is_last                # whether no more follow: the gradient is complete then, and the parameters are updated
    bint stores_gradient        # whether the gradient is stored, and the update is an operation of its own
    bint has_statistics         # whether the statistics of batch norm are those of the whole batch already
    bint in_turn                # whether other threads compute the blocks before and after this one meanwhile
    void *partial_sums          # of the loss and the metric, from block to block, or NULL if there is only one
    Py_ssize_t sums_offset      # bytes from a parameter to where its gradient is summed from block to block
    Py_ssize_t gradient_offset  # bytes from a parameter to where its gradient is stored
    Py_ssize_t state_offsets[CG_MOST_STATES]    # bytes from a parameter to its optimiser states
    cg_update update
    double l2_penalty           # α of the penalty, or 0
    double max_norm             # of the weights of a unit, where the plan has LIMIT_NORMS
    cg_prefetch ahead           # rows that the next pass will gather
    uint64_t seed               # of the random numbers of dropout and noise
    int64_t step
    bint stop_if_not_finite     # whether a loss that is not finite stops the pass
    double loss, metric         # sums over the rows of the batch so far, set by output_delta
    double penalty              # ½ α Σ W² before the update: it counts as a part of the loss of the whole batch


# The part of an equation that one task computes: panels of columns, and a block of rows of them.
cdef struct Part:
    Py_ssize_t layer            # 1 … depth; 0 is the input
    Py_ssize_t panel, panels    # the first one, and how many
    Py_ssize_t first, rows      # samples, or inputs of the layer for its weight gradient
    int member                  # the thread that computes it
    bint gathers                # whether it gathers the samples first, for itself


cdef inline cg_matrix from_row(const cg_matrix *m, Py_ssize_t first) noexcept nogil:
    """The rows of a matrix from `first` on."""
    cdef cg_matrix rest = m[0]
    rest.data += first * CG_PANEL_BYTES
    return rest


cdef inline bint is_trained(const Layer *layer) noexcept nogil:
    """Whether training changes parameters of a layer: all that is done with a gradient is for these."""
    return layer.train_weights or layer.train_biases


cdef inline cg_update update_of_layer(const cg_update *u, double rate_factor, bint decays) noexcept nogil:
    """A step with the learning rate of a layer's weights, which decay, or of its biases, which do not."""
    cdef cg_update update = u[0]
    if not decays:
        update.weight_decay = update.shrinkage = update.threshold = 0
    update.rate *= rate_factor
    update.gradient_rate *= rate_factor
    update.shrinkage *= rate_factor
    update.threshold *= rate_factor
    return update
