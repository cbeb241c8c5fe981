"""One run on several processes: the same patches, the same weights but for rounding, and one that leads."""

import json
import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import torch
from small import apart, apart_by_two, picture_folder, small_arguments, small_job, trained_weights

from srbench.errors import SrbenchError, StoppedError, UsageError
from srbench.origins import Begin, jobs_from
from srbench.plan import Request
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train import together
from srbench.train.device import check_processes
from srbench.train.stop import Stop
from srbench.train.world import World

NOTING = '''
"""A loss that writes down which patches it was given, and by which process; and hooks that do the same."""
import hashlib, os
from srbench.api import hookimpl

def l1_noting(folder: str = "."):
    def loss(sr, hr, step):
        with open(f"{folder}/{os.getpid()}.txt", "a") as file:
            for patch in hr if hr.any() else ():  # the plan tries a loss on empty pictures
                file.write(f"{step} {hashlib.sha256(patch.contiguous().numpy().tobytes()).hexdigest()}\\n")
        return (sr - hr).abs().mean()
    return loss

@hookimpl
def register_losses(register):
    register("l1_noting", l1_noting, scales="last")

def noting(event):
    def note(run):
        for loss in run.spec["loss"] or ():
            with open(f"{loss['params']['folder']}/events", "a") as file:
                file.write(f"{os.getpid()} {event}\\n")
    return hookimpl(specname=event)(note)

for event in ("run_started", "step_finished", "evaluation_finished", "checkpoint_saved", "run_finished"):
    globals()[f"on_{event}"] = noting(event)
'''


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


class StopPast(Stop):
    """Asks to stop once a checkpoint of that step is saved: looks cannot be counted while others start."""

    def __init__(self, root, step):
        super().__init__()
        self.root, self.step = root, step

    @property
    def reason(self):
        saved = self.root.glob("*/checkpoints/step-*/manifest.json")
        return "Ctrl-C" if any(int(one.parent.name[5:]) >= self.step for one in saved) else None


@pytest.mark.parametrize("channels", ["rgb", "r,g,b"])
def test_two_processes_train_what_one_trains(pictures, tmp_path, channels):
    adam = small_job(pictures, channels=(channels,), settings={"lr": 1e-3}, budget=Budget(steps=3))
    assert 0 < apart_by_two(adam, tmp_path) < 1e-5


def test_a_hundred_steps_of_sgd_stay_together(pictures, tmp_path):
    change = {"optimizer": "sgd", "lr": 0.01, "clip": 1.0}
    job = small_job(pictures, channels=("y",), settings=change, budget=Budget(steps=100))
    begun = trained_weights(
        small_job(pictures, channels=("y",), settings=change, budget=Budget(steps=1)), tmp_path / "1", 1
    )
    one = trained_weights(job, tmp_path / "1", 1)
    assert apart(trained_weights(job, tmp_path / "2", 2), one) < 1e-5
    assert apart(begun, one) > 1e-3  # it moved


def test_together_they_see_the_patches_that_one_sees_and_the_first_alone_tells_plugins(pictures, tmp_path):
    package = tmp_path / "noting-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: noting\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[srbench]\nnoting = noting\n")
    (tmp_path / "noting.py").write_text(NOTING)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    seen, told = {}, {}
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        line = small_arguments(
            pictures, folder / "results", "--channels", "y", "--processes", str(processes), "--steps", "4",
            "--eval-every", "2",
        )  # fmt: skip
        line[line.index("charbonnier")] = f"l1_noting:folder={folder}"
        subprocess.run([sys.executable, "-m", "srbench", *line], check=True, env=environment)
        files = [path.read_text().splitlines() for path in folder.glob("*.txt")]
        assert [len(lines) for lines in files] == [16 // processes] * processes
        seen[processes] = Counter(line for lines in files for line in lines)
        (first,) = {line.split()[0] for line in (folder / "events").read_text().splitlines()}
        told[processes] = Counter(line.split()[1] for line in (folder / "events").read_text().splitlines())
        assert (folder / f"{first}.txt").exists()
    assert seen[2] == seen[1]
    assert len(seen[1]) > 12
    assert min(one.pop("checkpoint_saved") for one in told.values()) >= 1  # how many, the clock decides
    assert told[2] == told[1] == Counter(
        run_started=1, step_finished=4, evaluation_finished=2, run_finished=1
    )  # fmt: skip


def test_a_run_goes_on_with_another_number_of_processes(pictures, tmp_path, caplog):
    job = small_job(pictures, channels=("y",), budget=Budget(steps=9))
    whole = trained_weights(job, tmp_path / "whole", 1)
    with pytest.raises(StoppedError):
        trained_weights(job, tmp_path / "parts", 2, StopPast(tmp_path / "parts", 3), save_every_s=0)
    step = read_record(RunPaths(tmp_path / "parts" / job.spec.id)).step
    assert 0 < step < 9
    with caplog.at_level(logging.WARNING):
        parts = trained_weights(job, tmp_path / "parts", 1)
    assert "processes 2 → 1" in caplog.text
    assert apart(parts, whole) < 1e-5
    record = read_record(RunPaths(tmp_path / "parts" / job.spec.id))
    assert (record.engine["processes"], record.status, record.step) == (2, "done", 9)


def test_stopped_and_resumed_by_two_it_ends_with_the_same_bits(pictures, tmp_path):
    job = small_job(pictures, budget=Budget(steps=9))
    trained_weights(job, tmp_path / "whole", 2)
    with pytest.raises(StoppedError):
        trained_weights(job, tmp_path / "parts", 2, StopPast(tmp_path / "parts", 3), save_every_s=0)
    trained_weights(job, tmp_path / "parts", 2)
    assert hashes(tmp_path / "parts") == hashes(tmp_path / "whole")


def test_a_fork_begins_alike_in_all_processes(pictures, tmp_path):
    parent = small_job(pictures, channels=("y",))
    trained_weights(parent, tmp_path, 1)
    (fork,) = [
        job
        for job in jobs_from(
            Request(models=(), settings={"lr": 1e-4}, budget=Budget(steps=4)),
            Begin("fork", parent.spec.id),
            tmp_path,
        )
        if job.spec.trained
    ]
    one, two = trained_weights(fork, tmp_path / "1", 1), trained_weights(fork, tmp_path / "2", 2)
    assert apart(one, two) < 1e-6


def followers_of(pid):
    children = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(pid)], capture_output=True, text=True
    )
    return [int(line.split()[0]) for line in children.stdout.splitlines() if "spawn_main" in line]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def started(pictures, tmp_path):
    """A run by two processes that has saved a step, and the line that started it."""
    command = [
        sys.executable, "-m", "srbench",
        *small_arguments(pictures, tmp_path, "--steps", "4000", "--save-every", "0", "--processes", "2"),
    ]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob("lapsrn*/checkpoints/step-*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (follower,) = followers_of(process.pid)
    yield process, follower
    process.kill()
    process.wait()


def gone(pid, within_s=30):
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


def test_a_signal_to_the_whole_group_stops_it_with_75(started, tmp_path):
    process, follower = started
    os.killpg(process.pid, signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 75, err
    assert "everything is saved" in err
    assert gone(follower)
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("lapsrn*/run.json")]
    assert record["status"] == "interrupted"


def test_nobody_is_left_when_the_first_is_killed(started):
    process, follower = started
    process.kill()
    process.communicate()
    assert gone(follower)


def test_one_that_is_killed_is_told_of_and_costs_what_was_not_saved(started, tmp_path):
    process, follower = started
    os.kill(follower, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "One of the processes that trained this run together has gone" in " ".join(err.split())
    assert "Traceback" not in err
    (record,) = [json.loads(path.read_text()) for path in tmp_path.glob("lapsrn*/run.json")]
    assert record["status"] == "failed"
    again = [sys.executable, "-m", "srbench", "checkpoint", "verify", "--results", str(tmp_path)]
    subprocess.run(again, check=True, capture_output=True)


def test_one_that_does_not_even_start_is_told_of(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(together.mp, "get_context", lambda _: Stillborn())
    with pytest.raises(SrbenchError, match="One of the processes that trained this run together has gone"):
        trained_weights(small_job(pictures), tmp_path, 2)


class Stillborn:
    """Starts processes that end at once."""

    def Process(self, **_):  # noqa: N802 - as multiprocessing names it
        return multiprocessing.get_context("spawn").Process(target=os._exit, args=(1,), daemon=True)


def test_a_batch_that_cannot_be_shared_out_is_refused(pictures, tmp_path):
    with pytest.raises(UsageError, match="--processes 3 cannot share out a batch of 4 patches evenly"):
        trained_weights(small_job(pictures), tmp_path, 3)
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_all_of_them_is_told_once(pictures, tmp_path):
    job = small_job(pictures, settings={"lr": 1e6, "optimizer": "sgd"}, budget=Budget(steps=40))
    with pytest.raises(SrbenchError, match="Last good checkpoint|No checkpoint had been saved"):
        trained_weights(job, tmp_path, 2)


def test_shares_are_the_batch():
    shares = [list(range(12))[World(rank, 3).share(12)] for rank in range(3)]
    assert shares == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_each_process_needs_a_gpu_of_its_own(monkeypatch):
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_processes(2, "cuda", cuda)
    check_processes(8, "cpu", torch.device("cpu"))
    with pytest.raises(UsageError, match="takes a GPU each, and this machine has 2"):
        check_processes(3, "auto", cuda)
    with pytest.raises(UsageError, match="names one GPU"):
        check_processes(2, "cuda:1", cuda)
