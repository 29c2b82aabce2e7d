"""The layers that are not dense: norms, scaling, dropout and noise, residual sums. Each has its forward and its backward equation
here, and in `list_layer` and `list_delta` what they cost. The plan includes this file.

δˡ of the layer below another kind of layer is computed as below a dense one: ∂C/∂aˡ first, to which the δ of each residual
sum is added that takes aˡ too, then ⊙ σ′(zˡ).
"""

from cygrad._engine.equations cimport (
    BATCH_NORM, DENSE, DROPOUT, GAUSSIAN_NOISE, LAYER_NORM, RESIDUAL_SUM, SCALING, Layer, LayerKind, Part, Pass,
    Workspace, from_row
)
from cygrad._engine.kernels cimport CG_ACTIVATION_identity, cg_matrix, cg_noise, cg_norm, cg_update


# Multiply-adds that take as long as these layers' work for one number.
cdef Py_ssize_t NORM_WORK = 12, DROPOUT_WORK = 16, NOISE_WORK = 64, SUM_WORK = 4, SCALE_WORK = 4


cdef int list_layer(Plan plan, Py_ssize_t l) except -1:
    """List the forward operation of a layer that is not dense."""
    cdef const Layer *layer = &plan.workspace.layers[l]
    cdef Py_ssize_t width = plan.workspace.kernels.panel_width, rows = plan.capacity, units = layer.w.cols
    if layer.kind == BATCH_NORM:
        # The batch's statistics are chains over all rows, so its tasks have all rows.
        plan.add(NORMALIZE, l, units, rows, rows if plan.workspace.training else TILE, NORM_WORK * width)
    elif layer.kind == LAYER_NORM:
        plan.add(NORMALIZE, l, 1, rows, VECTOR, NORM_WORK * units)
    elif layer.kind == RESIDUAL_SUM:
        plan.add(ADD_SOURCE, l, units, rows, TILE, SUM_WORK * width)
    elif layer.kind == SCALING:
        plan.add(SCALE, l, units, rows, TILE, SCALE_WORK * width)
    elif plan.workspace.training:
        plan.add(DISTURB, l, units, rows, TILE, (DROPOUT_WORK if layer.kind == DROPOUT else NOISE_WORK) * width)
    return 0


cdef int list_delta(Plan plan, Py_ssize_t l) except -1:
    """List the operation that computes δ of layer l below a layer that is not dense."""
    cdef const Layer *above = &plan.workspace.layers[l + 1]
    cdef Py_ssize_t width = plan.workspace.kernels.panel_width, rows = plan.capacity, units = above.w.cols
    if above.kind == BATCH_NORM:
        plan.add(NORMALIZE_DELTA, l, units, rows, rows if plan.workspace.training else TILE, NORM_WORK * width)
    elif above.kind == LAYER_NORM:
        plan.add(NORMALIZE_DELTA, l, 1, rows, VECTOR, NORM_WORK * units)
    elif above.kind == RESIDUAL_SUM:
        plan.add(ADD_SOURCE_DELTA, l, units, rows, TILE, SUM_WORK * width)
    elif above.kind == SCALING:
        plan.add(SCALE_DELTA, l, units, rows, TILE, SCALE_WORK * width)
    else:
        plan.add(DISTURB_DELTA, l, units, rows, TILE, SUM_WORK * width)
    return 0


cdef void apply_activation(const Workspace *s, const Part *part, cg_matrix *z, cg_matrix *a) noexcept nogil:
    """a = σ(z)"""
    cdef int activation = s.layers[part.layer].activation
    cdef Py_ssize_t panel
    if z.data == a.data and activation == CG_ACTIVATION_identity:
        return
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.activate(activation, s.layers[part.layer].parameter, panel, part.rows, z, a)


cdef void complete_delta(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """δˡ = (∂C/∂aˡ + Σ δ of the residual sums of aˡ) ⊙ σ′(zˡ);  for the input, l = 0, without σ′"""
    cdef Py_ssize_t panel, l = part.layer, m, r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[l], r), z = from_row(&s.z[l], r), a = from_row(&s.a[l], r), other
    cdef int activation = s.layers[l].activation if l > 0 else CG_ACTIVATION_identity
    for m in range(l + 1, s.depth + 1 if s.has_sums else 0):
        if s.layers[m].kind == RESIDUAL_SUM and s.layers[m].source == l:
            other = from_row(&s.delta[m], r)
            for panel in range(part.panel, part.panel + part.panels):
                s.kernels.matrix_sum(panel, part.rows, &delta, &other, &delta)
    if activation != CG_ACTIVATION_identity:
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.slope(activation, s.layers[l].parameter, panel, part.rows, &z, &a, &delta)


cdef bint has_residual_sum(const Workspace *s, Py_ssize_t l) noexcept nogil:
    """Return whether a residual sum takes the output of layer l."""
    cdef Py_ssize_t m
    for m in range(l + 1, s.depth + 1 if s.has_sums else 0):
        if s.layers[m].kind == RESIDUAL_SUM and s.layers[m].source == l:
            return True
    return False


# Norms

cdef cg_norm norm_of(const Workspace *s, Py_ssize_t l, Py_ssize_t row, cg_matrix *normalized) noexcept nogil:
    """The numbers of a norm for rows from `row` on; `normalized` is set to x̂, if that is kept."""
    cdef const Layer *layer = &s.layers[l]
    cdef Py_ssize_t size = width_in_panels(s, layer.w.cols) * CG_PANEL_BYTES
    cdef cg_norm norm
    normalized[0] = from_row(&s.kept[l], row)
    norm.scale, norm.shift, norm.epsilon = layer.w.data, layer.b, layer.amount
    norm.normalized = normalized if s.kept[l].data != NULL else NULL
    norm.mean, norm.variance, norm.inverse = layer.running_mean, layer.running_variance, NULL
    if layer.kind == LAYER_NORM:
        norm.inverse = s.statistics[l] + row * s.kernels.itemsize
    elif s.training:
        norm.mean, norm.variance = s.statistics[l], s.statistics[l] + size
        norm.delta, norm.product = s.statistics[l] + 2 * size, s.statistics[l] + 3 * size
    return norm


# The statistics of a batch in training have stages, each a function: sum_columns, sum_columns with `squares`, and
# apply_norm; sum_deltas and apply_norm_delta. The rows of a batch may be divided into groups, one after another. The sums
# of a stage go on from group to group in `statistics`, whose first half is that of the way forward, and whose second half
# that of the way back; after the last group it has the results, which the next stage of every group takes.

cdef void sum_columns(const Workspace *s, const Pass *p, const Part *part, bint squares, bint continues,
                      bint is_last) noexcept nogil:
    """mean = x₀ + Σ (x − x₀) / n with x = aˡ⁻¹ and the first row x₀;  or, for `squares`, variance = Σ (x − mean)² / n

    n is `batch_rows`. continues: whether rows of the batch have gone before; is_last: whether none follow.
    """
    cdef Py_ssize_t panel, r = p.first + part.first
    cdef cg_matrix x = from_row(&s.a[part.layer - 1], r), normalized
    cdef cg_norm norm = norm_of(s, part.layer, r, &normalized)
    norm.rows, norm.continues, norm.is_last = p.batch_rows, continues, is_last
    for panel in range(part.panel, part.panel + part.panels):
        if squares:
            s.kernels.column_squares(panel, part.rows, &x, &norm)
        else:
            s.kernels.column_sums(panel, part.rows, &x, &norm)


cdef void sum_deltas(const Workspace *s, const Pass *p, const Part *part, bint continues, bint is_last) noexcept nogil:
    """The means Σ δˡ⁺¹ / n and Σ δˡ⁺¹ x̂ / n, as in `sum_columns`"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[l + 1], r), normalized
    cdef cg_norm norm = norm_of(s, l + 1, r, &normalized)
    norm.rows, norm.continues, norm.is_last = p.batch_rows, continues, is_last
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.delta_sums(panel, part.rows, &delta, &norm)


cdef void normalize(const Workspace *s, const Pass *p, Part *part) noexcept nogil:
    """Layer l forward; of batch norm in training, all stages for the whole batch"""
    if s.training and s.layers[part.layer].kind == BATCH_NORM and not p.has_statistics:
        sum_columns(s, p, part, False, False, True)
        sum_columns(s, p, part, True, False, True)
    apply_norm(s, p, part)


cdef void apply_norm(const Workspace *s, const Pass *p, Part *part) noexcept nogil:
    """zˡ = γ x̂ + β with x̂ = (aˡ⁻¹ − mean) / √(variance + ε);  aˡ = σ(zˡ)"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix x = from_row(&s.a[l - 1], r), z = from_row(&s.z[l], r), a = from_row(&s.a[l], r), normalized
    cdef cg_norm norm = norm_of(s, l, r, &normalized)
    if s.layers[l].kind == LAYER_NORM:
        s.kernels.layer_norm(part.rows, &x, &norm, &z)
        part.panels = width_in_panels(s, x.cols)
    else:
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.batch_norm(panel, part.rows, &x, &norm, &z)
    apply_activation(s, part, &z, &a)


cdef void normalize_delta(const Workspace *s, const Pass *p, Part *part) noexcept nogil:
    """δ of layer l below a norm; below batch norm in training, both stages for the whole batch"""
    if s.training and s.layers[part.layer + 1].kind == BATCH_NORM and not p.has_statistics:
        sum_deltas(s, p, part, False, True)
    apply_norm_delta(s, p, part)


cdef void apply_norm_delta(const Workspace *s, const Pass *p, Part *part) noexcept nogil:
    """∂C/∂aˡ⁻¹ = (g − mean of g − x̂ ⊙ mean of g x̂) / √(variance + ε) with g = γ ⊙ δˡ and the means of the norm"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[l + 1], r), below = from_row(&s.delta[l], r), normalized
    cdef cg_norm norm = norm_of(s, l + 1, r, &normalized)
    if s.layers[l + 1].kind == LAYER_NORM:
        s.kernels.layer_norm_delta(part.rows, &delta, &norm, &below)
        part.panels = width_in_panels(s, delta.cols)
    else:
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.batch_norm_delta(panel, part.rows, &delta, &norm, not s.training, &below)
    complete_delta(s, p, part)


cdef void scale_gradient(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂γ = Σ δˡ ⊙ x̂, ∂C/∂β = Σ δˡ over the samples, and the updates; then the running statistics of batch norm

    Scaling has its input aˡ⁻¹ in the place of x̂, and no β.
    """
    cdef const Layer *layer = &s.layers[part.layer]
    cdef cg_matrix delta = from_row(&s.delta[part.layer], p.first)
    cdef cg_matrix x = from_row(&s.a[part.layer - 1] if layer.kind == SCALING else &s.kept[part.layer], p.first)
    cdef cg_update update = block_update(p, layer.weights_rate_factor, False)
    cdef char *scale = layer.w.data
    cdef Part whole = part[0]
    if layer.train_weights:
        s.kernels.scale_gradient(p.rows, &delta, &x, scale + (p.gradient_offset if p.is_last else p.sums_offset),
                                 scale + p.sums_offset if p.continues else NULL, p.state_offsets, &update)
    whole.first, whole.rows, whole.panel = 0, 1, 0
    whole.panels = width_in_panels(s, layer.w.cols)
    bias_gradient(s, p, &whole)
    if not p.is_last:
        return      # the gradient is not complete
    if p.stores_gradient:
        sum_squares(s, p, &whole)
    elif layer.kind == BATCH_NORM:
        update_running_moments(s, p, part.layer)


cdef void update_running_moments(const Workspace *s, const Pass *p, Py_ssize_t l) noexcept nogil:
    """running ← running + momentum (new − running), for the mean and the unbiased variance of the batch"""
    cdef const Layer *layer = &s.layers[l]
    cdef cg_matrix normalized
    cdef cg_norm norm = norm_of(s, l, p.first, &normalized)
    if s.training and p.update.rule != CG_RULE_store:
        s.kernels.running_moments(p.batch_rows, layer.w.cols, layer.momentum, &norm, layer.running_mean, layer.running_variance)


# Scaling

cdef void scale(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """zˡ = γ ⊙ aˡ⁻¹;  aˡ = σ(zˡ)"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix x = from_row(&s.a[l - 1], r), z = from_row(&s.z[l], r), a = from_row(&s.a[l], r)
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.scale_columns(panel, part.rows, s.layers[l].w.data, &x, &z)
    apply_activation(s, part, &z, &a)


cdef void scale_delta(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂aˡ⁻¹ = γ ⊙ δˡ"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[l + 1], r), below = from_row(&s.delta[l], r)
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.scale_columns(panel, part.rows, s.layers[l + 1].w.data, &delta, &below)
    complete_delta(s, p, part)


# Dropout and noise

cdef void disturb(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """aˡ = aˡ⁻¹ ⊙ factors that are 0 or 1 / (1 − rate);  or aˡ = aˡ⁻¹ + normal numbers"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef const Layer *layer = &s.layers[l]
    cdef cg_matrix x = from_row(&s.a[l - 1], r), a = from_row(&s.a[l], r), kept = from_row(&s.kept[l], r)
    cdef cg_noise noise
    noise.amount, noise.seed, noise.step, noise.layer = layer.amount, p.seed, p.step, l
    noise.row = p.start + part.first
    for panel in range(part.panel, part.panel + part.panels):
        if layer.kind == DROPOUT:
            s.kernels.dropout(panel, part.rows, &x, &noise, &kept, &a)
        else:
            s.kernels.add_noise(panel, part.rows, &x, &noise, &a)


cdef void disturb_delta(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂aˡ⁻¹ = δˡ ⊙ the factors of dropout;  δˡ for noise, and without training"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[l + 1], r), below = from_row(&s.delta[l], r), kept
    if s.layers[l + 1].kind == DROPOUT and s.training:
        kept = from_row(&s.kept[l + 1], r)
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.matrix_product(panel, part.rows, &delta, &kept, &below)
    else:
        copy_panels(part, &delta, &below)
    complete_delta(s, p, part)


# Residual sums

cdef void add_source(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """zˡ = aˡ⁻¹ + aˢ, where s is the layer below the residual block;  aˡ = σ(zˡ)"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix x = from_row(&s.a[l - 1], r), source = from_row(&s.a[s.layers[l].source], r)
    cdef cg_matrix z = from_row(&s.z[l], r), a = from_row(&s.a[l], r)
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.matrix_sum(panel, part.rows, &x, &source, &z)
    apply_activation(s, part, &z, &a)


cdef void add_source_delta(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂aˡ⁻¹ = δˡ; δ of the source adds it too, when its own is computed"""
    cdef Py_ssize_t r = p.first + part.first
    cdef cg_matrix delta = from_row(&s.delta[part.layer + 1], r), below = from_row(&s.delta[part.layer], r)
    copy_panels(part, &delta, &below)
    complete_delta(s, p, part)


cdef void copy_panels(const Part *part, const cg_matrix *x, cg_matrix *out) noexcept nogil:
    """Copy the rows of a part from one matrix to another."""
    cdef Py_ssize_t panel
    for panel in range(part.panel, part.panel + part.panels):
        memcpy(out.data + panel * out.capacity * CG_PANEL_BYTES, x.data + panel * x.capacity * CG_PANEL_BYTES,
               part.rows * CG_PANEL_BYTES)
