"""The executor slurm: its runs through submitit's local executor, and its words with what stands in for Slurm."""

import json
import logging
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from small import picture_folder, settings, small_job, small_request, srbench

from srbench.errors import SrbenchError, StoppedError, UsageError
from srbench.executors.contract import Outcome
from srbench.executors.local import execute
from srbench.executors.view import View
from srbench.executors.waiting import forget_queued, note_queued, queued_as
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.prove.hashes import hashes
from srbench.python.run import _executor
from srbench.store.layout import RunPaths
from srbench.store.runs import read_record
from srbench.train.stop import Stop

submitit = pytest.importorskip(
    "submitit", reason='submitit is not installed: pip install "srbench-harness[slurm]"'
)

from srbench_slurm import watch as watch_module  # noqa: E402
from srbench_slurm.commands import still_queued  # noqa: E402
from srbench_slurm.ending import told  # noqa: E402
from srbench_slurm.executor import Slurm  # noqa: E402
from srbench_slurm.folders import sweep  # noqa: E402
from srbench_slurm.watch import Watch  # noqa: E402
from srbench_slurm.words import Ear, Mouth  # noqa: E402


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


class LocalMachines:
    """The same as a cluster, of submitit's local executor: processes of this machine, none of which waits."""

    name = "submitit's"

    def __init__(self) -> None:
        self.jobs = {}

    def submit(self, tasks, folder):
        executor = submitit.LocalExecutor(folder, max_num_timeout=10)
        executor.update_parameters(timeout_min=5, stderr_to_stdout=True)
        new = {job.job_id: job for job in (executor.submit(task) for task in tasks)}
        self.jobs |= new
        return list(new)

    def states(self):
        names = {"RUNNING": "RUNNING", "FINISHED": "COMPLETED"}
        return {number: names.get(job.state, "FAILED") for number, job in self.jobs.items()}

    def cancel_waiting(self, jobs):
        pass

    def end_of(self, job):
        return {"JobState": self.states()[job]}

    def close(self):
        for job in self.jobs.values():
            job._process.wait()


def submitted_process(paths):
    """The process of submitit above the one that holds a run."""
    pid = json.loads(paths.lock_owner.read_text())["pid"]
    (found,) = [
        one for one in psutil.Process(pid).parents() if "submitit.core._submit" in " ".join(one.cmdline())
    ]
    return found


def wait_for(is_so, seconds=60.0):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def step_of(paths):
    record = read_record(paths) if paths.run.exists() else None
    return record.step if record else 0


def test_a_run_is_told_that_time_is_up_comes_back_and_stops_with_the_command_with_the_bits_of_one_left_alone(
    pictures, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setenv("SUBMITIT_PREEMPT_SIGNAL", "USR1")  # as the script for sbatch has it
    monkeypatch.setattr(watch_module, "LOOK_EVERY_S", 0.3)
    monkeypatch.setattr(watch_module, "_LISTEN_EVERY_S", 0.05)
    results = tmp_path / "results"
    job = small_job(pictures, channels=("y",), budget=Budget(steps=10**7))
    paths = RunPaths(results / job.spec.id)
    how = replace(settings(save_every_s=0.1, eval_every=100), threads=1)
    stop, machines = Stop(), LocalMachines()

    def poke():
        try:
            wait_for(lambda: step_of(paths) > 0)
            process = submitted_process(paths)
            assert queued_as(results, job.spec.id).executor == "slurm"
            process.send_signal(signal.SIGUSR1)
            process.wait()
            come_to = step_of(paths)
            wait_for(lambda: step_of(paths) > come_to)
        finally:
            stop.ask("Ctrl-C")

    poking = threading.Thread(target=poke)
    poking.start()
    with View([job], results, quiet=True) as view:
        (outcome,) = Watch([job], results, how, machines, stop, view).work(wait=True)
    poking.join()
    machines.close()
    assert isinstance(outcome.error, StoppedError)
    assert "on Ctrl-C; everything is saved" in str(outcome.error)
    assert len([one for one in paths.log.read_text().splitlines() if " process " in one]) == 2
    assert read_record(paths).status == "interrupted"
    assert not paths.queued.exists()
    assert not (results / ".slurm").exists()  # nothing is left of what was handed over

    end = replace(job, budget=Budget(steps=step_of(paths) + 1))
    for root in (results, tmp_path / "serial"):
        (outcome,) = execute([end], root, how, Stop())
        assert outcome.error is None
    assert hashes(results) == hashes(tmp_path / "serial")
