/* functions.h: exp, log, log1p, tanh, sigmoid and exp(−z²) of vectors, by polynomials, with the same sequence of
 * operations on every instruction set. Denormal results become zero.
 *
 * Largest error, in units in the last place (float32: every number of the domain; float64: 4 million of them;
 * `python -m benchmarks functions`):
 *               exp    log    log1p  tanh   sigmoid  gaussian
 *   float32     0.99   0.84   0.84   0.76   0.74     1.15
 *   float64     0.98   0.85   0.84   1.02   0.73     1.14
 *   in graphs   1.00   0.85          1.15   0.95     1.14     float64, with CG_SHORT_CHAINS
 * The domain is all finite numbers; for log the positive normal ones, for log1p those from 0 to 1.
 *
 * Method: exp(x) = 2ⁿ exp(r) with r = x − n ln 2, |r| ≤ ln 2 / 2, and exp(r) = 1 + r + r² q(r), q minimax.
 * log(x) = e ln 2 + log(1 + f), √½ ≤ 1 + f < √2, by s = f / (2 + f): log(1 + f) = 2 s + s³ l(s²), l minimax. */
#ifndef CG_FUNCTIONS_H
#define CG_FUNCTIONS_H

#include "simd.h"

#if CG_BITS == 32
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#define CG_ROUND_MAGIC 12582912.0f /* 1.5 · 2²³: x + this − this rounds x to an integer */
#define CG_LOG2_E 1.44269502f
#define CG_LN2_HIGH 0.693145752f   /* its product with a small integer is exact */
#define CG_LN2_LOW 1.42860677e-06f
#define CG_EXP_MIN (-104.0f)       /* exp is 0 below and infinite above */
#define CG_EXP_MAX 89.0f
#define CG_SIGMOID_MAX 88.0f       /* the sigmoid is 0 or 1 beyond */
#define CG_TANH_MAX 9.1f           /* tanh is ±1 beyond */
#define CG_SQRT_HALF 0.707106769f
static const real exp_q[] = {0.5f, 0.166666672f, 0.0416663513f, 0.0083332723f, 0.00139411679f, 0.000199143833f};
static const real log_l[] = {0.666666687f, 0.400003016f, 0.28538999f, 0.235546246f};
#else
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#define CG_ROUND_MAGIC 6755399441055744.0 /* 1.5 · 2⁵² */
#define CG_LOG2_E 1.4426950408889634
#define CG_LN2_HIGH 0.69314718055966296
#define CG_LN2_LOW 2.8235290563031577e-13
#define CG_EXP_MIN (-746.0)
#define CG_EXP_MAX 710.0
#define CG_SIGMOID_MAX 709.0
#define CG_TANH_MAX 19.1
#define CG_SQRT_HALF 0.70710678118654757
static const real exp_q[] = {0.5,
                             0.16666666666666677,
                             0.041666666666666699,
                             0.0083333333333214712,
                             0.0013888888888866531,
                             0.0001984126988659236,
                             2.4801587361206312e-05,
                             2.7557243684784445e-06,
                             2.7557242174653833e-07,
                             2.5109237115872581e-08,
                             2.0924631300692442e-09};
static const real log_l[] = {0.66666666666666996, 0.39999999999609365, 0.28571428704573276, 0.22222202054280818,
                             0.18183399174969783, 0.15317955059772906, 0.1475952191231244};
#endif
#define CG_COUNT(array) ((int)(sizeof(array) / sizeof(array[0])))

/* Σ c[i] xⁱ */
#ifndef CG_SHORT_CHAINS
/* Horner's scheme: the fewest operations, fastest where many results are computed side by side. */
CG_INLINE vec polynomial(const real *c, int count, vec x)
{
    vec y = splat(c[count - 1]);
    CG_UNROLL for (int i = count - 2; i >= 0; i--) y = fma_(y, x, splat(c[i]));
    return y;
}
#else
/* In pairs, pairs of pairs, and so on (Estrin 1960): a few more products, but a shorter latency, which counts in graphs
 * of single numbers. */
CG_INLINE vec polynomial(const real *c, int count, vec x)
{
    vec sums[8];
    int n = (count + 1) / 2; /* from 2 to 8 */
    CG_UNROLL for (int i = 0; i < n; i++)
        sums[i] = 2 * i + 1 < count ? fma_(splat(c[2 * i + 1]), x, splat(c[2 * i])) : splat(c[2 * i]);
    CG_UNROLL for (int level = 0; level < 3; level++) {
        int pairs = (n + 1) / 2;
        x = x * x;
        CG_UNROLL for (int i = 0; i < pairs; i++)
            sums[i] = 2 * i + 1 < n ? fma_(sums[2 * i + 1], x, sums[2 * i]) : sums[2 * i];
        n = pairs;
    }
    return sums[0];
}
#endif

/* 2ⁿ for an integer n within the normal exponents. */
CG_INLINE vec power_of_two(mask n) { return (vec)((n + splat_integer(EXPONENT_BIAS)) << MANTISSA_BITS); }

/* exp(x + low) = 2ⁿ (1 + p + p_low): return p, its rounding error p_low, and n. `low` is a small correction of x. */
CG_INLINE vec exp_parts(vec x, vec low, vec *p_low, mask *n)
{
    vec magic = splat(CG_ROUND_MAGIC);
    vec shifted = fma_(x, splat(CG_LOG2_E), magic);
    vec whole = shifted - magic;
    *n = (mask)shifted - (mask)magic;
    vec r = fma_(whole, splat(-CG_LN2_HIGH), x);
    r = fma_(whole, splat(-CG_LN2_LOW), r + low);
    vec square = r * r, q = polynomial(exp_q, CG_COUNT(exp_q), r);
    vec p = fma_(square, q, r);
    *p_low = fma_(square, q, r - p);
    return p;
}

CG_INLINE vec exp_corrected(vec x, vec low)
{
    mask n;
    vec p_low;
    x = maximum(splat(CG_EXP_MIN), minimum(splat(CG_EXP_MAX), x));
    vec p = exp_parts(x, low, &p_low, &n);
    /* In two factors, since 2ⁿ itself may be outside the normal range. */
    mask half = n >> 1;
    vec scale = power_of_two(half);
    return fma_(p, scale, scale) * power_of_two(n - half);
}

CG_INLINE vec exp_(vec x) { return exp_corrected(x, zero()); }

/* exp(−z²), corrected by the rounding error of z². */
CG_INLINE vec gaussian(vec z)
{
    vec square = z * z;
    vec error = fma_(z, z, -square);
    /* If z² overflows, the error is NaN; it is left out, and the result is 0. */
    return exp_corrected(-square, -masked(error, square < splat(-CG_EXP_MIN)));
}

/* (a + a_low) / (b + b_low) with one division: the quotient is corrected by its remainder. */
CG_INLINE vec divide_corrected(vec a, vec a_low, vec b, vec b_low)
{
    vec inverse = splat(1) / b;
    vec quotient = a * inverse;
    vec remainder = fma_(-quotient, b, a) + fma_(-quotient, b_low, a_low);
    return fma_(remainder, inverse, quotient);
}

/* 1 / (1 + e) with e = exp(−z) */
CG_INLINE vec sigmoid(vec z)
{
    mask n;
    vec p_low, p = exp_parts(maximum(splat(-CG_SIGMOID_MAX), minimum(splat(CG_SIGMOID_MAX), -z)), zero(), &p_low, &n);
    vec scale = power_of_two(n);
    vec e = fma_(p, scale, scale), e_low = fma_(p, scale, scale - e) + p_low * scale;
    vec large = maximum(splat(1), e), small = minimum(splat(1), e), sum = large + small;
    return divide_corrected(splat(1), zero(), sum, small - (sum - large) + e_low);
}

/* With m = exp(2|z|) − 1: tanh |z| = m / (m + 2). */
CG_INLINE vec tanh_(vec z)
{
    mask n;
    vec size = minimum(splat(CG_TANH_MAX), abs_(z));
    vec p_low, p = exp_parts(size + size, zero(), &p_low, &n);
    vec scale = power_of_two(n), less = scale - splat(1);
    vec m = fma_(p, scale, less), m_low = fma_(p, scale, less - m) + p_low * scale;
    vec large = maximum(splat(2), m), small = minimum(splat(2), m), sum = large + small;
    vec t = divide_corrected(m, m_low, sum, small - (sum - large) + m_low);
    return (vec)((mask)t | ((mask)z & (mask)splat((real)-0.0)));
}

/* x = 2ⁿ m with √½ ≤ m < √2, for normal x > 0: return m and n. */
CG_INLINE vec mantissa(vec x, mask *n)
{
    *n = ((mask)x - (mask)splat((real)CG_SQRT_HALF)) >> MANTISSA_BITS;
    return (vec)((mask)x - (*n << MANTISSA_BITS));
}

/* Convert a small integer to a real number. */
CG_INLINE vec real_of(mask n)
{
    vec magic = splat(CG_ROUND_MAGIC);
    return (vec)(n + (mask)magic) - magic;
}

/* ln(2ⁿ x) + low / x for normal x > 0 and n = `exponent`. */
CG_INLINE vec log_scaled(vec x, vec low, mask exponent)
{
    mask n;
    vec f = mantissa(x, &n) - splat(1);
    vec e = real_of(n + exponent);
    vec s = f / (splat(2) + f);
    vec z = s * s;
    vec half_square = splat((real)0.5) * f * f;
    /* log(1 + f) = f − f²/2 + s (f²/2 + s² l(s²)), the small terms added first */
    vec l = z * polynomial(log_l, CG_COUNT(log_l), z);
    vec small = fma_(s, half_square + l, e * splat(CG_LN2_LOW) + low / x);
    return fma_(e, splat(CG_LN2_HIGH), f - (half_square - small));
}

/* ln x + low / x for normal x > 0. */
CG_INLINE vec log_corrected(vec x, vec low) { return log_scaled(x, low, splat_integer(0)); }

/* ln x where it is not a finite number, else y. */
CG_INLINE vec log_special(vec x, vec y)
{
    y = select_(x == splat((real)INFINITY), x, y);
    y = select_(x == zero(), splat((real)-INFINITY), y);
    return select_(x < zero(), splat((real)NAN), select_(x != x, x, y));
}

CG_INLINE vec log_(vec x) { return log_special(x, log_corrected(x, zero())); }

/* ln(1 + x) for 0 ≤ x ≤ 1, corrected by the rounding error of 1 + x. */
CG_INLINE vec log1p_(vec x)
{
    vec sum = splat(1) + x;
    return log_corrected(sum, x - (sum - splat(1)));
}

#endif
