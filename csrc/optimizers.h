/* optimizers.h: the table of update rules, each with the number of its states.
 *
 * w is a parameter, g its gradient with weight decay (g + λ w), state1 to state3 are its states in the optimiser:
 *   store     w ← g                                     (no step: the gradient itself is stored)
 *   sgd       w ← w − η g
 *   momentum  v ← μ v − η g;  w ← w + v                 (Polyak 1964, as in Sutskever et al. 2013)
 *   nesterov  v ← μ v − η g;  w ← w + μ v − η g         (Nesterov 1983, as in Sutskever et al. 2013)
 *   adam      m ← m + (1 − β₁)(g − m);  v ← v + (1 − β₂)(g² − v);  w ← w − η̂ m / (√v + ε̂)     (Kingma & Ba 2015)
 * with η̂ and ε̂ as at the end of Kingma & Ba's section 2. The statements are expanded in update.h, where `i` is the
 * column in a panel's row. The enum, the names and the properties come from the same rows: see cygrad.h. */
#ifndef CG_OPTIMIZERS_H
#define CG_OPTIMIZERS_H

/*      name      states  properties */
#define CG_RULES(ROW)                                                                                             \
    ROW(store,    0,      0,                                                                                      \
        w = g)                                                                                                    \
    ROW(sgd,      0,      0,                                                                                      \
        w = fma_(-rate, g, w))                                                                                    \
    ROW(momentum, 1,      0,                                                                                      \
        vec v = fma_(momentum, load(state1 + i), -(rate * g));                                                    \
        store(state1 + i, v);                                                                                     \
        w = w + v)                                                                                                \
    ROW(nesterov, 1,      0,                                                                                      \
        vec step = rate * g, v = fma_(momentum, load(state1 + i), -step);                                         \
        store(state1 + i, v);                                                                                     \
        w = w + fma_(momentum, v, -step))                                                                         \
    ROW(adam,     2,      CG_CORRECTS_MOMENTS,                                                                    \
        vec m = load(state1 + i), v = load(state2 + i);                                                           \
        m = fma_(one_minus_beta1, g - m, m);                                                                      \
        v = fma_(one_minus_beta2, fma_(g, g, -v), v);                                                             \
        store(state1 + i, m);                                                                                     \
        store(state2 + i, v);                                                                                     \
        w = w - rate * m / (sqrt_(v) + epsilon))

#endif
