/* ---- Layers in 8-bit integers: sums have 32 bits, which cannot overflow here ---- */

/* floor((x - low) rate + 1/2) - 128, limited to 8 bits; returns 0 if an input is NaN or infinite. */
NET_SHARED int net_quantize(const net_@from@ *x, const double *low, const double *rate, int8_t *q)
{
    int k, finite = 1;
    for (k = 0; k < NET_INPUTS; k++) {
        double y = NET_WIDE_MUL((double)x[k] - low[k], rate[k]);
        finite &= (double)x[k] - (double)x[k] == 0;
        q[k] = (int8_t)(y >= 255 ? 127 : y > 0 ? (int)(y + 0.5) - 128 : -128);
    }
    return finite;
}

/* z m / 2^shift, rounded half up, with limits. */
NET_INLINE int32_t net_rescaled(int32_t z, int32_t m, int shift, int32_t zero, int32_t least, int32_t most)
{
    int64_t p = (int64_t)z * m + ((int64_t)1 << (shift - 1));
    p = (p < 0 ? -1 - ((-1 - p) >> shift) : p >> shift) + zero;
    return p < least ? least : p > most ? most : (int32_t)p;
}

/* W a + b of one unit. */
NET_INLINE int32_t net_sum(int inputs, const int8_t *w, int32_t sum, const int8_t *a)
{
    int k;
    for (k = 0; k < inputs; k++) sum += (int32_t)w[k] * a[k];
    return sum;
}

/* z = W a + b in the scale of the next layer: w is [units, inputs]. */
NET_SHARED void net_hidden(int inputs, int units, const int8_t *w, const int32_t *b, const int32_t *m,
                           const uint8_t *shift, int32_t zero, const int8_t *a, int8_t *z)
{
    int j;
    for (j = 0; j < units; j++, w += inputs)
        z[j] = (int8_t)net_rescaled(net_sum(inputs, w, b[j], a), m[j], shift[j], zero, -128, 127);
}

NET_SHARED void net_last(int inputs, const int8_t *w, const int32_t *b, const int32_t *m, const uint8_t *shift,
                         const int8_t *a, int32_t *z)
{
    int j;
    for (j = 0; j < NET_OUTPUTS; j++, w += inputs)
        z[j] = net_rescaled(net_sum(inputs, w, b[j], a), m[j], shift[j], 0, -@largest@, @largest@);
}

/* An activation: a = table[z + 128]. */
NET_INLINE void net_lookup(int units, const int8_t *table, int8_t *z)
{
    int j;
    for (j = 0; j < units; j++) z[j] = table[z[j] + 128];
}
