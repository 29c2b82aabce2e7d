/* samples.c: looks for numbers that are not finite, in samples of any type and strides. */
#include "cygrad.h"

#include <math.h>
#include <string.h>

/* A number is NaN or infinite where all bits of its exponent are set. A row at a time without a branch;
 * the column is looked for only once a row is known to hold one. */
#define CG_SCAN(TYPE, BITS_TYPE, EXPONENT)                                              \
    for (ptrdiff_t r = 0; r < x->rows; r++) {                                           \
        const char *in = x->data + r * x->row_stride;                                   \
        BITS_TYPE found = 0;                                                            \
        if (x->col_stride == sizeof(TYPE))                                              \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                BITS_TYPE bits;                                                         \
                memcpy(&bits, in + c * (ptrdiff_t)sizeof(TYPE), sizeof bits);           \
                found |= (bits & EXPONENT) == EXPONENT;                                 \
            }                                                                           \
        else                                                                            \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                BITS_TYPE bits;                                                         \
                memcpy(&bits, in + c * x->col_stride, sizeof bits);                     \
                found |= (bits & EXPONENT) == EXPONENT;                                 \
            }                                                                           \
        if (found)                                                                      \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                TYPE value;                                                             \
                memcpy(&value, in + c * x->col_stride, sizeof value);                   \
                if (!isfinite(value)) {                                                 \
                    *row = r;                                                           \
                    *col = c;                                                           \
                    return 1;                                                           \
                }                                                                       \
            }                                                                           \
    }

int cg_find_nonfinite(const cg_samples *x, ptrdiff_t *row, ptrdiff_t *col)
{
    if (x->type == CG_FLOAT32) CG_SCAN(float, uint32_t, 0x7f800000u)
    if (x->type == CG_FLOAT64) CG_SCAN(double, uint64_t, 0x7ff0000000000000u)
    return 0;
}
