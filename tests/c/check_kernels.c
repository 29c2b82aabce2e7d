/* check_kernels.c: compares each kernel of each instruction set of this machine, in both dtypes, with a reference.
 *
 *     check_kernels [part of a case's name]
 *
 * Prints a line for every case that fails; its name as argument runs only that case. A kernel's arguments are between
 * forbidden pages; with -fsanitize=address,undefined its own memory is checked too. */
#include "check_functions.h"
#include "check_gradients.h"
#include "check_norms.h"
#include "check_output.h"
#include "check_panels.h"
#include "check_products.h"
#include "check_tape.h"
#include "checks.h"

/* Chain i of C starts with i and has L links s ← 0.999 s + 0.001 in a round, after which it is 1 + (i − 1)·0.999^L.
 * The sums over the chains after no round and after one give C and L, and so the true number of operations. */
static void check_multiply_adds(void)
{
    EACH_KIND {
        if (!begin("multiply_adds")) continue;
        buffer *sink = numbers_of("sink", 1, 1, 0);
        check_number("operations of no rounds", k->multiply_adds(0, sink->actual), 0, 0);
        double chains = (1 + sqrt(1 + 8 * number_at(sink->actual, 0))) / 2; /* Σ i = C (C − 1) / 2 */
        double one = k->multiply_adds(1, sink->actual), total = number_at(sink->actual, 0);
        double links = round(log((total - chains) / (chains * (chains - 3) / 2)) / log(0.999));
        double lanes = k->isa[0] == 'p' ? 16 : strcmp(k->isa, "avx2") ? 64 : 32; /* bytes of a vector */
        double done = 2 * chains * links * lanes / k->itemsize;
        if (one != done) fail("a round returns %g operations, its sums show %g", one, done);
        double three = k->multiply_adds(3, sink->actual);
        if (!(one > 0) || three != 3 * one) fail("3 rounds have %g operations, 1 has %g", three, one);
        if (!isfinite(number_at(sink->actual, 0))) fail("the sums are %g", number_at(sink->actual, 0));
        expect(sink, 0, 0, 0, ANYTHING);
        end();
    }
}

/* The first number, row by row from row 2 on, that is not finite, or not finite as float32. */
static void find_nonfinite_case(int type, int arrangement, ptrdiff_t rows, ptrdiff_t cols, int single)
{
    EACH_KIND {
        if (!begin("find_nonfinite %s %s rows=%td cols=%td single=%d", SAMPLE_TYPES[type].name,
                   ARRANGEMENT_NAMES[arrangement], rows, cols, single))
            continue;
        cg_samples x = array_of(type, arrangement, rows + 2, cols);
        double largest = single ? (double)FLT_MAX : DBL_MAX; /* and the largest number that is rounded to it */
        for (ptrdiff_t c = 0; cols && type == CG_FLOAT64 && c < 2; c++) {
            char *item = (char *)x.data + random_below(rows + 2) * x.row_stride + random_below(cols) * x.col_stride;
            double edge = single ? nextafter(0x1.ffffffp127, c ? 0 : INFINITY) : largest;
            if (special || c) memcpy(item, &edge, sizeof edge);
        }
        ptrdiff_t row = -1, col = -1, first_row = -1, first_col = -1;
        int found = cg_find_nonfinite(&x, 2, rows, single, &row, &col);
        int expected = 0;
        for (ptrdiff_t r = 2; !expected && r < rows + 2; r++)
            for (ptrdiff_t c = 0; !expected && c < cols; c++) {
                const char *item = x.data + r * x.row_stride + c * x.col_stride;
                double number = type == CG_FLOAT32 ? (double)*(const float *)item
                                : type == CG_FLOAT64 ? *(const double *)item : 0;
                if (isfinite(number) && (!single || isfinite((float)number))) continue;
                expected = 1, first_row = r, first_col = c;
            }
        check_number("the result", found, expected, 0);
        check_number("the row", (double)row, (double)first_row, 0);
        check_number("the column", (double)col, (double)first_col, 0);
        end();
    }
}

static void check_find_nonfinite(void)
{
    static const ptrdiff_t ROWS[] = {0, 1, 2, 9}, COLS[] = {0, 1, 2, 3, 15, 16, 17, 33};
    static const int TYPES[] = {CG_BOOL, CG_INT64, CG_FLOAT32, CG_FLOAT64};
    EACH(type, TYPES)
        for (int arrangement = 0; arrangement < COUNT(ARRANGEMENT_NAMES); arrangement++)
            EACH(rows, ROWS) EACH(cols, COLS) for (int single = 0; single <= 1; single++)
                find_nonfinite_case((int)type, arrangement, rows, cols, single);
}

/* Print the name of the case in which a signal ended the program. */
static void report_signal(int number)
{
    static const char before[] = "STOPPED in ", after[] = "\n";
    signal(number, SIG_DFL);
    if (write(STDOUT_FILENO, before, strlen(before)) < 0 || write(STDOUT_FILENO, case_name, strlen(case_name)) < 0 ||
        write(STDOUT_FILENO, after, strlen(after)) < 0)
        _exit(2);
    raise(number);
}

/* The sanitizers print an error and abort. */
#ifdef __SANITIZE_ADDRESS__
#define EXPORTED __attribute__((visibility("default")))
EXPORTED const char *__asan_default_options(void) { return "abort_on_error=1"; }
EXPORTED const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }
static const int FATAL_SIGNALS[] = {SIGABRT};
#else
static const int FATAL_SIGNALS[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
#endif

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    EACH(number, FATAL_SIGNALS) signal((int)number, report_signal);
    if (count > 1) name_filter = arguments[1];
    unsigned long saved = cg_flush_denormals(); /* as the engine does */
    for (const cg_kernels *const *table = cg_available_kernels(); *table; table++) {
        k = *table;
        case_index = 0;
        check_forward_gathers();
        check_gather();
        check_unpack();
        check_transpose();
        check_forward();
        check_hidden_delta();
        check_weight_gradient();
        check_bias_gradient();
        check_sum_of_squares();
        check_apply_gradient();
        check_limit_norms();
        check_function();
        check_activate();
        check_softmax();
        check_softmax_slope();
        check_output();
        check_norms();
        check_multiply_adds();
        check_find_nonfinite();
        if (k->itemsize == sizeof(double)) {
            check_gates();
            check_tape();
        }
        printf("checked %s %s\n", k->dtype, k->isa);
    }
    cg_restore_denormals(saved);
    printf("%ld cases, %d failures\n", cases, failures);
    return failures || !cases;
}
