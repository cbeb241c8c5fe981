"""How a run is trained: the core's settings, a recipe over them, what was typed over both."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from srbench.components import Model
from srbench.errors import UsageError, did_you_mean
from srbench.grammar import parse_term
from srbench.parameters import checked, parameters_of
from srbench.spec import ComponentSpec, RunSpec
from srbench.train.optimizers import OPTIMIZERS
from srbench.train.schedule import SCHEDULES

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


def settings_of(
    model: Model, params: Mapping[str, Any], scale: int, name: str, typed: Mapping[str, Any]
) -> dict[str, Any]:
    """The core's settings, then those of the model's recipe `name`, then what was typed.

    Raises:
        UsageError: the model has no such recipe, or it sets what is no setting.
    """
    recipes = model.recipes or {"default": {}}
    if name not in recipes:
        raise UsageError(
            f"Model {model.name!r} has no recipe {name!r}.{did_you_mean(name, recipes)} "
            f"It has: {', '.join(recipes)}."
        )
    recipe = model.recipe(name, params, scale) if model.recipes else {}
    core = dict(CORE_SETTINGS)
    for key in recipe:
        if key not in (*core, "epochs"):
            raise UsageError(
                f"Recipe {name!r} of model {model.name!r} sets {key!r}, which is no setting."
                f"{did_you_mean(key, core)} This is a fault of {model.plugin.dist}."
            )
    if "epochs" in recipe:
        del core["steps"]
    return {**core, **recipe, **typed}


def budget_of(settings: Mapping[str, Any]) -> Budget:
    """The budget that settings hold."""
    if "epochs" in settings:
        return Budget(epochs=float(settings["epochs"]))
    return Budget(steps=int(settings["steps"]))


def fields_of(settings: Mapping[str, Any], budget: Budget) -> dict[str, Any]:
    """Settings as typed or recommended → fields of a spec, for those that are there.

    Raises:
        UsageError: a value that cannot be.
    """
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


def try_out(spec: RunSpec) -> None:
    """Build schedule and optimizer once, so that a value they refuse is found before anything is written.

    Raises:
        UsageError: they refuse one.
    """
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


def _schedule(text: str, budget: Budget) -> ComponentSpec:
    schedule = _core_component("schedule", text, SCHEDULES)
    params = schedule.params
    if schedule.name == "cosine" and params["steps"] is None and params["epochs"] is None:
        # A run with another horizon is another run, so here the budget becomes part of the spec.
        params = {**params, "steps": budget.steps, "epochs": budget.epochs}
    return ComponentSpec(name=schedule.name, params=params)


def _core_component(label: str, text: str, known: Mapping[str, Callable[..., Any]]) -> ComponentSpec:
    """An optimizer or schedule: the core's own, in the grammar of components."""
    term = parse_term(text)
    one_of(label, term.name, tuple(known))
    parameters = parameters_of(known[term.name], {"params", "learning_rate"})
    name = f"{label.capitalize()} {term.name!r}"
    params = checked(name, parameters, term.parameters)
    for key, value in params.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{name} cannot take {key}={value}: it wants a finite number.")
    return ComponentSpec(name=term.name, params=params)


def one_of(label: str, text: str, known: Sequence[str]) -> Any:
    """`text`, which must be one of `known`.

    Raises:
        UsageError: it is none of them.
    """
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
