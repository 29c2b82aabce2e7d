/* The kernels for float64 on AVX2+FMA. */
#define CG_BITS 64
#define CG_VECTOR_BYTES 32
#define CG_TABLE cg_kernels_f64_avx2
#include "kernels.h"
