/* losses.h: the table of losses, and the functions of output.h that compute them.
 *
 * Each function sums the loss and the metric over the rows of a batch, and computes ∇ₐC, or δᴸ itself where the row has
 * CG_GIVES_DELTA. A loss of TERMS is the sum of one term for each output, divided by `divisor`, which may be the number
 * of `outputs`: its row has the term, its derivative, and the term of the metric, whose sum is divided by `outputs`. They
 * are vectors made of a, y, z, error = a − y, size = |a − y|, and parameter, the loss's own. The enum, the names and the
 * properties come from the same rows: see cygrad.h. */
#ifndef CG_LOSSES_H
#define CG_LOSSES_H

/*        name                  properties         function, or divisor, term, derivative, term of the metric */
#define CG_LOSSES(ROW, TERMS)                                                                                     \
    ROW(  quadratic,            CG_TAKES_ROWS,     squared_error(rows, o, o->scale, 0.5))                         \
    ROW(  mse,                  CG_TAKES_ROWS,     squared_error(rows, o, 2 * o->scale / outputs, 1 / outputs))   \
    ROW(  binary_cross_entropy, CG_TAKES_ROWS | CG_NEEDS_Z | CG_GIVES_DELTA | CG_DECIDES_AT_HALF,                 \
                                                   binary_cross_entropy(rows, o))                                 \
    ROW(  cross_entropy,        CG_TAKES_ROWS | CG_TAKES_CLASSES | CG_NEEDS_Z | CG_GIVES_DELTA,                   \
                                                   cross_entropy(rows, o))                                        \
    ROW(  hinge,                CG_TAKES_CLASSES,  hinge(rows, o))                                                \
    TERMS(linear,               CG_TAKES_ROWS | CG_INTERNAL, 1, a * y, y, size)

#endif
