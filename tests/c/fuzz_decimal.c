/* fuzz_decimal.c: cg_read_decimal against strtod, under libFuzzer.
 *
 * The first byte of an input chooses the decimal point, whether the others are the text or choose its characters among those
 * of numbers, and whether the first two of them are an exponent behind it, so that all powers are tried. The text ends where
 * memory does, but for the bytes that cg_read_decimal may read. */
#include "decimal.h"
#include "fuzz_limits.h"
#include "powers.h" /* POWERS, as the numbers that cg_set_powers takes */

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { READABLE = 8, LOOKED_AT = 19 };

/* What the text is, by its grammar, read one character after the other. */
struct grammar {
    const char *end; /* NULL: no number */
    bool is_whole;
    const char *digits, *digits_end; /* with the point among them */
};

static struct grammar read_grammar(const char *text, char point)
{
    struct grammar found = {.is_whole = true};
    size_t count = 0;
    const char *p = text + (*text == '-' || *text == '+');
    found.digits = p;
    for (; isdigit((unsigned char)*p); p++) count++;
    if (*p == point) {
        found.is_whole = false;
        for (p++; isdigit((unsigned char)*p); p++) count++;
    }
    found.digits_end = p;
    if (count == 0) return found;
    if (*p == 'e' || *p == 'E') {
        found.is_whole = false;
        p++;
        p += *p == '-' || *p == '+';
        if (!isdigit((unsigned char)*p)) return found;
        while (isdigit((unsigned char)*p)) p++;
    }
    found.end = p;
    return found;
}

static void require(bool is_so, const char *what, const char *text, size_t size)
{
    if (is_so) return;
    fprintf(stderr, "%s: '%.*s'\n", what, (int)size, text);
    abort();
}

static double nearest(const char *text, size_t size, char point)
{
    char *copy = malloc(size + 1), *end;
    memcpy(copy, text, size);
    copy[size] = 0;
    char *fraction = memchr(copy, point, size);
    if (fraction) *fraction = '.';
    double value = strtod(copy, &end);
    require(end == copy + size, "strtod stops before the end", text, size);
    free(copy);
    return value;
}

/* Return whether a double is the whole number of these digits. */
static bool is_exact(double value, const char *digits, const char *end)
{
    char exact[400];
    while (digits < end && *digits == '0') digits++;
    if (digits == end) return value == 0;
    int size = snprintf(exact, sizeof exact, "%.0f", fabs(value));
    return size == end - digits && memcmp(exact, digits, (size_t)size) == 0;
}

static ptrdiff_t significant(const struct grammar *found, char point)
{
    const char *p = found->digits;
    ptrdiff_t count = 0;
    while (p < found->digits_end && (*p == '0' || *p == point)) p++;
    for (; p < found->digits_end; p++) count += *p != point;
    return count;
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    static const uint64_t powers[CG_POWER_WORDS] = {POWERS};
    (void)count;
    (void)arguments;
    cg_set_powers(powers);
    atexit(report_limits);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char characters[] = "0123456789012345678901234567890123456789000999.,.,eE-+-+e-12 \0x5";
    char exponent[8] = "";
    if (size < 3) return 0;
    const uint8_t first = data[0];
    const char point = first & 1 ? ',' : '.';
    const bool is_text = first & 2;
    data++, size--;
    if (first & 8) {
        snprintf(exponent, sizeof exponent, "e%d", (data[0] << 8 | data[1]) % 800 - 400);
        data += 2, size -= 2;
    }
    const size_t exponent_size = strlen(exponent);
    char *text = malloc(size + exponent_size + READABLE);
    for (size_t i = 0; i < size; i++) text[i] = is_text ? (char)data[i] : characters[data[i] % (sizeof characters - 1)];
    memcpy(text + size, exponent, exponent_size);
    size += exponent_size;
    memset(text + size, '9', READABLE);
    text[size] = first & 4 ? 'x' : 0;

    const struct grammar found = read_grammar(text, point);
    cg_decimal number = {.value = 0, .properties = -1};
    begin_input(size);
    const char *end = cg_read_decimal(text, point, &number);
    end_input();
    require(end == found.end, "another end", text, size);
    if (end) {
        const size_t length = (size_t)(end - text);
        const double expected = nearest(text, length, point);
        const ptrdiff_t digits = significant(&found, point);
        const int undecided = number.properties & CG_UNDECIDED;
        require(!undecided || digits > LOOKED_AT, "undecided in spite of few digits", text, length);
        require(undecided || memcmp(&number.value, &expected, sizeof expected) == 0, "another number", text, length);
        require(undecided || !(number.properties & CG_INFINITE) == !isinf(expected), "infinite or not", text, length);
        const bool is_rounded =
            found.is_whole && (digits > LOOKED_AT || isinf(expected) || !is_exact(expected, found.digits, found.digits_end));
        require(!(number.properties & CG_ROUNDED) == !is_rounded, "rounded or not", text, length);
        const bool has_zero = found.is_whole && found.digits[0] == '0' && found.digits_end - found.digits > 1;
        require(!(number.properties & CG_LEADING_ZERO) == !has_zero, "a leading zero or none", text, length);
    }
    free(text);
    return 0;
}
