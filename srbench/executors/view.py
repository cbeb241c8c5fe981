"""What people see of several runs: a live table on a terminal, lines elsewhere."""

import logging
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from rich.live import Live
from rich.table import Table
from rich.text import Text

from srbench.errors import StoppedError
from srbench.executors.contract import Outcome
from srbench.plan import Job
from srbench.progress import News, Said, console
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.train.stop import format_duration

_STYLES = {
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "stopped": "yellow",
    "taken": "magenta",
    "queued": "blue",
}
_FIRST = ("running", "failed", "stopped", "taken", "queued", "done", "waiting")
"""Which rows are shown where not all fit."""
_DRAW_EVERY_S = 0.25


class View:
    """Of all jobs of a command; as a context manager it leaves the terminal as it was.

    Args:
        jobs: all of them.
        results: the store's folder.
        quiet: warnings and errors alone.
    """

    def __init__(self, jobs: Sequence[Job], results: Path, *, quiet: bool) -> None:
        self._jobs, self._results, self._quiet = jobs, results, quiet
        self._states = {job.spec.id: "waiting" for job in jobs}
        self._news: dict[str, News] = {}
        self._curves: dict[str, tuple[float, str]] = {}
        self._streams: list[tuple[logging.StreamHandler[Any], Any]] = []
        self._drawn = 0.0
        self._live: Live | None = None
        if console.is_terminal and not quiet:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            # Live draws around what is written to sys.stderr from here on; handlers have the one of before.
            self._streams = [
                (one, one.setStream(sys.stderr))
                for one in logging.getLogger("srbench").handlers
                if isinstance(one, logging.StreamHandler)
            ]
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            for handler, stream in self._streams:
                if stream is not None:
                    handler.setStream(stream)

    def begins(self, job: Job) -> None:
        """A process works on it from here on."""
        self._states[job.spec.id] = "running"

    def queued(self, job: Job, as_what: str) -> None:
        """It waits for its turn elsewhere; said once for each job of a batch system."""
        run_id = job.spec.id
        if self._states[run_id] != "queued":
            self._states[run_id] = "queued"
            if self._live is None:
                self.say(job, f"{run_id} is queued as {as_what}.", logging.INFO)

    def taken(self, job: Job) -> None:
        """Another process works on it."""
        self._states[job.spec.id] = "taken"

    def knows_taken(self, job: Job) -> bool:
        """Whether that has been said."""
        return self._states[job.spec.id] == "taken"

    def finished(self, job: Job, outcome: Outcome) -> None:
        """It is over."""
        error = outcome.error
        self._states[job.spec.id] = (
            "done" if error is None else "stopped" if isinstance(error, StoppedError) else "failed"
        )
        if isinstance(error, StoppedError):
            return
        if error is not None:  # in full at the end, with those of all others
            self.say(job, f"ERROR: {str(error).splitlines()[0]}", logging.ERROR)
        elif outcome.did_anything and self._live is None:
            over = sum(
                state not in ("waiting", "running", "taken", "queued") for state in self._states.values()
            )
            self.say(job, f"{job.spec.id} is trained and scored; {over} of {len(self._jobs)}.", logging.INFO)

    def hear(self, job: Job, message: object) -> None:
        """What a run says, as `run_apart` passes it on: how far it is, or a line."""
        if isinstance(message, News):
            self.tell(job, message)
        elif isinstance(message, Said):
            self.say(job, message.line, message.level)

    def tell(self, job: Job, news: News) -> None:
        """How far it is, and perhaps a line of it that stays."""
        self._news[job.spec.id] = news
        if news.line:
            self.say(job, news.line, logging.INFO)

    def say(self, job: Job, line: str, level: int) -> None:
        """A line that stays; it names its run."""
        if self._quiet and level < logging.WARNING:
            return
        text = line if job.spec.id in line else f"{job.spec.id}: {line}"
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def refresh(self) -> None:
        """Draw the table anew, a few times a second."""
        if self._live is not None and time.monotonic() - self._drawn >= _DRAW_EVERY_S:
            self._drawn = time.monotonic()
            self._live.update(self.table(console.height), refresh=True)

    def table(self, height: int) -> Table:
        """All runs, or as many as there are lines, those at work first."""
        order = sorted(self._jobs, key=lambda job: _FIRST.index(self._states[job.spec.id]))
        room = max(height - 3, 1)
        counts = Counter(self._states.values())
        table = Table(
            "state", "steps", "left", "PSNR", "run", "", box=None, pad_edge=False, expand=False,
            caption=", ".join(f"{counts[state]} {state}" for state in _FIRST if counts[state]),
            caption_justify="left",
        )  # fmt: skip
        for job in order[:room]:
            run_id, state = job.spec.id, self._states[job.spec.id]
            news = self._news.get(run_id) if state == "running" else None
            table.add_row(
                Text(state, style=_STYLES.get(state, "")),
                f"{news.done:,}/{news.total:,}" if news else "",
                format_duration(news.left_s) if news else "",
                self._psnr(run_id),
                Text(run_id, overflow="ellipsis", no_wrap=True),
                Text(_doing(run_id, news), overflow="ellipsis", no_wrap=True),
            )
        return table

    def _psnr(self, run_id: str) -> str:
        """The last evaluation: the mean over planes at the full scale."""
        path = RunPaths(self._results / run_id).history
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return ""
        if self._curves.get(run_id, (0, ""))[0] != changed:
            self._curves[run_id] = changed, _last_psnr(path)
        return self._curves[run_id][1]


def _last_psnr(path: Path) -> str:
    lines = read_lines(path)
    scales = lines[-1].get("psnr") if lines else None
    if not scales:
        return ""
    values = [value for value in scales[max(scales, key=int)].values() if value is not None]
    return f"{math.fsum(values) / len(values):.2f} dB" if values else ""


def _doing(run_id: str, news: News | None) -> str:
    if news is None:
        return ""
    return news.note or news.label.removeprefix(run_id).lstrip(": ")
