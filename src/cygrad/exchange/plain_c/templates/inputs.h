/* A float64 number as a number of the network, denormal ones as zero. */
NET_INLINE net_real net_rounded(double x)
{
    net_real r = (net_real)x;
    double size = x < 0 ? -x : x, least = (double)net_real_from(NET_LEAST);
    if ((net_bits_of(r) & ~NET_SIGN) == NET_LEAST && size < least - least * (1.0 / 33554432)) r = 0 * r;
    return net_flush(r);
}

/* A number of type T as a number of the network. */
#define NET_READ(x) (sizeof(x) > sizeof(net_real) ? net_rounded((double)(x)) : net_flush((net_real)(x)))
