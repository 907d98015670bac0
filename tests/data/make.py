#!/usr/bin/env python3
"""Writes the archives of this folder and expected.json, what NumPy reads from them.

    make.py           write into this folder
    make.py DIR       write into DIR
    make.py --check   write into a temporary folder and compare; exit 1 if anything differs

Needs NumPy; ml_dtypes for ml-dtypes.npz and weights.npz, an x87 long double for longdouble.npz (each is skipped,
with a note, where missing). The output depends on nothing else but zlib, bzip2 and liblzma: where
another build of those packs differently, --check compares the unpacked members.

expected.json:

    {"numpy": version, "python": version,
     "archives": {file: [member, ...]},          members in directory order
     "npy": {file: array},                       the .npy files
     "lookups": {file: {query: name, ...}}}      which member np.load(file)[query] reads

    member:
      name, key     as in the directory; without one ".npy" suffix
      kind          "array", "object" (pickled, not to be read) or "bytes" (content is not .npy)
      method        "stored", "deflated", "bzip2", "lzma", "zstd"
      flags         general purpose bits of the central directory
      size, crc32   of the unpacked member
      data_offset   stored members only: file offset of the first array byte (bytes: of the content)
      version, descr, shape, fortran_order
                    array and object: from the .npy header. descr is the string itself, or the repr
                    of the field list; null if longer than 20,000 characters
      itemsize      array only
      values        array: the elements in C order, see below; bytes: the content in hex
      fields        records only, null for more than 64 of them: a list of the leaf fields,
                    {path: [name, ...], title (if there is one), offset, descr, shape, values}.
                    Offset of the first element within the record; shape: sub-array dimensions,
                    outer first; values: over (records in C order) x shape
      raw           records with padding that is not zero: like values, padding as in the file

    values by type:
      b             true, false
      i, u          integers, exact
      f2 f4 f8      numbers; "nan", "inf", "-inf". Shortest text for the value as a double
      c8 c16        [re, im], parts as above
      f16 c32       hex of the bytes
      S             strings, bytes as latin-1, trailing NULs cut
      U             strings, trailing NULs cut
      M, m          the stored 64-bit integer (NaT is -2**63)
      <V1 <V2 >V1 >V2   ml_dtypes: the bit pattern as an unsigned integer
      |V            hex of the bytes
      records       hex of the bytes, padding zeroed
"""

import argparse
import ast
import io
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib

import numpy as np

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

HERE = os.path.dirname(os.path.abspath(__file__))
METHODS = {0: "stored", 8: "deflated", 12: "bzip2", 14: "lzma", 93: "zstd"}
ORDERS = {"le": "<", "be": ">"}
NAT = -(2**63)

# Format 3.0 for field names outside of latin-1; `(2L, 3L)` in a header.
warnings.filterwarnings("ignore", message="Stored array in format")
warnings.filterwarnings("ignore", message="Reading `.npy` or `.npz` file required additional header parsing")


# --- Sample values: 12 of each type, so that they fill (3, 4) and (2, 3, 2). ---

def int_pool(dt):
    lo, hi = int(np.iinfo(dt).min), int(np.iinfo(dt).max)
    if lo == 0:
        return np.array([0, 1, 2, hi, hi - 1, hi // 2, hi // 2 + 1, 42, 7, 100, 3, 85], dt)
    return np.array([0, 1, -1, 2, lo, hi, lo + 1, hi - 1, 42, -42, 7, 100], dt)


def float_pool(dt):
    info = np.finfo(dt)
    one = dt.type(1)
    return np.array([0.0, -0.0, 1.5, -2.25, info.max, -info.max, info.tiny,
                     info.smallest_subnormal, np.inf, -np.inf, np.nan, one / dt.type(3)], dt)


def complex_pool(dt):
    part = float_pool(np.dtype(f"f{dt.itemsize // 2}"))
    out = np.empty(12, dt)
    out.real, out.imag = part, np.roll(part, 5)
    return out


def bytes_pool():
    return np.array([b"ab", b"", b"a\0b", b"\0lead", b"\xff\xe9xyz", b"12345", b"tab\t", b'"\\',
                     b"\xc3\xb6", b"z", b"     ", b"\n"], "S5")


def str_pool():
    return np.array(["größe", "", "a\0b", "\0lead", "\U0001d11e clef", "nine char", "日本語", "e\u0301",
                     "\U0010ffff", "\ufeffbom", 'tab\t"\\', "plain"], "U9")


def void_pool(size):
    return np.arange(100, 100 + 12 * size, dtype="u1").view(f"V{size}")


def kinds():
    """(label, 12 values); a label with a byte order for the types that have one."""
    yield "bool", np.array([True, False, True, True, False, False, True, False, False, True, True, False])
    for code in ("i1", "u1"):
        yield code, int_pool(np.dtype(code))
    yield "S5", bytes_pool()
    yield "V3", void_pool(3)
    for name, order in ORDERS.items():
        for code in ("i2", "i4", "i8", "u2", "u4", "u8"):
            yield f"{code}-{name}", int_pool(np.dtype(code)).astype(order + code)
        for code in ("f2", "f4", "f8"):
            yield f"{code}-{name}", float_pool(np.dtype(code)).astype(order + code)
        for code in ("c8", "c16"):
            yield f"{code}-{name}", complex_pool(np.dtype(code)).astype(order + code)
        yield f"U9-{name}", str_pool().astype(order + "U9")


def in_orders(arrays):
    """Each as (3, 4) and (2, 3, 2), in C and in Fortran order: -c, -f, -c3, -f3."""
    out = {}
    for label, flat in arrays:
        for dims, shape in (("", (3, 4)), ("3", (2, 3, 2))):
            c = flat.reshape(shape)
            out[f"{label}-c{dims}"] = c
            out[f"{label}-f{dims}"] = fortran(c)
    return out


def fortran(a):
    """A Fortran-ordered copy, bytes as they are: np.asfortranarray may drop padding."""
    raw = np.ascontiguousarray(a).view(f"V{a.dtype.itemsize}").reshape(a.shape)
    return np.frombuffer(raw.tobytes("F"), a.dtype).reshape(a.shape[::-1]).T


def datetimes():
    out = {}
    ints = np.array([0, 1, -1, 1234567890, NAT, NAT + 1, 2**63 - 1], "i8")
    units = "Y M W D h m s ms us ns ps fs as 25s 10us 7D generic".split()
    for kind in "Mm":
        for name, order in ORDERS.items():
            for unit in units:
                dt = np.dtype(f"{order}{kind}8" + ("" if unit == "generic" else f"[{unit}]"))
                out[f"{kind}8-{unit}-{name}"] = ints.astype(order + "i8").view(dt)
            two = ints[:6].reshape(2, 3).astype(order + "i8").view(f"{order}{kind}8[s]")
            out[f"{kind}8-s-{name}-c"], out[f"{kind}8-s-{name}-f"] = two, fortran(two)
    return out


# --- Records ---

def record_types():
    yield "packed", np.dtype([("id", "u4"), ("score", "f8"), ("ok", "?"), ("tag", "S5"), ("name", "U4")])
    yield "aligned", np.dtype([("flag", "i1"), ("x", "f8"), ("n", "i2")], align=True)
    yield "nested", np.dtype([("pos", [("x", "f4"), ("y", "f4")]), ("when", "M8[s]"),
                              ("inner", [("k", "i2"), ("deep", [("z", "c8")])])])
    yield "nested-aligned", np.dtype([("a", "i1"), ("in", np.dtype([("b", "i1"), ("c", "i4")], align=True)),
                                      ("d", "i1"), ("e", "i8")], align=True)
    yield "titles", np.dtype([(("Temperature, °C", "temp"), "f4"), (("Count", "n"), "i4")])
    yield "subarrays", np.dtype([("m", "f4", (2, 3)), ("v", "u1", (3,)), ("one", "i2", (1,)), ("s", "S3", (2,)),
                                 ("grid", [("a", "i2"), ("b", "?", (2,))], (2, 2))])
    yield "mixed", np.dtype([("v", "V3"), ("d", "m8[25s]"), ("h", "f2"), ("g", "M8"), ("c", "c16")])
    yield "one-field", np.dtype([("only", "i2")])
    # A gap before the first field, between two, and after the last.
    yield "offsets", np.dtype({"names": ["a", "b"], "formats": ["i4", "f4"], "offsets": [4, 12], "itemsize": 20})
    yield "names-latin1", np.dtype([("größe", "f4"), ("naïve", "i2")])
    # Outside of latin-1: format 3.0.
    yield "names-unicode", np.dtype([("β", "f4"), ("日本", "i2"), ("\U0001d11e", "u1")])
    # Names that repr() quotes with ', with ", with \' and with escapes: \\ \t \n \x01 \xad \u200b \U000e0001.
    # The escapes are ASCII, so the last two stay at format 1.0.
    yield "names-quoted", np.dtype([("it's", "i1"), ('say "hi"', "i1"), ("it's \"both\"", "i1"),
                                    ("back\\slash", "i1"), ("tab\tnl\nctl\x01", "i1"), ("a b", "i1"), ("{(,)}: #", "i1")])
    yield "names-escaped", np.dtype([("soft\xadhyphen", "i1"), ("nel\x85", "i1"), ("zw\u200bsp", "i1"), ("\U000e0001", "i1")])


def leaves(dt, path=(), offset=0, shape=(), title=None):
    """(path, title, offset, type, shape) of each field that is not itself a record."""
    if dt.subdtype:
        base, dims = dt.subdtype
        yield from leaves(base, path, offset, shape + dims, title)
    elif dt.names is not None:
        for name in dt.names:
            field, at, *rest = dt.fields[name]
            yield from leaves(field, path + (name,), offset + at, shape, *rest)
    else:
        yield path, title, offset, dt, shape


def pick(records, path):
    """The leaf as an array: shape of the records, then the sub-array dimensions."""
    for name in path:
        records = records[name]
    return records


def leaf_pool(dt):
    kind = dt.kind
    if kind == "b":
        return np.array([True, False, True])
    if kind in "iu":
        return int_pool(dt.newbyteorder("="))[3:9]
    if kind == "f":
        return float_pool(dt.newbyteorder("="))
    if kind == "c":
        return complex_pool(dt.newbyteorder("="))
    if kind == "S":
        return bytes_pool()
    if kind == "U":
        return str_pool()
    if kind in "Mm":
        return np.array([0, 1, -1, NAT, 1234567890], "i8").view(dt.newbyteorder("="))
    return void_pool(dt.itemsize)


def fill(dt, shape, padding=0):
    count = int(np.prod(shape))
    out = np.full(count * dt.itemsize, padding, "u1").view(dt)
    for path, _, _, base, _ in leaves(dt):
        pick(out, path)[...] = np.resize(leaf_pool(base).astype(base), pick(out, path).shape)
    return out.reshape(shape)


def records():
    out = {}
    for label, dt in record_types():
        for name, order in ORDERS.items():
            out[f"{label}-{name}-c"] = fill(dt.newbyteorder(order), (2, 3))
        out[f"{label}-le-f"] = fortran(fill(dt.newbyteorder("<"), (2, 3)))
    aligned = dict(record_types())["aligned"].newbyteorder("<")
    out["padding-not-zero-le-c"] = fill(aligned, (2, 3), padding=0xAA)
    out["padding-not-zero-le-f"] = fortran(out["padding-not-zero-le-c"])
    return out


def wide():
    """Headers past np.load's limit of 10,000 characters, and past 65,535 bytes: format 2.0."""
    out = {}
    for label, count in (("over-10000", 700), ("over-65535", 4000)):
        dt = np.dtype([(f"f{i:04}", "i1") for i in range(count)])
        out[label] = (np.arange(count * 2) % 251).astype("u1").view(dt)
    return out


# --- Shapes ---

def shapes():
    f8 = float_pool(np.dtype("f8")).astype("<f8")
    i4 = np.arange(24, dtype="<i4")
    record = fill(np.dtype([("a", "<i2"), ("b", "<f4")]), (1,))
    out = {
        "0d-bool": np.array(True), "0d-i8": np.array(-(2**63), "<i8"), "0d-u1": np.array(255, "u1"),
        "0d-f4-be": np.array(1.5, ">f4"), "0d-c16": np.array(1 - 2j, "<c16"), "0d-S5": np.array(b"abc", "S5"),
        "0d-U3": np.array("\U0001d11e!", "<U3"), "0d-U0": np.array(""), "0d-V3": void_pool(3)[:1].reshape(()),
        "0d-M8": np.array(NAT, "<i8").view("<M8[ns]"), "0d-record": record.reshape(()),
        "len0-f4": np.zeros(0, "<f4"), "len0-U9": np.zeros(0, "<U9"), "len0-record": record[:0],
        "3-0-2-f8": np.zeros((3, 0, 2), "<f8"), "0-0-i1": np.zeros((0, 0), "i1"),
        "0-3-f8-f": np.zeros((0, 3), "<f8", order="F"),
        "1-f8": f8[2:3], "1-1-1-i4": i4[7:8].reshape(1, 1, 1),
        "1-n": f8.reshape(1, 12), "n-1": f8.reshape(12, 1),
        "1-n-from-f": np.asfortranarray(f8.reshape(1, 12)), "n-1-from-f": np.asfortranarray(f8.reshape(12, 1)),
        "2-1-3-f": fortran(i4[:6].reshape(2, 1, 3)), "1-2-3-f": fortran(i4[:6].reshape(1, 2, 3)),
        # Sources that are not contiguous are written in C order.
        "step": i4[::5], "step-2d": i4.reshape(4, 6)[::2, ::3], "reversed": i4[:6][::-1],
        "reversed-2d": i4[:12].reshape(3, 4)[::-1, ::-1], "broadcast": np.broadcast_to(i4[:3], (2, 3)),
        "transposed-3d": i4.reshape(2, 3, 4).transpose(1, 0, 2), "column": i4.reshape(6, 4)[:, 1],
        "5d": i4.reshape(2, 1, 3, 2, 2), "5d-f": fortran(i4.reshape(2, 1, 3, 2, 2)),
        "32d": i4[:4].reshape((1,) * 15 + (2,) + (1,) * 15 + (2,)),
        # Items without bytes.
        "no-fields": np.zeros(3, []), "V0": np.zeros((2, 2), "V0"), "V0-len0": np.zeros(0, "V0"),
    }
    # NumPy 1 ends at 32 dimensions, 2.0 fails in tobytes().
    shape = (2,) + (1,) * 31 + (3,) + (1,) * 30 + (2,)
    try:
        for order in "CF":
            a = np.arange(12, dtype="<i4").reshape(shape, order=order)
            a.tobytes()
            out[f"64d-{order.lower()}"] = a
    except (ValueError, RuntimeError) as e:
        print(f"shapes.npz: no arrays of 64 dimensions: {e}", file=sys.stderr)
    return out


# --- Extended types ---

def x87_long_double():
    info = np.finfo(np.longdouble)
    return sys.byteorder == "little" and np.dtype("longdouble").itemsize == 16 and info.nmant == 63


def long_doubles():
    info = np.finfo(np.longdouble)
    flat = np.array([0, -0.0, 1.5, info.max, info.tiny, info.smallest_subnormal, np.inf, -np.inf, np.nan,
                     np.longdouble(1) / 3, np.longdouble(2) ** 64 - 1, -1], np.longdouble)
    raw = flat.view("u1").reshape(12, 16)
    raw[:, 10:] = 0  # bytes 10 to 15 of an item are padding
    pairs = np.concatenate([raw, np.roll(raw, 5, axis=0)], axis=1)
    out = {}
    for name, order in ORDERS.items():
        step = 1 if order == "<" else -1
        f16 = np.ascontiguousarray(raw[:, ::step]).view(f"{order}f16")[:, 0]
        c32 = np.ascontiguousarray(pairs.reshape(12, 2, 16)[:, :, ::step]).reshape(12, 32).view(f"{order}c32")[:, 0]
        out |= in_orders([(f"f16-{name}", f16), (f"c32-{name}", c32)])
    return {k: a for k, a in out.items() if not k.endswith("3")}


def ml():
    values = np.array([0, -0.0, 1.5, -2.25, np.nan, 448, -448, 0.015625, 0.001953125, 3.140625, 100, -7], "f4")
    wide_values = np.where(values == 448, np.float32(3e38), values)
    out = {}
    for name, order in ORDERS.items():
        bf = wide_values.astype(ml_dtypes.bfloat16)
        bits = bf.view("u2").astype(order + "u2")
        out |= in_orders([(f"bfloat16-{name}", bits.view(bf.dtype.newbyteorder(order)))])
    out |= in_orders([("float8_e4m3fn", values.astype(ml_dtypes.float8_e4m3fn))])
    return out


def objects():
    record = np.zeros(2, [("id", "<i4"), ("payload", "O")])
    record["id"], record["payload"] = [1, 2], ["one", None]
    items = np.empty(3, object)
    items[:] = ["text", 7, [1.5, None]]
    return {"objects": items, "plain": np.array([1.5, -2.5]), "record": record, "none": np.array(None)}


# --- Writing ---

class Sink:
    """A pipe: no seek, no tell. NumPy looks for `read` to tell a file from a path."""

    def __init__(self):
        self.data = bytearray()

    def read(self, *_):
        raise io.UnsupportedOperation

    def write(self, data):
        self.data += data
        return len(data)

    def flush(self):
        pass


def npy(a, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, a, version=version)
    return out.getvalue()


def by_hand(header, payload, align=16):
    """Version 1.0 with that header text."""
    header += b" " * (-(len(header) + 11) % align) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + payload


def write_zip(path, members):
    """(name, content[, method]) by zipfile, each with the attributes that np.savez gives."""
    with zipfile.ZipFile(path, "w") as out:
        for name, content, *method in members:
            info = zipfile.ZipInfo(name)  # 1980-01-01
            info.create_system = 3
            info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o600 << 16
            out.writestr(info, content, *method)


def write_aligned(path, arrays, align=64):
    """Stored members; each local header carries zeros in a private extra field, 0xA11E, so that the
    first array byte is at a multiple of `align`. Readers skip the field unread."""
    body, directory = b"", b""
    for key, a in arrays.items():
        name, content = f"{key}.npy".encode(), npy(a)
        preamble = len(content) - a.nbytes
        offset = len(body)
        pad = -(offset + 30 + len(name) + preamble) % align
        if 0 < pad < 4:  # the field's own header has 4
            pad += align
        extra = struct.pack("<HH", 0xA11E, pad - 4) + bytes(pad - 4) if pad else b""
        # version needed, flags, method, time, date 1980-01-01, CRC, sizes, name length
        common = struct.pack("<5H3IH", 20, 0, 0, 0, 0x0021, zlib.crc32(content), len(content), len(content), len(name))
        body += b"PK\3\4" + common + struct.pack("<H", len(extra)) + name + extra
        assert (len(body) + preamble) % align == 0
        body += content
        # made by Unix; extra, comment, disk, internal and external attributes, offset
        directory += b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + common
        directory += struct.pack("<4H2I", 0, 0, 0, 0, 0o600 << 16, offset) + name
    end = b"PK\5\6" + struct.pack("<4H2IH", 0, 0, len(arrays), len(arrays), len(directory), len(body), 0)
    with open(path, "wb") as out:
        out.write(body + directory + end)
    with np.load(path) as loaded:
        assert loaded.files == list(arrays)
        for key, a in arrays.items():
            assert loaded[key].dtype == a.dtype and np.array_equal(loaded[key], a)


def run_recipe(out):
    script = os.path.join(HERE, "recipe.py")
    text = subprocess.run([sys.executable, script], cwd=out, check=True, capture_output=True, text=True).stdout
    with open(script, encoding="utf-8") as source:
        comments = re.findall(r"  # (.*)", source.read())
    assert text.splitlines() == comments, "recipe.py: output and comments differ"
    with open(os.path.join(out, "recipe.txt"), "w", encoding="utf-8", newline="\n") as f:
        f.write(text)



def weights():
    """A checkpoint in small: weights under one prefix, the optimizer's under another."""
    return {
        "encoder/weight": (np.arange(12, dtype="<f4") / 4).reshape(3, 4),
        "encoder/scale": np.array([1.5, -2, 0.5], "f4").astype(ml_dtypes.bfloat16),
        "encoder/bias": np.array([0, 1, -1], "<f4"),
        "optim/step": np.array(1000, "<i8"),
    }


def make(out):
    path = lambda name: os.path.join(out, name)

    def save(name, arrays, writer=np.savez):
        writer(path(name), **arrays)
        same(path(name), arrays)

    run_recipe(out)
    with np.load(path("model-batch.npz")) as loaded:
        batch = dict(loaded)
    save("model-batch-stored.npz", batch)
    write_aligned(path("model-batch-aligned.npz"), batch)

    for method, writer in (("stored", np.savez), ("deflated", np.savez_compressed)):
        save(f"kinds-{method}.npz", in_orders(kinds()), writer)
        save(f"datetimes-{method}.npz", datetimes(), writer)
        save(f"records-{method}.npz", records(), writer)
    save("wide-records.npz", wide(), np.savez_compressed)
    save("shapes.npz", shapes())
    if x87_long_double():
        save("longdouble.npz", long_doubles())
    else:
        print("longdouble.npz: skipped, no x87 long double", file=sys.stderr)
    if ml_dtypes:
        save("ml-dtypes.npz", ml())
        save("weights.npz", weights())
    else:
        print("ml-dtypes.npz, weights.npz: skipped, no ml_dtypes", file=sys.stderr)
    np.savez(path("object.npz"), **objects())
    np.savez(path("empty.npz"))
    np.savez(path("positional.npz"), np.arange(3, dtype="<i4"), np.arange(2, dtype="<f8"), named=np.arange(4, dtype="u1"))

    some = {k: a for k, a in in_orders(kinds()).items()
            if k in ("bool-c", "i8-le-c", "f4-le-f", "f8-be-c3", "S5-c", "U9-le-f")}
    some |= {k: a for k, a in records().items() if k in ("packed-le-c", "aligned-le-f", "names-latin1-le-c")}
    some["0d"] = np.array(7, "<i2")
    versions = [(f"v{v}-{k}.npy", npy(a, (v, 0))) for v in (1, 2, 3) for k, a in some.items()]
    versions.append(("v3-names-unicode.npy", npy(fill(dict(record_types())["names-unicode"].newbyteorder("<"), (3,)), (3, 0))))
    write_zip(path("versions.npz"), versions)
    # Every kind in the versions that NumPy chooses for none of these.
    every = in_orders(kinds())
    every |= {k: a for k, a in datetimes().items() if k.startswith(("M8-ns-", "m8-ns-", "M8-s-", "m8-s-"))}
    every |= {k: a for k, a in records().items() if k.startswith(("packed-", "aligned-"))}
    for v in (2, 3):
        for method, number in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
            write_zip(path(f"kinds-v{v}-{method}.npz"), [(f"{k}.npy", npy(a, (v, 0)), number) for k, a in every.items()])

    write_keys(path("keys.npz"))
    write_cp437(path("cp437.npz"))

    for name, writer in (("pipe.npz", np.savez), ("pipe-compressed.npz", np.savez_compressed)):
        sink = Sink()
        writer(sink, **batch)
        with open(path(name), "wb") as f:
            f.write(sink.data)
        same(path(name), batch)

    # As NumPy wrote it on Python 2 where a dimension was a `long`: the header padded to 16 bytes.
    python2 = {
        "shape": by_hand(b"{'descr': '<i4', 'fortran_order': False, 'shape': (2L, 3L), }", np.arange(6, dtype="<i4").tobytes()),
        "one": by_hand(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2L,), }", np.array([1.5, -2.5], "<f8").tobytes()),
        "fortran": by_hand(b"{'descr': '<i4', 'fortran_order': True, 'shape': (2L, 3L), }", np.arange(6, dtype="<i4").tobytes()),
        "record": by_hand(b"{'descr': [('a', '<i2'), ('b', '<f4', (2L,))], 'fortran_order': False, 'shape': (1L,), }",
                          struct.pack("<hff", 7, 0.5, -0.5)),
    }
    write_zip(path("python2.npz"), [(f"{k}.npy", content) for k, content in python2.items()])
    with open(path("python2-header.npy"), "wb") as f:
        f.write(python2["shape"])

    sample = npy(np.arange(24, dtype="<f4").reshape(4, 6))
    write_zip(path("methods.npz"), [("stored.npy", sample, zipfile.ZIP_STORED), ("deflated.npy", sample, zipfile.ZIP_DEFLATED),
                                    ("bzip2.npy", sample, zipfile.ZIP_BZIP2), ("lzma.npy", sample, zipfile.ZIP_LZMA)])
    if hasattr(zipfile, "ZIP_ZSTANDARD"):
        write_zip(path("methods-zstd.npz"), [("zstd.npy", sample, zipfile.ZIP_ZSTANDARD)])

    f4 = float_pool(np.dtype("f4")).reshape(3, 4)
    np.save(path("plain.npy"), f4.astype("<f4"))
    np.save(path("plain-f.npy"), fortran(f4.astype("<f4")))
    np.save(path("plain-be.npy"), f4.astype(">f8"))

    write_expected(out)


def write_keys(path):
    number = iter(range(100))
    array = lambda: npy(np.array([next(number)], "<i4"))
    write_zip(path, [
        (".npy", array()),                      # key ''
        ("x.npy.npy", array()),                 # key 'x.npy'
        ("a", b"raw a"),                        # keys 'a' and 'a': the exact name wins
        ("a.npy", array()),
        ("b.npy", array()),                     # 'b.npy' is this one's name and the next one's key
        ("b.npy.npy", array()),
        ("größe/β.npy", array()),               # flag 11
        ("arr_0.npy", array()),
        ("arr_1.npy", array()),
        ("layers.0.w.npy", array()),
        ("dir/", b""),
        ("dir/inside.npy", array()),
        ("notes.txt", b"plain text\n"),
        ("A.NPY", array()),                     # an array, and the key keeps the suffix
        ("array-without-suffix", array()),
        ("not-npy.npy", b"not an array"),       # raw, key 'not-npy'
        ("../up.npy", array()),
        ("/abs.npy", array()),
        ("back\\slash.npy", array()),
        (" space .npy", array()),
        ("empty", b""),
        ("half-magic.npy", b"\x93NUMP"),        # shorter than the magic: raw
    ])


def write_cp437(path):
    """Names that are not ASCII, without flag 11: what zip tools wrote before UTF-8 names."""
    names = [(b"caf@.npy", b"caf\x82.npy"),                 # é in cp437
             (b"gr@#.npy", b"gr\xc3\xb6.npy"),              # ö in UTF-8, read as cp437
             (b"@-raw", b"\xe1-raw")]
    contents = [npy(np.array([1, 2], "<i2")), npy(np.array([3], "<i2")), b"raw"]
    out = io.BytesIO()
    write_zip(out, [(placeholder.decode(), content) for (placeholder, _), content in zip(names, contents)])
    data = out.getvalue()
    for placeholder, name in names:
        assert len(placeholder) == len(name) and data.count(placeholder) == 2
        data = data.replace(placeholder, name)
    with open(path, "wb") as f:
        f.write(data)


# --- Reading back ---

def content_of(a):
    """The bytes in C order: of the leaf fields if it has fields, as padding is not loaded."""
    if a.dtype.names is None:
        return [a.tobytes()]
    return [pick(a, path).tobytes() for path, *_ in leaves(a.dtype)]


def same(path, arrays):
    with np.load(path, max_header_size=10**6) as loaded:
        assert loaded.files == list(arrays)
        for key, a in arrays.items():
            got = loaded[key]
            # ml_dtypes come back as void.
            assert got.dtype == a.dtype or a.dtype.kind == "V" and got.dtype.kind == "V", key
            assert got.shape == a.shape and content_of(got) == content_of(a), key


def parse_npy(raw):
    """((major, minor), header dict, payload)"""
    major, minor = raw[6], raw[7]
    start = 10 if major == 1 else 12
    end = start + int.from_bytes(raw[8:start], "little")
    text = raw[start:end].decode("utf-8" if major == 3 else "latin-1")
    try:
        header = ast.literal_eval(text)
    except SyntaxError:
        header = ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text))
    return (major, minor), header, raw[end:]


def number(x):
    return x if np.isfinite(x) else repr(x)


def values(a, descr=""):
    flat = a.ravel()
    kind, size = a.dtype.kind, a.dtype.itemsize
    if kind == "V" or kind == "f" and size > 8 or kind == "c" and size > 16:
        raw = flat.tobytes()
        items = [raw[i * size:(i + 1) * size] for i in range(flat.size)]
        if descr[:2] in ("<V", ">V"):
            return [int.from_bytes(x, "little" if descr[0] == "<" else "big") for x in items]
        return [x.hex() for x in items]
    if kind in "biuU":
        return flat.tolist()
    if kind == "f":
        return [number(float(x)) for x in flat]
    if kind == "c":
        return [[number(float(x.real)), number(float(x.imag))] for x in flat]
    if kind == "S":
        return [x.decode("latin-1") for x in flat.tolist()]
    if kind in "Mm":
        return flat.view(a.dtype.str[0] + "i8").tolist()
    raise TypeError(a.dtype)


def used_bytes(dt):
    """Per byte of an item: whether a field covers it."""
    if dt.subdtype:
        base, dims = dt.subdtype
        return np.tile(used_bytes(base), int(np.prod(dims)))
    if dt.names is None:
        return np.ones(dt.itemsize, bool)
    out = np.zeros(dt.itemsize, bool)
    for name in dt.names:
        field, at = dt.fields[name][:2]
        out[at:at + field.itemsize] |= used_bytes(field)
    return out


def describe(raw):
    """The part of an entry that comes from the .npy header and the data."""
    version, header, payload = parse_npy(raw)
    descr, shape, order = header["descr"], header["shape"], "F" if header["fortran_order"] else "C"
    dt = np.lib.format.descr_to_dtype(descr)
    text = descr if isinstance(descr, str) else repr(descr)
    out = {"kind": "array", "version": version, "descr": text if len(text) <= 20000 else None,
           "shape": shape, "fortran_order": header["fortran_order"]}
    if dt.hasobject:
        return out | {"kind": "object"}

    count = int(np.prod(shape, dtype=object))
    assert len(payload) == count * dt.itemsize
    out["itemsize"] = dt.itemsize
    a = (np.frombuffer(payload, dt) if payload else np.zeros(count, dt)).reshape(shape, order=order)
    loaded = np.load(io.BytesIO(raw), max_header_size=10**6)
    assert loaded.dtype == dt and loaded.shape == shape and content_of(loaded) == content_of(a)
    if dt.names is None:
        out["values"] = values(a, text)
        return out

    # Bytes rather than records: ravel() of records need not keep the padding.
    index = np.arange(count).reshape(shape, order=order).ravel()
    rows = np.frombuffer(payload, "u1").reshape(count, dt.itemsize)[index]
    clean = np.where(used_bytes(dt), rows, 0).astype("u1")
    out["values"] = [row.tobytes().hex() for row in clean]
    fields = list(leaves(dt))
    out["fields"] = None if len(fields) > 64 else [
        {"path": path} | ({"title": title} if title else {}) |
        {"offset": at, "descr": base.str, "shape": dims, "values": values(pick(a, path))}
        for path, title, at, base, dims in fields]
    if not np.array_equal(clean, rows):
        out["raw"] = [row.tobytes().hex() for row in rows]
    return out


def describe_archive(path):
    out = []
    with open(path, "rb") as f:
        data = f.read()
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            content = archive.read(info)
            entry = {"name": info.filename, "key": info.filename.removesuffix(".npy"), "kind": "bytes",
                     "method": METHODS[info.compress_type], "flags": info.flag_bits,
                     "size": info.file_size, "crc32": info.CRC}
            is_npy = content.startswith(b"\x93NUMPY")
            if info.compress_type == 0:
                names = struct.unpack_from("<2H", data, info.header_offset + 26)
                preamble = len(content) - len(parse_npy(content)[2]) if is_npy else 0
                entry["data_offset"] = info.header_offset + 30 + sum(names) + preamble
            entry |= describe(content) if is_npy else {"values": content.hex()}
            out.append(entry)
    return out


def describe_lookups(path):
    """query -> name of the member that is read: exact names win over keys; checked against np.load."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        content = {name: archive.read(name) for name in names}
    table = {name.removesuffix(".npy"): name for name in names} | {name: name for name in names}
    with np.load(path) as loaded:
        assert loaded.files == [name.removesuffix(".npy") for name in names]
        for query, name in table.items():
            assert query in loaded
            got, raw = loaded[query], content[name]
            if isinstance(got, bytes):
                assert got == raw
            else:
                assert np.array_equal(got, np.load(io.BytesIO(raw)))
    return table


def write_expected(out):
    names = sorted(os.listdir(out))
    path = lambda name: os.path.join(out, name)
    dump = lambda x: json.dumps(x, ensure_ascii=False, allow_nan=False)
    text = f'{{"numpy": {dump(np.__version__)}, "python": {dump(platform.python_version())},\n"archives": {{\n'
    archives = [name for name in names if name.endswith(".npz")]
    text += ",\n".join(f"{dump(name)}: [\n" + ",\n".join(map(dump, describe_archive(path(name)))) + "\n]"
                       for name in archives)
    text += '\n},\n"npy": {\n'
    text += ",\n".join(f"{dump(name)}: {dump(describe(read(path(name))))}" for name in names if name.endswith(".npy"))
    text += '\n},\n"lookups": {\n'
    text += ",\n".join(f"{dump(name)}: {dump(describe_lookups(path(name)))}" for name in ("cp437.npz", "keys.npz"))
    text += "\n}}\n"
    json.loads(text)
    with open(path("expected.json"), "w", encoding="utf-8", newline="\n") as f:
        f.write(text)


# --- Comparing ---

def read(path):
    with open(path, "rb") as f:
        return f.read()


def packed_differently(a, b):
    """The same members, from other builds of the compressors."""
    def members(path):
        with zipfile.ZipFile(path) as archive:
            return [(i.filename, i.compress_type, i.flag_bits, i.date_time, archive.read(i)) for i in archive.infolist()]
    try:
        mine = members(a)
        return mine == members(b) and any(method for _, method, *_ in mine)
    except (zipfile.BadZipFile, zlib.error):
        return False


def check(new, old):
    """Problems as text."""
    made, kept = ({n for n in os.listdir(d) if n.endswith((".npz", ".npy", ".txt"))} for d in (new, old))
    for name in sorted(kept - made):
        print(f"{name}: not made here, not compared", file=sys.stderr)
    for name in sorted(made & kept):
        a, b = os.path.join(new, name), os.path.join(old, name)
        if read(a) == read(b):
            continue
        if name.endswith(".npz") and packed_differently(a, b):
            print(f"{name}: packed differently, same members", file=sys.stderr)
        else:
            yield f"{name}: differs"
    mine, theirs = (json.loads(read(os.path.join(d, "expected.json"))) for d in (new, old))
    for part in ("archives", "npy", "lookups"):
        for name in sorted(mine[part].keys() & theirs[part].keys()):
            if mine[part][name] != theirs[part][name]:
                yield f"expected.json: {name} differs"


def main():
    parser = argparse.ArgumentParser(description="Writes the test archives and expected.json.")
    parser.add_argument("dir", nargs="?", default=HERE, metavar="DIR", help="where to (default: beside this script)")
    parser.add_argument("--check", action="store_true", help="write to a temporary folder and compare with DIR")
    args = parser.parse_args()
    # An empty folder, as expected.json lists what is there.
    with tempfile.TemporaryDirectory() as new:
        make(new)
        if args.check:
            problems = list(check(new, args.dir))
            print("\n".join(problems) or "same")
            sys.exit(bool(problems))
        os.makedirs(args.dir, exist_ok=True)
        for name in os.listdir(new):
            shutil.copyfile(os.path.join(new, name), os.path.join(args.dir, name))


if __name__ == "__main__":
    main()
