"""The executor `local`: one run in this process; several in processes of their own, on this machine."""

import time
from collections.abc import Sequence
from pathlib import Path

from srbench.errors import RunLockedError
from srbench.executors.contract import Outcome, Settings
from srbench.executors.local import execute
from srbench.executors.processes import Processes
from srbench.executors.queue import Queue
from srbench.executors.slots import slots_of
from srbench.executors.view import View
from srbench.plan import Job
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked
from srbench.train.stop import Stop
from srbench.types import BASELINE

_LOOK_EVERY_S = 0.5


class Machine:
    """What `local` builds.

    Args:
        jobs: runs at once; None: one on a CPU, and one a GPU.
    """

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs is at least 1, not {jobs}")
        self._jobs = jobs

    def execute(
        self, jobs: Sequence[Job], results: Path, settings: Settings, stop: Stop
    ) -> Sequence[Outcome]:
        """As `Executor.execute`."""
        slots = slots_of(self._jobs, settings)
        if sum(not _is_baseline(job) for job in jobs) > 1:
            with View(jobs, results, quiet=settings.quiet) as view:
                workers = Processes(results, settings, slots, stop, view.begins, view.hear)
                return Queue(jobs, results, settings, workers, stop, view).work()
        outcomes = execute(jobs, results, settings, stop)
        for number, job in enumerate(jobs[: len(outcomes)]):
            if _is_baseline(job) and isinstance(outcomes[number].error, RunLockedError):
                # It is everybody's: whoever scores it, it is done when this command ends.
                while stop.reason is None and is_locked(RunPaths(results / job.spec.id)):
                    time.sleep(_LOOK_EVERY_S)
                (outcomes[number],) = execute([job], results, settings, stop)
        return outcomes


def _is_baseline(job: Job) -> bool:
    return job.spec.model.name == BASELINE and not job.spec.trained
