"""Conditions under which others leave a process less than the whole machine.

Both end with their block: a process that never waits, on one processor or wherever the system puts
it, and a control group with a quota of processor time, which only root can make, on Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Ends when the process that started it has ended.
BUSY = """
import os, sys
if len(sys.argv) > 1:
    os.sched_setaffinity(0, {int(sys.argv[1])})
print(flush=True)
parent = os.getppid()
while os.getppid() == parent:
    pass
"""
CONTROL_GROUPS = Path("/sys/fs/cgroup")
PERIOD = 100_000  # microseconds, the system's default


class NoControlGroup(Exception):
    """The system lets this process make no control group, or has none for processor time."""


@contextmanager
def busy_process(processor: int | None = None) -> Iterator[None]:
    """Run a process that never waits, on this processor, or on any for None."""
    where = [] if processor is None else [str(processor)]
    command = [sys.executable, "-c", BUSY, *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield
        finally:
            process.kill()


class ControlGroup:
    """A control group of its own, of version 1 or 2.

    Raises
    ------
    NoControlGroup
        If it cannot be made.
    """

    def __init__(self) -> None:
        for parent, files in _parents():
            folder = parent / f"cygrad-{os.getpid()}"
            try:
                folder.mkdir()
            except OSError:
                continue
            if all((folder / file).exists() for file in files):
                self.parent, self.folder, self._files = parent, folder, files
                return
            folder.rmdir()
        raise NoControlGroup("no control group can be made for processor time, which takes root")

    def limit(self, processors: float) -> None:
        """Set the quota."""
        quota = str(round(processors * PERIOD))
        texts = [str(PERIOD), quota] if len(self._files) == 2 else [f"{quota} {PERIOD}"]
        for file, text in zip(self._files, texts, strict=True):
            (self.folder / file).write_text(text)

    def add(self, process: int) -> None:
        """Move a process into the group."""
        (self.folder / "cgroup.procs").write_text(str(process))

    def remove(self) -> None:
        """Move the processes of the group to that above it, and remove the group."""
        for process in (self.folder / "cgroup.procs").read_text().split():
            with suppress(OSError):  # it has ended
                (self.parent / "cgroup.procs").write_text(process)
        self.folder.rmdir()


def _parents() -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Yield folders in which a group may be made, and the names of the files of its quota."""
    for folder in sorted(CONTROL_GROUPS.glob("cpu*")):
        yield folder, ("cpu.cfs_period_us", "cpu.cfs_quota_us")
    with suppress(OSError):
        if "cpu" in (CONTROL_GROUPS / "cgroup.subtree_control").read_text().split():
            yield CONTROL_GROUPS, ("cpu.max",)


@contextmanager
def quota(processors: float) -> Iterator[ControlGroup]:
    """Make a control group that may use so many processors; its processes are added later."""
    group = ControlGroup()
    try:
        group.limit(processors)
        yield group
    finally:
        group.remove()
