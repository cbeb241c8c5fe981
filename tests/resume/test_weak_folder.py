"""Results on a mounted drive: renames that copy, syncing and locks that do nothing or fail, kills in between.

The drive is emulated (weak.py): what it stands for needs a network and an account.
"""

import errno
import logging
import random
import re
import shlex
import shutil
from pathlib import Path

import pytest
from small import picture_folder, small_arguments, srbench
from weak import Drives

from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.store.lock import run_lock

EVERY = ("--eval-every", "2", "--save-every", "0")


@pytest.fixture(scope="module")
def drives():
    with Drives() as made:
        yield made


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def whole(drives, pictures, tmp_path_factory):
    """A store on a sound disk."""
    results = tmp_path_factory.mktemp("whole")
    assert drives.run(small_arguments(pictures, results, *EVERY), Path("/nowhere"), flock=None).code == 0
    return results


def run(drives, pictures, results, **how):
    end = drives.run(small_arguments(pictures, results, *EVERY), results, **how)
    assert "Traceback" not in end.said
    return end


WEAKNESSES = {
    "copies": {},
    "copies backwards, late": {"backwards": True, "late": True},
    "no sync, no permissions": {"fsync": errno.EINVAL, "chmod": errno.EPERM},
    "no sync, no locks": {"fsync": errno.ENOSYS, "flock": errno.ENOSYS},
    "locks out of order": {"fsync": errno.ENOTSUP, "flock": errno.ENOLCK},
}


@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_a_weak_drive_ends_with_the_bits_of_a_sound_one(drives, pictures, tmp_path, whole, weakness):
    results = tmp_path / "results"
    end = run(drives, pictures, results, **WEAKNESSES[weakness])
    assert end.code == 0, end.said
    assert end.points > 100
    assert hashes(results) == hashes(whole)
    said_so = end.said.count("has no locks")
    assert said_so == ("locks" in weakness)
    assert end.said.count("WARNING") == said_so
    again = run(drives, pictures, results, **WEAKNESSES[weakness])
    assert "Nothing to do" in again.said


def test_a_drive_that_breaks_is_no_weak_one(drives, pictures, tmp_path):
    end = run(drives, pictures, tmp_path / "results", fsync=errno.EIO)
    assert end.code == 1
    assert "cannot be written (Input/output error)" in end.said


def goes_on(drives, pictures, results, whole, **how):
    """The same line until it is done, as a user would; a first checkpoint that was cut off is told of."""
    end = run(drives, pictures, results, **how)
    if end.code == 1:
        (folder,) = results.glob("lapsrn*")
        assert f"No checkpoint of {folder.name} is sound (step-00000000: " in end.said
        assert f"remove the run (srbench runs rm {folder.name}) to train it again from the start" in end.said
        assert len(list(folder.glob("checkpoints/step-*"))) == 1
        line = ["runs", "rm", folder.name, "--yes", "--results", str(results)]
        assert drives.run(line, results, **how).code == 0
        end = run(drives, pictures, results, **how)
    assert end.code == 0, end.said
    assert hashes(results) == hashes(whole)


@pytest.mark.parametrize(
    ("seed", "how"),
    [
        (1, {"flock": errno.ENOSYS, "fsync": errno.EINVAL}), (2, {"backwards": True}),
        (3, {"flock": None, "late": True}),
    ],
)  # fmt: skip
def test_killed_within_renames_several_times_ends_with_the_same_bits(
    drives, pictures, tmp_path, whole, seed, how
):
    draw, results, kills = random.Random(seed), tmp_path / "results", 0
    for _ in range(5):
        end = run(drives, pictures, results, kill_at=draw.randrange(1, 80), **how)
        assert end.code in (-9, 0, 1)
        kills += end.code == -9
    assert kills >= 3
    goes_on(drives, pictures, results, whole, **how)


@pytest.mark.slow
@pytest.mark.parametrize("backwards", [False, True])
def test_killed_at_any_point_of_any_rename(drives, pictures, tmp_path, whole, backwards):
    points = run(drives, pictures, tmp_path / "count", backwards=backwards).points
    for point in range(1, points + 1):
        results = tmp_path / str(point)
        end = run(drives, pictures, results, kill_at=point, backwards=backwards)
        assert end.code == -9
        goes_on(drives, pictures, results, whole, backwards=backwards)
        shutil.rmtree(results)


# What is left of a rename that was cut off


@pytest.mark.parametrize(
    ("name", "whole_of_it"),
    [
        ("run.json", b'{\n "id": "x"\n}\n'), ("summary.json", b'{\n "scores": []\n}\n'),
        ("history.jsonl", b'{"step":1}\n{"step":2}\n'), ("scores.parquet", b"PAR1 rows PAR1"),
    ],
)  # fmt: skip
def test_a_file_cut_short_is_finished_from_the_whole_beside_it(tmp_path, caplog, name, whole_of_it):
    logging.getLogger("srbench").propagate = True
    paths = RunPaths(tmp_path / "run")
    paths.directory.mkdir()
    file, left = paths.directory / name, paths.directory / f".{name}.ab12_xyz.tmp"
    for length in (None, 0, 1, len(whole_of_it) - 1):
        if name == "summary.json" and length is None:
            continue
        file.unlink(missing_ok=True)
        left.write_bytes(whole_of_it)
        if length is not None:
            file.write_bytes(whole_of_it[:length])
        with run_lock(paths):
            assert file.read_bytes() == whole_of_it
            assert not left.exists()
        assert f"{file} was cut short" in caplog.text
    for sound in (whole_of_it, b"{}\n", b"something else"):
        file.write_bytes(sound)
        for content in (whole_of_it[:5], whole_of_it, b"{}"):
            left.write_bytes(content)
            with run_lock(paths):
                assert file.read_bytes() == sound


def test_a_summary_that_was_taken_away_stays_away(tmp_path):
    """Its own error says to remove it: an old whole one beside it must not come back."""
    paths = RunPaths(tmp_path / "run")
    paths.directory.mkdir()
    (paths.directory / ".summary.json.ab12_xyz.tmp").write_text("{}\n")
    with run_lock(paths):
        assert not paths.summary.exists()


def test_a_temporary_file_that_is_itself_cut_short_is_not_taken_for_the_file(tmp_path):
    paths = RunPaths(tmp_path / "run")
    paths.directory.mkdir()
    left = [paths.directory / f".{name}.ab12_xyz.tmp" for name in ("run.json", "scores.parquet", "cost.json")]
    for path in left:
        path.write_bytes(b'{"id":')
    with run_lock(paths):
        assert not paths.run.exists()
        assert not paths.scores.exists()
        assert not paths.cost.exists()


# What cannot be made good is said


def again(pictures, results, monkeypatch, capsys):
    assert srbench(small_arguments(pictures, results, *EVERY, "--steps", "8"), monkeypatch) == 0
    return " ".join(capsys.readouterr().err.split())


def test_lines_of_history_that_are_lost_are_said(pictures, tmp_path, whole, monkeypatch, capsys):
    results = tmp_path / "results"
    shutil.copytree(whole, results)
    (history,) = results.glob("lapsrn*/history.jsonl")
    lines = history.read_bytes().splitlines(keepends=True)
    history.write_bytes(lines[0] + lines[1][:20])
    said = again(pictures, results, monkeypatch, capsys)
    assert "history.jsonl ends at step 2, and the checkpoint was evaluated up to step 6" in said
    assert history.read_bytes().startswith(lines[0] + b'{"detail"')
    assert history.read_bytes().endswith(b'"step":8}\n')


@pytest.mark.parametrize("how", ["gone", "damaged and taken away, as is said"])
def test_a_run_goes_on_without_its_run_json_and_says_what_is_not_promised(
    pictures, tmp_path, whole, monkeypatch, capsys, how
):
    results = tmp_path / "results"
    shutil.copytree(whole, results)
    (record,) = results.glob("lapsrn*/run.json")
    if how != "gone":
        record.write_bytes(b'{"id": "cut')
        assert srbench(small_arguments(pictures, results, *EVERY), monkeypatch) == 1
        said = " ".join(capsys.readouterr().err.split())
        assert "or remove it: the srbench run command that began this run then goes on from its last" in said
    record.unlink()
    said = again(pictures, results, monkeypatch, capsys)
    assert "has checkpoints and no run.json" in said
    assert "the same bits are not promised" in said
    assert max(record.parent.glob("checkpoints/step-*")).name == "step-00000008"
    history = (record.parent / "history.jsonl").read_text()
    (before,) = whole.glob("lapsrn*/history.jsonl")
    assert history.startswith(before.read_text())


# docs/colab.md

PAGE = (Path(__file__).parents[2] / "docs" / "colab.md").read_text(encoding="utf-8")


def lines_of_the_page():
    return [shlex.split(line)[1:] for line in re.findall(r"^!(srbench .*)$", PAGE, re.M)]


def test_the_lines_of_the_page_can_be_typed(tmp_path, monkeypatch, capsys):
    lines = lines_of_the_page()
    assert [line[0] for line in lines] == ["run", "runs", "table", "plot"]
    monkeypatch.setenv("SRBENCH_RESULTS", str(tmp_path))
    lines[0][lines[0].index("cuda")] = "cpu"  # it is refused where there is none, as the page says
    assert srbench([*lines[0], "--dry-run"], monkeypatch) == 0
    assert "budget 200,000 steps" in capsys.readouterr().out
    for line in lines[1:3]:
        assert srbench(line, monkeypatch) == 0


def test_the_curves_of_the_page_are_drawn(whole, tmp_path, monkeypatch):
    line = lines_of_the_page()[-1]
    (figure,) = (word for word in line if word.startswith("/content/"))
    assert f'Image("{figure}")' in PAGE
    line[line.index(figure)] = str(tmp_path / "curves.png")
    monkeypatch.setenv("SRBENCH_RESULTS", str(whole))
    assert srbench(line, monkeypatch) == 0
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
