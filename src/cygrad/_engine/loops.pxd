from libc.stdint cimport int32_t, int64_t

from cygrad._engine.kernels cimport cg_noise, cg_update


ctypedef fused real:
    float
    double


cdef int forward(const real[:, ::1] a, const real[:, ::1] w, const real[::1] b, real[:, ::1] z) except -1 nogil
cdef int expand(const int64_t[::1] starts, const int32_t[::1] columns, const real[::1] values, real[:, ::1] a) except -1 nogil
cdef int activate(int activation, double parameter, const real[:, ::1] z, real[:, ::1] a,
                  real[::1] log_sum_exp) except -1 nogil
cdef int multiply_slope(int activation, double parameter, const real[:, ::1] z, const real[:, ::1] a,
                        real[:, ::1] delta) except -1 nogil
cdef int output_delta(int loss, const double[::1] parameters, int activation, double parameter, double scale,
                      const real[:, ::1] z, const real[:, ::1] a, const real[:, ::1] y, const int64_t[::1] labels,
                      const real[::1] log_sum_exp, const real[::1] weights, real[:, ::1] delta,
                      double[::1] sums) except -1 nogil
cdef int hidden_delta(int activation, double parameter, const real[:, ::1] delta_above, const real[:, ::1] w,
                      const real[:, ::1] z, const real[:, ::1] a, real[:, ::1] delta) except -1 nogil
cdef int weight_gradient(const real[:, ::1] a, const real[:, ::1] delta, real[:, ::1] gradient) except -1 nogil
cdef int bias_gradient(const real[:, ::1] delta, real[::1] gradient) except -1 nogil
cdef int clip_gradient(const real[::1] gradient, double power, double factor, double limit,
                       real[::1] clipped) except -1 nogil
cdef int update(const cg_update *u, const real[::1] gradient, real[::1] w, real[::1] state1,
                real[::1] state2, real[::1] state3) except -1 nogil
cdef double penalty(list weights, double alpha, real zero) except? -1
cdef int limit_norms(double limit, real[:, ::1] w) except -1 nogil

# Of loops_layers.pyx.
cdef int moments(const real[:, ::1] x, real[::1] mean, real[::1] variance) except -1 nogil
cdef int batch_norm(const real[:, ::1] x, const real[::1] mean, const real[::1] variance, const real[::1] scale,
                    const real[::1] shift, double epsilon, real[:, ::1] normalized, real[:, ::1] z) except -1 nogil
cdef int batch_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized, const real[::1] variance,
                          const real[::1] scale, double epsilon, bint constant, real[:, ::1] below) except -1 nogil
cdef int layer_norm(const real[:, ::1] x, const real[::1] scale, const real[::1] shift, double epsilon,
                    real[:, ::1] normalized, real[::1] inverse, real[:, ::1] z) except -1 nogil
cdef int layer_norm_delta(const real[:, ::1] delta, const real[:, ::1] normalized, const real[::1] inverse,
                          const real[::1] scale, real[:, ::1] below) except -1 nogil
cdef int scale_columns(const real[:, ::1] x, const real[::1] scale, real[:, ::1] out) except -1 nogil
cdef int scale_gradient(const real[:, ::1] delta, const real[:, ::1] normalized, real[::1] gradient) except -1 nogil
cdef int running_moments(Py_ssize_t n, double momentum, const real[::1] mean, const real[::1] variance,
                         real[::1] running_mean, real[::1] running_variance) except -1 nogil
cdef int dropout(const real[:, ::1] x, const cg_noise *noise, real[:, ::1] kept, real[:, ::1] a) except -1 nogil
cdef int add_noise(const real[:, ::1] x, const cg_noise *noise, real[:, ::1] a) except -1 nogil
