/* samples.c: looks for numbers that are not finite, in samples of any type and strides. */
#include <string.h>

#include "cygrad.h"

/* Without its sign a number's bits are in the order of the numbers, with infinity and NaN last. A row at a time without
 * a branch; the column is looked for only once a row is known to hold one. */
#define CG_SCAN(BITS, LIMIT)                                                            \
    for (ptrdiff_t r = start; r < start + rows; r++) {                                  \
        const char *in = x->data + r * x->row_stride;                                   \
        BITS bits, found = 0;                                                           \
        if (x->col_stride == sizeof(BITS))                                              \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                memcpy(&bits, in + c * (ptrdiff_t)sizeof(BITS), sizeof bits);           \
                found |= (BITS)(bits << 1) >= (BITS)(LIMIT << 1);                       \
            }                                                                           \
        else                                                                            \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                memcpy(&bits, in + c * x->col_stride, sizeof bits);                     \
                found |= (BITS)(bits << 1) >= (BITS)(LIMIT << 1);                       \
            }                                                                           \
        for (ptrdiff_t c = 0; found && c < x->cols; c++) {                              \
            memcpy(&bits, in + c * x->col_stride, sizeof bits);                         \
            if ((BITS)(bits << 1) < (BITS)(LIMIT << 1)) continue;                       \
            *row = r;                                                                   \
            *col = c;                                                                   \
            return 1;                                                                   \
        }                                                                               \
    }

int cg_find_nonfinite(const cg_samples *x, ptrdiff_t start, ptrdiff_t rows, int single, ptrdiff_t *row, ptrdiff_t *col)
{
    /* The smallest float64 that rounds to infinity as float32, halfway to 2¹²⁸; or infinity. */
    const uint64_t limit = single ? 0x47effffff0000000u : 0x7ff0000000000000u;
    if (x->type == CG_FLOAT32) CG_SCAN(uint32_t, 0x7f800000u)
    if (x->type == CG_FLOAT64) CG_SCAN(uint64_t, limit)
    return 0;
}
