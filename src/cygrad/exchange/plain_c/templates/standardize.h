/* (x - mean) * scale in float64, rounded to a number of the network. */
#if NET_DIGITS == 53
#define NET_STANDARDIZED(x, mean, scale) NET_MUL(NET_SUB(x, mean), scale)
#else
NET_INLINE net_real net_standardized(double x, double mean, double scale)
{
    double distance = x - mean;
    if (distance < DBL_MIN && distance > -DBL_MIN) distance = 0;
    return net_rounded(NET_WIDE_MUL(distance, scale));
}
#define NET_STANDARDIZED(x, mean, scale) net_standardized(x, mean, scale)
#endif
