"""The equations of backpropagation over a batch in panels, in the order in which they are computed.

A row is a sample, so that in the batch form z = a W + b and ∂C/∂W = aᵀ δ, with weights [in, out]; the reference, for one
sample, has z = W a + b and ∂C/∂W = δ aᵀ. Each function computes one panel of columns of its result (see csrc/cygrad.h), for a block of rows.
`loops` defines the bits of all of them in plain loops, csrc/tile.h computes the products tile by tile, and `plan`
decides which part is computed when, and by which thread. The plan includes this file, so that it is compiled with it and
the calls cost nothing: as a module of its own it made a small step 2 % slower.
"""

from cygrad._engine.equations cimport (
    CLIP_NORM, CLIP_NOTHING, CLIP_VALUE, Layer, Part, Pass, Workspace, from_row, is_trained, update_of_layer
)
from cygrad._engine.kernels cimport (
    CG_ACTIVATION_identity, CG_ACTIVATION_relu, CG_GIVES_DELTA, CG_PANEL_BYTES, CG_RULE_store, CG_WHOLE_ROWS,
    cg_activation_properties, cg_loss_properties, cg_matrix, cg_output, cg_prefetch, cg_rows, cg_sparse_rows, cg_update
)


cdef cg_matrix layer_input(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """aˡ⁻¹, the input of a layer."""
    if part.layer == 1 and s.private_input != NULL:
        return from_row(&s.private_input[part.member], p.first)
    return from_row(&s.a[part.layer - 1], p.first)


cdef void gather(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """y = rows of targets; and a⁰ = rows of X, if this part gathers them and not the first layer"""
    cdef Py_ssize_t r, row, start = p.start + part.first, to = p.first + part.first
    cdef cg_rows samples = cg_rows(p.x, p.order, start), targets = cg_rows(p.y, p.order, start)
    cdef cg_matrix a = from_row(&s.a[0], to), y
    if part.gathers:
        s.kernels.gather(&samples, part.rows, &a)
    if p.y != NULL:
        y = from_row(&s.y, to)
        s.kernels.gather(&targets, part.rows, &y)
    if p.labels != NULL:
        for r in range(part.rows):
            s.labels[to + r] = p.labels[p.order[start + r] if p.order != NULL else start + r]
    if p.weights != NULL:
        for r in range(part.rows):
            row = p.order[start + r] if p.order != NULL else start + r
            if s.kernels.itemsize == sizeof(float):
                (<float *> s.weights)[to + r] = <float> p.weights[row]
            else:
                (<double *> s.weights)[to + r] = p.weights[row]


cdef void forward(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """zˡ = aˡ⁻¹ Wˡ + bˡ;  aˡ = σ(zˡ), except for softmax, which needs all panels"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t panel, r = p.first + part.first
    cdef cg_matrix z = from_row(&s.z[part.layer], r), a = from_row(&s.a[part.layer], r), x = layer_input(s, p, part)
    cdef cg_rows samples = cg_rows(p.x, p.order, p.start)
    cdef bint in_place = z.data == a.data
    cdef bint relu = in_place and layer.activation == CG_ACTIVATION_relu       # while z is still in registers
    cdef bint on_the_way = part.gathers and s.kernels.forward_gathers(p.x)
    if part.gathers and not on_the_way:     # all samples of the batch: then the part begins at its first row
        s.kernels.gather(&samples, part.rows, &x)
    x = from_row(&x, part.first)
    s.kernels.forward(part.panel, part.panels, part.rows, &samples if on_the_way else NULL, &x, &layer.w, layer.b, relu,
                      &z)
    if cg_activation_properties(layer.activation) & CG_WHOLE_ROWS:
        return
    if not relu and not (in_place and layer.activation == CG_ACTIVATION_identity):
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.activate(layer.activation, layer.parameter, panel, part.rows, &z, &a)


cdef void sparse_forward(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """The same for the first layer, with sparse samples as a⁰"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t panel, r = p.first + part.first
    cdef cg_matrix z = from_row(&s.z[part.layer], r), a = from_row(&s.a[part.layer], r)
    cdef cg_sparse_rows samples = cg_sparse_rows(p.sparse, p.order, p.start + part.first)
    cdef bint in_place = z.data == a.data
    cdef bint relu = in_place and layer.activation == CG_ACTIVATION_relu
    s.kernels.sparse_forward(part.panel, part.panels, part.rows, &samples, &layer.w, layer.b, relu, &z)
    if cg_activation_properties(layer.activation) & CG_WHOLE_ROWS:
        return
    if not relu and not (in_place and layer.activation == CG_ACTIVATION_identity):
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.activate(layer.activation, layer.parameter, panel, part.rows, &z, &a)


cdef void softmax(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """aᴸ = softmax(zᴸ)"""
    cdef Py_ssize_t r = p.first + part.first
    cdef cg_matrix z = from_row(&s.z[s.depth], r), a = from_row(&s.a[s.depth], r)
    s.kernels.softmax(part.rows, &z, &a, s.log_sum_exp + r * s.kernels.itemsize)


cdef void output_delta(const Workspace *s, Pass *p, bint loss_alone) noexcept nogil:
    """The loss C, and unless `loss_alone` δᴸ = ∇ₐC ⊙ σ′(zᴸ)"""
    cdef Py_ssize_t panel, panels
    cdef const Layer *layer = &s.layers[s.depth]
    cdef cg_matrix z = from_row(&s.z[s.depth], p.first), a = from_row(&s.a[s.depth], p.first)
    cdef cg_matrix y = from_row(&s.y, p.first), delta = from_row(&s.delta[s.depth], p.first)
    cdef cg_output output
    output.loss = s.loss
    output.scale = p.scale if p.weights != NULL else 1.0 / p.batch_rows if s.mean else 1.0
    output.parameters, output.n_parameters = s.parameters, s.n_parameters
    output.weights = s.weights + p.first * s.kernels.itemsize if p.weights != NULL else NULL
    output.z, output.a = &z, &a
    output.y = &y if p.y != NULL or p.custom != NULL else NULL
    output.labels = s.labels + p.first if p.labels != NULL else NULL
    output.log_sum_exp = s.log_sum_exp + p.first * s.kernels.itemsize
    output.delta = &delta if s.delta[s.depth].data != NULL and not loss_alone else NULL
    output.loss_sum, output.metric_sum, output.continues = p.loss, p.metric, p.continues
    output.partial_sums = p.partial_sums
    s.kernels.output_delta(p.rows, &output)
    p.loss, p.metric = output.loss_sum, output.metric_sum
    if p.custom != NULL:
        p.loss = p.metric = p.custom_loss
    if output.delta == NULL or cg_loss_properties(s.loss) & CG_GIVES_DELTA:
        return      # the cross-entropies give δᴸ = a − y at once
    if cg_activation_properties(layer.activation) & CG_WHOLE_ROWS:
        s.kernels.softmax_slope(p.rows, &a, &delta)
    elif layer.activation != CG_ACTIVATION_identity:
        panels = (a.cols + s.kernels.panel_width - 1) // s.kernels.panel_width
        for panel in range(panels):
            s.kernels.slope(layer.activation, layer.parameter, panel, p.rows, &z, &a, &delta)


cdef void hidden_delta(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """δˡ = (δˡ⁺¹ (Wˡ⁺¹)ᵀ) ⊙ σ′(zˡ);  for the input, l = 0, without σ′"""
    cdef Py_ssize_t panel, l = part.layer, r = p.first + part.first
    cdef cg_matrix above = from_row(&s.delta[l + 1], r), delta = from_row(&s.delta[l], r)
    cdef cg_matrix z = from_row(&s.z[l], r), a = from_row(&s.a[l], r)
    cdef char *transposed = s.transposed + part.member * s.transposed_size
    cdef int activation = s.layers[l].activation if l > 0 else CG_ACTIVATION_identity
    cdef bint is_summed = s.has_sums and has_residual_sum(s, l)
    cdef bint relu = activation == CG_ACTIVATION_relu and not is_summed     # while δ is still in registers
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.hidden_delta(panel, part.rows, &above, &s.layers[l + 1].w, transposed, &a if relu else NULL, &delta)
        if not relu and not is_summed and activation != CG_ACTIVATION_identity:
            s.kernels.slope(activation, s.layers[l].parameter, panel, part.rows, &z, &a, &delta)
    if is_summed:
        complete_delta(s, p, part)


cdef cg_update block_update(const Pass *p, double rate_factor, bint decays) noexcept nogil:
    """The step for parameters of a layer; the gradient is only stored before the last block, and where it is clipped."""
    cdef bint stores = not p.is_last or p.stores_gradient
    cdef cg_update update = update_of_layer(&p.update, rate_factor, decays and not stores)
    if stores:
        update.rule = CG_RULE_store
    return update


cdef void weight_gradient(const Workspace *s, const Pass *p, const Part *part, cg_prefetch *ahead) noexcept nogil:
    """∂C/∂Wˡ = (aˡ⁻¹)ᵀ δˡ;  W ← W − η ∂C/∂W, by the optimiser's rule, for the weights of a panel of units"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef cg_rows samples = cg_rows(p.x, p.order, p.start)
    cdef cg_matrix a = layer_input(s, p, part), w = from_row(&layer.w, part.first)
    cdef cg_matrix delta = from_row(&s.delta[part.layer], p.first)
    cdef cg_update update = block_update(p, layer.weights_rate_factor, True)
    cdef const char *sums = w.data + p.sums_offset if p.continues else NULL
    cdef Py_ssize_t panel
    if part.gathers:
        s.kernels.gather(&samples, p.rows, &a)
    if layer.train_weights:
        a.data += part.first // s.kernels.panel_width * a.capacity * CG_PANEL_BYTES
        a.cols = part.rows
        w.data += p.gradient_offset if p.is_last else p.sums_offset
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.weight_gradient(panel, p.rows, &a, &delta, &w, sums, p.state_offsets, &update,
                                      ahead if panel == part.panel + part.panels - 1 else NULL)


cdef void sort_by_column(Workspace *s, const Pass *p) noexcept nogil:
    """The non-zeros of (a⁰)ᵀ, row by row"""
    cdef cg_sparse_rows samples = cg_sparse_rows(p.sparse, p.order, p.start)
    s.kernels.sort_by_column(&samples, p.rows, &s.columns)


cdef void sparse_gradient(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂W¹ = (a⁰)ᵀ δ¹ over the non-zeros of a⁰, and the update"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef cg_matrix w = layer.w, delta = from_row(&s.delta[part.layer], p.first)
    cdef cg_update update = block_update(p, layer.weights_rate_factor, True)
    cdef const char *sums = w.data + p.sums_offset if p.continues else NULL
    cdef Py_ssize_t panel
    if layer.train_weights:
        w.data += p.gradient_offset if p.is_last else p.sums_offset
        for panel in range(part.panel, part.panel + part.panels):
            s.kernels.sparse_gradient(panel, part.first, part.rows, &s.columns, p.rows, &delta, &w, sums,
                                      p.state_offsets, &update)


cdef void bias_gradient(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """∂C/∂bˡ = Σ δˡ over the samples;  b ← b − η ∂C/∂b, by the optimiser's rule, without weight decay"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t width = s.kernels.panel_width
    cdef cg_matrix delta = from_row(&s.delta[part.layer], p.first)
    cdef cg_update update = block_update(p, layer.biases_rate_factor, False)
    cdef char *b = layer.b + part.panel * CG_PANEL_BYTES
    cdef const char *sums = b + p.sums_offset if p.continues else NULL
    if layer.train_biases:
        b += p.gradient_offset if p.is_last else p.sums_offset
        delta.data += part.panel * delta.capacity * CG_PANEL_BYTES
        delta.cols = min(delta.cols - part.panel * width, part.panels * width)
        s.kernels.bias_gradient(p.rows, &delta, b, sums, p.state_offsets, &update)


cdef void limit_norms(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """w ← w c / ‖w‖ where ‖w‖ > c, for the weights w of each unit, after their update"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t panel
    for panel in range(part.panel, part.panel + part.panels):
        s.kernels.limit_norms(panel, layer.inputs, &layer.w, p.max_norm)


include "clipping.pyx"
include "penalty.pyx"
