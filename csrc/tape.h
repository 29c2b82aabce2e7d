/* tape.h: expressions of gates, evaluated and differentiated for many points at once, in float64. The engine's tape.pxd
 * mirrors this file.
 *
 * A tape has one register after another: the constants, the inputs, then the gates, each computed from registers before
 * it. A register holds a number for each of a block of points, its lanes. A
 * pass to the right computes the values; one to the left, from ∂f/∂f = 1, adds to the gradient of each operand what the
 * gate's gradient times the local derivative is: gates from the last to the first, a before b.
 *
 * A lane's results depend on that lane alone, and are the same bits on every instruction set. Numbers outside of a
 * gate's domain give NaN or infinity. Denormals are numbers like others. */
#ifndef CG_TAPE_H
#define CG_TAPE_H

#include <stddef.h>
#include <stdint.h>

#include "gates.h"

enum cg_gate {
#define CG_GATE(NAME, ...) CG_GATE_##NAME,
    CG_GATES(CG_GATE, CG_GATE)
#undef CG_GATE
    CG_GATE_COUNT
};

enum { CG_TO_A = 1, CG_TO_B = 2 };

/* One gate: the registers of its operands (b is not read where there is one), and which of them the gradient goes to. */
typedef struct {
    int32_t gate, to, a, b;
} cg_instruction;

/* How many registers there are of each kind, in this order; which of them is the value of the expression, f. */
typedef struct {
    const cg_instruction *instructions; /* of the gates */
    ptrdiff_t constants, inputs, gates, result;
} cg_tape;

/* The same on each instruction set. Registers are `stride` numbers apart, of which the first `lanes` are computed: both
 * are multiples of the table's `lanes`, as is the alignment of registers. */
typedef struct {
    const char *isa;
    ptrdiff_t lanes; /* numbers of a vector */
    void (*forward)(const cg_tape *tape, ptrdiff_t stride, ptrdiff_t lanes, double *values);
    /* Leaves the gradients of the inputs and the gates; those of the constants are not touched. */
    void (*backward)(const cg_tape *tape, ptrdiff_t stride, ptrdiff_t lanes, const double *values, double *gradients);
    /* y[i] = gate(a[i], b[i]) */
    void (*evaluate)(int gate, ptrdiff_t n, const double *a, const double *b, double *y);
} cg_tape_kernels;

/* Numbers of an array, `stride` bytes apart. */
typedef struct {
    const char *data;
    ptrdiff_t stride;
} cg_numbers;

/* Points `first` to `last` − 1 of arrays of `points`: value is [points], gradients [inputs, points] or NULL.
 * `values`, and `sums` if there are gradients, have room for every register with a block of lanes each; the constants
 * are in `values` already. */
void cg_tape_run(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs, ptrdiff_t first,
                 ptrdiff_t last, ptrdiff_t points, ptrdiff_t block, double *values, double *sums, double *value,
                 double *gradients);

/* The kernels of an instruction set by its name, or NULL. */
const cg_tape_kernels *cg_tape_kernels_of(const char *isa);

const char *cg_gate_name(int gate);
int cg_gate_operands(int gate);

#endif
