/* tape.h: expressions of gates, evaluated and differentiated for many points at once, in float64. The engine's tape.pxd
 * mirrors this file.
 *
 * A tape has one register after another: the constants, the inputs, then the gates, each computed from registers before
 * it. A register holds one number for each of a block of points. The forward pass computes the values. The backward pass
 * starts from ∂f/∂f = 1 and takes the gates from the last to the first: it multiplies each gate's gradient by the local
 * derivatives and adds the products to the gradients of the operands, a before b.
 *
 * A point's results depend on that point alone, and have the same bits on every instruction set. Numbers outside of a
 * gate's domain give NaN or infinity. Denormals are not flushed. */
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

/* The operands that get a gradient from a gate. FIRST: the operand has no gradient yet, so its register is set instead
 * of added to. */
enum { CG_TO_A = 1, CG_TO_B = 2, CG_FIRST_TO_A = 4, CG_FIRST_TO_B = 8 };

/* One gate, `to` (CG_TO_A and so on), and the registers of its operands. A gate of one operand needs a valid b, too. */
typedef struct {
    int32_t gate, to, a, b;
} cg_instruction;

/* The numbers of registers of each kind, in their order, and the register with the value of the expression, f. */
typedef struct {
    const cg_instruction *instructions; /* of the gates */
    ptrdiff_t constants, inputs, gates, result;
} cg_tape;

/* The kernels of an instruction set. A register holds `points_per_register` numbers and is aligned for vectors. For one
 * point at a time use `run_one` of the table `short_vectors`, with registers of `run_one_register_size` numbers. */
typedef struct cg_tape_kernels {
    const char *isa;
    ptrdiff_t points_per_register;
    void (*forward)(const cg_tape *tape, double *values);
    /* Writes the gradients of the inputs into `sums`; the other registers of `sums` are scratch space. */
    void (*backward)(const cg_tape *tape, const double *values, double *sums);
    /* y[i] = gate(a[i], b[i]) */
    void (*evaluate_gate)(int gate, ptrdiff_t n, const double *a, const double *b, double *y);

    const struct cg_tape_kernels *short_vectors;
    ptrdiff_t run_one_register_size;
    /* Returns the value at a point [inputs]; gradient is [inputs] or NULL. */
    double (*run_one)(const cg_tape *tape, const double *point, double *values, double *sums, double *gradient);
} cg_tape_kernels;

/* The numbers of an array, `stride` bytes apart. */
typedef struct {
    const char *data;
    ptrdiff_t stride;
} cg_numbers;

/* Run the points `first` to `last` − 1 of arrays of `points`: value is [points], gradients [inputs, points] or NULL.
 * `values`, and `sums` if there are gradients, hold all registers; the constants must be in `values` already. */
void cg_tape_run(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs, ptrdiff_t first,
                 ptrdiff_t last, ptrdiff_t points, double *values, double *sums, double *value, double *gradients);

/* The same, one point at a time: for few points, or where blocks would need too much memory. `point` holds two
 * numbers for each input: its value and its gradient. */
void cg_tape_run_one_by_one(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs,
                            ptrdiff_t first, ptrdiff_t last, ptrdiff_t points, double *point, double *values,
                            double *sums, double *value, double *gradients);

/* Returns the kernels of an instruction set by its name, or NULL. */
const cg_tape_kernels *cg_tape_kernels_of(const char *isa);

const char *cg_gate_name(int gate);
int cg_gate_operands(int gate);

#endif
