/* cygrad.h: the interface of the compiled kernels to the engine. The engine's kernels.pxd mirrors this file.
 *
 * A matrix [rows, cols] is stored in panels, [ceil(cols / P)][capacity][P], where a row of a panel has 128 bytes
 * (P = 32 float32 or 16 float64). Rows are samples for activations and deltas, and inputs for weights, so that weights
 * are [in, out]. Columns past `cols` are padding: they must be zero on entry and stay zero. Weights are padded with
 * zero rows to a whole panel; the transpose buffer is as large; log_sum_exp has room for one more vector.
 *
 * There is one table of functions per dtype and instruction set; `void *` stands for the table's dtype. Kernels trust
 * their arguments and allocate nothing.
 *
 * Grammar of names:
 *   cg_, CG_            what a header in csrc offers to other files; everything else is static
 *   cg_kernels_<dtype>_<isa>, cg_tape_<isa>       tables of functions, one file each
 *   CG_ACTIVATION_<name>, CG_LOSS_<name>, CG_RULE_<name>, CG_GATE_<name>        rows of the X-macro tables
 *   forward, output_delta, hidden_delta, weight_gradient, bias_gradient, update   the six steps, with the same names
 *                       in the reference, loops.pyx, equations.pyx, the table below and the templates
 *   panel, row, tile    P columns of a matrix; P numbers side by side; the rows × vectors of a product in registers
 *   panel_width or P, LANES, capacity     numbers of a panel's row, numbers of a vector, rows from panel to panel
 *   [batch, out]        in a comment: the shape of a matrix. z = a W + b and ∂C/∂W = aᵀ δ, since rows are samples
 *   fma_, exp_, abs_    a vector function whose plain name belongs to C or POSIX, and no other, ends in an underscore
 *   ROWS, VECTORS       a parameter that is a constant where the function is expanded */
#ifndef CYGRAD_H
#define CYGRAD_H

#include <stddef.h>
#include <stdint.h>

#include "activations.h"
#include "losses.h"
#include "optimizers.h"

#define CG_PANEL_BYTES 128
#define CG_MOST_STATES 3 /* of an update rule */

/* Properties of an activation, a loss or an update rule, a bit each. */
enum cg_property {
    CG_NEEDS_Z = 1,           /* σ′, or the loss, is computed from z, so z is stored as well as a */
    CG_CHEAP = 2,             /* σ and σ′ take a few operations, and no exp */
    CG_INCREASING = 4,        /* a larger z gives a larger a */
    CG_WHOLE_ROWS = 8,        /* an output depends on all z of its row */
    CG_GIVES_DELTA = 16,      /* the loss returns δᴸ itself instead of ∇ₐC */
    CG_TAKES_CLASSES = 32,    /* a target can be a class index */
    CG_TAKES_ROWS = 64,       /* a target can be a row of numbers */
    CG_DECIDES_AT_HALF = 128, /* an output of at least one half predicts 1, a smaller one 0 */
    CG_CORRECTS_MOMENTS = 256, /* rate and epsilon include Adam's bias corrections */
    CG_INTERNAL = 1 << 16,    /* the package itself uses the row; users cannot name it */
    CG_DIVIDES = 1 << 17      /* a step takes a division or a square root, longer than all else */
};

enum cg_activation {
#define CG_ROW(NAME, ...) CG_ACTIVATION_##NAME,
    CG_ACTIVATIONS(CG_ROW, CG_ROW)
#undef CG_ROW
    CG_ACTIVATION_COUNT
};

enum cg_loss {
#define CG_ROW(NAME, ...) CG_LOSS_##NAME,
    CG_LOSSES(CG_ROW, CG_ROW)
#undef CG_ROW
    CG_LOSS_COUNT
};

enum cg_rule {
#define CG_ROW(NAME, ...) CG_RULE_##NAME,
    CG_RULES(CG_ROW)
#undef CG_ROW
    CG_RULE_COUNT
};

enum cg_sample_type {
    CG_BOOL, CG_INT8, CG_INT16, CG_INT32, CG_INT64, CG_UINT8, CG_UINT16, CG_UINT32, CG_UINT64, CG_FLOAT32, CG_FLOAT64
};

/* The caller's samples: any numeric type, any strides (in bytes). `mean` not NULL: each number x of column c stands for
 * (x − mean[c]) · scale[c], computed in float64. */
typedef struct {
    const char *data;
    ptrdiff_t rows, cols, row_stride, col_stride;
    int type;
    const double *mean, *scale;
} cg_samples;

/* The caller's sparse samples, in compressed rows (CSR): the numbers of row r that are not zero are those from starts[r]
 * to starts[r + 1] − 1, in increasing columns. `scale` not NULL: each stands for its product with scale[column]. */
typedef struct {
    const int64_t *starts; /* [rows + 1] */
    const void *columns;   /* int64 if `wide`, else int32 */
    const char *values;    /* of any numeric type */
    int wide, type;
    ptrdiff_t rows, cols;
    ptrdiff_t total, most; /* non-zeros in all, and in a row at most */
    const double *scale;
} cg_sparse;

/* A matrix in panels of `capacity` rows; a kernel may use fewer. */
typedef struct {
    char *data;
    ptrdiff_t capacity, cols;
} cg_matrix;

/* Rows of samples: order[start], order[start + 1], …, or start, start + 1, … if `order` is NULL. */
typedef struct {
    const cg_samples *samples;
    const int64_t *order;
    ptrdiff_t start;
} cg_rows;

typedef struct {
    const cg_sparse *samples;
    const int64_t *order;
    ptrdiff_t start;
} cg_sparse_rows;

/* The non-zeros of a batch by their columns: those of columns[k] are the numbers first[k] … first[k + 1] − 1. */
typedef struct {
    int32_t *columns, *first; /* [count], [count + 1] */
    int32_t *rows;            /* [capacity], of the batch */
    void *values;             /* [capacity] */
    int32_t *read_columns, *read_rows; /* [capacity], row by row */
    void *read_values;
    int32_t *next;            /* [cols], zero between calls */
    ptrdiff_t count, capacity;
} cg_columns;

/* Samples that the next step will gather: kernels prefetch some of their cache lines after each tile. */
typedef struct {
    const cg_samples *samples;
    const int64_t *order;
    ptrdiff_t row, rows, offset, lines_per_tile;
} cg_prefetch;

/* One step of an optimiser. `rate` and `epsilon` are η̂ and ε̂ of the rule: for Adam they include the bias corrections of
 * step t, rate = η √(1 − β₂ᵗ) / (1 − β₁ᵗ), epsilon = ε √(1 − β₂ᵗ). Around the rule, in this order:
 * g ← g + weight_decay w;  w ← (1 − shrinkage) w;  the rule;  w ← sign(w) max(|w| − threshold, 0). */
typedef struct {
    int rule;
    double rate, momentum, beta1, beta2, epsilon, weight_decay, shrinkage, threshold;
    double gradient_rate;                               /* η′ of nadam */
    double root_factor;                                 /* r of radam */
    double decrease, increase, least_step, largest_step; /* of rprop: η⁻, η⁺, and the limits of Δ */
} cg_update;

/* Arguments and results of output_delta. A row of weight w counts w times, in the loss, the metric and the delta; without
 * weights the bits are those of weights that are all 1. With `continues` the rows go on where those of another call ended: the sums
 * begin with the results of that call. */
typedef struct {
    int loss;
    double scale;            /* 1, or 1 / (sum of the batch's weights) for reduction="mean" */
    const double *parameters; /* of the loss: see losses.h */
    ptrdiff_t n_parameters;
    const void *weights;     /* [batch], of the rows, or NULL */
    const cg_matrix *z, *a;  /* [batch, out] */
    const cg_matrix *y;      /* [batch, out], or NULL */
    const int64_t *labels;   /* [batch], or NULL */
    const void *log_sum_exp; /* [batch], of softmax */
    cg_matrix *delta;        /* [batch, out]: ∇ₐC, or δᴸ itself for CG_GIVES_DELTA; NULL: not computed */
    double loss_sum, metric_sum;
    int continues;
    void *partial_sums; /* [panels, 2, P], aligned: of loss and metric, by column, a chain over the rows each; or NULL */
} cg_output;

/* A normalisation layer: rows [units] of its numbers, and what it keeps for the way back. */
typedef struct {
    const char *scale, *shift; /* γ and β */
    char *mean, *variance;     /* of batch norm: of the batch, or of the running statistics */
    double epsilon;
    cg_matrix *normalized; /* x̂, [batch, units]; NULL: not kept */
    char *inverse;         /* of layer norm: 1 / √(variance + ε) of each row, [batch] */
    char *delta, *product; /* of batch norm, back: the means of δ and of δ x̂ */
    /* Of the sums of batch norm over `rows` rows, the whole batch, which may come in several calls: whether other rows of
     * it went before, and whether these are the last, after which means take the place of the sums. */
    ptrdiff_t rows;
    int continues, is_last;
} cg_norm;

/* The random numbers of a layer in a step: they depend on these, and on the row and the unit, alone. */
typedef struct {
    double amount; /* the rate of dropout, or the standard deviation of noise */
    uint64_t seed;
    int64_t step, row; /* the row of the first sample */
    int layer;
} cg_noise;

typedef struct {
    const char *isa, *dtype;
    int itemsize, panel_width; /* bytes of a number, numbers in a row of a panel (P) */

    /* a[r, :] = row r of `from`, for the first `rows` rows */
    void (*gather)(const cg_rows *from, ptrdiff_t rows, cg_matrix *a);
    /* 1 if `forward` can gather these samples: they are contiguous, of the table's dtype and not standardised */
    int (*forward_gathers)(const cg_samples *samples);
    /* out[r, c] = a[r, c], out row-major [rows, a->cols] */
    void (*unpack)(ptrdiff_t rows, const cg_matrix *a, void *out);

    /* z = a W + b for `panels` panels of columns, then relu if `relu`: z is [batch, out], w is [in, out], b is [out];
     * `from` not NULL: a is gathered tile by tile */
    void (*forward)(ptrdiff_t panel, ptrdiff_t panels, ptrdiff_t rows, const cg_rows *from, cg_matrix *a,
                    const cg_matrix *w, const char *b, int relu, cg_matrix *z);
    /* a = σ(z) for one panel of columns; `parameter` is that of σ, if it has one */
    void (*activate)(int activation, double parameter, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *z,
                     cg_matrix *a);
    /* a = softmax(z) for rows; log_sum_exp[r] = ln Σⱼ exp(z[r, j]) */
    void (*softmax)(ptrdiff_t rows, const cg_matrix *z, cg_matrix *a, void *log_sum_exp);

    /* loss, metric, and ∇ₐC or δᴸ, of the output layer */
    void (*output_delta)(ptrdiff_t rows, cg_output *output);
    /* δ = ∇ₐC ⊙ softmax′: a ⊙ (∇ − ⟨∇, a⟩) for rows */
    void (*softmax_slope)(ptrdiff_t rows, const cg_matrix *a, cg_matrix *delta);
    /* δ = δ ⊙ σ′(z) for one panel of columns */
    void (*slope)(int activation, double parameter, ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *z,
                  const cg_matrix *a, cg_matrix *delta);

    /* wt [out, P] = one panel of rows of Wᵀ: wt[o, i] = w[panel P + i, o], for parameters that are read or set */
    void (*transpose)(ptrdiff_t panel, const cg_matrix *w, char *wt);
    /* below = above Wᵀ for one panel of columns: below is [batch, in], above is [batch, out], w is [in, out]; wt has
     * room for a panel of Wᵀ, [out, P]. `relu` not NULL: the activations of a relu layer below, whose σ′ multiplies the
     * result; other σ′ are applied by slope */
    void (*hidden_delta)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *above, const cg_matrix *w, char *wt,
                         const cg_matrix *relu, cg_matrix *below);

    /* ∂C/∂W = aᵀ δ for one panel of columns, and the update of w and its states with it, tile by tile. `sums` not NULL:
     * the sums over the rows begin with these numbers, [in, out] as w, and not with zero */
    void (*weight_gradient)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *a, const cg_matrix *delta,
                            const cg_matrix *w, const char *sums, const ptrdiff_t *state_offsets,
                            const cg_update *update, cg_prefetch *ahead);
    /* ∂C/∂b = Σ δ over the rows, and the update of b and its states with it: b and `sums` are [out]; the offsets
     * [CG_MOST_STATES], here and above, are bytes from a parameter to its states */
    void (*bias_gradient)(ptrdiff_t rows, const cg_matrix *delta, char *b, const char *sums,
                          const ptrdiff_t *state_offsets, const cg_update *update);

    /* Σ g² over up to P rows of a panel of a stored gradient */
    double (*sum_of_squares)(ptrdiff_t rows, const char *gradient);
    /* the update of rows of a panel and their states by a stored gradient: times `power` (of two) and
     * `factor`, then from −limit to limit */
    void (*apply_gradient)(ptrdiff_t rows, ptrdiff_t cols, const char *gradient, char *w,
                           const ptrdiff_t *state_offsets, const cg_update *update, double power, double factor,
                           double limit);
    /* w[:, j] = w[:, j] · limit / ‖w[:, j]‖ where ‖w[:, j]‖ > limit, for one panel of columns: w is [in, out], `inputs`
     * its rows. No other column changes, nor one whose norm is not finite */
    void (*limit_norms)(ptrdiff_t panel, ptrdiff_t inputs, const cg_matrix *w, double limit);

    /* What stands between dense layers: norms.h and noise.h have the formulas and the shapes. */
    void (*column_sums)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm);
    void (*column_squares)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm);
    void (*batch_norm)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm, cg_matrix *z);
    void (*delta_sums)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm);
    void (*batch_norm_delta)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm, int constant,
                             cg_matrix *below);
    void (*layer_norm)(ptrdiff_t rows, const cg_matrix *x, const cg_norm *norm, cg_matrix *z);
    void (*layer_norm_delta)(ptrdiff_t rows, const cg_matrix *delta, const cg_norm *norm, cg_matrix *below);
    void (*scale_columns)(ptrdiff_t panel, ptrdiff_t rows, const char *scale, const cg_matrix *x, cg_matrix *out);
    void (*scale_gradient)(ptrdiff_t rows, const cg_matrix *delta, const cg_matrix *normalized, char *scale,
                           const char *sums, const ptrdiff_t *state_offsets,
                           const cg_update *update);
    void (*running_moments)(ptrdiff_t rows, ptrdiff_t cols, double momentum, const cg_norm *norm, char *running_mean,
                            char *running_variance);
    void (*dropout)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_noise *noise, cg_matrix *kept,
                    cg_matrix *a);
    void (*add_noise)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *x, const cg_noise *noise, cg_matrix *a);
    void (*matrix_sum)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *a, const cg_matrix *b, cg_matrix *out);
    void (*matrix_product)(ptrdiff_t panel, ptrdiff_t rows, const cg_matrix *a, const cg_matrix *b, cg_matrix *out);

    /* The same where the first layer's a is the rows of sparse samples: z = a W + b, then relu if `relu`; … */
    void (*sparse_forward)(ptrdiff_t panel, ptrdiff_t panels, ptrdiff_t rows, const cg_sparse_rows *from,
                           const cg_matrix *w, const char *b, int relu, cg_matrix *z);
    /* … their non-zeros by columns; … */
    void (*sort_by_column)(const cg_sparse_rows *from, ptrdiff_t rows, cg_columns *to);
    /* … ∂C/∂W = aᵀ δ and the update, for `inputs` rows of w from `input` on, a multiple of P */
    void (*sparse_gradient)(ptrdiff_t panel, ptrdiff_t input, ptrdiff_t inputs, const cg_columns *a, ptrdiff_t batch,
                            const cg_matrix *delta, const cg_matrix *w, const char *sums,
                            const ptrdiff_t *state_offsets, const cg_update *update);

    /* y = f(x) element by element, for tests: f is "exp", "log", "log1p" or an activation; 0: unknown name */
    int (*function)(const char *name, double parameter, ptrdiff_t n, const void *x, void *y);
    /* `rounds` × 64 independent multiply-adds of vectors, for benchmarks; returns the floating-point operations */
    double (*multiply_adds)(ptrdiff_t rounds, void *sink);
} cg_kernels;

/* Columns of the tables, by the place of a row in its enum: FUNCTION(row) is a number of the list. */
#define CG_COLUMN(TYPE, FUNCTION, ...)              \
    static inline TYPE FUNCTION(int row)            \
    {                                               \
        static TYPE const column[] = {__VA_ARGS__}; \
        return column[row];                         \
    }
#define CG_NAME(NAME, ...) #NAME,
#define CG_SECOND(NAME, SECOND, ...) SECOND,
#define CG_THIRD(NAME, SECOND, THIRD, ...) THIRD,
#define CG_LAST(NAME, LAST) LAST,
CG_COLUMN(const char *, cg_activation_name, CG_ACTIVATIONS(CG_NAME, CG_NAME))
CG_COLUMN(int, cg_activation_properties, CG_ACTIVATIONS(CG_SECOND, CG_LAST))
CG_COLUMN(const char *, cg_loss_name, CG_LOSSES(CG_NAME, CG_NAME))
CG_COLUMN(int, cg_loss_properties, CG_LOSSES(CG_SECOND, CG_SECOND))
CG_COLUMN(const char *, cg_rule_name, CG_RULES(CG_NAME))
CG_COLUMN(int, cg_rule_states, CG_RULES(CG_SECOND))
CG_COLUMN(int, cg_rule_properties, CG_RULES(CG_THIRD))
#undef CG_COLUMN
#undef CG_NAME
#undef CG_SECOND
#undef CG_THIRD
#undef CG_LAST

/* Return the tables that this machine can run, the best first, and NULL after the last. */
const cg_kernels *const *cg_available_kernels(void);

/* out[i] = (x − mean) · scale for `cols` columns of a row from column `col` on, in float64. */
void cg_standardize(const cg_samples *samples, ptrdiff_t row, ptrdiff_t col, ptrdiff_t cols, double *out);

/* Find the first number in `rows` rows from `start` on that is NaN, infinite, or infinite as float32 if `single`; of
 * standardised samples the number that x stands for. Returns 1 and sets its row and column, or returns 0. */
int cg_find_nonfinite(const cg_samples *samples, ptrdiff_t start, ptrdiff_t rows, int single, ptrdiff_t *row,
                      ptrdiff_t *col);

/* Check the columns of sparse samples; `row` and `place` are those of the first one that is out of range. */
enum { CG_COLUMNS_INCREASE, CG_COLUMNS_IN_DISORDER, CG_COLUMN_OUT_OF_RANGE };
int cg_check_columns(const cg_sparse *samples, ptrdiff_t *row, ptrdiff_t *place);

/* Read `count` non-zeros from number `first` on, converted. */
void cg_read_nonzeros_f32(const cg_sparse *samples, ptrdiff_t first, ptrdiff_t count, int32_t *columns, float *values);
void cg_read_nonzeros_f64(const cg_sparse *samples, ptrdiff_t first, ptrdiff_t count, int32_t *columns, double *values);

/* Denormal numbers count as zero, or as what they are, until the mode is restored, in the calling thread. */
unsigned long cg_flush_denormals(void);
unsigned long cg_keep_denormals(void);
void cg_restore_denormals(unsigned long saved);

/* Return a number from 0 to n − 1 made of 64 random bits: the upper half of their product (Lemire 2019). */
static inline uint64_t cg_random_below(uint64_t random, uint64_t n)
{
    return (uint64_t)((__extension__(unsigned __int128)random * n) >> 64);
}

/* Seconds of a monotonic clock. */
double cg_clock(void);

#endif
