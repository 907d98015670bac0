#!/usr/bin/env python3
"""Asks real NumPy what it makes of archives that two readers may understand differently.

    ambiguous.py --folder target/tmp/ambiguous

The folder is filled by `cargo test ambiguous`, which holds npzmap and the zip crate against their columns of the table
in SECURITY.md; this holds NumPy against its own, with np.load's default arguments. "A / B" there is an answer that
depends on the version of Python: either is fine. The last line is "N checks, 0 different"; each difference is printed,
and makes the exit code 1.
"""

import argparse
import re
import sys
import zipfile
from pathlib import Path

import numpy as np

TABLE = Path(__file__).resolve().parents[2] / "SECURITY.md"
VALUES = {(1, 1, 1): "first", (2, 2, 2): "second"}


def rows():
    """The rows of the table: the column of NumPy by the name of the archive."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        cells = line.removeprefix("| ").removesuffix(" |").split(" | ")
        name = re.fullmatch(r"`([a-z0-9-]+)`", cells[0])
        if line.startswith("| `") and len(cells) == 5 and name:
            yield name[1], cells[3]


def answer(path):
    key = "é" if path.stem == "one-name-in-two-encodings" else "x"
    try:
        archive = np.load(path)
    except (ValueError, OSError, zipfile.BadZipFile, EOFError):
        return "archive refused"
    with archive:
        if key not in archive:
            return "no such key"
        try:
            array = archive[key]
        except (ValueError, OSError, zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError):
            return "refused"
        except Exception as error:  # what zlib and struct say has no common base
            return f"refused" if type(error).__module__ in ("zlib", "struct") else f"{type(error).__name__}"
        return VALUES[tuple(array.tolist())]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    folder = parser.parse_args().folder
    checks = different = 0
    stated = dict(rows())
    for path in sorted(folder.glob("*.npz")):
        checks += 1
        found, column = answer(path), stated.pop(path.stem, "nothing")
        if found not in column.split(" / "):
            different += 1
            print(f"{path.stem}: {found}, the table says {column}")
    for name in stated:
        different += 1
        print(f"{name}: there is no archive")
    if checks < 25:
        different += 1
        print(f"{checks} archives are too few")
    print(f"{checks} checks, {different} different")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
