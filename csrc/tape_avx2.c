/* The kernels of tapes on AVX2+FMA. */
#define CG_VECTOR_BYTES 32
#define CG_TABLE cg_tape_avx2
#include "tape_kernels.h"
