"""A run, in a process of the cluster."""

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from srbench.api import Job, Outcome, Settings, Stop, UsageError, run_apart

_PASS_ON_EVERY_S = 0.5
_SEEN_WITHIN_S = 60.0
"""How long a network folder may take to show a new file."""


class StoreNotSeenError(UsageError):
    """A node has no such folder, or another one of that name."""


def work(
    job: Job, results: Path, settings: Settings, desk: Any, number: int, mark: Path, level: int, folder: Path
) -> Outcome | None:
    """Do a job, as a task of Ray; None: it was not to begin any more.

    The run has a process of its own under this one, so that whatever ends it, a crash, a kill, memory, is
    seen here for what it is; when this process is lost instead, it was Ray's, and the run's ends with it.

    Args:
        job, results, settings: as `run_job` has them.
        desk: the actor, a `Desk`.
        number: of the task.
        mark: a file in the store.
        level: of what is logged.
        folder: the command's, for paths that are relative to it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    with contextlib.suppress(OSError):
        os.chdir(folder)
    logging.getLogger("srbench").setLevel(level)
    granted = ray.get(desk.begins.remote(number))
    if granted is None:
        return None
    stop = Stop(*granted)
    with _Line(desk, number, stop) as line:
        if not _appears(mark, stop):
            return Outcome(
                job.spec.id,
                StoreNotSeenError(
                    f"{socket.gethostname()}, a node of the Ray cluster, does not see the store {results}. "
                    "All nodes need that folder, shared, under the same name; or name one that they share: "
                    "--results DIR."
                ),
            )
        return run_apart(job, results, settings, stop, line.hear)


def _appears(mark: Path, stop: Stop) -> bool:
    """Whether a file is there, or comes."""
    until = time.monotonic() + _SEEN_WITHIN_S
    while not mark.exists():
        if stop.reason is not None or not mark.parent.exists() or time.monotonic() > until:
            return False
        time.sleep(_PASS_ON_EVERY_S)
    return True


class _Line:
    """To the desk while the context lasts: what the run says goes there, and a request to stop comes back."""

    def __init__(self, desk: Any, number: int, stop: Stop) -> None:
        self._desk, self._number, self._stop = desk, number, stop
        self._said: deque[object] = deque()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "_Line":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._pass_on()

    def hear(self, message: object) -> None:
        """For `run_apart`."""
        self._said.append(message)

    def _work(self) -> None:
        while not self._over.wait(_PASS_ON_EVERY_S):
            self._pass_on()

    def _pass_on(self) -> None:
        messages = [self._said.popleft() for _ in range(len(self._said))]
        try:
            reason = ray.get(self._desk.hear.remote(self._number, messages))
        except RayError:
            reason = "the end of the command that began it"
        if reason is not None:
            self._stop.ask(reason)
