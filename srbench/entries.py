"""What a plugin passes to `register` → a component, or why it is refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from math import inf
from typing import Any

from srbench.builtin import COMMANDS
from srbench.components import (
    DIRECTIONS,
    Command,
    Component,
    DatasetComponent,
    DegradationComponent,
    ExecutorComponent,
    Kind,
    Loss,
    Metric,
    Model,
)
from srbench.errors import did_you_mean
from srbench.facts import DatasetFacts
from srbench.plugins import Plugin
from srbench.types import CHANNELS, LAWS, Target

_CLASSES: dict[Kind, type[Component]] = {
    "model": Model,
    "loss": Loss,
    "trainer": Component,
    "dataset": DatasetComponent,
    "metric": Metric,
    "degradation": DegradationComponent,
    "executor": ExecutorComponent,
    "command": Command,
}


def describe(kind: Kind, name: str, plugin: Plugin, target: Target, options: Mapping[str, Any]) -> Component:
    """The component that a plugin named with `options`, checked.

    Raises:
        TypeError, ValueError: what is wrong with it.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d][\w.-]*", name):
        raise ValueError(
            f"the name {name!r} must be one word of letters, digits, - . and _, a letter or _ first"
        )
    if not _is_target(target):
        raise ValueError(f"{target!r} is neither a callable nor an import string 'package.module:attribute'")
    cls = _CLASSES[kind]
    known = {field.name for field in fields(cls)} - {field.name for field in fields(Component)}
    for option in options:
        if option not in known:
            raise ValueError(f"register takes no {option!r}.{did_you_mean(option, known)}")
    values = {
        key: tuple(v) if isinstance(v, Sequence) and not isinstance(v, str) else v
        for key, v in options.items()
    }
    if values.get("channels", "rgb") not in CHANNELS:
        raise ValueError(f"channels {values['channels']!r} is none of {', '.join(CHANNELS)}")
    better = values.get("better")
    if kind == "metric" and not (better in DIRECTIONS or _is_target(better)):
        raise ValueError("better must be 'higher', 'lower' or 'neither', or a function that says which")
    multiple, tileable = values.get("size_multiple", 1), values.get("tileable", True)
    if not (isinstance(multiple, int) or _is_target(multiple)):
        raise ValueError("size_multiple must be a whole number, or a function of the settings that gives it")
    if not (isinstance(tileable, bool) or _is_target(tileable)):
        raise ValueError("tileable must be True or False, or a function of the settings that says which")
    for key in ("planes", "shows"):  # a name alone has always stood for a list of it
        if isinstance(values.get(key), str):
            values[key] = (values[key],)
    if isinstance(values.get("laws"), str):
        raise ValueError(f"laws are a list, such as [{values['laws']!r}], and not text alone")
    _check_planes(values.get("planes", ("rgb",)))
    _check_scales(kind, values)
    if kind == "dataset" and not isinstance(values.get("facts"), DatasetFacts | str | None):
        raise ValueError("facts must be a DatasetFacts or the import string of one")
    if values.get("margin", 0) != 0 and not values.get("stochastic"):
        raise ValueError("a margin is for degradations that are registered with stochastic=True")
    if values.get("domain", "plane") not in ("plane", "rgb"):
        raise ValueError(f"domain {values['domain']!r} is neither 'plane' nor 'rgb'")
    if kind == "command":
        _check_command(name, values.get("help"))
    for law in values.get("laws", ()):
        if law not in LAWS:
            raise ValueError(f"unknown law {law!r}; laws of a loss are {' and '.join(map(repr, LAWS))}")
    _check_bounds(values.get("bounds", (-inf, inf)))
    return cls(kind=kind, name=name, plugin=plugin, target=target, **values)


def _check_command(name: str, text: object) -> None:
    if name in COMMANDS:
        raise ValueError(f"{name!r} is a command of srbench itself")
    if not isinstance(text, str) or not text.strip():
        raise ValueError('a command needs help="…", the line that srbench --help shows')


def _check_planes(planes: Sequence[object]) -> None:
    for plane in planes:
        if plane not in ("r", "g", "b", "y", "rgb"):
            raise ValueError(f"unknown plane {plane!r}; planes are r, g, b, y, or rgb for the three jointly")
    if not planes or ("rgb" in planes and len(planes) > 1):
        raise ValueError(f"planes are any of r, g, b, y, or rgb alone, not {list(planes)}")


def _check_scales(kind: Kind, values: Mapping[str, Any]) -> None:
    if kind == "loss" and values.get("scales", "all") not in ("all", "last"):
        raise ValueError(f"scales {values['scales']!r} is neither 'all' nor 'last'")
    scales = values.get("scales") if kind == "model" else None
    if scales is not None and not (
        isinstance(scales, tuple) and scales and all(type(one) is int and one > 1 for one in scales)
    ):
        raise ValueError(f"scales are whole numbers from 2, such as [2, 4], or None for any, not {scales!r}")


def _check_bounds(bounds: object) -> None:
    match bounds:
        case (float() | int() as low, float() | int() as high) if low < high:
            return
    raise ValueError(f"bounds are the least and the greatest value that there can be, not {bounds!r}")


def _is_target(target: object) -> bool:
    """Whether it is a callable, or has the form of an import string."""
    return callable(target) or (isinstance(target, str) and target.count(":") == 1)
