"""A disk that is full at any place of a file: the old file is whole, and the error says so.

The limit of the size of files (RLIMIT_FSIZE) stands for the disk. A process of its own has it.
"""

import subprocess
import sys
from pathlib import Path

import pytest

import cygrad as cg

resource = pytest.importorskip("resource", reason="limits are those of POSIX")

PROGRAM = """
import errno, os, resource, signal, sys, warnings
import numpy as np
import cygrad as cg

path, kind, stride = sys.argv[1], sys.argv[2], int(sys.argv[3])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)       # then a write fails with EFBIG
X = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
y = X[:, 0]


def make():
    net = cg.Network(2, [cg.Dense(3, "relu"), cg.BatchNorm(), cg.Dense(1)], loss="mse", rng=0)
    return cg.Trainer(net, cg.Adam(), 4, rng=0)


def network():
    make().net.save(path)


def stopping():
    make().fit(X, y, 2, callbacks=[cg.Checkpoint(path, on_error="raise")])


def going_on():
    trainer = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = trainer.fit(X, y, 2, callbacks=[cg.Checkpoint(path)])
    assert len(history) == 2 and trainer.steps == 4
    assert all(each.category is RuntimeWarning for each in caught)
    texts = [str(each.message) for each in caught]
    assert texts == [] or all(path in text and "File too large" in text for text in texts), texts
    if texts:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)


write = {"network": network, "stopping": stopping, "going on": going_on}[kind]
write()
with open(path, "rb") as file:
    old = file.read()
failed = 0
for limit in [*range(0, len(old), stride), len(old) - 1]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write()
    except OSError as error:
        assert (error.errno, error.filename) == (errno.EFBIG, path), error
        failed += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with open(path, "rb") as file:
        now = file.read()
    assert now == old or kind != "network"
    if kind != "network":       # an earlier checkpoint of a training can be a byte shorter
        history = make().resume(path, X, y, callbacks=[])
        assert len(history) == 2
    if now != old:
        with open(path, "wb") as file:
            file.write(old)
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
print(failed, len(old))
"""
KINDS = ["network", "stopping", "going on"]


@pytest.mark.parametrize(
    ("kind", "stride"),
    [("network", 5), ("stopping", 149), ("going on", 149)]
    + [pytest.param(kind, 1, marks=pytest.mark.sweep) for kind in KINDS],
)
def test_no_file_is_lost_on_a_full_disk(kind, stride, tmp_path):
    path = tmp_path / "file.npz"
    environment = {"PYTHONPATH": str(Path(cg.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), kind, str(stride)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    failed, size = map(int, done.stdout.split())
    assert failed >= size // (stride + 1)
