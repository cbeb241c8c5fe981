"""`srbench probe`: what losses ask for, ring of frequencies by ring of frequencies."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from srbench.cli.options import Device, LpipsWeights, Results
from srbench.errors import UsageError


def probe(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]", help="A run id, or the beginning of one. Without it, what --model says is taken."
        ),
    ] = None,
    loss: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            help="Losses to look at, as for srbench run: charbonnier:eps=1e-6, l1+0.1*ffl; a comma list or "
            "repeated for several side by side. Default: the run's own.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="In place of a run: a model as it is built, without training. Default: bicubic, whose error "
            "is what every training begins with.",
        ),
    ] = None,
    scale: Annotated[
        int | None, typer.Option(min=2, metavar="FACTOR", help="Enlargement of --model. Default: 4.")
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option(metavar="PLANES", help="What --model sees, as for srbench run. Default: its own."),
    ] = None,
    degradation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How LR is made from HR for --model, as for srbench run. Default: bicubic.",
        ),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="Real pictures to look at, such as set5:root=DIR. Default: the test half of the dataset the "
            "run was trained on, or sample.",
        ),
    ] = None,
    patches: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Patches of training size, evenly spread over the pictures. More tell more surely; time "
            "grows with them.",
        ),
    ] = 64,
    png: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Also draw it: pull over frequency, all losses in one chart (.png, .svg, .pdf).",
        ),
    ] = None,
    format: Annotated[
        Literal["rich", "md", "json"],
        typer.Option(
            "--format",
            help="rich is for reading here, md is to paste, json is for scripts: every ring and plane.",
        ),
    ] = "rich",
    lpips_weights: LpipsWeights = None,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Show how much a loss asks for in each ring of frequencies: a microscope for losses.

    The error of real SR pictures and the gradient that a loss makes of it are cut into windows and compared
    ring by ring. Pull is 1 where a loss asks for as much of the error as l2 does, less where it asks for
    less. Texture lies in the rings above the Nyquist frequency of LR, which LR does not carry.

        srbench probe lapsrn-charbonnier --loss charbonnier,l1,l2,ffl --png pull.png

        srbench probe --loss charbonnier,l1,l2
    """
    if run is not None and (model, scale, channels, degradation) != (None, None, None, None):
        raise UsageError(
            "--model, --scale, --channels and --degradation stand in place of a run. Leave them out, or "
            "the run."
        )
    if run is None and not loss:
        raise UsageError(
            "There is no loss to look at. Give --loss charbonnier,l1, or a run, which has its own."
        )
    from rich.console import Console

    from srbench.datasets import scored_sets
    from srbench.executors.local import typed_dataset
    from srbench.figures import check_suffix, write_figure
    from srbench.plan import DEFAULT_SCALE
    from srbench.probe import probe as probe_losses
    from srbench.probe.chart import chart
    from srbench.probe.show import render
    from srbench.probe.sources import model_subject, own_loss, run_subject, typed_loss
    from srbench.python.scoring import use_lpips_weights
    from srbench.python.typed import typed_list, typed_one
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.train.device import apply_engine, choose_engine, pick_device
    from srbench.train.stop import Stop
    from srbench.types import BASELINE

    if png is not None:
        check_suffix(png)
    losses = typed_list("loss", loss)
    test = test and typed_one("dataset", test)
    model = model and typed_one("model", model)
    degradation = degradation and typed_one("degradation", degradation)
    use_lpips_weights(lpips_weights)
    where = pick_device(device)
    apply_engine(choose_engine(where, "fp32", "exact"))
    if run is not None:
        found = find_run(results or default_results(), run)
        (pictures,) = scored_sets([test or typed_dataset(found)], found.record.spec["scale"])
        subject = run_subject(found, pictures, where)
        own = [] if loss else [own_loss(found, where)]
    else:
        factor = scale or DEFAULT_SCALE
        (pictures,) = scored_sets([test or "sample"], factor)
        subject = model_subject(model or BASELINE, factor, channels, where, degradation or BASELINE)
        own = []
    asked = own or [typed_loss(text, subject) for text in dict.fromkeys(losses)]
    with Stop().listening() as stop:
        seen = probe_losses(subject, pictures, asked, patches, stop.check, quiet=context.obj["quiet"])
    shown = render(seen, format)
    if isinstance(shown, str):
        typer.echo(shown, nl=False)
    else:
        Console(highlight=False).print(shown)
    if png is not None:
        write_figure(png, chart(seen))
        typer.echo(f"The chart is in {png}.", err=True)
