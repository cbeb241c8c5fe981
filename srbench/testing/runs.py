"""A whole run in seconds, for tests: planned, trained, scored and read back as `srbench run` would."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from srbench.evaluate.scoring import Scoring, resolve_metrics
from srbench.executors.contract import Settings
from srbench.executors.local import execute
from srbench.plan import Request, plan
from srbench.plan.settings import Budget
from srbench.store.history import read_lines
from srbench.store.layout import RunPaths
from srbench.store.runs import list_runs
from srbench.tables import records
from srbench.train.loop import Cadence
from srbench.train.stop import Stop


@dataclass(frozen=True)
class Combination:
    """What a run of a model, a loss and a dataset has left.

    Args:
        id: of the run.
        directory: with all its files.
        scores: the lines of its summary: metric, plane, test, scale and value, among others.
        history: a line an evaluation: step, loss, psnr and detail; empty for a model that is not trained.
        rows: what `srbench table --format json` prints of it.
    """

    id: str
    directory: Path
    scores: Sequence[Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    rows: Sequence[Mapping[str, Any]]

    def score(self, metric: str, plane: str = "y", scale: int | None = None) -> float:
        """One mean value; at the run scale unless told otherwise.

        Raises:
            LookupError: there is none.
        """
        found = [
            one
            for one in self.rows
            if (one["metric"], one["plane"]) == (metric, plane)
            and one["scale"] == (scale or one["run_scale"])
        ]
        if not found:
            there = sorted({f"{one['metric']} of {one['plane']} at ×{one['scale']}" for one in self.rows})
            raise LookupError(f"There is no {metric} of {plane}: there are {', '.join(there)}.")
        return float(found[0]["value"])


def run_combination(
    results: Path,
    *,
    model: str,
    dataset: str,
    loss: str | None = None,
    metrics: Sequence[str] = ("psnr",),
    channels: str | None = None,
    scale: int = 4,
    degradation: str | None = None,
    steps: int = 4,
    eval_every: int = 2,
    **settings: Any,
) -> Combination:
    """Train a combination for a few steps on the CPU, score it, and read back what it left.

    Args:
        results: the folder of the store.
        model, dataset, loss, channels, scale, degradation: as typed after the options of `srbench run`.
        metrics: what to score.
        steps: how far to train.
        eval_every: steps between evaluations.
        settings: `batch`, `patch`, `lr`, `optimizer`, `schedule`, `clip`, `ema`; batch 2 and patch 16 unless
            given.

    Raises:
        SrbenchError: what `srbench run` would say.
    """
    request = Request(
        models=(model,),
        losses=(loss,) if loss else (),
        datasets=(dataset,),
        channels=(channels,) if channels else (),
        scales=(scale,),
        degradation=degradation,
        precision="fp32",
        settings={"batch": 2, "patch": 4 * scale, **settings},
        budget=Budget(steps=steps),
    )
    scoring = Scoring(*resolve_metrics(list(metrics)))
    how = Settings(torch.device("cpu"), "exact", Cadence(eval_every=eval_every), scoring, quiet=True)
    job = plan(request)[-1]  # bicubic, which it is compared with, comes first
    exact = torch.are_deterministic_algorithms_enabled()
    try:
        (outcome,) = execute([job], results, how, Stop())
    finally:
        torch.use_deterministic_algorithms(exact)
    if outcome.error is not None:
        raise outcome.error
    paths = RunPaths(results / job.spec.id)
    (stored,) = [run for run in list_runs(results)[0] if run.id == paths.id]
    assert stored.summary is not None
    history = read_lines(paths.history) if job.spec.trained else []
    return Combination(paths.id, paths.directory, stored.summary["scores"], history, records([stored]))
