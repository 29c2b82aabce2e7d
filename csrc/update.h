/* update.h: the update rules of optimizers.h, applied to gradients that a tile has just left in registers or in the
 * nearest cache. The same code updates weights and biases, and stores gradients, so that all have the same bits. */
#ifndef CG_UPDATE_H
#define CG_UPDATE_H

#include "simd.h"

/* The scalars of one step, as numbers of the kernels' dtype. */
typedef struct {
    int rule, states;
    real rate, momentum, one_minus_beta1, one_minus_beta2, epsilon, decay;
} update_scalars;

static update_scalars scalars_of(const cg_update *u)
{
    /* If ε̂ were flushed to zero, a zero gradient (all padding has one) would give 0/0. */
    double epsilon = u->epsilon > CG_MIN_NORMAL ? u->epsilon : CG_MIN_NORMAL;
    return (update_scalars){u->rule, cg_rule_states(u->rule), (real)u->rate, (real)u->momentum, (real)(1 - u->beta1),
                            (real)(1 - u->beta2), (real)epsilon, (real)u->weight_decay};
}

/* Gradients that are not applied yet, `rows` rows of `vectors` vectors, P numbers apart, with their parameters and
 * states. */
typedef struct {
    ptrdiff_t rows, vectors;
    const real *g;
    real *w, *state1, *state2;
} pending_update;

/* Parameters are prefetched so many rows before their update: two tiles. Beyond the end a prefetch does nothing. */
enum { PREFETCH_ROWS = 16 };

CG_INLINE void update_row(const update_scalars *u, const pending_update *p, ptrdiff_t row)
{
    const real *g_row = p->g + row * P;
    real *w_row = p->w + row * P, *state1 = p->state1 + row * P, *state2 = p->state2 + row * P;
    vec rate = splat(u->rate), momentum = splat(u->momentum), decay = splat(u->decay), epsilon = splat(u->epsilon);
    vec one_minus_beta1 = splat(u->one_minus_beta1), one_minus_beta2 = splat(u->one_minus_beta2);
    prefetch_row(w_row + PREFETCH_ROWS * P);
    if (u->states > 0) prefetch_row(state1 + PREFETCH_ROWS * P);
    if (u->states > 1) prefetch_row(state2 + PREFETCH_ROWS * P);
    switch (u->rule) {
#define CG_ROW(NAME, STATES, PROPERTIES, ...)                                   \
    case CG_RULE_##NAME:                                                        \
        for (ptrdiff_t j = 0, i = 0; j < p->vectors; j++, i += LANES) {         \
            vec g = load(g_row + i), w = load(w_row + i);                       \
            if (u->decay != 0) g = fma_(decay, w, g);                           \
            __VA_ARGS__;                                                        \
            store(w_row + i, w);                                                \
        }                                                                       \
        break;
        CG_RULES(CG_ROW)
#undef CG_ROW
    }
}

static void update_rows(const update_scalars *u, const pending_update *p)
{
    for (ptrdiff_t row = 0; row < p->rows; row++) update_row(u, p, row);
}

#endif
