"""`srbench run`: train what is missing, score what is missing, store it."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli.options import Device, Grey, LpipsWeights, Metric, Results, SaveImages, Test
from srbench.errors import StoppedError, UsageError

if TYPE_CHECKING:
    from srbench.executors.local import Outcome
    from srbench.plan import Job

_AXIS = "Runs (a comma list or a repeated option spans a matrix)"
_TRAIN = "Training (what is not given comes from the model's recipe)"
_MACHINE = "Machine"


def run(
    context: typer.Context,
    model: Annotated[list[str], typer.Option(metavar="NAME", rich_help_panel=_AXIS, help="Model, such as lapsrn or lapsrn:depth=5; srbench plugins lists them.")],
    loss: Annotated[list[str] | None, typer.Option(metavar="NAME", rich_help_panel=_AXIS, help="Loss, such as charbonnier:eps=1e-6; a weighted sum is written l2+0.1*charbonnier.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(metavar="NAME", rich_help_panel=_AXIS, help="What to train on: sample (real pictures that scikit-image brings; the default), folder:train=DIR,test=DIR, folder:root=DIR,tile=128, bsds200:root=DIR …")] = None,
    channels: Annotated[list[str] | None, typer.Option(metavar="PLANES", rich_help_panel=_AXIS, help="What networks see: r,g,b (three separate networks), rgb, y, r, g or b. Repeat the option for several. Default: the model's own.")] = None,
    scale: Annotated[list[str] | None, typer.Option(metavar="FACTOR", rich_help_panel=_AXIS, help="Enlargement, 4 unless given.")] = None,
    seed: Annotated[list[int] | None, typer.Option(metavar="NUMBER", rich_help_panel=_AXIS, help="Seed of initialisation, order and crops, 0 unless given. Repeat the option for several.")] = None,
    steps: Annotated[int | None, typer.Option(min=0, metavar="N", rich_help_panel="Budget", help="Train up to this step. More than before goes on with the same run, and equals the larger budget in one go.")] = None,
    epochs: Annotated[float | None, typer.Option(min=0, metavar="N", rich_help_panel="Budget", help="The same in epochs.")] = None,
    max_time: Annotated[str | None, typer.Option(metavar="TIME", rich_help_panel="Budget", help="Stop after this time (11h30m, 90m), save, and exit with code 75: run me again.")] = None,
    recipe: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_TRAIN, help="Settings that the model's plugin recommends: default, or paper for those it was published with.")] = "default",
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", rich_help_panel=_TRAIN, help="Patches a step. More needs memory in proportion.")] = None,
    patch: Annotated[int | None, typer.Option(min=2, metavar="PIXELS", rich_help_panel=_TRAIN, help="Side of the random HR training crop, a multiple of --scale. Memory grows with its square.")] = None,
    lr: Annotated[float | None, typer.Option(metavar="RATE", rich_help_panel=_TRAIN, help="Learning rate.")] = None,
    optimizer: Annotated[str | None, typer.Option(metavar="NAME", rich_help_panel=_TRAIN, help="adam, adamw or sgd, with parameters: adam:beta1=0.9,beta2=0.99 or sgd:momentum=0.9,weight_decay=1e-4.")] = None,
    schedule: Annotated[str | None, typer.Option(metavar="NAME", rich_help_panel=_TRAIN, help="constant, step:every=50,factor=0.5 (in epochs) or cosine (its horizon is the budget, and part of the run).")] = None,
    clip: Annotated[float | None, typer.Option(metavar="NORM", rich_help_panel=_TRAIN, help="Clip each network's gradient to this norm.")] = None,
    ema: Annotated[float | None, typer.Option(metavar="DECAY", rich_help_panel=_TRAIN, help="Score a moving average of the weights with this decay (0.999); 0 switches it off.")] = None,
    precision: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_TRAIN, help="auto (bf16 where the hardware has it, else fp32), fp32, bf16 or fp16.")] = "auto",
    degradation: Annotated[str, typer.Option(metavar="NAME", rich_help_panel=_TRAIN, help="How LR is made from HR. bicubic:round=false leaves LR unrounded, as LapSRN's paper does.")] = "bicubic",
    test: Test = None,
    metric: Metric = None,
    grey: Grey = "rgb",
    lpips_weights: LpipsWeights = None,
    save_images: SaveImages = 0,
    device: Device = "auto",
    determinism: Annotated[str, typer.Option(metavar="MODE", rich_help_panel=_MACHINE, help="exact: a resumed run has the bits of an uninterrupted one. fast: it may differ in the last digits.")] = "exact",
    save_every: Annotated[float, typer.Option(min=0, metavar="SECONDS", rich_help_panel=_MACHINE, help="Seconds between checkpoints.")] = 60.0,
    eval_every: Annotated[int | None, typer.Option(min=1, metavar="STEPS", rich_help_panel=_MACHINE, help="Steps between evaluations. Default: the first whole number of epochs that is 200 steps or more.")] = None,
    results: Results = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run, and what of it is done.")] = False,
) -> None:  # fmt: skip
    """Train what is missing, score what is missing, and store it.

    The same line again goes on where it was stopped, or skips what is done. Ctrl-C finishes the step, saves,
    and exits with code 75. A first run to try:

        srbench run --model lapsrn --loss charbonnier
    """
    if steps is not None and epochs is not None:
        raise UsageError("--steps and --epochs both say how far to train. Give one of them.")
    from srbench.grammar import split_list
    from srbench.plan import Budget, Request, plan
    from srbench.store.layout import default_results
    from srbench.train.stop import Stop, parse_duration

    stop = Stop(parse_duration(max_time) if max_time is not None else None)
    typed = {
        "batch": batch, "patch": patch, "lr": lr, "optimizer": optimizer, "schedule": schedule, "clip": clip,
        "ema": ema,
    }  # fmt: skip
    request = Request(
        models=tuple(split_list(model)),
        losses=tuple(split_list(loss or [])),
        datasets=tuple(split_list(dataset or ["sample"])),
        channels=tuple(channels or ()),
        scales=tuple(_scale(item) for item in split_list(scale or ["4"])),
        seeds=tuple(seed or (0,)),
        tests=tuple(split_list(test or [])),
        recipe=recipe,
        degradation=degradation,
        precision=precision,
        settings={key: value for key, value in typed.items() if value is not None},
        budget=Budget(steps, epochs),
    )
    folder = results or default_results()
    with stop.listening():
        jobs = plan(request)
        if dry_run:
            _show_plan(jobs, folder)
            return
        from srbench.cli.scoring import scoring_of
        from srbench.executors.local import Settings, execute
        from srbench.train.device import pick_device
        from srbench.train.loop import Cadence

        if determinism not in ("exact", "fast"):
            raise UsageError(f"--determinism {determinism} is neither exact nor fast.")
        settings = Settings(
            device=pick_device(device),
            determinism=determinism,  # type: ignore[arg-type]
            cadence=Cadence(save_every, eval_every),
            scoring=scoring_of(metric, grey, lpips_weights, save_images),
            provenance={"command": ["srbench", *sys.argv[1:]]},
            quiet=context.obj["quiet"],
        )
        outcomes = execute(jobs, folder, settings, stop)
    report(outcomes)


def _scale(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"--scale {text!r} is no whole number.") from error


def _show_plan(jobs: "Sequence[Job]", folder: "object") -> None:
    from pathlib import Path

    from srbench.store.layout import RunPaths
    from srbench.store.runs import read_record

    for job in jobs:
        record = read_record(RunPaths(Path(str(folder)) / job.spec.id))
        budget = f"{job.budget.epochs:g} epochs" if job.budget.epochs is not None else f"{job.budget.steps or 0:,} steps"
        state = "not begun" if record is None else f"{record.status}, at step {record.step:,}"
        tests = ", ".join(test.name for test in job.tests)
        typer.echo(f"{job.spec.id}: {state}; budget {budget}; scored on {tests}")


def report(outcomes: "Sequence[Outcome]") -> None:
    """Say how the runs ended; exit with 75 if any can be resumed, else 1 if any failed, else 0."""
    from srbench.progress import console

    for outcome in outcomes:
        if outcome.error is not None:
            console.print(str(outcome.error), markup=False, highlight=False, soft_wrap=True)
    done = [outcome for outcome in outcomes if outcome.error is None]
    idle = [outcome for outcome in done if not outcome.did_anything]
    if done and len(idle) == len(outcomes):
        names = ", ".join(outcome.run_id for outcome in idle)
        console.print(
            f"Nothing to do: {names} {'is' if len(idle) == 1 else 'are'} trained and scored. srbench table shows "
            "the scores; a larger --steps or --epochs goes on.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    elif done:
        console.print(
            f"{len(done)} of {len(outcomes)} runs are trained and scored. srbench table compares them.",
            highlight=False,
        )
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    if any(isinstance(error, StoppedError) for error in errors):
        raise typer.Exit(StoppedError.exit_code)
    if errors:
        raise typer.Exit(max(error.exit_code for error in errors) if len(errors) == len(outcomes) else 1)
