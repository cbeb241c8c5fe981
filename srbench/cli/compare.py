"""`srbench compare A B`: two runs, picture by picture."""

from typing import Annotated, Literal

import typer

from srbench.cli.options import Results

_SIDE = (
    "A run id, or the beginning of one. Where it fits several runs that differ by seed alone, or names them "
    "in a comma list, they are one side and the seed is a second level of the interval."
)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    b: Annotated[str, typer.Argument(metavar="B", help="What A is compared with, written the same way.")],
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Only these metrics: a name (ssim: with any settings) or a label (ssim:edge=replicate).",
        ),
    ] = None,
    test: Annotated[list[str] | None, typer.Option(metavar="NAME,…", help="Only these test sets.")] = None,
    format: Annotated[
        Literal["rich", "md", "json"],
        typer.Option(
            "--format",
            help="rich is for reading here, md is to paste, json is for scripts and holds every picture.",
        ),
    ] = "rich",
    results: Results = None,
) -> None:
    """Say whether A is better than B, by the pictures both were scored on.

    For each test, plane, scale and metric: the mean difference with its paired 95 % bootstrap interval, on
    how many pictures A wins, how many more pictures it would take to tell where the interval holds zero, and
    the pictures that differ most. Only scores of the same pictures under the same protocol are compared.

        srbench compare lapsrn-charbonnier lapsrn-l1 --metric psnr
    """
    from rich.console import Console

    from srbench.compare import compare as compare_runs
    from srbench.compare import find_side
    from srbench.compare.show import render
    from srbench.grammar import split_list
    from srbench.store.layout import default_results

    root = results or default_results()
    sides = find_side(root, a), find_side(root, b)
    compared = compare_runs(
        *sides, metrics=split_list(metric) if metric else None, tests=split_list(test) if test else None
    )
    shown = render(compared, *sides, format)
    if isinstance(shown, str):
        typer.echo(shown, nl=False)
    else:
        Console(highlight=False).print(shown)
