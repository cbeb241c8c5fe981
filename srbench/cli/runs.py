"""`srbench runs`: what is in the store, how far it is, and removing of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli.options import OfSuite, Results

if TYPE_CHECKING:
    from srbench.store.runs import StoredRun

app = typer.Typer(invoke_without_command=True)

_STYLES = {"done": "green", "running": "cyan", "interrupted": "yellow", "failed": "red"}


def read_store(results: Path | None, suite: Path | None = None) -> "tuple[list[StoredRun], bool]":
    """The runs of a store, and whether some are damaged; says on stderr which, and where there are none.

    Args:
        results: the store, as typed.
        suite: a suite file whose runs alone are wanted.

    Raises:
        UsageError: the folder does not exist, or the suite is not sound.
    """
    from srbench.errors import UsageError
    from srbench.store.layout import default_results
    from srbench.store.runs import list_runs

    root = results or default_results()
    if not root.is_dir():
        raise UsageError(
            f"There is no store at {root}. srbench run makes one there with its first run; "
            "SRBENCH_RESULTS or --results DIR names another."
        )
    runs, errors = list_runs(root)
    for error in errors:
        typer.echo(str(error), err=True)
    if not runs and not errors:
        typer.echo(
            f"No run is stored in {root} yet. Make one with srbench run, or name another store by "
            "SRBENCH_RESULTS or --results DIR.",
            err=True,
        )
    if suite is not None:
        from srbench.suite.read import read_suite

        ids = read_suite(suite).run_ids()
        runs = [run for run in runs if run.id in ids]
    return runs, bool(errors)


@app.callback()
def runs(
    context: typer.Context,
    results: Results = None,
    suite: OfSuite = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One flat list for scripts, a record a run: run, name, status, step, budget, elapsed_s, "
            "updated, reason, scored, parent, parent_step.",
        ),
    ] = False,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Show each run below the one that it was forked or initialised from."),
    ] = False,
) -> None:
    """List every run: its status, how far it is, how long it has trained, and when it was last saved.

    An interrupted run goes on when the same srbench run line is given again. Why runs failed stands below.
    """
    if context.invoked_subcommand is not None:
        return
    found, damaged = read_store(results, suite)
    records = [_record(run) for run in found]
    if as_json:
        import json

        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
    elif records:
        _print_list(_as_tree(records) if tree else [(one, "") for one in records])
    raise typer.Exit(1 if damaged else 0)


@app.command()
def rm(
    context: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="Run ids, or starts of ids that fit one run.")
    ],
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
    ] = False,
    results: Results = None,
) -> None:
    """Delete runs; this cannot be undone.

    Checkpoints, history, scores and pictures go. Nothing is deleted where one of the ids is wrong.
    """
    import sys

    from srbench.errors import UsageError
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run, remove_run

    above = context.parent.params.get("results") if context.parent else None
    root = results or above or default_results()
    found = {run.id: run for run in (find_run(root, one) for one in ids)}  # all of them, before any goes
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"Nobody can be asked whether to remove {', '.join(found)}. Add --yes.")
        listed = "\n".join(f"  {name}" for name in found)
        typer.confirm(f"{listed}\nRemove all of this?", abort=True, err=True)
    for run in found.values():
        remove_run(run)
        typer.echo(f"Removed {run.id}")


def _record(run: "StoredRun") -> dict[str, Any]:
    from srbench.store.history import read_lines
    from srbench.store.runs import current_status

    timings = read_lines(run.paths.timings)
    origin = run.record.spec.get("origin") or {}
    return {
        "run": run.id,
        "name": run.name,
        "status": current_status(run),
        "step": run.record.step,
        "budget": run.record.budget,
        "elapsed_s": timings[-1].get("elapsed_s") if timings else None,
        "updated": run.record.provenance.get("updated"),
        "reason": run.record.reason,
        "scored": bool(run.summary and run.summary["scores"]),
        "parent": origin.get("run"),
        "parent_step": origin.get("step"),
    }


def _as_tree(records: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """Records with what stands before the id of each: children below their parent, as deep as they are."""
    known = {one["run"] for one in records}
    below: dict[str | None, list[dict[str, Any]]] = {}
    for one in records:
        below.setdefault(one["parent"] if one["parent"] in known else None, []).append(one)
    lines: list[tuple[dict[str, Any], str]] = []

    def walk(parent: str | None, depth: int) -> None:
        for one in below.get(parent, ()):
            at = f"@{one['parent_step']} " if one["parent"] else ""
            gone = f"(of {one['parent']}, not here) " if one["parent"] and parent is None else ""
            lines.append((one, ("   " * (depth - 1) + "└─ " if depth else "") + at + gone))
            walk(one["run"], depth + 1)

    walk(None, 0)
    return lines


def _print_list(records: list[tuple[dict[str, Any], str]]) -> None:
    """One line a run, the id last, after its place in the tree: a line is never broken."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    lines = [
        (
            one["status"],
            _progress(one),
            _duration(one["elapsed_s"]),
            age(one["updated"]),
            place + one["run"] + (f" ({one['name']})" if one["name"] else ""),
        )
        for one, place in records
    ]
    heads = ("status", "steps", "trained", "updated", "run")
    widths = [max(len(line[column]) for line in (heads, *lines)) for column in range(4)]
    for line in (heads, *lines):
        text = Text()
        for column, (cell, width) in enumerate(zip(line, widths, strict=False)):
            padded = cell.ljust(width) if column in (0, 3) else cell.rjust(width)
            text.append(padded + "  ", style=_STYLES.get(cell, "") if column == 0 else "")
        console.print(text.append(line[-1]), soft_wrap=True, style="dim" if line is heads else "")
    for one, _ in records:
        if one["status"] == "failed":
            reason = one["reason"] or f"no reason is stored in {one['run']}/run.json."
            console.print(Text(f"\n{one['run']} failed: {reason}"), soft_wrap=True)


def _progress(record: dict[str, Any]) -> str:
    """`1,200/2,000  60%`; nothing for a model that is not trained."""
    step, budget = record["step"], record["budget"]
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
