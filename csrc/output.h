/* output.h: the output layer: softmax, the losses C and their gradients ∇ₐC.
 * For the two cross-entropies δᴸ itself is given, which is a − y. */
#ifndef CG_OUTPUT_H
#define CG_OUTPUT_H

#include "activations.h"

#define CG_ROW_OF(m, panel, r) (panel_of(m, panel) + (r) * P)

CG_INLINE ptrdiff_t panels_of(const cg_matrix *m) { return (m->cols + P - 1) / P; }

CG_INLINE real *element(const cg_matrix *m, ptrdiff_t r, ptrdiff_t c) { return CG_ROW_OF(m, c / P, r) + c % P; }

/* aⱼ = exp(zⱼ − max z) / Σᵢ exp(zᵢ − max z), and ln Σ exp z = max z + ln Σ exp(z − max z) */
static void softmax(ptrdiff_t rows, const cg_matrix *z, cg_matrix *a, void *log_sum_exp)
{
    real *out = log_sum_exp;
    ptrdiff_t panels = panels_of(z);
    for (ptrdiff_t block = 0; block < rows; block += LANES) {
        real tops[LANES] __attribute__((aligned(CG_VECTOR_BYTES)));
        real sums[LANES] __attribute__((aligned(CG_VECTOR_BYTES)));
        for (int i = 0; i < LANES; i++) tops[i] = 0, sums[i] = 1;
        ptrdiff_t last = rows - block < LANES ? rows - block : LANES;
        for (ptrdiff_t i = 0; i < last; i++) {
            ptrdiff_t r = block + i;
            vec top_row[PANEL_VECTORS], sum_row[PANEL_VECTORS];
            for (int j = 0; j < PANEL_VECTORS; j++) top_row[j] = splat((real)-INFINITY), sum_row[j] = zero();
            for (ptrdiff_t p = 0; p < panels; p++) {
                const real *z_row = CG_ROW_OF(z, p, r);
                for (int j = 0; j < used_vectors(z->cols - p * P); j++)
                    top_row[j] = max_(top_row[j], select(columns_before(z->cols - p * P, j), load(z_row + j * LANES),
                                                         splat((real)-INFINITY)));
            }
            vec top = fold_max(top_row);
            for (ptrdiff_t p = 0; p < panels; p++) {
                const real *z_row = CG_ROW_OF(z, p, r);
                real *a_row = CG_ROW_OF(a, p, r);
                for (int j = 0; j < used_vectors(z->cols - p * P); j++) {
                    vec e = keep(exp_(load(z_row + j * LANES) - top), columns_before(z->cols - p * P, j));
                    store(a_row + j * LANES, e);
                    sum_row[j] += e;
                }
            }
            vec sum = fold_sum(sum_row);
            for (ptrdiff_t p = 0; p < panels; p++) {
                real *a_row = CG_ROW_OF(a, p, r);
                for (int j = 0; j < used_vectors(z->cols - p * P); j++)
                    store(a_row + j * LANES, load(a_row + j * LANES) / sum);
            }
            tops[i] = top[0];
            sums[i] = sum[0];
        }
        store(out + block, load(tops) + log_(load(sums)));
    }
}

/* δ = a ⊙ (∇ − ⟨∇, a⟩): the Jacobian of softmax applied to ∇ₐC */
static void softmax_slope(ptrdiff_t rows, const cg_matrix *a, cg_matrix *delta)
{
    ptrdiff_t panels = panels_of(a);
    for (ptrdiff_t r = 0; r < rows; r++) {
        vec dot_row[PANEL_VECTORS] = {{0}};
        for (ptrdiff_t p = 0; p < panels; p++)
            for (int j = 0; j < used_vectors(a->cols - p * P); j++)
                dot_row[j] = fma_(load(CG_ROW_OF(delta, p, r) + j * LANES), load(CG_ROW_OF(a, p, r) + j * LANES),
                                  dot_row[j]);
        vec dot = fold_sum(dot_row);
        for (ptrdiff_t p = 0; p < panels; p++)
            for (int j = 0; j < used_vectors(a->cols - p * P); j++) {
                real *d = CG_ROW_OF(delta, p, r) + j * LANES;
                store(d, load(CG_ROW_OF(a, p, r) + j * LANES) * (load(d) - dot));
            }
    }
}

/* Sums of the loss and the metric, by the lanes of a panel's row. */
typedef struct {
    vec loss[PANEL_VECTORS], metric[PANEL_VECTORS];
} lane_sums;

/* quadratic C = ½ Σ (a − y)², ∇ = a − y;  mse C = Σ (a − y)² / outputs, ∇ = 2 (a − y) / outputs.
 * The metric is Σ |a − y| / outputs. */
static void squared_error(ptrdiff_t rows, cg_output *o, real gradient_factor, lane_sums *sums)
{
    vec factor = splat(gradient_factor);
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        int vectors = used_vectors(o->a->cols - p * P);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (int j = 0; j < vectors; j++) {
                vec error = load(CG_ROW_OF(o->a, p, r) + j * LANES) - load(CG_ROW_OF(o->y, p, r) + j * LANES);
                sums->loss[j] = fma_(error, error, sums->loss[j]);
                sums->metric[j] += abs_(error);
                if (o->delta) store(CG_ROW_OF(o->delta, p, r) + j * LANES, error * factor);
            }
    }
}

/* C = −Σ y ln a + (1 − y) ln(1 − a) = Σ max(z, 0) − z y + ln(1 + exp(−|z|));  δ = a − y.
 * The metric counts the outputs on the right side of one half. */
static void binary_cross_entropy(ptrdiff_t rows, cg_output *o, lane_sums *sums)
{
    vec scale = splat((real)o->scale), half = splat((real)0.5);
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        ptrdiff_t cols = o->a->cols - p * P;
        for (ptrdiff_t r = 0; r < rows; r++)
            for (int j = 0; j < used_vectors(cols); j++) {
                vec z = load(CG_ROW_OF(o->z, p, r) + j * LANES), a = load(CG_ROW_OF(o->a, p, r) + j * LANES);
                vec y = load(CG_ROW_OF(o->y, p, r) + j * LANES);
                vec c = fma_(-z, y, max_(zero(), z)) + log1p_(exp_(-abs_(z)));
                mask right = ~((a >= half) ^ (y >= half)), before = columns_before(cols, j);
                sums->loss[j] += keep(c, before);
                sums->metric[j] += keep(splat(1), right & before);
                if (o->delta) store(CG_ROW_OF(o->delta, p, r) + j * LANES, (a - y) * scale);
            }
    }
}

/* C = Σ y (ln Σ exp z − z) for rows of probabilities;  δ = a − y */
static void cross_entropy_of_rows(ptrdiff_t rows, cg_output *o, lane_sums *sums)
{
    vec scale = splat((real)o->scale);
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++)
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec total = splat(((const real *)o->log_sum_exp)[r]);
            for (int j = 0; j < used_vectors(o->a->cols - p * P); j++) {
                vec y = load(CG_ROW_OF(o->y, p, r) + j * LANES);
                vec z = load(CG_ROW_OF(o->z, p, r) + j * LANES), a = load(CG_ROW_OF(o->a, p, r) + j * LANES);
                sums->loss[j] = fma_(y, total - z, sums->loss[j]);
                if (o->delta) store(CG_ROW_OF(o->delta, p, r) + j * LANES, (a - y) * scale);
            }
        }
}

/* C = ln Σ exp z − z_label;  δ = a − y with y one at the label and zero elsewhere */
static double cross_entropy_of_labels(ptrdiff_t rows, cg_output *o)
{
    double loss = 0;
    vec scale = splat((real)o->scale);
    if (o->delta)
        for (ptrdiff_t p = 0; p < panels_of(o->a); p++)
            for (ptrdiff_t r = 0; r < rows; r++)
                for (int j = 0; j < used_vectors(o->a->cols - p * P); j++)
                    store(CG_ROW_OF(o->delta, p, r) + j * LANES, load(CG_ROW_OF(o->a, p, r) + j * LANES) * scale);
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        loss += (double)(((const real *)o->log_sum_exp)[r] - *element(o->z, r, label));
        if (o->delta) *element(o->delta, r, label) = (*element(o->a, r, label) - 1) * (real)o->scale;
    }
    return loss;
}

CG_INLINE mask lane_numbers(int j)
{
    mask lane;
    CG_UNROLL for (int i = 0; i < LANES; i++) lane[i] = j * LANES + i;
    return lane;
}

/* C = Σ max(0, a_j − a_label + 1) over j ≠ label (Crammer & Singer 2001, Weston & Watkins 1999);
 * ∇_j = 1 where the margin is broken, ∇_label = −(how many are) */
static double hinge(ptrdiff_t rows, cg_output *o)
{
    double loss = 0;
    vec scale = splat((real)o->scale);
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        vec score = splat(*element(o->a, r, label));
        vec loss_row[PANEL_VECTORS] = {{0}}, count_row[PANEL_VECTORS] = {{0}};
        for (ptrdiff_t p = 0; p < panels_of(o->a); p++)
            for (int j = 0; j < used_vectors(o->a->cols - p * P); j++) {
                vec margin = load(CG_ROW_OF(o->a, p, r) + j * LANES) - score + splat(1);
                mask other = lane_numbers(j) != splat_integer((integer)(label - p * P));
                mask broken = ~(margin <= zero()) & other & columns_before(o->a->cols - p * P, j);
                loss_row[j] += keep(margin, broken);
                count_row[j] += keep(splat(1), broken);
                if (o->delta) store(CG_ROW_OF(o->delta, p, r) + j * LANES, keep(scale, broken));
            }
        loss += (double)fold_sum(loss_row)[0];
        if (o->delta) *element(o->delta, r, label) = -fold_sum(count_row)[0] * (real)o->scale;
    }
    return loss;
}

static ptrdiff_t largest(const cg_matrix *y, ptrdiff_t r)
{
    ptrdiff_t best = 0;
    for (ptrdiff_t c = 1; c < y->cols; c++)
        if (*element(y, r, c) > *element(y, r, best)) best = c;
    return best;
}

/* How many rows have their largest output, the first of equals, at the label. */
static double count_right(ptrdiff_t rows, const cg_output *o)
{
    ptrdiff_t right = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t label = o->labels ? (ptrdiff_t)o->labels[r] : largest(o->y, r);
        vec score = splat(*element(o->a, r, label));
        vec beaten[PANEL_VECTORS] = {{0}};
        for (ptrdiff_t p = 0; p < panels_of(o->a); p++)
            for (int j = 0; j < used_vectors(o->a->cols - p * P); j++) {
                vec a = load(CG_ROW_OF(o->a, p, r) + j * LANES);
                mask earlier = lane_numbers(j) < splat_integer((integer)(label - p * P));
                mask ahead = ((a > score) | ((a == score) & earlier)) & columns_before(o->a->cols - p * P, j);
                beaten[j] = max_(beaten[j], keep(splat(1), ahead));
            }
        right += fold_max(beaten)[0] == 0;
    }
    return (double)right;
}

static void output(ptrdiff_t rows, cg_output *o)
{
    lane_sums sums = {{{0}}, {{0}}};
    double outputs = (double)o->a->cols, loss = 0, loss_factor = 1, metric = 0, metric_factor = 1 / outputs;
    switch (o->loss) {
    case CG_QUADRATIC:
        squared_error(rows, o, (real)o->scale, &sums);
        loss_factor = 0.5;
        break;
    case CG_MSE:
        squared_error(rows, o, (real)(2 * o->scale / outputs), &sums);
        loss_factor = 1 / outputs;
        break;
    case CG_BINARY_CROSS_ENTROPY:
        binary_cross_entropy(rows, o, &sums);
        break;
    case CG_CROSS_ENTROPY:
        if (o->labels) loss = cross_entropy_of_labels(rows, o);
        else cross_entropy_of_rows(rows, o, &sums);
        metric = count_right(rows, o);
        break;
    case CG_HINGE:
        loss = hinge(rows, o);
        metric = count_right(rows, o);
        break;
    }
    o->loss_sum = loss + loss_factor * (double)fold_sum(sums.loss)[0];
    o->metric_sum = metric + metric_factor * (double)fold_sum(sums.metric)[0];
}

#endif
