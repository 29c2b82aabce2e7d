"""Schedules: the formulas, both ends to the bit, one step alone or many at once."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cygrad.training import schedules
from cygrad.training.schedules import (
    Constant,
    CosineDecay,
    CosineLog,
    CosineRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearDecay,
    MultiStepDecay,
    OneCycle,
    PerEpoch,
    PolynomialDecay,
    Schedule,
    StepDecay,
    Warmup,
)
from cygrad.training.schedules.functions import octave_distances, real_power

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
    (PolynomialDecay(0.1, 40, 0.02, 2.7), lambda t: 0.02 + 0.08 * (1 - min(t, 40) / 40) ** 2.7),
    (PolynomialDecay(0.1, 40), lambda t: 0.1 * (1 - min(t, 40) / 40)),
    (InverseTimeDecay(0.1, 0.3), lambda t: 0.1 / (1 + 0.3 * t)),
    (InverseTimeDecay(0.1, 1, power=0.6), lambda t: 0.1 / (1 + t) ** 0.6),
    (
        MultiStepDecay(0.1, 0.5, [10, 11, 90]),
        lambda t: 0.1 * 0.5 ** ((t >= 10) + (t >= 11) + (t >= 90)),
    ),
    (
        CosineRestarts(0.1, 40, 0.02, factor=0.5),
        lambda t: 0.02 + 0.08 * 0.5 ** (t // 40) * (1 + math.cos(math.pi * (t % 40) / 40)) / 2,
    ),
    (
        CosineLog(0.04, 97),
        lambda t: 0.02 - 0.02 * math.cos(2 * math.pi * math.log2(1 + 15 * min(t, 97) / 97)),
    ),
    (
        CosineLog(0.3, 10, cycles=3),
        lambda t: 0.15 - 0.15 * math.cos(2 * math.pi * math.log2(1 + 7 * min(t, 10) / 10)),
    ),
    (
        Warmup(7, StepDecay(0.8, 0.5, 10)),
        lambda t: min(0.1 * (t + 1), 0.8 * 0.5 ** ((t - 7) // 10)),
    ),
    (Warmup(10, Constant(0.3), start=0), lambda t: 0.03 * min(t, 10)),
    (PerEpoch(ExponentialDecay(0.1, 0.9), 7), lambda t: 0.1 * 0.9 ** (t // 7)),
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


@pytest.mark.parametrize("kind", [LinearDecay, CosineDecay, PolynomialDecay])
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


@pytest.mark.parametrize("power", [0.5, 0.9, 1, 2.25, 7])
@given(done=st.floats(0, 1))
def test_real_powers_are_accurate(power, done):
    assert real_power(np.array([done]), power)[0] == pytest.approx(
        done**power, rel=1e-14, abs=1e-300
    )


@pytest.mark.parametrize("multiplier", [1, 2, 3])
def test_every_restart_is_exact(multiplier):
    """Also the 13th, at which float32 logarithms give a rate of 0, and those after 10¹⁸ steps."""
    schedule = CosineRestarts(0.1, 5, multiplier=multiplier)
    begin, length, begins = 0, 5, []
    while begin < 10**18 and len(begins) < 100:
        begins.append(begin)
        begin, length = begin + length, length * multiplier
    assert len(begins) > 30
    begins = np.array(begins)
    assert set(schedule.values(begins)) == {0.1}
    assert (schedule.values(begins[1:13] - 1) < 0.011).all()
    assert (schedule.values(begins[1:20] + 1) > 0.09).all()


@pytest.mark.parametrize("cycles", [1, 2, 4, 10, 30])
@pytest.mark.parametrize("length", [1, 7, 600])
def test_every_wave_ends_at_0_to_the_bit(cycles, length):
    """It ends after 1, 3, 7, … times the length of the first, and has its peak between."""
    waves = 2**cycles - 1
    schedule = CosineLog(0.04, waves * length, cycles)
    ends = np.array([(2**wave - 1) * length for wave in range(cycles + 1)])
    assert schedule.values(ends).tolist() == [0] * (cycles + 1)
    assert schedule(waves * length + 1) == schedule(10**12) == 0
    if length == 600:
        # log₂(1 + t / 600) is n + ½ where t = 600 (√2 2ⁿ − 1).
        peaks = np.round(length * (2.0 ** (np.arange(cycles) + 0.5) - 1)).astype(np.int64)
        assert schedule.values(peaks) == pytest.approx(0.04, rel=1e-5)
        assert (schedule.values(ends[1:] - 1) < 0.04 * 3e-5).all()
    assert (schedule.values(np.arange(0, waves * length, 1 + waves * length // 999)) >= 0).all()


@pytest.mark.parametrize("number", [1.0, 1.1, 2**0.5, 1.5, 2 - 2**-50, 2.0, 3.7, 2.0**30, 1e-9])
def test_logarithms_are_accurate(number):
    exact = math.log2(number)
    found = octave_distances(np.array([number]))[0]
    assert found == pytest.approx(abs(exact - round(exact)), rel=1e-13, abs=4e-15)
    assert 0 <= found <= 0.5


@given(
    steps=st.integers(1, 300),
    rise=st.floats(0.001, 0.5),
    symmetric=st.booleans(),
    annealing=st.sampled_from(["cosine", "linear"]),
)
def test_one_cycle_stays_between_its_ends_and_keeps_the_last(steps, rise, symmetric, annealing):
    schedule = OneCycle(0.5, steps, rise, 10, 100, annealing, symmetric)
    values = schedule.values(np.arange(steps + 3))
    assert set(values[-4:]) == {0.5 / 10 / 100}
    assert (values <= 0.5 * (1 + 1e-15)).all()
    assert (values >= 0.5 / 10 / 100 * (1 - 1e-15)).all()


def test_a_warm_up_arrives_where_its_schedule_begins():
    after = LinearDecay(0.4, 5)
    for schedule in (Warmup(3, after), Warmup(3, after, start=0), Warmup(3, after, start=0.7)):
        assert [schedule(t) for t in range(3, 9)] == [after(t) for t in range(6)]
    assert Warmup(3, after).values(np.arange(3)).tolist() == [0.1, 0.2, 0.4 * 0.75]
    # An integer 0 is not kept for ever, as in Keras.
    assert Warmup(2, 0.3, start=0).values(np.arange(4)).tolist() == [0, 0.15, 0.3, 0.3]
    assert Warmup(3, 0.5) == Warmup(3, Constant(0.5))


def test_epochs_are_counted_once_their_steps_are_known():
    per_epoch = PerEpoch(StepDecay(0.4, 0.5, 2))
    with pytest.raises(ValueError, match="steps_per_epoch is None"):
        per_epoch(0)
    bound = per_epoch.bound(3)
    assert bound == PerEpoch(StepDecay(0.4, 0.5, 2), 3)
    assert bound.bound(5) is bound
    assert [bound(t) for t in (0, 5, 6, 12)] == [0.4, 0.4, 0.2, 0.1]
    assert Warmup(4, per_epoch).bound(3)(4 + 6) == 0.2
    assert PerEpoch(Warmup(1, 0.2)).bound(2).values(np.arange(4)).tolist() == [0.1, 0.1, 0.2, 0.2]


@pytest.mark.parametrize("schedule", [schedule for schedule, _ in FORMULAS], ids=repr)
def test_schedules_are_values(schedule):
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert hash(schedule) == hash(pickle.loads(pickle.dumps(schedule)))
    assert eval(repr(schedule), dict(vars(schedules))) == schedule
    values = schedule.values(np.arange(12).reshape(3, 4))
    assert values.shape == (3, 4)
    assert values.ravel().tolist() == schedule.values(np.arange(12)).tolist()
    assert schedule.values(np.arange(0)).shape == (0,)


def test_equal_schedules_have_equal_arguments():
    assert CosineDecay(0.1, 40, final=0.02) == CosineDecay(0.1, 40, 0.02) != CosineDecay(0.1, 41)
    assert CosineDecay(0.1, 40) != LinearDecay(0.1, 40)
    assert MultiStepDecay(1, 0.5, [1, 2]) == MultiStepDecay(1, 0.5, (1, np.int64(2)))
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
        (lambda: PolynomialDecay(0.1, 5, power=0), ValueError, "power is 0"),
        (lambda: InverseTimeDecay(0.1, -1), ValueError, "decay is -1"),
        (lambda: MultiStepDecay(0.1, 0.5, 3), TypeError, "boundaries is 3"),
        (
            lambda: MultiStepDecay(0.1, 0.5, [3, 3]),
            ValueError,
            "boundaries is .3, 3., expected asc",
        ),
        (lambda: MultiStepDecay(0.1, 0.5, [0]), ValueError, r"boundaries\[0\] is 0"),
        (lambda: CosineRestarts(0.1, 5, multiplier=1.5), TypeError, "multiplier is 1.5"),
        (lambda: CosineRestarts(0.1, 5, factor=0), ValueError, "factor is 0"),
        (lambda: CosineLog(-1, 5), ValueError, "peak is -1"),
        (lambda: CosineLog(0.1, 5, cycles=0), ValueError, "cycles is 0, expected .* from 1 to 30"),
        (lambda: CosineLog(0.1, 5, cycles=31), ValueError, "cycles is 31"),
        (lambda: OneCycle(0.1, 5, rise=1), ValueError, "rise is 1.0, expected .* below 1"),
        (lambda: OneCycle(0.1, 5, 0.6, symmetric=True), ValueError, "rise is 0.6, .* at most 0.5"),
        (lambda: OneCycle(0.1, 5, annealing="cos"), ValueError, "annealing is 'cos'"),
        (lambda: OneCycle(0.1, 5, final_divisor=0), ValueError, "final_divisor is 0"),
        (lambda: Warmup(0, 0.1), ValueError, "steps is 0"),
        (lambda: Warmup(5, "cosine"), TypeError, "then is 'cosine', expected a Schedule"),
        (lambda: Warmup(5, -1), ValueError, "then is -1"),
        (lambda: Warmup(5, 0.1, start=-1), ValueError, "start is -1"),
        (lambda: PerEpoch(lambda epoch: 0.1), TypeError, "schedule is <function"),
        (lambda: PerEpoch(0.1, 0), ValueError, "steps_per_epoch is 0"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_schedule_needs_values():
    with pytest.raises(TypeError, match="values"):
        Schedule()
