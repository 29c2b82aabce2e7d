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

#define CG_OPERANDS                                                                          \
    vec one = splat(1), a = load(a_lanes + lane), b = load(b_lanes + lane);                  \
    (void)one, (void)a, (void)b;

static void forward(const cg_tape *tape, ptrdiff_t stride, ptrdiff_t lanes, double *values)
{
    double *y_lanes = values + (tape->constants + tape->inputs) * stride;
    for (ptrdiff_t i = 0; i < tape->gates; i++, y_lanes += stride) {
        const cg_instruction *instruction = tape->instructions + i;
        const double *a_lanes = values + instruction->a * stride, *b_lanes = values + instruction->b * stride;
        switch (instruction->gate) {
#define CG_GATE(NAME, Y, ...)                                   \
    case CG_GATE_##NAME:                                        \
        for (ptrdiff_t lane = 0; lane < lanes; lane += LANES) { \
            CG_OPERANDS                                         \
            store(y_lanes + lane, Y);                           \
        }                                                       \
        break;
            CG_GATES(CG_GATE, CG_GATE)
#undef CG_GATE
        }
    }
}

static void backward(const cg_tape *tape, ptrdiff_t stride, ptrdiff_t lanes, const double *values, double *gradients)
{
    ptrdiff_t gates = tape->constants + tape->inputs;
    for (ptrdiff_t r = tape->constants; r < gates + tape->gates; r++)
        for (ptrdiff_t lane = 0; lane < lanes; lane += LANES)
            store(gradients + r * stride + lane, splat(r == tape->result));
    for (ptrdiff_t i = tape->gates - 1; i >= 0; i--) {
        const cg_instruction *instruction = tape->instructions + i;
        ptrdiff_t a_place = instruction->a * stride, b_place = instruction->b * stride, y_place = (gates + i) * stride;
        const double *a_lanes = values + a_place, *b_lanes = values + b_place, *y_lanes = values + y_place;
        const double *g_lanes = gradients + y_place;
        switch (instruction->gate) {
#define CG_ADD(OPERAND, FLAG, SLOPE)                                       \
    if (instruction->to & FLAG)                                            \
        for (ptrdiff_t lane = 0; lane < lanes; lane += LANES) {            \
            CG_OPERANDS                                                    \
            vec y = load(y_lanes + lane);                                  \
            (void)y;                                                       \
            double *sum = gradients + OPERAND##_place + lane;              \
            store(sum, load(sum) + load(g_lanes + lane) * (SLOPE));        \
        }
#define CG_UNARY(NAME, Y, SLOPE) \
    case CG_GATE_##NAME:         \
        CG_ADD(a, CG_TO_A, SLOPE) \
        break;
#define CG_BINARY(NAME, Y, A_SLOPE, B_SLOPE) \
    case CG_GATE_##NAME:                     \
        CG_ADD(a, CG_TO_A, A_SLOPE)          \
        CG_ADD(b, CG_TO_B, B_SLOPE)          \
        break;
            CG_GATES(CG_UNARY, CG_BINARY)
#undef CG_UNARY
#undef CG_BINARY
#undef CG_ADD
        }
    }
}

/* A tape of this one gate, over registers of one vector. */
static void evaluate(int gate, ptrdiff_t n, const double *a, const double *b, double *y)
{
    cg_instruction instruction = {gate, 0, 0, 1};
    cg_tape tape = {&instruction, 0, 2, 1, 2};
    vec registers[3] = {zero(), zero(), zero()};
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        size_t bytes = (size_t)(n - i < LANES ? n - i : LANES) * sizeof(double);
        memcpy(&registers[0], a + i, bytes);
        memcpy(&registers[1], b + i, bytes);
        forward(&tape, LANES, LANES, (double *)registers);
        memcpy(y + i, &registers[2], bytes);
    }
}

const cg_tape_kernels CG_TABLE = {
    .isa = CG_ISA,
    .lanes = LANES,
    .forward = forward,
    .backward = backward,
    .evaluate = evaluate,
};
#undef CG_OPERANDS
