/* samples.c: standardise samples of any type and strides, and find numbers that are not finite. */
#include <string.h>

#include "cygrad.h"

/* The bits of numbers of one sign are in the order of the numbers, as integers, with NaN last: a number of at least the
 * limit makes LIMIT − 1 − |number| negative. So a row is checked in vectors, without a branch; the column is searched
 * only in a row that has one. WORD has the size of the numbers, and MAX all its bits but the sign. */
#define CG_SCAN(WORD, MAX, LIMIT)                                                                   \
    for (ptrdiff_t r = 0; r < rows; r++) {                                                          \
        const char *in = first + r * x->row_stride;                                                 \
        WORD number, found = 0;                                                                     \
        if (x->col_stride == sizeof(WORD))                                                          \
            for (ptrdiff_t c = 0; c < cols; c++) {                                                  \
                memcpy(&number, in + c * (ptrdiff_t)sizeof(WORD), sizeof number);                   \
                found |= (LIMIT)-1 - (number & (MAX));                                              \
            }                                                                                       \
        else                                                                                        \
            for (ptrdiff_t c = 0; c < cols; c++) {                                                  \
                memcpy(&number, in + c * x->col_stride, sizeof number);                             \
                found |= (LIMIT)-1 - (number & (MAX));                                              \
            }                                                                                       \
        for (ptrdiff_t c = 0; found < 0 && c < cols; c++) {                                         \
            memcpy(&number, in + c * x->col_stride, sizeof number);                                 \
            if ((number & (MAX)) < (LIMIT)) continue;                                               \
            *row = start + r + c / x->cols;                                                         \
            *col = c % x->cols;                                                                     \
            return 1;                                                                               \
        }                                                                                           \
    }

#define CG_FIND(NAME, ...)                                                                              \
    __VA_ARGS__ static int NAME(const cg_samples *x, ptrdiff_t start, ptrdiff_t rows, int64_t limit,    \
                                ptrdiff_t *row, ptrdiff_t *col)                                         \
    {                                                                                                   \
        const char *first = x->data + start * x->row_stride;                                            \
        ptrdiff_t cols = x->cols;                                                                       \
        if (x->row_stride == cols * x->col_stride) { /* rows that follow each other are one long row */ \
            cols *= rows;                                                                               \
            rows = 1;                                                                                   \
        }                                                                                               \
        if (x->type == CG_FLOAT32) CG_SCAN(int32_t, INT32_MAX, INT32_C(0x7f800000))                     \
        if (x->type == CG_FLOAT64) CG_SCAN(int64_t, INT64_MAX, limit)                                   \
        return 0;                                                                                       \
    }

CG_FIND(find_nonfinite)
#if defined(__x86_64__)
CG_FIND(find_nonfinite_avx2, __attribute__((target("avx2"))))
#endif

#define CG_STANDARDIZE(TYPE)                                                                        \
    if (x->col_stride == sizeof(TYPE))                                                              \
        for (ptrdiff_t c = 0; c < cols; c++) out[c] = ((double)((const TYPE *)in)[c] - mean[c]) * scale[c]; \
    else                                                                                            \
        for (ptrdiff_t c = 0; c < cols; c++)                                                        \
            out[c] = ((double)*(const TYPE *)(in + c * x->col_stride) - mean[c]) * scale[c];        \
    break;

#define CG_STANDARDIZE_ROW(NAME, ...)                                                               \
    __VA_ARGS__ static void NAME(const cg_samples *x, ptrdiff_t row, ptrdiff_t col, ptrdiff_t cols, \
                                 double *restrict out)                                              \
    {                                                                                               \
        const char *in = x->data + row * x->row_stride + col * x->col_stride;                       \
        const double *mean = x->mean + col, *scale = x->scale + col;                                \
        switch (x->type) {                                                                          \
        case CG_BOOL:                                                                               \
        case CG_UINT8: CG_STANDARDIZE(uint8_t)                                                      \
        case CG_INT8: CG_STANDARDIZE(int8_t)                                                        \
        case CG_INT16: CG_STANDARDIZE(int16_t)                                                      \
        case CG_INT32: CG_STANDARDIZE(int32_t)                                                      \
        case CG_INT64: CG_STANDARDIZE(int64_t)                                                      \
        case CG_UINT16: CG_STANDARDIZE(uint16_t)                                                    \
        case CG_UINT32: CG_STANDARDIZE(uint32_t)                                                    \
        case CG_UINT64: CG_STANDARDIZE(uint64_t)                                                    \
        case CG_FLOAT32: CG_STANDARDIZE(float)                                                      \
        case CG_FLOAT64: CG_STANDARDIZE(double)                                                     \
        }                                                                                           \
    }

CG_STANDARDIZE_ROW(standardize)
#if defined(__x86_64__)
CG_STANDARDIZE_ROW(standardize_avx2, __attribute__((target("avx2"))))
#endif

void cg_standardize(const cg_samples *x, ptrdiff_t row, ptrdiff_t col, ptrdiff_t cols, double *out)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        standardize_avx2(x, row, col, cols, out);
        return;
    }
#endif
    standardize(x, row, col, cols, out);
}

/* The same search in standardised samples, some columns of a row after another. */
static int find_nonfinite_standardized(const cg_samples *x, ptrdiff_t start, ptrdiff_t rows, int single, ptrdiff_t *row,
                                       ptrdiff_t *col)
{
    double numbers[256];
    const cg_samples standardized = {(const char *)numbers, 1, 256, sizeof numbers, sizeof *numbers, CG_FLOAT64,
                                     NULL, NULL};
    for (ptrdiff_t r = start; r < start + rows; r++)
        for (ptrdiff_t c = 0; c < x->cols; c += 256) {
            cg_samples part = standardized;
            if (x->cols - c < part.cols) part.cols = x->cols - c;
            part.row_stride = part.cols * part.col_stride;
            cg_standardize(x, r, c, part.cols, numbers);
            if (cg_find_nonfinite(&part, 0, 1, single, row, col)) {
                *row = r;
                *col += c;
                return 1;
            }
        }
    return 0;
}

int cg_find_nonfinite(const cg_samples *x, ptrdiff_t start, ptrdiff_t rows, int single, ptrdiff_t *row, ptrdiff_t *col)
{
    if (x->mean) return find_nonfinite_standardized(x, start, rows, single, row, col);
    /* Infinity; or the smallest float64 that rounds to infinity as float32, halfway to 2¹²⁸: 0x1.ffffffp127. */
    const int64_t limit = single ? 0x47effffff0000000 : 0x7ff0000000000000;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return find_nonfinite_avx2(x, start, rows, limit, row, col);
#endif
    return find_nonfinite(x, start, rows, limit, row, col);
}
