/* tape_kernels.h: the template that makes one table of kernels for tapes. Each tape_<isa>.c sets
 *   CG_VECTOR_BYTES         64 (AVX-512), 32 (AVX2 with FMA) or 16 (portable)
 *   CG_TABLE                the table's name, cg_tape_<isa>
 *   CG_SHORT_VECTORS_TABLE  the table for single points, where another one's shorter vectors are faster
 * and includes this file. */
#define CG_BITS 64
#define CG_SHORT_CHAINS /* of functions.h */
#include "simd.h"

#include "functions.h"

#include "power.h"
#include "trigonometry.h"

#include "tape.h"

/* max and min: the first operand where both are equal; NaN where one of them is. */
CG_INLINE vec max_of(vec a, vec b) { return select_((mask)(a >= b) | (mask)(a != a), a, b); }
CG_INLINE vec min_of(vec a, vec b) { return select_((mask)(a <= b) | (mask)(a != a), a, b); }
CG_INLINE vec relu_of(vec a) { return masked(a, ~(mask)(a <= zero())); }

/* Not inlined, so that both sizes of registers share one copy. */
CG_SHARED vec exp_of(vec a) { return exp_(a); }
CG_SHARED vec tanh_of(vec a) { return tanh_(a); }
CG_SHARED vec gaussian_of(vec a) { return gaussian(a); }

/* Where sigmoid is denormal it equals exp(a). There `sigmoid` returns one constant, which is enough for networks. */
CG_SHARED vec sigmoid_of(vec a)
{
    vec y = sigmoid(a);
    mask small = (mask)(a < splat(1 - CG_SIGMOID_MAX));
    return any_lane(small) ? select_(small, exp_(a), y) : y;
}

/* Vectors per register: enough to make the switch over gates cheap. Loops over them have no branches. */
enum { VECTORS = CG_VECTOR_BYTES > 16 ? 8 : 4 };

#define CG_EACH_VECTOR CG_UNROLL for (ptrdiff_t start = 0; start < vectors * LANES; start += LANES)

/* With one vector per register, loading a value just stored costs more than the gate. The last result is therefore kept
 * in a variable; the branch that picks it predicts well. */
#define CG_LAST_OR_LOAD(NAME, IS_LAST, LAST, REGISTER)  \
    vec NAME = zero();                                  \
    if (vectors == 1) {                                 \
        if (IS_LAST) NAME = LAST;                       \
        else NAME = load(REGISTER);                     \
    }
#define CG_VECTOR_OF(ONLY, REGISTER) (vectors == 1 ? ONLY : load(REGISTER + start))

CG_INLINE void forward_vectors(const cg_tape *tape, const int vectors, double *values)
{
    const ptrdiff_t register_size = vectors * LANES, first_gate = tape->constants + tape->inputs;
    double *y_register = values + first_gate * register_size;
    vec last = zero();
    if (vectors == 1 && tape->gates) last = load(y_register - register_size); /* a gate has an operand before it */
    for (ptrdiff_t i = 0; i < tape->gates; i++, y_register += register_size) {
        const cg_instruction *instruction = tape->instructions + i;
        const double *a_register = values + instruction->a * register_size;
        const double *b_register = values + instruction->b * register_size;
        CG_LAST_OR_LOAD(a_only, instruction->a == first_gate + i - 1, last, a_register)
        CG_LAST_OR_LOAD(b_only, instruction->b == first_gate + i - 1, last, b_register)
        switch (instruction->gate) {
#define CG_GATE(NAME, Y, ...)                                                                               \
    case CG_GATE_##NAME:                                                                                    \
        CG_EACH_VECTOR                                                                                      \
        {                                                                                                   \
            vec one = splat(1), a = CG_VECTOR_OF(a_only, a_register), b = CG_VECTOR_OF(b_only, b_register); \
            (void)one, (void)a, (void)b;                                                                    \
            last = Y;                                                                                       \
            store(y_register + start, last);                                                                \
        }                                                                                                   \
        break;
            CG_GATES(CG_GATE, CG_GATE)
#undef CG_GATE
        }
    }
}

CG_INLINE void backward_vectors(const cg_tape *tape, const int vectors, const double *values, double *sums)
{
    static const vec zeros[VECTORS];
    const ptrdiff_t register_size = vectors * LANES, first_gate = tape->constants + tape->inputs;
    for (ptrdiff_t i = tape->constants * register_size; i < first_gate * register_size; i += LANES)
        store(sums + i, zero());
    CG_EACH_VECTOR store(sums + tape->result * register_size + start, splat(1));
    ptrdiff_t a_offset = -1, b_offset = -1;
    vec a_last = zero(), b_last = zero();
    for (ptrdiff_t i = tape->gates - 1; i >= 0; i--) {
        const cg_instruction *instruction = tape->instructions + i;
        const ptrdiff_t y_offset = (first_gate + i) * register_size;
        const double *g_register = sums + y_offset, *y_register = values + y_offset;
        CG_LAST_OR_LOAD(g_only, b_offset == y_offset, b_last, g_register)
        if (vectors == 1 && b_offset != y_offset && a_offset == y_offset) g_only = a_last;
        a_offset = instruction->a * register_size, b_offset = instruction->b * register_size;
        const double *a_register = values + a_offset, *b_register = values + b_offset;
        switch (instruction->gate) {
#define CG_ADD(OPERAND, TO, FIRST, SLOPE)                                                   \
    if (instruction->to & TO) {                                                             \
        double *sum = sums + OPERAND##_offset;                                              \
        const double *before = instruction->to & FIRST ? (const double *)zeros : sum;       \
        CG_EACH_VECTOR                                                                      \
        {                                                                                   \
            vec one = splat(1), a = load(a_register + start), b = load(b_register + start); \
            vec y = load(y_register + start), g = CG_VECTOR_OF(g_only, g_register);         \
            (void)one, (void)a, (void)b, (void)y;                                           \
            OPERAND##_last = load(before + start) + g * (SLOPE);                            \
            store(sum + start, OPERAND##_last);                                             \
        }                                                                                   \
    } else OPERAND##_offset = -1;
#define CG_UNARY(NAME, Y, SLOPE)                    \
    case CG_GATE_##NAME:                            \
        CG_ADD(a, CG_TO_A, CG_FIRST_TO_A, SLOPE)    \
        b_offset = -1;                              \
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

#ifdef CG_SHORT_VECTORS_TABLE
extern const cg_tape_kernels CG_SHORT_VECTORS_TABLE;
#else
static double run_one(const cg_tape *tape, const double *point, double *values, double *sums, double *gradient)
{
    double *inputs = values + tape->constants * LANES, *input_sums = sums + tape->constants * LANES;
    for (ptrdiff_t i = 0; i < tape->inputs; i++) store(inputs + i * LANES, splat(point[i]));
    forward_vectors(tape, 1, values);
    if (gradient) {
        backward_vectors(tape, 1, values, sums);
        for (ptrdiff_t i = 0; i < tape->inputs; i++) gradient[i] = input_sums[i * LANES];
    }
    return values[tape->result * LANES];
}
#endif

CG_SHARED void forward(const cg_tape *tape, double *values) { forward_vectors(tape, VECTORS, values); }

static void backward(const cg_tape *tape, const double *values, double *sums)
{
    backward_vectors(tape, VECTORS, values, sums);
}

/* Run a tape of this one gate. */
static void evaluate_gate(int gate, ptrdiff_t n, const double *a, const double *b, double *y)
{
    const ptrdiff_t register_size = VECTORS * LANES;
    cg_instruction instruction = {gate, 0, 0, 1};
    cg_tape tape = {&instruction, 0, 2, 1, 2};
    vec registers[3][VECTORS] = {0};
    double *a_register = (double *)registers, *b_register = a_register + register_size;
    double *y_register = b_register + register_size;
    for (ptrdiff_t i = 0; i < n; i += register_size) {
        size_t bytes = (size_t)(n - i < register_size ? n - i : register_size) * sizeof(double);
        memcpy(a_register, a + i, bytes);
        memcpy(b_register, b + i, bytes);
        forward(&tape, a_register);
        memcpy(y + i, y_register, bytes);
    }
}

const cg_tape_kernels CG_TABLE = {
    .isa = CG_ISA,
    .points_per_register = VECTORS * LANES,
    .forward = forward,
    .backward = backward,
    .evaluate_gate = evaluate_gate,
#ifdef CG_SHORT_VECTORS_TABLE
    .short_vectors = &CG_SHORT_VECTORS_TABLE,
#else
    .short_vectors = &CG_TABLE,
    .run_one_register_size = LANES,
    .run_one = run_one,
#endif
};
#undef CG_EACH_VECTOR
#undef CG_LAST_OR_LOAD
#undef CG_VECTOR_OF
