"""`srbench plot curves|spectrum|pd|crops`: still figures of stored runs, sized for a paper."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from srbench.cli.drawn import chosen_runs, pictures_of, side_by_side, with_scores, write
from srbench.cli.options import Device, Results

app = typer.Typer(
    no_args_is_help=True,
    help="Still figures of stored runs, sized for one or two columns of a paper.\n\nType is of 7 and 8 "
    "points at that size, fonts are embedded, everybody can tell the colours apart, and equal runs give "
    "equal bytes.",
)

Runs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RUN…]", help="Run ids, the beginnings of them, or names. Default: all runs of the store."
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="The figure to write: its name ends in .png, .svg or .pdf. One that is there is replaced.",
    ),
]
Width = Annotated[
    Literal["column", "page"],
    typer.Option(
        "--width", help="As wide as one column of a paper (3.5 inches), or as two, its page (7.16 inches)."
    ),
]
Dpi = Annotated[
    int,
    typer.Option("--dpi", min=50, max=1200, help="Pixels an inch, of a PNG and of pictures in the others."),
]
Planes = Annotated[
    list[str] | None,
    typer.Option(
        "--plane",
        metavar="PLANE,…",
        help="Only these planes: r, g, b, y. Default: those the runs have of their own.",
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--test",
        metavar="DATASET",
        help="The test set: the name it was scored under, or a dataset as typed, where its pictures lie "
        "elsewhere now (set5:root=DIR). Default: the one that most runs were scored on.",
    ),
]


@app.command()
def curves(
    output: Output,
    runs: Runs = None,
    over: Annotated[
        Literal["steps", "epochs", "hours"], typer.Option("--over", help="What stands across.")
    ] = "steps",
    measure: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="What is drawn, a column each: loss, psnr, detail, or a term of a loss (loss l1). Default: "
            "loss and psnr.",
        ),
    ] = None,
    plane: Planes = None,
    width: Width = "column",
    dpi: Dpi = 300,
    results: Results = None,
) -> None:
    """Draw training: mean loss, and PSNR at each scale on the validation pictures, a row a channel.

    srbench plot curves lapsrn-charbonnier lapsrn-l2 -o curves.pdf
    """
    from srbench.figures import check_suffix
    from srbench.grammar import split_list
    from srbench.plots.curves import MEASURES, draw
    from srbench.plots.style import paper
    from srbench.views.curves import curves_of
    from srbench.views.names import is_baseline

    check_suffix(output)
    chosen, damaged = chosen_runs(runs, results)
    found = curves_of(chosen if runs else [run for run in chosen if not is_baseline(run)])
    with paper():
        figure, notes = draw(
            found,
            width=width,
            over=over,
            measures=split_list(measure) if measure else MEASURES,
            planes=split_list(plane) if plane else None,
        )
    write(output, figure, dpi, notes, damaged=damaged)


@app.command()
def pd(
    output: Output,
    runs: Runs = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="What stands upwards, a panel each: names (lpips: with any network) or labels "
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
    width: Width = "column",
    dpi: Dpi = 300,
    results: Results = None,
) -> None:
    """Draw perception against distortion: who buys PSNR with texture, and who texture with PSNR.

    A row for each test and scale, a point for each run by its name in the table, with the 95 % intervals of
    both means; bicubic is the star, and the dotted line joins the runs that no other beats in both. Up and
    right are better: the axis of LPIPS is turned over. Only runs that were scored under one protocol stand in
    one panel.

        srbench plot pd -o trade.png --test set14
    """
    from srbench.figures import check_suffix
    from srbench.grammar import split_list
    from srbench.plots.style import paper
    from srbench.plots.trade import draw
    from srbench.views.trade import chart_of

    check_suffix(output)
    chosen, damaged = chosen_runs(runs, results, beside=True)
    scored, notes = with_scores(chosen)
    chart = chart_of(scored, split_list(metric) if metric else None, split_list(test) if test else None)
    with paper():
        figure = draw(chart, width=width)
    write(output, figure, dpi, [*notes, *chart.notes], damaged=damaged)


@app.command()
def spectrum(
    context: typer.Context,
    output: Output,
    runs: Runs = None,
    test: Sets = None,
    pictures: Annotated[
        int,
        typer.Option(
            min=1, metavar="N", help="Pictures of the test set to take the mean over, evenly spaced."
        ),
    ] = 6,
    plane: Planes = None,
    width: Width = "column",
    dpi: Dpi = 300,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Draw radial power of HR, bicubic and each run, and the share of HR's detail recovered by octave.

    For each plane: where a channel lags, its curve falls sooner. Networks are put to work again, unless the
    pictures were kept by --save-images. At most 12 runs, the best by PSNR where there are more.

        srbench plot spectrum lapsrn-charbonnier -o spectrum.pdf
    """
    from srbench.figures import check_suffix
    from srbench.grammar import split_list
    from srbench.plots.spectrum import draw
    from srbench.plots.style import MOST_RUNS, paper
    from srbench.views.spectra import spectra_of

    check_suffix(output)
    chosen, damaged = chosen_runs(runs, results)
    scene, found, notes = side_by_side(chosen, test, MOST_RUNS)
    count = min(pictures, len(found.pictures))
    names = [found.pictures[at * len(found.pictures) // count].name for at in range(count)]
    gallery = pictures_of(scene, found, names, device, quiet=context.obj["quiet"])
    spectra = spectra_of(gallery)
    with paper():
        figure = draw(
            spectra,
            width=width,
            planes=split_list(plane) if plane else None,
            title=" · ".join(filter(None, (f"test {scene.title}", gallery.shared))),
            scale=scene.scale,
        )
    write(output, figure, dpi, [*notes, *gallery.notes, *spectra.notes], damaged=damaged)


@app.command()
def crops(
    context: typer.Context,
    output: Output,
    runs: Runs = None,
    test: Sets = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Pictures to cut from, two crops each. Default: 2 on a page, 1 in a column.",
        ),
    ] = None,
    size: Annotated[
        int, typer.Option(min=16, max=1024, metavar="PIXELS", help="Side of a crop, in pixels of HR.")
    ] = 128,
    width: Width = "page",
    dpi: Dpi = 300,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Draw crops of HR, bicubic and each run, with PSNR and detail beneath; chosen by numbers, never by hand.

    Pictures: the one with least detail by the stored scores, then the one on which runs differ most. Windows:
    where the runs' pictures differ most, and where most of HR's detail is lost. The caption says so. At most
    6 runs, the best by PSNR where there are more.

        srbench plot crops lapsrn-charbonnier lapsrn-l2 --test set14 -o crops.pdf
    """
    from srbench.errors import UsageError
    from srbench.figures import check_suffix
    from srbench.plots.crops import MOST_RUNS, draw
    from srbench.plots.style import paper
    from srbench.views.crops import choose_pictures, crops_of

    check_suffix(output)
    chosen, damaged = chosen_runs(runs, results)
    scene, found, notes = side_by_side(chosen, test, MOST_RUNS)
    looked_at = choose_pictures(scene, pictures or {"page": 2, "column": 1}[width])
    if not looked_at:
        raise UsageError(
            f"Pictures are chosen by scores of presence or psnr, and {scene.title} has none. "
            "srbench eval RUN --metric psnr,detail makes them."
        )
    gallery = pictures_of(
        scene, found, [one.picture for one in looked_at], device, quiet=context.obj["quiet"]
    )
    with paper():
        figure = draw(gallery, crops_of(gallery, looked_at, size=size), width=width)
    write(output, figure, dpi, [*notes, *gallery.notes], damaged=damaged)
