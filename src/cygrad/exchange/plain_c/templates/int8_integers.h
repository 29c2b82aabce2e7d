
/* The integers of the outputs before their activation, in units of NET_STEP. Returns 0 if an input is NaN or infinite. */
NET_SHARED int net_integers(const net_input *inputs, int32_t *z)
{
@encode@    return net_integers_of(@from@, z);
}
