#!/usr/bin/env python3
"""Compares what `npz` says about archives, takes out of them and writes with what NumPy and zipfile say.

    check.py --npz target/release/npz

Writes archives with the NumPy that is installed (1.26 or newer, on Python 3.9 or newer; ml_dtypes if it is there),
and takes those of tests/data along. The last line is "N checks, 0 different"; N counts single comparisons. Each
difference is printed, and makes the exit code 1.

It also runs the Python line that npzmap's error for pickled arrays gives.
"""

import argparse
import ast
import io
import json
import re
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

ROOT = Path(__file__).resolve().parents[2]
METHODS = {0: "stored", 8: "deflated", 12: "bzip2", 14: "lzma", 93: "zstd"}
MAGIC = b"\x93NUMPY"
PAGE = 4096
LONG = 10**7  # headers longer than np.load's limit

# Format 2.0 and 3.0; headers by Python 2; types that NumPy does not know; names that are there twice.
warnings.simplefilter("ignore")


# --- Archives ---

def sample(dtype, shape):
    """Values that exist in every type."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    if dtype.kind in "SU":
        return np.arange(count).astype(dtype).reshape(shape)
    # As bool, 0 and 1 are the only bytes.
    return np.frombuffer((np.arange(count * dtype.itemsize) % 2).astype("u1").tobytes(), dtype, count).reshape(shape)


def layouts(dtype):
    """0 to 4 dimensions, with and without elements, in C and Fortran order, and neither."""
    for shape in ((), (0,), (1,), (5,), (3, 4), (1, 5), (5, 1), (0, 3), (2, 0, 3), (2, 3, 2), (1, 2, 1, 3)):
        a = sample(dtype, shape)
        yield a
        if a.ndim > 1:
            yield np.asfortranarray(a)
    yield sample(dtype, (9,))[::2]
    yield sample(dtype, (4, 6))[::-1, ::3]
    yield sample(dtype, (2, 3, 4)).transpose(1, 0, 2)


def scalar_types():
    yield from ("?", "i1", "u1", "S1", "S5", "V1", "V3", "V16")
    dates = [f"{kind}8{unit}" for kind in "Mm" for unit in ("", "[Y]", "[D]", "[25s]", "[ns]", "[as]")]
    for order in "<>":
        for code in ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "U1", "U9"] + dates:
            yield order + code
        yield np.dtype("longdouble").newbyteorder(order)
        yield np.dtype("clongdouble").newbyteorder(order)


def record_types():
    for order in "<>":
        fields = [("id", "u4"), ("x", "f8"), ("ok", "?"), ("tag", "S5"), ("name", "U4"), ("when", "M8[s]")]
        inner = np.dtype([("b", "i1"), ("c", "i4")], align=True)
        for dtype in (
            np.dtype(fields),
            np.dtype(fields, align=True),
            np.dtype([("a", "i1"), ("in", inner), ("e", "i8")], align=True),
            np.dtype([("a", "i1"), ("in", inner), ("e", "i8")]),
            # The inner record is packed, the outer one has each field where it wants to be.
            np.dtype({"names": ["in", "n"], "formats": [[("i", "i4"), ("b", "i1")], "i8"], "offsets": [0, 8],
                      "itemsize": 16}),
            np.dtype([("m", "f4", (2, 3)), ("v", "u1", (3,)), ("grid", [("a", "i2"), ("b", "?", (2,))], (2, 2))]),
            np.dtype([("m", "f8", (2, 2)), ("v", "i4", (2,))], align=True),
            np.dtype([(("A title", "t"), "f4"), ("n", "i4")]),
            np.dtype({"names": ["a", "b"], "formats": ["i4", "f4"], "offsets": [4, 12], "itemsize": 20}),
            np.dtype({"names": ["a"], "formats": ["i8"], "offsets": [8], "itemsize": 17}),
            np.dtype([("g", "clongdouble"), ("d", "m8[25s]")]),
            np.dtype([("größe", "f4"), ("it's", "i2"), ('say "hi"', "i1"), ("tab\tnl\n\\", "i1")]),
            np.dtype([("β", "f4"), ("日本", "i2")]),
            np.dtype([("void", "V3"), ("one", "i2", (1,))]),
        ):
            yield dtype.newbyteorder(order)
    # More than 10,000 characters, and more than 65,535 bytes: format 2.0.
    yield np.dtype([(f"f{i:04}", "i1") for i in range(700)])
    yield np.dtype([(f"f{i:04}", "<i4") for i in range(4000)])


def numbered(types):
    """Keys of many lengths, as these decide where elements lie."""
    out = {}
    for number, dtype in enumerate(types):
        for layout, a in enumerate(layouts(dtype)):
            out["k" * (number % 5) + f"{number}-{layout}"] = a
    return out


ODD_KEYS = ["", "x", "x.npy", "x.npy.npy", "A.NPY", ".hidden", "dir/", "dir/inside", "../up", "/abs", "a//b", "C:",
            "back\\slash", " lead", "trail ", "with space", "tab\t", "new\nline", "\x01", "\x7f", "\x1b[2J", "quote'",
            'quote"', "nul\0tail", "größe", "é", "e\u0301", "日本語", "\U0001d11e", "\u202ebidi", "\ufeff", "\xa0",
            "k" * 300, "ü" * 300, "self", "0"]


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


def objects():
    items = np.empty(3, object)
    items[:] = ["text", 7, [1.5, None]]
    record = np.zeros(2, [("id", "<i4"), ("payload", "O")])
    out = {"items": items, "record": record, "none": np.array(None), "dict": np.array({"a": 1}),
           "big": np.array(2**100), "empty": np.zeros((0, 2), object), "plain": np.arange(3.0),
           "fortran": np.asfortranarray(np.zeros((2, 3), object))}
    if hasattr(np, "dtypes") and hasattr(np.dtypes, "StringDType"):
        out["string-dtype"] = np.array(["a", "longer"], np.dtypes.StringDType())
    return out


def write_archives(folder):
    path = lambda name: folder / f"{name}.npz"
    for writer, method in ((np.savez, "stored"), (np.savez_compressed, "deflated")):
        writer(path(f"scalars-{method}"), **numbered(scalar_types()))
        writer(path(f"records-{method}"), **numbered(record_types()))
        writer(path(f"keys-{method}"), **{key: np.array([i]) for i, key in enumerate(ODD_KEYS)})
        writer(path(f"positional-{method}"), 1, 2.5, "text", [1, 2], True, [[1j]], b"bytes", named=np.float32(1))
        writer(path(f"objects-{method}"), **objects())
        writer(path(f"none-{method}"))
        sink = Sink()
        writer(sink, a=np.arange(3), größe=np.eye(3), o=np.array(None))
        path(f"pipe-{method}").write_bytes(sink.data)

    # Every alignment that there is, for each width.
    rng = np.random.default_rng(1)
    codes = ("u1", "<u2", "<f4", "<f8", "<c16")
    np.savez(path("alignments"),
             **{"k" * n + f"-{code}": np.zeros(rng.integers(1, 99), code) for n in range(70) for code in codes})

    # Items without bytes.
    np.savez(path("no-bytes"), V0=np.zeros((2, 2), "V0"), fields=np.zeros(3, []), none=np.zeros(0, "V0"),
             U0=np.zeros(3, [("u", "U0")])["u"], S0=np.zeros(3, [("s", "S0")])["s"], U=np.array(""), S=np.array([b""]))

    # NumPy 2.0 cannot save what has 64.
    shape = (2,) + (1,) * (MAX_DIMENSIONS - 3) + (3,)
    np.savez(path("dimensions"), c=np.zeros(shape), f=np.zeros(shape, order="F"))

    if ml_dtypes:
        values = np.arange(12).reshape(3, 4)
        types = ("bfloat16", "float8_e4m3fn", "float8_e4m3b11fnuz", "int4", "uint4")
        np.savez(path("ml-dtypes"),
                 **{name: values.astype(getattr(ml_dtypes, name)) for name in types if hasattr(ml_dtypes, name)})

    # Written to after NumPy was done.
    arrays = {"a": np.arange(5), "b": np.asfortranarray(np.eye(4, dtype=">f4"))}
    np.savez(path("appended"), **arrays)
    with zipfile.ZipFile(path("appended"), "a") as archive:
        with archive.open("later.npy", "w") as f:
            npy.write_array(f, np.arange(3, dtype="<i2"))
        archive.writestr("notes.txt", "not an array")
        archive.writestr("empty", b"")
        archive.writestr("short.npy", MAGIC[:5])
        archive.writestr("packed.txt", "no array either" * 9, zipfile.ZIP_DEFLATED)
    np.savez(path("comment"), **arrays)
    with zipfile.ZipFile(path("comment"), "a") as archive:
        archive.comment = b"a comment"

    # Behind other bytes, which the offsets do not count, and which they do.
    np.savez(path("prefix-added"), **arrays)
    path("prefix-added").write_bytes(b"#!/bin/sh\n" + path("prefix-added").read_bytes())
    with open(path("prefix-written"), "wb") as f:
        f.write(b"#!/bin/sh\n")
        np.savez(f, **arrays)

    # More members than 16 bits count: a zip64 end record.
    np.savez(path(MANY), **{f"a{i}": np.array(i) for i in range(66_000)})


MANY = "more-than-65535"
# 32 in NumPy 1.
MAX_DIMENSIONS = 64 if np.lib.NumpyVersion(np.__version__) >= "2.0.0" else 32


# --- What NumPy says ---

def parse_header(content):
    """descr, shape, fortran_order, and the length of what is before the elements."""
    start = 10 if content[6] == 1 else 12
    end = start + int.from_bytes(content[8:start], "little")
    text = content[start:end].decode("utf-8" if content[6] == 3 else "latin-1")
    try:
        header = ast.literal_eval(text)
    except SyntaxError:
        header = ast.literal_eval(re.sub(r"(?<=\d)L\b", "", text))
    return header["descr"], header["shape"], header["fortran_order"], end


def alignment(dtype):
    """What a Rust type of this layout has; for records NumPy itself says 1 unless they were made with align=True."""
    if dtype.subdtype:
        return alignment(dtype.subdtype[0])
    if dtype.kind == "U":
        return 1  # NumPy says 4; npzmap's own type lies anywhere
    if dtype.names is None:
        return dtype.alignment
    fields = [dtype.fields[name][:2] for name in dtype.names]
    widest = max((alignment(field) for field, _ in fields), default=1)
    natural = dtype.itemsize % widest == 0 and all(offset % alignment(field) == 0 for field, offset in fields)
    return widest if natural else 1


def is_native(dtype):
    """What dtype.isnative should be: it is True for every sub-array (NumPy 2.5)."""
    if dtype.subdtype:
        return is_native(dtype.subdtype[0])
    if dtype.names is None:
        return dtype.isnative
    return all(is_native(dtype.fields[name][0]) for name in dtype.names)


def access(dtype, size, stored, offset):
    """What a map would do, and why."""
    if dtype.hasobject:
        return None, "object"
    if not stored:
        return "copy", "compressed"
    if size == 0:
        return "borrow", None
    if not is_native(dtype):
        return "copy", "byte-order"
    if offset % alignment(dtype):
        return "copy", "misaligned"
    return "borrow", None


def describe(archive, info, data, methods):
    """What `npz ls --json` should say about a member. Members by other methods than these it cannot look into."""
    stored = info.compress_type == 0
    name = info.filename
    out = {
        "key": name[:-4] if name.endswith(".npy") else name, "name": name, "kind": "error",
        "dtype": None, "shape": None, "order": None, "size": info.file_size, "nbytes": None,
        "compressed_size": info.compress_size, "method": METHODS[info.compress_type], "crc32": info.CRC,
        "payload_offset": None, "alignment": None, "access": None, "reason": None,
    }
    if info.compress_type not in methods:
        return out
    content = archive.read(info)
    preamble = 0
    if content.startswith(MAGIC):
        descr, shape, fortran, preamble = parse_header(content)
        dtype = npy.descr_to_dtype(descr)
    if stored:
        signature, *lengths = struct.unpack_from("<4s22x2H", data, info.header_offset)
        assert signature == b"PK\3\4"
        offset = info.header_offset + 30 + sum(lengths) + preamble
        out.update(payload_offset=offset, alignment=min(offset & -offset, PAGE))
    if not preamble:
        return {**out, "kind": "bytes"}
    nbytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if not dtype.hasobject and len(shape) <= MAX_DIMENSIONS:
        # The array itself has the last word.
        a = npy.read_array(io.BytesIO(content), allow_pickle=False, max_header_size=LONG)
        assert a.dtype == dtype and len(content) == preamble + a.nbytes
        dtype, shape, nbytes = a.dtype, a.shape, a.nbytes
        if shape:
            assert a.flags.f_contiguous if fortran else a.flags.c_contiguous
    size = int(np.prod(shape, dtype=object))
    text = npy.dtype_to_descr(dtype)
    how, why = access(dtype, size, stored, out["payload_offset"])
    return {**out, "kind": "array", "dtype": text if isinstance(text, str) else repr(text), "shape": list(shape),
            "order": "F" if fortran else "C", "nbytes": nbytes, "access": how, "reason": why}


def numpy_keys(path, data):
    if data[:4] in (b"PK\3\4", b"PK\5\6"):
        with np.load(path) as loaded:
            return loaded.files
    # Behind a prefix, where np.load does not look.
    with np.lib.npyio.NpzFile(path) as loaded:
        return loaded.files


# --- Comparing ---

class Checks:
    def __init__(self):
        self.count = self.different = 0

    def same(self, what, found, expected):
        self.count += 1
        # 1 is not True.
        if found != expected or type(found) is not type(expected):
            self.different += 1
            print(f"{what}: {found!r}, NumPy has {expected!r}")


def check_archive(checks, npz, path, methods):
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        expected = [describe(archive, info, data, methods) for info in archive.infolist()]
    run = subprocess.run([npz, "ls", "--json", path], capture_output=True, text=True, encoding="utf-8")
    # 4: something is not supported.
    unsupported = any(member["kind"] == "error" for member in expected)
    checks.same(f"{path.name}: exit code", run.returncode, 4 if unsupported else 0)
    try:
        document = json.loads(run.stdout)
        found = document.pop("members")
    except ValueError as error:
        found = None
        print(f"{path.name}: {error}\n{run.stderr}")
    if found is None:
        checks.same(f"{path.name}: document", None, expected)
        return
    checks.same(f"{path.name}: document", document, {"schema": 1, "file": str(path)})
    checks.same(f"{path.name}: keys", [member.get("key") for member in found], numpy_keys(path, data))
    checks.same(f"{path.name}: number of members", len(found), len(expected))
    if len(found) != len(expected):
        return
    for member in expected:
        member["error"] = member["kind"] == "error"
    for member in found:
        error = member.get("error")
        member["error"] = isinstance(error, str) and error != "" if error is not None else False
    if path.stem == MANY:
        # A column as one comparison, or nothing else would count.
        columns = lambda members: {field: [member.get(field) for member in members] for field in expected[0]}
        found, expected = columns(found), columns(expected)
        for field in expected:
            different = [i for i, (a, b) in enumerate(zip(found[field], expected[field])) if a != b]
            checks.same(f"{path.name}: {field}: members that differ", different, [])
        return
    for mine, theirs in zip(found, expected):
        what = f"{path.name}: {theirs['key']!r}"
        checks.same(f"{what}: fields", sorted(mine), sorted(theirs))
        for field, value in theirs.items():
            checks.same(f"{what}: {field}", mine.get(field), value)


def pickled_line():
    """The Python that the error for pickled arrays tells to run."""
    sources = (path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.rs")))
    (text,) = re.findall(r'rewrite it in Python: ((?:[^"\\]|\\.)*)"', "".join(sources), re.DOTALL)
    # Rust's line continuation, and format!'s braces.
    return re.sub(r"\\\n\s*", "", text).replace("{{", "{").replace("}}", "}")


def check_pickled(checks, npz, folder):
    """The line makes plain arrays of objects, and npz agrees."""
    arrays = {"objects": np.array([1.5, -2.5, 1e300], object), "two": np.array([[1, 2], [3, 4]], object),
              "plain": np.arange(3, dtype=">i2")}
    np.savez(folder / "in.npz", **arrays)
    command = [sys.executable, "-c", "import numpy as np; " + pickled_line()]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    out = {}
    if run.returncode == 0:
        with np.load(folder / "out.npz") as loaded:
            out = {key: (loaded[key].dtype.str, loaded[key].tolist()) for key in loaded.files}
    else:
        print(run.stderr)
    kinds = {"objects": np.dtype("f8").str, "two": np.array([1]).dtype.str, "plain": ">i2"}
    checks.same("the line for pickled arrays", out, {key: (kinds[key], a.tolist()) for key, a in arrays.items()})


def check_readme(checks, npz, folder):
    """The Python of the README: what it writes is borrowed, whole, and read by NumPy."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    namespace = {}
    exec(code, namespace)
    arrays = {"x": np.arange(5.0), "größe": np.array(3), "f": np.asfortranarray(np.ones((3, 4), "f4")),
              "wide": np.zeros(2, [(f"field{i}", "u1") for i in range(900)]), "empty": np.zeros((0, 3))}
    for align in (16, 64, 4096):
        path = folder / f"aligned-{align}.npz"
        namespace["savez_aligned"](path, align, **arrays)
        with np.load(path, max_header_size=1 << 20) as loaded:
            same = {key: bool(np.array_equal(loaded[key], array)) for key, array in arrays.items()}
        checks.same(f"README: {align}: read by NumPy", same, dict.fromkeys(arrays, True))
        run = subprocess.run([npz, "ls", "--json", path], capture_output=True, check=True)
        found = {m["key"]: (m["access"], m["payload_offset"] % align) for m in json.loads(run.stdout)["members"]}
        checks.same(f"README: {align}: borrowed", found, dict.fromkeys(arrays, ("borrow", 0)))


def run_npz(npz, *arguments):
    return subprocess.run([npz, *arguments], capture_output=True)


def cells(array):
    """The elements as `cat --csv` prints them."""
    array = array.astype(array.dtype.newbyteorder("="))  # NumPy forgets about the byte order of dates
    generic = array.dtype.kind in "mM" and np.datetime_data(array.dtype)[0] == "generic"
    if array.dtype.kind == "M" and not generic:
        # Its years wrap around.
        return [None if abs(int(x.astype("i8"))) > 2**50 and not np.isnat(x) else str(x) for x in array.ravel()]
    if array.dtype.kind in "mM":
        return ["NaT" if np.isnat(x) else str(x.astype("i8")) for x in array.ravel()]
    return [str(x) for x in array.ravel()]


def check_cat(checks, npz, path):
    """`cat` gives what np.load reads, `--raw` its bytes in C order, `--csv` its values."""
    with np.load(path, max_header_size=LONG) as loaded:
        for key in loaded.files:
            try:
                array = loaded[key]
            except (ValueError, EOFError):
                continue  # pickled, or no array though it begins as one
            if not isinstance(array, np.ndarray) or array.dtype.itemsize == 0 or loaded.files.count(key) > 1:
                continue
            what = f"{path.name}: {key!r}"
            whole = run_npz(npz, "cat", path, "--", key)
            again = np.load(io.BytesIO(whole.stdout), max_header_size=LONG) if whole.returncode == 0 else np.array(0)
            checks.same(f"{what}: cat", (again.dtype.str, again.shape), (array.dtype.str, array.shape))
            # NumPy does not load padding.
            if array.dtype.names is None:
                raw = run_npz(npz, "cat", "--raw", path, "--", key)
                checks.same(f"{what}: cat --raw", raw.stdout, array.tobytes())
            if array.ndim > 2 or array.dtype.kind not in "biufmMU" or array.dtype.itemsize > 8 and array.dtype.kind == "f":
                continue
            csv = run_npz(npz, "cat", "--csv", path, "--", key)
            checks.same(f"{what}: cat --csv: exit code", csv.returncode, 0)
            text = csv.stdout.decode()
            if array.dtype.kind == "f":
                found = [float(cell) for line in text.splitlines() for cell in line.split(",") if cell]
                same = np.array_equal(np.array(found, array.dtype.newbyteorder("=")), array.ravel(), equal_nan=True)
                checks.same(f"{what}: cat --csv", bool(same), True)
            elif array.size and not any(c in text for c in '"\r'):
                found = [cell for line in text.split("\n")[:-1] for cell in line.split(",")]
                expected = cells(array)
                checks.same(f"{what}: cat --csv: cells", len(found), len(expected))
                pairs = [pair for pair in zip(found, expected) if pair[1] is not None]
                checks.same(f"{what}: cat --csv", [a for a, _ in pairs], [b for _, b in pairs])


def check_written(checks, npz, folder):
    """What `pack` and `convert` write is what NumPy reads; `diff` and `check` agree."""
    arrays = {"f": np.asfortranarray(np.arange(12.0).reshape(3, 4)), "be": np.arange(5, dtype=">i4"),
              "text": np.array(["ab", "größe"]), "record": np.zeros(2, [("a", "<i2"), ("b", "<U3")]),
              "day": np.array(["2024-02-29", "NaT"], "M8[D]"), "half": np.array([0.1, np.nan], "f2")}
    for key, array in arrays.items():
        np.save(folder / f"{key}.npy", array)
    out = folder / "packed.npz"
    run = run_npz(npz, "pack", "-o", out, *(folder / f"{key}.npy" for key in arrays))
    checks.same("pack: exit code", run.returncode, 0)
    with np.load(out) as loaded:
        for key, array in arrays.items():
            same = loaded[key].tobytes("A") == array.tobytes("A")
            checks.same(f"pack: {key!r}", (loaded[key].dtype.str, loaded[key].shape, same),
                        (array.dtype.str, array.shape, True))
    by_numpy = folder / "by-numpy.npz"
    np.savez_compressed(by_numpy, **arrays)
    for options, code in (((), 0), (("--full", "--equal-nan"), 0), (("--full",), 1)):
        checks.same(f"diff {options}", run_npz(npz, "diff", *options, out, by_numpy).returncode, code)
    checks.same("check", run_npz(npz, "check", out, by_numpy).returncode, 0)
    numbers = ("--exclude=text", "--exclude=record", "--exclude=day")
    tensors, back = folder / "t.safetensors", folder / "back.npz"
    codes = [run_npz(npz, "convert", *numbers, by_numpy, tensors).returncode, run_npz(npz, "convert", tensors, back).returncode]
    checks.same("convert: exit codes", codes, [0, 0])
    with np.load(back) as loaded:
        for key in ("f", "be", "half"):
            checks.same(f"convert: {key!r}", bool(np.array_equal(loaded[key], arrays[key], equal_nan=True)), True)
            checks.same(f"convert: {key!r}: order", loaded[key].flags.c_contiguous, True)


def main():
    parser = argparse.ArgumentParser(description="Compares `npz` with NumPy.")
    parser.add_argument("--npz", required=True, type=Path, metavar="COMMAND", help="the npz to check")
    parser.add_argument("--without-methods", action="store_true",
                        help="it was built without the feature 'methods': bzip2, LZMA and Zstandard are refused")
    args = parser.parse_args()
    npz = args.npz.resolve()
    methods = (0, 8) if args.without_methods else METHODS
    checks = Checks()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_archives(folder)
        written = sorted(folder.glob("*.npz"))
        committed = sorted((ROOT / "tests" / "data").glob("*.npz"))
        assert written and committed
        for path in written + committed:
            check_archive(checks, npz, path, methods)
        for name in ("kinds-stored", "kinds-v3-deflated", "datetimes-stored", "records-deflated", "shapes", "keys"):
            check_cat(checks, npz, ROOT / "tests" / "data" / f"{name}.npz")
        check_written(checks, npz, folder)
        check_pickled(checks, npz, folder)
        check_readme(checks, npz, folder)
    versions = f"NumPy {np.__version__}, Python {sys.version.split()[0]}"
    if ml_dtypes:
        versions += f", ml_dtypes {ml_dtypes.__version__}"
    print(f"{versions}, {len(written)} archives written, {len(committed)} of tests/data")
    print(f"{checks.count} checks, {checks.different} different")
    sys.exit(checks.different > 0 or checks.count == 0)


if __name__ == "__main__":
    main()
