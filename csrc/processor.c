/* processor.c: services of the processor and the system: denormal numbers, a clock.
 *
 * ARM flushes results that are denormal before rounding, x86 those that are denormal after it: results in the last half
 * unit below the smallest normal number may differ between the two. */
#define _POSIX_C_SOURCE 199309L
#include <time.h>

#include "cygrad.h"

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>

unsigned long cg_flush_denormals(void)
{
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040); /* flush-to-zero, denormals-are-zero */
    return saved;
}

unsigned long cg_keep_denormals(void)
{
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved & ~0x8040u);
    return saved;
}

void cg_restore_denormals(unsigned long saved) { _mm_setcsr((unsigned)saved); }

#elif defined(__aarch64__)
unsigned long cg_flush_denormals(void)
{
    unsigned long saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved | (1ul << 24))); /* flush-to-zero */
    return saved;
}

unsigned long cg_keep_denormals(void)
{
    unsigned long saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    __asm__ volatile("msr fpcr, %0" : : "r"(saved & ~(1ul << 24)));
    return saved;
}

void cg_restore_denormals(unsigned long saved) { __asm__ volatile("msr fpcr, %0" : : "r"(saved)); }

#else
unsigned long cg_flush_denormals(void) { return 0; }
unsigned long cg_keep_denormals(void) { return 0; }
void cg_restore_denormals(unsigned long saved) { (void)saved; }
#endif

double cg_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
