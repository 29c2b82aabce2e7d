/* The kernels for float32 on any processor. */
#define CG_BITS 32
#define CG_VECTOR_BYTES 16
#define CG_TABLE cg_kernels_f32_portable
#include "kernels.h"
