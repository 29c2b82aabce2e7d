/* losses.h: the table of losses, and the functions of output.h that compute them.
 *
 * Each function sums the loss and the metric over the rows of a batch, and computes ∇ₐC, or δᴸ itself where the row has
 * CG_GIVES_DELTA. A loss of TERMS is the sum of one term for each output, divided by `divisor`, which may be the number
 * of `outputs`: its row has the term, its derivative, and the term of the metric, whose sum is divided by `outputs`. They
 * are vectors made of a, y, z, total = ln Σ exp z of softmax, error = a − y, size = |a − y|, and parameter. Parameters
 * of a loss: the δ of huber, the quantiles of pinball (one, or one for each output), the γ of focal, the ε of
 * gaussian_nll, the label smoothing of the cross-entropies. The enum, the names and the properties come from the same
 * rows: see cygrad.h. */
#ifndef CG_LOSSES_H
#define CG_LOSSES_H

/*        name                  properties         function, or divisor, term, derivative, term of the metric */
#define CG_LOSSES(ROW, TERMS)                                                                                     \
    ROW(  quadratic,            CG_TAKES_ROWS,     squared_error(rows, o, o->scale, 0.5))                         \
    ROW(  mse,                  CG_TAKES_ROWS,     squared_error(rows, o, 2 * o->scale / outputs, 1 / outputs))   \
    TERMS(mae,                  CG_TAKES_ROWS,     outputs, size, sign(error), size)                              \
    TERMS(huber,                CG_TAKES_ROWS,     outputs, huber(size, parameter), clipped(error, parameter),    \
                                                   size)                                                          \
    TERMS(log_cosh,             CG_TAKES_ROWS,     outputs, log_cosh(error, size), double_angle(tanh_half(error)), \
                                                   size)                                                          \
    TERMS(pinball,              CG_TAKES_ROWS,     outputs, pinball_slope(error, parameter) * error,              \
                                                   pinball_slope(error, parameter), size)                         \
    TERMS(poisson,              CG_TAKES_ROWS | CG_NEEDS_Z | CG_GIVES_DELTA,                                      \
                                                   outputs, fma_(-y, z, a), error, poisson_deviance(z, y, error)) \
    ROW(  gaussian_nll,         CG_TAKES_ROWS,     gaussian_nll(rows, o))                                         \
    ROW(  binary_cross_entropy, CG_TAKES_ROWS | CG_NEEDS_Z | CG_GIVES_DELTA | CG_DECIDES_AT_HALF,                 \
                                                   binary_cross_entropy(rows, o))                                 \
    ROW(  cross_entropy,        CG_TAKES_ROWS | CG_TAKES_CLASSES | CG_NEEDS_Z | CG_GIVES_DELTA,                   \
                                                   cross_entropy(rows, o))                                        \
    ROW(  focal,                CG_TAKES_CLASSES | CG_NEEDS_Z | CG_GIVES_DELTA,                                   \
                                                   focal(rows, o))                                                \
    TERMS(kl_divergence,        CG_TAKES_ROWS | CG_NEEDS_Z | CG_GIVES_DELTA,                                      \
                                                   1, y * (log_of_target(y) + (total - z)), error, size)          \
    ROW(  hinge,                CG_TAKES_CLASSES,  hinge(rows, o))                                                \
    ROW(  squared_hinge,        CG_TAKES_CLASSES,  squared_hinge(rows, o))                                        \
    TERMS(linear,               CG_TAKES_ROWS | CG_INTERNAL, 1, a * y, y, size)

#endif
