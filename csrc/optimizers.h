/* optimizers.h: the table of update rules, each with the number of its states.
 *
 * w is a parameter, g its gradient with weight decay (g + λ w), state1 to state3 are its states in the optimiser:
 *   store     w ← g                                     (no step: the gradient itself is stored)
 *   sgd       w ← w − η g
 *   momentum  v ← μ v − η g;  w ← w + v                 (Polyak 1964, as in Sutskever et al. 2013)
 *   nesterov  v ← μ v − η g;  w ← w + μ v − η g         (Nesterov 1983, as in Sutskever et al. 2013)
 *   adam      m ← m + (1 − β₁)(g − m);  v ← v + (1 − β₂)(g² − v);  w ← w − η̂ m / (√v + ε̂)     (Kingma & Ba 2015)
 *   amsgrad   adam with the largest v so far, u, in place of v in the step                    (Reddi et al. 2018)
 *   nadam     m, v as adam;  w ← w − (η̂ m + η′ g) / (√v + ε̂)                                 (Dozat 2016)
 *   radam     m, v as adam;  w ← w − η̂ m / (r √v + ε̂), r = 0 and ε̂ = 1 in the first steps      (Liu et al. 2020)
 *   adamax    m as adam;  u ← max(β₂ u, |g| + ε);  w ← w − η̂ m / u                            (Kingma & Ba 2015)
 *   rmsprop   v ← v + (1 − β₂)(g² − v);  w ← w − η g / (√v + ε)                               (Tieleman & Hinton 2012)
 *             with momentum  V ← μ V + η g / (√v + ε);  w ← w − V                             (Graves 2013)
 *             centered       h ← h + (1 − β₂)(g − h), and v − h² in place of v in the step    (Graves 2013)
 *   adagrad   s ← s + g²;  w ← w − η g / (√s + ε)                                             (Duchi et al. 2011)
 *   adadelta  v as rmsprop;  d = √(u + ε) / √(v + ε) g;  u ← u + (1 − β₂)(d² − u);  w ← w − η d     (Zeiler 2012)
 *   lion      d = m + (1 − β₁)(g − m);  m ← m + (1 − β₂)(g − m);  w ← w − η sign(d)           (Chen et al. 2023)
 *   rprop     p = sign(g) s;  where p > 0  Δ ← min(η⁺ Δ, most);  where p < 0  Δ ← max(η⁻ Δ, least), g = 0;
 *             s ← sign(g);  w ← w − η Δ s                                                     (Igel & Hüsken 2003)
 * with η̂, η′, ε̂ and r as the engine computes them for each step (step_update.pyx). The statements are expanded in
 * update.h, where `i` is the column in a panel's row and `u` has the scalars. The enum, the names and the properties come
 * from the same rows: see cygrad.h. */
#ifndef CG_OPTIMIZERS_H
#define CG_OPTIMIZERS_H

/* Statements that several rules share. */
#define CG_FIRST_MOMENT                                    \
        vec m = load(state1 + i);                          \
        m = fma_(one_minus_beta1, g - m, m);               \
        store(state1 + i, m)
#define CG_MEAN_SQUARE(STATE)                              \
        vec v = load(STATE + i);                           \
        v = fma_(one_minus_beta2, fma_(g, g, -v), v);      \
        store(STATE + i, v)
#define CG_CENTERED                                                                       \
        CG_MEAN_SQUARE(state1);                                                           \
        vec h = load(state2 + i);                                                         \
        h = fma_(one_minus_beta2, g - h, h);                                              \
        store(state2 + i, h);                                                             \
        vec step = rate * g / (sqrt_(maximum(zero(), fma_(-h, h, v))) + epsilon)
#define CG_ADD_VELOCITY(STATE)                             \
        step = fma_(momentum, load(STATE + i), step);      \
        store(STATE + i, step);                            \
        w = w - step

/*      name                       states  properties */
#define CG_RULES(ROW)                                                                                             \
    ROW(store,                      0,      0,                                                                    \
        w = g)                                                                                                    \
    ROW(sgd,                        0,      0,                                                                    \
        w = fma_(-rate, g, w))                                                                                    \
    ROW(momentum,                   1,      0,                                                                    \
        vec v = fma_(momentum, load(state1 + i), -(rate * g));                                                    \
        store(state1 + i, v);                                                                                     \
        w = w + v)                                                                                                \
    ROW(nesterov,                   1,      0,                                                                    \
        vec step = rate * g, v = fma_(momentum, load(state1 + i), -step);                                         \
        store(state1 + i, v);                                                                                     \
        w = w + fma_(momentum, v, -step))                                                                         \
    ROW(adam,                       2,      CG_CORRECTS_MOMENTS | CG_DIVIDES,                                     \
        vec m = load(state1 + i), v = load(state2 + i);                                                           \
        m = fma_(one_minus_beta1, g - m, m);                                                                      \
        v = fma_(one_minus_beta2, fma_(g, g, -v), v);                                                             \
        store(state1 + i, m);                                                                                     \
        store(state2 + i, v);                                                                                     \
        w = w - rate * m / (sqrt_(v) + epsilon))                                                                  \
    ROW(amsgrad,                    3,      CG_CORRECTS_MOMENTS | CG_DIVIDES,                                     \
        CG_FIRST_MOMENT;                                                                                          \
        CG_MEAN_SQUARE(state2);                                                                                   \
        vec most = maximum(load(state3 + i), v);                                                                  \
        store(state3 + i, most);                                                                                  \
        w = w - rate * m / (sqrt_(most) + epsilon))                                                               \
    ROW(nadam,                      2,      CG_CORRECTS_MOMENTS | CG_DIVIDES,                                     \
        CG_FIRST_MOMENT;                                                                                          \
        CG_MEAN_SQUARE(state2);                                                                                   \
        w = w - fma_(rate, m, u.gradient_rate * g) / (sqrt_(v) + epsilon))                                        \
    ROW(radam,                      2,      CG_DIVIDES,                                                           \
        CG_FIRST_MOMENT;                                                                                          \
        CG_MEAN_SQUARE(state2);                                                                                   \
        w = w - rate * m / fma_(splat(u.root_factor), sqrt_(v), epsilon))                                         \
    ROW(adamax,                     2,      CG_DIVIDES,                                                           \
        CG_FIRST_MOMENT;                                                                                          \
        vec most = maximum(u.beta2 * load(state2 + i), abs_(g) + epsilon);                                        \
        store(state2 + i, most);                                                                                  \
        w = w - rate * m / most)                                                                                  \
    ROW(rmsprop,                    1,      CG_DIVIDES,                                                           \
        CG_MEAN_SQUARE(state1);                                                                                   \
        w = w - rate * g / (sqrt_(v) + epsilon))                                                                  \
    ROW(rmsprop_momentum,           2,      CG_DIVIDES,                                                           \
        CG_MEAN_SQUARE(state1);                                                                                   \
        vec step = rate * g / (sqrt_(v) + epsilon);                                                               \
        CG_ADD_VELOCITY(state2))                                                                                  \
    ROW(rmsprop_centered,           2,      CG_DIVIDES,                                                           \
        CG_CENTERED;                                                                                              \
        w = w - step)                                                                                             \
    ROW(rmsprop_centered_momentum,  3,      CG_DIVIDES,                                                           \
        CG_CENTERED;                                                                                              \
        CG_ADD_VELOCITY(state3))                                                                                  \
    ROW(adagrad,                    1,      CG_DIVIDES,                                                           \
        vec s = load(state1 + i);                                                                                 \
        s = fma_(g, g, s);                                                                                        \
        store(state1 + i, s);                                                                                     \
        w = w - rate * g / (sqrt_(s) + epsilon))                                                                  \
    ROW(adadelta,                   2,      CG_DIVIDES,                                                           \
        CG_MEAN_SQUARE(state1);                                                                                   \
        vec moves = load(state2 + i), move = sqrt_(moves + epsilon) / sqrt_(v + epsilon) * g;                     \
        moves = fma_(one_minus_beta2, fma_(move, move, -moves), moves);                                           \
        store(state2 + i, moves);                                                                                 \
        w = fma_(-rate, move, w))                                                                                 \
    ROW(lion,                       1,      0,                                                                    \
        vec m = load(state1 + i), d = fma_(one_minus_beta1, g - m, m);                                            \
        store(state1 + i, fma_(one_minus_beta2, g - m, m));                                                       \
        w = fma_(-rate, sign_(d), w))                                                                             \
    ROW(rprop,                      2,      0,                                                                    \
        vec s = sign_(g), size = load(state2 + i), agreement = s * load(state1 + i);                              \
        size = select_(agreement > zero(), minimum(size * u.increase, splat(u.largest_step)), size);              \
        size = select_(agreement < zero(), maximum(size * u.decrease, splat(u.least_step)), size);                \
        s = select_(agreement < zero(), zero(), s);                                                               \
        store(state1 + i, s);                                                                                     \
        store(state2 + i, size);                                                                                  \
        w = fma_(-(rate * size), s, w))

#endif
