/* activations.h: the table of activations a = σ(z) and their slopes σ′(z).
 *
 * A slope is computed from z or a, whichever is cheaper. The expressions use the vector functions of functions.h and
 * are expanded in elementwise.h; softmax, whose outputs depend on the whole row, is in output.h. The enum, the names
 * and the properties come from the same rows: see cygrad.h. */
#ifndef CG_ACTIVATIONS_H
#define CG_ACTIVATIONS_H

/*              name      properties                        a = σ(z)            σ′(z) */
#define CG_ACTIVATIONS(ELEMENTWISE, WHOLE_ROWS)                                                      \
    ELEMENTWISE(identity, CG_INCREASING,                    z,                  splat(1))              \
    ELEMENTWISE(sigmoid,  CG_INCREASING,                    sigmoid(z),         a * (splat(1) - a))    \
    ELEMENTWISE(tanh,     CG_INCREASING,                    tanh_(z),           fma_(-a, a, splat(1))) \
    ELEMENTWISE(relu,     CG_KINK_AT_ZERO,                  maximum(zero(), z), relu_slope(a))         \
    ELEMENTWISE(gaussian, CG_NEEDS_Z,                       gaussian(z),        splat(-2) * z * a)     \
    WHOLE_ROWS(softmax,   CG_INCREASING | CG_WHOLE_ROWS)

#endif
