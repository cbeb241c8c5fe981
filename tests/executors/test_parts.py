"""Parts of the executor `local`: room for runs, causes, the view, and what crosses to a process."""

import json
import logging
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
import types
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from small import picture_folder, settings, small_arguments, small_job, small_request, srbench

from srbench.api import Outcome, Picture, hookimpl, record_loss, run_apart, run_job
from srbench.datasets import TestSet
from srbench.errors import DatasetError, DivergedError, RunLockedError, SrbenchError, StoppedError, UsageError
from srbench.evaluate.scoring import resolve_metrics
from srbench.executors import process, processes, slots
from srbench.executors.causes import cause_of
from srbench.executors.local import execute
from srbench.executors.machine import Machine
from srbench.executors.processes import Processes
from srbench.executors.queue import Queue
from srbench.executors.slots import Slot, is_there_room, slots_of
from srbench.executors.view import View
from srbench.memory import is_out_of_memory
from srbench.origins import Begin, jobs_from
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.progress import News, Said
from srbench.registry import registry
from srbench.store import runs
from srbench.store.history import append_line
from srbench.store.layout import RunPaths
from srbench.store.lock import run_lock
from srbench.store.runs import RunRecord, read_record, write_record
from srbench.train.device import pick_device
from srbench.train.stop import Stop


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@pytest.fixture
def job(pictures):
    return small_job(pictures, channels=("y",))


# Room


def test_runs_on_a_cpu_share_its_threads(monkeypatch):
    monkeypatch.setattr(slots, "THREADS", 8)
    assert slots_of(None, settings()) == [Slot("cpu", 8)]
    assert slots_of(3, settings()) == [Slot("cpu", 2)] * 3
    assert slots_of(16, settings()) == [Slot("cpu", 1)] * 16


def test_a_device_is_found_without_a_word_of_the_cluster_it_may_be_on(tmp_path, monkeypatch):
    """Warnings are errors here; Fabric has one wherever the command srun is."""
    (tmp_path / "srun").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert pick_device("cpu") == torch.device("cpu")
    for name, value in {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "srbench", "SLURM_JOB_ID": "7"}.items():
        monkeypatch.setenv(name, value)
    assert pick_device("cpu") == torch.device("cpu")


@pytest.fixture
def four_gpus(monkeypatch):
    monkeypatch.setattr(slots, "pick_device", torch.device)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(slots, "THREADS", 8)


def test_runs_on_gpus_take_one_each_then_share_them(four_gpus, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [slot.gpu for slot in slots_of(None, settings("cuda"))] == [0, 1, 2, 3]
    assert [slot.gpu for slot in slots_of(6, settings("cuda"))] == [0, 1, 2, 3, 0, 1]
    assert [slot.gpu for slot in slots_of(2, settings("cuda:3"))] == [3, 3]
    (_, second, *_) = slots_of(None, settings("cuda"))
    assert (second.device, second.threads) == ("cuda", 2)
    assert second.environment == {"CUDA_VISIBLE_DEVICES": "1"}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-7")
    assert second.environment == {"CUDA_VISIBLE_DEVICES": "GPU-7"}
    assert slots_of(None, settings("cuda", processes=2)) == [Slot("cuda", 8)]
    with pytest.raises(UsageError, match="--processes 2 takes GPUs for one run"):
        slots_of(2, settings("cuda", processes=2))


def test_a_further_run_begins_on_a_gpu_when_there_is_memory_for_the_largest(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda gpu: (1200, 10_000))
    slot = Slot("cuda", 1, 0)
    assert is_there_room(slot, [], 10_000)
    assert is_there_room(slot, [500], 1000)
    assert not is_there_room(slot, [500], 1001)
    assert not is_there_room(slot, [500, 0], 500)  # one has not told yet
    assert is_there_room(Slot("cpu", 1), [0, 0], 0)


# Causes


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            -signal.SIGKILL,
            "was killed (SIGKILL): by somebody, or perhaps by the kernel's out-of-memory killer",
        ),
        (-signal.SIGSEGV, "crashed (SIGSEGV): it read or wrote memory that is not its own"),
        (-signal.SIGBUS, "crashed (SIGBUS): memory behind a file could not be had"),
        (-signal.SIGHUP, "was ended by SIGHUP."),
        (3, "ended its process with exit code 3 and without a word"),
        (1, "ended its process with exit code 1: on an error that nothing caught"),
        (0, "ended its process with exit code 0 and without a word"),
        (None, "was lost"),
    ],
)
def test_how_a_process_ended_has_a_likely_cause_and_its_last_words(tmp_path, code, said):
    log = tmp_path / "run.log"
    assert cause_of(code, log).startswith(said)
    log.write_text("\n".join(f"line {number}" for number in range(99)) + "\n" + "x" * 999)
    told = cause_of(code, log)
    assert "line 98" in told
    assert "line 3\n" not in told
    assert len(told) < 1500


def test_of_a_crash_its_beginning_is_told(tmp_path):
    log = tmp_path / "run.log"
    frames = [f'  File "a.py", line {number} in frame{number}' for number in range(50)]
    log.write_text("\n".join(["before", "Fatal Python error: Segmentation fault", *frames]))
    told = cause_of(-signal.SIGSEGV, log)
    assert "Segmentation fault" in told
    assert "frame0" in told
    assert "frame49" not in told


def test_what_means_that_memory_ran_out():
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("could not create a primitive"))
    assert not is_out_of_memory(RuntimeError("could not create a primitive descriptor for a convolution"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value)
    for size in (1 << 62, 1 << 70):  # whose bytes, and which itself, are beyond 64 bits
        with pytest.raises((RuntimeError, TypeError)) as caught:
            torch.empty(size, 3)
        assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(TypeError("an integer is required"))


# View


def test_the_table_has_every_run_with_what_it_does(pictures, tmp_path, monkeypatch):
    from rich.console import Console

    jobs = plan(small_request(pictures, losses=("charbonnier", "l1", "l2"), channels=("y",)))
    view = View(jobs, tmp_path, quiet=False)
    _, busy, failed, waiting = jobs
    view.begins(busy)
    view.tell(busy, News(busy.spec.id, 1200, 5000, "loss 0.02", 75.0))
    paths = RunPaths(tmp_path / busy.spec.id)
    paths.directory.mkdir()
    append_line(paths.history, {"step": 3, "psnr": {"2": {"y": 30.0}, "4": {"r": 26.0, "g": 27.0}}})
    view.finished(failed, Outcome(failed.spec.id, DivergedError(f"{failed.spec.id} stopped: NaN.\nmore")))
    view.finished(jobs[0], Outcome(jobs[0].spec.id))

    def drawn(height):
        console = Console(width=160)
        with console.capture() as capture:
            console.print(view.table(height))
        return capture.get().splitlines()

    (line,) = [one for one in drawn(30) if busy.spec.id in one]
    assert all(text in line for text in ("running", "1,200/5,000", "1 min 15 s", "26.50 dB", "loss 0.02"))
    assert {one.split()[0] for one in drawn(30)[1:5]} == {"running", "failed", "done", "waiting"}
    assert "1 running, 1 failed, 1 done, 1 waiting" in drawn(30)[-1]
    assert [one.split()[0] for one in drawn(5)[1:-1]] == ["running", "failed"]  # not all of them fit
    assert waiting.spec.id not in "".join(drawn(5))


def test_lines_name_their_run_and_quiet_leaves_warnings(job, tmp_path, capsys):
    for quiet in (False, True):
        view = View([job], tmp_path, quiet=quiet)
        view.tell(job, News(job.spec.id, 1, 9, "", 0.0, "a line"))
        view.say(job, f"WARNING: {job.spec.id} is odd", logging.WARNING)
        said = capsys.readouterr().err.splitlines()
        assert said == ([] if quiet else [f"{job.spec.id}: a line"]) + [f"WARNING: {job.spec.id} is odd"]


# What crosses to a process


def test_jobs_and_settings_can_be_pickled(job):
    copy, how = pickle.loads(pickle.dumps((job, settings())))
    assert copy == job
    assert how == settings()


def test_a_metric_goes_by_name_so_that_what_was_registered_need_not_be_picklable():
    @hookimpl
    def register_metrics(register):
        register("closed", lambda sr, hr, power=1: sr, better="higher")

    made = types.ModuleType("closed")
    made.register_metrics = register_metrics
    host().add(made, Plugin("closed", "closed-dist", "1.0"))
    registry.cache_clear()
    try:
        active, _ = resolve_metrics(["closed:power=2"])
        assert pickle.loads(pickle.dumps(active)) == active
    finally:
        host().manager.unregister(made)
        registry.cache_clear()


def test_what_a_fork_begins_from_crosses_as_it_is(job, tmp_path):
    (outcome,) = [run_job(job, tmp_path, settings(), Stop())]
    assert outcome.error is None
    asked = Request(models=(), settings={"lr": 1e-4}, budget=Budget(steps=4))
    (fork,) = [one for one in jobs_from(asked, Begin("fork", job.spec.id), tmp_path) if one.spec.trained]
    bare = process._without_tensors(fork)
    assert not bare.start.model
    task = process._Task(bare, process._packed(fork), tmp_path, settings(), {}, 20, None, 0)
    whole = process._whole(pickle.loads(pickle.dumps(task)))
    for mine, theirs in ((whole.start.model, fork.start.model), (whole.start.state, fork.start.state)):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert whole.start.scalars == fork.start.scalars
    assert process._whole(replace(task, job=job, tensors=None)) is job


def test_an_error_of_a_plugin_crosses_as_the_kind_of_error_it_is():
    class CameraError(DatasetError):
        def __init__(self, camera, reason):
            super().__init__(f"{camera} {reason}")

    crossed = pickle.loads(pickle.dumps(Outcome("run", CameraError("front", "is covered.")))).error
    assert (type(crossed), str(crossed), crossed.exit_code) == (DatasetError, "front is covered.", 2)


@pytest.mark.parametrize("unfit", [lambda: None, threading.Lock()])
def test_a_job_that_cannot_be_pickled_fails_alone(job, tmp_path, unfit):
    pictures = TestSet("of a plugin", (Picture("unfit", unfit),))
    (outcome,) = work([replace(job, tests=(pictures,))], tmp_path)
    assert "cannot be handed to a process of its own" in str(outcome.error)


def test_a_process_that_cannot_be_started_is_an_error_of_its_run(job, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
        with pytest.raises(SrbenchError, match=f"No process could be started for {job.spec.id}"):
            process.RunProcess(job, tmp_path, settings(), Slot("cpu", 1), Stop())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_run_is_still_asked_to_stop_when_its_log_cannot_be_cut(tmp_path, monkeypatch):
    def ill(_):
        raise PermissionError

    monkeypatch.setattr(process, "_TIDY_EVERY_S", 0.01)
    monkeypatch.setattr(Path, "stat", ill)
    mine, theirs = multiprocessing.Pipe()
    line = process._Line.__new__(process._Line)
    line._channel, line._log = theirs, tmp_path / "run.log"
    stop = Stop()
    thread = threading.Thread(target=line.attend, args=(stop,))
    thread.start()
    time.sleep(0.1)
    mine.send("Ctrl-C")
    mine.close()
    thread.join()
    assert stop.reason == "Ctrl-C"


def test_a_log_that_has_grown_keeps_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_MOST_BYTES", 100)
    log = tmp_path / "run.log"
    log.write_text("old " * 50 + "new")
    process._cut(log)
    assert log.stat().st_size == 50
    assert log.read_text().endswith("new")
    process._cut(log)
    assert log.stat().st_size == 50


# The queue, and the simple path


class NoProcess:
    """Stands where no process may be begun."""

    def __init__(self, *_):
        raise AssertionError("begun")


def made_queue(jobs, results, stop=None):
    view, stop = View(jobs, results, quiet=True), stop or Stop()
    workers = Processes(results, settings(), [Slot("cpu", 1)], stop, view.begins, view.hear)
    return Queue(jobs, results, settings(), workers, stop, view)


def work(jobs, results, stop=None):
    return made_queue(jobs, results, stop).work()


def test_a_run_that_failed_elsewhere_meanwhile_is_not_tried_again(job, tmp_path, monkeypatch):
    """Meanwhile is since the queue was made, whatever the clock of the host says on which it failed."""
    monkeypatch.setattr(processes, "RunProcess", NoProcess)
    paths = RunPaths(tmp_path / job.spec.id)
    for year in ("2020", "2999"):
        monkeypatch.setattr(runs, "now", lambda year=year: f"{year}-01-01T00:00:00+00:00")
        made = made_queue([job], tmp_path)
        write_record(paths, RunRecord(paths.id, job.spec.data(), status="failed", reason="it was too hot"))
        (outcome,) = made.work()
        assert str(outcome.error) == "it was too hot"
        with pytest.raises(AssertionError, match="begun"):
            work([job], tmp_path)


def test_a_stop_before_anything_has_begun_is_one_error_for_all(pictures, tmp_path):
    jobs = plan(small_request(pictures, losses=("l1", "l2"), channels=("y",)))
    stop = Stop()
    stop.ask("SIGTERM")
    (outcome,) = work(jobs, tmp_path, stop)
    assert isinstance(outcome.error, StoppedError)
    assert "Stopped on SIGTERM; 3 runs are left" in str(outcome.error)


class OneByOne:
    """Workers of one job at a time, which ends at once with the next of the errors."""

    def __init__(self, *errors):
        self.errors, self.at_work = [*errors], []

    @property
    def has_room(self):
        return not self.at_work

    def begin(self, job):
        self.at_work.append(job)

    def ask_to_stop(self, reason):
        return ()

    def listen(self):
        return [(self.at_work.pop(), Outcome("", self.errors.pop(0)))] if self.at_work else []

    def close(self):
        pass


@pytest.mark.parametrize(("max_time_s", "left"), [(None, 0), (3600.0, 1)])
def test_a_run_that_is_asked_to_stop_alone_stops_no_other(pictures, tmp_path, max_time_s, left):
    """Who watches memory sends SIGTERM to one process. Ahead of a time limit, the first speaks for all."""
    jobs = plan(small_request(pictures, losses=("l1",), channels=("y",)))
    workers, view = OneByOne(StoppedError("by SIGTERM"), None), View(jobs, tmp_path, quiet=True)
    outcomes = Queue(jobs, tmp_path, settings(), workers, Stop(max_time_s), view).work()
    assert str(outcomes[0].error) == "by SIGTERM"
    if left:
        assert "the stop of another run; 1 run is left" in str(outcomes[1].error)
    else:
        assert outcomes[1].error is None


def test_an_error_that_nobody_foresaw_ends_one_run_and_no_other(pictures, tmp_path):
    """Before training begins, too: here over what run.json says of the model's provider."""
    first, second = (
        job for job in plan(small_request(pictures, losses=("l1", "l2"), channels=("y",))) if job.spec.trained
    )
    record = RunRecord(first.spec.id, first.spec.data(), engine={"device": "cpu"})
    provenance = {"providers": {"model lapsrn": {}}}
    write_record(RunPaths(tmp_path / first.spec.id), replace(record, provenance=provenance))
    failed, done = execute([first, second], tmp_path, settings(), Stop())
    assert "failed with an unexpected KeyError: 'dist'. The trace is above." in str(failed.error)
    assert done.error is None


def test_a_process_that_was_taken_for_dead_does_not_mark_the_run_as_failed(pictures, tmp_path):
    """Suspended past its lease, and met by an error when it goes on: another host trains that run now."""
    job = small_job(pictures, channels=("y",), settings={"lr": 1e30})
    paths = RunPaths(tmp_path / job.spec.id)

    def taken_over():
        paths.lock_owner.write_text(json.dumps({"host": "elsewhere", "pid": 7, "since": runs.now()}))

    outcome = run_job(job, tmp_path, settings(), Stop(), held=taken_over)
    assert isinstance(outcome.error, RunLockedError)
    assert "was taken over by process 7 on elsewhere" in str(outcome.error)
    assert read_record(paths).status == "running"
    paths.lock_owner.unlink()
    assert isinstance(run_job(job, tmp_path, settings(), Stop()).error, DivergedError)


def test_a_baseline_that_another_process_scores_is_waited_for(pictures, tmp_path):
    jobs = plan(small_request(pictures, channels=("y",), budget=Budget(steps=2)))
    paths = RunPaths(tmp_path / jobs[0].spec.id)
    began = time.monotonic()
    held = threading.Event()

    def hold():
        with run_lock(paths):
            held.set()
            time.sleep(1)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    outcomes = Machine().execute(jobs, tmp_path, settings(), Stop())
    thread.join()
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert time.monotonic() - began >= 1
    assert read_record(paths).status == "done"


# As typed


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--executor", "locl"], "No executor named 'locl'. Did you mean 'local'?"),
        (["--executor", "local:jobs=2", "--jobs", "2"], "both say how many runs at once"),
        (["--executor", "local:jobs=0"], "jobs is at least 1, not 0"),
        (["--executor", "local:gpus=1"], "Executor 'local' has no parameter 'gpus'"),
    ],
)
def test_an_executor_that_cannot_be_is_told_before_anything_is_written(
    pictures, tmp_path, monkeypatch, capsys, typed, said
):
    results = tmp_path / "results"
    assert srbench(small_arguments(pictures, results, *typed), monkeypatch) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not results.exists()


@contextmanager
def registered(name, executor):
    """An executor of a plugin, while the context lasts."""

    @hookimpl
    def register_executors(register):
        register(name, executor)

    made = types.ModuleType(name)
    made.register_executors = register_executors
    host().add(made, Plugin(name, f"{name}-dist", "1.0"))
    registry.cache_clear()
    try:
        yield
    finally:
        host().manager.unregister(made)
        registry.cache_clear()


def test_an_executor_of_a_plugin_is_given_the_jobs_and_what_it_returns_is_told(
    pictures, tmp_path, monkeypatch, capsys
):
    seen = {}

    class Notebook:
        def __init__(self, page: int = 1):
            self.page = page

        def execute(self, jobs, results, settings, stop):
            seen.update(jobs=[job.spec.model.name for job in jobs], page=self.page, device=settings.device)
            return [
                Outcome(job.spec.id, None if number else StoppedError("later"))
                for number, job in enumerate(jobs)
            ]

    with registered("notebook", Notebook):
        typed = ["--executor", "notebook:page=7", "--device", "cpu"]
        assert srbench(small_arguments(pictures, tmp_path / "results", *typed), monkeypatch) == 75
    assert seen == {"jobs": ["bicubic", "lapsrn"], "page": 7, "device": "cpu"}
    assert "later" in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda jobs: None, "The executor Mute returned None, and is to return"),
        (lambda jobs: [True for _ in jobs], "returned [True, True]"),
        (lambda jobs: [Outcome(jobs[0].spec.id)], "has not said what became of 1 of 2 runs (lapsrn-"),
    ],
)
def test_an_executor_that_does_not_say_what_became_of_a_run_does_not_end_well(
    pictures, tmp_path, monkeypatch, capsys, returned, said
):
    class Mute:
        def execute(self, jobs, results, settings, stop):
            return returned(jobs)

    with registered("mute", Mute):
        typed = ["--executor", "mute", "--device", "cpu"]
        assert srbench(small_arguments(pictures, tmp_path / "results", *typed), monkeypatch) == 1
    assert said in capsys.readouterr().err


def test_where_a_run_is_done_is_no_part_of_what_it_is(job):
    assert "executor" not in json.dumps(job.spec.data())


# One run in a process of its own


def test_a_run_apart_says_what_it_does_and_what_became_of_it(job, tmp_path):
    heard = []
    outcome = run_apart(job, tmp_path, replace(settings(), quiet=False), Stop(), heard.append)
    assert (outcome.run_id, outcome.error, outcome.did_anything) == (job.spec.id, None, True)
    assert read_record(RunPaths(tmp_path / job.spec.id)).status == "done"
    assert any(job.spec.id in getattr(message, "line", "") for message in heard)


def test_a_run_apart_that_is_killed_is_recorded_with_its_cause(pictures, tmp_path):
    (job,) = [small_job(pictures, channels=("y",), budget=Budget(steps=100_000))]
    killed = []

    def kill(message):
        holder = RunPaths(tmp_path / job.spec.id).lock_owner
        if not killed and holder.exists():
            killed.append(json.loads(holder.read_text())["pid"])
            os.kill(killed[0], signal.SIGKILL)

    outcome = run_apart(job, tmp_path, settings(), Stop(), kill)
    assert killed[0] != os.getpid()
    assert "was killed (SIGKILL)" in str(outcome.error)
    record = read_record(RunPaths(tmp_path / job.spec.id))
    assert (record.status, record.reason) == ("failed", str(outcome.error))


def test_a_run_whose_server_is_killed_does_not_train_on_unseen(pictures, tmp_path):
    """Nobody hears any more how its process ends: it is ended, told, and its run is free."""
    (job,) = [small_job(pictures, channels=("y",), budget=Budget(steps=100_000))]
    killed = []

    def kill_the_server(message):
        holder = RunPaths(tmp_path / job.spec.id).lock_owner
        if not killed and holder.exists():
            killed.append(psutil.Process(json.loads(holder.read_text())["pid"]))
            killed[0].parent().kill()

    outcome = run_apart(job, tmp_path, settings(), Stop(), kill_the_server)
    assert "was lost, and how is not known" in str(outcome.error)
    assert not killed[0].is_running() or killed[0].status() == psutil.STATUS_ZOMBIE
    assert read_record(RunPaths(tmp_path / job.spec.id)).status == "failed"


def test_a_run_whose_process_is_lost_after_it_was_done_stays_done(job, tmp_path):
    """Killed in a plugin's run_finished, say, or before the command had heard of it."""
    assert run_job(job, tmp_path, settings(), Stop()).error is None
    outcome = record_loss(job, tmp_path, settings(), "it was lost")
    assert str(outcome.error) == "it was lost"
    record = read_record(RunPaths(tmp_path / job.spec.id))
    assert (record.status, record.reason) == ("done", None)
    assert not run_job(job, tmp_path, settings(), Stop()).did_anything


def test_a_run_apart_saves_and_ends_when_it_is_asked_to(pictures, tmp_path):
    (job,) = [small_job(pictures, channels=("y",), budget=Budget(steps=100_000))]
    stop = Stop()

    def ask(message):
        if isinstance(message, News) and "loss" in message.note:  # before that there is nothing to save
            stop.ask("the tide")

    outcome = run_apart(job, tmp_path, replace(settings(), quiet=False), stop, ask)
    assert isinstance(outcome.error, StoppedError)
    assert "on the tide; everything is saved" in str(outcome.error)


def test_a_run_apart_does_not_wait_for_one_that_is_held(job, tmp_path):
    with run_lock(RunPaths(tmp_path / job.spec.id)):
        outcome = run_apart(job, tmp_path, settings(), Stop(), lambda message: None)
    assert isinstance(outcome.error, RunLockedError)


def test_the_view_says_once_that_a_run_is_queued_and_hears_what_it_says(job, tmp_path, capsys):
    with View([job], tmp_path, quiet=False) as view:
        view.queued(job, "job 7")
        view.queued(job, "job 7")
        assert "1 queued" in str(view.table(20).caption)
        view.begins(job)
        view.hear(job, News(job.spec.id, 3, 9, "loss 0.5", 1.0))
        view.hear(job, Said(logging.WARNING, "WARNING: odd"))
        assert list(view.table(20).columns[1].cells) == ["3/9"]
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("is queued as job 7.") == 1
    assert f"{job.spec.id}: WARNING: odd" in said
