"""What was asked for → the runs to do, in a stable order, each a frozen RunSpec with its budget and tests."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.datasets import BuiltDataset, TestSet, build_dataset, scored_sets
from srbench.errors import MetricUnavailable, UsageError, did_you_mean
from srbench.grammar import Term, parse_sum, parse_term
from srbench.parameters import checked, parameters_of
from srbench.patch import check_patch
from srbench.registry import Loss, Model, registry
from srbench.spec import ComponentSpec, LossSpec, Origin, RunSpec, Source
from srbench.train.optimizers import OPTIMIZERS
from srbench.train.schedule import SCHEDULES
from srbench.types import BASELINE, CHANNELS, Channels

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT_SCALE = 4

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
    datasets: tuple[str, ...] = ("sample",)
    channels: tuple[str, ...] = ()
    scales: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    tests: tuple[str, ...] = ()
    recipe: str = "default"
    degradation: str | None = None
    precision: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    budget: Budget = Budget()
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
    budget: Budget = Budget()
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
        request.models or (None,), request.datasets, request.losses or (None,), request.channels or (None,),
    )  # fmt: skip
    scales = request.scales or (base.scale if base else DEFAULT_SCALE,)
    seeds = request.seeds or (base.seed or 0 if base else 0,)
    for scale, (model, dataset, loss, channels), seed in itertools.product(
        scales, itertools.product(*axes), seeds
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
    model_text: str | None,
    loss_text: str | None,
    dataset_text: str,
    channels: str | None,
    scale: int,
    seed: int,
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
        else component_spec("degradation", request.degradation or "bicubic")
    )
    # Built once now, so that a value it refuses is found before anything is written.
    registry().find("degradation", degradation.name).make(**degradation.params)
    dataset = build_dataset(dataset_text, scale)
    tests = scored_sets(request.tests, scale) or (dataset.test,)
    if not model.trainable:
        if request.origin is not None:
            raise UsageError(f"Model {model.name!r} is not trained, so it cannot begin from weights.")
        return Job(untrained_spec(model_spec, scale, degradation), tests)

    settings = _settings(model, model_spec.params, scale, request)
    chosen = (
        base.channels
        if base and base.channels and channels is None
        else parse_channels(channels or model.channels)
    )
    budget = request.budget if request.budget != Budget() else _budget(settings)
    if budget.epochs is not None and not math.isfinite(budget.epochs):
        raise UsageError(f"--epochs {budget.epochs} is no number of epochs.")
    given = _fields(request.settings if base else settings, budget)
    if loss_text is not None or base is None:
        given["loss"] = loss_terms(loss_text or settings["loss"], chosen)
    if request.precision is not None or base is None:
        given["precision"] = _one_of(
            "precision", request.precision or "auto", ("auto", "fp32", "bf16", "fp16")
        )
    given |= {
        "model": model_spec, "dataset": dataset.spec, "channels": chosen, "scale": scale,
        "degradation": degradation, "seed": seed, "origin": request.origin,
    }  # fmt: skip
    spec = RunSpec(
        **{**({name: getattr(base, name) for name in RunSpec.model_fields} if base else {}), **given}
    )
    _try_out(spec)
    check_patch(spec)
    return Job(spec, tests, budget, dataset)


def _fields(settings: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    """Settings as typed or recommended → fields of a spec, for those that are there."""
    read: dict[str, Callable[[Any], tuple[str, Any]]] = {
        "optimizer": lambda value: ("optimizer", _core_component("optimizer", value, OPTIMIZERS)),
        "lr": lambda value: ("learning_rate", _positive("lr", value, float)),
        "schedule": lambda value: ("schedule", _schedule(value, budget)),
        "clip": lambda value: ("clip", None if value is None else _positive("clip", value, float)),
        "ema": lambda value: ("ema", _ema(value)),
        "batch": lambda value: ("batch", _positive("batch", value, int)),
        "patch": lambda value: ("patch", _positive("patch", value, int)),
    }
    return dict(read[name](value) for name, value in settings.items() if name in read)


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


def loss_terms(text: str, channels: Channels) -> tuple[LossSpec, ...]:
    """`--loss` as typed → the terms of its sum, or the trainer it names, built once to see that they can be.

    Raises:
        UsageError: an unknown name, parameter or weight, or a loss of RGB pictures where there is one plane.
    """
    typed = parse_sum(text)
    trainers = [term for term in typed if _is_trainer(term.name)]
    if trainers:
        return (_trainer_term(trainers[0], alone=len(typed) == 1),)
    terms = []
    for term in typed:
        loss: Loss = registry().find("loss", term.name)
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
        terms.append(LossSpec(name=name, params=params, weight=term.weight, facts=loss_facts(loss, params)))
    return tuple(terms)


def _is_trainer(name: str) -> bool:
    bare = name.rpartition("/")[2]
    return bare in registry().names("trainer") and bare not in registry().names("loss")


def _trainer_term(term: Term, *, alone: bool) -> LossSpec:
    trainer = registry().find("trainer", term.name)
    if not alone or term.weight != 1:
        raise UsageError(
            f"{trainer.name!r} is a trainer: it takes the place of the whole loss. Name it alone and without "
            f"a weight: --loss {term.name}."
        )
    params = trainer.settings(term.parameters)
    trainer.make(**params)
    return LossSpec(name=registry().spelling(trainer), params=params, kind="trainer")


def loss_facts(loss: Loss, params: Mapping[str, Any]) -> dict[str, Any]:
    """What a loss depends on beside its parameters.

    Raises:
        UsageError: it cannot be computed on this machine.
    """
    try:
        return loss.read_facts(params)
    except MetricUnavailable as reason:
        raise UsageError(f"Loss {loss.name!r} cannot be used here. {reason}") from reason


def _settings(model: Model, params: Mapping[str, Any], scale: int, request: Request) -> dict[str, Any]:
    """Core settings, then the recipe's, then what was typed."""
    recipes = model.recipes or {"default": {}}
    if request.recipe not in recipes:
        raise UsageError(
            f"Model {model.name!r} has no recipe {request.recipe!r}.{did_you_mean(request.recipe, recipes)} "
            f"It has: {', '.join(recipes)}."
        )
    recipe = model.recipe(request.recipe, params, scale) if model.recipes else {}
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
