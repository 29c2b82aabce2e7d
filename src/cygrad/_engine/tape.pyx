"""Gates of computational graphs over float64 numbers: single gates for graphs evaluated by Python, and whole tapes.
csrc/tape.h explains the computation, csrc/gates.h lists the gates."""

cimport cython

from libc.stdlib cimport calloc, free

from cpython.buffer cimport PyBUF_RECORDS, PyBUF_RECORDS_RO, PyBuffer_Release, PyObject_GetBuffer
from cpython.float cimport PyFloat_AsDouble, PyFloat_Check
from cpython.long cimport PyLong_AsDouble, PyLong_Check
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SetItem

from cygrad._engine.interrupts cimport CLOCK_WORK, Interrupts
from cygrad._engine.kernels cimport selected

import numpy as np

cdef dict _gates = {cg_gate_name(gate).decode(): gate for gate in range(CG_GATE_COUNT)}
# Name of each gate, and its number of operands.
GATES = {name: cg_gate_operands(gate) for name, gate in _gates.items()}

cdef Py_ssize_t PIECE = 1 << 18              # numbers that are computed between two checks of interrupts
cdef Py_ssize_t SHORT_TAPE = 4096            # gates: such a tape runs in less time than a thread waits for the GIL
cdef Py_ssize_t ALIGNMENT = 64               # bytes: a vector of any instruction set
cdef Py_ssize_t MAX_BLOCK = 1 << 23          # numbers in all registers: a larger tape takes its points one by one

cdef str _isa = None
cdef const cg_tape_kernels *_kernels = NULL


cdef const cg_tape_kernels *kernels() except NULL:
    """Return the table of the selected instruction set."""
    global _isa, _kernels
    cdef str isa = selected()
    if isa is not _isa:
        _kernels = cg_tape_kernels_of(isa.encode())
        _isa = isa
    return _kernels


@cython.final
cdef class Workspace:
    """Registers of float64 numbers, aligned for vectors and filled with zeros."""
    cdef void *block
    cdef double *registers

    def __cinit__(self, Py_ssize_t registers, Py_ssize_t register_size):
        self.block = calloc(registers * register_size + ALIGNMENT // sizeof(double), sizeof(double))
        if self.block == NULL:
            raise MemoryError()
        self.registers = <double *> ((<size_t> self.block + ALIGNMENT) // ALIGNMENT * ALIGNMENT)

    def __dealloc__(self):
        free(self.block)


cdef cg_numbers numbers_of(array, Py_ssize_t count, bint writable=False) except *:
    """Return address and stride of a float64 array of one dimension, with `count` numbers or one for all.

    The caller keeps the array alive.
    """
    cdef Py_buffer buffer
    cdef cg_numbers numbers
    PyObject_GetBuffer(array, &buffer, PyBUF_RECORDS if writable else PyBUF_RECORDS_RO)
    cdef bint is_valid = buffer.ndim == 1 and buffer.format[0] == b"d" and buffer.format[1] == 0
    is_valid = is_valid and (buffer.shape[0] == count or buffer.shape[0] == 1)
    if is_valid:
        numbers.data = <const char *> buffer.buf
        numbers.stride = buffer.strides[0] if buffer.shape[0] > 1 else 0
    PyBuffer_Release(&buffer)
    if not is_valid:
        raise ValueError(f"expected float64 arrays of one dimension, of {count} numbers or of one")
    return numbers


cdef double *first_number(array) except? NULL:
    """Return the address of the first number of a writable contiguous array."""
    return <double *> numbers_of(array.reshape(-1), array.size, True).data


def evaluate_gate(str name, a, b=None):
    """Return the value of one gate, element by element, with the same bits as in a tape.

    Floats give a float. Otherwise `a`, and `b` for a gate of two operands, are converted to float64 and broadcast
    together, and the result is a new array. Numbers outside of the gate's domain give NaN or infinity.
    """
    number = _gates.get(name)
    if number is None:
        raise ValueError(f"name is {name!r}, expected one of {', '.join(_gates)}")
    cdef int gate = number, operands = cg_gate_operands(gate)
    if (b is not None) != (operands == 2):
        raise TypeError(f"the gate {name} has {'one operand' if operands == 1 else 'two operands'}")
    cdef const cg_tape_kernels *table = kernels()
    cdef double a_number, b_number = 0, y_number
    if PyFloat_Check(a) and (operands == 1 or PyFloat_Check(b)):
        a_number = PyFloat_AsDouble(a)
        if operands == 2:
            b_number = PyFloat_AsDouble(b)
        table.short_vectors.evaluate_gate(gate, 1, &a_number, &b_number, &y_number)
        return y_number
    a = np.asarray(a, np.float64)
    if operands == 2:
        a, b = np.broadcast_arrays(a, np.asarray(b, np.float64))
        b = np.ascontiguousarray(b).reshape(-1)
    y = np.empty(a.shape)
    a = np.ascontiguousarray(a).reshape(-1)
    cdef Py_ssize_t start = 0, n = a.size
    cdef const double *a_numbers = <const double *> numbers_of(a, n).data
    cdef const double *b_numbers = <const double *> numbers_of(b, n).data if operands == 2 else a_numbers
    cdef double *y_numbers = first_number(y)
    cdef Interrupts interrupts = Interrupts()
    with nogil:
        while start < n:
            table.evaluate_gate(gate, min(n - start, PIECE), a_numbers + start, b_numbers + start,
                                y_numbers + start)
            start += PIECE
            if interrupts.check(CLOCK_WORK):
                break
    if interrupts.error is not None:
        raise interrupts.error
    return y


cdef class Tape:
    """An expression of gates that can be evaluated and differentiated.

    Its registers are numbered: the constants, the inputs, then the gates.

    Parameters
    ----------
    constants : sequence of float
    inputs : int
    gates : sequence of (str, int, int or None)
        Name and operands of each gate, registers before its own.
    result : int
        The register that is the value of the expression.
    """
    cdef cg_tape tape
    cdef cg_instruction *instructions
    cdef const cg_tape_kernels *kernels
    cdef readonly tuple constants
    # For one point, computed without releasing the GIL:
    cdef Workspace values, sums
    cdef double *point

    def __cinit__(self, *arguments, **named):
        self.kernels = kernels()

    def __init__(self, constants, Py_ssize_t inputs, gates, Py_ssize_t result):
        cdef Py_ssize_t first_gate = len(constants) + inputs, count = len(gates), registers = first_gate + count, i
        cdef cg_instruction *instruction
        if self.instructions != NULL:
            raise TypeError("a tape cannot be changed")
        if registers > 2**31 - 1 or inputs < 0 or not 0 <= result < registers:
            raise ValueError(f"result is {result}, of {registers} registers")
        self.constants = tuple(map(float, constants))
        self.instructions = <cg_instruction *> calloc(count + 1, sizeof(cg_instruction))
        self.point = <double *> calloc(2 * inputs + 1, sizeof(double))
        if self.instructions == NULL or self.point == NULL:
            raise MemoryError()
        self.tape = cg_tape(self.instructions, len(constants), inputs, count, result)
        for i, (name, a, b) in enumerate(gates):
            instruction = &self.instructions[i]
            instruction.gate = _gates[name]
            instruction.a = a
            instruction.b = a if b is None else b
            if not 0 <= min(instruction.a, instruction.b) <= max(instruction.a, instruction.b) < first_gate + i:
                raise ValueError(f"operands of gate {i} are {a} and {b}, expected registers before {first_gate + i}")
        self.route_gradients()
        if count <= SHORT_TAPE:
            self.values = self.new_values(self.kernels.short_vectors.run_one_register_size)
            self.sums = Workspace(registers, self.kernels.short_vectors.run_one_register_size)

    def __dealloc__(self):
        free(self.instructions)
        free(self.point)

    cdef int route_gradients(self) except -1:
        """Mark the operands that get a gradient: the result depends on them, and they depend on an input."""
        cdef Py_ssize_t first_gate = self.tape.constants + self.tape.inputs, i
        cdef Py_ssize_t registers = first_gate + self.tape.gates
        cdef bytearray varies = bytearray(registers), reached = bytearray(registers)
        cdef cg_instruction *instruction
        for i in range(self.tape.constants, first_gate):
            varies[i] = reached[i] = True       # the kernels set the sums of inputs to 0
        for i in range(self.tape.gates):
            instruction = &self.instructions[i]
            varies[first_gate + i] = varies[instruction.a] | varies[instruction.b]
        reached[self.tape.result] = True
        for i in range(self.tape.gates - 1, -1, -1):
            instruction = &self.instructions[i]
            if not reached[first_gate + i]:
                continue
            if varies[instruction.a]:
                instruction.to |= CG_TO_A if reached[instruction.a] else CG_TO_A | CG_FIRST_TO_A
                reached[instruction.a] = True
            if varies[instruction.b] and cg_gate_operands(instruction.gate) == 2:
                instruction.to |= CG_TO_B if reached[instruction.b] else CG_TO_B | CG_FIRST_TO_B
                reached[instruction.b] = True
        return 0

    cdef Workspace new_values(self, Py_ssize_t register_size):
        """Return registers for the values, with the constants written into theirs."""
        cdef Py_ssize_t register, i
        cdef Workspace values = Workspace(self.tape.constants + self.tape.inputs + self.tape.gates, register_size)
        for register in range(self.tape.constants):
            for i in range(register_size):
                values.registers[register * register_size + i] = self.constants[register]
        return values

    @property
    def isa(self):
        """Name of the instruction set in use."""
        return self.kernels.isa.decode()

    @property
    def result(self):
        return self.tape.result

    @property
    def gates(self):
        """Name and operands of each gate."""
        cdef const cg_instruction *instruction
        gates = []
        for i in range(self.tape.gates):
            instruction = &self.instructions[i]
            name = cg_gate_name(instruction.gate).decode()
            gates.append((name, instruction.a, instruction.b if GATES[name] == 2 else None))
        return gates

    cdef bint read_point(self, tuple arguments) except -1:
        """Write the arguments into the point if they are one number for each input; return whether they are."""
        cdef Py_ssize_t i
        if len(arguments) != self.tape.inputs or self.values is None:
            return False
        for i in range(self.tape.inputs):
            argument = arguments[i]
            if PyFloat_Check(argument):
                self.point[i] = PyFloat_AsDouble(argument)
            elif PyLong_Check(argument):
                self.point[i] = PyLong_AsDouble(argument)
            else:
                return False
        return True

    cdef double run_one(self, bint differentiate) noexcept:
        """Return the value at the point; write the gradient behind the point."""
        cdef double *gradient = self.point + self.tape.inputs if differentiate else NULL
        return self.kernels.short_vectors.run_one(&self.tape, self.point, self.values.registers, self.sums.registers,
                                                  gradient)

    def __call__(self, *arguments, **named):
        # Return f and (∂f/∂input, …), as floats or as arrays of all points.
        cdef Py_ssize_t i
        cdef double value
        cdef object number
        if named or not self.read_point(arguments):
            return self.call_with_arrays(arguments, named, True)
        gradients = PyTuple_New(self.tape.inputs)
        value = self.run_one(True)
        for i in range(self.tape.inputs):
            number = self.point[self.tape.inputs + i]
            Py_INCREF(number)       # for the tuple
            PyTuple_SetItem(gradients, i, number)
        return value, gradients

    def value(self, *arguments, **named):
        """Return the value f alone, as a float or as an array of all points."""
        if named or not self.read_point(arguments):
            return self.call_with_arrays(arguments, named, False)
        return self.run_one(False)

    def call_with_arrays(self, arguments, named, differentiate):
        """Evaluate arguments other than one number for each input; subclasses do."""
        raise TypeError("expected a number for each input")

    def run(self, arrays, Py_ssize_t points, bint differentiate):
        """Return values (points,) and gradients (inputs, points) or None.

        `arrays` are float64 arrays, each with `points` numbers or one for all points. Every call has registers of its
        own, so several threads can call it at the same time.
        """
        cdef Py_ssize_t inputs = self.tape.inputs, registers = self.tape.constants + inputs + self.tape.gates
        if registers == 0:
            raise TypeError("the tape has no registers: it was not initialised")
        cdef Py_ssize_t register_size = self.kernels.points_per_register
        cdef bint one_by_one = 8 * points <= register_size or registers * register_size > MAX_BLOCK
        if one_by_one:
            register_size = self.kernels.short_vectors.run_one_register_size
        cdef Py_ssize_t piece = max(1, PIECE // (registers * register_size)) * register_size, first = 0, last
        cdef Workspace values = self.new_values(register_size), sums = Workspace(registers, register_size)
        cdef Workspace point = Workspace(2 * inputs, 1)
        value, gradients = np.empty(points), np.empty((inputs, points)) if differentiate else None
        cdef double *value_data = first_number(value)
        cdef double *gradients_data = first_number(gradients) if differentiate else NULL
        cdef Workspace number_space = Workspace(inputs * sizeof(cg_numbers) // sizeof(double), 1)
        cdef cg_numbers *numbers = <cg_numbers *> number_space.registers
        cdef Py_ssize_t i
        if len(arrays) != inputs:
            raise ValueError(f"there are {len(arrays)} arrays, expected {inputs}")
        for i in range(inputs):
            numbers[i] = numbers_of(arrays[i], points)
        cdef Interrupts interrupts = Interrupts()
        with nogil:
            while first < points:
                last = min(first + piece, points)
                if one_by_one:
                    cg_tape_run_one_by_one(self.kernels, &self.tape, numbers, first, last, points, point.registers,
                                           values.registers, sums.registers, value_data, gradients_data)
                else:
                    cg_tape_run(self.kernels, &self.tape, numbers, first, last, points, values.registers,
                                sums.registers, value_data, gradients_data)
                first = last
                if interrupts.check(CLOCK_WORK):
                    break
        if interrupts.error is not None:
            raise interrupts.error
        return value, gradients
