"""`srbench explain`: which protocol gives a number from elsewhere."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from srbench.cli.options import Device, LpipsWeights, Results
from srbench.errors import UsageError
from srbench.python.scoring import use_lpips_weights
from srbench.python.typed import typed_list


def explain(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="A run id, or the beginning of one; or give --pictures."),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="SR pictures made by any program, named as those of the test set, in place of a run. How "
            "their LR was made cannot be tried then, only how they are scored.",
        ),
    ] = None,
    psnr: Annotated[
        str | None,
        typer.Option(metavar="DB", help="A mean PSNR to explain, with the digits it was published with."),
    ] = None,
    ssim: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="A mean SSIM to explain. Together with --psnr both must come from one protocol, which is "
            "surer, and faster: SSIM alone is scored under every protocol.",
        ),
    ] = None,
    lpips: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER",
            help="A mean LPIPS to explain, by each network whose weights are here or can be downloaded.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="The pictures the number is of, such as set5:root=DIR. Default: the test half of the "
            "dataset the run was trained on.",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=2,
            metavar="FACTOR",
            help="Look at outputs of this scale alone. Default: all of a run; needed with --pictures.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Show at most so many protocols.")] = 10,
    format: Annotated[
        Literal["rich", "md", "json"],
        typer.Option("--format", help="rich is for reading here, md is to paste, json is for scripts."),
    ] = "rich",
    lpips_weights: LpipsWeights = None,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Say which protocol gives a PSNR, SSIM or LPIPS that you found elsewhere.

    The same pictures are scored under every protocol in use: kinds of luma and RGB, borders, rounding, grey
    rules, SSIM windows, LPIPS networks and ranges, and for a run LR made by other toolboxes, self-ensemble,
    and inner outputs against true scales. Those within rounding of the number are listed, the most usual
    first; where there is none, the nearest.

        srbench explain lapsrn-charbonnier --psnr 28.17 --ssim 0.772 --test set14:root=DIR
    """
    typed = {"psnr": psnr, "ssim": ssim, "lpips": lpips}
    if (run is None) == (pictures is None):
        raise UsageError("srbench explain takes a run, or --pictures DIR: one of the two.")
    if not any(typed.values()):
        raise UsageError("There is no number to explain. Give one or more of --psnr, --ssim and --lpips.")
    from rich.console import Console

    from srbench.datasets import scored_sets
    from srbench.executors.local import typed_dataset
    from srbench.explain import Number
    from srbench.explain import explain as explain_numbers
    from srbench.explain.show import render
    from srbench.explain.sources import FolderSource, Source, stored_source
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.train.device import apply_engine, choose_engine, pick_device
    from srbench.train.stop import Stop

    numbers = [Number.parse(metric, text) for metric, text in typed.items() if text]  # type: ignore[arg-type]
    use_lpips_weights(lpips_weights)
    if test is not None and len(typed_list("dataset", [test])) > 1:
        raise UsageError(f"A number is of one test set, and --test {test} names several. Name one.")
    source: Source
    if pictures is not None:
        if test is None or scale is None:
            raise UsageError("--pictures needs --test and --scale: what they are pictures of, and how large.")
        (pictured,) = scored_sets([test], scale)
        source = FolderSource(pictures, pictured, scale)
    else:
        found = find_run(results or default_results(), str(run))
        where = pick_device(device)
        apply_engine(choose_engine(where, "fp32", "exact"))
        (pictured,) = scored_sets([test or typed_dataset(found)], found.record.spec["scale"])
        source = stored_source(found, pictured, scale, where)
    with Stop().listening() as stop:
        explanation = explain_numbers(source, numbers, stop.check, quiet=context.obj["quiet"])
    shown = render(explanation, format, limit=limit)
    if isinstance(shown, str):
        typer.echo(shown, nl=False)
    else:
        Console(highlight=False).print(shown)
