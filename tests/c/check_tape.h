/* check_tape.h: tapes of gates. Each gate is part of a small expression, with a constant before it and gates after it.
 * Cases have numbers of points near those of a register, and inputs that are contiguous, strided, or one number for all
 * points. The reference computes in long double; other tests compare the bits with those of the graph. */
#ifndef CHECK_TAPE_H
#define CHECK_TAPE_H

#include "checks.h"

#include "tape.h"

typedef struct {
    long double y, by_a, by_b;
} derivatives;

static derivatives gate_of(int gate, long double a, long double b)
{
    long double y;
    switch (gate) {
    case CG_GATE_add: return (derivatives){a + b, 1, 1};
    case CG_GATE_sub: return (derivatives){a - b, 1, -1};
    case CG_GATE_mul: return (derivatives){a * b, b, a};
    case CG_GATE_div: return (derivatives){a / b, 1 / b, -a / (b * b)};
    case CG_GATE_power: y = powl(a, b); return (derivatives){y, b * powl(a, b - 1), y * logl(a)};
    case CG_GATE_max: return a >= b ? (derivatives){a, 1, 0} : (derivatives){b, 0, 1};
    case CG_GATE_min: return a <= b ? (derivatives){a, 1, 0} : (derivatives){b, 0, 1};
    case CG_GATE_neg: return (derivatives){-a, -1, 0};
    case CG_GATE_reciprocal: return (derivatives){1 / a, -1 / (a * a), 0};
    case CG_GATE_square: return (derivatives){a * a, 2 * a, 0};
    case CG_GATE_abs: return (derivatives){fabsl(a), a < 0 ? -1 : 1, 0};
    case CG_GATE_exp: y = expl(a); return (derivatives){y, y, 0};
    case CG_GATE_log: return (derivatives){logl(a), 1 / a, 0};
    case CG_GATE_sqrt: y = sqrtl(a); return (derivatives){y, 0.5L / y, 0};
    case CG_GATE_sin: return (derivatives){sinl(a), cosl(a), 0};
    case CG_GATE_cos: return (derivatives){cosl(a), -sinl(a), 0};
    case CG_GATE_tanh: y = tanhl(a); return (derivatives){y, 1 - y * y, 0};
    case CG_GATE_sigmoid: y = 1 / (1 + expl(-a)); return (derivatives){y, y * (1 - y), 0};
    case CG_GATE_relu: return (derivatives){a > 0 ? a : 0, a > 0, 0};
    case CG_GATE_gaussian: y = expl(-a * a); return (derivatives){y, -2 * a * y, 0};
    default: fail("the gate %s has no reference", cg_gate_name(gate)); return (derivatives){0, 0, 0};
    }
}

/* Return whether the operands of a gate must be positive. */
static int needs_positive(int gate) { return gate == CG_GATE_power || gate == CG_GATE_log || gate == CG_GATE_sqrt; }

/* Random numbers of size 0.5 to 2.5 in every `stride`-th element. */
static buffer *input_of(const char *name, ptrdiff_t count, ptrdiff_t stride, int positive)
{
    buffer *b = numbers_of(name, 1, (count - 1) * stride + 1, 0);
    for (ptrdiff_t i = 0; i < count; i++) {
        double x = random_number(2);
        if (isfinite(x)) x = x < 0 && !positive ? x - 0.5 : fabs(x) + 0.5;
        set(b, i * stride, x);
    }
    return b;
}

static buffer *anything(const char *name, ptrdiff_t count)
{
    buffer *b = numbers_of(name, 1, count, 0);
    for (ptrdiff_t i = 0; i < count; i++) expect(b, 0, i, 0, ANYTHING);
    return b;
}

/* f = 3 (gate(a, b) + 3) a: registers 3, a, b, gate, sum, product, f */
static const ptrdiff_t A = 1, B = 2, REGISTERS = 7;

static cg_tape tape_of(int gate, cg_instruction gates[4])
{
    int both = cg_gate_operands(gate) == 2;
    gates[0] = (cg_instruction){gate, CG_TO_A | (both ? CG_TO_B : 0), 1, both ? 2 : 1};
    gates[1] = (cg_instruction){CG_GATE_add, CG_TO_A | CG_FIRST_TO_A, 3, 0};
    gates[2] = (cg_instruction){CG_GATE_mul, CG_TO_A | CG_FIRST_TO_A | CG_TO_B, 4, 1};
    gates[3] = (cg_instruction){CG_GATE_mul, CG_TO_B | CG_FIRST_TO_B, 0, 5};
    return (cg_tape){gates, 1, 2, 4, 6};
}

static void tape_case(int gate, ptrdiff_t points, ptrdiff_t stride, int one_by_one, int differentiate)
{
    EACH_KIND {
        if (!begin("tape %s points=%td stride=%td one_by_one=%d differentiate=%d", cg_gate_name(gate), points, stride,
                   one_by_one, differentiate))
            continue;
        const cg_tape_kernels *kernels = cg_tape_kernels_of(k->isa);
        ptrdiff_t register_size = kernels->points_per_register;
        if (one_by_one) register_size = kernels->short_vectors->run_one_register_size;
        cg_instruction gates[4];
        cg_tape tape = tape_of(gate, gates);
        ptrdiff_t numbers = points && stride ? points : 1;
        buffer *a = input_of("a", numbers, stride ? stride : 1, needs_positive(gate)), *b = input_of("b", 1, 1, 0);
        buffer *values = anything("values", REGISTERS * register_size);
        buffer *sums = differentiate ? anything("sums", REGISTERS * register_size) : NULL;
        buffer *value = numbers_of("value", 1, points, 0);
        buffer *gradients = differentiate ? numbers_of("gradients", 2, points, 0) : NULL;
        buffer *point = anything("point", 4);
        for (ptrdiff_t i = 0; i < register_size; i++) set_number(values->actual, i, 3);
        cg_numbers inputs[] = {{a->actual, stride * (ptrdiff_t)sizeof(double)}, {b->actual, 0}};
        double *to = differentiate ? (double *)gradients->actual : NULL;
        double *to_sums = differentiate ? (double *)sums->actual : NULL;
        /* In two calls; the first one fills whole registers. */
        ptrdiff_t half = points / 2 / register_size * register_size;
        for (ptrdiff_t first = 0, last = half; first < points; first = last, last = points)
            if (one_by_one)
                cg_tape_run_one_by_one(kernels, &tape, inputs, first, last, points, (double *)point->actual,
                                       (double *)values->actual, to_sums, (double *)value->actual, to);
            else
                cg_tape_run(kernels, &tape, inputs, first, last, points, (double *)values->actual, to_sums,
                            (double *)value->actual, to);
        for (ptrdiff_t i = 0; i < points; i++) {
            long double x = at(a, 0, i * stride), w = at(b, 0, 0);
            derivatives y = gate_of(gate, x, w);
            int ordinary = isfinite(at(a, 0, i * stride)) && (cg_gate_operands(gate) == 1 || isfinite(at(b, 0, 0)));
            double error = ordinary ? tolerance(200) : ANYTHING; /* powers up to 2.5³ⁿ, and differences of them */
            expect(value, 0, i, (double)(3 * (y.y + 3) * x), error);
            if (!differentiate) continue;
            expect(gradients, 0, i, (double)(3 * (y.by_a * x + y.y + 3)), error);
            expect(gradients, 1, i, (double)(3 * y.by_b * x), error);
        }
        end();
    }
}

static void check_tape(void)
{
    static const ptrdiff_t POINTS[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130, 200};
    static const ptrdiff_t STRIDES[] = {0, 1, 3};
    for (int gate = 0; gate < CG_GATE_COUNT; gate++)
        EACH(points, POINTS) EACH(stride, STRIDES)
            for (int one_by_one = 0; one_by_one <= 1; one_by_one++)
                for (int differentiate = 0; differentiate <= 1; differentiate++)
                    tape_case(gate, points, stride, one_by_one, differentiate);
    EACH_KIND {
        if (!begin("kernels of tapes by name")) continue;
        const cg_tape_kernels *kernels = cg_tape_kernels_of(k->isa);
        check_number("one of a known name", kernels && strcmp(kernels->isa, k->isa) == 0, 1, 0);
        check_number("one of an unknown name", cg_tape_kernels_of("sse2") != NULL, 0, 0);
        end();
    }
}

/* y[i] = gate(a[i], b[i]) */
static void check_gates(void)
{
    static const ptrdiff_t COUNTS[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 130};
    for (int gate = 0; gate < CG_GATE_COUNT; gate++) EACH(count, COUNTS) EACH_KIND {
        if (!begin("gate %s n=%td", cg_gate_name(gate), count)) continue;
        buffer *a = numbers_of("a", 1, count, 1), *b = numbers_of("b", 1, count, 1), *y = numbers_of("y", 1, count, 0);
        for (ptrdiff_t i = 0; i < count; i++) {
            set(a, i, needs_positive(gate) ? fabs(at(a, 0, i)) + 0.5 : at(a, 0, i));
            derivatives value = gate_of(gate, at(a, 0, i), at(b, 0, i));
            int ordinary = isfinite(at(a, 0, i)) && isfinite(at(b, 0, i)) && isfinite((double)value.y);
            double error = ordinary ? tolerance(2) * fabs((double)value.y) + smallest() : ANYTHING;
            expect(y, 0, i, (double)value.y, error);
        }
        const cg_tape_kernels *kernels = cg_tape_kernels_of(k->isa);
        kernels->evaluate_gate(gate, count, (double *)a->actual, (double *)b->actual, (double *)y->actual);
        end();
    }
}

#endif
