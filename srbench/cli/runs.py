"""`srbench runs`: what is in the store, how far it is, and removing of it."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli.options import OfSuite, Results

if TYPE_CHECKING:
    from srbench.errors import StoreError
    from srbench.store.index import Index
    from srbench.store.runs import StoredRun

app = typer.Typer(invoke_without_command=True)


def read_store(results: Path | None, suite: Path | None = None) -> "tuple[list[StoredRun], bool]":
    """The runs of a store, and whether some are damaged; says on stderr which, and where there are none.

    Args:
        results: the store, as typed.
        suite: a suite file whose runs alone are wanted.

    Raises:
        UsageError: the folder does not exist, or the suite is not sound.
    """
    from srbench.store.runs import list_runs

    root = _root(results)
    runs, errors = list_runs(root)
    _say_what_is_wrong(root, errors, bool(runs))
    if suite is not None:
        ids = _ids_of(suite)
        runs = [run for run in runs if run.id in ids]
    return runs, bool(errors)


def index_store(results: Path | None, suite: Path | None = None) -> "Index":
    """The same from the index of the store: for commands that must stay fast with many runs.

    Raises:
        UsageError: as `read_store`.
    """
    from srbench.store.index import read_index

    index = read_index(_root(results))
    _say_what_is_wrong(index.root, index.errors, bool(index.runs))
    return index if suite is None else index.only(_ids_of(suite))


def _ids_of(suite: Path) -> Collection[str]:
    from srbench.suite.read import read_suite

    return read_suite(suite).run_ids()


def _root(results: Path | None) -> Path:
    from srbench.errors import UsageError
    from srbench.store.layout import default_results

    root = results or default_results()
    if not root.is_dir():
        raise UsageError(
            f"There is no store at {root}. srbench run makes one there with its first run; "
            "SRBENCH_RESULTS or --results DIR names another."
        )
    return root


def _say_what_is_wrong(root: Path, errors: "Sequence[StoreError]", has_runs: bool) -> None:
    for error in errors:
        typer.echo(str(error), err=True)
    if not has_runs and not errors:
        typer.echo(
            f"No run is stored in {root} yet. Make one with srbench run, or name another store by "
            "SRBENCH_RESULTS or --results DIR.",
            err=True,
        )


@app.callback()
def runs(
    context: typer.Context,
    results: Results = None,
    suite: OfSuite = None,
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="One flat list for scripts, a record a run: run, name, status, job, step, budget, "
            "elapsed_s, updated, reason, scored, parent, parent_step.",
        ),
    ] = False,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Show each run below the one that it was forked or initialised from."),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Look again every two seconds until Ctrl-C: those at work first. Where there is no "
            "terminal, a line for each change.",
        ),
    ] = False,
) -> None:
    """List every run: its status, how far it is, how long it has trained, and when it was last saved.

    An interrupted run goes on when the same srbench run line is given again. Why runs failed stands below.
    """
    if context.invoked_subcommand is not None:
        return
    from srbench.cli.run_list import as_tree, record
    from srbench.cli.run_queue import Waiting
    from srbench.errors import UsageError

    if watch and (as_json or tree):
        raise UsageError("--watch is to look at, and goes neither with --json nor with --tree.")
    index = index_store(results, suite)
    waiting = Waiting()
    if watch:
        from srbench.cli.run_watch import watch as watch_runs
        from srbench.store.index import read_index

        ids = None if suite is None else _ids_of(suite)

        def read() -> list[dict[str, Any]]:
            now = read_index(index.root)
            queued = waiting.of(now)
            return [record(now, run, queued.get(run.id)) for run in now.runs if ids is None or run.id in ids]

        watch_runs(read)
        return
    queued = waiting.of(index)
    records = [record(index, run, queued.get(run.id)) for run in index.runs]
    if as_json:
        import json

        typer.echo(json.dumps(records, indent=1, ensure_ascii=False))
    elif records:
        _print_list(as_tree(records) if tree else [(one, "") for one in records])
    raise typer.Exit(1 if index.errors else 0)


def _print_list(records: "Sequence[tuple[Mapping[str, Any], str]]") -> None:
    """A line is never broken, so that an id can be copied in one piece."""
    from rich.console import Console
    from rich.text import Text

    from srbench.cli.run_list import listed, why_failed

    console = Console(highlight=False)
    lines = listed(records)
    lines += [
        Text(f"\n{one['run']} failed: {why_failed(one)}") for one, _ in records if one["status"] == "failed"
    ]
    if console.is_terminal:
        for line in lines:
            console.print(line, soft_wrap=True)
    else:  # ten thousand lines take rich a second
        typer.echo("\n".join(line.plain for line in lines))


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

    from srbench.cli.run_queue import still_queued
    from srbench.errors import UsageError
    from srbench.store.layout import default_results
    from srbench.store.queued import read_queued
    from srbench.store.runs import find_run, remove_run

    above = context.parent.params.get("results") if context.parent else None
    root = results or above or default_results()
    found = {run.id: run for run in (find_run(root, one) for one in ids)}  # all of them, before any goes
    for run in found.values():
        queued = read_queued(run.paths)
        if queued is not None and still_queued(queued.executor, [queued.job]):
            raise UsageError(
                f"{run.id} waits for job {queued.job} of {queued.executor}, which would begin it anew. "
                "Cancel that job first."
            )
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"Nobody can be asked whether to remove {', '.join(found)}. Add --yes.")
        listed = "\n".join(f"  {name}" for name in found)
        typer.confirm(f"{listed}\nRemove all of this?", abort=True, err=True)
    for run in found.values():
        remove_run(run)
        typer.echo(f"Removed {run.id}")
