/* classes.h: the class that the outputs of a sample predict: argmaxⱼ aⱼ, the first among equals; −1 if an output is NaN or
 * the largest one is infinite. For one row of a matrix in panels, of either dtype, in vectors of 16 bytes, which every processor has. */
#ifndef CG_CLASSES_H
#define CG_CLASSES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "cygrad.h"

/* Each lane has the largest of its columns so far, and the first column that holds it. Lanes past the last column keep
 * −∞ and a number that loses against every column. WORD has the size of REAL; LANES are 0, 1, … */
#define CG_LARGEST_OUTPUT(NAME, REAL, WORD, ...)                                                        \
    static inline int64_t NAME(const cg_matrix *a, ptrdiff_t r)                                         \
    {                                                                                                   \
        typedef REAL numbers __attribute__((vector_size(16), may_alias));                               \
        typedef WORD words __attribute__((vector_size(16), may_alias));                                 \
        enum { LANES = 16 / sizeof(REAL), VECTORS = CG_PANEL_BYTES / 16 };                              \
        words column = {__VA_ARGS__}, places = column, is_nan = {0};                                    \
        numbers most = (REAL)-INFINITY - (numbers){0};                                                  \
        for (ptrdiff_t done = 0, panel = 0; done < a->cols; panel++) {                                  \
            const numbers *in = (const numbers *)(a->data + (panel * a->capacity + r) * CG_PANEL_BYTES); \
            for (int j = 0; j < VECTORS && done < a->cols; j++, done += LANES, column += LANES) {       \
                words used = column < (WORD)a->cols, larger = (in[j] > most) & used;                    \
                is_nan |= (in[j] != in[j]) & used;                                                      \
                most = (numbers)(((words)in[j] & larger) | ((words)most & ~larger));                    \
                places = (column & larger) | (places & ~larger);                                        \
            }                                                                                           \
        }                                                                                               \
        REAL largest = most[0];                                                                         \
        int64_t place = places[0];                                                                      \
        WORD any_nan = is_nan[0];                                                                       \
        for (int i = 1; i < LANES; i++) {                                                               \
            if (most[i] > largest || (most[i] == largest && places[i] < place)) {                       \
                largest = most[i];                                                                      \
                place = places[i];                                                                      \
            }                                                                                           \
            any_nan |= is_nan[i];                                                                       \
        }                                                                                               \
        return any_nan || isinf(largest) ? -1 : place;                                                  \
    }
CG_LARGEST_OUTPUT(cg_largest_f32, float, int32_t, 0, 1, 2, 3)
CG_LARGEST_OUTPUT(cg_largest_f64, double, int64_t, 0, 1)

#endif
