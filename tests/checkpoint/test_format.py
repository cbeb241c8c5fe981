"""docs/checkpoints.md as another program would follow it: json, struct, hashlib and numpy alone."""

import hashlib
import json
import math
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small import picture_folder, small_arguments, srbench

from srbench.prove.hashes import hashes

DTYPES = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}
NAMES = {np.dtype(code): name for name, code in DTYPES.items()}
ORDER = [
    "U64",
    "I64",
    "F64",
    "C64",
    "F32",
    "U32",
    "I32",
    "BF16",
    "F16",
    "U16",
    "I16",
    "F8_E8M0",
    "F8_E4M3",
    "F8_E5M2",
    "I8",
    "U8",
    "BOOL",
]


def canonical(value):
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_tensors(content):
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    data = content[8 + length :]
    tensors = {}
    for name, one in header.items():
        begin, end = one["data_offsets"]
        flat = np.frombuffer(data[begin:end], DTYPES[one["dtype"]])
        tensors[name] = flat.reshape(one["shape"])
    assert sum(array.nbytes for array in tensors.values()) == len(data)
    return tensors


def write_tensors(tensors):
    def place(name):
        return ORDER.index(NAMES[tensors[name].dtype]), name.encode()

    header, parts, offset = {}, [], 0
    for name in sorted(tensors, key=place):
        array = tensors[name]
        header[name] = {
            "dtype": NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [offset, offset + array.nbytes],
        }
        offset += array.nbytes
        parts.append(array.tobytes(order="C"))
    # Not canonical: in the order of the tensors.
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


def read_checkpoint(folder, spec_sha256):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["schema"] == 1
    assert manifest["spec_sha256"] == spec_sha256
    content = {name: (folder / name).read_bytes() for name in manifest["sha256"]}
    for name, sha256 in manifest["sha256"].items():
        assert hashlib.sha256(content[name]).hexdigest() == sha256
    scalars = json.loads(content["state.json"])
    assert folder.name == f"step-{scalars['step']:08d}" == f"step-{manifest['step']:08d}"
    return read_tensors(content["model.safetensors"]), read_tensors(content["state.safetensors"]), scalars


def write_checkpoint(folder, model, state, scalars, spec_sha256):
    folder.mkdir(parents=True)
    content = {
        "model.safetensors": write_tensors(model),
        "state.safetensors": write_tensors(state),
        "state.json": canonical(scalars),
    }
    for name, bytes_ in content.items():
        (folder / name).write_bytes(bytes_)
    manifest = {
        "schema": 1,
        "spec_sha256": spec_sha256,
        "step": scalars["step"],
        "sha256": {name: hashlib.sha256(bytes_).hexdigest() for name, bytes_ in content.items()},
    }
    (folder / "manifest.json").write_bytes(canonical(manifest))


def spec_sha256_of(run):
    return hashlib.sha256(canonical(json.loads((run / "run.json").read_bytes())["spec"])).hexdigest()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def line(pictures, results, steps):
    arguments = small_arguments(pictures, results, "--eval-every", "2", "--ema", "0.9", "--lr", "1e-3")
    arguments[arguments.index("--steps") + 1] = str(steps)
    return arguments


@pytest.fixture(scope="module")
def store(pictures, tmp_path_factory):
    results = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        assert srbench(line(pictures, results, 3), patch) == 0
    return results


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    results = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        assert srbench(line(pictures, results, 6), patch) == 0
    return results


def run_of(results):
    (run,) = results.glob("lapsrn*")
    return run


def newest(run):
    return max((run / "checkpoints").glob("step-*"))


def test_what_srbench_wrote_is_read_by_the_page_s_words(store):
    folder = newest(run_of(store))
    model, state, scalars = read_checkpoint(folder, spec_sha256_of(run_of(store)))
    assert scalars["step"] == 3
    for name, mine in (("model.safetensors", model), ("state.safetensors", state)):
        theirs = load_file(folder / name)
        assert mine.keys() == theirs.keys()
        for key, tensor in theirs.items():
            assert torch.equal(torch.from_numpy(mine[key].copy()), tensor), key
            assert str(mine[key].dtype) in str(tensor.dtype)
    assert any(name.startswith("optimizer.") for name in state)


def test_what_is_written_by_the_page_s_words_has_srbench_s_bytes(store, tmp_path):
    run = run_of(store)
    for folder in (run / "checkpoints").glob("step-*"):
        copy = tmp_path / folder.name
        write_checkpoint(copy, *read_checkpoint(folder, spec_sha256_of(run)), spec_sha256_of(run))
        assert sorted(path.name for path in copy.iterdir()) == sorted(path.name for path in folder.iterdir())
        for path in folder.iterdir():
            assert (copy / path.name).read_bytes() == path.read_bytes(), path.name


def test_tensors_of_every_kind_lie_as_safetensors_writes_them():
    """The widest types first, then names by their bytes; a scalar, an empty one, a name beyond ASCII."""
    import safetensors.numpy

    tensors = {
        "b": np.arange(6, dtype="<f4").reshape(2, 3),
        "a": np.float16(0.5) * np.ones((1, 3), "<f2"),
        "step": np.array(7, "<i8"),
        "wide": np.array([1.5], "<f8"),
        "Z": np.zeros((0, 4), "<f4"),
        'ä."q"\\': np.array([True, False]),
        "bytes": np.arange(3, dtype="|u1"),
        "int": np.arange(2, dtype="<i4"),
        "transposed": np.ascontiguousarray(np.arange(6, dtype="<f4").reshape(2, 3).T),
    }
    assert write_tensors(tensors) == safetensors.numpy.save(tensors)
    assert all(
        np.array_equal(one, tensors[name]) for name, one in read_tensors(write_tensors(tensors)).items()
    )


@pytest.mark.parametrize("keys", [("schema", "id", "spec", "engine"), ()])
def test_srbench_goes_on_from_a_checkpoint_that_another_program_wrote(
    pictures, store, whole, tmp_path, monkeypatch, keys
):
    """With the keys of run.json that the page names, or without the file: the engine is this one's then. What
    the history has past the last evaluation is dropped, half a line too."""
    run = run_of(store)
    record = json.loads((run / "run.json").read_bytes())
    sha256 = spec_sha256_of(run)
    model, state, scalars = read_checkpoint(newest(run), sha256)
    other = tmp_path / run.name
    write_checkpoint(other / "checkpoints" / "step-00000003", model, state, scalars, sha256)
    if keys:
        (other / "run.json").write_text(json.dumps({name: record[name] for name in keys}))
    history = (run / "history.jsonl").read_bytes()
    assert [json.loads(one)["step"] for one in history.splitlines()] == [2]
    (other / "history.jsonl").write_bytes(history + b'{"loss":{},"step":3}\n{"step":4}\n{"ste')
    assert srbench(line(pictures, tmp_path, 6), monkeypatch) == 0
    assert hashes(tmp_path) == hashes(whole)


def test_floats_of_state_json_are_read_back_to_the_bit(store):
    """Shortest digits that give the same float64, as Python's repr writes them."""
    scalars = json.loads((newest(run_of(store)) / "state.json").read_bytes())
    text = (newest(run_of(store)) / "state.json").read_text(encoding="utf-8")
    values = [value for value in scalars["progress"]["sums"].values() if math.isfinite(value)]
    assert values
    assert all(repr(value) in text for value in values)
