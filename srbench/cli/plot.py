"""`srbench plot curves|spectrum|pd|crops`: still figures of stored runs, sized for a paper."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from srbench.cli.options import Device, Results

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from srbench.datasets import TestSet
    from srbench.store.runs import StoredRun
    from srbench.views.pictures import Gallery
    from srbench.views.scenes import Scene

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


_PAGE_HEIGHT = 9.5
"""Inches that a page of a paper has for text and figures."""


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
    chosen, damaged = _chosen(runs, results)
    found = curves_of(chosen if runs else [run for run in chosen if not is_baseline(run)])
    with paper():
        figure, notes = draw(
            found,
            width=width,
            over=over,
            measures=split_list(measure) if measure else MEASURES,
            planes=split_list(plane) if plane else None,
        )
    _write(output, figure, dpi, notes, damaged=damaged)


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
    chosen, damaged = _chosen(runs, results, beside=True)
    scored, notes = _scored(chosen)
    chart = chart_of(scored, split_list(metric) if metric else None, split_list(test) if test else None)
    with paper():
        figure = draw(chart, width=width)
    _write(output, figure, dpi, [*notes, *chart.notes], damaged=damaged)


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
    chosen, damaged = _chosen(runs, results)
    scene, found, notes = _scene(chosen, test, MOST_RUNS)
    count = min(pictures, len(found.pictures))
    names = [found.pictures[at * len(found.pictures) // count].name for at in range(count)]
    gallery = _gallery(scene, found, names, device, quiet=context.obj["quiet"])
    spectra = spectra_of(gallery)
    with paper():
        figure = draw(
            spectra,
            width=width,
            planes=split_list(plane) if plane else None,
            title=" · ".join(filter(None, (f"test {scene.title}", gallery.shared))),
            scale=scene.scale,
        )
    _write(output, figure, dpi, [*notes, *gallery.notes, *spectra.notes], damaged=damaged)


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
    chosen, damaged = _chosen(runs, results)
    scene, found, notes = _scene(chosen, test, MOST_RUNS)
    looked_at = choose_pictures(scene, pictures or {"page": 2, "column": 1}[width])
    if not looked_at:
        raise UsageError(
            f"Pictures are chosen by scores of presence or psnr, and {scene.title} has none. "
            "srbench eval RUN --metric psnr,detail makes them."
        )
    gallery = _gallery(scene, found, [one.picture for one in looked_at], device, quiet=context.obj["quiet"])
    with paper():
        figure = draw(gallery, crops_of(gallery, looked_at, size=size), width=width)
    _write(output, figure, dpi, [*notes, *gallery.notes], damaged=damaged)


def _chosen(
    names: Sequence[str] | None, results: Path | None, *, beside: bool = False
) -> "tuple[list[StoredRun], bool]":
    """The runs asked for in the order of tables, and whether others of the store are damaged.

    `beside`: with the bicubic that they are compared with.
    """
    from srbench.cli.runs import read_store
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.views.names import in_order, is_baseline

    everything, damaged = read_store(results)
    if not names:
        return in_order(everything), damaged
    root = results or default_results()
    found = {run.id: run for run in (find_run(root, name) for name in names)}
    if beside:
        alike = {_from(run) for run in found.values()}
        found |= {run.id: run for run in everything if is_baseline(run) and _from(run) in alike}
    return in_order(list(found.values())), False


def _from(run: "StoredRun") -> tuple[int, str]:
    """What a run's SR is made from: its scale and degradation."""
    from srbench.files import canonical_json

    return run.record.spec["scale"], canonical_json(run.record.spec["degradation"])


def _scored(runs: "Sequence[StoredRun]") -> "tuple[list[StoredRun], list[str]]":
    """Those that have scores, and a note on each other one.

    Raises:
        UsageError: none has any.
    """
    from srbench.errors import UsageError

    scored = [run for run in runs if run.summary and run.summary["scores"]]
    notes = [
        f"{run.id} is not drawn: it has no scores yet. srbench eval {run.id} makes them."
        for run in runs
        if run not in scored
    ]
    if not scored:
        raise UsageError(
            " ".join(notes) or "There are no scores to draw yet. srbench run makes runs and scores them."
        )
    return scored, notes


def _scene(
    runs: "Sequence[StoredRun]", test: list[str] | None, most: int
) -> "tuple[Scene, TestSet, list[str]]":
    """The runs to draw side by side, their test set, and notes on what is left out.

    Raises:
        DatasetError: its pictures are not on this machine.
        UsageError: no run was scored on what is asked for.
    """
    from srbench.errors import UsageError
    from srbench.python.typed import typed_list
    from srbench.views.scenes import asked_for, best, scenes_of, set_of

    scored, notes = _scored(runs)
    scenes = scenes_of(scored)
    typed = typed_list("dataset", test)
    asked = asked_for(scenes, typed)
    if not asked:
        there = ", ".join(scene.title for scene in scenes) or "bicubic alone"
        raise UsageError(f"No run was scored on {', '.join(typed) or 'a test set'}. There is: {there}.")
    scene, left_out = best(asked[0], most)
    if len(asked) > 1:
        others = ", ".join(one.title for one in asked[1:])
        notes.append(f"{scene.title} is drawn; {others}: by naming runs or --test.")
    return scene, set_of(scene, typed), [*notes, *left_out]


def _gallery(scene: "Scene", test: "TestSet", names: Sequence[str], device: str, *, quiet: bool) -> "Gallery":
    from srbench.train.device import apply_engine, choose_engine, pick_device
    from srbench.train.stop import Stop
    from srbench.views.pictures import gallery

    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    with Stop().listening() as stop:
        return gallery(scene, test, names, where, stop.check, quiet=quiet)


def _write(file: Path, figure: "Figure", dpi: int, notes: Sequence[str], *, damaged: bool) -> None:
    from srbench.plots.style import save

    save(file, figure, dpi)
    height = figure.get_size_inches()[1]
    if height > _PAGE_HEIGHT:
        notes = [*notes, f"It is {height:.1f} inches high, more than a page is: --width page, or less on it."]
    for note in dict.fromkeys(notes):
        typer.echo(note, err=True)
    typer.echo(f"The figure is in {file}.", err=True)
    raise typer.Exit(1 if damaged else 0)
