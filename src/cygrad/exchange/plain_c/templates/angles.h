typedef struct {
    net_real r, low;
    net_bits quarter;
} net_angle;

/* A large number modulo 2pi, as large_angle of csrc/trigonometry.h (Payne & Hanek 1983), without 128-bit integers. */
NET_INLINE uint64_t net_times(uint64_t a, uint64_t b, uint64_t *high)
{
    uint64_t lower = (a & 0xffffffffu) * (b & 0xffffffffu);
    uint64_t one = (a >> 32) * (b & 0xffffffffu) + (lower >> 32);
    uint64_t other = (a & 0xffffffffu) * (b >> 32) + (one & 0xffffffffu);
    *high = (a >> 32) * (b >> 32) + (one >> 32) + (other >> 32);
    return other << 32 | (lower & 0xffffffffu);
}

NET_INLINE double net_two_to_the(int exponent)
{
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double power;
    memcpy(&power, &bits, 8);
    return power;
}

NET_SHARED void net_large_angles(net_real size, net_angle *a)
{
    static const uint64_t two_over_pi[] = {
        0, 0xa2f9836e4e441529u, 0xfc2757d1f534ddc0u, 0xdb6295993c439041u, 0xfe5163abdebbc561u,
        0xb7246e3a424dd2e0u, 0x06492eea09d1921cu, 0xfe1deb1cb129a73eu, 0xe88235f52ebb4484u,
        0xe99c7026b45f7e41u, 0x3991d639835339f4u, 0x9c845f8bbdf9283bu, 0x1ff897ffde05980fu,
        0xef2f118b5a0a6d1fu, 0x6d367ecf27cb09b7u, 0x4f463f669e5fea2du, 0x7527bac7ebe5f17bu,
        0x3d0739f78a5292eau, 0x6bfb5fb11f8d5d08u, 0x56033046fc7b6babu};
    const double half_pi = 1.5707963267948966, half_pi_low = 6.123233995736766e-17;
    double x = (double)size, f, f_low, r, low, rest, sum;
    uint64_t bits, m, w[3], high, middle, third, carry;
    const uint64_t *from;
    int e, first, shift, i, zeros = 0, negative;
    if (!(size <= NET_LARGEST)) {
        a->r = size - size; /* NaN */
        a->low = 0;
        a->quarter = 0;
        return;
    }
    memcpy(&bits, &x, 8);
    m = (bits & 0xfffffffffffffu) | 0x10000000000000u;
    e = (int)(bits >> 52) - 1075, first = 64 + e - 2, shift = first & 63;
    from = two_over_pi + first / 64;
    for (i = 0; i < 3; i++) w[i] = shift ? from[i] << shift | from[i + 1] >> (64 - shift) : from[i];
    third = net_times(m, w[2], &carry);
    middle = net_times(m, w[1], &high) + carry;
    high += m * w[0] + (middle < carry);
    a->quarter = (net_bits)((high + ((uint64_t)1 << 61)) >> 62);
    high = high << 2 | middle >> 62, middle = middle << 2 | third >> 62, third <<= 2;
    negative = (int)(high >> 63);
    if (negative) high = ~high, middle = ~middle, third = ~third;
    for (; !(high >> 63); zeros++) {
        high = high << 1 | middle >> 63;
        middle = middle << 1 | third >> 63;
        third <<= 1;
    }
    f = (double)(high >> 11) * net_two_to_the(-53 - zeros);
    f_low = (double)(high << 53 >> 11 | middle >> 22) * net_two_to_the(-106 - zeros);
    if (negative) f = -f, f_low = -f_low;
    r = NET_WIDE_MUL(f, half_pi);
    rest = NET_WIDE_MUL(f, half_pi_low) + NET_WIDE_MUL(f_low, half_pi);
    low = NET_WIDE_FMA(f, half_pi, -r) + rest;
    sum = r;
    a->r = (net_real)sum;
    a->low = (net_real)(sum - (double)a->r + low);
}
