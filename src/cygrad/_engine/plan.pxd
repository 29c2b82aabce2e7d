from libc.stdint cimport int64_t

from cygrad._engine.kernels cimport cg_kernels, cg_matrix, cg_prefetch, cg_samples, cg_update


cdef enum Kind:
    GATHER          # rows of X, and of the targets, into panels
    FORWARD         # z = W a + b; a = σ(z)
    OUTPUT          # loss, metric, δᴸ = ∇ₐC ⊙ σ′(zᴸ)
    DELTA           # δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)
    GRADIENT        # ∂C/∂W = δ aᵀ; ∂C/∂b = δ; W ← W − η ∂C/∂W, b likewise


cdef struct Operation:
    Kind kind
    Py_ssize_t layer    # 1 … L; layer 0 is the input


# The parameters of one dense layer, in the engine's storage.
cdef struct Layer:
    int activation
    bint train_weights, train_biases
    Py_ssize_t inputs
    cg_matrix w         # [in, out]; its rows are padded to whole panels
    char *b             # [out]


# What one pass over a plan works on, and what comes of it.
cdef struct Pass:
    const cg_samples *x
    const cg_samples *y         # rows of targets, or NULL
    const int64_t *labels       # class indices, or NULL
    const int64_t *order        # numbers of the rows to take, or NULL for start, start + 1, …
    Py_ssize_t start, rows
    Py_ssize_t gradients        # distance in bytes from a parameter to where its gradient is stored
    Py_ssize_t states[2]        # distances in bytes from a parameter to its optimiser states
    cg_update update
    cg_prefetch ahead
    bint careful                # whether a loss that is not finite stops the pass
    double loss, metric         # sums over the rows


cdef class Watch:
    cdef object poll
    cdef object error
    cdef double last, loss
    cdef Py_ssize_t work, steps
    cdef unsigned long denormals
    cdef void enter(self) noexcept nogil
    cdef void leave(self) noexcept nogil
    cdef bint due(self, Py_ssize_t work) noexcept nogil
    cdef bint attend(self) noexcept with gil


cdef class Plan:
    cdef const cg_kernels *kernels
    cdef const Layer *layers        # 1 … depth
    cdef Py_ssize_t depth, capacity, operations
    cdef Operation *operation
    cdef int loss
    cdef bint mean
    cdef cg_matrix *a               # [capacity, units of the layer], 0 … depth; likewise z and delta
    cdef cg_matrix *z
    cdef cg_matrix *delta           # data NULL where no delta is wanted
    cdef cg_matrix y
    cdef int64_t *labels
    cdef char *log_sum_exp
    cdef char *transposed           # one panel of Wᵀ
    cdef list memory
    cdef char *take(self, Py_ssize_t size) except NULL
    cdef int take_matrix(self, cg_matrix *m, Py_ssize_t columns) except -1
    cdef int add(self, Kind kind, Py_ssize_t layer=*) except -1
    cdef int prepare(self, const Layer *layers, Py_ssize_t depth, int loss, bint mean, Py_ssize_t capacity,
                     bint targets, Py_ssize_t lowest_delta, bint keep) except -1
    cdef Py_ssize_t panels(self, const cg_matrix *m) noexcept nogil
    cdef int lay_out(self, bint targets, Py_ssize_t lowest_delta, bint keep) except -1
    cdef int list_operations(self, bint targets, Py_ssize_t lowest_delta) except -1
    cdef bint run(self, Pass *p, Watch watch) noexcept nogil
    cdef void gather(self, Pass *p) noexcept nogil
    cdef bint forward(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil
    cdef void output(self, Pass *p) noexcept nogil
    cdef bint backward(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil
    cdef bint learn(self, Pass *p, Py_ssize_t l, Watch watch) noexcept nogil


cdef char *address(block) except NULL
