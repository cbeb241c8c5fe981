"""Runs from hand-over to end: who waits, who is at work, what they say, what became of those gone."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from submitit.core.utils import JobPaths

from srbench.api import (
    Job,
    Outcome,
    RunLockedError,
    Settings,
    SrbenchError,
    Stop,
    StoppedError,
    UsageError,
    View,
    forget_queued,
    is_held,
    note_queued,
    queued_as,
    record_loss,
)
from srbench_slurm.cluster import Machines
from srbench_slurm.commands import is_at_work, is_over
from srbench_slurm.ending import told
from srbench_slurm.folders import drop, new_folder, remove, sweep
from srbench_slurm.task import Task
from srbench_slurm.words import Ear, read_result, result_path, said_path, stop_path

NAME = "slurm"
"""How the executor is typed."""
LOOK_EVERY_S = 10.0
"""Between two questions to the batch system, which has others to serve."""
_LISTEN_EVERY_S = 0.5
_SHOWN_WITHIN_S = 30.0
"""How long a shared folder may take to show the result of a job that is over."""
_BY_OTHERS = {"CANCELLED": "was cancelled", "PREEMPTED": "was preempted, and Slurm does not bring it back"}
"""How somebody ends a job that can go on."""


@dataclass
class _Sent:
    """A job that was handed over, by this command or one before it."""

    job: Job
    id: str
    folder: Path
    ear: Ear
    is_stopping: bool = False
    gone_since: float | None = None

    @property
    def log(self) -> Path:
        """What it wrote to stdout and stderr."""
        return Path(JobPaths(self.folder, self.id, 0).stdout)


@dataclass
class Watch:
    """The jobs of a command on their way through a batch system.

    Args:
        jobs: baselines first.
        results: the store's folder, absolute.
        settings: how.
        machines: where.
        stop: whether and why to stop.
        view: what people see.
    """

    jobs: Sequence[Job]
    results: Path
    settings: Settings
    machines: Machines
    stop: Stop
    view: View
    _sent: list[_Sent] = field(default_factory=list)
    _taken: list[Job] = field(default_factory=list)
    _left: list[Job] = field(default_factory=list)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)

    def work(self, *, wait: bool) -> list[Outcome]:
        """Hand all jobs over that no job does already, and stay until they are over.

        Returns:
            What became of each, in their order; with `wait=False`, where each waits.
        """
        self.stop.check()
        states = self.machines.states()
        if states is None:
            raise SrbenchError(
                f"{self.machines.name} does not answer (squeue --me), so what is queued already is not "
                "known. Nothing was handed over; give the same command when it answers."
            )
        new = self._adopt(states)
        sweep(self.results, states)
        if not wait:
            self._submit(new)
            return [Outcome(one.job.spec.id, queued_as=f"{NAME} {one.id}") for one in self._in_order()]
        held = [job for job in new if is_held(self.results, job.spec.id)]
        for job in held:
            self._put_aside(job)
        self._submit([job for job in new if job not in held])
        looked = time.monotonic()
        asked = False
        while self._sent or (self._taken and self.stop.reason is None):
            if self.stop.reason is not None and not asked:
                self._ask_to_stop(self.stop.reason)
                asked, looked = True, 0.0
            self._listen()
            if time.monotonic() - looked >= LOOK_EVERY_S:
                looked = time.monotonic()
                self._look()
                if self.stop.reason is None:
                    free = [job for job in self._taken if not is_held(self.results, job.spec.id)]
                    self._taken = [job for job in self._taken if job not in free]
                    self._submit(free)
            self.view.refresh()
            time.sleep(_LISTEN_EVERY_S)
        left = [*self._left, *self._taken]
        if left:
            many = "run is" if len(left) == 1 else "runs are"
            error = StoppedError(
                f"Stopped on {self.stop.reason}; {len(left)} {many} left. Run the same command to go on."
            )
            self._outcomes[left[0].spec.id] = Outcome(left[0].spec.id, error)
        return [self._outcomes[job.spec.id] for job in self.jobs if job.spec.id in self._outcomes]

    def _in_order(self) -> list[_Sent]:
        order = {job.spec.id: number for number, job in enumerate(self.jobs)}
        return sorted(self._sent, key=lambda one: order[one.job.spec.id])

    def _adopt(self, states: Mapping[str, str]) -> list[Job]:
        """Take note of what earlier commands have handed over; returns the jobs that none has."""
        new = []
        for job in self.jobs:
            noted = queued_as(self.results, job.spec.id)
            if noted is None or noted.executor != NAME or is_over(states.get(noted.job)):
                new.append(job)
                continue
            folder = Path(noted.folder)
            stop_path(folder, job.spec.id).unlink(missing_ok=True)
            self._add(job, noted.job, folder, is_new=False)
        return new

    def _submit(self, jobs: Sequence[Job]) -> None:
        """Hand jobs over, all at once."""
        if not jobs:
            return
        try:
            folder = new_folder(self.results)
        except OSError as error:
            raise SrbenchError(f"{self.results} cannot be written ({error}).") from error
        level = logging.getLogger("srbench").getEffectiveLevel()
        tasks = [Task(job, self.results, self.settings, folder, level) for job in jobs]
        try:
            numbers = self.machines.submit(tasks, folder)
        except UsageError:
            remove(folder)
            raise
        for job, number in zip(jobs, numbers, strict=True):
            note_queued(job, self.results, self.settings, NAME, number, folder)
            self._add(job, number, folder, is_new=True)

    def _add(self, job: Job, number: str, folder: Path, *, is_new: bool) -> None:
        self._sent.append(_Sent(job, number, folder, Ear(said_path(folder, job.spec.id), is_new=is_new)))
        self.view.queued(job, f"{self.machines.name} job {number}")

    def _put_aside(self, job: Job) -> None:
        self._taken.append(job)
        self.view.taken(job)

    def _listen(self) -> None:
        """Hear what runs say, and take what has come back."""
        for one in [*self._sent]:
            for message in one.ear.news():
                self.view.begins(one.job)
                self.view.hear(one.job, message)
            outcome = read_result(one.folder, one.job.spec.id)
            if outcome is not None:
                self._finish(one, outcome)

    def _look(self) -> None:
        """Ask the batch system, and take note of jobs that are gone without having given anything back."""
        states = self.machines.states()
        if states is None:
            return
        for one in [*self._sent]:
            state = states.get(one.id)
            if not is_over(state):
                one.gone_since = None
                if is_at_work(state):
                    self.view.begins(one.job)
                else:
                    self.view.queued(one.job, f"{self.machines.name} job {one.id}")
                continue
            one.gone_since = one.gone_since or time.monotonic()
            if state != "CANCELLED" and time.monotonic() - one.gone_since < _SHOWN_WITHIN_S:
                continue
            if result_path(one.folder, one.job.spec.id).exists():
                continue  # `_listen` takes it
            self._gone(one)

    def _gone(self, one: _Sent) -> None:
        run_id = one.job.spec.id
        ended = self.machines.end_of(one.id)
        state = ended.get("JobState", "")
        if state == "COMPLETED" and queued_as(self.results, run_id) is None:
            self._sent.remove(one)  # another command of the same line has taken what it gave back
            self._put_aside(one.job)
        elif state not in _BY_OTHERS:
            self._finish(one, self._lost(one, told(ended, one.log)))
        elif one.is_stopping:
            self._finish(one, None)
        else:
            error = StoppedError(
                f"{run_id} stopped: its {self.machines.name} job {one.id} {_BY_OTHERS[state]}. What it had "
                "saved is there. Run the same command to go on."
            )
            self._finish(one, Outcome(run_id, error))

    def _lost(self, one: _Sent, what: str) -> Outcome:
        reason = f"{one.job.spec.id} was lost: its {self.machines.name} job {one.id} {what}"
        return record_loss(one.job, self.results, self.settings, reason, self.stop.check)

    def _finish(self, one: _Sent, outcome: Outcome | None) -> None:
        """Take note of what became of a job; None: it was cancelled before it began, as was asked."""
        run_id = one.job.spec.id
        error = None if outcome is None else outcome.error
        self._sent.remove(one)
        forget_queued(self.results, run_id, one.id)
        if error is None or isinstance(error, StoppedError | RunLockedError):
            drop(one.folder, one.id, run_id)
        if outcome is None or (
            one.is_stopping and isinstance(error, StoppedError) and run_id not in str(error)
        ):
            self._left.append(one.job)  # it had not begun to train
        elif isinstance(error, RunLockedError):
            self._put_aside(one.job)
        else:
            self._outcomes[run_id] = outcome
            self.view.finished(one.job, outcome)

    def _ask_to_stop(self, reason: str) -> None:
        """Have what is at work save and end, and cancel what has not begun."""
        for one in self._sent:
            one.is_stopping = True
            try:
                stop_path(one.folder, one.job.spec.id).write_text(reason + "\n", encoding="utf-8")
            except OSError as error:  # the others stop all the same
                self.view.say(
                    one.job, f"{self.machines.name} job {one.id} cannot be told to stop ({error}). What "
                    f"waits is cancelled; scancel {one.id} stops it if it is at work.", logging.WARNING,
                )  # fmt: skip
        self.machines.cancel_waiting(one.id for one in self._sent)
