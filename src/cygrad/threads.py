"""How many threads may compute: what the user asks for, or what the machine gives this process.

How many of them a piece of work is worth, the engine decides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from functools import cache

from cygrad import checks

# Far more than a network of any size could feed.
MAX_THREADS = 1024


def check_threads(threads: int) -> int:
    """`threads` as an argument has it: an integer from 1 to `MAX_THREADS`."""
    return checks.whole_number(threads, "threads", 1, MAX_THREADS)


def default_threads() -> int:
    """How many threads compute where the user does not say.

    CYGRAD_NUM_THREADS, where it is set. Else as many as there are processors that this process may
    use by its CPU affinity and its control group's quota, and no more than OMP_NUM_THREADS.

    Raises
    ------
    ValueError
        If CYGRAD_NUM_THREADS is not an integer from 1 to 1024.
    """
    setting = os.environ.get("CYGRAD_NUM_THREADS", "").strip()
    if setting:
        if not setting.isdecimal() or not 1 <= int(setting) <= MAX_THREADS:
            raise ValueError(
                f"CYGRAD_NUM_THREADS is {setting!r}, expected an integer from 1 to {MAX_THREADS}"
            )
        return int(setting)
    processors = min(_affinity(), _quota(), MAX_THREADS)
    # A list of numbers is for nested teams; the first is that of the outermost.
    openmp = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(processors, int(openmp)) if openmp.isdecimal() and int(openmp) > 0 else processors


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> int:
    """Processors' worth of time that the control group may use, rounded up."""
    shares = [
        quota / period for quota, period in _limits(root, membership) if min(quota, period) > 0
    ]
    return max(1, math.ceil(min(shares))) if shares else MAX_THREADS


def _limits(root: str, membership: str) -> Iterator[tuple[int, int]]:
    """Quota and period of the group that this process is in, and of those above it."""
    for line in _lines(membership):
        _, controllers, group = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        # Inside a container the group's name may be the one outside, where only the root is seen.
        names = group.strip("/").split("/") if group.strip("/") else []
        for depth in range(len(names) + 1):
            folder = "/".join([root, controllers, *names[:depth]])
            if controllers:  # version 1
                quota = _lines(f"{folder}/cpu.cfs_quota_us")
                period = _lines(f"{folder}/cpu.cfs_period_us")
            else:  # version 2: one line, "QUOTA PERIOD", where QUOTA may be "max"
                quota, period = [], []
                for both in _lines(f"{folder}/cpu.max"):
                    quota, period = both.split()[:1], both.split()[1:]
            if quota and period and quota[0].isdecimal() and period[0].isdecimal():
                yield int(quota[0]), int(period[0])


def _lines(file: str) -> list[str]:
    """The lines of a file, none where it cannot be read."""
    try:
        with open(file, encoding="utf-8") as text:
            return text.read().splitlines()
    except OSError:
        return []
