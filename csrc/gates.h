/* gates.h: the gates of compiled tapes, each with its value and its local derivatives.
 *
 * a and b are the operands, y is the value. Each operation of a derivative is rounded once, in the order written here.
 * `cygrad.graph` does the same, so the two agree in every bit. The expressions use functions of simd.h, trigonometry.h,
 * power.h and tape_kernels.h; the names alone can be expanded without them. */
#ifndef CG_GATES_H
#define CG_GATES_H

/*         gate        y                             ∂y/∂a                     ∂y/∂b */
#define CG_GATES(UNARY, BINARY)                                                                                    \
    BINARY(add,        a + b,                        one,                      one)                                \
    BINARY(sub,        a - b,                        one,                      -one)                               \
    BINARY(mul,        a * b,                        b,                        a)                                  \
    BINARY(div,        a / b,                        one / b,                  -(y / b))                           \
    BINARY(power,      power(a, b),                 masked(b * power(a, b - one), b != zero()),                    \
                                                     masked(y * log_everywhere(a), y != zero()))                     \
    BINARY(max,        max_of(a, b),                 masked(one, a >= b),        one - masked(one, a >= b))            \
    BINARY(min,        min_of(a, b),                 masked(one, a <= b),        one - masked(one, a <= b))            \
    UNARY(neg,         -a,                           -one)                                                         \
    UNARY(reciprocal,  one / a,                      -(y * y))                                                     \
    UNARY(square,      a * a,                        splat(2) * a)                                                 \
    UNARY(abs,         abs_(a),                      masked(one, a > zero()) - masked(one, a < zero()))                \
    UNARY(exp,         exp_of(a),                    y)                                                            \
    UNARY(log,         log_everywhere(a),            one / a)                                                      \
    UNARY(sqrt,        sqrt_(a),                     splat(0.5) / y)                                               \
    UNARY(sin,         sin_(a),                      cos_(a))                                                      \
    UNARY(cos,         cos_(a),                      -sin_(a))                                                     \
    UNARY(tanh,        tanh_of(a),                   one - y * y)                                                  \
    UNARY(sigmoid,     sigmoid_of(a),                y * (one - y))                                                \
    UNARY(relu,        relu_of(a),                   masked(one, a > zero()))                                        \
    UNARY(gaussian,    gaussian_of(a),               splat(-2) * a * y)

#endif
