/* inputs: NET_INPUTS numbers; outputs: NET_OUTPUTS numbers. */
NET_SHARED void net_predict(const net_input *inputs, net_output *outputs)
{
@encode@#if NET_HARDWARE_FLUSH
    unsigned saved = _mm_getcsr();
#endif
@before@#if NET_HARDWARE_FLUSH
    _mm_setcsr(saved | 0x8040);
#endif
    net_compute(@from@, @to@);
#if NET_HARDWARE_FLUSH
    _mm_setcsr(saved);
#endif
@decode@}
