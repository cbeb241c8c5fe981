"""`srbench gc`: room made by dropping checkpoints that nothing needs."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from srbench.cli.options import Results

if TYPE_CHECKING:
    from srbench.checkpoint.garbage import Garbage


def gc(
    keep: Annotated[
        Literal["best", "last"],
        typer.Option(
            help="best: keep the last checkpoint and that of the best validation. last: the last alone, from "
            "which a run is scored and goes on.",
        ),
    ] = "best",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; needed where nobody can answer.")
    ] = False,
    results: Results = None,
) -> None:
    """Drop checkpoints of finished runs but the last and the best, and what killed processes left there.

    Scores, histories and pictures stay, and so does everything of runs that are unfinished, failed or being
    worked on. A run that was forked from a dropped checkpoint goes on: it has its own. Says first what goes
    and how much that frees.
    """
    from srbench.checkpoint.garbage import find_garbage, remove_garbage
    from srbench.cli.checkpoint import size_text
    from srbench.cli.runs import index_store
    from srbench.errors import SrbenchError, UsageError
    from srbench.store.layout import RunPaths

    index = index_store(results)
    done = [RunPaths(index.root / run.folder) for run in index.runs if run.status == "done"]
    found = [garbage for paths in done if (garbage := find_garbage(paths, keep)) is not None]
    for garbage in found:
        typer.echo(f"{garbage.paths.id}: {_said(garbage)}, {size_text(garbage.size_bytes)}")
    total = size_text(sum(garbage.size_bytes for garbage in found))
    runs = f"{len(found)} run" + ("" if len(found) == 1 else "s")
    if not found:
        typer.echo("Nothing can go.")
    elif dry_run:
        typer.echo(f"{total} of {runs} would go.")
    if dry_run or not found:
        raise typer.Exit(1 if index.errors else 0)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"Nobody can be asked whether to remove {total} of {runs}. Add --yes.")
        typer.confirm(f"Remove {total} of {runs}?", abort=True, err=True)
    freed, failed = 0, bool(index.errors)
    for garbage in found:
        try:
            freed += remove_garbage(garbage, keep)
        except SrbenchError as error:  # the others go all the same
            failed = True
            typer.echo(str(error), err=True)
    typer.echo(f"Freed {size_text(freed)}.")
    raise typer.Exit(1 if failed else 0)


def _said(garbage: "Garbage") -> str:
    """`steps 900 and 950`, `1 leftover`."""
    parts = []
    if garbage.steps:
        texts = [f"{step:,}" for step in garbage.steps]
        listed = ", ".join(texts[:-1]) + (" and " if texts[1:] else "") + texts[-1]
        parts.append(f"step{'s' if texts[1:] else ''} {listed}")
    if garbage.leftovers:
        number = len(garbage.leftovers)
        parts.append(f"{number} leftover{'' if number == 1 else 's'}")
    return " and ".join(parts)
