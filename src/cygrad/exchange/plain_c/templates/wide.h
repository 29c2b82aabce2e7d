/* The same in float64: products that GCC cannot fuse with a sum, and one rounding. */
#if NET_FAST_WIDE_FMA
#define NET_WIDE_MUL(a, b) __builtin_fma(a, b, -0.0)
#else
#define NET_WIDE_MUL(a, b) ((a) * (b))
#endif
#if NET_FAST_WIDE_FMA && !defined(CYGRAD_SOFT_FMA)
#define NET_WIDE_FMA(a, b, c) __builtin_fma(a, b, c)
#elif defined(CYGRAD_SOFT_FMA)
#define NET_WIDE_FMA(a, b, c) net_fma64(a, b, c)
#else
#define NET_WIDE_FMA(a, b, c) fma(a, b, c)
#endif
