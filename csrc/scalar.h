/* scalar.h: log, log1p, the cosine and the activations, exp among them, one number at a time, with the same bits as in
 * a vector. The engine's loops.pyx calls them. */
#ifndef CG_SCALAR_H
#define CG_SCALAR_H

#include "activations.h"

float cg_log_f32(float x);
float cg_log1p_f32(float x);
float cg_cosine_f32(float z, float omega);
double cg_log_f64(double x);
double cg_log1p_f64(double x);
double cg_cosine_f64(double z, double omega);

/* cg_<activation>_f32 and cg_<activation>_f64 for each row of the table; most have no parameter and ignore it */
#define CG_ROW(NAME, ...)                            \
    float cg_##NAME##_f32(float z, float parameter); \
    double cg_##NAME##_f64(double z, double parameter);
#define CG_NONE(...)
CG_ACTIVATIONS(CG_ROW, CG_NONE)
#undef CG_ROW
#undef CG_NONE

#endif
