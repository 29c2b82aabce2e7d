"""Networks from named parameters: the outputs that PyTorch computes for them."""

import numpy as np
import pytest

import cygrad as cg
from cygrad.exchange.state import from_state, to_state


def wave(*shape, start):
    return np.sin(np.arange(np.prod(shape)) * 0.7 + start).reshape(shape)


STATE = {
    "0.weight": wave(3, 2, start=0.0),
    "0.bias": wave(3, start=1.0),
    "1.weight": wave(3, start=2.0),
    "1.bias": wave(3, start=3.0),
    "1.running_mean": wave(3, start=4.0),
    "1.running_var": 1.5 + wave(3, start=5.0),
    "3.weight": wave(3, 3, start=6.0),
    "3.bias": wave(3, start=7.0),
    "4.weight": wave(3, start=8.0),
    "4.bias": wave(3, start=9.0),
    "6.weight": wave(2, 3, start=10.0),
    "6.bias": wave(2, start=11.0),
}
# The first output in float64 of PyTorch 2.14.1: Linear, BatchNorm1d, activation, Linear, LayerNorm,
# activation, Linear, Softmax, in evaluation mode, with these parameters.
FIRST_OUTPUTS = {
    "tanh": [0.5722251236959212, 0.5722518732395624, 0.6096548745162861],
    "gelu": [0.37798352254005313, 0.3789171824315923, 0.370738453816796],
    "mish": [0.4175527581517169, 0.41805214239777627, 0.4136014968825334],
    "silu": [0.4263967254665527, 0.4267124926374941, 0.4238137957597162],
    "selu": [0.6674963020053212, 0.6678454547265358, 0.7065034622216906],
    "elu": [0.49514628679281536, 0.49506951059626403, 0.5079190038434407],
    "softsign": [0.5255987788435325, 0.5257475752195907, 0.5469229221940063],
    "hard_sigmoid": [0.167442665335387, 0.16752335515348107, 0.16749728334916522],
}


@pytest.mark.parametrize("activation", FIRST_OUTPUTS)
def test_a_state_dict_gives_the_outputs_of_pytorch(activation):
    told = {"activations": [activation, activation, "softmax"], "norm": "layer_norm"}
    net = from_state(STATE, "the state", **told)
    outputs = net.forward(wave(3, 2, start=0.5))
    np.testing.assert_allclose(outputs[:, 0], FIRST_OUTPUTS[activation], rtol=1e-14)
    assert (net.loss, net.dtype) == ("cross_entropy", np.float64)
    # The norms' activations are modules of their own there: other numbers, the same arrays.
    for ours, theirs in zip(to_state(net).values(), STATE.values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_vector_that_may_be_of_any_module_is_refused():
    state = {name: values for name, values in STATE.items() if name != "4.bias"}
    with pytest.raises(ValueError, match=r"the state: 4.weight has shape \(3,\) and no bias"):
        from_state(state, "the state", activations="relu")
    state = {name: values for name, values in STATE.items() if name != "1.running_var"}
    with pytest.raises(ValueError, match="1 has one of running_mean and running_var"):
        from_state(state, "the state", activations="relu")


def test_a_norm_that_may_be_another_one_is_asked_for():
    with pytest.raises(ValueError, match=r"4 has a weight .*\(3,\).*norm='layer_norm', if it is"):
        from_state(STATE, "the state", activations="relu")
    with pytest.raises(ValueError, match="norm is 'group_norm'"):
        from_state(STATE, "the state", activations="relu", norm="group_norm")
    expected = from_state(STATE, "the state", activations="relu", norm="layer_norm")
    order = ["0", "1", "3", "4", "6"]
    for name in ("ln", "block.layer_norm", "LayerNorm_2", "ln1"):
        state = {key.replace("4.", f"{name}."): values for key, values in STATE.items()}
        told = {"activations": "relu", "order": [name if key == "4" else key for key in order]}
        net = from_state(state, "the state", **told)
        np.testing.assert_array_equal(net.parameters, expected.parameters)
    state = {key.replace("4.", "inorm."): values for key, values in STATE.items()}
    with pytest.raises(ValueError, match="inorm has a weight"):
        from_state(state, "the state", activations="relu", order=["0", "1", "3", "inorm", "6"])


def test_a_dtype_that_is_asked_for():
    net = from_state(STATE, "the state", activations="relu", norm="layer_norm", dtype="float32")
    assert net.dtype == np.float32
    np.testing.assert_array_equal(net.layers[0].weights, STATE["0.weight"].astype("f"))


def test_what_the_modules_need_is_said(monkeypatch):
    from cygrad.exchange import libraries

    def missing(name):
        raise ModuleNotFoundError("none", name=name.partition(".")[0])

    monkeypatch.setattr(libraries, "import_module", missing)
    net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
    with pytest.raises(ModuleNotFoundError, match=r"torch is not .*: pip install 'cygrad\[torch"):
        cg.exchange.to_torch(net)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'cygrad\[torch\]'"):
        cg.exchange.from_torch("net.pt")
