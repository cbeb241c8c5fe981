"""`srbench run`: train what is missing, score what is missing, store it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from srbench.cli import options
from srbench.errors import SrbenchError, StoppedError, UsageError

if TYPE_CHECKING:
    from srbench.executors.contract import Executor, Outcome
    from srbench.plan import Job


def run(
    context: typer.Context,
    model: options.Model = None,
    loss: options.Loss = None,
    dataset: options.Dataset = None,
    channels: options.Channels = None,
    scale: options.Scale = None,
    seed: options.Seed = None,
    steps: options.Steps = None,
    epochs: options.Epochs = None,
    patience: options.Patience = None,
    max_time: options.MaxTime = None,
    init: options.Init = None,
    fork: options.Fork = None,
    fork_optimizer: options.ForkOptimizer = None,
    recipe: options.Recipe = "default",
    batch: options.Batch = None,
    patch: options.Patch = None,
    lr: options.Lr = None,
    optimizer: options.Optimizer = None,
    schedule: options.Schedule = None,
    clip: options.Clip = None,
    ema: options.Ema = None,
    precision: options.Precision = None,
    degradation: options.Degradation = None,
    test: options.Test = None,
    metric: options.Metric = None,
    grey: options.Grey = "rgb",
    border: options.Border = "scale",
    self_ensemble: options.SelfEnsemble = False,
    tile: options.Tile = None,
    overlap: options.Overlap = None,
    lpips_weights: options.LpipsWeights = None,
    save_images: options.SaveImages = 0,
    device: options.Device = "auto",
    executor: options.Executor = "local",
    jobs: options.Jobs = None,
    processes: options.Processes = 1,
    determinism: options.Determinism = "exact",
    save_every: options.SaveEvery = 60.0,
    eval_every: options.EvalEvery = None,
    results: options.Results = None,
    dry_run: options.DryRun = False,
) -> None:
    """Train what is missing, score what is missing, and store it.

    The same line again goes on where it was stopped, or skips what is done. Ctrl-C finishes the step, saves,
    and exits with code 75. A first run to try:

        srbench run --model lapsrn --loss charbonnier
    """
    if steps is not None and epochs is not None:
        raise UsageError("--steps and --epochs both say how far to train. Give one of them.")
    if determinism not in ("exact", "fast"):
        raise UsageError(f"--determinism {determinism} is neither exact nor fast.")
    _check_beginning(init, fork, fork_optimizer, recipe)
    from srbench.train.stop import Stop, time_limit

    stop = Stop(time_limit(max_time))
    # From here on a signal is a request to stop: also in the seconds that loading torch takes.
    with stop.listening():
        with stop.at_once():
            from srbench.cli.scoring import scoring_of, use_lpips_weights
            from srbench.cli.typed import typed_list, typed_one
            from srbench.executors.contract import Settings
            from srbench.grammar import split_list
            from srbench.plan import Request, plan
            from srbench.plan.settings import Budget
            from srbench.store.layout import default_results
            from srbench.train.loop import Cadence

            given = {
                "batch": batch, "patch": patch, "lr": lr, "optimizer": optimizer, "schedule": schedule,
                "clip": clip, "ema": ema,
            }  # fmt: skip
            request = Request(
                models=tuple(typed_list("model", model)),
                losses=tuple(typed_list("loss", loss)),
                datasets=tuple(typed_list("dataset", dataset) or (() if init or fork else ("sample",))),
                channels=tuple(channels or ()),
                scales=tuple(_scale(item) for item in split_list(scale or [])),
                seeds=tuple(seed or ()),
                tests=tuple(typed_list("dataset", test)),
                recipe=recipe,
                degradation=degradation and typed_one("degradation", degradation),
                precision=precision,
                settings={key: value for key, value in given.items() if value is not None},
                budget=Budget(steps, epochs),
            )
            use_lpips_weights(lpips_weights)  # a loss may need them too
            folder = results or default_results()
            if init is not None or fork is not None:
                from srbench.origins import Begin, jobs_from

                begin = (
                    Begin("init", init)
                    if init is not None
                    else Begin("fork", str(fork), _kept(fork_optimizer))
                )
                planned = jobs_from(request, begin, folder)
            else:
                planned = plan(request)
            place = _executor(executor, jobs)
            settings = Settings(
                device=device,
                determinism=determinism,  # type: ignore[arg-type]
                cadence=Cadence(save_every, eval_every, patience),
                scoring=scoring_of(
                    metric,
                    grey,
                    save_images,
                    border=border,
                    tile=tile,
                    overlap=overlap,
                    self_ensemble=self_ensemble,
                ),
                provenance={"command": ["srbench", *sys.argv[1:]]},
                quiet=context.obj["quiet"],
                processes=processes,
                lpips_weights=lpips_weights,
            )
            if dry_run:
                _show_plan(planned, folder)
                return
        outcomes = place.execute(planned, folder, settings, stop)
    report(outcomes)


def _check_beginning(init: str | None, fork: str | None, optimizer: str | None, recipe: str) -> None:
    if init is not None and fork is not None:
        raise UsageError(
            "--init begins from weights alone and --fork from a run's whole state. Give one of them."
        )
    if fork is None and optimizer is not None:
        raise UsageError("--fork-optimizer belongs to --fork.")
    if fork is not None and recipe != "default":
        raise UsageError("--recipe names settings to begin with, and --fork begins with those of its run.")


def _kept(text: str | None) -> Literal["keep", "reset"]:
    if text not in (None, "keep", "reset"):
        raise UsageError(f"--fork-optimizer {text} is neither keep nor reset.")
    return "reset" if text == "reset" else "keep"


def _executor(text: str, jobs: int | None) -> "Executor":
    """The executor as typed; `--jobs N` is short for its parameter `jobs`."""
    from srbench.cli.typed import typed_one
    from srbench.grammar import parse_term
    from srbench.registry import registry

    term = parse_term(typed_one("executor", text))
    component = registry().find("executor", term.name)
    if jobs is not None and "jobs" in term.parameters:
        raise UsageError(f"--jobs and --executor {text} both say how many runs at once. Give one of them.")
    more = {} if jobs is None else {"jobs": jobs}
    built: Executor = component.make(**component.settings({**term.parameters, **more}))
    return built


def _scale(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"--scale {text!r} is no whole number.") from error


def _show_plan(jobs: "Sequence[Job]", folder: Path) -> None:
    from srbench.store.layout import RunPaths
    from srbench.store.runs import read_record

    for job in jobs:
        record = read_record(RunPaths(folder / job.spec.id))
        budget = (
            f"{job.budget.epochs:g} epochs"
            if job.budget.epochs is not None
            else f"{job.budget.steps or 0:,} steps"
        )
        state = "not begun" if record is None else f"{record.status}, at step {record.step:,}"
        tests = ", ".join(test.name for test in job.tests)
        typer.echo(f"{job.spec.id}: {state}; budget {budget}; scored on {tests}")


def report(outcomes: "Sequence[Outcome]") -> None:
    """Say how the runs ended; exit 2 after wrong usage, else 75 if any can go on, else 1 if any failed."""
    from srbench.progress import console

    for outcome in outcomes:
        if outcome.error is not None:
            console.print(str(outcome.error), markup=False, highlight=False, soft_wrap=True)
    done = [outcome for outcome in outcomes if outcome.error is None]
    idle = [outcome for outcome in done if not outcome.did_anything]
    if done and len(idle) == len(outcomes):
        names = ", ".join(outcome.run_id for outcome in idle)
        console.print(
            f"Nothing to do: {names} {'is' if len(idle) == 1 else 'are'} trained and scored. srbench table "
            "shows the scores; a larger --steps or --epochs goes on.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    elif done:
        console.print(
            f"{len(done)} of {len(outcomes)} runs are trained and scored. srbench table compares them.",
            highlight=False,
        )
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    for code in (UsageError.exit_code, StoppedError.exit_code, SrbenchError.exit_code):
        if any(error.exit_code == code for error in errors):
            raise typer.Exit(code)
