"""`srbench table`: stored scores, side by side."""

import os
import sys
from typing import Annotated, Literal

import typer

from srbench.cli.options import OfSuite, Results


def table(
    context: typer.Context,
    format: Annotated[
        Literal["rich", "md", "csv", "json", "latex"],
        typer.Option(
            "--format",
            help="rich is for reading here; md and latex are to paste; csv and json are one flat list for "
            "scripts, in full precision: a record for each run, test, scale, plane and metric.",
        ),
    ] = "rich",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Only these metrics: a name (lpips: with any network) or a whole label (lpips:net=squeeze).",
        ),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Only these test sets. Where one name stands for several contents, NAME@HASH picks one.",
        ),
    ] = None,
    ci: Annotated[
        bool,
        typer.Option(
            "--ci",
            help="Show the 95 % bootstrap interval of each mean over pictures. Two runs may differ although "
            "their intervals overlap: they were scored on the same pictures.",
        ),
    ] = False,
    top: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Of a block with more than N rows show those of the N best values in its leading column "
            "(the first metric, on luma where it is there), bicubic, and the best of every other column. "
            "Default: 30 of blocks with more than 60 rows. csv and json always have all.",
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every row, however many there are.")] = False,
    protocol: Annotated[
        bool,
        typer.Option(
            "--protocol",
            help="Show, in place of the scores, the protocols they were made under: hash, every setting, and "
            "in what they differ. With --format rich, md or json.",
        ),
    ] = False,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost",
            help="Also show what models cost: parameters, multiply-adds for a picture of 1280×720, and time "
            "and memory for a 256×256 LR picture on this machine's device, which is measured once a model. "
            "What other devices took stands in columns of their own.",
        ),
    ] = False,
    suite: OfSuite = None,
    results: Results = None,
) -> None:
    """Show the stored scores of all runs, against bicubic.

    Only rows with equal test pictures, scale and protocol stand in one block, and best values are picked
    inside it: bold where a paired test over the pictures tells the best from all others, ≈ where it is tied.
    ×2 (of ×4) is the inner output of a ×4 network, which is another task than true ×2. The rich
    table fits itself to the terminal (to 80 columns in a pipe, unless COLUMNS says otherwise).
    """
    if not cost:
        # Before numpy is loaded: threads that wait for a table's small products took 0.2 of 1.1 CPU seconds.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from rich.console import Console

    from srbench.cli.runs import index_store
    from srbench.errors import UsageError
    from srbench.grammar import split_list
    from srbench.store.runs import list_runs
    from srbench.tables import render, write_flat
    from srbench.tables.choice import choose
    from srbench.tables.cost import render_cost

    metrics = split_list(metric) if metric else None
    tests = split_list(test) if test else None
    index = index_store(results, suite)
    scored = [run.folder for run in index.runs if run.is_scored]
    whole = every or protocol or format in ("csv", "json")
    choice = None if whole or not scored else choose(index, top, metrics, tests)
    runs, errors = list_runs(index.root, scored if choice is None else choice.shown | choice.rivals)
    shown = [run for run in runs if choice is None or run.paths.id in choice.shown]
    for error in errors:  # read between the index and here, while it was written
        typer.echo(str(error), err=True)
    console = Console(highlight=False)
    if cost and not protocol:
        from srbench.train.stop import Stop

        with Stop().listening() as stop:
            from srbench.cost import measure_missing
            from srbench.train.device import pick_device

            measure_missing(shown, pick_device("auto"), stop.check, quiet=context.obj["quiet"])
    if protocol:
        from srbench.tables.protocols import render_protocols, used_protocols

        if format not in ("rich", "md", "json"):
            raise UsageError(f"--protocol is shown as rich, md or json, not as {format}.")
        used = used_protocols(runs, metrics, tests)
        if format == "rich":
            console.print(render_protocols(used, format))
        else:
            typer.echo(render_protocols(used, format), nl=False)
    elif format == "csv" or format == "json":  # not `in`: the type checker follows this alone
        write_flat(runs, format, sys.stdout, metrics=metrics, tests=tests, cost=cost)
    elif runs and format != "rich":
        typer.echo(render(runs, format, metrics=metrics, tests=tests, ci=ci, choice=choice), nl=False)
        typer.echo(render_cost(shown, format) if cost else "", nl=False)
    elif runs:
        width = console.width
        console.print(render(runs, "rich", metrics=metrics, tests=tests, ci=ci, width=width, choice=choice))
        if cost:
            console.print(render_cost(shown, "rich"))
    unscored = [run.id for run in index.runs if not run.is_scored]
    if unscored:
        more = f" and {len(unscored) - 5} more" if len(unscored) > 5 else ""
        count = "1 run has" if len(unscored) == 1 else f"{len(unscored)} runs have"
        names = ", ".join(unscored[:5])
        typer.echo(f"{count} no scores yet: {names}{more}. srbench runs says how far they are.", err=True)
    raise typer.Exit(1 if index.errors or errors else 0)
