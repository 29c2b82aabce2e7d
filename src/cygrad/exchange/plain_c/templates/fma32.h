#if defined(CYGRAD_SOFT_FMA)
/* a b + c with one rounding, in integers. */
NET_SHARED float net_fma32(float a, float b, float c)
{
    uint32_t bits[3], out;
    uint64_t m[3], p, q, s, rest, half;
    int e[3], i, distance, drop, exponent, negative, other;
    float number;
    memcpy(&bits[0], &a, 4);
    memcpy(&bits[1], &b, 4);
    memcpy(&bits[2], &c, 4);
    for (i = 0; i < 3; i++) {
        e[i] = (int)(bits[i] >> 23 & 255);
        m[i] = bits[i] & 0x7fffff;
        if (i < 2 && (e[i] == 255 || (e[i] == 0 && m[i] == 0))) return a * b + c;
    }
    if (e[2] == 255) return c + c; /* a b may be too large for a number */
    if (e[2] == 0 && m[2] == 0) return a * b;
    for (i = 0; i < 3; i++) {
        if (e[i] > 0) m[i] |= 0x800000;
        else e[i] = 1;
        while (m[i] < 0x800000) m[i] <<= 1, e[i]--;
    }
    /* p 2^e0 + q 2^e2 with p and q from 2^60 to 2^62; what is shifted out remains as a last bit */
    p = m[0] * m[1] << 14;
    q = m[2] << 38;
    e[0] += e[1] - 300 - 14;
    e[2] -= 150 + 38;
    distance = e[0] - e[2];
    if (distance < 0) {
        p = distance < -62 ? 1 : p >> -distance | (p << (64 + distance) != 0);
        e[0] = e[2];
    } else if (distance > 0) {
        q = distance > 62 ? 1 : q >> distance | (q << (64 - distance) != 0);
    }
    negative = (int)((bits[0] ^ bits[1]) >> 31);
    other = (int)(bits[2] >> 31);
    if (negative == other) s = p + q;
    else if (p >= q) s = p - q;
    else s = q - p, negative = other;
    if (s == 0) return 0.0f;
    while (s < (uint64_t)1 << 62) s <<= 1, e[0]--;
    exponent = e[0] + 39 + 150;
    drop = 39;
    if (exponent < 1) drop += 1 - exponent, exponent = 1;
    out = 0;
    if (exponent >= 255) out = 0x7f800000;
    else if (drop < 64) {
        out = (uint32_t)(s >> drop);
        rest = s & (((uint64_t)1 << drop) - 1);
        half = (uint64_t)1 << (drop - 1);
        out += rest > half || (rest == half && (out & 1));
        out += (uint32_t)(exponent - 1) << 23;
    }
    out |= (uint32_t)negative << 31;
    memcpy(&number, &out, 4);
    return number;
}
#endif
