#if defined(CYGRAD_SOFT_FMA)
typedef struct {
    uint64_t high, low;
} net_wide;

/* x / 2^n; what is shifted out remains as a last bit. */
NET_INLINE net_wide net_wide_right(net_wide x, int n)
{
    net_wide y = {0, 1};
    if (n <= 0) return x;
    if (n > 126) return y;
    if (n < 64) {
        y.high = x.high >> n;
        y.low = x.high << (64 - n) | x.low >> n | (x.low << (64 - n) != 0);
    } else if (n == 64) {
        y.high = 0;
        y.low = x.high | (x.low != 0);
    } else {
        y.high = 0;
        y.low = x.high >> (n - 64) | (x.high << (128 - n) != 0 || x.low != 0);
    }
    return y;
}

/* a b + c with one rounding, in integers. */
NET_SHARED double net_fma64(double a, double b, double c)
{
    const uint64_t hidden = (uint64_t)1 << 52;
    uint64_t bits[3], m[3], out, upper, middle, lower, rest, half;
    net_wide p, q, s;
    int e[3], i, drop, exponent, negative, other;
    double number;
    memcpy(&bits[0], &a, 8);
    memcpy(&bits[1], &b, 8);
    memcpy(&bits[2], &c, 8);
    for (i = 0; i < 3; i++) {
        e[i] = (int)(bits[i] >> 52 & 2047);
        m[i] = bits[i] & (hidden - 1);
        if (i < 2 && (e[i] == 2047 || (e[i] == 0 && m[i] == 0))) return a * b + c;
    }
    if (e[2] == 2047) return c + c; /* a b may be too large for a number */
    if (e[2] == 0 && m[2] == 0) return a * b;
    for (i = 0; i < 3; i++) {
        if (e[i] > 0) m[i] |= hidden;
        else e[i] = 1;
        while (m[i] < hidden) m[i] <<= 1, e[i]--;
    }
    /* p 2^e0 + q 2^e2 with p and q from 2^124 to 2^126; the product of m[0] 2^10 and m[1] 2^10 by halves */
    m[0] <<= 10, m[1] <<= 10;
    lower = (m[0] & 0xffffffffu) * (m[1] & 0xffffffffu);
    middle = (m[0] >> 32) * (m[1] & 0xffffffffu) + (lower >> 32);
    upper = (m[0] >> 32) * (m[1] >> 32) + (middle >> 32);
    middle = (m[0] & 0xffffffffu) * (m[1] >> 32) + (middle & 0xffffffffu);
    p.high = upper + (middle >> 32);
    p.low = middle << 32 | (lower & 0xffffffffu);
    q.high = m[2] << 9;
    q.low = 0;
    e[0] += e[1] - 2150 - 20;
    e[2] -= 1075 + 73;
    if (e[0] < e[2]) {
        p = net_wide_right(p, e[2] - e[0]);
        e[0] = e[2];
    } else {
        q = net_wide_right(q, e[0] - e[2]);
    }
    negative = (int)((bits[0] ^ bits[1]) >> 63);
    other = (int)(bits[2] >> 63);
    if (negative == other) {
        s.low = p.low + q.low;
        s.high = p.high + q.high + (s.low < p.low);
    } else if (p.high > q.high || (p.high == q.high && p.low >= q.low)) {
        s.low = p.low - q.low;
        s.high = p.high - q.high - (p.low < q.low);
    } else {
        s.low = q.low - p.low;
        s.high = q.high - p.high - (q.low < p.low);
        negative = other;
    }
    if (s.high == 0 && s.low == 0) return 0.0;
    while (s.high < (uint64_t)1 << 62) s.high = s.high << 1 | s.low >> 63, s.low <<= 1, e[0]--;
    exponent = e[0] + 74 + 1075;
    drop = 74 - 64;
    if (exponent < 1) drop += 1 - exponent, exponent = 1;
    out = 0;
    if (exponent >= 2047) out = (uint64_t)2047 << 52;
    else if (drop < 64) {
        out = s.high >> drop;
        rest = s.high & (((uint64_t)1 << drop) - 1);
        half = (uint64_t)1 << (drop - 1);
        out += rest > half || (rest == half && (s.low != 0 || (out & 1)));
        out += (uint64_t)(exponent - 1) << 52;
    }
    out |= (uint64_t)negative << 63;
    memcpy(&number, &out, 8);
    return number;
}
#endif
