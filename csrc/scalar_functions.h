/* scalar_functions.h: the template of scalar.h's functions: those of functions.h, with vectors of one number. Each
 * scalar_<dtype>.c sets CG_BITS to 32 or 64 and CG_SCALAR_NAME(f) to the name of a function, and includes this file. */
#define CG_VECTOR_BYTES (CG_BITS / 8)
#include "activation_functions.h"

#include "scalar.h"

real CG_SCALAR_NAME(log)(real x) { return log_(splat(x))[0]; }
real CG_SCALAR_NAME(log1p)(real x) { return log1p_(splat(x))[0]; }
real CG_SCALAR_NAME(cosine)(real z, real omega) { return cosine(splat(z), splat(omega))[0]; }

#define CG_ROW(NAME, PROPERTIES, VALUE, SLOPE) \
    real CG_SCALAR_NAME(NAME)(real z_number, real number) \
    {                                                     \
        vec z = splat(z_number), parameter = splat(number); \
        (void)parameter;                                  \
        return (VALUE)[0];                                \
    }
#define CG_NONE(...)
CG_ACTIVATIONS(CG_ROW, CG_NONE)
#undef CG_ROW
#undef CG_NONE
#undef CG_SCALAR_NAME
