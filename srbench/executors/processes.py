"""Several processes of this machine, each with a run and a slot; and one run in one of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from srbench.errors import SrbenchError
from srbench.executors.causes import cause_of
from srbench.executors.contract import Outcome, Settings
from srbench.executors.losses import record_loss
from srbench.executors.process import RunProcess, Told
from srbench.executors.slots import Slot, is_there_room
from srbench.plan import Job
from srbench.progress import News, Said
from srbench.train.device import THREADS
from srbench.train.stop import Stop

_LOOK_EVERY_S = 0.2
_GRACE_S = 30.0
"""How long a process may take to end once it has said what became of its run."""


@dataclass
class _Running:
    """A process, and what is known of it."""

    process: RunProcess
    outcome: Outcome | None = None
    memory_bytes: int = 0
    over_since: float | None = None


class Processes:
    """The `Workers` of this machine.

    Args:
        results: the store's folder.
        settings: how.
        slots: where.
        stop: of the command.
        begins: told of a run that begins.
        hears: told what a run says: how far it is (`News`), or a line (`Said`).
    """

    def __init__(
        self,
        results: Path,
        settings: Settings,
        slots: Sequence[Slot],
        stop: Stop,
        begins: Callable[[Job], object],
        hears: Callable[[Job, News | Said], object],
    ) -> None:
        self._results, self._settings, self._stop = results, settings, stop
        self._begins, self._hears = begins, hears
        self._free = list(slots)
        self._running: list[_Running] = []
        self._largest_bytes = 0

    @property
    def has_room(self) -> bool:
        """Whether a slot is free, and its GPU has memory."""
        return self._free_slot() is not None

    def begin(self, job: Job) -> None:
        """As `Workers.begin`."""
        slot = self._free_slot()
        assert slot is not None
        process = RunProcess(job, self._results, self._settings, slot, self._stop)
        self._free.remove(slot)
        self._running.append(_Running(process))
        self._begins(job)

    def ask_to_stop(self, reason: str) -> Sequence[Job]:
        """As `Workers.ask_to_stop`; all that was given is at work."""
        for one in self._running:
            one.process.ask_to_stop(reason)
        return ()

    def listen(self) -> list[tuple[Job, Outcome]]:
        """As `Workers.listen`."""
        ends = [one.process.sentinel for one in self._running]
        channels = [one.process.channel for one in self._running if not one.process.channel.closed]
        ready = wait([*ends, *channels], timeout=_LOOK_EVERY_S)
        over = []
        for one in [*self._running]:
            process = one.process
            if process.channel in ready:
                self._hear(one)
            is_late = one.over_since is not None and time.monotonic() - one.over_since > _GRACE_S
            if process.sentinel in ready or is_late:
                self._hear(one)  # what it said last
                over.append((process.job, self._reap(one)))
        return over

    def close(self) -> None:
        """As `Workers.close`."""
        for one in self._running:
            one.process.kill()

    def _free_slot(self) -> Slot | None:
        for slot in self._free:
            taken = [one.memory_bytes for one in self._running if one.process.slot.gpu == slot.gpu]
            if is_there_room(slot, taken, self._largest_bytes):
                return slot
        return None

    def _hear(self, one: _Running) -> None:
        try:
            while not one.process.channel.closed and one.process.channel.poll():
                message = one.process.channel.recv()
                if isinstance(message, Told):
                    one.memory_bytes = max(one.memory_bytes, message.memory_bytes)
                    self._largest_bytes = max(self._largest_bytes, one.memory_bytes)
                    self._hears(one.process.job, message.news)
                elif isinstance(message, Said):
                    self._hears(one.process.job, message)
                elif isinstance(message, Outcome):
                    one.outcome, one.over_since = message, time.monotonic()
        except (EOFError, OSError):
            one.process.channel.close()

    def _reap(self, one: _Running) -> Outcome:
        """A process has ended: its slot is free, and its run is done, failed, or somebody else's."""
        process = one.process
        if one.outcome is None:
            reason = f"{process.paths.id} {cause_of(process.code, process.paths.log)}"
            process.kill()  # where only the server that watched it is gone, it would hold its run
            one.outcome = record_loss(process.job, self._results, self._settings, reason, self._stop.check)
        process.kill()
        self._running.remove(one)
        self._free.append(process.slot)
        return one.outcome


def run_apart(
    job: Job, results: Path, settings: Settings, stop: Stop, hear: Callable[[object], object]
) -> Outcome:
    """As `run_job`, in a process of its own: when that is lost, its cause is recorded and returned.

    Args:
        job: from `plan`.
        results: the store's folder.
        settings: how; `threads` None: all that torch takes.
        stop: looked at a few times a second; then the process saves and ends.
        hear: given what the run says, as it says it: things that can be pickled, which `View.hear` shows.
    """
    slot = Slot(str(settings.device), settings.threads or THREADS)
    processes = Processes(
        results, settings, [slot], stop, lambda job: None, lambda job, message: hear(message)
    )
    try:
        processes.begin(job)
        is_asked = False
        while True:
            if stop.reason is not None and not is_asked:
                processes.ask_to_stop(stop.reason)
                is_asked = True
            for _, outcome in processes.listen():
                return outcome
    except SrbenchError as error:
        return Outcome(job.spec.id, error)
    finally:
        processes.close()
