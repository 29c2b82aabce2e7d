"""The caller's arrays of samples: acquired, checked once, and read in place.

Arrays that the kernels can read are not copied, except class indices; none is written to.
"""

cimport cython

from libc.math cimport fabs
from libc.stdint cimport (
    int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
)
from libc.string cimport memcpy

from cpython.buffer cimport Py_buffer, PyBUF_RECORDS_RO, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from cygrad._engine.interrupts cimport check_signals
from cygrad._engine.kernels cimport (
    CG_BOOL, CG_FLOAT32, CG_FLOAT64, CG_INT8, CG_INT16, CG_INT32, CG_INT64, CG_UINT8, CG_UINT16, CG_UINT32,
    CG_COLUMN_OUT_OF_RANGE, CG_COLUMNS_INCREASE, CG_UINT64, cg_check_columns, cg_find_nonfinite, cg_samples, cg_sparse,
    cg_standardize
)

import numpy as np

from cygrad._engine.frames import as_array
from cygrad._engine.sparse import compressed_rows, in_order, is_sparse

cdef object ndarray = np.ndarray, empty = np.empty, int64 = np.int64
cdef Py_ssize_t BLOCK = 1 << 20     # numbers that are checked between two runs of signal handlers


cdef int type_code(const char *format, Py_ssize_t itemsize) noexcept:
    """Return the kernels' code of a buffer's item format, or -1 if there is none."""
    if format == NULL:
        return CG_UINT8
    if format[0] == b"@" or format[0] == b"=":
        format += 1
    cdef char kind = format[0]
    if kind == 0 or format[1] != 0:
        return -1
    if kind == b"f":
        return CG_FLOAT32
    if kind == b"d":
        return CG_FLOAT64
    if kind == b"?":
        return CG_BOOL
    cdef int size = 0 if itemsize == 1 else 1 if itemsize == 2 else 2 if itemsize == 4 else 3
    if kind == b"b" or kind == b"h" or kind == b"i" or kind == b"l" or kind == b"q":
        return CG_INT8 + size
    if kind == b"B" or kind == b"H" or kind == b"I" or kind == b"L" or kind == b"Q":
        return CG_UINT8 + size
    return -1


def _converted(array, str name):
    """Convert anything that NumPy accepts to an array whose type and alignment the kernels read."""
    if is_sparse(array):
        raise TypeError(f"{name} is a sparse matrix, expected a dense array")
    array = as_array(array, name)
    try:
        converted = np.asarray(array)
    except ValueError as error:
        raise ValueError(f"{name} is not a regular table of numbers: {error}") from None
    kind = converted.dtype.kind
    if kind not in "biuf":
        raise TypeError(f"{name} has dtype {converted.dtype}, expected real numbers (floats, integers or booleans)")
    if kind == "f" and converted.dtype.itemsize not in (4, 8):
        with np.errstate(over="ignore"):    # infinite numbers raise an error later
            converted = converted.astype(np.float32 if converted.dtype.itemsize < 4 else np.float64)
    return np.require(converted.astype(converted.dtype.newbyteorder("="), copy=False), requirements="A")


cdef int64_t read_integer(const char *place, int type) noexcept nogil:
    """Return the integer at a place; one too large for 63 bits becomes negative."""
    if type == CG_INT64 or type == CG_UINT64:
        return (<const int64_t *> place)[0]
    if type == CG_INT32:
        return (<const int32_t *> place)[0]
    if type == CG_UINT32:
        return (<const uint32_t *> place)[0]
    if type == CG_INT16:
        return (<const int16_t *> place)[0]
    if type == CG_UINT16:
        return (<const uint16_t *> place)[0]
    if type == CG_INT8:
        return (<const int8_t *> place)[0]
    return (<const uint8_t *> place)[0]


cdef double read_number(const char *place, int type) noexcept nogil:
    """Return the number at a place, rounded to float64 as by NumPy."""
    if type == CG_FLOAT64:
        return (<const double *> place)[0]
    if type == CG_FLOAT32:
        return (<const float *> place)[0]
    if type == CG_UINT64:
        return <double> (<const uint64_t *> place)[0]
    return <double> read_integer(place, type)


cdef bint all_finite(const cg_samples *numbers) noexcept nogil:
    cdef Py_ssize_t row, col
    return not cg_find_nonfinite(numbers, 0, numbers.rows, False, &row, &col)


cdef char *memory_of(array) except NULL:
    """Return the address of a new array; the caller keeps it alive."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_WRITABLE)
    PyBuffer_Release(&buffer)
    return <char *> buffer.buf


def class_indices(array, Py_ssize_t classes):
    """Copy integers (n,) to int64; return None if one of them is not from 0 to `classes` − 1.

    They are always copied, because the engine relies on their range even if the caller changes the array later.
    """
    cdef Samples given = Samples.__new__(Samples)
    cdef const cg_samples *y = &given.view
    cdef int64_t *indices
    cdef Py_ssize_t i
    cdef bint outside = False
    given.acquire_array(array, "array")
    copy = empty(y.rows, int64)
    indices = <int64_t *> memory_of(copy)
    if (y.type == CG_INT64 or y.type == CG_UINT64) and y.row_stride == sizeof(int64_t):
        memcpy(indices, y.data, y.rows * sizeof(int64_t))
    else:
        for i in range(y.rows):
            indices[i] = read_integer(y.data + i * y.row_stride, y.type)
    for i in range(y.rows):
        outside |= indices[i] < 0 or indices[i] >= classes
    return None if outside else copy


@cython.final
cdef class Samples:
    """Rows of numbers, [rows, columns], for the engine.

    Parameters
    ----------
    array : array_like of shape (rows, columns)
        Booleans, integers or floats, of any strides, read-only or not; read in place if it is a native, aligned
        buffer with items of 1 to 8 bytes, else converted by NumPy.
    name : str
        Name of the array in error messages.
    columns : int or None
        Required number of columns.
    dtype : {"float32", "float64"}
        Type in which the numbers must be finite.
    check : bool
        Whether to check this now. Otherwise `Engine.forward`, `predict` and `evaluate` check each chunk of rows before
        they read it, while it is on its way into the caches.

    Raises
    ------
    TypeError
        Not real numbers.
    ValueError
        Not two-dimensional, no rows, other columns than expected, or a number that is NaN or infinite in `dtype`.
    """

    def __cinit__(self):
        self.held = False
        self.is_checked = True
        self.is_sparse = False
        self.view.mean = self.view.scale = NULL

    def __init__(self, array, str name="X", columns=None, str dtype="float64", bint check=True):
        self.read(array, name, -1 if columns is None else columns, dtype, check)

    cdef int read(self, array, str name, Py_ssize_t columns, str dtype, bint check) except -1:
        """Acquire rows of numbers, as the class describes it; -1: of any number of columns."""
        self.acquire_array(array, name)
        if self.buffer.ndim != 2:
            shape = tuple(np.shape(array))
            hint = "; one sample is a row of a two-dimensional array" if self.buffer.ndim == 1 else ""
            wanted = "columns" if columns < 0 else columns
            raise ValueError(f"{name} has shape {shape}, expected (rows, {wanted}){hint}")
        if columns >= 0 and self.view.cols != columns:
            raise ValueError(f"{name} has shape {tuple(np.shape(array))}, expected (rows, {columns})")
        if self.view.rows == 0:
            raise ValueError(f"{name} has shape {tuple(np.shape(array))}, expected at least one row")
        self.array, self.name, self.dtype, self.is_checked = array, name, dtype, False
        self.single = dtype == "float32"
        if check:
            self.check()
        return 0

    cdef int read_sparse(self, X, str name, Py_ssize_t columns, str dtype, const double[::1] mean,
                         const double[::1] scale, tuple owner) except -1:
        """Acquire the rows of a sparse matrix in compressed rows, and check them; standardised by `scale`, if not None."""
        cdef cg_sparse *x = &self.sparse
        cdef Samples indices = Samples.__new__(Samples), numbers = Samples.__new__(Samples)
        cdef Py_ssize_t r, row = 0, place = 0
        cdef const int64_t[::1] start_view
        cdef int order
        starts, column_numbers, values, shape = compressed_rows(X, name)
        if shape[1] != columns or shape[0] == 0:
            wanted = f"(rows, {columns})" if shape[1] != columns else "at least one row"
            raise ValueError(f"{name} has shape {shape}, expected {wanted}")
        if mean is not None and np.any(mean):
            raise ValueError(
                f"{name} is sparse, and the network standardises its inputs with a mean that is not 0: no number of {name} "
                "would stay 0; expected a dense array, or a network without standardize_inputs")
        while True:
            start_view = starts
            x.starts, x.rows, x.cols, x.total, x.most = &start_view[0], shape[0], columns, starts[-1], 0
            indices.acquire_array(column_numbers, name)
            numbers.acquire_array(values, name)
            x.columns, x.wide = <const void *> indices.view.data, indices.view.type == CG_INT64
            x.values, x.type = numbers.view.data, numbers.view.type
            with nogil:
                order = cg_check_columns(x, &row, &place)
            if order == CG_COLUMN_OUT_OF_RANGE:
                raise ValueError(f"{name} holds a number in row {row}, column {column_numbers[place]}, expected columns "
                                 f"from 0 to {columns - 1}")
            if order == CG_COLUMNS_INCREASE:
                break
            starts, column_numbers, values = in_order(starts, column_numbers, values)
        for r in range(x.rows):
            x.most = max(x.most, <Py_ssize_t> (x.starts[r + 1] - x.starts[r]))
        self.view.data, self.view.type = NULL, numbers.view.type
        self.view.rows, self.view.cols = x.rows, x.cols
        self.view.row_stride = self.view.col_stride = 0
        self.standardization, x.scale = owner, NULL
        if scale is not None:
            x.scale = &scale[0]
        self.parts = (starts, indices, numbers)
        self.is_sparse, self.name, self.dtype, self.single = True, name, dtype, dtype == "float32"
        self._check_values(values, column_numbers)
        return 0

    def _check_values(self, values, columns):
        """Raise an error if a number of a sparse matrix is not finite in the dtype."""
        cdef Py_ssize_t row = 0, place = 0
        cdef Samples numbers = self.parts[2]
        if self.sparse.scale != NULL:
            with np.errstate(over="ignore", invalid="ignore"):
                values = values * self.standardization[1][columns]
            numbers = Samples.__new__(Samples)
            numbers.acquire_array(values, self.name)
        if not numbers.find_nonfinite(self.single, &place, &row):
            return
        value, row = values[place], np.searchsorted(self.parts[0], place, side="right") - 1
        wanted = f"numbers that are finite as {self.dtype}" if np.isfinite(value) else "finite numbers"
        raise ValueError(f"{self.name} holds {value} in row {row}, column {columns[place]}, expected {wanted}")

    cdef const cg_sparse *sparse_rows(self) noexcept nogil:
        """Return the rows, where they are sparse, or NULL."""
        return &self.sparse if self.is_sparse else NULL

    cdef int check(self) except -1:
        """Raise an error if a number is NaN, or infinite in the dtype."""
        cdef Py_ssize_t row = 0, col = 0
        if not self.is_checked and self.find_nonfinite(self.single, &row, &col):
            self.raise_not_finite(row, col)
        self.is_checked = True
        self.array = None
        return 0

    cdef bint rows_are_finite(self, Py_ssize_t start, Py_ssize_t rows, Py_ssize_t *place) noexcept nogil:
        """Return whether some rows are finite in the dtype; if not, place[0] and place[1] are row and column."""
        return not cg_find_nonfinite(&self.view, start, rows, self.single, &place[0], &place[1])

    cdef int raise_not_finite(self, Py_ssize_t row, Py_ssize_t col) except -1:
        """Raise the error that describes a number that is not finite."""
        cdef Samples given
        cdef double number
        name = self.name
        if self.view.mean != NULL:
            given = Samples(self.array, name)       # an error here describes the caller's own number
            cg_standardize(&self.view, row, col, 1, &number)
            value, name = number, f"standardised {name}"
        else:
            value = np.asarray(self.array)[row, col]
        wanted = f"numbers that are finite as {self.dtype}" if np.isfinite(value) else "finite numbers"
        raise ValueError(f"{name} holds {value} in row {row}, column {col}, expected {wanted}")

    cdef int acquire_array(self, array, str name) except -1:
        """Acquire an array, or a copy that the kernels can read."""
        if type(array) is not ndarray and isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
            raise ValueError(f"{name} has {np.ma.count_masked(array)} masked values, expected none")
        if not self.acquire(array):
            array = _converted(array, name)
            if not self.acquire(array) and not self.acquire(array.copy()):
                raise TypeError(f"{name} has dtype {array.dtype}, expected real numbers")
        return 0

    cdef bint acquire(self, array) except -1:
        """Acquire the array's buffer; False if the kernels cannot read it. One dimension is a column."""
        self.release()
        try:
            PyObject_GetBuffer(array, &self.buffer, PyBUF_RECORDS_RO)
        except (TypeError, ValueError, BufferError):
            return False
        self.held = True
        cdef Py_buffer *b = &self.buffer
        cdef size_t places
        cdef int axis
        cdef int code = type_code(b.format, b.itemsize)
        if code < 0:
            return False
        if b.ndim > 2:
            return True
        self.view.data = <const char *> b.buf
        self.view.rows = b.shape[0] if b.ndim > 0 else 1
        self.view.cols = b.shape[1] if b.ndim > 1 else 1
        self.view.row_stride = b.strides[0] if b.ndim > 0 else b.itemsize
        self.view.col_stride = b.strides[1] if b.ndim > 1 else b.itemsize
        self.view.type, self.view.mean = code, NULL
        # The stride of an axis of length 1 does not matter, as in NumPy.
        places = <size_t> b.buf
        for axis in range(b.ndim):
            if b.shape[axis] > 1:
                places |= <size_t> b.strides[axis]
        return not places & <size_t> (b.itemsize - 1)

    cdef int acquire_row(self, array, str name, Py_ssize_t columns) except -1:
        """Acquire one row (columns,) of numbers, which need not be finite."""
        self.acquire_array(array, name)
        if self.buffer.ndim != 1 or self.view.rows != columns:
            raise ValueError(f"{name} has shape {tuple(np.shape(array))}, expected ({columns},)")
        self.as_row()
        return 0

    cdef void as_row(self) noexcept:
        """Turn the column into a row."""
        self.view.cols, self.view.col_stride, self.view.rows = self.view.rows, self.view.row_stride, 1

    cdef int hold_number(self, double number) except -1:
        """Store a number, as one row."""
        self.release()
        self.number = number
        self.view.data, self.view.type = <const char *> &self.number, CG_FLOAT64
        self.view.rows = self.view.cols = 1
        self.view.row_stride = self.view.col_stride = sizeof(double)
        self.view.mean = NULL
        return 0

    cdef void standardize(self, const double[::1] mean, const double[::1] scale, tuple owner) noexcept:
        """Let every row x stand for (x − mean) · scale, computed in float64 wherever it is read; `owner` has both arrays."""
        self.standardization = owner
        self.view.mean, self.view.scale = &mean[0], &scale[0]

    cdef void release(self) noexcept:
        if self.held:
            PyBuffer_Release(&self.buffer)
            self.held = False

    cdef bint find_nonfinite(self, bint single, Py_ssize_t *row, Py_ssize_t *col) except -1:
        """Find the first number that is not finite; signal handlers run between blocks of rows."""
        cdef Py_ssize_t n = self.view.rows, block = max(1, BLOCK // max(1, self.view.cols)), start = 0
        cdef bint found
        if self.view.mean == NULL and self.view.type != CG_FLOAT32 and self.view.type != CG_FLOAT64:
            return False
        if n <= block:
            return cg_find_nonfinite(&self.view, 0, n, single, row, col)
        while start < n:
            with nogil:
                found = cg_find_nonfinite(&self.view, start, min(block, n - start), single, row, col)
            if found:
                return True
            check_signals()
            start += block
        return False

    def within(self, double least, double most):
        """Return whether all numbers are from `least` to `most`."""
        cdef const cg_samples *x = &self.view
        cdef Py_ssize_t r, c
        cdef bint outside = False
        with nogil:
            for r in range(x.rows):
                for c in range(x.cols):
                    outside |= not least <= read_number(x.data + r * x.row_stride + c * x.col_stride, x.type) <= most
        return not outside

    def first_row_not_summing_to(self, double expected, double tolerance):
        """Return the number and the sum of the first row whose sum differs from `expected`, or None."""
        cdef const cg_samples *x = &self.view
        cdef Py_ssize_t r = 0, c
        cdef double total = expected
        with nogil:
            while r < x.rows and fabs(total - expected) <= tolerance:
                total = 0
                for c in range(x.cols):
                    total += read_number(x.data + r * x.row_stride + c * x.col_stride, x.type)
                r += 1
        return None if fabs(total - expected) <= tolerance else (r - 1, total)

    def __dealloc__(self):
        self.release()

    @property
    def rows(self):
        """Number of samples."""
        return self.view.rows

    @property
    def columns(self):
        """Numbers in a sample."""
        return self.view.cols
