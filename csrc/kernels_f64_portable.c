/* The kernels for float64 on any processor. */
#define CG_BITS 64
#define CG_VECTOR_BYTES 16
#define CG_TABLE cg_kernels_f64_portable
#include "kernels.h"
