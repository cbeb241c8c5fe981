"""`srbench runs --watch`: the list as it changes, live on a terminal, a line a change elsewhere."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import typer

from srbench.cli.run_list import cells, listed, why_failed

_EVERY_S = 2.0

_FIRST = ("running", "queued", "failed", "interrupted", "done")
"""Which runs are shown where not all fit; of one status, those that changed last."""

_Records: TypeAlias = Sequence[Mapping[str, Any]]


def watch(read: Callable[[], _Records], every_s: float = _EVERY_S) -> None:
    """Show what `read` gives, again and again, until Ctrl-C.

    Args:
        read: gives the records of all runs as they are now.
        every_s: seconds between two looks.
    """
    from rich.console import Console

    console = Console(highlight=False)
    try:
        if console.is_terminal:
            from rich.live import Live

            with Live(console=console, auto_refresh=False, screen=True) as live:
                while True:
                    live.update(screen(read(), console.height, console.width), refresh=True)
                    time.sleep(every_s)
        seen: dict[str, Any] = {}
        while True:
            for one in read():
                state = one["status"], one["step"]
                if seen.get(one["run"]) != state:
                    seen[one["run"]] = state
                    typer.echo(_line(one))
            time.sleep(every_s)
    except KeyboardInterrupt:
        return


def _line(one: Mapping[str, Any]) -> str:
    status, progress, duration, _ = cells(one)
    how_far = f", {' '.join(progress.split())}, {duration}" if one["budget"] else ""
    why = f": {why_failed(one)}" if status == "failed" else ""
    return f"{one['run']} {status}{how_far}{why}"


def screen(records: _Records, height: int, width: int) -> Any:
    """What fits on a terminal: how many runs have which status, and a line for each of the first of them."""
    from rich.console import Group
    from rich.text import Text

    counts = Counter(one["status"] for one in records)
    said = ", ".join(f"{counts[status]:,} {status}" for status in sorted(counts, key=_order))
    newest = sorted(records, key=lambda one: one["updated"] or "", reverse=True)
    ordered = sorted(newest, key=lambda one: _order(one["status"]))
    room = max(height - 4, 1)
    lines = listed([(one, "") for one in ordered[:room]])
    more = f"… and {len(records) - room:,} more. " if len(records) > room else ""
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    head = Text(f"{len(records):,} runs: {said or 'none yet'}", style="bold")
    return Group(head, *lines, Text(f"{more}Ctrl-C ends this; nothing stops with it.", style="dim"))


def _order(status: str) -> int:
    return _FIRST.index(status) if status in _FIRST else len(_FIRST)
