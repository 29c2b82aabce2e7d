/* The index of the largest output, the first among equals; -1 if one is NaN or the largest is infinite. */
NET_SHARED int net_class(const net_input *inputs)
{
    net_output outputs[NET_OUTPUTS];
    int j, place = 0;
    net_predict(inputs, outputs);
    for (j = 0; j < NET_OUTPUTS; j++) {
        if (outputs[j] != outputs[j]) return -1;
        if (outputs[j] > outputs[place]) place = j;
    }
    return net_absolute(outputs[place]) <= NET_LARGEST ? place : -1;
}
