"""Networks from the text files of FANN.

The expected outputs are those of libfann 2.2.0 for the same files.
"""

import numpy as np
import pytest

import cygrad as cg

INPUTS = np.array([[0.3, -0.7], [1.5, 0.25], [-2.0, 3.0]], np.float32)
# 2-3-2, steepness 0.75 and 0.5, one activation for all: by its number.
OUTPUTS = {
    0: [[-0.489099115, 0.180090308], [-0.143157959, -0.0807800293], [-1.5423584, 0.297973633]],
    3: [[0.372411638, 0.589146137], [0.449574679, 0.536491334], [0.268493325, 0.562977374]],
    4: [[0.381128103, 0.578403533], [0.450105995, 0.534644306], [0.275339663, 0.55897361]],
    5: [[-0.45471999, 0.140746072], [-0.169487894, -0.0723977759], [-0.749156713, 0.0344908163]],
    6: [[-0.447042614, 0.114499263], [-0.17113106, -0.0605376437], [-0.676268935, 0.0367796049]],
    7: [[0.992537081, 0.998988092], [0.999999821, 0.999928772], [0.867048919, 0.999984801]],
    8: [[0.960159421, 0.952453911], [0.998153389, 0.920134068], [0.183817148, 0.89994359]],
    10: [[0.39999631, 0.563746572], [0.442671627, 0.532868087], [0.354656339, 0.550911188]],
    11: [[-0.319159597, 0.0684637949], [-0.185509115, -0.0723794997], [-0.440835029, 0.0079178689]],
    12: [[0, 0.19821775], [0, 0.0884094238], [0, 0.109375]],
    13: [[-0.489099115, 0.180090308], [-0.143157959, -0.0807800293], [-1, 0]],
    14: [[-0.471204937, 0.156049713], [-0.159809738, -0.0738937706], [-0.820351183, -0.0051943427]],
    15: [[0.998173058, 0.995271504], [0.999989808, 0.996519625], [0.871929705, 0.997783244]],
    16: [[0.370999217, 0.59330976], [0.452136427, 0.536165595], [0.26176405, 0.553287506]],
    17: [[0.999474466, 0.993770599], [0.999920011, 0.994302869], [0.981690466, 0.994919717]],
}
STEPWISE = (4, 6)
#: Inputs in their unit, and outputs after fann_descale_output, of a network with scales.
SCALED = [2.5, 4.0], [100.408714, -7.1783514]


def text(activation=5, scales="scale_included=0\n", skip=False):
    """Return a file as fann_save writes it."""
    weights = [((i * 37 + 11) % 64 - 32) / 32 for i in range(17)]
    sources = [0, 1, 2] * 3 + [3, 4, 5, 6] * 2
    if skip:
        sources[9] = 0
    a = activation
    hidden, output = f"(3, {a}, 7.50000000000000000000e-01) ", f"(4, {a}, 5.0e-01) "
    neurons = "(0, 0, 0.00000000000000000000e+00) " * 3 + hidden * 3 + f"(0, {a}, 0.75) "
    neurons += output * 2 + f"(0, {a}, 5.0e-01) "
    connections = " ".join(f"({s}, {w:.20e})" for s, w in zip(sources, weights, strict=True))
    return (
        "FANN_FLO_2.1\nnum_layers=3\nlearning_rate=0.700000\nconnection_rate=1.000000\n"
        "network_type=0\ncascade_activation_functions=3 5 7 8 10 11 14 15 16 17 \n"
        f"layer_sizes=3 4 3 \n{scales}"
        f"neurons (num_inputs, activation_function, activation_steepness)={neurons}\n"
        f"connections (connected_to_neuron, weight)={connections} \n"
    )


SCALES = """scale_included=1
scale_mean_in=2.250000 6.500000
scale_deviation_in=1.677051 3.500000
scale_new_min_in=-1.000000 -1.000000
scale_factor_in=1.000000 1.000000
scale_mean_out=101.500000 -7.500000
scale_deviation_out=1.118034 5.590170
scale_new_min_out=-0.500000 -0.500000
scale_factor_out=0.625000 0.625000
"""


@pytest.fixture
def saved(tmp_path):
    def save(*args, **kwargs):
        path = tmp_path / "some.net"
        path.write_text(text(*args, **kwargs))
        return path

    return save


@pytest.mark.parametrize("activation", OUTPUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_activations_give_the_outputs_of_fann(saved, activation, dtype):
    lossy = activation in STEPWISE
    net = cg.exchange.from_fann(saved(activation), lossy=lossy, dtype=dtype)
    tolerance = 0.08 if lossy else 3e-6  # they are straight lines there; FANN has float32
    np.testing.assert_allclose(net.forward(INPUTS), OUTPUTS[activation], atol=tolerance)
    assert net.dtype == dtype
    assert net.loss == ("binary_cross_entropy" if activation in (3, 4) else "mse")


@pytest.mark.parametrize("activation", STEPWISE)
def test_straight_lines_need_lossy(saved, activation):
    with pytest.raises(ValueError, match=r"some.net': neuron 3 .*STEPWISE.*lossy=True"):
        cg.exchange.from_fann(saved(activation))


@pytest.mark.parametrize("activation", [1, 2, 9, 18, 99])
def test_activations_without_counterpart_are_refused(saved, activation):
    with pytest.raises(ValueError, match=rf"neuron 3 has activation {activation} .* counterpart"):
        cg.exchange.from_fann(saved(activation))


def test_scales_are_asked_for(saved):
    path = saved(scales=SCALES)
    with pytest.raises(ValueError, match="expected scale=True"):
        cg.exchange.from_fann(path)
    net = cg.exchange.from_fann(path, scale=False)
    np.testing.assert_allclose(net.forward(INPUTS), OUTPUTS[5], atol=3e-6)
    net = cg.exchange.from_fann(path, scale=True)
    np.testing.assert_allclose(net.forward([SCALED[0]]), [SCALED[1]], rtol=1e-6)


def test_a_scale_that_is_0_in_the_file_is_refused(saved):
    path = saved(scales=SCALES.replace("1.677051", "0.000000"))
    with pytest.raises(ValueError, match=r"some.net.*scale_deviation_in"):
        cg.exchange.from_fann(path, scale=True)


def test_linear_neurons_have_no_limit_here(saved):
    net = cg.exchange.from_fann(saved(0))
    far = net.forward(INPUTS * 1e4)  # FANN cuts them at ±300
    assert np.abs(far).max() > 1000


def test_skipping_connections_are_refused(saved):
    with pytest.raises(ValueError, match="neuron 7 has a connection to neuron 0"):
        cg.exchange.from_fann(saved(skip=True))


def test_other_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "some.net"
    whole = text()
    for content, message in [
        ("", "no network of FANN"),
        ("FANN_FIX_2.0\n", "fixed-point"),
        (whole.replace("2.1", "1.1", 1), "no network of FANN"),
        (whole.replace("layer_sizes=3 4 3", "layer_sizes=3 5 3"), "damaged"),
        (whole.replace("layer_sizes=3 4 3", "layer_sizes="), "damaged"),
        (whole.replace("(0, 5, 0.75)", "(0, 5)"), "damaged"),
        (whole.replace("7.50000000000000000000e-01", "nan"), "damaged"),
        (whole.replace("layer_sizes=3 4 3", "layer_sizes=3 4 99999999999999"), "damaged"),
    ]:
        path.write_text(content)
        with pytest.raises(ValueError, match=message):
            cg.exchange.from_fann(path)
    for end in range(20, len(whole) - 3, 40):
        path.write_text(whole[:end])
        with pytest.raises(ValueError, match=r"some\.net"):
            cg.exchange.from_fann(path)


def test_a_network_that_fann_has_written(tmp_path):
    fann = pytest.importorskip("cynn.fann", reason="needs cynn, which has FANN")
    other = fann.FannNetwork([2, 5, 1])
    other.save(str(tmp_path / "cynn.net"))
    net = cg.exchange.from_fann(tmp_path / "cynn.net", lossy=True)
    expected = [other.predict(row) for row in INPUTS.tolist()]
    np.testing.assert_allclose(net.forward(INPUTS), expected, atol=0.04)
