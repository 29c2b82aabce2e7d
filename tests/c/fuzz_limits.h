/* fuzz_limits.h: an end of the program where one input takes too much processor time or memory.
 *
 * For programs under libFuzzer and AddressSanitizer: libFuzzer keeps the input at which the program ends. Its own limits
 * are of elapsed time, in which a machine may have done other things, and of the memory of all inputs together. */
#ifndef FUZZ_LIMITS_H
#define FUZZ_LIMITS_H

#include <sanitizer/allocator_interface.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_SECONDS = 1, LIMIT_FACTOR = 4, LIMIT_ALLOWANCE = 64 << 20 };

static struct {
    ptrdiff_t allocated, most, limit; /* bytes since the beginning of the input; limit is 0 between inputs */
    ptrdiff_t most_of_all;
    double begin, longest;
} limits;

static double processor_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void count_allocation(const volatile void *memory, size_t size)
{
    (void)memory;
    if (!limits.limit) return;
    limits.allocated += (ptrdiff_t)size;
    if (limits.allocated > limits.most) limits.most = limits.allocated;
    if (limits.allocated > limits.limit) {
        limits.limit = 0;
        fprintf(stderr, "more memory than %d times the input and %d bytes\n", LIMIT_FACTOR, LIMIT_ALLOWANCE);
        abort();
    }
}

static void count_release(const volatile void *memory)
{
    if (limits.limit && memory) limits.allocated -= (ptrdiff_t)__sanitizer_get_allocated_size(memory);
}

static void end_after_the_time(int number)
{
    static const char message[] = "more time than a second\n";
    ssize_t written = write(2, message, sizeof message - 1);
    (void)written;
    (void)number;
    abort();
}

static void set_timer(int seconds)
{
    const struct itimerval value = {.it_value = {.tv_sec = seconds}};
    setitimer(ITIMER_PROF, &value, NULL);
}

static void begin_input(size_t size)
{
    static int is_ready;
    if (!is_ready) {
        is_ready = 1;
        __sanitizer_install_malloc_and_free_hooks(count_allocation, count_release);
        signal(SIGPROF, end_after_the_time);
    }
    limits.allocated = limits.most = 0;
    limits.limit = (ptrdiff_t)size * LIMIT_FACTOR + LIMIT_ALLOWANCE;
    limits.begin = processor_seconds();
    set_timer(LIMIT_SECONDS);
}

static void end_input(void)
{
    set_timer(0);
    double seconds = processor_seconds() - limits.begin;
    limits.limit = 0;
    if (seconds > limits.longest) limits.longest = seconds;
    if (limits.most > limits.most_of_all) limits.most_of_all = limits.most;
}

static void report_limits(void)
{
    fprintf(stderr, "at most %.6f s and %td bytes for one input\n", limits.longest, limits.most_of_all);
}

#endif
