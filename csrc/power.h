/* power.h: xʸ of vectors of float64, and ln x for every x, denormal ones included.
 *
 * Largest error of the power, in units in the last place: 0.76 (`python -m benchmarks functions`). Powers that a float64
 * can hold are exact, and x² is x·x. Special cases follow C: 0⁰ = 1, (−2)³ = −8, (−2)^½ = NaN, 0⁻¹ = ∞, …
 *
 * Method: xʸ = exp(y ln x). The largest exponent is 745, so ln x must be correct to 2⁻⁶⁴: ln x and y ln x are unevaluated
 * sums of two numbers. ln(2ⁿ m) = n ln 2 + 2 (s + s³ (⅓ + s² b(s²))), s = (m − 1) / (m + 1),
 * √½ ≤ m < √2, b minimax. */
#ifndef CG_POWER_H
#define CG_POWER_H

#include "functions.h"

#define CG_THIRD 0.33333333333333331
#define CG_THIRD_LOW 1.8503717077085941e-17 /* ⅓ is the sum of the two */
static const real log_b[] = {0.1999999999999999,  0.1428571428572192,  0.11111111108894803,  0.09090909422014147,
                             0.076922792124335268, 0.066681323425880859, 0.058378880493652148, 0.059908990815566741};

/* Returns x and sets n = 0; where x is denormal, returns 2⁵⁴ x and sets n = −54. */
CG_INLINE vec normal(vec x, mask *n)
{
    mask denormal = x < splat(CG_MIN_NORMAL);
    *n = denormal & splat_integer(-54);
    return select_(denormal, x * splat(0x1p54), x);
}

CG_SHARED vec log_everywhere(vec x)
{
    mask n;
    vec scaled = normal(x, &n);
    return log_special(x, log_scaled(scaled, zero(), n));
}

/* ln x = result + low, for finite x > 0. */
CG_INLINE vec log_pair(vec x, vec *low)
{
    mask shift, n;
    vec m = mantissa(normal(x, &shift), &n), e = real_of(n + shift), one = splat(1);
    /* s = (m − 1) / (m + 1) */
    vec f = m - one, sum = one + m, sum_low = m - (sum - one), inverse = one / sum;
    vec s = f * inverse;
    vec s_low = fma_(-s, sum_low, fma_(-s, sum, f)) * inverse;
    /* z = s² */
    vec z = s * s, z_low = fma_(splat(2) * s, s_low, fma_(s, s, -z));
    /* t = ⅓ + z b(z) */
    vec b = polynomial(log_b, CG_COUNT(log_b), z);
    vec u = z * b, u_low = fma_(z_low, b, fma_(z, b, -u));
    vec t = splat(CG_THIRD) + u, t_low = (splat(CG_THIRD) - t) + u + (u_low + splat(CG_THIRD_LOW));
    /* v = z t, w = s v */
    vec v = z * t, v_low = fma_(z_low, t, fma_(z, t_low, fma_(z, t, -v)));
    vec w = s * v, w_low = fma_(s_low, v, fma_(s, v_low, fma_(s, v, -w)));
    /* ln m = 2 (s + w), ln x = e ln 2 + ln m */
    vec l = s + w, l_low = (s - l) + w + (s_low + w_low);
    vec e_ln2 = e * splat(CG_LN2_HIGH), two = splat(2); /* exact */
    vec y = fma_(two, l, e_ln2);
    *low = fma_(two, l, e_ln2 - y) + fma_(two, l_low, e * splat(CG_LN2_LOW));
    return y;
}

/* exp(x + low), with little more than one rounding error. */
CG_INLINE vec exp_pair(vec x, vec low)
{
    vec magic = splat(CG_ROUND_MAGIC), one = splat(1);
    x = maximum(splat(CG_EXP_MIN), minimum(splat(CG_EXP_MAX), x));
    vec shifted = fma_(x, splat(CG_LOG2_E), magic);
    vec n_real = shifted - magic;
    mask n = (mask)shifted - (mask)magic, half = n >> 1;
    vec high = fma_(n_real, splat(-CG_LN2_HIGH), x), rest = fma_(n_real, splat(-CG_LN2_LOW), low);
    vec r = high + rest, r_low = (high - r) + rest;
    /* exp(r) = 1 + p */
    vec square = r * r, q = polynomial(exp_q, CG_COUNT(exp_q), r);
    vec p = fma_(square, q, r), p_low = fma_(square, q, r - p) + fma_(r_low, r, r_low);
    vec y = one + p;
    return (y + ((one - y) + p + p_low)) * power_of_two(half) * power_of_two(n - half);
}

/* All bits of a lane are set where the number, 0 or above, is an integer. */
CG_INLINE mask is_integral(vec size)
{
    vec magic = splat(0x1p52);
    return (mask)(size + magic - magic == size) | (mask)(size >= magic);
}

CG_SHARED vec power(vec x, vec y)
{
    vec size = abs_(x), low, log = log_pair(size, &low);
    log = select_(size == zero(), splat((real)-INFINITY), select_(size == splat((real)INFINITY), size, log));
    vec product = y * log, product_low = fma_(y, low, fma_(y, log, -product));
    /* Where the product is out of exp's range, product_low may be NaN. */
    vec power = exp_pair(product, masked(product_low, abs_(product) < splat(-CG_EXP_MIN)));
    power = select_(size == splat(1), splat(1), power);
    /* For x below zero, odd powers are negative, and powers that are not integers are NaN. */
    vec exponent = abs_(y);
    mask odd = is_integral(exponent) & ~is_integral(splat((real)0.5) * exponent);
    power = (vec)((mask)power ^ ((mask)x & odd & (mask)splat((real)-0.0)));
    power = select_((x < zero()) & (size < splat((real)INFINITY)) & ~is_integral(exponent), splat((real)NAN), power);
    power = select_(y == splat(2), x * x, select_(x != x, x, power));
    return select_((y == zero()) | (x == splat(1)), splat(1), power);
}

#endif
