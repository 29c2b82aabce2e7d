"""Gates of computational graphs over float64 numbers: one gate at a time, for the graphs that Python walks, and whole
tapes. How they compute is in csrc/tape.h, and which gates there are in csrc/gates.h."""

from cpython.exc cimport PyErr_CheckSignals

from cygrad._engine.kernels cimport selected

import numpy as np

cdef dict _gates = {cg_gate_name(gate).decode(): gate for gate in range(CG_GATE_COUNT)}
# Name of each gate, and how many operands it has.
GATES = {name: cg_gate_operands(gate) for name, gate in _gates.items()}

cdef Py_ssize_t BLOCK = 1 << 16      # numbers that are computed between two looks at the signals

cdef str _isa = None
cdef const cg_tape_kernels *_kernels = NULL


cdef const cg_tape_kernels *kernels() except NULL:
    """The table of the selected instruction set."""
    global _isa, _kernels
    cdef str isa = selected()
    if isa is not _isa:
        _kernels = cg_tape_kernels_of(isa.encode())
        _isa = isa
    return _kernels


def evaluate(str name, a, b=None):
    """Value of one gate, element by element, with the bits that a tape gives it.

    Floats give a float. Otherwise `a`, and `b` for a gate of two operands, are brought to one shape and to float64, and
    the result is a new array of that shape. Numbers outside of the gate's domain give NaN or infinity.
    """
    number = _gates.get(name)
    if number is None:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(_gates)}")
    cdef int gate = number, operands = cg_gate_operands(gate)
    if (b is not None) != (operands == 2):
        raise TypeError(f"the gate {name} has {'one operand' if operands == 1 else 'two operands'}")
    cdef const cg_tape_kernels *table = kernels()
    cdef double a_number, b_number = 0, y_number
    if type(a) is float and (operands == 1 or type(b) is float):
        a_number = a
        if operands == 2:
            b_number = b
        table.evaluate(gate, 1, &a_number, &b_number, &y_number)
        return y_number
    a = np.asarray(a, np.float64)
    if operands == 2:
        a, b = np.broadcast_arrays(a, np.asarray(b, np.float64))
    y = np.empty(a.shape)
    cdef const double[::1] a_lanes = np.ascontiguousarray(a).reshape(-1)
    cdef const double[::1] b_lanes = np.ascontiguousarray(b).reshape(-1) if operands == 2 else a_lanes
    cdef double[::1] y_lanes = y.reshape(-1)
    cdef Py_ssize_t start = 0, n = a_lanes.shape[0]
    while start < n:
        with nogil:
            table.evaluate(gate, min(n - start, BLOCK), &a_lanes[start], &b_lanes[start], &y_lanes[start])
        start += BLOCK
        PyErr_CheckSignals()
    return y
