"""The executor slurm on a real Slurm of one node: `one_node_slurm.py` starts it, or says why it cannot."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from one_node_slurm import needs_slurm, one_node_slurm
from small import MODEL, dataset_text, picture_folder

from srbench.prove.hashes import hashes

pytest.importorskip("submitit", reason='submitit is not installed: pip install "srbench-harness[slurm]"')

pytestmark = pytest.mark.slow


@pytest.fixture
def slurm():
    """A folder with pictures, and the environment of a Slurm whose node has two CPUs."""
    needs_slurm()
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        root = Path(folder)
        picture_folder(root / "pictures")
        with one_node_slurm(root, cpus=2) as environment:
            environment["OMP_NUM_THREADS"] = "1"
            environment["PYTHONPATH"] = ":".join(filter(None, sys.path))
            yield root, environment


def line(root, results, losses, steps, *more):
    return [
        sys.executable, "-m", "srbench", "run", "--model", MODEL, "--loss", losses, "--channels", "y",
        "--dataset", dataset_text(root / "pictures"), "--batch", "4", "--patch", "16", "--steps", str(steps),
        "--eval-every", "5000", "--save-every", "2", "--precision", "fp32", "--metric", "psnr",
        "--results", str(results), *more,
    ]  # fmt: skip


def wait_for(is_so, seconds=120.0):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.3)


def step_of(run):
    return json.loads((run / "run.json").read_text())["step"] if (run / "run.json").exists() else 0


def test_a_run_meets_its_time_limit_again_and_again_and_has_the_serial_bits(slurm):
    """Slurm's limits are whole minutes, and its warning may come up to half a minute early."""
    root, environment = slurm
    results = root / "results"
    typed = line(root, results, "charbonnier", 15_000, "--executor", "slurm:time=1,warning_s=10")
    done = subprocess.run(typed, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (run,) = results.glob("lapsrn*")
    sittings = [one for one in (run / "run.log").read_text().splitlines() if " process " in one]
    said = subprocess.run(
        ["scontrol", "show", "job", "1_1"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    restarts = int(said.partition("Restarts=")[2].split()[0])
    assert restarts >= 1
    assert len(sittings) == restarts + 1
    subprocess.run(line(root, root / "serial", "charbonnier", 15_000), env=environment, check=True)
    shared, serial = hashes(results), hashes(root / "serial")
    assert shared == serial
    print(f"{restarts} restarts, {len(serial)} of {len(serial)} files have the hashes of a serial pass")  # noqa: T201


def test_a_queued_run_is_shown_one_is_cancelled_one_is_killed_and_the_same_line_goes_on(slurm):
    root, environment = slurm
    results = root / "results"
    typed = line(root, results, "charbonnier,l1,l2", 10**7, "--executor", "slurm")
    command = subprocess.Popen(typed, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: sum(step_of(run) > 0 for run in results.glob("lapsrn*")) == 2)
        shown = json.loads(srbench(environment, results, "runs", "--json"))
        (queued,) = [one for one in shown if one["status"] == "queued"]
        assert queued["job"] == "slurm 1_3"
        assert queued["step"] == 0
        assert "slurm 1_3" in srbench(environment, results, "runs")

        jobs = {json.loads((run / "queued.json").read_text())["job"]: run for run in results.glob("lapsrn*")}
        subprocess.run(["scancel", "1_1"], env=environment, check=True)
        wait_for(lambda: step_of(jobs["1_3"]) > 0)
        owner = json.loads((jobs["1_2"] / "run.lock.json").read_text())["pid"]
        (above,) = [
            one
            for one in psutil.Process(owner).parents()
            if one.cmdline()[1:4] == ["-u", "-m", "submitit.core._submit"]
        ]
        above.kill()
        wait_for(lambda: json.loads((jobs["1_2"] / "run.json").read_text())["status"] == "failed")
        command.send_signal(2)
        _, said = command.communicate(timeout=60)
    finally:
        command.kill()
        command.wait()
    assert command.returncode == 75, said
    assert f"{jobs['1_1'].name} stopped: its Slurm job 1_1 was cancelled" in said
    assert f"{jobs['1_2'].name} was lost: its Slurm job 1_2 was ended by signal 9" in said
    assert f"{jobs['1_3'].name} stopped at step" in said
    after = {one["run"]: one["status"] for one in json.loads(srbench(environment, results, "runs", "--json"))}
    assert after[jobs["1_1"].name] == after[jobs["1_3"].name] == "interrupted"
    assert after[jobs["1_2"].name] == "failed"

    come_to = max(step_of(run) for run in jobs.values()) + 1
    subprocess.run(
        line(root, results, "charbonnier,l1,l2", come_to, "--executor", "slurm"), env=environment, check=True
    )
    subprocess.run(line(root, root / "serial", "charbonnier,l1,l2", come_to), env=environment, check=True)
    assert hashes(results) == hashes(root / "serial")


def srbench(environment, results, *typed):
    return subprocess.run(
        [sys.executable, "-m", "srbench", *typed, "--results", str(results)],
        env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
