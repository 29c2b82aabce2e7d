/* Sums of a row have NET_PANEL partial sums, folded by halves. */
NET_INLINE net_real net_fold(net_real *partial)
{
    int width, i;
    for (width = NET_PANEL / 2; width > 0; width /= 2)
        for (i = 0; i < width; i++) partial[i] = NET_ADD(partial[i], partial[i + width]);
    return partial[0];
}
