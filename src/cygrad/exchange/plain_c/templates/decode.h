/* Quantities in their unit, in float64. */
NET_SHARED void net_decode(const net_real *a, net_output *y)
{
    int j;
    for (j = 0; j < NET_OUTPUTS; j++) y[j] = NET_WIDE_MUL((double)a[j], @factor@[j]) + @offset@[j];
}
