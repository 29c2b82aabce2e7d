/* tape.c: the parts of tapes that are the same on every instruction set: loops over points, tables of names. */
#include "tape.h"

#include <string.h>

extern const cg_tape_kernels cg_tape_portable;
#ifdef CG_HAVE_AVX2
extern const cg_tape_kernels cg_tape_avx2;
#endif
#ifdef CG_HAVE_AVX512
extern const cg_tape_kernels cg_tape_avx512;
#endif

/* Copies a block of an input into a register, and fills up the register with the first number. */
static void load_points(const cg_numbers *from, ptrdiff_t first, ptrdiff_t count, ptrdiff_t register_size, double *to)
{
    const char *data = from->data + first * from->stride;
    ptrdiff_t i = 0;
    if (from->stride == sizeof(double)) memcpy(to, data, (size_t)(i = count) * sizeof(double));
    for (; i < count; i++) memcpy(to + i, data + i * from->stride, sizeof(double));
    for (; i < register_size; i++) to[i] = to[0];
}

void cg_tape_run(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs, ptrdiff_t first,
                 ptrdiff_t last, ptrdiff_t points, double *values, double *sums, double *value, double *gradients)
{
    const ptrdiff_t register_size = kernels->points_per_register;
    for (; first < last; first += register_size) {
        ptrdiff_t count = last - first < register_size ? last - first : register_size;
        size_t bytes = (size_t)count * sizeof(double);
        for (ptrdiff_t i = 0; i < tape->inputs; i++)
            load_points(inputs + i, first, count, register_size, values + (tape->constants + i) * register_size);
        kernels->forward(tape, values);
        memcpy(value + first, values + tape->result * register_size, bytes);
        if (!gradients) continue;
        kernels->backward(tape, values, sums);
        for (ptrdiff_t i = 0; i < tape->inputs; i++)
            memcpy(gradients + i * points + first, sums + (tape->constants + i) * register_size, bytes);
    }
}

void cg_tape_run_one_by_one(const cg_tape_kernels *kernels, const cg_tape *tape, const cg_numbers *inputs,
                            ptrdiff_t first, ptrdiff_t last, ptrdiff_t points, double *point, double *values,
                            double *sums, double *value, double *gradients)
{
    double *gradient = gradients ? point + tape->inputs : NULL;
    for (; first < last; first++) {
        for (ptrdiff_t i = 0; i < tape->inputs; i++)
            memcpy(point + i, inputs[i].data + first * inputs[i].stride, sizeof(double));
        value[first] = kernels->short_vectors->run_one(tape, point, values, sums, gradient);
        for (ptrdiff_t i = 0; gradients && i < tape->inputs; i++) gradients[i * points + first] = gradient[i];
    }
}

const cg_tape_kernels *cg_tape_kernels_of(const char *isa)
{
    static const cg_tape_kernels *const tables[] = {
#ifdef CG_HAVE_AVX512
        &cg_tape_avx512,
#endif
#ifdef CG_HAVE_AVX2
        &cg_tape_avx2,
#endif
        &cg_tape_portable,
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i]->isa, isa) == 0) return tables[i];
    return NULL;
}

const char *cg_gate_name(int gate)
{
    static const char *const names[] = {
#define CG_GATE(NAME, ...) #NAME,
        CG_GATES(CG_GATE, CG_GATE)
#undef CG_GATE
    };
    return names[gate];
}

int cg_gate_operands(int gate)
{
    static const char operands[] = {
#define CG_UNARY(...) 1,
#define CG_BINARY(...) 2,
        CG_GATES(CG_UNARY, CG_BINARY)
#undef CG_UNARY
#undef CG_BINARY
    };
    return operands[gate];
}
