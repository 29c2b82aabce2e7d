"""Damaged files: small files of each format, and random changes of their bytes.

As a program, read damaged files by the thousand in a process with little memory, and print what is
neither an object nor a ValueError, takes more than a second, or more memory than four times the
file and 64 MB; and the longest time, and the most memory that the process took for any of them.
Damage can also give a file the first bytes of a format that needs a library: then an ImportError
says so.

    python tests/damage.py                        10,000 of each format
    python tests/damage.py model csv -n 1000000   these formats, a million each
    python tests/damage.py csv --seed 71 -n 1     one file again

Half of the changes to archives are made inside their members, with the checksum that belongs to
them: else nearly all would end at a wrong checksum.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import io
import itertools
import json
import os
import signal
import struct
import sys
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import plain_files

import cygrad as cg
from cygrad.tables.sources import MAGIC

SECONDS = 1  # of processor time
LAST_SECONDS = 10  # where no Python code runs that a signal could stop
ALLOWANCE = 64 << 20  # bytes of memory beyond four times the file
EXPECTED = ("read", "ValueError", "ImportError")


def _csv() -> bytes:
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{'?' if a > 1 else int(a * 10)},{w},2024-01-{i % 28 + 1:02},{k}"
        for i, (a, w, k) in enumerate(
            zip(rng.normal(size=40), rng.choice(["x", '"a,b"', "é"], 40), "uv" * 20, strict=True)
        )
    ]
    return "\n".join(["a,b,word,day,y", *rows, ""]).encode()


def _arff() -> bytes:
    head = "% c\n@relation r\n@attribute a numeric\n@attribute 'b c' {x,y}\n@attribute y {u,v}\n"
    dense = [f"{i}, {'xy'[i % 2]}, {'uv'[i % 3 % 2]}" for i in range(20)]
    sparse = [f"{{0 {i}, 2 v}}" for i in range(20)]
    return (head + "@data\n" + "\n".join(dense + sparse) + "\n").encode()


def _svmlight() -> bytes:
    return "".join(f"{i % 2} 1:{i / 7} {i % 5 + 2}:-1e-3 # c\n" for i in range(40)).encode()


def _npz() -> bytes:
    file = io.BytesIO()
    X = np.arange(120, dtype=np.float32).reshape(40, 3) ** 2
    np.savez(file, X=X, y=np.array(["u", "v"] * 20))
    return file.getvalue()


def _npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.c_[np.arange(40.0) ** 2, np.arange(40) % 2, np.arange(40) % 3])
    return file.getvalue()


def _idx() -> bytes:
    return struct.pack(">2xBB2I", 8, 2, 40, 6) + bytes(range(240))


#: For each format its bytes and the target on the command line.
FORMATS: dict[str, tuple[Callable[[], bytes], str]] = {
    "csv": (_csv, "y"),
    "csv.gz": (lambda: gzip.compress(_csv(), mtime=0), "y"),
    "arff": (_arff, "y"),
    "svm": (_svmlight, ""),
    "npz": (_npz, "y"),
    "npy": (_npy, "2"),
    "idx": (_idx, ""),
}
PIECES = (
    b"", b",", b"\n", b'"', b"'", b"{", b":", b"\0", b"nan", b"1e999", b"\xff", b"-", b"?", b"%",
    b" ", b"\r", b"99999999999999999999", b"0x1", b"\xe2\x88\x92", b"@data\n",
)  # fmt: skip


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return data with a few bytes changed, removed, repeated or put in."""
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data) + 1))
        length = int(rng.choice([0, 1, 1, 3, 40, len(data)]))
        match rng.integers(5):
            case 0:
                data = data[:place] + data[place + length :]
            case 1:
                data = data[:place] + PIECES[rng.integers(len(PIECES))] + data[place + length % 4 :]
            case 2:
                data = data[:place] + data[place : place + length] * 2 + data[place + length :]
            case 3 if data:
                place %= len(data)
                flipped = bytes([data[place] ^ 1 << int(rng.integers(8))])
                data = data[:place] + flipped + data[place + 1 :]
            case _:
                data = data[:place] + rng.bytes(length % 50) + data[place:]
    return data


# Models


@cache
def _model() -> bytes:
    """Return a file with every kind of layer, an encoder, classes and standardised inputs."""
    table = cg.tables.Table.from_arrays(
        {"size": [1.5, 2.0, None, 4.0] * 5, "kind": list("abcb") * 5, "label": list("uvuv") * 5}
    )
    encoder = cg.tables.Encoder("label").fit(table)
    hidden = [
        cg.Dense(4, "relu"),
        cg.BatchNorm(),
        cg.Dropout(0.1),
        cg.Residual([cg.Dense(4, cg.activations.leaky_relu(0.1))]),
        cg.LayerNorm("tanh"),
        cg.Scaling(),
    ]
    layers = [*hidden, cg.Dense(2, "softmax")]
    net = cg.Network(encoder.inputs, layers, loss="cross_entropy", rng=0)
    net.encoder = encoder
    with TemporaryDirectory() as folder:
        net.save(Path(folder, "model.npz"))
        return Path(folder, "model.npz").read_bytes()


ROWS = np.arange(60.0).reshape(20, 3) % 7
LABELS = np.arange(20) % 2


def _trainer() -> cg.Trainer:
    layers = [cg.Dense(4, "relu"), cg.BatchNorm(), cg.Dropout(0.1), cg.Dense(2, "softmax")]
    net = cg.Network(3, layers, loss="cross_entropy", rng=0)
    return cg.Trainer(net, cg.Adam(cg.Warmup(3, 0.01)), 8, rng=0)


@cache
def _checkpoint() -> bytes:
    """Return the file of a training with validation data, callbacks and weights of classes."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "run.npz")
        callbacks = [cg.EarlyStopping(9), cg.Checkpoint(path, keep_best="val_loss")]
        _trainer().fit(
            ROWS, LABELS, 2, validation=0.2, class_weight="balanced", callbacks=callbacks
        )
        return path.read_bytes()


VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 3, 2**31, 2**62, 10**30, 1e308, 0.5, "", "relu", "softmax", "x" * 300, [],
    {}, [1, [2]], [None], {"name": "relu"},
)  # fmt: skip


def _other_value(value: Any, rng: np.random.Generator) -> Any:
    """Return a JSON value with one part of it replaced, removed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = list(value)[rng.integers(len(value))]
        if rng.random() < 0.1:
            return {name: part for name, part in value.items() if name != key}
        return {**value, key: _other_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = int(rng.integers(len(value)))
        if rng.random() < 0.2:
            return value[:place] + value[place + 1 :] + value[:place] * int(rng.integers(2))
        return [*value[:place], _other_value(value[place], rng), *value[place + 1 :]]
    return VALUES[rng.integers(len(VALUES))]


def damaged_archive(data: bytes, rng: np.random.Generator) -> bytes:
    """Return an .npz archive with one member changed, removed or renamed, and right checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = list(members)[rng.integers(len(members))]
    if "header.npy" in members and rng.random() < 0.6:
        name = "header.npy"
        header = json.loads(bytes(np.load(io.BytesIO(members[name]))))
        for _ in range(int(rng.integers(1, 3))):
            header = _other_value(header, rng)
        file = io.BytesIO()
        np.save(file, np.frombuffer(json.dumps(header).encode(), np.uint8))
        members[name] = file.getvalue()
    elif rng.random() < 0.15:
        content = members.pop(name)
        if rng.random() < 0.5:
            members[str(rng.choice([*members, "weights_9.npy", "../x.npy", "x"]))] = content
    else:
        members[name] = damaged(members[name], rng)
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return file.getvalue()


# Reading


def _read_model(path: Path) -> None:
    net = cg.load(path)
    net.forward(np.ones((2, net.inputs)))


def _resume(path: Path) -> None:
    own = _trainer()
    before = own.net.parameters.tobytes()
    try:
        own.resume(path, ROWS, LABELS)
    except ValueError as error:
        # Others can come from a callback in the middle of the training, such as another monitor.
        if "damaged" in str(error):
            assert own.net.parameters.tobytes() == before, "an error has changed the network"
        raise


def _read_table(path: Path) -> cg.tables.Table:
    table = cg.tables.read(path)
    rows = {len(table[name]) for name in table.names}
    assert rows <= {len(table)}, f"a table of {len(table)} rows has columns of {rows}"
    return table


def _read_array(path: Path) -> None:
    table = _read_table(path)
    array = plain_files.array(path.read_bytes())
    if array is not None:
        same = np.column_stack([table[name] for name in table.names])
        assert np.array_equal(same, array, equal_nan=True), "the table has other numbers"


def _read_svmlight(path: Path) -> None:
    data = path.read_bytes()
    if data.startswith(tuple(MAGIC)):
        cg.tables.read_svmlight(path)
        return
    plain = plain_files.svmlight(data)
    try:
        table = cg.tables.read_svmlight(path)
    except ValueError:
        assert plain is None, "it is refused, but can be read"
        raise
    assert plain is not None, "it is read, but cannot be"
    targets, groups, rows = plain
    assert table.y.tolist() == targets, "it has other targets"
    assert (None if table.groups is None else table.groups.tolist()) == groups, "other groups"
    found = [
        list(zip(table.X.indices[a:b].tolist(), table.X.data[a:b].tolist(), strict=True))
        for a, b in itertools.pairwise(table.X.indptr.tolist())
    ]
    assert found == rows, "it has other numbers"


#: For each name the ending of the file, its bytes, and what reads it.
READERS: dict[str, tuple[str, Callable[[], bytes], Callable[[Path], Any]]] = {
    "model": ("npz", _model, _read_model),
    "checkpoint": ("npz", _checkpoint, _resume),
    **{name: (name, make, _read_table) for name, (make, _) in FORMATS.items()},
    "npy": ("npy", _npy, _read_array),
    "idx": ("idx", _idx, _read_array),
    "svm": ("svm", _svmlight, _read_svmlight),
}


def read_damaged(
    name: str, count: int, seed: int = 0, record: Record | None = None
) -> Counter[str]:
    """Read `count` damaged files; return how often each outcome came.

    The outcomes are those EXPECTED and, for what must not be, one that names the seed.
    """
    ending, make, read = READERS[name]
    whole, outcomes = make(), Counter[str]()
    is_archive = zipfile.is_zipfile(io.BytesIO(whole))
    record = Record() if record is None else record
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, f"file.{ending}")
        path.write_bytes(whole)
        read(path)  # imports what it needs, and the whole file is no error
        record.begin()
        for number in range(seed, seed + count):
            rng = np.random.default_rng(number)
            inside = is_archive and rng.random() < 0.5
            data = damaged_archive(whole, rng) if inside else damaged(whole, rng)
            path.write_bytes(data)
            outcome = outcome_of(read, path, len(data), record)
            outcomes[outcome if outcome in EXPECTED else f"seed {number}: {outcome}"] += 1
    return outcomes


class Record:
    """The longest time that reading a file took, and the memory that all of them took at most.

    Attributes
    ----------
    seconds : float
        Processor time.
    """

    seconds = 0.0

    def begin(self) -> None:
        """Count the memory from here on."""
        self._before = _most_memory()

    def memory(self) -> int:
        """Return by how many bytes the memory has been larger than in the beginning."""
        return _most_memory() - self._before


def _most_memory() -> int:
    # ru_maxrss would begin with what the parent had.
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def outcome_of(read: Callable[[Path], Any], path: Path, size: int, record: Record) -> str:
    """Read a file of this size within the limits: one of EXPECTED, or what must not be.

    Code that runs for LAST_SECONDS without Python ends the process, with a traceback.
    """
    if signal.getsignal(signal.SIGVTALRM) is not _too_long:
        signal.signal(signal.SIGVTALRM, _too_long)
        faulthandler.register(signal.SIGPROF, chain=True)
    begin = time.process_time()
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    signal.setitimer(signal.ITIMER_PROF, LAST_SECONDS)
    try:
        _with_memory(4 * size + ALLOWANCE, read, path)
        return "read"
    except ValueError:
        return "ValueError"
    except Exception as error:
        if isinstance(error, ImportError) and f"{path} needs " in str(error):
            return "ImportError"
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        record.seconds = max(record.seconds, time.process_time() - begin)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"took {SECONDS} s")


def _with_memory(limit: int, call: Callable[[Path], Any], path: Path) -> None:
    """Call with a limit for the address space that the process takes beyond what it has."""
    import resource

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken + limit, hard))
    try:
        call(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def summary(outcomes: Counter[str], record: Record) -> str:
    """Return the numbers of outcomes, the longest time and the most memory as a line."""
    expected = {kind: outcomes[kind] for kind in EXPECTED}
    others = outcomes.total() - sum(expected.values())
    most = f"at most {record.seconds:.3f} s and {record.memory() / 1e6:.1f} MB"
    return f"{json.dumps(expected)} {most}, {others} others"


def main() -> int:
    parser = argparse.ArgumentParser(description="Read damaged files, and say what went wrong.")
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"of {', '.join(READERS)}")
    parser.add_argument("-n", "--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    failed = False
    for name in arguments.formats or READERS:
        if name not in READERS:
            parser.error(f"FORMAT is {name}, expected one of {', '.join(READERS)}")
        record = Record()
        outcomes = read_damaged(name, arguments.count, arguments.seed, record)
        print(name, summary(outcomes, record), flush=True)
        others = [outcome for outcome in outcomes if outcome not in EXPECTED]
        for outcome in others[:20]:
            print("   ", outcome)
        failed = failed or bool(others)
    return int(failed)


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    sys.exit(main())
