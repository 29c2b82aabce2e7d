"""Predict the time of a training step on N ranks, from numbers measured on one and two.

A rank spends the time of a pass, forward and back, with its share of the rows: measured on one
rank for several numbers of rows, linear in between and beyond. Products share it by their
operations: one forward, one for the hidden delta, one for the gradient. The update adds a time that
does not depend on the rows. The parameters are divided into blocks, smaller ones for many ranks. A
message takes the receiver `call` seconds of its processor, mpi4py's and Python's; then its bytes
take the sender's link ``bytes / bandwidth``, and arrive `latency` later. Between processes of one
machine there is no link: the receiver copies the bytes itself; and in exact training, where they
have sums and parameters in common, nothing is moved (`Network.shared`).

Exact: the last rank, which updates, has as many rows less as all ranks then work as long; so
`Ring.shares` begins, before it follows the times that ranks take. Each rank takes a block's sums
from the rank before, adds its rows, and gives them to the next one; all have the same order, in
which a layer's gradient follows the delta that reads its weights. So the last rank has its first
block after N − 1 blocks' times, and all others in a pipeline. Its parameters go to rank 0 and from
rank to rank to N − 2. A rank begins its next step when they are there, later ranks later, just as
the sums come to them later: both fillings of the pipeline overlap from step to step. Loss and
header go the same ways.

All-reduce: the sums of a block are added by a ring, the best in bandwidth of all ways [1]: each
rank sends 2 (N − 1) / N of its bytes, in 2 (N − 1) messages, and adds (N − 1) / N of them. Blocks
share the link; their latencies overlap. Then every rank updates all parameters.

Both are simulated event by event, over several steps, of which the later ones count. Not in the
model: other programs on the machine, unequal processors, switches that several links share, caches
and memory that ranks on one machine share, and messages that wait until a rank calls MPI.

[1] P. Patarasuk and X. Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
workstations", Journal of Parallel and Distributed Computing 69 (2009).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil

import numpy as np

from cygrad.distributed.ring import BLOCK_BYTES, block_bytes

from ..cases import Case

STEPS, FIRST_STEPS = 3, 1  # steps that are simulated, and those of them that do not count
ITEM = {"float32": 4, "float64": 8}


@dataclass(frozen=True)
class Network:
    """The network between the ranks, in seconds and bytes in a second.

    `call` is the receiver's time for any message, `adding` the bytes of sums that a processor adds
    in a second. `copies` is True where the receiver's processor moves the bytes.
    """

    call: float
    latency: float
    bandwidth: float
    adding: float = float("inf")
    copies: bool = False

    @property
    def shared(self) -> Network:
        """The same between ranks that have memory in common: only the calls are left."""
        return Network(self.call, 0.0, float("inf"), self.adding)


@dataclass(frozen=True)
class Block:
    """Gradients that travel together: the lowest layer, counted from the last one, bytes, and the
    seconds of their products."""

    layer: int
    size: int
    seconds: float


@dataclass(frozen=True)
class Work:
    """The work of one network on one rank: seconds of a pass by its rows, and of the update."""

    case: Case
    dtype: str
    passes: Mapping[int, float]
    update: float

    def of_pass(self, rows: float) -> float:
        """Return the seconds of a pass; beyond the most rows measured each costs the same."""
        known = sorted(self.passes)
        if rows == 0:
            return 0.0
        if rows > known[-1]:
            return self.passes[known[-1]] * rows / known[-1]
        return float(np.interp(rows, known, [self.passes[each] for each in known]))

    def parts(self, rows: float) -> tuple[float, list[float], list[float]]:
        """Return the seconds forward, of each hidden delta, and of each layer's gradient, from the
        last layer to the first."""
        sizes = [inputs * outputs for inputs, outputs in self.case.shapes][::-1]
        one = self.of_pass(rows) / (3 * sum(sizes) - sizes[-1])
        return one * sum(sizes), [one * size for size in sizes[:-1]], [one * each for each in sizes]

    def blocks(self, rows: float, limit: int = BLOCK_BYTES) -> list[Block]:
        """Return the blocks of a pass in the order of the work, of up to about `limit` bytes."""
        found: list[Block] = []
        _, _, gradients = self.parts(rows)
        for layer, (inputs, outputs) in enumerate(reversed(self.case.shapes)):
            size = (inputs + 1) * outputs * ITEM[self.dtype]
            count = ceil(size / limit)
            part = Block(layer, size // count, gradients[layer] / count)
            if found and count == 1 and found[-1].size + size <= limit:
                above = found.pop()  # small layers share a block
                part = Block(layer, above.size + size, above.seconds + part.seconds)
            found += [part] * count
        return found


# What an agent does next: a rank, or what moves numbers while the rank computes.


@dataclass(frozen=True)
class Compute:
    seconds: float


@dataclass(frozen=True)
class Send:
    """Send so many bytes over the link of the agent, `hops` times one after the other."""

    key: Hashable
    size: float
    hops: int = 1


@dataclass(frozen=True)
class Mark:
    """Announce something to agents of the same rank, or of all, at once."""

    key: Hashable


@dataclass(frozen=True)
class Wait:
    """Wait until what `Send` or `Mark` has announced is there, and receive it."""

    key: Hashable


Event = Compute | Send | Mark | Wait
Agent = Iterator[Event]


def simulate(
    agents: Sequence[tuple[int, Agent]], network: Network, cores: int | None
) -> dict[Hashable, float]:
    """Run agents side by side, each with the link of a rank, on so many cores or on enough; return
    when each key was there."""
    ready = [(0.0, number) for number in range(len(agents))]
    links, busy = [0.0] * len(agents), [0.0] * (cores or 0)  # free from these times on
    there: dict[Hashable, tuple[float, float]] = {}
    waiting: dict[Hashable, list[int]] = {}

    def compute(now: float, seconds: float) -> float:
        if not busy or not seconds:
            return now + seconds
        core = busy.index(min(busy))
        busy[core] = max(now, busy[core]) + seconds
        return busy[core]

    def announce(key: Hashable, time: float, cost: float) -> None:
        there[key] = (time, cost)
        for number in waiting.pop(key, ()):
            heappush(ready, (time, number))

    waits: list[Wait | None] = [None] * len(agents)
    while ready:
        now, number = heappop(ready)
        link, agent = agents[number]
        event = waits[number] or next(agent, None)
        waits[number] = None
        if isinstance(event, Wait):
            time, cost = there.get(event.key, (None, 0.0))
            if time is None:
                waiting.setdefault(event.key, []).append(number)
                waits[number] = event
                continue
            if time > now:  # on its way
                waits[number] = event
                now = time
            else:
                now = compute(now, cost)
        elif isinstance(event, Compute):
            now = compute(now, event.seconds)
        elif isinstance(event, Mark):
            announce(event.key, now, 0.0)
        elif isinstance(event, Send):
            moving = event.size / network.bandwidth
            links[link] = max(now, links[link]) + (0.0 if network.copies else moving)
            cost = network.call + (moving if network.copies else 0.0)
            announce(event.key, links[link] + event.hops * network.latency, cost)
        else:
            continue
        heappush(ready, (now, number))
    return {key: time for key, (time, _) in there.items()}


def exact(work: Work, ranks: int, network: Network, cores: int | None = None) -> float:
    """Return the seconds of a step of exact training."""
    agents = [(rank, _exact_rank(work, rank, ranks)) for rank in range(ranks)]
    agents += [(rank, _parameters(work, rank, ranks)) for rank in range(ranks - 1)]
    return _seconds_per_step(simulate(agents, network, cores), ranks)


def exact_rows(work: Work, ranks: int) -> list[int]:
    """Return the rows of each rank."""
    batch = work.case.batch
    update = work.update / work.of_pass(batch)
    last = max((1 + update) / ranks - update, 0.0)
    parts = [(1 - last) / max(ranks - 1, 1)] * (ranks - 1) + [last]
    return [int(rows) for rows in np.diff(np.rint(np.cumsum([0.0, *parts]) * batch))]


def _exact_rank(work: Work, rank: int, ranks: int) -> Agent:
    last, after = rank == ranks - 1, (rank + 1) % ranks
    rows = exact_rows(work, ranks)[rank]
    forward, deltas, _ = work.parts(rows)
    blocks = work.blocks(rows, block_bytes(ranks, True))
    update = work.update / sum(block.size for block in blocks) if last else 0.0  # of a byte
    for step in range(STEPS):
        yield Compute(forward)
        done = 0
        for number, block in enumerate(blocks):
            if number == 0 and rank == 0:
                yield from _loss(step, rank, ranks)
            # Sums of upper layers travel while lower deltas are computed.
            yield Compute(sum(deltas[done : block.layer + 1]))
            done = max(done, block.layer + 1)
            if number == 0 and 0 < rank == ranks - 1:
                yield from _loss(step, rank, ranks)
            if rank > 0:
                yield Wait(("sums", step, number, rank))
            yield Compute(block.seconds + update * block.size)
            if ranks > 1:
                name = "parameters" if last else "sums"
                yield Send((name, step, number, after), block.size)
            if number == 0 and 0 < rank < ranks - 1:
                yield from _loss(step, rank, ranks)
        if not last:
            for number in range(len(blocks)):
                yield Wait(("have", step, number, rank))
            yield Wait(("header", step, rank))
        if ranks > 1 and after != ranks - 1:
            yield Send(("header", step, after), 0)
        yield Mark(("end", step, rank))


def _loss(step: int, rank: int, ranks: int) -> Agent:
    """Take the sums of the loss from the rank before, and give them to the next one."""
    if rank > 0:
        yield Wait(("loss", step, rank))
    if rank < ranks - 1:
        yield Send(("loss", step, rank + 1), 0)


def _parameters(work: Work, rank: int, ranks: int) -> Agent:
    """Receive updated parameters, and send them on."""
    for step in range(STEPS):
        for number, block in enumerate(work.blocks(0, block_bytes(ranks, True))):
            yield Wait(("parameters", step, number, rank))
            yield Mark(("have", step, number, rank))
            if rank + 1 != ranks - 1:
                yield Send(("parameters", step, number, rank + 1), block.size)


def all_reduce(work: Work, ranks: int, network: Network, cores: int | None = None) -> float:
    """Return the seconds of a step where gradients are added by all-reduce."""
    agents = [(rank, _adding_rank(work, rank, ranks, network)) for rank in range(ranks)]
    agents.append((0, _reduction(work, ranks)))
    return _seconds_per_step(simulate(agents, network, cores), ranks)


def _adding_rank(work: Work, rank: int, ranks: int, network: Network) -> Agent:
    batch = work.case.batch
    rows = (rank + 1) * batch // ranks - rank * batch // ranks
    forward, deltas, _ = work.parts(rows)
    blocks = work.blocks(rows)
    for step in range(STEPS):
        yield Compute(forward + sum(deltas))
        for number, block in enumerate(blocks):
            yield Compute(block.seconds)
            yield Mark(("summed", step, number, rank))
        for number, block in enumerate(blocks):
            if ranks > 1:
                yield Wait(("sums", step, number))
                yield Compute((ranks - 1) / ranks * block.size / network.adding)
        yield Compute(work.update)
        yield Mark(("end", step, rank))


def _reduction(work: Work, ranks: int) -> Agent:
    """Move the sums of all ranks, which are alike, over the link of one."""
    hops = 2 * (ranks - 1)
    for step in range(STEPS if ranks > 1 else 0):
        for number, block in enumerate(work.blocks(0)):
            for rank in range(ranks):
                yield Wait(("summed", step, number, rank))
            yield Send(("sums", step, number), hops / ranks * block.size, hops)


def _seconds_per_step(times: Mapping[Hashable, float], ranks: int) -> float:
    first, last = (times["end", step - 1, ranks - 1] for step in (FIRST_STEPS, STEPS))
    return (last - first) / (STEPS - FIRST_STEPS)
