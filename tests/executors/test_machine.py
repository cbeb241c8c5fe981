"""Several runs on this machine: each a process of its own, so that what ends one leaves the others alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from small import MODEL, dataset_text, picture_folder, settings, small_request

from srbench.executors.local import execute
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.train.stop import Stop

sys.path.insert(0, str(Path(__file__).parent))
from sabotage import installed

HOWS = ("exit", "crash", "memory", "kill", "raise")
SOUND = "charbonnier,l1"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    return installed(tmp_path_factory.mktemp("plugin"))


def line(pictures, results, losses, *more):
    """A matrix of tiny runs, one a loss."""
    return [
        sys.executable, "-m", "srbench", "run", "--model", MODEL, "--loss", losses, "--channels", "y",
        "--dataset", dataset_text(pictures), "--batch", "4", "--patch", "16", "--steps", "6",
        "--eval-every", "3", "--lr", "1e-3", "--ema", "0.9",
        "--precision", "fp32", "--metric", "psnr", "--results", str(results), *more,
    ]  # fmt: skip


def command(name, results, environment):
    done = subprocess.run(
        [sys.executable, "-m", "srbench", *name.split(), "--results", str(results)],
        capture_output=True, text=True, env=environment, check=True,
    )  # fmt: skip
    return done.stdout


def serial(pictures, results, losses, steps):
    """What the runs come to one after another in one process, with the threads that each has there."""
    jobs = plan(
        small_request(
            pictures, losses=tuple(losses.split(",")), channels=("y",), budget=Budget(steps=steps)
        )
    )  # fmt: skip
    outcomes = execute(jobs, results, replace(settings(), threads=1), Stop())
    assert not [one.error for one in outcomes if one.error]
    return hashes(results)


def test_what_ends_one_run_stops_no_other_and_is_told_with_its_cause(pictures, environment, tmp_path):
    results, notes = tmp_path / "results", tmp_path / "notes"
    losses = ",".join([SOUND.split(",")[0], *(f"sabotaged:how={how}" for how in HOWS), SOUND.split(",")[1]])
    typed = line(pictures, results, losses, "--executor", "local:jobs=2")
    sabotaged = {**environment, "SABOTAGE": "1", "NOTES": str(notes)}
    done = subprocess.run(typed, env=sabotaged, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "3 of 8 runs are trained and scored" in " ".join(done.stderr.split())

    records = json.loads(command("runs --json", results, environment))
    reasons = {how_of(results / one["run"]): one["reason"] for one in records if one["status"] == "failed"}
    assert set(reasons) == set(HOWS)
    assert "exit code 3" in reasons["exit"]
    assert "going out" in reasons["exit"]
    assert "crashed (SIGSEGV)" in reasons["crash"]
    assert "Segmentation fault" in reasons["crash"]
    assert "in loss" in reasons["crash"]  # the function that was at work, from the log
    assert "ran out of memory" in reasons["memory"]
    assert "was killed (SIGKILL): by somebody, or perhaps by the kernel's out-of-memory" in reasons["kill"]
    assert "unexpected ZeroDivisionError: sabotage" in reasons["raise"]
    said = command("runs", results, environment)
    for how, reason in reasons.items():
        assert reason.splitlines()[0][-30:] in said, how
        assert reason.splitlines()[0] in done.stderr, how
    rows = json.loads(command("table --format json", results, environment))
    assert {row["loss"] for row in rows} == {None, "charbonnier", "l1"}
    assert hashes_of_scored(results) == serial(pictures, tmp_path / "serial", SOUND, 6)

    failed = [one.split()[1] for one in notes.read_text().splitlines() if one.startswith("failed")]
    assert len(failed) == len(set(failed)) == len(HOWS)  # plugins hear of each, once

    done = subprocess.run(typed, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {one["status"] for one in json.loads(command("runs --json", results, environment))} == {"done"}


def how_of(run):
    return json.loads((run / "run.json").read_text())["spec"]["loss"][0]["params"]["how"]


def hashes_of_scored(results):
    """Of a store in which some runs have no scores."""
    scored = results.parent / "scored"
    scored.mkdir()
    for run in results.iterdir():
        if (run / "summary.json").exists():
            (scored / run.name).symlink_to(run)
    return hashes(scored)


def begun(results, count, steps=2):
    """Waits until so many runs have saved a step."""
    deadline = time.monotonic() + 120
    while True:
        saved = {
            path.parent.parent.name
            for path in results.glob("lapsrn*/checkpoints/step-*")
            if int(path.name[5:]) >= steps
        }
        if len(saved) >= count:
            return
        assert time.monotonic() < deadline
        time.sleep(0.02)


def at_work(results):
    """Processes that name the store or that were forked for it: those that hold a run."""
    pids = set()
    for path in results.glob("*/run.lock.json"):
        try:
            pids.add(json.loads(path.read_text())["pid"])
        except (OSError, ValueError):
            continue
    return {pid for pid in pids if is_alive(pid)}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


LONG = ("--steps", "60", "--save-every", "0", "--jobs", "2")


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_signal_to_all_stops_all_with_75_and_the_same_line_ends_with_the_same_bits(
    pictures, environment, tmp_path, number
):
    """A scheduler signals every process of a job, and a terminal every one in front."""
    results = tmp_path / "results"
    typed = line(pictures, results, SOUND, *LONG)
    process = subprocess.Popen(
        typed, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    begun(results, 2)
    working = at_work(results)
    assert len(working) == 2
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 75, said
    assert said.count("everything is saved. Run the same command to go on.") == 2, said
    assert not [pid for pid in working if is_alive(pid)]
    statuses = Counter(one["status"] for one in json.loads(command("runs --json", results, environment)))
    assert statuses["interrupted"] == 2
    subprocess.run(typed, check=True, env=environment, capture_output=True)
    assert hashes(results) == serial(pictures, tmp_path / "serial", SOUND, 60)


def test_nobody_trains_on_when_the_command_is_killed(pictures, environment, tmp_path):
    typed = line(pictures, tmp_path, SOUND, "--steps", "100000", "--save-every", "0", "--jobs", "2")
    process = subprocess.Popen(typed, env=environment, stderr=subprocess.DEVNULL)
    begun(tmp_path, 2)
    working = at_work(tmp_path)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(is_alive(pid) for pid in working):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {one["status"] for one in json.loads(command("runs --json", tmp_path, environment))} >= {
        "interrupted"
    }


def test_two_commands_share_a_store_and_one_of_them_may_die(pictures, environment, tmp_path):
    results, notes = tmp_path / "results", tmp_path / "notes"
    typed = line(pictures, results, f"{SOUND},l2,laplacian", "--steps", "30", "--save-every", "0")
    processes = [
        subprocess.Popen(typed, env={**environment, "NOTES": str(notes)}, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    begun(results, 2, 5)
    processes[0].kill()
    processes[0].communicate()
    for process in processes[1:]:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said
    told = [one.split() for one in notes.read_text().splitlines()]
    finished = Counter(run for what, run, _ in told if what == "finished")
    assert len(finished) == 5
    assert set(finished.values()) == {1}
    for run in finished:  # never two at once: who has left a run does not come back to it
        workers = [pid for what, one, pid in told if one == run and what in ("step", "started")]
        turns = [pid for number, pid in enumerate(workers) if not number or pid != workers[number - 1]]
        assert len(turns) == len(set(turns)), run
    assert hashes(results) == serial(pictures, tmp_path / "serial", f"{SOUND},l2,laplacian", 30)
