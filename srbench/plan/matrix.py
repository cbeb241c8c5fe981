"""Axes, what is left out of their combinations and what is added → a request for each run."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from srbench.components import Model
from srbench.errors import UsageError, did_you_mean
from srbench.grammar import parse_term
from srbench.plan import DEFAULT_DATASET, DEFAULT_DEGRADATION, DEFAULT_SCALE, Request
from srbench.plan.settings import Budget, settings_of
from srbench.plan.terms import component_spec, fits, parse_channels, parse_seed
from srbench.registry import registry

AXES = ("scale", "degradation", "model", "dataset", "loss", "channels", "seed")
"""In the order in which they are spanned: the last one changes fastest."""

TRAINING = ("batch", "patch", "lr", "optimizer", "schedule", "clip", "ema")
"""Settings that override a recipe's; beside them there are recipe, precision and the budget."""

Values: TypeAlias = Mapping[str, tuple[Any, ...]]
"""Axis → values as typed; of `scale` numbers, and of `seed` what a spec holds."""

Combination: TypeAlias = Mapping[str, Any]
"""Axis → value as typed; an axis that is not there is at its default."""

_ONLY = re.compile(rf",(?=\s*(?:{'|'.join(AXES)})\s*=)")


@dataclass(frozen=True)
class When:
    """Settings for some of the runs: those whose every axis in `where` has one of the values there."""

    where: Values
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Matrix:
    """What spans runs: a suite, or the options of a command line.

    Args:
        axes: every combination of them is a run.
        exclude: combinations that are left out.
        include: smaller matrices that are added; an axis they leave out is that of `axes`.
        only: where there are any, all runs but those that fit one of them are left out.
        settings: how all runs are trained: recipe, precision, steps or epochs, and those of `TRAINING`.
        when: settings for some of them, over `settings`.
    """

    axes: Values = field(default_factory=dict)
    exclude: tuple[Values, ...] = ()
    include: tuple[Values, ...] = ()
    only: tuple[Values, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    when: tuple[When, ...] = ()

    def overridden(self, axes: Values, settings: Mapping[str, Any], only: Sequence[Values] = ()) -> "Matrix":
        """With what was typed beside it, which goes before all that it says itself."""
        return replace(
            self,
            axes={**self.axes, **axes},
            include=tuple({**one, **axes} for one in self.include),
            only=(*self.only, *only),
            settings=over(self.settings, settings),
            when=tuple(replace(one, settings=_without(one.settings, settings)) for one in self.when),
        )

    def combinations(self) -> list[Combination]:
        """The runs, without repeats, in a stable order.

        Raises:
            UsageError: a value that is none.
        """
        kept = [one for one in product(self.axes) if not self._any(self.exclude, one)]
        kept += [one for added in self.include for one in product({**self.axes, **added})]
        found: list[Combination] = []
        for one in kept:
            if one not in found and (not self.only or self._any(self.only, one)):
                found.append(one)
        return found

    def settings_for(self, combination: Combination) -> dict[str, Any]:
        """What is said of how this run is trained."""
        settings = dict(self.settings)
        for one in self.when:
            if matches(one.where, combination, self.settings):
                settings = over(settings, one.settings)
        return settings

    def requests(self, tests: Sequence[str] = ()) -> list[Request]:
        """A request for each run.

        Args:
            tests: what they are scored on; empty: each dataset's own test half.

        Raises:
            UsageError: a value that is none, or nothing is left.
        """
        found = self.combinations()
        if not found:
            raise UsageError(
                f"None of the runs fits {_described(self.only)}. {self._there()}"
                if self.only
                else "Every run is left out by [[exclude]], so there is nothing to do."
            )
        return [request_of(one, self.settings_for(one), tests) for one in found]

    def _any(self, patterns: Sequence[Values], combination: Combination) -> bool:
        return any(matches(pattern, combination, self.settings) for pattern in patterns)

    def _there(self) -> str:
        spanned = {
            axis: ", ".join(dict.fromkeys(str(one[axis]) for one in replace(self, only=()).combinations()))
            for axis in sorted(set().union(*self.only), key=AXES.index)
            if all(axis in one for one in replace(self, only=()).combinations())
        }
        return "There is " + "; ".join(f"{axis} {values}" for axis, values in spanned.items()) + "."


def product(axes: Values) -> list[Combination]:
    """Every combination of the axes that are there."""
    named = [axis for axis in AXES if axis in axes]
    return [dict(zip(named, one, strict=True)) for one in itertools.product(*(axes[axis] for axis in named))]


def over(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` over `settings`; a budget of either kind takes the place of one of the other."""
    return {**_without(settings, more), **more}


def _without(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    gone = set(more) | ({"steps", "epochs"} if {"steps", "epochs"} & set(more) else set())
    return {key: value for key, value in settings.items() if key not in gone}


def matches(pattern: Values, combination: Combination, settings: Mapping[str, Any]) -> bool:
    """Whether a run has, on every axis that the pattern names, one of the values there.

    An axis of the run that is not given counts with its default. A component fits a pattern that gives its
    name alone, or some of its parameters.

    Args:
        pattern: axis → values.
        combination: the run.
        settings: in which `recipe` says what its loss is where that is not given.

    Raises:
        UsageError: a value that is none.
    """
    return all(
        any(_is(axis, wanted, _value(axis, combination, settings)) for wanted in values)
        for axis, values in pattern.items()
    )


def _is(axis: Any, wanted: Any, value: Any) -> bool:
    if value is None or axis in ("scale", "seed"):
        return bool(wanted == value)
    if axis == "channels":
        return parse_channels(wanted) == parse_channels(value)
    return fits(axis, wanted, value)


def _value(axis: str, combination: Combination, settings: Mapping[str, Any]) -> Any:
    """What a run has on an axis; None where only its beginning (`--fork`) says that."""
    if axis in combination:
        return combination[axis]
    if axis in _DEFAULTS or "model" not in combination:
        return _DEFAULTS.get(axis)
    model: Model = registry().find("model", parse_term(combination["model"]).name)
    if not model.trainable:
        return None
    if axis == "channels":
        return model.channels
    params = component_spec("model", combination["model"]).params
    scale = combination.get("scale", DEFAULT_SCALE)
    return settings_of(model, params, scale, settings.get("recipe", "default"), {})["loss"]


_DEFAULTS: Mapping[str, Any] = {
    "scale": DEFAULT_SCALE,
    "degradation": DEFAULT_DEGRADATION,
    "dataset": DEFAULT_DATASET,
    "seed": 0,
}


def request_of(combination: Combination, settings: Mapping[str, Any], tests: Sequence[str] = ()) -> Request:
    """The request for one run.

    Args:
        combination: what it is.
        settings: how it is trained; see `Matrix`.
        tests: what it is scored on.
    """

    def axis(name: str) -> tuple[Any, ...]:
        return (combination[name],) if name in combination else ()

    return Request(
        models=axis("model"),
        losses=axis("loss"),
        datasets=axis("dataset"),
        channels=axis("channels"),
        scales=axis("scale"),
        seeds=axis("seed"),
        tests=tuple(tests),
        recipe=settings.get("recipe", "default"),
        degradation=combination.get("degradation"),
        precision=settings.get("precision"),
        settings={key: settings[key] for key in TRAINING if key in settings},
        budget=Budget(settings.get("steps"), settings.get("epochs")),
    )


def parse_only(text: str) -> Values:
    """`--only model=lapsrn,seed=1` → the pattern it means.

    Raises:
        UsageError: it names no axis, or no value of one.
    """
    found: dict[str, tuple[Any, ...]] = {}
    for item in _ONLY.split(text):
        axis, equals, value = (part.strip() for part in item.partition("="))
        if not equals or axis not in AXES:
            raise UsageError(
                f"--only {text}: {item.strip()!r} is not axis=value.{did_you_mean(axis, AXES)} Axes are "
                f"{', '.join(sorted(AXES))}."
            )
        if axis in found:
            raise UsageError(f"--only {text} names {axis} twice. Repeat the option: each adds its runs.")
        found[axis] = (typed_value(axis, value),)
    return found


def typed_value(axis: str, text: str) -> Any:
    """One value of an axis as typed → what a matrix holds.

    Raises:
        UsageError: it is none.
    """
    if axis == "seed":
        return parse_seed(text)
    if axis != "scale":
        return text
    try:
        return int(text)
    except ValueError as error:
        raise UsageError(f"--scale {text!r} is no whole number.") from error


def _described(only: Sequence[Values]) -> str:
    return " or ".join(
        "--only " + ",".join(f"{axis}={value}" for axis, (value, *_) in one.items()) for one in only
    )
