"""The numbers of one step of an optimiser, the same for all parameters, in double precision.

`training` and `loops` include this file: both take the numbers of a step from here, and csrc/optimizers.h has the rules
that use them.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from cygrad._engine.kernels cimport (
    CG_CORRECTS_MOMENTS, CG_RULE_adamax, CG_RULE_nadam, CG_RULE_radam, cg_rule_properties, cg_rule_states, cg_update
)


cdef double LN_096 = -0.04082199452025512955      # ln 0.96


# An optimiser: the numbers that no step changes, and the product that NAdam continues.
cdef struct Optimizer:
    cg_update constants         # the rule, and all numbers but those that depend on the step
    int states                  # of a parameter
    double decoupled_decay      # λ′: w ← w (1 − η λ′)
    double l2_penalty           # α: the loss of a batch includes ½ α Σ W², scaled as the loss is
    double l1
    double max_norm             # of a unit's weights; 0: no limit
    bint epsilon_hat            # whether ε is added to the root before its correction, and not after it
    double initial              # the last state of each parameter begins with it, and the others with 0
    double mu_base              # 0.96^ψ of NAdam
    int64_t factors             # of the product μ₁ ⋯ μₜ, the number t
    double product


HYPERPARAMETERS = frozenset((
    "momentum", "beta1", "beta2", "epsilon", "weight_decay", "decoupled_decay", "l2_penalty", "l1", "max_norm",
    "initial", "epsilon_hat", "momentum_decay", "decrease", "increase", "least_step", "largest_step",
))


cdef Optimizer new_optimizer(str rule, dict numbers):
    """Return the optimiser of a rule with some of the HYPERPARAMETERS; the others are 0."""
    cdef Optimizer o
    cdef cg_update *u = &o.constants
    if not HYPERPARAMETERS.issuperset(numbers):
        raise TypeError(f"unknown hyperparameters: {', '.join(sorted(numbers.keys() - HYPERPARAMETERS))}")
    u.rule = _rules.index(rule)
    u.rate = u.shrinkage = u.threshold = u.gradient_rate = u.root_factor = 0
    u.momentum, u.beta1, u.beta2 = numbers.get("momentum", 0), numbers.get("beta1", 0), numbers.get("beta2", 0)
    u.epsilon, u.weight_decay = numbers.get("epsilon", 0), numbers.get("weight_decay", 0)
    u.decrease, u.increase = numbers.get("decrease", 0), numbers.get("increase", 0)
    u.least_step, u.largest_step = numbers.get("least_step", 0), numbers.get("largest_step", 0)
    o.states = cg_rule_states(u.rule)
    o.decoupled_decay, o.l2_penalty = numbers.get("decoupled_decay", 0), numbers.get("l2_penalty", 0)
    o.l1, o.max_norm, o.epsilon_hat = numbers.get("l1", 0), numbers.get("max_norm", 0), numbers.get("epsilon_hat", False)
    o.initial, o.mu_base, o.factors, o.product = numbers.get("initial", 0), 1, 0, 1
    if "momentum_decay" in numbers:     # the kernels' exp has the same bits everywhere, unlike pow of the C library
        o.mu_base = _kernels.evaluate("exp", np.array([numbers["momentum_decay"] * LN_096], np.float64))[0]
    return o



cdef double integer_power(double base, int64_t exponent) noexcept nogil:
    """Compute baseⁿ by repeated squaring: pow of the C library does not promise the same bits everywhere."""
    cdef double result = 1
    cdef double[2] factor       # indexed by the last bit of the exponent: a branch on it would often be mispredicted
    factor[0] = 1
    while exponent:
        factor[1] = base
        result *= factor[exponent & 1]
        base *= base
        exponent >>= 1
    return result


cdef double nadam_mu(const Optimizer *o, int64_t t) noexcept nogil:
    """μₜ = β₁ (1 − ½ · 0.96^(t ψ))"""
    return o.constants.beta1 * (1 - 0.5 * integer_power(o.mu_base, t))


cdef cg_update update_of_step(Optimizer *o, double rate, double scale, int64_t t) noexcept nogil:
    """Return the update of step t, counted from 1, with the learning rate `rate`; `scale` is that of the loss."""
    cdef cg_update u = o.constants
    cdef double correction, mu, next_mu, limit, power, rho
    u.rate, u.shrinkage, u.threshold = rate, rate * o.decoupled_decay, rate * o.l1
    if o.l2_penalty:
        u.weight_decay += o.l2_penalty * scale
    if cg_rule_properties(u.rule) & CG_CORRECTS_MOMENTS:
        correction = sqrt(1 - integer_power(u.beta2, t))
        u.rate = rate * correction / (1 - integer_power(u.beta1, t))
        if not o.epsilon_hat:
            u.epsilon *= correction
        if u.rule == CG_RULE_nadam:
            # Usually one more factor; after a resumption, or a step that was given up, the product up to there.
            if o.factors > t:
                o.factors, o.product = 0, 1
            while o.factors < t:
                o.factors += 1
                o.product *= nadam_mu(o, o.factors)
            mu, next_mu = nadam_mu(o, t), nadam_mu(o, t + 1)
            u.gradient_rate = rate * correction * (1 - mu) / (1 - o.product)
            u.rate = rate * correction * next_mu / (1 - o.product * next_mu)
    elif u.rule == CG_RULE_adamax:
        u.rate = rate / (1 - integer_power(u.beta1, t))
    elif u.rule == CG_RULE_radam:
        power = integer_power(u.beta2, t)
        limit = 2 / (1 - u.beta2) - 1
        rho = limit - 2 * t * power / (1 - power)
        u.rate = rate / (1 - integer_power(u.beta1, t))
        if rho > 5:
            u.rate *= sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho) * (1 - power))
            u.root_factor = 1
        else:
            u.epsilon = 1       # r √v + ε̂ is 1
    return u
