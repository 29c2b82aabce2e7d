"""The layout of parameters in the engine's panels, and copies from and to row-major arrays.

In panels the weights of a layer are [in, out], in row-major arrays (out, in): both directions transpose one panel at a
time, in a scratch block that stays in the innermost cache. The engine includes this file.
"""

from cython cimport floating

from libc.string cimport memcpy, memset

from cygrad._engine.equations cimport DENSE, Layer
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_kernels, cg_matrix, cg_rows, cg_samples


cdef Py_ssize_t scratch_size(const cg_kernels *kernels, const Layer *layers, Py_ssize_t depth) noexcept nogil:
    """Return the bytes that `unpack_weights` and `pack_weights` need for any of the layers."""
    cdef Py_ssize_t l, widest = 1
    for l in range(1, depth + 1):
        widest = max(widest, layers[l].inputs, layers[l].w.cols)
    return (widest + kernels.panel_width) * CG_PANEL_BYTES


cdef void unpack_weights(const cg_kernels *kernels, const Layer *layer, Py_ssize_t offset, char *scratch,
                         char *out) noexcept nogil:
    """Copy the weights to `out`, (out, in), or γ of a norm or scaling, (out,); or what lies `offset` bytes from them."""
    cdef Py_ssize_t panel, o, part, columns, width = kernels.panel_width, row_bytes = layer.inputs * kernels.itemsize
    cdef cg_matrix w = layer.w
    cdef char *to
    w.data += offset
    if layer.kind != DENSE:     # γ, a row
        memcpy(out, w.data, w.cols * kernels.itemsize)
        return
    for panel in range((layer.inputs + width - 1) // width):
        kernels.transpose(panel, &w, scratch)       # [out, P]
        to = out + panel * CG_PANEL_BYTES
        columns = min(layer.inputs - panel * width, width)
        if columns == width:
            for o in range(w.cols):
                for part in range(0, CG_PANEL_BYTES, 16):       # in vectors: GCC makes a slow string copy of a whole row
                    memcpy(to + o * row_bytes + part, scratch + o * CG_PANEL_BYTES + part, 16)
        else:
            for o in range(w.cols):
                memcpy(to + o * row_bytes, scratch + o * CG_PANEL_BYTES, columns * kernels.itemsize)


cdef void pack_weights(const cg_kernels *kernels, const Layer *layer, const cg_samples *weights,
                       char *scratch) noexcept nogil:
    """Copy weights (out, in) of any type into their panels; the padding stays zero."""
    cdef Py_ssize_t panel, rows, width = kernels.panel_width
    cdef cg_rows units = cg_rows(weights, NULL, 0)
    cdef cg_matrix transposed = cg_matrix(scratch, width, layer.inputs)     # [P, in]
    cdef cg_matrix row = layer.w
    if layer.kind != DENSE:     # γ, a row of samples here
        units.start = 0
        kernels.gather(&units, 1, &row)
        return
    for panel in range((layer.w.cols + width - 1) // width):
        units.start = panel * width
        rows = min(layer.w.cols - units.start, width)
        if rows < width:        # the others are padding
            memset(scratch, 0, (layer.inputs + width - 1) // width * width * CG_PANEL_BYTES)
        kernels.gather(&units, rows, &transposed)
        kernels.transpose(0, &transposed, layer.w.data + panel * layer.w.capacity * CG_PANEL_BYTES)
