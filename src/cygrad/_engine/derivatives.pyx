"""Derivatives of the outputs of a network with respect to its inputs.

A row of the Jacobian is one backward pass whose δᴸ begins with ∇ₐC = 1 at one output and 0 at the others: the gradient of
the linear loss C = y · a with that y. One forward pass serves the backward passes for all outputs. `engine` includes this
file: a module of its own would have the overhead of one.
"""

cimport cython

from libc.string cimport memset

from cygrad._engine.equations cimport CLIP_NOTHING, Clipping, Pass, Workspace, from_row
from cygrad._engine.kernels cimport CG_PANEL_BYTES, cg_matrix
from cygrad._engine.plan cimport OUTPUT_DELTA, SORT_BY_COLUMN, Plan, costs
from cygrad._engine.samples cimport Samples, memory_of
from cygrad._engine.team cimport Team, cg_team_end, cg_team_open, cg_team_stop, cg_team_stopped

import cygrad._engine.kernels as _kernels

cdef int LINEAR = list(_kernels.LOSSES).index("linear")
# Rows of a pass: some tiles, whose numbers stay in a cache; and a multiple of the vectors of log_sum_exp.
cdef Py_ssize_t CHUNK = 64


@cython.final
cdef class JacobianPasses(Team):
    """Run chunks of samples forward once, and back for each output; threads have chunks of their own."""

    cdef Plan plan
    cdef Samples x
    cdef Py_ssize_t chunks, first, outputs, inputs
    cdef char *to               # [samples, outputs, inputs]
    cdef bint is_open

    def __init__(self, Engine engine, Samples X, Py_ssize_t first, Py_ssize_t outputs, int members):
        cdef Py_ssize_t rows = min(X.view.rows, CHUNK)
        self.plan, self.x = engine.plan_type(), X
        self.plan.prepare(engine.kernels, engine.layers, engine.depth, engine.inputs, LINEAR, False, rows, True, 0,
                          False, 1, members, Clipping(CLIP_NOTHING, 0), X.sparse_rows())
        self.plan.take_memory(False, X.sparse_rows())
        self.first, self.outputs, self.inputs = first, outputs, engine.inputs
        self.chunks = (X.view.rows + CHUNK - 1) // CHUNK
        self.is_open = False
        self.assemble(members)

    cdef int run(self, char *to) except -1:
        self.to = to
        self.run_threads(self.members, None)
        if self.interrupts.error is not None:
            raise self.interrupts.error
        return 0

    cdef void next_phase(self, int member) noexcept nogil:
        if self.is_open:
            cg_team_end(self.team)
        else:
            self.is_open = True
            cg_team_open(self.team, self.chunks)

    cdef void run_task(self, Py_ssize_t task, int member) noexcept nogil:
        cdef Pass p
        if cg_team_stopped(self.team):
            return
        memset(&p, 0, sizeof(Pass))
        p.x, p.sparse, p.is_last = &self.x.view, self.x.sparse_rows(), True
        p.first, p.start = member * self.plan.capacity, task * CHUNK
        p.rows = p.batch_rows = min(self.x.view.rows - p.start, CHUNK)
        if self.run_chunk(&p, member):
            cg_team_stop(self.team)

    cdef bint run_chunk(self, Pass *p, int member) noexcept nogil:
        """Run one chunk. True: stop."""
        cdef const Workspace *s = &self.plan.workspace
        cdef Py_ssize_t i, first_back, output, r, row_bytes = self.inputs * s.kernels.itemsize
        cdef cg_matrix delta
        for first_back in range(self.plan.operations):
            if self.plan.operation[first_back].kind == OUTPUT_DELTA:
                break
            if self.plan.run_operation(&self.plan.operation[first_back], p, member, self.interrupts):
                return True
        p.y = p.x       # there are targets: not gathered, but written here
        for output in range(self.outputs):
            set_column(s, p, self.first + output, True)
            for i in range(first_back, self.plan.first_gradient):
                if self.plan.operation[i].kind != SORT_BY_COLUMN and (      # that is for ∂C/∂W
                        self.plan.run_operation(&self.plan.operation[i], p, member, self.interrupts)):
                    return True
            set_column(s, p, self.first + output, False)
            for r in range(p.rows):
                delta = from_row(&s.delta[0], p.first + r)
                s.kernels.unpack(1, &delta, self.to + ((p.start + r) * self.outputs + output) * row_bytes)
        return False


cdef void set_column(const Workspace *s, const Pass *p, Py_ssize_t column, bint to) noexcept nogil:
    """Set one column of the targets, y, to 1 or 0."""
    cdef Py_ssize_t r, width = s.kernels.panel_width
    cdef char *place = s.y.data + (column // width * s.y.capacity + p.first) * CG_PANEL_BYTES
    for r in range(p.rows):
        if s.kernels.itemsize == 4:
            (<float *> place)[column % width] = to
        else:
            (<double *> place)[column % width] = to
        place += CG_PANEL_BYTES


def jacobian(Engine engine, Samples X, Py_ssize_t first, Py_ssize_t outputs, threads=1):
    """Return ∂a/∂x of some outputs, from `first` on, for samples as the network reads them: (n, outputs, inputs)."""
    cdef Py_ssize_t n = X.view.rows
    cdef Py_ssize_t members = engine.thread_count(X, n * (1 + outputs), threads, costs.inference_share,
                                                     False)
    results = engine.empty((n, outputs, engine.inputs), engine.numpy_dtype)
    cdef JacobianPasses passes = JacobianPasses(engine, X, first, outputs, min(members, (n + CHUNK - 1) // CHUNK))
    passes.run(memory_of(results))
    return results
