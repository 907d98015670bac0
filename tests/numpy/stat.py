#!/usr/bin/env python3
"""Compares the figures of `npz stat` with NumPy's.

    stat.py --npz target/release/npz

Writes arrays of every dtype with the NumPy that is installed, stored and compressed, in C and in Fortran order, many of
them full of NaN, infinities and huge or tiny values, and takes those of tests/data along. Counts, least and greatest,
those of integers up to 64 bits, of dates and of strings, and the counts of every bin of the histogram are the same. Mean
and deviation differ by rounding only: NumPy's are computed with long doubles, or with integers and fractions. Each array
is asked for with one thread and with three, and what is printed has to be the same byte for byte. Each difference is
printed, and makes the exit code 1. The last line is "N checks, 0 different", a check being a figure of an array.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BINS = 7
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
warnings.simplefilter("ignore")


# --- Arrays ---

def floats(rng):
    for dtype in ("f2", "f4", "f8", ">f2", ">f4", ">f8"):
        kind = np.dtype(dtype)
        info = np.finfo(kind)
        for count in (0, 1, 2, 7, 1000, 16384, 16385, 70001):
            yield rng.normal(size=count).astype(kind)
            a = rng.normal(size=count).astype(kind)
            a[rng.random(count) < 0.9] = np.nan
            yield a
            a = rng.normal(size=count).astype(kind)
            a[::3], a[1::5], a[2::7], a[4::9] = np.nan, np.inf, -np.inf, 0
            yield a
        yield np.full(20000, np.nan, kind)
        yield np.full(20000, -np.inf, kind)
        yield np.array([np.nan, np.inf, -np.inf, -0.0], kind)
        yield np.array([info.max, -info.max], kind)
        yield np.array([info.max] * 5, kind)
        yield np.array([info.max, info.max / 2, -info.max, 1, info.tiny], kind)
        yield (rng.random(40000) * 2 - 1).astype(kind) * info.max
        yield rng.random(40000).astype(kind) * info.tiny
        yield np.array([info.smallest_subnormal, 3 * info.smallest_subnormal], kind)
        yield np.array([info.tiny, info.max, 0, np.nan], kind)
        yield (1000 + rng.random(50000)).astype(kind)
        yield np.linspace(-3, 3, 30000).astype(kind)
        yield np.full(33000, 0.1, kind)
        yield np.asfortranarray(rng.normal(size=(170, 130)).astype(kind))
        yield rng.normal(size=(3, 4, 5)).astype(kind)
        yield np.array(2.5, kind)
        bits = rng.integers(0, 2**(8 * kind.itemsize) - 1, 20000, np.dtype(f"u{kind.itemsize}"), endpoint=True)
        yield bits.view(kind.newbyteorder("=")).astype(kind)
    # Large numbers whose distances are small; blocks of different sizes.
    yield 1e9 + rng.random(100000)
    yield 1e15 + rng.integers(0, 9, 100000)
    yield np.concatenate([np.full(20000, 1e300), np.full(20000, 1e-300), np.full(20000, -1.0)])
    yield np.concatenate([rng.normal(size=16384), 1e200 * rng.normal(size=16384), 1e-200 * rng.normal(size=16384)])
    yield 10.0**rng.uniform(-307, 308, 50000)
    if np.finfo("longdouble").nmant == 63:
        yield rng.normal(size=30000).astype("longdouble")
        yield np.array([np.nan, 1, np.inf, 0, -2.5], "longdouble")


def integers(rng):
    for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
        info = np.iinfo(dtype)
        for order in "<>":
            kind = np.dtype(dtype).newbyteorder(order)
            for count in (0, 1, 3, 16384, 40001):
                yield rng.integers(info.min, info.max, count, np.dtype(dtype), endpoint=True).astype(kind)
            yield np.array([info.max] * 9, kind)
            yield np.array([info.min, info.max], kind)
            yield (np.full(50000, info.max, dtype) - rng.integers(0, 100, 50000).astype(dtype)).astype(kind)
            yield np.zeros(10, kind)
            yield np.asfortranarray(rng.integers(0, 100, (80, 90)).astype(kind))
    yield rng.integers(2**62, 2**62 + 50, 50000)


def others(rng):
    for dtype in ("c8", "c16", ">c8", ">c16"):
        for count in (0, 1, 500, 40000):
            a = (rng.normal(size=count) + 1j * rng.normal(size=count)).astype(dtype)
            yield a
            a = a.copy()
            a[::3], a[1::4], a[2::5] = complex(np.nan, np.inf), complex(np.inf, 1), 0
            yield a
    for count in (0, 1, 30000):
        yield rng.random(count) < 0.3
    for unit in UNITS:
        for kind in "Mm":
            for count in (0, 2, 20000):
                a = rng.integers(-2**40 if unit in UNITS[5:] else -2000, 2**40 if unit in UNITS[5:] else 2000, count)
                a[::5] = np.iinfo("i8").min
                yield a.view(f"{kind}8[{unit}]")
    yield np.array(["b", "a", "ccc", "", "é", "\U0001f600"])
    yield np.array([f"{i % 50}" for i in range(30000)])
    yield np.array([f"{i}" for i in range(30000)])
    yield np.array([b"b", b"abc", b"", b"\xff"])
    yield np.array([], "U3")
    yield np.zeros((2, 3), "S4")
    a = np.zeros(20000, [("x", "f4"), ("n", "<i8"), ("p", ">f8", (3,)), ("in", [("t", "m8[s]"), ("s", "S3")])])
    a["x"], a["n"], a["p"] = rng.normal(size=20000), rng.integers(-9, 9, 20000), rng.normal(size=(20000, 3))
    a["in"]["t"], a["in"]["s"] = rng.integers(0, 99, 20000), b"ab"
    yield a


# --- What NumPy says ---

def close(found, expected, scale=0.0, relative=1e-12):
    """Whether a number differs by rounding only, where numbers of this size are added up."""
    if found is None or expected is None:
        return found is expected
    found, expected = Fraction(found), Fraction(expected)
    return abs(found - expected) <= Fraction(relative) * max(abs(expected), Fraction(scale) / 1000)


def exact(found, expected):
    return found == expected and type(found) is type(expected)


def histogram_of(values):
    """Its counts, where NumPy makes one of numbers so far apart."""
    values = np.asarray(values).astype("f8")
    with np.errstate(all="ignore"):
        if not values.size or not np.isfinite(values.max() - values.min()) or abs(values).max() > 1e15:
            return None
        if 0 < values.max() - values.min() < 1e-300:
            return None
    return np.histogram(values, BINS)[0].tolist()


def moments(values):
    """Mean and deviation of floats, by exact fractions of long doubles' sums where they have the range."""
    if not len(values):
        return None, None
    long = values.astype("longdouble")
    size = abs(long).max()
    unit = np.longdouble(2) ** int(np.ceil(np.log2(size))) if size > 0 else np.longdouble(1)
    long /= unit
    mean = long.mean()
    return float(mean * unit), float(np.sqrt(((long - mean) ** 2).mean()) * unit)


def of_integers(values):
    values = [int(value) for value in values]
    if not values:
        return None, None
    mean = Fraction(sum(values), len(values))
    middle = round(mean)
    distances = np.array([value - middle for value in values], object)
    square = Fraction(int((distances * distances).sum()), len(values)) - (mean - middle) ** 2
    return mean, math.sqrt(square)


def figures(a):
    """(name, expected, how it is compared)"""
    a = np.ravel(a, "K")
    kind = a.dtype.kind
    yield "count", a.size, exact
    if kind == "f":
        finite = a[np.isfinite(a)]
        f8 = finite.astype("f8")
        mean, std = moments(f8)
        size = float(abs(f8).max()) if f8.size else 0
        yield "min", float(f8.min()) if f8.size else None, same
        yield "max", float(f8.max()) if f8.size else None, same
        yield "mean", mean, lambda found, expected: close(found, expected, size)
        # What is lost of the distances is in the numbers before them.
        yield "std", std, lambda found, expected: close(found, expected, size * 1e-3)
        yield "nan", int(np.isnan(a).sum()), exact
        yield "infinite", [int((a == -np.inf).sum()), int((a == np.inf).sum())], exact
        yield "zeros", int((a == 0).sum()), exact
        yield "histogram", histogram_of(finite), bins
    elif kind == "c":
        nan = np.isnan(a)
        infinite = np.isinf(a) & ~nan
        finite = a[~nan & ~infinite].astype("c16")
        sizes = np.hypot(finite.real, finite.imag)
        yield "min", float(sizes.min()) if sizes.size else None, close
        yield "max", float(sizes.max()) if sizes.size else None, close
        means = [moments(finite.real)[0], moments(finite.imag)[0]] if finite.size else None
        yield "mean", means, lambda found, expected: found == expected or all(
            close(a, b, 1) for a, b in zip(found, expected, strict=True))
        stds = [moments(finite.real)[1], moments(finite.imag)[1]]
        yield "std", math.hypot(*stds) if finite.size else None, close
        yield "nan", int(nan.sum()), exact
        yield "infinite", int(infinite.sum()), exact
        yield "zeros", int((a == 0).sum()), exact
    elif kind in "iu":
        mean, std = of_integers(a)
        yield "min", int(a.min()) if a.size else None, exact
        yield "max", int(a.max()) if a.size else None, exact
        yield "mean", mean, close
        yield "std", std, close
        yield "zeros", int((a == 0).sum()), exact
        yield "histogram", histogram_of(a), bins
    elif kind == "b":
        yield "min", bool(a.min()) if a.size else None, exact
        yield "max", bool(a.max()) if a.size else None, exact
        yield "mean", float(a.mean()) if a.size else None, close
        yield "std", float(a.std()) if a.size else None, close
        yield "true", int(a.sum()), exact
        yield "false", int((~a).sum()), exact
    elif kind in "mM":
        there = a[~np.isnat(a)]
        counts = there.astype("i8")
        mean, std = of_integers(counts)
        value = (lambda x: str(x)) if kind == "M" else (lambda x: int(x.astype("i8")))
        yield "min", value(there.min()) if there.size else None, exact
        yield "max", value(there.max()) if there.size else None, exact
        if kind == "M":
            floor = str(np.array(math.floor(mean)).view(a.dtype.newbyteorder("="))) if there.size else None
            yield "mean", floor, exact
        else:
            yield "mean", mean, close
            yield "zeros", int((counts == 0).sum()), exact
        yield "std", std, close
        yield "nat", int(np.isnat(a).sum()), exact
    elif kind in "US":
        lengths = np.char.str_len(a)
        values = set(a.tolist())
        text = (lambda x: x) if kind == "U" else (lambda x: repr(x)[2:-1])
        yield "min", text(min(values)) if values else None, exact
        yield "max", text(max(values)) if values else None, exact
        yield "empty", int((lengths == 0).sum()), exact
        yield "shortest", int(lengths.min()) if a.size else None, exact
        yield "longest", int(lengths.max()) if a.size else None, exact
        yield "distinct", len(values) if len(values) <= 1024 else None, exact


def same(found, expected):
    return found == expected


def bins(found, expected):
    return expected is None or found == expected


def fields(key, a, path=None):
    """Each column: its field, and its elements."""
    if a.dtype.names:
        for name in a.dtype.names:
            if a.dtype[name].subdtype and a.dtype[name].base.names:
                continue  # records in sub-arrays have a row for each of them
            yield from fields(key, a[name], f"{path}.{name}" if path else name)
    elif a.dtype.kind in "mM" and np.datetime_data(a.dtype)[0] == "generic":
        return  # dates without a unit are none to NumPy, and have no order
    elif a.dtype.kind in "fciubmMUS" and a.dtype.itemsize:
        yield path, a


# --- The comparison ---

def main():
    parser = argparse.ArgumentParser(description="Compares `npz stat` with NumPy.")
    parser.add_argument("--npz", required=True, type=Path, metavar="COMMAND", help="the npz to check")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="for other numbers (7)")
    args = parser.parse_args()
    npz = args.npz.resolve()
    checks = different = arrays = 0

    def run(threads, *arguments):
        found = subprocess.run([npz, "stat", "--json", f"--bins={BINS}", *arguments], capture_output=True,
                               env={**os.environ, "RAYON_NUM_THREADS": str(threads)})
        return found.stdout

    def compare(file, loaded):
        nonlocal checks, different, arrays
        one, three = run(1, file), run(3, file)
        checks += 1
        if one != three:
            different += 1
            print("different:", file, "with one thread and with three")
        found = {(entry["key"], entry.get("field")): entry for entry in json.loads(one)["arrays"]}
        for key, a in loaded.items():
            for field, values in fields(key, a):
                arrays += 1
                entry = found.get((key, field), {})
                for name, expected, compare_with in figures(values):
                    checks += 1
                    is_there = name in entry
                    value = entry.get(name)
                    if name == "histogram" and value:
                        value = value["counts"]
                    if not is_there or not compare_with(value, expected):
                        different += 1
                        print("different:", file, key, field, values.dtype, values.shape, name)
                        print("  expected:", str(expected)[:200], " found:", str(value)[:200], entry.get("error", ""))

    with tempfile.TemporaryDirectory() as folder:
        rng = np.random.default_rng(args.seed)
        named = {f"a{i}": a for i, a in enumerate([*floats(rng), *integers(rng), *others(rng)])}
        # Large enough for its blocks to be read by several threads.
        named["large"] = rng.normal(size=3_000_000)
        named["large"][::1000] = np.nan
        named["large32"] = (rng.random(3_000_000) * 3e38).astype("f4")
        for name, save in (("stored.npz", np.savez), ("compressed.npz", np.savez_compressed)):
            save(Path(folder) / name, **named)
            compare(Path(folder) / name, named)
        np.save(Path(folder) / "plain.npy", named["a4"])
        compare(Path(folder) / "plain.npy", {"plain": named["a4"]})
        for file in sorted((ROOT / "tests" / "data").glob("*.npz")):
            # Keys that NumPy takes for others; long doubles beyond the range of f64; dates at both ends of 64 bits,
            # whose text overflows in NumPy.
            if file.name in ("keys.npz", "longdouble.npz", "datetimes-stored.npz", "datetimes-deflated.npz"):
                continue
            loaded = {}
            with np.load(file) as archive:
                for key in archive.files:
                    try:
                        a = archive[key]
                    except (ValueError, OSError, EOFError, NotImplementedError):
                        continue
                    if isinstance(a, np.ndarray) and archive.files.count(key) == 1:
                        loaded[key] = a
            compare(file, loaded)
    print(f"NumPy {np.__version__}, Python {sys.version.split()[0]}, {arrays} arrays")
    print(f"{checks} checks, {different} different")
    sys.exit(different > 0 or checks == 0)


if __name__ == "__main__":
    main()
