NET_SHARED void net_residual(int units, const net_real *a, net_real *z)
{
    int j;
    for (j = 0; j < units; j++) z[j] = NET_ADD(a[j], z[j]);
}
