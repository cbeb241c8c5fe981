"""What is installed, as records: every component with what it declared, and what is broken and why."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from srbench import __version__
from srbench.badges import badge
from srbench.components import REGISTERED, Component
from srbench.facts import DatasetFacts
from srbench.plugins import OWN, entry_points, name_and_version
from srbench.registry import Row, registry
from srbench.sources import module_file
from srbench.types import Target


@dataclass(frozen=True)
class Entry:
    """One line of `srbench plugins list`.

    Args:
        row: what it is and whether it is well.
        component: None for a plugin that did not load, a name that was refused, or a plugin of events alone.
    """

    row: Row
    component: Component | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it can be used by its bare name."""
        return self.row.state == "ok"


def entries() -> list[Entry]:
    """Everything that plugins give, by kind and name; what is broken comes last. Imports no component."""
    by_row: dict[tuple[str, str, str], list[Component]] = {}
    for kind in REGISTERED:
        for one in registry().all(kind):
            by_row.setdefault((kind, one.name, one.plugin.dist), []).append(one)
    found = []
    for row in registry().rows():
        owners = by_row.get((row.kind, row.name, row.dist), [])
        is_refused = row.state.startswith("refused")
        found.append(Entry(row, owners.pop(0) if owners and not is_refused else None))
    return found


def record(entry: Entry) -> dict[str, Any]:
    """An entry as plain data; importing nothing that listing has not imported."""
    row, component = entry.row, entry.component
    plugin = component.plugin.name if component else row.name if row.kind == "plugin" else None
    entry_point = _entry_points().get((row.dist, plugin)) if plugin else None
    target = text_of(component.target) if component else None
    return {
        "kind": row.kind,
        "name": row.name,
        "typed": registry().typing(component) if component else None,
        "distribution": row.dist,
        "version": row.version,
        "state": row.state,
        "plugin": plugin,
        "entry_point": entry_point,
        "target": target,
        "source": _text(module_file((target or entry_point or "").partition(":")[0])),
        "checked": badge(component) if component else "",
        "registered": declared(component) if component else {},
    }


def declared(component: Component) -> dict[str, Any]:
    """What a component was registered with, defaults included, as plain data."""
    own = {field.name for field in fields(component)} - {field.name for field in fields(Component)}
    return {
        field.name: plain(getattr(component, field.name)) for field in fields(component) if field.name in own
    }


def freeze() -> list[str]:
    """`distribution==version` of srbench and of everything that has a plugin, sorted, as pip takes it."""
    versions = {OWN: __version__}
    versions |= dict(name_and_version(point.dist) for point in entry_points() if point.dist is not None)
    return [f"{dist}=={versions[dist]}" for dist in sorted(versions, key=str.lower)]


def text_of(target: Target) -> str:
    """A target as an import string."""
    if isinstance(target, str):
        return target
    owner = target if hasattr(target, "__qualname__") else type(target)
    return f"{owner.__module__}:{owner.__qualname__}"


def _text(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _entry_points() -> dict[tuple[str, str], str]:
    return {(name_and_version(point.dist)[0], point.name): point.value for point in entry_points()}


def plain(value: Any) -> Any:
    """As JSON has it: callables as import strings, and no number that is not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, DatasetFacts):
        return {"terms": value.terms, "counts": dict(value.counts), "size_mb": value.size_mb}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if callable(value):
        return text_of(value)
    return value
