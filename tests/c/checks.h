/* checks.h: cases, each with a name by which it can be run alone; the buffers of a case; what they must hold after it.
 *
 * A buffer exists twice: `actual` is for the kernel, numbers of its dtype in guarded memory; `expected` is for the
 * reference, the same numbers as float64. After the case all its buffers are compared number by number, those too that
 * were only read. Where the reference says nothing else the bits must be equal; the sign and payload of a NaN do not
 * count. And whatever a kernel computes must have the same bits on every instruction set. */
#ifndef CHECKS_H
#define CHECKS_H

#include "guarded.h"

#include <float.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "cygrad.h"

enum { MOST_FAILURES = 20, MOST_CASES = 1 << 17, MOST_NUMBERS = BLOCK_ROOM / 4 };

static const cg_kernels *k;   /* the kernels that are checked now */
static const char *name_filter = ""; /* run the cases whose names contain this */
static int failures;
static long cases;

/* How the buffers of a case lie: at the page behind them and with no row to spare, or at the page before them and with
 * some. And what is in them: random numbers, or NaN, infinities and zeros among these. Each case comes tight with
 * random numbers and roomy with special ones. */
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

/* What is smaller counts as zero. */
static double smallest(void) { return k->itemsize == 4 ? (double)FLT_MIN : DBL_MIN; }

/* Largest relative error of a number that `depth` rounded operations in a row went into: that of tolerances.py. */
static double tolerance(double depth) { return depth * (k->itemsize == 4 ? (double)FLT_EPSILON : DBL_EPSILON); }

/* ---- random numbers: for one case the same on every instruction set ---- */

static uint64_t random_state;

static uint64_t random_bits(void) /* SplitMix64 (Steele, Lea & Flood 2014) */
{
    uint64_t x = random_state += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static ptrdiff_t random_below(ptrdiff_t n) { return (ptrdiff_t)cg_random_below(random_bits(), (uint64_t)n); }

/* From −size to size; or, one in fifty of a special case, something else. */
static double random_number(double size)
{
    static const double specials[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0};
    if (special && random_below(50) == 0) return specials[random_below(COUNT(specials))];
    return rounded(size * ((double)(random_bits() >> 11) * 0x1p-52 - 1));
}

/* ---- buffers ---- */

/* A matrix: in panels, of whose `capacity` rows the first `rows` are in use; or row-major. */
typedef struct {
    const char *name;
    char *actual;
    double *expected, *within; /* within 0: the same bits */
    ptrdiff_t rows, cols, capacity, count;
    int in_panels;
} buffer;

static buffer buffers[MOST_BLOCKS];
static int buffer_count;

static const double UNTOUCHED = -12345.5; /* what must not be used, or must be written */
static const double ANYTHING = -1; /* an error that means that the kernel may write what it likes */

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

/* Where element [r, c] lies. */
static ptrdiff_t place(const buffer *b, ptrdiff_t r, ptrdiff_t c)
{
    return b->in_panels ? (c / k->panel_width * b->capacity + r) * k->panel_width + c % k->panel_width : r * b->cols + c;
}

/* Element [r, c] as the reference knows it. */
static double at(const buffer *b, ptrdiff_t r, ptrdiff_t c) { return b->expected[place(b, r, c)]; }

/* What [r, c] must become: up to `error`, or exactly where that is 0. */
static void expect(buffer *b, ptrdiff_t r, ptrdiff_t c, double value, double error)
{
    b->expected[place(b, r, c)] = value;
    b->within[place(b, r, c)] = error;
}

static ptrdiff_t panels(ptrdiff_t cols) { return (cols + k->panel_width - 1) / k->panel_width; }
static ptrdiff_t padded(ptrdiff_t n) { return panels(n) * k->panel_width; } /* rounded up to a panel */

/* A matrix in panels that holds zeros, and below them rows that are nobody's. */
static buffer *matrix(const char *name, ptrdiff_t rows, ptrdiff_t cols, ptrdiff_t zero_rows, ptrdiff_t other_rows)
{
    ptrdiff_t capacity = zero_rows + other_rows;
    buffer *b = new_buffer(name, panels(cols) * capacity * k->panel_width);
    b->rows = rows, b->cols = cols, b->capacity = capacity, b->in_panels = 1;
    for (ptrdiff_t i = 0; i < b->count; i++) set(b, i, i / k->panel_width % capacity < zero_rows ? 0 : UNTOUCHED);
    return b;
}

/* Random numbers up to `size` in the columns and rows that are in use; UNTOUCHED, if the size is 0. */
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

/* What a kernel is to fill: [rows, cols] */
static buffer *result_of(const char *name, ptrdiff_t rows, ptrdiff_t cols) { return samples_of(name, rows, cols, 0); }

/* Weights, or a state of them: [in, out], with rows of zeros that fill up the last panel of the transpose */
static buffer *weights_of(const char *name, ptrdiff_t in, ptrdiff_t out)
{
    return filled(matrix(name, in, out, padded(in), tight ? 0 : 3), 1);
}

/* Biases, or a state of them: [out], with zeros that fill up the last panel */
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
static int case_index; /* counts those too that are not run */

/* The next state of a digest. */
static uint64_t next_digest(uint64_t state, uint64_t next)
{
    state = (state ^ next) * 0x9E3779B97F4A7C15u;
    return state ^ state >> 32;
}

/* Begin a case; false if it is not to be run. */
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

/* Whether a number is the expected one; if so it counts for the digest. */
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

/* A number that a kernel returns. */
static void check_number(const char *name, double actual, double expected, double within)
{
    if (!agrees(actual, expected, within))
        fail("%s is %a (%.9g), expected %a (%.9g), within %.3g", name, actual, actual, expected, expected, within);
}

/* What a buffer holds after the kernel. */
static void check_buffer(const buffer *b)
{
    for (ptrdiff_t i = 0; i < b->count; i++) {
        double actual = number_at(b->actual, i);
        ptrdiff_t r = i / b->cols, c = i % b->cols;
        if (b->in_panels) {
            r = i / k->panel_width % b->capacity;
            c = i / k->panel_width / b->capacity * k->panel_width + i % k->panel_width;
            /* The padding is zero, or what zero times infinity is. */
            if (c >= b->cols && r < b->rows && (actual == 0 || (special && isnan(actual)))) continue;
        }
        if (b->within[i] == ANYTHING || agrees(actual, b->expected[i], b->within[i])) continue;
        fail("%s[%td, %td] is %a (%.9g), expected %a (%.9g), within %.3g", b->name, r, c, actual, actual,
             b->expected[i], b->expected[i], b->within[i]);
        return;
    }
}

/* End a case whose kernel and reference have run. */
static void end(void)
{
    cases++;
    for (int i = 0; i < buffer_count; i++) check_buffer(&buffers[i]);
    uint64_t *first = &digests[k->itemsize == 8][case_index];
    if (*first && *first != case_digest) fail("not the bits of the instruction set before");
    *first = case_digest;
}

#endif
