/* The kernels for float32 on AVX-512. */
#define CG_BITS 32
#define CG_VECTOR_BYTES 64
#define CG_TABLE cg_kernels_f32_avx512
#define CG_NARROW_TABLE cg_kernels_f32_avx2
#include "kernels.h"
