/* activation_functions.h: the longer functions of the table in activations.h, and slopes that are no short formulas.
 *
 * Largest error, in units in the last place, as in functions.h:
 *               elu    selu   gelu   gelu_tanh  silu   mish   softplus  softsign  hard_sigmoid  sine
 *   float32     0.73   1.06   1.61   1.04       0.78   1.10   1.18      1.50      1.00          0.81
 *   float64     0.88   0.85   1.68   0.99       0.80   0.95   1.18      1.44      1.00          0.72
 * The domain is all finite numbers.
 *
 * Method: gelu, gelu_tanh, silu and mish are max(0, z) − g, where g = g(|z|) ≥ 0 is small where z is large: so their
 * relative error is small in both tails. Φ(−t) = exp(−t²/2) r / (t + m), where r, a minimax polynomial in
 * w = (t − k) / (t + k), is nearly constant; Shepherd & Laframboise (1981) compute erfc so. Sums and products whose
 * rounding errors would count are pairs of numbers. */
#ifndef CG_ACTIVATION_FUNCTIONS_H
#define CG_ACTIVATION_FUNCTIONS_H

#include "functions.h"

#include "trigonometry.h"

#define CG_GELU_M 0.875f
#define CG_SELU_SCALE 1.0507009873554805 /* λ; the first number of Klambauer et al. 2017, the other is λ α */
#define CG_SELU_SCALE_ALPHA 1.7580993408473768
#if CG_BITS == 32
#define CG_SELU_SCALE_ALPHA_LOW 2.32967174e-08f
#define CG_GELU_K 4.0f
#define CG_GELU_MAX 14.5f   /* beyond, gelu(z) is 0 or z */
#define CG_GELU_TANH_MAX 12.0f
#define CG_MISH_MAX 15.0f   /* beyond, the slope of mish is 1 */
#define CG_C1 1.59576917f
#define CG_C1_LOW -4.53406805e-08f
#define CG_C2 0.0713548139f
#define CG_C2_LOW 2.39883247e-09f
#define CG_SMALL 1e-25f     /* below, σ(z) is σ′(0) z, and rounding errors of z are denormal */
static const real gelu_r[] = {0.460251868f,    -0.0754037499f,    -0.00154781376f,  0.0375633612f,
                              -0.0360553488f,  0.0190021712f,     -0.00506766327f,  -0.000385294086f,
                              0.000714722148f, -5.29243225e-05f,  -7.22120967e-05f};
#else
#define CG_SELU_SCALE_ALPHA_LOW 1.4153519380084499e-17
#define CG_GELU_K 5.0
#define CG_GELU_MAX 39.0
#define CG_GELU_TANH_MAX 25.0
#define CG_MISH_MAX 25.0
#define CG_C1 1.5957691216057308
#define CG_C1_LOW -9.9693088091109202e-17
#define CG_C2 0.071354816272600249
#define CG_C2_LOW -6.175149918155315e-19
#define CG_SMALL 1e-280
static const real gelu_r[] = {
    0.45190091672816196,     -0.073620087426007341,  0.01652176694021348,     0.02011283704322386,
    -0.032382962001850098,   0.027463700805329859,   -0.01629433672064225,    0.0068193562022394088,
    -0.0017035161976650462,  -8.9929265848955804e-06, 0.00018988767495831869, -5.372813451016782e-05,
    -1.0727145117547982e-05, 9.2197347629751548e-06, 1.566950989172445e-08,   -1.339921068584745e-06,
    1.1482938941646374e-07,  2.0317331373827607e-07, -2.0523454379298667e-08, -3.2277089165027168e-08,
    2.2826194862301838e-10,  3.939752609850241e-09,  7.3159657207608567e-10};
#endif

/* a + b = result + low, whichever is larger, for a, b ≥ 0. */
CG_INLINE vec sum_of_positive(vec a, vec b, vec *low)
{
    vec large = maximum(a, b), small = minimum(a, b), sum = large + small;
    *low = small - (sum - large);
    return sum;
}

/* One copy each for the functions and slopes here; they are long where a processor has no multiply-add. */
CG_SHARED vec shared_exp(vec x) { return exp_(x); }
CG_SHARED vec shared_sigmoid(vec z) { return sigmoid(z); }

/* ---- elu, selu, softplus: exp(x) − 1 and ln(1 + exp(x)) ---- */

/* exp(x) − 1 = result + low for x ≤ 0. */
CG_INLINE vec expm1_negative(vec x, vec *low)
{
    mask n;
    vec p_low, p = exp_parts(maximum(splat(-CG_SIGMOID_MAX), x), zero(), &p_low, &n);
    vec scale = power_of_two(n), less = scale - splat(1);
    vec m = fma_(p, scale, less);
    *low = fma_(p, scale, less - m) + p_low * scale;
    return m;
}

CG_INLINE vec leaky_relu(vec z, vec slope) { return select_(z > zero(), z, slope * z); }

/* α (exp(z) − 1) for z ≤ 0 */
CG_SHARED vec elu(vec z, vec alpha)
{
    vec low, m = expm1_negative(minimum(zero(), z), &low);
    return select_(z > zero(), z, fma_(alpha, m, alpha * low));
}

CG_INLINE vec selu(vec z)
{
    vec low, m = expm1_negative(minimum(zero(), z), &low), factor = splat((real)CG_SELU_SCALE_ALPHA);
    vec negative = fma_(factor, m, fma_(splat(CG_SELU_SCALE_ALPHA_LOW), m, factor * low));
    return select_(z > zero(), splat((real)CG_SELU_SCALE) * z, negative);
}

/* max(0, z) + ln(1 + exp(−|z|)) */
CG_SHARED vec softplus(vec z)
{
    mask n;
    vec p_low, p = exp_parts(maximum(splat(-CG_SIGMOID_MAX), -abs_(z)), zero(), &p_low, &n);
    vec scale = power_of_two(n), one = splat(1);
    vec e = fma_(p, scale, scale), e_low = fma_(p, scale, scale - e) + p_low * scale;
    vec sum = one + e;
    return maximum(zero(), z) + log_corrected(sum, e - (sum - one) + e_low);
}

/* ---- silu, gelu_tanh, gelu, mish: max(0, z) − g ---- */

/* 2ⁿ x, in two factors, since 2ⁿ itself may be outside the normal range. */
CG_INLINE vec times_power_of_two(vec x, mask n)
{
    mask half = n >> 1;
    return x * power_of_two(half) * power_of_two(n - half);
}

/* y = σ(z), where σ(0) = 0, or σ′(0) z near zero */
CG_INLINE vec near_zero(vec z, real slope, vec y)
{
    return select_((mask)(abs_(z) < splat(CG_SMALL)), splat(slope) * z, y);
}

/* t exp(x + low) / (1 + exp(x + low)) for t ≥ 0, x ≤ 0 */
CG_INLINE vec times_sigmoid(vec t, vec x, vec low)
{
    mask n;
    vec p_low, p = exp_parts(maximum(splat(CG_EXP_MIN), x), low, &p_low, &n);
    vec scale = times_power_of_two(splat(1), n);
    vec e = fma_(p, scale, scale), e_low = fma_(p, scale, scale - e) + p_low * scale;
    vec sum = splat(1) + e, sum_low = e - (sum - splat(1)) + e_low;
    vec product = fma_(t, p, t), product_low = fma_(t, p, t - product) + t * p_low;
    return times_power_of_two(divide_corrected(product, product_low, sum, sum_low), n);
}

CG_SHARED vec silu(vec z)
{
    vec t = minimum(splat(-CG_EXP_MIN), abs_(z));
    return near_zero(z, (real)0.5, maximum(zero(), z) - times_sigmoid(t, -t, zero()));
}

/* σ + a (1 − σ) with σ = 1 / (1 + exp(−z)) */
CG_INLINE vec silu_slope(vec z, vec a)
{
    vec s = shared_sigmoid(z);
    return fma_(minimum(splat(-CG_EXP_MIN), a), splat(1) - s, s);
}

/* z / (1 + exp(−x)) with x = z (c₁ + c₂ z²): c₁ = √(8/π), c₂ = 0.044715 c₁ */
CG_SHARED vec gelu_tanh(vec z)
{
    vec t = minimum(splat(CG_GELU_TANH_MAX), abs_(z));
    vec square = t * t, square_low = fma_(t, t, -square);
    vec part = splat(CG_C2) * square, part_low = fma_(splat(CG_C2), square, -part);
    part_low += fma_(splat(CG_C2), square_low, splat(CG_C2_LOW) * square);
    vec sum_low, sum = sum_of_positive(splat(CG_C1), part, &sum_low);
    sum_low += part_low + splat(CG_C1_LOW);
    vec x = t * sum, x_low = fma_(t, sum, -x) + t * sum_low;
    return near_zero(z, (real)0.5, maximum(zero(), z) - times_sigmoid(t, -x, -x_low));
}

/* σ + a (1 − σ) (c₁ + 3 c₂ z²) with σ = 1 / (1 + exp(−x)) */
CG_INLINE vec gelu_tanh_slope(vec z, vec a)
{
    vec size = splat(CG_GELU_TANH_MAX), c1 = splat(CG_C1), c2 = splat(CG_C2);
    z = maximum(-size, minimum(size, z));
    vec square = z * z, s = shared_sigmoid(z * fma_(c2, square, c1));
    return fma_(minimum(size, a) * (splat(1) - s), fma_(splat(3) * c2, square, c1), s);
}

/* z Φ(z) = max(0, z) − t Φ(−t) with t = |z| */
CG_SHARED vec gelu(vec z)
{
    vec k = splat(CG_GELU_K), one = splat(1);
    vec t = minimum(splat(CG_GELU_MAX), abs_(z));
    vec square = t * t, square_low = fma_(t, t, -square), minus_half = splat((real)-0.5);
    mask n;
    vec p_low, p = exp_parts(minus_half * square, minus_half * square_low, &p_low, &n);
    /* one division for both: 1 / (t + k) and 1 / (t + m) */
    vec d_low, d = sum_of_positive(t, k, &d_low);
    vec b_low, b = sum_of_positive(t, splat(CG_GELU_M), &b_low);
    vec inverse = one / (d * b), d_inverse = inverse * b, b_inverse = inverse * d;
    vec difference = t - k, difference_low = t - (difference + k);
    vec w = difference * d_inverse;
    w = fma_(fma_(-w, d, difference) + fma_(-w, d_low, difference_low), d_inverse, w);
    /* r = c₀ + s, then exp(−t²/2) r / 2ⁿ, then that times t */
    vec s = w * polynomial(gelu_r + 1, CG_COUNT(gelu_r) - 1, w), c0 = splat(gelu_r[0]);
    vec r = c0 + s, r_low = c0 - r + s;
    vec e = fma_(r, p, r), e_low = fma_(r, p, r - e) + fma_(r, p_low, r_low);
    vec g = t * e, g_low = fma_(t, e, -g) + t * e_low;
    vec quotient = g * b_inverse;
    vec remainder = fma_(-quotient, b, g) + fma_(-quotient, b_low, g_low);
    g = times_power_of_two(fma_(remainder, b_inverse, quotient), n);
    return near_zero(z, (real)0.5, maximum(zero(), z) - g);
}

/* Φ(z) + z φ(z) with Φ(z) = a / z */
CG_INLINE vec gelu_slope(vec z, vec a)
{
    vec size = splat(CG_GELU_MAX), half = splat((real)0.5);
    mask small = (mask)(abs_(z) < splat(CG_SMALL));
    z = maximum(-size, minimum(size, z));
    vec share = select_(small, half, minimum(size, a) / z);
    return fma_(z * splat((real)0.3989422804014327), shared_exp(-half * z * z), share);
}

/* z tanh ln(1 + exp(z)) = z w / (w + 2) with w = e (e + 2), e = exp(z). With e = exp(−t) and t = |z| it is
 * −t e (2 + e) / (2 + e (2 + e)) for z ≤ 0 and z − t e 2 e / (1 + 2 e + e 2 e) for z > 0. */
CG_SHARED vec mish(vec z)
{
    vec t = minimum(splat(-CG_EXP_MIN), abs_(z)), one = splat(1), two = splat(2);
    mask n, above = (mask)(z > zero());
    vec p_low, p = exp_parts(-t, zero(), &p_low, &n);
    vec scale = times_power_of_two(one, n);
    vec e = fma_(p, scale, scale), e_low = fma_(p, scale, scale - e) + p_low * scale;
    vec sum = two + e, sum_low = e - (sum - two) + e_low;
    vec factor = select_(above, two * e, sum), factor_low = select_(above, two * e_low, sum_low);
    vec v = fma_(factor, p, factor);
    vec v_low = fma_(factor, p, factor - v) + fma_(factor_low, p, factor_low) + factor * p_low;
    vec constant = select_(above, fma_(two, e, one), two), product = v * scale;
    vec below = constant + product, below_low = product - (below - constant) + v_low * scale;
    vec g = t * v, g_low = fma_(t, v, -g) + t * v_low;
    g = times_power_of_two(divide_corrected(g, g_low, below, below_low), n);
    return near_zero(z, (real)0.6, maximum(zero(), z) - g);
}

/* (w (w + 2) + 4 z e (1 + e)) / (w + 2)² */
CG_INLINE vec mish_slope(vec z)
{
    z = maximum(splat(CG_EXP_MIN), minimum(splat(CG_MISH_MAX), z));
    vec e = shared_exp(z), w = e * (e + splat(2)), d = w + splat(2);
    return fma_(w, d, splat(4) * z * fma_(e, e, e)) / (d * d);
}

/* ---- softsign, hard_tanh, hard_sigmoid ---- */

/* z / (1 + |z|); ±1 for ±∞ too */
CG_INLINE vec softsign(vec z)
{
    vec size = minimum(splat(CG_MAX), abs_(z)), y = size / (splat(1) + size);
    return (vec)((mask)y | ((mask)z & (mask)splat((real)-0.0)));
}

CG_INLINE vec softsign_slope(vec a)
{
    vec rest = splat(1) - abs_(a);
    return rest * rest;
}

CG_INLINE vec clamp(vec x, vec lowest, vec highest) { return maximum(lowest, minimum(highest, x)); }

CG_INLINE vec relu_slope(vec a) { return masked(splat(1), a > zero()); }
CG_INLINE vec hard_tanh_slope(vec a) { return masked(splat(1), abs_(a) < splat(1)); }

/* (z + 3) / 6, and not z / 6 + ½, whose rounding errors are large near z = −3 */
CG_INLINE vec hard_sigmoid(vec z) { return clamp(z + splat(3), zero(), splat(6)) / splat(6); }

CG_INLINE vec hard_sigmoid_slope(vec a)
{
    return masked(splat(1) / splat(6), (mask)(a > zero()) & (mask)(a < splat(1)));
}

/* ---- sine ---- */

/* sin(ω z + quarters π/2), with the rounding error of ω z where the angle is not large */
CG_SHARED vec sine_of_product(vec z, vec omega, int quarters)
{
    vec x = omega * z, size = abs_(x);
    mask sign = (mask)x & (mask)splat((real)-0.0);
    vec low = (vec)((mask)fma_(omega, z, -x) ^ sign);
    angle a = angle_of(size);
    low = masked(low, size < splat(CG_LARGE_ANGLE)) + a.low;
    vec r = a.r + low;
    a.low = a.r - r + low, a.r = r;
    vec y = sin_of_angle(a, splat_integer(quarters));
    return quarters ? y : (vec)((mask)y ^ sign);
}

CG_INLINE vec sine(vec z, vec omega) { return sine_of_product(z, omega, 0); }
CG_INLINE vec cosine(vec z, vec omega) { return sine_of_product(z, omega, 1); }

#endif
