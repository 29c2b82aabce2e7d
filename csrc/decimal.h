/* decimal.h: decimal numbers in text, as the nearest double. */
#ifndef CG_DECIMAL_H
#define CG_DECIMAL_H

#include <stdint.h>

enum {
    CG_LEAST_POWER = -342, /* 10^q times any 64-bit integer is 0 for a smaller q, and infinite for a larger one */
    CG_LARGEST_POWER = 308,
    CG_POWER_WORDS = 2 * (CG_LARGEST_POWER - CG_LEAST_POWER + 1)
};

enum cg_decimal_property {
    CG_UNDECIDED = 1,    /* more digits than were looked at: the value is not set */
    CG_INFINITE = 2,     /* beyond the largest double */
    CG_ROUNDED = 4,      /* a whole number without point and exponent that no double equals, or of more than 19 digits */
    CG_LEADING_ZERO = 8, /* a whole number without point and exponent that begins as 00 or 01 */
};

typedef struct {
    double value;
    int properties;
} cg_decimal;

/* Set the table of powers of five that cg_read_decimal reads. words is [CG_POWER_WORDS]: for each q from CG_LEAST_POWER
 * on, the upper and the lower half of the first 128 bits of 5^q, rounded up for -27 <= q < 0, else down. */
void cg_set_powers(const uint64_t *words);

/* Read the number at text, [+-]?(\d+P?\d*|P\d+)([eE][+-]?\d+)? with the decimal point P, as far as it goes. Return its
 * end, or NULL if there is none, or an e without digits behind it. At least 8 bytes behind the number must be readable, the
 * first of them no digit. */
const char *cg_read_decimal(const char *text, char point, cg_decimal *number);

#endif
