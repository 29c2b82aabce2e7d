/* splitmix.h: random numbers for the tests, SplitMix64 (Steele, Lea & Flood 2014). */
#ifndef SPLITMIX_H
#define SPLITMIX_H

#include <stdint.h>

#define GOLDEN_GAMMA 0x9E3779B97F4A7C15u /* 2⁶⁴ divided by the golden ratio */

/* The random number of a counter with steps of GOLDEN_GAMMA. */
static inline uint64_t splitmix64(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

#endif
