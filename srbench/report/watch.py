"""A page that is written again whenever its runs have come further."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from srbench.files import write_atomic
from srbench.report.content import Looking
from srbench.report.page import page_of
from srbench.store.layout import RunPaths
from srbench.store.runs import StoredRun

EVERY_S = 10.0
"""Seconds between two looks at the store, and after which an open page loads itself again."""

_State: TypeAlias = tuple[tuple[str, int, int], ...]


def watch(
    root: Path,
    read: Callable[[], Sequence[StoredRun]],
    file: Path,
    looking: Looking,
    said: Callable[[str], None],
    every_s: float = EVERY_S,
) -> None:
    """Write the page of what `read` gives, and again after each change of the store, until Ctrl-C.

    The last page that is written loads itself no more.

    Args:
        root: the store.
        read: gives the runs as they are now.
        file: the page.
        looking: what makes pictures; those of runs whose scores have not changed are kept.
        said: told of each page, in a line.
        every_s: seconds between two looks.

    Raises:
        StoreError: the page cannot be written.
    """
    page = None
    seen: _State | None = None
    try:
        while True:
            state = state_of(root)
            if state != seen:
                runs = read()
                page = page_of(runs, looking)
                write_atomic(file, page.html(every_s).encode())
                said(f"{time.strftime('%H:%M:%S')} {file}: {len(page.content.runs)} runs")
                seen = state
            time.sleep(every_s)
    except KeyboardInterrupt:
        if page is not None:
            write_atomic(file, page.html().encode())


def state_of(root: Path) -> _State:
    """What every change of a run changes: when its files were written, and how large they are."""
    found = []
    with os.scandir(root) as entries:
        for entry in entries:
            paths = RunPaths(root / entry.name)
            for path in (paths.run, paths.summary, paths.history, paths.timings):
                try:
                    stat = path.stat()
                except OSError:  # not there yet
                    continue
                found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))
