"""The benchmark of MPI: limits of its model, and one small run."""

import sys
from dataclasses import replace
from importlib.util import find_spec

import pytest

from benchmarks.cases import parse_case
from benchmarks.mpi import model, section, turns
from benchmarks.settings import Settings, WrongResult
from cygrad.distributed.ring import BLOCK_BYTES

CASE = parse_case("784-1024-1024-10@256")
WORK = model.Work(CASE, "float32", {1: 0.001, 64: 0.005, 128: 0.010, 256: 0.020}, update=0.002)
NOTHING = model.Network(call=0.0, latency=0.0, bandwidth=float("inf"))
FAST = model.Network(call=3e-6, latency=2e-6, bandwidth=12.5e9, adding=1e10)
MODES = pytest.mark.parametrize("predict", [model.exact, model.all_reduce])
RANKS = pytest.mark.parametrize("ranks", [2, 3, 16])


# The model


@MODES
@pytest.mark.parametrize("network", [NOTHING, FAST])
def test_one_rank_takes_what_was_measured(predict, network):
    assert predict(WORK, 1, network) == pytest.approx(0.022)
    assert predict(WORK, 1, network, cores=1) == pytest.approx(0.022)


def test_passes_are_linear_in_between_and_beyond():
    assert WORK.of_pass(96) == pytest.approx(0.0075)
    assert WORK.of_pass(2560) == pytest.approx(0.2)
    assert WORK.of_pass(0) == 0


@pytest.mark.parametrize("rows", [1, 128, 1000])
def test_parts_and_blocks_add_up(rows):
    forward, deltas, gradients = WORK.parts(rows)
    assert forward + sum(deltas) + sum(gradients) == pytest.approx(WORK.of_pass(rows))
    blocks = WORK.blocks(rows)
    assert sum(block.seconds for block in blocks) == pytest.approx(sum(gradients))
    assert sum(block.size for block in blocks) == pytest.approx(4 * CASE.parameters, rel=1e-4)
    assert max(block.size for block in blocks) <= BLOCK_BYTES


def test_small_layers_share_a_block():
    assert len(replace(WORK, case=parse_case("20-30-10@8")).blocks(8)) == 1


@RANKS
def test_without_a_network_all_reduce_takes_the_pass_and_the_update(ranks):
    seconds = model.all_reduce(WORK, ranks, NOTHING)
    assert seconds == pytest.approx(WORK.of_pass(256 / ranks) + WORK.update, rel=0.01)


@RANKS
def test_the_rank_that_updates_has_fewer_rows(ranks):
    *others, last = model.exact_rows(WORK, ranks)
    assert sum(others) + last == 256
    assert max(others) - min(others) <= 1
    assert last == pytest.approx(max(0, (256 + 25.6) / ranks - 25.6), abs=1)


@RANKS
def test_without_a_network_exact_takes_the_longest_rank_and_the_filling(ranks):
    seconds = model.exact(WORK, ranks, NOTHING)
    *others, last = model.exact_rows(WORK, ranks)
    longest = max(WORK.of_pass(max(others)), WORK.of_pass(last) + WORK.update)
    block = max(block.seconds for block in WORK.blocks(max(others)))
    assert 0.99 * longest <= seconds <= longest + ranks * block + WORK.update


@MODES
@RANKS
def test_slower_networks_take_longer(predict, ranks):
    latencies = [0.0, 1e-6, 1e-5, 1e-4, 1e-3]
    times = [predict(WORK, ranks, replace(FAST, latency=each)) for each in latencies]
    assert times == sorted(times)
    assert times[-1] > times[0]
    bandwidths = [1e12, 1e10, 1e9, 1e8]
    times = [predict(WORK, ranks, replace(FAST, bandwidth=each)) for each in bandwidths]
    assert times == sorted(times)
    assert times[-1] > times[0]


@RANKS
def test_a_slow_link_is_the_bound(ranks):
    slow = replace(NOTHING, bandwidth=1e6)
    blocks = WORK.blocks(0)
    size = sum(block.size for block in blocks) / 1e6
    added = model.all_reduce(WORK, ranks, slow)
    assert added == pytest.approx(2 * (ranks - 1) / ranks * size, rel=0.03)
    # Exact: the link of rank 0 carries the sums, and the parameters to rank 1. Of two ranks, each
    # carries one of them.
    filling = 2 * ranks * max(block.size for block in blocks) / 1e6
    whole = size if ranks == 2 else 2 * size
    assert 0.99 * whole <= model.exact(WORK, ranks, slow) <= whole + filling


@MODES
def test_ranks_that_share_a_core_have_no_gain(predict):
    alone = predict(WORK, 1, NOTHING)
    linear = replace(WORK, passes={1: 0.02 / 256, 256: 0.02}, update=0.0)
    assert predict(linear, 4, NOTHING, cores=1) == pytest.approx(0.02, rel=0.01)
    assert predict(WORK, 64, NOTHING, cores=1) > 2 * alone


@MODES
def test_the_receiver_copies_what_has_no_link(predict):
    copying = replace(FAST, bandwidth=5e9, copies=True)
    assert predict(WORK, 2, copying) > predict(WORK, 2, NOTHING)


def test_the_update_is_found_from_steps_of_two_passes():
    least = {(1, 1): 0.003, (1, 2): 0.004, (128, 1): 0.0015, (256, 1): 0.042}
    work = section._work(CASE, "float32", 0.022, least)
    assert work.update == pytest.approx(0.0015)  # not more than half of the shortest step
    assert list(work.passes) == [1, 128, 256]
    assert work.passes[256] + work.update == pytest.approx(0.022)
    assert work.passes[1] == work.passes[128]


# The section


def _settings(*, peers: bool) -> Settings:
    return Settings((), "float32", "adam", 1, peers=peers, quick=True, mnist=None, against=None)


@pytest.mark.skipif(section.unavailable() is not None, reason=f"{section.unavailable()}")
@pytest.mark.parametrize("peers", [False, True])
def test_ranks_are_checked_timed_and_predicted(peers, monkeypatch):
    if peers and find_spec("torch") is None:
        pytest.skip("PyTorch is not installed")
    monkeypatch.setattr(section, "NETWORKS", (("20-50-3@16", 64, 2),))
    rows = list(section.rows(_settings(peers=peers)))
    assert [row["ranks"] for row in rows] == [1, 2, 4, *[8, 16, 32, 64, 128, 256] * 2]
    keys = [column.key for column in section.COLUMNS]
    assert all(set(keys) <= set(row) for row in rows)
    one, two, four, *predicted = rows
    assert one["exact model"] == pytest.approx(one["exact least"])
    for row in (two, four):
        assert 0 < row["exact least"] <= row["exact"]
        assert 0 < row["all-reduce least"] <= row["all-reduce"]
        assert row["ratio"] > 0
        assert row["share"] > 0
    assert (two["DDP"] is not None) == peers
    for row in predicted:
        assert row["exact"] is None
        assert row["exact efficiency"] > 0
        assert row["all-reduce efficiency"] > 0


def test_a_section_without_mpi_has_no_rows(monkeypatch, capsys):
    monkeypatch.setattr(section, "unavailable", lambda: "there is no mpiexec")
    assert list(section.rows(_settings(peers=False))) == []
    assert "mpi: left out, there is no mpiexec" in capsys.readouterr().err


def test_programs_that_end_or_refuse_are_wrong_results():
    ended = turns.Program("a program", [[sys.executable, "-c", "raise SystemExit(3)"]])
    with pytest.raises(WrongResult, match="a program: a process has ended"):
        ended.ask("use")
    ended.close()
    answer = 'print(input() and \'{"error": "rank 1 of 2: bits differ"}\')'
    wrong = turns.Program("a program", [[sys.executable, "-c", answer]])
    with pytest.raises(WrongResult, match="rank 1 of 2: bits differ"):
        wrong.ask("use")
    wrong.close()
