#!/usr/bin/env bash
# FANN 2.x (in cynn 0.1.5; Debian's libfann 2.2.0 too): a linear neuron has a limit.
#
# Guess before the run: 300 where the sum of the inputs is 1,000 and the steepness s is 0.5, from a
# memory of the source; whoever goes by the header ("span: -inf < y < inf") expects s·x, 500.
#
# Seen: s times the sum is cut to ±150/s, for every activation, before the activation is applied. A
# linear neuron of the default steepness, 0.5, gives 300 for all sums from 600 on, with steepness 1
# it gives 150, with 0.1 it gives 1,500; sin(x) is that of 150/s from there on. No error or warning:
# a network cannot learn a quantity above its limit, and the outputs in between are exact.
#
# It meets whoever trains on quantities that are not scaled, and whoever converts a network to
# another library, where the limit is gone. Needs Python 3.11 or newer. Exits with 0 if all this is
# still so, with 1 if it has changed.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet cynn==0.1.5
cat > "$folder/outputs.py" <<'PYTHON'
import math
import os
import sys

from cynn.fann import FannNetwork

LINEAR, SINE = 0, 14  # FANN_LINEAR, FANN_SIN_SYMMETRIC


def outputs(activation, steepness, inputs):
    """One input with weight 1, no bias, one output neuron."""
    path = os.path.join(sys.argv[1], "one.net")
    with open(path, "w") as file:
        file.write(
            "FANN_FLO_2.1\nnum_layers=2\nlearning_rate=0.7\nconnection_rate=1\nnetwork_type=0\n"
            "learning_momentum=0\ntraining_algorithm=2\ntrain_error_function=1\n"
            "train_stop_function=0\ncascade_output_change_fraction=0.01\nquickprop_decay=-0.0001\n"
            "quickprop_mu=1.75\nrprop_increase_factor=1.2\nrprop_decrease_factor=0.5\n"
            "rprop_delta_min=0\nrprop_delta_max=50\nrprop_delta_zero=0.1\n"
            "cascade_output_stagnation_epochs=12\ncascade_candidate_change_fraction=0.01\n"
            "cascade_candidate_stagnation_epochs=12\ncascade_max_out_epochs=150\n"
            "cascade_min_out_epochs=50\ncascade_max_cand_epochs=150\ncascade_min_cand_epochs=50\n"
            "cascade_num_candidate_groups=2\nbit_fail_limit=0.35\ncascade_candidate_limit=1000\n"
            "cascade_weight_multiplier=0.4\ncascade_activation_functions_count=1\n"
            "cascade_activation_functions=3 \ncascade_activation_steepnesses_count=1\n"
            "cascade_activation_steepnesses=0.5 \nlayer_sizes=2 2 \nscale_included=0\n"
            "neurons (num_inputs, activation_function, activation_steepness)="
            f"(0, 0, 0) (0, 0, 0) (2, {activation}, {steepness}) (0, {activation}, {steepness}) \n"
            "connections (connected_to_neuron, weight)=(0, 1) (1, 0) \n"
        )
    net = FannNetwork.load(path)
    return [net.predict([x])[0] for x in inputs]


sums = [100.0, 500.0, 1000.0, 10_000.0, 100_000.0]
seen = {s: outputs(LINEAR, s, sums) for s in (0.1, 0.5, 1.0)}
print("sums of the inputs   ", sums)
for s, values in seen.items():
    print(f"linear, steepness {s}", [round(value, 3) for value in values])
sine = outputs(SINE, 1.0, [150.0, 1000.0, 10_000.0])
print("sin, steepness 1, for 150, 1,000 and 10,000:", [round(value, 4) for value in sine])

expected = {s: [min(s * x, 150 / s) for x in sums] for s in seen}
same = all(
    math.isclose(value, limit, rel_tol=1e-6)
    for s in seen
    for value, limit in zip(seen[s], expected[s], strict=True)
)
sys.exit(not (same and all(math.isclose(y, math.sin(150), abs_tol=1e-3) for y in sine)))
PYTHON
"$folder/venv/bin/python" "$folder/outputs.py" "$folder"
