#if defined(NET_SELF_TEST)
#include <stdio.h>

int main(void)
{
@samples@
    net_input inputs[NET_INPUTS];
    net_output outputs[NET_OUTPUTS];
    int row, j, different = 0;
    double distance, largest = 0;
    for (row = 0; row < @rows@; row++) {
        for (j = 0; j < NET_INPUTS; j++) inputs[j] = (net_input)net_samples.numbers[row * NET_INPUTS + j];
        net_predict(inputs, outputs);
        for (j = 0; j < NET_OUTPUTS; j++) {
            const net_output *expected = &net_expected.numbers[row * NET_OUTPUTS + j];
            if (memcmp(&outputs[j], expected, sizeof outputs[j]) == 0) continue;
            if (outputs[j] != outputs[j] && *expected != *expected) continue;
            different++;
            distance = (double)outputs[j] - (double)*expected;
            if (distance < 0) distance = -distance;
            if (!(distance <= largest)) largest = distance;
        }
@check@    }
    printf("net: %d samples, %d outputs with other bits, largest difference %.17g\n", @rows@, different, largest);
    return different != 0;
}
#endif
