/* optimizers.h: the update rules, on numbers that a gradient tile has just left in registers or in the nearest cache.
 * The same body serves weights, biases and a gradient that was stored whole, so all three give the same bits. */
#ifndef CG_OPTIMIZERS_H
#define CG_OPTIMIZERS_H

#include "simd.h"

/* w[r, :] of `rows` rows of a panel, g their gradient, s1 and s2 the optimiser's states of the same places.
 *   sgd       w ← w − η g
 *   momentum  v ← μ v − η g;  w ← w + v                 (Polyak 1964, as in Sutskever et al. 2013)
 *   nesterov  v ← μ v − η g;  w ← w + μ v − η g         (Nesterov 1983, as in Sutskever et al. 2013)
 *   adam      m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;  w ← w − η̂ m / (√v + ε̂)   (Kingma & Ba 2015)
 * with g + λ w in the place of g, and η̂ and ε̂ as the end of Kingma & Ba's section 2 has them. */
#define CG_RULE_TABLE(ROW)                                                                      \
    ROW(CG_STORE, w = g)                                                                        \
    ROW(CG_SGD, g = fma_(decay, w, g); w = fma_(-rate, g, w))                                   \
    ROW(CG_MOMENTUM, g = fma_(decay, w, g); vec v = fma_(momentum, load(s1 + i), -(rate * g));  \
        store(s1 + i, v); w = w + v)                                                            \
    ROW(CG_NESTEROV, g = fma_(decay, w, g); vec step = rate * g;                                \
        vec v = fma_(momentum, load(s1 + i), -step); store(s1 + i, v);                          \
        w = w + fma_(momentum, v, -step))                                                       \
    ROW(CG_ADAM, g = fma_(decay, w, g); vec m = fma_(beta1, load(s1 + i), gain1 * g);           \
        vec v = fma_(beta2, load(s2 + i), gain2 * g * g); store(s1 + i, m); store(s2 + i, v);   \
        w = w - rate * m / (sqrt_(v) + epsilon))

static void apply_update(const cg_update *u, ptrdiff_t rows, int vectors, const real *g_rows, real *w_rows, real *s1,
                         real *s2)
{
    vec rate = splat((real)u->rate), momentum = splat((real)u->momentum), decay = splat((real)u->weight_decay);
    vec beta1 = splat((real)u->beta1), gain1 = splat((real)(1 - u->beta1));
    vec beta2 = splat((real)u->beta2), gain2 = splat((real)(1 - u->beta2));
    vec epsilon = splat((real)u->epsilon);
    switch (u->rule) {
#define CG_ROW(NAME, ...)                                                      \
    case NAME:                                                                 \
        for (ptrdiff_t r = 0; r < rows; r++)                                   \
            for (ptrdiff_t i = r * P, j = 0; j < vectors; j++, i += LANES) {   \
                vec g = load(g_rows + i), w = load(w_rows + i);                \
                __VA_ARGS__;                                                   \
                store(w_rows + i, w);                                          \
            }                                                                  \
        break;
        CG_RULE_TABLE(CG_ROW)
#undef CG_ROW
    }
}

#endif
