/* The kernels for float64 on AVX-512. */
#define CG_BITS 64
#define CG_VECTOR_BYTES 64
#define CG_TABLE cg_kernels_f64_avx512
#define CG_NARROW_TABLE cg_kernels_f64_avx2
#include "kernels.h"
