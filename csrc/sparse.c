/* sparse.c: read and check the caller's sparse samples. Whatever the caller changes meanwhile, no column is out of range. */
#include "cygrad.h"

static int64_t column_at(const cg_sparse *x, ptrdiff_t i)
{
    return x->wide ? ((const int64_t *)x->columns)[i] : ((const int32_t *)x->columns)[i];
}

int cg_check_columns(const cg_sparse *x, ptrdiff_t *row, ptrdiff_t *place)
{
    int order = CG_COLUMNS_INCREASE;
    for (ptrdiff_t r = 0; r < x->rows; r++) {
        int64_t before = -1;
        for (ptrdiff_t i = x->starts[r]; i < x->starts[r + 1]; i++) {
            int64_t column = column_at(x, i);
            if (column < 0 || column >= x->cols) {
                *row = r, *place = i;
                return CG_COLUMN_OUT_OF_RANGE;
            }
            if (column <= before) order = CG_COLUMNS_IN_DISORDER;
            before = column;
        }
    }
    return order;
}

/* A zero is positive here, as everywhere between the non-zeros: adding 0 turns −0 into 0. */
#define CG_READ(REAL, TYPE)                                                                    \
    for (ptrdiff_t i = 0; i < count; i++) values[i] = (REAL)((const TYPE *)x->values)[first + i] + 0; \
    break;

/* As in dense samples (x − 0) · scale is computed in float64, where denormal numbers count too, and rounded once. */
#define CG_READ_NONZEROS(NAME, REAL)                                                                  \
    void NAME(const cg_sparse *x, ptrdiff_t first, ptrdiff_t count, int32_t *columns, REAL *values)   \
    {                                                                                                 \
        for (ptrdiff_t i = 0; i < count; i++) {                                                       \
            uint64_t column = (uint64_t)column_at(x, first + i);                                      \
            columns[i] = column < (uint64_t)x->cols ? (int32_t)column : 0;                            \
        }                                                                                             \
        if (x->scale) {                                                                               \
            unsigned long saved = cg_keep_denormals();                                                \
            for (ptrdiff_t i = 0; i < count; i++)                                                     \
                values[i] = (REAL)(number_at(x, first + i) * x->scale[columns[i]]) + 0;               \
            cg_restore_denormals(saved);                                                              \
            return;                                                                                   \
        }                                                                                             \
        switch (x->type) {                                                                            \
        case CG_BOOL:                                                                                 \
        case CG_UINT8: CG_READ(REAL, uint8_t)                                                         \
        case CG_INT8: CG_READ(REAL, int8_t)                                                           \
        case CG_INT16: CG_READ(REAL, int16_t)                                                         \
        case CG_INT32: CG_READ(REAL, int32_t)                                                         \
        case CG_INT64: CG_READ(REAL, int64_t)                                                         \
        case CG_UINT16: CG_READ(REAL, uint16_t)                                                       \
        case CG_UINT32: CG_READ(REAL, uint32_t)                                                       \
        case CG_UINT64: CG_READ(REAL, uint64_t)                                                       \
        case CG_FLOAT32: CG_READ(REAL, float)                                                         \
        case CG_FLOAT64: CG_READ(REAL, double)                                                        \
        }                                                                                             \
    }

static double number_at(const cg_sparse *x, ptrdiff_t i)
{
    switch (x->type) {
    case CG_BOOL:
    case CG_UINT8: return (double)((const uint8_t *)x->values)[i];
    case CG_INT8: return (double)((const int8_t *)x->values)[i];
    case CG_INT16: return (double)((const int16_t *)x->values)[i];
    case CG_INT32: return (double)((const int32_t *)x->values)[i];
    case CG_INT64: return (double)((const int64_t *)x->values)[i];
    case CG_UINT16: return (double)((const uint16_t *)x->values)[i];
    case CG_UINT32: return (double)((const uint32_t *)x->values)[i];
    case CG_UINT64: return (double)((const uint64_t *)x->values)[i];
    case CG_FLOAT32: return (double)((const float *)x->values)[i];
    default: return ((const double *)x->values)[i];
    }
}

CG_READ_NONZEROS(cg_read_nonzeros_f32, float)
CG_READ_NONZEROS(cg_read_nonzeros_f64, double)
