"""Run jobs in this process, one after another: train what is missing, then score what is missing."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from srbench.checkpoint.format import folders
from srbench.checkpoint.read import read_latest
from srbench.checkpoint.write import finish_replacing
from srbench.datasets import scored_sets
from srbench.errors import CheckpointError, RunLockedError, SrbenchError, StoppedError, UsageError
from srbench.evaluate import evaluate
from srbench.evaluate.scoring import Scoring
from srbench.evaluate.upscalers import tell_terms, upscaler_of
from srbench.executors.contract import Outcome, Settings
from srbench.memory import is_out_of_memory
from srbench.metrics.backbones import set_weights_dir
from srbench.plan import Job
from srbench.plugins import host
from srbench.predict import check_tileable
from srbench.providers import check_providers, providers, warn_of_versions
from srbench.registry import registry
from srbench.spec import RunSpec
from srbench.store.layout import RunPaths
from srbench.store.lock import check_held, run_lock
from srbench.store.runs import RunRecord, Status, StoredRun, now, read_record, write_record
from srbench.train.device import (
    apply_engine,
    choose_engine,
    first_line,
    pick_device,
    resumed_engine,
    warn_of_changes,
)
from srbench.train.journal import is_out_of_patience
from srbench.train.loop import budget_steps, train
from srbench.train.stop import Stop
from srbench.train.together import together
from srbench.train.world import check_shares
from srbench.types import RunInfo

_log = logging.getLogger(__name__)


def execute(jobs: Sequence[Job], results: Path, settings: Settings, stop: Stop) -> list[Outcome]:
    """Do the jobs in order. One that fails is recorded and the others go on; a stop ends the list.

    Args:
        jobs: from `plan`.
        results: the store's folder.
        settings: how.
        stop: looked at between pictures and steps.
    """
    outcomes: list[Outcome] = []
    for job in jobs:
        outcomes.append(run_job(job, results, settings, stop))
        if isinstance(outcomes[-1].error, StoppedError):
            break
    return outcomes


def run_job(
    job: Job, results: Path, settings: Settings, stop: Stop, *, held: Callable[[], object] = lambda: None
) -> Outcome:
    """Train and score one run in this process. Whatever ends it is recorded in its run.json and returned.

    Args:
        job: from `plan`.
        results: the store's folder.
        settings: how.
        stop: looked at between pictures and steps.
        held: called when the run's lock is held, before anything else.
    """
    paths = RunPaths(results / job.spec.id)
    try:
        stop.check()
        with run_lock(paths, stop.check):
            held()
            return Outcome(paths.id, did_anything=_told(job, paths, settings, stop))
    except SrbenchError as error:
        return Outcome(paths.id, error)


def _told(job: Job, paths: RunPaths, settings: Settings, stop: Stop) -> bool:
    """As `_do`, and plugins are told how it ended while the lock is still held."""
    info = RunInfo(paths.id, paths.directory, job.spec.data())
    try:
        finished = _do(job, paths, settings, stop)
    except (StoppedError, RunLockedError) as error:  # asked to, or another process has taken the run over
        host().emit("run_stopped", run=info, reason=str(error))
        raise
    except SrbenchError as error:
        host().emit("run_failed", run=info, reason=str(error))
        raise
    except Exception as error:
        told = _unforeseen(error, paths)
        host().emit("run_failed", run=info, reason=str(told))
        raise told from error
    if finished is None:
        return False
    step, summary = finished
    host().emit("run_finished", run=info, step=step, summary=summary)
    return True


def _do(job: Job, paths: RunPaths, settings: Settings, stop: Stop) -> tuple[int, dict[str, Any]] | None:
    """Train and score one run, its lock held; its step and summary, or None where nothing was to be done."""
    spec, inference = job.spec, settings.scoring.inference
    device = pick_device(str(settings.device))
    if settings.lpips_weights is not None:
        set_weights_dir(settings.lpips_weights)
    if spec.source is None:  # before anything is trained; a file may say otherwise of itself
        check_tileable(registry().find("model", spec.model.name).sees_tiles(spec.model.params), inference)
    record = read_record(paths)
    if record is not None and not record.engine:
        record = None  # its process was lost before it began, and only that was noted
    finish_replacing(paths.checkpoints, spec.sha256)
    engine = choose_engine(
        device, spec.precision or "fp32", settings.determinism, settings.processes, settings.threads
    )
    is_trained = not spec.trained
    if spec.batch is not None:
        check_shares(spec.batch, settings.processes)
    if record is not None:
        check_providers(record, paths.id)
        engine = resumed_engine(record.engine, engine)
        _check_saved(record, paths)
        is_trained = is_trained or _has_reached(job, record, paths, settings.cadence.patience)
        if not is_trained:
            warn_of_changes(record.engine, engine, paths.id)
            warn_of_versions(record, paths.id)
    elif folders(paths.checkpoints):
        _log.warning(
            "%s has checkpoints and no run.json, which said on what engine they were made. It goes on with "
            "this machine's: the same bits are not promised unless that is the same.", paths.id,
        )  # fmt: skip
    apply_engine(engine)
    provenance = {**settings.provenance, **job.typed, "providers": providers(spec), "started": now()}
    start = record or RunRecord(paths.id, spec.data(), engine=engine.data(), provenance=provenance)
    is_done = is_trained and start.status == "done"
    try:
        if not is_trained:
            tell_terms(spec)
            of_run = (job, paths, start, engine, device, settings.cadence)
            with together(settings.processes, *of_run, stop.check) as world:
                train(*of_run, stop, world, quiet=settings.quiet)
        elif record is None and spec.source is None:
            write_record(paths, start)
        step, upscaler = upscaler_of(
            spec, paths, job.tests, device, inference,
            place=job.place, allow_missing=settings.allow_missing,
        )  # fmt: skip
        if spec.source is not None:  # its name and place may be other ones now
            write_record(paths, replace(start, provenance={**start.provenance, **job.typed}))
        summary, made = evaluate(
            spec, paths, step, upscaler, job.tests, settings.scoring, device, stop.check,
            quiet=settings.quiet,
        )  # fmt: skip
    except StoppedError:
        _close(paths, start.status if is_done else "interrupted")
        raise
    except RunLockedError:
        raise  # what run.json says is the other process's business now
    except SrbenchError as error:
        # Where training was done before, it is the scoring now asked for that failed, not the run.
        _close(paths, "done" if is_done else "failed", None if is_done else str(error))
        raise
    except Exception as error:
        told = _unforeseen(error, paths)
        _close(paths, "done" if is_done else "failed", None if is_done else str(told))
        raise told from error
    if is_done and not made:
        return None
    _close(paths, "done")
    return step, summary


def _unforeseen(error: Exception, paths: RunPaths) -> SrbenchError:
    """The error for an exception that nobody foresaw; its trace is kept, and the other runs go on."""
    if is_out_of_memory(error):
        return SrbenchError(
            f"{paths.id} ran out of memory ({first_line(error)}). A smaller --batch or --patch takes less "
            "(and is another run), as do fewer runs at once (--jobs)."
        )
    _log.error("%s met an unexpected error:", paths.id, exc_info=error)
    return SrbenchError(
        f"{paths.id} failed with an unexpected {type(error).__name__}: {error}. The trace is above."
    )


def _check_saved(record: RunRecord, paths: RunPaths) -> None:
    """That the checkpoint run.json speaks of is there: a run whose checkpoints vanished is not started over.

    Raises:
        CheckpointError: it was trained, and has no checkpoint at all.
    """
    newest = max((step for step, _ in folders(paths.checkpoints)), default=0)
    if newest >= record.step:
        return
    if not newest:
        raise CheckpointError(
            f"{paths.id} was trained to step {record.step:,}, and {paths.checkpoints} holds no checkpoint. "
            f"Restore it from a copy, or remove the run (srbench runs rm {paths.id}) to train it again from "
            "the start."
        )
    _log.warning(
        "The checkpoint of step %s, which %s had come to, is gone from %s.",
        f"{record.step:,}", paths.id, paths.checkpoints,
    )  # fmt: skip


def _has_reached(job: Job, record: RunRecord, paths: RunPaths, patience: int | None) -> bool:
    """Whether a run is done and has a sound checkpoint at its budget: no training picture need be decoded."""
    steps_per_epoch = record.provenance.get("steps_per_epoch")
    if steps_per_epoch is None or record.status != "done":
        return False
    found = read_latest(paths.checkpoints, job.spec.sha256, paths.id)
    if found is None:
        return False
    best = found.scalars["progress"]["best"]
    return found.step >= budget_steps(job.budget, steps_per_epoch) or is_out_of_patience(
        patience, best, paths
    )


def _close(paths: RunPaths, status: Status, reason: str | None = None) -> None:
    """Note how work on a run ended; a run that never began to write leaves nothing behind.

    Raises:
        RunLockedError: another process has taken the run over, and says itself how it ends.
    """
    record = read_record(paths)
    if record is not None:
        check_held(paths)
        write_record(paths, replace(record, status=status, reason=reason))


def score_stored(
    runs: Sequence[StoredRun],
    tests: Sequence[str],
    scoring: Scoring,
    device: torch.device,
    stop: Stop,
    *,
    quiet: bool = False,
    allow_missing: bool = False,
) -> list[Outcome]:
    """Score stored runs without training them.

    Args:
        runs: from the store.
        tests: test sets as typed; empty: the test half of the dataset each run was trained on.
        scoring: metrics and rules.
        device: where.
        stop: looked at between pictures.
        quiet: no progress bars.
        allow_missing: of a folder of pictures, score those that are there.
    """
    outcomes: list[Outcome] = []
    for run in runs:
        try:
            stop.check()
            spec = RunSpec.from_stored(run.record.spec)
            with run_lock(run.paths):
                engine = choose_engine(device, spec.precision or "fp32", "exact")
                apply_engine(resumed_engine(run.record.engine, engine))
                with stop.at_once():
                    mine = scored_sets(tests or [typed_dataset(run)], spec.scale)
                    for test in mine:
                        test.sha256  # noqa: B018 - hashed here, where a signal need not wait for it
                step, upscaler = upscaler_of(
                    spec, run.paths, mine, device, scoring.inference, allow_missing=allow_missing
                )
                _, made = evaluate(
                    spec, run.paths, step, upscaler, mine, scoring, device, stop.check, quiet=quiet
                )
            outcomes.append(Outcome(run.id, did_anything=made > 0))
        except StoppedError as error:
            outcomes.append(Outcome(run.id, error))
            break
        except SrbenchError as error:
            outcomes.append(Outcome(run.id, error))
    return outcomes


def typed_dataset(run: StoredRun) -> str:
    """The dataset a run was trained on, as it was typed.

    Raises:
        UsageError: it was not trained on any.
    """
    typed = run.record.provenance.get("dataset")
    if typed is None:
        raise UsageError(f"{run.id} was not trained on a dataset of its own. Name a test set: --test sample.")
    return str(typed)
