/* output.h: the output layer: softmax, the losses C and their gradients ∇ₐC, or δᴸ = a − y for the cross-entropies. */
#ifndef CG_OUTPUT_H
#define CG_OUTPUT_H

#include "elementwise.h"

/* A panel's row as vectors. Whole rows are computed, with masks for the columns, so that no loop depends on the number
 * of columns. */
typedef struct {
    vec v[PANEL_VECTORS];
} panel_row;
typedef struct {
    mask m[PANEL_VECTORS];
} row_mask;

#define CG_EACH_J CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++)

/* Sums over rows, by column of a panel: of the loss and of the metric. */
typedef struct {
    panel_row loss, metric;
} row_sums;

/* Return the sums of a panel with which the rows of a call begin. */
CG_INLINE row_sums first_sums(const cg_output *o, ptrdiff_t panel)
{
    row_sums sums = {{{{0}}}, {{{0}}}};
    if (o->continues) {
        const row_sums *before = (const row_sums *)o->partial_sums + panel;
        CG_EACH_J sums.loss.v[j] = before->loss.v[j], sums.metric.v[j] = before->metric.v[j];
    }
    return sums;
}

/* Keep the sums of a panel for the rows of the next call, and add them to those of the panels before. */
CG_SHARED void last_sums(const cg_output *o, ptrdiff_t panel, row_sums sums, row_sums *total)
{
    if (o->partial_sums) {
        row_sums *kept = (row_sums *)o->partial_sums + panel;
        CG_EACH_J kept->loss.v[j] = sums.loss.v[j], kept->metric.v[j] = sums.metric.v[j];
    }
    CG_EACH_J total->loss.v[j] += sums.loss.v[j], total->metric.v[j] += sums.metric.v[j];
}

/* Set the results from the sums of all panels. */
CG_SHARED void set_sums(cg_output *o, const row_sums *total, double loss_factor, double metric_divisor)
{
    o->loss_sum = loss_factor * (double)fold_sum(total->loss.v)[0];
    o->metric_sum = 1 / metric_divisor * (double)fold_sum(total->metric.v)[0];
}

CG_INLINE ptrdiff_t panels_of(const cg_matrix *m) { return (m->cols + P - 1) / P; }

CG_INLINE real *row_of(const cg_matrix *m, ptrdiff_t panel, ptrdiff_t r) { return panel_of(m, panel) + r * P; }

CG_INLINE real *element(const cg_matrix *m, ptrdiff_t r, ptrdiff_t c)
{
    return row_of(m, (ptrdiff_t)((size_t)c / P), r) + (size_t)c % P;
}

/* Mask of the lanes of a panel's row that are before column `end` of the matrix. */
CG_INLINE row_mask columns_until(ptrdiff_t end, ptrdiff_t panel)
{
    row_mask before;
    CG_EACH_J before.m[j] = columns_before(end - panel * P, j);
    return before;
}

/* Mask of the lane of a panel's row that is column `c` of the matrix, if there is one. */
CG_INLINE row_mask column_of(ptrdiff_t c, ptrdiff_t panel)
{
    row_mask is;
    CG_EACH_J is.m[j] = lane_numbers() == splat_integer((integer)(c - panel * P - (ptrdiff_t)j * LANES));
    return is;
}

/* Rows whose maxima and sums are computed side by side, so that their latencies overlap. */
enum { SOFTMAX_ROWS = 64 };

/* aⱼ = exp(zⱼ − max z) / Σᵢ exp(zᵢ − max z) for up to SOFTMAX_ROWS rows from `first` on. All rows of a panel come before
 * the next panel, for that is their order in memory; `partial` has what each row has so far. VECTORS: the vectors of a
 * panel's row that hold columns; the others would add zeros. */
CG_INLINE void softmax_rows(const int VECTORS, ptrdiff_t rows, ptrdiff_t first, const cg_matrix z, const cg_matrix a,
                            panel_row *partial, real *row_maxima, real *sums)
{
#define CG_EACH_USED CG_UNROLL for (int j = 0; j < VECTORS; j++)
    ptrdiff_t panels = panels_of(&z);
    for (ptrdiff_t p = 0; p < panels; p++) {
        row_mask before = columns_until(z.cols, p);
        const real *in = row_of(&z, p, first);
        for (ptrdiff_t r = 0; r < rows; r++, in += P) {
            panel_row largest;
            CG_EACH_J largest.v[j] = splat((real)-INFINITY);
            if (p > 0) largest = partial[r];
            CG_EACH_USED
            {
                vec z_used = select_(before.m[j], load(in + j * LANES), splat((real)-INFINITY));
                largest.v[j] = maximum(largest.v[j], z_used);
            }
            if (p + 1 < panels) partial[r] = largest;
            else row_maxima[r] = fold_max(largest.v)[0];
        }
    }
    for (ptrdiff_t p = 0; p < panels; p++) {
        row_mask before = columns_until(z.cols, p);
        const real *in = row_of(&z, p, first);
        real *out = row_of(&a, p, first);
        for (ptrdiff_t r = 0; r < rows; r++, in += P, out += P) {
            panel_row sum = {{{0}}};
            if (p > 0) sum = partial[r];
            vec row_maximum = splat(row_maxima[r]);
            CG_EACH_USED
            {
                vec e = masked(exp_(load(in + j * LANES) - row_maximum), before.m[j]);
                store(out + j * LANES, e);
                sum.v[j] += e;
            }
            if (p + 1 < panels) partial[r] = sum;
            else sums[r] = fold_sum(sum.v)[0];
        }
    }
    for (ptrdiff_t p = 0; p < panels; p++) {
        real *out = row_of(&a, p, first);
        for (ptrdiff_t r = 0; r < rows; r++, out += P)
            CG_EACH_USED store(out + j * LANES, load(out + j * LANES) / splat(sums[r]));
    }
#undef CG_EACH_USED
}

/* a = softmax(z) for each row, and ln Σ exp z = max z + ln Σ exp(z − max z): z and a are [batch, out]. */
static void softmax(ptrdiff_t rows, const cg_matrix *z, cg_matrix *a, void *log_sum_exp)
{
    enum { HALF = PANEL_VECTORS / 2 };
    panel_row partial[SOFTMAX_ROWS];
    real row_maxima[SOFTMAX_ROWS] __attribute__((aligned(CG_PANEL_BYTES)));
    real sums[SOFTMAX_ROWS] __attribute__((aligned(CG_PANEL_BYTES)));
    for (int i = 0; i < SOFTMAX_ROWS; i++) row_maxima[i] = 0, sums[i] = 1;
    for (ptrdiff_t start = 0; start < rows; start += SOFTMAX_ROWS) {
        ptrdiff_t count = rows - start < SOFTMAX_ROWS ? rows - start : SOFTMAX_ROWS;
        if (used_vectors(z->cols) == 1) softmax_rows(1, count, start, *z, *a, partial, row_maxima, sums);
        else if (used_vectors(z->cols) <= HALF) softmax_rows(HALF, count, start, *z, *a, partial, row_maxima, sums);
        else softmax_rows(PANEL_VECTORS, count, start, *z, *a, partial, row_maxima, sums);
        for (ptrdiff_t i = 0; i < count; i += LANES)
            store((real *)log_sum_exp + start + i, load(row_maxima + i) + log_(load(sums + i)));
    }
}

/* δ = a ⊙ (∇ − ⟨∇, a⟩): the Jacobian of softmax applied to ∇ₐC */
static void softmax_slope(ptrdiff_t rows, const cg_matrix *a, cg_matrix *delta)
{
    for (ptrdiff_t r = 0; r < rows; r++) {
        panel_row dot = {{{0}}};
        for (ptrdiff_t p = 0; p < panels_of(a); p++)
            CG_EACH_J {
                vec gradient = load(row_of(delta, p, r) + j * LANES);
                dot.v[j] = fma_(gradient, load(row_of(a, p, r) + j * LANES), dot.v[j]);
            }
        dot.v[0] = fold_sum(dot.v);
        for (ptrdiff_t p = 0; p < panels_of(a); p++)
            CG_EACH_J {
                real *d = row_of(delta, p, r) + j * LANES;
                store(d, load(row_of(a, p, r) + j * LANES) * (load(d) - dot.v[0]));
            }
    }
}

CG_INLINE vec tanh_half(vec x) { return tanh_(splat((real)0.5) * x); }

/* Return the weight of a row. */
CG_INLINE real weight_of(const real *weights, ptrdiff_t r) { return weights ? weights[r] : 1; }

/* In all losses z, a, y and δ are [batch, out].
 *
 * quadratic C = ½ Σ (a − y)², ∇ = a − y;  mse C = Σ (a − y)² / outputs, ∇ = 2 (a − y) / outputs.
 * The metric is Σ |a − y| / outputs. WEIGHTED: rows have weights. */
CG_INLINE void squared_error_of(const int WEIGHTED, ptrdiff_t rows, cg_output *o, double gradient_factor,
                                double loss_factor)
{
    vec factor = splat((real)gradient_factor);
    row_sums total = {{{{0}}}, {{{0}}}};
    const real *weights = o->weights;
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        row_sums sums = first_sums(o, p);
        row_mask before = columns_until(o->a->cols, p);
        const real *a = row_of(o->a, p, 0), *y = row_of(o->y, p, 0);
        real *d = o->delta ? row_of(o->delta, p, 0) : NULL;
        for (ptrdiff_t i = 0; i < rows * P; i += P)
            CG_EACH_J {
                vec error = masked(load(a + i + j * LANES) - load(y + i + j * LANES), before.m[j]);
                vec weighted = error;
                if (WEIGHTED) weighted *= splat(weights[i / P]);
                sums.loss.v[j] = fma_(weighted, error, sums.loss.v[j]);
                sums.metric.v[j] += abs_(weighted);
                if (d) store(d + i + j * LANES, weighted * factor);
            }
        last_sums(o, p, sums, &total);
    }
    set_sums(o, &total, loss_factor, (double)o->a->cols);
}

static void squared_error(ptrdiff_t rows, cg_output *o, double gradient_factor, double loss_factor)
{
    if (o->weights) squared_error_of(1, rows, o, gradient_factor, loss_factor);
    else squared_error_of(0, rows, o, gradient_factor, loss_factor);
}

/* Return the label smoothing of a cross-entropy, from 0 to 1. */
CG_INLINE double smoothing_of(const cg_output *o) { return o->n_parameters > 0 ? o->parameters[0] : 0; }

/* With label smoothing s, y below stands for (1 − s) y + s / 2.
 *
 * C = −Σ y ln a + (1 − y) ln(1 − a) = Σ max(z, 0) − z y + ln(1 + exp(−|z|));  δ = a − y.
 * The metric is the share of outputs on the correct side of one half. */
static void binary_cross_entropy(ptrdiff_t rows, cg_output *o)
{
    row_sums total = {{{{0}}}, {{{0}}}};
    vec half = splat((real)0.5), kept = splat((real)(1 - smoothing_of(o))), share = splat((real)(smoothing_of(o) / 2));
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        row_sums sums = first_sums(o, p);
        row_mask before = columns_until(o->a->cols, p);
        int vectors = used_vectors(o->a->cols - p * P);
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec weight = splat(weight_of(o->weights, r)), scale = weight * splat((real)o->scale);
            for (int j = 0; j < vectors; j++) {
                vec z = load(row_of(o->z, p, r) + j * LANES), a = load(row_of(o->a, p, r) + j * LANES);
                vec y = load(row_of(o->y, p, r) + j * LANES);
                mask is_same = ~((a >= half) ^ (y >= half));
                y = masked(fma_(y, kept, share), before.m[j]);
                vec c = fma_(-z, y, maximum(zero(), z)) + log1p_(exp_(-abs_(z)));
                sums.loss.v[j] += masked(c * weight, before.m[j]);
                sums.metric.v[j] += masked(weight, is_same & before.m[j]);
                if (o->delta) store(row_of(o->delta, p, r) + j * LANES, (a - y) * scale);
            }
        }
        last_sums(o, p, sums, &total);
    }
    set_sums(o, &total, 1, (double)o->a->cols);
}

/* C = Σ y (ln Σ exp z − z) for rows of probabilities;  δ = a − y */
static double cross_entropy_of_rows(ptrdiff_t rows, const cg_output *o)
{
    row_sums total = {{{{0}}}, {{{0}}}};
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        row_sums sums = first_sums(o, p);
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec log_sum_exp = splat(((const real *)o->log_sum_exp)[r]);
            vec weight = splat(weight_of(o->weights, r)), scale = weight * splat((real)o->scale);
            CG_EACH_J {
                vec z = load(row_of(o->z, p, r) + j * LANES), a = load(row_of(o->a, p, r) + j * LANES);
                vec y = load(row_of(o->y, p, r) + j * LANES);
                sums.loss.v[j] = fma_(y * weight, log_sum_exp - z, sums.loss.v[j]);
                if (o->delta) store(row_of(o->delta, p, r) + j * LANES, (a - y) * scale);
            }
        }
        last_sums(o, p, sums, &total);
    }
    return (double)fold_sum(total.loss.v)[0];
}

/* C = ln Σ exp z − z_label;  δ = a − y with y one at the label and zero elsewhere */
static double cross_entropy_of_labels(ptrdiff_t rows, cg_output *o)
{
    const real *weights = o->weights;
    double loss = o->continues ? o->loss_sum : 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        real c = ((const real *)o->log_sum_exp)[r] - *element(o->z, r, (ptrdiff_t)o->labels[r]);
        loss += weights ? (double)(c * weights[r]) : (double)c;
    }
    if (!o->delta) return loss;
    const cg_matrix a = *o->a, delta = *o->delta; /* copies, which no store can change */
    const int64_t *labels = o->labels;
    vec scale = splat((real)o->scale);
    for (ptrdiff_t p = 0; p < panels_of(&a); p++)
        for (ptrdiff_t r = 0; r < rows; r++) {
            row_mask is_label = column_of((ptrdiff_t)labels[r], p);
            if (weights) scale = splat(weights[r]) * splat((real)o->scale);
            CG_EACH_J {
                vec y = masked(splat(1), is_label.m[j]);
                store(row_of(&delta, p, r) + j * LANES, (load(row_of(&a, p, r) + j * LANES) - y) * scale);
            }
        }
    return loss;
}

/* C = Σ y (ln Σ exp z − z), where y, a row or one at a label, is (1 − s) y + s / outputs;  δ = a − y */
static double smoothed_cross_entropy(ptrdiff_t rows, cg_output *o)
{
    double loss = o->continues ? o->loss_sum : 0;
    vec kept = splat((real)(1 - smoothing_of(o))), share = splat((real)(smoothing_of(o) / (double)o->a->cols));
    for (ptrdiff_t r = 0; r < rows; r++) {
        vec total = splat(((const real *)o->log_sum_exp)[r]), losses = zero();
        vec weight = splat(weight_of(o->weights, r)), scale = weight * splat((real)o->scale);
        panel_row sums = {{{0}}};
        for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
            row_mask before = columns_until(o->a->cols, p), is_label = column_of(o->labels ? (ptrdiff_t)o->labels[r] : 0, p);
            for (int j = 0; j < PANEL_VECTORS; j++) {
                vec z = load(row_of(o->z, p, r) + j * LANES), a = load(row_of(o->a, p, r) + j * LANES);
                vec y = o->labels ? masked(splat(1), is_label.m[j]) : load(row_of(o->y, p, r) + j * LANES);
                y = masked(fma_(y, kept, share), before.m[j]);
                sums.v[j] = fma_(y, total - z, sums.v[j]);
                if (o->delta) store(row_of(o->delta, p, r) + j * LANES, (a - y) * scale);
            }
        }
        losses = fold_sum(sums.v) * weight;
        loss += (double)losses[0];
    }
    return loss;
}

/* Return the column of the largest target in a row, the first of equals. */
static ptrdiff_t largest_target(const cg_matrix *y, ptrdiff_t r)
{
    ptrdiff_t best = 0;
    for (ptrdiff_t c = 1; c < y->cols; c++)
        if (*element(y, r, c) > *element(y, r, best)) best = c;
    return best;
}

/* `sum`, plus the number of rows that are correct, or their weights: their largest output, the first among equals, is at
 * the label, so that none before it is as large, none after it larger, and none is NaN. Up to SOFTMAX_ROWS rows from
 * `first` on, panel by panel. VECTORS: the vectors of a panel's row that hold columns. */
CG_INLINE double count_correct_rows(const int VECTORS, ptrdiff_t rows, ptrdiff_t first, const cg_output *o,
                                     double sum)
{
    const cg_matrix *a = o->a;
    ptrdiff_t labels[SOFTMAX_ROWS], panels = panels_of(a);
    row_mask ahead_of_label[SOFTMAX_ROWS];
    const real *weights = o->weights;
    int correct = 0;
    double weighted = sum; /* the sum goes on, so that it has the same order in all blocks */
    for (ptrdiff_t r = 0; r < rows; r++)
        labels[r] = o->labels ? (ptrdiff_t)o->labels[first + r] : largest_target(o->y, first + r);
    for (ptrdiff_t p = 0; p < panels; p++) {
        row_mask before = columns_until(a->cols, p);
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec score = splat(*element(a, first + r, labels[r]));
            row_mask earlier = columns_until(labels[r], p), ahead = {{{0}}};
            if (p > 0) ahead = ahead_of_label[r];
            CG_UNROLL for (int j = 0; j < VECTORS; j++) {
                vec competitor = load(row_of(a, p, first + r) + j * LANES);
                ahead.m[j] |= ~((competitor < score) | ((competitor == score) & ~earlier.m[j])) & before.m[j];
            }
            if (p + 1 < panels) ahead_of_label[r] = ahead;
            else if (!weights) correct += !any(ahead.m);
            else if (!any(ahead.m)) weighted += (double)weights[first + r];
        }
    }
    return weights ? weighted : sum + correct;
}

static double count_correct(ptrdiff_t rows, const cg_output *o)
{
    enum { HALF = PANEL_VECTORS / 2 };
    double correct = o->continues ? o->metric_sum : 0;
    for (ptrdiff_t start = 0; start < rows; start += SOFTMAX_ROWS) {
        ptrdiff_t count = rows - start < SOFTMAX_ROWS ? rows - start : SOFTMAX_ROWS;
        correct = used_vectors(o->a->cols) <= HALF ? count_correct_rows(HALF, count, start, o, correct)
                                                   : count_correct_rows(PANEL_VECTORS, count, start, o, correct);
    }
    return correct;
}

/* The metric is the number of rows whose largest output is that of the label, or of the largest target. */
static void cross_entropy(ptrdiff_t rows, cg_output *o)
{
    if (smoothing_of(o) > 0) o->loss_sum = smoothed_cross_entropy(rows, o);
    else o->loss_sum = o->labels ? cross_entropy_of_labels(rows, o) : cross_entropy_of_rows(rows, o);
    o->metric_sum = count_correct(rows, o);
}

/* C = (1 − p)^γ L with L = ln Σ exp z − z_label and p = a_label (Lin et al. 2017);
 * δ = (1 − p)^γ (1 + γ p L / (1 − p)) (a − y) with y one at the label and zero elsewhere. 1 − p = 1 − exp(−L) is
 * 2 t / (1 + t) with t = tanh(L / 2), which keeps its digits where p is almost 1. */
static void focal(ptrdiff_t rows, cg_output *o)
{
    double loss = o->continues ? o->loss_sum : 0;
    vec gamma = splat((real)o->parameters[0]);
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        real weight = weight_of(o->weights, r);
        vec l = splat(((const real *)o->log_sum_exp)[r] - *element(o->z, r, label)), right = splat(*element(o->a, r, label));
        vec t = tanh_half(l), wrong = maximum((t + t) / (splat(1) + t), splat(CG_MIN_NORMAL));
        vec power = exp_(gamma * log_(wrong)), term = power * l * splat(weight);
        vec scale = power * fma_(gamma * right, l / wrong, splat(1)) * splat(weight * (real)o->scale);
        loss += (double)term[0];
        for (ptrdiff_t p = 0; o->delta && p < panels_of(o->a); p++) {
            row_mask is_label = column_of(label, p);
            for (int j = 0; j < PANEL_VECTORS; j++) {
                vec a = load(row_of(o->a, p, r) + j * LANES);
                store(row_of(o->delta, p, r) + j * LANES, (a - masked(splat(1), is_label.m[j])) * scale);
            }
        }
    }
    o->loss_sum = loss;
    o->metric_sum = count_correct(rows, o);
}

/* C = Σ m with the margins m = max(0, a_j − a_label + 1) over j ≠ label (Weston & Watkins 1999), or Σ m² if SQUARED;
 * ∇_j = 1, or 2 m, where the margin is broken, and ∇_label = −Σ ∇_j */
CG_INLINE void hinge_of(const int SQUARED, ptrdiff_t rows, cg_output *o)
{
    double loss = o->continues ? o->loss_sum : 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        real weight = weight_of(o->weights, r), scale = weight * (real)o->scale;
        vec score = splat(*element(o->a, r, label));
        panel_row losses = {{{0}}}, slopes = {{{0}}};
        for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
            row_mask before = columns_until(o->a->cols, p), is_label = column_of(label, p);
            CG_EACH_J {
                vec margin = load(row_of(o->a, p, r) + j * LANES) - score + splat(1), term = margin, slope = splat(1);
                if (SQUARED) term = margin * margin, slope = margin + margin;
                mask is_broken = ~(margin <= zero()) & before.m[j] & ~is_label.m[j];
                losses.v[j] += masked(term, is_broken);
                slopes.v[j] += masked(slope, is_broken);
                if (o->delta) store(row_of(o->delta, p, r) + j * LANES, masked(slope * splat(scale), is_broken));
            }
        }
        loss += (double)(fold_sum(losses.v)[0] * weight);
        if (o->delta) *element(o->delta, r, label) = -fold_sum(slopes.v)[0] * scale;
    }
    o->loss_sum = loss;
    o->metric_sum = count_correct(rows, o);
}

static void hinge(ptrdiff_t rows, cg_output *o) { hinge_of(0, rows, o); }
static void squared_hinge(ptrdiff_t rows, cg_output *o) { hinge_of(1, rows, o); }

/* C = ½ Σ s + (μ − y)² / exp s, divided by the number of means, with s = max(a, ln ε) for the second half of the outputs
 * and means μ = a for the first;  ∇_μ = (μ − y) / exp s, ∇_s = ½ (1 − (μ − y)² / exp s), or 0 at ε. The metric is the
 * mean of |μ − y|. y has as many columns as there are means. */
static void gaussian_nll(ptrdiff_t rows, cg_output *o)
{
    row_sums total = {{{{0}}}, {{{0}}}};
    ptrdiff_t means = o->a->cols / 2;
    vec half = splat((real)0.5), least = log_(maximum(splat((real)o->parameters[0]), splat(CG_MIN_NORMAL)));
    real logarithms[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0}; /* beside the means of a panel */
    real slopes[P] __attribute__((aligned(CG_PANEL_BYTES)));
    for (ptrdiff_t first = 0, p = 0; first < means; first += P, p++) {
        ptrdiff_t cols = means - first < P ? means - first : P;
        row_sums sums = first_sums(o, p);
        row_mask before = columns_until(means, p);
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec weight = splat(weight_of(o->weights, r)), scale = weight * splat((real)(o->scale / (double)means));
            for (ptrdiff_t c = 0; c < cols; c++) logarithms[c] = *element(o->a, r, means + first + c);
            for (ptrdiff_t i = 0, j = 0; i < cols; i += LANES, j++) {
                vec given = load(logarithms + i), logarithm = maximum(least, given);
                vec error = load(row_of(o->a, p, r) + i) - load(row_of(o->y, p, r) + i);
                vec slope = error * exp_(-logarithm), term = half * fma_(error, slope, logarithm);
                sums.loss.v[j] += masked(term * weight, before.m[j]);
                sums.metric.v[j] += masked(abs_(error) * weight, before.m[j]);
                if (!o->delta) continue;
                vec *d = (vec *)(row_of(o->delta, p, r) + i); /* the second half may begin in the same panel */
                *d = select_(before.m[j], slope * scale, *d);
                store(slopes + i, masked(half * fma_(-error, slope, splat(1)), ~(given <= least)) * scale);
            }
            for (ptrdiff_t c = 0; o->delta && c < cols; c++) *element(o->delta, r, means + first + c) = slopes[c];
        }
        last_sums(o, p, sums, &total);
    }
    set_sums(o, &total, 1 / (double)means, (double)means);
}

/* ---- the terms of losses.h ---- */

CG_INLINE vec sign(vec x) { return masked(splat(1), x > zero()) - masked(splat(1), x < zero()); }

CG_INLINE vec clipped(vec x, vec limit) { return maximum(-limit, minimum(limit, x)); }

/* ½ e² where |e| ≤ δ, and δ (|e| − ½ δ) beyond: c (|e| − ½ c) with c = min(δ, |e|) */
CG_INLINE vec huber(vec size, vec delta)
{
    vec c = minimum(delta, size);
    return c * fma_(c, splat((real)-0.5), size);
}

/* ln cosh e by t = tanh(|e| / 2): ln(1 + 2 t² / (1 − t²)) near zero, where it keeps its digits, and beyond
 * |e| − ln 2 + ln(1 + exp(−2 |e|)) with exp(−|e|) = (1 − t) / (1 + t) */
CG_INLINE vec log_cosh(vec error, vec size)
{
    vec t = abs_(tanh_half(error)), square = t * t, below = splat(1) - t, above = splat(1) + t;
    mask is_near = square + square + square <= splat(1);
    vec fraction = select_(is_near, square + square, below * below) / select_(is_near, splat(1) - square, above * above);
    return select_(is_near, zero(), size - splat((real)0.69314718055994530942)) + log1p_(fraction);
}

/* tanh 2x by t = tanh x */
CG_INLINE vec double_angle(vec t) { return (t + t) / fma_(t, t, splat(1)); }

/* 1 − q above the target, −q below it, 0 at it */
CG_INLINE vec pinball_slope(vec error, vec quantile)
{
    return masked(splat(1) - quantile, error > zero()) - masked(quantile, ~(error >= zero()));
}

/* ln y where y > 0; finite at 0 */
CG_INLINE vec log_of_target(vec y) { return log_(maximum(y, splat(CG_MIN_NORMAL))); }

/* 2 (y ln(y / a) − y + a) with ln a = z */
CG_INLINE vec poisson_deviance(vec z, vec y, vec error)
{
    vec half = fma_(y, log_of_target(y) - z, error);
    return half + half;
}

/* The losses of TERMS. One loop serves all of them, with the choice inside it: they are seldom a large part of a step. */
static void sum_of_terms(ptrdiff_t rows, cg_output *o, double divisor)
{
    row_sums of_panels = {{{{0}}}, {{{0}}}};
    real parameters[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0}; /* of the columns of a panel */
    for (ptrdiff_t p = 0; p < panels_of(o->a); p++) {
        row_sums sums = first_sums(o, p);
        row_mask before = columns_until(o->a->cols, p);
        int vectors = used_vectors(o->a->cols - p * P);
        for (ptrdiff_t c = 0; c < P && c < o->a->cols - p * P && o->n_parameters > 0; c++)
            parameters[c] = (real)o->parameters[o->n_parameters > 1 ? p * P + c : 0];
        for (ptrdiff_t r = 0; r < rows; r++) {
            vec weight = splat(weight_of(o->weights, r)), scale = weight * splat((real)(o->scale / divisor));
            vec total = o->log_sum_exp ? splat(((const real *)o->log_sum_exp)[r]) : zero();
            for (int j = 0; j < vectors; j++) {
                vec z = load(row_of(o->z, p, r) + j * LANES), a = load(row_of(o->a, p, r) + j * LANES);
                vec y = load(row_of(o->y, p, r) + j * LANES), parameter = load(parameters + j * LANES);
                vec error = a - y, size = abs_(error), term = zero(), derivative = zero(), metric = zero();
                (void)z, (void)parameter;
                switch (o->loss) {
#define CG_NONE(...)
#define CG_ROW(NAME, PROPERTIES, DIVISOR, TERM, DERIVATIVE, METRIC) \
    case CG_LOSS_##NAME: term = TERM, derivative = DERIVATIVE, metric = METRIC; break;
                    CG_LOSSES(CG_NONE, CG_ROW)
#undef CG_ROW
                }
                sums.loss.v[j] += masked(term * weight, before.m[j]);
                sums.metric.v[j] += masked(metric * weight, before.m[j]);
                if (o->delta) store(row_of(o->delta, p, r) + j * LANES, masked(derivative * scale, before.m[j]));
            }
        }
        last_sums(o, p, sums, &of_panels);
    }
    set_sums(o, &of_panels, 1 / divisor, (double)o->a->cols);
}

static void output_delta(ptrdiff_t rows, cg_output *o)
{
    double outputs = (double)o->a->cols;
    switch (o->loss) {
#define CG_ROW(NAME, PROPERTIES, FUNCTION) \
    case CG_LOSS_##NAME: FUNCTION; break;
#define CG_TERMS(NAME, PROPERTIES, DIVISOR, ...) \
    case CG_LOSS_##NAME: sum_of_terms(rows, o, DIVISOR); break;
        CG_LOSSES(CG_ROW, CG_TERMS)
#undef CG_ROW
#undef CG_TERMS
#undef CG_NONE
    }
}

#endif
