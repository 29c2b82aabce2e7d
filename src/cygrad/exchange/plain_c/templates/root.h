/* sqrt x for a positive normal number, digit by digit; infinity and NaN themselves. */
NET_SHARED double net_wide_root(double x)
{
    uint64_t bits, m, root = 0, rest = 0, trial;
    int e, zeros = 56, i, at;
    if (!(x <= DBL_MAX)) return x;
    memcpy(&bits, &x, 8);
    m = (bits & 0xfffffffffffffu) | 0x10000000000000u;
    e = (int)(bits >> 52) - 1075;
    if ((e - zeros) & 1) zeros++;
    for (i = 54; i >= 0; i--) {
        for (at = 2 * i + 1; at >= 2 * i; at--) rest = rest << 1 | (at >= zeros && at < zeros + 53 ? m >> (at - zeros) & 1 : 0);
        trial = root << 2 | 1;
        root <<= 1;
        if (rest >= trial) rest -= trial, root |= 1;
    }
    /* root has two binary digits more than the result */
    trial = (root & 3) << 1 | (rest != 0);
    root >>= 2;
    root += trial > 4 || (trial == 4 && (root & 1));
    bits = root + ((uint64_t)((e - zeros) / 2 + 2 + 1075 - 1) << 52);
    memcpy(&x, &bits, 8);
    return x;
}
