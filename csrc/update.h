/* update.h: the update rules of optimizers.h, applied to gradients that tiles have just left in the nearest cache. The
 * same code updates weights and biases, and stores gradients, so that all have the same bits. */
#ifndef CG_UPDATE_H
#define CG_UPDATE_H

#include "simd.h"

/* The scalars of one step, as numbers of the kernels' dtype. */
typedef struct {
    int rule, states, decays, divides;
    real rate, momentum, one_minus_beta1, one_minus_beta2, epsilon, decay, kept, threshold;
    real gradient_rate, root_factor, beta2, decrease, increase, least_step, largest_step; /* after adam's row only */
} update_scalars;

static update_scalars scalars_of(const cg_update *u)
{
    /* If ε̂ were flushed to zero, a zero gradient (all padding has one) would give 0/0. */
    double epsilon = u->epsilon > CG_MIN_NORMAL ? u->epsilon : CG_MIN_NORMAL;
    update_scalars s;
    s.rule = u->rule, s.states = cg_rule_states(u->rule);
    s.decays = u->weight_decay != 0 || u->shrinkage != 0;
    s.divides = cg_rule_properties(u->rule) & CG_DIVIDES;
    s.rate = (real)u->rate, s.momentum = (real)u->momentum, s.epsilon = (real)epsilon;
    s.one_minus_beta1 = (real)(1 - u->beta1), s.one_minus_beta2 = (real)(1 - u->beta2);
    s.decay = (real)u->weight_decay, s.kept = (real)(1 - u->shrinkage), s.threshold = (real)u->threshold;
    if (u->rule > CG_RULE_adam) {
        s.gradient_rate = (real)u->gradient_rate, s.root_factor = (real)u->root_factor, s.beta2 = (real)u->beta2;
        s.decrease = (real)u->decrease, s.increase = (real)u->increase;
        s.least_step = (real)u->least_step, s.largest_step = (real)u->largest_step;
    }
    return s;
}

/* 1 if the update by a gradient of 0 leaves every parameter and every state as they are. */
CG_INLINE int zero_gradient_changes_nothing(const update_scalars *u)
{
    return u->rule == CG_RULE_sgd && !u->decays && !(u->threshold > 0);
}

/* Some rows of parameters, `vectors` vectors each, and the `states` states of the optimiser at the same places. */
typedef struct {
    ptrdiff_t rows, vectors;
    int states;
    real *w, *state1, *state2, *state3;
} parameter_block;

CG_INLINE parameter_block block_of(const update_scalars *u, ptrdiff_t rows, ptrdiff_t vectors, char *w,
                                   const ptrdiff_t *state_offsets)
{
    return (parameter_block){rows, vectors, u->states, (real *)w, (real *)(w + state_offsets[0]),
                             (real *)(w + state_offsets[1]), (real *)(w + state_offsets[2])};
}

CG_INLINE parameter_block part_of_block(const parameter_block *b, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t vector,
                                        ptrdiff_t vectors)
{
    ptrdiff_t at = row * P + vector * LANES;
    return (parameter_block){rows, vectors, b->states, b->w + at, b->state1 + at, b->state2 + at, b->state3 + at};
}

/* Beyond the end of memory a prefetch does nothing. */
CG_INLINE void prefetch_parameters(const parameter_block *block, ptrdiff_t row, ptrdiff_t rows)
{
    for (ptrdiff_t end = row + rows; row < end; row++) {
        prefetch_row(block->w + row * P);
        if (block->states > 0) prefetch_row(block->state1 + row * P);
        if (block->states > 1) prefetch_row(block->state2 + row * P);
        if (block->states > 2) prefetch_row(block->state3 + row * P);
    }
}

/* Update the parameters by their gradients g, which lie as they do. With OUTER g is the gradient of a single sample,
 * a[row] δ[i], and not stored at all: `g_or_delta` is δ then. */
CG_INLINE void update_rows(const int OUTER, const update_scalars *scalars, const parameter_block *block, const real *a,
                           const real *g_or_delta)
{
    const update_scalars u = *scalars; /* a copy, which no store can change */
    vec rate = splat(u.rate), momentum = splat(u.momentum), epsilon = splat(u.epsilon);
    vec decay = splat(u.decay), kept = splat(u.kept);
    vec one_minus_beta1 = splat(u.one_minus_beta1), one_minus_beta2 = splat(u.one_minus_beta2);
    ptrdiff_t rows = block->rows, width = block->vectors * LANES;
    real *w_row = block->w, *state1 = block->state1, *state2 = block->state2, *state3 = block->state3;
    if (!OUTER && rows > 1 && block->vectors == PANEL_VECTORS) width *= rows, rows = 1; /* one long row */
#define CG_UPDATE(DECAY, ...)                                                    \
    for (ptrdiff_t row = 0; row < rows; row++, w_row += P, state1 += P, state2 += P, state3 += P) { \
        vec a_row = OUTER ? splat(a[row]) : zero();                              \
        for (ptrdiff_t i = 0; i < width; i += LANES) {                           \
            vec g = load(g_or_delta + i), w = load(w_row + i);                   \
            if (OUTER) g = fma_(a_row, g, zero());                               \
            if (DECAY) g = fma_(decay, w, g), w = kept * w;                      \
            __VA_ARGS__;                                                         \
            store(w_row + i, w);                                                 \
        }                                                                        \
        if (!OUTER) g_or_delta += P;                                             \
    }
    switch (u.rule) {
#define CG_ROW(NAME, STATES, PROPERTIES, ...)    \
    case CG_RULE_##NAME:                         \
        if (u.decays) {                          \
            CG_UPDATE(1, __VA_ARGS__)            \
        } else {                                 \
            CG_UPDATE(0, __VA_ARGS__)            \
        }                                        \
        break;
        CG_RULES(CG_ROW)
#undef CG_ROW
    }
#undef CG_UPDATE
}

/* w = sign(w) max(|w| − threshold, 0): exactly 0 where |w| ≤ threshold */
CG_SHARED void shrink_to_zero(real threshold, const parameter_block *block)
{
    vec most = splat(threshold), least = splat(-threshold);
    for (ptrdiff_t row = 0; row < block->rows; row++)
        for (ptrdiff_t i = 0; i < block->vectors * LANES; i += LANES) {
            real *place = block->w + row * P + i;
            vec w = load(place);
            store(place, w - maximum(minimum(w, most), least));
        }
}

CG_SHARED void update(const update_scalars *u, const parameter_block *block, const real *g)
{
    update_rows(0, u, block, NULL, g);
    if (u->threshold > 0) shrink_to_zero(u->threshold, block);
}

CG_SHARED void update_by_sample(const update_scalars *u, const parameter_block *block, const real *a, const real *delta)
{
    update_rows(1, u, block, a, delta);
    if (u->threshold > 0) shrink_to_zero(u->threshold, block);
}

CG_INLINE void copy_spaced(ptrdiff_t count, const real *from, ptrdiff_t from_step, real *to, ptrdiff_t to_step)
{
#pragma GCC unroll 8
    for (ptrdiff_t i = 0; i < count; i++, from += from_step, to += to_step) *to = *from;
}

/* Update the first column of a block of up to P rows, with its gradients side by side in g: whole vectors, in copies, for
 * a square root and a division for each row would take longer. */
CG_SHARED void update_column(const update_scalars *u, const parameter_block *block, const real *g)
{
    real w[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0};
    real state1[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0};
    real state2[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0};
    real state3[P] __attribute__((aligned(CG_PANEL_BYTES))) = {0};
    parameter_block copy = {1, (block->rows + LANES - 1) / LANES, block->states, w, state1, state2, state3};
    copy_spaced(block->rows, block->w, P, w, 1);
    copy_spaced(block->rows, block->state1, P, state1, 1);
    if (block->states > 1) copy_spaced(block->rows, block->state2, P, state2, 1);
    if (block->states > 2) copy_spaced(block->rows, block->state3, P, state3, 1);
    update(u, &copy, g);
    copy_spaced(block->rows, w, 1, block->w, P);
    copy_spaced(block->rows, state1, 1, block->state1, P);
    if (block->states > 1) copy_spaced(block->rows, state2, 1, block->state2, P);
    if (block->states > 2) copy_spaced(block->rows, state3, 1, block->state3, P);
}

/* Parameters are prefetched so many rows before their update. */
enum { PREFETCH_ROWS = 16 };

/* One row of a block by the rule RULE. */
CG_INLINE void update_row(const int RULE, const update_scalars *scalars, const parameter_block *block, ptrdiff_t row,
                          const real *g)
{
    update_scalars u = *scalars;
    u.rule = RULE;
    parameter_block one = part_of_block(block, row, 1, 0, block->vectors);
    prefetch_parameters(block, row + PREFETCH_ROWS, 1);
    update_rows(0, &u, &one, NULL, g + row * P);
}

#endif
