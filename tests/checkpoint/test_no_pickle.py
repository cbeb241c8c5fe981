"""Nothing is ever unpickled: a trapped pickle in the place of every file that is read, and the source itself.

Unpickling a trap makes a folder. So its being absent is the proof, whatever a command says.
"""

import ast
import hashlib
import io
import os
import pickle
import shutil
import struct
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from small import MODEL, dataset_text, picture_folder, small_arguments
from small import srbench as run_srbench

from srbench.metrics import backbones
from srbench.metrics.backbones import BACKBONES
from srbench.registry import registry

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path for part in ("srbench", "plugins", "benchmarks") for path in (ROOT / part).rglob("*.py")
)


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def text_pickle(trap):
    """Of protocol 0: plain ASCII, as a pickle that is to pass for text would be."""
    return pickle.dumps(trap, protocol=0)


def raw_pickle(trap):
    return pickle.dumps(trap)


def torch_zip(trap):
    buffer = io.BytesIO()
    torch.save({"r.conv.weight": torch.zeros(3), "trap": trap}, buffer)
    return buffer.getvalue()


def old_torch(trap):
    buffer = io.BytesIO()
    torch.save({"trap": trap}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def npy(trap):
    buffer = io.BytesIO()
    np.save(buffer, np.array([trap], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def npz(trap):
    buffer = io.BytesIO()
    np.savez(buffer, net=np.array([trap], dtype=object))
    return buffer.getvalue()


def matlab(trap):
    """A header that is right, and a pickle behind it."""
    return b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + pickle.dumps(trap)


def parquet(trap):
    """An extension type of Arrow that once was unpickled as the file was opened."""
    field = pa.field(
        "value", pa.float64(), metadata={
            "ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(trap),
        },
    )  # fmt: skip
    metadata = {b"protocols": b"{}", b"pandas": pickle.dumps(trap)}
    table = pa.table([pa.array([1.0])], schema=pa.schema([field], metadata=metadata))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def archive(trap):
    """A zip of a folder that srbench looks for."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in ("baby", "bird", "butterfly", "head", "woman"):
            made.writestr(f"Set5/HR/{name}.png", pickle.dumps(trap))
    return buffer.getvalue()


@pytest.fixture
def marker(tmp_path):
    yield tmp_path / "marker"
    assert not (tmp_path / "marker").exists(), "something was unpickled"


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        (text_pickle, pickle.load),
        (raw_pickle, pickle.load),
        (torch_zip, lambda file: torch.load(file, weights_only=False)),
        (old_torch, lambda file: torch.load(file, weights_only=False)),
        (npy, lambda file: np.load(file, allow_pickle=True)),
        (npz, lambda file: np.load(file, allow_pickle=True)["net"]),
    ],
)
def test_the_traps_work(tmp_path, kind, load):
    load(io.BytesIO(kind(Trap(tmp_path / "marker"))))
    assert (tmp_path / "marker").is_dir()


def outcome(line, monkeypatch, capsys, codes=(0, 1, 2)):
    """What a command says, once it has ended with words and not with a trace."""
    capsys.readouterr()
    code = run_srbench(line, monkeypatch)
    out, err = capsys.readouterr()
    assert "Traceback" not in err, err
    assert "unexpected" not in err, err
    assert code in codes, err
    assert out or err
    return " ".join((out + err).split())


# A store


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    pictures = picture_folder(root / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        more = ("--steps", "4", "--eval-every", "2", "--save-every", "0")
        assert run_srbench(small_arguments(pictures, root / "store", *more), patch) == 0
    return root


@pytest.fixture
def store(trained, tmp_path):
    shutil.copytree(trained / "store", tmp_path / "store")
    return tmp_path / "store"


NEWEST = "checkpoints/step-00000004"
FILES = {
    f"{NEWEST}/model.safetensors": torch_zip,
    f"{NEWEST}/state.safetensors": raw_pickle,
    f"{NEWEST}/state.json": text_pickle,
    f"{NEWEST}/manifest.json": text_pickle,
    "run.json": text_pickle,
    "history.jsonl": text_pickle,
    "timings.jsonl": raw_pickle,
    "scores.parquet": parquet,
    "summary.json": text_pickle,
    "cost.json": raw_pickle,
    "run.lock": raw_pickle,
    "run.lock.json": text_pickle,
    ".run.json.abcdefgh.tmp": text_pickle,
    "images/test/x4/face.png": raw_pickle,
}
"""Every file of a run, and a trap as its reader would have it."""


def test_no_file_of_a_run_is_left_out(trained):
    (run,) = (trained / "store").glob("lapsrn*")
    there = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert {name for name in there if "checkpoints" not in name or NEWEST in name} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_run_goes_on_or_says_why_not(trained, store, marker, monkeypatch, capsys, name):
    (run,) = store.glob("lapsrn*")
    path = run / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(FILES[name](Trap(marker)))
    said = outcome(small_arguments(trained / "pictures", store), monkeypatch, capsys)
    if NEWEST in name:
        assert "Checkpoint step-00000004 of lapsrn" in said
    elif name in ("run.json", "scores.parquet", "summary.json"):
        assert f"{name} cannot be read" in said


@pytest.mark.parametrize("kind", [text_pickle, torch_zip, npz, parquet], ids=lambda one: one.__name__)
def test_what_reads_a_store_says_what_is_wrong(trained, store, marker, tmp_path, monkeypatch, capsys, kind):
    (run,) = store.glob("lapsrn*")
    for name in FILES:
        if name not in ("run.json", "summary.json"):  # without them the others would not be come to
            (run / name).parent.mkdir(parents=True, exist_ok=True)
            (run / name).write_bytes(kind(Trap(marker)))
    at = ("--results", str(store))
    for line in (
        ("runs",), ("table",), ("table", "--cost"), ("checkpoint", "list"), ("checkpoint", "verify"),
        ("checkpoint", "export", run.name, "-o", str(tmp_path / "out")), ("compare", run.name, "bicubic"),
        ("plot", str(tmp_path / "curves.svg")), ("verdict", run.name), ("explain", run.name),
        ("probe", run.name), ("eval", run.name, "--metric", "psnr"),
        small_arguments(trained / "pictures", store, "--init", run.name),
        ("run", "--fork", run.name, "--steps", "1"),
        ("run", "--fork", f"{run.name}@4", "--steps", "1"),
    ):  # fmt: skip
        outcome([*line, *at], monkeypatch, capsys)
    for name in ("summary.json", "run.json"):
        (run / name).write_bytes(kind(Trap(marker)))
        for line in (("runs",), ("table",), ("eval", run.name)):
            assert f"{name} cannot be read" in outcome([*line, *at], monkeypatch, capsys, codes=(1,))


# Weights and pictures from elsewhere


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt", ".safetensors", ".mat", ".npz", ".pkl"])
@pytest.mark.parametrize(
    "kind", [raw_pickle, torch_zip, old_torch, npz, matlab], ids=lambda one: one.__name__
)
def test_weights_of_others_are_refused(trained, marker, tmp_path, monkeypatch, capsys, kind, suffix):
    file = tmp_path / f"weights{suffix}"
    file.write_bytes(kind(Trap(marker)))
    results = tmp_path / "results"
    at = ("--test", f"folder:test={trained / 'pictures' / 'test'}", "--results", str(results))
    said = outcome(["eval", "--weights", str(file), "--model", MODEL, *at], monkeypatch, capsys, (2,))
    assert str(file) in said.replace(" ", "") or "weights" in said
    pytest.importorskip("spandrel")
    if "spandrel" not in registry().names("model"):
        pytest.skip("srbench's plugin for spandrel is not installed")
    said = outcome(["eval", "--weights", str(file), "--model", "spandrel", *at], monkeypatch, capsys, (2,))
    assert "nothing is unpickled" in said or "safetensors" in said
    line = small_arguments(trained / "pictures", results, "--init", str(file))
    outcome(line, monkeypatch, capsys, (2,))
    assert not results.exists()


@pytest.mark.parametrize("kind", [raw_pickle, npy], ids=lambda one: one.__name__)
@pytest.mark.parametrize("place", ["train/coffee.png", "val/cat.png", "test/face.png"])
def test_a_trap_among_the_pictures_is_named(trained, marker, tmp_path, monkeypatch, capsys, place, kind):
    pictures = tmp_path / "pictures"
    shutil.copytree(trained / "pictures", pictures)
    (pictures / place).write_bytes(kind(Trap(marker)))
    said = outcome(small_arguments(pictures, tmp_path / "results"), monkeypatch, capsys, (1,))
    assert f"{place} is not a picture srbench can read" in said
    tiled = small_arguments(pictures, tmp_path / "tiled")
    tiled[tiled.index("--dataset") + 1] = f"{dataset_text(pictures)},tile=16"
    outcome(tiled, monkeypatch, capsys, (1,))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_a_trap_in_a_folder_of_results_is_named(trained, marker, tmp_path, monkeypatch, capsys, suffix):
    folder = tmp_path / "theirs"
    folder.mkdir()
    for name in ("face", "tissue"):
        (folder / f"{name}{suffix}").write_bytes(raw_pickle(Trap(marker)))
    line = [
        "eval", "--pictures", str(folder), "--test", f"folder:test={trained / 'pictures' / 'test'}",
        "--results", str(tmp_path / "results"),
    ]  # fmt: skip
    said = outcome(line, monkeypatch, capsys, (1,))
    assert "is not a picture srbench can read" in said


# LPIPS, data sets, caches


@pytest.mark.parametrize("kind", [raw_pickle, torch_zip], ids=lambda one: one.__name__)
@pytest.mark.parametrize("where", ["named", "named/lpips", "cache/lpips"])
def test_weights_of_lpips_are_never_unpickled(
    trained, store, marker, tmp_path, monkeypatch, capsys, where, kind
):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    (run,) = store.glob("lapsrn*")
    for name in (BACKBONES["alex"].file, BACKBONES["alex"].features_file):
        shutil.rmtree(tmp_path / where.partition("/")[0], ignore_errors=True)
        (tmp_path / where).mkdir(parents=True)
        (tmp_path / where / name).write_bytes(kind(Trap(marker)))
        named = ("--lpips-weights", str(tmp_path / "named")) if "named" in where else ()
        line = ["eval", run.name, "--metric", "lpips", "--results", str(store), *named]
        assert "LPIPS (alex) cannot be computed" in outcome(line, monkeypatch, capsys, (0,))


def test_not_even_published_weights_of_the_right_hash_are_unpickled(marker, tmp_path):
    """As if the file had been trapped before its hash was taken."""
    file = tmp_path / "alexnet.pth"
    file.write_bytes(torch_zip(Trap(marker)))
    backbone = BACKBONES["alex"]
    trapped = type(backbone)(
        backbone.name, file.name, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()
    )
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        backbones._read_published(file, trapped)


@pytest.mark.parametrize("kind", [raw_pickle, torch_zip, archive], ids=lambda one: one.__name__)
def test_an_archive_of_a_data_set_is_unpacked_and_no_more(marker, tmp_path, monkeypatch, capsys, kind):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "checksums.json").write_bytes(text_pickle(Trap(marker)))
    file = tmp_path / "benchmark.tar"
    file.write_bytes(kind(Trap(marker)))
    codes = (0,) if kind is archive else (2,)
    outcome(["data", "fetch", "set5", "--archive", str(file)], monkeypatch, capsys, codes)
    outcome(["data", "verify", "set5"], monkeypatch, capsys, (1, 2))
    outcome(["data", "list"], monkeypatch, capsys, (0,))


def test_a_download_that_broke_off_is_not_unpickled(marker, tmp_path, monkeypatch, capsys, file_server):
    monkeypatch.setenv("SRBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("srbench.data.fetch._RETRIES", 0)
    downloads = tmp_path / "data" / ".downloads"
    downloads.mkdir(parents=True)
    for name in ("benchmark.tar", "benchmark.tar.part", "benchmark.tar.part.json"):
        (downloads / name).write_bytes(text_pickle(Trap(marker)))
    file_server.files["benchmark.tar"] = raw_pickle(Trap(marker))
    said = outcome(["data", "fetch", "set5", "--mirror", file_server.url], monkeypatch, capsys, (2,))
    assert "its MD5 differs" in said


def test_a_kept_verdict_is_not_unpickled(trained, store, marker, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SRBENCH_CACHE", str(tmp_path / "cache"))
    pictures = tmp_path / "five"
    pictures.mkdir()
    for name in ("baby", "bird"):
        Image.new("RGB", (16, 16)).save(pictures / f"{name}.png")
    (run,) = store.glob("bicubic*")
    line = [
        "eval", run.name, "--test", f"set5:root={pictures}", "--metric", "psnr", "--results", str(store),
    ]  # fmt: skip
    outcome(line, monkeypatch, capsys, (0,))
    (kept,) = (tmp_path / "cache" / "verdicts").iterdir()
    sound = kept.read_bytes()
    kept.write_bytes(text_pickle(Trap(marker)))
    outcome(line, monkeypatch, capsys, (0,))
    assert kept.read_bytes() == sound


# The source

MODULES = {
    "pickle", "cPickle", "_pickle", "pickletools", "dill", "cloudpickle", "joblib", "shelve", "marshal",
    "jsonpickle", "hickle", "sklearn.externals", "torch.jit", "torch.package", "torch.hub",
}  # fmt: skip
"""What runs what it reads, or exists to."""
CALLS = {
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile",
    "builtins.__import__", "yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load",
    "yaml.unsafe_load_all",
}  # fmt: skip
METHODS = {"read_pickle", "load_from_file"}
"""Of pandas, and of spandrel, whose own loader unpickles; whatever the object is called."""


def names_of(tree):
    """Local name → what it stands for, of all imports of a file."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def dotted(node, names):
    """`t.load` → `torch.load`, where t is torch; "" where it is no plain name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value, names)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


def is_forbidden(module):
    return any(module == one or module.startswith(f"{one}.") for one in MODULES)


def is_constant(call, keyword, value):
    return any(
        one.arg == keyword and isinstance(one.value, ast.Constant) and one.value.value is value
        for one in call.keywords
    )


def unsafe(source):
    """Line and reason of everything in a source that unpickles or runs what it reads."""
    tree = ast.parse(source)
    names = names_of(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if is_forbidden(alias.name))
        elif isinstance(node, ast.ImportFrom):
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((node.lineno, name) for name in full if is_forbidden(name))
        elif isinstance(node, ast.Call):
            name = dotted(node.func, names)
            method = node.func.attr if isinstance(node.func, ast.Attribute) else name.rpartition(".")[2]
            literal = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if name in CALLS or method in METHODS or is_forbidden(name):
                yield node.lineno, name or method
            elif name in ("torch.load", "torch.serialization.load"):
                if not is_constant(node, "weights_only", True):
                    yield node.lineno, "torch.load without weights_only=True"
            elif method == "import_module" and any(is_forbidden(str(one)) for one in literal):
                yield node.lineno, f"import of {literal}"
            if any(one.arg == "allow_pickle" for one in node.keywords) and not is_constant(
                node, "allow_pickle", False
            ):
                yield node.lineno, "allow_pickle"
            elif name in ("numpy.load", "numpy.lib.format.read_array") and len(node.args) > 2:
                yield node.lineno, "allow_pickle"  # by its place
            if any(one.arg is None for one in node.keywords) and name in ("torch.load", "numpy.load"):
                yield node.lineno, "** may hold anything"


@cache
def text_of(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_has_an_unsafe_loader(path):
    assert list(unsafe(text_of(path))) == []


def test_the_source_is_looked_at():
    assert {"torch.load(", "load_file("} <= {
        word for word in ("torch.load(", "load_file(") for path in SOURCES if word in text_of(path)
    }
    assert len(SOURCES) > 100


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle", "import dill as d", "from joblib import load", "import shelve", "import marshal",
        "from torch import hub", "from torch import jit", "import torch.package", "import cloudpickle.fast",
        "def f():\n    from pickle import loads", "import torch\ntorch.load(p)",
        "import torch\ntorch.load(p, weights_only=False)", "import torch\ntorch.load(p, weights_only=w)",
        "import torch as t\nt.load(p)", "from torch import load as read\nread(p)",
        "import torch\ntorch.load(p, **more)", "import torch\ntorch.load(p, weights_only=True, **more)",
        "import torch\ntorch.jit.load(p)", "import torch\ntorch.hub.load(p, q)",
        "import torch\ntorch.serialization.load(p)", "import numpy as np\nnp.load(p, allow_pickle=True)",
        "import numpy as np\nnp.load(p, None, True)", "import numpy as np\nnp.load(p, allow_pickle=x)",
        "from numpy import load\nload(p, allow_pickle=1)", "x.load(p, allow_pickle=True)",
        "import pandas as pd\npd.read_pickle(p)", "import yaml\nyaml.load(s)",
        "import yaml\nyaml.unsafe_load(s)",
        "eval(s)", "exec(s)", "compile(s, p, 'exec')", "__import__(s)", "import builtins\nbuiltins.exec(s)",
        "import importlib\nimportlib.import_module('pickle')",
        "from spandrel import ModelLoader\nModelLoader().load_from_file(p)",
    ],
)  # fmt: skip
def test_a_planted_loader_is_found(planted):
    assert list(unsafe(planted))


@pytest.mark.parametrize(
    "harmless",
    [
        "import torch\ntorch.load(p, map_location='cpu', weights_only=True)", "network.eval()",
        "import numpy as np\nnp.load(p)", "import numpy as np\nnp.load(p, allow_pickle=False)",
        "import re\nre.compile(s)", "import torch\ntorch.compile(m)", "import yaml\nyaml.safe_load(s)",
        "import json\njson.loads(s)", "from safetensors.torch import load\nload(b)", "state.load(m)",
    ],
)  # fmt: skip
def test_what_is_harmless_is_not(harmless):
    assert list(unsafe(harmless)) == []
