"""The list of runs: a record each for scripts, a line each for people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from srbench.store.layout import RUN, RunPaths

if TYPE_CHECKING:
    from rich.text import Text

    from srbench.store.index import Index, IndexedRun
    from srbench.store.queued import Queued

STYLES = {"done": "green", "running": "cyan", "queued": "blue", "interrupted": "yellow", "failed": "red"}

_HEADS = ("status", "steps", "trained", "updated", "run")


def record(index: "Index", run: "IndexedRun", queued: "Queued | None" = None) -> dict[str, Any]:
    """What `srbench runs --json` has of a run, which may wait for a job of a batch system."""
    from srbench.store.history import read_last

    last = read_last(RunPaths(index.root / run.folder).timings)
    return {
        "run": run.id,
        "name": run.name,
        "status": index.status(run) if queued is None else "queued",
        "job": None if queued is None else f"{queued.executor} {queued.job}",
        "step": run.step,
        "budget": run.budget,
        "elapsed_s": last.get("elapsed_s") if last else None,
        "updated": run.updated,
        "reason": run.reason,
        "scored": run.is_scored,
        "parent": run.parent,
        "parent_step": run.parent_step,
    }


def as_tree(records: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], str]]:
    """Records with what stands before the id of each: children below their parent, as deep as they are."""
    known = {one["run"] for one in records}
    below: dict[str | None, list[Mapping[str, Any]]] = {}
    for one in records:
        below.setdefault(one["parent"] if one["parent"] in known else None, []).append(one)
    lines: list[tuple[Mapping[str, Any], str]] = []

    def walk(parent: str | None, depth: int) -> None:
        for one in below.get(parent, ()):
            at = f"@{one['parent_step']} " if one["parent"] else ""
            gone = f"(of {one['parent']}, not here) " if one["parent"] and parent is None else ""
            lines.append((one, ("   " * (depth - 1) + "└─ " if depth else "") + at + gone))
            walk(one["run"], depth + 1)

    walk(None, 0)
    return lines


def listed(records: Sequence[tuple[Mapping[str, Any], str]]) -> list["Text"]:
    """A heading and a line a run, the id last, after its place in the tree."""
    from rich.text import Text

    lines = [(*cells(one), place + _called(one)) for one, place in records]
    widths = [max(len(line[column]) for line in (_HEADS, *lines)) for column in range(4)]
    shown = []
    for line in (_HEADS, *lines):
        text = Text(style="dim" if line is _HEADS else "")
        for column, (cell, width) in enumerate(zip(line, widths, strict=False)):
            padded = cell.ljust(width) if column in (0, 3) else cell.rjust(width)
            text.append(padded + "  ", style=STYLES.get(cell, "") if column == 0 else "")
        shown.append(text.append(line[-1]))
    return shown


def cells(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Status, how far it is, how long it has trained, when it was last written."""
    return one["status"], _progress(one), _duration(one["elapsed_s"]), age(one["updated"])


def why_failed(one: Mapping[str, Any]) -> str:
    """Why a run failed, as it is stored."""
    return one["reason"] or f"no reason is stored in {one['run']}/{RUN}."


def _called(one: Mapping[str, Any]) -> str:
    waits = f"  ({one['job']})" if one["job"] else ""
    return (f"{one['run']} ({one['name']})" if one["name"] else str(one["run"])) + waits


def _progress(one: Mapping[str, Any]) -> str:
    """`1,200/2,000  60%`; nothing for a model that is not trained."""
    step, budget = one["step"], one["budget"]
    return f"{step:,}/{budget:,} {min(step / budget, 1):4.0%}" if budget else "–"


def _duration(seconds: float | None) -> str:
    """`2h05m`, `3m20s`, `12s`; `–` where nothing was timed."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


def age(updated: str | None) -> str:
    """How long ago, in the largest unit that fits."""
    if not updated:
        return "–"
    seconds = (datetime.now(UTC) - datetime.fromisoformat(updated)).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"
