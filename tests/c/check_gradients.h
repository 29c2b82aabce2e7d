/* check_gradients.h: what is done with a stored gradient: the sum of its squares, and the update by it. */
#ifndef CHECK_GRADIENTS_H
#define CHECK_GRADIENTS_H

#include "check_products.h"
#include "checks.h"

/* Σ g[r, j]²: a chain for each column of a panel, and these folded by halves */
static void sum_of_squares_case(ptrdiff_t rows)
{
    EACH_KIND {
        if (!begin("sum_of_squares rows=%td", rows)) continue;
        buffer *g = samples_of("g", rows, k->panel_width, 1);
        double sums[CG_PANEL_BYTES / sizeof(float)] = {0};
        for (ptrdiff_t r = 0; r < rows; r++)
            for (int j = 0; j < k->panel_width; j++) sums[j] += at(g, r, j) * at(g, r, j);
        for (int half = k->panel_width / 2; half; half /= 2)
            for (int j = 0; j < half; j++) sums[j] += sums[j + half];
        check_number("the sum", k->sum_of_squares(rows, g->actual), sums[0], 0);
        end();
    }
}

/* The update of rows of a panel by g · power · factor, from −limit to limit. No other row is touched. */
static void apply_gradient_case(ptrdiff_t rows, ptrdiff_t out, int rule, double weight_decay, double power,
                                double factor, double limit)
{
    for (ptrdiff_t panel = 0; panel < panels(out); panel += panels(out) > 1 ? panels(out) - 1 : 1) EACH_KIND {
        if (!begin("apply_gradient %s rows=%td out=%td panel=%td decay=%g power=%g factor=%g limit=%g",
                   cg_rule_name(rule), rows, out, panel, weight_decay, power, factor, limit))
            continue;
        ptrdiff_t first = rows > 3 ? 1 : 0, cols = out - panel * k->panel_width;
        buffer *w = weights_of("w", rows, out), *gradient = weights_of("gradient", rows, out);
        for (ptrdiff_t i = 0; i < gradient->count; i++)
            if (isnan(gradient->expected[i])) set(gradient, i, 0); /* the engine stops at such a gradient */
        optimizer_states states = states_of(w, rule);
        cg_update update = update_of(rule, weight_decay);
        ptrdiff_t start = (panel * w->capacity + first) * CG_PANEL_BYTES;
        k->apply_gradient(rows - first, cols, gradient->actual + start, w->actual + start, states.offsets, &update, power,
                          factor, limit);
        for (ptrdiff_t i = first; i < rows; i++)
            for (ptrdiff_t j = panel * k->panel_width; j < out && j < (panel + 1) * k->panel_width; j++) {
                double g = rounded(rounded(at(gradient, i, j) * rounded(power)) * rounded(factor));
                g = fmax(fmin(g, rounded(limit)), -rounded(limit));
                expect_update(&update, g, w, &states, i, j);
            }
        end();
    }
}

static void check_sum_of_squares(void)
{
    EACH(rows, TILE_ROWS) sum_of_squares_case(rows);
}

static void check_apply_gradient(void)
{
    static const ptrdiff_t ROWS[] = {1, 2, 9, 16, 17, 31, 32, 33, 65};
    EACH(rows, ROWS) EACH(out, TILE_COLS) {
        apply_gradient_case(rows, out, CG_RULE_store, 0, 1, 1, INFINITY);
        apply_gradient_case(rows, out, CG_RULE_store, 0, 1, 0.3, INFINITY);
        apply_gradient_case(rows, out, CG_RULE_store, 0, 0x1p-60, 3, INFINITY);
        apply_gradient_case(rows, out, CG_RULE_store, 0, 1, 1, 0.25);
    }
    for (int rule = 0; rule < CG_RULE_COUNT; rule++)
        EACH(rows, FEW_ROWS) EACH(out, FEW_COLS)
            apply_gradient_case(rows, out, rule, rows == 9 ? 0.001 : 0, 1, out == 17 ? 1 : 0.3, INFINITY);
}

#endif
