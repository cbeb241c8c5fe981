"""500 random faults on a folder of checkpoints: each is found and named, and the last sound one is taken."""

import hashlib
import json
import logging
import os
import random
import shutil

import pytest
import torch
from small import picture_folder, small_arguments
from small import srbench as run_srbench

from srbench.checkpoint.format import HASHED, MANIFEST, Checkpoint
from srbench.checkpoint.read import read_checkpoint, read_latest
from srbench.checkpoint.write import prune, write_checkpoint
from srbench.errors import CheckpointError
from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record, write_record

SPEC, OTHER_SPEC = "ab" * 32, "cd" * 32
STEPS = (10, 20, 30)
FILES = (*HASHED, MANIFEST)
DEEP = b"[" * 100_000


def made(step):
    torch.manual_seed(step)
    weight = torch.randn(2, 3, 3, 3)
    model = {"r.weight": weight, "r.zero": torch.zeros(600)}
    state = {"raw.r.weight": weight + 1, "optimizer.r/r.weight/exp_avg": torch.randn(40).double()}
    return Checkpoint(step, model, state, {"progress": {"sums": {"r": step / 3}}, "scalers": {}})


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Three checkpoints of a run, and three of another."""
    root = tmp_path_factory.mktemp("pristine")
    for step in STEPS:
        write_checkpoint(root / "mine", made(step), SPEC)
        write_checkpoint(root / "other", made(step), OTHER_SPEC)
    return root


def away(path):
    """Remove a file, a folder or whatever an earlier fault made of it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def flip(draw, path):
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def cut(draw, path):
    os.truncate(path, draw.randrange(path.stat().st_size))


def zero(draw, path):
    """As a block that never reached the disk."""
    content = bytearray(path.read_bytes())
    start = draw.randrange(len(content))
    end = min(start + draw.choice((1, 16, 512, 4096)), len(content))
    content[start:end] = bytes(end - start)
    path.write_bytes(content)


def grow(draw, path):
    with path.open("ab") as file:
        file.write(draw.randbytes(draw.choice((1, 100, 5000))))


def grow_to_a_terabyte(draw, path):
    """Sparse: it takes no room on the disk, and more memory than there is."""
    os.truncate(path, draw.choice((1 << 36, 1 << 40)))


def write(content):
    def fault(draw, path):
        path.write_bytes(content)

    return fault


def random_bytes(draw, path):
    path.write_bytes(draw.randbytes(path.stat().st_size))


def huge_header(draw, path):
    path.write_bytes(draw.choice((1 << 62, 99_999_999, 1 << 20)).to_bytes(8, "little") + DEEP)


def to_folder(draw, path):
    path.unlink()
    path.mkdir()


def to_pipe(draw, path):
    path.unlink()
    os.mkfifo(path)


def to_endless_device(draw, path):
    path.unlink()
    path.symlink_to("/dev/zero")


def to_loop(draw, path):
    path.unlink()
    path.symlink_to(path.name)


def to_dangling_link(draw, path):
    path.unlink()
    path.symlink_to("nowhere")


def delete(draw, path):
    path.unlink()


def swap_within(draw, path):
    other = path.with_name(draw.choice([name for name in FILES if name != path.name]))
    if other.is_file():
        mine, theirs = path.read_bytes(), other.read_bytes()
        path.write_bytes(theirs)
        other.write_bytes(mine)


def swap_across(draw, path):
    other = draw.choice([one for one in path.parents[1].glob("step-*") if one != path.parent]) / path.name
    if other.is_file():
        mine, theirs = path.read_bytes(), other.read_bytes()
        path.write_bytes(theirs)
        other.write_bytes(mine)


def of_another_run(draw, path):
    other = path.parents[2] / "other" / path.parent.name / path.name
    path.write_bytes(other.read_bytes())


def manifest_that_agrees_with_garbage(draw, path):
    """Hashes that are right of files that mean nothing."""
    manifest = path.with_name(MANIFEST)
    name = draw.choice(HASHED)
    content = draw.choice((b"", DEEP, b"[1]", b'"x"', b"\xff\xfe\x00", (5).to_bytes(8, "little") + b"{[}]:"))
    path.with_name(name).write_bytes(content)
    stored = json.loads(manifest.read_bytes())
    stored["sha256"][name] = hashlib.sha256(content).hexdigest()
    manifest.write_text(json.dumps(stored))


def strange_manifest(draw, path):
    values = (
        [],
        3,
        None,
        {},
        {"schema": 1},
        {"schema": [1], "sha256": 3},
        {"schema": 1, "spec_sha256": SPEC},
    )
    path.with_name(MANIFEST).write_text(json.dumps(draw.choice(values)))


ON_A_FILE = (
    flip, flip, flip, cut, cut, zero, zero, grow, grow_to_a_terabyte, write(b""), write(DEEP), write(b"null"),
    write(b"\xff\xfe\xfa"), random_bytes, huge_header, to_folder, to_pipe, to_endless_device, to_loop,
    to_dangling_link, delete, delete, swap_within, swap_across, of_another_run,
    manifest_that_agrees_with_garbage, strange_manifest,
)  # fmt: skip


def folder_to_file(draw, folder):
    away(folder)
    folder.write_bytes(b"no folder")


def empty_folder(draw, folder):
    away(folder)
    folder.mkdir()


def copy_of_another(draw, folder):
    write_checkpoint(folder.parents[1] / "copied", made(draw.choice(STEPS)), SPEC)
    (other,) = (folder.parents[1] / "copied").iterdir()
    away(folder)
    other.rename(folder)


def link_to_another(draw, folder):
    other = draw.choice([one for one in folder.parent.glob("step-*") if one != folder])
    away(folder)
    folder.symlink_to(other.name)


def whole_other_run(draw, folder):
    away(folder)
    shutil.copytree(folder.parents[1] / "other" / folder.name, folder)


ON_A_FOLDER = (folder_to_file, empty_folder, copy_of_another, link_to_another, whole_other_run)


def content_of(folder):
    """Name → bytes where all four are plain files; else nothing equal to anything."""
    if not folder.is_dir():
        return None
    found = {}
    for name in FILES:
        path = folder / name
        if not path.is_file() or path.stat().st_size > 1 << 20:
            return None
        found[name] = path.read_bytes()
    return found


@pytest.mark.parametrize("block", range(10))
def test_each_of_500_random_faults_is_found_named_and_passed_over(pristine, tmp_path, block, caplog):
    """What is sound afterwards is known without srbench: a checkpoint whose bytes are as written."""
    logging.getLogger("srbench").propagate = True
    shutil.copytree(pristine / "other", tmp_path / "other")
    root = tmp_path / "mine"
    original = {step: content_of(pristine / "mine" / f"step-{step:08d}") for step in STEPS}
    for seed in range(block * 50, (block + 1) * 50):
        draw = random.Random(seed)
        if root.exists():
            shutil.rmtree(root)
        shutil.copytree(pristine / "mine", root)
        said = []
        for step in draw.sample(STEPS, draw.choice((1, 1, 1, 2, 3))):
            folder = root / f"step-{step:08d}"
            fault = draw.choice((*ON_A_FILE, *ON_A_FOLDER))
            said.append(f"{seed}: {fault.__name__} at {step}")
            path = folder / draw.choice(FILES)
            if fault in ON_A_FOLDER:
                fault(draw, folder)
            elif path.is_file() and not path.is_symlink():
                fault(draw, path)
        sound = [step for step in STEPS if content_of(root / f"step-{step:08d}") == original[step]]
        caplog.clear()
        if not sound:
            with pytest.raises(CheckpointError) as error:
                read_latest(root, SPEC, "my-run")
            assert all(f"step-{step:08d}: " in str(error.value) for step in STEPS), said
            assert "srbench runs rm my-run" in str(error.value)
            continue
        found = read_latest(root, SPEC, "my-run")
        assert found.step == max(sound), said
        expected = made(found.step)
        assert all(torch.equal(found.model[name], tensor) for name, tensor in expected.model.items())
        assert all(torch.equal(found.state[name], tensor) for name, tensor in expected.state.items())
        assert found.scalars == expected.scalars
        for step in STEPS:
            named = f"Checkpoint step-{step:08d} of my-run is damaged" in caplog.text
            assert named == (step > found.step), said
            assert not named or f"Resuming from step-{found.step:08d}" in caplog.text


@pytest.mark.parametrize("fault", ON_A_FILE[7:], ids=lambda one: one.__name__)
@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_fault_is_an_error_with_words_on_each_file(pristine, tmp_path, fault, name):
    shutil.copytree(pristine, tmp_path / "all")
    folder = tmp_path / "all" / "mine" / "step-00000030"
    before = content_of(folder)
    fault(random.Random(1), folder / name)
    if content_of(folder) != before:
        with pytest.raises(CheckpointError, match=r"\w"):
            read_checkpoint(folder, SPEC)


def test_damaged_checkpoints_do_not_push_out_what_is_saved_after_them(pristine, tmp_path):
    """Else a run that is stopped often would never come past them."""
    root = tmp_path / "mine"
    shutil.copytree(pristine / "mine", root)
    for step in (20, 30):
        (root / f"step-{step:08d}" / MANIFEST).unlink()
    write_checkpoint(root, made(15), SPEC)
    prune(root, keep=2, best=10)
    assert read_latest(root, SPEC, "run").step == 15
    assert sorted(path.name for path in root.iterdir()) == ["step-00000010", "step-00000015"]


@pytest.mark.parametrize("name", ["step-00000040", ".step-00000040.tmp"])
def test_a_file_in_the_way_of_a_checkpoint_does_not_stop_it(pristine, tmp_path, name):
    root = tmp_path / "mine"
    shutil.copytree(pristine / "mine", root)
    (root / name).write_bytes(b"")
    assert write_checkpoint(root, made(40), SPEC).is_dir()
    prune(root, keep=1, best=None)
    assert [path.name for path in root.iterdir()] == ["step-00000040"]


# Through the command line


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A store with a run of 6 steps, and what the same run of 8 steps ends with."""
    root = tmp_path_factory.mktemp("trained")
    pictures = picture_folder(root / "pictures")
    with pytest.MonkeyPatch.context() as patch:
        for steps, folder in ((6, "store"), (8, "whole")):
            more = ("--steps", str(steps), "--eval-every", "2", "--save-every", "0")
            assert run_srbench(small_arguments(pictures, root / folder, *more), patch) == 0
    return root


def again(trained, store, patch, *more):
    more = ("--steps", "8", "--eval-every", "2", "--save-every", "0", *more)
    return run_srbench(small_arguments(trained / "pictures", store, *more), patch)


def newest_first(store):
    return sorted(store.glob("lapsrn*/checkpoints/step-*"), reverse=True)


@pytest.mark.parametrize("seed", range(12))
def test_a_run_with_a_damaged_checkpoint_ends_with_the_bits_of_a_whole_one(
    trained, tmp_path, monkeypatch, capsys, seed
):
    draw = random.Random(seed)
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    newest, *_ = newest_first(store)
    fault = draw.choice([one for one in ON_A_FILE if one not in (of_another_run, swap_across, zero)])
    fault(draw, newest / draw.choice(FILES))
    assert again(trained, store, monkeypatch) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"Checkpoint {newest.name} of" in said
    assert "Traceback" not in said
    assert hashes(store) == hashes(trained / "whole")


def test_with_no_sound_checkpoint_left_the_run_is_not_started_over(trained, tmp_path, monkeypatch, capsys):
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    for folder in newest_first(store):
        cut(random.Random(0), folder / MANIFEST)
    assert again(trained, store, monkeypatch) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "No checkpoint of lapsrn" in said
    assert "is sound" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("how", ["deleted", "a file"])
def test_checkpoints_that_vanished_are_missed(trained, tmp_path, monkeypatch, capsys, how):
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    (folder,) = store.glob("lapsrn*/checkpoints")
    shutil.rmtree(folder)
    if how == "a file":
        folder.touch()
    assert again(trained, store, monkeypatch) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "was trained to step 6, and" in said
    assert "holds no checkpoint" in said


def test_a_newest_checkpoint_that_was_deleted_is_missed_by_name(trained, tmp_path, monkeypatch, capsys):
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    shutil.rmtree(newest_first(store)[0])
    assert again(trained, store, monkeypatch) == 0
    assert "The checkpoint of step 6" in " ".join(capsys.readouterr().err.split())
    assert hashes(store) == hashes(trained / "whole")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", DEEP), ("run.json", b"[]"), ("run.json", b"\xff\xfe"), ("run.json", b'{"schema":"x"}'),
        ("summary.json", DEEP), ("summary.json", b"3"), ("history.jsonl", b"\xff\xff\n"),
        ("history.jsonl", b"[]\n"),
        ("timings.jsonl", DEEP), ("scores.parquet", DEEP), ("run.lock.json", b"[]"),
        ("summary.json", None), ("history.jsonl", None),
    ],
)  # fmt: skip
def test_a_damaged_file_beside_the_checkpoints_is_named_or_made_anew(
    trained, tmp_path, monkeypatch, capsys, name, content
):
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    (run,) = store.glob("lapsrn*")
    if content is None:  # a pipe, which would be waited for without end
        (run / name).unlink()
        os.mkfifo(run / name)
    else:
        (run / name).write_bytes(content)
    code = again(trained, store, monkeypatch)
    said = capsys.readouterr().err.replace("\n", "")
    assert "Traceback" not in said
    assert code == 0 or str(run / name) in said
    assert name not in ("history.jsonl", "run.json", "scores.parquet") or str(run / name) in said
    run_srbench(["runs", "--results", str(store)], monkeypatch)
    run_srbench(["table", "--results", str(store)], monkeypatch)


def test_a_specification_that_is_none_is_named(trained, tmp_path, monkeypatch, capsys):
    store = tmp_path / "store"
    shutil.copytree(trained / "store", store)
    (run,) = store.glob("lapsrn*")
    paths = RunPaths(run)
    record = read_record(paths)
    write_record(paths, type(record)(**{**vars(record), "spec": {**record.spec, "scale": "many"}}))
    assert run_srbench(["eval", paths.id, "--metric", "psnr", "--results", str(store)], monkeypatch) == 1
    assert "A stored specification is damaged (scale:" in " ".join(capsys.readouterr().err.split())
