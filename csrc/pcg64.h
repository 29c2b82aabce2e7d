/* pcg64.h: the uniform random numbers of NumPy's SeedSequence and PCG64, bit by bit, for initial weights.
 *
 * The generator is PCG XSL RR 128/64 (M. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation", 2014). Its seeds are mixed from words of entropy by the hash of NumPy's
 * numpy.random.SeedSequence, whose pool has four words. */
#ifndef CG_PCG64_H
#define CG_PCG64_H

#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 cg_uint128;

typedef struct {
    cg_uint128 state, increment;
} cg_pcg64;

enum { CG_SEED_POOL = 4 };

static inline uint32_t cg_hash_word(uint32_t value, uint32_t *constant, uint32_t factor)
{
    value ^= *constant;
    *constant *= factor;
    value *= *constant;
    return value ^ value >> 16;
}

static inline uint32_t cg_mix_words(uint32_t x, uint32_t y)
{
    uint32_t mixed = 0xca01f9dd * x - 0x4973f715 * y;
    return mixed ^ mixed >> 16;
}

static inline void cg_pcg64_step(cg_pcg64 *random)
{
    const cg_uint128 factor = (cg_uint128)0x2360ED051FC65DA4 << 64 | 0x4385DF649FCCF645;
    random->state = random->state * factor + random->increment;
}

/* Start a generator from words of entropy, as PCG64(SeedSequence). */
static inline void cg_pcg64_seed(cg_pcg64 *random, ptrdiff_t words, const uint32_t *entropy)
{
    uint32_t pool[CG_SEED_POOL], constant = 0x43b0d7e5;
    uint64_t seeds[4] = {0};
    for (int i = 0; i < CG_SEED_POOL; i++)
        pool[i] = cg_hash_word(i < words ? entropy[i] : 0, &constant, 0x931e8875);
    for (int from = 0; from < CG_SEED_POOL; from++)
        for (int to = 0; to < CG_SEED_POOL; to++)
            if (from != to) pool[to] = cg_mix_words(pool[to], cg_hash_word(pool[from], &constant, 0x931e8875));
    for (ptrdiff_t from = CG_SEED_POOL; from < words; from++)
        for (int to = 0; to < CG_SEED_POOL; to++)
            pool[to] = cg_mix_words(pool[to], cg_hash_word(entropy[from], &constant, 0x931e8875));

    constant = 0x8b51f9dd;
    for (int i = 0; i < 8; i++)
        seeds[i / 2] |= (uint64_t)cg_hash_word(pool[i % CG_SEED_POOL], &constant, 0x58f38ded) << i % 2 * 32;

    random->increment = ((cg_uint128)seeds[2] << 64 | seeds[3]) << 1 | 1;
    random->state = 0;
    cg_pcg64_step(random);
    random->state += (cg_uint128)seeds[0] << 64 | seeds[1];
    cg_pcg64_step(random);
}

/* Return the next number, uniform from 0 to below 1: a multiple of 2⁻⁵³. */
static inline double cg_pcg64_uniform(cg_pcg64 *random)
{
    cg_pcg64_step(random);
    uint64_t high = (uint64_t)(random->state >> 64), bits = high ^ (uint64_t)random->state;
    unsigned turn = (unsigned)(high >> 58);
    bits = bits >> turn | bits << (-turn & 63);
    return (double)(bits >> 11) * 0x1p-53;
}

#endif
