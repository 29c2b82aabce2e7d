/* check_output.h: the losses, their metrics and the deltas of the output layer. */
#ifndef CHECK_OUTPUT_H
#define CHECK_OUTPUT_H

#include "check_functions.h"

static const double LOSS_PARAMETER = 0.75; /* of the losses that have one */

/* The sum of a loss or a metric: its value, and the sum of the sizes of its terms. */
typedef struct {
    double value, size;
} sum;

static void add(sum *s, double term, double size)
{
    s->value += term;
    s->size += size;
}

/* The buffers of one case; y or labels is NULL, delta and weights may be. */
typedef struct {
    ptrdiff_t rows, cols;
    double scale, smoothing;
    buffer *z, *a, *y, *log_sum_exp, *delta, *weights;
    int64_t *labels;
} output_case;

static double weight_of(const output_case *o, ptrdiff_t r) { return o->weights ? at(o->weights, 0, r) : 1; }

static void expect_delta(output_case *o, ptrdiff_t r, ptrdiff_t c, double value, double size)
{
    double factor = o->scale * weight_of(o, r);
    if (o->delta) expect(o->delta, r, c, value * factor, tolerance(6) * size * factor + smallest());
}

/* quadratic C = ½ Σ (a − y)², ∇ = a − y;  mse C = Σ (a − y)² / outputs, ∇ = 2 (a − y) / outputs;
 * the metric is Σ |a − y| / outputs */
static void expect_squared_error(output_case *o, double loss_factor, double slope_factor, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++)
        for (ptrdiff_t c = 0; c < o->cols; c++) {
            double a = at(o->a, r, c), y = at(o->y, r, c), error = a - y, size = fabs(a) + fabs(y);
            double w = weight_of(o, r);
            add(loss, w * loss_factor * error * error, w * loss_factor * size * size);
            add(metric, w * fabs(error) / (double)o->cols, w * size / (double)o->cols);
            expect_delta(o, r, c, slope_factor * error, slope_factor * size);
        }
}

/* C = Σ max(z, 0) − z y + ln(1 + exp(−|z|)), δ = a − y with smoothed y; the metric is the fraction on the target's side
 * of one half */
static void expect_binary_cross_entropy(output_case *o, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++)
        for (ptrdiff_t c = 0; c < o->cols; c++) {
            double z = at(o->z, r, c), a = at(o->a, r, c), target = at(o->y, r, c);
            double y = (1 - o->smoothing) * target + o->smoothing / 2;
            double logarithm = (double)log1pl(expl(-fabsl((long double)z)));
            double w = weight_of(o, r);
            add(loss, w * ((z < 0 ? 0 : z) - z * y + logarithm), w * (fabs(z) + fabs(z * y) + 1));
            add(metric, w * ((a >= 0.5) == (target >= 0.5)) / (double)o->cols, w / (double)o->cols);
            expect_delta(o, r, c, a - y, fabs(a) + fabs(y));
        }
}

/* Return whether the largest output of a row, the first of equals, is the label or largest target, and none is NaN. */
static int is_correct(const output_case *o, ptrdiff_t r)
{
    ptrdiff_t largest = 0, label = o->labels ? (ptrdiff_t)o->labels[r] : 0;
    for (ptrdiff_t c = 0; c < o->cols; c++) {
        if (isnan(at(o->a, r, c))) return 0;
        if (at(o->a, r, c) > at(o->a, r, largest)) largest = c;
        if (o->y && at(o->y, r, c) > at(o->y, r, label)) label = c;
    }
    return largest == label;
}

/* C = Σ y (ln Σ exp z − z), δ = a − y with smoothed y; y may be one at a label and zero elsewhere */
static void expect_cross_entropy(output_case *o, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++) {
        double total = at(o->log_sum_exp, 0, r);
        for (ptrdiff_t c = 0; c < o->cols; c++) {
            double z = at(o->z, r, c), a = at(o->a, r, c), y = o->y ? at(o->y, r, c) : c == o->labels[r];
            y = (1 - o->smoothing) * y + o->smoothing / (double)o->cols;
            double w = weight_of(o, r);
            if (o->y || y > 0) add(loss, w * y * (total - z), w * fabs(y) * (fabs(total) + fabs(z)));
            expect_delta(o, r, c, a - y, fabs(a) + fabs(y));
        }
        add(metric, weight_of(o, r) * is_correct(o, r), weight_of(o, r));
    }
}

/* C = Σ m with m = max(0, aⱼ − a_label + 1) over j ≠ label, or Σ m²; ∇ⱼ = 1, or 2 m, where m is not zero, ∇_label = −Σ ∇ⱼ;
 * a margin that is NaN counts as not zero */
static void expect_hinge(output_case *o, int squared, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        double slopes = 0;
        for (ptrdiff_t c = 0; c < o->cols; c++) {
            if (c == label) continue;
            double margin = rounded(rounded(at(o->a, r, c) - at(o->a, r, label)) + 1);
            int is_broken = !(margin <= 0);
            double slope = is_broken ? (squared ? 2 * margin : 1) : 0, term = squared ? margin * margin : margin;
            slopes += slope;
            if (is_broken) add(loss, weight_of(o, r) * term, weight_of(o, r) * fabs(term));
            expect_delta(o, r, c, slope, 2 * fabs(slope));
        }
        expect_delta(o, r, label, -slopes, (double)o->cols * slopes);
        add(metric, weight_of(o, r) * is_correct(o, r), weight_of(o, r));
    }
}

/* C = (1 − p)^γ L with L = ln Σ exp z − z_label, p = a_label; δ = (1 − p)^γ (1 + γ p L / (1 − p)) (a − y) */
static void expect_focal(output_case *o, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++) {
        ptrdiff_t label = (ptrdiff_t)o->labels[r];
        double l = rounded(at(o->log_sum_exp, 0, r) - at(o->z, r, label)), wrong = (double)-expm1l(-l);
        double power = wrong > smallest() ? pow(wrong, LOSS_PARAMETER) : pow(smallest(), LOSS_PARAMETER);
        double factor = power * (1 + (wrong > smallest() ? LOSS_PARAMETER * at(o->a, r, label) * l / wrong : 0));
        add(loss, weight_of(o, r) * power * l, 8 * weight_of(o, r) * power * fabs(l));
        for (ptrdiff_t c = 0; c < o->cols; c++)
            expect_delta(o, r, c, factor * (at(o->a, r, c) - (c == label)), 8 * factor);
        add(metric, weight_of(o, r) * is_correct(o, r), weight_of(o, r));
    }
}

/* C = ½ Σ s + (μ − y)² / exp s, divided by the number of means, with s = max(a, ln ε) of the second half of the outputs */
static void expect_gaussian_nll(output_case *o, sum *loss, sum *metric)
{
    ptrdiff_t means = o->cols / 2;
    double least = rounded(log(LOSS_PARAMETER)), k_means = (double)means;
    for (ptrdiff_t r = 0; r < o->rows; r++)
        for (ptrdiff_t c = 0; c < means; c++) {
            double y = at(o->y, r, c), e = at(o->a, r, c) - y, size = fabs(at(o->a, r, c)) + fabs(y), w = weight_of(o, r);
            double given = at(o->a, r, means + c), s = given <= least ? least : given, p = exp(-s);
            double places = 1 + (isfinite(s) ? fabs(s) : 0); /* times the rounding error is that of exp(−s) */
            add(loss, w * (s + e * e * p) / 2 / k_means, w * (fabs(s) + size * size * p) / k_means);
            add(metric, w * fabs(e) / k_means, w * size / k_means);
            expect_delta(o, r, c, e * p / k_means, places * size * p / k_means);
            expect_delta(o, r, means + c, given <= least ? 0 : (1 - e * e * p) / 2 / k_means,
                         (1 + places * size * size * p) / k_means);
        }
}

/* A loss of TERMS, for one output: the term, its derivative, the term of the metric, and the sizes of their parts. */
typedef struct {
    double term, derivative, metric, term_size, derivative_size, metric_size;
} terms;

/* C = Σ y a, ∇ = y */
static terms linear_terms(double z, double a, double y, double total)
{
    (void)z, (void)total;
    return (terms){a * y, y, fabs(a - y), fabs(a * y), fabs(y), fabs(a) + fabs(y)};
}

/* C = Σ |e| / outputs with e = a − y, ∇ = sign e */
static terms mae_terms(double z, double a, double y, double total)
{
    double e = rounded(a - y), size = fabs(a) + fabs(y);
    (void)z, (void)total;
    return (terms){fabs(e), isnan(e) ? 0 : (e > 0) - (e < 0), fabs(e), size, 1, size};
}

/* ½ e² up to the parameter, and linear beyond */
static terms huber_terms(double z, double a, double y, double total)
{
    double e = a - y, size = fabs(a) + fabs(y), d = LOSS_PARAMETER, slope = e > d ? d : e < -d ? -d : e;
    (void)z, (void)total;
    if (isnan(e)) return (terms){NAN, e, NAN, 0, 0, 0};
    return (terms){fabs(e) <= d ? e * e / 2 : d * (fabs(e) - d / 2), slope, fabs(e), size * (d + size), size, size};
}

/* ln cosh e, ∇ = tanh e */
static terms log_cosh_terms(double z, double a, double y, double total)
{
    double e = a - y, size = fabs(a) + fabs(y);
    (void)z, (void)total;
    double term = fabs(e) < 0.5 ? (double)log1pl(2 * sinhl(e / 2) * sinhl(e / 2))
                                : (double)(fabsl(e) + log1pl(expl(-2 * fabsl(e))) - logl(2));
    return (terms){term, tanh(e), fabs(e), size + 1, size + 1, size};
}

/* max(−q e, (1 − q) e) for the quantile q */
static terms pinball_terms(double z, double a, double y, double total)
{
    double e = rounded(a - y), size = fabs(a) + fabs(y), slope = e > 0 ? 1 - LOSS_PARAMETER : e == 0 ? 0 : -LOSS_PARAMETER;
    (void)z, (void)total;
    return (terms){slope * e, slope, fabs(e), size, 1, size};
}

static double log_of(double y) { return log(y > smallest() ? y : smallest()); }

/* C = Σ a − y z, δ = a − y; the metric is 2 Σ y (ln y − z) − y + a */
static terms poisson_terms(double z, double a, double y, double total)
{
    double size = fabs(a) + fabs(y), logarithm = log_of(y);
    (void)total;
    return (terms){a - y * z, a - y, 2 * (y * (logarithm - z) + (a - y)), fabs(a) + fabs(y * z), size,
                   2 * (fabs(y * logarithm) + fabs(y * z) + size)};
}

/* C = Σ y (ln y + ln Σ exp z − z), δ = a − y */
static terms kl_divergence_terms(double z, double a, double y, double total)
{
    double size = fabs(a) + fabs(y), logarithm = log_of(y);
    return (terms){y * (logarithm + (total - z)), a - y, fabs(a - y),
                   fabs(y) * (fabs(logarithm) + fabs(total) + fabs(z)), size, size};
}

static void expect_terms(output_case *o, terms of(double z, double a, double y, double total),
                         double divisor, sum *loss, sum *metric)
{
    for (ptrdiff_t r = 0; r < o->rows; r++)
        for (ptrdiff_t c = 0; c < o->cols; c++) {
            terms t = of(at(o->z, r, c), at(o->a, r, c), at(o->y, r, c),
                         o->log_sum_exp ? at(o->log_sum_exp, 0, r) : 0);
            add(loss, weight_of(o, r) * t.term / divisor, weight_of(o, r) * t.term_size / divisor);
            add(metric, weight_of(o, r) * t.metric / (double)o->cols, weight_of(o, r) * t.metric_size / (double)o->cols);
            expect_delta(o, r, c, t.derivative / divisor, t.derivative_size / divisor);
        }
}

/* Compute the rows once more in several calls, one of no rows: the sums must have the bits of one call. */
static void check_continued(cg_output whole, ptrdiff_t rows)
{
    const ptrdiff_t ends[] = {rows / 3, rows / 3, rows - rows / 2, rows};
    cg_output part = whole;
    cg_matrix *const matrices[] = {(cg_matrix *)part.z, (cg_matrix *)part.a, (cg_matrix *)part.y, part.delta};
    part.partial_sums = allocate((size_t)(2 * panels(whole.a->cols) * CG_PANEL_BYTES), tight);
    ptrdiff_t first = 0;
    EACH(end, ends) {
        ptrdiff_t count = end - first;
        k->output_delta(count, &part);
        for (int i = 0; i < 4; i++)
            if (matrices[i]) matrices[i]->data += count * CG_PANEL_BYTES;
        if (part.labels) part.labels += count;
        if (part.weights) part.weights = (const char *)part.weights + count * k->itemsize;
        if (part.log_sum_exp) part.log_sum_exp = (const char *)part.log_sum_exp + count * k->itemsize;
        part.continues = 1, first = end;
    }
    check_number("the loss in several calls", part.loss_sum, whole.loss_sum, 0);
    check_number("the metric in several calls", part.metric_sum, whole.metric_sum, 0);
}

enum { WITH_ROWS, WITH_LABELS };
static const char *const TARGET_NAMES[] = {"rows", "labels"};

static void output_case_of(int loss_code, int targets, ptrdiff_t rows, ptrdiff_t cols, int back,
                           int weighted, int smoothed)
{
    int of_softmax = loss_code == CG_LOSS_cross_entropy || loss_code == CG_LOSS_focal || loss_code == CG_LOSS_kl_divergence;
    int may_be_smoothed = loss_code == CG_LOSS_cross_entropy || loss_code == CG_LOSS_binary_cross_entropy;
    if (smoothed && !may_be_smoothed) return;
    if (loss_code == CG_LOSS_gaussian_nll) cols += cols % 2;
    EACH_KIND {
        if (!begin("output %s %s rows=%td cols=%td delta=%d weights=%d smoothed=%d", cg_loss_name(loss_code),
                   TARGET_NAMES[targets], rows, cols, back, weighted, smoothed))
            continue;
        output_case o = {rows, cols, rows > 1 ? 1 / (double)rows : 1, smoothed ? LOSS_PARAMETER : 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
        o.z = samples_of("z", rows, cols, 3);
        o.a = samples_of("a", rows, cols, 2);
        if (of_softmax) {
            o.log_sum_exp = numbers_of("log_sum_exp", 1, rows, 0);
            for (ptrdiff_t r = 0; r < rows; r++) {
                expect_softmax(o.z, r, o.a, o.log_sum_exp);
                for (ptrdiff_t c = 0; c < cols; c++) set(o.a, place(o.a, r, c), at(o.a, r, c));
                set(o.log_sum_exp, r, at(o.log_sum_exp, 0, r));
            }
        }
        if (targets == WITH_ROWS) {
            ptrdiff_t columns = loss_code == CG_LOSS_gaussian_nll ? cols / 2 : cols;
            o.y = samples_of("y", rows, columns, 1);
            for (ptrdiff_t r = 0; r < rows; r++)
                for (ptrdiff_t c = 0; c < columns; c++) {
                    double y = fabs(at(o.y, r, c));
                    set(o.y, place(o.y, r, c), isfinite(y) ? y : 1);
                }
        } else {
            o.labels = (int64_t *)allocate((size_t)rows * sizeof *o.labels, tight);
            for (ptrdiff_t r = 0; r < rows; r++) o.labels[r] = random_below(cols);
        }
        if (back) o.delta = result_of("delta", rows, cols);
        if (weighted) {
            o.weights = numbers_of("weights", 1, rows, 0);
            for (ptrdiff_t r = 0; r < rows; r++) set(o.weights, r, (double)random_below(5) / 2);
        }

        cg_matrix z = matrix_of(o.z), a = matrix_of(o.a), y, delta;
        if (o.y) y = matrix_of(o.y);
        if (o.delta) delta = matrix_of(o.delta);
        cg_output output = {loss_code, o.scale, &LOSS_PARAMETER, may_be_smoothed ? smoothed : 1, o.weights ? o.weights->actual : NULL, &z, &a, o.y ? &y : NULL, o.labels,
                            o.log_sum_exp ? o.log_sum_exp->actual : NULL, o.delta ? &delta : NULL, NAN, NAN, 0, NULL};
        k->output_delta(rows, &output);
        check_continued(output, rows);

        sum loss = {0, 0}, metric = {0, 0};
        switch (loss_code) {
        case CG_LOSS_quadratic: expect_squared_error(&o, 0.5, 1, &loss, &metric); break;
        case CG_LOSS_mse: expect_squared_error(&o, 1 / (double)cols, 2 / (double)cols, &loss, &metric); break;
        case CG_LOSS_binary_cross_entropy: expect_binary_cross_entropy(&o, &loss, &metric); break;
        case CG_LOSS_cross_entropy: expect_cross_entropy(&o, &loss, &metric); break;
        case CG_LOSS_hinge: expect_hinge(&o, 0, &loss, &metric); break;
        case CG_LOSS_squared_hinge: expect_hinge(&o, 1, &loss, &metric); break;
        case CG_LOSS_mae: expect_terms(&o, mae_terms, (double)cols, &loss, &metric); break;
        case CG_LOSS_huber: expect_terms(&o, huber_terms, (double)cols, &loss, &metric); break;
        case CG_LOSS_log_cosh: expect_terms(&o, log_cosh_terms, (double)cols, &loss, &metric); break;
        case CG_LOSS_pinball: expect_terms(&o, pinball_terms, (double)cols, &loss, &metric); break;
        case CG_LOSS_poisson: expect_terms(&o, poisson_terms, (double)cols, &loss, &metric); break;
        case CG_LOSS_kl_divergence: expect_terms(&o, kl_divergence_terms, 1, &loss, &metric); break;
        case CG_LOSS_gaussian_nll: expect_gaussian_nll(&o, &loss, &metric); break;
        case CG_LOSS_focal: expect_focal(&o, &loss, &metric); break;
        case CG_LOSS_linear: expect_terms(&o, linear_terms, 1, &loss, &metric); break;
        default: loss.value = NAN; /* a row of the table without a test */
        }
        double error = tolerance((double)(rows * cols) + 4);
        check_number("the loss", output.loss_sum, loss.value, error * loss.size + smallest());
        check_number("the metric", output.metric_sum, metric.value, error * metric.size + smallest());
        end();
    }
}

static void check_output(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 2, 3, 5, 17};
    for (int loss = 0; loss < CG_LOSS_COUNT; loss++)
        for (int targets = WITH_ROWS; targets <= WITH_LABELS; targets++) {
            if (!(cg_loss_properties(loss) & (targets == WITH_ROWS ? CG_TAKES_ROWS : CG_TAKES_CLASSES))) continue;
            EACH(rows, ROWS) EACH(cols, MANY_COLS) for (int back = 0; back <= 2; back++)
                for (int smoothed = 0; smoothed <= 1; smoothed++)
                    output_case_of(loss, targets, rows, cols, back > 0, back == 2, smoothed);
        }
}

#endif
