"""The number of threads that may compute: the user's, or that of the processors available.

The engine decides how many of them to use.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from threading import local

from cygrad import checks

# Far more than a network of any size can use.
MAX_THREADS = 1024

# With a second thread, the same step takes up to 1.25 times the processor time, which quotas count.
# Measured: two threads train at most 2 % faster than one with a quota of 1.1 processors, 3 to 16 %
# faster with 1.25, although the system stops both for the rest of a period when the quota is used
# up. The same factor for each further thread is cautious: with 3.5 processors, a fourth thread can
# gain a sixth at most.
EXTRA_THREAD_TIME = 1.25

# Of each Python thread: a function for the most threads that its calls may use, where others work
# beside it.
_of_thread = local()


def check_threads(threads: int) -> int:
    """Return the argument `threads` as an int from 1 to `MAX_THREADS`."""
    return checks.whole_number(threads, "threads", 1, MAX_THREADS)


def default_threads() -> int:
    """Return the number of threads that may compute if the user does not set it.

    This is CYGRAD_NUM_THREADS if it is set, otherwise the number of processors that the CPU
    affinity and the quota of the control group allow, but at most OMP_NUM_THREADS.

    A quota is rounded up if it is at least 1.25 times the whole number below, otherwise down, but
    not to 0: quotas of 0.5, 1.2, 1.25, 2.5 and 3.5 processors give 1, 1, 2, 3 and 3 threads.

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
        return within_limit(int(setting))
    processors = min(_affinity(), _quota(), MAX_THREADS)
    # A list of numbers is for nested teams; the first number is for the outermost team.
    openmp = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if openmp.isdecimal() and int(openmp) > 0:
        processors = min(processors, int(openmp))
    return within_limit(processors)


def within_limit(threads: int) -> int:
    """Return a number of threads, or the limit of the calling thread if that is less."""
    limit: Callable[[], int] | None = getattr(_of_thread, "most", None)
    return threads if limit is None else min(threads, limit())


@contextmanager
def limited(most: Callable[[], int]) -> Iterator[None]:
    """Limit the threads of all calls of this thread, within the ``with`` block.

    Parameters
    ----------
    most : function
        Called whenever the number of threads is chosen: the limit may change.
    """
    before = getattr(_of_thread, "most", None)
    _of_thread.most = most
    try:
        yield
    finally:
        _of_thread.most = before


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _quota(root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> int:
    """Return the number of threads for the processor time that the control group may use."""
    shares = [
        quota / period for quota, period in _limits(root, membership) if min(quota, period) > 0
    ]
    return _threads_within(min(shares)) if shares else MAX_THREADS


def _threads_within(quota: float) -> int:
    """Return the number of threads for a quota, in processors: see `default_threads`."""
    fewer = max(1, math.floor(quota))
    return fewer + 1 if quota >= fewer * EXTRA_THREAD_TIME else fewer


def _limits(root: str, membership: str) -> Iterator[tuple[int, int]]:
    """Yield quota and period of the control group of this process and of each parent group."""
    for line in _lines(membership):
        controllers, _, group = line.partition(":")[2].partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        # In a container the name may be that outside, while only the root of the tree is visible.
        names = group.strip("/").split("/") if group.strip("/") else []
        # Some systems name the folder by the controllers in another order, with a link for each.
        trees = dict.fromkeys([controllers, "cpu"]) if controllers else [""]
        for tree, depth in product(trees, range(len(names) + 1)):
            folder = "/".join([root, tree, *names[:depth]])
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
    """Return the lines of a file, or none if it cannot be read."""
    try:
        with open(file, "rb") as lines:
            # The name of a control group may have any bytes but a newline.
            return [os.fsdecode(line.rstrip(b"\n")) for line in lines]
    except OSError:
        return []
