/* tape.c: what is known of gates and of the kernels of tapes, whatever the instruction set. */
#include "tape.h"

#include <string.h>

extern const cg_tape_kernels cg_tape_portable;
#ifdef CG_HAVE_AVX2
extern const cg_tape_kernels cg_tape_avx2;
#endif
#ifdef CG_HAVE_AVX512
extern const cg_tape_kernels cg_tape_avx512;
#endif

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
