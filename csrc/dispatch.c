/* dispatch.c: the tables of kernels that this machine can run. */
#include "cygrad.h"

extern const cg_kernels cg_kernels_f32_portable, cg_kernels_f64_portable;
#ifdef CG_HAVE_AVX2
extern const cg_kernels cg_kernels_f32_avx2, cg_kernels_f64_avx2;
#endif
#ifdef CG_HAVE_AVX512
extern const cg_kernels cg_kernels_f32_avx512, cg_kernels_f64_avx512;
#endif

/* The compiler's runtime checks the instructions by cpuid, and by xgetbv that the system saves the registers. */
const cg_kernels *const *cg_available_kernels(void)
{
    static const cg_kernels *tables[7];
    int n = 0;
#if defined(CG_HAVE_AVX2) || defined(CG_HAVE_AVX512)
    __builtin_cpu_init();
#endif
#ifdef CG_HAVE_AVX512
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma")) {
        tables[n++] = &cg_kernels_f32_avx512;
        tables[n++] = &cg_kernels_f64_avx512;
    }
#endif
#ifdef CG_HAVE_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        tables[n++] = &cg_kernels_f32_avx2;
        tables[n++] = &cg_kernels_f64_avx2;
    }
#endif
    tables[n++] = &cg_kernels_f32_portable;
    tables[n++] = &cg_kernels_f64_portable;
    tables[n] = NULL;
    return tables;
}
