"""Runs on their way through workers: begin, reap, and share with others on one store."""

import logging
import time
from collections.abc import Sequence
from pathlib import Path

from srbench.errors import RunLockedError, SrbenchError, StoppedError, StoreError, UsageError
from srbench.executors.contract import Outcome, Settings, Workers
from srbench.executors.losses import record_failure
from srbench.executors.view import View
from srbench.plan import Job
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, remove_if_empty
from srbench.store.runs import RunRecord, read_record
from srbench.train.stop import Stop

_LOOK_AT_TAKEN_EVERY_S = 2.0

_log = logging.getLogger(__name__)


class Queue:
    """Jobs on their way through workers, on this machine or others.

    A job that another process works on is put aside, and looked at again when nothing else can be begun: it
    may be done then, or its holder may have died.

    Args:
        jobs: baselines first.
        results: the store's folder.
        settings: how.
        workers: who does them.
        stop: whether and why to stop.
        view: what people see.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        results: Path,
        settings: Settings,
        workers: Workers,
        stop: Stop,
        view: View,
    ) -> None:
        self._results, self._settings, self._stop, self._view = results, settings, stop, view
        self._workers = workers
        self._order = [job.spec.id for job in jobs]
        self._waiting = list(jobs)
        self._taken: list[Job] = []
        self._begun: set[str] = set()
        self._outcomes: dict[str, Outcome] = {}
        self._failed_before = {job.spec.id: _failed_at(self._paths(job)) for job in jobs}
        self._looked = 0.0

    def work(self) -> list[Outcome]:
        """Do all jobs, and say what became of each, in their order; of those a stop left out, the first."""
        asked = False
        try:
            while self._begun or (not self._is_stopping and (self._waiting or self._taken)):
                if not self._is_stopping:
                    self._begin()
                elif not asked:
                    asked = True
                    for job in self._workers.ask_to_stop(self._why):
                        self._begun.remove(job.spec.id)
                        self._waiting.append(job)
                for job, outcome in self._workers.listen():
                    self._reap(job, outcome)
                self._view.refresh()
        finally:
            self._workers.close()
        left = [*self._waiting, *self._taken]
        if left:
            self._outcomes[left[0].spec.id] = Outcome(
                left[0].spec.id,
                StoppedError(
                    f"Stopped on {self._why}; {len(left)} {'run is' if len(left) == 1 else 'runs are'} left. "
                    "Run the same command to go on."
                ),
            )
        return [self._outcomes[run_id] for run_id in self._order if run_id in self._outcomes]

    @property
    def _is_stopping(self) -> bool:
        """Whether all are to stop. Of runs with a time limit the first to stop tells: its save takes a while.

        Without one, a run that stops was asked alone, by a signal to its process, and the others go on.
        """
        return self._stop.reason is not None or (
            self._stop.max_time_s is not None
            and any(isinstance(one.error, StoppedError) for one in self._outcomes.values())
        )

    @property
    def _why(self) -> str:
        return self._stop.reason or "the stop of another run"

    def _begin(self) -> None:
        """Begin what there is room for."""
        while self._waiting and self._workers.has_room:
            self._try(self._waiting.pop(0))
        if self._taken and time.monotonic() - self._looked >= _LOOK_AT_TAKEN_EVERY_S:
            self._looked = time.monotonic()
            for job in [*self._taken]:
                if not self._workers.has_room:
                    return
                if not is_locked(self._paths(job)):
                    self._taken.remove(job)
                    self._try(job)

    def _try(self, job: Job) -> None:
        """Begin a job, unless it is somebody else's."""
        paths = self._paths(job)
        try:
            if is_locked(paths):
                self._put_aside(job)
                return
            failed = self._failed_elsewhere(paths)
            if failed is not None:
                self._finish(job, Outcome(paths.id, failed))
                return
            self._workers.begin(job)
        except SrbenchError as error:
            self._finish(job, Outcome(paths.id, error))
            return
        self._begun.add(job.spec.id)

    def _failed_elsewhere(self, paths: RunPaths) -> SrbenchError | None:
        """That another process failed at this run meanwhile: it would fail here too."""
        record = read_record(paths)
        # Two readings of one file: when it was written, by the clock of its host, says nothing here.
        if record is None or _time_of_failure(record) in (None, self._failed_before[paths.id]):
            return None
        return SrbenchError(record.reason or f"{paths.id} failed in another process.")

    def _put_aside(self, job: Job) -> None:
        if not self._view.knows_taken(job):
            _log.info("%s is being worked on by another process; it is looked at again later.", job.spec.id)
        self._taken.append(job)
        self._view.taken(job)

    def _reap(self, job: Job, outcome: Outcome) -> None:
        """A job has ended: its run is done, failed, or somebody else's."""
        self._begun.remove(job.spec.id)
        if isinstance(outcome.error, RunLockedError):
            self._put_aside(job)
        else:
            self._finish(job, outcome)

    def _finish(self, job: Job, outcome: Outcome) -> None:
        self._outcomes[job.spec.id] = outcome
        paths = self._paths(job)
        if outcome.error is not None and not paths.run.exists():
            if isinstance(outcome.error, UsageError | StoppedError | StoreError):
                remove_if_empty(paths)
            else:
                record_failure(job, self._results, self._settings, outcome.error, self._stop.check)
        self._view.finished(job, outcome)

    def _paths(self, job: Job) -> RunPaths:
        return RunPaths(self._results / job.spec.id)


def _failed_at(paths: RunPaths) -> str | None:
    try:
        record = read_record(paths)
    except SrbenchError:  # said when its turn comes
        return None
    return None if record is None else _time_of_failure(record)


def _time_of_failure(record: RunRecord) -> str | None:
    """When a run failed, by the clock of the host where it did; None: it has not."""
    return str(record.provenance.get("updated", "")) if record.status == "failed" else None
