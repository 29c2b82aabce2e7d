# cython: boundscheck=True, initializedcheck=True, show_performance_hints=False
"""The bits, defined: the equations as plain loops over typed memoryviews, one after another as in the reference.

What is computed, and in which order, is written here; the kernels in csrc compute the same bits faster, in panels and
tiles, on any instruction set and any number of threads. A product is one chain of fused multiply-adds for each number,
in the order of the summed index, that begins with the bias or with 0. Sums over columns (losses, softmax) have P partial
sums, P the numbers in 128 bytes (32 float32, 16 float64): column c is added to number c mod P, and the partial sums are
folded by halves. This is the one place where the width of a panel is part of the definition.

The functions keep the names of `cygrad.reference.backpropagation`. Rows are samples and weights are [in, out], so that
z = a W + b and ∂C/∂W = aᵀ δ. exp, log, tanh, gelu, … are the kernels' own (csrc/functions.h and
activation_functions.h), one number at a time. Denormal numbers count as zero, as in the engine: `train_epoch` sees to
it, other callers run between `flush_denormals` and `restore_denormals`. All loops are bounds-checked: this module is
the definition, and not the fast path.
"""

from libc.float cimport DBL_MAX, DBL_MIN, FLT_MAX, FLT_MIN
from libc.math cimport INFINITY, NAN, copysign, copysignf, fabs, fabsf, fma, fmaf, frexp, isfinite, ldexp, sqrt, sqrtf
from libc.stdint cimport int32_t, int64_t

from cygrad._engine.equations cimport update_of_layer
from cygrad._engine.kernels cimport (
    CG_GIVES_DELTA, CG_MOST_STATES, cg_flush_denormals, cg_loss_properties, cg_restore_denormals,
    cg_rule_properties, cg_rule_states, cg_update
)

import numpy as np

import cygrad._engine.kernels as _kernels

include "step_update.pyx"


cdef extern from "scalar.h" nogil:
    float cg_log_f32(float x)
    float cg_log1p_f32(float x)
    double cg_log_f64(double x)
    double cg_log1p_f64(double x)
    float cg_cosine_f32(float z, float parameter)
    float cg_tanh_f32(float z, float parameter)
    float cg_sigmoid_f32(float z, float parameter)
    float cg_gaussian_f32(float z, float parameter)
    float cg_elu_f32(float z, float parameter)
    float cg_selu_f32(float z, float parameter)
    float cg_gelu_f32(float z, float parameter)
    float cg_gelu_tanh_f32(float z, float parameter)
    float cg_silu_f32(float z, float parameter)
    float cg_mish_f32(float z, float parameter)
    float cg_softplus_f32(float z, float parameter)
    float cg_sine_f32(float z, float parameter)
    float cg_exp_f32(float z, float parameter)
    double cg_cosine_f64(double z, double parameter)
    double cg_tanh_f64(double z, double parameter)
    double cg_sigmoid_f64(double z, double parameter)
    double cg_gaussian_f64(double z, double parameter)
    double cg_elu_f64(double z, double parameter)
    double cg_selu_f64(double z, double parameter)
    double cg_gelu_f64(double z, double parameter)
    double cg_gelu_tanh_f64(double z, double parameter)
    double cg_silu_f64(double z, double parameter)
    double cg_mish_f64(double z, double parameter)
    double cg_softplus_f64(double z, double parameter)
    double cg_sine_f64(double z, double parameter)
    double cg_exp_f64(double z, double parameter)

cdef extern from "cygrad.h" nogil:
    enum:
        CG_ACTIVATION_identity
        CG_ACTIVATION_sigmoid
        CG_ACTIVATION_tanh
        CG_ACTIVATION_relu
        CG_ACTIVATION_gaussian
        CG_ACTIVATION_leaky_relu
        CG_ACTIVATION_elu
        CG_ACTIVATION_selu
        CG_ACTIVATION_gelu
        CG_ACTIVATION_gelu_tanh
        CG_ACTIVATION_silu
        CG_ACTIVATION_mish
        CG_ACTIVATION_softplus
        CG_ACTIVATION_softsign
        CG_ACTIVATION_hard_tanh
        CG_ACTIVATION_hard_sigmoid
        CG_ACTIVATION_sine
        CG_ACTIVATION_exp
        CG_ACTIVATION_softmax
        CG_LOSS_quadratic
        CG_LOSS_mse
        CG_LOSS_mae
        CG_LOSS_huber
        CG_LOSS_log_cosh
        CG_LOSS_pinball
        CG_LOSS_poisson
        CG_LOSS_gaussian_nll
        CG_LOSS_binary_cross_entropy
        CG_LOSS_cross_entropy
        CG_LOSS_focal
        CG_LOSS_kl_divergence
        CG_LOSS_hinge
        CG_LOSS_squared_hinge
        CG_LOSS_linear
        CG_RULE_store
        CG_RULE_sgd
        CG_RULE_momentum
        CG_RULE_nesterov
        CG_RULE_adam
        CG_RULE_amsgrad
        CG_RULE_rmsprop
        CG_RULE_rmsprop_momentum
        CG_RULE_rmsprop_centered
        CG_RULE_rmsprop_centered_momentum
        CG_RULE_adagrad
        CG_RULE_adadelta
        CG_RULE_lion
        CG_RULE_rprop

cdef enum:
    PANEL = 32          # P of float32, the larger one


# One rounding, and functions, for both dtypes.

cdef inline real multiply_add(real a, real b, real c) noexcept nogil:
    return fmaf(a, b, c) if real is float else fma(a, b, c)

cdef inline real root(real x) noexcept nogil:
    return sqrtf(x) if real is float else sqrt(x)

cdef inline real absolute(real x) noexcept nogil:
    return fabsf(x) if real is float else fabs(x)

cdef inline real larger(real a, real b) noexcept nogil:
    """The larger number; b where they are equal, or one of them is NaN."""
    return a if a > b else b

cdef inline real smaller(real a, real b) noexcept nogil:
    """The smaller number; b where they are equal, or one of them is NaN."""
    return a if a < b else b

cdef inline real exp(real x) noexcept nogil:
    return cg_exp_f32(x, 0) if real is float else cg_exp_f64(x, 0)

cdef inline real log(real x) noexcept nogil:
    return cg_log_f32(x) if real is float else cg_log_f64(x)

cdef inline real log1p(real x) noexcept nogil:
    return cg_log1p_f32(x) if real is float else cg_log1p_f64(x)

cdef inline real tanh(real x) noexcept nogil:
    return cg_tanh_f32(x, 0) if real is float else cg_tanh_f64(x, 0)

cdef inline real sigmoid(real x) noexcept nogil:
    return cg_sigmoid_f32(x, 0) if real is float else cg_sigmoid_f64(x, 0)

cdef inline real gaussian(real x) noexcept nogil:
    return cg_gaussian_f32(x, 0) if real is float else cg_gaussian_f64(x, 0)

cdef inline real selu(real x) noexcept nogil:
    return cg_selu_f32(x, 0) if real is float else cg_selu_f64(x, 0)

cdef inline real gelu(real x) noexcept nogil:
    return cg_gelu_f32(x, 0) if real is float else cg_gelu_f64(x, 0)

cdef inline real gelu_tanh(real x) noexcept nogil:
    return cg_gelu_tanh_f32(x, 0) if real is float else cg_gelu_tanh_f64(x, 0)

cdef inline real silu(real x) noexcept nogil:
    return cg_silu_f32(x, 0) if real is float else cg_silu_f64(x, 0)

cdef inline real mish(real x) noexcept nogil:
    return cg_mish_f32(x, 0) if real is float else cg_mish_f64(x, 0)

cdef inline real softplus(real x) noexcept nogil:
    return cg_softplus_f32(x, 0) if real is float else cg_softplus_f64(x, 0)

cdef inline real elu(real x, real alpha) noexcept nogil:
    return cg_elu_f32(x, alpha) if real is float else cg_elu_f64(x, alpha)

cdef inline real sine(real x, real omega) noexcept nogil:
    return cg_sine_f32(x, omega) if real is float else cg_sine_f64(x, omega)

cdef inline real cosine(real x, real omega) noexcept nogil:
    return cg_cosine_f32(x, omega) if real is float else cg_cosine_f64(x, omega)

cdef inline real with_sign(real x, real sign) noexcept nogil:
    return copysignf(x, sign) if real is float else copysign(x, sign)

cdef inline real bounded(real x, real lowest, real highest) noexcept nogil:
    return larger(lowest, smaller(highest, x))


# Forward: z = a W + b, a = σ(z).

cdef int forward(const real[:, ::1] a, const real[:, ::1] w, const real[::1] b, real[:, ::1] z) except -1 nogil:
    """z = a W + b: each number is one chain that begins with the bias.

    a [batch, in] IN, w [in, out] IN, b [out] IN, z [batch, out] OUT
    """
    cdef Py_ssize_t r, j, k
    for r in range(z.shape[0]):
        for j in range(z.shape[1]):
            z[r, j] = b[j]
        for k in range(w.shape[0]):
            for j in range(z.shape[1]):
                z[r, j] = multiply_add(a[r, k], w[k, j], z[r, j])
    return 0


cdef int expand(const int64_t[::1] starts, const int32_t[::1] columns, const real[::1] values, real[:, ::1] a) except -1 nogil:
    """The dense rows of sparse samples: all that is computed with these has the bits of the dense rows.

    starts [batch + 1], columns, values [starts[batch]] IN, a [batch, in] OUT
    """
    cdef Py_ssize_t r, i
    for r in range(a.shape[0]):
        for i in range(a.shape[1]):
            a[r, i] = 0
        for i in range(starts[r], starts[r + 1]):
            a[r, columns[i]] = values[i]
    return 0


cdef int activate(int activation, double parameter, const real[:, ::1] z, real[:, ::1] a,
                  real[::1] log_sum_exp) except -1 nogil:
    """a = σ(z), number by number; softmax row by row.

    z [batch, out] IN, a [batch, out] OUT, log_sum_exp [batch] OUT of softmax
    """
    cdef Py_ssize_t r, j
    if activation == CG_ACTIVATION_softmax:
        return softmax(z, a, log_sum_exp)
    for r in range(z.shape[0]):
        for j in range(z.shape[1]):
            a[r, j] = value(activation, <real> parameter, z[r, j])
    return 0


cdef real value(int activation, real parameter, real z) noexcept nogil:
    """σ(z)."""
    cdef real size
    if activation == CG_ACTIVATION_identity:
        return z
    if activation == CG_ACTIVATION_sigmoid:
        return sigmoid(z)
    if activation == CG_ACTIVATION_tanh:
        return tanh(z)
    if activation == CG_ACTIVATION_relu:
        return larger(<real> 0, z)
    if activation == CG_ACTIVATION_gaussian:
        return gaussian(z)
    if activation == CG_ACTIVATION_leaky_relu:
        return z if z > 0 else parameter * z
    if activation == CG_ACTIVATION_elu:
        return elu(z, parameter)
    if activation == CG_ACTIVATION_selu:
        return selu(z)
    if activation == CG_ACTIVATION_gelu:
        return gelu(z)
    if activation == CG_ACTIVATION_gelu_tanh:
        return gelu_tanh(z)
    if activation == CG_ACTIVATION_silu:
        return silu(z)
    if activation == CG_ACTIVATION_mish:
        return mish(z)
    if activation == CG_ACTIVATION_softplus:
        return softplus(z)
    if activation == CG_ACTIVATION_softsign:
        size = smaller(<real> (FLT_MAX if real is float else DBL_MAX), absolute(z))
        return with_sign(size / (<real> 1 + size), z)
    if activation == CG_ACTIVATION_hard_tanh:
        return bounded(z, <real> -1, <real> 1)
    if activation == CG_ACTIVATION_hard_sigmoid:
        return bounded(z + <real> 3, <real> 0, <real> 6) / <real> 6
    if activation == CG_ACTIVATION_sine:
        return sine(z, parameter)
    if activation == CG_ACTIVATION_exp:
        return exp(z)
    return NAN      # a row of csrc/activations.h that is not here


cdef int softmax(const real[:, ::1] z, real[:, ::1] a, real[::1] log_sum_exp) except -1 nogil:
    """a = exp(z − max z) / Σ exp(z − max z);  log_sum_exp = max z + ln Σ exp(z − max z), for each row."""
    cdef real[PANEL] partial
    cdef real maximum, total
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for r in range(z.shape[0]):
        for j in range(width):
            partial[j] = -INFINITY
        for j in range(z.shape[1]):
            partial[j % width] = larger(partial[j % width], z[r, j])
        maximum = fold_maximum(partial, width)
        for j in range(width):
            partial[j] = 0
        for j in range(z.shape[1]):
            a[r, j] = exp(z[r, j] - maximum)
            partial[j % width] += a[r, j]
        total = fold_sum(partial, width)
        for j in range(z.shape[1]):
            a[r, j] = a[r, j] / total
        log_sum_exp[r] = maximum + log(total)
    return 0


cdef real fold_sum(real *partial, Py_ssize_t width) noexcept nogil:
    """The sum of the partial sums: the upper half is added to the lower half, until one number is left."""
    cdef Py_ssize_t i
    while width > 1:
        width //= 2
        for i in range(width):
            partial[i] = partial[i] + partial[i + width]
    return partial[0]


cdef real fold_maximum(real *partial, Py_ssize_t width) noexcept nogil:
    """The largest of the partial maxima, in the order of `fold_sum`."""
    cdef Py_ssize_t i
    while width > 1:
        width //= 2
        for i in range(width):
            partial[i] = larger(partial[i], partial[i + width])
    return partial[0]


# Backward: the loss and δᴸ = ∇ₐC ⊙ σ′(zᴸ), then δˡ of the layers below.

cdef real slope(int activation, real parameter, real z, real a) noexcept nogil:
    """σ′(z), from z or from a = σ(z)."""
    if activation == CG_ACTIVATION_sigmoid:
        return a * (<real> 1 - a)
    if activation == CG_ACTIVATION_tanh:
        return multiply_add(-a, a, <real> 1)
    if activation == CG_ACTIVATION_relu:
        return 1 if a > 0 else 0
    if activation == CG_ACTIVATION_gaussian:
        return <real> -2 * z * a
    if activation == CG_ACTIVATION_leaky_relu:
        return 1 if a > 0 else parameter
    if activation == CG_ACTIVATION_elu:
        return 1 if a > 0 else a + parameter
    if activation == CG_ACTIVATION_selu:
        return <real> 1.0507009873554805 if a > 0 else a + <real> 1.7580993408473768        # λ, λ α
    if activation == CG_ACTIVATION_gelu:
        return gelu_slope(z, a)
    if activation == CG_ACTIVATION_gelu_tanh:
        return gelu_tanh_slope(z, a)
    if activation == CG_ACTIVATION_silu:
        return multiply_add(smaller(<real> (104 if real is float else 746), a), <real> 1 - sigmoid(z), sigmoid(z))
    if activation == CG_ACTIVATION_mish:
        return mish_slope(z)
    if activation == CG_ACTIVATION_softplus:
        return -elu(-a, <real> 1)       # 1 − exp(−a)
    if activation == CG_ACTIVATION_softsign:
        return (<real> 1 - absolute(a)) * (<real> 1 - absolute(a))
    if activation == CG_ACTIVATION_hard_tanh:
        return 1 if absolute(a) < 1 else 0
    if activation == CG_ACTIVATION_hard_sigmoid:
        return <real> 1 / <real> 6 if a > 0 and a < 1 else 0
    if activation == CG_ACTIVATION_sine:
        return parameter * cosine(z, parameter)
    if activation == CG_ACTIVATION_exp:
        return a
    if activation == CG_ACTIVATION_identity:
        return 1
    return NAN      # a row of csrc/activations.h that is not here


cdef real gelu_slope(real z, real a) noexcept nogil:
    """Φ(z) + z φ(z), where Φ(z) = a / z."""
    cdef real size = <real> (14.5 if real is float else 39)
    cdef real near = bounded(z, -size, size)
    cdef real small = <real> (1e-25 if real is float else 1e-280)
    cdef real share = <real> 0.5
    if not absolute(z) < small:
        share = smaller(size, a) / near
    return multiply_add(near * <real> 0.3989422804014327, exp(<real> -0.5 * near * near), share)


cdef real gelu_tanh_slope(real z, real a) noexcept nogil:
    """s + a (1 − s) dx/dz, where s = 1 / (1 + exp(−x)) and x = z (c₁ + c₂ z²)."""
    cdef real size = <real> (12 if real is float else 25)
    cdef real c1 = <real> 1.5957691216057308, c2 = <real> 0.071354816272600249
    cdef real near = bounded(z, -size, size)
    cdef real s = sigmoid(near * multiply_add(c2, near * near, c1))
    return multiply_add(smaller(size, a) * (<real> 1 - s), multiply_add(<real> 3 * c2, near * near, c1), s)


cdef real mish_slope(real z) noexcept nogil:
    """(w (w + 2) + 4 z e (1 + e)) / (w + 2)², where e = exp(z) and w = e (e + 2)."""
    cdef real near = bounded(z, <real> (-104 if real is float else -746), <real> (15 if real is float else 25))
    cdef real e = exp(near)
    cdef real w = e * (e + <real> 2), d = w + <real> 2
    return multiply_add(w, d, <real> 4 * near * multiply_add(e, e, e)) / (d * d)


cdef int multiply_slope(int activation, double parameter, const real[:, ::1] z, const real[:, ::1] a,
                        real[:, ::1] delta) except -1 nogil:
    """δ = δ ⊙ σ′(z).  z, a [batch, units] IN, delta [batch, units] IN and OUT"""
    cdef Py_ssize_t r, j
    if activation != CG_ACTIVATION_identity:
        for r in range(delta.shape[0]):
            for j in range(delta.shape[1]):
                delta[r, j] = delta[r, j] * slope(activation, <real> parameter, z[r, j], a[r, j])
    return 0


cdef int output_delta(int loss, const double[::1] parameters, int activation, double parameter, double scale,
                      const real[:, ::1] z, const real[:, ::1] a, const real[:, ::1] y, const int64_t[::1] labels,
                      const real[::1] log_sum_exp, const real[::1] weights, real[:, ::1] delta,
                      double[::1] sums) except -1 nogil:
    """C and δᴸ = ∇ₐC ⊙ σ′(zᴸ), where C is `scale` times the sum of the losses of the rows, each times its weight.

    parameters IN of the loss or None, z, a [batch, out] IN, y [batch, out] IN or labels [batch] IN, log_sum_exp [batch]
    IN of softmax, weights [batch] IN or None, delta [batch, out] OUT, sums [2] OUT: the loss without `scale`, and the
    metric
    """
    cdef Py_ssize_t r, j
    cdef double outputs = a.shape[1], smoothing = parameters[0] if parameters is not None else 0     # of labels
    if loss == CG_LOSS_quadratic:
        squared_error(scale, 0.5, a, y, weights, delta, sums)
    elif loss == CG_LOSS_mse:
        squared_error(2 * scale / outputs, 1 / outputs, a, y, weights, delta, sums)
    elif loss == CG_LOSS_binary_cross_entropy:
        binary_cross_entropy(scale, z, a, y, smoothing, weights, delta, sums)
    elif loss == CG_LOSS_cross_entropy and smoothing > 0:
        smoothed_cross_entropy(scale, smoothing, z, a, y, labels, log_sum_exp, weights, delta, sums)
    elif loss == CG_LOSS_cross_entropy:
        cross_entropy(scale, z, a, y, labels, log_sum_exp, weights, delta, sums)
    elif loss == CG_LOSS_focal:
        focal(scale, parameters[0], z, a, labels, log_sum_exp, weights, delta, sums)
    elif loss == CG_LOSS_hinge:
        hinge(scale, False, a, labels, weights, delta, sums)
    elif loss == CG_LOSS_squared_hinge:
        hinge(scale, True, a, labels, weights, delta, sums)
    elif loss == CG_LOSS_gaussian_nll:
        gaussian_nll(scale, parameters[0], a, y, weights, delta, sums)
    else:
        sum_of_terms(loss, parameters, scale, z, a, y, log_sum_exp, weights, delta, sums)
    if cg_loss_properties(loss) & CG_GIVES_DELTA:
        return 0        # δ already
    if activation == CG_ACTIVATION_softmax:
        softmax_slope(a, delta)
    elif activation != CG_ACTIVATION_identity:
        for r in range(a.shape[0]):
            for j in range(a.shape[1]):
                delta[r, j] = delta[r, j] * slope(activation, <real> parameter, z[r, j], a[r, j])
    return 0


cdef inline real weight_of(const real[::1] weights, Py_ssize_t r) noexcept nogil:
    """The weight of a row."""
    return 1 if weights is None else weights[r]


cdef int sum_of_terms(int loss, const double[::1] parameters, double scale, const real[:, ::1] z, const real[:, ::1] a,
                      const real[:, ::1] y, const real[::1] log_sum_exp, const real[::1] weights, real[:, ::1] delta,
                      double[::1] sums) except -1 nogil:
    """C = Σ term / divisor and ∇ₐC or δ = derivative / divisor; the metric is a sum of terms, divided by the outputs.

    Here and below, the sum of an output is a chain over the rows, which can go on with other rows; P partial sums of these are
    folded.
    """
    cdef real[PANEL] losses, metrics
    cdef real[3] of         # term, derivative, and term of the metric
    cdef real parameter = 0, weight, loss_sum, metric_sum
    cdef double divisor = 1 if loss == CG_LOSS_linear or loss == CG_LOSS_kl_divergence else a.shape[1]
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for j in range(width):
        losses[j] = metrics[j] = 0
    for j in range(a.shape[1]):
        if parameters is not None:
            parameter = <real> parameters[j if parameters.shape[0] > 1 else 0]
        loss_sum = metric_sum = 0
        for r in range(a.shape[0]):
            weight = weight_of(weights, r)
            terms(loss, z[r, j], a[r, j], y[r, j], log_sum_exp[r], parameter, of)
            loss_sum += of[0] * weight
            metric_sum += of[2] * weight
            delta[r, j] = of[1] * (weight * <real> (scale / divisor))
        losses[j % width] += loss_sum
        metrics[j % width] += metric_sum
    sums[0] = 1 / divisor * fold_sum(losses, width)
    sums[1] = 1 / <double> a.shape[1] * fold_sum(metrics, width)
    return 0


cdef void terms(int loss, real z, real a, real y, real total, real parameter, real *of) noexcept nogil:
    """The terms of one output: of the loss, its derivative, and of the metric; `total` is ln Σ exp z of softmax."""
    cdef real error = a - y
    cdef real size = absolute(error), t, c
    of[2] = size
    if loss == CG_LOSS_mae:
        of[0], of[1] = size, sign(error)
    elif loss == CG_LOSS_huber:
        c = smaller(parameter, size)
        of[0] = c * multiply_add(c, <real> -0.5, size)
        of[1] = larger(-parameter, smaller(parameter, error))
    elif loss == CG_LOSS_log_cosh:
        t = tanh(<real> 0.5 * error)
        of[0], of[1] = log_cosh(t, size), (t + t) / multiply_add(t, t, <real> 1)
    elif loss == CG_LOSS_pinball:
        of[1] = <real> 1 - parameter if error > 0 else <real> 0 if error == 0 else -parameter
        of[0] = of[1] * error
    elif loss == CG_LOSS_poisson:
        c = multiply_add(y, log(larger(y, smallest(y))) - z, error)
        of[0], of[1], of[2] = multiply_add(-y, z, a), error, c + c
    elif loss == CG_LOSS_kl_divergence:
        of[0], of[1] = y * (log(larger(y, smallest(y))) + (total - z)), error
    elif loss == CG_LOSS_linear:
        of[0], of[1] = a * y, y
    else:
        of[0] = of[1] = NAN     # a row of csrc/losses.h that is not here


cdef real smallest(real x) noexcept nogil:
    """The smallest normal number of the dtype of x."""
    return FLT_MIN if real is float else DBL_MIN


cdef real sign(real x) noexcept nogil:
    return 1 if x > 0 else -1 if x < 0 else 0


cdef real log_cosh(real t, real size) noexcept nogil:
    """ln cosh e, from |e| and t = tanh(e / 2)."""
    t = absolute(t)
    if t * t + t * t + t * t <= 1:
        return log1p((t * t + t * t) / (<real> 1 - t * t))
    return size - <real> 0.69314718055994530942 + log1p((<real> 1 - t) * (<real> 1 - t)
                                                        / ((<real> 1 + t) * (<real> 1 + t)))


cdef int softmax_slope(const real[:, ::1] a, real[:, ::1] delta) except -1 nogil:
    """δ = a ⊙ (∇ − ⟨∇, a⟩) for each row: the Jacobian of softmax times ∇ₐC, which is in `delta`."""
    cdef real[PANEL] partial
    cdef real dot
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for r in range(a.shape[0]):
        for j in range(width):
            partial[j] = 0
        for j in range(a.shape[1]):
            partial[j % width] = multiply_add(delta[r, j], a[r, j], partial[j % width])
        dot = fold_sum(partial, width)
        for j in range(a.shape[1]):
            delta[r, j] = a[r, j] * (delta[r, j] - dot)
    return 0


cdef int squared_error(double gradient_factor, double loss_factor, const real[:, ::1] a, const real[:, ::1] y,
                       const real[::1] weights, real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """C = loss_factor Σ (a − y)², ∇ₐC = gradient_factor (a − y); the metric is Σ |a − y| / outputs."""
    cdef real[PANEL] losses, sizes
    cdef real error, weighted, loss, size
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for j in range(width):
        losses[j] = sizes[j] = 0
    for j in range(a.shape[1]):
        loss = size = 0
        for r in range(a.shape[0]):
            error = a[r, j] - y[r, j]
            weighted = error * weight_of(weights, r)
            loss = multiply_add(weighted, error, loss)
            size += absolute(weighted)
            delta[r, j] = weighted * <real> gradient_factor
        losses[j % width] += loss
        sizes[j % width] += size
    sums[0] = loss_factor * fold_sum(losses, width)
    sums[1] = 1 / <double> a.shape[1] * fold_sum(sizes, width)
    return 0


cdef int binary_cross_entropy(double scale, const real[:, ::1] z, const real[:, ::1] a, const real[:, ::1] y,
                              double smoothing, const real[::1] weights, real[:, ::1] delta,
                              double[::1] sums) except -1 nogil:
    """C = Σ max(z, 0) − z y + ln(1 + exp(−|z|)), δ = scale (a − y), with smoothed labels y.

    The metric is the share of correct outputs.
    """
    cdef real[PANEL] losses, correct
    cdef real weight, target, loss, count, kept = <real> (1 - smoothing), share = <real> (smoothing / 2)
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for j in range(width):
        losses[j] = correct[j] = 0
    for j in range(a.shape[1]):
        loss = count = 0
        for r in range(a.shape[0]):
            weight = weight_of(weights, r)
            target = multiply_add(y[r, j], kept, share)
            loss += weight * (multiply_add(-z[r, j], target, larger(<real> 0, z[r, j]))
                              + log1p(exp(-absolute(z[r, j]))))
            if (a[r, j] >= <real> 0.5) == (y[r, j] >= <real> 0.5):
                count += weight
            delta[r, j] = (a[r, j] - target) * (weight * <real> scale)
        losses[j % width] += loss
        correct[j % width] += count
    sums[0] = fold_sum(losses, width)
    sums[1] = 1 / <double> a.shape[1] * fold_sum(correct, width)
    return 0


cdef int cross_entropy(double scale, const real[:, ::1] z, const real[:, ::1] a, const real[:, ::1] y,
                       const int64_t[::1] labels, const real[::1] log_sum_exp, const real[::1] weights,
                       real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """C = Σ y (ln Σ exp z − z), δ = scale (a − y); a label is a row of zeros with a one; correct rows are counted."""
    cdef real[PANEL] losses
    cdef real weight, of_output
    cdef double loss = 0
    cdef Py_ssize_t r, j, label, width = 128 // sizeof(real)
    for j in range(width):
        losses[j] = 0
    for j in range(a.shape[1]):
        of_output = 0
        for r in range(a.shape[0]):
            weight = weight_of(weights, r)
            if labels is None:
                of_output = multiply_add(y[r, j] * weight, log_sum_exp[r] - z[r, j], of_output)
                delta[r, j] = (a[r, j] - y[r, j]) * (weight * <real> scale)
            else:
                delta[r, j] = (a[r, j] - <real> (j == labels[r])) * (weight * <real> scale)
        losses[j % width] += of_output
    sums[1] = 0
    for r in range(a.shape[0]):
        label = first_largest(y, r) if labels is None else labels[r]
        if labels is not None:
            loss += <double> ((log_sum_exp[r] - z[r, label]) * weight_of(weights, r))
        if is_correct(a, r, label):
            sums[1] += weight_of(weights, r)
    sums[0] = fold_sum(losses, width) if labels is None else loss
    return 0


cdef int smoothed_cross_entropy(double scale, double smoothing, const real[:, ::1] z, const real[:, ::1] a,
                                const real[:, ::1] y, const int64_t[::1] labels, const real[::1] log_sum_exp,
                                const real[::1] weights, real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """`cross_entropy` of the targets (1 − smoothing) y + smoothing / outputs; of each row the sum of its own."""
    cdef real[PANEL] losses
    cdef real target, weight, kept = <real> (1 - smoothing), share = <real> (smoothing / <double> a.shape[1])
    cdef Py_ssize_t r, j, label, width = 128 // sizeof(real)
    sums[0] = sums[1] = 0
    for r in range(a.shape[0]):
        weight = weight_of(weights, r)
        for j in range(width):
            losses[j] = 0
        for j in range(a.shape[1]):
            target = multiply_add(y[r, j] if labels is None else <real> (j == labels[r]), kept, share)
            losses[j % width] = multiply_add(target, log_sum_exp[r] - z[r, j], losses[j % width])
            delta[r, j] = (a[r, j] - target) * (weight * <real> scale)
        sums[0] += fold_sum(losses, width) * weight
        label = first_largest(y, r) if labels is None else labels[r]
        if is_correct(a, r, label):
            sums[1] += weight
    return 0


cdef int focal(double scale, double gamma, const real[:, ::1] z, const real[:, ::1] a, const int64_t[::1] labels,
               const real[::1] log_sum_exp, const real[::1] weights, real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """C = (1 − p)^γ L with p = a_label, L = −ln p; δ = (1 − p)^γ (1 + γ p L / (1 − p)) (a − y); correct rows count."""
    cdef real l, t, wrong, power, factor, weight
    cdef Py_ssize_t r, j, label
    sums[0] = sums[1] = 0
    for r in range(a.shape[0]):
        label, weight = labels[r], weight_of(weights, r)
        l = log_sum_exp[r] - z[r, label]
        t = tanh(<real> 0.5 * l)
        wrong = larger((t + t) / (<real> 1 + t), smallest(t))       # 1 − p
        power = exp(<real> gamma * log(wrong))
        factor = power * multiply_add(<real> gamma * a[r, label], l / wrong, <real> 1)
        sums[0] += power * l * weight
        for j in range(a.shape[1]):
            delta[r, j] = (a[r, j] - <real> (j == label)) * (factor * (weight * <real> scale))
        if is_correct(a, r, label):
            sums[1] += weight
    return 0


cdef int hinge(double scale, bint squared, const real[:, ::1] a, const int64_t[::1] labels, const real[::1] weights,
               real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """C = Σ m with the margins m = max(0, a_j − a_label + 1) over j ≠ label, or Σ m²; ∇ 1, or 2 m, at each broken margin.

    The metric counts correct rows.
    """
    cdef real[PANEL] losses, slopes
    cdef real margin, weight, slope
    cdef Py_ssize_t r, j, label, width = 128 // sizeof(real)
    sums[0] = sums[1] = 0
    for r in range(a.shape[0]):
        label, weight = labels[r], weight_of(weights, r)
        for j in range(width):
            losses[j] = slopes[j] = 0
        for j in range(a.shape[1]):
            margin = a[r, j] - a[r, label] + <real> 1
            delta[r, j] = 0
            if not margin <= 0 and j != label:
                slope = margin + margin if squared else <real> 1
                losses[j % width] += margin * margin if squared else margin
                slopes[j % width] += slope
                delta[r, j] = slope * (weight * <real> scale)
        sums[0] += fold_sum(losses, width) * weight
        delta[r, label] = -fold_sum(slopes, width) * (weight * <real> scale)
        if is_correct(a, r, label):
            sums[1] += weight
    return 0


cdef int gaussian_nll(double scale, double epsilon, const real[:, ::1] a, const real[:, ::1] y, const real[::1] weights,
                      real[:, ::1] delta, double[::1] sums) except -1 nogil:
    """C = ½ Σ s + (μ − y)² / exp s, divided by the number of means; μ is the first half of a, s = max(a, ln ε) the second.

    y [batch, means or more] IN; the metric is the mean of |μ − y|
    """
    cdef real[PANEL] losses, sizes
    cdef real least = log(larger(<real> epsilon, smallest(<real> epsilon))), weight, factor, error, logarithm, slope
    cdef real loss, size
    cdef Py_ssize_t r, j, means = a.shape[1] // 2, width = 128 // sizeof(real)
    for j in range(width):
        losses[j] = sizes[j] = 0
    for j in range(means):
        loss = size = 0
        for r in range(a.shape[0]):
            weight = weight_of(weights, r)
            factor = weight * <real> (scale / <double> means)
            error, logarithm = a[r, j] - y[r, j], larger(least, a[r, means + j])
            slope = error * exp(-logarithm)
            loss += <real> 0.5 * multiply_add(error, slope, logarithm) * weight
            size += absolute(error) * weight
            delta[r, j] = slope * factor
            delta[r, means + j] = 0
            if not a[r, means + j] <= least:
                delta[r, means + j] = <real> 0.5 * multiply_add(-error, slope, <real> 1) * factor
        losses[j % width] += loss
        sizes[j % width] += size
    sums[0] = 1 / <double> means * fold_sum(losses, width)
    sums[1] = 1 / <double> means * fold_sum(sizes, width)
    return 0


cdef Py_ssize_t first_largest(const real[:, ::1] y, Py_ssize_t r) except -1 nogil:
    cdef Py_ssize_t j, best = 0
    for j in range(1, y.shape[1]):
        if y[r, j] > y[r, best]:
            best = j
    return best


cdef int is_correct(const real[:, ::1] a, Py_ssize_t r, Py_ssize_t label) except -1 nogil:
    """1 where the first of the largest outputs is at the label, and no output is NaN."""
    cdef Py_ssize_t j
    for j in range(a.shape[1]):
        if not (a[r, j] < a[r, label] or (a[r, j] == a[r, label] and j >= label)):
            return 0
    return 1


cdef int hidden_delta(int activation, double parameter, const real[:, ::1] delta_above, const real[:, ::1] w,
                      const real[:, ::1] z, const real[:, ::1] a, real[:, ::1] delta) except -1 nogil:
    """δˡ = (δˡ⁺¹ (Wˡ⁺¹)ᵀ) ⊙ σ′(zˡ): each number is one chain over the units above that begins with 0.

    delta_above [batch, out] IN, w [in, out] IN, z, a [batch, in] IN, delta [batch, in] OUT; for the input, σ is identity
    """
    cdef Py_ssize_t r, i, o
    for r in range(delta.shape[0]):
        for i in range(delta.shape[1]):
            delta[r, i] = 0
            for o in range(w.shape[1]):
                delta[r, i] = multiply_add(delta_above[r, o], w[i, o], delta[r, i])
            if activation != CG_ACTIVATION_identity:
                delta[r, i] = delta[r, i] * slope(activation, <real> parameter, z[r, i], a[r, i])
    return 0


# Gradients, and the update.

cdef int weight_gradient(const real[:, ::1] a, const real[:, ::1] delta, real[:, ::1] gradient) except -1 nogil:
    """∂C/∂W = aᵀ δ: each number is one chain over the samples that begins with 0.

    a [batch, in] IN, delta [batch, out] IN, gradient [in, out] OUT
    """
    cdef Py_ssize_t r, i, j
    for i in range(gradient.shape[0]):
        for j in range(gradient.shape[1]):
            gradient[i, j] = 0
        for r in range(a.shape[0]):
            for j in range(gradient.shape[1]):
                gradient[i, j] = multiply_add(a[r, i], delta[r, j], gradient[i, j])
    return 0


cdef int bias_gradient(const real[:, ::1] delta, real[::1] gradient) except -1 nogil:
    """∂C/∂b = Σ δ over the samples, in their order.

    delta [batch, out] IN, gradient [out] OUT
    """
    cdef Py_ssize_t r, j
    for j in range(gradient.shape[0]):
        gradient[j] = 0
        for r in range(delta.shape[0]):
            gradient[j] += delta[r, j]
    return 0


cdef int update(const cg_update *u, const real[::1] gradient, real[::1] w, real[::1] state1,
                real[::1] state2, real[::1] state3) except -1 nogil:
    """w ← w − η ∂C/∂w, by the rule: csrc/optimizers.h has the formulas.

    gradient [n] IN, w [n] IN and OUT, state1, state2, state3 [n] IN and OUT where the rule has them
    """
    cdef Py_ssize_t i
    cdef real g, v, d, rate = <real> u.rate, momentum = <real> u.momentum
    cdef real decay = <real> u.weight_decay, kept = <real> (1 - u.shrinkage), threshold = <real> u.threshold
    cdef real one_minus_beta1 = <real> (1 - u.beta1), one_minus_beta2 = <real> (1 - u.beta2)
    cdef real epsilon = <real> max(u.epsilon, FLT_MIN if real is float else DBL_MIN)    # or it would be flushed to 0
    for i in range(w.shape[0]):
        g = gradient[i]
        if u.weight_decay != 0 or u.shrinkage != 0:
            g = multiply_add(decay, w[i], g)
            w[i] = kept * w[i]
        if u.rule == CG_RULE_store:
            w[i] = g
        elif u.rule == CG_RULE_sgd:
            w[i] = multiply_add(-rate, g, w[i])
        elif u.rule == CG_RULE_momentum:
            state1[i] = multiply_add(momentum, state1[i], -(rate * g))
            w[i] = w[i] + state1[i]
        elif u.rule == CG_RULE_nesterov:
            state1[i] = multiply_add(momentum, state1[i], -(rate * g))
            w[i] = w[i] + multiply_add(momentum, state1[i], -(rate * g))
        elif u.rule == CG_RULE_adam:
            state1[i] = toward(g, one_minus_beta1, state1[i])
            state2[i] = mean_square(g, one_minus_beta2, state2[i])
            w[i] = w[i] - rate * state1[i] / (root(state2[i]) + epsilon)
        elif u.rule == CG_RULE_amsgrad:
            state1[i] = toward(g, one_minus_beta1, state1[i])
            state2[i] = mean_square(g, one_minus_beta2, state2[i])
            state3[i] = larger(state3[i], state2[i])
            w[i] = w[i] - rate * state1[i] / (root(state3[i]) + epsilon)
        elif u.rule == CG_RULE_nadam:
            state1[i] = toward(g, one_minus_beta1, state1[i])
            state2[i] = mean_square(g, one_minus_beta2, state2[i])
            d = multiply_add(rate, state1[i], <real> u.gradient_rate * g)
            w[i] = w[i] - d / (root(state2[i]) + epsilon)
        elif u.rule == CG_RULE_radam:
            state1[i] = toward(g, one_minus_beta1, state1[i])
            state2[i] = mean_square(g, one_minus_beta2, state2[i])
            w[i] = w[i] - rate * state1[i] / multiply_add(<real> u.root_factor, root(state2[i]), epsilon)
        elif u.rule == CG_RULE_adamax:
            state1[i] = toward(g, one_minus_beta1, state1[i])
            state2[i] = larger(<real> u.beta2 * state2[i], absolute(g) + epsilon)
            w[i] = w[i] - rate * state1[i] / state2[i]
        elif u.rule == CG_RULE_rmsprop:
            state1[i] = mean_square(g, one_minus_beta2, state1[i])
            w[i] = w[i] - rate * g / (root(state1[i]) + epsilon)
        elif u.rule == CG_RULE_rmsprop_momentum:
            state1[i] = mean_square(g, one_minus_beta2, state1[i])
            d = rate * g / (root(state1[i]) + epsilon)
            state2[i] = multiply_add(momentum, state2[i], d)
            w[i] = w[i] - state2[i]
        elif u.rule == CG_RULE_rmsprop_centered or u.rule == CG_RULE_rmsprop_centered_momentum:
            state1[i] = mean_square(g, one_minus_beta2, state1[i])
            state2[i] = toward(g, one_minus_beta2, state2[i])
            v = larger(<real> 0, multiply_add(-state2[i], state2[i], state1[i]))
            d = rate * g / (root(v) + epsilon)
            if u.rule == CG_RULE_rmsprop_centered_momentum:
                d = multiply_add(momentum, state3[i], d)
                state3[i] = d
            w[i] = w[i] - d
        elif u.rule == CG_RULE_adagrad:
            state1[i] = multiply_add(g, g, state1[i])
            w[i] = w[i] - rate * g / (root(state1[i]) + epsilon)
        elif u.rule == CG_RULE_adadelta:
            state1[i] = mean_square(g, one_minus_beta2, state1[i])
            d = root(state2[i] + epsilon) / root(state1[i] + epsilon) * g
            state2[i] = mean_square(d, one_minus_beta2, state2[i])
            w[i] = multiply_add(-rate, d, w[i])
        elif u.rule == CG_RULE_lion:
            d = toward(g, one_minus_beta1, state1[i])
            state1[i] = toward(g, one_minus_beta2, state1[i])
            w[i] = multiply_add(-rate, step_sign(d), w[i])
        elif u.rule == CG_RULE_rprop:
            d = step_sign(g) * state1[i]
            state1[i] = step_sign(g)
            if d > 0:
                state2[i] = smaller(state2[i] * <real> u.increase, <real> u.largest_step)
            elif d < 0:
                state2[i] = larger(state2[i] * <real> u.decrease, <real> u.least_step)
                state1[i] = 0
            w[i] = multiply_add(-(rate * state2[i]), state1[i], w[i])
        if threshold > 0:
            w[i] = w[i] - larger(smaller(w[i], threshold), -threshold)
    return 0


cdef inline real toward(real g, real share, real mean) noexcept nogil:
    """A running mean after one more number."""
    return multiply_add(share, g - mean, mean)

cdef inline real mean_square(real g, real share, real mean) noexcept nogil:
    """A running mean of squares after one more number."""
    return multiply_add(share, multiply_add(g, g, -mean), mean)

cdef inline real step_sign(real x) noexcept nogil:
    """−1, 1, or x itself, which is 0 or NaN."""
    return 1 if x > 0 else -1 if x < 0 else x


cdef int limit_norms(double limit, real[:, ::1] w) except -1 nogil:
    """w ← w c / ‖w‖ for the weights w of each unit, where c < ‖w‖ < ∞.

    w [in, out] IN and OUT
    """
    cdef Py_ssize_t i, j
    cdef real norm, factor
    for j in range(w.shape[1]):
        norm = 0
        for i in range(w.shape[0]):
            norm = multiply_add(w[i, j], w[i, j], norm)
        norm = root(norm)
        if norm > <real> limit and isfinite(norm):
            factor = <real> limit / norm
            for i in range(w.shape[0]):
                w[i, j] = w[i, j] * factor
    return 0


# Clipping, between the gradient of all layers and the update; and the penalty, whose squares are summed likewise.

cdef double sum_of_squares(const real[:, ::1] gradient, double total) except? -1:
    """total + Σ g², in double precision.

    The sum of each block of P × P numbers is added, panel after panel; in a block, each column has a partial sum, and
    these are folded by halves. gradient [in, out] IN, or [1, out] of biases
    """
    cdef double[PANEL] partial
    cdef Py_ssize_t panel, first, r, j, i, half, width = 128 // sizeof(real)
    for panel in range(0, gradient.shape[1], width):
        for first in range(0, gradient.shape[0], width):
            for j in range(width):
                partial[j] = 0
            for r in range(first, min(first + width, gradient.shape[0])):
                for j in range(panel, min(panel + width, gradient.shape[1])):
                    partial[j - panel] += <double> gradient[r, j] * <double> gradient[r, j]
            half = width
            while half > 1:
                half //= 2
                for i in range(half):
                    partial[i] += partial[i + half]
            total += partial[0]
    return total


cdef double penalty(list weights, double alpha, real zero) except? -1:
    """½ α Σ W² over the weights [in, out] of the layers that decay."""
    cdef double total = 0
    for array in weights:
        total += sum_of_squares[real](array, 0)
    return 0.5 * alpha * total


def gradient_norm(list gradients):
    """Return r and e with ‖g‖ = r 2^e; r is not finite if a number is not.

    e is 0, unless squares of float64 overflow or underflow. `gradients` has a list for each layer, of the arrays [in, out]
    and [1, out] that are trained.
    """
    cdef double total = 0, of_layer, largest = 0, scale, x
    cdef int exponent
    cdef Py_ssize_t width = 16
    if not any(gradients):
        return 0.0, 0
    single = next(filter(None, gradients))[0].dtype == np.float32
    for arrays in gradients:
        of_layer = 0
        for array in arrays:
            of_layer = sum_of_squares[float](array, of_layer) if single else sum_of_squares[double](array, of_layer)
        total += of_layer
    if single or 2.0 ** -900 < total < INFINITY:
        return sqrt(total), 0
    numbers = [array for arrays in gradients for array in arrays]
    if not all(np.isfinite(array).all() for array in numbers):
        return NAN, 0
    largest = max(np.abs(array).max() for array in numbers)
    if largest == 0:
        return 0.0, 0
    frexp(largest, &exponent)
    exponent = max(min(exponent, 1000), -1000)
    scale, total = ldexp(1, -exponent), 0
    for array in numbers:
        for first in range(0, array.shape[1], width):
            for x in array[:, first : first + width].ravel():
                total += x * scale * (x * scale)
    return sqrt(total), exponent


def clipping_factors(list gradients, str clip, double limit):
    """Return for each layer two factors of its gradient, or None if a number of the gradient is not finite.

    The first is a power of two, 1 where the norm is an ordinary number. Together they are limit / norm where the norm, of the layer's gradient or (`clip` "global_norm") of all, is above the limit.
    """
    cdef double norm, power, factor
    cdef int exponent
    factors = []
    for arrays in [[each] for each in gradients] if clip == "norm" else [gradients]:
        norm, exponent = gradient_norm(arrays)
        if not isfinite(norm):
            return None
        power = factor = 1
        if clip != "value" and norm > ldexp(limit, -exponent):
            power, factor = ldexp(1, -exponent), limit / norm
            if exponent == 0 and factor < 2.0 ** -60:
                power, factor = 2.0 ** -60, factor * 2.0 ** 60
        factors += [(power, factor)] * len(arrays)
    return factors


cdef int clip_gradient(const real[::1] gradient, double power, double factor, double limit,
                       real[::1] clipped) except -1 nogil:
    """g · power · factor, from −limit to limit; factors of 1 and a limit of ∞ change no bit."""
    cdef Py_ssize_t i
    for i in range(gradient.shape[0]):
        clipped[i] = gradient[i] * <real> power * <real> factor
        if clipped[i] > <real> limit:
            clipped[i] = <real> limit
        elif clipped[i] < <real> -limit:
            clipped[i] = <real> -limit
    return 0


# All of it together.

class Layer:
    """One dense layer in row-major arrays.

    Parameters
    ----------
    weights : ndarray, shape (in, out)
    biases : ndarray, shape (out,)
        Of the same dtype, float32 or float64. Both are changed in place.
    activation : str
    parameter : float
        Of the activation, if it has one.
    rule : str
        The update rule.
    rate_factors : (float, float)
        Of the learning rates of weights and biases.
    initial : float
        The last state begins with it, the others with 0.
    """

    def __init__(self, weights, biases, str activation, str rule="sgd", bint train_weights=True, bint train_biases=True,
                 double parameter=0, rate_factors=(1.0, 1.0), initial=0.0):
        self.weights, self.biases, self.activation = weights, biases, _activations.index(activation)
        self.train_weights, self.train_biases, self.parameter = train_weights, train_biases, parameter
        self.weights_rate_factor, self.biases_rate_factor = rate_factors
        count = cg_rule_states(_rules.index(rule))
        self.weight_states = [np.zeros_like(weights) if i < count else weights for i in range(CG_MOST_STATES)]
        self.bias_states = [np.zeros_like(biases) if i < count else biases for i in range(CG_MOST_STATES)]
        if initial:
            self.weight_states[count - 1].fill(initial)
            self.bias_states[count - 1].fill(initial)


cdef list _activations = list(_kernels.ACTIVATIONS), _losses = list(_kernels.LOSSES), _rules = list(_kernels.RULES)


def train_epoch(list layers, X, y, order, *, str loss, bint mean, Py_ssize_t batch_size, str rule, rates, steps=0,
                str clip=None, double clip_limit=0, parameters=None, weights=None, **hyperparameters):
    """Run one step per batch of `order`, as `Training.epoch` of the engine does.

    Parameters
    ----------
    layers : list of Layer
    X : ndarray, shape (n, in)
    y : ndarray, shape (n,) of int64, or (n, out)
        Class indices, or rows of numbers.
    order : ndarray of int64
        Row numbers of X and y; each batch takes the next `batch_size` of them.
    loss, rule : str
    parameters : ndarray of float64 or None
        Of the loss.
    weights : ndarray, shape (n,), or None
        Of the rows, which are numbers of the dtype.
    mean : bool
        Whether C is the mean of the losses of a batch, weighted, and not their sum.
    rates : sequence of float
        The learning rate of each step.
    steps : int
        Steps done before.
    clip : {"value", "norm", "global_norm"} or None
        How the gradient is clipped, at `clip_limit`, before weight decay and update.
    **hyperparameters : float
        Of the rule.

    Returns
    -------
    loss, metric : float
        Sums over the samples; the loss with the penalties ½ α Σ W² of the batches, where α is `l2_penalty`.
    done : int
        The number of steps. If the loss of a step, or a gradient to clip, is not finite, neither this step nor any after it is done.
    """
    cdef Optimizer optimizer = new_optimizer(rule, hyperparameters)
    cdef cg_update u
    cdef unsigned long saved
    cdef double loss_sum = 0, metric_sum = 0
    cdef int code = _losses.index(loss)
    dtype = layers[0].weights.dtype
    sums = np.empty(2)
    done = 0
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        x, targets = X[rows].astype(dtype), np.ascontiguousarray(y[rows], np.int64 if y.ndim == 1 else dtype)
        of_rows = None if weights is None else weights[rows]
        scale = 1.0 / (len(rows) if of_rows is None else sequential_sum(of_rows)) if mean else 1.0
        u = update_of_step(&optimizer, rates[done], scale, steps + done + 1)
        if of_rows is not None:
            of_rows = of_rows.astype(dtype)
        saved = cg_flush_denormals()
        try:
            if dtype == np.float32:
                train_batch[float](layers, x, targets, of_rows, code, parameters, scale, &u, &optimizer, clip, clip_limit,
                                   sums)
            else:
                train_batch[double](layers, x, targets, of_rows, code, parameters, scale, &u, &optimizer, clip, clip_limit,
                                    sums)
        finally:
            cg_restore_denormals(saved)
        if not isfinite(sums[0]):
            break
        done += 1
        loss_sum += sums[0]
        metric_sum += sums[1]
    return loss_sum, metric_sum, done


cdef double sequential_sum(const double[::1] numbers) except? -1:
    """The sum of float64 numbers, one after another."""
    cdef double total = 0
    cdef Py_ssize_t i
    for i in range(numbers.shape[0]):
        total += numbers[i]
    return total


cdef int train_batch(list layers, const real[:, ::1] x, targets, const real[::1] weights, int loss,
                     const double[::1] parameters, double scale, const cg_update *u, const Optimizer *optimizer,
                     clip, double limit, sums) except -1:
    """One step: forward from the first layer to the last, δ from the last to the first, then the updates."""
    cdef Py_ssize_t depth = len(layers), l
    cdef list a = [np.asarray(x)], z = [None], delta = [None] * (depth + 1)     # of layers 0 … depth
    cdef real[::1] log_sum_exp = np.empty(x.shape[0], a[0].dtype)
    cdef const real[:, ::1] y = targets if targets.ndim == 2 else None
    cdef const int64_t[::1] labels = targets if targets.ndim == 1 else None
    for l in range(1, depth + 1):
        z.append(np.empty((x.shape[0], len(layers[l - 1].biases)), a[0].dtype))
        a.append(np.empty_like(z[l]))
        forward[real](a[l - 1], layers[l - 1].weights, layers[l - 1].biases, z[l])
        activate[real](layers[l - 1].activation, layers[l - 1].parameter, z[l], a[l], log_sum_exp)
    delta[depth] = np.empty_like(a[depth])
    output_delta[real](loss, parameters, layers[depth - 1].activation, layers[depth - 1].parameter, scale, z[depth], a[depth],
                       y, labels, log_sum_exp, weights, delta[depth], sums)
    if optimizer.l2_penalty != 0:
        sums[0] += penalty[real]([layer.weights for layer in layers if layer.train_weights], optimizer.l2_penalty, 0)
    if not isfinite(sums[0]):
        return 0
    for l in range(depth - 1, 0, -1):
        delta[l] = np.empty_like(a[l])
        hidden_delta[real](layers[l - 1].activation, layers[l - 1].parameter, delta[l + 1], layers[l].weights, z[l], a[l],
                           delta[l])
    gradients = []
    for l in range(1, depth + 1):
        gradients.append(layer_gradient[real](layers[l - 1], a[l - 1], delta[l]))
    factors = [(1.0, 1.0)] * depth
    if clip is not None:
        factors = clipping_factors([[each for each in pair if each is not None] for pair in gradients], clip, limit)
        if factors is None:
            sums[0] = NAN
            return 0
    for l in range(depth, 0, -1):
        update_layer[real](layers[l - 1], gradients[l - 1], factors[l - 1], limit if clip == "value" else INFINITY, u, 0)
        if optimizer.max_norm != 0 and layers[l - 1].train_weights:
            limit_norms[real](optimizer.max_norm, layers[l - 1].weights)
    return 0


cdef layer_gradient(layer, const real[:, ::1] a, const real[:, ::1] delta):
    """∂C/∂W [in, out] and ∂C/∂b [1, out] of what is trained in a layer; None for what is not."""
    weights = biases = None
    if layer.train_weights:
        weights = np.empty_like(layer.weights)
        weight_gradient[real](a, delta, weights)
    if layer.train_biases:
        biases = np.empty((1, len(layer.biases)), layer.biases.dtype)
        bias_gradient[real](delta, biases[0])
    return weights, biases


cdef int update_layer(layer, gradients, factors, double limit, const cg_update *u, real zero) except -1:
    """The update of W, then of b, which does not decay."""
    cdef cg_update of_weights = update_of_layer(u, layer.weights_rate_factor, True)
    cdef cg_update of_biases = update_of_layer(u, layer.biases_rate_factor, False)
    weights, biases = gradients
    if layer.train_weights:
        clipped = np.empty_like(weights).reshape(-1)
        clip_gradient[real](weights.reshape(-1), factors[0], factors[1], limit, clipped)
        states = [state.reshape(-1) for state in layer.weight_states]
        update[real](&of_weights, clipped, layer.weights.reshape(-1), states[0], states[1], states[2])
    if layer.train_biases:
        clipped = np.empty_like(layer.biases)
        clip_gradient[real](biases[0], factors[0], factors[1], limit, clipped)
        states = layer.bias_states
        update[real](&of_biases, clipped, layer.biases, states[0], states[1], states[2])
    return 0


include "loops_layers.pyx"
