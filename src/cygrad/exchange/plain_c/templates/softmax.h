/* exp(z - max z) / sum of exp(z - max z) */
NET_SHARED void net_softmax(int units, net_real *z)
{
    net_real partial[NET_PANEL], total;
    int j, width;
    for (j = 0; j < NET_PANEL; j++) partial[j] = (net_real)-INFINITY;
    for (j = 0; j < units; j++) partial[j % NET_PANEL] = net_larger(partial[j % NET_PANEL], z[j]);
    for (width = NET_PANEL / 2; width > 0; width /= 2)
        for (j = 0; j < width; j++) partial[j] = net_larger(partial[j], partial[j + width]);
    total = partial[0];
    for (j = 0; j < units; j++) z[j] = net_exp_(NET_SUB(z[j], total));
    for (j = 0; j < NET_PANEL; j++) partial[j] = 0;
    for (j = 0; j < units; j++) partial[j % NET_PANEL] = NET_ADD(partial[j % NET_PANEL], z[j]);
    total = net_fold(partial);
    for (j = 0; j < units; j++) z[j] = NET_DIV(z[j], total);
}
