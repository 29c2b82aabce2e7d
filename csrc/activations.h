/* activations.h: the table of activations a = σ(z) and their slopes σ′(z).
 *
 * A slope is computed from z or a, whichever is cheaper. `parameter` is the number that some activations have: the
 * slope of leaky_relu, α of elu, ω of sine. The expressions use the vector functions of functions.h and
 * activation_functions.h and are expanded in elementwise.h; softmax, whose outputs depend on the whole row, is in
 * output.h. The enum, the names and the properties come from the same rows: see cygrad.h. */
#ifndef CG_ACTIVATIONS_H
#define CG_ACTIVATIONS_H

/*              name          properties                a = σ(z)                            σ′(z) */
#define CG_ACTIVATIONS(ELEMENTWISE, WHOLE_ROWS)                                                                 \
    ELEMENTWISE(identity,     CG_INCREASING | CG_CHEAP, z,                                  splat(1))               \
    ELEMENTWISE(sigmoid,      CG_INCREASING,            sigmoid(z),                         a * (splat(1) - a))     \
    ELEMENTWISE(tanh,         CG_INCREASING,            tanh_(z),                           fma_(-a, a, splat(1)))  \
    ELEMENTWISE(relu,         CG_CHEAP,                 maximum(zero(), z),                 relu_slope(a))          \
    ELEMENTWISE(gaussian,     CG_NEEDS_Z,               gaussian(z),                        splat(-2) * z * a)      \
    ELEMENTWISE(leaky_relu,   CG_INCREASING | CG_CHEAP, leaky_relu(z, parameter),                                   \
                select_(a > zero(), splat(1), parameter))                                                           \
    ELEMENTWISE(elu,          CG_INCREASING,            elu(z, parameter),                                          \
                select_(a > zero(), splat(1), a + parameter))                                                       \
    ELEMENTWISE(selu,         CG_INCREASING,            selu(z),                                                    \
                select_(a > zero(), splat((real)CG_SELU_SCALE), a + splat((real)CG_SELU_SCALE_ALPHA)))              \
    ELEMENTWISE(gelu,         CG_NEEDS_Z,               gelu(z),                            gelu_slope(z, a))       \
    ELEMENTWISE(gelu_tanh,    CG_NEEDS_Z,               gelu_tanh(z),                       gelu_tanh_slope(z, a))  \
    ELEMENTWISE(silu,         CG_NEEDS_Z,               silu(z),                            silu_slope(z, a))       \
    ELEMENTWISE(mish,         CG_NEEDS_Z,               mish(z),                            mish_slope(z))          \
    ELEMENTWISE(softplus,     CG_INCREASING,            softplus(z),                        -elu(-a, splat(1)))     \
    ELEMENTWISE(softsign,     CG_INCREASING | CG_CHEAP, softsign(z),                        softsign_slope(a))      \
    ELEMENTWISE(hard_tanh,    CG_CHEAP,                 clamp(z, splat(-1), splat(1)),      hard_tanh_slope(a))     \
    ELEMENTWISE(hard_sigmoid, CG_CHEAP,                 hard_sigmoid(z),                    hard_sigmoid_slope(a))  \
    ELEMENTWISE(sine,         CG_NEEDS_Z,               sine(z, parameter),                                        \
                parameter * cosine(z, parameter))                                                                   \
    ELEMENTWISE(exp,          CG_INCREASING,            shared_exp(z),                      a)                      \
    WHOLE_ROWS(softmax,       CG_INCREASING | CG_WHOLE_ROWS)

#endif
