/* tape_kernels.h: the template that makes one table of kernels for tapes. Each tape_<isa>.c sets
 *   CG_VECTOR_BYTES  64 (AVX-512), 32 (AVX2 with FMA) or 16 (portable)
 *   CG_TABLE         the table's name, cg_tape_<isa>
 * and includes this file. */
#define CG_BITS 64
#include "simd.h"

#include "functions.h"

#include "power.h"
#include "trigonometry.h"

#include "tape.h"

/* Whether a max or a min is its first operand: so it is where they are equal, and where it is NaN. */
CG_INLINE mask first_max(vec a, vec b) { return (mask)(a >= b) | (mask)(a != a); }
CG_INLINE mask first_min(vec a, vec b) { return (mask)(a <= b) | (mask)(a != a); }

/* Once for both widths of a register. */
#define CG_OUT_OF_LINE(NAME) CG_SHARED vec NAME##of(vec a) { return NAME(a); }
CG_OUT_OF_LINE(exp_)
CG_OUT_OF_LINE(tanh_)
CG_OUT_OF_LINE(sigmoid_)
CG_OUT_OF_LINE(gaussian_)
#undef CG_OUT_OF_LINE

enum { MANY = 4 }; /* vectors of a register: their loops have no branches, and 50 gates fit in the first cache */

#define CG_EACH_VECTOR _Pragma("GCC unroll 4") for (ptrdiff_t lane = 0; lane < vectors * LANES; lane += LANES)
#define CG_LOAD_OPERANDS                                                        \
    vec one = splat(1), a = load(a_lanes + lane), b = load(b_lanes + lane);     \
    (void)one, (void)a, (void)b;

CG_INLINE void forward_vectors(const cg_tape *tape, const int vectors, double *values)
{
    const ptrdiff_t stride = vectors * LANES;
    double *y_lanes = values + (tape->constants + tape->inputs) * stride;
    for (ptrdiff_t i = 0; i < tape->gates; i++, y_lanes += stride) {
        const cg_instruction *instruction = tape->instructions + i;
        const double *a_lanes = values + instruction->a * stride, *b_lanes = values + instruction->b * stride;
        switch (instruction->gate) {
#define CG_GATE(NAME, Y, ...)             \
    case CG_GATE_##NAME:                  \
        CG_EACH_VECTOR                    \
        {                                 \
            CG_LOAD_OPERANDS              \
            store(y_lanes + lane, Y);     \
        }                                 \
        break;
            CG_GATES(CG_GATE, CG_GATE)
#undef CG_GATE
        }
    }
}

CG_INLINE void backward_vectors(const cg_tape *tape, const int vectors, const double *values, double *sums)
{
    static const vec zeros[MANY];
    const ptrdiff_t stride = vectors * LANES, first = tape->constants + tape->inputs;
    for (ptrdiff_t i = tape->constants * stride; i < first * stride; i += LANES) store(sums + i, zero());
    CG_EACH_VECTOR store(sums + tape->result * stride + lane, splat(1));
    for (ptrdiff_t i = tape->gates - 1; i >= 0; i--) {
        const cg_instruction *instruction = tape->instructions + i;
        ptrdiff_t a_place = instruction->a * stride, b_place = instruction->b * stride, y_place = (first + i) * stride;
        const double *a_lanes = values + a_place, *b_lanes = values + b_place, *y_lanes = values + y_place;
        const double *g_lanes = sums + y_place;
        switch (instruction->gate) {
#define CG_ADD(OPERAND, TO, FIRST, SLOPE)                                                              \
    if (instruction->to & TO) {                                                                        \
        double *sum = sums + OPERAND##_place;                                                          \
        const double *before = instruction->to & FIRST ? (const double *)zeros : sum;                  \
        CG_EACH_VECTOR                                                                                 \
        {                                                                                              \
            CG_LOAD_OPERANDS                                                                           \
            vec y = load(y_lanes + lane);                                                              \
            (void)y;                                                                                   \
            store(sum + lane, load(before + lane) + load(g_lanes + lane) * (SLOPE));                   \
        }                                                                                              \
    }
#define CG_UNARY(NAME, Y, SLOPE)                     \
    case CG_GATE_##NAME:                             \
        CG_ADD(a, CG_TO_A, CG_FIRST_TO_A, SLOPE)     \
        break;
#define CG_BINARY(NAME, Y, A_SLOPE, B_SLOPE)         \
    case CG_GATE_##NAME:                             \
        CG_ADD(a, CG_TO_A, CG_FIRST_TO_A, A_SLOPE)   \
        CG_ADD(b, CG_TO_B, CG_FIRST_TO_B, B_SLOPE)   \
        break;
            CG_GATES(CG_UNARY, CG_BINARY)
#undef CG_UNARY
#undef CG_BINARY
#undef CG_ADD
        }
    }
}

static void forward(const cg_tape *tape, ptrdiff_t lanes, double *values)
{
    if (lanes == LANES) forward_vectors(tape, 1, values);
    else forward_vectors(tape, MANY, values);
}

static void backward(const cg_tape *tape, ptrdiff_t lanes, const double *values, double *sums)
{
    if (lanes == LANES) backward_vectors(tape, 1, values, sums);
    else backward_vectors(tape, MANY, values, sums);
}

/* A tape of this one gate. */
static void evaluate(int gate, ptrdiff_t n, const double *a, const double *b, double *y)
{
    cg_instruction instruction = {gate, 0, 0, 1};
    cg_tape tape = {&instruction, 0, 2, 1, 2};
    vec registers[3][MANY] = {0};
    for (ptrdiff_t lanes = n > LANES ? MANY * LANES : LANES, i = 0; i < n; i += lanes) {
        size_t bytes = (size_t)(n - i < lanes ? n - i : lanes) * sizeof(double);
        double *a_lanes = (double *)registers, *b_lanes = a_lanes + lanes, *y_lanes = b_lanes + lanes;
        memcpy(a_lanes, a + i, bytes);
        memcpy(b_lanes, b + i, bytes);
        forward(&tape, lanes, a_lanes);
        memcpy(y + i, y_lanes, bytes);
    }
}

const cg_tape_kernels CG_TABLE = {
    .isa = CG_ISA,
    .few = LANES,
    .many = MANY * LANES,
    .forward = forward,
    .backward = backward,
    .evaluate = evaluate,
};
#undef CG_EACH_VECTOR
#undef CG_LOAD_OPERANDS
