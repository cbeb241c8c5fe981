"""Events: each at its moment, once, with true arguments; and nothing that a hook does changes a run."""

import json
import logging
import random
import types
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from small import StopAt, noisy_plugin, picture_folder, settings, small_job, small_request

from srbench import hookspecs
from srbench.api import hookimpl
from srbench.errors import EndedAtOnce, RunLockedError
from srbench.executors.local import execute, run_job
from srbench.origins import Begin, jobs_from
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.plugins import Plugin, host
from srbench.prove.hashes import hashes
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, run_lock
from srbench.train.stop import Stop

EVENTS = [name for name, hook in vars(hookspecs).items()
          if hasattr(hook, "srbench_spec") and not name.startswith("register_")]  # fmt: skip
ENDS = ("run_finished", "run_stopped", "run_failed")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory.mktemp("pictures"))


@contextmanager
def listening(**hooks):
    """A plugin with these hooks, while the block runs."""
    made = types.ModuleType("listener")
    for name, hook in hooks.items():
        setattr(made, name, hookimpl(hook))
    plugin = Plugin("listener", "listener-dist", "1")
    host().add(made, plugin)
    assert all(found.error is None for found in host().plugins if found.name == "listener")
    yield
    host().manager.unregister(made)


@pytest.fixture
def told():
    """(event, arguments) of all runs."""
    told = []

    def noting(event):
        return lambda **arguments: told.append((event, arguments))

    with listening(**{event: noting(event) for event in EVENTS}):
        yield told


def of(told, event):
    return [arguments for name, arguments in told if name == event]


def names(told, *left_out):
    return [name for name, _ in told if name not in left_out]


def do(jobs, results, stop=None, **cadence):
    return execute(jobs, results, settings(**cadence), stop or Stop())


def test_a_run_s_events_tell_what_its_files_hold(pictures, tmp_path, told):
    rate = {"lr": 1e-3, "schedule": "step:every=2,unit=steps"}
    job = small_job(pictures, budget=Budget(steps=12), settings=rate)
    do([job], tmp_path, save_every_s=60)
    paths = RunPaths(tmp_path / job.spec.id)
    assert names(told)[0] == "run_started"
    assert names(told)[-1] == "run_finished"
    assert len(of(told, "run_started")) == len(of(told, "run_finished")) == 1
    assert not of(told, "run_stopped") + of(told, "run_failed")
    (started,) = of(told, "run_started")
    assert (started["step"], started["evaluated"]) == (0, 0)
    assert (started["run"].id, started["run"].directory) == (job.spec.id, paths.directory)
    assert started["run"].spec == json.loads(paths.run.read_text())["spec"]

    steps = of(told, "step_finished")
    assert [one["step"] for one in steps] == list(range(1, 13))
    evaluations = of(told, "evaluation_finished")
    assert [one["line"] for one in evaluations] == read_lines(paths.history)
    assert [one["step"] for one in evaluations] == [3, 6, 9, 12]
    for number, one in enumerate(evaluations):
        seen = [sum(step["loss"] for step in steps[3 * number : 3 * number + 3]) / 3]
        assert sum(one["line"]["loss"].values()) == pytest.approx(seen[0], rel=1e-6)  # three networks
    rates = [one["learning_rate"] for one in evaluations]
    assert rates == pytest.approx([1e-3 * 0.5 ** ((step - 1) // 2) for step in (3, 6, 9, 12)])

    assert [(one["step"], one["epoch"]) for one in of(told, "epoch_finished")] == [(11, 1)]  # 44 patches
    saved = [one["step"] for one in of(told, "checkpoint_saved")]
    assert saved == sorted(set(saved))
    assert saved[-1] == 12
    (finished,) = of(told, "run_finished")
    assert finished["step"] == 12
    assert finished["summary"] == json.loads(paths.summary.read_text())


def test_every_step_that_completes_an_epoch_is_told(pictures, tmp_path, told):
    """44 patches in batches of 20: in floating point, 33 steps are 14.99… epochs."""
    job = small_job(pictures, channels=("y",), budget=Budget(steps=34), settings={"batch": 20})
    do([job], tmp_path, eval_every=34)
    ends = [(one["step"], one["epoch"]) for one in of(told, "epoch_finished")]
    assert ends == [(-(-44 * epoch // 20), epoch) for epoch in range(1, 16)]
    assert ends[-1] == (33, 15)


def test_each_sitting_starts_once_and_ends_once_and_tells_of_no_step_twice(pictures, tmp_path, told):
    job = small_job(pictures, channels=("y",), budget=Budget(steps=9))
    paths = RunPaths(tmp_path / job.spec.id)
    for looks in (9, 11, 13, 10**6):
        before = len(told)
        (outcome,) = do([job], tmp_path, StopAt(looks), save_every_s=0)
        sitting = told[before:]
        assert sum(name in ENDS for name in names(sitting)) == 1
        if "run_started" in names(sitting):
            assert names(sitting)[0] == "run_started"
            assert sitting[0][1]["step"] == len(of(told[:before], "step_finished"))
            evaluated = [one["step"] for one in of(told[:before], "evaluation_finished")]
            assert sitting[0][1]["evaluated"] == max(evaluated, default=0)
        assert names(sitting)[-1] in ENDS
        if outcome.error is not None:
            assert of(sitting, "run_stopped")[0]["reason"] == str(outcome.error)
            assert "on Ctrl-C" in str(outcome.error)
    assert names(told)[-1] == "run_finished"
    assert len(of(told, "run_stopped")) >= 2
    assert [one["step"] for one in of(told, "step_finished")] == list(range(1, 10))
    assert [one["line"] for one in of(told, "evaluation_finished")] == read_lines(paths.history)
    assert len(of(told, "run_started")) >= 3


def test_what_a_killed_process_told_of_comes_again_after_the_step_that_run_started_names(
    pictures, tmp_path, told
):
    job = small_job(pictures, channels=("y",), budget=Budget(steps=9))
    paths = RunPaths(tmp_path / job.spec.id)
    do([small_job(pictures, channels=("y",), budget=Budget(steps=4))], tmp_path, eval_every=2)

    def step_finished(step):
        if step == 8:
            raise EndedAtOnce(137)

    told.clear()
    with listening(step_finished=step_finished), pytest.raises(EndedAtOnce):
        do([job], tmp_path, eval_every=2, save_every_s=10**6)
    assert not set(names(told)) & set(ENDS)
    first = [one["line"] for one in of(told, "evaluation_finished")]
    saved = max([4, *(one["step"] for one in of(told, "checkpoint_saved"))])
    told.clear()
    do([job], tmp_path, eval_every=2)
    (started,) = of(told, "run_started")
    assert started["step"] >= saved
    again = [one["line"] for one in of(told, "evaluation_finished")]
    assert all(line["step"] > started["evaluated"] for line in again)
    kept = [line for line in read_lines(paths.history) if line["step"] <= started["evaluated"]]
    assert kept[-1]["step"] == started["evaluated"]
    assert kept + again == read_lines(paths.history)
    assert [line for line in again if line in first] == [
        line for line in first if line["step"] > started["evaluated"]
    ]


def raising_loss():
    def loss(sr, hr, step):
        if hr.any() and step == 4:  # the plan tries a loss on empty pictures
            raise ZeroDivisionError("a bug in a loss")
        return (sr - hr).abs().mean()

    return loss


@contextmanager
def raising_plugin():
    from srbench.registry import registry

    def register_losses(register):
        register("raising", raising_loss)

    with listening(register_losses=register_losses):
        registry.cache_clear()
        yield
    registry.cache_clear()


def test_a_loss_that_is_nan_and_one_that_raises_are_failures(pictures, tmp_path, told):
    with raising_plugin():
        diverges = {"losses": ("l2",), "settings": {"lr": 1e12, "ema": 0}}
        jobs = [small_job(pictures, **diverges), small_job(pictures, losses=("raising",))]
        outcomes = do(jobs, tmp_path, save_every_s=0)
    assert names(told, "step_finished", "checkpoint_saved", "evaluation_finished") == [
        "run_started", "run_failed",
    ] * 2  # fmt: skip
    assert [one["reason"] for one in of(told, "run_failed")] == [str(one.error) for one in outcomes]
    assert "try --lr" in of(told, "run_failed")[0]["reason"]
    assert "unexpected ZeroDivisionError: a bug in a loss" in of(told, "run_failed")[1]["reason"]
    for job in jobs:
        folders = (RunPaths(tmp_path / job.spec.id).checkpoints).glob("step-*")
        steps = {int(folder.name[5:]) for folder in folders}
        assert steps <= {one["step"] for one in of(told, "checkpoint_saved") if one["run"].id == job.spec.id}


def test_a_run_that_cannot_begin_fails_without_having_started(pictures, tmp_path, told):
    broken = tmp_path / "pictures"
    picture_folder(broken)
    job = small_job(broken)
    for path in (broken / "train").iterdir():
        path.write_bytes(path.read_bytes()[:100])
    (outcome,) = do([job], tmp_path / "results")
    assert names(told) == ["run_failed"]
    assert of(told, "run_failed")[0]["reason"] == str(outcome.error)


def test_a_run_that_another_process_takes_over_has_stopped_here_and_not_failed(pictures, tmp_path, told):
    job = small_job(pictures, losses=("l2",), settings={"lr": 1e12, "ema": 0})
    paths = RunPaths(tmp_path / job.spec.id)

    def taken_over():
        owner = {"host": "elsewhere", "pid": 7, "since": "2026-01-01T00:00:00+00:00"}
        paths.lock_owner.write_text(json.dumps(owner))

    outcome = run_job(job, tmp_path, settings(), Stop(), held=taken_over)
    assert names(told, "step_finished", "checkpoint_saved", "evaluation_finished") == [
        "run_started", "run_stopped",
    ]  # fmt: skip
    assert of(told, "run_stopped")[0]["reason"] == str(outcome.error)


def test_a_run_that_another_process_holds_has_no_events(pictures, tmp_path, told):
    job = small_job(pictures)
    with run_lock(RunPaths(tmp_path / job.spec.id)):
        (outcome,) = do([job], tmp_path)
    assert isinstance(outcome.error, RunLockedError)
    assert told == []


def test_scores_alone_finish_a_run_again_and_nothing_to_do_tells_nothing(pictures, tmp_path, told):
    jobs = plan(small_request(pictures, channels=("y",)))
    do(jobs, tmp_path)
    assert [arguments["run"].id.split("-")[0] for arguments in of(told, "run_finished")] == [
        "bicubic", "lapsrn",
    ]  # fmt: skip
    assert of(told, "run_finished")[0]["step"] == 0
    assert len(of(told, "run_started")) == 1  # bicubic has nothing to train
    told.clear()
    do(jobs, tmp_path)
    assert told == []
    more = plan(small_request(pictures, channels=("y",), tests=(f"folder:test={pictures / 'val'}",)))
    do(more, tmp_path)
    assert names(told) == ["run_finished", "run_finished"]
    assert [one["step"] for one in of(told, "run_finished")] == [0, 6]
    for one in of(told, "run_finished"):
        assert one["summary"] == json.loads(RunPaths(one["run"].directory).summary.read_text())


def test_a_fork_starts_before_its_first_checkpoint_is_told(pictures, tmp_path, told):
    parent = small_job(pictures, channels=("y",), budget=Budget(steps=2))
    do([parent], tmp_path)
    told.clear()
    request = Request(models=(), settings={"lr": 1e-4}, budget=Budget(steps=2))
    jobs = jobs_from(request, Begin("fork", parent.spec.id), tmp_path)
    do([job for job in jobs if job.spec.trained], tmp_path)
    assert [(name, one["step"]) for name, one in told if name != "step_finished"] == [
        ("run_started", 0), ("checkpoint_saved", 0), ("checkpoint_saved", 2), ("run_finished", 2),
    ]  # fmt: skip


def test_a_run_ends_for_plugins_while_its_lock_is_held(pictures, tmp_path):
    held = []
    with listening(run_finished=lambda run: held.append(is_locked(RunPaths(run.directory)))):
        do([small_job(pictures, channels=("y",), budget=Budget(steps=1))], tmp_path)
    assert held == [True]


def disturbing(event):
    """A hook that changes all that it is given and every generator there is, then raises."""

    def disturb(run, **others):
        seed = random.SystemRandom().randrange(2**31)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        torch.rand(7)
        run.spec.clear()
        for value in others.values():
            if isinstance(value, dict):
                value.clear()
        raise SystemExit(f"{event} raises") if event == "step_finished" else ValueError(f"{event} raises")

    return disturb


def test_hooks_that_disturb_and_raise_change_no_bit_and_are_reported_once(pictures, tmp_path, caplog):
    """Of a network with dropout and batch norm, in three sittings."""
    logging.getLogger("srbench").propagate = True
    with noisy_plugin():
        job = small_job(pictures, models=("noisy",), budget=Budget(steps=7))
        do([job], tmp_path / "quiet")
        with listening(**{event: disturbing(event) for event in EVENTS}):
            for looks in (9, 12, 10**6):
                do([job], tmp_path / "disturbed", StopAt(looks), save_every_s=0)
    assert hashes(tmp_path / "disturbed") == hashes(tmp_path / "quiet")
    records = {id(one): one for one in caplog.records}.values()  # one may be caught at two loggers
    said = [one.getMessage() for one in records if "The hook" in one.getMessage()]
    met = {one.split()[2] for one in said}
    assert met >= {
        "run_started", "step_finished", "evaluation_finished", "checkpoint_saved", "run_stopped",
        "run_finished",
    }  # fmt: skip
    assert len(said) == len(met)
    assert (
        "The hook step_finished of plugin listener (listener-dist) failed (SystemExit: step_finished raises)."
        in caplog.text
    )


def test_ctrl_c_in_a_hook_is_not_taken_for_its_failure(pictures, tmp_path):
    def step_finished():
        raise KeyboardInterrupt

    with listening(step_finished=step_finished), pytest.raises(KeyboardInterrupt):
        do([small_job(pictures, channels=("y",))], tmp_path)
