/* scalar.h: the functions of functions.h, one number at a time, with the bits that each lane of a vector gets.
 * The engine's loops.pyx is made of them. */
#ifndef CG_SCALAR_H
#define CG_SCALAR_H

#define CG_SCALAR_FUNCTIONS(SUFFIX, REAL)      \
    REAL cg_exp_##SUFFIX(REAL x);              \
    REAL cg_log_##SUFFIX(REAL x);              \
    REAL cg_log1p_##SUFFIX(REAL x);            \
    REAL cg_tanh_##SUFFIX(REAL x);             \
    REAL cg_sigmoid_##SUFFIX(REAL x);          \
    REAL cg_gaussian_##SUFFIX(REAL x);
CG_SCALAR_FUNCTIONS(f32, float)
CG_SCALAR_FUNCTIONS(f64, double)

#endif
