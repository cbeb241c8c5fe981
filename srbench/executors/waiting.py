"""Runs that are handed to a batch system and wait for their turn there, as the store knows of them."""

from contextlib import suppress
from pathlib import Path

from srbench.errors import RunLockedError
from srbench.executors.contract import Settings
from srbench.executors.losses import unbegun
from srbench.plan import Job
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, run_lock
from srbench.store.queued import Queued, read_queued, remove_queued, write_queued
from srbench.store.runs import now, read_record, write_record


def note_queued(
    job: Job, results: Path, settings: Settings, executor: str, batch_job: str, folder: Path
) -> None:
    """Note that a job of a batch system is to do a run, so that `srbench runs` shows it as queued.

    Args:
        job: that was handed over.
        results: the store's folder.
        settings: how it will be done.
        executor: its name, as registered with `still_queued`.
        batch_job: the id of the job there.
        folder: where what the job says is kept.

    Raises:
        StoreError: the store cannot be written.
    """
    paths = RunPaths(results / job.spec.id)
    if not paths.run.exists():
        with suppress(RunLockedError), run_lock(paths):  # where it is held, the run has begun
            if read_record(paths) is None:
                write_record(paths, unbegun(job, settings))
    write_queued(paths, Queued(executor, batch_job, str(folder), now()))


def queued_as(results: Path, run_id: str) -> Queued | None:
    """The job of a batch system that is to do a run, as it was noted; it may be gone meanwhile."""
    return read_queued(RunPaths(results / run_id))


def forget_queued(results: Path, run_id: str, batch_job: str) -> None:
    """That job is over, or gone; what was noted of another one stays."""
    paths = RunPaths(results / run_id)
    found = read_queued(paths)
    if found is None or found.job == batch_job:
        remove_queued(paths)


def is_held(results: Path, run_id: str) -> bool:
    """Whether some process works on a run now, on whatever host."""
    return is_locked(RunPaths(results / run_id))
