#!/usr/bin/env python3
"""Compares what `npz show` prints with what NumPy prints.

    show.py --npz target/release/npz

Writes arrays of every dtype with the NumPy that is installed, takes those of tests/data along, and runs the command for
each of them and for slices of them. Equal is what is equal byte for byte to `print(np.load(file)[key][slice])` with
NumPy's default options, and with `--json` what has the same values. Each difference is printed, and makes the exit code
1. The last line is "N equal, 0 different".

The print is that of NumPy 2.3 and later. Earlier ones are not asked for what they print otherwise: numbers of 16 bits
from 1e3 on and of 32 bits from 1e6 on, 0.0001 of 32 bits, records that are no elements of an array, and bytes in an
array without axes.
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
UNITS = ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"]
INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
FLOATS = ["f2", "f4", "f8"]

# Overflow on the way to a smaller float is meant; the names of records are there once.
warnings.simplefilter("ignore")


# --- Arrays ---

def edges_of_floats():
    """Lists of numbers that are on a border: of exponents, of eight digits, of the type."""
    yield [0.0, -0.0]
    yield [1.0, 2.0, 3.0]
    yield [0.1, 0.2, 0.3, 1 / 3]
    yield [np.nan, np.inf, -np.inf, 1.5]
    yield [np.nan]
    yield [np.inf, 1.0]
    yield [-np.inf, 1.0]
    yield [-np.inf]
    yield [np.nan, -1e-7, 5]
    yield [np.nan, 1e10, -np.inf]
    yield [np.inf, 0.00001]
    yield [np.nan, 0.0]
    yield [0.25, np.nan, -np.inf]
    for border in (1e3, 1e4, 1e6, 1e8, 1e9, 1e15, 1e16):
        yield [border]
        yield [np.nextafter(border, 0)]
        yield [np.nextafter(border, np.inf), 1e3]
        yield [-border, border / 2]
        yield [border - 1, border + 1]
    for border in (1e-4, 1e-5, 1e-8, 5e-9, 1e-9):
        yield [border]
        yield [np.nextafter(border, 0), border * 1.5]
        yield [np.nextafter(border, 1)]
        yield [-border, 1.0]
    for ratio in (999.0, 1000.0, 1000.25, 1000.5, 1001.0, np.nextafter(1000, 2000)):
        yield [1.0, ratio]
        yield [0.3, 0.3 * ratio]
        yield [0.001, 0.001 * ratio, 0.0]
    # Ties at eight digits behind the point, exact in binary or not.
    yield [0.001953125, 0.005859375]  # 2^-9
    yield [1.001953125, 3.005859375, 0.5]
    yield [1.000000005, 1.000000015, 1.000000025]
    yield [0.123456785, 0.123456795, 0.99999999499, 0.999999995]
    yield [0.999999999]
    yield [9.99999999, 99.99999999, 999.999999995]
    yield [12345678.5, 12345677.5]
    yield [1 + 2.0**-k for k in range(1, 30)]
    yield [2.0**-k for k in range(0, 9)]
    yield [3 * 2.0**-k for k in range(0, 12)]
    yield [2.0**k for k in range(-13, 13)]
    yield [9.999999995e10, 9.9999999949e10, 1.0]
    yield [1.000000005e10, 1.000000015e10]
    yield [1.5e300, -1.5e-300]
    yield [5e-324]
    yield [5e-324, 1.234567]
    yield [2.2250738585072014e-308, 2.225073858507201e-308]
    yield [1.7976931348623157e308, -1.0]
    yield [6e-8, 1.2345]
    yield [6.1e-5, 6e-5]
    yield [65504.0, 1.0]
    yield [1e-45, 1.1754944e-38]
    yield [3.4028235e38, 1.0]
    yield [16777216.0, 16777215.0]
    yield [9007199254740992.0, 9007199254740993.0]
    yield [1e22, 1e23, 1e21]
    yield [5.684341886080802e-14]  # powers of two, below which numbers are denser
    yield [2.0**k for k in (-44, -1022, 100, 1023)]
    yield [7.0] * 5
    yield [-7.25] * 3
    yield [1e-300, 1e300, 0, np.nan, np.inf]


def random_floats(dtype, rng):
    """Bits at random; digits at random."""
    kind = np.dtype(dtype)
    bits = np.dtype(f"u{kind.itemsize}")
    for count in (1, 2, 3, 7, 40):
        yield rng.integers(0, 2**(8 * kind.itemsize) - 1, count, dtype=bits, endpoint=True).view(kind)
    for scale in (-5, -4, -3, -2, 0, 1, 2, 3, 5, 7, 8):
        yield (rng.normal(size=9) * 10.0**scale).astype(kind)
        yield np.round(rng.normal(size=11) * 10.0**scale, 3).astype(kind)
        yield (rng.integers(-999, 999, 10) * 10.0**scale).astype(kind)
    for _ in range(6):
        yield (10.0**rng.uniform(-1.5, 1.5, 12)).astype(kind)


def strings():
    yield np.array(["a", "bc", ""])
    yield np.array([["it's", 'say "x"'], ["both ' and \"", "back\\slash"]])
    yield np.array(["tab\tnew\nline\r", "\x00x", "\x7f\x80\xa0\xad", "\x1b[31m"])
    yield np.array(["größe", "日本語", "\U0001f600", "e\u0301", "\u0301", "\u200b\u2028\ufeff", "\uffff\ue000"])
    yield np.array(["x" * 80, "y" * 30, "z"])
    yield np.array([f"word {i}" for i in range(60)])
    yield np.array("alone")
    yield np.array("it's\nalone")
    yield np.array(["\ud800", "a\udfff"])
    yield np.array([f"{i:04}" for i in range(1200)])
    yield np.array(["", ""], "U0")
    yield np.array([b"a", b"bc", b""])
    yield np.array([b"it's", b'say "x"', b"'\"", b"\\"])
    yield np.array([bytes(range(i, i + 16)) for i in range(0, 256, 16)])
    yield np.array(b"alone")
    yield np.array(b"")
    yield np.array([f"{i}".encode() for i in range(1100)]).reshape(11, 100)
    yield np.frombuffer(bytes(range(48)), "V3")
    yield np.frombuffer(bytes(range(64)), "V16").reshape(2, 2)
    yield np.array(b"abc").astype("V5")
    yield np.zeros(3, "V1")
    yield np.zeros((2, 2), "S3")


def times(rng):
    counts = [0, 1, -1, 59, 60, 3600, 86399, 86400, -86401, 951782400, 1709164800, 2**31, -2**40]
    for kind in "Mm":
        for unit in UNITS:
            yield np.array(counts).view(f"{kind}8[{unit}]")
            yield np.array(counts[:2] + ["NaT"], f"{kind}8[{unit}]")
            extreme = [2**63 - 1, -2**63 + 1, -2**63]
            yield np.array(extreme).view(f"{kind}8[{unit}]")
            yield np.array(rng.integers(-2**50, 2**50, (3, 2))).view(f"{kind}8[{unit}]")
            yield np.array(rng.integers(-2**20, 2**20, 5)).view(f"{kind}8[25{unit}]")
        yield np.array(7).view(f"{kind}8[s]")
        yield np.array("NaT", f"{kind}8[D]")
        yield np.array(["NaT", "NaT"], f"{kind}8[ms]")
        yield np.arange(2000).view(f"{kind}8[D]")
        yield np.array([5, 70]).astype(f">{kind}8[h]")
    yield np.array([5, -70, 2**62], "m8")
    yield np.array(["NaT"], "M8")
    yield np.arange("0000-02-25", "0000-03-05", dtype="M8[D]")
    yield np.arange("-0402-02-25", "-0402-03-05", dtype="M8[D]")
    yield np.array([-1970, -1971, -2970, 8030, -12000]).view("M8[Y]")


def records(rng):
    kind = [("id", "u4"), ("x", "f8"), ("ok", "?"), ("tag", "S3"), ("name", "U4"), ("when", "M8[s]"),
            ("took", "m8[ms]"), ("z", "c8"), ("raw", "V2"), ("h", "f2")]
    for order in "<>":
        for align in (False, True):
            a = np.zeros(7, np.dtype(kind, align=align).newbyteorder(order))
            a["id"], a["x"], a["ok"] = range(95, 102), rng.normal(size=7), [1, 0, 1, 1, 0, 0, 1]
            a["tag"], a["name"], a["when"] = b"a'", "ü\n", np.arange(7) * 10**8
            a["took"], a["z"], a["h"] = [1, -2, 3, 400, 5, 6, 7], rng.normal(size=7) + 1j, 10.0**np.arange(-3, 4)
            a["raw"] = np.frombuffer(bytes(range(14)), "V2")
            a["when"][3] = "NaT"
            yield a
    a = np.zeros((2, 3), [("p", "f4", (2, 2)), ("q", [("r", "i2"), ("s", "f2", 3)]), ("t", "?", 2),
                         ("u", "U2", (2, 1))])
    a["p"], a["q"]["r"] = rng.normal(size=(2, 3, 2, 2)), np.arange(6).reshape(2, 3)
    a["q"]["s"], a["t"][1] = 10.0**rng.uniform(-2, 2, (2, 3, 3)), True
    yield a
    yield np.asfortranarray(a)
    yield np.array(a[1, 2])
    yield np.zeros(3, [("one", "i4")])
    yield np.array((0.1,), [("one", "f4")])
    a = np.zeros(2, [("big", "i4", (1001,)), ("grid", "f4", (7, 200)), ("empty", "f8", (0,)), ("none", "i2", (2, 0))])
    a["big"], a["grid"][1, 3] = np.arange(1001), np.nan
    yield a
    a = np.zeros(3, [("in", [("t", "m8[s]"), ("M", "M8[D]"), ("b", "?")], (2,)), ("n", [("m", [("k", "i8")])])])
    a["n"]["m"]["k"], a["in"]["t"][1] = [5, -66, 777], [-2, 3]
    yield a
    a = np.zeros(1500, [("i", "i8"), ("x", "f8")])
    a["i"], a["x"] = np.arange(1500) ** 3, np.sqrt(np.arange(1500))
    yield a
    a = np.zeros(4, [("a.b", "i4"), ("a", [("b", "f4"), ("c.d", "i1")])])
    a["a.b"], a["a"]["b"] = range(4), 0.5
    yield a
    a = np.zeros(4, np.dtype({"names": ["x", "y"], "formats": ["f4", "u1"], "offsets": [4, 9], "itemsize": 16}))
    a["x"], a["y"] = [1e-5, np.nan, 3, np.inf], range(250, 254)
    yield a


def shapes(rng):
    """Brackets, line breaks, and what is left out."""
    for shape in ((), (0,), (1,), (3,), (0, 3), (3, 0), (2, 0, 2), (1, 1), (2, 3), (2, 2, 2), (1, 2, 1, 2),
                  (2, 1, 2, 1, 2), (3, 40), (40, 3), (2, 3, 30), (1000,), (1001,), (10, 100), (11, 100), (1001, 1),
                  (1, 1001), (6, 200), (7, 143), (7, 7, 21), (2, 2, 300), (7, 1, 7, 1, 30), (1,) * 9, (2,) * 11,
                  (7, 7, 7, 7), (2000, 3), (3, 2000), (2, 2, 2, 2, 2, 2, 40)):
        size = int(np.prod(shape))
        for dtype in ("i8", "f8", "?", "f4"):
            numbers = np.arange(size) % 3 if dtype == "?" else np.arange(size) * 7 % 1013 - 300
            yield numbers.astype(dtype).reshape(shape)
        yield np.asfortranarray(rng.normal(size=shape))
        if size < 400:
            yield (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype("c8")
            yield np.arange(size).astype("U5").reshape(shape)
    for width in range(1, 20):
        yield np.full(70 + width, 10**(width - 1))
        yield np.array(["x" * (4 * width)] * 12)
        yield np.array([["x" * (4 * width)] * 4] * 2)


def arrays(rng):
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        for order in "<>":
            kind = np.dtype(dtype).newbyteorder(order)
            yield np.array([0, 1, info.max, info.min, info.max // 2], kind)
            yield np.array(info.min, kind)
            yield rng.integers(info.min, info.max, (4, 5), np.dtype(dtype), endpoint=True).astype(kind)
    yield np.array([True, False, True])
    yield np.array(True)
    yield np.array([[False]])
    for dtype in FLOATS:
        for order in "<>":
            for values in edges_of_floats():
                yield np.array(values).astype(np.dtype(dtype).newbyteorder(order))
        for values in random_floats(dtype, rng):
            yield values
    lists = [values for values in edges_of_floats()]
    for dtype in ("c8", "c16", ">c8", ">c16"):
        for re, im in zip(lists, lists[5:] + lists[:5]):
            count = max(len(re), len(im))
            a = np.zeros(count, np.dtype(dtype))
            a.real, a.imag = np.resize(re, count), np.resize(im, count)
            yield a
    if np.finfo("longdouble").nmant == 63:  # x86's
        for values in edges_of_floats():
            yield np.array(values, "longdouble") / 3
            yield np.array(values, "longdouble")
        yield np.array([1e-4, 2.5], "clongdouble") / 3
        yield np.array([1, 3], "longdouble") * np.finfo("longdouble").max / 4
        yield np.array([1, 3], "longdouble") * np.finfo("longdouble").smallest_subnormal
    yield from strings()
    yield from times(rng)
    yield from records(rng)
    yield from shapes(rng)


# --- Slices ---

def slices(a, chance):
    """The whole, and some parts."""
    yield ""
    if a.ndim == 0:
        if chance.random() < 0.3:
            yield "..."
        return
    if a.size:
        yield ", ".join(str(chance.randrange(-length, length)) for length in a.shape)
    several = 4 if a.ndim > 1 or a.size > 300 else 1
    for _ in range(several):
        yield random_slice(a, chance)


def random_slice(a, chance):
    def bound(length):
        return chance.choice(["", "", str(chance.randint(-length - 2, length + 2))])

    items = []
    count = chance.randint(0, a.ndim)
    ellipsis = chance.randint(0, count) if chance.random() < 0.3 or count == 0 else None
    shape = a.shape if ellipsis is None else a.shape[:ellipsis] + a.shape[a.ndim - count + ellipsis:]
    for length in shape[:count]:
        what = chance.random()
        if what < 0.3 and length:
            items.append(str(chance.randrange(-length, length)))
        elif what < 0.4:
            items.append(":")
        else:
            step = chance.choice(["", ":", ":1", ":2", ":-1", ":-3", ":100"])
            items.append(f"{bound(length)}:{bound(length)}{step}")
    if ellipsis is not None:
        items.insert(ellipsis, "...")
    if chance.random() < 0.1:
        items.insert(chance.randint(0, len(items)), "None")
    return chance.choice([", ", ","]).join(items)


def fields(a, chance):
    """Some paths to fields, and what they lead to."""
    if a.dtype.names is None:
        return
    for name in a.dtype.names:
        yield name, a[name]
        inner = a[name].dtype.names
        if inner:
            name_inside = chance.choice(inner)
            # The longest name is meant.
            if f"{name}.{name_inside}" not in a.dtype.names:
                yield f"{name}.{name_inside}", a[name][name_inside]


# --- The comparison ---

def printed(a):
    out = io.StringIO()
    print(a, file=out)
    return out.getvalue().encode("utf-8", "backslashreplace")


def as_json(a):
    """What `--json` has for them."""
    if isinstance(a, np.ndarray) and a.ndim:
        return [as_json(part) for part in a]
    kind = a.dtype.kind
    if a.dtype.names:
        return {name: as_json(a[name]) for name in a.dtype.names}
    if kind == "f":
        return number(a)
    if kind == "c":
        return [number(a.real), number(a.imag)]
    if kind in "mM" and np.isnat(a):
        return "NaT"
    if kind == "m":
        return int(a.astype("i8"))
    if kind == "M":
        return str(a)
    if kind == "S":
        return repr(a.item())[2:-1]
    if kind == "V":
        return "".join(f"\\x{byte:02X}" for byte in a.tobytes())
    return a.item()


def number(x):
    if np.isnan(x):
        return "NaN"
    if np.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    return float(str(x))


def is_printed_anew(a):
    """Whether NumPy before 2.3 prints it otherwise."""
    if np.lib.NumpyVersion(np.__version__) >= "2.3.0":
        return False
    if a.ndim == 0 and (a.dtype.names or a.dtype.kind == "S"):
        return True
    return has_short_floats_on_borders(a)


def has_short_floats_on_borders(a):
    if a.dtype.names:
        return any(has_short_floats_on_borders(a[name]) for name in a.dtype.names)
    kind = a.dtype.str[1:]
    if kind not in ("f2", "f4", "c8"):
        return False
    sizes = abs(np.array([a.real, a.imag]))
    large = sizes >= (1e3 if kind == "f2" else 1e6)
    return bool(np.any(np.isfinite(sizes) & large) or kind != "f2" and np.any(sizes == np.float32(0.0001)))


def readable(npz, keys):
    """The arrays that NumPy reads and prints, which it refuses for dates without a unit."""
    for key in keys:
        try:
            a = npz[key]
            printed(a)
        except (ValueError, OSError, EOFError, NotImplementedError):
            continue
        # NumPy compares those as if they were of this machine's byte order, and finds a wrong width for them.
        if isinstance(a, np.ndarray) and a.dtype.str not in (">M8", ">m8"):
            yield key, a


class Exit(int):
    """What the command exits with when it has nothing to print."""


def jobs(folder, seed):
    """Commands, and what they should print: text, or values."""
    chance = random.Random(seed)
    several = list(arrays(np.random.default_rng(seed)))
    stored, compressed = folder / "stored.npz", folder / "compressed.npz"
    named = {f"a{i}": a for i, a in enumerate(several)}
    np.savez(stored, **named)
    np.savez_compressed(compressed, **named)
    with np.load(stored) as npz:
        loaded = {key: npz[key] for key in npz.files}
    for number, (key, a) in enumerate(loaded.items()):
        file = compressed if number % 7 == 0 else stored
        for part in slices(a, chance):
            taken = eval(f"a[{part}]", {"a": a}) if part else a
            arguments = [file, key] + ([part] if part else [])
            if number % 11 == 3:
                np.save(folder / f"{key}.npy", a)
                arguments = [folder / f"{key}.npy"] + ([part] if part else [])
            if not is_printed_anew(taken):
                yield arguments, printed(taken)
            if number % 5 == 1 and a.dtype.kind != "U" and a.dtype.itemsize < 1000 and a.dtype.char not in "gG":
                yield ["--json", *arguments], as_json(taken)
        for path, values in fields(a, chance):
            part = random_slice(values, chance)
            for slice_of, taken in ([], values), ([part], eval(f"a[{part}]", {"a": values})):
                if not is_printed_anew(taken):
                    yield [file, key, *slice_of, "--field", path], printed(taken)
    for file in sorted((ROOT / "tests" / "data").glob("*.npz")):
        with np.load(file) as npz:
            keys = [key for key in npz.files if npz.files.count(key) == 1]
            for key, a in readable(npz, keys):
                for part in slices(a, chance):
                    taken = eval(f"a[{part}]", {"a": a}) if part else a
                    if not is_printed_anew(taken):
                        yield [file, key] + ([part] if part else []), printed(taken)
    # What is refused.
    a = loaded["a0"]
    wrong = ("5", "-6", "0, 0", "x", "1:2:0", "1.5", "..., ...", "1:2:3:4", "", "0 1", "[0", "99999999999999999999")
    for part in wrong:
        yield [stored, "a0", part], Exit(2)
    yield [stored, "a0", "99999999999999999999:"], printed(a[99999999999999999999:])
    yield [stored, "a0", "[::-1]"], printed(a[::-1])
    yield [stored, "a0", "0:3,"], printed(a[0:3])
    yield [stored, "a0", "--field", "x"], Exit(2)
    yield [stored, "nothing"], Exit(5)
    yield [stored], Exit(2)
    yield [folder / "nothing.npz", "a0"], Exit(3)
    np.savez(folder / "objects.npz", o=np.array([None, 1], object))
    yield [folder / "objects.npz", "o"], Exit(4)
    yield [folder / "objects.npz"], Exit(4)


def main():
    parser = argparse.ArgumentParser(description="Compares `npz show` with NumPy's print.")
    parser.add_argument("--npz", required=True, type=Path, metavar="COMMAND", help="the npz to check")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="for other numbers and slices (7)")
    args = parser.parse_args()
    npz = args.npz.resolve()

    def run(job):
        arguments, expected = job
        found = subprocess.run([npz, "show", *arguments], capture_output=True)
        if isinstance(expected, Exit):
            return found.returncode == expected and not found.stdout and bool(found.stderr), found
        if found.returncode:
            return False, found
        if isinstance(expected, bytes):
            return found.stdout == expected, found
        return json.loads(found.stdout)["values"] == expected, found

    equal = different = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        # Each once.
        listed = list({tuple(map(str, job[0])): job for job in jobs(Path(folder), args.seed)}.values())
        for (arguments, expected), (same, found) in zip(listed, pool.map(run, listed)):
            if same:
                equal += 1
                continue
            different += 1
            print("different:", *map(repr, map(str, arguments)))
            print("  expected:", str(expected)[:2000])
            print("  found:   ", found.returncode, str(found.stdout)[:2000], str(found.stderr)[:500])
    print(f"NumPy {np.__version__}, Python {sys.version.split()[0]}")
    print(f"{equal} equal, {different} different")
    sys.exit(different > 0 or equal == 0)


if __name__ == "__main__":
    main()
