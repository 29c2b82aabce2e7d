/* sparse.h: the forward pass and the gradient of a first layer whose samples are sparse, over their non-zeros only.
 *
 * The bits are those of the dense products: a step of a chain whose factor is 0 changes nothing, fma(0, w, z) = z for
 * every finite w, but for z = −0, which it may turn into 0. A sum that ends as −0 without all of its steps is therefore
 * computed anew with all of them. It can be shown that no other zero has another sign. */
#ifndef CG_SPARSE_H
#define CG_SPARSE_H

#include "tile.h"

/* Non-zeros of a row that are converted at once; rows of W are prefetched so many non-zeros before their product. */
enum { SPARSE_PART = 128, SPARSE_AHEAD = 8 };

typedef struct {
    real values[SPARSE_PART];
    int32_t columns[SPARSE_PART + SPARSE_AHEAD];
} nonzeros;

#if CG_BITS == 32
#define CG_READ_VALUES cg_read_nonzeros_f32
#else
#define CG_READ_VALUES cg_read_nonzeros_f64
#endif

/* Read the next non-zeros of a row from number `at` on; return how many. */
CG_INLINE ptrdiff_t read_part(const cg_sparse *x, ptrdiff_t at, ptrdiff_t end, nonzeros *part)
{
    ptrdiff_t count = end - at < SPARSE_PART ? end - at : SPARSE_PART;
    CG_READ_VALUES(x, at, count, part->columns, part->values);
    for (int i = 0; i < SPARSE_AHEAD; i++) part->columns[count + i] = 0;
    return count;
}

CG_INLINE ptrdiff_t sparse_row(const cg_sparse_rows *from, ptrdiff_t r)
{
    return from->order ? (ptrdiff_t)from->order[from->start + r] : from->start + r;
}

CG_INLINE int has_negative_zero(vec v) { return any_lane((mask)v == (mask)splat((real)-0.0)); }

/* t[j] += Σᵢ values[i] · w[columns[i] P + vector j] */
CG_INLINE void sparse_products(const int VECTORS, vec t[], ptrdiff_t count, const nonzeros *x, const real *w,
                               ptrdiff_t panel_step)
{
    for (ptrdiff_t i = 0; i < count; i++) {
        const real *row = w + (ptrdiff_t)x->columns[i] * P, *later = w + (ptrdiff_t)x->columns[i + SPARSE_AHEAD] * P;
        vec value = splat(x->values[i]);
        CG_UNROLL for (int j = 0; j < VECTORS; j += PANEL_VECTORS) prefetch_row(later + vector_at(j, panel_step));
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = fma_(value, load(row + vector_at(j, panel_step)), t[j]);
    }
}

/* z = b + Σₖ a[k] · w[k] with all steps, for a row of one panel: z is [P], w is [in, P], b is [P] */
CG_SHARED void forward_with_all_steps(const cg_sparse *x, ptrdiff_t row, const real *w, const real *b, real *z)
{
    vec t[PANEL_VECTORS];
    nonzeros part;
    ptrdiff_t at = (ptrdiff_t)x->starts[row], end = (ptrdiff_t)x->starts[row + 1], count = 0, i = 0;
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) t[j] = load(b + j * LANES);
    for (ptrdiff_t k = 0; k < x->cols; k++) {
        if (i == count && at < end) {
            count = read_part(x, at, end, &part);
            at += count, i = 0;
        }
        vec value = i < count && part.columns[i] == k ? splat(part.values[i++]) : zero();
        CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) t[j] = fma_(value, load(w + k * P + j * LANES), t[j]);
    }
    CG_UNROLL for (int j = 0; j < PANEL_VECTORS; j++) store(z + j * LANES, t[j]);
}

/* A part of the sums of one row, for VECTORS vectors of columns: the first part begins with b, the last one ends with
 * relu, if `floor` is 0. */
CG_INLINE void sparse_forward_part(const int VECTORS, const cg_sparse *x, ptrdiff_t row, int is_first, int is_last,
                                   ptrdiff_t count, const nonzeros *part, const real *w, ptrdiff_t w_step,
                                   const real *b, vec floor, real *z, ptrdiff_t z_step)
{
    vec t[ROW_VECTORS];
    CG_UNROLL for (int j = 0; j < VECTORS; j++)
        t[j] = is_first ? load(b + vector_at(j, P)) : load(z + vector_at(j, z_step));
    sparse_products(VECTORS, t, count, part, w, w_step);
    if (is_last) {
        CG_UNROLL for (int j = 0; j < VECTORS; j++)
            if (has_negative_zero(t[j])) {
                real sums[P] __attribute__((aligned(CG_PANEL_BYTES)));
                forward_with_all_steps(x, row, w + j / PANEL_VECTORS * w_step, b + j / PANEL_VECTORS * P, sums);
                t[j] = load(sums + j % PANEL_VECTORS * LANES);
            }
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = maximum(floor, t[j]);
    }
    CG_UNROLL for (int j = 0; j < VECTORS; j++) store(z + vector_at(j, z_step), t[j]);
}

/* z = a W + b for `panels` panels of columns of z, with the rows of sparse samples as a: z is [batch, out], w is
 * [in, out], b is [out] */
static void sparse_forward(ptrdiff_t panel, ptrdiff_t panels, ptrdiff_t rows, const cg_sparse_rows *from,
                           const cg_matrix *w, const char *b, int relu, cg_matrix *z)
{
    enum { MANY = ROW_VECTORS / PANEL_VECTORS };
    const cg_sparse *x = from->samples;
    const ptrdiff_t w_step = w->capacity * P, z_step = z->capacity * P, end_panel = panel + panels;
    const vec floor = relu ? zero() : splat((real)-INFINITY);
    nonzeros part;
#define CG_PART(VECTORS)                                                                                       \
    sparse_forward_part(VECTORS, x, row, is_first, is_last, count, &part, panel_of(w, p), w_step,              \
                        (const real *)b + p * P, floor, panel_of(z, p) + r * P, z_step)
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t row = sparse_row(from, r), at = (ptrdiff_t)x->starts[row], end = (ptrdiff_t)x->starts[row + 1];
        int is_first = 1, is_last;
        do {
            ptrdiff_t count = read_part(x, at, end, &part), p = panel;
            at += count, is_last = at >= end;
            for (; p + MANY <= end_panel; p += MANY) CG_PART(ROW_VECTORS);
            for (; p < end_panel; p++) {
                if (used_vectors(z->cols - p * P) == 1) CG_PART(1);
                else CG_PART(PANEL_VECTORS);
            }
            is_first = 0;
        } while (!is_last);
    }
#undef CG_PART
}

/* Sort the non-zeros of some rows by their columns; those of one column stay in the order of the rows. */
static void sort_by_column(const cg_sparse_rows *from, ptrdiff_t rows, cg_columns *to)
{
    const cg_sparse *x = from->samples;
    real *read_values = to->read_values, *values = to->values;
    ptrdiff_t total = 0, k = 0;
    int32_t next = 0;
    for (ptrdiff_t r = 0; r < rows; r++) {
        ptrdiff_t row = sparse_row(from, r), first = (ptrdiff_t)x->starts[row];
        ptrdiff_t count = (ptrdiff_t)x->starts[row + 1] - first;
        if (count > to->capacity - total) count = to->capacity - total;
        CG_READ_VALUES(x, first, count, to->read_columns + total, read_values + total);
        for (ptrdiff_t i = total; i < total + count; i++) {
            to->read_rows[i] = (int32_t)r;
            to->next[to->read_columns[i]]++;
        }
        total += count;
    }
    for (ptrdiff_t c = 0; c < x->cols; c++) {
        int32_t count = to->next[c];
        if (count == 0) continue;
        to->columns[k] = (int32_t)c, to->first[k++] = next;
        to->next[c] = next;
        next += count;
    }
    to->first[k] = next, to->count = k;
    for (ptrdiff_t i = 0; i < total; i++) {
        int32_t at = to->next[to->read_columns[i]]++;
        to->rows[at] = to->read_rows[i], values[at] = read_values[i];
    }
    for (ptrdiff_t i = 0; i < k; i++) to->next[to->columns[i]] = 0;
}

/* g = start + Σᵣ a[r] · δ[r] for one column of the samples, without `start` from zero on: g and start are [P], d is
 * [batch, P] */
CG_INLINE void sparse_gradient_row(const int VECTORS, const cg_columns *x, ptrdiff_t k, ptrdiff_t batch, const real *d,
                                   const real *start, real *g)
{
    const int32_t *rows = x->rows;
    const real *values = x->values;
    ptrdiff_t first = x->first[k], end = x->first[k + 1];
    vec t[PANEL_VECTORS];
    int lost = 0;
    CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = start ? load(start + j * LANES) : zero();
    for (ptrdiff_t i = first; i < end; i++) {
        vec value = splat(values[i]);
        const real *row = d + (ptrdiff_t)rows[i] * P;
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = fma_(value, load(row + j * LANES), t[j]);
    }
    CG_UNROLL for (int j = 0; j < VECTORS; j++) lost |= has_negative_zero(t[j]);
    if (lost && end - first < batch) { /* all steps */
        CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = start ? load(start + j * LANES) : zero();
        for (ptrdiff_t r = 0, i = first; r < batch; r++) {
            vec value = i < end && rows[i] == r ? splat(values[i++]) : zero();
            CG_UNROLL for (int j = 0; j < VECTORS; j++) t[j] = fma_(value, load(d + r * P + j * LANES), t[j]);
        }
    }
    CG_UNROLL for (int j = 0; j < VECTORS; j++) store(g + j * LANES, t[j]);
}

CG_SHARED void gradient_of_nonzeros(int vectors, const cg_columns *x, ptrdiff_t k, ptrdiff_t batch, const real *d,
                                    const real *start, real *g)
{
    if (vectors == 1) sparse_gradient_row(1, x, k, batch, d, start, g);
    else sparse_gradient_row(PANEL_VECTORS, x, k, batch, d, start, g);
}

/* Return the first of the columns with non-zeros that is not below `column`. */
CG_INLINE ptrdiff_t first_column(const cg_columns *x, ptrdiff_t column)
{
    ptrdiff_t low = 0, high = x->count;
    while (low < high) {
        ptrdiff_t middle = (low + high) / 2;
        if (x->columns[middle] < column) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* ∂C/∂W = aᵀ δ and the update of W, for one panel of columns of W and its rows `input` … input + inputs − 1: delta is
 * [batch, out], w is [in, out]. A sum goes on from `sums` where the batch has blocks. */
static void sparse_gradient(ptrdiff_t panel, ptrdiff_t input, ptrdiff_t inputs, const cg_columns *x, ptrdiff_t batch,
                            const cg_matrix *delta, const cg_matrix *w, const char *sums,
                            const ptrdiff_t *state_offsets, const cg_update *rule)
{
    real g[P * P] __attribute__((aligned(CG_PANEL_BYTES)));
    update_scalars scalars = scalars_of(rule);
    const real *d = panel_of(delta, panel);
    char *w_panel = (char *)panel_of(w, panel);
    const char *start = sums ? sums + (w_panel - w->data) : NULL;
    int vectors = used_vectors(w->cols - panel * P);
    ptrdiff_t end = input + inputs, k = first_column(x, input);
    /* rows of W without non-zeros stay as they are: parameters, or the sums of the blocks before */
    if (start ? scalars.rule == CG_RULE_store && start == w_panel : zero_gradient_changes_nothing(&scalars)) {
        for (; k < x->count && x->columns[k] < end; k++) {
            ptrdiff_t at = (ptrdiff_t)x->columns[k] * CG_PANEL_BYTES;
            parameter_block row = block_of(&scalars, 1, vectors, w_panel + at, state_offsets);
            gradient_of_nonzeros(vectors, x, k, batch, d, start ? (const real *)(start + at) : NULL, g);
            update(&scalars, &row, g);
        }
        return;
    }
    for (ptrdiff_t i = input; i < end; i += P) {
        ptrdiff_t rows = end - i < P ? end - i : P;
        char *w_rows = w_panel + i * CG_PANEL_BYTES;
        const real *from = start ? (const real *)(start + i * CG_PANEL_BYTES) : NULL;
        parameter_block block = block_of(&scalars, rows, vectors, w_rows, state_offsets);
        if (i + P < end) prefetch_parameters(&block, P, end - i - P < P ? end - i - P : P);
        if (from) memcpy(g, from, (size_t)rows * CG_PANEL_BYTES);
        else memset(g, 0, (size_t)rows * CG_PANEL_BYTES);
        for (; k < x->count && x->columns[k] < i + rows; k++) {
            ptrdiff_t at = (x->columns[k] - i) * P;
            gradient_of_nonzeros(vectors, x, k, batch, d, from ? from + at : NULL, g + at);
        }
        update(&scalars, &block, g);
    }
}

#endif
