/* kernels.h: the template that makes one table of kernels. Each kernels_<dtype>_<isa>.c sets
 *   CG_BITS          32 or 64
 *   CG_VECTOR_BYTES  64 (AVX-512), 32 (AVX2 with FMA) or 16 (portable)
 *   CG_TABLE         the table's name, cg_kernels_<dtype>_<isa>
 *   CG_NARROW_TABLE  the table with vectors half as wide, if it is faster for narrow layers
 * and includes this file. Reading order:
 * simd.h → functions.h → elementwise.h, update.h → gradients.h, tile.h, output.h, panels.h → sparse.h, norms.h,
 * noise.h. */
#include "simd.h"

#include "functions.h"

#include "elementwise.h"
#include "gradients.h"
#include "update.h"

#include "output.h"
#include "panels.h"
#include "tile.h"
#include "sparse.h"

#include "noise.h"
#include "norms.h"

/* Element-wise functions by name, for tests and benchmarks. */
static int function(const char *name, double parameter, ptrdiff_t n, const void *x_in, void *y_out)
{
    enum { ROWS = 8, NUMBERS = ROWS * P };
    vec numbers[ROWS * PANEL_VECTORS];
    cg_matrix panel = {(char *)numbers, ROWS, P};
    const int is_log = strcmp(name, "log") == 0, is_log1p = strcmp(name, "log1p") == 0;
    int activation = 0;
    while (activation < CG_ACTIVATION_COUNT && strcmp(name, cg_activation_name(activation)) != 0) activation++;
    if (!is_log && !is_log1p)
        if (activation == CG_ACTIVATION_COUNT || cg_activation_properties(activation) & CG_WHOLE_ROWS) return 0;
    for (ptrdiff_t i = 0; i < n; i += NUMBERS) {
        ptrdiff_t count = n - i < NUMBERS ? n - i : NUMBERS, vectors = (count + LANES - 1) / LANES;
        memset(numbers, 0, sizeof numbers);
        memcpy(numbers, (const real *)x_in + i, (size_t)count * sizeof(real));
        if (is_log) for (ptrdiff_t j = 0; j < vectors; j++) numbers[j] = log_(numbers[j]);
        else if (is_log1p) for (ptrdiff_t j = 0; j < vectors; j++) numbers[j] = log1p_(numbers[j]);
        else activate(activation, parameter, 0, (count + P - 1) / P, &panel, &panel);
        memcpy((real *)y_out + i, numbers, (size_t)count * sizeof(real));
    }
    return 1;
}

/* 12 independent chains, which with a and b take 14 of AVX2's 16 registers: 8 would fill two units of 4 cycles' latency
 * only if no addition ever waited, and read 7 % less, with AVX-512 too. */
static double multiply_adds(ptrdiff_t rounds, void *sink)
{
    enum { CHAINS = 12, LINKS = 8 }; /* links of each chain in a round */
    vec a = splat((real)0.999), b = splat((real)0.001), sum[CHAINS];
    CG_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = splat((real)i);
    for (ptrdiff_t n = 0; n < rounds; n++)
        CG_UNROLL for (int k = 0; k < LINKS; k++)
            CG_UNROLL for (int i = 0; i < CHAINS; i++) sum[i] = fma_(sum[i], a, b);
    for (int i = 1; i < CHAINS; i++) sum[0] += sum[i];
    memcpy(sink, &sum[0], sizeof(real));
    return 2.0 * CHAINS * LINKS * LANES * (double)rounds;
}

const cg_kernels CG_TABLE = {
    .isa = CG_ISA,
    .dtype = CG_DTYPE,
    .itemsize = sizeof(real),
    .panel_width = P,
    .gather = gather,
    .unpack = unpack,
    .forward_gathers = forward_gathers,
    .forward = forward,
    .activate = activate,
    .softmax = softmax,
    .output_delta = output_delta,
    .softmax_slope = softmax_slope,
    .slope = slope,
    .transpose = transpose,
    .hidden_delta = hidden_delta,
    .weight_gradient = weight_gradient,
    .bias_gradient = bias_gradient,
    .sum_of_squares = sum_of_squares,
    .apply_gradient = apply_gradient,
    .sparse_forward = sparse_forward,
    .sort_by_column = sort_by_column,
    .sparse_gradient = sparse_gradient,
    .column_sums = column_sums,
    .column_squares = column_squares,
    .batch_norm = batch_norm,
    .delta_sums = delta_sums,
    .batch_norm_delta = batch_norm_delta,
    .layer_norm = layer_norm,
    .layer_norm_delta = layer_norm_delta,
    .scale_columns = scale_columns,
    .scale_gradient = scale_gradient,
    .running_moments = running_moments,
    .dropout = dropout,
    .add_noise = add_noise,
    .matrix_sum = matrix_sum,
    .matrix_product = matrix_product,
    .limit_norms = limit_norms,
    .function = function,
    .multiply_adds = multiply_adds,
};
