"""`srbench eval RUN`: score a stored run on any test set, without training."""

from typing import Annotated

import typer

from srbench.cli.options import Device, Grey, LpipsWeights, Metric, Results, SaveImages, Test
from srbench.cli.run import report
from srbench.cli.scoring import scoring_of


def evaluate_run(
    context: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN…", help="Run ids, or the beginnings of them.")],
    test: Test = None,
    metric: Metric = None,
    grey: Grey = "rgb",
    lpips_weights: LpipsWeights = None,
    save_images: SaveImages = 0,
    device: Device = "auto",
    results: Results = None,
) -> None:
    """Score runs on test sets, filling in what is missing; nothing is trained.

    Without --test, the test half of the dataset a run was trained on.

        srbench eval lapsrn-charbonnier --test set5:root=DIR --metric psnr,lpips:net=squeeze
    """
    from srbench.datasets import build_dataset
    from srbench.executors.local import score_stored
    from srbench.grammar import split_list
    from srbench.store.layout import default_results
    from srbench.store.runs import find_run
    from srbench.train.device import pick_device
    from srbench.train.stop import Stop

    root = results or default_results()
    found = [find_run(root, prefix) for prefix in runs]
    tests = [build_dataset(text).test for text in split_list(test or [])]
    scoring = scoring_of(metric, grey, lpips_weights, save_images)
    with Stop().listening() as stop:
        report(score_stored(found, tests, scoring, pick_device(device), stop, quiet=context.obj["quiet"]))
