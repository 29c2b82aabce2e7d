/* ---- Layers ---- */

/* Sums of NUMBER units side by side: each is one chain of fused multiply-adds in the order of the inputs. */
#define NET_TILE(NUMBER, FUSED)                                                                 \
    {                                                                                           \
        net_real sum[NUMBER];                                                                   \
        for (i = 0; i < NUMBER; i++) sum[i] = b[j + i];                                         \
        for (k = 0; k < inputs; k++) {                                                          \
            const net_real *row = w + (size_t)k * (size_t)units + j;                            \
            for (i = 0; i < NUMBER; i++) sum[i] = FUSED(a[k], row[i], sum[i]);                  \
        }                                                                                       \
        for (i = 0; i < NUMBER; i++) z[j + i] = sum[i];                                         \
    }

/* z = a W + b: w is [inputs, units]. No sum is denormal where no input is so small that a bit of it, times a bit of a
 * weight, is: from `least` on in absolute value, or zero. */
NET_SHARED void net_dense(int inputs, int units, const net_real *NET_RESTRICT w, const net_real *NET_RESTRICT b,
                          net_real least, const net_real *NET_RESTRICT a, net_real *NET_RESTRICT z)
{
    int i, j = 0, k;
#if NET_HARDWARE_FLUSH
    (void)least;
#else
    int small = 0;
    for (k = 0; k < inputs; k++) small |= a[k] != 0 && net_absolute(a[k]) < least;
    if (small) {
        for (; j < units; j++) NET_TILE(1, NET_FMA)
        return;
    }
#endif
    for (; j + NET_UNITS <= units; j += NET_UNITS) NET_TILE(NET_UNITS, NET_ONE_FMA)
    for (; j + NET_UNITS / 4 <= units; j += NET_UNITS / 4) NET_TILE(NET_UNITS / 4, NET_ONE_FMA)
    for (; j < units; j++) NET_TILE(1, NET_ONE_FMA)
}
