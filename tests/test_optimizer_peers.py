"""The rules of the optimisers against PyTorch 2.13.0, which gave the pinned numbers.

Each takes six steps in float64, with a weight that begins with 1.5 and given gradients. With the
extra `peers` PyTorch computes the numbers again.
"""

from typing import Any, NamedTuple

import numpy as np
import pytest
from optimizer_steps import GRADIENTS, weight_after_steps

import cygrad as cg


class Peer(NamedTuple):
    """An optimiser; class and arguments of the same one in PyTorch; and its weight after steps."""

    optimizer: Any
    name: str
    arguments: dict[str, Any]
    pinned: tuple[float, ...]


PEERS = (
    Peer(
        cg.SGD(learning_rate=0.1, weight_decay=0.2),
        "SGD",
        {"lr": 0.1, "weight_decay": 0.2},
        (1.44, 1.4312, 1.352576, 1.3155244799999999, 1.2492139904, 1.294229710592),
    ),
    Peer(
        cg.Adam(),
        "Adam",
        {},
        (
            1.4990000000333332,
            1.4988554795092859,
            1.4982718779559383,
            1.4977068786601893,
            1.4970104115621008,
            1.4969328267803346,
        ),
    ),
    Peer(
        cg.Adam(learning_rate=0.1, weight_decay=0.2),
        "Adam",
        {"lr": 0.1, "weight_decay": 0.2},
        (
            1.4000000016666667,
            1.3237429162479175,
            1.2370722549429913,
            1.1506845285795266,
            1.0599462207622394,
            1.0069410359336575,
        ),
    ),
    Peer(
        cg.Adam(learning_rate=0.1, beta1=0.8, beta2=0.7, amsgrad=True),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.7), "amsgrad": True},
        (
            1.4000000033333333,
            1.3909719666114746,
            1.334119607628207,
            1.2841896469872607,
            1.2128752327631327,
            1.2152690420551742,
        ),
    ),
    Peer(
        cg.Adam(learning_rate=0.1, decoupled_decay=0.2),
        "Adam",
        {"lr": 0.1, "weight_decay": 0.2, "decoupled_weight_decay": True},
        (
            1.3700000033333333,
            1.32814795086193,
            1.2432248365099297,
            1.161860410204825,
            1.0689764921918907,
            1.0398384841714288,
        ),
    ),
    Peer(
        cg.AdamW(),
        "AdamW",
        {},
        (
            1.4989850000333333,
            1.4988254896592856,
            1.4982268998510415,
            1.497646918286294,
            1.4969354747190227,
            1.4968429205825093,
        ),
    ),
    Peer(
        cg.AdamW(learning_rate=0.1, weight_decay=0.2, amsgrad=True),
        "AdamW",
        {"lr": 0.1, "weight_decay": 0.2, "amsgrad": True},
        (
            1.3700000033333333,
            1.32814795086193,
            1.2432248365099297,
            1.161860410204825,
            1.0689764921918907,
            1.0398384841714288,
        ),
    ),
    Peer(
        cg.NAdam(),
        "NAdam",
        {},
        (
            1.4978870965137194,
            1.4989418593599275,
            1.497093890541155,
            1.496548394538933,
            1.494938679894668,
            1.4967683771503442,
        ),
    ),
    Peer(
        cg.NAdam(learning_rate=0.1, momentum_decay=0.5, weight_decay=0.2),
        "NAdam",
        {"lr": 0.1, "momentum_decay": 0.5, "weight_decay": 0.2},
        (
            1.3940393194652465,
            1.3738746155317574,
            1.2823261619741568,
            1.2303475783038003,
            1.150440202405526,
            1.181457659819778,
        ),
    ),
    Peer(
        cg.RAdam(),
        "RAdam",
        {},
        (
            1.4997,
            1.4996631578947368,
            1.499455408817246,
            1.499278991254001,
            1.499047976138375,
            1.499045972813547,
        ),
    ),
    Peer(
        cg.RAdam(learning_rate=0.1, decoupled_decay=0.2, beta2=0.9),
        "RAdam",
        {"lr": 0.1, "betas": (0.9, 0.9), "weight_decay": 0.2, "decoupled_weight_decay": True},
        (
            1.44,
            1.4075157894736843,
            1.358590565935133,
            1.3137769982919172,
            1.2643999467634797,
            1.2372341835884315,
        ),
    ),
    Peer(
        cg.Adamax(),
        "Adamax",
        {},
        (
            1.4980000000666667,
            1.4977541401798793,
            1.496923143886536,
            1.4962167672710533,
            1.4952908559302605,
            1.4951985199458384,
        ),
    ),
    Peer(
        cg.Adamax(learning_rate=0.1, beta2=0.8, weight_decay=0.2),
        "Adamax",
        {"lr": 0.1, "betas": (0.9, 0.8), "weight_decay": 0.2},
        (
            1.4000000016666667,
            1.332017546622807,
            1.2682509054440205,
            1.1949479973917108,
            1.1173685590439102,
            1.06098530860847,
        ),
    ),
    Peer(
        cg.RMSProp(),
        "RMSprop",
        {},
        (
            1.4000000333333222,
            1.4556630518405975,
            1.3743175048090004,
            1.3581807262541092,
            1.3037572322018498,
            1.372905425000536,
        ),
    ),
    Peer(
        cg.RMSProp(learning_rate=0.1, momentum=0.5, weight_decay=0.2),
        "RMSprop",
        {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.2},
        (
            0.5000001666666394,
            0.165204819255913,
            -0.6649470342743142,
            -1.0388340708046189,
            -1.4602733261856995,
            -0.8985575861002859,
        ),
    ),
    Peer(
        cg.RMSProp(learning_rate=0.1, rho=0.8, eps=0.01, centered=True),
        "RMSprop",
        {"lr": 0.1, "alpha": 0.8, "eps": 0.01, "centered": True},
        (
            1.2692307692307692,
            1.3946601032280306,
            1.1929703687932836,
            1.1480879862726463,
            0.9770912091610064,
            1.148042511553344,
        ),
    ),
    Peer(
        cg.RMSProp(learning_rate=0.1, momentum=0.5, centered=True),
        "RMSprop",
        {"lr": 0.1, "momentum": 0.5, "centered": True},
        (
            0.4949625214410124,
            0.5492769182984478,
            -0.24087297570702976,
            -0.7983255854569685,
            -1.6272950757141385,
            -1.3498296938315786,
        ),
    ),
    Peer(
        cg.Adagrad(),
        "Adagrad",
        {},
        (
            1.4900000000033333,
            1.495547001964047,
            1.4874359309088248,
            1.4858346493710304,
            1.4804410504720518,
            1.4873051152012151,
        ),
    ),
    Peer(
        cg.Adagrad(learning_rate=0.1, initial_accumulator=0.1, weight_decay=0.2),
        "Adagrad",
        {"lr": 0.1, "initial_accumulator_value": 0.1, "weight_decay": 0.2},
        (
            1.4115348263201053,
            1.3994877112835742,
            1.324268224178591,
            1.2910740894524793,
            1.239697751267995,
            1.2729722455317634,
        ),
    ),
    Peer(
        cg.Adadelta(),
        "Adadelta",
        {},
        (
            1.496837898007285,
            1.4994090177330122,
            1.4951854534969624,
            1.4940639375995703,
            1.4903348188909615,
            1.495586426328123,
        ),
    ),
    Peer(
        cg.Adadelta(learning_rate=0.5, rho=0.8, weight_decay=0.2),
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "weight_decay": 0.2},
        (
            1.498881973775294,
            1.4985929609727984,
            1.497289148295547,
            1.4964485509346401,
            1.4951586425640797,
            1.4960224521031367,
        ),
    ),
    Peer(cg.Rprop(), "Rprop", {}, (1.49, 1.49, 1.485, 1.479, 1.4718, 1.4718)),
    Peer(
        cg.Rprop(learning_rate=0.1, decrease=0.4, increase=1.5, least_step=0.05, largest_step=0.12),
        "Rprop",
        {"lr": 0.1, "etas": (0.4, 1.5), "step_sizes": (0.05, 0.12)},
        (1.4, 1.4, 1.3499999999999999, 1.275, 1.1624999999999999, 1.1624999999999999),
    ),
)


def by_torch(peer: Peer) -> list[float]:
    torch = pytest.importorskip("torch", reason="needs the extra peers")
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps its product in it
    try:
        weight = torch.nn.Parameter(torch.tensor(1.5))
        optimizer = getattr(torch.optim, peer.name)([weight], **peer.arguments)
        weights = []
        for gradient in GRADIENTS:
            weight.grad = torch.tensor(gradient)
            optimizer.step()
            weights.append(weight.item())
        return weights
    finally:
        torch.set_default_dtype(default)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: repr(peer.optimizer))
def test_steps_are_those_of_pytorch(peer):
    weights = weight_after_steps(peer.optimizer)
    np.testing.assert_allclose(weights, peer.pinned, rtol=0, atol=1e-12)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: repr(peer.optimizer))
def test_the_pinned_steps_are_those_of_pytorch(peer):
    assert by_torch(peer) == list(peer.pinned)
