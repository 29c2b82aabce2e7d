# tape.pxd: the declarations of csrc/tape.h, where they are explained.

from libc.stdint cimport int32_t


cdef extern from "tape.h" nogil:
    enum:
        CG_GATE_COUNT
        CG_TO_A
        CG_TO_B
        CG_FIRST_TO_A
        CG_FIRST_TO_B

    ctypedef struct cg_instruction:
        int32_t gate, to, a, b

    ctypedef struct cg_tape:
        const cg_instruction *instructions
        Py_ssize_t constants, inputs, gates, result

    ctypedef struct cg_tape_kernels:
        const char *isa
        Py_ssize_t points_per_register
        void (*forward)(const cg_tape *tape, double *values) noexcept nogil
        void (*backward)(const cg_tape *tape, const double *values, double *sums) noexcept nogil
        void (*evaluate_gate)(int gate, Py_ssize_t n, const double *a, const double *b, double *y) noexcept nogil

        const cg_tape_kernels *short_vectors
        Py_ssize_t run_one_register_size
        double (*run_one)(const cg_tape *tape, const double *point, double *values, double *sums,
                          double *gradient) noexcept nogil

    ctypedef struct cg_numbers:
        const char *data
        Py_ssize_t stride

    void cg_tape_run(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs, Py_ssize_t first,
                     Py_ssize_t last, Py_ssize_t points, double *values, double *sums, double *value,
                     double *gradients)
    void cg_tape_run_one_by_one(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs,
                                Py_ssize_t first, Py_ssize_t last, Py_ssize_t points, double *point, double *values,
                                double *sums, double *value, double *gradients)
    const cg_tape_kernels *cg_tape_kernels_of(const char *isa)
    const char *cg_gate_name(int gate)
    int cg_gate_operands(int gate)
