/* The kernels for float32 on AVX2+FMA. */
#define CG_BITS 32
#define CG_VECTOR_BYTES 32
#define CG_TABLE cg_kernels_f32_avx2
#include "kernels.h"
