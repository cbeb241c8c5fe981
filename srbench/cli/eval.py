"""`srbench eval`: score stored runs, a weights file or a folder of pictures, without training."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from srbench.cli import options
from srbench.cli.run import report
from srbench.errors import UsageError
from srbench.python.scoring import scoring_of, use_lpips_weights

if TYPE_CHECKING:
    from srbench.executors.contract import Outcome
    from srbench.plan import Job


def evaluate_run(
    context: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN…]", help="Run ids, or the beginnings of them; or names of foreign ones."
        ),
    ] = None,
    weights: options.Weights = None,
    pictures: options.Pictures = None,
    name: options.Name = None,
    model: options.ForeignModel = None,
    scale: options.ForeignScale = None,
    channels: options.ForeignChannels = None,
    degradation: options.ForeignDegradation = None,
    allow_missing: options.AllowMissing = False,
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
    results: options.Results = None,
) -> None:
    """Score runs, a weights file or a folder of SR pictures on test sets; nothing is trained.

    What is missing is filled in. Without --test, the test half of the dataset a run was trained on. Weights
    and pictures are stored as entries of their own, beside bicubic, and stand in the same table.

        srbench eval lapsrn-charbonnier --test set5:root=DIR --metric psnr,lpips:net=squeeze

        srbench eval --weights LapSRN_x4.mat --model lapsrn --channels y --test set5:root=DIR

        srbench eval --pictures DIR --name EDSR --scale 4 --test set5:root=DIR
    """
    _check_what(runs, weights, pictures, model, channels, test)
    from srbench.train.stop import Stop

    with Stop().listening() as stop:
        with stop.at_once():
            from srbench.datasets import scored_sets
            from srbench.executors.contract import Settings
            from srbench.executors.local import execute, score_stored
            from srbench.foreign.jobs import pictures_jobs, weights_jobs
            from srbench.plan import DEFAULT_DEGRADATION
            from srbench.python.typed import typed_list, typed_one
            from srbench.store.layout import default_results
            from srbench.store.runs import find_run
            from srbench.train.device import pick_device
            from srbench.train.loop import Cadence

            root, quiet = results or default_results(), context.obj["quiet"]
            found = [find_run(root, prefix) for prefix in runs or []]
            tests = typed_list("dataset", test)
            how = typed_one("degradation", degradation) if degradation else DEFAULT_DEGRADATION
            for one in found:  # what cannot be is said before anything is scored
                scored_sets(tests, one.record.spec["scale"])
            use_lpips_weights(lpips_weights)
            scoring = scoring_of(
                metric, grey, save_images,
                border=border, tile=tile, overlap=overlap, self_ensemble=self_ensemble,
            )  # fmt: skip
            jobs: list[Job] = []
            if weights is not None:
                jobs = weights_jobs(
                    weights,
                    typed_one("model", str(model)),
                    tests,
                    how,
                    scale=scale,
                    channels=channels,
                    name=name,
                )
            elif not found:
                jobs = pictures_jobs(
                    Path(str(pictures)), tests, how,
                    scale=scale, name=name, allow_missing=allow_missing,
                )  # fmt: skip
            where = pick_device(device)
            settings = Settings(
                device, "exact", Cadence(), scoring, {"command": ["srbench", *sys.argv[1:]]},
                quiet, allow_missing, lpips_weights=lpips_weights,
            )  # fmt: skip
        outcomes: list[Outcome] = (
            score_stored(found, tests, scoring, where, stop, quiet=quiet, allow_missing=allow_missing)
            if found
            else execute(jobs, root, settings, stop)
        )
    report(outcomes)


def _check_what(
    runs: list[str] | None,
    weights: Path | None,
    pictures: Path | None,
    model: str | None,
    channels: str | None,
    test: list[str] | None,
) -> None:
    """Exactly one of runs, weights and pictures, with what it needs."""
    if sum(map(bool, (runs, weights, pictures))) != 1:
        raise UsageError(
            "Say one thing to score: run ids, --weights FILE with its --model, or --pictures DIR. "
            "srbench runs lists the stored ones."
        )
    if weights is not None and model is None:
        raise UsageError(
            f"--weights {weights} needs --model: lapsrn, spandrel, or another of srbench plugins."
        )
    if not runs and not test:
        raise UsageError("Name a test set to score on: --test set5:root=DIR or --test folder:test=DIR.")
    if weights is None and (model or channels):
        raise UsageError("--model and --channels belong to --weights. Leave them out.")
