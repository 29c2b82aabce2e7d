"""Clipping: what comes between a stored gradient and the update by it. `equations` includes this file.

GRADIENT operations store ∂C/∂P and the sums of its squares, CLIP computes the factor of each layer, UPDATE applies the
optimiser's rule. `loops` defines the bits. Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
networks", ICML 2013.
"""

from libc.math cimport INFINITY, NAN, fabs, frexp, isfinite, ldexp, sqrt


cdef double SMALL_SUM = 2.0 ** -900     # in a smaller sum, squares that have underflowed may count
cdef double SMALL_FACTOR = 2.0 ** -60   # a smaller one is applied in two steps, or float32 could lose it
cdef int MOST_EXPONENT = 1000           # so that its power of two, and the inverse, are normal numbers


cdef inline Py_ssize_t width_in_panels(const Workspace *s, Py_ssize_t columns) noexcept nogil:
    return (columns + s.kernels.panel_width - 1) // s.kernels.panel_width


cdef inline void sum_blocks(const Workspace *s, Py_ssize_t l, Py_ssize_t panel, Py_ssize_t first, Py_ssize_t rows,
                            Py_ssize_t offset) noexcept nogil:
    """Σ² of each block of P × P numbers, in some rows of a panel, of what lies `offset` bytes from the weights."""
    cdef const cg_matrix *w = &s.layers[l].w
    cdef Py_ssize_t width = s.kernels.panel_width, inputs = s.layers[l].inputs, i, r
    cdef double *sums = s.squares[l] + panel * width_in_panels(s, inputs)
    for i in range(first // width, width_in_panels(s, first + rows)):
        r = i * width
        sums[i] = s.kernels.sum_of_squares(min(width, inputs - r),
                                           w.data + offset + (panel * w.capacity + r) * CG_PANEL_BYTES)


cdef void sum_squares(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """Σ (∂C/∂P)² for each block of P × P weights, and each panel of biases"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t blocks = width_in_panels(s, layer.inputs), panel
    cdef double *sums = s.squares[part.layer]
    for panel in range(part.panel, part.panel + part.panels):
        if layer.train_weights:
            sum_blocks(s, part.layer, panel, part.first, part.rows, p.gradient_offset)
        if layer.train_biases and part.first == 0:
            sums[width_in_panels(s, layer.w.cols) * blocks + panel] = s.kernels.sum_of_squares(
                1, layer.b + p.gradient_offset + panel * CG_PANEL_BYTES)


cdef double largest_number(const char *numbers, Py_ssize_t count, int itemsize) noexcept nogil:
    """The largest |number|; NaN or infinite if one of them is."""
    cdef Py_ssize_t i
    cdef double largest = 0, x
    for i in range(count):
        x = fabs((<const double *> numbers)[i] if itemsize == 8 else (<const float *> numbers)[i])
        if not isfinite(x):
            return x
        largest = max(largest, x)
    return largest


cdef double scaled_squares(const char *numbers, Py_ssize_t count, double scale, double total) noexcept nogil:
    """total + Σ (scale x)², one number after another."""
    cdef Py_ssize_t i
    cdef double x
    for i in range(count):
        x = (<const double *> numbers)[i] * scale
        total += x * x
    return total


cdef double gradient_norm(const Workspace *s, const Pass *p, Py_ssize_t first, Py_ssize_t last,
                          int *exponent) noexcept nogil:
    """‖∂C/∂P‖ of the layers first … last, as the result times 2^exponent; not finite if the gradient is not."""
    cdef const Layer *layer
    cdef Py_ssize_t l, i, panel, count
    cdef double total = 0, of_layer, largest = 0, scale
    cdef char *w
    for l in range(first, last + 1):
        layer, of_layer = &s.layers[l], 0
        count = width_in_panels(s, layer.w.cols) * (width_in_panels(s, layer.inputs) + 1)
        for i in range(count if is_trained(layer) else 0):
            of_layer += s.squares[l][i]
        total += of_layer
    exponent[0] = 0
    if s.kernels.itemsize == 4 or (total > SMALL_SUM and total < INFINITY):
        return sqrt(total)
    # Squares of doubles have overflowed or underflowed: once more, with numbers near 1.
    for l in range(first, last + 1):
        layer = &s.layers[l]
        count = s.kernels.panel_width * width_in_panels(s, layer.w.cols)
        if layer.train_weights:
            largest = max(largest, largest_number(layer.w.data + p.gradient_offset, count * layer.w.capacity, 8))
        if layer.train_biases:
            largest = max(largest, largest_number(layer.b + p.gradient_offset, count, 8))
    if total != total or not isfinite(largest) or largest == 0:
        return NAN if largest != 0 else total
    frexp(largest, exponent)
    exponent[0] = max(min(exponent[0], MOST_EXPONENT), -MOST_EXPONENT)
    scale, total = ldexp(1, -exponent[0]), 0
    for l in range(first, last + 1):
        layer = &s.layers[l]
        for panel in range(width_in_panels(s, layer.w.cols)):
            w = layer.w.data + p.gradient_offset + panel * layer.w.capacity * CG_PANEL_BYTES
            if layer.train_weights:
                total = scaled_squares(w, layer.inputs * s.kernels.panel_width, scale, total)
        if layer.train_biases:
            total = scaled_squares(layer.b + p.gradient_offset,
                                   width_in_panels(s, layer.w.cols) * s.kernels.panel_width, scale, total)
    return sqrt(total)


cdef bint clip(const Workspace *s, Pass *p) noexcept nogil:
    """The factor of each layer's gradient: limit / norm where the norm is above the limit, else 1.

    True: the gradient is not finite. Then the loss counts as NaN, and the pass stops.
    """
    cdef Py_ssize_t first = 1, last, i
    cdef double norm, power, factor
    cdef int exponent
    while first <= s.depth:
        last = first if s.clipping.kind == CLIP_NORM else s.depth
        norm = gradient_norm(s, p, first, last, &exponent)
        if not isfinite(norm):
            p.loss = NAN
            return p.stop_if_not_finite
        power = factor = 1
        if s.clipping.kind != CLIP_VALUE and norm > ldexp(s.clipping.limit, -exponent):
            power, factor = ldexp(1, -exponent), s.clipping.limit / norm
            if exponent == 0 and factor < SMALL_FACTOR:
                power, factor = SMALL_FACTOR, factor / SMALL_FACTOR
        for i in range(first, last + 1):
            s.power[i], s.factor[i] = power, factor
        first = last + 1
    return False


cdef void update(const Workspace *s, const Pass *p, const Part *part) noexcept nogil:
    """P ← P − η ∂C/∂P by the optimiser's rule, by the stored gradient times its factor, or each number within ± limit"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t panel, width = s.kernels.panel_width
    cdef cg_update of_weights = update_of_layer(&p.update, layer.weights_rate_factor, layer.kind == DENSE)
    cdef cg_update of_biases = update_of_layer(&p.update, layer.biases_rate_factor, False)
    cdef double power = s.power[part.layer], factor = s.factor[part.layer]
    cdef double limit = s.clipping.limit if s.clipping.kind == CLIP_VALUE else INFINITY
    cdef cg_matrix w = from_row(&layer.w, part.first)
    cdef char *b = layer.b + part.panel * CG_PANEL_BYTES
    cdef char *place
    for panel in range(part.panel, part.panel + part.panels if layer.train_weights else part.panel):
        place = w.data + panel * w.capacity * CG_PANEL_BYTES
        s.kernels.apply_gradient(part.rows, w.cols - panel * width, place + p.gradient_offset, place, p.state_offsets,
                                 &of_weights, power, factor, limit)
    if layer.train_biases and part.first == 0:
        s.kernels.apply_gradient(part.panels, width, b + p.gradient_offset, b, p.state_offsets, &of_biases, power, factor,
                                 limit)
    if layer.kind == BATCH_NORM and part.panel == 0:
        update_running_moments(s, p, part.layer)
