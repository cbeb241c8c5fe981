"""One run in a process of its own: what starts it, what it does, and what the two say to each other.

Processes are forked from a server that has imported what a run needs and computed nothing, so that they start
at once and share its memory. None of them outlives the one that started it.
"""

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import torch
from safetensors.torch import load, save

from srbench.errors import SrbenchError
from srbench.executors.contract import Settings
from srbench.executors.local import run_job
from srbench.executors.slots import Slot
from srbench.plan import Job
from srbench.progress import News, Said, send_news
from srbench.store.layout import RunPaths
from srbench.store.runs import now
from srbench.train.stop import SIGNALS, Stop
from srbench.train.together import end_with_parent, without_main

_MOST_BYTES = 1 << 20
"""A log that has grown past this is cut to its last half."""
_TIDY_EVERY_S = 5.0
_NOT_KNOWN = 255
"""The exit code that multiprocessing gives where the server is gone, which alone heard the true one."""
_GRACE_S = 5.0


@dataclass(frozen=True)
class Told:
    """How far a run is, and the bytes of a GPU's memory that it has taken at most so far."""

    news: News
    memory_bytes: int


@dataclass(frozen=True)
class _Task:
    job: Job
    tensors: tuple[bytes, bytes | None] | None
    """Of its start, as bytes: one by one, each would take a file handle on its way to another process."""
    results: Path
    settings: Settings
    environment: dict[str, str]
    """As it is now: the server that forks has that of its own beginning."""
    level: int
    max_time_s: float | None
    left_s: float


class RunProcess:
    """A process that does one job.

    Args:
        job, results, settings: as `run_job` has them.
        slot: where.
        stop: of the command: its time limit goes for the process too.

    Raises:
        SrbenchError: what the job holds cannot be handed to another process, or none can be started.
    """

    def __init__(self, job: Job, results: Path, settings: Settings, slot: Slot, stop: Stop) -> None:
        self.job, self.slot, self.paths = job, slot, RunPaths(results / job.spec.id)
        settings = replace(settings, device=slot.device, threads=slot.threads)
        level = logging.getLogger("srbench").getEffectiveLevel()
        task = _Task(
            _without_tensors(job), _packed(job), results, settings, {**os.environ, **slot.environment}, level,
            stop.max_time_s, stop.left_s,
        )  # fmt: skip
        with _told_if_impossible(self.paths.id):
            self.channel, theirs = multiprocessing.Pipe()
            self._process = _context().Process(target=_work, args=(theirs, task))
            with contextlib.closing(theirs), _signals_blocked(), without_main():
                self._process.start()

    @property
    def sentinel(self) -> int:
        """Ready when the process has ended."""
        return self._process.sentinel

    @property
    def code(self) -> int | None:
        """Its exit code, once it has ended; negative: the signal that ended it; None: that is not known."""
        self._process.join()
        return None if self._is_orphan else self._process.exitcode

    def ask_to_stop(self, reason: str) -> None:
        """Have it save and end, saying `reason`."""
        with contextlib.suppress(OSError):  # it has ended
            self.channel.send(reason)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.join()
        if self._is_orphan:
            with contextlib.suppress(psutil.Error):  # it has ended meanwhile
                orphan = psutil.Process(self._process.pid)
                orphan.kill()
                orphan.wait(_GRACE_S)
        self.channel.close()

    @property
    def _is_orphan(self) -> bool:
        """Whether the server was killed and this process trains on; one that ended leaves no such number."""
        pid = self._process.pid
        return self._process.exitcode == _NOT_KNOWN and pid is not None and psutil.pid_exists(pid)


@contextlib.contextmanager
def _told_if_impossible(run_id: str) -> Iterator[None]:
    """Start a process in the block; why that cannot be is an error of its run alone."""
    try:
        yield
    except (OSError, EOFError) as error:
        raise SrbenchError(
            f"No process could be started for {run_id} ({error}). Fewer runs at once (--jobs) take fewer "
            "processes, open files and less memory; the same command goes on."
        ) from error
    except Exception as error:  # pickling calls what is pickled, so that anything may come of it
        raise SrbenchError(
            f"{run_id} cannot be handed to a process of its own ({error}). A plugin gives what cannot be "
            "pickled; mend it, or do one run at a time."
        ) from error


def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


@contextlib.contextmanager
def _signals_blocked() -> Iterator[None]:
    """Servers inherit what is blocked, and a signal to the whole group must not end them before the runs."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        resource_tracker.ensure_running()  # it lets signals through again, so it comes first
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        forkserver.ensure_running()
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _packed(job: Job) -> tuple[bytes, bytes | None] | None:
    if job.start is None:
        return None
    return save(dict(job.start.model)), None if job.start.state is None else save(dict(job.start.state))


def _without_tensors(job: Job) -> Job:
    return job if job.start is None else replace(job, start=replace(job.start, model={}, state=None))


def _whole(task: _Task) -> Job:
    job, packed = task.job, task.tensors
    if packed is None or job.start is None:
        return job
    model, state = packed
    return replace(
        job, start=replace(job.start, model=load(model), state=None if state is None else load(state))
    )


def _work(channel: Connection, task: _Task) -> None:
    """Do the job, in the process that was started for it."""
    os.environ.clear()
    os.environ.update(task.environment)
    faulthandler.enable(all_threads=False)
    threading.Thread(target=end_with_parent, daemon=True).start()
    stop = Stop(task.max_time_s, task.left_s)
    line = _Line(channel, RunPaths(task.results / task.job.spec.id).log, task.level)
    threading.Thread(target=line.attend, args=(stop,), daemon=True).start()
    with stop.listening():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        outcome = run_job(_whole(task), task.results, task.settings, stop, held=line.open_log)
    line.send(outcome)


class _Line(logging.Handler):
    """To the process that started this one, and to the run's log: all that is said here.

    Args:
        channel: to that process.
        log: a file; what it held is kept.
        level: of what is logged.
    """

    def __init__(self, channel: Connection, log: Path, level: int) -> None:
        super().__init__()
        self._channel, self._log, self._sending = channel, log, threading.Lock()
        logger = logging.getLogger("srbench")
        logger.handlers[:] = [self]
        logger.setLevel(level)
        logger.propagate = False
        send_news(self.news)

    def send(self, message: object) -> None:
        with self._sending, contextlib.suppress(OSError):  # where nobody listens any more, this process ends
            self._channel.send(message)

    def attend(self, stop: Stop) -> None:
        """Pass on that the run is to stop, and keep the log small; for a thread."""
        with contextlib.suppress(OSError, EOFError):
            while True:
                if self._channel.poll(_TIDY_EVERY_S):
                    stop.ask(self._channel.recv())
                _cut(self._log)

    def open_log(self) -> None:
        """From here on, all that is written to stdout and stderr, by whatever library, is in the log."""
        with contextlib.suppress(OSError):  # a store that cannot be written: the run itself will say so
            handle = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
                os.dup2(handle, stream.fileno())
                stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            os.close(handle)
            self._note(f"{now()} process {os.getpid()} on {socket.gethostname()}")

    def emit(self, record: logging.LogRecord) -> None:
        text = f"{record.levelname}: {self.format(record)}"
        self._note(text)
        self.send(Said(record.levelno, text))

    def news(self, news: News) -> None:
        if news.line:
            self._note(news.line)
        has_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
        memory_bytes = torch.cuda.max_memory_reserved() if has_gpu else 0
        self.send(Told(news, memory_bytes))

    def _note(self, text: str) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the run here
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the log


def _cut(log: Path) -> None:
    """Drop the first half of a log that has grown too large."""
    with contextlib.suppress(OSError):  # it is not there yet, or its disk is ill: the run goes on
        if log.stat().st_size > _MOST_BYTES:
            with log.open("r+b") as file:
                file.seek(-_MOST_BYTES // 2, os.SEEK_END)
                kept = file.read()
                file.seek(0)
                file.write(kept)
                file.truncate()
