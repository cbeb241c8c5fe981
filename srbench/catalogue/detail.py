"""What a component says of itself once it is imported: its parameters, its words, its place."""

import inspect
import typing
from collections.abc import Callable
from functools import partial
from types import UnionType
from typing import Any

from srbench.catalogue import Entry, declared, entries, plain, record
from srbench.components import KINDS, Command, Component, DatasetComponent, Kind, Metric, Model
from srbench.errors import SrbenchError, UsageError, did_you_mean
from srbench.grammar import quote
from srbench.registry import registry
from srbench.selection import canonical
from srbench.sources import behind

OPTIONS: dict[Kind, str] = {
    "model": "--model",
    "loss": "--loss",
    "trainer": "--loss",
    "dataset": "--dataset",
    "metric": "--metric",
    "degradation": "--degradation",
    "executor": "--executor",
}
"""The option by which a kind is named in `srbench run`."""


def entries_of(name: str, kind: str | None = None) -> list[Entry]:
    """Every entry of that name, or of `dist/name`, in any kind or in one; the owners of a clash are all here.

    Raises:
        UsageError: there is none, with the nearest name of any kind, and the plugins that did not load.
    """
    dist, _, bare = name.rpartition("/")
    everything = entries()
    within = [entry for entry in everything if kind is None or entry.row.kind == kind]
    found = [
        entry
        for entry in within
        if entry.row.name == bare and (not dist or canonical(entry.row.dist) == canonical(dist))
    ]
    if found:
        return found
    elsewhere = [one.row.kind for one in everything if one.row.name == bare]
    if kind is not None and elsewhere:
        raise UsageError(f"No {kind} is named {name!r}; there is a {' and a '.join(elsewhere)} of that name.")
    hint = did_you_mean(bare, [entry.row.name for entry in within])
    broken = [one for one in registry().plugins.plugins if one.error]
    may = "; ".join(f"{one.name} of {one.dist} ({one.error})" for one in broken)
    kinds = ", ".join(KINDS[:-1]) + f" or {KINDS[-1]}" if kind is None else kind
    raise UsageError(
        f"No {kinds} is named {name!r}.{hint} srbench plugins list shows all."
        + (f" A plugin did not load and may have it: {may}." if broken else "")
    )


def detail(entry: Entry) -> dict[str, Any]:
    """The record of an entry, and what its module says; `error` is why that could not be imported."""
    component = entry.component
    if component is None:
        return {**record(entry), "usable": entry.is_sound, "error": None}
    if isinstance(component, Command):
        said = {"usable": True, "error": None, "usage": f"srbench {registry().typing(component)}"}
        return {**record(entry), **said, "doc": component.help}
    try:
        build = behind(component.build)
        parameters = component.parameters
    except SrbenchError as error:
        return {**record(entry), "usable": False, "error": str(error)}
    return {
        **record(entry),
        "usable": True,
        "error": None,
        "usage": usage(component),
        "parameters": [
            {
                "name": name,
                "type": type_text(parameter.annotation),
                "required": parameter.default is inspect.Parameter.empty,
                "default": None
                if parameter.default is inspect.Parameter.empty
                else as_typed(parameter.default),
                "values": allowed(parameter.annotation),
            }
            for name, parameter in parameters.items()
        ],
        "doc": inspect.cleandoc(build.__doc__ or ""),
        "line": _line(build),
        "registered": answered(component),
    }


def usage(component: Component) -> str:
    """How it is typed, what may be left out in brackets: `--dataset scans:root=…[,every=5]`."""
    needed, optional = [], []
    for name, parameter in component.parameters.items():
        if parameter.default is inspect.Parameter.empty:
            needed.append(f"{name}=…")
        else:
            optional.append(f"{name}={as_typed(parameter.default)}")
    text = f"{OPTIONS[component.kind]} {registry().typing(component)}"
    text += ":" + ",".join(needed) if needed else ""
    return text + (f"[{',' if needed else ':'}{','.join(optional)}]" if optional else "")


def as_typed(value: object) -> str:
    """A default as it would be typed."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return quote(str(value))


def allowed(annotation: Any) -> list[str]:
    """The words that a parameter takes, where its annotation lists them; empty: any value of its type."""
    if typing.get_origin(annotation) is typing.Literal:
        return [as_typed(value) for value in typing.get_args(annotation)]
    inner = [allowed(one) for one in typing.get_args(annotation)]
    return [value for values in inner for value in values]


def type_text(annotation: Any) -> str:
    """What is to be typed for a parameter: `int or none`; `text` where its builder says nothing."""
    if annotation is inspect.Parameter.empty:
        return "text"
    if annotation is type(None):
        return "none"
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(dict.fromkeys(type(value).__name__ for value in typing.get_args(annotation)))
    if typing.get_origin(annotation) in (typing.Union, UnionType):
        return " or ".join(type_text(one) for one in typing.get_args(annotation))
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def answered(component: Component) -> dict[str, Any]:
    """What it was registered with, where that is a function of settings with what it says of their defaults.

    The function stays where it has no answer to that, as for a setting without a default.
    """
    said = declared(component)
    defaults = {
        name: parameter.default
        for name, parameter in component.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    if isinstance(component, Model):
        scale = (component.scales or (4,))[0]
        said["size_multiple"] = _answer(lambda: component.padded_to(defaults), said["size_multiple"])
        said["tileable"] = _answer(lambda: component.sees_tiles(defaults), said["tileable"])
        for name, recipe in said["recipes"].items():
            said["recipes"][name] = _answer(partial(component.recipe, name, defaults, scale), recipe)
        said["terms"] = _answer(lambda: component.told({}), said["terms"])
    if isinstance(component, Metric):
        said["better"] = _answer(lambda: component.direction(defaults), said["better"])
    if isinstance(component, DatasetComponent):
        said["facts"] = _answer(lambda: plain(component.read_facts()), said["facts"])
    if isinstance(component, Metric | DatasetComponent):
        everything = inspect.signature(component.build).parameters
        said["asks_for"] = [name for name in everything if name not in component.parameters]
    return said


def _answer(question: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return question()
    except SrbenchError:
        return otherwise


def _line(build: Any) -> int | None:
    try:
        return inspect.getsourcelines(build)[1] or 1
    except (OSError, TypeError):
        return None
