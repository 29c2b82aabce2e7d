/* The functions for float32, one number at a time. */
#define CG_BITS 32
#define CG_SCALAR_NAME(f) cg_##f##_f32
#include "scalar_functions.h"
