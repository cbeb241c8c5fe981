"""`srbench run`: train what is missing, score what is missing, store it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from srbench.cli import options
from srbench.errors import most_urgent

if TYPE_CHECKING:
    from srbench.executors.contract import Outcome


def run(
    context: typer.Context,
    suite: options.Suite = None,
    model: options.Model = None,
    loss: options.Loss = None,
    dataset: options.Dataset = None,
    channels: options.Channels = None,
    scale: options.Scale = None,
    seed: options.Seed = None,
    only: options.Only = None,
    rerun: options.Rerun = None,
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
    degradation: options.Degradations = None,
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

    A suite is a file that spans a matrix of runs; options beside it go before what it says.

        srbench run benchmarks/quick.toml
    """
    import sys

    from srbench.python.run import prepared

    given = given_options(context)
    wants_plan, file = given.pop("dry_run", False), given.pop("suite", None)
    command = ["srbench", *sys.argv[1:]]
    with prepared(file, given, command=command, quiet=context.obj["quiet"]) as asked:
        if wants_plan:
            from srbench.cli.dry_run import show_plan

            show_plan(asked)
            return
        outcomes = asked.execute()
    report(outcomes)


def given_options(context: typer.Context) -> dict[str, Any]:
    """The options that were typed, by name: what was not is left to a suite, a recipe or srbench."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = [name for name, source in sources.items() if source is not None and source.name != "DEFAULT"]
    return {name: context.params[name] for name in typed}


def report(outcomes: "Sequence[Outcome]") -> None:
    """Say how the runs ended; where any has not, exit with the code of the most urgent error."""
    from srbench.progress import console

    for outcome in outcomes:
        if outcome.error is not None:
            console.print(str(outcome.error), markup=False, highlight=False, soft_wrap=True)
    if not outcomes:
        console.print("None of these runs has failed, so there is nothing to run again.")
        return
    queued = [outcome for outcome in outcomes if outcome.queued_as is not None]
    if queued:
        console.print(
            f"{len(queued)} of {len(outcomes)} runs are queued "
            f"({_span([one.queued_as or '' for one in queued])}). srbench runs shows how they are.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    done = [outcome for outcome in outcomes if outcome.error is None and outcome.queued_as is None]
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
    error = most_urgent(outcome.error for outcome in outcomes if outcome.error is not None)
    if error is not None:
        raise typer.Exit(error.exit_code)


def _span(jobs: Sequence[str]) -> str:
    """The first and the last of several."""
    return jobs[0] if len(jobs) == 1 else f"{jobs[0]} to {jobs[-1]}"
