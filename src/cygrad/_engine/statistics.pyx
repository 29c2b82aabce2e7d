"""Statistics of a backward pass, layer by layer. `training` includes this file.

The norms are summed as those for clipping, so that they have the same bits everywhere.
"""

from cygrad._engine.engine cimport Differentiation
from cygrad._engine.equations cimport Layer, is_trained
from cygrad._engine.kernels cimport (
    CG_ACTIVATION_hard_sigmoid, CG_ACTIVATION_hard_tanh, CG_ACTIVATION_relu, CG_ACTIVATION_sigmoid, CG_ACTIVATION_softsign,
    CG_ACTIVATION_tanh, CG_PANEL_BYTES, cg_kernels, cg_matrix
)

cdef double SATURATED = 0.01        # a slope below this share of the steepest one is flat


cdef double norm_of(const cg_kernels *kernels, const Layer *layer, Py_ssize_t offset, bint weights,
                    bint biases) noexcept nogil:
    """‖P‖ of what lies `offset` bytes from the weights, the biases, or both, of a layer."""
    cdef Py_ssize_t width = kernels.panel_width, panel, i, r
    cdef double total = 0
    cdef cg_matrix w = layer.w
    for panel in range((w.cols + width - 1) // width):
        for i in range((layer.inputs + width - 1) // width if weights else 0):
            r = i * width
            total += kernels.sum_of_squares(min(width, layer.inputs - r),
                                            w.data + offset + (panel * w.capacity + r) * CG_PANEL_BYTES)
        if biases:
            total += kernels.sum_of_squares(1, layer.b + offset + panel * CG_PANEL_BYTES)
    return sqrt(total)


cdef double activation_at(const cg_matrix *a, Py_ssize_t row, Py_ssize_t column, int itemsize) noexcept nogil:
    cdef Py_ssize_t width = CG_PANEL_BYTES // itemsize
    cdef const char *place = a.data + (column // width * a.capacity + row) * CG_PANEL_BYTES
    return (<const float *> place)[column % width] if itemsize == 4 else (<const double *> place)[column % width]


cdef double share_of_idle_units(const cg_matrix *a, Py_ssize_t rows, int itemsize) noexcept nogil:
    """The share of units whose activation is 0 in all rows."""
    cdef Py_ssize_t c, r, idle = 0
    for c in range(a.cols):
        for r in range(rows):
            if activation_at(a, r, c, itemsize) > 0:
                break
        else:
            idle += 1
    return <double> idle / a.cols


cdef double relative_slope(int activation, double a) noexcept nogil:
    """σ′ / max σ′ where σ = a, for functions that saturate; −1 for others."""
    if activation == CG_ACTIVATION_sigmoid:
        return 4 * a * (1 - a)
    if activation == CG_ACTIVATION_tanh:
        return 1 - a * a
    if activation == CG_ACTIVATION_softsign:
        return (1 - fabs(a)) * (1 - fabs(a))
    if activation == CG_ACTIVATION_hard_tanh:
        return fabs(a) < 1
    if activation == CG_ACTIVATION_hard_sigmoid:
        return 0 < a < 1
    return -1


cdef double share_of_flat_slopes(const cg_matrix *a, Py_ssize_t rows, int activation, int itemsize) noexcept nogil:
    """The share of activations at which σ′ < SATURATED max σ′."""
    cdef Py_ssize_t c, r, flat = 0
    for c in range(a.cols):
        for r in range(rows):
            if relative_slope(activation, activation_at(a, r, c, itemsize)) < SATURATED:
                flat += 1
    return <double> flat / (a.cols * rows)


def layer_statistics(Engine engine, Samples X, targets, const int64_t[::1] order, change, int64_t step,
                     threads=1, const double[::1] weights=None):
    """Run one pass forward and back over the rows `order`, and describe each layer that is trained.

    Returns tuples: the layer, counted from 0, ‖∂C/∂P‖ of its trained parameters, ‖W‖, ‖`change` of W‖, and the shares of
    idle units and of flat slopes, None where the activation has no such thing. `change` is laid out as the storage.
    Layers are in training, with the random numbers of `step`. `weights` are those of all samples of X.
    """
    cdef Py_ssize_t n = order.shape[0], l, to_change
    cdef Differentiation context = engine.begin_differentiation(X, n, 1, True, False, threads, n > 1)
    cdef SequentialPasses passes = context.passes
    cdef const cg_kernels *kernels = engine.kernels
    cdef const Layer *layer
    cdef const cg_matrix *a
    cdef int activation
    cdef double total
    changes = change.view(np.uint8)
    to_change = address(changes) - address(engine.block)
    passes.p.x = &X.view
    set_targets(engine, &passes.p, targets)
    passes.p.order, passes.p.sparse, passes.p.step = &order[0], X.sparse_rows(), step
    passes.p.weights = NULL
    if weights is not None:
        total = sum_of_weights(weights, &order[0], 0, n) or 1
        passes.p.weights, passes.p.scale = &weights[0], 1 / total if engine.mean else 1
    try:
        passes.loss = passes.metric = 0
        passes.run(n, n, 0, 1, None)
        if passes.interrupts.error is not None:
            error, passes.interrupts.error = passes.interrupts.error, None
            raise error
        rows = []
        for l in range(1, engine.depth + 1):
            layer, a = &engine.trained[l], &passes.plan.workspace.a[l]
            activation = layer.activation
            if not is_trained(layer):
                continue
            idle = flat = None
            if activation == CG_ACTIVATION_relu:
                idle = share_of_idle_units(a, n, kernels.itemsize)
            elif relative_slope(activation, 0) >= 0:
                flat = share_of_flat_slopes(a, n, activation, kernels.itemsize)
            rows.append((l - 1, norm_of(kernels, layer, context.offset, layer.train_weights, layer.train_biases),
                         norm_of(kernels, layer, 0, True, False), norm_of(kernels, layer, to_change, True, False),
                         idle, flat))
        return rows
    finally:
        passes.p.order, passes.p.weights = NULL, NULL
        engine.end_differentiation(context)
