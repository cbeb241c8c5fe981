"""`srbench plot FILE`: fidelity against perception, a point a run."""

from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.options import Results


def plot(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="The picture to write: its name ends in .png, .svg or .pdf."),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="What stands upwards, a column each: names (lpips: with any network) or labels "
            "(lpips:net=alex). Default: presence and lpips, as far as there are scores.",
        ),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Only these test sets. Where one name stands for several contents, NAME@HASH picks one.",
        ),
    ] = None,
    results: Results = None,
) -> None:
    """Draw PSNR against presence and LPIPS: who buys PSNR with texture, and who texture with PSNR.

    A row for each test and scale, a point for each run by its name in the table, with the 95 % intervals of
    both means; bicubic is the star. Up and right are better: the axis of LPIPS is turned over. Only runs that
    were scored under one protocol stand in one panel.

        srbench plot trade.png --test set14
    """
    from srbench.cli.runs import read_store
    from srbench.errors import UsageError
    from srbench.figures import check_suffix, write_figure
    from srbench.grammar import split_list
    from srbench.plots.trade import draw
    from srbench.views.trade import chart_of

    check_suffix(file)
    runs, damaged = read_store(results)
    scored = [run for run in runs if run.summary and run.summary["scores"]]
    if not scored:
        raise UsageError("There are no scores to draw yet. srbench run makes runs and scores them.")
    chart = chart_of(scored, split_list(metric) if metric else None, split_list(test) if test else None)
    write_figure(file, draw(chart))
    for note in chart.notes:
        typer.echo(note, err=True)
    typer.echo(f"The chart is in {file}.", err=True)
    raise typer.Exit(1 if damaged else 0)
