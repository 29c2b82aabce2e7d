"""The penalty ½ α Σ W² of a batch, over the weights that decay. `equations` includes this file.

Σ W² is computed before the update, panel by panel beside the forward products, which have brought the weights to a
core's cache, and added up where the loss is known. The squares are summed as those for clipping: `loops` defines the
bits. The gradient of the penalty is weight decay, see step_update.pyx.
"""


cdef inline bint decays(const Layer *layer) noexcept nogil:
    return layer.kind == DENSE and layer.train_weights


cdef void sum_weights(const Workspace *s, const Part *part) noexcept nogil:
    """Σ W² for each block of P × P weights"""
    cdef const Layer *layer = &s.layers[part.layer]
    cdef Py_ssize_t panel
    for panel in range(part.panel, part.panel + part.panels if decays(layer) else part.panel):
        sum_blocks(s, part.layer, panel, 0, layer.inputs, 0)


cdef double penalty(const Workspace *s, double alpha) noexcept nogil:
    """½ α Σ W²"""
    cdef const Layer *layer
    cdef double total = 0, of_layer
    cdef Py_ssize_t l, i
    for l in range(1, s.depth + 1):
        layer, of_layer = &s.layers[l], 0
        for i in range(width_in_panels(s, layer.w.cols) * width_in_panels(s, layer.inputs) if decays(layer) else 0):
            of_layer += s.squares[l][i]
        total += of_layer
    return 0.5 * alpha * total
