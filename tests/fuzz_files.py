"""Models, checkpoints and tables that atheris changes by the code of cygrad that they reach.

    python tests/fuzz_files.py model -n 100000
    python tests/fuzz_files.py model FILE…          read these

The formats are those of `tests/damage.py`, and so are the limits: each file is read to an object or
a ValueError within a second of processor time and four times its size and 64 MB. Files that are
found, and the corpus, stay in build/fuzz-….
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import warnings
import zipfile
from pathlib import Path

import atheris
import numpy as np

INSTRUMENTED = ["cygrad"]
with atheris.instrument_imports(include=INSTRUMENTED):
    import damage

MOST_BYTES = 1 << 16  # of a file


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Return changed bytes: those of the file, or of an archive's member with a right checksum."""
    rng = np.random.default_rng(seed)
    choice = rng.random()
    try:
        if choice < 0.4:
            return damage.damaged_archive(data, rng)[:most]
        if choice < 0.9:
            return with_other_member(data, rng, most)
    except Exception:  # no archive, or damaged itself
        if choice < 0.1:
            return damage.damaged(data, rng)[:most]
    return atheris.Mutate(data, most)


def with_other_member(data: bytes, rng: np.random.Generator, most: int) -> bytes:
    """Return an archive with one member changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = list(members)[rng.integers(len(members))]
    members[name] = atheris.Mutate(members[name], max(len(members[name]) + 64, 64))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return file.getvalue()[:most]


def main() -> None:
    parser = argparse.ArgumentParser(description="Read files that are changed by what they reach.")
    parser.add_argument("name", choices=[*damage.READERS], metavar="FORMAT")
    parser.add_argument("inputs", nargs="*", help="files to read again")
    parser.add_argument("-n", "--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="of the corpus and what is found")
    arguments = parser.parse_args()
    ending, make, read = damage.READERS[arguments.name]
    folder = arguments.folder or Path("build", f"fuzz-{arguments.name}")
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    path = folder / f"file.{ending}"
    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=INSTRUMENTED):  # modules are imported when needed
        whole = make()
        path.write_bytes(whole)
        read(path)
    (corpus / "whole").write_bytes(whole)
    record = damage.Record()
    record.begin()
    outcomes = damage.Counter[str]()

    def test(data: bytes) -> None:
        path.write_bytes(data)
        outcome = damage.outcome_of(read, path, len(data), record)
        if outcome not in damage.EXPECTED:
            raise RuntimeError(f"{arguments.name}: {outcome}")
        outcomes[outcome] += 1
        if not arguments.inputs and outcomes.total() == arguments.count:
            print(arguments.name, damage.summary(outcomes, record), flush=True)
            os._exit(0)  # the end that libFuzzer makes leaves out what is buffered

    options = [
        f"-runs={arguments.count + 1}",
        f"-seed={arguments.seed}",
        f"-max_len={MOST_BYTES}",
        f"-artifact_prefix={folder}/",
        "-timeout=300",
        "-report_slow_units=300",
        "-mutate_depth=1",  # of several changes on each other little can be read
        "-verbosity=0",
        str(corpus),
    ]
    atheris.Setup([sys.argv[0], *(arguments.inputs or options)], test, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    main()
