/* check_products.h: the products of a dense layer (forward, hidden_delta, weight_gradient).
 * Every element of a product is one chain of fused multiply-adds in the order of k, and its bits are compared. */
#ifndef CHECK_PRODUCTS_H
#define CHECK_PRODUCTS_H

#include "check_panels.h"
#include "check_updates.h"
#include "checks.h"

/* z[r, j] = b[j] + Σₖ a[r, k] w[k, j], then max(0, z) if relu; with gathers, a is gathered on the way; for one panel,
 * or for all */
static void forward_case(ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out, int relu, int gathers, int all)
{
    ptrdiff_t step = all || panels(out) == 1 ? panels(out) : panels(out) - 1;
    for (ptrdiff_t panel = 0; panel < panels(out); panel += step) EACH_KIND {
        if (!begin("forward rows=%td in=%td out=%td panel=%td relu=%d gathers=%d all=%d", rows, in, out, panel, relu,
                   gathers, all))
            continue;
        buffer *a = samples_of("a", rows, in, !gathers), *w = weights_of("w", in, out), *b = biases_of("b", out);
        buffer *z = result_of("z", rows, out);
        cg_matrix a_matrix = matrix_of(a), w_matrix = matrix_of(w), z_matrix = matrix_of(z);
        cg_samples x = array_of(kernel_type(), rows % 2 ? CONTIGUOUS : PADDED_ROWS, rows + 3, in);
        int64_t *order = (int64_t *)allocate((size_t)(rows + 1) * sizeof *order, tight);
        for (ptrdiff_t r = 0; r <= rows; r++) order[r] = random_below(rows + 3);
        cg_rows from = {&x, order, 1};
        ptrdiff_t count = all ? panels(out) : 1;
        k->forward(panel, count, rows, gathers ? &from : NULL, &a_matrix, &w_matrix, b->actual, relu, &z_matrix);
        for (ptrdiff_t r = 0; gathers && r < rows; r++)
            for (ptrdiff_t i = 0; i < in; i++) expect(a, r, i, sample_at(&x, order[1 + r], i), 0);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t j = panel * k->panel_width; j < out && j < (panel + count) * k->panel_width; j++) {
                double sum = at(b, 0, j);
                for (ptrdiff_t i = 0; i < in; i++) sum = fused(at(a, r, i), at(w, i, j), sum);
                expect(z, r, j, relu && sum < 0 ? 0 : sum, 0);
            }
        end();
    }
}

/* below[r, i] = Σₒ above[r, o] w[i, o]; with relu, times its slope at its outputs a[r, i]. Kernels may write anything
 * to wt, whose rows are padded to a whole panel. */
static void hidden_delta_case(ptrdiff_t rows, ptrdiff_t in, ptrdiff_t out, int relu)
{
    for (ptrdiff_t panel = 0; panel < panels(in); panel += panels(in) > 1 ? panels(in) - 1 : 1) EACH_KIND {
        if (!begin("hidden_delta rows=%td in=%td out=%td panel=%td relu=%d", rows, in, out, panel, relu)) continue;
        ptrdiff_t first = panel * k->panel_width, cols = in - first < k->panel_width ? in - first : k->panel_width;
        buffer *above = samples_of("above", rows, out, 1), *below = result_of("below", rows, in);
        buffer *w = weights_of("w", in, out), *a = relu ? samples_of("a", rows, in, 1) : NULL;
        buffer *wt = numbers_of("wt", padded(out), k->panel_width, 0);
        for (ptrdiff_t i = 0; i < wt->count; i++) wt->within[i] = ANYTHING;
        cg_matrix above_matrix = matrix_of(above), below_matrix = matrix_of(below), w_matrix = matrix_of(w), a_matrix;
        if (relu) a_matrix = matrix_of(a);
        k->hidden_delta(panel, rows, &above_matrix, &w_matrix, wt->actual, relu ? &a_matrix : NULL, &below_matrix);
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t i = 0; i < cols; i++) {
                double sum = 0;
                for (ptrdiff_t o = 0; o < out; o++) sum = fused(at(above, r, o), at(w, first + i, o), sum);
                expect(below, r, first + i, relu ? sum * (at(a, r, first + i) > 0) : sum, 0);
            }
        end();
    }
}

/* g[i, j] = sums[i, j] + Σᵣ a[r, i] δ[r, j], without sums from 0 on, and the update of w[i, j]. The sums may be stored
 * where they are read. */
enum { FROM_ZERO, FROM_SUMS, IN_PLACE, SUMS_KINDS };
static void weight_gradient_case(ptrdiff_t batch, ptrdiff_t in, ptrdiff_t out, int rule, double weight_decay, int fetch,
                                 int from)
{
    for (ptrdiff_t panel = 0; panel < panels(out); panel += panels(out) > 1 ? panels(out) - 1 : 1) EACH_KIND {
        if (!begin("weight_gradient %s batch=%td in=%td out=%td panel=%td decay=%g fetch=%d sums=%d",
                   cg_rule_name(rule), batch, in, out, panel, weight_decay, fetch, from))
            continue;
        buffer *a = samples_of("a", batch, in, 1), *delta = samples_of("delta", batch, out, 1);
        buffer *w = weights_of("w", in, out);
        optimizer_states states = states_of(w, rule);
        cg_matrix a_matrix = matrix_of(a), delta_matrix = matrix_of(delta), w_matrix = matrix_of(w);
        buffer *sums = from == FROM_SUMS ? weights_of("sums", in, out) : from == IN_PLACE ? w : NULL;
        cg_update update = update_of(rule, weight_decay);

        enum { AHEAD = 5 };
        int64_t *order = (int64_t *)allocate(AHEAD * sizeof *order, tight);
        for (int i = 0; i < AHEAD; i++) order[i] = random_below(AHEAD);
        cg_samples samples = {allocate(AHEAD * 33 * sizeof(float), tight), AHEAD, 33, 33 * sizeof(float), sizeof(float),
                              CG_FLOAT32, NULL, NULL};
        cg_prefetch ahead = {&samples, order, 0, AHEAD, 0, 1000};
        k->weight_gradient(panel, batch, &a_matrix, &delta_matrix, &w_matrix, sums ? sums->actual : NULL,
                           states.offsets, &update, fetch ? &ahead : NULL);
        if (fetch && in) check_number("rows fetched ahead", (double)ahead.row, AHEAD, 0);

        for (ptrdiff_t i = 0; i < in; i++)
            for (ptrdiff_t j = panel * k->panel_width; j < out && j < (panel + 1) * k->panel_width; j++) {
                double g = sums ? at(sums, i, j) : 0;
                for (ptrdiff_t r = 0; r < batch; r++) g = fused(at(a, r, i), at(delta, r, j), g);
                expect_update(&update, g, w, &states, i, j);
            }
        end();
    }
}

/* g[j] = sums[j] + Σᵣ δ[r, j], row after row, and the update of b[j] */
static void bias_gradient_case(ptrdiff_t rows, ptrdiff_t out, int rule, double weight_decay, int from)
{
    EACH_KIND {
        if (!begin("bias_gradient %s rows=%td out=%td decay=%g sums=%d", cg_rule_name(rule), rows, out, weight_decay,
                   from))
            continue;
        buffer *delta = samples_of("delta", rows, out, 1);
        buffer *b = biases_of("b", out);
        optimizer_states states = states_of(b, rule);
        buffer *sums = from == FROM_SUMS ? biases_of("sums", out) : from == IN_PLACE ? b : NULL;
        cg_matrix delta_matrix = matrix_of(delta);
        cg_update update = update_of(rule, weight_decay);
        k->bias_gradient(rows, &delta_matrix, b->actual, sums ? sums->actual : NULL, states.offsets, &update);
        for (ptrdiff_t j = 0; j < out; j++) {
            double g = sums ? at(sums, 0, j) : 0;
            for (ptrdiff_t r = 0; r < rows; r++) g = rounded(g + at(delta, r, j));
            expect_update(&update, g, b, &states, 0, j);
        }
        end();
    }
}

/* Rows near the sizes of tiles, columns near those of vectors and panels, sums shorter and longer than a panel. */
static const ptrdiff_t TILE_ROWS[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 25, 33};
static const ptrdiff_t TILE_COLS[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 97};
static const ptrdiff_t FEW_ROWS[] = {1, 9, 17}, FEW_COLS[] = {1, 17, 33};
static const ptrdiff_t DEPTHS[] = {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 65, 127, 128, 129, 257, 300};

static void check_forward(void)
{
    static const ptrdiff_t DEEP[] = {999, 1000, 1023, 1024, 1025, 1100}, WIDE[] = {129, 160, 257, 300};
    for (int gathers = 0; gathers <= 1; gathers++) {
        EACH(rows, TILE_ROWS) EACH(out, TILE_COLS) forward_case(rows, 17, out, out % 2, gathers, rows % 2);
        EACH(rows, FEW_ROWS) EACH(out, FEW_COLS) EACH(in, DEPTHS) forward_case(rows, in, out, in % 2, gathers, 0);
        EACH(in, DEPTHS) forward_case(65, in, 1, in % 2, gathers, 0);
        EACH(in, DEEP) forward_case(17, in, 33, in % 2, gathers, in % 3 == 0);
        EACH(rows, FEW_ROWS) EACH(out, WIDE) forward_case(rows, 65, out, out % 2, gathers, 1);
    }
}

static void check_hidden_delta(void)
{
    static const ptrdiff_t DEEP[] = {999, 1000, 1023, 1024, 1025, 1100};
    EACH(rows, TILE_ROWS) EACH(in, TILE_COLS) hidden_delta_case(rows, in, 17, in % 2);
    EACH(rows, FEW_ROWS) EACH(in, FEW_COLS) EACH(out, DEPTHS) for (int relu = 0; relu <= 1; relu++)
        hidden_delta_case(rows, in, out, relu);
    EACH(out, TILE_COLS) hidden_delta_case(1, 64, out, out % 2);
    EACH(out, DEEP) hidden_delta_case(17, 33, out, out % 2);
}

static void check_weight_gradient(void)
{
    static const ptrdiff_t BATCHES[] = {0, 1, 9, 17};
    EACH(in, TILE_ROWS) EACH(out, TILE_COLS) weight_gradient_case(9, in, out, CG_RULE_store, 0, in % 2, out % SUMS_KINDS);
    for (int rule = 0; rule < CG_RULE_COUNT; rule++)
        EACH(batch, BATCHES) EACH(in, FEW_ROWS) EACH(out, TILE_COLS)
            weight_gradient_case(batch, in, out, rule, batch == 9 ? 0.001 : 0, rule % 2, out % 2 ? FROM_ZERO : FROM_SUMS);
    EACH(batch, DEPTHS) EACH(in, FEW_COLS) EACH(out, FEW_COLS) 
        weight_gradient_case(batch, in, out, CG_RULE_adam, 0, 1, batch % 2 ? FROM_ZERO : FROM_SUMS);
    EACH(batch, DEPTHS) for (ptrdiff_t out = 1; out <= 4; out++) EACH(in, FEW_COLS)
        weight_gradient_case(batch, in, out, CG_RULE_sgd, 0, 0, batch % 3);
    weight_gradient_case(1100, 33, 33, CG_RULE_store, 0, 1, IN_PLACE);
}

static void check_bias_gradient(void)
{
    EACH(rows, DEPTHS) EACH(out, FEW_COLS) for (int from = 0; from < SUMS_KINDS; from++)
        bias_gradient_case(rows, out, CG_RULE_store, 0, from);
    for (int rule = 0; rule < CG_RULE_COUNT; rule++)
        EACH(rows, FEW_ROWS) EACH(out, TILE_COLS) 
            bias_gradient_case(rows, out, rule, rows == 9 ? 0.001 : 0, out % 2 ? FROM_ZERO : FROM_SUMS);
}

#endif
