/* noise.h: dropout and Gaussian noise. Random numbers come from a counter, not from a state: Philox4x32-10 (Salmon,
 * Moraes, Dror & Shaw 2011) of layer, step, row and unit, keyed by the seed. So they depend on nothing else: neither on
 * the thread, nor the block of rows, nor the instruction set. Units of 32 each share 8 calls: unit i of them has the word
 * i / 8 of the call i mod 8. */
#ifndef CG_NOISE_H
#define CG_NOISE_H

#include "output.h"

enum { PHILOX_CALLS = 8, PHILOX_UNITS = 4 * PHILOX_CALLS, PHILOX_ROUNDS = 10 };

/* A word of some calls each, in the lower half of a lane; the upper half may hold anything. */
typedef uint64_t word_vec __attribute__((vector_size(CG_VECTOR_BYTES)));
enum { CALLS = CG_VECTOR_BYTES / 8, PHILOX_VECTORS = PHILOX_CALLS / CALLS };

/* The products of lower halves, 64 bits each. */
CG_INLINE word_vec multiply_words(word_vec a, word_vec b)
{
#if CG_VECTOR_BYTES == 64
    return (word_vec)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif CG_VECTOR_BYTES == 32
    return (word_vec)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
    return (a & 0xffffffff) * (b & 0xffffffff);
#endif
}

/* The random words of 32 units: those of panel `panel` begin with word panel · P mod 32. */
CG_INLINE void random_words(const cg_noise *noise, int64_t row, ptrdiff_t panel, uint32_t words[4][PHILOX_CALLS])
{
    uint64_t first = (uint64_t)(panel * P / PHILOX_UNITS * PHILOX_CALLS);
    uint32_t key0 = (uint32_t)noise->seed, key1 = (uint32_t)(noise->seed >> 32);
    uint32_t layer = (uint32_t)noise->layer + ((uint32_t)((uint64_t)row >> 32) << 16);
    const word_vec none = {0}, factor0 = none + 0xD2511F53, factor2 = none + 0xCD9E8D57;
    word_vec c0[PHILOX_VECTORS], c1[PHILOX_VECTORS], c2[PHILOX_VECTORS], c3[PHILOX_VECTORS];
    CG_UNROLL for (int v = 0; v < PHILOX_VECTORS; v++) {
        CG_UNROLL for (int i = 0; i < CALLS; i++) c0[v][i] = first + (uint64_t)(v * CALLS + i);
        c1[v] = none + (uint32_t)row, c2[v] = none + (uint32_t)noise->step, c3[v] = none + layer;
    }
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        CG_UNROLL for (int v = 0; v < PHILOX_VECTORS; v++) {
            word_vec product0 = multiply_words(factor0, c0[v]), product2 = multiply_words(factor2, c2[v]);
            c0[v] = (product2 >> 32) ^ c1[v] ^ (none + key0), c1[v] = product2;
            c2[v] = (product0 >> 32) ^ c3[v] ^ (none + key1), c3[v] = product0;
        }
        key0 += 0x9E3779B9, key1 += 0xBB67AE85;
    }
    CG_UNROLL for (int v = 0; v < PHILOX_VECTORS; v++)
        CG_UNROLL for (int i = 0; i < CALLS; i++) {
            words[0][v * CALLS + i] = (uint32_t)c0[v][i], words[1][v * CALLS + i] = (uint32_t)c1[v][i];
            words[2][v * CALLS + i] = (uint32_t)c2[v][i], words[3][v * CALLS + i] = (uint32_t)c3[v][i];
        }
}

/* kept = 0 with probability `amount`, else 1 / (1 − amount); a = x ⊙ kept, for one panel: all are [batch, units] */
static void dropout(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x_in, const cg_noise *noise, cg_matrix *kept_out,
                    cg_matrix *a_out)
{
    const real *x = panel_of(x_in, panel);
    real *kept = panel_of(kept_out, panel), *a = panel_of(a_out, panel);
    uint32_t threshold = (uint32_t)(noise->amount * 4294967296.0);
    real factor = (real)(1 / (1 - noise->amount));
    for (ptrdiff_t r = 0; r < rows; r++, x += P, kept += P, a += P) {
        uint32_t words[4][PHILOX_CALLS];
        random_words(noise, noise->row + r, panel, words);
        const uint32_t *of_panel = &words[0][0] + panel * P % PHILOX_UNITS;
        for (int i = 0; i < P; i++) kept[i] = of_panel[i] >= threshold ? factor : 0;
        CG_EACH_J store(a + j * LANES, load(x + j * LANES) * load(kept + j * LANES));
    }
}

/* cos(2π t) and sin(2π t) for −½ ≤ t ≤ ½: n quarters of a turn and the rest, at most an eighth, by Taylor's series. */
CG_INLINE void circle(vec t, vec *cosine, vec *sine)
{
    enum { TERMS = CG_BITS == 32 ? 5 : 9 };
    static const real sines[] = {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800,
                                 1.0 / 6227020800.0, -1.0 / 1307674368000.0, 1.0 / 355687428096000.0};
    static const real cosines[] = {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800,
                                   1.0 / 479001600.0, -1.0 / 87178291200.0, 1.0 / 20922789888000.0};
    vec magic = splat(CG_ROUND_MAGIC), shifted = fma_(splat(4), t, magic);
    mask quarter = (mask)shifted;
    vec x = fma_(splat((real)-0.25), shifted - magic, t) * splat((real)6.283185307179586), square = x * x;
    vec s = splat(sines[TERMS - 1]), c = splat(cosines[TERMS - 1]);
    CG_UNROLL for (int i = TERMS - 2; i >= 0; i--) {
        s = fma_(s, square, splat(sines[i]));
        c = fma_(c, square, splat(cosines[i]));
    }
    s = s * x;
    mask odd = (quarter & splat_integer(1)) != splat_integer(0);
    mask sine_falls = (quarter & splat_integer(2)) != splat_integer(0);
    mask cosine_falls = ((quarter + splat_integer(1)) & splat_integer(2)) != splat_integer(0);
    vec sign = splat((real)-0.0);
    *sine = (vec)((mask)select_(odd, c, s) ^ (mask)masked(sign, sine_falls));
    *cosine = (vec)((mask)select_(odd, s, c) ^ (mask)masked(sign, cosine_falls));
}

/* a = x + amount · n with standard normal numbers n, for one panel: x and a are [batch, units]. Two words make two
 * normal numbers (Box & Muller 1958), each from its upper 24 bits, so that both dtypes have the same. */
static void add_noise(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x_in, const cg_noise *noise,
                           cg_matrix *a_out)
{
    const real *x = panel_of(x_in, panel);
    real *a = panel_of(a_out, panel);
    row_mask before = columns_until(x_in->cols, panel);
    vec amount = splat((real)noise->amount), step = splat((real)(1.0 / 16777216));
    for (ptrdiff_t r = 0; r < rows; r++, x += P, a += P) {
        uint32_t words[4][PHILOX_CALLS];
        real uniform[PHILOX_UNITS] __attribute__((aligned(CG_PANEL_BYTES))), normal[PHILOX_UNITS] __attribute__((aligned(CG_PANEL_BYTES)));
        random_words(noise, noise->row + r, panel, words);
        for (int i = 0; i < PHILOX_UNITS; i++) uniform[i] = (real)(int32_t)((&words[0][0])[i] >> 8);
        for (int pair = 0; pair < PHILOX_UNITS; pair += 2 * PHILOX_CALLS)
            for (int i = 0; i < PHILOX_CALLS; i += LANES) {
                real *u = uniform + pair + i, *n = normal + pair + i;
                vec cosine, sine, radius, angle = zero(), first = zero();
                enum { COUNT = (int)LANES < (int)PHILOX_CALLS ? (int)LANES : (int)PHILOX_CALLS };
                memcpy(&first, u, COUNT * sizeof(real)), memcpy(&angle, u + PHILOX_CALLS, COUNT * sizeof(real));
                first = (first + splat(1)) * step;
                radius = sqrt_(maximum(zero(), splat(-2) * log_(first)));
                circle(fma_(angle, step, splat((real)-0.5)), &cosine, &sine);
                cosine *= radius, sine *= radius;
                memcpy(n, &cosine, COUNT * sizeof(real)), memcpy(n + PHILOX_CALLS, &sine, COUNT * sizeof(real));
            }
        const real *of_panel = normal + panel * P % PHILOX_UNITS;
        CG_EACH_J {
            vec noisy = fma_(amount, load(of_panel + j * LANES), load(x + j * LANES));
            store(a + j * LANES, masked(noisy, before.m[j]));
        }
    }
}

/* out = a + b for one panel: all are [batch, units] */
static void matrix_sum(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *a_in, const cg_matrix *b_in, cg_matrix *out)
{
    const real *a = panel_of(a_in, panel), *b = panel_of(b_in, panel);
    real *to = panel_of(out, panel);
    for (ptrdiff_t i = 0; i < rows * P; i += LANES) store(to + i, load(a + i) + load(b + i));
}

/* out = a ⊙ b for one panel: all are [batch, units] */
static void matrix_product(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *a_in, const cg_matrix *b_in, cg_matrix *out)
{
    const real *a = panel_of(a_in, panel), *b = panel_of(b_in, panel);
    real *to = panel_of(out, panel);
    for (ptrdiff_t i = 0; i < rows * P; i += LANES) store(to + i, load(a + i) * load(b + i));
}

#endif
