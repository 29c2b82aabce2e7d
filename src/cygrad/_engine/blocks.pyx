"""How a large batch is divided into blocks of rows, and how threads share them. `engine` includes this file."""

from cygrad._engine.equations cimport Clipping, Layer
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_sparse
from cygrad._engine.plan cimport Plan, costs

# Blocks of a batch have a multiple of the rows of any tile, and of the vectors in which softmax writes log_sum_exp.
cdef Py_ssize_t BLOCK_MULTIPLE = 48


cdef Py_ssize_t divided_rows(Py_ssize_t n, Py_ssize_t count) noexcept:
    """Return the rows of a block, in whole tiles, if n rows are divided into about `count` blocks."""
    return ((n + count - 1) // count + BLOCK_MULTIPLE - 1) // BLOCK_MULTIPLE * BLOCK_MULTIPLE


cdef Py_ssize_t block_rows(Engine engine, Py_ssize_t n, Py_ssize_t limit, bint is_sparse) noexcept:
    """Return the rows of the blocks, of equal size, into which a batch of n samples is divided; at most `limit`.

    What the layers hold of a block stays in a core's cache, forward and back. Each block adds to the sums of the
    gradient, which takes the time of some rows: blocks have many more.
    """
    cdef Py_ssize_t l, most, width = engine.kernels.panel_width
    cdef Py_ssize_t panels = 0 if is_sparse else (engine.inputs + width - 1) // width
    if engine.plan_type is not Plan:
        return n
    for l in range(1, engine.depth + 1):
        panels += 3 * ((engine.layers[l].w.cols + width - 1) // width)        # a, z or the transposed, and δ
    # Sums go to memory and back with each block, which only pays for many more numbers of the layers.
    if n * panels * CG_PANEL_BYTES < 2 * engine.block.size:
        return min(n, limit)
    most = max((costs.sparse_block_bytes if is_sparse else costs.block_bytes) // (panels * CG_PANEL_BYTES), costs.block_rows)
    if n <= most + most // 8:       # a last block of a few rows takes the time of many
        return min(n, limit)
    return min(divided_rows(n, (n + most - 1) // most), limit)


cdef Plan plan_in_blocks(Engine engine, const Layer *layers, Py_ssize_t lowest_delta, Py_ssize_t n, Py_ssize_t members,
                         Py_ssize_t limit, Clipping clipping, const cg_sparse *sparse, bint training,
                         bint in_place=False):
    """Return a plan for the blocks of batches of up to n rows, forward and back; at most `limit` rows in memory.

    Several threads share each operation on a block, or compute smaller blocks side by side: whichever is faster.
    in_place: see `Plan.take_memory`.
    """
    cdef Py_ssize_t count, rows = block_rows(engine, n, limit, sparse != NULL), best_rows = 0, block = rows
    cdef int copies, best_copies = 1, most_copies = members
    cdef Plan plan = listed_plan(engine, layers, lowest_delta, rows, members, 1, clipping, sparse, training)
    cdef double cost, best_cost = plan.cost * ((n + rows - 1) // rows)
    if members > 1 and engine.plan_type is Plan and sparse == NULL:
        for count in (2, 4, 8, 16):
            rows = min(divided_rows(n, count * members), block // BLOCK_MULTIPLE * BLOCK_MULTIPLE)
            if rows == 0:       # too few for several blocks
                break
            if limit < n:
                most_copies = min(members, limit // rows)
            for copies in range(2, most_copies + 1):
                cost = plan.cost_in_turn(n, rows, copies)
                if cost < best_cost:
                    best_cost, best_rows, best_copies = cost, rows, copies
    if best_copies > 1:
        plan = listed_plan(engine, layers, lowest_delta, best_rows, 1, best_copies, clipping, NULL, training)
    plan.take_memory(in_place and best_copies == 1, sparse)
    return plan


cdef Plan new_plan(Engine engine, const Layer *layers, Py_ssize_t lowest_delta, Py_ssize_t rows, int members, int copies,
                   Clipping clipping, const cg_sparse *sparse, bint training, bint in_place=False):
    """Return a plan for passes forward and back over `rows` rows; in_place: see `Plan.take_memory`."""
    cdef Plan plan = listed_plan(engine, layers, lowest_delta, rows, members, copies, clipping, sparse, training)
    plan.take_memory(in_place, sparse)
    return plan


cdef Plan listed_plan(Engine engine, const Layer *layers, Py_ssize_t lowest_delta, Py_ssize_t rows, int members,
                      int copies, Clipping clipping, const cg_sparse *sparse, bint training):
    """Return such a plan without its memory."""
    cdef Plan plan = engine.plan_type()
    plan.prepare(engine.kernels, layers, engine.depth, engine.inputs, engine.loss, engine.mean, rows, True, lowest_delta,
                 False, members, copies, clipping, sparse, training)
    plan.workspace.parameters, plan.workspace.n_parameters = engine.loss_parameters, engine.n_loss_parameters
    return plan


cdef bint sums_go_on(Engine engine) noexcept:
    """Return whether the sums over a batch can go on from a block of rows to the next.

    The statistics of batch norm are of the whole batch, and so is what a Python function returns.
    """
    return engine.custom_loss is None and not engine.has_batch_norm
