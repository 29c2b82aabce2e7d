"""A plan whose operations are run by the plain loops of `loops`, and by no kernel: what ``CYGRAD_ENGINE=loops`` uses.

Everything around it stays the same, so that the whole package runs on the definition of its bits, on one thread and
slowly. Matrices are copied out of their panels before an operation, and back into them after it.
"""

cimport cython

from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from cygrad._engine cimport loops
from cygrad._engine.equations cimport (
    BATCH_NORM, CLIP_NORM, CLIP_VALUE, DENSE, DROPOUT, LAYER_NORM, RESIDUAL_SUM, SCALING, Layer, Pass, Workspace,
    from_row, update_of_layer
)
from cygrad._engine.kernels cimport (
    CG_ACTIVATION_identity, CG_FLOAT32, CG_FLOAT64, CG_MOST_STATES, CG_PANEL_BYTES, CG_RULE_store, CG_UINT64,
    CG_WHOLE_ROWS, cg_activation_properties, cg_keep_denormals, cg_matrix, cg_noise, cg_read_nonzeros_f32,
    cg_read_nonzeros_f64, cg_restore_denormals, cg_samples, cg_update
)
from cygrad._engine.loops cimport real
from cygrad._engine.plan cimport (
    ADD_SOURCE, ADD_SOURCE_DELTA, CLIP, DISTURB, DISTURB_DELTA, FORWARD, GATHER, GRADIENT, HIDDEN_DELTA, LIMIT_NORMS,
    NORMALIZE, NORMALIZE_DELTA, OUTPUT_DELTA, SCALE, SCALE_DELTA, SCALE_GRADIENT, SOFTMAX, SPARSE_FORWARD,
    SPARSE_GRADIENT, UPDATE, Operation, Plan, call_custom
)
from cygrad._engine.samples cimport read_integer, read_number
from cygrad._engine.interrupts cimport Interrupts

import numpy as np

from cygrad._engine.loops import clipping_factors


@cython.final
cdef class LoopsPlan(Plan):
    """The operations of a pass, by plain loops."""

    cdef int best_thread_count(self, int most) noexcept nogil:
        return 1

    cdef bint gains_in_place(self) noexcept nogil:
        return False        # a loop computes all of a layer at once

    cdef bint run_operation(self, const Operation *op, Pass *p, int member, Interrupts interrupts) noexcept nogil:
        """Run one operation. True: stop, no parameter has been changed."""
        cdef bint stop = False
        if op.kind == OUTPUT_DELTA and p.custom != NULL and not call_custom(&self.workspace, p, interrupts):
            return True
        with gil:
            try:
                if self.workspace.kernels.itemsize == sizeof(float):
                    operate[float](&self.workspace, op, p, 0)
                else:
                    operate[double](&self.workspace, op, p, 0)
            except BaseException as error:
                interrupts.error = error
                stop = True
        if stop:
            return True
        if op.kind == OUTPUT_DELTA or op.kind == CLIP:
            return p.stop_if_not_finite and not isfinite(p.loss + p.penalty)
        return op.kind not in (GRADIENT, SCALE_GRADIENT, SPARSE_GRADIENT, UPDATE, LIMIT_NORMS) and (
            interrupts.check(op.panels * op.work))


cdef int operate(Workspace *s, const Operation *op, Pass *p, real zero) except -1:
    """Compute one operation for a whole batch; `zero` has the dtype."""
    cdef Py_ssize_t l = op.layer, n = p.rows
    cdef int activation = s.layers[l].activation if l > 0 else CG_ACTIVATION_identity
    cdef double parameter = s.layers[l].parameter if l > 0 else 0
    cdef bint whole_rows = l > 0 and cg_activation_properties(activation) & CG_WHOLE_ROWS
    cdef real[::1] of_batch
    cdef real[::1] log_sum_exp = as_array[real](s.log_sum_exp + p.first * sizeof(real), n, zero)
    sums = np.zeros(2)
    if op.kind == GATHER:
        if p.sparse == NULL:
            gather[real](p.x, p, from_row(&s.a[0], p.first), zero)
        if p.y != NULL:
            gather[real](p.y, p, from_row(&s.y, p.first), zero)
        for r in range(n if p.labels != NULL else 0):
            s.labels[p.first + r] = p.labels[p.order[p.start + r] if p.order != NULL else p.start + r]
        if p.weights != NULL:
            of_batch = as_array[real](s.weights + p.first * sizeof(real), n, zero)
        for r in range(n if p.weights != NULL else 0):
            of_batch[r] = <real> p.weights[p.order[p.start + r] if p.order != NULL else p.start + r]
    elif op.kind == FORWARD or op.kind == SPARSE_FORWARD:
        z = np.empty((n, s.layers[l].w.cols), np.asarray(log_sum_exp).dtype)
        loops.forward[real](layer_input[real](s, p, l, zero), weights_of[real](&s.layers[l], zero),
                            as_array[real](s.layers[l].b, s.layers[l].w.cols, zero), z)
        pack[real](&s.z[l], p.first, z)
        if not whole_rows:
            a = np.empty_like(z)
            loops.activate[real](activation, parameter, z, a, log_sum_exp)
            pack[real](&s.a[l], p.first, a)
    elif op.kind == SOFTMAX:
        z = unpacked[real](&s.z[l], p.first, n, zero)
        a = np.empty_like(z)
        loops.activate[real](activation, parameter, z, a, log_sum_exp)
        pack[real](&s.a[l], p.first, a)
    elif op.kind == OUTPUT_DELTA:
        a = unpacked[real](&s.a[l], p.first, n, zero)
        y = None if p.y == NULL and p.custom == NULL else unpacked[real](&s.y, p.first, n, zero)
        labels = None if p.labels == NULL else np.asarray(<int64_t[:n]> (s.labels + p.first))
        parameters = None if s.n_parameters == 0 else np.asarray(<double[:s.n_parameters]> (<double *> s.parameters))
        of_rows = None if p.weights == NULL else np.asarray(as_array[real](
            s.weights + p.first * sizeof(real), n, zero))
        delta = np.empty_like(a)
        loops.output_delta[real](
            s.loss, parameters, activation, parameter, p.scale if p.weights != NULL else 1.0 / n if s.mean else 1.0,
            unpacked[real](&s.z[l], p.first, n, zero), a, y, labels, log_sum_exp, of_rows, delta, sums)
        if s.delta[l].data != NULL:
            pack[real](&s.delta[l], p.first, delta)
        p.loss, p.metric = sums[0], sums[1]
        if p.custom != NULL:
            p.loss = p.metric = p.custom_loss
        if p.l2_penalty:
            p.penalty = loops.penalty[real](decaying_weights[real](s, zero), p.l2_penalty, zero)
    elif op.kind == HIDDEN_DELTA:
        a = unpacked[real](&s.a[l] if l > 0 else &s.delta[0], p.first, n, zero)      # of the input only the shape is used
        z = a if l == 0 else unpacked[real](&s.z[l], p.first, n, zero)
        delta = np.empty_like(a)
        loops.hidden_delta[real](CG_ACTIVATION_identity if is_summed(s, l) else activation, parameter,
                                 unpacked[real](&s.delta[l + 1], p.first, n, zero),
                                 weights_of[real](&s.layers[l + 1], zero), z, a, delta)
        if is_summed(s, l):
            complete_delta[real](s, p, l, delta)
        else:
            pack[real](&s.delta[l], p.first, delta)
    elif op.kind == GRADIENT or op.kind == SPARSE_GRADIENT:
        update_layer[real](&s.layers[l], p, layer_input[real](s, p, l, zero),
                           unpacked[real](&s.delta[l], p.first, n, zero))
    elif op.kind == CLIP:
        clip[real](s, p, zero)
    elif op.kind == UPDATE:
        apply_gradient[real](s, l, p, zero)
    elif op.kind == SCALE_GRADIENT:
        update_scale[real](s, p, l, zero)
    elif op.kind in (NORMALIZE, DISTURB, ADD_SOURCE, SCALE):
        pass_layer[real](s, p, l, zero)
    elif op.kind in (NORMALIZE_DELTA, DISTURB_DELTA, ADD_SOURCE_DELTA, SCALE_DELTA):
        pass_back[real](s, p, l, zero)
    elif op.kind == LIMIT_NORMS:
        w = weights_of[real](&s.layers[l], zero)
        loops.limit_norms[real](p.max_norm, w)
        pack[real](&s.layers[l].w, 0, w)
    return 0


cdef layer_input(const Workspace *s, const Pass *p, Py_ssize_t l, real zero):
    """aˡ⁻¹, the input of a layer: [rows, in]."""
    cdef Py_ssize_t r, row, at, count, n = p.rows
    cdef int32_t[::1] columns
    cdef real[::1] values
    cdef int64_t[::1] starts
    if l > 1 or p.sparse == NULL:
        return unpacked[real](&s.a[l - 1], p.first, n, zero)
    a = np.empty((n, s.layers[1].inputs), np.float32 if real is float else np.float64)
    starts = np.zeros(n + 1, np.int64)
    columns, values = np.empty(n * p.sparse.most + 1, np.int32), np.empty(n * p.sparse.most + 1, a.dtype)
    for r in range(n):
        row = p.order[p.start + r] if p.order != NULL else p.start + r
        at, count = starts[r], p.sparse.starts[row + 1] - p.sparse.starts[row]
        if real is float:
            cg_read_nonzeros_f32(p.sparse, p.sparse.starts[row], count, &columns[at], &values[at])
        else:
            cg_read_nonzeros_f64(p.sparse, p.sparse.starts[row], count, &columns[at], &values[at])
        starts[r + 1] = at + count
    loops.expand[real](starts, columns, values, a)
    return a


# Layers that are not dense.

cdef struct Statistics:
    char *mean              # [units]
    char *variance          # [units]


cdef Statistics statistics_of(const Workspace *s, Py_ssize_t l) noexcept:
    """Return the mean and the variance that batch norm takes."""
    cdef Py_ssize_t width = s.kernels.panel_width
    if s.training:
        return Statistics(s.statistics[l],
                          s.statistics[l] + (s.layers[l].w.cols + width - 1) // width * CG_PANEL_BYTES)
    return Statistics(s.layers[l].running_mean, s.layers[l].running_variance)


cdef int pass_layer(Workspace *s, const Pass *p, Py_ssize_t l, real zero) except -1:
    """Forward through a norm, scaling, dropout, noise or a residual sum."""
    cdef const Layer *layer = &s.layers[l]
    cdef Py_ssize_t n = p.rows, units = layer.w.cols
    cdef Statistics of_batch
    cdef cg_noise noise
    cdef real[::1] inverse
    x = unpacked[real](&s.a[l - 1], p.first, n, zero)
    z, kept = np.empty_like(x), np.empty_like(x)
    if layer.kind == BATCH_NORM:
        of_batch = statistics_of(s, l)
        if s.training:
            loops.moments[real](x, as_array[real](of_batch.mean, units, zero),
                                as_array[real](of_batch.variance, units, zero))
        loops.batch_norm[real](x, as_array[real](of_batch.mean, units, zero),
                               as_array[real](of_batch.variance, units, zero),
                               as_array[real](layer.w.data, units, zero), as_array[real](layer.b, units, zero),
                               layer.amount, kept, z)
    elif layer.kind == LAYER_NORM:
        inverse = as_array[real](s.statistics[l] + p.first * sizeof(real), n, zero)
        loops.layer_norm[real](x, as_array[real](layer.w.data, units, zero), as_array[real](layer.b, units, zero),
                               layer.amount, kept, inverse, z)
    elif layer.kind == RESIDUAL_SUM:
        np.add(x, unpacked[real](&s.a[layer.source], p.first, n, zero), out=z)
    elif layer.kind == SCALING:
        loops.scale_columns[real](x, as_array[real](layer.w.data, units, zero), z)
    else:
        noise.amount, noise.seed, noise.step, noise.row, noise.layer = layer.amount, p.seed, p.step, p.start, l
        if layer.kind == DROPOUT:
            loops.dropout[real](x, &noise, kept, z)
        else:
            loops.add_noise[real](x, &noise, z)
    if s.kept[l].data != NULL:
        pack[real](&s.kept[l], p.first, kept)
    pack[real](&s.z[l], p.first, z)
    a = np.empty_like(z)
    loops.activate[real](layer.activation, layer.parameter, z, a, np.empty(n, a.dtype))
    pack[real](&s.a[l], p.first, a)
    return 0


cdef int pass_back(Workspace *s, const Pass *p, Py_ssize_t l, real zero) except -1:
    """Compute δ of layer l below a layer that is not dense."""
    cdef const Layer *above = &s.layers[l + 1]
    cdef Py_ssize_t n = p.rows, units = above.w.cols
    cdef Statistics of_batch
    delta = unpacked[real](&s.delta[l + 1], p.first, n, zero)
    below = delta.copy()
    kept = None if s.kept[l + 1].data == NULL else unpacked[real](&s.kept[l + 1], p.first, n, zero)
    if above.kind == BATCH_NORM:
        of_batch = statistics_of(s, l + 1)
        loops.batch_norm_delta[real](delta, kept, as_array[real](of_batch.variance, units, zero),
                                     as_array[real](above.w.data, units, zero), above.amount, not s.training, below)
    elif above.kind == LAYER_NORM:
        loops.layer_norm_delta[real](delta, kept, as_array[real](s.statistics[l + 1] + p.first * sizeof(real), n, zero),
                                     as_array[real](above.w.data, units, zero), below)
    elif above.kind == SCALING:
        loops.scale_columns[real](delta, as_array[real](above.w.data, units, zero), below)
    elif above.kind == DROPOUT and s.training:
        np.multiply(delta, kept, out=below)
    complete_delta[real](s, p, l, below)
    return 0


cdef bint is_summed(const Workspace *s, Py_ssize_t l) noexcept:
    """Return whether a residual sum takes the output of layer l."""
    cdef Py_ssize_t m
    for m in range(l + 1, s.depth + 1):
        if s.layers[m].kind == RESIDUAL_SUM and s.layers[m].source == l:
            return True
    return False


cdef int complete_delta(Workspace *s, const Pass *p, Py_ssize_t l, real[:, ::1] delta) except -1:
    """δˡ = (∂C/∂aˡ + Σ δ of the residual sums of aˡ) ⊙ σ′(zˡ);  for the input, l = 0, without σ′"""
    cdef Py_ssize_t m, n = p.rows
    for m in range(l + 1, s.depth + 1):
        if s.layers[m].kind == RESIDUAL_SUM and s.layers[m].source == l:
            np.add(delta, unpacked[real](&s.delta[m], p.first, n, 0), out=np.asarray(delta))
    if l > 0:
        loops.multiply_slope[real](s.layers[l].activation, s.layers[l].parameter, unpacked[real](&s.z[l], p.first, n, 0),
                                   unpacked[real](&s.a[l], p.first, n, 0), delta)
    pack[real](&s.delta[l], p.first, delta)
    return 0


cdef int update_scale(Workspace *s, const Pass *p, Py_ssize_t l, real zero) except -1:
    """∂C/∂γ and ∂C/∂β, and the updates, or the gradient itself is stored; then the running statistics of batch norm."""
    cdef const Layer *layer = &s.layers[l]
    cdef cg_update rule = p.update
    scale = shift = None
    if layer.train_weights or layer.train_biases:
        delta = unpacked[real](&s.delta[l], p.first, p.rows, zero)
    if layer.train_weights:
        scale = np.empty((1, layer.w.cols), delta.dtype)
        x = unpacked[real](&s.a[l - 1] if layer.kind == SCALING else &s.kept[l], p.first, p.rows, zero)
        loops.scale_gradient[real](delta, x, scale[0])
    if layer.train_biases:
        shift = np.empty((1, layer.w.cols), delta.dtype)
        loops.bias_gradient[real](delta, shift[0])
    if p.stores_gradient:
        rule.rule = CG_RULE_store
    update_parameters[real](layer, p, rule, p.gradient_offset, scale, shift, zero)
    return 0 if p.stores_gradient else update_statistics[real](s, p, l, zero)


cdef int update_statistics(Workspace *s, const Pass *p, Py_ssize_t l, real zero) except -1:
    """The running statistics of batch norm."""
    cdef const Layer *layer = &s.layers[l]
    cdef Py_ssize_t units = layer.w.cols
    cdef Statistics of_batch
    if s.training and layer.kind == BATCH_NORM and p.update.rule != CG_RULE_store:
        of_batch = statistics_of(s, l)
        loops.running_moments[real](p.rows, layer.momentum, as_array[real](of_batch.mean, units, zero),
                                    as_array[real](of_batch.variance, units, zero),
                                    as_array[real](layer.running_mean, units, zero),
                                    as_array[real](layer.running_variance, units, zero))
    return 0



cdef stored_gradient(const Layer *layer, const Pass *p, real zero):
    """Copy the stored ∂C/∂W [in, out] and ∂C/∂b [1, out] of what is trained in a layer; None for what is not."""
    cdef cg_matrix w = layer.w
    w.data += p.gradient_offset
    biases = None
    if layer.train_biases:
        biases = np.asarray(as_array[real](layer.b + p.gradient_offset, w.cols, zero)).reshape(1, -1).copy()
    return unpacked[real](&w, 0, layer.inputs, zero) if layer.train_weights else None, biases


cdef int clip(Workspace *s, Pass *p, real zero) except -1:
    """The factor of each layer's gradient. If that is not finite, neither is the loss."""
    cdef Py_ssize_t l
    gradients = []
    for l in range(1, s.depth + 1):
        gradients.append(stored_gradient[real](&s.layers[l], p, zero))
    kind = {CLIP_NORM: "norm", CLIP_VALUE: "value"}.get(s.clipping.kind, "global_norm")
    factors = clipping_factors([[each for each in pair if each is not None] for pair in gradients], kind,
                               s.clipping.limit)
    for l in range(s.depth if factors is not None else 0):
        s.power[l + 1], s.factor[l + 1] = factors[l]
    if factors is None:
        p.loss = NAN
    return 0


cdef int apply_gradient(Workspace *s, Py_ssize_t l, const Pass *p, real zero) except -1:
    """The update of a layer by its stored gradient."""
    cdef double limit = s.clipping.limit if s.clipping.kind == CLIP_VALUE else INFINITY
    weights, biases = stored_gradient[real](&s.layers[l], p, zero)
    for gradient in (weights, biases):
        if gradient is not None:
            loops.clip_gradient[real](gradient.reshape(-1), s.power[l], s.factor[l], limit, gradient.reshape(-1))
    update_parameters[real](&s.layers[l], p, p.update, 0, weights, biases, zero)
    return update_statistics[real](s, p, l, zero)


cdef int update_layer(const Layer *layer, const Pass *p, const real[:, ::1] a, const real[:, ::1] delta) except -1:
    """∂C/∂W and ∂C/∂b, and the updates, or the gradient itself is stored."""
    cdef cg_update rule = p.update
    weights = biases = None
    if layer.train_weights:
        weights = np.empty((layer.inputs, layer.w.cols), np.asarray(a).dtype)
        loops.weight_gradient[real](a, delta, weights)
    if layer.train_biases:
        biases = np.empty((1, layer.w.cols), np.asarray(a).dtype)
        loops.bias_gradient[real](delta, biases[0])
    if p.stores_gradient:
        rule.rule = CG_RULE_store
    return update_parameters[real](layer, p, rule, p.gradient_offset, weights, biases, 0)


cdef int update_parameters(const Layer *layer, const Pass *p, cg_update rule, Py_ssize_t offset, weight_gradient,
                           bias_gradient, real zero) except -1:
    """Update what lies `offset` bytes from the parameters, and its states; they are changed where they are."""
    cdef bint decays = rule.rule != CG_RULE_store and layer.kind == DENSE      # γ does not decay
    cdef cg_update of_weights = update_of_layer(&rule, layer.weights_rate_factor, decays)
    cdef cg_update of_biases = update_of_layer(&rule, layer.biases_rate_factor, False)
    cdef cg_matrix w = layer.w
    cdef cg_matrix[CG_MOST_STATES] states
    cdef Py_ssize_t[CG_MOST_STATES] to_state
    cdef char *b = layer.b + offset
    cdef int i
    w.data += offset
    for i in range(CG_MOST_STATES):
        to_state[i] = p.state_offsets[i] if offset == 0 else 0
        states[i] = w
        states[i].data += to_state[i]       # where there is no state, the parameter itself: it is not used
    if weight_gradient is not None:
        weights = unpacked[real](&w, 0, layer.inputs, 0)
        numbers = []
        for i in range(CG_MOST_STATES):
            numbers.append(unpacked[real](&states[i], 0, layer.inputs, 0))
        loops.update[real](&of_weights, weight_gradient.reshape(-1), weights.reshape(-1), numbers[0].reshape(-1),
                           numbers[1].reshape(-1), numbers[2].reshape(-1))
        for i in range(CG_MOST_STATES):
            pack[real](&states[i], 0, numbers[i])
        pack[real](&w, 0, weights)
    if bias_gradient is not None:
        loops.update[real](&of_biases, bias_gradient.reshape(-1), as_array[real](b, w.cols, 0),
                           as_array[real](b + to_state[0], w.cols, 0), as_array[real](b + to_state[1], w.cols, 0),
                           as_array[real](b + to_state[2], w.cols, 0))
    return 0


# Between panels and row-major arrays.

cdef real[::1] as_array(char *numbers, Py_ssize_t count, real zero):
    """View `count` numbers that stand side by side."""
    return <real[:count]> <real *> numbers


cdef real *element(const cg_matrix *m, Py_ssize_t r, Py_ssize_t c, real zero) noexcept:
    """The place of number [r, c]."""
    cdef Py_ssize_t width = CG_PANEL_BYTES // sizeof(real)
    return <real *> (m.data + (c // width * m.capacity + r) * CG_PANEL_BYTES) + c % width


cdef unpacked(const cg_matrix *m, Py_ssize_t first, Py_ssize_t rows, real zero):
    """Copy rows of a matrix out of its panels: [rows, cols]."""
    cdef Py_ssize_t r, c
    array = np.empty((rows, m.cols), np.float32 if real is float else np.float64)
    cdef real[:, ::1] numbers = array
    for r in range(rows):
        for c in range(m.cols):
            numbers[r, c] = element[real](m, first + r, c, 0)[0]
    return array


cdef weights_of(const Layer *layer, real zero):
    """Copy the weights of a layer: [in, out]."""
    return unpacked[real](&layer.w, 0, layer.inputs, 0)


cdef list decaying_weights(const Workspace *s, real zero):
    """Copy the weights of the layers that decay."""
    cdef Py_ssize_t l
    weights = []
    for l in range(1, s.depth + 1):
        if s.layers[l].kind == DENSE and s.layers[l].train_weights:
            weights.append(weights_of[real](&s.layers[l], zero))
    return weights


cdef int pack(const cg_matrix *m, Py_ssize_t first, const real[:, ::1] numbers) except -1:
    """Copy rows [rows, cols] into the panels of a matrix."""
    cdef Py_ssize_t r, c
    for r in range(numbers.shape[0]):
        for c in range(numbers.shape[1]):
            element[real](m, first + r, c, 0)[0] = numbers[r, c]
    return 0


cdef int gather(const cg_samples *x, const Pass *p, cg_matrix m, real zero) except -1:
    """Copy the rows of a pass out of samples of any type, or (x − mean) · scale in float64, rounded once."""
    cdef Py_ssize_t r, c, row
    cdef const char *place
    cdef unsigned long saved
    for r in range(p.rows):
        row = p.order[p.start + r] if p.order != NULL else p.start + r
        for c in range(x.cols):
            place = x.data + row * x.row_stride + c * x.col_stride
            if x.mean == NULL:
                element[real](&m, r, c, 0)[0] = sample[real](place, x.type, 0)
                continue
            saved = cg_keep_denormals()
            element[real](&m, r, c, 0)[0] = <real> ((read_number(place, x.type) - x.mean[c]) * x.scale[c])
            cg_restore_denormals(saved)
    return 0


cdef real sample(const char *place, int type, real zero) noexcept:
    """The number at a place, rounded once."""
    if type == CG_FLOAT64:
        return <real> (<const double *> place)[0]
    if type == CG_FLOAT32:
        return <real> (<const float *> place)[0]
    if type == CG_UINT64:
        return <real> (<const uint64_t *> place)[0]
    return <real> read_integer(place, type)
