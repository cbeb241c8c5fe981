"""The executor slurm: runs through submitit's local executor, words with programs that stand in for Slurm."""

import json
import logging
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
from small import picture_folder, settings, small_job, small_request, srbench

from srbench.errors import CheckpointError, RunLockedError, SrbenchError, StoppedError, UsageError
from srbench.executors.contract import Outcome
from srbench.executors.local import execute
from srbench.executors.view import View
from srbench.executors.waiting import forget_queued, note_queued, queued_as
from srbench.plan import plan
from srbench.plan.settings import Budget
from srbench.progress import News, Said
from srbench.prove.hashes import hashes
from srbench.python.run import _executor
from srbench.store.layout import RunPaths
from srbench.store.lock import run_lock
from srbench.store.runs import read_record
from srbench.train.device import pick_device
from srbench.train.stop import Stop

submitit = pytest.importorskip(
    "submitit", reason='submitit is not installed: pip install "srbench-harness[slurm]"'
)

from srbench_slurm import watch as watch_module  # noqa: E402
from srbench_slurm import words  # noqa: E402
from srbench_slurm.ending import told  # noqa: E402
from srbench_slurm.executor import Slurm  # noqa: E402
from srbench_slurm.folders import sweep  # noqa: E402
from srbench_slurm.task import Task, _Sitting  # noqa: E402
from srbench_slurm.watch import Watch  # noqa: E402
from srbench_slurm.words import Asked, Ear, Mouth, read_result, write_result  # noqa: E402


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


def test_a_run_that_is_requeued_and_stopped_has_the_bits_of_one_left_alone(pictures, tmp_path, monkeypatch):
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


def test_a_job_that_is_gone_is_told_with_how_it_ended_and_the_end_of_its_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("loading\nKilled\n")
    ends = {
        "time limit": {"JobState": "TIMEOUT"},
        "mem=": {"JobState": "OUT_OF_MEMORY", "ExitCode": "0:125"},
        "ended by signal 9 (FAILED)": {"JobState": "FAILED", "ExitCode": "137:0"},
        "ended by signal 11 (FAILED)": {"JobState": "FAILED", "ExitCode": "0:11"},
        "ended with exit code 3 (FAILED, Pro)": {"JobState": "FAILED", "Reason": "Pro", "ExitCode": "3:0"},
        "lost its node": {"JobState": "NODE_FAIL"},
        "keeps no accounts": {},
    }  # fmt: skip
    for expected, ended in ends.items():
        said = told(ended, log)
        assert expected in said
        assert said.endswith(f"from {log}:\n  loading\n  Killed")
    assert "last words" not in told({}, tmp_path / "none")


def test_words_pass_through_a_file_and_a_line_cut_short_by_a_kill_is_left_out(tmp_path):
    path = tmp_path / "run.said"
    mouth, ear = Mouth(path), Ear(path, is_new=True)
    assert not list(ear.news())
    for step in (3, 4):
        mouth.hear(News("run", step, 9, "", 1.0, line=f"step {step}"))
    mouth.hear(News("run", 5, 9, "", 1.0))  # too soon after the last one
    assert [one.line for one in ear.news()] == ["step 3", "step 4"]
    with path.open("ab") as file:
        file.write(b"gASV")
    Mouth(path).hear(Said(logging.WARNING, "back"))
    assert list(ear.news()) == [Said(logging.WARNING, "back")]
    assert not list(Ear(path, is_new=False).news())
    assert mouth.furthest == {"run": 5}


def test_a_file_asks_a_run_to_stop(tmp_path, monkeypatch):
    monkeypatch.setattr(words, "_LOOK_EVERY_S", 0)
    stop = Asked(tmp_path / "stop")
    assert stop.reason is None
    (tmp_path / "stop").write_text("Ctrl-C\n")
    assert stop.reason == "Ctrl-C"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("slurm:cpus_per_run=0", "cpus_per_run is at least 1, not 0"),
        ("slurm:gpus_per_run=-1", "gpus_per_run is at least 0, not -1"),
        ("slurm:warning_s=soon", "warning_s"),
        ("slurm:partiton=gpu", "partition"),
        ("slurm:sbatch='qos=high'", "--name=value"),
        ("slurm:sbatch='--array=1-3'", "--array is for srbench to set"),
    ],
)
def test_a_wrong_parameter_is_refused(typed, said):
    with pytest.raises(UsageError, match=said):
        _executor(typed, None)


def test_submitit_or_slurm_missing_is_said_with_what_to_do(pictures, tmp_path, monkeypatch):
    job = small_job(pictures)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no sbatch on the PATH"):
        Slurm().execute([job], tmp_path, settings(), Stop())
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(UsageError, match=r'pip install "srbench-harness\[slurm\]"'):
        Slurm()


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Programs that say what Slurm's would; what they are given is noted."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def stand_in(name, said="", code=0):
        path = folder / name
        echo = f"cat >&2 <<'END'\n{said}\nEND" if code else f"cat <<'END'\n{said}\nEND"
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/given\n{echo}\nexit {code}\n')
        path.chmod(0o755)

    for name in ("sbatch", "srun", "squeue", "scancel"):
        stand_in(name)
    stand_in.given = lambda: (folder / "given").read_text().splitlines()
    return stand_in


def test_what_sbatch_refuses_is_said_in_its_words_and_leaves_nothing_behind(pictures, tmp_path, commands):
    commands("sbatch", "sbatch: error: invalid partition specified: nope", code=1)
    with pytest.raises(UsageError, match=r"does not take the jobs \(invalid partition specified: nope\)"):
        Slurm(partition="nope").execute([small_job(pictures)], tmp_path / "results", settings(), Stop())
    assert not list((tmp_path / "results").iterdir())


def test_a_run_is_handed_over_once_and_shown_as_queued_until_its_job_is_gone(
    pictures, tmp_path, commands, monkeypatch, capsys
):
    results = tmp_path / "results"
    jobs = [job for job in plan(small_request(pictures, losses=("l1", "l2"))) if job.spec.trained]
    commands("sbatch", "Submitted batch job 7")
    slurm = Slurm(
        partition="gpu", account="me", time="2:00:00", mem="8G", cpus_per_run=3, gpus_per_run=1, jobs=2,
        sbatch="--qos=high --exclusive", wait=False,
    )  # fmt: skip
    how = replace(settings(), device="auto")
    outcomes = slurm.execute(jobs, results, how, Stop())
    assert [one.queued_as for one in outcomes] == ["slurm 7_0", "slurm 7_1"]
    (script,) = results.glob(".slurm/*/7_submission.sh")
    asked = {line.removeprefix("#SBATCH ") for line in script.read_text().splitlines() if "#SBATCH" in line}
    assert asked >= {
        "--partition=gpu", "--account=me", "--time=2:00:00", "--mem=8G", "--cpus-per-task=3",
        "--gpus-per-node=1", "--array=0-1%2", "--qos=high", "--exclusive", "--signal=USR1@90", "--requeue",
    }  # fmt: skip
    assert "srun" in script.read_text()
    assert "--cpus-per-task=3" in script.read_text().partition("# command")[2]
    task = pickle.loads(next(results.glob(".slurm/*/7_0_submitted.pkl")).read_bytes()).function
    assert (task.settings.device, task.settings.threads) == ("cuda", 3)

    commands("squeue", "7_0|PENDING\n7_1|PENDING")
    again = slurm.execute(jobs, results, how, Stop())
    assert [one.queued_as for one in again] == ["slurm 7_0", "slurm 7_1"]
    assert len([line for line in commands.given() if line.startswith("sbatch")]) == 1

    def shown():
        capsys.readouterr()
        assert srbench(["runs", "--json", "--results", str(results)], monkeypatch) == 0
        return [(one["status"], one["job"]) for one in json.loads(capsys.readouterr().out)]

    assert shown() == [("queued", "slurm 7_0"), ("queued", "slurm 7_1")]
    assert srbench(["runs", "rm", "-y", jobs[0].spec.id, "--results", str(results)], monkeypatch) == 2
    assert "waits for job 7_0 of slurm" in " ".join(capsys.readouterr().err.split())
    with run_lock(RunPaths(results / jobs[0].spec.id)):
        commands("squeue", "7_0|RUNNING\n7_1|CANCELLED")
        assert shown() == [("interrupted", None), ("interrupted", None)]
    commands("squeue", "slurm_load_jobs error: Unable to contact slurm controller", code=1)
    assert shown() == [("queued", "slurm 7_0"), ("queued", "slurm 7_1")]  # as it was noted
    with pytest.raises(SrbenchError, match="does not answer"):
        slurm.execute(jobs, results, how, Stop())


def test_where_no_run_is_queued_nobody_is_asked(pictures, tmp_path, commands, monkeypatch):
    results = tmp_path / "results"
    execute([small_job(pictures, budget=Budget(steps=1))], results, settings(), Stop())
    assert srbench(["runs", "--results", str(results)], monkeypatch) == 0
    with pytest.raises(FileNotFoundError):
        commands.given()


def test_a_job_that_is_cancelled_stops_its_run_and_one_that_is_killed_fails_it(
    pictures, tmp_path, commands, monkeypatch
):
    monkeypatch.setattr(watch_module, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watch_module, "_LISTEN_EVERY_S", 0.01)
    monkeypatch.setattr(watch_module, "_SHOWN_WITHIN_S", 0)
    results = tmp_path / "results"
    jobs = [job for job in plan(small_request(pictures, losses=("l1", "l2"))) if job.spec.trained]
    commands("sbatch", "Submitted batch job 8")
    commands("squeue", "8_0|CANCELLED\n8_1|FAILED")
    commands("scontrol", "JobId=8 JobState=CANCELLED ExitCode=0:0")
    (stopped, *_) = Slurm().execute(jobs[:1], results, settings(), Stop())
    assert isinstance(stopped.error, StoppedError)
    assert "job 8 was cancelled" in str(stopped.error)
    commands("scontrol", "JobId=8 JobState=FAILED Reason=NonZeroExitCode ExitCode=137:0")
    (failed, *_) = Slurm().execute(jobs[1:], results, settings(), Stop())
    assert "was lost: its Slurm job 8 was ended by signal 9" in str(failed.error)
    assert [read_record(RunPaths(results / job.spec.id)).status for job in jobs] == ["interrupted", "failed"]
    assert not list(results.glob("*/queued.json"))


def test_a_job_that_cannot_be_told_to_stop_keeps_no_other_from_it(
    pictures, tmp_path, commands, monkeypatch, capsys
):
    """Its folder is gone, say, or the disk is full: what waits is cancelled all the same."""
    monkeypatch.setattr(watch_module, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watch_module, "_LISTEN_EVERY_S", 0.01)
    results = tmp_path / "results"
    commands("sbatch", "Submitted batch job 8")
    commands("squeue", "8|PENDING")
    job = small_job(pictures)

    class Told(Stop):
        looks = 0

        @property
        def reason(self):
            self.looks += 1
            if self.looks == 3:
                (folder,) = results.glob(".slurm/*")
                shutil.rmtree(folder)
                commands("squeue", "8|CANCELLED")
                commands("scontrol", "JobId=8 JobState=CANCELLED ExitCode=0:0")
            return "Ctrl-C" if self.looks > 3 else None

    (stopped,) = Slurm().execute([job], results, settings(), Told())
    assert isinstance(stopped.error, StoppedError)
    assert any(one.startswith("scancel --state=PENDING 8") for one in commands.given())
    assert "cannot be told to stop" in " ".join(capsys.readouterr().err.split())


def test_what_is_said_in_a_file_that_is_gone_a_moment_later_ends_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.said"
    path.write_text("{}\n")
    ear = Ear(path, is_new=True)
    monkeypatch.setattr(ear, "_size", lambda: 3)
    path.unlink()
    assert list(ear.news()) == []


def test_max_time_goes_with_a_command_that_stays(pictures, tmp_path, commands):
    with pytest.raises(UsageError, match="does not stay with wait=false"):
        Slurm(wait=False).execute([small_job(pictures)], tmp_path, settings(), Stop(60))


def test_what_was_handed_over_a_day_ago_is_swept_once_its_jobs_are_over(tmp_path):
    for number, age_s in (("1", 2 * 86400), ("2", 2 * 86400), ("3", 0)):
        folder = tmp_path / ".slurm" / number
        folder.mkdir(parents=True)
        path = folder / f"{number}_submitted.pkl"
        path.touch()
        for one in (path, folder):
            os.utime(one, (time.time() - age_s,) * 2)
    sweep(tmp_path, {"1": "COMPLETED", "2": "PENDING"})
    assert {one.name for one in (tmp_path / ".slurm").iterdir()} == {"2", "3"}


def test_a_jobs_end_is_forgotten_for_that_job_alone(pictures, tmp_path):
    job = small_job(pictures)
    note_queued(job, tmp_path, settings(), "slurm", "9", tmp_path)
    forget_queued(tmp_path, job.spec.id, "8")
    assert queued_as(tmp_path, job.spec.id).job == "9"
    forget_queued(tmp_path, job.spec.id, "9")
    assert queued_as(tmp_path, job.spec.id) is None


def test_a_job_that_gets_no_step_further_in_three_sittings_is_not_brought_back(pictures, tmp_path):
    """Slurm's signal comes at once, again and again, as where the time is too short for anything."""
    results, folder = tmp_path / "results", tmp_path / "handed"
    folder.mkdir()
    job = small_job(pictures, budget=Budget(steps=1))
    task = Task(job, results, settings(), folder, logging.WARNING)
    stopped = Outcome(job.spec.id, StoppedError("Stopped on the end of its time."))
    sittings = 0
    while task is not None:
        sittings += 1
        assert sittings < 9
        task._sitting = sitting = _Sitting(task)
        sitting.thread = threading.Thread(target=setattr, args=(sitting, "outcome", stopped))
        sitting.thread.start()
        sitting.mouth.hear(News("decoding", 4, 9, "", 1.0))  # of no use to the next sitting
        if sittings == 2:
            sitting.mouth.hear(News("run", 1, 9, "", 1.0))
        back = task.checkpoint()
        task = None if back is None else back.function
    assert sittings == 5
    assert "no step further in 3 sittings" in str(sitting.outcome.error)
    assert read_record(RunPaths(results / job.spec.id)).status == "failed"


def test_what_became_of_a_run_passes_through_a_file(tmp_path):
    assert read_result(tmp_path, "run") is None
    for kind in (UsageError, StoppedError, RunLockedError, SrbenchError):
        write_result(tmp_path, Outcome("run", kind("why")))
        found = read_result(tmp_path, "run").error
        assert (type(found), str(found)) == (kind, "why")
    write_result(tmp_path, Outcome("run", CheckpointError("why")))
    assert type(read_result(tmp_path, "run").error) is SrbenchError
    write_result(tmp_path, Outcome("run", did_anything=False))
    assert read_result(tmp_path, "run") == Outcome("run", did_anything=False)


def test_what_is_handed_over_is_no_run(tmp_path):
    (tmp_path / ".slurm" / "1").mkdir(parents=True)
    assert hashes(tmp_path) == {}


def test_a_slurm_on_the_machine_is_no_word_on_how_runs_train(commands, monkeypatch):
    """Fabric warns of an srun that is not used, and warnings are errors here."""
    monkeypatch.setenv("SLURM_NTASKS", "4")
    assert pick_device.__wrapped__("cpu").type == "cpu"


def test_the_plugin_loads_neither_torch_nor_submitit():
    code = (
        "import sys, srbench_slurm.plugin, srbench_slurm.commands;"
        "print(sorted({'torch', 'submitit', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
