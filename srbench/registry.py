"""Name → component: what the plugins registered, looked up as users type it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from srbench.components import KINDS, Component, Kind, Metric, describe, plural
from srbench.errors import UsageError, did_you_mean
from srbench.plugins import Plugin, PluginHost, host
from srbench.types import Target


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

    Args:
        plugins: the loaded plugins.
    """

    def __init__(self, plugins: PluginHost) -> None:
        self.plugins = plugins
        self._components: dict[Kind, dict[str, list[Component]]] = {kind: {} for kind in KINDS}
        self.refused: list[Row] = []
        for kind in KINDS:
            for plugin, register_all in plugins.implementations(f"register_{plural(kind)}"):
                self._collect(kind, plugin, register_all)

    def _collect(self, kind: Kind, plugin: Plugin, register_all: Callable[..., None]) -> None:
        collected: list[Component] = []

        def register(name: str, target: Target, **options: Any) -> None:
            try:
                collected.append(describe(kind, name, plugin, target, options))
            except (TypeError, ValueError) as error:
                self.refused.append(Row(kind, str(name), plugin.dist, plugin.version, f"refused: {error}"))

        try:
            register_all(register=register)
        except (Exception, SystemExit) as error:
            # Half a plugin is worse than none: what it had named so far is dropped with the rest.
            self.plugins.fail(plugin, error)
            return
        for component in collected:
            self._components[kind].setdefault(component.name, []).append(component)

    def names(self, kind: Kind) -> list[str]:
        """The names of a kind, sorted."""
        return sorted(self._components[kind])

    def all(self, kind: Kind) -> list[Any]:
        """The components of a kind by name, those that clash too."""
        return [one for name in self.names(kind) for one in self._components[kind][name]]

    def find(self, kind: Kind, name: str) -> Any:
        """The component of that name; `dist/name` where two plugins claim it.

        Raises:
            UsageError: no such name (with the nearest one, and the plugins that did not load), or a name
                that two plugins claim.
        """
        dist, _, bare = name.rpartition("/")
        found = [one for one in self._components[kind].get(bare, []) if not dist or one.plugin.dist == dist]
        if len(found) == 1:
            return found[0]
        if found:
            owners = " and ".join(f"{one.plugin.dist}/{name}" for one in found)
            raise UsageError(f"Two plugins name a {kind} {name!r}. Say which one is meant: {owners}.")
        near = [*self.names(kind), *(self.names("trainer") if kind == "loss" else [])]
        hint = did_you_mean(bare, near)
        broken = [plugin for plugin in self.plugins.plugins if plugin.error]
        may = "; ".join(f"{plugin.name} of {plugin.dist} ({plugin.error})" for plugin in broken)
        raise UsageError(
            f"No {kind} named {name!r}.{hint} srbench plugins lists all."
            + (f" A plugin did not load and may have it: {may}." if broken else "")
        )

    def spelling(self, component: Component) -> str:
        """The name by which `find` gives this component: bare where it is the only one, else `dist/name`."""
        alone = len(self._components[component.kind][component.name]) == 1
        return component.name if alone else f"{component.plugin.dist}/{component.name}"

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
                state = (
                    "ok"
                    if len(found) == 1
                    else "clash: say " + " or ".join(f"{one.plugin.dist}/{name}" for one in found)
                )
                rows += [Row(kind, name, one.plugin.dist, one.plugin.version, state) for one in found]
        rows += self.refused
        named = {(row.dist, row.version) for row in rows}
        for plugin in self.plugins.plugins:
            state = f"failed: {plugin.error}" if plugin.error else "ok"
            if plugin.error or (plugin.dist, plugin.version) not in named:
                rows.append(Row("plugin", plugin.name, plugin.dist, plugin.version, state))
        return rows


@cache
def registry() -> Registry:
    """The process's registry, made on first use."""
    return Registry(host())
