/* panels.h: copies into panels and out of them: gathered samples, unpacked outputs, transposed weights. */
#ifndef CG_PANELS_H
#define CG_PANELS_H

#include "elementwise.h"

/* Copy one row of samples into a row of every panel, converted, with zeros after its last column. */
#define CG_GATHER_ROW(TYPE)                                                                              \
    for (ptrdiff_t c = 0; c < x->cols; c += P, out += a->capacity * P) {                                     \
        ptrdiff_t cols = x->cols - c < P ? x->cols - c : P;                                              \
        const char *in = row + c * x->col_stride;                                                        \
        if (cols < P) CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) store(out + j * LANES, zero());  \
        if (x->col_stride == sizeof(TYPE) && cols == P)                                                  \
            for (int i = 0; i < P; i++) out[i] = (real)((const TYPE *)in)[i];                            \
        else                                                                                             \
            for (ptrdiff_t i = 0; i < cols; i++) out[i] = (real) * (const TYPE *)(in + i * x->col_stride); \
    }

#if CG_BITS == 32
#define CG_SAME_TYPE CG_FLOAT32
#else
#define CG_SAME_TYPE CG_FLOAT64
#endif

static int forward_gathers(const cg_samples *x)
{
    return x->type == CG_SAME_TYPE && x->col_stride == sizeof(real) && !x->mean;
}

CG_INLINE const char *row_from(const cg_rows *from, ptrdiff_t r)
{
    ptrdiff_t row = from->order ? (ptrdiff_t)from->order[from->start + r] : from->start + r;
    return from->samples->data + row * from->samples->row_stride;
}

/* Copy up to P columns of ROWS samples into a panel: in[m][k … k + cols − 1] for row m. */
CG_INLINE void gather_columns(const int ROWS, const real *const in[], ptrdiff_t k, ptrdiff_t cols, real *panel)
{
    if (cols >= P) {
        CG_UNROLL for (int m = 0; m < ROWS; m++)
            CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++)
                store(panel + m * P + j * LANES, load_unaligned(in[m] + k + j * LANES));
        return;
    }
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
        mask before = columns_before(cols, j);
        CG_UNROLL for (int m = 0; m < ROWS; m++)
            store(panel + m * P + j * LANES, load_masked(in[m] + k + j * LANES, before));
    }
}

/* The common case, contiguous numbers of the kernels' own type: whole vectors are copied. */
static void gather_without_conversion(const cg_rows *from, ptrdiff_t rows, const cg_matrix *a)
{
    const cg_samples *x = from->samples;
    const int64_t *order = from->order;
    ptrdiff_t start = from->start;
    const char *data = x->data;
    real *out = (real *)a->data;
    ptrdiff_t row_stride = x->row_stride, cols = x->cols, panel_step = a->capacity * P, full = (cols - 1) / P;
    int vectors = used_vectors(cols - full * P); /* of the last panel */
    mask before[PANEL_VECTORS];
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) before[j] = columns_before(cols - full * P, j);
    for (ptrdiff_t r = 0; r < rows; r++, out += P) {
        const real *in = (const real *)(data + (order ? (ptrdiff_t)order[start + r] : start + r) * row_stride);
        real *to = out;
        for (ptrdiff_t p = 0; p < full; p++, in += P, to += panel_step)
            CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) store(to + j * LANES, load_unaligned(in + j * LANES));
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++)
            if (j < vectors) store(to + j * LANES, load_masked(in + j * LANES, before[j]));
    }
}

/* (x − mean) · scale in float64, where denormal numbers count too; then rounded once, with zeros after the last column. */
static void gather_standardized(const cg_rows *from, ptrdiff_t rows, const cg_matrix *a)
{
    const cg_samples *x = from->samples;
    double numbers[P];
    unsigned long saved = cg_keep_denormals();
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t row = from->order ? (ptrdiff_t)from->order[from->start + r] : from->start + r;
        real *out = (real *)a->data + r * P;
        for (ptrdiff_t c = 0; c < x->cols; c += P, out += a->capacity * P) {
            ptrdiff_t cols = x->cols - c < P ? x->cols - c : P;
            cg_standardize(x, row, c, cols, numbers);
            for (ptrdiff_t i = cols; i < P; i++) numbers[i] = 0;
            for (int i = 0; i < P; i++) out[i] = (real)numbers[i];
        }
    }
    cg_restore_denormals(saved);
}

static void gather(const cg_rows *from, ptrdiff_t rows, cg_matrix *a)
{
    const cg_samples *x = from->samples;
    if (forward_gathers(x)) {
        gather_without_conversion(from, rows, a);
        return;
    }
    if (x->mean) {
        gather_standardized(from, rows, a);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++) {
        const char *row = row_from(from, r);
        real *out = (real *)a->data + r * P;
        switch (x->type) {
        case CG_BOOL:
        case CG_UINT8: CG_GATHER_ROW(uint8_t) break;
        case CG_INT8: CG_GATHER_ROW(int8_t) break;
        case CG_INT16: CG_GATHER_ROW(int16_t) break;
        case CG_INT32: CG_GATHER_ROW(int32_t) break;
        case CG_INT64: CG_GATHER_ROW(int64_t) break;
        case CG_UINT16: CG_GATHER_ROW(uint16_t) break;
        case CG_UINT32: CG_GATHER_ROW(uint32_t) break;
        case CG_UINT64: CG_GATHER_ROW(uint64_t) break;
        case CG_FLOAT32: CG_GATHER_ROW(float) break;
        case CG_FLOAT64: CG_GATHER_ROW(double) break;
        }
    }
}

static void unpack(ptrdiff_t rows, const cg_matrix *a, void *out)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        for (ptrdiff_t c = 0; c < a->cols; c += P) {
            ptrdiff_t cols = a->cols - c < P ? a->cols - c : P;
            memcpy((real *)out + r * a->cols + c, panel_of(a, c / P) + r * P, (size_t)cols * sizeof(real));
        }
}

/* Transpose a block [LANES, PART] into PART vectors, in registers; the rows of `in` are P apart. Vectors are loaded in
 * parts, from rows PART apart; then a block [PART, PART] is transposed in each part, in log₂ PART rounds, each of which
 * interleaves rows i and i + PART / 2. After the last round number i of row k is number k of row i. */
CG_INLINE void transpose_block(const real *in, vec out[PART])
{
    vec next[PART];
    CG_UNROLL for (int i = 0; i < PART; i++) out[i] = load_parts(in + i * P, PART * P);
#pragma GCC unroll 4
    for (int round = 1; round < PART; round *= 2) {
        CG_UNROLL for (int i = 0; i < PART; i++) next[i] = interleave(i % 2, out[i / 2], out[i / 2 + PART / 2]);
        CG_UNROLL for (int i = 0; i < PART; i++) out[i] = next[i];
    }
}

/* wt [cols, P]: columns o … o + cols − 1 of rows panel P … panel P + P − 1 of w [in, out], transposed; o is a multiple
 * of P, and further columns up to a multiple of P may be written too */
static void transpose_columns(ptrdiff_t panel, const cg_matrix *w, ptrdiff_t o, ptrdiff_t cols, real *wt)
{
    for (ptrdiff_t end = o + cols; o < end; o += P, wt += P * P) {
        const real *rows = panel_of(w, o / P) + panel * P * P;
        if (o + P < w->cols) /* the next panel is far away, beyond the hardware prefetcher */
            for (ptrdiff_t i = 0; i < P; i++) prefetch_row(rows + (w->capacity + i) * P);
        for (ptrdiff_t c = 0; c < P && c < end - o; c += PART)
            CG_UNROLL for (int i = 0; i < P; i += LANES)
            {
                vec block[PART];
                transpose_block(rows + i * P + c, block);
                CG_UNROLL for (int k = 0; k < PART; k++) store(wt + (c + k) * P + i, block[k]);
            }
    }
}

/* wt [out, P]: rows panel P … panel P + P − 1 of w [in, out], transposed */
static void transpose(ptrdiff_t panel, const cg_matrix *w, char *wt)
{
    transpose_columns(panel, w, 0, w->cols, (real *)wt);
}

#endif
