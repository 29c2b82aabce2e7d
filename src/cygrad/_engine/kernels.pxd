# kernels.pxd: the declarations of csrc/cygrad.h, where the comments are.

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef extern from "cygrad.h" nogil:
    enum:
        CG_PANEL_BYTES
        CG_MOST_STATES

    # The rows of the tables in csrc/activations.h, losses.h and optimizers.h that some code names.
    enum:
        CG_ACTIVATION_identity
        CG_ACTIVATION_relu
        CG_ACTIVATION_sigmoid
        CG_ACTIVATION_tanh
        CG_ACTIVATION_softsign
        CG_ACTIVATION_hard_tanh
        CG_ACTIVATION_hard_sigmoid
        CG_ACTIVATION_COUNT
        CG_LOSS_COUNT
        CG_RULE_adamax
        CG_RULE_nadam
        CG_RULE_radam
        CG_RULE_store
        CG_RULE_COUNT

    enum cg_property:
        CG_NEEDS_Z
        CG_CHEAP
        CG_INCREASING
        CG_WHOLE_ROWS
        CG_GIVES_DELTA
        CG_TAKES_CLASSES
        CG_TAKES_ROWS
        CG_DECIDES_AT_HALF
        CG_CORRECTS_MOMENTS
        CG_DIVIDES
        CG_INTERNAL

    const char *cg_activation_name(int activation)
    const char *cg_loss_name(int loss)
    const char *cg_rule_name(int rule)
    int cg_activation_properties(int activation)
    int cg_loss_properties(int loss)
    int cg_rule_properties(int rule)
    int cg_rule_states(int rule)

    enum cg_sample_type:
        CG_BOOL
        CG_INT8
        CG_INT16
        CG_INT32
        CG_INT64
        CG_UINT8
        CG_UINT16
        CG_UINT32
        CG_UINT64
        CG_FLOAT32
        CG_FLOAT64

    ctypedef struct cg_samples:
        const char *data
        Py_ssize_t rows, cols, row_stride, col_stride
        int type
        const double *mean
        const double *scale

    ctypedef struct cg_sparse:
        const int64_t *starts
        const void *columns
        const char *values
        int wide, type
        Py_ssize_t rows, cols, total, most
        const double *scale

    ctypedef struct cg_matrix:
        char *data
        Py_ssize_t capacity, cols

    ctypedef struct cg_rows:
        const cg_samples *samples
        const int64_t *order
        Py_ssize_t start

    ctypedef struct cg_sparse_rows:
        const cg_sparse *samples
        const int64_t *order
        Py_ssize_t start

    ctypedef struct cg_columns:
        int32_t *columns
        int32_t *first
        int32_t *rows
        void *values
        int32_t *read_columns
        int32_t *read_rows
        void *read_values
        int32_t *next
        Py_ssize_t count, capacity

    ctypedef struct cg_prefetch:
        const cg_samples *samples
        const int64_t *order
        Py_ssize_t row, rows, offset, lines_per_tile

    ctypedef struct cg_update:
        int rule
        double rate, momentum, beta1, beta2, epsilon, weight_decay, shrinkage, threshold
        double gradient_rate, root_factor
        double decrease, increase, least_step, largest_step

    ctypedef struct cg_output:
        int loss
        double scale
        const double *parameters
        Py_ssize_t n_parameters
        const void *weights
        const cg_matrix *z
        const cg_matrix *a
        const cg_matrix *y
        const int64_t *labels
        const void *log_sum_exp
        cg_matrix *delta
        double loss_sum, metric_sum
        bint continues
        void *partial_sums

    ctypedef struct cg_norm:
        const char *scale
        const char *shift
        char *mean
        char *variance
        double epsilon
        cg_matrix *normalized
        char *inverse
        char *delta
        char *product
        Py_ssize_t rows
        bint continues, is_last

    ctypedef struct cg_noise:
        double amount
        uint64_t seed
        int64_t step, row
        int layer

    ctypedef struct cg_kernels:
        const char *isa
        const char *dtype
        int itemsize, panel_width
        void (*gather)(const cg_rows *rows_from, Py_ssize_t rows, cg_matrix *a) noexcept nogil
        bint (*forward_gathers)(const cg_samples *samples) noexcept nogil
        void (*unpack)(Py_ssize_t rows, const cg_matrix *a, void *out) noexcept nogil
        void (*forward)(Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows, const cg_rows *rows_from, cg_matrix *a,
                        const cg_matrix *w, const char *b, int relu, cg_matrix *z) noexcept nogil
        void (*activate)(int activation, double parameter, Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *z,
                         cg_matrix *a) noexcept nogil
        void (*softmax)(Py_ssize_t rows, const cg_matrix *z, cg_matrix *a, void *log_sum_exp) noexcept nogil
        void (*output_delta)(Py_ssize_t rows, cg_output *output) noexcept nogil
        void (*softmax_slope)(Py_ssize_t rows, const cg_matrix *a, cg_matrix *delta) noexcept nogil
        void (*slope)(int activation, double parameter, Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *z,
                      const cg_matrix *a, cg_matrix *delta) noexcept nogil
        void (*transpose)(Py_ssize_t panel, const cg_matrix *w, char *wt) noexcept nogil
        void (*hidden_delta)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *above, const cg_matrix *w, char *wt,
                             const cg_matrix *relu, cg_matrix *below) noexcept nogil
        void (*weight_gradient)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *a, const cg_matrix *delta,
                                const cg_matrix *w, const char *sums, const Py_ssize_t *state_offsets,
                                const cg_update *update, cg_prefetch *ahead) noexcept nogil
        void (*bias_gradient)(Py_ssize_t rows, const cg_matrix *delta, char *b, const char *sums,
                              const Py_ssize_t *state_offsets, const cg_update *update) noexcept nogil
        void (*sparse_forward)(Py_ssize_t panel, Py_ssize_t panels, Py_ssize_t rows, const cg_sparse_rows *rows_from,
                               const cg_matrix *w, const char *b, int relu, cg_matrix *z) noexcept nogil
        void (*sort_by_column)(const cg_sparse_rows *rows_from, Py_ssize_t rows, cg_columns *to) noexcept nogil
        void (*sparse_gradient)(Py_ssize_t panel, Py_ssize_t input, Py_ssize_t inputs, const cg_columns *a,
                                Py_ssize_t batch, const cg_matrix *delta, const cg_matrix *w, const char *sums,
                                const Py_ssize_t *state_offsets, const cg_update *update) noexcept nogil
        double (*sum_of_squares)(Py_ssize_t rows, const char *gradient) noexcept nogil
        void (*apply_gradient)(Py_ssize_t rows, Py_ssize_t cols, const char *gradient, char *w,
                               const Py_ssize_t *state_offsets, const cg_update *update, double power, double factor,
                               double limit) noexcept nogil
        void (*limit_norms)(Py_ssize_t panel, Py_ssize_t inputs, const cg_matrix *w, double limit) noexcept nogil
        void (*column_sums)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *x, const cg_norm *norm) noexcept nogil
        void (*column_squares)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *x,
                               const cg_norm *norm) noexcept nogil
        void (*batch_norm)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *x, const cg_norm *norm,
                           cg_matrix *z) noexcept nogil
        void (*delta_sums)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *delta,
                           const cg_norm *norm) noexcept nogil
        void (*batch_norm_delta)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *delta, const cg_norm *norm,
                                 bint constant, cg_matrix *below) noexcept nogil
        void (*layer_norm)(Py_ssize_t rows, const cg_matrix *x, const cg_norm *norm, cg_matrix *z) noexcept nogil
        void (*layer_norm_delta)(Py_ssize_t rows, const cg_matrix *delta, const cg_norm *norm,
                                 cg_matrix *below) noexcept nogil
        void (*scale_columns)(Py_ssize_t panel, Py_ssize_t rows, const char *scale, const cg_matrix *x,
                              cg_matrix *out) noexcept nogil
        void (*scale_gradient)(Py_ssize_t rows, const cg_matrix *delta, const cg_matrix *normalized, char *scale,
                               const char *sums, const Py_ssize_t *state_offsets,
                               const cg_update *update) noexcept nogil
        void (*running_moments)(Py_ssize_t rows, Py_ssize_t cols, double momentum, const cg_norm *norm,
                                char *running_mean, char *running_variance) noexcept nogil
        void (*dropout)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *x, const cg_noise *noise, cg_matrix *kept,
                        cg_matrix *a) noexcept nogil
        void (*add_noise)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *x, const cg_noise *noise,
                               cg_matrix *a) noexcept nogil
        void (*matrix_sum)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *a, const cg_matrix *b,
                    cg_matrix *out) noexcept nogil
        void (*matrix_product)(Py_ssize_t panel, Py_ssize_t rows, const cg_matrix *a, const cg_matrix *b,
                        cg_matrix *out) noexcept nogil
        int (*function)(const char *name, double parameter, Py_ssize_t n, const void *x, void *y) noexcept nogil
        double (*multiply_adds)(Py_ssize_t rounds, void *sink) noexcept nogil

    const cg_kernels *const *cg_available_kernels()
    void cg_standardize(const cg_samples *samples, Py_ssize_t row, Py_ssize_t col, Py_ssize_t cols, double *out)
    int cg_find_nonfinite(const cg_samples *samples, Py_ssize_t start, Py_ssize_t rows, int single, Py_ssize_t *row,
                          Py_ssize_t *col)
    enum:
        CG_COLUMNS_INCREASE
        CG_COLUMNS_IN_DISORDER
        CG_COLUMN_OUT_OF_RANGE
    int cg_check_columns(const cg_sparse *samples, Py_ssize_t *row, Py_ssize_t *place)
    void cg_read_nonzeros_f32(const cg_sparse *samples, Py_ssize_t first, Py_ssize_t count, int32_t *columns,
                              float *values)
    void cg_read_nonzeros_f64(const cg_sparse *samples, Py_ssize_t first, Py_ssize_t count, int32_t *columns,
                              double *values)
    unsigned long cg_flush_denormals()
    unsigned long cg_keep_denormals()
    void cg_restore_denormals(unsigned long saved)
    double cg_clock()
    uint64_t cg_random_below(uint64_t random, uint64_t n)


cpdef str selected()
cdef const cg_kernels *table(str dtype) except NULL
