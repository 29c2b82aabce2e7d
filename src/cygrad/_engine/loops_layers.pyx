"""The bits of the layers that are not dense: norms, scaling, dropout, noise. `loops` includes this file.

Sums over the rows of a batch are chains in their order; sums over the columns of a row have P partial sums.
"""

from libc.stdint cimport uint32_t, uint64_t

from cygrad._engine.kernels cimport cg_noise


cdef inline real epsilon_of(double epsilon, real zero) noexcept nogil:
    return <real> max(epsilon, FLT_MIN if real is float else DBL_MIN)    # or it would be flushed to 0


# Batch norm: z = γ x̂ + β with x̂ = (x − mean) / √(variance + ε), for each column.

cdef int moments(const real[:, ::1] x, real[::1] mean, real[::1] variance) except -1 nogil:
    """Mean and variance of each column; the first row is subtracted before the rows are added.

    x [batch, units] IN, mean, variance [units] OUT
    """
    cdef Py_ssize_t r, j
    cdef real n = <real> x.shape[0], total, error
    for j in range(x.shape[1]):
        total = 0
        for r in range(x.shape[0]):
            total += x[r, j] - x[0, j]
        mean[j] = x[0, j] + total / n
        total = 0
        for r in range(x.shape[0]):
            error = x[r, j] - mean[j]
            total = multiply_add(error, error, total)
        variance[j] = total / n
    return 0


cdef int batch_norm(const real[:, ::1] x, const real[::1] mean, const real[::1] variance, const real[::1] scale,
                    const real[::1] shift, double epsilon, real[:, ::1] normalized, real[:, ::1] z) except -1 nogil:
    """x [batch, units] IN, mean, variance, scale, shift [units] IN, normalized, z [batch, units] OUT"""
    cdef Py_ssize_t r, j
    cdef real inverse
    for j in range(x.shape[1]):
        inverse = <real> 1 / root(variance[j] + epsilon_of[real](epsilon, 0))
        for r in range(x.shape[0]):
            normalized[r, j] = (x[r, j] - mean[j]) * inverse
            z[r, j] = multiply_add(normalized[r, j], scale[j], shift[j])
    return 0


cdef int batch_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized, const real[::1] variance,
                          const real[::1] scale, double epsilon, bint constant, real[:, ::1] below) except -1 nogil:
    """∂C/∂x = γ / √(variance + ε) (δ − Σ δ / n − x̂ Σ δ x̂ / n); without the sums if mean and variance are constant.

    delta, normalized [batch, units] IN, variance, scale [units] IN, below [batch, units] OUT
    """
    cdef Py_ssize_t r, j
    cdef real n = <real> delta.shape[0], factor, total, product
    for j in range(delta.shape[1]):
        factor = scale[j] * (<real> 1 / root(variance[j] + epsilon_of[real](epsilon, 0)))
        total = product = 0
        for r in range(delta.shape[0]):
            total += delta[r, j]
            product = multiply_add(delta[r, j], normalized[r, j], product)
        for r in range(delta.shape[0]):
            if constant:
                below[r, j] = factor * delta[r, j]
            else:
                below[r, j] = factor * multiply_add(-normalized[r, j], product / n, delta[r, j] - total / n)
    return 0


cdef int running_moments(Py_ssize_t n, double momentum, const real[::1] mean, const real[::1] variance,
                         real[::1] running_mean, real[::1] running_variance) except -1 nogil:
    """r ← r + momentum (new − r), with the unbiased variance. All [units]: the new ones IN, the running ones IN and OUT"""
    cdef Py_ssize_t j
    cdef real unbiased = <real> (<double> n / <double> (n - 1))
    for j in range(mean.shape[0]):
        running_mean[j] = multiply_add(<real> momentum, mean[j] - running_mean[j], running_mean[j])
        running_variance[j] = multiply_add(<real> momentum, unbiased * variance[j] - running_variance[j],
                                           running_variance[j])
    return 0


# Layer norm: the same with mean and variance of each row.

cdef int layer_norm(const real[:, ::1] x, const real[::1] scale, const real[::1] shift, double epsilon,
                    real[:, ::1] normalized, real[::1] inverse, real[:, ::1] z) except -1 nogil:
    """x [batch, units] IN, scale, shift [units] IN, normalized, z [batch, units] OUT, inverse [batch] OUT"""
    cdef real[PANEL] partial
    cdef real units = <real> x.shape[1], mean, error
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for r in range(x.shape[0]):
        for j in range(width):
            partial[j] = 0
        for j in range(x.shape[1]):
            partial[j % width] += x[r, j] - x[r, 0]
        mean = x[r, 0] + fold_sum(partial, width) / units
        for j in range(width):
            partial[j] = 0
        for j in range(x.shape[1]):
            error = x[r, j] - mean
            partial[j % width] = multiply_add(error, error, partial[j % width])
        inverse[r] = <real> 1 / root(fold_sum(partial, width) / units + epsilon_of[real](epsilon, 0))
        for j in range(x.shape[1]):
            normalized[r, j] = (x[r, j] - mean) * inverse[r]
            z[r, j] = multiply_add(normalized[r, j], scale[j], shift[j])
    return 0


cdef int layer_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized, const real[::1] inverse,
                          const real[::1] scale, real[:, ::1] below) except -1 nogil:
    """∂C/∂x = (g − Σ g / units − x̂ Σ g x̂ / units) / √(variance + ε) with g = γ δ and sums over the row.

    delta, normalized [batch, units] IN, inverse [batch] IN, scale [units] IN, below [batch, units] OUT
    """
    cdef real[PANEL] sums, products
    cdef real units = <real> delta.shape[1], g, mean, slope_mean
    cdef Py_ssize_t r, j, width = 128 // sizeof(real)
    for r in range(delta.shape[0]):
        for j in range(width):
            sums[j] = products[j] = 0
        for j in range(delta.shape[1]):
            g = delta[r, j] * scale[j]
            sums[j % width] += g
            products[j % width] = multiply_add(g, normalized[r, j], products[j % width])
        mean, slope_mean = fold_sum(sums, width) / units, fold_sum(products, width) / units
        for j in range(delta.shape[1]):
            g = delta[r, j] * scale[j]
            below[r, j] = inverse[r] * multiply_add(-normalized[r, j], slope_mean, g - mean)
    return 0


# Scaling: z = γ x, and ∂C/∂x = γ δ.

cdef int scale_columns(const real[:, ::1] x, const real[::1] scale, real[:, ::1] out) except -1 nogil:
    """x [batch, units] IN, scale [units] IN, out [batch, units] OUT"""
    cdef Py_ssize_t r, j
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[r, j] = x[r, j] * scale[j]
    return 0


# Of norms, and of scaling with x in the place of x̂.

cdef int scale_gradient(const real[:, ::1] delta, const real[:, ::1] normalized, real[::1] gradient) except -1 nogil:
    """∂C/∂γ = Σ δ x̂ over the samples, in their order.

    delta, normalized [batch, units] IN, gradient [units] OUT
    """
    cdef Py_ssize_t r, j
    for j in range(gradient.shape[0]):
        gradient[j] = 0
        for r in range(delta.shape[0]):
            gradient[j] = multiply_add(delta[r, j], normalized[r, j], gradient[j])
    return 0


# Dropout and noise.

cdef uint32_t random_word(const cg_noise *noise, int64_t row, Py_ssize_t unit) noexcept nogil:
    """Philox4x32-10 of unit, row, step and layer, keyed by the seed (Salmon, Moraes, Dror & Shaw 2011).

    32 units share 8 calls: unit i of them has word i / 8 of call i mod 8.
    """
    cdef uint32_t[4] word
    cdef uint32_t key0 = <uint32_t> noise.seed, key1 = <uint32_t> (noise.seed >> 32)
    cdef uint64_t product0, product1
    cdef int i
    word[0] = <uint32_t> (unit // 32 * 8 + unit % 8)
    word[1], word[2] = <uint32_t> row, <uint32_t> noise.step
    word[3] = <uint32_t> noise.layer + (<uint32_t> (row >> 32) << 16)
    for i in range(10):
        product0 = <uint64_t> 0xD2511F53 * word[0]
        product1 = <uint64_t> 0xCD9E8D57 * word[2]
        word[0] = <uint32_t> (product1 >> 32) ^ word[1] ^ key0
        word[2] = <uint32_t> (product0 >> 32) ^ word[3] ^ key1
        word[1], word[3] = <uint32_t> product1, <uint32_t> product0
        key0 += <uint32_t> 0x9E3779B9
        key1 += <uint32_t> 0xBB67AE85
    return word[unit % 32 // 8]


cdef int dropout(const real[:, ::1] x, const cg_noise *noise, real[:, ::1] kept, real[:, ::1] a) except -1 nogil:
    """a = x ⊙ kept, where kept is 0 with probability `amount`, else 1 / (1 − amount).

    x [batch, units] IN, kept, a [batch, units] OUT
    """
    cdef Py_ssize_t r, j
    cdef uint32_t threshold = <uint32_t> (noise.amount * 4294967296.0)
    cdef real factor = <real> (1 / (1 - noise.amount))
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            kept[r, j] = factor if random_word(noise, noise.row + r, j) >= threshold else 0
            a[r, j] = x[r, j] * kept[r, j]
    return 0


cdef int add_noise(const real[:, ::1] x, const cg_noise *noise, real[:, ::1] a) except -1 nogil:
    """a = x + amount n with standard normal numbers n: two words make two of them (Box & Muller 1958).

    x [batch, units] IN, a [batch, units] OUT
    """
    cdef Py_ssize_t r, j, first
    cdef real radius, normal
    cdef real[2] direction      # cosine and sine
    for r in range(x.shape[0]):
        for j in range(x.shape[1]):
            first = j - j % 16 + j % 8      # of words 0 and 1, or 2 and 3, of the same call
            radius = (<real> (random_word(noise, noise.row + r, first) >> 8) + 1) * <real> (1.0 / 16777216)
            radius = root(larger(<real> 0, <real> -2 * log(radius)))
            circle(multiply_add(<real> (random_word(noise, noise.row + r, first + 8) >> 8),
                                <real> (1.0 / 16777216), <real> -0.5), direction)
            normal = direction[1 if j % 16 >= 8 else 0] * radius
            a[r, j] = multiply_add(<real> noise.amount, normal, x[r, j])
    return 0


cdef double[9] _sines, _cosines
_sines[:] = [1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0,
             -1.0 / 1307674368000.0, 1.0 / 355687428096000.0]
_cosines[:] = [1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600.0,
               -1.0 / 87178291200.0, 1.0 / 20922789888000.0]


cdef int circle(real t, real *direction) noexcept nogil:
    """cos(2π t) and sin(2π t) for −½ ≤ t ≤ ½: n quarters of a turn and the rest, by Taylor's series."""
    cdef real magic = 12582912.0 if real is float else 6755399441055744.0       # 1.5 · 2ᵇ rounds to an integer
    cdef real whole = multiply_add(<real> 4, t, magic) - magic
    cdef int i, terms = 5 if real is float else 9, quarter = <int> whole
    cdef real x = multiply_add(<real> -0.25, whole, t) * <real> 6.283185307179586, square = x * x
    cdef real s = <real> _sines[terms - 1], c = <real> _cosines[terms - 1]
    for i in range(terms - 2, -1, -1):
        s = multiply_add(s, square, <real> _sines[i])
        c = multiply_add(c, square, <real> _cosines[i])
    s = s * x
    if quarter & 1:
        s, c = c, s
    direction[0] = -c if (quarter + 1) & 2 else c
    direction[1] = -s if quarter & 2 else s
    return 0
