/* The kernels of tapes on any processor. */
#define CG_VECTOR_BYTES 16
#define CG_TABLE cg_tape_portable
#include "tape_kernels.h"
