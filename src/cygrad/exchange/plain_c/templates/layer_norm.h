/* z = gamma (z - mean) / sqrt (variance + epsilon) + beta with mean and variance of the row */
NET_SHARED void net_layer_norm(int units, const net_real *scale, const net_real *shift, net_real epsilon,
                               const net_real *a, net_real *z)
{
    net_real partial[NET_PANEL], first = a[0], mean, error, inverse;
    int j;
    for (j = 0; j < NET_PANEL; j++) partial[j] = 0;
    for (j = 0; j < units; j++) partial[j % NET_PANEL] = NET_ADD(partial[j % NET_PANEL], NET_SUB(a[j], first));
    mean = net_fold(partial);
    mean = NET_ADD(first, NET_DIV(mean, (net_real)units));
    for (j = 0; j < NET_PANEL; j++) partial[j] = 0;
    for (j = 0; j < units; j++) {
        error = NET_SUB(a[j], mean);
        partial[j % NET_PANEL] = NET_FMA(error, error, partial[j % NET_PANEL]);
    }
    inverse = net_fold(partial);
    inverse = NET_DIV((net_real)1, (net_real)net_wide_root((double)NET_ADD(NET_DIV(inverse, (net_real)units), epsilon)));
    for (j = 0; j < units; j++) z[j] = NET_FMA(NET_MUL(NET_SUB(a[j], mean), inverse), scale[j], shift[j]);
}
