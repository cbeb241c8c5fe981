"""What a person sees while long work goes on: a bar on a terminal, a line now and then elsewhere."""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_log = logging.getLogger(__name__)

_LINE_EVERY_S = 30.0
_NEWS_EVERY_S = 0.25


class _Screen(Console):
    """What is said of work; where nobody reads it any more (`2>&1 | head`), the work goes on."""

    def on_broken_pipe(self) -> None:
        """Say nothing from here on, nor let anybody else in this process meet the closed pipe."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)


console = _Screen(stderr=True)
"""Everything that is not a result goes here: stdout is for results."""


class News(NamedTuple):
    """How far a piece of work is, for a process that shows the work of others.

    Attributes:
        label: what is being done.
        done: steps so far.
        total: all steps.
        note: what the last step gave.
        left_s: seconds left at the speed so far.
        line: what is also to stay on the screen; empty: nothing.
    """

    label: str
    done: int
    total: int
    note: str
    left_s: float
    line: str = ""


class Said(NamedTuple):
    """A line for whoever looks on: what a run logged.

    Attributes:
        level: as logging has it.
        line: the text.
    """

    level: int
    line: str


_receiver: Callable[[News], None] | None = None


def send_news(receiver: Callable[[News], None]) -> None:
    """From now on, and until this process ends, bars are drawn elsewhere: by whom `receiver` tells."""
    global _receiver
    _receiver = receiver


@cache
def tell(text: str) -> None:
    """Tell a user something once a process, unless it is empty or they want warnings alone."""
    if text:
        _log.info("%s", text)


class Bar:
    """One piece of long work with a known number of steps.

    Args:
        label: what is being done, such as the run's id.
        total: steps in all.
        start: steps already done, before this process.
        quiet: show nothing.
    """

    def __init__(self, label: str, total: int, start: int = 0, *, quiet: bool = False) -> None:
        self._label, self._total, self._start, self._done = label, total, start, start
        self._began = self._last_line = time.monotonic()
        self._last_news = -_NEWS_EVERY_S
        self._quiet = quiet
        self._bar: Progress | None = None
        if console.is_terminal and not quiet and _receiver is None:
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[note]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task(label, total=total, completed=start, note="")
            self._bar.start()

    def advance(self, note: str = "") -> None:
        """One step is done; `note` is what it gave, such as the loss."""
        self._done += 1
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, note=note)
        elif not self._quiet and now - self._last_line >= _LINE_EVERY_S:
            self._last_line = now
            line = f"{self._label}: {self._done:,} of {self._total:,} {note} ({self._left_s:.0f} s left)"
            self._print(line.replace("  ", " "), note)
        elif _receiver is not None and now - self._last_news >= _NEWS_EVERY_S:
            self._last_news = now
            _receiver(self._news(note))

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        if not self._quiet:
            self._print(line)

    def _print(self, line: str, note: str = "") -> None:
        if _receiver is None:
            console.print(line, highlight=False, soft_wrap=True)
        else:
            _receiver(self._news(note)._replace(line=line))

    def _news(self, note: str) -> News:
        return News(self._label, self._done, self._total, note, self._left_s)

    @property
    def _left_s(self) -> float:
        return (self._total - self._done) * self.seconds_a_step

    @property
    def seconds_a_step(self) -> float:
        """Mean so far in this process."""
        return (time.monotonic() - self._began) / max(self._done - self._start, 1)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def bar(label: str, total: int, start: int = 0, *, quiet: bool = False) -> Iterator[Bar]:
    """A `Bar` that is taken away when the block ends, however it ends."""
    shown = Bar(label, total, start, quiet=quiet)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def steps(
    label: str, total: int, check: Callable[[], None], *, quiet: bool = False
) -> Iterator[Callable[[], None]]:
    """A bar for work without news of its own; the block calls what it is given once a step.

    Args:
        label: what is being done.
        total: steps in all.
        check: called at each step; raises to stop.
        quiet: show nothing.
    """
    with bar(label, total, quiet=quiet) as shown:

        def advance() -> None:
            shown.advance()
            check()

        yield advance
