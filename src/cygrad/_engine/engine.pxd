from libc.stdint cimport int64_t

from cpython.buffer cimport Py_buffer

from cygrad._engine.equations cimport Clipping, Layer, Pass
from cygrad._engine.interrupts cimport Interrupts
from cygrad._engine.kernels cimport cg_kernels, cg_matrix, cg_samples, cg_sparse
from cygrad._engine.passes cimport Results, SequentialPasses
from cygrad._engine.plan cimport Plan
from cygrad._engine.samples cimport Samples


# Identifies the process in `owner`: a fork counts it up in the child, where no call of the parent is in progress.
cdef Py_ssize_t fork_count


cdef class Engine:
    cdef const cg_kernels *kernels
    cdef Layer *layers              # 1 … depth
    cdef Layer *trained             # the same, but with the parameters that training changes
    cdef Py_ssize_t plan_version    # increased when `trained` changes, since plans depend on it
    cdef readonly Py_ssize_t depth
    cdef int loss
    cdef public object custom_loss          # a Python function, or None
    cdef const double *loss_parameters      # or NULL
    cdef Py_ssize_t n_loss_parameters
    cdef object loss_numbers                # the array that holds them
    cdef bint mean
    cdef readonly str isa, dtype
    cdef readonly object storage
    cdef object block               # all parameters, as bytes; `storage` is the same memory as numbers
    cdef object numpy_dtype, empty
    cdef type plan_type             # Plan, or LoopsPlan
    cdef readonly tuple sizes
    cdef Py_ssize_t inputs, outputs
    cdef Py_ssize_t target_columns          # numbers in a row of targets
    cdef bint repeats_targets               # whether one number can stand for all of them
    cdef const double[::1] input_mean, input_scale      # or None
    cdef tuple standardization                          # both arrays, or None
    cdef list weight_rows, bias_rows        # slices of `storage`; the former for the γ of norms
    cdef readonly bint has_batch_norm       # whether outputs depend on the other rows of a batch in training
    cdef readonly bint is_random            # whether training draws numbers
    cdef Py_ssize_t n_parameters
    cdef bint decides_at_half, predicts_classes
    cdef Py_ssize_t work            # multiply-adds for one sample
    cdef Py_ssize_t chunk           # most rows of a pass of inference on one thread
    # Kept from one call to the next; None while a call uses it, and where there is none yet.
    cdef Inference inference
    cdef Inference evaluation       # the same with targets
    cdef Differentiation differentiation
    cdef Py_ssize_t owner           # the process of the call that trains it, or 0
    cdef int begin_training(self) except -1
    cdef void end_training(self) noexcept
    cdef cg_samples numbers(self)
    cdef Samples samples_of(self, X, str name, bint check)
    cdef int check_first_layer(self, str name) except -1
    cdef int read_row(self, Samples x, array) except -1
    cdef bint takes_classes(self) noexcept
    cdef bint takes_rows(self) noexcept
    cdef Plan plan(self, Py_ssize_t capacity, bint targets=*, Py_ssize_t lowest_delta=*, bint keep=*, int members=*,
                   const cg_sparse *sparse=*, bint training=*)
    cdef Py_ssize_t padded(self, Py_ssize_t l) except -1
    cdef Py_ssize_t rows_in_memory(self, Py_ssize_t padded_inputs, other) except -1
    cdef Py_ssize_t place_other(self, Py_ssize_t l, Py_ssize_t offset, Py_ssize_t padded, str kind, double amount,
                                double momentum, Py_ssize_t source) except -1
    cdef Py_ssize_t thread_count(self, Samples X, Py_ssize_t n, threads, Py_ssize_t thread_work,
                                 bint updates) except -1
    cdef int sample_type(self) noexcept nogil
    cdef bint acquire_numbers(self, Samples given, array, int axes, bint finite) except -1
    cdef char *new_scratch(self) except NULL
    cdef int copy_parameters(self, Py_ssize_t offset, char *out) except -1
    cdef copy_weights(self, Py_ssize_t l, Py_ssize_t offset)
    cdef copy_biases(self, Py_ssize_t l, Py_ssize_t offset)
    cdef int infer_all(self, Samples X, const Results *results, threads) except -1
    cdef int infer(self, Inference context, Samples X, const Results *results) except -1
    cdef Py_ssize_t even_chunk(self, Py_ssize_t n, Py_ssize_t multiple) noexcept nogil
    cdef int run_passes(self, Inference context, Samples X, Py_ssize_t n, Pass *p, Py_ssize_t chunk,
                        const Results *results, double *sums) except -1
    cdef bint compute(self, Inference context, Samples X, Py_ssize_t n, Pass *p, Py_ssize_t chunk,
                      const Results *results, double *sums, Py_ssize_t *place) noexcept nogil
    cdef Inference begin_inference(self, Py_ssize_t rows, bint targets, const cg_sparse *sparse)
    cdef void end_inference(self, Inference context) noexcept
    cdef int acquire_out(self, out, Py_ssize_t size, Py_buffer *buffer) except -1
    cdef int write_gradient(self, Samples X, targets, out, threads, bint training, int64_t step,
                            const double[::1] weights, double *found) except -1
    cdef double differentiate(self, Differentiation context, Samples X, targets,
                              const double[::1] weights) except? -1
    cdef Differentiation begin_differentiation(self, Samples X, Py_ssize_t n, Py_ssize_t lowest_delta, bint keep,
                                               bint in_blocks, threads, bint training)
    cdef void end_differentiation(self, Differentiation context) noexcept
    cdef tuple copy_layers(self, const cg_matrix *matrices, Py_ssize_t n)
    cdef copy_rows(self, const cg_matrix *matrix, Py_ssize_t n)


cdef class Inference:
    cdef Plan plan
    cdef Interrupts interrupts
    cdef Samples x              # of predict_one
    cdef bint targets           # whether the plan computes the loss
    cdef bint is_kept           # whether it is small enough to be kept


cdef class Differentiation:
    cdef SequentialPasses passes
    cdef object block           # the gradient, as bytes, in the layout of the parameters
    cdef Py_ssize_t offset      # bytes from a parameter to its gradient
    cdef double divisor         # of loss and metric in the latest call: samples, or the sum of their weights
    cdef Py_ssize_t rows, members, lowest_delta     # for which the plan was made; and `keep`
    cdef bint keep
    cdef bint in_blocks         # whether the plan may be for blocks of the batch
    cdef bint training          # whether norms take the statistics of the batch
    cdef bint is_kept           # whether it is small enough to be kept


# Of blocks.pyx.
cdef Py_ssize_t BLOCK_MULTIPLE
cdef Plan plan_in_blocks(Engine engine, const Layer *layers, Py_ssize_t lowest_delta, Py_ssize_t n, Py_ssize_t members,
                         Py_ssize_t limit, Clipping clipping, const cg_sparse *sparse, bint training,
                         bint in_place=*)
cdef Plan new_plan(Engine engine, const Layer *layers, Py_ssize_t lowest_delta, Py_ssize_t rows, int members, int copies,
                   Clipping clipping, const cg_sparse *sparse, bint training, bint in_place=*)
cdef bint sums_go_on(Engine engine) noexcept

cdef const cg_samples *target_rows(targets)
cdef void set_targets(Engine engine, Pass *p, targets)
cdef const int64_t *target_labels(targets)
cdef double sum_of_weights(const double[::1] weights, const int64_t *order, Py_ssize_t start, Py_ssize_t rows) noexcept nogil
