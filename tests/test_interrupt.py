"""Ctrl-C within an epoch: network and trainer stay consistent and usable."""

import numpy as np
import pytest

import cygrad as cg

# One step per sample: an epoch that lasts far longer than it takes until the interrupt comes.
SAMPLES = 3_000_000


def _network():
    layers = [cg.Dense(3, "tanh"), cg.Dense(1)]
    return cg.Network(2, layers, loss="mse", rng=0)


def test_an_interrupt_comes_out_between_two_steps(interrupt):
    X = np.random.default_rng(0).integers(0, 2, (SAMPLES, 2), dtype=np.uint8)
    y = X[:, 0]
    net = _network()
    trainer = cg.Trainer(net, cg.SGD(1e-3, momentum=0.9), batch_size=1, rng=0)
    interrupt(trainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=1000, shuffle=False)

    # Exactly the counted steps were done, each completely.
    done = trainer.steps
    assert done > 0
    epochs, steps = divmod(done, SAMPLES)
    assert len(trainer.history) == epochs
    twin = cg.Trainer(_network(), cg.SGD(1e-3, momentum=0.9), batch_size=1, rng=0)
    if epochs:
        twin.fit(X, y, epochs, shuffle=False)
    if steps:
        twin.fit(X[:steps], y[:steps], shuffle=False)
    assert net.parameters.tobytes() == twin.net.parameters.tobytes()

    # Network and trainer go on as if nothing had happened.
    for each in (trainer, twin):
        each.fit(X[:100], y[:100], shuffle=False)
    assert net.parameters.tobytes() == twin.net.parameters.tobytes()
    assert trainer.steps == twin.steps == done + 100


def test_an_interrupt_within_a_split_with_a_budget_counts_its_steps(interrupt, tmp_path):
    X = np.random.default_rng(0).integers(0, 2, (100_000, 2), dtype=np.uint8)
    y = X[:, 0]
    rate = cg.Warmup(10**6, cg.CosineDecay(1e-3, 10**7))
    trainer, twin = (cg.Trainer(_network(), cg.SGD(rate), 1, rng=0) for _ in range(2))
    log = cg.CSVLogger(tmp_path / "log.csv")
    interrupt(trainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=10**6, validation=10, max_seconds=1000, callbacks=[log])
    assert trainer.steps > 0
    assert trainer.history.stopped is None
    # The interrupt can come between the last step of an epoch and its callbacks.
    rows = len((tmp_path / "log.csv").read_text().splitlines()) - 1
    assert rows == len(trainer.history) - np.isnan(trainer.history.val_loss).sum()
    twin.fit(X, y, epochs=10**6, validation=10, max_steps=trainer.steps)
    assert twin.steps == trainer.steps
    assert trainer.net.parameters.tobytes() == twin.net.parameters.tobytes()


def test_an_interrupt_between_epochs_keeps_the_history():
    X, y = np.eye(2), np.ones(2)

    def press(trainer, epoch, logs):
        if epoch == 3:
            raise KeyboardInterrupt

    trainer = cg.Trainer(_network(), cg.SGD(0.1), batch_size=1, rng=0)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=9, callbacks=[press])
    assert len(trainer.history) == 3
    assert trainer.steps == 6
    assert len(trainer.fit(X, y, epochs=2)) == 2


def test_an_interrupt_within_a_stream_comes_out_between_two_steps(interrupt):
    X = np.broadcast_to(np.array([1, 0], np.uint8), (100 * SAMPLES, 2))
    y = X[:, 0]
    nets = [_network() for _ in range(2)]
    trainer, twin = (cg.Trainer(net, cg.SGD(1e-3, momentum=0.9), 1) for net in nets)
    interrupt(trainer)
    with pytest.raises(KeyboardInterrupt):
        trainer.partial_fit(X, y)
    assert 0 < trainer.steps < len(X)
    twin.partial_fit(X[: trainer.steps], y[: trainer.steps])
    for each in (trainer, twin):
        each.step(X[:5], y[:5])
    assert nets[0].parameters.tobytes() == nets[1].parameters.tobytes()


def test_an_interrupt_within_a_step_leaves_all_as_it_was(interrupt):
    """A batch whose forward pass takes seconds."""
    layers = [cg.Dense(500, "tanh"), cg.Dense(500, "tanh"), cg.Dense(1)]
    net = cg.Network(2, layers, loss="mse", rng=0)
    before = net.parameters
    X = np.ones((300_000, 2), np.uint8)
    trainer = cg.Trainer(net, cg.Adam())
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        trainer.step(X, X[:, 0])
    assert trainer.steps == 0
    assert (net.parameters == before).all()
    trainer.step(X[:9], X[:9, 0])
    assert trainer.steps == 1
