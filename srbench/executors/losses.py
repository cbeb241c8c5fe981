"""What became of a run whose process could not say so itself: into run.json, and to plugins."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from srbench.errors import RunLockedError, SrbenchError
from srbench.executors.contract import Outcome, Settings
from srbench.plan import Job
from srbench.plugins import host
from srbench.store.layout import RunPaths
from srbench.store.lock import run_lock
from srbench.store.runs import RunRecord, now, read_record, write_record
from srbench.types import RunInfo

_log = logging.getLogger(__name__)


def record_loss(
    job: Job, results: Path, settings: Settings, reason: str, check: Callable[[], None] = lambda: None
) -> Outcome:
    """A run as failed, because what worked on it is gone; plugins are told too. One that is done stays done.

    Where that was on another host, waits until its lease is stale.

    Args:
        job: that is lost.
        results: the store's folder.
        settings: how it was done.
        reason: what happened, as a sentence that names the run.
        check: called while waiting; raises to stop.
    """
    error = SrbenchError(reason)
    record_failure(job, results, settings, error, check)
    paths = RunPaths(results / job.spec.id)
    host().emit("run_failed", run=RunInfo(paths.id, paths.directory, job.spec.data()), reason=reason)
    return Outcome(paths.id, error)


def record_failure(
    job: Job, results: Path, settings: Settings, error: SrbenchError, check: Callable[[], None]
) -> None:
    """A run as failed in its run.json, unless another process has begun it again already.

    One that is done stays done: its process was lost before it could say so, or scored it once more.

    Args:
        job, results, settings: as `run_job` had them.
        error: why.
        check: called while waiting for the run's lock; raises to stop.
    """
    paths = RunPaths(results / job.spec.id)
    try:
        with run_lock(paths, check):
            record = read_record(paths) or unbegun(job, settings)
            if record.status != "done":
                write_record(paths, replace(record, status="failed", reason=str(error)))
    except RunLockedError:
        pass
    except SrbenchError as cannot:
        _log.warning("%s", cannot)


def unbegun(job: Job, settings: Settings) -> RunRecord:
    """The record of a run that has not begun: without an engine, so that whoever begins it chooses one."""
    provenance = {**settings.provenance, **job.typed, "started": now()}
    return RunRecord(job.spec.id, job.spec.data(), "interrupted", provenance=provenance)
