#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define NET_INPUTS @inputs@
#define NET_OUTPUTS @outputs@
#ifndef NET_INPUT
#define NET_INPUT @real@
#endif
#define NET_DIGITS @digits@     /* of the numbers, in binary */
#define NET_LARGEST @limits@_MAX
#define NET_SCALE @scale@
#define NET_UNITS @units@     /* sums side by side */
#define NET_PANEL @panel@     /* partial sums across a row */

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "net: -ffast-math and its parts change the results, compile without"
#endif
#if FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16 && !(NET_DIGITS == 53 && FLT_EVAL_METHOD == 1)
#error "net: results are rounded to other types; on x86 -msse2 -mfpmath=sse, on s390x -fexcess-precision=fast"
#endif
#if FLT_MANT_DIG != 24 || (@doubles@ && DBL_MANT_DIG != 53)
#error "net: float or double are not those of IEEE 754"
#endif
#if defined(__clang__) || !defined(__GNUC__)
#pragma STDC FP_CONTRACT OFF
#endif

#if defined(__GNUC__)
#define NET_INLINE static inline __attribute__((always_inline, unused))
#define NET_SHARED static __attribute__((noinline, unused))
#define NET_CONSTANT static const __attribute__((unused))
#define NET_RESTRICT __restrict__
#define NET_ALIGNED __attribute__((aligned(64)))
#else
#define NET_INLINE static inline
#define NET_SHARED static
#define NET_CONSTANT static const
#define NET_RESTRICT
#define NET_ALIGNED
#endif

/* Fused multiply-adds of the processor, and denormal numbers that it takes for zero. CYGRAD_SOFT_FLUSH is for tests. */
#if defined(__GNUC__) && (defined(__FP_FAST_FMA@f_upper@) || defined(__FMA__) || defined(__aarch64__))
#define NET_FAST_FMA 1
#else
#define NET_FAST_FMA 0
#endif
#if defined(__GNUC__) && (defined(__FP_FAST_FMA) || defined(__FMA__) || defined(__aarch64__))
#define NET_FAST_WIDE_FMA 1
#else
#define NET_FAST_WIDE_FMA 0
#endif
#if defined(__GNUC__) && defined(__FMA__) && (defined(__x86_64__) || defined(__i386__)) && \
    !defined(CYGRAD_SOFT_FMA) && !defined(CYGRAD_SOFT_FLUSH)
#define NET_HARDWARE_FLUSH 1
#include <xmmintrin.h>
#else
#define NET_HARDWARE_FLUSH 0
#endif

typedef @real@ net_real;
typedef uint@bits@_t net_bits;
typedef int@bits@_t net_int;
typedef NET_INPUT net_input;
typedef @output@ net_output;
