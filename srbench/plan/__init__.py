"""What was asked for → the runs to do, in a stable order, each a frozen RunSpec with its budget and tests."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.components import Model
from srbench.datasets import BuiltDataset, TestSet, build_dataset, scored_sets
from srbench.errors import UsageError
from srbench.patch import check_patch
from srbench.plan.settings import Budget, budget_of, fields_of, one_of, settings_of, try_out
from srbench.plan.terms import check_scale, component_spec, loss_terms, parse_channels
from srbench.registry import registry
from srbench.spec import ComponentSpec, LossSpec, Origin, RunSpec, Seed, Source
from srbench.types import BASELINE, Channels

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_SCALE, DEFAULT_DATASET, DEFAULT_DEGRADATION = 4, "sample", "bicubic"


@dataclass(frozen=True)
class Start:
    """What a run begins from in place of a random draw.

    Args:
        origin: what the spec says of it.
        text: as typed after `--init` or `--fork`.
        model: weights to begin with, `plane.parameter` → tensor: those that are scored.
        state: of a fork, what its parent went on from; None: weights alone.
        scalars: of a fork, the plain data that goes with `state`.
        losses: of a fork, the terms of its parent's loss.
    """

    origin: Origin
    text: str
    model: "Mapping[str, Tensor]"
    state: "Mapping[str, Tensor] | None" = None
    scalars: Mapping[str, Any] = field(default_factory=dict)
    losses: tuple[LossSpec, ...] = ()


@dataclass(frozen=True)
class Request:
    """What was asked for, as typed. The tuples span a matrix; `settings` holds what overrides the recipe.

    Args:
        models, losses, datasets, channels, scales, seeds: the axes; empty: the model's or core's default.
        tests: test sets; empty: each dataset's own test half.
        recipe: the model's recipe to start from.
        degradation: HR → LR.
        precision: as asked.
        settings: any of `batch, patch, optimizer, lr, schedule, clip, ema`, where given.
        budget: steps or epochs, where given.
        base: of a fork, its parent: in place of recipe and defaults, for whatever is not given. Empty axes
            are then its own, and `datasets` must be given.
        origin: what all of them begin from.
    """

    models: tuple[str, ...]
    losses: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    scales: tuple[int, ...] = ()
    seeds: tuple[Seed, ...] = ()
    tests: tuple[str, ...] = ()
    recipe: str = "default"
    degradation: str | None = None
    precision: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    base: RunSpec | None = None
    origin: Origin | None = None


@dataclass(frozen=True)
class Job:
    """One run to bring to its budget and to score.

    Args:
        spec: what it is.
        tests: what it is scored on.
        budget: how far to train it.
        dataset: what it is trained on.
        name: what tables call it; where the spec has a source.
        place: where the file or folder that the spec's source stands for lies.
        start: what to begin with, where the spec has an origin and nothing is trained yet.
    """

    spec: RunSpec
    tests: tuple[TestSet, ...]
    budget: Budget = field(default_factory=Budget)
    dataset: BuiltDataset | None = None
    name: str | None = None
    place: Path | None = None
    start: Start | None = None

    @property
    def typed(self) -> dict[str, str]:
        """Names and places, for provenance, since they are no part of the spec."""
        if self.spec.source is not None:
            return {"name": str(self.name), "source": str(self.place)}
        typed = {"dataset": self.dataset.anywhere} if self.dataset else {}
        return {**typed, "origin": self.start.text} if self.start else typed


def plan(request: Request) -> list[Job]:
    """The jobs of a request: the baselines they are compared with first, then the runs, without repeats.

    Raises:
        UsageError: a name, parameter or combination that cannot be.
        DatasetError: a dataset is missing or lacks the half it is needed for.
        PictureError: a picture cannot be read.
    """
    jobs: dict[str, Job] = {}
    base = request.base
    axes = (
        request.models or (None,), request.datasets or (DEFAULT_DATASET,), request.losses or (None,),
        request.channels or (None,),
    )  # fmt: skip
    scales = request.scales or (base.scale if base else DEFAULT_SCALE,)
    seeds = request.seeds or (base.seed or 0 if base else 0,)
    for scale, (model, dataset, loss, channels), seed in itertools.product(
        scales, itertools.product(*axes), seeds
    ):
        job = _job(request, model, loss, dataset, channels, scale, seed)
        jobs.setdefault(job.spec.id, job)
    return with_baselines(list(jobs.values()))


def together(plans: Iterable[Sequence[Job]]) -> list[Job]:
    """The jobs of several requests as one list: baselines first, without repeats."""
    jobs: dict[str, Job] = {}
    for job in with_baselines([job for one in plans for job in one]):
        jobs.setdefault(job.spec.id, job)
    return list(jobs.values())


def with_baselines(jobs: Sequence[Job]) -> list[Job]:
    """`jobs` after one of bicubic for each scale and degradation, scored on all that its peers are."""
    baselines: dict[str, Job] = {}
    for job in jobs:
        spec = untrained_spec(component_spec("model", BASELINE), job.spec.scale, job.spec.degradation)
        known = baselines[spec.id].tests if spec.id in baselines else ()
        tests = {(test.name, test.sha256): test for test in (*known, *job.tests)}
        baselines[spec.id] = Job(spec, tuple(tests.values()))
    return [*baselines.values(), *(job for job in jobs if job.spec.id not in baselines)]


def _job(
    request: Request,
    model_text: str | None,
    loss_text: str | None,
    dataset_text: str,
    channels: str | None,
    scale: int,
    seed: Seed,
) -> Job:
    base = request.base
    if model_text is None:
        if base is None:
            raise UsageError("No model is named. Give --model lapsrn, or another that srbench plugins lists.")
        model_spec = base.model
    else:
        model_spec = component_spec("model", model_text)
    model: Model = registry().find("model", model_spec.name)
    check_scale(model, scale)
    degradation = (
        base.degradation
        if base and request.degradation is None
        else component_spec("degradation", request.degradation or DEFAULT_DEGRADATION)
    )
    # Built once now, so that a value it refuses is found before anything is written.
    registry().find("degradation", degradation.name).make(**degradation.params)
    dataset = build_dataset(dataset_text, scale)
    tests = scored_sets(request.tests, scale) or (dataset.test,)
    if not model.trainable:
        if request.origin is not None:
            raise UsageError(f"Model {model.name!r} is not trained, so it cannot begin from weights.")
        return Job(untrained_spec(model_spec, scale, degradation), tests)

    settings = settings_of(model, model_spec.params, scale, request.recipe, request.settings)
    chosen = (
        base.channels
        if base and base.channels and channels is None
        else parse_channels(channels or model.channels)
    )
    budget = request.budget if request.budget != Budget() else budget_of(settings)
    if budget.epochs is not None and not math.isfinite(budget.epochs):
        raise UsageError(f"--epochs {budget.epochs} is no number of epochs.")
    given = fields_of(request.settings if base else settings, budget)
    if loss_text is not None or base is None:
        given["loss"] = loss_terms(loss_text or settings["loss"], chosen)
    if request.precision is not None or base is None:
        given["precision"] = one_of(
            "precision", request.precision or "auto", ("auto", "fp32", "bf16", "fp16")
        )
    given |= {
        "model": model_spec, "dataset": dataset.spec, "channels": chosen, "scale": scale,
        "degradation": degradation, "seed": seed, "origin": request.origin,
    }  # fmt: skip
    spec = RunSpec(
        **{**({name: getattr(base, name) for name in RunSpec.model_fields} if base else {}), **given}
    )
    try_out(spec)
    check_patch(spec)
    return Job(spec, tests, budget, dataset)


def untrained_spec(
    model: ComponentSpec,
    scale: int,
    degradation: ComponentSpec,
    source: Source | None = None,
    channels: Channels | None = None,
) -> RunSpec:
    """The spec of a model without training: no loss, dataset or seed; channels only where it has a source."""
    given = {"model", "scale", "degradation", "source", "channels"}
    nothing = dict.fromkeys(set(RunSpec.model_fields) - given)
    return RunSpec(
        model=model, scale=scale, degradation=degradation, source=source, channels=channels, **nothing
    )
