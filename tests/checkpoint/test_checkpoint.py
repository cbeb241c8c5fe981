"""Checkpoints: what is written comes back bit for bit; damage of any kind is found, named, passed over."""

import json
import logging
import re
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from srbench.checkpoint.format import HASHED, MANIFEST, Checkpoint, folders
from srbench.checkpoint.read import read_checkpoint, read_latest
from srbench.checkpoint.write import finish_replacing, prune, write_checkpoint
from srbench.errors import CheckpointError, NewerError

SPEC = "ab" * 32


def made(step: int) -> Checkpoint:
    torch.manual_seed(step)
    weight = torch.randn(4, 3, 3, 3).to(memory_format=torch.channels_last)
    model = {"r.weight": weight, "r.empty": torch.empty(0), "r.count": torch.tensor(step)}
    state = {"raw.r.weight": weight, "optimizer.r/r.weight/exp_avg": torch.randn(4, 3, 3, 3).double()}
    return Checkpoint(step, model, state, {"progress": {"sums": {"r": 1 / 3}}})


@pytest.fixture
def root(tmp_path):
    for step in (10, 20, 30):
        write_checkpoint(tmp_path, made(step), SPEC)
    return tmp_path


def test_what_is_written_comes_back_bit_for_bit(root):
    found = read_latest(root, SPEC, "run")
    expected = made(30)
    assert found.step == 30
    assert found.scalars == expected.scalars
    for stored, tensors in ((found.model, expected.model), (found.state, expected.state)):
        assert set(stored) == set(tensors)
        for name, tensor in tensors.items():
            assert stored[name].dtype == tensor.dtype
            assert torch.equal(stored[name], tensor)


def test_equal_state_gives_equal_files(root, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_checkpoint(other, made(30), SPEC)
    assert (other / "step-00000030" / MANIFEST).read_bytes() == (
        root / "step-00000030" / MANIFEST
    ).read_bytes()


def test_there_may_be_none(tmp_path):
    assert read_latest(tmp_path / "nothing", SPEC, "run") is None


@given(st.sampled_from([*HASHED, MANIFEST]), st.sampled_from(["flip", "cut", "empty", "delete"]), st.data())
def test_any_damage_is_found_named_and_passed_over(tmp_path_factory, name, damage, data):
    root = tmp_path_factory.mktemp("checkpoints")
    for step in (10, 20):
        write_checkpoint(root, made(step), SPEC)
    path = root / "step-00000020" / name
    content = bytearray(path.read_bytes())
    if damage == "flip":
        position = data.draw(st.integers(0, len(content) - 1))
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    elif damage == "empty":
        content = bytearray()
    path.write_bytes(content)
    if damage == "delete":
        path.unlink()
    if name == MANIFEST and re.match(rb'\{"schema":[359],', content):
        # One bit makes a 3, 5 or 9 of 1, and a newer srbench's checkpoint must not be passed over.
        with pytest.raises(NewerError):
            read_latest(root, SPEC, "my-run")
        return
    found = read_latest(root, SPEC, "my-run")
    assert found.step == 10
    with pytest.raises(CheckpointError):
        read_checkpoint(root / "step-00000020", SPEC)


def test_a_damaged_checkpoint_is_named_with_what_going_back_costs(root, caplog):
    (root / "step-00000030/state.json").write_text("{}")
    logging.getLogger("srbench").propagate = True
    read_latest(root, SPEC, "my-run")
    assert "Checkpoint step-00000030 of my-run is damaged (SHA-256 of state.json differs)" in caplog.text
    assert "Resuming from step-00000020; 10 steps are trained again." in caplog.text


def test_files_of_another_step_are_not_taken_for_their_own(root):
    shutil.copy(root / "step-00000010/model.safetensors", root / "step-00000030/model.safetensors")
    with pytest.raises(CheckpointError, match="SHA-256 of model.safetensors differs"):
        read_checkpoint(root / "step-00000030", SPEC)
    shutil.rmtree(root / "step-00000030")
    shutil.copytree(root / "step-00000010", root / "step-00000030")
    with pytest.raises(CheckpointError, match="its step differs from its name"):
        read_checkpoint(root / "step-00000030", SPEC)


def test_a_checkpoint_of_another_run_is_refused(root):
    with pytest.raises(CheckpointError, match="No checkpoint of my-run is sound .*other settings"):
        read_latest(root, "cd" * 32, "my-run")


def test_a_newer_format_is_refused(root):
    path = root / "step-00000030" / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(
        NewerError, match="written by a newer srbench: its format is 99, and this one reads 1"
    ):
        read_checkpoint(root / "step-00000030", SPEC)


def test_none_sound_says_so_and_what_to_do(root):
    for _, folder in folders(root):
        (folder / MANIFEST).unlink()
    with pytest.raises(CheckpointError, match=r"No checkpoint of my-run is sound .*srbench runs rm my-run"):
        read_latest(root, SPEC, "my-run")


def test_an_unfinished_write_is_no_checkpoint_and_is_swept(root):
    (root / ".step-00000040.tmp").mkdir()
    assert read_latest(root, SPEC, "run").step == 30
    prune(root, keep=2, best=10)
    assert sorted(path.name for path in root.iterdir()) == [f"step-000000{n}" for n in (10, 20, 30)]
    prune(root, keep=1, best=None)
    assert [path.name for path in root.iterdir()] == ["step-00000030"]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("cut", ["moved aside", "half in place", "in place"])
def test_killed_while_one_step_is_saved_anew_there_is_a_sound_one(tmp_path, cut):
    """The same step, before and after it was evaluated."""
    folder = write_checkpoint(tmp_path, made(10), SPEC)
    before, aside = files_of(folder), tmp_path / ".step-00000010.old"
    changed = made(10)
    changed.scalars["progress"]["sums"] = {}
    after = files_of(write_checkpoint(tmp_path, changed, SPEC))
    assert after != before
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]

    shutil.copytree(folder, aside)
    for name, content in before.items():
        (aside / name).write_bytes(content)
    if cut == "moved aside":
        shutil.rmtree(folder)
    elif cut == "half in place":
        (folder / MANIFEST).unlink()
    finish_replacing(tmp_path, SPEC)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000010"]
    assert files_of(folder) == (after if cut == "in place" else before)
