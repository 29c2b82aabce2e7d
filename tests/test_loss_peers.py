"""The losses and their derivatives by the outputs' z against PyTorch, with the extra `peers`.

`test_losses` has the numbers without it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import cygrad as cg
from cygrad import losses

ROWS, OUTPUTS = 7, 4
RNG = np.random.default_rng(0)
Z = 2 * RNG.standard_normal((ROWS, OUTPUTS))
NUMBERS = RNG.standard_normal((ROWS, OUTPUTS))
COUNTS = RNG.poisson(2.0, (ROWS, OUTPUTS)).astype(float)
CLASSES = RNG.integers(OUTPUTS, size=ROWS)
SHARES = RNG.dirichlet(np.ones(OUTPUTS), ROWS)
SHARES[0] = [0.0, 1.0, 0.0, 0.0]

# Of torch and torch.nn.functional, z and y: the mean over the samples.
TorchLoss = Callable[[Any, Any, Any, Any], Any]


class Peer(NamedTuple):
    """A loss with its output layer and targets, and the same one in PyTorch."""

    loss: Any
    activation: str
    y: Any
    by_torch: TorchLoss


def gaussian(eps: float) -> TorchLoss:
    def loss(torch: Any, f: Any, z: Any, y: Any) -> Any:
        return f.gaussian_nll_loss(z[:, :2], y, z[:, 2:].exp(), eps=eps)

    return loss


def smoothed(share: float) -> TorchLoss:
    return lambda torch, f, z, y: f.cross_entropy(z, y, label_smoothing=share)


PEERS = {
    "mse": Peer("mse", "identity", NUMBERS, lambda torch, f, z, y: f.mse_loss(z, y)),
    "mae": Peer("mae", "identity", NUMBERS, lambda torch, f, z, y: f.l1_loss(z, y)),
    "huber": Peer("huber", "identity", NUMBERS, lambda torch, f, z, y: f.huber_loss(z, y)),
    "huber 0.3": Peer(
        losses.huber(0.3),
        "identity",
        NUMBERS,
        lambda torch, f, z, y: f.huber_loss(z, y, delta=0.3),
    ),
    "gaussian_nll": Peer("gaussian_nll", "identity", NUMBERS[:, :2], gaussian(1e-6)),
    "poisson": Peer("poisson", "exp", COUNTS, lambda torch, f, z, y: f.poisson_nll_loss(z, y)),
    "cross_entropy": Peer("cross_entropy", "softmax", CLASSES, smoothed(0.0)),
    "cross_entropy of shares": Peer("cross_entropy", "softmax", SHARES, smoothed(0.0)),
    "smoothed": Peer(losses.cross_entropy(0.1), "softmax", CLASSES, smoothed(0.1)),
    "smoothed shares": Peer(losses.cross_entropy(0.3), "softmax", SHARES, smoothed(0.3)),
    "kl_divergence": Peer(
        "kl_divergence",
        "softmax",
        SHARES,
        lambda torch, f, z, y: f.kl_div(z.log_softmax(dim=1), y, reduction="batchmean"),
    ),
    "binary_cross_entropy": Peer(
        "binary_cross_entropy",
        "sigmoid",
        SHARES,
        lambda torch, f, z, y: f.binary_cross_entropy_with_logits(z, y) * OUTPUTS,
    ),
}


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_loss_and_derivative_are_those_of_pytorch(peer: Peer) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra peers")
    z = torch.tensor(Z, requires_grad=True)
    expected = peer.by_torch(torch, torch.nn.functional, z, torch.tensor(peer.y))
    expected.backward()

    layer = cg.Dense(OUTPUTS, peer.activation, use_bias=False)
    net = cg.Network(OUTPUTS, [layer], loss=peer.loss, dtype="float64")
    net.parameters = np.eye(OUTPUTS).ravel()  # so that z is X
    found = net.backward(Z, peer.y)
    assert net.evaluate(Z, peer.y)["loss"] == pytest.approx(expected.item(), rel=1e-13)
    assert found.loss == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(found.deltas[0], z.grad.numpy(), rtol=0, atol=1e-15)


def test_the_slope_of_a_clamped_variance_is_0_and_there_that_of_the_clamp() -> None:
    """PyTorch passes the derivative by the variance on, as if it were not clamped."""
    torch = pytest.importorskip("torch", reason="needs the extra peers")
    values = np.array([[1.0, -9.0]])
    z = torch.tensor(values, requires_grad=True)
    target = torch.tensor([[2.0]], dtype=torch.float64)
    expected = torch.nn.functional.gaussian_nll_loss(z[:, :1], target, z[:, 1:].exp(), eps=0.5)
    expected.backward()
    layer = cg.Dense(2, use_bias=False)
    net = cg.Network(2, [layer], loss=losses.gaussian_nll(0.5), dtype="float64")
    net.parameters = np.eye(2).ravel()
    found = net.backward(values, [[2.0]])
    assert found.loss == pytest.approx(expected.item(), rel=1e-13)
    assert found.deltas[0][0, 0] == pytest.approx(z.grad[0, 0].item(), rel=1e-13)
    assert found.deltas[0][0, 1] == 0
    assert z.grad[0, 1] != 0
