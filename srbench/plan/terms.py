"""Models, losses and channels as typed → what a specification says of them, built once to be sure."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from srbench.components import Component, Kind, Loss, Model
from srbench.errors import MetricUnavailable, UsageError, did_you_mean
from srbench.grammar import Term, parse_sum, parse_term
from srbench.parameters import is_path
from srbench.registry import registry
from srbench.spec import ComponentSpec, LossSpec, Seed, Seeds
from srbench.types import CHANNELS, Channels


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


def parse_channels(text: str) -> Channels:
    """`--channels` as typed.

    Raises:
        UsageError: it is none of the six.
    """
    for channels in CHANNELS:
        if text.replace(" ", "") == channels:
            return channels
    raise UsageError(f"--channels {text!r} is none of {' | '.join(CHANNELS)}.")


def parse_seed(given: "int | str | Mapping[str, int]") -> Seed:
    """`--seed` as typed: `7`, or `init=1,order=2`, in which what is not named is 0; also as data.

    Equal parts are the plain seed of that number.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(given, int):
        return given
    try:
        if isinstance(given, str):
            if "=" not in given:
                return int(given)
            given = {name: int(value) for name, value in parse_term(f"seed:{given}").parameters.items()}
    except ValueError as error:
        raise UsageError(
            f"--seed {given!r} is no whole number. Write --seed 1, and repeat the option for several; "
            "--seed init=1,order=2 sets them apart."
        ) from error
    for name in given:
        if name not in Seeds.model_fields:
            raise UsageError(
                f"--seed sets no {name!r}.{did_you_mean(name, Seeds.model_fields)} It sets "
                f"{', '.join(Seeds.model_fields)}."
            )
    seeds = Seeds(**given)
    return seeds.init if seeds.init == seeds.order == seeds.crops else seeds


def loss_terms(text: str, channels: Channels) -> tuple[LossSpec, ...]:
    """`--loss` as typed → the terms of its sum, or the trainer it names, built once to see that they can be.

    Raises:
        UsageError: an unknown name, parameter or weight, or a loss of RGB pictures where there is one plane.
    """
    typed = parse_sum(text)
    trainers = [term for term in typed if registry().find_loss(term.name).kind == "trainer"]
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


def component_of(axis: Kind, term: Term) -> Component:
    """The component that a term on that axis names; a trainer may stand in place of a loss.

    Raises:
        UsageError: there is none.
    """
    one: Component = registry().find_loss(term.name) if axis == "loss" else registry().find(axis, term.name)
    return one


def anchored(axis: Kind, text: str, folder: Path) -> str:
    """A setting whose relative paths are below `folder`, with those paths absolute.

    Raises:
        UsageError: it names no component.
    """
    terms = []
    for term in parse_sum(text):
        known = component_of(axis, term).parameters
        given = {
            key: str((folder / Path(value).expanduser()).absolute())
            if key in known and is_path(known[key])
            else value
            for key, value in term.parameters.items()
        }
        terms.append(str(replace(term, parameters=given)))
    return "+".join(terms)


def fits(axis: Kind, wanted: str, text: str) -> bool:
    """Whether `text` names what `wanted` does: the same terms, with the parameters that `wanted` gives."""
    ours, theirs = parse_sum(wanted), parse_sum(text)
    return len(ours) == len(theirs) and all(
        _fits(axis, one, other) for one, other in zip(ours, theirs, strict=True)
    )


def _fits(axis: Kind, wanted: Term, term: Term) -> bool:
    component = component_of(axis, term)
    if component_of(axis, wanted) is not component or wanted.weight != term.weight:
        return False
    if not wanted.parameters:
        return True
    given = component.settings(term.parameters)
    return bool(component.settings({**term.parameters, **wanted.parameters}) == given)


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
