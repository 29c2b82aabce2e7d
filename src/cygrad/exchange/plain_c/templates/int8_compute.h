/* z of the last layer: integers times NET_STEP. Returns 0 if an input is NaN or infinite. */
#define NET_STEP @step@
NET_SHARED int net_integers_of(const net_@from@ *x, int32_t *z)
{
@arrays@    if (!net_quantize(x, @low@, @rate@, q0)) return 0;
@calls@    return 1;
}

NET_SHARED void net_compute(const net_@from@ *x, net_real *y)
{
    int32_t z[NET_OUTPUTS];
    net_real a0[NET_OUTPUTS];
    int k, finite = net_integers_of(x, z);
    for (k = 0; k < NET_OUTPUTS; k++) a0[k] = finite ? NET_MUL(NET_STEP, (net_real)z[k]) : (net_real)NAN;
@activation@    for (k = 0; k < NET_OUTPUTS; k++) y[k] = a0[k];
}
