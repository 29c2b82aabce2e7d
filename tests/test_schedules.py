"""Schedules: the formulas, both ends to the bit, one step alone or many at once."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cygrad.training.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    LinearDecay,
    Schedule,
    StepDecay,
)

FORMULAS = [
    (Constant(0.3), lambda t: 0.3),
    (LinearDecay(0.2, 50), lambda t: 0.2 * (1 - min(t, 50) / 50)),
    (LinearDecay(0.01, 7, final=0.5), lambda t: 0.01 + 0.49 * min(t, 7) / 7),
    (ExponentialDecay(0.1, 0.99), lambda t: 0.1 * 0.99**t),
    (StepDecay(0.1, 0.5, every=10), lambda t: 0.1 * 0.5 ** (t // 10)),
    (
        CosineDecay(0.1, 40, final=0.02),
        lambda t: 0.02 + 0.08 * (1 + math.cos(math.pi * min(t, 40) / 40)) / 2,
    ),
]


@pytest.mark.parametrize(("schedule", "formula"), FORMULAS, ids=lambda case: repr(case)[:24])
def test_values_are_the_formula(schedule, formula):
    values = schedule.values(np.arange(120))
    assert values.dtype == np.float64
    np.testing.assert_allclose(values, [formula(t) for t in range(120)], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in FORMULAS], ids=repr)
def test_one_step_has_the_bits_of_many(schedule):
    assert [schedule(t) for t in range(120)] == schedule.values(np.arange(120)).tolist()
    assert isinstance(schedule(3), float)


@pytest.mark.parametrize("kind", [LinearDecay, CosineDecay])
@given(
    initial=st.floats(0, 10),
    final=st.floats(0, 10),
    steps=st.integers(1, 10**6),
    step=st.integers(0, 2 * 10**6),
)
def test_decays_begin_and_end_to_the_bit_and_stay_between(kind, initial, final, steps, step):
    schedule = kind(initial, steps, final=final)
    assert schedule(0) == initial
    assert schedule(steps) == schedule(steps + 1) == final
    slack = 1e-15 * max(initial, final)
    assert max(0, min(initial, final) - slack) <= schedule(step) <= max(initial, final) + slack


@given(decay=st.floats(0.5, 1), step=st.integers(0, 10**5))
def test_powers_are_accurate_for_many_steps(decay, step):
    assert ExponentialDecay(1, decay)(step) == pytest.approx(decay**step, rel=1e-10, abs=1e-300)


def test_a_rate_lowered_before_every_step():
    """0.2, lowered by 0.2/50 before each of 50 steps, as a decay that is one step ahead."""
    lowered = [0.2 - 0.2 / 50 * (t + 1) for t in range(50)]
    rates = LinearDecay(0.2 - 0.2 / 50, 49).values(np.arange(50))
    np.testing.assert_allclose(rates, lowered, rtol=0, atol=1e-16)
    assert rates[-1] == 0


def test_schedules_are_values():
    schedule = CosineDecay(0.1, 40, final=0.02)
    assert schedule == CosineDecay(0.1, 40, 0.02) != CosineDecay(0.1, 41, 0.02)
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert repr(LinearDecay(1, 5)) == "LinearDecay(initial=1.0, steps=5, final=0.0)"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant(-1), ValueError, "value is -1.0"),
        (lambda: LinearDecay(math.nan, 5), ValueError, "initial is nan"),
        (lambda: LinearDecay(0.1, 5, final=math.inf), ValueError, "final is inf"),
        (lambda: Constant(10**400), ValueError, "value is inf"),
        (lambda: Constant(np.float32("inf")), ValueError, "value is inf"),
        (lambda: LinearDecay("0.1", 5), TypeError, "initial is '0.1'"),
        (lambda: LinearDecay(0.1, 0), ValueError, "steps is 0"),
        (lambda: CosineDecay(0.1, 2.5), TypeError, "steps is 2.5"),
        (lambda: ExponentialDecay(0.1, 0), ValueError, "decay is 0"),
        (lambda: ExponentialDecay(0.1, 1.01), ValueError, "decay is 1.01"),
        (lambda: StepDecay(0.1, -0.5, 10), ValueError, "factor is -0.5"),
        (lambda: StepDecay(0.1, 0.5, True), TypeError, "every is True"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_schedule_needs_values():
    with pytest.raises(TypeError, match="values"):
        Schedule()
