"""A page that is written again whenever its runs have come further."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from srbench.errors import StoreError, UsageError
from srbench.report.content import Looking
from srbench.report.page import page_of
from srbench.report.place import write_page
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

    A page that was removed is written again. Where a run or the store goes away, that is said, and the page
    stays as it is until there is something to write again. The last page loads itself no more.

    Args:
        root: the store.
        read: gives the runs as they are now.
        file: the page.
        looking: what makes pictures; those of runs whose scores have not changed are kept.
        said: told of each page, in a line.
        every_s: seconds between two looks.

    Raises:
        StoreError: the first page cannot be written.
        UsageError: there are no such runs at first.
    """
    page = None
    seen: _State | None = None
    try:
        while True:
            state = state_of(root)
            if state != seen or not file.exists():
                now = time.strftime("%H:%M:%S")
                try:
                    found = page_of(read(), looking)
                    write_page(file, found, every_s)
                    page = found
                    said(f"{now} {file}: {len(page.content.runs)} runs")
                except (StoreError, UsageError) as error:
                    if page is None:
                        raise
                    said(f"{now} {file} stays as it is: {error}")
                seen = state
            time.sleep(every_s)
    except KeyboardInterrupt:
        if page is not None:
            write_page(file, page)


def state_of(root: Path) -> _State:
    """What every change of a run changes: when its files were written, and how large they are."""
    found = []
    try:
        folders = list(root.iterdir())
    except FileNotFoundError:  # not there yet, or no more
        folders = []
    for folder in folders:
        paths = RunPaths(folder)
        for path in (paths.run, paths.summary, paths.history, paths.timings):
            try:
                stat = path.stat()
            except OSError:  # not there yet
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(sorted(found))
