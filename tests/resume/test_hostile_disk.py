"""A full or read-only disk, a run that is taken away while it trains, and two processes at one moment."""

import importlib
import shutil
import subprocess
import sys

import pytest
from small import picture_folder, small_arguments, srbench

from srbench.prove.hashes import hashes

EVERY = ("--eval-every", "2", "--save-every", "0")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


def arguments(pictures, results):
    return small_arguments(pictures, results, *EVERY)


@pytest.fixture(scope="module")
def finished(pictures, tmp_path_factory):
    """A store with the whole run, never disturbed."""
    results = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        assert srbench(arguments(pictures, results), patch) == 0
    return results


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def at_call(monkeypatch, place, nth, action):
    """Do something to the disk right before the n-th call of a function of srbench."""
    module, _, name = place.partition(":")
    owner = importlib.import_module(module)
    *classes, name = name.split(".")
    for one in classes:
        owner = getattr(owner, one)
    original, calls = getattr(owner, name), 0

    def called(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == nth:
            action()
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, called)


def fill(disk):
    """Until not a byte is free."""
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    assert shutil.disk_usage(disk).free == 0


def said(capsys):
    text = capsys.readouterr().err
    assert "Traceback" not in text
    return " ".join(text.split())


PLACES = {
    "from the start": ("srbench.executors.local:run_lock", 1),
    "the first record": ("srbench.train.journal:write_record", 1),
    "the first checkpoint": ("srbench.train.journal:write_checkpoint", 1),
    "a later checkpoint": ("srbench.train.journal:write_checkpoint", 3),
    "the record of a checkpoint": ("srbench.train.journal:write_record", 4),
    "history": ("srbench.train.journal:append_line", 3),
    "scores": ("srbench.evaluate:write_scores", 2),
    "summary": ("srbench.evaluate:write_summary", 2),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_disk_that_fills_up_is_named_and_once_freed_the_same_line_ends_with_the_same_bits(
    pictures, disk, finished, monkeypatch, capsys, place
):
    results = disk / "results"
    results.mkdir()
    with monkeypatch.context() as patch:
        at_call(patch, *PLACES[place], lambda: fill(disk))
        assert srbench(arguments(pictures, results), patch) == 1
    assert "cannot be written (No space left on device). Free some space" in said(capsys)
    (disk / "ballast").unlink()
    assert srbench(arguments(pictures, results), monkeypatch) == 0
    assert hashes(results) == hashes(finished)
    assert not [path for path in results.rglob("*.tmp") if path.is_dir()]


def test_a_finished_store_can_be_looked_at_on_a_read_only_disk(
    pictures, disk, finished, tmp_path, monkeypatch, capsys
):
    results = disk / "results"
    shutil.copytree(finished, results)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    (run,) = results.glob("lapsrn*")
    for line in (
        ("table",), ("runs",), ("checkpoint", "list"), ("checkpoint", "verify"),
        ("checkpoint", "export", run.name, "-o", str(tmp_path / "out.safetensors")),
    ):  # fmt: skip
        assert srbench([*line, "--results", str(results)], monkeypatch) == 0, line
        out, err = capsys.readouterr()
        assert out
        assert not err
    for line in (
        arguments(pictures, results),
        ["eval", run.name, "--metric", "ssim", "--results", str(results)],
        ["runs", "rm", run.name, "--yes", "--results", str(results)],
    ):
        assert srbench(line, monkeypatch) == 1
        assert "Read-only file system" in said(capsys)
    assert hashes(results) == hashes(finished)


def rename_run(results):
    (run,) = results.glob("lapsrn*")
    run.rename(results.parent / "away")
    return lambda: (results.parent / "away").rename(run)


def rename_store(results):
    results.rename(results.parent / "away")
    return lambda: (results.parent / "away").rename(results)


TRAINING = ("srbench.train.step:TrainStep.__call__", 6)
SAVING = ("srbench.train.journal:write_checkpoint", 3)
SCORING = ("srbench.evaluate.scorer:called_with", 1)


@pytest.mark.parametrize("take_away", [rename_run, rename_store])
@pytest.mark.parametrize("place", [TRAINING, SAVING, SCORING], ids=["training", "saving", "scoring"])
def test_a_run_that_is_taken_away_ends_and_is_not_begun_again_in_its_middle(
    pictures, tmp_path, finished, monkeypatch, capsys, place, take_away
):
    results = tmp_path / "results"
    shutil.copytree(finished, results)  # bicubic is done, so that all happens to the other
    (run,) = results.glob("lapsrn*")
    if place == SCORING:
        (run / "scores.parquet").unlink()
        (run / "summary.json").unlink()
    else:
        shutil.rmtree(run)
    put_back = []
    with monkeypatch.context() as patch:
        at_call(patch, *place, lambda: put_back.append(take_away(results)))
        assert srbench(arguments(pictures, results), patch) == 1
    text = said(capsys)
    assert str(run) in text.replace(" ", "")
    assert "was removed or renamed" in text or "cannot be written (No such file or directory)" in text
    assert not run.exists()
    assert results.exists() == (take_away is rename_run)
    put_back[0]()
    assert srbench(arguments(pictures, results), monkeypatch) == 0
    assert hashes(results) == hashes(finished)


def test_a_run_that_is_begun_anew_under_the_first_process_is_left_to_the_second(
    pictures, tmp_path, finished, monkeypatch, capsys
):
    """As where a file system's locks do nothing: the one that came last has it."""
    results = tmp_path / "results"

    def another_process_comes():
        (run,) = results.glob("lapsrn*")
        owner = '{"host": "elsewhere", "pid": 7, "since": "2026-01-01T00:00:00+00:00"}'
        (run / "run.lock.json").write_text(owner)

    with monkeypatch.context() as patch:
        at_call(patch, *TRAINING, another_process_comes)
        assert srbench(arguments(pictures, results), patch) == 1
    assert "was taken over by process 7 on elsewhere since 2026-01-01" in said(capsys)
    (run,) = results.glob("lapsrn*")
    assert (run / "run.lock.json").exists()
    assert '"running"' in (run / "run.json").read_text()
    monkeypatch.setattr("srbench.store.lease.STALE_S", 0.5)
    assert srbench(arguments(pictures, results), monkeypatch) == 0
    assert hashes(results) == hashes(finished)


def test_a_host_that_changes_its_name_keeps_its_run(pictures, tmp_path, finished, monkeypatch):
    at_call(monkeypatch, *TRAINING, lambda: monkeypatch.setattr("socket.gethostname", lambda: "elsewhere"))
    assert srbench(arguments(pictures, tmp_path / "results"), monkeypatch) == 0
    assert hashes(tmp_path / "results") == hashes(finished)


def test_of_two_processes_at_one_moment_exactly_one_trains(pictures, tmp_path, finished, monkeypatch, capsys):
    results = tmp_path / "results"
    shutil.copytree(finished, results)
    (run,) = results.glob("lapsrn*")
    shutil.rmtree(run)
    code = (
        "import sys, srbench.executors.local; from srbench.cli.app import main\n"
        "print('ready', flush=True); sys.stdin.readline(); main()"
    )
    line = small_arguments(pictures, results, "--eval-every", "50", "--steps", "100")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, *line],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [" ".join(process.communicate(timeout=120)[1].split()) for process in both]
    # The baseline is asked for by both, too, and may be what one of them is refused.
    refused = [f"{run.name} is being worked on by process" in text for text in ends]
    assert sorted(refused) == [False, True], ends
    loser = both[refused.index(True)]
    assert loser.returncode == 1
    assert (
        f"{run.name} is being worked on by process {both[refused.index(False)].pid}"
        in ends[refused.index(True)]
    )
    assert srbench(line, monkeypatch) == 0
    assert "Nothing to do" in capsys.readouterr().err
