/* The functions for float64, one number at a time. */
#define CG_BITS 64
#define CG_SCALAR_NAME(f) cg_##f##_f64
#include "scalar_functions.h"
