"""One process of a run, from its start to its end or its kill."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Thread
from typing import IO

from srbench.phases import read_sign
from srbench.prove.aims import Aim, Moment, Pace

_LOOK_EVERY_S = 0.1
_LAST_LINES = 20


@dataclass(frozen=True)
class Sitting:
    """What became of a process.

    Args:
        killed: it was alive when the kill came.
        code: its exit code, negative for a signal; None where it hung and was ended.
        moments: the phases it went through.
        said: the other lines of its stderr.
        seconds: how long it lived.
    """

    killed: bool
    code: int | None
    moments: Sequence[Moment]
    said: Sequence[str]
    seconds: float

    @property
    def last_words(self) -> str:
        """The end of what it said that is no log of progress."""
        kept = [line for line in self.said if not line.startswith(("DEBUG:", "INFO:"))]
        return "\n".join(kept[-_LAST_LINES:])

    def phase(self, steps: int) -> str:
        """What it was doing at its end, saving aside. Bicubic is scored before: part of start-up."""
        busy = [
            sign.phase
            for _, sign in self.moments
            if sign.phase in ("training", "validation") or (sign.phase == "scoring" and sign.step >= steps)
        ]
        return busy[-1] if busy else "start-up"

    @property
    def was_saving(self) -> bool:
        """Whether a checkpoint was being written at its end."""
        written = [sign.phase for _, sign in self.moments if sign.phase in ("saving", "saved")]
        return written[-1:] == ["saving"]

    @property
    def step(self) -> int:
        """The last step it spoke of."""
        return max((sign.step for _, sign in self.moments), default=0)


def sit(
    arguments: Sequence[str],
    check: Callable[[], None],
    aim: Aim | None = None,
    pace: Pace | None = None,
    silence_s: float | None = None,
) -> Sitting:
    """Run `srbench -v` with these arguments until it ends, is killed, or says nothing for too long.

    However this ends, no process is left.

    Args:
        arguments: of the command line.
        check: called ten times a second; raises to stop.
        aim: when to kill it; None: leave it alone.
        pace: of the run without kills; needed with `aim`.
        silence_s: take it for hung when it has said nothing for so long.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "srbench", "-v", *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, errors="replace", env=_environment(),
        start_new_session=True,  # Ctrl-C is for this process; this one ends the other
    )  # fmt: skip
    assert process.stderr is not None
    lines: Queue[str | None] = Queue()
    reader = Thread(target=_read, args=(process.stderr, lines), daemon=True)
    reader.start()
    began = heard = time.monotonic()
    due = aim.fraction * pace.seconds["start-up"] if aim and pace and aim.phase == "start-up" else None
    moments: list[Moment] = []
    said: list[str] = []
    aimed = hung = False

    def take(line: str) -> None:
        sign = read_sign(line)
        if sign is None:
            said.append(line)
        else:
            moments.append((time.monotonic() - began, sign))

    try:
        while True:
            check()
            now = time.monotonic() - began
            aimed = due is not None and now >= due
            hung = silence_s is not None and time.monotonic() - heard >= silence_s
            if aimed or hung:
                break
            try:
                line = lines.get(timeout=_LOOK_EVERY_S if due is None else min(due - now, _LOOK_EVERY_S))
            except Empty:
                continue
            if line is None:
                process.wait()
                break
            heard = time.monotonic()
            known = len(moments)
            take(line)
            if aim and pace and due is None and len(moments) > known:
                at, sign = moments[-1]
                if aim.is_met(sign, pace.steps):
                    due = at + aim.fraction * pace.seconds[sign.phase]
    finally:
        with suppress(ProcessLookupError):  # it has ended, and so have those it started
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join()
        process.stderr.close()
    while not lines.empty():  # what it still said before the kill
        if (line := lines.get()) is not None:
            take(line)
    killed = aimed and process.returncode == -signal.SIGKILL
    code = None if hung else process.returncode
    return Sitting(killed, code, moments, said, time.monotonic() - began)


def _environment() -> Mapping[str, str]:
    """This process's, without what would end the run early."""
    return {name: value for name, value in os.environ.items() if name != "SRBENCH_MAX_TIME"}


def _read(stream: IO[str], lines: "Queue[str | None]") -> None:
    for line in stream:
        lines.put(line.rstrip("\n"))
    lines.put(None)
