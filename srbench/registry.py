"""Name → component: what the plugins registered, looked up as users type it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from srbench.components import REGISTERED, Component, Kind, Metric, plural
from srbench.containment import contained
from srbench.deprecations import warn_of_options
from srbench.entries import describe
from srbench.errors import UsageError, did_you_mean
from srbench.faults import PASSED_ON
from srbench.plugins import OWN, Plugin, PluginHost, host
from srbench.selection import canonical
from srbench.types import Target

_LOSSES: tuple[Kind, ...] = ("loss", "trainer")
"""Both are named by `--loss`, so they have their names in common."""

_SHOWN = 3
"""Broken plugins that the message on an unknown name tells of."""


@dataclass(frozen=True)
class Row:
    """One line of `srbench plugins`: a component, or a plugin or registration that failed."""

    kind: str
    name: str
    dist: str
    version: str
    state: str


class Registry:
    """All components of the plugins of `plugins`, each hook called once, each plugin on its own.

    A bare name that several plugins claim is nobody's when a user types it (`check_typed`). What the core
    itself names, or a stored run, goes on to mean srbench-harness's own (`find`).

    Args:
        plugins: the loaded plugins.
    """

    def __init__(self, plugins: PluginHost) -> None:
        self.plugins = plugins
        self._components: dict[Kind, dict[str, list[Component]]] = {kind: {} for kind in REGISTERED}
        self.refused: list[Row] = []
        hooks = [(kind, plugins.implementations(f"register_{plural(kind)}")) for kind in REGISTERED]
        for plugin in plugins.plugins:
            self._collect(
                plugin, [(kind, call) for kind, calls in hooks for one, call in calls if one is plugin]
            )

    def _collect(self, plugin: Plugin, hooks: list[tuple[Kind, Callable[..., None]]]) -> None:
        """All that one plugin registers, or nothing of it: half a plugin is worse than none."""
        collected: list[Component] = []
        refused: list[Row] = []

        def register(kind: Kind, by: Callable[..., None], name: str, target: Target, **options: Any) -> None:
            warn_of_options(f"register_{plural(kind)}", options, plugin.dist, by)
            try:
                if any(one.name == name and one.kind in _sharing(kind) for one in collected):
                    raise ValueError("this plugin has given that name before")
                collected.append(describe(kind, name, plugin, target, options))
            except (TypeError, ValueError) as error:
                refused.append(Row(kind, str(name), plugin.dist, plugin.version, f"refused: {error}"))

        try:
            with contained():
                for kind, register_all in hooks:
                    register_all(register=partial(register, kind, register_all))
        except PASSED_ON:
            raise
        except BaseException as error:
            self.plugins.fail(plugin, error)
            return
        for component in collected:
            self._components[component.kind].setdefault(component.name, []).append(component)
        self.refused += refused

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(self._components[kind])

    def all(self, kind: Kind) -> list[Any]:
        """The components of a kind by name, those that clash too."""
        return [one for name in self.names(kind) for one in self._components[kind][name]]

    def find(self, kind: Kind, name: str) -> Any:
        """The component that the core or a stored run calls so; `dist/name` is that distribution's.

        Raises:
            UsageError: no such name (with the nearest one, and the plugins that did not load), or one that
                two plugins claim and srbench-harness does not.
        """
        return self._one((kind,), name)

    def find_loss(self, name: str) -> Any:
        """The loss or the trainer of that name; raises as `find` does."""
        return self._one(_LOSSES, name)

    def check_typed(self, kind: Kind, name: str) -> None:
        """Refuse a name that a user typed and several plugins claim; `dist/name` says which is meant.

        Raises:
            UsageError: naming them all.
        """
        claimed = self._claims(_sharing(kind), name)
        if len(claimed) > 1:
            raise _clash(claimed)

    def spelling(self, component: Component) -> str:
        """The name by which `find` gives this component: bare where that is enough, else `dist/name`."""
        if component.plugin.dist == OWN or not self._is_contested(component):
            return component.name
        return f"{component.plugin.dist}/{component.name}"

    def typing(self, component: Component) -> str:
        """The name by which a user can type this component: bare where no other plugin claims it."""
        return (
            f"{component.plugin.dist}/{component.name}" if self._is_contested(component) else component.name
        )

    def has(self, kind: Kind, name: str) -> bool:
        """Whether anything has that name."""
        return bool(self._claims((kind,), name))

    def _one(self, kinds: tuple[Kind, ...], name: str) -> Any:
        found = self._claims(kinds, name)
        own = [one for one in found if one.plugin.dist == OWN]
        if len(found) > 1 and len(own) != 1:
            raise _clash(found)
        if found:
            return own[0] if own else found[0]
        raise self._unknown(kinds[0], name)

    def _claims(self, kinds: tuple[Kind, ...], name: str) -> list[Component]:
        dist, _, bare = name.rpartition("/")
        return [
            one
            for kind in kinds
            for one in self._components[kind].get(bare, ())
            if not dist or canonical(one.plugin.dist) == canonical(dist)
        ]

    def _is_contested(self, component: Component) -> bool:
        return len(self._claims(_sharing(component.kind), component.name)) > 1

    def _unknown(self, kind: Kind, name: str) -> UsageError:
        dist, _, bare = name.rpartition("/")
        elsewhere = [f"{one.plugin.dist}/{bare}" for one in self._claims(_sharing(kind), bare)]
        near = [near for one in _sharing(kind) for near in self.names(one)]
        hint = f" There is {' and '.join(elsewhere)}." if dist and elsewhere else did_you_mean(bare, near)
        broken = [plugin for plugin in self.plugins.plugins if plugin.error]
        may = "; ".join(f"{plugin.name} of {plugin.dist} ({plugin.error})" for plugin in broken[:_SHOWN])
        more = f"; and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        left_out = ", ".join(f"{plugin.name} of {plugin.dist}" for plugin in self.plugins.left_out)
        return UsageError(
            f"No {kind} named {name!r}.{hint} srbench plugins lists all."
            + (f" A plugin did not load and may have it: {may}{more}." if broken else "")
            + (f" Left out, as was asked for: {left_out}." if left_out else "")
        )

    def family(self, metric: Metric) -> list[Metric]:
        """The metrics that one call gives: those of its plugin that are fields of one function's result."""
        if not metric.field:
            return [metric]
        everything = (one for found in self._components["metric"].values() for one in found)
        return [
            one
            for one in everything
            if isinstance(one, Metric)
            and one.field
            and (one.plugin, one.target) == (metric.plugin, metric.target)
        ]

    def rows(self) -> list[Row]:
        """Everything named, refused or broken; a plugin of events alone is a row too."""
        rows = []
        for kind, by_name in self._components.items():
            for name, found in sorted(by_name.items()):
                claimed = self._claims(_sharing(kind), name)
                state = "ok" if len(claimed) == 1 else f"clash: say {' or '.join(_owners(claimed))}"
                rows += [Row(kind, name, one.plugin.dist, one.plugin.version, state) for one in found]
        rows += self.refused
        named = {(row.dist, row.version) for row in rows}
        for plugin in self.plugins.plugins:
            state = f"failed: {plugin.error}" if plugin.error else self._namesake(plugin)
            if state != "ok" or (plugin.dist, plugin.version) not in named:
                rows.append(Row("plugin", plugin.name, plugin.dist, plugin.version, state))
        return rows

    def _namesake(self, plugin: Plugin) -> str:
        """Whether another plugin has that name: all that is lost is the short way to leave it out."""
        same = [one for one in self.plugins.plugins if one.name == plugin.name]
        if len(same) == 1:
            return "ok"
        dists = sorted({one.dist for one in same}, key=lambda dist: (dist != OWN, dist))
        if len(dists) == 1:
            return f"clash: {plugin.dist} has {len(same)} plugins of that name"
        return f"clash: say {' or '.join(f'{dist}/{plugin.name}' for dist in dists)}"


def _sharing(kind: Kind) -> tuple[Kind, ...]:
    """The kinds in which a name may be given once."""
    return _LOSSES if kind in _LOSSES else (kind,)


def _owners(components: list[Component]) -> list[str]:
    """As they can be typed, srbench-harness's own first, then by name: the order of loading says nothing."""
    ordered = sorted(components, key=lambda one: (one.plugin.dist != OWN, one.plugin.dist))
    return [f"{one.plugin.dist}/{one.name}" for one in ordered]


def _clash(components: list[Component]) -> UsageError:
    first = components[0]
    last = max(components, key=lambda one: one.plugin.dist != OWN)  # another's, where there is one
    owners = _owners(components)
    number = "Two plugins name" if len(components) == 2 else f"{len(components)} plugins name"
    if len(set(owners)) < len(owners):
        plugins = " and ".join(f"{one.plugin.name} of {one.plugin.dist}" for one in components)
        return UsageError(
            f"{number} a {first.kind} {first.name!r}, and their distribution does not tell them apart: "
            f"{plugins}. Leave one out: srbench --no-plugin {last.plugin.dist}/{last.plugin.name}."
        )
    return UsageError(
        f"{number} a {first.kind} {first.name!r}. Say which one is meant: {' and '.join(owners)}. Or leave "
        f"one out: srbench --no-plugin {last.plugin.dist}."
    )


@cache
def registry() -> Registry:
    """The process's registry, made on first use."""
    return Registry(host())
