"""`srbench upscale RUN PICTURE… -o DIR`: a run's networks on pictures of one's own."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from srbench.cli.options import Device, Results, Step
from srbench.errors import UsageError


def upscale(
    context: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, or a name; also bicubic.")
    ],
    pictures: Annotated[
        list[Path],
        typer.Argument(metavar="PICTURE…", help="Picture files, and folders: all pictures in them."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder for the results, which are called NAME_xSCALE.png."
        ),
    ],
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace files that lie where results are to be. Without it they stay as they are.",
        ),
    ] = False,
    step: Step = None,
    self_ensemble: Annotated[
        bool,
        typer.Option(
            "--self-ensemble",
            help="The mean over each picture mirrored and turned in all 8 ways. Takes 8 times as long.",
        ),
    ] = False,
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            metavar="PIXELS",
            help="Put pictures through the network in tiles of this side, in pixels of the picture, 16 or "
            "more. Default: up to 512, smaller where memory is short.",
        ),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            "--overlap",
            metavar="PIXELS",
            help="Pixels that neighbouring tiles of --tile share, at most half a tile. Where a network looks "
            "no further than a quarter of it, tiles leave no seam. Default: 32, or a quarter of a smaller "
            "tile; without --tile, what is measured to leave none.",
        ),
    ] = None,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Enlarge pictures by a run, as PNG files: any size, kind and depth; alpha and colour profiles stay.

    Each result's path goes to stdout. A picture that cannot be upscaled is named, and the others go on. The
    same line again makes what is missing. An existing file is never replaced, unless --overwrite says so.

        srbench upscale lapsrn-charbonnier photo.jpg scans/ -o large
    """
    from srbench.train.stop import Stop

    with Stop().listening() as stop:
        with stop.at_once():
            from srbench.evaluate.upscalers import network_upscaler_of
            from srbench.inference import Inference
            from srbench.spec import RunSpec
            from srbench.store.layout import default_results
            from srbench.store.runs import find_run
            from srbench.train.device import apply_engine, choose_engine, pick_device
            from srbench.upscale import upscale_files
            from srbench.upscale.enlarge import Enlarger
            from srbench.upscale.naming import named, tasks_of

            found = find_run(results or default_results(), run)
            spec = RunSpec.from_stored(found.record.spec)
            tasks = tasks_of(pictures, output, spec.scale)
            try:
                asked = Inference(tile, overlap, self_ensemble)
            except ValueError as error:
                raise UsageError(f"--tile and --overlap cannot be taken so: {error}.") from error
            where = pick_device(device)
            apply_engine(choose_engine(where, "fp32", "exact"))
            reached, upscaler = network_upscaler_of(spec, found.paths, where, asked, which=step)
            _check_folder(output, named(output))
        made_by = {"run": found.id, "step": reached, **asked.data()}
        failed = kept = 0
        for done in upscale_files(
            Enlarger(upscaler, found.id), tasks, made_by, stop.check,
            overwrite=overwrite, quiet=context.obj["quiet"],
        ):  # fmt: skip
            failed, kept = failed + (done.error is not None), kept + (done.error is None and not done.is_new)
            if done.error is None:
                typer.echo(named(done.task.target))
            else:
                typer.echo(str(done.error), err=True)
    if kept:
        typer.echo(f"{kept} of {len(tasks)} were there already, made by the same line.", err=True)
    raise typer.Exit(1 if failed else 0)


def _check_folder(folder: Path, shown: str) -> None:
    """That results can be written there, before anything is computed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(
            f"-o {shown} is no folder that can be written ({error.strerror}). Name another."
        ) from error
