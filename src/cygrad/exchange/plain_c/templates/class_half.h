/* 1 if the output is at least one half, else 0; -1 if it is NaN. */
NET_SHARED int net_class(const net_input *inputs)
{
    net_output output;
    net_predict(inputs, &output);
    return output != output ? -1 : output >= (net_output)0.5;
}
