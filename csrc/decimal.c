/* decimal.c: w · 10^q as the nearest double, ties to even.
 *
 * Sources: W. D. Clinger, "How to Read Floating Point Numbers Accurately", 1990, for small w and q; D. Lemire, "Number
 * Parsing at a Gigabyte per Second", 2021, and N. Mushtak, D. Lemire, "Fast Number Parsing Without Fallback", 2023, for
 * the others. Of more than 19 digits the first 19 are looked at: if w and w + 1 give the same double, it is the result. */
#include "decimal.h"

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MOST_DIGITS = 19 }; /* 10^19 < 2^64 */

#define LEAST_OF_MOST_DIGITS UINT64_C(1000000000000000000)
#define LARGEST_EXPONENT INT64_C(100000000000000000) /* sums with numbers of digits stay in 64 bits */

static uint64_t powers[CG_POWER_WORDS];

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

void cg_set_powers(const uint64_t *words) { memcpy(powers, words, sizeof powers); }

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

/* Read digits, w = 10 w + digit for each, modulo 2^64, and return their end. Eight bytes at a time, without a branch on
 * the number of digits among them, which no processor predicts: bytes behind the digits are shifted out, and zeros in. */
static inline const char *read_digits(const char *p, uint64_t *w)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    static const uint32_t scales[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    for (;; p += 8) {
        uint64_t v, others;
        memcpy(&v, p, 8);
        /* The top bit of each byte that is no digit; those above the first such byte may be wrong. */
        others = ((v + UINT64_C(0x4646464646464646)) | (v - UINT64_C(0x3030303030303030))) & UINT64_C(0x8080808080808080);
        int count = others ? __builtin_ctzll(others) >> 3 : 8;
        v -= UINT64_C(0x3030303030303030);
        if (others) v = v << (56 - 8 * count) << 8;
        v = v * 10 + (v >> 8); /* pairs of digits in every second byte */
        v = ((v & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
             ((v >> 16) & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >>
            32;
        if (others) {
            *w = *w * scales[count] + (uint32_t)v;
            return p + count;
        }
        *w = *w * 100000000 + (uint32_t)v;
    }
#else
    for (; is_digit(*p); p++) *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
#endif
}

static inline void multiply(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    *high = (uint64_t)(product >> 64);
    *low = (uint64_t)product;
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + ((a0 * b0) >> 32), other = a0 * b1 + (uint32_t)middle;
    *high = a1 * b1 + (middle >> 32) + (other >> 32);
    *low = a * b;
#endif
}

/* Return the bits of the double that is nearest to w · 10^q, without sign. */
static uint64_t nearest_bits(uint64_t w, int64_t q)
{
    const uint64_t infinite = UINT64_C(0x7FF) << 52;
    if (w == 0 || q < CG_LEAST_POWER) return 0;
    if (q > CG_LARGEST_POWER) return infinite;
    int zeros = __builtin_clzll(w);
    w <<= zeros;

    /* The upper 128 bits of w · 5^q: the lower word of 5^q counts only where the upper one leaves 55 bits undecided. */
    const uint64_t *power = powers + 2 * (q - CG_LEAST_POWER);
    uint64_t high, low, carry, ignored;
    multiply(w, power[0], &high, &low);
    if ((high & 0x1FF) == 0x1FF) {
        multiply(w, power[1], &carry, &ignored);
        low += carry;
        high += carry > low;
    }

    int upper = (int)(high >> 63);
    uint64_t mantissa = high >> (upper + 9); /* 53 bits and one to round by */
    int64_t exponent = ((217706 * q) >> 16) + 63 + upper - zeros + 1023;
    if (exponent <= 0) { /* subnormal */
        if (exponent <= -63) return 0;
        mantissa >>= 1 - exponent;
        mantissa = (mantissa + (mantissa & 1)) >> 1;
        return mantissa; /* 2^52 is the smallest normal number, in bits too */
    }
    /* Half-way between two doubles, which needs a small power: round to even. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high) mantissa &= ~UINT64_C(1);
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >> 53) {
        mantissa >>= 1;
        exponent++;
    }
    if (exponent >= 0x7FF) return infinite;
    return (mantissa & ~(UINT64_C(1) << 52)) | (uint64_t)exponent << 52;
}

const char *cg_read_decimal(const char *text, char point, cg_decimal *number)
{
    const char *p = text, *fraction = NULL;
    bool negative = *p == '-', is_whole = true, is_cut = false;
    uint64_t w = 0;
    int64_t q = 0, exponent = 0;

    p += negative || *p == '+';
    const char *whole = p;
    p = read_digits(p, &w);
    const char *whole_end = p, *end = p;
    ptrdiff_t digits = p - whole;
    if (*p == point) {
        fraction = ++p;
        p = end = read_digits(p, &w);
        digits += p - fraction;
        q = fraction - p;
        is_whole = false;
    }
    if (digits == 0) return NULL;
    if ((*p | 32) == 'e') {
        bool is_below = *++p == '-';
        p += is_below || *p == '+';
        if (!is_digit(*p)) return NULL;
        for (; is_digit(*p); p++)
            if (exponent < LARGEST_EXPONENT) exponent = 10 * exponent + (*p - '0');
        if (is_below) exponent = -exponent;
        q += exponent;
        is_whole = false;
    }
    if (digits > MOST_DIGITS) {
        const char *first = whole;
        for (; first < end && (*first == '0' || first == whole_end); first++) digits -= *first == '0';
        if (digits > MOST_DIGITS) {
            is_cut = true;
            w = 0;
            for (first = whole; first < whole_end && w < LEAST_OF_MOST_DIGITS; first++) w = 10 * w + (uint64_t)(*first - '0');
            q = exponent + (whole_end - first);
            if (w < LEAST_OF_MOST_DIGITS) {
                for (first = fraction; w < LEAST_OF_MOST_DIGITS; first++) w = 10 * w + (uint64_t)(*first - '0');
                q = exponent + (fraction - first);
            }
        }
    }

    number->properties = 0;
    if (is_whole) {
        if (whole[0] == '0' && whole_end - whole > 1) number->properties |= CG_LEADING_ZERO;
        if (is_cut || (w >> 53 && (w & ((UINT64_C(1) << (11 - __builtin_clzll(w))) - 1)))) number->properties |= CG_ROUNDED;
    }
    if (FLT_EVAL_METHOD == 0 && !is_cut && w <= UINT64_C(1) << 53 && q >= -22 && q <= 22) {
        double exact = (double)w; /* one rounding of two exact numbers */
        exact = q < 0 ? exact / exact_powers[-q] : exact * exact_powers[q];
        number->value = negative ? -exact : exact;
        return p;
    }
    uint64_t bits = nearest_bits(w, q);
    if (is_cut && bits != nearest_bits(w + 1, q)) {
        number->properties |= CG_UNDECIDED;
        return p;
    }
    if (bits >> 52 == 0x7FF) number->properties |= CG_INFINITE;
    bits |= (uint64_t)negative << 63;
    memcpy(&number->value, &bits, sizeof bits);
    return p;
}
