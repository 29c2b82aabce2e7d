"""The results of inference: rows of outputs, or the classes that they predict, copied out of the panels.

`passes` includes this file.
"""

from cython cimport floating

from libc.stdint cimport int64_t

from cygrad._engine.equations cimport from_row
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_matrix
from cygrad._engine.plan cimport Plan


cdef extern from "classes.h" nogil:
    int64_t cg_largest_f32(const cg_matrix *a, Py_ssize_t r)
    int64_t cg_largest_f64(const cg_matrix *a, Py_ssize_t r)


cdef void write_results(Plan plan, Py_ssize_t first, Py_ssize_t rows, const Results *to, Py_ssize_t start) noexcept nogil:
    """Write the results of `rows` rows of the workspace, from `first` on, as those of the samples from `start` on."""
    cdef cg_matrix a = from_row(&plan.workspace.a[plan.workspace.depth], first)
    cdef Py_ssize_t r
    cdef int itemsize = plan.workspace.kernels.itemsize
    if to.outputs != NULL:
        plan.workspace.kernels.unpack(rows, &a, to.outputs + start * a.cols * itemsize)
    if to.classes == NULL:
        return
    if to.decides_at_half:
        if itemsize == sizeof(float):
            decide_at_half[float](&a, rows, to.classes + start * a.cols, 0)
        else:
            decide_at_half[double](&a, rows, to.classes + start * a.cols, 0)
    elif itemsize == sizeof(float):
        for r in range(rows):
            to.classes[start + r] = cg_largest_f32(&a, r)
    else:
        for r in range(rows):
            to.classes[start + r] = cg_largest_f64(&a, r)


cdef void decide_at_half(const cg_matrix *a, Py_ssize_t rows, int64_t *classes, floating zero) noexcept nogil:
    """1 where an output is at least ½, else 0, and −1 where it is NaN, for each output; `zero` has the dtype."""
    cdef Py_ssize_t r, panel, j, width = CG_PANEL_BYTES // sizeof(floating)
    cdef const floating *row
    for r in range(rows):
        for panel in range((a.cols + width - 1) // width):
            row = <const floating *> (a.data + (panel * a.capacity + r) * CG_PANEL_BYTES)
            for j in range(min(a.cols - panel * width, width)):
                classes[r * a.cols + panel * width + j] = (row[j] >= 0.5) - (row[j] != row[j])
