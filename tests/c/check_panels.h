/* check_panels.h: gather, unpack and transpose: numbers are moved and converted, but not changed otherwise. */
#ifndef CHECK_PANELS_H
#define CHECK_PANELS_H

#include "checks.h"

static const struct {
    const char *name;
    ptrdiff_t size;
} SAMPLE_TYPES[] = {
    [CG_BOOL] = {"bool", 1},     [CG_INT8] = {"int8", 1},     [CG_INT16] = {"int16", 2},   [CG_INT32] = {"int32", 4},
    [CG_INT64] = {"int64", 8},   [CG_UINT8] = {"uint8", 1},   [CG_UINT16] = {"uint16", 2}, [CG_UINT32] = {"uint32", 4},
    [CG_UINT64] = {"uint64", 8}, [CG_FLOAT32] = {"float32", 4}, [CG_FLOAT64] = {"float64", 8},
};

/* Memory layouts of the caller's array. */
enum { CONTIGUOUS, PADDED_ROWS, EVERY_OTHER_COLUMN, COLUMN_MAJOR, REVERSED, REPEATED_ROW, ARRANGEMENTS };
static const char *const ARRANGEMENT_NAMES[] = {"contiguous",   "padded_rows", "every_other_column",
                                                "column_major", "reversed",    "repeated_row"};

/* An array that fills a guarded block; memory between its items is part of the block. */
static cg_samples array_of(int type, int arrangement, ptrdiff_t rows, ptrdiff_t cols)
{
    ptrdiff_t size = SAMPLE_TYPES[type].size, row_step = cols, col_step = 1, first = 0;
    switch (arrangement) {
    case PADDED_ROWS: row_step = cols + 3; break;
    case EVERY_OTHER_COLUMN: row_step = 2 * cols, col_step = 2; break;
    case COLUMN_MAJOR: row_step = 1, col_step = rows; break;
    case REVERSED: row_step = -cols, col_step = -1; break;
    case REPEATED_ROW: row_step = 0; break;
    }
    ptrdiff_t last = rows && cols ? (rows - 1) * row_step + (cols - 1) * col_step : -1;
    if (arrangement == REVERSED) first = -last, last = 0;
    char *data = allocate((size_t)((first + last + 1) * size), tight);
    for (ptrdiff_t i = 0; i <= first + last; i++) {
        uint64_t bits = random_bits();
        double x = random_number(1000);
        float single = (float)x;
        if (type == CG_BOOL) bits &= 1;
        if (type == CG_FLOAT32) memcpy(&bits, &single, sizeof single);
        if (type == CG_FLOAT64) memcpy(&bits, &x, sizeof x);
        for (ptrdiff_t byte = 0; byte < size; byte++) data[i * size + byte] = (char)(bits >> 8 * byte);
    }
    return (cg_samples){data + first * size, rows, cols, row_step * size, col_step * size, type, NULL, NULL};
}

/* Return element [r, c] of the samples, converted once to the kernels' dtype, after it was standardised in float64. */
static double sample_at(const cg_samples *x, ptrdiff_t r, ptrdiff_t c)
{
    const char *item = x->data + r * x->row_stride + c * x->col_stride;
#define CONVERTED(CODE, TYPE) \
    case CODE:                                                                                                \
        if (x->mean) number = ((double)*(const TYPE *)item - x->mean[c]) * x->scale[c];                       \
        else number = k->itemsize == 4 ? (double)(float)*(const TYPE *)item : (double)*(const TYPE *)item;    \
        break;
    double number = NAN;
    switch (x->type) {
        CONVERTED(CG_BOOL, uint8_t)
        CONVERTED(CG_INT8, int8_t)
        CONVERTED(CG_INT16, int16_t)
        CONVERTED(CG_INT32, int32_t)
        CONVERTED(CG_INT64, int64_t)
        CONVERTED(CG_UINT8, uint8_t)
        CONVERTED(CG_UINT16, uint16_t)
        CONVERTED(CG_UINT32, uint32_t)
        CONVERTED(CG_UINT64, uint64_t)
        CONVERTED(CG_FLOAT32, float)
        CONVERTED(CG_FLOAT64, double)
    }
#undef CONVERTED
    return k->itemsize == 4 ? (double)(float)number : number;
}

/* Let the samples stand for standardised ones. */
static void standardize_all(cg_samples *x)
{
    double *mean = (double *)allocate((size_t)x->cols * sizeof *mean, tight);
    double *scale = (double *)allocate((size_t)x->cols * sizeof *scale, tight);
    for (ptrdiff_t c = 0; c < x->cols; c++) mean[c] = random_number(100), scale[c] = random_number(1);
    x->mean = mean, x->scale = scale;
}

static int kernel_type(void) { return k->itemsize == 4 ? CG_FLOAT32 : CG_FLOAT64; }

/* forward gathers samples if they are contiguous, of the table's dtype and not standardised */
static void check_forward_gathers(void)
{
    for (int type = 0; type < COUNT(SAMPLE_TYPES); type++)
        for (int arrangement = 0; arrangement < ARRANGEMENTS; arrangement++) EACH_KIND {
            if (!begin("forward_gathers %s %s", SAMPLE_TYPES[type].name, ARRANGEMENT_NAMES[arrangement])) continue;
            cg_samples x = array_of(type, arrangement, 3, 5);
            buffer *answer = numbers_of("answer", 1, 2, 0);
            set(answer, 0, k->forward_gathers(&x));
            standardize_all(&x);
            set(answer, 1, k->forward_gathers(&x));
            expect(answer, 0, 0, type == kernel_type() && x.col_stride == k->itemsize, 0);
            expect(answer, 0, 1, 0, 0);
            end();
        }
}

/* a[r, :] = samples[order[start + r], :] */
static void check_gather(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 7}, COLS[] = {0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65};
    for (int type = 0; type < COUNT(SAMPLE_TYPES); type++)
        for (int arrangement = 0; arrangement < ARRANGEMENTS; arrangement++)
            EACH(rows, ROWS) EACH(cols, COLS) for (int way = 0; way <= 2; way++) EACH_KIND {
                int ordered = way == 1, standardized = way == 2;
                if (!begin("gather %s %s rows=%td cols=%td%s%s", SAMPLE_TYPES[type].name,
                           ARRANGEMENT_NAMES[arrangement], rows, cols, ordered ? " ordered" : "",
                           standardized ? " standardized" : ""))
                    continue;
                ptrdiff_t start = 2, total = rows + start + (ordered ? 5 : 0);
                cg_samples x = array_of(type, arrangement, total, cols);
                int64_t *order = NULL;
                if (standardized) standardize_all(&x);
                if (ordered) {
                    order = (int64_t *)allocate((size_t)(rows + start) * sizeof *order, tight);
                    for (ptrdiff_t i = 0; i < rows + start; i++) order[i] = random_below(total);
                }
                buffer *a = result_of("a", rows, cols);
                cg_matrix a_matrix = matrix_of(a);
                cg_rows from = {&x, order, start};
                k->gather(&from, rows, &a_matrix);
                for (ptrdiff_t r = 0; r < a->rows; r++)
                    for (ptrdiff_t c = 0; c < a->cols; c++)
                        expect(a, r, c, sample_at(&x, order ? order[start + r] : start + r, c), 0);
                end();
            }
}

/* out[r, c] = a[r, c], out row-major */
static void check_unpack(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 7}, COLS[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 65};
    EACH(rows, ROWS) EACH(cols, COLS) EACH_KIND {
        if (!begin("unpack rows=%td cols=%td", rows, cols)) continue;
        buffer *a = samples_of("a", rows, cols, 1);
        buffer *out = numbers_of("out", rows, cols, 0);
        cg_matrix a_matrix = matrix_of(a);
        k->unpack(a->rows, &a_matrix, out->actual);
        for (ptrdiff_t r = 0; r < a->rows; r++)
            for (ptrdiff_t c = 0; c < a->cols; c++) expect(out, r, c, at(a, r, c), 0);
        end();
    }
}

/* wt[o, i] = w[panel P + i, o]. The rows of wt are padded to a whole panel, and kernels may write anything there. */
static void check_transpose(void)
{
    static const ptrdiff_t IN[] = {1, 2, 15, 16, 17, 31, 32, 33, 65};
    static const ptrdiff_t OUT[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 97};
    EACH(in, IN) EACH(out, OUT) for (ptrdiff_t panel = 0; panel < panels(in); panel++) EACH_KIND {
        if (!begin("transpose in=%td out=%td panel=%td", in, out, panel)) continue;
        buffer *w = weights_of("w", in, out);
        buffer *wt = numbers_of("wt", padded(out), k->panel_width, 0);
        cg_matrix w_matrix = matrix_of(w);
        k->transpose(panel, &w_matrix, wt->actual);
        for (ptrdiff_t o = 0; o < wt->rows; o++)
            for (ptrdiff_t i = 0; i < k->panel_width; i++)
                if (o < w->cols) expect(wt, o, i, at(w, panel * k->panel_width + i, o), 0);
                else expect(wt, o, i, 0, ANYTHING);
        end();
    }
}

#endif
