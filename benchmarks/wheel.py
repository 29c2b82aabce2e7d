"""Size and tags of the wheel built from this source tree, and the oldest Linux that it supports."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from .report import Column, Row
from .settings import ROOT, Settings, WrongResult

TITLE = "Wheel"
COLUMNS = (
    Column("file", "file", 50),
    Column("kilobytes", "kB", 7, ",.1f"),
    Column("unpacked", "unpacked", 8, ",.1f"),
    Column("manylinux", "fits", 24),
)
TAG = "cp311-abi3"
SOURCES = ("src", "csrc", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def rows(settings: Settings) -> Iterator[Row]:
    with TemporaryDirectory() as name:
        wheel = _build(Path(name))
        if f"-{TAG}-" not in wheel.name:
            raise WrongResult(f"the wheel is {wheel.name}, expected the tag {TAG}")
        with ZipFile(wheel) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        yield {
            "file": wheel.name,
            "kilobytes": wheel.stat().st_size / 1e3,
            "unpacked": unpacked / 1e3,
            "manylinux": _manylinux(wheel),
        }


def _build(folder: Path) -> Path:
    """Build from a copy, without earlier build products, and leave the source tree unchanged."""
    copy = folder / "source"
    copy.mkdir()
    built = ["*.so", "*.egg-info", "__pycache__", ".*cache"]
    for source in SOURCES:
        if (ROOT / source).is_dir():
            ignored = [*built, "*.c"] if source == "src" else built  # Cython's output
            shutil.copytree(ROOT / source, copy / source, ignore=shutil.ignore_patterns(*ignored))
        else:
            shutil.copy(ROOT / source, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(copy)], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _manylinux(wheel: Path) -> str | None:
    """Return the oldest manylinux tag that the wheel fits, or None without auditwheel."""
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    shown = subprocess.run(command, check=False, capture_output=True, text=True)
    tags = re.findall(r'"((?:many|musl)linux_\w+)"', shown.stdout)
    return str(tags[0]) if tags else None
