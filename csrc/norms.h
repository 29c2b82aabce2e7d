/* norms.h: batch and layer normalisation, z = γ ⊙ x̂ + β, forward and back; and scaling, z = γ ⊙ x.
 *
 * Batch norm takes mean and variance of each column over the rows of the batch (Ioffe & Szegedy 2015), layer norm those
 * of each row over its columns (Ba, Kiros & Hinton 2016). Both subtract the first number before they add, so that a large
 * mean takes no digits from the variance. Columns are chains in the order of the rows, which can go on from one call to the
 * next; sums of a row have P partial sums that are folded, as in the losses. */
#ifndef CG_NORMS_H
#define CG_NORMS_H

#include "output.h"
#include "update.h"

CG_INLINE vec epsilon_of(const cg_norm *norm)
{
    return splat((real)(norm->epsilon > CG_MIN_NORMAL ? norm->epsilon : CG_MIN_NORMAL));
}

/* Σ (x − x₀) of the columns of one panel, or, SQUARED, Σ (x − mean)², where x₀ is the first row of the batch: x is
 * [batch, units]. norm->mean, [units] IN and OUT, holds x₀ and then the mean, norm->variance the sums and then the
 * variance. */
CG_INLINE void column_sums_of(const int SQUARED, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x_in,
                              const cg_norm *norm)
{
    const real *x = panel_of(x_in, panel);
    real *mean = (real *)norm->mean + panel * P, *sums = (real *)norm->variance + panel * P;
    vec from[PANEL_VECTORS], sum[PANEL_VECTORS];
    const real *first = SQUARED || norm->continues || !rows ? mean : x;
    CG_EACH_J from[j] = load(first + j * LANES), sum[j] = norm->continues ? load(sums + j * LANES) : zero();
    for (ptrdiff_t i = 0; i < rows * P; i += P)
        CG_EACH_J {
            vec error = load(x + i + j * LANES) - from[j];
            if (SQUARED) sum[j] = fma_(error, error, sum[j]);
            else sum[j] += error;
        }
    if (norm->is_last) {
        CG_EACH_J sum[j] /= splat((real)norm->rows);
        if (!SQUARED) CG_EACH_J from[j] += sum[j];
    }
    CG_EACH_J {
        if (!SQUARED) store(mean + j * LANES, from[j]);
        store(sums + j * LANES, sum[j]);
    }
}

static void column_sums(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm)
{
    column_sums_of(0, panel, rows, x, norm);
}

static void column_squares(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm)
{
    column_sums_of(1, panel, rows, x, norm);
}

/* x̂ = (x − mean) / √(variance + ε), z = γ x̂ + β for one panel: x, x̂ and z are [batch, units] */
static void batch_norm(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x_in, const cg_norm *norm, cg_matrix *z_out)
{
    const real *x = panel_of(x_in, panel);
    real *z = panel_of(z_out, panel), *normalized = norm->normalized ? panel_of(norm->normalized, panel) : NULL;
    ptrdiff_t at = panel * P;
    int vectors = used_vectors(x_in->cols - panel * P);
    for (int j = 0; j < vectors; j++, at += LANES) {
        vec mean = load((real *)norm->mean + at), scale = load((const real *)norm->scale + at);
        vec inverse = splat(1) / sqrt_(load((real *)norm->variance + at) + epsilon_of(norm));
        vec shift = load((const real *)norm->shift + at);
        for (ptrdiff_t r = 0, i = j * LANES; r < rows; r++, i += P) {
            vec v = (load(x + i) - mean) * inverse;
            if (normalized) store(normalized + i, v);
            store(z + i, fma_(v, scale, shift));
        }
    }
}

/* Σ δ and Σ δ x̂ of one panel, and then their means: δ is [batch, units], norm->delta and norm->product are [units] IN
 * and OUT */
static void delta_sums(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm)
{
    const real *d = panel_of(delta, panel), *normalized = panel_of(norm->normalized, panel);
    real *sum_at = (real *)norm->delta + panel * P, *product_at = (real *)norm->product + panel * P;
    int vectors = used_vectors(delta->cols - panel * P);
    for (int j = 0; j < vectors; j++, sum_at += LANES, product_at += LANES) {
        vec sum = norm->continues ? load(sum_at) : zero(), product = norm->continues ? load(product_at) : zero();
        for (ptrdiff_t r = 0, i = j * LANES; r < rows; r++, i += P) {
            sum += load(d + i);
            product = fma_(load(d + i), load(normalized + i), product);
        }
        vec divisor = splat(norm->is_last ? (real)norm->rows : 1);
        store(sum_at, sum / divisor);
        store(product_at, product / divisor);
    }
}

/* ∂C/∂x = γ / √(variance + ε) ⊙ (δ − Σ δ / n − x̂ ⊙ Σ δ x̂ / n) for one panel, with the means of delta_sums; without them
 * where mean and variance are constants. δ and `below` are [batch, units] */
static void batch_norm_delta(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm, int constant,
                             cg_matrix *below)
{
    const real *d = panel_of(delta, panel), *normalized = constant ? NULL : panel_of(norm->normalized, panel);
    real *out = panel_of(below, panel);
    ptrdiff_t at = panel * P;
    int vectors = used_vectors(delta->cols - panel * P);
    for (int j = 0; j < vectors; j++, at += LANES) {
        vec inverse = splat(1) / sqrt_(load((real *)norm->variance + at) + epsilon_of(norm));
        vec factor = load((const real *)norm->scale + at) * inverse, sum = zero(), product = zero();
        if (!constant) sum = load((real *)norm->delta + at), product = load((real *)norm->product + at);
        for (ptrdiff_t r = 0, i = j * LANES; r < rows; r++, i += P) {
            vec rest = load(d + i);
            if (!constant) rest = fma_(-load(normalized + i), product, rest - sum);
            store(out + i, factor * rest);
        }
    }
}

/* x̂ = (x − mean) / √(variance + ε), z = γ x̂ + β for rows, each with its own mean and variance: x, x̂ and z are
 * [batch, units], norm->inverse is [batch] OUT, 1 / √(variance + ε) */
static void layer_norm(ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm, cg_matrix *z)
{
    vec units = splat((real)x->cols);
    for (ptrdiff_t r = 0; r < rows; r++) {
        vec shift = splat(*row_of(x, 0, r)), mean, inverse;
        panel_row sum = {{{0}}};
        for (ptrdiff_t p = 0; p < panels_of(x); p++) {
            row_mask before = columns_until(x->cols, p);
            CG_EACH_J sum.v[j] += masked(load(row_of(x, p, r) + j * LANES) - shift, before.m[j]);
        }
        mean = shift + fold_sum(sum.v) / units;
        CG_EACH_J sum.v[j] = zero();
        for (ptrdiff_t p = 0; p < panels_of(x); p++) {
            row_mask before = columns_until(x->cols, p);
            CG_EACH_J {
                vec error = masked(load(row_of(x, p, r) + j * LANES) - mean, before.m[j]);
                sum.v[j] = fma_(error, error, sum.v[j]);
            }
        }
        inverse = splat(1) / sqrt_(fold_sum(sum.v) / units + epsilon_of(norm));
        ((real *)norm->inverse)[r] = inverse[0];
        for (ptrdiff_t p = 0; p < panels_of(x); p++) {
            row_mask before = columns_until(x->cols, p);
            CG_EACH_J {
                vec v = masked((load(row_of(x, p, r) + j * LANES) - mean) * inverse, before.m[j]);
                if (norm->normalized) store(row_of(norm->normalized, p, r) + j * LANES, v);
                vec scale = load((const real *)norm->scale + p * P + j * LANES);
                store(row_of(z, p, r) + j * LANES, fma_(v, scale, load((const real *)norm->shift + p * P + j * LANES)));
            }
        }
    }
}

/* ∂C/∂x = (g − Σ g / units − x̂ ⊙ Σ g x̂ / units) / √(variance + ε) with g = γ ⊙ δ, for rows, with sums over a row: δ and
 * `below` are [batch, units] */
static void layer_norm_delta(ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm, cg_matrix *below)
{
    vec units = splat((real)delta->cols);
    for (ptrdiff_t r = 0; r < rows; r++) {
        panel_row sum = {{{0}}}, product = {{{0}}};
        for (ptrdiff_t p = 0; p < panels_of(delta); p++)
            CG_EACH_J {
                vec scale = load((const real *)norm->scale + p * P + j * LANES);
                vec g = load(row_of(delta, p, r) + j * LANES) * scale;
                sum.v[j] += g;
                product.v[j] = fma_(g, load(row_of(norm->normalized, p, r) + j * LANES), product.v[j]);
            }
        vec mean = fold_sum(sum.v) / units, slope = fold_sum(product.v) / units;
        vec inverse = splat(((const real *)norm->inverse)[r]);
        for (ptrdiff_t p = 0; p < panels_of(delta); p++) {
            row_mask before = columns_until(delta->cols, p);
            CG_EACH_J {
                vec scale = load((const real *)norm->scale + p * P + j * LANES);
                vec g = load(row_of(delta, p, r) + j * LANES) * scale;
                vec rest = fma_(-load(row_of(norm->normalized, p, r) + j * LANES), slope, g - mean);
                store(row_of(below, p, r) + j * LANES, masked(inverse * rest, before.m[j]));
            }
        }
    }
}

/* out = γ ⊙ x for one panel: x and out are [batch, units], γ is [units]. Forward, and back with δ in the place of x */
static void scale_columns(ptrdiff_t panel, ptrdiff_t rows, const char *scale, const cg_matrix *x_in, cg_matrix *out)
{
    const real *x = panel_of(x_in, panel), *numbers = (const real *)scale + panel * P;
    real *to = panel_of(out, panel);
    vec factor[PANEL_VECTORS];
    CG_EACH_J factor[j] = load(numbers + j * LANES);
    for (ptrdiff_t i = 0; i < rows * P; i += P)
        CG_EACH_J store(to + i + j * LANES, load(x + i + j * LANES) * factor[j]);
}

/* ∂C/∂γ = Σ δ ⊙ x̂ over the rows, in their order, and the update of γ, as bias_gradient does it for b. For scaling the
 * input x takes the place of x̂ */
static void scale_gradient(ptrdiff_t rows, const cg_matrix *delta, const cg_matrix *normalized, char *scale,
                           const char *sums, const ptrdiff_t *state_offsets, const cg_update *rule)
{
    update_scalars scalars = scalars_of(rule);
    for (ptrdiff_t p = 0; p < panels_of(delta); p++, scale += CG_PANEL_BYTES) {
        const real *d = panel_of(delta, p), *x = panel_of(normalized, p);
        real g[P] __attribute__((aligned(CG_PANEL_BYTES)));
        vec sum[PANEL_VECTORS];
        CG_EACH_J sum[j] = sums ? load((const real *)sums + p * P + j * LANES) : zero();
        for (ptrdiff_t i = 0; i < rows * P; i += P)
            CG_EACH_J sum[j] = fma_(load(d + i + j * LANES), load(x + i + j * LANES), sum[j]);
        CG_EACH_J store(g + j * LANES, sum[j]);
        parameter_block block = block_of(&scalars, 1, used_vectors(delta->cols - p * P), scale, state_offsets);
        update(&scalars, &block, g);
    }
}

/* Running mean and variance: r ← r + momentum (new − r), with the unbiased variance n / (n − 1) · variance, for all
 * columns: all are [units] */
static void running_moments(ptrdiff_t rows, ptrdiff_t cols, double momentum, const cg_norm *norm, char *running_mean,
                            char *running_variance)
{
    vec weight = splat((real)momentum), unbiased = splat((real)((double)rows / (double)(rows - 1)));
    real *mean = (real *)running_mean, *variance = (real *)running_variance;
    for (ptrdiff_t i = 0; i < cols; i += LANES) {
        vec m = load(mean + i), v = load(variance + i);
        store(mean + i, fma_(weight, load((real *)norm->mean + i) - m, m));
        store(variance + i, fma_(weight, unbiased * load((real *)norm->variance + i) - v, v));
    }
}

#endif
