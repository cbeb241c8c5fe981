"""Time limit and signals → one flag that long loops look at between two pieces of work."""

import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from srbench.errors import EndedAtOnce, StoppedError, UsageError

SIGNALS = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGUSR1: "SIGUSR1",
    signal.SIGHUP: "SIGHUP, a lost terminal",
}
"""What asks to stop, and what people call it."""

ENDED_AT_ONCE = "Ended at once. What was saved last is sound; the same command goes on from there."


class Stop:
    """Whether the program has been asked to stop, and why.

    `reserve_s` is how long before the limit to stop, so that the last step and its save end in time.

    Args:
        max_time_s: stop this many seconds from now; None: no limit.
        left_s: of these, how many are left, where another process has used some of them up.
    """

    def __init__(self, max_time_s: float | None = None, left_s: float | None = None) -> None:
        self._began = time.monotonic()
        self._left_s = max_time_s if left_s is None else left_s
        self.max_time_s = max_time_s
        self._signal: str | None = None
        self.reserve_s = 0.0
        self._at_once = False

    @property
    def reason(self) -> str | None:
        """Why to stop (`Ctrl-C`, `SIGTERM`, the time limit), or None to go on."""
        if self._signal is None and self.left_s <= self.reserve_s:
            return f"reaching --max-time {format_duration(self.max_time_s or 0)}"
        return self._signal

    def ask(self, reason: str) -> None:
        """Ask to stop, as a signal would; from any thread."""
        self._signal = self._signal or reason

    def limit(self, max_time_s: float) -> None:
        """Stop no later than so many seconds after it was made."""
        self.max_time_s = min(max_time_s, math.inf if self.max_time_s is None else self.max_time_s)
        self._left_s = self.max_time_s if self._left_s is None else min(self._left_s, self.max_time_s)

    @property
    def left_s(self) -> float:
        """Seconds until the limit; infinite where there is none."""
        return math.inf if self._left_s is None else self._began + self._left_s - time.monotonic()

    def check(self) -> None:
        """Stop here if asked to: for loops that have nothing of their own to save.

        Raises:
            StoppedError: with the reason; the caller above says what is saved.
        """
        if self.reason is not None:
            raise StoppedError(f"Stopped on {self.reason}. Run the same command to go on.")

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Where the block has nothing to save: a signal stops it in the middle of whatever it waits for.

        Looking up names, hashing pictures and fetching weights cannot look at a flag in all they call.
        """
        self.check()
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False
        self.check()  # what was called may have swallowed the error

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take `SIGNALS` as requests while the block runs; a second Ctrl-C ends at once.

        SIGHUP stays ignored where it is, as by nohup.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self  # only the main thread can listen; the time limit works everywhere
            return
        names = {**SIGNALS}
        if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
            del names[signal.SIGHUP]

        def ask(number: int, frame: FrameType | None) -> None:
            if self._signal is not None and number == signal.SIGINT:
                print(ENDED_AT_ONCE, file=sys.stderr)  # noqa: T201 - nothing else may still work
                raise EndedAtOnce(130)
            if number == signal.SIGHUP:
                _let_go_of_the_terminal()
            self._signal = names[signal.Signals(number)]
            if self._at_once:
                self.check()

        before = {number: signal.signal(number, ask) for number in names}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _let_go_of_the_terminal() -> None:
    """What is said from here on is lost with it, and must not end the work that is to be saved."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (1, 2):
        try:
            os.write(number, b"")  # to a terminal that is gone, it fails
            is_gone = os.isatty(number)  # one that is there will be gone in a moment
        except OSError:
            is_gone = True
        if is_gone:
            os.dup2(nowhere, number)
    os.close(nowhere)


def time_limit(typed: str | None) -> float | None:
    """Seconds of `--max-time` as typed, else of SRBENCH_MAX_TIME; None where neither is set.

    Raises:
        UsageError: it is no duration.
    """
    if typed is not None:
        return parse_duration(typed, "--max-time")
    inherited = os.environ.get("SRBENCH_MAX_TIME")
    return parse_duration(inherited, "SRBENCH_MAX_TIME") if inherited else None


def parse_duration(text: str, what: str = "--max-time") -> float:
    """`11h30m`, `90m`, `45s` or plain seconds → seconds.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    if not text.strip() or match is None:
        raise UsageError(f"{what} {text!r} is no duration. Write it like 11h30m, 90m or 45s.")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def format_duration(seconds: float) -> str:
    """Seconds as people say them: `45 s`, `7 min 30 s`, `11 h 30 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    return f"{whole // 3600} h" + (f" {whole % 3600 // 60} min" if whole % 3600 // 60 else "")
