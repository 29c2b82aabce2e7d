/* fuzz_driver.c: libFuzzer and the limits of one input, as a library for Python. */
#include "fuzz_limits.h"

#include <stdint.h>

int LLVMFuzzerRunDriver(int *count, char ***arguments, int (*test)(const uint8_t *data, size_t size));

int fuzz_run(int count, char **arguments, int (*test)(const uint8_t *data, size_t size))
{
    atexit(report_limits); /* libFuzzer ends the process */
    return LLVMFuzzerRunDriver(&count, &arguments, test);
}

void fuzz_begin(size_t size) { begin_input(size); }

void fuzz_end(void) { end_input(); }
