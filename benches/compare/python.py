"""The Python side: answers requests, a line of JSON each, with the seconds that the work took.

    python.py serve              requests on standard input: [operation, arguments...]
    python.py once REQUEST       one of them, and the peak of resident memory beside it
"""

import importlib
import json
import os
import sys
import time
import zipfile  # noqa: F401, which np.load imports when it first needs it

import numpy as np

SEED = 20261123


def resident(field):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


# --- What is made --------------------------------------------------------------------------------------------------


def arrays(kind, count, length):
    """`count` arrays of `length` elements, by their keys."""
    random = np.random.default_rng(SEED)
    for number in range(count):
        if kind == "normal":
            # One block of noise, repeated: making it is not what takes the time.
            block = random.standard_normal(1 << 16, dtype=np.float32)
            array = np.resize(block, length)
        elif kind == "tiny":
            array = np.full(length, number, np.float32)
        else:
            array = np.resize(data(kind, 1 << 22), length)
        yield f"layers.{number}.weight", array


def data(kind, length):
    """Four kinds of data, from what deflates well to what does not."""
    random = np.random.default_rng(SEED)
    if kind == "labels":
        return random.integers(0, 10, length).astype(np.int64)
    if kind == "image":
        rows = np.linspace(0, 40, length)
        return (128 + 100 * np.sin(rows) + random.integers(0, 8, length)).astype(np.uint8)
    if kind == "smooth":
        return np.round(np.cumsum(random.standard_normal(length)), 2).astype(np.float64)
    return random.standard_normal(length, dtype=np.float32)


def savez(path, kind, count, length):
    np.savez(path, **dict(arrays(kind, count, length)))


def savez_compressed(path, kind, count, length):
    np.savez_compressed(path, **{f"{kind}.{n}": data(kind, length) for n in range(count)})


def safetensors(path, kind, count, length):
    from safetensors.numpy import save_file

    save_file(dict(arrays(kind, count, length)), path)


# --- What is measured ----------------------------------------------------------------------------------------------


def key_of_numpy(path, key):
    with np.load(path) as archive:
        return float(archive[key].ravel()[:16].sum())


def key_of_mmnpz(path, key):
    import mmnpz

    with mmnpz.load(path) as archive:
        return float(archive[key].ravel()[:16].sum())


def key_of_safetensors(path, key):
    from safetensors import safe_open

    with safe_open(path, framework="np") as archive:
        return float(archive.get_slice(key)[:16].sum())


def read(path, key):
    with np.load(path) as archive:
        return archive[key]


def headers(path):
    """Shape and dtype of every array, as one has to ask NumPy for them."""
    count = 0
    with np.load(path) as archive:
        for name in archive.zip.namelist():
            with archive.zip.open(name) as member:
                version = np.lib.format.read_magic(member)
                reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                reader(member)
                count += 1
    return count


held = {}  # what is written, by its name


def hold(name, kind, count, length):
    """Arrays that are written later, made before the clock runs."""
    if kind in ("normal", "tiny"):
        held[name] = dict(arrays(kind, count, length))
    else:
        held[name] = {f"{kind}.{n}": data(kind, length) for n in range(count)}


def write(path, name):
    np.savez(path, **held[name])


def remove(path):
    os.unlink(path)


def write_compressed(path, name):
    np.savez_compressed(path, **held[name])


def versions():
    import importlib.metadata as metadata

    found = {"python": sys.version.split()[0]}
    for package in ["numpy", "safetensors", "mmnpz"]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            pass
    return found


OPERATIONS = [savez, savez_compressed, safetensors, key_of_numpy, key_of_mmnpz, key_of_safetensors, read, headers, hold,
              write, remove, write_compressed, versions]
OPERATIONS = {operation.__name__: operation for operation in OPERATIONS}


IMPORTED = {"key_of_mmnpz": "mmnpz", "key_of_safetensors": "safetensors"}  # which is no part of the work


def answer(request):
    """An operation; `each` and a count before it: so many times for one figure, for what is shorter than the clock."""
    count = 1
    if request[0] == "each":
        _, count, *request = request
    operation, *arguments = request
    if operation in IMPORTED:
        importlib.import_module(IMPORTED[operation])
    start = time.perf_counter()
    try:
        for _ in range(count):
            result = OPERATIONS[operation](*arguments)
    except Exception as error:  # a rival that fails is a line in the table
        return {"error": f"{type(error).__name__}: {error}"}
    seconds = (time.perf_counter() - start) / count
    # An array is freed after the clock has stopped, as everybody's is.
    return {"seconds": seconds, "result": getattr(result, "shape", result)}


def main():
    if sys.argv[1] == "once":
        # Each request but the last prepares.
        *before, request = json.loads(sys.argv[2])
        for preparation in before:
            answer(preparation)
        resting = resident("VmRSS")
        with open("/proc/self/clear_refs", "w") as peak:
            peak.write("5")
        answered = answer(request)
        answered["peak"] = resident("VmHWM") - resting
        print(json.dumps(answered))
        return
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
        if os.getppid() == 1:
            return


main()
