"""The values of a suite, each held by itself against what is installed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from srbench.components import Kind
from srbench.errors import UsageError
from srbench.grammar import parse_sum, parse_term, split_list
from srbench.plan.matrix import AXES, Matrix, Values, When
from srbench.plan.settings import Budget, fields_of
from srbench.plan.terms import anchored, component_of, loss_terms, parse_seed
from srbench.registry import registry
from srbench.suite.form import Axes, Form, SeedParts
from srbench.suite.located import Place
from srbench.suite.mistakes import Report, is_absence
from srbench.train.stop import parse_duration

COMPONENTS: tuple[Kind, ...] = ("model", "loss", "dataset", "degradation")
"""Axes whose values name components."""


def matrix_of(form: Form, report: Report, folder: Path) -> Matrix:
    """The runs of a suite, without what cannot be; relative paths in it begin in `folder`."""
    whens = _patterns(form.when, "when", report, folder)
    return Matrix(
        axes=_values(form.axes, ("axes",), report, folder),
        exclude=_patterns(form.exclude, "exclude", report, folder),
        include=_patterns(form.include, "include", report, folder),
        settings=_settings(form.settings.model_dump(exclude_unset=True), ("settings",), report),
        when=tuple(
            When(
                where, _settings(one.settings.model_dump(exclude_unset=True), ("when", n, "settings"), report)
            )
            for n, (one, where) in enumerate(zip(form.when, whens, strict=True))
        ),
    )


def options_of(form: Form, report: Report, folder: Path) -> dict[str, Any]:
    """How the runs of a suite are scored and how a sitting goes, by the names of options."""
    scoring = form.scoring.model_dump(exclude_unset=True)
    kinds: tuple[tuple[str, Kind], ...] = (("test", "dataset"), ("metric", "metric"))
    for key, kind in kinds:
        if key in scoring:
            scoring[key] = _listed(scoring[key], ("scoring", key), kind, report, folder)
    from srbench.inference import Inference  # loads torch

    try:
        Inference(scoring.get("tile"), scoring.get("overlap"))
    except ValueError as error:
        key = "overlap" if "overlap" in scoring else "tile"
        report.wrong(("scoring", key), f"{key} cannot be so: {error}.")
    if "border" in scoring:
        scoring["border"] = str(scoring["border"])
    sitting = form.sitting.model_dump(exclude_unset=True)
    if "max_time" in sitting:
        report.attempt(("sitting", "max_time"), lambda: parse_duration(sitting["max_time"], "max_time"))
    return {**scoring, **sitting}


def _listed(values: tuple[str, ...], place: Place, kind: Kind, report: Report, folder: Path) -> list[str]:
    return list(
        _distinct(values, place, lambda value, at: _component(kind, value, at, report, folder), report)
    )


def _values(axes: Axes, place: Place, report: Report, folder: Path) -> dict[str, tuple[Any, ...]]:
    """Axis → its values that can be, as a matrix holds them."""
    found = {}
    for axis in AXES:
        given = getattr(axes, axis) or ()

        def read(value: Any, at: Place, axis: Any = axis) -> tuple[object, Any] | None:
            if isinstance(value, SeedParts):
                value = parse_seed(value.model_dump())
            if axis not in COMPONENTS:
                return value, value
            return _component(axis, value, at, report, folder)

        if kept := _distinct(given, (*place, axis), read, report):
            found[axis] = kept
    return found


def _distinct(
    values: tuple[Any, ...],
    place: Place,
    read: Callable[[Any, Place], tuple[object, Any] | None],
    report: Report,
) -> tuple[Any, ...]:
    """What `read` makes of the values: what tells each from others, and what is kept of it."""
    seen: dict[str, Any] = {}
    kept: list[Any] = []
    for number, value in enumerate(values):
        at = (*place, number)
        found = read(value, at)
        if found is None:
            continue
        first = seen.setdefault(repr(found[0]), value)
        if len(seen) == len(kept):
            report.wrong(
                at, f"{place[-1]} {typed(value)!r} is here already, as {typed(first)!r}. Leave one out."
            )
            continue
        kept.append(found[1])
    return tuple(kept)


def _component(
    kind: Kind, text: str, place: Place, report: Report, folder: Path
) -> tuple[object, str] | None:
    """What a setting names, defaults filled in, and the setting with absolute paths."""
    listed = report.attempt(place, lambda: split_list([text]))
    if listed is None:
        return None
    if len(listed) > 1:
        report.wrong(place, f"{text!r} is {len(listed)} settings in one. Write a list of them: {listed}.")
        return None
    named = report.attempt(place, lambda: _named(kind, text))
    return None if named is None else (named, anchored(kind, text, folder))


def _named(kind: Kind, text: str) -> object:
    """Names and parameters of a setting, each tried as far as it costs nothing."""
    if kind == "loss":
        try:
            loss_terms(text, "rgb")
        except UsageError as error:
            if not is_absence(error):  # a loss may lack its weights here: what it is can still be said
                raise
        terms = parse_sum(text)
    else:
        terms = [parse_term(text)]
    named = []
    for term in terms:
        registry().check_typed(kind, term.name)
        component = component_of(kind, term)
        settings = component.settings(term.parameters)
        if kind == "degradation":
            component.make(**settings)
        named.append((term.weight, registry().spelling(component), settings))
    return named


def _patterns(tables: tuple[Axes, ...], name: str, report: Report, folder: Path) -> tuple[Values, ...]:
    """A table of axes each; empty where a part of it cannot be, since the rest would mean something else."""
    found = []
    for number, axes in enumerate(tables):
        given = axes.model_fields_set & set(AXES)
        if not given:
            report.wrong((name, number), f"[[{name}]] names no axis. It takes: {', '.join(sorted(AXES))}.")
        values = _values(axes, (name, number), report, folder)
        is_whole = all(len(values.get(axis, ())) == len(getattr(axes, axis)) for axis in given)
        found.append(values if is_whole else {})
    return tuple(found)


def _settings(given: Mapping[str, Any], place: Place, report: Report) -> dict[str, Any]:
    """The settings that can be."""
    kept = dict(given)
    if not kept and place[0] == "when":
        report.wrong(place, "settings is empty, so this [[when]] says nothing. Give it a setting.")
    if {"steps", "epochs"} <= set(kept):
        last = max("steps", "epochs", key=lambda key: report.found.line((*place, key)))
        report.wrong((*place, last), "steps and epochs both say how far to train. Give one of them.")
        del kept[last]
    for key in ("optimizer", "schedule"):
        if key in kept:
            one = {key: kept[key]}
            if report.attempt((*place, key), lambda one=one: fields_of(one, Budget(steps=1))) is None:  # type: ignore[misc]
                del kept[key]
    return kept


def typed(value: Any) -> str:
    """A value as it would be typed."""
    return str(parse_seed(value.model_dump())) if isinstance(value, SeedParts) else str(value)
