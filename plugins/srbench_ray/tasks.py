"""Runs as tasks of Ray: handed over all at once, heard of, and handed over again when their node is lost."""

import itertools
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    TaskCancelledError,
    WorkerCrashedError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from srbench.api import Job, Outcome, Settings, SrbenchError, Stop, View, record_loss
from srbench_ray.desk import Desk
from srbench_ray.work import StoreNotSeenError, work

_LOOK_EVERY_S = 0.2
_MOST_LOSSES = 3
"""So often in a row the process above a run may be lost without the run having got any further."""
_LOST = {
    NodeDiedError: "its node died or was cut off",
    LocalRayletDiedError: "its node died",
    OutOfMemoryError: "memory of its node ran out, and Ray ended it; fewer runs a node (a larger "
    "cpus_per_run) or a smaller --batch take less",
    WorkerCrashedError: "Ray's process above it was ended: by somebody, or by the kernel for want of memory",
}

_log = logging.getLogger(__name__)


@dataclass
class _Progress:
    """How far a run was seen, and what it met on the way."""

    furthest: int = 0
    losses: int = 0
    furthest_at_loss: int = -1


class Tasks:
    """The `srbench.api.Workers` of a Ray cluster, of which this process is a driver.

    Args:
        results: the store's folder, which all nodes see.
        settings: how; `threads` is also the number of CPU cores.
        gpus: that a run takes.
        mark: a file in the store.
        stop: of the command.
        view: what people see.
    """

    has_room = True
    """Ray has the queue, and an autoscaler sees how long it is."""

    def __init__(
        self, results: Path, settings: Settings, gpus: float, mark: Path, stop: Stop, view: View
    ) -> None:
        self._results, self._settings, self._mark = results, settings, mark
        self._stop, self._view = stop, view
        self._jobs: dict[int, Job] = {}
        self._refs: dict[Any, int] = {}
        self._progress: dict[str, _Progress] = {}
        self._numbers = itertools.count()
        same = {"runtime_env": {"env_vars": _environment()}}
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._desk = (
            ray.remote(Desk)
            .options(num_cpus=0, scheduling_strategy=here, **same)
            .remote(stop.max_time_s, stop.left_s)
        )
        # No retries of Ray's own: a run that another process holds or that was stopped is over.
        self._work = ray.remote(num_cpus=settings.threads, num_gpus=gpus, max_retries=0, **same)(work)

    def begin(self, job: Job) -> None:
        """As `Workers.begin`."""
        number = next(self._numbers)
        level = logging.getLogger("srbench").getEffectiveLevel()
        try:
            ref = self._work.remote(
                job, self._results, self._settings, self._desk, number, self._mark, level, Path.cwd()
            )
        except (AttributeError, TypeError, ValueError) as error:  # what pickling raises
            raise SrbenchError(
                f"{job.spec.id} cannot be handed to a node ({error}). A plugin gives what cannot be pickled; "
                "mend it, or take --executor local."
            ) from error
        self._jobs[number] = job
        self._refs[ref] = number

    def ask_to_stop(self, reason: str) -> Sequence[Job]:
        """As `Workers.ask_to_stop`."""
        begun = ray.get(self._desk.ask.remote(reason))
        waiting = [ref for ref, number in self._refs.items() if number not in begun]
        for ref in waiting:
            ray.cancel(ref)
        return [self._jobs[self._refs.pop(ref)] for ref in waiting]

    def listen(self) -> Sequence[tuple[Job, Outcome]]:
        """As `Workers.listen`."""
        if not self._refs:
            time.sleep(_LOOK_EVERY_S)
            return ()
        refs = list(self._refs)
        ready, _ = ray.wait(refs, num_returns=len(refs), timeout=_LOOK_EVERY_S)
        for number, message in ray.get(self._desk.news.remote()):
            self._hear(self._jobs[number], message)
        over = []
        for ref in ready:
            job = self._jobs[self._refs.pop(ref)]
            outcome = self._outcome(ref, job)
            if outcome is not None:
                over.append((job, outcome))
        return over

    def close(self) -> None:
        """As `Workers.close`."""
        for ref in self._refs:
            ray.cancel(ref, force=True)
        self._refs.clear()

    def _hear(self, job: Job, message: object) -> None:
        if message is None:
            self._view.begins(job)
            return
        self._view.hear(job, message)
        done = getattr(message, "done", 0)
        progress = self._progress.setdefault(job.spec.id, _Progress())
        progress.furthest = max(progress.furthest, done)

    def _outcome(self, ref: Any, job: Job) -> Outcome | None:
        """What became of a task; None: it was lost, and is handed over again."""
        try:
            outcome: Outcome = ray.get(ref)
        except tuple(_LOST) as error:
            return self._lost(job, next(said for kind, said in _LOST.items() if isinstance(error, kind)))
        except TaskCancelledError:
            raise  # by somebody else, of all tasks
        except RayError as error:
            return record_loss(
                job, self._results, self._settings,
                f"{job.spec.id} could not be done by a node of the Ray cluster ({_told(error)}).",
                self._stop.check,
            )  # fmt: skip
        if isinstance(outcome.error, StoreNotSeenError):
            self._stop.ask("a node that does not see the store")  # it would take all others too
        return outcome

    def _lost(self, job: Job, cause: str) -> Outcome | None:
        try:
            self._stop.check()
        except SrbenchError as stopped:
            return Outcome(job.spec.id, stopped)
        progress = self._progress.setdefault(job.spec.id, _Progress())
        is_further = progress.furthest > progress.furthest_at_loss
        progress.losses = 1 if is_further else progress.losses + 1
        progress.furthest_at_loss = progress.furthest
        if progress.losses >= _MOST_LOSSES:
            return record_loss(
                job, self._results, self._settings,
                f"{job.spec.id} was lost {_MOST_LOSSES} times in a row without getting any further: {cause}.",
                self._stop.check,
            )  # fmt: skip
        self._view.say(
            job, f"{job.spec.id} was lost: {cause}. It goes on elsewhere from its last checkpoint.",
            logging.WARNING,
        )  # fmt: skip
        self.begin(job)
        return None


def _environment() -> dict[str, str]:
    """What a process of the cluster is to have as this one has it: where code lies, and srbench's own."""
    return {
        name: value
        for name, value in os.environ.items()
        if name == "PYTHONPATH" or name.startswith("SRBENCH_")
    }


def _told(error: BaseException) -> str:
    """The last line of a trace says what it was."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
