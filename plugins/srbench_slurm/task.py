"""A run, as a job of submitit's: it saves when Slurm says that time is up, and goes on when it is back."""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from submitit.core.utils import DelayedSubmission, UncompletedJobError

from srbench.api import Job, Outcome, Settings, StoppedError, forget_queued, record_loss, run_apart
from srbench_slurm.words import Asked, Mouth, said_path, stop_path, write_result

_MOST_IDLE = 3
"""So many sittings in a row may end without a step."""
_KILLED_WITHIN_S = 600.0
"""Slurm's grace, and more."""
_UP = "the end of its time"


@dataclass
class Task:
    """A job's work; what submitit pickles, and calls in each sitting.

    Args:
        job, results, settings: as `run_job` has them.
        folder: of this submission.
        level: of what is logged.
        furthest: step of each piece of work that sittings before this one came to.
        idle: how many of them in a row came no further.
    """

    job: Job
    results: Path
    settings: Settings
    folder: Path
    level: int
    furthest: dict[str, int] = field(default_factory=dict)
    idle: int = 0
    _sitting: "_Sitting | None" = field(default=None, init=False)

    def __call__(self) -> None:
        """One sitting, in a process of its own, so that whatever ends the run is seen here for what it is.

        Does not return where Slurm takes the job's place away: then the job comes back, or was cancelled.
        """
        logging.getLogger("srbench").setLevel(self.level)
        self._sitting = sitting = _Sitting(self)
        sitting.thread.start()
        try:
            sitting.thread.join()
            if sitting.is_cut_off:
                # Signals reach the run's process too, and it may have saved before this one was told.
                time.sleep(_KILLED_WITHIN_S)
                sys.exit(1)
        except UncompletedJobError:  # `checkpoint` has given None
            pass
        assert sitting.outcome is not None
        write_result(self.folder, sitting.outcome)
        forget_queued(self.results, self.job.spec.id, job_id())

    def checkpoint(self) -> DelayedSubmission | None:
        """Submitit's question when Slurm's signal has come: what is to be done in the next sitting.

        Waits until the run has saved. None: nothing, for it has ended, or does not get any further.
        """
        sitting = self._sitting
        assert sitting is not None
        sitting.stop.ask(_UP)
        sitting.thread.join()
        if sitting.stop.reason != _UP or not isinstance(sitting.error, StoppedError):
            return None
        now = sitting.mouth.furthest
        is_further = any(step > self.furthest.get(label, 0) for label, step in now.items())
        idle = 0 if is_further else self.idle + 1
        if idle >= _MOST_IDLE:
            sitting.outcome = record_loss(
                self.job, self.results, self.settings,
                f"{self.job.spec.id} came no step further in {_MOST_IDLE} sittings of its Slurm job "
                f"{job_id()}: Slurm ended each before it got there. Give it more time (time=…).",
            )  # fmt: skip
            return None
        return DelayedSubmission(replace(self, furthest=_larger(self.furthest, now), idle=idle))


def _larger(before: Mapping[str, int], now: Mapping[str, int]) -> dict[str, int]:
    return {label: max(before.get(label, 0), now.get(label, 0)) for label in {**before, **now}}


class _Sitting:
    """A run at work in a thread, so that the main thread hears signals."""

    def __init__(self, task: Task) -> None:
        run_id = task.job.spec.id
        self.stop = Asked(stop_path(task.folder, run_id))
        self.mouth = Mouth(said_path(task.folder, run_id))
        self.outcome: Outcome | None = None
        self._task = task
        self.thread = threading.Thread(target=self._work)

    def _work(self) -> None:
        task = self._task
        self.outcome = run_apart(task.job, task.results, task.settings, self.stop, self.mouth.hear)

    @property
    def error(self) -> Exception | None:
        return None if self.outcome is None else self.outcome.error

    @property
    def is_cut_off(self) -> bool:
        """Whether the run was stopped, and not because somebody asked for it."""
        return isinstance(self.error, StoppedError) and self.stop.reason in (None, _UP)


def job_id() -> str:
    """What Slurm, or submitit's local executor, calls the job that this process is of."""
    array, number = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    if array is not None:
        return f"{array}_{number}"
    return os.environ.get("SLURM_JOB_ID") or os.environ.get("SUBMITIT_LOCAL_JOB_ID", "")
