/* ---- Arithmetic: each operation is rounded once, and denormal results become zero ---- */

NET_INLINE net_bits net_bits_of(net_real x)
{
    net_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

NET_INLINE net_real net_real_from(net_bits bits)
{
    net_real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define NET_SIGN ((net_bits)1 << (sizeof(net_bits) * 8 - 1))
#define NET_LEAST ((net_bits)1 << (NET_DIGITS - 1)) /* the smallest normal number */
#define NET_SHIFT(x, by) ((net_bits)((net_int)(x) >> (by)))

/* Choices by bits, since GCC vectorizes no loop with branches. A condition is zero or not. */
NET_INLINE net_real net_select(int condition, net_real a, net_real b)
{
    net_bits chosen = (net_bits)0 - (net_bits)(condition != 0);
    return net_real_from((net_bits_of(a) & chosen) | (net_bits_of(b) & ~chosen));
}

NET_INLINE net_real net_masked(net_real a, int condition) { return net_select(condition, a, 0); }
NET_INLINE net_real net_absolute(net_real a) { return net_real_from(net_bits_of(a) & ~NET_SIGN); }
NET_INLINE net_real net_larger(net_real a, net_real b) { return net_select(a > b, a, b); }
NET_INLINE net_real net_smaller(net_real a, net_real b) { return net_select(a < b, a, b); }

/* Zero, with the sign, for a denormal number. */
NET_INLINE net_real net_flush(net_real x)
{
    net_bits bits = net_bits_of(x);
    return (bits & ~NET_SIGN) < NET_LEAST ? net_real_from(bits & NET_SIGN) : x;
}

#if NET_FAST_FMA && !defined(CYGRAD_SOFT_FMA)
#define NET_ONE_FMA(a, b, c) __builtin_fma@f@(a, b, c)
#elif defined(CYGRAD_SOFT_FMA)
#define NET_ONE_FMA(a, b, c) @soft@(a, b, c)
#else
#define NET_ONE_FMA(a, b, c) fma@f@(a, b, c)
#endif
/* A product that GCC cannot fuse with the sum that it is added to. */
#if NET_FAST_FMA
#define NET_ONE_MUL(a, b) __builtin_fma@f@(a, b, (net_real)-0.0)
#else
#define NET_ONE_MUL(a, b) ((a) * (b))
#endif

#if NET_HARDWARE_FLUSH
#define NET_ADD(a, b) ((a) + (b))
#define NET_SUB(a, b) ((a) - (b))
#define NET_MUL(a, b) NET_ONE_MUL(a, b)
#define NET_DIV(a, b) ((a) / (b))
#define NET_FMA(a, b, c) NET_ONE_FMA(a, b, c)
#else
/* The result r of a b + c. It is denormal if it is so before it is rounded to multiples of the smallest denormal number:
 * the smallest normal number can be the rounded value of a denormal one. */
NET_SHARED net_real net_tiny_fma(net_real a, net_real b, net_real c, net_real r)
{
    net_real scaled;
    if ((net_bits_of(r) & ~NET_SIGN) == NET_LEAST) {
        if (net_absolute(a) < net_absolute(b)) a *= NET_SCALE;
        else b *= NET_SCALE;
        scaled = NET_ONE_FMA(a, b, c * NET_SCALE);
        if (!(net_absolute(scaled) < net_real_from(NET_LEAST) * NET_SCALE)) return r;
    }
    return net_real_from(net_bits_of(r) & NET_SIGN);
}

NET_SHARED net_real net_tiny_quotient(net_real a, net_real b, net_real r)
{
    net_real scaled;
    if ((net_bits_of(r) & ~NET_SIGN) == NET_LEAST) {
        scaled = net_absolute(a) < 1 ? a * NET_SCALE / b : a / (b / NET_SCALE);
        if (!(net_absolute(scaled) < net_real_from(NET_LEAST) * NET_SCALE)) return r;
    }
    return net_real_from(net_bits_of(r) & NET_SIGN);
}

NET_INLINE int net_is_tiny(net_real x)
{
    net_bits size = net_bits_of(x) & ~NET_SIGN;
    return size <= NET_LEAST && size != 0;
}

NET_INLINE net_real net_fma(net_real a, net_real b, net_real c)
{
    net_real r = NET_ONE_FMA(a, b, c);
    return net_is_tiny(r) ? net_tiny_fma(a, b, c, r) : r;
}

NET_INLINE net_real net_product(net_real a, net_real b)
{
    net_real r = NET_ONE_MUL(a, b);
    return net_is_tiny(r) ? net_tiny_fma(a, b, (net_real)-0.0, r) : r;
}

NET_INLINE net_real net_quotient(net_real a, net_real b)
{
    net_real r = a / b;
    return net_is_tiny(r) ? net_tiny_quotient(a, b, r) : r;
}

/* A denormal sum is exact. */
#define NET_ADD(a, b) net_flush((a) + (b))
#define NET_SUB(a, b) net_flush((a) - (b))
#define NET_MUL(a, b) net_product(a, b)
#define NET_DIV(a, b) net_quotient(a, b)
#define NET_FMA(a, b, c) net_fma(a, b, c)
#endif
