"""Which runs wait for a job of a batch system: by their queued.json, and by whoever handed the job over."""

import logging
import time
from collections.abc import Collection
from typing import TYPE_CHECKING

from srbench.errors import SrbenchError
from srbench.store.layout import RunPaths
from srbench.store.lock import is_locked
from srbench.store.queued import Queued, read_queued

if TYPE_CHECKING:
    from srbench.store.index import Index

_ASK_EVERY_S = 15.0
"""A batch system is there for more than to be asked."""

_log = logging.getLogger(__name__)


class Waiting:
    """What is queued now; asks nobody where no run was handed to a batch system."""

    def __init__(self) -> None:
        self._answers: dict[str, tuple[float, frozenset[str], Collection[str]]] = {}

    def of(self, index: "Index") -> dict[str, Queued]:
        """Run id → the job it waits for; without runs that are done and were handed over for more."""
        noted: dict[str, dict[str, Queued]] = {}
        for run in index.runs:
            paths = RunPaths(index.root / run.folder)
            queued = None if run.status == "done" else read_queued(paths)
            if queued is not None and not is_locked(paths):
                noted.setdefault(queued.executor, {})[run.id] = queued
        return {
            run: queued
            for executor, jobs in noted.items()
            for run, queued in jobs.items()
            if queued.job in self._still(executor, frozenset(one.job for one in jobs.values()))
        }

    def _still(self, executor: str, jobs: frozenset[str]) -> Collection[str]:
        asked_at, asked, answer = self._answers.get(executor, (0.0, frozenset(), ()))
        if asked != jobs or time.monotonic() - asked_at > _ASK_EVERY_S:
            answer = still_queued(executor, jobs)
            self._answers[executor] = time.monotonic(), jobs, answer
        return answer


def still_queued(executor: str, jobs: Collection[str]) -> Collection[str]:
    """Those of the jobs that an executor says are not over; all where it cannot be asked here."""
    from srbench.components import ExecutorComponent
    from srbench.registry import registry

    try:
        component = registry().find("executor", executor)
        assert isinstance(component, ExecutorComponent)
        return component.queued_of(sorted(jobs))
    except SrbenchError as error:
        _log.warning("What is queued is shown as it was noted in the store: %s", error)
        return jobs
