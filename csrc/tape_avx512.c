/* The kernels of tapes on AVX-512. */
#define CG_VECTOR_BYTES 64
#define CG_TABLE cg_tape_avx512
#define CG_SHORT_VECTORS_TABLE cg_tape_avx2
#include "tape_kernels.h"
