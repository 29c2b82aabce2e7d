/* simd.h: the operations on vectors of numbers that the kernels need, for each instruction set.
 *
 * Needs: CG_BITS, 32 or 64 (float32 or float64), and CG_VECTOR_BYTES, 64 (AVX-512), 32 (AVX2 with FMA), 16 (portable)
 * or CG_BITS / 8 (one number). Arithmetic (+ − × ÷) and comparisons are the compiler's on vector types; a comparison
 * returns a `mask`, all ones or all zeros in each lane. Every operation has the same bits on every instruction set. */
#ifndef CG_SIMD_H
#define CG_SIMD_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "cygrad.h"

#if CG_VECTOR_BYTES > 16 || (CG_BITS == 32 && defined(__FP_FAST_FMAF)) || (CG_BITS == 64 && defined(__FP_FAST_FMA))
#define CG_INLINE static inline __attribute__((always_inline))
#define CG_UNROLL _Pragma("GCC unroll 16")
#else
/* No instruction for fused multiply-adds: each is a call of the C library, beside which loops and calls cost little. The
 * code of a vector is short instead, for there are many. */
#define CG_CALLS_FMA
#define CG_INLINE static inline
#define CG_UNROLL _Pragma("GCC unroll 1")
#endif
#define CG_SHARED static __attribute__((noinline)) /* long functions with several callers */

#if CG_BITS == 32
typedef float real;
typedef int32_t integer;
#define CG_DTYPE "float32"
#define CG_MIN_NORMAL FLT_MIN /* normal number */
#define CG_MAX FLT_MAX
#else
typedef double real;
typedef int64_t integer;
#define CG_DTYPE "float64"
#define CG_MIN_NORMAL DBL_MIN
#define CG_MAX DBL_MAX
#endif

enum {
    LANES = CG_VECTOR_BYTES / (CG_BITS / 8),         /* numbers in a vector */
    P = CG_PANEL_BYTES / (CG_BITS / 8),              /* numbers in a panel's row */
    PANEL_VECTORS = CG_PANEL_BYTES / CG_VECTOR_BYTES, /* vectors in a panel's row */
    /* numbers of a vector that one shuffle can rearrange: on AVX2 one of two vectors does so within 16 bytes */
    PART = (CG_VECTOR_BYTES == 32 ? 16 : CG_VECTOR_BYTES) / (CG_BITS / 8)
};

typedef real vec __attribute__((vector_size(CG_VECTOR_BYTES), may_alias));
typedef integer mask __attribute__((vector_size(CG_VECTOR_BYTES), may_alias));
typedef real unaligned_vec __attribute__((vector_size(CG_VECTOR_BYTES), aligned(CG_BITS / 8), may_alias));
typedef integer unaligned_mask __attribute__((vector_size(CG_VECTOR_BYTES), aligned(CG_BITS / 8), may_alias));

CG_INLINE vec load(const real *p) { return *(const vec *)p; }
CG_INLINE void store(real *p, vec v) { *(vec *)p = v; }
CG_INLINE vec load_unaligned(const real *p) { return (vec) * (const unaligned_vec *)p; }

#if CG_VECTOR_BYTES > 16
#include <immintrin.h>

#if CG_VECTOR_BYTES == 64
#define CG_ISA "avx512"
#define CG_X86_PREFIX _mm512_
#else
#define CG_ISA "avx2"
#define CG_X86_PREFIX _mm256_
#endif
#if CG_BITS == 32
#define CG_X86_SUFFIX _ps
#else
#define CG_X86_SUFFIX _pd
#endif
#define CG_PASTE3(a, b, c) a##b##c
#define CG_X86_NAME(prefix, name, suffix) CG_PASTE3(prefix, name, suffix)
#define CG_X86(name) CG_X86_NAME(CG_X86_PREFIX, name, CG_X86_SUFFIX)

CG_INLINE vec splat(real x) { return CG_X86(set1)(x); }
CG_INLINE vec fma_(vec a, vec b, vec c) { return CG_X86(fmadd)(a, b, c); }
CG_INLINE vec sqrt_(vec a) { return CG_X86(sqrt)(a); }
CG_INLINE vec maximum(vec a, vec b) { return CG_X86(max)(a, b); }
CG_INLINE vec minimum(vec a, vec b) { return CG_X86(min)(a, b); }

#else
#define CG_ISA "portable"

CG_INLINE vec splat(real x) { return x - (vec){0}; } /* −0 too: −0 − 0 is −0 */

/* One rounding, on every processor: an instruction if there is one, else the exact function of the C library. */
#ifdef CG_CALLS_FMA
CG_SHARED
#else
CG_INLINE
#endif
vec fma_(vec a, vec b, vec c)
{
    vec v = {0};
#if CG_BITS == 32
    CG_UNROLL for (int i = 0; i < LANES; i++) v[i] = fmaf(a[i], b[i], c[i]);
#else
    CG_UNROLL for (int i = 0; i < LANES; i++) v[i] = fma(a[i], b[i], c[i]);
#endif
    return v;
}

CG_INLINE vec sqrt_(vec a)
{
    vec v = {0};
#if CG_BITS == 32
    CG_UNROLL for (int i = 0; i < LANES; i++) v[i] = sqrtf(a[i]);
#else
    CG_UNROLL for (int i = 0; i < LANES; i++) v[i] = sqrt(a[i]);
#endif
    return v;
}

/* As on x86: the second argument if either is NaN. */
CG_INLINE vec maximum(vec a, vec b)
{
    mask m = a > b;
    return (vec)(((mask)a & m) | ((mask)b & ~m));
}

CG_INLINE vec minimum(vec a, vec b)
{
    mask m = a < b;
    return (vec)(((mask)a & m) | ((mask)b & ~m));
}
#endif

CG_INLINE vec select_(mask m, vec a, vec b) { return (vec)(((mask)a & m) | ((mask)b & ~m)); }
CG_INLINE vec abs_(vec a) { return (vec)((mask)a & ~(mask)splat((real)-0.0)); }
CG_INLINE vec zero(void) { return (vec){0}; }
CG_INLINE vec masked(vec a, mask m) { return (vec)((mask)a & m); }
/* −1, 1, or a itself, which is 0 or NaN */
CG_INLINE vec sign_(vec a) { return select_(a > zero(), splat(1), select_(a < zero(), splat(-1), a)); }

CG_INLINE mask splat_integer(integer x) { return x + (mask){0}; }

/* F(0), F(1), … for each lane. Compilers see a constant here, but not in a loop over the lanes. */
#define CG_LANES_1(F) F(0)
#define CG_LANES_2(F) CG_LANES_1(F), F(1)
#define CG_LANES_4(F) CG_LANES_2(F), F(2), F(3)
#define CG_LANES_8(F) CG_LANES_4(F), F(4), F(5), F(6), F(7)
#define CG_LANES_16(F) CG_LANES_8(F), F(8), F(9), F(10), F(11), F(12), F(13), F(14), F(15)
#if CG_VECTOR_BYTES == 2 * CG_BITS
#define CG_LANES CG_LANES_16
#elif CG_VECTOR_BYTES == CG_BITS
#define CG_LANES CG_LANES_8
#elif 2 * CG_VECTOR_BYTES == CG_BITS
#define CG_LANES CG_LANES_4
#elif CG_VECTOR_BYTES == 16
#define CG_LANES CG_LANES_2
#else
#define CG_LANES CG_LANES_1
#endif

CG_INLINE mask lane_numbers(void)
{
#define CG_NUMBER(i) i
    return (mask){CG_LANES(CG_NUMBER)};
#undef CG_NUMBER
}

/* Return the mask of the lanes of vector j in a panel's row before its column `cols`. */
CG_INLINE mask columns_before(ptrdiff_t cols, int j)
{
    return lane_numbers() < splat_integer((integer)(cols - (ptrdiff_t)j * LANES));
}

/* Load the numbers at p in the lanes of the mask, zero elsewhere; other memory is not read. */
CG_INLINE vec load_masked(const real *p, mask m)
{
#if CG_VECTOR_BYTES == 64 && CG_BITS == 32
    return _mm512_maskz_loadu_ps(_mm512_movepi32_mask((__m512i)m), p);
#elif CG_VECTOR_BYTES == 64
    return _mm512_maskz_loadu_pd(_mm512_movepi64_mask((__m512i)m), p);
#elif CG_VECTOR_BYTES == 32
    return CG_X86(maskload)(p, (__m256i)m);
#else
    vec v = zero();
    CG_UNROLL for (int i = 0; i < LANES; i++) v[i] = m[i] ? p[i] : 0;
    return v;
#endif
}

/* Prefetch the cache lines of a panel's row. */
CG_INLINE void prefetch_row(const real *row)
{
    __builtin_prefetch(row);
    __builtin_prefetch((const char *)row + CG_PANEL_BYTES / 2);
}

/* 1 if any lane is set. */
CG_INLINE int any_lane(mask m)
{
#if CG_VECTOR_BYTES == 64
    return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0;
#elif CG_VECTOR_BYTES == 32
    return !_mm256_testz_si256((__m256i)m, (__m256i)m);
#else
    int64_t halves[2] = {0, 0};
    memcpy(halves, &m, sizeof m);
    return (halves[0] | halves[1]) != 0;
#endif
}

/* 1 if any lane of any mask is set. */
CG_INLINE int any(const mask masks[PANEL_VECTORS])
{
    mask m = masks[0];
    CG_UNROLL for (int j = 1; j < PANEL_VECTORS; j++) m |= masks[j];
    return any_lane(m);
}

/* Return v[(i + by) % LANES] in lane i. */
CG_INLINE vec rotate(vec v, int by)
{
#ifdef __clang__
    vec r;
    CG_UNROLL for (int i = 0; i < LANES; i++) r[i] = v[(i + by) % LANES];
    return r;
#else
#define CG_FROM(i) (i + by) % LANES
    return __builtin_shuffle(v, (mask){CG_LANES(CG_FROM)});
#undef CG_FROM
#endif
}

/* Return in lane i the lane from[i] of a followed by b. */
CG_INLINE vec shuffle_two(vec a, vec b, mask from)
{
#ifdef __clang__
    vec r;
    CG_UNROLL for (int i = 0; i < LANES; i++) r[i] = from[i] < LANES ? a[from[i]] : b[from[i] - LANES];
    return r;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

/* Return the parts of a vector at p, p + step, … */
CG_INLINE vec load_parts(const real *p, ptrdiff_t step)
{
#if CG_VECTOR_BYTES == 32
    __m256 v = _mm256_castps128_ps256(_mm_load_ps((const float *)p));
    return (vec)_mm256_insertf128_ps(v, _mm_load_ps((const float *)(p + step)), 1);
#else
    (void)step;
    return load(p);
#endif
}

/* Interleave the lower, or with `upper` the upper, halves of each part of a and b number by number, like two halves of
 * a pack of cards. */
CG_INLINE vec interleave(const int upper, vec a, vec b)
{
#if CG_VECTOR_BYTES == 32
    return upper ? CG_X86(unpackhi)(a, b) : CG_X86(unpacklo)(a, b);
#else
#define CG_LOWER(i) i % 2 * LANES + i / 2
#define CG_UPPER(i) CG_LOWER(i) + LANES / 2
    const mask lower = {CG_LANES(CG_LOWER)}, higher = {CG_LANES(CG_UPPER)};
    return shuffle_two(a, b, upper ? higher : lower);
#undef CG_LOWER
#undef CG_UPPER
#endif
}

CG_INLINE vec add(vec a, vec b) { return a + b; }

/* Sums and maxima across a panel's row, in the same order for any width of a vector: the upper half of the numbers is
 * folded onto the lower half until one number is left. Every lane of the result holds it. */
#define CG_FOLD(NAME, OPERATION)                                                                           \
    CG_INLINE vec NAME(const vec row[PANEL_VECTORS])                                                       \
    {                                                                                                      \
        vec v[PANEL_VECTORS];                                                                              \
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) v[j] = row[j];                                   \
        CG_UNROLL for (int half = PANEL_VECTORS / 2; half; half /= 2)                                      \
            CG_UNROLL for (int j = 0; j < half; j++) v[j] = OPERATION(v[j], v[j + half]);                  \
        CG_UNROLL for (int half = LANES / 2; half; half /= 2) v[0] = OPERATION(v[0], rotate(v[0], half));  \
        return v[0];                                                                                       \
    }
CG_FOLD(fold_sum, add)
CG_FOLD(fold_max, maximum)

#endif
