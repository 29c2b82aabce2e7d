/* trigonometry.h: sin and cos of vectors, for every finite number.
 *
 * Largest error in float64, in units in the last place: sin 0.79, cos 0.79 (`python -m benchmarks functions`).
 *
 * Method: |x| = n π/2 + r with |r| ≤ π/4, r in two parts, r + low. Below 2³⁰ (2¹³ in float32) that is three fused
 * multiply-adds with π/2 in three parts (Cody & Waite 1980); the product of n and the first part is subtracted exactly.
 * From there on n π/2 has more digits than three parts hold. There x 2/π modulo 4 is computed with as many bits of 2/π
 * as count (Payne & Hanek 1983), in integers and lane by lane: such angles are rare. Last come sin and cos of r by
 * minimax polynomials in r², and n selects one of them. */
#ifndef CG_TRIGONOMETRY_H
#define CG_TRIGONOMETRY_H

#include "functions.h"

/* π/2 is the sum of its three parts. sin r = r + r³ s(r²), cos r = 1 − r²/2 + r⁴ c(r²) */
#if CG_BITS == 32
#define CG_HALF_PI 1.57079637f
#define CG_HALF_PI_2 -4.37113883e-08f
#define CG_HALF_PI_3 -1.71512451e-15f
#define CG_TWO_OVER_PI 0.636619747f
#define CG_LARGE_ANGLE 0x1p13f
static const real sin_s[] = {-0.166666642f, 0.00833273772f, -0.000195858418f};
static const real cos_c[] = {0.0416666642f, -0.00138882943f, 2.45460888e-05f};
#else
#define CG_HALF_PI 1.5707963267948966
#define CG_HALF_PI_2 6.123233995736766e-17
#define CG_HALF_PI_3 -1.4973849048591698e-33
#define CG_TWO_OVER_PI 0.63661977236758138
#define CG_LARGE_ANGLE 0x1p30
static const real sin_s[] = {-0.16666666666666632,    0.008333333333322486,    -0.00019841269829853388,
                             2.7557313705077571e-06, -2.5050759892263097e-08, 1.5896886691859679e-10};
static const real cos_c[] = {0.041666666666666602,    -0.001388888888887447,  2.4801587289666909e-05,
                             -2.7557314399267835e-07, 2.0875728994682885e-09, -1.1359917355679887e-11};
#endif

/* An angle modulo 2π: quarter · π/2 + r + low */
typedef struct {
    vec r, low;
    mask quarter;
} angle;

/* Reduces one large number x; NaN if x is not finite. */
static double large_angle(double x, double *low, integer *quarter)
{
    static const uint64_t two_over_pi[] = {
        0 /* the integer part */,
        0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041, 0xfe5163abdebbc561, 0xb7246e3a424dd2e0,
        0x06492eea09d1921c, 0xfe1deb1cb129a73e, 0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4,
        0x9c845f8bbdf9283b, 0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
        0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab};
    __extension__ typedef unsigned __int128 wide;
    *low = 0, *quarter = 0;
    if (!isfinite(x)) return (double)NAN;
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* x = m 2ᵉ. Bits of 2/π worth 4 / 2ᵉ or more add whole turns; take the 192 bits after those. */
    uint64_t m = (bits & 0xfffffffffffff) | 0x10000000000000;
    int e = (int)(bits >> 52) - 1075, first = 64 + e - 2, shift = first & 63;
    const uint64_t *from = two_over_pi + first / 64;
    uint64_t w[3];
    for (int i = 0; i < 3; i++) w[i] = shift ? from[i] << shift | from[i + 1] >> (64 - shift) : from[i];
    /* x 2/π modulo 4: two integer bits and 190 fraction bits */
    wide third = (wide)m * w[2], second = (wide)m * w[1] + (uint64_t)(third >> 64);
    uint64_t high = m * w[0] + (uint64_t)(second >> 64), middle = (uint64_t)second, rest = (uint64_t)third;
    *quarter = (integer)((high + ((uint64_t)1 << 61)) >> 62);
    /* the remainder, from −½ to ½: its sign and its size */
    high = high << 2 | middle >> 62, middle = middle << 2 | rest >> 62, rest <<= 2;
    int negative = high >> 63;
    if (negative) high = ~high, middle = ~middle, rest = ~rest;
    int zeros = __builtin_clzll(high); /* high is not 0: no float64 comes nearer than 2⁻⁶² to a multiple of π/2 */
    if (zeros) high = high << zeros | middle >> (64 - zeros), middle = middle << zeros | rest >> (64 - zeros);
    double f = ldexp((double)(high >> 11), -53 - zeros);
    double f_low = ldexp((double)(high << 53 >> 11 | middle >> 22), -106 - zeros);
    if (negative) f = -f, f_low = -f_low;
    const double half_pi = 1.5707963267948966, half_pi_low = 6.123233995736766e-17;
    double r = f * half_pi;
    *low = fma(f, half_pi, -r) + (f * half_pi_low + f_low * half_pi);
    return r;
}

CG_SHARED void large_angles(vec size, angle *a)
{
    real sizes[LANES], r[LANES], low[LANES];
    integer quarters[LANES];
    memcpy(sizes, &size, sizeof size);
    memcpy(r, &a->r, sizeof r);
    memcpy(low, &a->low, sizeof low);
    memcpy(quarters, &a->quarter, sizeof quarters);
    for (int i = 0; i < LANES; i++)
        if (!(sizes[i] < CG_LARGE_ANGLE)) {
            double rest, sum = large_angle((double)sizes[i], &rest, &quarters[i]);
            r[i] = (real)sum, low[i] = (real)(sum - (double)r[i] + rest);
        }
    memcpy(&a->r, r, sizeof r);
    memcpy(&a->low, low, sizeof low);
    memcpy(&a->quarter, quarters, sizeof quarters);
}

CG_INLINE angle angle_of(vec size)
{
    vec magic = splat(CG_ROUND_MAGIC);
    vec shifted = fma_(size, splat(CG_TWO_OVER_PI), magic);
    vec n = shifted - magic;
    vec high = fma_(n, splat(-CG_HALF_PI), size); /* exact: a multiple of 2⁻⁵³ below 1 */
    vec part = n * splat(CG_HALF_PI_2), part_low = fma_(n, splat(CG_HALF_PI_2), -part);
    /* high − part and its rounding error, whichever of the two is larger (Knuth 1969) */
    vec r = high - part, taken = r - high;
    vec error = (high - (r - taken)) - (part + taken);
    angle a = {r, fma_(n, splat(-CG_HALF_PI_3), error - part_low), (mask)shifted - (mask)magic};
    if (any_lane(~(size < splat(CG_LARGE_ANGLE)))) large_angles(size, &a);
    return a;
}

/* sin(a + quarters π/2) */
CG_INLINE vec sin_of_angle(angle a, mask quarters)
{
    vec r = a.r, z = r * r, half = splat((real)0.5) * z;
    vec s = r + fma_(r * z, polynomial(sin_s, CG_COUNT(sin_s), z), fma_(-half, a.low, a.low));
    vec one = splat(1), c = one - half;
    vec half_low = fma_(splat((real)0.5), fma_(r, r, -z), r * a.low); /* (r + low)² / 2 − z / 2 */
    c = c + ((one - c) - half + fma_(z * z, polynomial(cos_c, CG_COUNT(cos_c), z), -half_low));
    quarters += a.quarter;
    mask odd = -(quarters & splat_integer(1)), sign = (quarters & splat_integer(2)) << (CG_BITS - 2);
    return (vec)((mask)select_(odd, c, s) ^ sign);
}

/* sin(size + quarters π/2) for size ≥ 0 */
CG_SHARED vec sin_quarter_turns(vec size, mask quarters) { return sin_of_angle(angle_of(size), quarters); }

CG_INLINE vec sin_(vec x)
{
    return (vec)((mask)sin_quarter_turns(abs_(x), splat_integer(0)) ^ ((mask)x & (mask)splat((real)-0.0)));
}

CG_INLINE vec cos_(vec x) { return sin_quarter_turns(abs_(x), splat_integer(1)); }

#endif
