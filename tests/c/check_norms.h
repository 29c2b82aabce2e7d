/* check_norms.h: batch norm, forward and back, number by number; and with its sums in several calls. */
#ifndef CHECK_NORMS_H
#define CHECK_NORMS_H

#include "check_updates.h"

/* A number for each unit: [units], padded with zeros */
static buffer *units_of(const char *name, ptrdiff_t units, double size)
{
    return filled(matrix(name, 1, units, 1, 0), size);
}

/* The rows of a matrix from `first` on. */
static cg_matrix from_row(const buffer *b, ptrdiff_t first)
{
    return (cg_matrix){b->actual + first * CG_PANEL_BYTES, b->capacity, b->cols};
}

enum { SUMS, SQUARES, NORM, DELTA_SUMS, DELTA, STAGES };

/* Run one stage over some rows of a panel. */
static void run_stage(int stage, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_matrix *delta,
                      cg_norm *norm, cg_matrix *out)
{
    switch (stage) {
    case SUMS: k->column_sums(panel, rows, x, norm); break;
    case SQUARES: k->column_squares(panel, rows, x, norm); break;
    case NORM: k->batch_norm(panel, rows, x, norm, out); break;
    case DELTA_SUMS: k->delta_sums(panel, rows, delta, norm); break;
    default: k->batch_norm_delta(panel, rows, delta, norm, 0, out);
    }
}

/* mean = x₀ + Σ (x − x₀) / n, variance = Σ (x − mean)² / n, x̂ = (x − mean) / √(variance + ε), z = γ x̂ + β, and back
 * below = γ / √(variance + ε) (δ − Σ δ / n − x̂ Σ δ x̂ / n), by all stages for one group of rows after another */
static void batch_norm_case(ptrdiff_t rows, ptrdiff_t units, int groups, int with_empty)
{
    EACH_KIND {
        if (!begin("batch_norm rows=%td units=%td groups=%d empty=%d", rows, units, groups, with_empty)) continue;
        buffer *x = samples_of("x", rows, units, 2), *delta = samples_of("delta", rows, units, 1);
        buffer *scale = units_of("scale", units, 1), *shift = units_of("shift", units, 1);
        buffer *mean = units_of("mean", units, 0), *variance = units_of("variance", units, 0);
        buffer *delta_mean = units_of("mean of delta", units, 0), *product = units_of("mean of products", units, 0);
        buffer *normalized = result_of("normalized", rows, units), *z = result_of("z", rows, units);
        buffer *below = result_of("below", rows, units);
        double epsilon = 1e-3, n = rounded((double)rows);
        ptrdiff_t ends[8];
        for (int group = 0; group < groups; group++) ends[group] = rows * (group + 1) / groups;
        if (with_empty) ends[0] = 0;
        if (with_empty && groups > 2) ends[groups - 2] = rows;
        cg_matrix rows_of_x = {0};
        cg_norm norm = {scale->actual, shift->actual, mean->actual, variance->actual, epsilon, &rows_of_x, NULL,
                        delta_mean->actual, product->actual, rows, 0, 0};
        for (int stage = SUMS; stage < STAGES; stage++)
            for (int group = 0; group < groups; group++) {
                ptrdiff_t first = group ? ends[group - 1] : 0, count = ends[group] - first;
                cg_matrix part = from_row(x, first), of_delta = from_row(delta, first);
                cg_matrix out = from_row(stage == NORM ? z : below, first);
                rows_of_x = from_row(normalized, first);
                norm.continues = first > 0, norm.is_last = group == groups - 1;
                for (ptrdiff_t panel = panels(units) - 1; panel >= 0; panel--)
                    run_stage(stage, panel, count, &part, &of_delta, &norm, &out);
            }

        for (ptrdiff_t c = 0; c < units; c++) {
            double first = at(x, 0, c), sum = 0, squares = 0, deltas = 0, products = 0;
            for (ptrdiff_t r = 0; r < rows; r++) sum = plus(sum, minus(at(x, r, c), first));
            double m = plus(first, over(sum, n));
            for (ptrdiff_t r = 0; r < rows; r++) {
                double error = minus(at(x, r, c), m);
                squares = fused(error, error, squares);
            }
            double v = over(squares, n), inverse = over(1, root(plus(v, rounded(epsilon))));
            expect(mean, 0, c, m, 0);
            expect(variance, 0, c, v, 0);
            for (ptrdiff_t r = 0; r < rows; r++) {
                expect(normalized, r, c, times(minus(at(x, r, c), m), inverse), 0);
                expect(z, r, c, fused(at(normalized, r, c), at(scale, 0, c), at(shift, 0, c)), 0);
                deltas = plus(deltas, at(delta, r, c));
                products = fused(at(delta, r, c), at(normalized, r, c), products);
            }
            expect(delta_mean, 0, c, over(deltas, n), 0);
            expect(product, 0, c, over(products, n), 0);
            double factor = times(at(scale, 0, c), inverse);
            for (ptrdiff_t r = 0; r < rows; r++) {
                double rest = minus(at(delta, r, c), over(deltas, n));
                expect(below, r, c, times(factor, fused(-at(normalized, r, c), over(products, n), rest)), 0);
            }
        }
        end();
    }
}

static void check_norms(void)
{
    static const ptrdiff_t ROWS[] = {1, 2, 3, 5, 17}, GROUPS[] = {1, 2, 3, 5};
    EACH(rows, ROWS) EACH(units, MANY_COLS) EACH(groups, GROUPS)
        for (int with_empty = 0; with_empty <= (groups > 1); with_empty++)
            batch_norm_case(rows, units, (int)groups, with_empty);
}

#endif
