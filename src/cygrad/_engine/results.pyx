"""The results of inference: rows of outputs, or the classes that they predict, copied out of the panels.

`passes` includes this file.
"""

from cython cimport floating

from libc.stdint cimport int64_t, uint64_t

from cygrad._engine.equations cimport from_row
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_matrix
from cygrad._engine.plan cimport Plan


cdef extern from *:
    int __builtin_ctzll(uint64_t bits) noexcept nogil


cdef void write_results(Plan plan, Py_ssize_t first, Py_ssize_t rows, const Results *to, Py_ssize_t start) noexcept nogil:
    """Write the results of `rows` rows of the workspace, from `first` on, as those of the samples from `start` on."""
    cdef cg_matrix a = from_row(&plan.workspace.a[plan.workspace.depth], first)
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
        find_largest[float](&a, rows, to.classes + start, 0)
    else:
        find_largest[double](&a, rows, to.classes + start, 0)


cdef void decide_at_half(const cg_matrix *a, Py_ssize_t rows, int64_t *classes, floating zero) noexcept nogil:
    """1 where an output is at least ½, else 0, for each output; `zero` has the dtype."""
    cdef Py_ssize_t r, panel, j, width = CG_PANEL_BYTES // sizeof(floating)
    cdef const floating *row
    for r in range(rows):
        for panel in range((a.cols + width - 1) // width):
            row = <const floating *> (a.data + (panel * a.capacity + r) * CG_PANEL_BYTES)
            for j in range(min(a.cols - panel * width, width)):
                classes[r * a.cols + panel * width + j] = row[j] >= 0.5


cdef void find_largest(const cg_matrix *a, Py_ssize_t rows, int64_t *classes, floating zero) noexcept nogil:
    """argmaxⱼ aⱼ for each row: the first among equals, or the first NaN, as in NumPy.

    First the largest output, then the bits of the columns that have it: no branch depends on the numbers.
    """
    cdef Py_ssize_t r, panel, j, columns, width = CG_PANEL_BYTES // sizeof(floating)
    cdef Py_ssize_t panels = (a.cols + width - 1) // width
    cdef const floating *row
    cdef floating most
    cdef uint64_t found
    cdef bint has_nan
    for r in range(rows):
        most, has_nan = (<const floating *> (a.data + r * CG_PANEL_BYTES))[0], False
        for panel in range(panels):
            row = <const floating *> (a.data + (panel * a.capacity + r) * CG_PANEL_BYTES)
            for j in range(min(a.cols - panel * width, width)):
                most = row[j] if row[j] > most else most
                has_nan |= row[j] != row[j]
        for panel in range(panels):
            row = <const floating *> (a.data + (panel * a.capacity + r) * CG_PANEL_BYTES)
            columns, found = min(a.cols - panel * width, width), 0
            if has_nan:
                for j in range(columns):
                    found |= <uint64_t> (row[j] != row[j]) << j
            else:
                for j in range(columns):
                    found |= <uint64_t> (row[j] == most) << j
            if found != 0:
                classes[r] = panel * width + __builtin_ctzll(found)
                break
