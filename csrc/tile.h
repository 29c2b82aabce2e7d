/* tile.h: the register tile, and the three products of a dense layer that are made of it.
 *
 * A tile has ROWS × VECTORS accumulators. Each number is one chain of fused multiply-adds, in the order of the summed
 * index, so that no tile shape, vector width, batch size or division of the work changes a bit. One factor is read in
 * contiguous panel rows, the other is broadcast number by number. */
#ifndef CG_TILE_H
#define CG_TILE_H

#include "elementwise.h"
#include "update.h"
#include "panels.h"

/* What the variants do differently:
 * TILE_ROWS × TILE_VECTORS  accumulators: as many as the registers hold beside the factors
 * TILE_REST                 rows of the tile that divides a rest of 9 or 10 rows
 * TILE_STEPS                steps of a sum in a turn of the inner loop: where the core's other thread is busy, fewer
 *                           instructions beside the multiply-adds are faster. The compiler unrolls this loop; were it
 *                           unrolled here, accumulators would move from register to register.
 * CG_WEAVE                  Adam's square roots and divisions run beside the products of the next tile, for which 16
 *                           registers are too few, and not after a block */
#if CG_VECTOR_BYTES == 64
enum { TILE_ROWS = 8, TILE_REST = 5, TILE_VECTORS = 2, TILE_STEPS = 2 }; /* 16 of 32 registers */
#define CG_WEAVE 1
#elif CG_VECTOR_BYTES == 32
enum { TILE_ROWS = 6, TILE_REST = 4, TILE_VECTORS = 2, TILE_STEPS = 2 }; /* 12 of 16 registers */
#define CG_WEAVE 0
#else
enum { TILE_ROWS = 4, TILE_REST = 4, TILE_VECTORS = 4, TILE_STEPS = 1 }; /* 16 of the 32 registers of ARM64 */
#define CG_WEAVE 0
#endif

/* Samples over which all tiles of a block of W pass before the next ones: their rows of a and δ, 16 KB each, stay in the
 * nearest cache. */
enum { BATCH_BLOCK = 128 };

typedef vec tile[TILE_ROWS][TILE_VECTORS];

/* Columns that fill at most half a vector are computed by the table with vectors half as wide: there the processor
 * computes twice as many rows in the same time. */
#ifdef CG_NARROW_TABLE
extern const cg_kernels CG_NARROW_TABLE;
#define CG_RETURN_IF_NARROW(cols, CALL) \
    if (cols <= LANES / 2) {            \
        CG_NARROW_TABLE.CALL;           \
        return;                         \
    }
#else
#define CG_RETURN_IF_NARROW(cols, CALL)
#endif

/* t[m][j] += Σₖ a[m row_step + k k_step] · b[k P + j LANES], k = 0 … depth − 1 in order */
CG_INLINE void multiply_add(const int ROWS, const int VECTORS, tile t, ptrdiff_t depth, const real *a,
                            const ptrdiff_t row_step, const ptrdiff_t k_step, const real *b)
{
#pragma GCC unroll TILE_STEPS
    for (ptrdiff_t k = 0; k < depth; k++, a += k_step, b += P) {
        vec b_row[TILE_VECTORS];
        CG_UNROLL for (int j = 0; j < VECTORS; j++) b_row[j] = load(b + j * LANES);
        CG_UNROLL for (int m = 0; m < ROWS; m++) {
            vec a_km = splat(a[m * row_step]);
            CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = fma_(a_km, b_row[j], t[m][j]);
        }
    }
}

CG_INLINE void store_tile(const int ROWS, const int VECTORS, tile t, real *out)
{
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) store(out + m * P + j * LANES, t[m][j]);
}

/* out[m, j] = max(floor, start[j] + Σₖ a[r + m, k] · b[k, j]), a in panels, over all of a's columns; then times the
 * slope of relu, if `relu_outputs` points to its outputs */
CG_INLINE void product_tile(const int ROWS, const int VECTORS, const cg_rows *from, const cg_matrix *a, ptrdiff_t r,
                            const real *b, const real *start, vec floor, const real *relu_outputs, real *out)
{
    tile t;
    const real *in[TILE_ROWS] = {NULL};
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = start ? load(start + j * LANES) : zero();
    real *a_rows = (real *)a->data + r * P;
    if (from) {
        CG_UNROLL for (int m = 0; m < ROWS; m++) in[m] = (const real *)row_from(from, r + m);
        gather_columns(ROWS, in, 0, a->cols, a_rows);
    }
    for (ptrdiff_t k = 0; k < a->cols; k += P, a_rows += a->capacity * P, b += P * P) {
        if (from) {
            if (k + P < a->cols) gather_columns(ROWS, in, k + P, a->cols - k - P, a_rows + a->capacity * P);
        } else if (k + P < a->cols) /* the next panel is far away, beyond the hardware prefetcher */
            CG_UNROLL for (int m = 0; m < ROWS; m++) prefetch_row(a_rows + (a->capacity + m) * P);
        multiply_add(ROWS, VECTORS, t, a->cols - k < P ? a->cols - k : P, a_rows, P, 1, b);
    }
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = maximum(floor, t[m][j]);
    if (relu_outputs)
        CG_UNROLL for (int m = 0; m < ROWS; m++)
            CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] *= relu_slope(load(relu_outputs + m * P + j * LANES));
    store_tile(ROWS, VECTORS, t, out);
}

/* TILE(ROWS, VECTORS) for each of the tiles that cover `rows` × `vectors`: full ones, then smaller ones; full width,
 * then single vectors. The first row is `r`, the first vector `j`. Two rows have too few accumulators to hide the
 * latency of a multiply-add: where one or two rows would remain after a full tile, both are divided anew (9 = 5 + 4). */
#define CG_TILE_WIDTHS(ROWS, vectors, TILE)                                              \
    do {                                                                                 \
        int j = 0;                                                                       \
        for (; j + TILE_VECTORS <= vectors; j += TILE_VECTORS) TILE(ROWS, TILE_VECTORS); \
        for (; j < vectors; j++) TILE(ROWS, 1);                                          \
    } while (0)
#define CG_TILES(rows, vectors, TILE)                                                                   \
    do {                                                                                                \
        ptrdiff_t r = 0, left = rows;                                                                   \
        for (; left > TILE_ROWS + 2 || left == TILE_ROWS; r += TILE_ROWS, left -= TILE_ROWS)            \
            CG_TILE_WIDTHS(TILE_ROWS, vectors, TILE);                                                   \
        for (; TILE_REST > 4 && left >= TILE_REST; r += TILE_REST, left -= TILE_REST)                   \
            CG_TILE_WIDTHS(TILE_REST, vectors, TILE);                                                   \
        for (; left >= 4; r += 4, left -= 4) CG_TILE_WIDTHS(4, vectors, TILE);                          \
        for (; left >= 2; r += 2, left -= 2) CG_TILE_WIDTHS(2, vectors, TILE);                          \
        for (; left > 0; r++, left--) CG_TILE_WIDTHS(1, vectors, TILE);                                 \
    } while (0)

/* z = a W + b, for one panel of columns of z: a is [batch, in], w is [in, out], b is [out], z is [batch, out] */
static void forward(ptrdiff_t panel, ptrdiff_t rows, const cg_rows *from, cg_matrix *a, const cg_matrix *w,
                    const char *b, int relu, cg_matrix *z)
{
    CG_RETURN_IF_NARROW(z->cols - panel * P, forward(panel, rows, from, a, w, b, relu, z))
    const real *w_panel = panel_of(w, panel), *b_panel = (const real *)b + panel * P;
    real *z_panel = panel_of(z, panel);
    int vectors = used_vectors(z->cols - panel * P);
    vec floor = relu ? zero() : splat((real)-INFINITY);
#define CG_TILE(ROWS, VECTORS) \
    product_tile(ROWS, VECTORS, NULL, a, r, w_panel + j * LANES, b_panel + j * LANES, floor, NULL, \
                 z_panel + r * P + j * LANES)
#define CG_GATHERING_TILE(ROWS, VECTORS) \
    product_tile(ROWS, VECTORS, j ? NULL : from, a, r, w_panel + j * LANES, b_panel + j * LANES, floor, NULL, \
                 z_panel + r * P + j * LANES)
    if (from && a->cols > 0) CG_TILES(rows, vectors, CG_GATHERING_TILE);
    else CG_TILES(rows, vectors, CG_TILE);
#undef CG_TILE
#undef CG_GATHERING_TILE
}

/* below = above Wᵀ for one panel of columns; with `relu`, the outputs of relu in the layer below, times its slope:
 * above is [batch, out], wt is [out, P], relu and below are [batch, in] */
static void hidden_delta(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *above, const char *wt, const cg_matrix *relu,
                         cg_matrix *below)
{
    CG_RETURN_IF_NARROW(below->cols - panel * P, hidden_delta(panel, rows, above, wt, relu, below))
    const real *relu_outputs = relu ? panel_of(relu, panel) : NULL;
    const real *wt_panel = (const real *)wt;
    real *d_panel = panel_of(below, panel);
    int vectors = used_vectors(below->cols - panel * P);
    vec floor = splat((real)-INFINITY);
#define CG_TILE(ROWS, VECTORS) \
    product_tile(ROWS, VECTORS, NULL, above, r, wt_panel + j * LANES, NULL, floor, \
                 relu_outputs ? relu_outputs + r * P + j * LANES : NULL,         \
                 d_panel + r * P + j * LANES)
    CG_TILES(rows, vectors, CG_TILE);
#undef CG_TILE
}

static void prefetch_some(cg_prefetch *ahead)
{
    const cg_samples *x = ahead->samples;
    ptrdiff_t row_bytes = x->cols * x->col_stride;
    for (ptrdiff_t line = 0; line < ahead->lines_per_tile && ahead->row < ahead->rows; line++) {
        __builtin_prefetch(x->data + ahead->order[ahead->row] * x->row_stride + ahead->offset, 0, 2);
        ahead->offset += 64;
        if (ahead->offset >= row_bytes) {
            ahead->offset = 0;
            ahead->row++;
        }
    }
}

/* A tile whose update by Adam runs beside the products of the next tile, a row after every eighth part of the samples. */
typedef struct {
    const update_scalars *scalars;
    parameter_block block;
    const real *g;
    ptrdiff_t row; /* the next one */
} woven_update;

CG_INLINE void update_rest(woven_update *woven)
{
    for (; woven->row < woven->block.rows; woven->row++)
        update_row_by_adam(woven->scalars, &woven->block, woven->row, woven->g);
}

/* g[m, j] = start[m, j] + Σₖ a[k, m] · d[k, j], without `start` from zero on: a is [batch, in] and d is [batch, out],
 * `a` pointing at column m = 0 of a panel's first row; g and start are [ROWS, P] */
CG_INLINE void weight_gradient_tile(const int ROWS, const int VECTORS, ptrdiff_t batch, const real *a, const real *d,
                                    const real *start, real *g, woven_update *woven)
{
    tile t;
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = start ? load(start + m * P + j * LANES) : zero();
    if (woven) {
        const woven_update before = *woven;
        const update_scalars scalars = *before.scalars;
        ptrdiff_t slice = batch / TILE_ROWS;
        for (ptrdiff_t row = before.row; row < before.block.rows; row++, batch -= slice) {
            multiply_add(ROWS, VECTORS, t, slice, a, 1, P, d);
            a += slice * P, d += slice * P;
            update_row_by_adam(&scalars, &before.block, row, before.g);
        }
        woven->row = before.block.rows;
    }
    multiply_add(ROWS, VECTORS, t, batch, a, 1, P, d);
    store_tile(ROWS, VECTORS, t, g);
}

/* The same for a block [rows, P]. Without `woven`, `block` is prefetched; else the gradient is complete if there is a
 * block, and its update begins. */
CG_INLINE void gradient_of_block(ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a, const real *d,
                                 const real *start, real *g, const parameter_block *block, woven_update *woven,
                                 cg_prefetch *ahead)
{
#define CG_TILE(ROWS, VECTORS)                                                                                      \
    do {                                                                                                            \
        ptrdiff_t at = r * P + j * LANES;                                                                           \
        if (!woven && block && j == 0) prefetch_parameters(block, r, ROWS);                                         \
        weight_gradient_tile(ROWS, VECTORS, batch, a + r, d + j * LANES, start ? start + at : NULL, g + at, woven); \
        if (woven && block) {                                                                                       \
            woven->block = part_of_block(block, r, ROWS, j, VECTORS);                                               \
            woven->g = g + at, woven->row = 0;                                                                      \
        }                                                                                                           \
        if (ahead) prefetch_some(ahead);                                                                            \
    } while (0)
    CG_TILES(rows, vectors, CG_TILE);
#undef CG_TILE
}

CG_SHARED void plain_gradient(ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a, const real *d,
                              const real *start, real *g, const parameter_block *fetch, cg_prefetch *ahead)
{
    gradient_of_block(rows, vectors, batch, a, d, start, g, fetch, NULL, ahead);
}

#if CG_WEAVE
CG_SHARED void woven_gradient(ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a, const real *d,
                              const real *start, real *g, const parameter_block *completed, woven_update *woven,
                              cg_prefetch *ahead)
{
    gradient_of_block(rows, vectors, batch, a, d, start, g, completed, woven, ahead);
}
#endif

/* ∂C/∂W = aᵀ δ and the update of W, block [P, P] by block, for one panel of columns of W: a is [batch, in], delta is
 * [batch, out], w is [in, out]. The gradient of a block stays in the nearest cache, and so do BATCH_BLOCK rows of a and
 * delta until all its tiles have passed over them. */
static void weight_gradient(ptrdiff_t panel, ptrdiff_t batch, const cg_matrix *a, const cg_matrix *delta,
                            const cg_matrix *w, const char *sums, ptrdiff_t state1_offset,
                            ptrdiff_t state2_offset, const cg_update *rule, cg_prefetch *ahead)
{
    CG_RETURN_IF_NARROW(w->cols - panel * P,
                        weight_gradient(panel, batch, a, delta, w, sums, state1_offset, state2_offset, rule, ahead))
    real g[P * P] __attribute__((aligned(CG_PANEL_BYTES)));
    update_scalars scalars = scalars_of(rule);
    const real *d_panel = panel_of(delta, panel);
    int vectors = used_vectors(delta->cols - panel * P);
#if CG_WEAVE
    woven_update woven = {&scalars, {0}, NULL, 0};
#endif
    for (ptrdiff_t i = 0; i < a->cols; i += P) {
        const real *a_panel = panel_of(a, i / P);
        ptrdiff_t rows = a->cols - i < P ? a->cols - i : P; /* of W, which are columns of this panel of a */
        char *w_rows = (char *)panel_of(w, panel) + i * CG_PANEL_BYTES;
        parameter_block block = block_of(&scalars, rows, vectors, w_rows, state1_offset, state2_offset);
        if (batch == 1 && !sums) {
            update_by_sample(&scalars, &block, a_panel, d_panel);
            for (ptrdiff_t r = 0; ahead && r < rows; r += TILE_ROWS) prefetch_some(ahead);
            continue;
        }
        const real *start = sums ? (const real *)(sums + (w_rows - w->data)) : NULL;
        ptrdiff_t k = 0;
        do {
            ptrdiff_t count = batch - k < BATCH_BLOCK ? batch - k : BATCH_BLOCK;
#if CG_WEAVE
            if (scalars.rule == CG_RULE_adam)
                woven_gradient(rows, vectors, count, a_panel + k * P, d_panel + k * P, start, g,
                               k + count == batch ? &block : NULL, &woven, ahead);
            else
#endif
                plain_gradient(rows, vectors, count, a_panel + k * P, d_panel + k * P, start, g,
                               k == 0 && batch > BATCH_BLOCK ? &block : NULL, ahead);
            k += count, start = g;
        } while (k < batch);
        if (!CG_WEAVE || scalars.rule != CG_RULE_adam) update(&scalars, &block, g);
    }
#if CG_WEAVE
    update_rest(&woven);
#endif
}

/* ∂C/∂b = Σ δ over the rows, in their order, and the update of b */
static void bias_gradient(ptrdiff_t rows, const cg_matrix *delta, char *b, const char *sums,
                          ptrdiff_t state1_offset, ptrdiff_t state2_offset, const cg_update *rule)
{
    update_scalars scalars = scalars_of(rule);
    for (ptrdiff_t panel = 0; panel * P < delta->cols; panel++, b += CG_PANEL_BYTES) {
        const real *d_panel = panel_of(delta, panel);
        int vectors = used_vectors(delta->cols - panel * P);
        real g[P] __attribute__((aligned(CG_PANEL_BYTES)));
        for (int j = 0; j < vectors; j++) {
            vec sum = sums ? load((const real *)sums + panel * P + j * LANES) : zero();
            for (ptrdiff_t r = 0; r < rows; r++) sum += load(d_panel + r * P + j * LANES);
            store(g + j * LANES, sum);
        }
        parameter_block block = block_of(&scalars, 1, vectors, b, state1_offset, state2_offset);
        update(&scalars, &block, g);
    }
}

#endif
