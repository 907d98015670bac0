#!/usr/bin/env python3
"""Loads with real NumPy what npzmap wrote, and compares it with what NumPy makes itself.

    written.py --folder target/tmp/written

The folder is filled by `cargo test --all-features written::`. Each archive is loaded by np.load with its default
arguments and by zipfile's testzip(); each array is compared by dtype, shape and bytes, and its .npy part with what
np.lib.format.write_array writes, byte for byte; each stored array begins on a multiple of 64. The last line is
"N checks, 0 different"; each difference is printed, and makes the exit code 1.
"""

import argparse
import io
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

DATA = Path(__file__).resolve().parents[1] / "data"
LONG = 10**7  # headers longer than np.load's limit
warnings.simplefilter("ignore")

checks = different = 0
skipped = set()  # needs ml_dtypes


def check(what, ours, numpys):
    global checks, different
    checks += 1
    if ours != numpys:
        different += 1
        print(f"{what}: {ours!r:.300}, by NumPy {numpys!r:.300}")


# --- Arrays that a key describes ---

def sample(dtype, shape):
    """The elements that tests/it/write/written.rs makes."""
    count = int(np.prod(shape))
    size = dtype.itemsize
    if dtype.kind == "U":
        units = np.array([(i * size * 37 + j * 37 + 11) % 251 for i in range(count) for j in range(0, size, 4)], "u4")
        return (units + ord("A")).view(dtype).reshape(shape) if count else np.zeros(shape, dtype)
    pattern = (np.arange(count * size) * 37 + 11) % 251
    if dtype.kind == "b":
        pattern %= 2
    if dtype.kind == "S":
        pattern = pattern % 26 + ord("A")
    return np.frombuffer(pattern.astype("u1").tobytes(), dtype, count).reshape(shape)


def described(key):
    """The array that a key like 'f4 3x4 C' or '<U3 4x6 [::-1, ::3]' describes."""
    name, shape, how = key.split(" ", 2)
    if name == "bfloat16":
        if ml_dtypes is None:
            return None
        dtype = np.dtype(ml_dtypes.bfloat16)
    else:
        dtype = np.dtype(name)
    how = how.rsplit(" ", 1)[0] if name == "u4" and how.startswith("C ") else how  # many.npz numbers its keys
    a = sample(dtype, tuple(int(n) for n in shape.split("x") if n))
    if how in "CF":
        return a.copy(order=how)
    return eval("a" + how, {"a": a})


# --- Comparison ---

def npy(array):
    content = io.BytesIO()
    np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
    return content.getvalue()


def compare(where, archive, loaded, key, expected):
    member = key if key in archive.namelist() else key + ".npy"
    content = archive.read(member)
    if isinstance(expected, bytes):
        return check(where, loaded[key], expected)
    array = loaded[key]
    check(f"{where}: shape", array.shape, expected.shape)
    check(f"{where}: .npy part", content, npy(expected))
    if expected.dtype.kind != "V" or expected.dtype.names:
        check(f"{where}: dtype", array.dtype, expected.dtype)
        check(f"{where}: elements", array.tobytes(), expected.tobytes())


def payloads(path, archive):
    """Where the content of each stored array begins in the file, from the local headers."""
    with open(path, "rb") as file:
        for info in archive.infolist():
            if info.compress_type == zipfile.ZIP_STORED:
                file.seek(info.header_offset + 26)
                name, extra = struct.unpack("<HH", file.read(4))
                content = info.header_offset + 30 + name + extra
                file.seek(content)
                start = file.read(12)
                if start[:6] == b"\x93NUMPY":
                    length = struct.unpack("<H", start[8:10])[0] + 10 if start[6] == 1 else struct.unpack("<I", start[8:12])[0] + 12
                    content += length
                yield info.filename, content


SPECIAL = {
    "arr_0": np.array([1.5, 2.5]),
    "strings": np.array([["ä", "日本"], ["", "\U0001f600"]]),
    "no strings": np.array([], "<U1"),
    "byte strings": np.array([b"ab", b"\0c", b""]),
    "notes.txt": b"no array",
    "records": np.array([(1, [0.5, 1.5, 1.0]), (2, [0.5, 1.5, 2.0])],
                        np.dtype([("id", "u4"), ("position", "f8", (3,))], align=True)),
    "rows": (np.arange(1000)[:, None] * 10 + np.arange(7)).astype("f4"),
    "deflated rows": (np.arange(1000)[:, None] * 10 + np.arange(7)).astype("f4"),
    "arr_1": np.array(True),
    "größe": np.array(7, "u1"),
    "": np.array(8, "u1"),
}


def special(where, archive, loaded, names):
    check(f"{where}: keys", [key for key in loaded.files if not key.startswith("datetimes")], names)
    for key in names:
        if key == "records":
            # The bytes between fields are whatever NumPy has there.
            check(f"{where}: {key}", str(loaded[key]), str(SPECIAL[key]))
            check(f"{where}: {key}: dtype", loaded[key].dtype, SPECIAL[key].dtype)
        else:
            compare(f"{where}: {key}", archive, loaded, key, SPECIAL[key])
    with np.load(DATA / "datetimes-stored.npz") as dates:
        for key in loaded.files:
            if key.startswith("datetimes"):
                date = dates[key.split(" ", 1)[1]]
                # Written in this machine's order. Not astype, which leaves the order of dates without a unit.
                if not date.dtype.isnative:
                    date = date.byteswap().view(date.dtype.newbyteorder())
                compare(f"{where}: {key}", archive, loaded, key, date)


def copied(where, archive, loaded, original):
    with zipfile.ZipFile(DATA / original) as old:
        names = old.namelist()
        if original == "keys.npz":
            # But for names that are there twice, or are cut at NUL.
            names = [name for name in names if name in archive.namelist()]
            check(f"{where}: most names", len(names) >= len(old.namelist()) - 4, True)
        check(f"{where}: names", archive.namelist(), names)
        for info in archive.infolist():
            check(f"{where}: {info.filename}", archive.read(info.filename), old.read(info.filename))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    folder = parser.parse_args().folder
    archives = sorted(folder.glob("*.npz"))
    check("archives", len(archives) >= 26, True)
    for path in archives:
        prefix, _, original = path.name.partition(" ")
        with zipfile.ZipFile(path) as archive:
            check(f"{path.name}: testzip()", archive.testzip(), None)
            for name, offset in payloads(path, archive):
                alignment = 4096 if "4096" in path.name else 64
                check(f"{path.name}: {name}: offset {offset} % {alignment}", offset % alignment, 0)
            with np.load(path) as loaded:
                if original:
                    copied(path.name, archive, loaded, original)
                    continue
                if path.name.startswith("special"):
                    names = ["rows", "deflated rows"] if "unknown" in path.name else list(SPECIAL)
                    special(path.name, archive, loaded, names)
                    continue
                check(f"{path.name}: not empty", len(loaded.files) > 1, True)
                if path.name == "huge.npz":
                    check("huge.npz", [info.file_size > 2**32 for info in archive.infolist()], [True, False])
                    compare("huge.npz", archive, loaded, "f4 3x4 C", described("f4 3x4 C"))
                    continue
                for key in loaded.files if path.name != "many.npz" else loaded.files[::1000] + loaded.files[-1:]:
                    expected = described(key)
                    if expected is None:
                        skipped.add(key.split(" ")[0])
                    else:
                        compare(f"{path.name}: {key}", archive, loaded, key, expected)
                if path.name == "many.npz":
                    check("many.npz", len(loaded.files), 70_000)
    for path in sorted(folder.glob("*.npy")):
        expected = described(path.stem)
        check(path.name, path.read_bytes(), npy(expected))
        check(f"{path.name}: mapped", np.load(path, mmap_mode="r").tobytes(), expected.tobytes())
    if skipped:
        print(f"without ml_dtypes: {', '.join(skipped)} not compared")
    print(f"{checks} checks, {different} different")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
