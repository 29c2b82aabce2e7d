/* checks.h: cases, which can be run one by one by name; the buffers of a case; the comparison of their contents.
 *
 * A buffer exists twice: `actual` is for the kernel, numbers of its dtype in guarded memory; `expected` is for the
 * reference, the same numbers as float64. After the case all its buffers are compared number by number, also those that
 * were only read. Unless the reference sets a tolerance, the bits must be equal, except the sign and payload of a NaN.
 * All results of a kernel must have the same bits on every instruction set. */
#ifndef CHECKS_H
#define CHECKS_H

#include "guarded.h"
#include "splitmix.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "cygrad.h"

enum { MOST_FAILURES = 20, MOST_CASES = 1 << 17, MOST_NUMBERS = BLOCK_ROOM / 4 };

static const cg_kernels *k;   /* the kernels under test */
static const char *name_filter = ""; /* run the cases whose names contain this */
static int failures;
static long cases;

/* Layout of the buffers in a case: tight, with no spare row and up to the forbidden page after them, or with spare rows
 * and from the forbidden page before them. Special: with NaN, infinities and zeros among the random numbers. Each case
 * runs tight with random numbers, and roomy with special ones. */
static int tight, special;

#define EACH_KIND for (tight = 1, special = 0; tight >= 0; tight--, special++)
#define COUNT(list) ((ptrdiff_t)(sizeof list / sizeof list[0]))
#define EACH(n, list) for (ptrdiff_t n##_i = 0, n; n##_i < COUNT(list) && (n = list[n##_i], 1); n##_i++)

/* ---- numbers of the kernels' dtype, held in a double ---- */

static double rounded(double x) { return k->itemsize == 4 ? (double)(float)x : x; }

static double fused(double a, double b, double c)
{
    return k->itemsize == 4 ? (double)fmaf((float)a, (float)b, (float)c) : fma(a, b, c);
}

static double number_at(const char *data, ptrdiff_t i)
{
    return k->itemsize == 4 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void set_number(char *data, ptrdiff_t i, double x)
{
    if (k->itemsize == 4) ((float *)data)[i] = (float)x;
    else ((double *)data)[i] = x;
}

/* The smallest normal number; smaller results may be zero. */
static double smallest(void) { return k->itemsize == 4 ? (double)FLT_MIN : DBL_MIN; }

/* The largest relative error after `depth` rounded operations in a row, as in tolerances.py. */
static double tolerance(double depth) { return depth * (k->itemsize == 4 ? (double)FLT_EPSILON : DBL_EPSILON); }

/* ---- random numbers: the same for a case on every instruction set ---- */

static uint64_t random_state;

static uint64_t random_bits(void) { return splitmix64(random_state += GOLDEN_GAMMA); }

static ptrdiff_t random_below(ptrdiff_t n) { return (ptrdiff_t)cg_random_below(random_bits(), (uint64_t)n); }

/* Draw a number from −size to size; in special cases one of fifty is NaN, infinite or zero. */
static double random_number(double size)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
    if (special && random_below(50) == 0) return specials[random_below(COUNT(specials))];
    return rounded(size * ((double)(random_bits() >> 11) * 0x1p-52 - 1));
}

/* ---- buffers ---- */

/* A matrix: in panels with the first `rows` of `capacity` rows in use, or row-major. */
typedef struct {
    const char *name;
    char *actual;
    double *expected, *within; /* largest error; 0: the same bits */
    ptrdiff_t rows, cols, capacity, count;
    int in_panels, any_padding; /* any_padding: the padding of columns may have any numbers */
} buffer;

static buffer buffers[MOST_BLOCKS];
static int buffer_count;

static const double UNTOUCHED = -12345.5; /* in memory that must not be read, or that must be written */
static const double ANYTHING = -1; /* a `within` that allows any result */

static buffer *new_buffer(const char *name, ptrdiff_t count)
{
    char *block = allocate((size_t)(count * k->itemsize), tight);
    buffer *b = &buffers[buffer_count++];
    if (!b->expected) {
        b->expected = malloc(MOST_NUMBERS * sizeof(double));
        b->within = malloc(MOST_NUMBERS * sizeof(double));
        if (!b->expected || !b->within) exit(2);
    }
    b->name = name, b->actual = block, b->count = count;
    memset(b->within, 0, (size_t)count * sizeof(double));
    return b;
}

static void set(buffer *b, ptrdiff_t i, double x)
{
    set_number(b->actual, i, x);
    b->expected[i] = number_at(b->actual, i);
}

/* Return the index of element [r, c]. */
static ptrdiff_t place(const buffer *b, ptrdiff_t r, ptrdiff_t c)
{
    if (!b->in_panels) return r * b->cols + c;
    return (c / k->panel_width * b->capacity + r) * k->panel_width + c % k->panel_width;
}

/* Return element [r, c] of the reference. */
static double at(const buffer *b, ptrdiff_t r, ptrdiff_t c) { return b->expected[place(b, r, c)]; }

/* Expect a value for [r, c]: within `error`, or exactly if that is 0. */
static void expect(buffer *b, ptrdiff_t r, ptrdiff_t c, double value, double error)
{
    b->expected[place(b, r, c)] = value;
    b->within[place(b, r, c)] = error;
}

static ptrdiff_t panels(ptrdiff_t cols) { return (cols + k->panel_width - 1) / k->panel_width; }
static ptrdiff_t padded(ptrdiff_t n) { return panels(n) * k->panel_width; } /* rounded up to a panel */

/* A matrix in panels: `zero_rows` rows of zeros, and then rows that no kernel may use. */
static buffer *matrix(const char *name, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t zero_rows, ptrdiff_t other_rows)
{
    ptrdiff_t capacity = zero_rows + other_rows;
    buffer *b = new_buffer(name, panels(cols) * capacity * k->panel_width);
    b->rows = rows, b->cols = cols, b->capacity = capacity, b->in_panels = 1, b->any_padding = 0;
    for (ptrdiff_t i = 0; i < b->count; i++) set(b, i, i / k->panel_width % capacity < zero_rows ? 0 : UNTOUCHED);
    return b;
}

/* Fill the rows and columns in use with random numbers up to `size`; with UNTOUCHED if that is 0. */
static buffer *filled(buffer *b, double size)
{
    for (ptrdiff_t r = 0; r < b->rows; r++)
        for (ptrdiff_t c = 0; c < b->cols; c++) set(b, place(b, r, c), size == 0 ? UNTOUCHED : random_number(size));
    return b;
}

/* Activations, deltas, targets: [rows, cols] */
static buffer *samples_of(const char *name, ptrdiff_t rows, ptrdiff_t cols, double size)
{
    return filled(matrix(name, rows, cols, rows, tight ? 0 : 3), size);
}

/* The result of a kernel: [rows, cols] */
static buffer *result_of(const char *name, ptrdiff_t rows, ptrdiff_t cols) { return samples_of(name, rows, cols, 0); }

/* Weights, or a state of them: [in, out], padded with rows of zeros to a whole panel of the transpose */
static buffer *weights_of(const char *name, ptrdiff_t in, ptrdiff_t out)
{
    return filled(matrix(name, in, out, padded(in), tight ? 0 : 3), 1);
}

/* Biases, or a state of them: [out], padded with zeros */
static buffer *biases_of(const char *name, ptrdiff_t out) { return filled(matrix(name, 1, out, 1, 0), 1); }

/* Numbers that are not in panels: [rows, cols] */
static buffer *numbers_of(const char *name, ptrdiff_t rows, ptrdiff_t cols, double size)
{
    buffer *b = new_buffer(name, rows * cols);
    b->rows = rows, b->cols = cols, b->in_panels = 0;
    return filled(b, size);
}

/* The kernels' view of a matrix. */
static cg_matrix matrix_of(const buffer *b) { return (cg_matrix){b->actual, b->capacity, b->cols}; }

/* ---- cases ---- */

static char case_name[256];
static uint64_t case_digest, digests[2][MOST_CASES]; /* of the first instruction set, for each dtype */
static int case_index; /* skipped cases are counted too */

/* Return the digest after one more number. */
static uint64_t next_digest(uint64_t state, uint64_t next)
{
    state = (state ^ next) * GOLDEN_GAMMA;
    return state ^ state >> 32;
}

/* Begin a case; return 0 if its name does not match the filter. */
__attribute__((format(printf, 1, 2))) static int begin(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(case_name, sizeof case_name, format, arguments);
    va_end(arguments);
    length += snprintf(case_name + length, sizeof case_name - length, " %s%s %s", tight ? "tight" : "roomy",
                       special ? " special" : "", k->dtype);
    random_state = 0;
    for (int i = 0; i < length; i++) random_state = next_digest(random_state, (unsigned char)case_name[i]);
    case_digest = random_state;
    snprintf(case_name + length, sizeof case_name - length, " %s", k->isa);
    free_all();
    buffer_count = 0;
    if (++case_index == MOST_CASES) {
        fprintf(stderr, "checks.h has no room for more than %d cases\n", MOST_CASES);
        exit(2);
    }
    return strstr(case_name, name_filter) != NULL;
}

__attribute__((format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("FAILED %s: ", case_name);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    if (++failures == MOST_FAILURES) exit(1);
}

/* Return whether a number is as expected, and if so add it to the digest. */
static int agrees(double actual, double expected, double within)
{
    uint64_t bits, expected_bits;
    if (isnan(actual)) actual = NAN;
    if (isnan(expected)) expected = NAN;
    memcpy(&bits, &actual, sizeof bits);
    memcpy(&expected_bits, &expected, sizeof bits);
    if (bits != expected_bits)
        if (within == 0 || !isfinite(expected) || !(fabs(actual - expected) <= within)) return 0;
    case_digest = next_digest(case_digest, bits);
    return 1;
}

/* Check a number that a kernel returned. */
static void check_number(const char *name, double actual, double expected, double within)
{
    if (!agrees(actual, expected, within))
        fail("%s is %a (%.9g), expected %a (%.9g), within %.3g", name, actual, actual, expected, expected, within);
}

/* Check all numbers of a buffer after the kernel. */
static void check_buffer(const buffer *b)
{
    for (ptrdiff_t i = 0; i < b->count; i++) {
        double actual = number_at(b->actual, i);
        ptrdiff_t r = i / b->cols, c = i % b->cols;
        if (b->in_panels) {
            r = i / k->panel_width % b->capacity;
            c = i / k->panel_width / b->capacity * k->panel_width + i % k->panel_width;
            /* The padding is zero, or NaN where zero was multiplied by infinity. */
            if (c >= b->cols && r < b->rows && (actual == 0 || b->any_padding || (special && isnan(actual)))) continue;
        }
        if (b->within[i] == ANYTHING || agrees(actual, b->expected[i], b->within[i])) continue;
        fail("%s[%td, %td] is %a (%.9g), expected %a (%.9g), within %.3g", b->name, r, c, actual, actual,
             b->expected[i], b->expected[i], b->within[i]);
        return;
    }
}

/* End a case, after its kernel and its reference. */
static void end(void)
{
    cases++;
    for (int i = 0; i < buffer_count; i++) check_buffer(&buffers[i]);
    uint64_t *first = &digests[k->itemsize == 8][case_index];
    if (*first && *first != case_digest) fail("the bits differ from those of another instruction set");
    *first = case_digest;
}

#endif
