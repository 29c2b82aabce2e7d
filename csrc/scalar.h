/* scalar.h: exp, log, log1p and the activations, one number at a time, with the same bits as in a vector.
 * The engine's loops.pyx calls them. */
#ifndef CG_SCALAR_H
#define CG_SCALAR_H

#include "activations.h"

float cg_exp_f32(float x);
float cg_log_f32(float x);
float cg_log1p_f32(float x);
double cg_exp_f64(double x);
double cg_log_f64(double x);
double cg_log1p_f64(double x);

/* cg_<activation>_f32 and cg_<activation>_f64 for each row of the table */
#define CG_ROW(NAME, ...)          \
    float cg_##NAME##_f32(float z); \
    double cg_##NAME##_f64(double z);
#define CG_NONE(...)
CG_ACTIVATIONS(CG_ROW, CG_NONE)
#undef CG_ROW
#undef CG_NONE

#endif
