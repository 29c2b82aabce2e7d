/* samples.c: find numbers that are not finite, in samples of any type and strides. */
#include <math.h>
#include <string.h>

#include "cygrad.h"

/* NaN is below no limit. A row at a time in vectors, without a branch; the column is searched only in a row
 * that has one. WORD has the size of REAL. */
#define CG_SCAN(REAL, WORD, LIMIT)                                                      \
    for (ptrdiff_t r = start; r < start + rows; r++) {                                  \
        const char *in = x->data + r * x->row_stride;                                   \
        REAL number;                                                                    \
        WORD found = 0;                                                                 \
        if (x->col_stride == sizeof(REAL))                                              \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                memcpy(&number, in + c * (ptrdiff_t)sizeof(REAL), sizeof number);       \
                found = fabs(number) < (LIMIT) ? found : 1;                             \
            }                                                                           \
        else                                                                            \
            for (ptrdiff_t c = 0; c < x->cols; c++) {                                   \
                memcpy(&number, in + c * x->col_stride, sizeof number);                 \
                found = fabs(number) < (LIMIT) ? found : 1;                             \
            }                                                                           \
        for (ptrdiff_t c = 0; found && c < x->cols; c++) {                              \
            memcpy(&number, in + c * x->col_stride, sizeof number);                     \
            if (fabs(number) < (LIMIT)) continue;                                       \
            *row = r;                                                                   \
            *col = c;                                                                   \
            return 1;                                                                   \
        }                                                                               \
    }

int cg_find_nonfinite(const cg_samples *x, ptrdiff_t start, ptrdiff_t rows, int single, ptrdiff_t *row, ptrdiff_t *col)
{
    ptrdiff_t size = x->type == CG_FLOAT32 ? sizeof(float) : sizeof(double);
    if (rows > 1 && x->col_stride == size && x->row_stride == x->cols * size) {
        /* Contiguous rows are searched as one, which costs less where they are short. */
        cg_samples all = *x;
        all.data += start * x->row_stride;
        all.cols *= rows;
        if (!cg_find_nonfinite(&all, 0, 1, single, row, col)) return 0;
    }
    /* The smallest float64 that rounds to infinity as float32, halfway to 2¹²⁸; or infinity. */
    const double limit = single ? 0x1.ffffffp127 : INFINITY;
    if (x->type == CG_FLOAT32) CG_SCAN(float, int32_t, INFINITY)
    if (x->type == CG_FLOAT64) CG_SCAN(double, int64_t, limit)
    return 0;
}
