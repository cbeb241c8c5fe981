"""What `run` and `eval` share: metrics and rules as typed → `Scoring`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import UsageError

if TYPE_CHECKING:
    from srbench.evaluate.scoring import Scoring


def use_lpips_weights(folder: Path | None) -> None:
    """Look for published weights in that folder first, for metrics and losses alike.

    Raises:
        UsageError: it is not there.
    """
    from srbench.metrics.backbones import set_weights_dir

    if folder is not None and not folder.is_dir():
        raise UsageError(f"--lpips-weights {folder} is no folder. Name the folder that holds the weights.")
    set_weights_dir(folder)


def scoring_of(
    metrics: Sequence[str] | None,
    grey: str,
    save_images: int,
    *,
    border: str = "scale",
    tile: int | None = None,
    overlap: int | None = None,
    self_ensemble: bool = False,
) -> "Scoring":
    """Look up the metrics, find their weights, and say now what will be left empty.

    Raises:
        UsageError: an unknown metric, parameter or rule.
    """
    from srbench.evaluate.scoring import DEFAULT_METRICS, Scoring, resolve_metrics
    from srbench.inference import Inference
    from srbench.progress import console
    from srbench.python.typed import typed_list

    if grey not in ("rgb", "keep"):
        raise UsageError(f"--grey {grey} is neither rgb nor keep.")
    if border != "scale" and not (border.isascii() and border.isdigit()):
        raise UsageError(f"--border {border} is neither scale nor a number of pixels from 0.")
    try:
        inference = Inference(tile, overlap, self_ensemble)
    except ValueError as error:
        raise UsageError(f"--tile and --overlap cannot be taken so: {error}.") from error
    active, unavailable = resolve_metrics(typed_list("metric", metrics) or DEFAULT_METRICS)
    for reason in unavailable.values():
        console.print(
            f"{reason} Its column is left empty; all others are complete.",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    pixels = None if border == "scale" else int(border)
    return Scoring(active, unavailable, grey, pixels, inference, save_images)  # type: ignore[arg-type]
