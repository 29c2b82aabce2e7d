/* check_functions.h: the functions of vectors, the activations and their slopes, softmax.
 * Other tests measure the accuracy of the functions, on millions of numbers; this one checks that every element is
 * computed, and no other. The reference computes in long double. */
#ifndef CHECK_FUNCTIONS_H
#define CHECK_FUNCTIONS_H

#include "checks.h"

static long double sigmoid(long double z) { return 1 / (1 + expl(-z)); }
static long double gaussian(long double z) { return expl(-z * z); }
static long double gelu(long double z) { return z * erfcl(-z * sqrtl(0.5L)) / 2; }
static long double gelu_x(long double z) { return sqrtl(8 / acosl(-1)) * (z + 0.044715L * z * z * z); }
static long double gelu_tanh(long double z) { return z * sigmoid(gelu_x(z)); }
static long double silu(long double z) { return z * sigmoid(z); }
static long double softplus(long double z) { return (z > 0 ? z : 0) + log1pl(expl(-fabsl(z))); }
static long double mish(long double z) { return z * tanhl(softplus(z)); }
static long double elu(long double z, long double alpha) { return z > 0 ? z : alpha * expm1l(z); }
static const long double SELU_SCALE = 1.0507009873554804934193349852946L, SELU_ALPHA = 1.6732632423543772848170429916717L;
static const double PARAMETER = 0.25; /* of the activations that have one */

static const struct {
    const char *name;
    long double (*value)(long double);
    double lowest, highest;
} FUNCTIONS[] = {
    {"exp", expl, -20, 20},    {"log", logl, 0.01, 20},        {"log1p", log1pl, 0, 1},
    {"tanh", tanhl, -20, 20},  {"sigmoid", sigmoid, -20, 20},  {"gaussian", gaussian, -4, 4},
    {"gelu", gelu, -12, 4},    {"silu", silu, -60, 20},        {"gelu_tanh", gelu_tanh, -8, 4},
    {"mish", mish, -60, 20},   {"softplus", softplus, -60, 20},
};

/* Return the error of a function value: two units in the last place, and results below normal numbers may be zero. */
static double function_error(long double value) { return tolerance(2) * (double)fabsl(value) + smallest(); }

static void check_function(void)
{
    static const ptrdiff_t COUNTS[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65};
    for (ptrdiff_t f = 0; f < COUNT(FUNCTIONS); f++) EACH(count, COUNTS) EACH_KIND {
        if (!begin("function %s n=%td", FUNCTIONS[f].name, count)) continue;
        buffer *x = numbers_of("x", 1, count, 1), *y = numbers_of("y", 1, count, 0);
        double low = FUNCTIONS[f].lowest, high = FUNCTIONS[f].highest;
        for (ptrdiff_t i = 0; i < count; i++)
            if (isinf(at(x, 0, i))) set(x, i, NAN);
            else set(x, i, low + (high - low) * fabs(at(x, 0, i)));
        check_number("the result", k->function(FUNCTIONS[f].name, PARAMETER, count, x->actual, y->actual), 1, 0);
        for (ptrdiff_t i = 0; i < count; i++) {
            long double value = FUNCTIONS[f].value(at(x, 0, i));
            expect(y, 0, i, (double)value, function_error(value));
        }
        end();
    }
    EACH_KIND {
        if (!begin("function of unknown name")) continue;
        buffer *x = numbers_of("x", 1, 3, 1), *y = numbers_of("y", 1, 3, 0);
        check_number("the result", k->function("expo", PARAMETER, 3, x->actual, y->actual), 0, 0);
        end();
    }
}

/* ---- activations ---- */

static long double activation_of(int activation, long double z)
{
    switch (activation) {
    case CG_ACTIVATION_identity: return z;
    case CG_ACTIVATION_sigmoid: return sigmoid(z);
    case CG_ACTIVATION_tanh: return tanhl(z);
    case CG_ACTIVATION_relu: return z < 0 ? 0 : z;
    case CG_ACTIVATION_gaussian: return gaussian(z);
    case CG_ACTIVATION_leaky_relu: return z > 0 ? z : PARAMETER * z;
    case CG_ACTIVATION_elu: return elu(z, PARAMETER);
    case CG_ACTIVATION_selu: return SELU_SCALE * elu(z, SELU_ALPHA);
    case CG_ACTIVATION_gelu: return z < -1e9L ? 0 : gelu(z);
    case CG_ACTIVATION_gelu_tanh: return z < -1e9L ? 0 : gelu_tanh(z);
    case CG_ACTIVATION_silu: return z < -1e9L ? 0 : silu(z);
    case CG_ACTIVATION_mish: return z < -1e9L ? 0 : mish(z);
    case CG_ACTIVATION_softplus: return softplus(z);
    case CG_ACTIVATION_softsign: return isinf(z) ? copysignl(1, z) : z / (1 + fabsl(z));
    case CG_ACTIVATION_hard_tanh: return z < -1 ? -1 : z > 1 ? 1 : z;
    case CG_ACTIVATION_hard_sigmoid: return z < -3 ? 0 : z > 3 ? 1 : (z + 3) / 6;
    case CG_ACTIVATION_sine: return sinl(PARAMETER * z);
    case CG_ACTIVATION_exp: return expl(z);
    default: return NAN; /* a row of the table without a test */
    }
}

static long double slope_of(int activation, long double z, long double a)
{
    long double s;
    switch (activation) {
    case CG_ACTIVATION_identity: return 1;
    case CG_ACTIVATION_sigmoid: return a * (1 - a);
    case CG_ACTIVATION_tanh: return 1 - a * a;
    case CG_ACTIVATION_relu: return a > 0;
    case CG_ACTIVATION_gaussian: return -2 * z * a;
    case CG_ACTIVATION_leaky_relu: return a > 0 ? 1 : PARAMETER;
    case CG_ACTIVATION_elu: return a > 0 ? 1 : a + PARAMETER;
    case CG_ACTIVATION_selu: return a > 0 ? SELU_SCALE : a + SELU_SCALE * SELU_ALPHA;
    case CG_ACTIVATION_gelu:
        if (isinf(z)) return z > 0;
        return erfcl(-z * sqrtl(0.5L)) / 2 + z * expl(-z * z / 2) / sqrtl(2 * acosl(-1));
    case CG_ACTIVATION_gelu_tanh:
        if (isinf(z)) return z > 0;
        s = sigmoid(gelu_x(z));
        return s + z * s * (1 - s) * sqrtl(8 / acosl(-1)) * (1 + 3 * 0.044715L * z * z);
    case CG_ACTIVATION_silu: return isinf(z) ? z > 0 : sigmoid(z) * (1 + z * (1 - sigmoid(z)));
    case CG_ACTIVATION_mish:
        if (isinf(z)) return z > 0;
        s = tanhl(softplus(z));
        return s + z * (1 - s * s) * sigmoid(z);
    case CG_ACTIVATION_softplus: return -expm1l(-a);
    case CG_ACTIVATION_softsign: return (1 - fabsl(a)) * (1 - fabsl(a));
    case CG_ACTIVATION_hard_tanh: return fabsl(a) < 1;
    case CG_ACTIVATION_hard_sigmoid: return a > 0 && a < 1 ? 1 / 6.0L : 0;
    case CG_ACTIVATION_sine: return PARAMETER * cosl(PARAMETER * z);
    case CG_ACTIVATION_exp: return a;
    default: return NAN;
    }
}

/* a = σ(z) for one panel of columns */
static void activate_case(int activation, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t panel, int in_place)
{
    EACH_KIND {
        if (!begin("activate %s rows=%td cols=%td panel=%td in_place=%d", cg_activation_name(activation), rows, cols,
                   panel, in_place))
            continue;
        buffer *z = samples_of("z", rows, cols, 4), *a = in_place ? z : result_of("a", rows, cols);
        cg_matrix z_matrix = matrix_of(z), a_matrix = matrix_of(a);
        k->activate(activation, PARAMETER, panel, rows, &z_matrix, &a_matrix);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = panel * k->panel_width; c < cols && c < (panel + 1) * k->panel_width; c++) {
                long double value = activation_of(activation, at(z, r, c));
                int exact = activation == CG_ACTIVATION_identity || activation == CG_ACTIVATION_relu;
                expect(a, r, c, (double)value, exact ? 0 : function_error(value));
            }
        end();
    }
}

/* Return 1 for a slope that is a sum of terms of either sign, of the size of 1: its error is relative to those. */
static int cancels(int activation)
{
    return activation == CG_ACTIVATION_gelu || activation == CG_ACTIVATION_gelu_tanh ||
           activation == CG_ACTIVATION_silu || activation == CG_ACTIVATION_mish;
}

/* δ = δ ⊙ σ′(z) for one panel of columns */
static void slope_case(int activation, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t panel)
{
    EACH_KIND {
        if (!begin("slope %s rows=%td cols=%td panel=%td", cg_activation_name(activation), rows, cols, panel)) continue;
        buffer *z = samples_of("z", rows, cols, 2), *a = samples_of("a", rows, cols, 1);
        buffer *delta = samples_of("delta", rows, cols, 1);
        int from_both = cancels(activation) || activation == CG_ACTIVATION_softplus; /* whose a are positive */
        for (ptrdiff_t r = 0; from_both && r < rows; r++)
            for (ptrdiff_t c = 0; c < cols; c++)
                set(a, place(a, r, c), (double)activation_of(activation, at(z, r, c)));
        cg_matrix z_matrix = matrix_of(z), a_matrix = matrix_of(a), delta_matrix = matrix_of(delta);
        k->slope(activation, PARAMETER, panel, rows, &z_matrix, &a_matrix, &delta_matrix);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = panel * k->panel_width; c < cols && c < (panel + 1) * k->panel_width; c++) {
                double gradient = at(delta, r, c), terms = cancels(activation) ? fabs(gradient) : 0;
                double value = gradient * (double)slope_of(activation, at(z, r, c), at(a, r, c));
                expect(delta, r, c, value, tolerance(4) * (fabs(value) + terms) + smallest());
            }
        end();
    }
}

static const ptrdiff_t MANY_COLS[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65};

static void check_activate(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 2, 5};
    for (int activation = 0; activation < CG_ACTIVATION_COUNT; activation++) {
        if (cg_activation_properties(activation) & CG_WHOLE_ROWS) continue; /* softmax has cases of its own */
        EACH(rows, ROWS) EACH(cols, MANY_COLS) for (ptrdiff_t panel = 0; panel < panels(cols); panel++) {
            activate_case(activation, rows, cols, panel, 0);
            activate_case(activation, rows, cols, panel, 1);
            slope_case(activation, rows, cols, panel);
        }
    }
}

/* ---- softmax ---- */

/* Expect a[r, :] = softmax(z[r, :]) and ln Σ exp z[r, j]. */
static void expect_softmax(const buffer *z, ptrdiff_t r, buffer *a, buffer *log_sum_exp)
{
    long double maximum = -INFINITY, sum = 0;
    double lowest = INFINITY;
    for (ptrdiff_t c = 0; c < z->cols; c++) {
        if (at(z, r, c) > maximum) maximum = at(z, r, c);
        if (at(z, r, c) < lowest && !isinf(at(z, r, c))) lowest = at(z, r, c);
    }
    for (ptrdiff_t c = 0; c < z->cols; c++) sum += expl(at(z, r, c) - maximum);
    /* The rounding error of z − max z is multiplied by it in exp, and the sum has one term for each column. */
    double error = tolerance((double)z->cols + 6 + (isfinite((double)maximum - lowest) ? (double)maximum - lowest : 0));
    for (ptrdiff_t c = 0; c < z->cols; c++) {
        double value = (double)(expl(at(z, r, c) - maximum) / sum);
        expect(a, r, c, value, error * value + smallest());
    }
    double log_sum = (double)(maximum + logl(sum));
    expect(log_sum_exp, 0, r, log_sum, error * (1 + fabs((double)maximum)) + smallest());
}

/* log_sum_exp: kernels may write past the last row, up to a whole panel. */
static buffer *log_sum_exp_of(ptrdiff_t rows)
{
    buffer *b = numbers_of("log_sum_exp", 1, padded(rows), 0);
    for (ptrdiff_t r = rows; r < b->cols; r++) expect(b, 0, r, 0, ANYTHING);
    return b;
}

static void check_softmax(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 33, 63, 64, 65, 130};
    EACH(rows, ROWS) EACH(cols, MANY_COLS) for (int in_place = 0; in_place <= 1; in_place++) EACH_KIND {
        if (!begin("softmax rows=%td cols=%td in_place=%d", rows, cols, in_place)) continue;
        buffer *z = samples_of("z", rows, cols, 10), *a = in_place ? z : result_of("a", rows, cols);
        buffer *log_sum_exp = log_sum_exp_of(rows);
        cg_matrix z_matrix = matrix_of(z), a_matrix = matrix_of(a);
        k->softmax(rows, &z_matrix, &a_matrix, log_sum_exp->actual);
        for (ptrdiff_t r = 0; r < rows; r++) expect_softmax(z, r, a, log_sum_exp);
        end();
    }
}

/* δ[r, j] = a[r, j] (∇[r, j] − Σᵢ ∇[r, i] a[r, i]) */
static void check_softmax_slope(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 2, 5};
    EACH(rows, ROWS) EACH(cols, MANY_COLS) EACH_KIND {
        if (!begin("softmax_slope rows=%td cols=%td", rows, cols)) continue;
        buffer *a = samples_of("a", rows, cols, 1), *delta = samples_of("delta", rows, cols, 1);
        cg_matrix a_matrix = matrix_of(a), delta_matrix = matrix_of(delta);
        k->softmax_slope(rows, &a_matrix, &delta_matrix);
        for (ptrdiff_t r = 0; r < rows; r++) {
            double dot = 0, size = 0;
            for (ptrdiff_t c = 0; c < cols; c++) {
                dot += at(delta, r, c) * at(a, r, c);
                size += fabs(at(delta, r, c) * at(a, r, c));
            }
            for (ptrdiff_t c = 0; c < cols; c++) {
                double gradient = at(delta, r, c), y = at(a, r, c);
                expect(delta, r, c, y * (gradient - dot),
                       tolerance((double)cols + 3) * fabs(y) * (fabs(gradient) + size) + smallest());
            }
        }
        end();
    }
}

#endif
