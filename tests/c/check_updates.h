/* check_updates.h: the update rules, number by number, and the limit of norms. */
#ifndef CHECK_UPDATES_H
#define CHECK_UPDATES_H

#include "checks.h"

/* A step with numbers that suit every rule; decay: in the gradient, apart from it, and to zero. */
static cg_update update_of(int rule, double decay)
{
    return (cg_update){.rule = rule, .rate = 0.01, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-7,
                       .weight_decay = decay, .shrinkage = decay / 3, .threshold = decay / 2, .gradient_rate = 0.03,
                       .root_factor = 0.75, .decrease = 0.5, .increase = 1.25, .least_step = 0.4, .largest_step = 0.6};
}

/* An optimiser state of the parameters p, of the same shape, or NULL if the rule has none; squares: not negative. */
static buffer *state_of(const char *name, const buffer *p, int wanted, int squares)
{
    if (!wanted) return NULL;
    buffer *s = p->capacity == 1 ? biases_of(name, p->cols) : weights_of(name, p->rows, p->cols);
    for (ptrdiff_t i = 0; squares && i < s->count; i++)
        if (s->expected[i] != UNTOUCHED) set(s, i, fabs(s->expected[i]));
    return s;
}

/* The states of some parameters, and the distances to them in bytes; to forbidden memory where there is no state. */
typedef struct {
    buffer *state[CG_MOST_STATES];
    ptrdiff_t offsets[CG_MOST_STATES];
} optimizer_states;

static optimizer_states states_of(const buffer *p, int rule)
{
    static const char *NAMES[CG_MOST_STATES] = {"state1", "state2", "state3"};
    /* The first state can be negative: a velocity, or a mean of gradients. Of these rules it is a mean of squares. */
    int first_is_square = strncmp(cg_rule_name(rule), "rmsprop", 7) == 0 || rule == CG_RULE_adagrad ||
                          rule == CG_RULE_adadelta;
    optimizer_states s;
    for (int i = 0; i < CG_MOST_STATES; i++) {
        s.state[i] = state_of(NAMES[i], p, cg_rule_states(rule) > i, i > 0 || first_is_square);
        if (s.state[i]) s.state[i]->any_padding = rule == CG_RULE_adamax; /* its size is never 0 */
        const char *there = s.state[i] ? s.state[i]->actual : forbidden();
        s.offsets[i] = (ptrdiff_t)((intptr_t)there - (intptr_t)p->actual);
    }
    return s;
}

static double larger(double a, double b) { return a > b ? a : b; }
static double smaller(double a, double b) { return a < b ? a : b; }
static double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double root(double x) { return rounded(sqrt(x)); }
static double plus(double a, double b) { return rounded(a + b); }
static double minus(double a, double b) { return rounded(a - b); }
static double times(double a, double b) { return rounded(a * b); }
static double over(double a, double b) { return rounded(a / b); }

/* A running mean after one more number, and one of squares. */
static double toward(double mean, double share, double g) { return fused(share, minus(g, mean), mean); }
static double mean_square(double mean, double share, double g) { return fused(share, fused(g, g, -mean), mean); }

/* Compute w after a step with the gradient g, and its states, as csrc/optimizers.h says; each operation is rounded to
 * the kernels' dtype. */
static double stepped(const cg_update *u, double w, double g, double *s)
{
    double rate = rounded(u->rate), momentum = rounded(u->momentum), epsilon = rounded(u->epsilon);
    double share1 = rounded(1 - u->beta1), share2 = rounded(1 - u->beta2);
    double first = toward(s[0], share1, g), square = mean_square(s[1], share2, g), d, v;
    if (u->weight_decay != 0 || u->shrinkage != 0) w = times(rounded(1 - u->shrinkage), w);
    switch (u->rule) {
    case CG_RULE_store: return g;
    case CG_RULE_sgd: return fused(-rate, g, w);
    case CG_RULE_momentum:
    case CG_RULE_nesterov:
        d = times(rate, g);
        s[0] = fused(momentum, s[0], -d);
        return plus(w, u->rule == CG_RULE_momentum ? s[0] : fused(momentum, s[0], -d));
    case CG_RULE_adam:
        s[0] = first, s[1] = square;
        return minus(w, over(times(rate, first), plus(root(square), epsilon)));
    case CG_RULE_amsgrad:
        s[0] = first, s[1] = square, s[2] = larger(s[2], square);
        return minus(w, over(times(rate, first), plus(root(s[2]), epsilon)));
    case CG_RULE_nadam:
        s[0] = first, s[1] = square;
        d = fused(rate, first, times(rounded(u->gradient_rate), g));
        return minus(w, over(d, plus(root(square), epsilon)));
    case CG_RULE_radam:
        s[0] = first, s[1] = square;
        return minus(w, over(times(rate, first), fused(rounded(u->root_factor), root(square), epsilon)));
    case CG_RULE_adamax:
        s[0] = first, s[1] = larger(times(rounded(u->beta2), s[1]), plus(fabs(g), epsilon));
        return minus(w, over(times(rate, first), s[1]));
    case CG_RULE_rmsprop:
    case CG_RULE_rmsprop_momentum:
    case CG_RULE_rmsprop_centered:
    case CG_RULE_rmsprop_centered_momentum: {
        int centered = u->rule != CG_RULE_rmsprop && u->rule != CG_RULE_rmsprop_momentum;
        s[0] = v = mean_square(s[0], share2, g);
        if (centered) s[1] = toward(s[1], share2, g), v = larger(0, fused(-s[1], s[1], v));
        d = over(times(rate, g), plus(root(v), epsilon));
        if (u->rule == CG_RULE_rmsprop_momentum) s[1] = d = fused(momentum, s[1], d);
        if (u->rule == CG_RULE_rmsprop_centered_momentum) s[2] = d = fused(momentum, s[2], d);
        return minus(w, d);
    }
    case CG_RULE_adagrad:
        s[0] = fused(g, g, s[0]);
        return minus(w, over(times(rate, g), plus(root(s[0]), epsilon)));
    case CG_RULE_adadelta:
        s[0] = mean_square(s[0], share2, g);
        d = times(over(root(plus(s[1], epsilon)), root(plus(s[0], epsilon))), g);
        s[1] = mean_square(s[1], share2, d);
        return fused(-rate, d, w);
    case CG_RULE_lion:
        s[0] = toward(s[0], share2, g); /* `first` is of the state before */
        return fused(-rate, sign(first), w);
    case CG_RULE_rprop:
        d = times(sign(g), s[0]), s[0] = sign(g);
        if (d > 0) s[1] = smaller(times(s[1], rounded(u->increase)), rounded(u->largest_step));
        if (d < 0) s[1] = larger(times(s[1], rounded(u->decrease)), rounded(u->least_step)), s[0] = 0;
        return fused(-times(rate, s[1]), s[0], w);
    }
    return NAN;
}

/* Expect parameter [r, c] and its states after an update with gradient g. */
static void expect_update(const cg_update *u, double g, buffer *p, const optimizer_states *states, ptrdiff_t r,
                          ptrdiff_t c)
{
    double w = at(p, r, c), s[CG_MOST_STATES] = {0}, threshold = rounded(u->threshold);
    for (int i = 0; i < cg_rule_states(u->rule); i++) s[i] = at(states->state[i], r, c);
    if (u->weight_decay != 0 || u->shrinkage != 0) g = fused(rounded(u->weight_decay), w, g);
    w = stepped(u, w, g, s);
    if (threshold > 0) w = minus(w, larger(smaller(w, threshold), -threshold));
    for (int i = 0; i < cg_rule_states(u->rule); i++) expect(states->state[i], r, c, s[i], 0);
    expect(p, r, c, w, 0);
}

/* w[:, j] = w[:, j] · limit / ‖w[:, j]‖ where limit < ‖w[:, j]‖ < ∞ */
static void limit_norms_case(ptrdiff_t in, ptrdiff_t out, double limit)
{
    for (ptrdiff_t panel = 0; panel < panels(out); panel += panels(out) > 1 ? panels(out) - 1 : 1) EACH_KIND {
        if (!begin("limit_norms in=%td out=%td panel=%td limit=%g", in, out, panel, limit)) continue;
        buffer *w = weights_of("w", in, out);
        cg_matrix w_matrix = matrix_of(w);
        k->limit_norms(panel, in, &w_matrix, limit);
        for (ptrdiff_t j = panel * k->panel_width; j < out && j < (panel + 1) * k->panel_width; j++) {
            double sum = 0, most = rounded(limit);
            for (ptrdiff_t i = 0; i < in; i++) sum = fused(at(w, i, j), at(w, i, j), sum);
            double norm = root(sum);
            for (ptrdiff_t i = 0; norm > most && isfinite(norm) && i < in; i++)
                expect(w, i, j, times(at(w, i, j), over(most, norm)), 0);
        }
        end();
    }
}

static void check_limit_norms(void)
{
    static const ptrdiff_t INPUTS[] = {1, 2, 7, 33}, OUTPUTS[] = {1, 5, 17, 33, 65};
    EACH(in, INPUTS) EACH(out, OUTPUTS) for (int i = 0; i < 2; i++) limit_norms_case(in, out, i ? 0.6 : 1e-3);
}

#endif
