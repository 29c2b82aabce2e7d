/* gradients.h: what is done with a gradient that is stored whole: its norm, and the update by it after clipping. The
 * update itself is that of update.h, so that it has the same bits as beside the products. */
#ifndef CG_GRADIENTS_H
#define CG_GRADIENTS_H

#include "update.h"

enum { DOUBLES = CG_VECTOR_BYTES / (int)sizeof(double), ROW_PARTS = P / DOUBLES };
typedef double double_vec __attribute__((vector_size(CG_VECTOR_BYTES)));

/* Return some numbers of a row as doubles. GCC converts float32 to AVX2's vectors in two halves. */
CG_INLINE double_vec load_doubles(const real *p)
{
#if CG_BITS == 32 && CG_VECTOR_BYTES == 32
    return (double_vec)_mm256_cvtps_pd(_mm_load_ps(p));
#else
    typedef real part __attribute__((vector_size(DOUBLES * sizeof(real))));
    part v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, double_vec);
#endif
}

/* Σ g² over rows of a panel, in double precision: one chain of products and sums for each column, and then the sums of
 * the columns folded by halves. Squares of float32 are exact and cannot overflow. */
static double sum_of_squares(ptrdiff_t rows, const char *gradient)
{
    const real *g = (const real *)gradient;
    double_vec chains[ROW_PARTS] = {{0}};
    double sums[P];
    for (ptrdiff_t r = 0; r < rows; r++, g += P)
        CG_UNROLL for (int j = 0; j < ROW_PARTS; j++) {
            double_vec v = load_doubles(g + j * DOUBLES);
            chains[j] += v * v;
        }
    memcpy(sums, chains, sizeof sums);
    for (int half = P / 2; half; half /= 2)
        for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    return sums[0];
}

/* Update rows of a panel, with `cols` columns, by their gradient times `power` times `factor`, and then from −limit to
 * limit. A power of two keeps the factor of a huge gradient a normal number. */
static void apply_gradient(ptrdiff_t rows, ptrdiff_t cols, const char *gradient, char *w,
                           const ptrdiff_t *state_offsets, const cg_update *rule, double power, double factor,
                           double limit)
{
    real clipped[P * P] __attribute__((aligned(CG_PANEL_BYTES)));
    update_scalars scalars = scalars_of(rule);
    vec exact = splat((real)power), scale = splat((real)factor), most = splat((real)limit), least = splat((real)-limit);
    int vectors = used_vectors(cols), as_it_is = power == 1 && factor == 1 && limit == (double)INFINITY;
    for (ptrdiff_t r = 0; r < rows; r += P) {
        ptrdiff_t count = rows - r < P ? rows - r : P;
        const real *g = (const real *)gradient + r * P;
        parameter_block block = block_of(&scalars, count, vectors, w + r * CG_PANEL_BYTES, state_offsets);
        for (ptrdiff_t i = 0; !as_it_is && i < count * P; i += LANES)
            store(clipped + i, maximum(minimum(load(g + i) * exact * scale, most), least));
        update(&scalars, &block, as_it_is ? g : clipped);
    }
}

#endif
