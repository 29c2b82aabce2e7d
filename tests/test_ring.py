"""The ring's slots: sums are received only where no others are held or on their way."""

import numpy as np
import pytest

from cygrad.distributed.ring import GRADIENT, PARAMETERS, SLOTS, Ring, runs_of

BLOCKS, BLOCK_BYTES = 40, 64


class Request:
    """Is complete after some tests."""

    def __init__(self, tests: int) -> None:
        self.tests = tests

    def Test(self) -> bool:
        self.tests -= 1
        return self.tests < 0


class MiddleRank:
    """Rank 1 of 3 on three hosts, of which all sends take so many tests."""

    def __init__(self, tests: int) -> None:
        self.tests = tests
        self.sends: dict[int, Request] = {}  # by the address of their memory
        self.held: set[int] = set()  # received, and not yet given
        self.received = 0

    def Get_rank(self) -> int:
        return 1

    def Get_size(self) -> int:
        return 3

    def Isend(self, numbers, rank: int, tag: int) -> Request:
        assert (rank, tag) == (2, GRADIENT)
        address = numbers.ctypes.data
        self.held.remove(address)
        self.sends[address] = Request(self.tests)
        return self.sends[address]

    def Irecv(self, numbers, rank: int, tag: int) -> Request:
        if tag == PARAMETERS:
            return Request(BLOCKS * self.tests)
        assert (rank, tag) == (0, GRADIENT)
        address = numbers.ctypes.data
        assert address not in self.held, f"block {self.received} is received over another one"
        assert address not in self.sends or self.sends[address].tests < 0, (
            f"block {self.received} is received where another one is being sent"
        )
        self.held.add(address)
        self.received += 1
        return Request(0)


@pytest.mark.parametrize("tests", range(0, 60))
def test_sums_are_received_into_free_slots_alone(tests):
    comm = MiddleRank(tests)

    class Failures:
        hosts = (0, 1, 2)

        def check_now_and_then(self) -> None: ...

    ring = Ring(comm, True, Failures())
    parameters = np.zeros(BLOCKS * BLOCK_BYTES, np.uint8)
    blocks = [(first, BLOCK_BYTES) for first in range(0, len(parameters), BLOCK_BYTES)]
    ring.use(parameters, None, blocks, np.zeros(64, np.uint8), sends_at_once=True)
    for block in range(BLOCKS):
        assert ring.take(block) == ring._room.addresses[block % SLOTS]
        assert ring.take(block) in comm.held
        ring.give(block)
    assert comm.received == BLOCKS


def test_runs_are_ranks_of_one_host_one_after_another():
    assert runs_of("AABBBA") == [range(0, 2), range(2, 5), range(5, 6)]
    assert runs_of("A") == [range(0, 1)]
