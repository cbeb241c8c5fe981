"""`srbench gc`: what goes, what never does, and that it is said first."""

import json

import pytest
import typer
from stored import lapsrn, store
from typer.testing import CliRunner

from srbench.checkpoint.format import HASHED, MANIFEST, STATE_JSON, folder_name, folders
from srbench.checkpoint.garbage import find_garbage, remove_garbage
from srbench.cli.checkpoint import size_text
from srbench.cli.gc import gc
from srbench.errors import CheckpointError, RunLockedError, UsageError
from srbench.files import sha256_file
from srbench.store.lock import run_lock

app = typer.Typer()
app.command()(gc)


def checkpoint(paths, step, best):
    """What a folder has without its tensors: files with hashes, and which step was the best."""
    folder = paths.checkpoints / folder_name(step)
    folder.mkdir(parents=True)
    for name in HASHED:
        (folder / name).write_text(f"{name} {step}")
    (folder / STATE_JSON).write_text(json.dumps({"progress": {"best": {"step": best}}}))
    hashes = {name: sha256_file(folder / name) for name in HASHED}
    (folder / MANIFEST).write_text(json.dumps({"sha256": hashes}))
    return folder


def run_with(tmp_path, steps=(200, 600, 900, 1000), best=600, **record):
    paths = store(tmp_path, lapsrn(), **record)
    for step in steps:
        checkpoint(paths, step, best)
    return paths


def steps_of(paths):
    return [step for step, _ in folders(paths.checkpoints)]


def invoke(root, *arguments):
    return CliRunner().invoke(app, ["--results", str(root), *arguments])


def test_last_and_best_stay_and_what_goes_is_said(tmp_path):
    paths = run_with(tmp_path)
    going = [path for step in (200, 900) for path in (paths.checkpoints / folder_name(step)).iterdir()]
    size = sum(path.stat().st_size for path in going)
    result = invoke(tmp_path, "--yes")
    assert result.exit_code == 0
    assert f"{lapsrn().id}: steps 200 and 900, {size_text(size)}\nFreed {size_text(size)}.\n" == result.stdout
    assert steps_of(paths) == [600, 1000]
    assert invoke(tmp_path, "--yes").stdout == "Nothing can go.\n"


def test_the_best_goes_where_the_last_alone_is_kept(tmp_path):
    paths = run_with(tmp_path)
    assert invoke(tmp_path, "--keep", "last", "--yes").exit_code == 0
    assert steps_of(paths) == [1000]


def test_a_dry_run_and_a_no_remove_nothing(tmp_path):
    paths = run_with(tmp_path)
    result = invoke(tmp_path, "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[-1].endswith("of 1 run would go.")) == (0, True)
    refused = invoke(tmp_path)
    assert isinstance(refused.exception, UsageError)
    assert "Add --yes" in str(refused.exception)
    assert steps_of(paths) == [200, 600, 900, 1000]


@pytest.mark.parametrize("status", ["running", "interrupted", "failed"])
def test_a_run_that_is_not_done_keeps_everything(tmp_path, status):
    paths = run_with(tmp_path, status=status)
    (paths.checkpoints / ".step-00000950.tmp").mkdir()
    assert find_garbage(paths, "last") is None


def test_a_run_that_is_worked_on_is_left_alone_whenever_that_began(tmp_path):
    paths = run_with(tmp_path)
    garbage = find_garbage(paths, "best")
    with run_lock(paths):
        assert find_garbage(paths, "best") is None
        with pytest.raises(RunLockedError):
            remove_garbage(garbage, "best")
    assert steps_of(paths) == [200, 600, 900, 1000]


def test_a_run_that_went_on_meanwhile_is_looked_at_anew(tmp_path):
    paths = run_with(tmp_path)
    garbage = find_garbage(paths, "best")
    checkpoint(paths, 2000, best=900)
    remove_garbage(garbage, "best")
    assert steps_of(paths) == [900, 2000]


def test_nothing_goes_where_the_last_one_is_damaged(tmp_path):
    """The one before it is what the run would go on from."""
    paths = run_with(tmp_path)
    (paths.checkpoints / folder_name(1000) / HASHED[0]).write_text("cut")
    with pytest.raises(CheckpointError, match="its last checkpoint step-00001000 is damaged"):
        remove_garbage(find_garbage(paths, "best"), "best")
    result = invoke(tmp_path, "--yes")
    assert (result.exit_code, "Freed 0 B" in result.stdout) == (1, True)
    assert steps_of(paths) == [200, 600, 900, 1000]


def test_leftovers_go_but_for_one_whose_successor_is_not_whole(tmp_path):
    paths = run_with(tmp_path, steps=(1000,), best=1000)
    temporary, aside = paths.checkpoints / ".step-00000950.tmp", paths.checkpoints / ".step-00001000.old"
    needed = paths.checkpoints / ".step-00000500.old"
    for folder in (temporary, aside, needed):
        folder.mkdir()
        (folder / "model").write_text("x")
    result = invoke(tmp_path, "--yes")
    assert "2 leftovers, 2 B" in result.stdout
    assert (temporary.exists(), aside.exists(), needed.exists()) == (False, False, True)
