/* elementwise.h: activations and their slopes over the panels of a matrix. The table is in activations.h. */
#ifndef CG_ELEMENTWISE_H
#define CG_ELEMENTWISE_H

#include "activation_functions.h"

/* Return the number of vectors in a panel's row that hold columns of the matrix. */
CG_INLINE int used_vectors(ptrdiff_t cols)
{
    return cols >= P ? PANEL_VECTORS : (int)((cols + LANES - 1) / LANES);
}

CG_INLINE real *panel_of(const cg_matrix *m, ptrdiff_t panel)
{
    return (real *)(m->data + panel * m->capacity * CG_PANEL_BYTES);
}

#define CG_EACH_VECTOR                                     \
    for (ptrdiff_t r = 0; r < rows; r++)                   \
        for (ptrdiff_t i = r * P, j = 0; j < vectors; j++, i += LANES)

static void activate(int activation, double number, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *z_in,
                     cg_matrix *a_out)
{
    const vec parameter = splat((real)number);
    const real *z_panel = panel_of(z_in, panel);
    real *a_panel = panel_of(a_out, panel);
    ptrdiff_t cols = a_out->cols - panel * P;
    int vectors = used_vectors(cols);
    mask before[PANEL_VECTORS];
    for (int j = 0; j < PANEL_VECTORS; j++) before[j] = columns_before(cols, j);
    switch (activation) {
#define CG_ROW(NAME, PROPERTIES, VALUE, SLOPE)       \
    case CG_ACTIVATION_##NAME:                       \
        CG_EACH_VECTOR                               \
        {                                            \
            vec z = load(z_panel + i);               \
            store(a_panel + i, masked(VALUE, before[j])); \
        }                                            \
        break;
#define CG_NONE(...)
        CG_ACTIVATIONS(CG_ROW, CG_NONE)
#undef CG_ROW
#undef CG_NONE
    }
}

/* δ ← δ ⊙ σ′(z) */
static void slope(int activation, double number, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *z_in,
                  const cg_matrix *a_in, cg_matrix *delta)
{
    const vec parameter = splat((real)number);
    const real *a_panel = panel_of(a_in, panel), *z_panel = panel_of(z_in, panel);
    real *d_panel = panel_of(delta, panel);
    int vectors = used_vectors(delta->cols - panel * P);
    switch (activation) {
#define CG_ROW(NAME, PROPERTIES, VALUE, SLOPE)              \
    case CG_ACTIVATION_##NAME:                              \
        CG_EACH_VECTOR                                      \
        {                                                   \
            vec a = load(a_panel + i), z = load(z_panel + i); \
            (void)a, (void)z;                               \
            store(d_panel + i, load(d_panel + i) * (SLOPE)); \
        }                                                   \
        break;
#define CG_NONE(...)
        CG_ACTIVATIONS(CG_ROW, CG_NONE)
#undef CG_ROW
#undef CG_NONE
    }
}

#endif
