/* Columns as inputs: (x - center) / scale in float64; some are clipped to z / sqrt(1 + (z / 3)^2). */
NET_SHARED void net_encode(const net_input *x, net_column *a)
{
    int k;
    for (k = 0; k < NET_INPUTS; k++) {
        double z = ((double)x[k] - @center@[k]) / @divisor@[k], third = z / 3;
        if (@clipped@[k] != 0) z = z / net_wide_root(1 + NET_WIDE_MUL(third, third));
        a[k] = (net_column)z;
    }
}
