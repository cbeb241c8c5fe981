"""Runs in processes of their own, some at once: begin, listen, reap, and share with others on one store."""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path

from srbench.errors import RunLockedError, SrbenchError, StoppedError, StoreError, UsageError
from srbench.executors.causes import cause_of
from srbench.executors.contract import Outcome, Settings
from srbench.executors.losses import record_failure, record_loss
from srbench.executors.process import RunProcess, Told
from srbench.executors.slots import Slot, is_there_room
from srbench.executors.view import View
from srbench.plan import Job
from srbench.progress import Said
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked, remove_if_empty
from srbench.store.runs import now, read_record
from srbench.train.stop import Stop

_LOOK_EVERY_S = 0.2
_LOOK_AT_TAKEN_EVERY_S = 2.0
_GRACE_S = 30.0
"""How long a process may take to end once it has said what became of its run."""

_log = logging.getLogger(__name__)


class _Running:
    """A process, and what is known of it."""

    def __init__(self, process: RunProcess) -> None:
        self.process = process
        self.outcome: Outcome | None = None
        self.memory_bytes = 0
        self.over_since: float | None = None


class Queue:
    """Jobs on their way through the slots of this machine.

    A job that another process works on is put aside, and looked at again when nothing else can be begun: it
    may be done then, or its holder may have died.

    Args:
        jobs: baselines first.
        results: the store's folder.
        settings: how.
        slots: where.
        stop: whether and why to stop.
        view: what people see.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        results: Path,
        settings: Settings,
        slots: Sequence[Slot],
        stop: Stop,
        view: View,
    ) -> None:
        self._results, self._settings, self._stop, self._view = results, settings, stop, view
        self._order = [job.spec.id for job in jobs]
        self._waiting = list(jobs)
        self._taken: list[Job] = []
        self._free = list(slots)
        self._running: list[_Running] = []
        self._outcomes: dict[str, Outcome] = {}
        self._largest_bytes = 0
        self._began = now()
        self._looked = 0.0

    def work(self) -> list[Outcome]:
        """Do all jobs, and say what became of each, in their order; of those a stop left out, the first."""
        asked = False
        try:
            while self._running or (not self._is_stopping and (self._waiting or self._taken)):
                if self._is_stopping:
                    if not asked:
                        for one in self._running:
                            one.process.ask_to_stop(self._stop.reason or "Ctrl-C")
                        asked = True
                else:
                    self._begin()
                self._listen()
                self._view.refresh()
        finally:
            for one in self._running:
                one.process.kill()
        left = [*self._waiting, *self._taken]
        if left:
            self._outcomes[left[0].spec.id] = Outcome(
                left[0].spec.id,
                StoppedError(
                    f"Stopped on {self._stop.reason or 'the stop of a run'}; {len(left)} "
                    f"{'run is' if len(left) == 1 else 'runs are'} left. Run the same command to go on."
                ),
            )
        return [self._outcomes[run_id] for run_id in self._order if run_id in self._outcomes]

    @property
    def _is_stopping(self) -> bool:
        return self._stop.reason is not None or any(
            isinstance(one.error, StoppedError) for one in self._outcomes.values()
        )

    def _begin(self) -> None:
        """Begin what can be begun in free slots."""
        while self._waiting:
            slot = self._free_slot()
            if slot is None:
                return
            self._try(self._waiting.pop(0), slot)
        if self._taken and time.monotonic() - self._looked >= _LOOK_AT_TAKEN_EVERY_S:
            self._looked = time.monotonic()
            for job in [*self._taken]:
                slot = self._free_slot()
                if slot is None:
                    return
                if not is_locked(self._paths(job)):
                    self._taken.remove(job)
                    self._try(job, slot)

    def _free_slot(self) -> Slot | None:
        for slot in self._free:
            taken = [one.memory_bytes for one in self._running if one.process.slot.gpu == slot.gpu]
            if is_there_room(slot, taken, self._largest_bytes):
                return slot
        return None

    def _try(self, job: Job, slot: Slot) -> None:
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
            process = RunProcess(job, self._results, self._settings, slot, self._stop)
        except SrbenchError as error:
            self._finish(job, Outcome(paths.id, error))
            return
        self._free.remove(slot)
        self._running.append(_Running(process))
        self._view.begins(job)

    def _failed_elsewhere(self, paths: RunPaths) -> SrbenchError | None:
        """That another process failed at this run meanwhile: it would fail here too."""
        record = read_record(paths)
        if record is None or record.status != "failed":
            return None
        updated = record.provenance.get("updated", "")
        if not updated or datetime.fromisoformat(updated) <= datetime.fromisoformat(self._began):
            return None
        return SrbenchError(record.reason or f"{paths.id} failed in another process.")

    def _put_aside(self, job: Job) -> None:
        if not self._view.knows_taken(job):
            _log.info("%s is being worked on by another process; it is looked at again later.", job.spec.id)
        self._taken.append(job)
        self._view.taken(job)

    def _listen(self) -> None:
        """Hear what the processes say, and take note of those that have ended."""
        ends = [one.process.sentinel for one in self._running]
        channels = [one.process.channel for one in self._running if not one.process.channel.closed]
        ready = wait([*ends, *channels], timeout=_LOOK_EVERY_S)
        for one in [*self._running]:
            process = one.process
            if process.channel in ready:
                self._hear(one)
            is_late = one.over_since is not None and time.monotonic() - one.over_since > _GRACE_S
            if process.sentinel in ready or is_late:
                self._hear(one)  # what it said last
                self._reap(one)

    def _hear(self, one: _Running) -> None:
        try:
            while not one.process.channel.closed and one.process.channel.poll():
                message = one.process.channel.recv()
                if isinstance(message, Told):
                    one.memory_bytes = max(one.memory_bytes, message.memory_bytes)
                    self._largest_bytes = max(self._largest_bytes, one.memory_bytes)
                    self._view.tell(one.process.job, message.news)
                elif isinstance(message, Said):
                    self._view.say(one.process.job, message.line, message.level)
                elif isinstance(message, Outcome):
                    one.outcome, one.over_since = message, time.monotonic()
        except (EOFError, OSError):
            one.process.channel.close()

    def _reap(self, one: _Running) -> None:
        """A process has ended: its slot is free, and its run is done, failed, or somebody else's."""
        process = one.process
        if one.outcome is None:
            code = process.code
            reason = f"{process.paths.id} {cause_of(code, process.paths.log)}"
            one.outcome = record_loss(process.job, self._results, self._settings, reason, self._stop.check)
        process.kill()
        self._running.remove(one)
        self._free.append(process.slot)
        if isinstance(one.outcome.error, RunLockedError):
            self._put_aside(process.job)
            return
        self._finish(process.job, one.outcome)

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
