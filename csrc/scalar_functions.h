/* scalar_functions.h: the template of scalar.h's functions: functions.h, with vectors of one number. Each scalar_<dtype>.c
 * sets CG_BITS to 32 or 64 and CG_SUFFIX to the suffix of the names, and includes this file. */
#define CG_VECTOR_BYTES (CG_BITS / 8)
#include "functions.h"

#include "scalar.h"

#define CG_PASTE(a, b) a##b
#define CG_NAME(function, suffix) CG_PASTE(function, suffix)
#define CG_SCALAR(NAME, VECTOR_FUNCTION) \
    real CG_NAME(NAME, CG_SUFFIX)(real x) { return VECTOR_FUNCTION(splat(x))[0]; }
CG_SCALAR(cg_exp_, exp_)
CG_SCALAR(cg_log_, log_)
CG_SCALAR(cg_log1p_, log1p_)
CG_SCALAR(cg_tanh_, tanh_)
CG_SCALAR(cg_sigmoid_, sigmoid_)
CG_SCALAR(cg_gaussian_, gaussian_)
