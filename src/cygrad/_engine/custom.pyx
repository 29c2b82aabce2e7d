"""A loss that is a Python function, called once for a batch with the GIL. `plan` includes this file.

It gives the loss of each sample and ∇ₐC. These derivatives become the targets of the loss `linear`, whose gradient they
are, so that all that comes after is as for any other loss.
"""


class CustomTargets:
    """The targets of a loss that is a Python function: rows of any kind, taken by their numbers."""

    __slots__ = ("array",)

    def __init__(self, array):
        self.array = array

    @property
    def rows(self):
        return len(self.array)


cdef bint call_custom(const Workspace *s, Pass *p, Interrupts interrupts) noexcept with gil:
    """Call the function for the rows of a pass. False: it raised an error, which is kept, or its results are refused."""
    try:
        call_function(s, p)
        return True
    except BaseException as error:
        interrupts.error = error
        return False


cdef int call_function(const Workspace *s, Pass *p) except -1:
    cdef Py_ssize_t r, panel, columns = s.a[s.depth].cols, width = s.kernels.panel_width, itemsize = s.kernels.itemsize
    cdef cg_matrix a = from_row(&s.a[s.depth], p.first), y = from_row(&s.y, p.first)
    cdef double loss = 0
    cdef const double[::1] losses
    cdef const unsigned char[:, ::1] numbers
    dtype = np.float32 if itemsize == 4 else np.float64
    outputs = np.empty((p.rows, columns), dtype)
    cdef unsigned char[:, ::1] out = outputs.view(np.uint8)
    s.kernels.unpack(p.rows, &a, &out[0, 0])
    if p.order == NULL:
        rows = slice(p.start, p.start + p.rows)
    else:
        rows = np.array([p.order[p.start + r] for r in range(p.rows)], np.int64)
    results = (<object> p.custom)(outputs, (<object> p.custom_targets)[rows])
    if not isinstance(results, tuple) or len(results) != 2:
        raise TypeError(f"loss returned {type(results).__name__}, expected a tuple of two arrays: the loss of each "
                        "sample, and its derivatives with respect to the outputs")
    losses = checked_result(results[0], "losses", (p.rows,), np.float64)
    gradient = checked_result(results[1], "derivatives", (p.rows, columns), dtype)
    if not np.isfinite(gradient).all():
        raise ValueError("loss returned derivatives that are NaN or infinite, expected finite numbers")
    for r in range(p.rows):
        if p.weights == NULL:
            loss += losses[r]
        else:
            loss += losses[r] * p.weights[p.order[p.start + r] if p.order != NULL else p.start + r]
    p.custom_loss = loss
    numbers = gradient.view(np.uint8)
    for panel in range((columns + width - 1) // width):
        for r in range(p.rows):
            memcpy(y.data + (panel * y.capacity + r) * CG_PANEL_BYTES, &numbers[r, panel * width * itemsize],
                   min(width, columns - panel * width) * itemsize)
    return 0


cdef checked_result(result, str name, shape, dtype):
    """Return one result of the function as a contiguous array of the dtype."""
    array = np.asarray(result)
    if array.dtype.kind not in "buif":
        raise TypeError(f"loss returned {name} of dtype {array.dtype}, expected real numbers")
    if array.shape != shape:
        raise ValueError(f"loss returned {name} of shape {array.shape}, expected {shape}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype)
