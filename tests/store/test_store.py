"""The store: whole files or none, one process a run, and clear words where something is wrong."""

import json
import os
import subprocess
import sys
import time

import pytest

from srbench.errors import RunLockedError, StoreError, UsageError
from srbench.files import write_atomic, write_json
from srbench.store.history import append_line, read_lines, truncate
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, run_lock
from srbench.store.runs import (
    RunRecord,
    StoredRun,
    current_status,
    find_run,
    list_runs,
    read_record,
    remove_run,
    write_record,
)
from srbench.store.scores import Score, read_scores, write_scores
from srbench.store.summary import write_summary


@pytest.fixture
def paths(tmp_path):
    return RunPaths(tmp_path / "lapsrn-x4-0123456789")


def hold(paths):
    """A process of its own that holds the run until its input ends."""
    code = (
        "import sys; from pathlib import Path; from srbench.store.layout import RunPaths\n"
        "from srbench.store.lock import run_lock\n"
        "with run_lock(RunPaths(Path(sys.argv[1]))): print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(paths.directory)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_holds_the_run_and_a_dead_one_holds_nothing(paths):
    write_record(paths, RunRecord(paths.id, {}))
    process = hold(paths)
    with (
        pytest.raises(RunLockedError, match=f"is being worked on by process {process.pid} on "),
        run_lock(paths),
    ):
        pass
    assert is_locked(paths)
    process.kill()
    process.communicate()
    assert not is_locked(paths)
    with run_lock(paths):
        assert json.loads(paths.lock_owner.read_text())["pid"]


def test_a_run_that_wrote_nothing_leaves_nothing(paths):
    with run_lock(paths):
        pass
    assert not paths.directory.exists()


def test_a_folder_that_lost_its_run_json_keeps_everything_else(paths):
    paths.checkpoints.mkdir(parents=True)
    with pytest.raises(ZeroDivisionError), run_lock(paths):
        1 / 0  # noqa: B018
    assert paths.checkpoints.exists()


def test_a_running_run_without_a_process_was_interrupted(paths):
    write_record(paths, RunRecord(paths.id, {}, status="running"))
    run = find_run(paths.directory.parent, "lapsrn")
    assert current_status(run) == "interrupted"
    process = hold(paths)
    assert current_status(run) == "running"
    with pytest.raises(StoreError, match="is being worked on and is not removed"):
        remove_run(run)
    process.communicate()
    remove_run(run)
    assert not paths.directory.exists()


def test_run_json_comes_back_and_keeps_the_time_of_its_start(paths):
    write_record(paths, RunRecord(paths.id, {"scale": 4}, step=3, budget=9, provenance={"started": "then"}))
    first = read_record(paths)
    write_record(paths, first)
    assert read_record(paths).provenance["started"] == "then"
    assert first.provenance["updated"] > "2026"
    assert (first.spec, first.step, first.budget) == ({"scale": 4}, 3, 9)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 1}', '{"schema": 99}'])
def test_a_damaged_run_json_is_named_and_the_other_runs_are_listed(paths, content):
    write_record(paths, RunRecord(paths.id, {}))
    other = RunPaths(paths.directory.parent / "other")
    write_json(other.run, {})
    other.run.write_text(content)
    runs, errors = list_runs(paths.directory.parent)
    assert [run.id for run in runs] == [paths.id]
    assert str(other.run) in str(errors[0])


def test_a_unique_prefix_is_enough(paths):
    root = paths.directory.parent
    for name in ("lapsrn-a", "lapsrn-b", "lapsrn-bb"):
        write_record(RunPaths(root / name), RunRecord(name, {}))
    assert find_run(root, "lapsrn-a").id == "lapsrn-a"
    assert find_run(root, "lapsrn-b").id == "lapsrn-b"
    with pytest.raises(UsageError, match="'lapsrn' could be any of 3 runs: lapsrn-a, lapsrn-b, lapsrn-bb"):
        find_run(root, "lapsrn")
    with pytest.raises(UsageError, match="No run in .* starts with 'lapsm'"):
        find_run(root, "lapsm")


def test_no_name_names_no_run(paths):
    """Not the only one either: `srbench runs rm ""` must not remove it."""
    write_record(paths, RunRecord(paths.id, {}))
    with pytest.raises(UsageError, match="No run in .* starts with ''"):
        find_run(paths.directory.parent, "")


def test_history_is_cut_back_to_a_step_and_forgives_a_torn_last_line(tmp_path):
    path = tmp_path / "history.jsonl"
    for step in (2, 4, 6):
        append_line(path, {"step": step, "loss": {"r": 1 / step}})
    with path.open("a") as file:
        file.write('{"step": 8, "lo')
    assert [line["step"] for line in read_lines(path)] == [2, 4, 6]
    truncate(path, 4)
    assert path.read_text() == '{"loss":{"r":0.5},"step":2}\n{"loss":{"r":0.25},"step":4}\n'
    truncate(tmp_path / "none.jsonl", 4)
    assert not (tmp_path / "none.jsonl").exists()


def score(value, image="cat"):
    return Score(6, "set5", "ab" * 32, image, "r", 4, 4, "psnr", value, "1234abcd")


def test_scores_come_back_and_their_means_leave_out_what_is_infinite(paths):
    scores = [score(30.0, "a"), score(32.0, "b"), score(float("inf"), "c"), score(float("nan"), "d")]
    metrics = {"psnr": {"better": "higher", "unit": "dB"}}
    protocols = {"1234abcd": {"border": 4}}
    write_scores(paths, scores, protocols)
    summary = write_summary(paths, scores, protocols, metrics, {"lpips:net=alex": "no weights"})
    found, protocols = read_scores(paths)
    assert [repr(one) for one in found] == [repr(one) for one in scores]
    assert protocols == {"1234abcd": {"border": 4}}
    assert summary == json.loads(paths.summary.read_text())
    (row,) = summary["scores"]
    assert (row["mean"], row["n"], row["left_out"], row["better"]) == (31.0, 2, 2, "higher")
    assert row["ci_low"] == 30.0
    assert row["ci_high"] == 32.0


def test_a_damaged_score_file_is_named(paths):
    write_scores(paths, [score(30.0)], {})
    paths.scores.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(
        StoreError, match=r"scores.parquet cannot be read .*Remove it and run the same command again"
    ):
        read_scores(paths)


def test_a_folder_that_cannot_be_written_is_named_and_leaves_the_old_file(tmp_path):
    (tmp_path / "results").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be written .*--results DIR"):
        write_atomic(tmp_path / "results" / "run.json", b"{}")
    with (
        pytest.raises(StoreError, match="cannot be written"),
        run_lock(RunPaths(tmp_path / "results" / "run")),
    ):
        pass


def test_an_atomic_write_leaves_no_temporary(tmp_path):
    write_atomic(tmp_path / "a.json", b"1")
    write_atomic(tmp_path / "a.json", b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert (tmp_path / "a.json").read_bytes() == b"2"


def test_status_of_a_finished_run_is_kept(paths):
    write_record(paths, RunRecord(paths.id, {}, status="done"))
    run = StoredRun(paths, read_record(paths), None)
    assert current_status(run) == "done"


def test_what_a_killed_process_left_half_written_is_swept_and_what_is_new_is_not(paths):
    paths.directory.mkdir()
    old, new = (paths.directory / f".run.json.{name}.tmp" for name in ("old", "new"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    with run_lock(paths):
        assert not old.exists()
        assert new.exists()
