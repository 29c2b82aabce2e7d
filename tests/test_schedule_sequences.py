"""Schedules beside those of PyTorch: sequences that are pinned, and recomputed by PyTorch."""

import numpy as np
import pytest

from cygrad.training.schedules import (
    CosineDecay,
    CosineRestarts,
    ExponentialDecay,
    MultiStepDecay,
    OneCycle,
    PolynomialDecay,
    StepDecay,
    Warmup,
)

# A schedule, PyTorch's scheduler and its arguments, the rate of its optimiser.
COUNTERPARTS = {
    "polynomial": (
        PolynomialDecay(0.1, 7, power=0.9),
        ("PolynomialLR", {"total_iters": 7, "power": 0.9}, 0.1),
    ),
    "multi-step": (
        MultiStepDecay(1, 0.1, [2, 4, 9]),
        ("MultiStepLR", {"milestones": [2, 4, 9], "gamma": 0.1}, 1.0),
    ),
    "step": (StepDecay(0.2, 0.5, 3), ("StepLR", {"step_size": 3, "gamma": 0.5}, 0.2)),
    "exponential": (ExponentialDecay(0.2, 0.9), ("ExponentialLR", {"gamma": 0.9}, 0.2)),
    "cosine": (
        CosineDecay(0.2, 19, 0.01),
        ("CosineAnnealingLR", {"T_max": 19, "eta_min": 0.01}, 0.2),
    ),
    "restarts": (
        CosineRestarts(0.1, 4, 0.01),
        ("CosineAnnealingWarmRestarts", {"T_0": 4, "eta_min": 0.01}, 0.1),
    ),
    "longer restarts": (
        CosineRestarts(0.1, 3, 0.01, multiplier=2),
        ("CosineAnnealingWarmRestarts", {"T_0": 3, "T_mult": 2, "eta_min": 0.01}, 0.1),
    ),
    "one-cycle": (OneCycle(0.5, 20), ("OneCycleLR", {"max_lr": 0.5, "total_steps": 20}, 1.0)),
    "one-cycle of lines": (
        OneCycle(0.5, 20, 0.25, 10, 100, "linear"),
        (
            "OneCycleLR",
            {
                "max_lr": 0.5,
                "total_steps": 20,
                "pct_start": 0.25,
                "div_factor": 10,
                "final_div_factor": 100,
                "anneal_strategy": "linear",
            },
            1.0,
        ),
    ),
    "one-cycle of three parts": (
        OneCycle(0.5, 20, 0.43, symmetric=True),
        (
            "OneCycleLR",
            {"max_lr": 0.5, "total_steps": 20, "pct_start": 0.43, "three_phase": True},
            1.0,
        ),
    ),
}


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_schedules_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="compares with PyTorch, of the extra peers")
    ours, (scheduler, arguments, rate) = COUNTERPARTS[name]
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=rate)
    theirs = getattr(torch.optim.lr_scheduler, scheduler)(optimizer, **arguments)
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    np.testing.assert_allclose(ours.values(np.arange(20)), rates, rtol=1e-13, atol=1e-16)


def test_a_warm_up_is_pytorch_s_linear_rate_before_another():
    torch = pytest.importorskip("torch", reason="compares with PyTorch, of the extra peers")
    weight = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.2)
    kinds = torch.optim.lr_scheduler
    rise = kinds.LinearLR(optimizer, start_factor=0.25, end_factor=1.0, total_iters=6)
    fall = kinds.ExponentialLR(optimizer, gamma=0.9)
    both = kinds.SequentialLR(optimizer, [rise, fall], milestones=[6])
    rates = []
    for _ in range(20):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        both.step()
    ours = Warmup(6, ExponentialDecay(0.2, 0.9), start=0.05)
    np.testing.assert_allclose(ours.values(np.arange(20)), rates, rtol=1e-13)


# Computed by PyTorch 2.13.0.
PINNED = {
    "polynomial": {0: 0.1, 1: 0.08704581368591593, 3: 0.06043183144790013, 7: 0.0, 12: 0.0},
    "multi-step": {1: 1.0, 2: 0.1, 3: 0.1, 4: 0.01, 8: 0.01, 9: 0.001},
    "cosine": {0: 0.2, 1: 0.19870432382325864, 10: 0.09715496218012845, 18: 0.01129567617674138},
    "restarts": {1: 0.08681980515339464, 2: 0.055, 3: 0.023180194846605363, 4: 0.1, 8: 0.1},
    "longer restarts": {1: 0.0775, 2: 0.0325, 3: 0.1, 6: 0.055, 9: 0.1, 21: 0.1, 45: 0.1},
    "one-cycle": {0: 0.02, 1: 0.06583592135001265, 3: 0.3341640786499874, 5: 0.5, 12: 0.250001},
    "one-cycle of three parts": {3: 0.18207212739087592, 8: 0.49672671281665337, 19: 2e-06},
}


@pytest.mark.parametrize("name", PINNED)
def test_schedules_are_as_pinned(name):
    schedule = COUNTERPARTS[name][0]
    for step, rate in PINNED[name].items():
        assert schedule(step) == pytest.approx(rate, rel=1e-13, abs=1e-16)


def test_boundaries_are_counted_as_pytorch_counts_them():
    """Keras' PiecewiseConstantDecay([2, 4]) has 1 1 1 .1 .1 .01."""
    rates = MultiStepDecay(1, 0.1, [2, 4]).values(np.arange(5))
    np.testing.assert_allclose(rates, [1, 1, 0.1, 0.1, 0.01], rtol=1e-15)


def test_one_cycle_ends_where_pytorch_s_ends():
    """At max / 25 / 10⁴; one step more is an error there, and the last rate here."""
    schedule = OneCycle(0.5, 20)
    assert schedule(19) == schedule(20) == schedule(10**6) == 0.5 / 25 / 1e4
