/* z = gamma (z - mean) * inverse + beta, with inverse = 1 / sqrt (variance + epsilon) */
NET_SHARED void net_batch_norm(int units, const net_real *mean, const net_real *inverse, const net_real *scale,
                               const net_real *shift, const net_real *a, net_real *z)
{
    int j;
    for (j = 0; j < units; j++) z[j] = NET_FMA(NET_MUL(NET_SUB(a[j], mean[j]), inverse[j]), scale[j], shift[j]);
}
