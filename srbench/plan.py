"""What was asked for → the runs to do, in a stable order, each a frozen RunSpec with its budget and tests."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from srbench.datasets import BuiltDataset, TestSet, build_dataset
from srbench.errors import MetricUnavailable, UsageError, did_you_mean
from srbench.grammar import parse_sum, parse_term
from srbench.parameters import checked, parameters_of
from srbench.registry import Model, registry
from srbench.spec import ComponentSpec, LossSpec, RunSpec, Source
from srbench.train.optimizers import OPTIMIZERS
from srbench.train.schedule import SCHEDULES
from srbench.types import BASELINE, CHANNELS, Channels

CORE_SETTINGS: Mapping[str, Any] = {
    "loss": "charbonnier",
    "batch": 16,
    "patch": 64,
    "optimizer": "adam",
    "lr": 2e-4,
    "schedule": "constant",
    "clip": None,
    "ema": 0.999,
    "steps": 1000,
}
"""Settings for what neither the command line nor the model's recipe says."""


@dataclass(frozen=True)
class Budget:
    """How far to go along a trajectory: steps, or epochs (of which the data say how many steps they are)."""

    steps: int | None = None
    epochs: float | None = None


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
    """

    models: tuple[str, ...]
    losses: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ("sample",)
    channels: tuple[str, ...] = ()
    scales: tuple[int, ...] = (4,)
    seeds: tuple[int, ...] = (0,)
    tests: tuple[str, ...] = ()
    recipe: str = "default"
    degradation: str = "bicubic"
    precision: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()


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
    """

    spec: RunSpec
    tests: tuple[TestSet, ...]
    budget: Budget = Budget()
    dataset: BuiltDataset | None = None
    name: str | None = None
    place: Path | None = None

    @property
    def typed(self) -> dict[str, str]:
        """Names and places, for provenance, since they are no part of the spec."""
        if self.spec.source is not None:
            return {"name": str(self.name), "source": str(self.place)}
        return {"dataset": self.dataset.anywhere} if self.dataset else {}


def plan(request: Request) -> list[Job]:
    """The jobs of a request: the baselines they are compared with first, then the runs, without repeats.

    Raises:
        UsageError: a name, parameter or combination that cannot be.
        DatasetError: a dataset is missing or lacks the half it is needed for.
        PictureError: a picture cannot be read.
    """
    jobs: dict[str, Job] = {}
    axes = (request.models, request.datasets, request.losses or (None,), request.channels or (None,))
    for scale, (model, dataset, loss, channels), seed in itertools.product(
        request.scales, itertools.product(*axes), request.seeds
    ):
        job = _job(request, model, loss, dataset, channels, scale, seed)
        jobs.setdefault(job.spec.id, job)
    return with_baselines(list(jobs.values()))


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
    model_text: str,
    loss_text: str | None,
    dataset_text: str,
    channels: str | None,
    scale: int,
    seed: int,
) -> Job:
    model_spec = component_spec("model", model_text)
    model: Model = registry().find("model", model_spec.name)
    check_scale(model, scale)
    degradation = component_spec("degradation", request.degradation)
    dataset = build_dataset(dataset_text)
    tests = tuple(build_dataset(text).test for text in request.tests) or (dataset.test,)
    if not model.trainable:
        return Job(untrained_spec(model_spec, scale, degradation), tests)

    settings = _settings(model, request)
    chosen = parse_channels(channels or model.channels)
    budget = request.budget if request.budget != Budget() else _budget(settings)
    if budget.epochs is not None and not math.isfinite(budget.epochs):
        raise UsageError(f"--epochs {budget.epochs} is no number of epochs.")
    spec = RunSpec(
        model=model_spec,
        loss=_losses(loss_text or settings["loss"], chosen),
        dataset=dataset.spec,
        channels=chosen,
        scale=scale,
        degradation=degradation,
        seed=seed,
        precision=_one_of("precision", request.precision, ("auto", "fp32", "bf16", "fp16")),
        optimizer=_core_component("optimizer", settings["optimizer"], OPTIMIZERS),
        learning_rate=_positive("lr", settings["lr"], float),
        schedule=_schedule(settings["schedule"], budget),
        clip=None if settings["clip"] is None else _positive("clip", settings["clip"], float),
        ema=_ema(settings["ema"]),
        batch=_positive("batch", settings["batch"], int),
        patch=_positive("patch", settings["patch"], int),
    )
    _try_out(spec)
    if spec.patch is not None and spec.patch % scale:
        raise UsageError(
            f"--patch {spec.patch} is not a multiple of --scale {scale}, so its LR patch would have no whole "
            f"size. Take {spec.patch // scale * scale or scale} or {(spec.patch // scale + 1) * scale}."
        )
    return Job(spec, tests, budget, dataset)


def _try_out(spec: RunSpec) -> None:
    """Build schedule and optimizer once, so that a value they refuse is found before anything is written."""
    import torch

    schedule, optimizer = spec.schedule, spec.optimizer
    assert schedule is not None
    assert optimizer is not None
    parameter = torch.nn.Parameter(torch.zeros(1))
    for component, build in (
        (schedule, SCHEDULES[schedule.name]),
        (optimizer, functools.partial(OPTIMIZERS[optimizer.name], [parameter], learning_rate=1.0)),
    ):
        try:
            build(**component.params)
        except ValueError as error:
            raise UsageError(f"{component} cannot be: {error}.") from error


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


def check_scale(model: Model, scale: int) -> None:
    """Refuse a scale the model cannot do.

    Raises:
        UsageError: naming the scales it can do.
    """
    if scale < 2:
        raise UsageError(f"--scale {scale} enlarges nothing. Take 2 or more.")
    if model.scales is not None and scale not in model.scales:
        can = ", ".join(f"×{one}" for one in model.scales)
        raise UsageError(f"Model {model.name!r} cannot do ×{scale}; it does {can}.")


def component_spec(kind: Any, text: str) -> ComponentSpec:
    """A component as typed, defaults filled in.

    Raises:
        UsageError: an unknown name or parameter.
    """
    term = parse_term(text)
    component = registry().find(kind, term.name)
    return ComponentSpec(name=registry().spelling(component), params=component.settings(term.parameters))


def _core_component(label: str, text: str, known: Mapping[str, Callable[..., Any]]) -> ComponentSpec:
    """An optimizer or schedule: the core's own, in the grammar of components."""
    term = parse_term(text)
    _one_of(label, term.name, tuple(known))
    parameters = parameters_of(known[term.name], {"params", "learning_rate"})
    name = f"{label.capitalize()} {term.name!r}"
    params = checked(name, parameters, term.parameters)
    for key, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{name} cannot take {key}={value}: it wants a finite number.")
    return ComponentSpec(name=term.name, params=params)


def _losses(text: str, channels: Channels) -> tuple[LossSpec, ...]:
    terms = []
    for term in parse_sum(text):
        loss = registry().find("loss", term.name)
        if loss.domain == "rgb" and channels in ("r", "g", "b"):
            raise UsageError(
                f"Loss {loss.name!r} looks at RGB pictures, and --channels {channels} has one plane of them. "
                "Take --channels rgb, r,g,b or y."
            )
        if not (math.isfinite(term.weight) and term.weight > 0):
            raise UsageError(f"The weight {term.weight:g} of loss {loss.name!r} must be a number above 0.")
        name = registry().spelling(loss)
        params = loss.settings(term.parameters)
        loss.make(**params)  # built once now, so that a value it refuses is found before anything is written
        try:
            facts = loss.read_facts(params)
        except MetricUnavailable as reason:
            raise UsageError(f"Loss {loss.name!r} cannot be used here. {reason}") from reason
        terms.append(LossSpec(name=name, params=params, weight=term.weight, facts=facts))
    return tuple(terms)


def _settings(model: Model, request: Request) -> dict[str, Any]:
    """Core settings, then the recipe's, then what was typed."""
    recipes = model.recipes or {"default": {}}
    if request.recipe not in recipes:
        raise UsageError(
            f"Model {model.name!r} has no recipe {request.recipe!r}.{did_you_mean(request.recipe, recipes)} "
            f"It has: {', '.join(recipes)}."
        )
    recipe = recipes[request.recipe]
    core = dict(CORE_SETTINGS)
    for key in recipe:
        if key not in (*core, "epochs"):
            raise UsageError(
                f"Recipe {request.recipe!r} of model {model.name!r} sets {key!r}, which is no setting."
                f"{did_you_mean(key, core)} This is a fault of {model.plugin.dist}."
            )
    if "epochs" in recipe:
        del core["steps"]
    return {**core, **recipe, **request.settings}


def _budget(settings: Mapping[str, Any]) -> Budget:
    if "epochs" in settings:
        return Budget(epochs=float(settings["epochs"]))
    return Budget(steps=int(settings["steps"]))


def _schedule(text: str, budget: Budget) -> ComponentSpec:
    schedule = _core_component("schedule", text, SCHEDULES)
    params = schedule.params
    if schedule.name == "cosine" and params["steps"] is None and params["epochs"] is None:
        # A run with another horizon is another run, so here the budget becomes part of the spec.
        params = {**params, "steps": budget.steps, "epochs": budget.epochs}
    return ComponentSpec(name=schedule.name, params=params)


def parse_channels(text: str) -> Channels:
    """`--channels` as typed.

    Raises:
        UsageError: it is none of the six.
    """
    for channels in CHANNELS:
        if text.replace(" ", "") == channels:
            return channels
    raise UsageError(f"--channels {text!r} is none of {' | '.join(CHANNELS)}.")


def _one_of(label: str, text: str, known: Sequence[str]) -> Any:
    if text not in known:
        raise UsageError(f"{text!r} is no {label}.{did_you_mean(text, known)} Known: {', '.join(known)}.")
    return text


def _positive(label: str, value: Any, kind: type) -> Any:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"--{label} {value} must be a number above 0.")
    return kind(value)


def _ema(value: float | None) -> float | None:
    # 0 switches averaging off from the command line, where None cannot be typed.
    if value is None or value == 0:
        return None
    if not 0 < value < 1:
        raise UsageError(f"--ema {value} must be 0 (off) or between 0 and 1, such as 0.999.")
    return float(value)
