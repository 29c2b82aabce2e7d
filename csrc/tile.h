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

/* Differences between the variants:
 * TILE_ROWS × TILE_VECTORS  accumulators: as many as the registers hold beside the factors
 * TILE_REST                 rows of the tile that divides a rest of 9 or 10 rows
 * NARROW_ROWS               rows of the tile for a single vector of columns
 * FEW_VECTORS               vectors of the tiles of one or two rows; ROW_VECTORS of a single row over several panels:
 *                           each vector is one chain, and a multiply-add waits for the one before it
 * TILE_STEPS                steps of a sum in a turn of the inner loop: where the core's other thread is busy, fewer
 *                           instructions beside the multiply-adds are faster. The compiler unrolls this loop; were it
 *                           unrolled here, accumulators would move from register to register.
 * SINGLE_STEP_ROWS          rows of a tile that is slower so, 0 if there is none
 * CG_WEAVE                  Adam's square roots and divisions run beside the products of the next tile, for which 16
 *                           registers are too few, and not after a block */
#if CG_VECTOR_BYTES == 64
enum { TILE_ROWS = 8, TILE_REST = 5, TILE_VECTORS = 2, TILE_STEPS = 2 }; /* 16 of 32 registers */
enum { NARROW_ROWS = 8, FEW_VECTORS = 2, ROW_VECTORS = 8, SINGLE_STEP_ROWS = TILE_REST };
#define CG_WEAVE 1
#elif CG_VECTOR_BYTES == 32
enum { TILE_ROWS = 6, TILE_REST = 4, TILE_VECTORS = 2, TILE_STEPS = 2 }; /* 12 of 16 registers */
enum { NARROW_ROWS = 12, FEW_VECTORS = 4, ROW_VECTORS = 8, SINGLE_STEP_ROWS = 0 };
#define CG_WEAVE 0
#else
enum { TILE_ROWS = 4, TILE_REST = 4, TILE_VECTORS = 4, TILE_STEPS = 1 }; /* 16 of the 32 registers of ARM64 */
enum { NARROW_ROWS = 4, FEW_VECTORS = 4, ROW_VECTORS = 8, SINGLE_STEP_ROWS = 0 };
#define CG_WEAVE 0
#endif

/* Samples over which all tiles of a block of W pass before the next ones: their rows of a and δ, 16 KB each, stay in
 * the nearest cache. */
enum { BATCH_BLOCK = 128 };

/* A sum over DEEP numbers or more is computed in blocks of DEPTH_BLOCK, whose rows of W, 16 KB, stay in the nearest
 * cache until all samples have passed; the sums wait in the result meanwhile. */
enum { DEEP = 1000, DEPTH_BLOCK = 128 };

enum { MOST_ROWS = (int)NARROW_ROWS > (int)TILE_ROWS ? (int)NARROW_ROWS : (int)TILE_ROWS };
typedef vec tile[MOST_ROWS][ROW_VECTORS];

/* Return the place of vector j of a tile, which can go on in the next panel, `step` numbers away. */
CG_INLINE ptrdiff_t vector_at(int j, ptrdiff_t step) { return j / PANEL_VECTORS * step + j % PANEL_VECTORS * LANES; }

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

/* t[m][j] += a[m row_step] · b[vector j] */
CG_INLINE void multiply_add_step(const int ROWS, const int VECTORS, tile t, const real *a, const ptrdiff_t row_step,
                                 const real *b, ptrdiff_t b_panel_step)
{
    vec b_row[ROW_VECTORS];
    CG_UNROLL for (int j = 0; j < VECTORS; j++) {
        if (j > 0 && j % PANEL_VECTORS == 0) {
            b += b_panel_step;
            __asm__("" : "+r"(b)); /* else the compiler keeps an address for each vector, and not in registers */
        }
        b_row[j] = load(b + j % PANEL_VECTORS * LANES);
    }
    CG_UNROLL for (int m = 0; m < ROWS; m++) {
        vec a_m = splat(a[m * row_step]);
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = fma_(a_m, b_row[j], t[m][j]);
    }
}

/* t[m][j] += Σₖ a[m row_step + k k_step] · b[k P + vector j], k = 0 … depth − 1 in order */
CG_INLINE void multiply_add(const int ROWS, const int VECTORS, tile t, ptrdiff_t depth, const real *a,
                            const ptrdiff_t row_step, const ptrdiff_t k_step, const real *b, ptrdiff_t b_panel_step)
{
    if (ROWS == SINGLE_STEP_ROWS) {
        for (ptrdiff_t k = 0; k < depth; k++, a += k_step, b += P)
            multiply_add_step(ROWS, VECTORS, t, a, row_step, b, b_panel_step);
    } else {
#pragma GCC unroll TILE_STEPS
        for (ptrdiff_t k = 0; k < depth; k++, a += k_step, b += P)
            multiply_add_step(ROWS, VECTORS, t, a, row_step, b, b_panel_step);
    }
}

CG_INLINE void store_tile(const int ROWS, const int VECTORS, tile t, real *out, ptrdiff_t panel_step)
{
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) store(out + m * P + vector_at(j, panel_step), t[m][j]);
}

/* TILE(ROWS, VECTORS) for each of the tiles that cover `vectors`: those of WIDEST vectors, full width, single vectors.
 * `j` is the first vector. */
#define CG_TILE_WIDTHS(ROWS, WIDEST, vectors, TILE)                                                   \
    do {                                                                                              \
        ptrdiff_t j = 0;                                                                              \
        for (; WIDEST != (int)TILE_VECTORS && j + WIDEST <= vectors; j += WIDEST) TILE(ROWS, WIDEST); \
        for (; j + TILE_VECTORS <= vectors; j += TILE_VECTORS) TILE(ROWS, TILE_VECTORS);              \
        for (; j < vectors; j++) TILE(ROWS, 1);                                                       \
    } while (0)

/* GROUP(NAME, ROWS, WIDEST) for the groups of tiles with equal rows */
#define CG_TILE_GROUPS(GROUP)            \
    GROUP(narrow, NARROW_ROWS, 1)        \
    GROUP(full, TILE_ROWS, TILE_VECTORS) \
    GROUP(rest, TILE_REST, TILE_VECTORS) \
    GROUP(four, 4, TILE_VECTORS)         \
    GROUP(two, 2, FEW_VECTORS)           \
    GROUP(one, 1, FEW_VECTORS)

/* RUN(NAME, ROWS, WIDEST) for the groups that cover `rows` × `vectors`: `tiles` tiles from row `r` on. Two rows have
 * too few accumulators to hide the latency of a multiply-add: where one or two rows would remain after a full tile,
 * both are divided anew (9 = 5 + 4). */
#define CG_RUN_TILES(rows, vectors, RUN)                                                       \
    do {                                                                                       \
        ptrdiff_t r = 0, left = rows, tiles;                                                   \
        if ((int)NARROW_ROWS != TILE_ROWS && vectors == 1) {                                   \
            CG_RUN_GROUP(RUN, narrow, NARROW_ROWS, 1, left / NARROW_ROWS);                     \
        }                                                                                      \
        tiles = left % TILE_ROWS > 2 || left < TILE_ROWS ? left / TILE_ROWS                    \
                : left % TILE_ROWS == 0 ? left / TILE_ROWS : left / TILE_ROWS - 1;             \
        CG_RUN_GROUP(RUN, full, TILE_ROWS, TILE_VECTORS, tiles);                               \
        if (TILE_REST > 4) CG_RUN_GROUP(RUN, rest, TILE_REST, TILE_VECTORS, left / TILE_REST); \
        CG_RUN_GROUP(RUN, four, 4, TILE_VECTORS, left / 4);                                    \
        CG_RUN_GROUP(RUN, two, 2, FEW_VECTORS, left / 2);                                      \
        CG_RUN_GROUP(RUN, one, 1, FEW_VECTORS, left);                                          \
    } while (0)
#define CG_RUN_GROUP(RUN, NAME, ROWS, WIDEST, COUNT) \
    if ((tiles = COUNT) > 0) {                       \
        RUN(NAME, ROWS, WIDEST);                     \
        r += tiles * ROWS, left -= tiles * ROWS;     \
    }

/* A product out = f(start + a b): a is [rows, depth] in panels, b is [depth, P] for one panel of columns, out is
 * [rows, P]. The forward pass and the deltas are made of it. */
typedef struct {
    const cg_rows *from; /* that a is gathered from on the way */
    real *a;
    ptrdiff_t depth, a_panel_step;
    const real *b, *start;    /* start is [P] */
    vec floor;                /* f is the larger of this and the sum, … */
    const real *relu_outputs; /* … times the slope of relu, if these are its outputs [rows, P] */
    real *out;
    ptrdiff_t b_panel_step, out_panel_step; /* from panel to panel of b and out */
} product;

/* A part of the sum, from k to `end`, for the tile at row r and vector j. */
CG_INLINE void product_tile(const int ROWS, const int VECTORS, const int GATHERS, const product *p, ptrdiff_t k,
                            ptrdiff_t end, ptrdiff_t r, ptrdiff_t j0)
{
    tile t;
    const real *in[MOST_ROWS] = {NULL};
    const ptrdiff_t a_step = p->a_panel_step, cols = p->depth;
    real *out = p->out + r * P + j0 * LANES, *a_rows = p->a + k / P * a_step + r * P;
    const real *b = p->b + k * P + j0 * LANES;
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++)
            t[m][j] = k > 0 ? load(out + m * P + vector_at(j, p->out_panel_step))
                            : load(p->start + j0 * LANES + vector_at(j, P));
    if (GATHERS && k < end) {
        CG_UNROLL for (int m = 0; m < ROWS; m++) in[m] = (const real *)row_from(p->from, r + m);
        gather_columns(ROWS, in, k, cols - k, a_rows);
    }
    for (; k < end; k += P, a_rows += a_step, b += P * P) {
        if (GATHERS) {
            if (k + P < end) gather_columns(ROWS, in, k + P, cols - k - P, a_rows + a_step);
        } else if (k + P < end) /* the next panel is far away, beyond the hardware prefetcher */
            CG_UNROLL for (int m = 0; m < ROWS; m++) prefetch_row(a_rows + a_step + m * P);
        /* a constant number of steps leaves the unrolled loop no rest */
        if (end - k >= P) multiply_add(ROWS, VECTORS, t, P, a_rows, P, 1, b, p->b_panel_step);
        else multiply_add(ROWS, VECTORS, t, end - k, a_rows, P, 1, b, p->b_panel_step);
    }
    if (end == cols) {
        CG_UNROLL for (int m = 0; m < ROWS; m++)
            CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = maximum(p->floor, t[m][j]);
        if (p->relu_outputs)
            CG_UNROLL for (int m = 0; m < ROWS; m++)
                CG_UNROLL for (int j = 0; j < VECTORS; j++)
                    t[m][j] *= relu_slope(load(p->relu_outputs + (r + m) * P + (j0 + j) * LANES));
    }
    store_tile(ROWS, VECTORS, t, out, p->out_panel_step);
}

/* A part of the sum, from k to `end`, for some tiles of equal rows. Each group is a function of its own: in one for
 * all, compilers run out of registers. */
#define CG_GROUP(NAME, ROWS, WIDEST)                                                                               \
    CG_SHARED void product_##NAME(const product *shared, ptrdiff_t k, ptrdiff_t end, ptrdiff_t r, ptrdiff_t tiles, \
                                  ptrdiff_t vectors)                                                               \
    {                                                                                                              \
        const product p = *shared; /* a copy, which no store can change */                                         \
        for (; tiles > 0; tiles--, r += ROWS) CG_TILE_WIDTHS(ROWS, WIDEST, vectors, CG_TILE);                      \
    }
#define CG_TILE(ROWS, VECTORS)                                                  \
    do {                                                                        \
        if (j == 0 && p.from) product_tile(ROWS, VECTORS, 1, &p, k, end, r, j); \
        else product_tile(ROWS, VECTORS, 0, &p, k, end, r, j);                  \
    } while (0)
CG_TILE_GROUPS(CG_GROUP)
#undef CG_TILE
#undef CG_GROUP

/* A part of the sum, from k to `end`, for all tiles of one panel. */
CG_INLINE void product_part(const product *p, ptrdiff_t k, ptrdiff_t end, ptrdiff_t rows, int vectors)
{
#define CG_RUN(NAME, ROWS, WIDEST) product_##NAME(p, k, end, r, tiles, vectors)
    CG_RUN_TILES(rows, vectors, CG_RUN);
#undef CG_RUN
}

/* The number of columns of a product's first factor that are multiplied at once. */
CG_INLINE ptrdiff_t depth_block(ptrdiff_t depth, ptrdiff_t rows)
{
    return depth < DEEP || rows <= TILE_ROWS ? depth : DEPTH_BLOCK;
}

CG_INLINE product forward_product(ptrdiff_t panel, const cg_rows *from, const cg_matrix *a, const cg_matrix *w,
                                  const char *b, int relu, const cg_matrix *z)
{
    return (product){from, panel_of(a, 0), a->cols, a->capacity * P, panel_of(w, panel), (const real *)b + panel * P,
                     relu ? zero() : splat((real)-INFINITY), NULL, panel_of(z, panel), w->capacity * P,
                     z->capacity * P};
}

/* z = a W + b for a single row */
CG_SHARED void forward_of_row(ptrdiff_t panel, ptrdiff_t panels, const cg_matrix *a, const cg_matrix *w, const char *b,
                              int relu, const cg_matrix *z)
{
    enum { MANY = ROW_VECTORS / PANEL_VECTORS };
#define CG_TILE(ROWS, VECTORS) product_tile(ROWS, VECTORS, 0, &p, 0, p.depth, 0, j)
    for (; panels >= MANY && z->cols >= (panel + MANY) * P; panel += MANY, panels -= MANY) {
        product p = forward_product(panel, NULL, a, w, b, relu, z);
        ptrdiff_t j = 0;
        CG_TILE(1, ROW_VECTORS);
    }
    for (; panels > 0; panel++, panels--) {
        product p = forward_product(panel, NULL, a, w, b, relu, z);
        int vectors = used_vectors(z->cols - panel * P);
        CG_TILE_WIDTHS(1, (int)FEW_VECTORS, vectors, CG_TILE);
    }
#undef CG_TILE
}

/* z = a W + b for a single column and `rows` rows, a multiple of COLUMN_ROWS: rows of a fill the vectors, transposed in
 * registers. Each vector is one chain in the order of a's columns. */
enum { COLUMN_VECTORS = 4, COLUMN_ROWS = COLUMN_VECTORS * LANES };
CG_SHARED void forward_of_column(ptrdiff_t rows, const cg_matrix *a, const cg_matrix *w, const char *b, int relu,
                                 const cg_matrix *z)
{
    const real *weights = panel_of(w, 0);
    for (ptrdiff_t r = 0; r < rows; r += COLUMN_ROWS) {
        vec t[COLUMN_VECTORS];
        CG_UNROLL for (int j = 0; j < COLUMN_VECTORS; j++) t[j] = splat(*(const real *)b);
        for (ptrdiff_t k = 0; k < a->cols; k += PART) {
            const real *block = panel_of(a, k / P) + r * P + k % P;
            CG_UNROLL for (int j = 0; j < COLUMN_VECTORS; j++) {
                vec columns[PART];
                transpose_block(block + j * LANES * P, columns);
                CG_UNROLL for (int i = 0; i < PART; i++)
                    if (k + i < a->cols) t[j] = fma_(columns[i], splat(weights[(k + i) * P]), t[j]);
            }
        }
        real *out = panel_of(z, 0) + r * P;
        CG_UNROLL for (int j = 0; j < COLUMN_VECTORS; j++) {
            if (relu) t[j] = maximum(zero(), t[j]);
            CG_UNROLL for (int i = 0; i < LANES; i++, out += P) {
                store(out, zero());
                out[0] = t[j][i];
            }
        }
    }
}

/* z = a W + b, for `panels` panels of columns of z: a is [batch, in], w is [in, out], b is [out], z is [batch, out] */
static void forward(ptrdiff_t panel, ptrdiff_t panels, ptrdiff_t rows, const cg_rows *from, cg_matrix *a,
                    const cg_matrix *w, const char *b, int relu, cg_matrix *z)
{
    if (rows == 1) {
        if (from) gather(from, 1, a);
        forward_of_row(panel, panels, a, w, b, relu, z);
        return;
    }
    ptrdiff_t depth = a->cols, block = depth_block(depth, rows);
    if (z->cols == 1 && rows >= COLUMN_ROWS && PART < LANES) {
        if (from) gather(from, rows, a);
        ptrdiff_t done = rows - rows % COLUMN_ROWS;
        forward_of_column(done, a, w, b, relu, z);
        if (rows == done) return;
        product p = forward_product(panel, NULL, a, w, b, relu, z);
        p.a += done * P, p.out += done * P;
        product_part(&p, 0, depth, rows - done, 1);
        return;
    }
    if (from && depth <= P) { /* a single panel leaves no product to gather beside */
        gather(from, rows, a);
        from = NULL;
    }
    for (; panels > 0; panel++, panels--, from = NULL) {
        CG_RETURN_IF_NARROW(z->cols - panel * P, forward(panel, panels, rows, from, a, w, b, relu, z))
        product p = forward_product(panel, from, a, w, b, relu, z);
        int vectors = used_vectors(z->cols - panel * P);
        ptrdiff_t k = 0;
        do {
            ptrdiff_t end = depth - k < block ? depth : k + block;
            product_part(&p, k, end, rows, vectors);
            k = end;
        } while (k < depth);
    }
}

/* below[r, :] = above[r, :] Wᵀ for one panel of columns, with W transposed in registers: each vector of columns is one
 * chain of multiply-adds in the order of W's columns */
CG_INLINE void hidden_delta_of_row(ptrdiff_t panel, const cg_matrix *above, const cg_matrix *w,
                                   const real *relu_outputs, real *out)
{
    vec t[PANEL_VECTORS];
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) t[j] = zero();
    for (ptrdiff_t o = 0; o < w->cols; o += P) {
        const real *rows = panel_of(w, o / P) + panel * P * P, *d = panel_of(above, o / P);
        for (ptrdiff_t c = 0; c < P && o + c < w->cols; c += PART)
            CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
                vec block[PART];
                transpose_block(rows + j * LANES * P + c, block);
                CG_UNROLL for (int k = 0; k < PART; k++)
                    if (o + c + k < w->cols) t[j] = fma_(splat(d[c + k]), block[k], t[j]);
            }
    }
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
        if (relu_outputs) t[j] *= relu_slope(load(relu_outputs + j * LANES));
        store(out + j * LANES, t[j]);
    }
}

/* below = above Wᵀ for one panel of columns; with `relu`, the outputs of relu in the layer below, times its slope:
 * above is [batch, out], w is [in, out], relu and below are [batch, in]; wt has room for a panel of Wᵀ, [out, P] */
static void hidden_delta(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *above, const cg_matrix *w, char *wt,
                         const cg_matrix *relu, cg_matrix *below)
{
    CG_RETURN_IF_NARROW(below->cols - panel * P, hidden_delta(panel, rows, above, w, wt, relu, below))
    const real *relu_outputs = relu ? panel_of(relu, panel) : NULL;
    ptrdiff_t depth = above->cols, block = depth_block(depth, rows), k = 0;
    int vectors = used_vectors(below->cols - panel * P);
    if (rows == 1 && vectors == PANEL_VECTORS) {
        hidden_delta_of_row(panel, above, w, relu_outputs, panel_of(below, panel));
        return;
    }
    static const real zeros[P] __attribute__((aligned(CG_PANEL_BYTES)));
    product p = {NULL,  panel_of(above, 0), depth, above->capacity * P, (const real *)wt, zeros,
                 splat((real)-INFINITY), relu_outputs, panel_of(below, panel), 0, 0};
    do {
        ptrdiff_t end = depth - k < block ? depth : k + block;
        transpose_columns(panel, w, k, end - k, (real *)wt + k * P);
        product_part(&p, k, end, rows, vectors);
        k = end;
    } while (k < depth);
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

/* A tile whose update by a rule that divides runs beside the products of the next tile: a row after each eighth of the
 * samples. RULE is a constant for each such rule, or -1 where updates are not woven in. */
typedef struct {
    const update_scalars *scalars;
    parameter_block block;
    const real *g;
    ptrdiff_t row; /* the next one */
} woven_update;

CG_INLINE void update_rest(const int RULE, woven_update *woven)
{
    for (; woven->row < woven->block.rows; woven->row++)
        update_row(RULE, woven->scalars, &woven->block, woven->row, woven->g);
}

/* g[m, j] = start[m, j] + Σₖ a[k, m] · d[k, j], without `start` from zero on: a is [batch, in] and d is [batch, out],
 * `a` pointing at column m = 0 of a panel's first row; g and start are [ROWS, P] */
CG_INLINE void weight_gradient_tile(const int ROWS, const int VECTORS, const int RULE, ptrdiff_t batch, const real *a,
                                    const real *d, const real *start, real *g, woven_update *woven)
{
    tile t;
    CG_UNROLL for (int m = 0; m < ROWS; m++)
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[m][j] = start ? load(start + m * P + j * LANES) : zero();
    if (woven) {
        const woven_update before = *woven;
        const update_scalars scalars = *before.scalars;
        ptrdiff_t slice = batch / TILE_ROWS;
        for (ptrdiff_t row = before.row; row < before.block.rows; row++, batch -= slice) {
            multiply_add(ROWS, VECTORS, t, slice, a, 1, P, d, 0);
            a += slice * P, d += slice * P;
            update_row(RULE, &scalars, &before.block, row, before.g);
        }
        woven->row = before.block.rows;
    }
    multiply_add(ROWS, VECTORS, t, batch, a, 1, P, d, 0);
    store_tile(ROWS, VECTORS, t, g, 0);
}

/* The same for a block [rows, P]. Without `woven`, `block` is prefetched; else the gradient is complete if there is a
 * block, and its update begins. */
CG_INLINE void gradient_of_block(const int RULE, ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a,
                                 const real *d, const real *start, real *g, const parameter_block *block,
                                 woven_update *woven, cg_prefetch *ahead)
{
#define CG_TILE(ROWS, VECTORS)                                                                                      \
    do {                                                                                                            \
        ptrdiff_t at = r * P + j * LANES;                                                                           \
        if (!woven && block && j == 0) prefetch_parameters(block, r, ROWS);                                         \
        weight_gradient_tile(ROWS, VECTORS, RULE, batch, a + r, d + j * LANES, start ? start + at : NULL, g + at,   \
                             woven);                                                                               \
        if (woven && block) {                                                                                       \
            woven->block = part_of_block(block, r, ROWS, j, VECTORS);                                               \
            woven->g = g + at, woven->row = 0;                                                                      \
        }                                                                                                           \
        if (ahead) prefetch_some(ahead);                                                                            \
    } while (0)
#define CG_RUN(NAME, ROWS, WIDEST) \
    for (; tiles > 0; tiles--, r += ROWS, left -= ROWS) CG_TILE_WIDTHS(ROWS, WIDEST, vectors, CG_TILE)
    CG_RUN_TILES(rows, vectors, CG_RUN);
#undef CG_RUN
#undef CG_TILE
}

/* The same for a block of few columns: rows of W fill the vectors better, and so many samples pay for transposing the
 * result. */
enum { FEW_COLUMNS = LANES / 2, FEW_COLUMNS_BATCH = 8 };

CG_SHARED void gradient_of_columns(ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t batch, const real *a, const real *d,
                                   const real *start, real transposed[][P])
{
    memset(transposed, 0, (size_t)cols * sizeof *transposed);
    for (ptrdiff_t c = 0; start && c < cols; c++)
        for (ptrdiff_t i = 0; i < rows; i++) transposed[c][i] = start[i * P + c];
#define CG_TILE(ROWS, VECTORS)                                                                    \
    do {                                                                                          \
        tile t;                                                                                   \
        real *sums = transposed[c] + j * LANES;                                                   \
        CG_UNROLL for (int m = 0; m < ROWS; m++)                                                  \
            CG_UNROLL for (int v = 0; v < VECTORS; v++) t[m][v] = load(sums + m * P + v * LANES); \
        multiply_add(ROWS, VECTORS, t, batch, d + c, 1, P, a + j * LANES, 0);                     \
        store_tile(ROWS, VECTORS, t, sums, 0);                                                    \
    } while (0)
    ptrdiff_t vectors = used_vectors(rows), c = 0;
    for (; c + 2 <= cols; c += 2) CG_TILE_WIDTHS(2, (int)FEW_VECTORS, vectors, CG_TILE);
    for (; c < cols; c++) CG_TILE_WIDTHS(1, (int)FEW_VECTORS, vectors, CG_TILE);
#undef CG_TILE
}

/* ∂C/∂W and the update for such a block. */
CG_INLINE void few_columns(const update_scalars *scalars, const parameter_block *block, ptrdiff_t cols, ptrdiff_t batch,
                           const real *a, const real *d, const real *start)
{
    real transposed[FEW_COLUMNS + FEW_COLUMNS % 2][P] __attribute__((aligned(CG_PANEL_BYTES)));
    gradient_of_columns(block->rows, cols, batch, a, d, start, transposed);
    if (cols == 1 && scalars->divides) {
        update_column(scalars, block, transposed[0]);
        return;
    }
    real g[P * P] __attribute__((aligned(CG_PANEL_BYTES)));
    for (ptrdiff_t i = 0; i < block->rows; i++) {
        store(g + i * P, zero());
        for (ptrdiff_t c = 0; c < cols; c++) g[i * P + c] = transposed[c][i];
    }
    update(scalars, block, g);
}

CG_SHARED void plain_gradient(ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a, const real *d,
                              const real *start, real *g, const parameter_block *fetch, cg_prefetch *ahead)
{
    gradient_of_block(-1, rows, vectors, batch, a, d, start, g, fetch, NULL, ahead);
}

#if CG_WEAVE
#define CG_WOVEN(RULE)                                                                                            \
    CG_SHARED void woven_gradient_##RULE(ptrdiff_t rows, int vectors, ptrdiff_t batch, const real *a, const real *d, \
                                         const real *start, real *g, const parameter_block *completed,           \
                                         woven_update *woven, cg_prefetch *ahead)                                \
    {                                                                                                             \
        gradient_of_block(CG_RULE_##RULE, rows, vectors, batch, a, d, start, g, completed, woven, ahead);         \
    }
CG_WOVEN(adam)
CG_WOVEN(rmsprop)
#undef CG_WOVEN
#endif

/* ∂C/∂W = aᵀ δ and the update of W, block [P, P] by block, for one panel of columns of W: a is [batch, in], delta is
 * [batch, out], w is [in, out]. The gradient of a block stays in the nearest cache, and so do BATCH_BLOCK rows of a and
 * delta until all its tiles have passed over them. */
static void weight_gradient(ptrdiff_t panel, ptrdiff_t batch, const cg_matrix *a, const cg_matrix *delta,
                            const cg_matrix *w, const char *sums, const ptrdiff_t *state_offsets,
                            const cg_update *rule, cg_prefetch *ahead)
{
    CG_RETURN_IF_NARROW(w->cols - panel * P,
                        weight_gradient(panel, batch, a, delta, w, sums, state_offsets, rule, ahead))
    real g[P * P] __attribute__((aligned(CG_PANEL_BYTES)));
    update_scalars scalars = scalars_of(rule);
    const real *d_panel = panel_of(delta, panel);
    ptrdiff_t cols = delta->cols - panel * P;
    int vectors = used_vectors(cols);
#if CG_WEAVE
    woven_update woven = {&scalars, {0}, NULL, 0};
    int weaves_adam = scalars.rule == CG_RULE_adam && !(scalars.threshold > 0);
    int weaves_rmsprop = scalars.rule == CG_RULE_rmsprop && !(scalars.threshold > 0);
#else
    enum { weaves_adam = 0, weaves_rmsprop = 0 };
#endif
    for (ptrdiff_t i = 0; i < a->cols; i += P) {
        const real *a_panel = panel_of(a, i / P);
        ptrdiff_t rows = a->cols - i < P ? a->cols - i : P; /* of W, which are columns of this panel of a */
        char *w_rows = (char *)panel_of(w, panel) + i * CG_PANEL_BYTES;
        parameter_block block = block_of(&scalars, rows, vectors, w_rows, state_offsets);
        const real *start = sums ? (const real *)(sums + (w_rows - w->data)) : NULL;
        if (cols <= FEW_COLUMNS && (batch >= FEW_COLUMNS_BATCH || (cols == 1 && scalars.divides))) {
            few_columns(&scalars, &block, cols, batch, a_panel, d_panel, start);
            for (ptrdiff_t r = 0; ahead && r < rows; r += TILE_ROWS) prefetch_some(ahead);
            continue;
        }
        if (batch == 1 && !sums) {
            update_by_sample(&scalars, &block, a_panel, d_panel);
            for (ptrdiff_t r = 0; ahead && r < rows; r += TILE_ROWS) prefetch_some(ahead);
            continue;
        }
        ptrdiff_t k = 0;
        do {
            ptrdiff_t count = batch - k < BATCH_BLOCK ? batch - k : BATCH_BLOCK;
#if CG_WEAVE
            if (weaves_adam)
                woven_gradient_adam(rows, vectors, count, a_panel + k * P, d_panel + k * P, start, g,
                                    k + count == batch ? &block : NULL, &woven, ahead);
            else if (weaves_rmsprop)
                woven_gradient_rmsprop(rows, vectors, count, a_panel + k * P, d_panel + k * P, start, g,
                                       k + count == batch ? &block : NULL, &woven, ahead);
            else
#endif
                plain_gradient(rows, vectors, count, a_panel + k * P, d_panel + k * P, start, g,
                               k == 0 && batch > BATCH_BLOCK ? &block : NULL, ahead);
            k += count, start = g;
        } while (k < batch);
        if (!weaves_adam && !weaves_rmsprop) update(&scalars, &block, g);
    }
#if CG_WEAVE
    if (weaves_rmsprop) update_rest(CG_RULE_rmsprop, &woven);
    else update_rest(CG_RULE_adam, &woven);
#endif
}

/* ∂C/∂b = Σ δ over the rows, in their order, and the update of b */
static void bias_gradient(ptrdiff_t rows, const cg_matrix *delta, char *b, const char *sums,
                          const ptrdiff_t *state_offsets, const cg_update *rule)
{
    update_scalars scalars = scalars_of(rule);
    for (ptrdiff_t panel = 0; panel * P < delta->cols; panel++, b += CG_PANEL_BYTES) {
        const real *d_panel = panel_of(delta, panel);
        int vectors = used_vectors(delta->cols - panel * P);
        real g[P] __attribute__((aligned(CG_PANEL_BYTES)));
        vec sum[PANEL_VECTORS]; /* of the padding too: these chains do not wait for each other */
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++)
            sum[j] = sums ? load((const real *)sums + panel * P + j * LANES) : zero();
        for (ptrdiff_t r = 0; r < rows; r++)
            CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) sum[j] += load(d_panel + r * P + j * LANES);
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) store(g + j * LANES, sum[j]);
        parameter_block block = block_of(&scalars, 1, vectors, b, state_offsets);
        update(&scalars, &block, g);
    }
}

/* w = w · limit / ‖w‖ for each column of a panel whose norm is above the limit; the squares are added in the order of the
 * rows. A norm that is not finite limits nothing: the weights show that training diverges. */
static void limit_norms(ptrdiff_t panel, ptrdiff_t inputs, const cg_matrix *w, double limit)
{
    vec most = splat((real)limit), finite = splat(CG_BITS == 32 ? FLT_MAX : (real)DBL_MAX);
    real *column = panel_of(w, panel);
    vec factor[PANEL_VECTORS]; /* the sums of the squares, then 1 for columns within the limit */
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) factor[j] = zero();
    for (ptrdiff_t i = 0; i < inputs; i++)
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
            vec x = load(column + i * P + j * LANES);
            factor[j] = fma_(x, x, factor[j]);
        }
    mask above[PANEL_VECTORS];
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
        vec norm = sqrt_(factor[j]);
        above[j] = (norm > most) & (norm <= finite);
        factor[j] = select_(above[j], most / norm, splat(1));
    }
    if (!any(above)) return;
    for (ptrdiff_t i = 0; i < inputs; i++)
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) {
            real *place = column + i * P + j * LANES;
            store(place, load(place) * factor[j]);
        }
}

#endif
