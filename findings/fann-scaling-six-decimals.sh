#!/usr/bin/env bash
# FANN 2.2.0 (Debian's libfann): fann_save keeps weights to the bit, but scales with six decimals.
#
# Guess before the run: a file shows weights with 20 digits and the scales of columns with six
# decimals, so that a small deviation is lost; whoever has not looked expects that a loaded network
# gives the outputs of the saved one, as it does without scales.
#
# Seen: a column with a deviation of 1.2345e-4 comes back with 0.000123, 0.4 % off; one of 1e-7 comes
# back as 0, and fann_scale_input of the loaded network divides by it: infinity. No error, neither
# when the network is saved nor when it is loaded.
#
# It meets whoever has small units (metres of a wavelength, farads, shares per second) and trusts a
# saved network. Needs a C compiler, and apt-get and dpkg for the packages, which are not installed
# but unpacked. Exits with 0 if all this is still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download -qq libfann-dev=2.2.0+ds-8 libfann2=2.2.0+ds-8
for package in ./*.deb; do dpkg-deb -x "$package" root; done
cat > scale.c <<'C'
#include <math.h>
#include <stdio.h>
#include <fann.h>

/* Three rows of one column around 1, with this deviation; the targets are 0, 1, 2. */
static void run(double deviation, const char *path) {
    struct fann *net = fann_create_standard(2, 1, 1);
    struct fann_train_data *data = fann_create_train(3, 1, 1);
    float in = (float)deviation, back = in;
    for (int i = 0; i < 3; i++) {
        data->input[i][0] = (float)((i - 1) * deviation * sqrt(1.5));
        data->output[i][0] = (float)i;
    }
    fann_set_scaling_params(net, data, -1, 1, -1, 1);
    fann_save(net, path);
    struct fann *loaded = fann_create_from_file(path);
    fann_scale_input(net, &in);
    fann_scale_input(loaded, &back);
    printf("%g %g\n", (double)in, (double)back);
    fann_destroy(net);
    fann_destroy(loaded);
    fann_destroy_train(data);
}

int main(void) {
    run(1.0, "one.net");
    run(1.2345e-4, "small.net");
    run(1e-7, "tiny.net");
    return 0;
}
C
library=$(dirname "$(find root -name libfann.so)")
cc scale.c -o scale -Iroot/usr/include -L"$library" -Wl,-rpath,"$PWD/$library" -lfann -lm
echo 'a column scaled before the network was saved, and after it was loaded:'
./scale | tee seen
grep -h scale_deviation_in ./*.net
awk '
    NR == 1 { same = $1 == $2 }
    NR == 2 { rounded = $2 / $1 > 1.002 && $2 / $1 < 1.01 }
    NR == 3 { lost = $2 ~ /inf|nan/ }
    END { exit !(same && rounded && lost) }' seen
